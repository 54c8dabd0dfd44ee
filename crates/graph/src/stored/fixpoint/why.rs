//! Why a fact is there: a derivation of it by rules, found backwards from the fact.
//!
//! The facts that it may follow from are looked for level by level: for each fact, the instances of rules that make it and whose patterns are all
//! facts of the snapshot. A fact that no instance makes was given. Facts are ranked by the height of their least derivation from those, and as
//! soon as the asked fact has a rank its derivation is told; so it goes round no circles.
//!
//! Invariant: only the snapshot is read, so nothing is told that its permit does not show; what is looked at is limited, and what was not
//! followed is said.
//!
//! Deliberately absent: running rules. A fact that rules have not made yet is not there.

use std::collections::{BTreeMap, HashMap};

use craton_base::{Error, Kind, Result};

use super::{
    evaluate::{Cell, Evaluator, Stop, Value, Valued},
    rows::{self, Step},
};
use crate::{
    exec::{self, FactSpace as _, Goal, Sink, Source},
    print,
    rules::{Build, Checked, Head, Place, Rules},
    snapshot::Snapshot,
    term::{Item, Part, Term, Writer, parts, read},
};

/// Instances of one rule that are looked at for one fact.
const INSTANCES_MAX: usize = 256;
/// Rows that are told of what an aggregate counted or added up.
const ROWS_TOLD: usize = 16;
/// How often one of several facts that only follow from each other is taken for given.
const GIVEN_MAX: usize = 64;

/// The reason of the error that ends a search which has found enough.
const ENOUGH: &str = "Enough";

/// How much is looked at and told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// How many facts are looked at.
    pub facts: usize,
    /// How deep the derivation is told.
    pub depth: u32,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            facts: 10_000,
            depth: 64,
        }
    }
}

/// How a fact comes to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// No rule makes it.
    Given,
    /// A rule makes it of the facts below.
    Rule,
    /// The same derivation stands above.
    Above,
    /// It was not followed further.
    Unfollowed,
}

/// A derivation of a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Derivation {
    /// The fact.
    pub fact: String,
    /// How it comes to be there.
    pub how: How,
    /// The rule, if one makes it.
    pub rule: Option<String>,
    /// What the rule makes it of.
    pub because: Vec<Derivation>,
}

/// A derivation of a fact; `None` if it is not there.
///
/// # Errors
/// Limits and cancelling; the store's own.
pub fn why(snapshot: &Snapshot, rules: &Rules, fact: &Term, asked: Asked) -> Result<Option<Derivation>> {
    let mut there = false;
    let goal = Goal {
        instance: fact.as_bytes(),
        ground: fact.as_bytes().len(),
    };
    snapshot.candidates(&goal, &mut |found| {
        there |= found == fact.as_bytes();
        Ok(())
    })?;
    if !there {
        return Ok(None);
    }
    let mut search = Search {
        snapshot,
        rules: rules.all().collect(),
        nodes: Vec::new(),
        known: HashMap::new(),
    };
    search.node(fact.clone());
    search.follow(asked.facts)?;
    search.give();
    let mut told = vec![false; search.nodes.len()];
    Ok(Some(search.tell(0, asked.depth, &mut told)))
}

/// A fact, and what may have made it.
struct Node {
    fact: Term,
    instances: Vec<Instance>,
    followed: bool,
    /// The height of a derivation of it.
    rank: Option<u32>,
    /// The instance that the derivation ends with, whose facts all have lower ranks; none if it was given.
    chosen: Option<usize>,
}

/// An instance of a rule.
struct Instance {
    rule: usize,
    body: Vec<usize>,
}

struct Search<'a> {
    snapshot: &'a Snapshot,
    rules: Vec<&'a Checked>,
    nodes: Vec<Node>,
    known: HashMap<Term, usize>,
}

impl Search<'_> {
    fn node(&mut self, fact: Term) -> usize {
        if let Some(known) = self.known.get(&fact) {
            return *known;
        }
        let number = self.nodes.len();
        self.known.insert(fact.clone(), number);
        self.nodes.push(Node {
            fact,
            instances: Vec::new(),
            followed: false,
            rank: None,
            chosen: None,
        });
        number
    }

    /// Looks for what made what, until the first fact has a derivation or enough was looked at.
    fn follow(&mut self, most: usize) -> Result<()> {
        let mut next = 0;
        while next < self.nodes.len() && next < most && self.rank(0).is_none() {
            let level = self.nodes.len().min(most);
            while next < level {
                self.snapshot.blobs().control().check()?;
                self.expand(next)?;
                next = next.saturating_add(1);
            }
            self.rank_all();
        }
        Ok(())
    }

    fn rank(&self, number: usize) -> Option<u32> {
        self.nodes.get(number).and_then(|node| node.rank)
    }

    /// Finds the instances of rules that make a fact.
    fn expand(&mut self, number: usize) -> Result<()> {
        let Some(fact) = self.nodes.get(number).map(|node| node.fact.clone()) else {
            return Ok(());
        };
        let mut found = Vec::new();
        for (which, rule) in self.rules.iter().enumerate() {
            for head in &rule.heads {
                for body in instances(self.snapshot, rule, head, &fact)? {
                    found.push((which, body));
                }
            }
        }
        let mut instances = Vec::with_capacity(found.len());
        for (rule, body) in found {
            let body = body.into_iter().map(|fact| self.node(fact)).collect();
            instances.push(Instance { rule, body });
        }
        if let Some(node) = self.nodes.get_mut(number) {
            node.instances = instances;
            node.followed = true;
        }
        Ok(())
    }

    /// The least rank that the instances of a node give it, and which does.
    fn best(&self, node: &Node) -> Option<(u32, usize)> {
        let all = node.instances.iter().enumerate();
        let ranked = all.filter_map(|(which, instance)| {
            let ranks = instance.body.iter().map(|of| self.rank(*of));
            let highest = ranks.collect::<Option<Vec<u32>>>()?.into_iter().max();
            Some((highest.unwrap_or_default().saturating_add(1), which))
        });
        ranked.min()
    }

    /// Ranks what can be: given facts first, then what follows from ranked ones.
    fn rank_all(&mut self) {
        for node in &mut self.nodes {
            if node.followed && node.instances.is_empty() {
                node.rank = Some(0);
            }
        }
        loop {
            let open = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| node.rank.is_none());
            let new: Vec<(usize, (u32, usize))> = open
                .filter_map(|(number, node)| Some((number, self.best(node)?)))
                .collect();
            if new.is_empty() {
                return;
            }
            for (number, (rank, chosen)) in new {
                if let Some(node) = self.nodes.get_mut(number) {
                    node.rank = Some(rank);
                    node.chosen = Some(chosen);
                }
            }
        }
    }

    /// Sees to it that the first fact has a rank: what was not followed counts as given; of facts that only follow from each other, the one
    /// that is farthest is.
    fn give(&mut self) {
        for tries in 0..=GIVEN_MAX {
            if self.rank(0).is_some() {
                return;
            }
            let last = self.nodes.iter().rposition(|node| node.rank.is_none());
            for (number, node) in self.nodes.iter_mut().enumerate() {
                let is_last = tries > 0 && (Some(number) == last || tries == GIVEN_MAX);
                if node.rank.is_none() && (!node.followed || is_last) {
                    node.rank = Some(0);
                }
            }
            self.rank_all();
        }
    }

    fn tell(&self, number: usize, depth: u32, told: &mut [bool]) -> Derivation {
        let node = self.nodes.get(number);
        let mut out = Derivation {
            fact: node.map(|node| print::term(&node.fact)).unwrap_or_default(),
            how: How::Given,
            rule: None,
            because: Vec::new(),
        };
        let Some(node) = node else { return out };
        if !node.followed {
            out.how = How::Unfollowed;
            return out;
        }
        let Some(instance) = node.chosen.and_then(|which| node.instances.get(which)) else {
            return out;
        };
        out.rule = self.rules.get(instance.rule).map(|rule| rule.label.name.clone());
        out.how = match (told.get_mut(number), depth.checked_sub(1)) {
            (Some(true), _) => How::Above,
            (_, None) => How::Unfollowed,
            (was, Some(depth)) => {
                was.into_iter().for_each(|was| *was = true);
                let below = instance.body.iter();
                out.because = below.map(|of| self.tell(*of, depth, told)).collect();
                How::Rule
            }
        };
        out
    }
}

/// What variables stand for.
type Bound = BTreeMap<u16, Box<[u8]>>;

/// Whether what is built can be this term, and what its variables are then. What is evaluated can be anything.
fn matches(build: &Build, term: &[u8], bound: &mut Bound) -> bool {
    match build {
        Build::Value(_) => true,
        Build::Constant(constant) => **constant == *term,
        Build::Variable(variable) => **bound.entry(*variable).or_insert_with(|| term.into()) == *term,
        Build::Expression(items) => {
            let its = parts(term, Part::whole(term)).unwrap_or_default();
            its.len() == items.len()
                && items
                    .iter()
                    .zip(&its)
                    .all(|(item, part)| matches(item, part.bytes(term), bound))
        }
    }
}

/// What of a head makes the items of its facts; nothing for a value of a group.
fn made_of(head: &Head) -> Vec<Option<&Build>> {
    match head {
        Head::Add(items) | Head::Keep(_, items) => items.iter().map(Some).collect(),
        Head::Reduce(reduce) => {
            let item = |place: &Place| match place {
                Place::Group(n) => reduce.group.get(*n),
                Place::Over(n) => reduce.over.get(*n),
                Place::Value => None,
            };
            reduce.template.iter().map(item).collect()
        }
    }
}

/// The facts that each instance of a rule makes a fact of; for an aggregate, those of some of its rows together.
fn instances(snapshot: &Snapshot, rule: &Checked, head: &Head, fact: &Term) -> Result<Vec<Vec<Term>>> {
    let (bytes, made) = (fact.as_bytes(), made_of(head));
    let items = fact.parts().unwrap_or_default();
    let mut bound = Bound::new();
    let pairs = || made.iter().zip(&items);
    let fits = items.len() == made.len()
        && pairs()
            .all(|(build, part)| build.is_none_or(|build| matches(build, part.bytes(bytes), &mut bound)));
    if !fits {
        return Ok(Vec::new());
    }
    let is_group = matches!(head, Head::Reduce(_));
    let most = if is_group { ROWS_TOLD } else { INSTANCES_MAX };
    let mut testing = Testing::new(snapshot, rule)?;
    let wanted: Vec<(Cell, &[u8])> = pairs()
        .filter_map(|(build, part)| Some((Cell::of(snapshot, (*build)?), part.bytes(bytes))))
        .map(|(cell, term)| Ok((cell?, term)))
        .collect::<Result<_>>()?;
    let (special, free) = specialised(rule, &bound)?;
    let mut out: Vec<Vec<Term>> = Vec::new();
    let control = snapshot.blobs().control();
    let done = exec::for_each_match(snapshot, &special, control, &mut |unifier, root| {
        let mut row = bound.clone();
        for (variable, sink) in free.iter().zip(&special.sinks) {
            if let Sink::Add(part) = sink {
                row.insert(
                    *variable,
                    unifier.term(unifier.part(root, *part))?.as_bytes().into(),
                );
            }
        }
        match testing.passes(&row, &wanted) {
            Ok(true) => {}
            Ok(false) | Err(Stop::Failure(_)) => return Ok(()),
            Err(Stop::Error(error)) => return Err(error),
        }
        let mut body = Vec::with_capacity(special.sources.len());
        for source in &special.sources {
            if let Source::Space(part) = source {
                body.push(unifier.term(unifier.part(root, *part))?);
            }
        }
        out.push(body);
        match out.len() >= most {
            true => Err(Error::new(Kind::TooLarge, ENOUGH, "enough was found")),
            false => Ok(()),
        }
    });
    match done {
        Err(error) if error.reason() != ENOUGH => Err(error),
        _ if is_group && !out.is_empty() => Ok(vec![out.concat()]),
        _ => Ok(out),
    }
}

/// The patterns of a rule with terms in the place of variables; a template for each other variable of them, which are given too.
fn specialised(rule: &Checked, bound: &Bound) -> Result<(exec::Rule, Vec<u16>)> {
    let bytes = rule.patterns.exec.as_bytes();
    let mut free: Vec<u16> = Vec::new();
    let mut out = Writer::default();
    out.expression(4)?;
    out.symbol(b"exec")?;
    out.symbol(b"0")?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    out.expression(count(rule.patterns.sources.len()))?;
    out.symbol(b",")?;
    for source in &rule.patterns.sources {
        let Source::Space(part) = source else { continue };
        let (mut at, mut new) = (part.start as usize, part.seen);
        while at < part.end as usize {
            let Some((item, next)) = read(bytes, at) else {
                break;
            };
            at = next;
            let variable = match item {
                Item::Expression(width) => {
                    out.expression(width)?;
                    continue;
                }
                Item::Symbol(text) => {
                    out.symbol(text)?;
                    continue;
                }
                Item::NewVariable => {
                    new = new.saturating_add(1);
                    new.saturating_sub(1)
                }
                Item::Reference(number) => number,
            };
            // Rules with more variables are none.
            let variable = u16::try_from(variable).unwrap_or(u16::MAX);
            match (bound.get(&variable), free.iter().position(|v| *v == variable)) {
                (Some(term), _) => out.ground(term)?,
                (None, Some(known)) => out.reference(u32::try_from(known).unwrap_or(u32::MAX))?,
                (None, None) => {
                    free.push(variable);
                    out.new_variable()?;
                }
            }
        }
    }
    out.expression(count(free.len()))?;
    out.symbol(b",")?;
    for number in 0..free.len() {
        out.reference(u32::try_from(number).unwrap_or(u32::MAX))?;
    }
    Ok((exec::Rule::read(out.finish())?, free))
}

/// Decides the conditions of a rule for one match after another.
struct Testing<'a> {
    snapshot: &'a Snapshot,
    steps: Vec<Step>,
    evaluator: Evaluator<'a>,
}

impl<'a> Testing<'a> {
    fn new(snapshot: &'a Snapshot, rule: &Checked) -> Result<Self> {
        let steps = rule.steps.iter().map(|step| Step::of(snapshot, step));
        Ok(Self {
            snapshot,
            steps: steps.collect::<Result<_>>()?,
            evaluator: Evaluator::new(snapshot, [0, 1], u32::MAX),
        })
    }

    /// Whether a match passes and makes these terms.
    fn passes(&mut self, row: &Bound, wanted: &[(Cell, &[u8])]) -> Valued<bool> {
        for (variable, term) in row {
            self.evaluator
                .bind(usize::from(*variable), Value::Term(term.clone()));
        }
        let mut tuple = Vec::new();
        for step in &self.steps {
            // What the fact says of a variable that is computed has to be its value.
            if let Step::Bind(variable, formula) = step
                && let Some(known) = u16::try_from(*variable).ok().and_then(|v| row.get(&v))
            {
                let value = self.evaluator.evaluate(formula)?;
                if self.evaluator.encoded(&value)? != **known {
                    return Ok(false);
                }
                continue;
            }
            if !rows::passes(self.snapshot, &mut self.evaluator, step, &mut tuple)? {
                return Ok(false);
            }
        }
        for (cell, term) in wanted {
            if self.evaluator.term(cell)? != *term {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
