//! What of a graph a permit for prefixes of facts sees and changes. Here, and nowhere else, the prefixes are put into effect.
//!
//! Invariant: what does not begin with one of the prefixes is not let through.
//!
//! Deliberately absent: who has which permit.

use craton_base::Result;

use crate::{Block, Bounds, Names, Shape, Table, Tuples as _, prefix, run::Run, stored::find};

/// What a permit's prefixes let through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Facts that begin with one of these rows of items: sorted, none of them begins with another.
    prefixes: Vec<Vec<u64>>,
    /// Whether facts that are no expressions, too.
    atoms: bool,
}

impl Scope {
    /// The scope of prefixes, by the ids of their items. One with a name that the graph does not know lets nothing through.
    ///
    /// # Errors
    /// `Invalid` if a prefix is none; the storage's own.
    pub(crate) fn of<'a>(prefixes: impl IntoIterator<Item = &'a str>, names: &dyn Names) -> Result<Self> {
        let mut out = Self {
            prefixes: Vec::new(),
            atoms: false,
        };
        for prefix in prefixes {
            out.atoms |= prefix.is_empty();
            let items = prefix::items(prefix)?.unwrap_or_default();
            let ids: Result<Option<Vec<u64>>> = items
                .iter()
                .map(|item| Ok(find::ground_id(names, item.as_bytes())?.map(|id| id.0)))
                .collect();
            out.prefixes.extend(ids?);
        }
        out.prefixes.sort_unstable();
        // Sorted, a prefix comes right before what it begins.
        out.prefixes.dedup_by(|next, kept| next.starts_with(kept));
        Ok(out)
    }

    /// The scope that lets everything through.
    pub(super) fn all() -> Self {
        Self {
            prefixes: vec![Vec::new()],
            atoms: true,
        }
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.atoms
    }

    /// Bounds over a table's natural order, narrowed to the scope: none, one or several, ascending and apart.
    pub(super) fn narrow(&self, table: Table, bounds: &Bounds) -> Vec<Bounds> {
        if self.atoms {
            return vec![bounds.clone()];
        }
        if table.shape != Shape::Fact {
            return Vec::new();
        }
        let fitting = self.prefixes.iter().filter(|scope| scope.len() <= table.items);
        fitting.filter_map(|scope| within(scope, bounds)).collect()
    }

    /// Whether a tuple of a table is within it.
    #[must_use]
    pub fn allows(&self, table: Table, tuple: &[u64]) -> bool {
        self.atoms
            || (table.shape == Shape::Fact && self.prefixes.iter().any(|scope| tuple.starts_with(scope)))
    }

    /// Whether a run of a table's tuples, in their natural order, has one that is outside. Reads a block for each prefix.
    ///
    /// # Errors
    /// The storage's own.
    pub(crate) fn is_left_by(&self, table: Table, run: &Run) -> Result<bool> {
        if self.atoms || run.rows() == 0 {
            return Ok(false);
        }
        if table.shape != Shape::Fact {
            return Ok(true);
        }
        let mut tuples = run.scan(&Bounds::all());
        let (mut block, mut first) = (Block::new(table.width()), Vec::new());
        while tuples.next(&mut block)? {
            let mut row = 0;
            while row < block.rows() {
                first.clear();
                block.row(row, &mut first);
                let Some(scope) = self.prefixes.iter().find(|scope| first.starts_with(scope)) else {
                    return Ok(true);
                };
                let Some(beyond) = successor(scope) else {
                    return Ok(false);
                };
                row = block.lower_bound(row, &beyond);
                if row >= block.rows() {
                    tuples.seek(&beyond)?;
                }
            }
        }
        Ok(false)
    }
}

/// The least key after all tuples that begin with `prefix`; `None` if there is none.
fn successor(prefix: &[u64]) -> Option<Vec<u64>> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if let Some(next) = last.checked_add(1) {
            out.push(next);
            return Some(out);
        }
    }
    None
}

/// The part of `bounds` that begins with `scope`.
fn within(scope: &[u64], bounds: &Bounds) -> Option<Bounds> {
    if bounds.prefix.iter().zip(scope).any(|(a, b)| a != b) {
        return None;
    }
    match scope.get(bounds.prefix.len()) {
        None => Some(bounds.clone()),
        Some(next) if (bounds.least..=bounds.most).contains(next) => Some(Bounds::prefix(scope.to_vec())),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
