//! Live programs: rules that a graph keeps, whose facts are there with every commit.
//!
//! ```text
//! a change of facts ─▶ held, and with it alone all that live programs derive ─▶ what follows ([`fixpoint::live`]) ─▶ both in one commit
//! ```
//!
//! Nobody else writes the relations that a live program derives: what they hold is what follows from the others, and so can be computed anew. Several
//! programs are as one, of all their rules.
//!
//! Invariants
//! - LV-1: who changes facts of a graph with live programs holds all that they derive, alone, from before what follows is computed until it is
//!   committed; so between the two nothing changed that it follows from;
//! - LV-2: a change and what follows from it are one commit, or there is none: no reader sees the one without the other;
//! - LV-3: what is derived is read by the engine whoever's change it follows from, and nothing of it is given to them.
//!
//! Deliberately absent: who may add one ([`super::program`] says what it touches), how it is followed.

use std::collections::BTreeSet;

use craton_base::{Error, FactPath, Kind, ResourcePath, Result};
use craton_gate::{Committed, PARTS_MAX, Parts};

use super::{
    StoredSpace,
    fixpoint::{
        self, Options,
        live::{all_of, maintain},
    },
};
use crate::{
    Bounds, Id, Names as _, Shape, Table, Tuples as _,
    exec::borrow::touched,
    manifest::{Level, Live, check_name},
    merge::{Input, union},
    prefix::Prefixes,
    rules::{Of, Rules},
    run::{Run, Writer},
    snapshot::Snapshot,
    writer::{Delta, GraphWriter},
};

/// The most live programs of a graph.
const PROGRAMS_MAX: usize = 16;
/// The longest text of one, in bytes: each commit writes them all.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// What follows from a change.
#[derive(Default)]
pub(crate) struct Following {
    /// Further changes.
    pub(crate) deltas: Vec<Delta>,
    /// Orders of relations that were needed, to be kept.
    pub(crate) orders: Vec<Level>,
}

/// What changes in the programs of a graph.
pub enum Change {
    /// A program is added, or put in the place of the one of its name.
    Add(Live),
    /// A program is kept no longer; its facts are removed, or, `keep`, are facts like others from then on.
    Remove {
        /// What it is called.
        name: String,
        /// Whether its facts stay.
        keep: bool,
    },
    /// All is computed anew.
    Refresh,
}

/// What became of that.
pub struct Changed {
    /// Facts that were added, and removed.
    pub added: u64,
    /// Facts that were removed.
    pub removed: u64,
    /// What may be a mistake in the rules.
    pub warnings: Vec<String>,
    /// The commit.
    pub committed: Committed,
}

/// The rules of programs, together.
fn rules_of(live: &[Live]) -> Result<Rules> {
    let read = live.iter().map(|live| Rules::read(live.text.as_bytes()));
    Rules::together(read.collect::<Result<Vec<_>>>()?)
}

fn options_of(live: &[Live]) -> Options {
    Options {
        rounds: live.iter().map(|live| live.rounds).max().unwrap_or_default(),
        depth: live.iter().map(|live| live.depth).max().unwrap_or_default(),
    }
}

/// The relations that rules make.
fn made(rules: &Rules) -> BTreeSet<Of> {
    let heads = rules.all().flat_map(|rule| &rule.heads);
    heads.map(crate::rules::Head::of).collect()
}

/// They, as far as the graph knows their names.
fn known(rules: &Rules, names: &Snapshot) -> Result<BTreeSet<(Table, Id)>> {
    let mut out = BTreeSet::new();
    for (head, width) in made(rules) {
        if let Some(head) = super::ground_id(names, &head)? {
            out.insert((Table::facts(width), head));
        }
    }
    Ok(out)
}

/// What programs derive, as paths of a graph.
pub(crate) fn derived(
    live: &[Live],
    path: impl Fn(&str) -> Result<ResourcePath>,
) -> Result<Vec<ResourcePath>> {
    let mut writes = Prefixes::default();
    for program in live {
        let rules = Rules::read(program.text.as_bytes())?;
        let touched = touched(rules.all().map(|rule| &rule.touches))?;
        touched
            .writes
            .iter()
            .for_each(|prefix| writes.insert(prefix.to_owned()));
    }
    writes.at_most(PARTS_MAX).iter().map(path).collect()
}

/// What follows from changes over what the graph is now, whose writer holds all that is derived. Blocks.
///
/// # Errors
/// `Denied`, `LiveRelation` if they change what is derived; as [`maintain`], with words about live programs.
pub(crate) fn follow(writer: &GraphWriter, deltas: &[Delta], memory: u64) -> Result<Following> {
    let old = writer.whole()?;
    let live = old.manifest().live.clone();
    if live.is_empty() {
        return Ok(Following::default());
    }
    let rules = rules_of(&live)?;
    check_not_derived(&live, &old, deltas)?;
    let base = writer.whole()?;
    let memory = memory.saturating_sub(old.caches());
    let mut space = StoredSpace::over(writer.clone(), base, memory)?;
    let start = space.base.manifest().clone();
    space.base.rebase(&start, deltas, writer)?;
    space.deltas = deltas.to_vec();
    let done = maintain(&mut space, old, &rules, options_of(&live)).map_err(|error| {
        let names: Vec<&str> = live.iter().map(|live| live.name.as_str()).collect();
        let message = format!(
            "what follows by live rules ({}) could not be computed: {error}",
            names.join(", ")
        );
        Error::new(error.kind(), error.reason(), message)
    });
    let (_, orders) = done?;
    Ok(Following {
        deltas: space.deltas.split_off(deltas.len()),
        orders,
    })
}

/// Nobody but the programs changes what they derive.
fn check_not_derived(live: &[Live], names: &Snapshot, deltas: &[Delta]) -> Result<()> {
    for program in live {
        let rules = Rules::read(program.text.as_bytes())?;
        for (table, head) in known(&rules, names)? {
            let runs = deltas
                .iter()
                .flat_map(|delta| delta.adds.iter().chain(&delta.removes));
            // Facts with variables, too.
            let its = runs.filter(|(of, _)| of.shape == Shape::Fact && of.items == table.items);
            for (_, run) in its {
                let mut block = crate::Block::new(table.width());
                if run.scan(&Bounds::prefix(vec![head.0])).next(&mut block)? {
                    let mut text = Vec::new();
                    names.text(head, &mut text)?;
                    let message = format!(
                        "facts ({} …) with {} items follow from the live rules {:?}, and are changed by nobody else",
                        String::from_utf8_lossy(&text),
                        table.items,
                        program.name
                    );
                    return Err(Error::new(Kind::Denied, "LiveRelation", message));
                }
            }
        }
    }
    Ok(())
}

/// Changes the programs of a graph, and in the same commit what they derive; `parts` are what the permit was decided for. Blocks.
///
/// # Errors
/// `Invalid`, `BadRule`, `NoRules`, `LiveFacts`, `InvalidName`; `NotFound`, `NoSuchProgram`; `Exists`, `RelationNotEmpty`, `RelationTaken`;
/// `TooLarge`; as [`fixpoint::run`].
pub fn change(writer: &GraphWriter, parts: &Parts, change: Change, memory: u64) -> Result<Changed> {
    writer.hold(parts)?;
    let base = writer.whole()?;
    let old = base.manifest().live.clone();
    if base.versions().facts.is_none() && !matches!(change, Change::Add(_)) {
        let message = format!("there is no graph {}", base.graph());
        return Err(Error::new(Kind::NotFound, "NoSuchGraph", message));
    }
    let (new, keeps) = next(&old, change)?;
    let (rules_before, rules) = (rules_of(&old)?, rules_of(&new)?);
    let warnings = new
        .iter()
        .flat_map(|live| Rules::read(live.text.as_bytes()).map(|rules| rules.warnings));
    let warnings = warnings.flatten().collect();
    let before = known(&rules_before, &base)?;
    let after = known(&rules, &base)?;
    for (table, head) in after.difference(&before) {
        if all_of(&base, (*table, *head))?.rows() > 0 {
            let mut text = Vec::new();
            base.text(*head, &mut text)?;
            let message = format!(
                "there are facts ({} …) with {} items already, which live rules would derive: remove them, or call what is derived otherwise",
                String::from_utf8_lossy(&text),
                table.items
            );
            return Err(Error::new(Kind::Exists, "RelationNotEmpty", message));
        }
    }
    let gone = before.iter().filter(|named| !keeps || after.contains(named));
    let gone: Vec<(Table, Id)> = gone.copied().collect();
    let mut space = StoredSpace::over(writer.clone(), base, memory)?;
    let mut runs = Vec::new();
    for named in &gone {
        runs.push((named.0, all_of(&space.base, *named)?));
    }
    space.take(Delta {
        adds: Vec::new(),
        removes: runs.clone(),
    })?;
    if !rules.layers.is_empty() {
        fixpoint::run(&mut space, &rules, options_of(&new))?;
    }
    let now = known(&rules, &space.base)?;
    let delta = net(&space.base, &runs, &now)?;
    let rows = |runs: &[(Table, Run)]| runs.iter().map(|(_, run)| run.rows()).sum();
    let (added, removed) = (rows(&delta.adds), rows(&delta.removes));
    let committed = writer.commit_live(&delta, &new)?;
    Ok(Changed {
        added,
        removed,
        warnings,
        committed,
    })
}

/// The difference between what was derived and what relations hold now.
fn net(now: &Snapshot, before: &[(Table, Run)], relations: &BTreeSet<(Table, Id)>) -> Result<Delta> {
    let mut after: Vec<(Table, Run)> = Vec::new();
    for named in relations {
        after.push((named.0, all_of(now, *named)?));
    }
    let without = |these: &[(Table, Run)], those: &[(Table, Run)]| -> Result<Vec<(Table, Run)>> {
        let tables: BTreeSet<Table> = these.iter().map(|(table, _)| *table).collect();
        let mut out = Vec::new();
        for table in tables {
            let of = |runs: &[(Table, Run)]| -> Vec<Run> {
                let its = runs.iter().filter(|(of, _)| *of == table);
                its.map(|(_, run)| run.clone()).collect()
            };
            let removed = of(those)
                .into_iter()
                .map(|run| Input::removes(Box::new(run.scan(&Bounds::all()))));
            let kept = of(these)
                .into_iter()
                .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))));
            let mut left = union(table.width(), removed.chain(kept).collect());
            let mut writer = Writer::new(now.blobs(), table.width());
            writer.push_all(&mut *left)?;
            let run = writer.finish()?;
            if run.rows() > 0 {
                out.push((table, run));
            }
        }
        Ok(out)
    };
    Ok(Delta {
        adds: without(&after, before)?,
        removes: without(before, &after)?,
    })
}

/// The programs after a change, and whether what is not derived any more stays.
fn next(old: &[Live], change: Change) -> Result<(Vec<Live>, bool)> {
    let mut new = old.to_vec();
    match change {
        Change::Refresh => Ok((new, false)),
        Change::Remove { name, keep } => {
            new.retain(|live| live.name != name);
            match new.len() < old.len() {
                true => Ok((new, keep)),
                false => {
                    let message = format!("the graph has no live program {name:?}");
                    Err(Error::new(Kind::NotFound, "NoSuchProgram", message))
                }
            }
        }
        Change::Add(live) => {
            check_name(&live.name)?;
            new.retain(|other| other.name != live.name);
            check_new(&live, &new)?;
            new.push(live);
            Ok((new, false))
        }
    }
}

/// Whether a program may stand beside others.
fn check_new(live: &Live, others: &[Live]) -> Result<()> {
    if others.len() >= PROGRAMS_MAX || live.text.len() > TEXT_BYTES_MAX {
        let message =
            format!("a graph has at most {PROGRAMS_MAX} live programs, each of {TEXT_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "TooManyPrograms", message));
    }
    let rules = Rules::read(live.text.as_bytes())?;
    if rules.layers.is_empty() {
        return Err(fixpoint::no_rules());
    }
    if !rules.facts.is_empty() {
        let message = "a live program is rules only: load the facts that stand in it";
        return Err(Error::new(Kind::Invalid, "LiveFacts", message));
    }
    let mine = made(&rules);
    for other in others {
        let its = Rules::read(other.text.as_bytes())?;
        if let Some((_, width)) = made(&its).intersection(&mine).next() {
            let message = format!(
                "the live program {:?} derives a relation of {width} items that {:?} would derive too",
                other.name, live.name
            );
            return Err(Error::new(Kind::Exists, "RelationTaken", message));
        }
        let names: BTreeSet<&str> = its.all().map(|rule| rule.label.name.as_str()).collect();
        let twice = rules.all().find(|rule| names.contains(rule.label.name.as_str()));
        // What is new has the rule's name in it.
        if let Some(rule) = twice.filter(|_| live.text.contains("(exists") && other.text.contains("(exists"))
        {
            let message = format!(
                "the live program {:?} has a rule {} too: rules that say (exists …) need names of their own",
                other.name, rule.label.name
            );
            return Err(Error::new(Kind::Exists, "RelationTaken", message));
        }
    }
    Ok(())
}

/// A part of a graph as a path.
pub(crate) fn part_of(whole: &ResourcePath, prefix: &str) -> Result<ResourcePath> {
    let ResourcePath::Facts(bucket, facts) = whole else {
        return Err(Error::internal("a permit is for no graph"));
    };
    let path = FactPath::new(facts.graph().clone(), prefix)?;
    Ok(ResourcePath::Facts(bucket.clone(), path))
}
