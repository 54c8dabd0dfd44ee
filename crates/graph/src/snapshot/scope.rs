//! What of a graph a permit for a prefix of facts sees and changes. Here, and nowhere else, the prefix is put into effect.
//!
//! Invariant: what does not begin with the prefix is not let through.
//!
//! Deliberately absent: who has which permit.

use craton_base::{Error, Kind as ErrorKind, Result};

use crate::{Bounds, Names, Shape, Table};

/// What a permit's prefix lets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Facts that begin with these items.
    Prefix(Vec<u64>),
    /// None: the prefix has a name that the graph does not know.
    Nothing,
}

impl Scope {
    /// The ids of a prefix's items, which are symbols and integers.
    pub(crate) fn of(prefix: &str, names: &dyn Names) -> Result<Self> {
        let Some(items) = prefix.strip_prefix('(') else {
            return Ok(Self::Prefix(Vec::new()));
        };
        if items.contains(['(', ')', '$', '"']) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "NotImplemented",
                "a permit's prefix has symbols and integers only, no nested expressions or strings with brackets yet",
            ));
        }
        let mut out = Vec::new();
        for item in items.split(' ').filter(|i| !i.is_empty()) {
            match names.symbol(item.as_bytes())? {
                Some(id) => out.push(id.0),
                None => return Ok(Self::Nothing),
            }
        }
        Ok(Self::Prefix(out))
    }

    /// Bounds over a table's natural order, narrowed to the scope; `None` if nothing is within both.
    pub(super) fn narrow(&self, table: Table, bounds: Bounds) -> Option<Bounds> {
        let Self::Prefix(scope) = self else { return None };
        if scope.is_empty() {
            return Some(bounds);
        }
        if table.shape != Shape::Fact || table.items < scope.len() {
            return None;
        }
        if bounds.prefix.iter().zip(scope).any(|(a, b)| a != b) {
            return None;
        }
        match scope.get(bounds.prefix.len()) {
            None => Some(bounds),
            Some(next) if (bounds.least..=bounds.most).contains(next) => Some(Bounds::prefix(scope.clone())),
            Some(_) => None,
        }
    }

    /// Whether a tuple of a table is within it.
    #[must_use]
    pub fn allows(&self, table: Table, tuple: &[u64]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Prefix(scope) => {
                scope.is_empty() || (table.shape == Shape::Fact && tuple.starts_with(scope))
            }
        }
    }
}
