//! Prefixes of facts: `(edge chr1 `, an open bracket and whole items, each with a space after it; or nothing, for all facts.
//!
//! Invariants
//! - PX-1: one text for one prefix: what is written otherwise is refused, so that a policy that names a prefix meets it;
//! - PX-2: one prefix covers another if and only if its text begins the other's.
//!
//! Deliberately absent: who may read which.

use std::collections::BTreeSet;

use craton_base::{Error, Result};

use crate::{
    parse, print,
    term::{self, Item, Part, Term},
};

/// The most items of an inferred prefix.
const ITEMS_MAX: usize = 8;
/// The longest inferred prefix, in bytes.
const BYTES_MAX: usize = 240;

/// The items of a prefix, which have no variables; `None` if it is all facts.
///
/// # Errors
/// `Invalid` if it is no prefix, is not written as it would be printed, or ends within a nested expression.
pub fn items(prefix: &str) -> Result<Option<Vec<Term>>> {
    if prefix.is_empty() {
        return Ok(None);
    }
    let Some(text) = prefix.strip_prefix('(') else {
        return Err(Error::invalid("a prefix of facts begins with ("));
    };
    let items = parse::facts(text.as_bytes()).map_err(|e| {
        let message = format!("the prefix {prefix:?} is not whole items: {e}");
        Error::invalid(message)
    })?;
    if let Some(open) = items.iter().find(|item| !item.is_ground()) {
        let message = format!("a prefix has no variables: {}", print::term(open));
        return Err(Error::invalid(message));
    }
    let written = text_of(items.iter().map(print::term));
    if written != prefix {
        return Err(Error::invalid(format!("the prefix is written {written:?}")));
    }
    Ok(Some(items))
}

fn text_of(items: impl Iterator<Item = String>) -> String {
    let mut out = "(".to_owned();
    for item in items {
        out.push_str(&item);
        out.push(' ');
    }
    out
}

/// Some prefixes, none of which covers another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Prefixes(BTreeSet<String>);

impl Prefixes {
    /// All facts.
    #[must_use]
    pub fn all() -> Self {
        Self([String::new()].into())
    }

    /// Adds one.
    pub fn insert(&mut self, prefix: String) {
        if self.cover(&prefix) {
            return;
        }
        self.0.retain(|known| !known.starts_with(&prefix));
        self.0.insert(prefix);
    }

    /// Adds the longest prefix that all instances of an encoded term are under.
    pub fn insert_of(&mut self, encoded: &[u8]) {
        self.insert(of_term(encoded));
    }

    /// Whether one of them covers `prefix`.
    #[must_use]
    pub fn cover(&self, prefix: &str) -> bool {
        self.0.iter().any(|known| prefix.starts_with(known.as_str()))
    }

    /// Whether a fact can be under one of each.
    #[must_use]
    pub fn meet(&self, other: &Self) -> bool {
        let under = |one: &Self, other: &Self| one.0.iter().any(|prefix| other.cover(prefix));
        under(self, other) || under(other, self)
    }

    /// What is under one of them and under `prefix`.
    #[must_use]
    pub fn within(&self, prefix: &str) -> Self {
        let mut out = Self::default();
        for known in &self.0 {
            if known.starts_with(prefix) {
                out.insert(known.clone());
            } else if prefix.starts_with(known.as_str()) {
                out.insert(prefix.to_owned());
            }
        }
        out
    }

    /// At most `most` prefixes, and one at least, that cover them.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        while self.0.len() > most.max(1) {
            let longest = self.0.iter().max_by_key(|p| depth(p)).cloned();
            let Some(longest) = longest else { break };
            // All of that depth at once, so that what lies side by side falls together.
            let deep = depth(&longest);
            let cut: Vec<String> = self.0.iter().filter(|p| depth(p) == deep).cloned().collect();
            for prefix in cut {
                self.0.remove(&prefix);
                self.insert(shorter(&prefix));
            }
        }
        self
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many items a prefix has, and one more; 0 for all facts.
fn depth(prefix: &str) -> usize {
    match items(prefix) {
        Ok(Some(items)) => items.len().saturating_add(1),
        _ => 0,
    }
}

/// A prefix without its last item.
fn shorter(prefix: &str) -> String {
    match items(prefix) {
        Ok(Some(mut items)) if !items.is_empty() => {
            items.pop();
            text_of(items.iter().map(print::term))
        }
        _ => String::new(),
    }
}

/// The longest prefix that all instances of an encoded term are under.
#[must_use]
pub fn of_term(encoded: &[u8]) -> String {
    let Some((Item::Expression(width @ 1..), _)) = term::read(encoded, 0) else {
        return String::new();
    };
    let items = term::parts(encoded, Part::whole(encoded)).unwrap_or_default();
    let mut out = "(".to_owned();
    // A whole fact is under what all but its last item are: that one has no space after it.
    for item in items
        .iter()
        .take((width as usize).saturating_sub(1).min(ITEMS_MAX))
    {
        let bytes = item.bytes(encoded);
        if !term::is_ground(bytes) {
            break;
        }
        let mut text = Vec::new();
        print::write(bytes, &mut text);
        let Ok(text) = String::from_utf8(text) else { break };
        if out.len().saturating_add(text.len()) >= BYTES_MAX || text.contains('\0') {
            break;
        }
        out.push_str(&text);
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests;
