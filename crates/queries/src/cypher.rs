//! openCypher reads, which are ISO GQL's too where they have the same text: `MATCH`, `OPTIONAL MATCH`, `WHERE`, `WITH`, `RETURN`.
//!
//! A graph of facts is read so:
//!
//! | openCypher | fact |
//! |---|---|
//! | a node `n` | any item of a fact; its own text is `id(n)` |
//! | `(n:Person)` | `(Person n)` |
//! | `(a)-[:knows]->(b)` | `(knows a b)` |
//! | `n.name` | `(name n value)`; several values are several solutions, none is `null` |
//! | `` `<iri>` `` in the place of a label, type or key | triples: `(triple n rdf:type <iri>)`, `(triple a <iri> b)` |
//!
//! A pattern's edges of one clause are different edges, as in openCypher. A walk `-[:knows*1..3]->` is told once for each pair of its ends.
//!
//! Deliberately absent: changes; how anything is answered.

use craton_base::{Error, Kind, Result};

use crate::algebra::Compiled;

mod lexer;
mod parser;
mod syntax;
mod translate;

/// The longest query, in bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// The deepest nesting.
const DEPTH_MAX: usize = 64;

/// A query that can be answered.
///
/// # Errors
/// `Invalid`, `BadQuery` with line and column for a text that is no query; `Invalid`, `NotSupported`, which names what; `TooLarge`.
pub fn compile(text: &str) -> Result<Compiled> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a query has at most {TEXT_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "EntityTooLarge", message));
    }
    let query = parser::parse(text)?;
    translate::translate(&query, text)
}

#[cfg(test)]
mod tests;
