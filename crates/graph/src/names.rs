//! Names: symbols' texts and nested expressions' items, and the ids that stand for them.
//!
//! Deliberately absent: facts.

use craton_base::Result;

use crate::Id;

/// From name to id and back.
pub trait Names: Send + Sync {
    /// The id of a symbol; `None` if no fact or expression of the graph ever had it. Integers have theirs without a look-up.
    ///
    /// # Errors
    /// The storage's own.
    fn symbol(&self, text: &[u8]) -> Result<Option<Id>>;

    /// The id of the expression with these items, if there is one.
    ///
    /// # Errors
    /// The storage's own.
    fn expression(&self, items: &[Id]) -> Result<Option<Id>>;

    /// Appends the text of a symbol or integer.
    ///
    /// # Errors
    /// `Invalid` if the id is no symbol; `Corrupt` if the graph does not have it.
    fn text(&self, id: Id, out: &mut Vec<u8>) -> Result<()>;

    /// Appends the items of a nested expression.
    ///
    /// # Errors
    /// `Invalid` if the id is no expression; `Corrupt` if the graph does not have it.
    fn items(&self, id: Id, out: &mut Vec<Id>) -> Result<()>;
}

/// Names that can be added to. What is added becomes durable with the commit of the facts that use it; until then its
/// ids are fresh ([`Id::is_fresh`]), equal for equal names, and good within this value only.
pub trait NewNames: Names {
    /// The id of a symbol, made if there is none.
    ///
    /// # Errors
    /// `TooLarge` for a text beyond the limit or when the budget is used up; the storage's own.
    fn make_symbol(&self, text: &[u8]) -> Result<Id>;

    /// The id of the expression with these items, made if there is none. Variables are numbered by the fact that it will
    /// be part of.
    ///
    /// # Errors
    /// As [`NewNames::make_symbol`].
    fn make_expression(&self, items: &[Id]) -> Result<Id>;
}
