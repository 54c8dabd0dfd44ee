//! A program before it runs: what it touches, and holding that.
//!
//! ```text
//! text ─▶ its own rules and facts: what they touch ─▶ permit for these parts (the gate decides each) ─▶ hold ─▶ snapshot
//!                                                              ▲                                              │
//!                                   decided too, held instead ─┴──── the graph's own rules touch more ◀───────┘
//! ```
//!
//! The graph's own `exec` facts run with the program if the caller may read and write `exec` facts; else they are not there for it.
//! Where the graph has facts with variables, which a pattern may match that begins otherwise, everything that the caller may read is
//! read, and so is held.
//!
//! Invariants
//! - PR-1: what a program reads and writes is decided and held before its snapshot is taken, until its commit;
//! - PR-2: it holds nothing while it waits.
//!
//! Deliberately absent: what decides; running.

use craton_base::{BucketName, Error, FactPath, GraphName, Kind, ResourcePath, Result};
use craton_gate::{PARTS_MAX, Parts};

use super::{StoredSpace, find, fixpoint};
use crate::{
    Bounds, Order, Relation, Shape, Table,
    exec::{
        EXEC_PREFIX, FactSpace as _,
        borrow::{Touched, of_fact, touched},
    },
    parse,
    prefix::{self, Prefixes},
    rules::Rules,
    snapshot::Snapshot,
    term::{Item, Term},
    writer::GraphWriter,
};

/// How often a program is looked at again because the graph's own rules changed.
const TRIES: usize = 8;
/// The most other graphs that a program reads, and that it writes.
const OTHERS_MAX: usize = 4;
/// What `exec` facts begin with.
const EXECS: &str = "(exec ";
/// The action that reading needs.
pub const READ: &str = "craton:ReadGraph";
/// The action that changing needs.
pub const WRITE: &str = "craton:WriteGraph";

/// A program's text, read, for a graph or the part of it that begins with a prefix.
pub struct Program {
    bucket: BucketName,
    graph: GraphName,
    prefix: String,
    facts: Vec<Term>,
    /// Rules that run to a fixpoint.
    rules: Rules,
    /// Whether it may end before all rules ran, which then stay in the graph.
    may_stop: bool,
    /// Other graphs that it may write.
    targets: Vec<(GraphName, GraphWriter)>,
}

/// Another graph that a program names.
struct Named {
    graph: GraphName,
    /// Whether it is written, and not read.
    is_sink: bool,
}

impl Program {
    /// Reads a program. With `may_stop` a limit of steps may end it early.
    ///
    /// # Errors
    /// `Invalid` for a text or a path that is none.
    pub fn read(path: &ResourcePath, text: &[u8], may_stop: bool) -> Result<Self> {
        let ResourcePath::Facts(bucket, facts) = path else {
            return Err(Error::internal("a program runs on a graph"));
        };
        prefix::items(facts.prefix())?;
        Ok(Self {
            bucket: bucket.clone(),
            graph: facts.graph().clone(),
            prefix: facts.prefix().to_owned(),
            facts: parse::facts(text)?,
            rules: Rules::default(),
            may_stop,
            targets: Vec::new(),
        })
    }

    /// Reads rules, which run to their least fixpoint ([`Program::rules`]), and facts that are added before.
    ///
    /// # Errors
    /// `Invalid`, `NoRules`; as [`Program::read`] and [`Rules::read`].
    pub fn of_rules(path: &ResourcePath, text: &[u8]) -> Result<Self> {
        let mut rules = Rules::read(text)?;
        if rules.layers.is_empty() {
            return Err(fixpoint::no_rules());
        }
        Ok(Self {
            facts: std::mem::take(&mut rules.facts),
            rules,
            ..Self::read(path, b"", false)?
        })
    }

    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The graph as a whole: what the parts are under.
    #[must_use]
    pub fn whole(&self) -> ResourcePath {
        ResourcePath::Facts(self.bucket.clone(), FactPath::whole(self.graph.clone()))
    }

    /// The other graphs that its `ACT` sources name, those in what it writes included: each to be decided as a read of its own.
    ///
    /// # Errors
    /// `Invalid` for a name that no graph has; `TooLarge`, `TooManyGraphs`.
    pub fn graphs(&self) -> Result<Vec<GraphName>> {
        self.others(false)
    }

    /// The other graphs that its `ACT` sinks name: each to be decided as a write of its own.
    ///
    /// # Errors
    /// As [`Program::graphs`]; `Invalid`, `OwnGraph` for the one that it runs on.
    pub fn sinks(&self) -> Result<Vec<GraphName>> {
        let sinks = self.others(true)?;
        if sinks.contains(&self.graph) {
            let message = "a program changes the graph that it runs on by + and -, not by ACT";
            return Err(Error::new(Kind::Invalid, "OwnGraph", message));
        }
        Ok(sinks)
    }

    /// Lets it write another graph, which was decided.
    pub fn writes(&mut self, graph: GraphName, writer: GraphWriter) {
        self.targets.push((graph, writer));
    }

    fn others(&self, sinks: bool) -> Result<Vec<GraphName>> {
        let mut out: Vec<GraphName> = Vec::new();
        for fact in &self.facts {
            for named in named_in(fact)? {
                if named.is_sink == sinks && !out.contains(&named.graph) {
                    out.push(named.graph);
                }
            }
        }
        if out.len() > OTHERS_MAX {
            let message = format!("a program reads at most {OTHERS_MAX} other graphs, and writes as many");
            return Err(Error::new(Kind::TooLarge, "TooManyGraphs", message));
        }
        Ok(out)
    }

    /// Another graph of the same bucket.
    #[must_use]
    pub fn other(&self, graph: &GraphName) -> ResourcePath {
        ResourcePath::Facts(self.bucket.clone(), FactPath::whole(graph.clone()))
    }

    /// What its own text touches: to be decided before anything is read.
    ///
    /// # Errors
    /// `TooLarge` for terms that are too large to be followed.
    pub fn parts(&self) -> Result<Parts> {
        let mut parts = self.within(self.touches(&[])?)?;
        if parts.reads.is_empty() && parts.writes.is_empty() {
            // It does nothing there, and is decided all the same.
            parts.reads.push(self.path(&self.prefix)?);
        }
        Ok(parts)
    }

    /// What it touches together with rules that the graph has.
    fn touches(&self, stored: &[Term]) -> Result<Touched> {
        let (mine, facts): (Vec<&Term>, Vec<&Term>) = self
            .facts
            .iter()
            .partition(|fact| fact.as_bytes().starts_with(&EXEC_PREFIX));
        let rules = self.rules.all().map(|rule| &rule.touches);
        let mut out = touched(mine.into_iter().chain(rules).chain(stored))?;
        facts
            .into_iter()
            .for_each(|fact| out.writes.insert(of_fact(fact)));
        Ok(out)
    }

    fn within(&self, touched: Touched) -> Result<Parts> {
        let paths = |prefixes: Prefixes| -> Result<Vec<ResourcePath>> {
            let few = prefixes.within(&self.prefix).at_most(PARTS_MAX.saturating_sub(2));
            few.iter().map(|prefix| self.path(prefix)).collect()
        };
        Ok(Parts {
            reads: paths(touched.reads)?,
            writes: paths(touched.writes)?,
        })
    }

    fn path(&self, prefix: &str) -> Result<ResourcePath> {
        let path = FactPath::new(self.graph.clone(), prefix)?;
        Ok(ResourcePath::Facts(self.bucket.clone(), path))
    }

    /// Holds what it touches, and gives the graph as it is then, with the program's facts added, and `memory` bytes for joins. Waits for
    /// its turn. Blocks.
    ///
    /// # Errors
    /// `Denied` if what the graph's own rules touch is not allowed; `Busy` if a client's lease is in the way, or those rules change too
    /// often; as [`StoredSpace::open`].
    pub fn open(self, writer: &GraphWriter, memory: u64) -> Result<StoredSpace> {
        let execs = self.path(EXECS)?;
        let permit = writer.permit();
        let mut wanted = permit.parts().unwrap_or(self.parts()?);
        if self.prefix.is_empty() && permit.also(READ, &execs) && permit.also(WRITE, &execs) {
            let part = match self.may_stop {
                true => &mut wanted.writes,
                false => &mut wanted.reads,
            };
            part.push(execs);
        }
        let targets: Vec<&GraphWriter> = self.targets.iter().map(|(_, writer)| writer).collect();
        for _ in 0..TRIES {
            if permit.parts().is_some_and(|known| !known.cover(&wanted)) {
                permit.reach_more(&wanted)?;
            }
            writer.hold_with(&wanted, &targets)?;
            let base = writer.snapshot()?;
            let needed = self.needed(&base, writer)?;
            if wanted.cover(&needed) {
                let mut space = StoredSpace::over(writer.clone(), base, memory)?;
                for (name, writer) in &self.targets {
                    space.writes(name, writer.clone());
                }
                for fact in self.facts {
                    space.insert(fact)?;
                }
                return Ok(space);
            }
            permit.give_back();
            wanted.reads.extend(needed.reads);
            wanted.writes.extend(needed.writes);
        }
        let message = "the graph's own rules change too often; try again";
        Err(Error::new(Kind::Busy, "GraphBusy", message))
    }

    /// What it touches on this graph.
    fn needed(&self, base: &Snapshot, writer: &GraphWriter) -> Result<Parts> {
        let stored = execs_of(base)?;
        let mut parts = self.within(self.touches(&stored)?)?;
        if !stored.is_empty() {
            parts.writes.push(self.path(EXECS)?);
        }
        let all = self.path(&self.prefix)?;
        if !parts.reads.is_empty() && has_variables(base)? && writer.permit().also(READ, &all) {
            parts.reads = vec![all];
        }
        Ok(parts)
    }
}

/// The graphs that the `ACT`s of a fact name: what stands in an expression that begins with `O` is a sink.
fn named_in(fact: &Term) -> Result<Vec<Named>> {
    let items: Vec<Item<'_>> = fact.items().collect();
    let mut out = Vec::new();
    // How many items each open expression still gets, and whether it begins with `O`.
    let mut open: Vec<(u32, bool)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if let [Item::Expression(3), Item::Symbol(b"ACT"), Item::Symbol(name), ..] =
            items.get(at..).unwrap_or_default()
        {
            out.push(Named {
                graph: String::from_utf8_lossy(name).parse()?,
                is_sink: open.last().is_some_and(|(_, of_sinks)| *of_sinks),
            });
        }
        if let Some((left, _)) = open.last_mut() {
            *left = left.saturating_sub(1);
        }
        if let Item::Expression(width @ 1..) = item {
            let head = items.get(at.saturating_add(1));
            open.push((*width, matches!(head, Some(Item::Symbol(b"O")))));
        }
        while open.last().is_some_and(|(left, _)| *left == 0) {
            open.pop();
        }
    }
    Ok(out)
}

/// The `exec` facts that a snapshot shows.
pub(super) fn execs_of(base: &Snapshot) -> Result<Vec<Term>> {
    let mut out = Vec::new();
    let Some(exec) = crate::Names::symbol(base, b"exec")? else {
        return Ok(out);
    };
    for table in [Table::facts(4), Table::open_facts(4)] {
        let (relation, order) = (Relation::whole(table), Order::natural(4));
        let bounds = Bounds::prefix(vec![exec.0]);
        find::each(base, &relation, &order, &bounds, &mut |fact| {
            out.push(Term::from_bytes(fact)?);
            Ok(())
        })?;
    }
    Ok(out)
}

/// Whether the graph may have facts with variables other than `exec` facts, shown or not.
fn has_variables(base: &Snapshot) -> Result<bool> {
    let exec = crate::Names::symbol(base, b"exec")?;
    for level in base
        .manifest()
        .levels
        .iter()
        .filter(|l| l.order.is_natural() && !l.removes)
    {
        let table = level.relation.table;
        if !table.open || table.shape == Shape::Expression || level.run.rows() == 0 {
            continue;
        }
        let only_execs = exec.is_some_and(|exec| {
            let of_execs = |s: &std::sync::Arc<crate::run::Segment>| {
                s.info().first.first() == Some(&exec.0) && s.info().last.first() == Some(&exec.0)
            };
            table.items == 4 && level.run.segments().iter().all(of_execs)
        });
        if !only_execs {
            return Ok(true);
        }
    }
    Ok(false)
}
