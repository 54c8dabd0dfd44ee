//! From a stream of brackets and words to tuples: what every reader of facts pushes into.
//!
//! `(edge a (at 1 2))` is `open`, `symbol edge`, `symbol a`, `open`, `symbol at`, …, `close`, `close`. A fact is complete when
//! as many were closed as opened.
//!
//! Invariants: variables are numbered by their first appearance in the whole fact; depth, width and the bytes of a
//! symbol have limits, so that what an outsider sends is an error and never a crash.
//!
//! Deliberately absent: syntax (the parsers'), where names and tuples go (the maker's).

use craton_base::{Error, Kind, Result};

use crate::{Id, Shape, Table, id::WIDTH_MAX};

/// The longest text of a symbol, in bytes.
pub const SYMBOL_BYTES_MAX: usize = 1 << 20;

/// The deepest nesting of a fact.
pub const DEPTH_MAX: usize = 65_536;

/// The most different variables of a fact.
pub const VARIABLES_MAX: usize = 4096;

/// The name of the variable that is a new one each time.
pub const ANONYMOUS: &[u8] = b"_";

/// What takes facts, piece by piece.
pub trait FactSink {
    /// A nested expression, or the fact, begins.
    ///
    /// # Errors
    /// `TooLarge`, `TooDeep`.
    fn open(&mut self) -> Result<()>;

    /// A symbol by its text; also an integer.
    ///
    /// # Errors
    /// `TooLarge`, `SymbolTooLong`; what the maker of names says.
    fn symbol(&mut self, text: &[u8]) -> Result<()>;

    /// A variable by its name, without the `$`; [`ANONYMOUS`] is a new one each time.
    ///
    /// # Errors
    /// `TooLarge`, `TooManyVariables`.
    fn variable(&mut self, name: &[u8]) -> Result<()>;

    /// The innermost expression ends.
    ///
    /// # Errors
    /// `Invalid`, `Unbalanced`; `TooLarge`, `TooWide`; what the maker of names and the taker of facts say.
    fn close(&mut self) -> Result<()>;

    /// Forgets the fact that has begun: for going on after a bad line.
    fn abandon(&mut self);

    /// Everything before `mark` was pushed, and a reader of the same format can begin there ([`crate::read::load_from`]). Not every
    /// reader says so.
    fn reached(&mut self, mark: Mark) {
        let _ = mark;
    }

    /// What a reader must know that begins at the marks after this, besides the mark: in place of what was said before.
    fn remember(&mut self, state: &[u8]) {
        let _ = state;
    }
}

/// A place between facts in an input, after decompression.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// How many bytes lie before it.
    pub bytes: u64,
    /// How many lines, where lines are counted.
    pub lines: u64,
    /// How many rows were numbered, where rows are; of a table how many columns it has.
    pub rows: u64,
}

/// Where a reader begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Start {
    /// The place.
    pub mark: Mark,
    /// What the reader of what lies before it remembered ([`FactSink::remember`]).
    pub state: Vec<u8>,
}

/// What makes names and takes complete facts, for a [`Builder`].
pub trait Maker {
    /// The id of a symbol that is no integer.
    ///
    /// # Errors
    /// Its own.
    fn symbol(&mut self, text: &[u8]) -> Result<Id>;

    /// The id of a nested expression.
    ///
    /// # Errors
    /// Its own.
    fn expression(&mut self, items: &[u64]) -> Result<Id>;

    /// A complete fact.
    ///
    /// # Errors
    /// Its own.
    fn fact(&mut self, table: Table, tuple: &[u64]) -> Result<()>;

    /// After each name: a chance to change ids that were given for now, in what was taken and in those `held` of the fact that has begun.
    ///
    /// # Errors
    /// Its own.
    fn settle(&mut self, held: &mut [u64]) -> Result<()> {
        let _ = held;
        Ok(())
    }
}

/// Builds facts from the bottom up, on stacks of its own: nesting costs no stack of the thread.
pub struct Builder<M> {
    maker: M,
    items: Vec<u64>,
    starts: Vec<usize>,
    variables: Vec<Box<[u8]>>,
    /// How many variables of this fact, those without a name included.
    variable_count: u64,
}

impl<M: Maker> Builder<M> {
    /// A builder that gives to `maker`.
    #[must_use]
    pub fn new(maker: M) -> Self {
        Self {
            maker,
            items: Vec::new(),
            starts: Vec::new(),
            variables: Vec::new(),
            variable_count: 0,
        }
    }

    /// What it gives to.
    pub fn maker(&mut self) -> &mut M {
        &mut self.maker
    }

    /// What it gave to.
    pub fn into_maker(self) -> M {
        self.maker
    }

    /// Whether no fact has begun.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.starts.is_empty()
    }

    /// Takes an id that is known already, in the place of a symbol.
    ///
    /// # Errors
    /// As [`FactSink::symbol`].
    pub fn id(&mut self, id: Id) -> Result<()> {
        if self.starts.is_empty() {
            self.maker.fact(Table::atoms(id.has_variables()), &[id.0])?;
            self.end();
        } else {
            self.items.push(id.0);
        }
        self.maker.settle(&mut self.items)
    }

    fn end(&mut self) {
        self.items.clear();
        self.starts.clear();
        self.variables.clear();
        self.variable_count = 0;
    }

    fn place_of(&mut self, name: &[u8]) -> u64 {
        let known = self
            .variables
            .iter()
            .position(|v| **v == *name && **v != *ANONYMOUS);
        if let Some(place) = known {
            return place as u64;
        }
        // Those without a name take a place too, so that a place is an index.
        self.variables.push(name.into());
        let place = self.variable_count;
        self.variable_count = place.saturating_add(1);
        place
    }
}

impl<M: Maker> FactSink for Builder<M> {
    fn open(&mut self) -> Result<()> {
        if self.starts.len() >= DEPTH_MAX {
            return Err(too_large(
                "TooDeep",
                format!("a fact is nested at most {DEPTH_MAX} deep"),
            ));
        }
        self.starts.push(self.items.len());
        Ok(())
    }

    fn symbol(&mut self, text: &[u8]) -> Result<()> {
        if text.is_empty() {
            return Err(Error::new(
                Kind::Invalid,
                "EmptySymbol",
                "a symbol can not be empty",
            ));
        }
        if text.len() > SYMBOL_BYTES_MAX {
            let message = format!(
                "a symbol has at most {SYMBOL_BYTES_MAX} bytes, not {}",
                text.len()
            );
            return Err(too_large("SymbolTooLong", message));
        }
        let id = match Id::of_text(text) {
            Some(id) => id,
            None => self.maker.symbol(text)?,
        };
        self.id(id)
    }

    fn variable(&mut self, name: &[u8]) -> Result<()> {
        if self.variables.len() >= VARIABLES_MAX {
            let message = format!("a fact has at most {VARIABLES_MAX} variables");
            return Err(too_large("TooManyVariables", message));
        }
        let place = self.place_of(name);
        self.id(Id::variable(place))
    }

    fn close(&mut self) -> Result<()> {
        let Some(start) = self.starts.pop() else {
            return Err(Error::new(Kind::Invalid, "Unbalanced", "a ) has no ( before it"));
        };
        let items = self.items.get(start..).unwrap_or_default();
        if items.len() > WIDTH_MAX {
            let message = format!("an expression has at most {WIDTH_MAX} items, not {}", items.len());
            return Err(too_large("TooWide", message));
        }
        if self.starts.is_empty() && items.is_empty() {
            // A tuple without columns is none: the fact `()` is an atom.
            let id = self.maker.expression(items)?;
            self.maker.fact(Table::atoms(false), &[id.0])?;
            self.end();
            return Ok(());
        }
        if self.starts.is_empty() {
            let table = Table {
                shape: Shape::Fact,
                open: self.variable_count > 0,
                items: items.len(),
            };
            self.maker.fact(table, items)?;
            self.end();
            return Ok(());
        }
        let id = self.maker.expression(items)?;
        self.items.truncate(start);
        self.items.push(id.0);
        self.maker.settle(&mut self.items)
    }

    fn abandon(&mut self) {
        self.end();
    }
}

fn too_large(reason: &'static str, message: String) -> Error {
    Error::new(Kind::TooLarge, reason, message)
}

#[cfg(test)]
mod tests;
