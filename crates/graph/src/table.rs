//! What tables there are, and how one is looked at: a relation, an order of its columns, bounds.
//!
//! Facts are kept by the number of their items: `(edge a b)` is the tuple `edge a b` of the table of facts of
//! width 3. A [`Relation`] with a head is the part of a table whose first column is that id, and its columns are
//! the others; so heads are found by their order, and there may be as many as there are facts.
//!
//! Deliberately absent: where tuples are kept.

use craton_base::{Error, Kind, Result};

use crate::Id;

/// The most columns of a table.
pub const COLUMNS_MAX: usize = crate::id::WIDTH_MAX + 1;

/// What the tuples of a table are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shape {
    /// Facts that are one symbol or one variable: one column.
    Atom,
    /// Facts that are expressions: a column for each item, the head the first.
    Fact,
    /// Nested expressions: the expression's own id, then a column for each item.
    Expression,
}

/// A table: a set of tuples of one width.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Table {
    /// What its tuples are.
    pub shape: Shape,
    /// Whether its tuples have variables in them (all of them) or none.
    pub open: bool,
    /// How many items the expressions have; 1 for atoms.
    pub items: usize,
}

impl Table {
    /// Facts without variables that are expressions of so many items.
    #[must_use]
    pub const fn facts(items: usize) -> Self {
        Self {
            shape: Shape::Fact,
            open: false,
            items,
        }
    }

    /// Facts with variables that are expressions of so many items.
    #[must_use]
    pub const fn open_facts(items: usize) -> Self {
        Self {
            shape: Shape::Fact,
            open: true,
            items,
        }
    }

    /// Facts that are one symbol or integer; or, `open`, a variable.
    #[must_use]
    pub const fn atoms(open: bool) -> Self {
        Self {
            shape: Shape::Atom,
            open,
            items: 1,
        }
    }

    /// Nested expressions of so many items.
    #[must_use]
    pub const fn expressions(items: usize, open: bool) -> Self {
        Self {
            shape: Shape::Expression,
            open,
            items,
        }
    }

    /// How many columns its tuples have.
    #[must_use]
    pub const fn width(&self) -> usize {
        match self.shape {
            Shape::Expression => self.items + 1,
            Shape::Atom | Shape::Fact => self.items,
        }
    }
}

/// A table, or the part of it with one head.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Relation {
    /// The table.
    pub table: Table,
    /// The first column, where it is fixed; it is then not among the relation's columns.
    pub head: Option<Id>,
}

impl Relation {
    /// The facts `(head a₁ … aₙ)` with `arguments` = n.
    #[must_use]
    pub const fn with_head(head: Id, arguments: usize) -> Self {
        Self {
            table: Table::facts(arguments + 1),
            head: Some(head),
        }
    }

    /// All of a table.
    #[must_use]
    pub const fn whole(table: Table) -> Self {
        Self { table, head: None }
    }

    /// How many columns it has: those of the table without a fixed head.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.table.width().saturating_sub(self.head.is_some() as usize)
    }
}

/// An order of a relation's columns: tuples are given with their columns in it, and sorted so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Order(Vec<u16>);

impl Order {
    /// The columns as they are in the facts.
    #[must_use]
    pub fn natural(width: usize) -> Self {
        Self((0..width).filter_map(|c| u16::try_from(c).ok()).collect())
    }

    /// The columns so; must be a permutation of `0..width`.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    pub fn new(columns: Vec<u16>) -> Result<Self> {
        let mut seen = vec![false; columns.len()];
        for column in &columns {
            match seen.get_mut(usize::from(*column)) {
                Some(place) if !*place => *place = true,
                _ => {
                    return Err(Error::new(
                        Kind::Internal,
                        "NotAnOrder",
                        format!("{columns:?} is not an order of columns"),
                    ));
                }
            }
        }
        Ok(Self(columns))
    }

    /// The columns, the one that is sorted by first in front.
    #[must_use]
    pub fn columns(&self) -> &[u16] {
        &self.0
    }

    /// How many columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// Whether it is that of the facts.
    #[must_use]
    pub fn is_natural(&self) -> bool {
        self.0.iter().enumerate().all(|(n, c)| usize::from(*c) == n)
    }
}

/// Which tuples of a relation, in an order: the leading columns fixed, the one after them in a range.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bounds {
    /// What the leading columns are, in the order's order.
    pub prefix: Vec<u64>,
    /// The least that the next column may be.
    pub least: u64,
    /// The greatest that the next column may be.
    pub most: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::all()
    }
}

impl Bounds {
    /// Every tuple.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            prefix: Vec::new(),
            least: 0,
            most: u64::MAX,
        }
    }

    /// The tuples that begin so.
    #[must_use]
    pub const fn prefix(prefix: Vec<u64>) -> Self {
        Self {
            prefix,
            least: 0,
            most: u64::MAX,
        }
    }

    /// The least tuple that is within, as a key.
    #[must_use]
    pub fn first(&self) -> Vec<u64> {
        let mut out = self.prefix.clone();
        if self.least > 0 {
            out.push(self.least);
        }
        out
    }

    /// The least key that is greater than every tuple within; `None` if there is none.
    #[must_use]
    pub fn end(&self) -> Option<Vec<u64>> {
        let mut out = self.prefix.clone();
        if self.most < u64::MAX {
            out.push(self.most.saturating_add(1));
            return Some(out);
        }
        while let Some(last) = out.pop() {
            if let Some(next) = last.checked_add(1) {
                out.push(next);
                return Some(out);
            }
        }
        None
    }
}
