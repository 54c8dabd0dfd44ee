//! Layers of rules: what a rule denies is complete before it runs.
//!
//! A relation, told by its symbol and its number of items, lies as high as the highest that any of its rules reads, and higher than what one of them
//! denies. Rules that deny what follows from themselves have no such order, and are refused.
//!
//! Deliberately absent: running.

use std::collections::HashMap;

use craton_base::Result;

use super::{Checked, Condition, wrong};
use crate::{
    exec::{Sink, Source},
    term::{Part, parts},
};

/// What a fact is of: its first item, encoded, and how many there are.
type Of = (Vec<u8>, usize);

/// What a rule reads, denies and makes.
struct Uses {
    reads: Vec<Of>,
    denies: Vec<Of>,
    makes: Vec<Of>,
}

fn of(bytes: &[u8], part: Part) -> Of {
    let items = parts(bytes, part).unwrap_or_default();
    let head = items.first().map(|head| head.bytes(bytes).to_vec());
    (head.unwrap_or_default(), items.len())
}

fn uses(rule: &Checked) -> Uses {
    let bytes = rule.rule.exec.as_bytes();
    let read = rule.rule.sources.iter().filter_map(|source| match source {
        Source::Space(part) => Some(of(bytes, *part)),
        _ => None,
    });
    let written: Vec<Of> = rule
        .rule
        .sinks
        .iter()
        .filter_map(|sink| match sink {
            Sink::Add(part) => Some(of(bytes, *part)),
            _ => None,
        })
        .collect();
    let (makes, conditions) = written.split_at(rule.templates.min(written.len()));
    let denied = conditions.iter().zip(&rule.conditions);
    let denied = denied.filter(|(_, condition)| **condition == Condition::Not);
    Uses {
        reads: read.collect(),
        denies: denied.map(|(of, _)| of.clone()).collect(),
        makes: makes.to_vec(),
    }
}

/// The rules in layers, the lowest first.
///
/// # Errors
/// `Invalid`, `BadRule` if there is no such order.
pub(super) fn layers(rules: Vec<Checked>) -> Result<Vec<Vec<Checked>>> {
    let uses: Vec<Uses> = rules.iter().map(uses).collect();
    // There are no more layers than relations that rules make.
    let most = uses.iter().map(|uses| uses.makes.len()).sum::<usize>();
    let mut heights: HashMap<&Of, usize> = HashMap::new();
    let mut of_rules = vec![0usize; rules.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for ((rule, uses), height) in rules.iter().zip(&uses).zip(&mut of_rules) {
            let at = |of: &Of| heights.get(of).copied().unwrap_or_default();
            let read = uses.reads.iter().map(at).max().unwrap_or_default();
            let denied = uses.denies.iter().map(|of| at(of).saturating_add(1)).max();
            *height = read.max(denied.unwrap_or_default());
            if *height > most {
                return Err(wrong(
                    &rule.rule.exec,
                    "it denies what follows from it, itself or by other rules",
                ));
            }
            for made in &uses.makes {
                let known = heights.entry(made).or_default();
                if *known < *height {
                    *known = *height;
                    changed = true;
                }
            }
        }
    }
    let mut out: Vec<Vec<Checked>> = Vec::new();
    let mut by_height: Vec<(usize, Checked)> = of_rules.into_iter().zip(rules).collect();
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
    Ok(out)
}
