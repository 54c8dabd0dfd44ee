//! Layers of rules: what a rule denies or aggregates is complete before it runs.
//!
//! A relation, told by its symbol and its number of items, lies as high as the highest that any of its rules reads, and higher than what one of them
//! denies, counts or sums. A relation of which the best facts are kept is complete for whoever is not in its recursion: those lie higher too.
//! Rules that deny what follows from themselves have no such order, and are refused.
//!
//! Deliberately absent: running.

use std::collections::{BTreeMap, HashMap};

use craton_base::Result;

use super::{Best, Build, Checked, Head, Step, build, of as called, wrong};
use crate::{
    exec::Source,
    term::{Item, Part, parts, read},
};

/// What a fact is of: its first item, encoded, and how many there are.
pub type Of = (Vec<u8>, usize);

/// What a rule reads, denies and makes.
struct Uses {
    reads: Vec<Of>,
    denies: Vec<Of>,
    makes: Vec<Of>,
    /// Whether all that it reads has to be complete.
    reduces: bool,
}

fn of(bytes: &[u8], part: Part) -> Of {
    let items = parts(bytes, part).unwrap_or_default();
    let head = items.first().map(|head| head.bytes(bytes).to_vec());
    (head.unwrap_or_default(), items.len())
}

fn uses(rule: &Checked) -> Uses {
    let bytes = rule.patterns.exec.as_bytes();
    let read = rule.patterns.sources.iter().filter_map(|source| match source {
        Source::Space(part) => Some(of(bytes, *part)),
        _ => None,
    });
    let denied = rule.steps.iter().filter_map(|step| match step {
        Step::Absent(items) => match items.first() {
            Some(Build::Constant(head)) => Some((head.to_vec(), items.len())),
            _ => None,
        },
        _ => None,
    });
    Uses {
        reads: read.collect(),
        denies: denied.collect(),
        makes: rule.heads.iter().map(Head::of).collect(),
        reduces: rule.heads.iter().any(|head| matches!(head, Head::Reduce(_))),
    }
}

/// Of which relations only the best facts are kept.
///
/// # Errors
/// `Invalid`, `BadRule` if rules make a relation in different ways.
fn kept(rules: &[Checked]) -> Result<BTreeMap<Of, Best>> {
    let heads = || {
        rules
            .iter()
            .flat_map(|rule| rule.heads.iter().map(move |head| (rule, head)))
    };
    let mut out = BTreeMap::new();
    for (_, head) in heads() {
        if let Head::Keep(best, _) = head {
            out.insert(head.of(), *best);
        }
    }
    for (rule, head) in heads() {
        let its = match head {
            Head::Keep(best, _) => Some(best),
            _ => None,
        };
        if out.get(&head.of()) != its {
            let what =
                "another rule makes the same relation by min, max or union: all of its rules do the same";
            return Err(wrong(&rule.label, what));
        }
    }
    Ok(out)
}

/// Relations that follow from each other have the same number: those of the strongly connected components of what depends on what.
fn components(uses: &[Uses]) -> HashMap<&Of, usize> {
    let mut after: BTreeMap<&Of, Vec<&Of>> = BTreeMap::new();
    for its in uses {
        for made in &its.makes {
            let from = its.reads.iter().chain(&its.denies);
            after
                .entry(made)
                .or_default()
                .extend(from.filter(|of| *of != made));
        }
    }
    // Tarjan 1972, with a stack of its own: a relation, and which of those after it is next.
    let mut found = Components::default();
    for start in after.keys().copied() {
        let mut open: Vec<(&Of, usize)> = Vec::new();
        if found.enter(start) {
            open.push((start, 0));
        }
        while let Some((of, next)) = open.last_mut() {
            let to = after.get(of).and_then(|all| all.get(*next)).copied();
            *next = next.saturating_add(1);
            match to {
                Some(to) if found.enter(to) => open.push((to, 0)),
                Some(to) => found.met(of, to),
                None => {
                    let of = *of;
                    open.pop();
                    found.leave(of, open.last().map(|(before, _)| *before));
                }
            }
        }
    }
    found.component
}

#[derive(Default)]
struct Components<'a> {
    /// When a relation was entered, and the earliest that is reached from it.
    seen: HashMap<&'a Of, (usize, usize)>,
    stack: Vec<&'a Of>,
    component: HashMap<&'a Of, usize>,
}

impl<'a> Components<'a> {
    /// Whether it is met for the first time.
    fn enter(&mut self, of: &'a Of) -> bool {
        let at = self.seen.len();
        if self.seen.contains_key(of) {
            return false;
        }
        self.seen.insert(of, (at, at));
        self.stack.push(of);
        true
    }

    fn met(&mut self, from: &'a Of, to: &'a Of) {
        let at = self.seen.get(to).map(|(at, _)| *at);
        if !self.component.contains_key(to)
            && let (Some(at), Some((_, low))) = (at, self.seen.get_mut(from))
        {
            *low = at.min(*low);
        }
    }

    fn leave(&mut self, of: &'a Of, before: Option<&'a Of>) {
        let (at, low) = self.seen.get(of).copied().unwrap_or_default();
        if at == low {
            while let Some(top) = self.stack.pop() {
                self.component.insert(top, at);
                if top == of {
                    break;
                }
            }
        } else if let Some((_, its)) = before.and_then(|before| self.seen.get_mut(before)) {
            *its = low.min(*its);
        }
    }
}

/// The rules in layers, the lowest first.
///
/// # Errors
/// `Invalid`, `BadRule` if there is no such order.
pub(super) fn layers(rules: Vec<Checked>) -> Result<Vec<Vec<Checked>>> {
    ordered(rules, false)
}

/// The same of rules with one template each, where all that make a relation lie in one layer.
///
/// # Errors
/// As [`layers`].
pub(super) fn by_relation(rules: Vec<Checked>) -> Result<Vec<Vec<Checked>>> {
    ordered(rules, true)
}

fn ordered(rules: Vec<Checked>, together: bool) -> Result<Vec<Vec<Checked>>> {
    let uses: Vec<Uses> = rules.iter().map(uses).collect();
    let kept = kept(&rules)?;
    let components = components(&uses);
    let with = |one: &Of, other: &Of| {
        one == other
            || components
                .get(one)
                .is_some_and(|c| components.get(other) == Some(c))
    };
    for (rule, uses) in rules.iter().zip(&uses) {
        let strict = uses
            .denies
            .iter()
            .chain(uses.reads.iter().filter(|_| uses.reduces));
        if strict
            .into_iter()
            .any(|of| uses.makes.iter().any(|made| with(made, of)))
        {
            let what = match uses.reduces {
                false => "it denies what follows from it, itself or by other rules",
                true => {
                    "it aggregates what follows from it, itself or by other rules: only min, max and union may"
                }
            };
            return Err(wrong(&rule.label, what));
        }
    }
    let mut heights: HashMap<&Of, usize> = HashMap::new();
    let mut of_rules = vec![0usize; rules.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for (uses, height) in uses.iter().zip(&mut of_rules) {
            let at = |of: &Of| heights.get(of).copied().unwrap_or_default();
            let read = uses.reads.iter().map(|of| {
                let is_complete =
                    uses.reduces || (kept.contains_key(of) && !uses.makes.iter().any(|made| with(made, of)));
                at(of).saturating_add(usize::from(is_complete))
            });
            let denied = uses.denies.iter().map(|of| at(of).saturating_add(1));
            *height = read.chain(denied).max().unwrap_or_default();
            for made in &uses.makes {
                let known = heights.entry(made).or_default();
                if *known < *height {
                    *known = *height;
                    changed = true;
                }
            }
        }
    }
    // A rule lies where what it makes does: the best is kept in one layer.
    for (uses, height) in uses.iter().zip(&mut of_rules) {
        let its = uses
            .makes
            .iter()
            .filter(|made| together || kept.contains_key(*made));
        let highest = its.filter_map(|made| heights.get(made)).max();
        *height = highest.copied().unwrap_or_default().max(*height);
    }
    Ok(by_height(of_rules, rules))
}

fn by_height(heights: Vec<usize>, rules: Vec<Checked>) -> Vec<Vec<Checked>> {
    let mut out: Vec<Vec<Checked>> = Vec::new();
    let mut by_height: Vec<(usize, Checked)> = heights.into_iter().zip(rules).collect();
    by_height.sort_by_key(|(height, _)| *height);
    let mut last = None;
    for (height, rule) in by_height {
        if last != Some(height) {
            out.push(Vec::new());
            last = Some(height);
        }
        if let Some(layer) = out.last_mut() {
            layer.push(rule);
        }
    }
    out
}

/// What may be a mistake: variables that stand in one place only, relations with several numbers of items.
pub(super) fn warnings(rules: &[Checked]) -> Vec<String> {
    let mut out = Vec::new();
    let mut widths: BTreeMap<Vec<u8>, BTreeMap<usize, &Checked>> = BTreeMap::new();
    for rule in rules {
        let mut counts = vec![0usize; rule.label.variables.len()];
        let (bytes, mut at, mut new) = (rule.patterns.exec.as_bytes(), 0, 0usize);
        while let Some((item, next)) = read(bytes, at) {
            let variable = match item {
                Item::NewVariable => {
                    new = new.saturating_add(1);
                    Some(new.saturating_sub(1))
                }
                Item::Reference(number) => usize::try_from(number).ok(),
                _ => None,
            };
            if let Some(count) = variable.and_then(|v| counts.get_mut(v)) {
                *count = count.saturating_add(1);
            }
            at = next;
        }
        for (count, name) in counts.iter().zip(&rule.label.variables) {
            if *count == 1 && !name.starts_with("$_") {
                out.push(format!(
                    "{}: {name} stands in one place only; $_ says that it may",
                    called(&rule.label)
                ));
            }
        }
        let uses = uses(rule);
        for (head, width) in uses.reads.into_iter().chain(uses.denies).chain(uses.makes) {
            widths.entry(head).or_default().entry(width).or_insert(rule);
        }
    }
    for (head, its) in widths {
        let mut its = its.into_iter();
        if let (Some((one, first)), Some((other, second))) = (its.next(), its.next()) {
            let name = build::symbol(&head)
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            out.push(format!(
                "{name} has {one} items in rule {} and {other} in rule {}: these are two relations",
                first.label.name, second.label.name
            ));
        }
    }
    out
}
