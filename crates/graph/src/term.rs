//! Terms: symbols, variables and expressions of terms, as one flat string of bytes each.
//!
//! The bytes of a term in this encoding compare as MM2 orders facts, so a sorted set of terms is a
//! space in MM2's order and a prefix of the bytes is a prefix of facts:
//!
//! | first byte | item | what follows |
//! |---|---|---|
//! | `0x00`–`0x3E` | expression with that many items | its items |
//! | `0x3F` | expression with 63 items or more | their number, 4 bytes big-endian, then the items |
//! | `0x80`–`0xBE` | the variable that appeared as number 0–62 of this term | |
//! | `0xBF` | the same, from number 63 | the number, 4 bytes big-endian |
//! | `0xC0` | a variable that appears for the first time | |
//! | `0xC1`–`0xFE` | symbol of 1–62 bytes | its bytes |
//! | `0xFF` | symbol of 63 bytes or more | its length, 4 bytes big-endian, then the bytes |
//!
//! Up to 62 items, variables and symbol bytes this is MM2's own encoding; from 63 on MM2 stops and
//! this goes on in the same order.
//!
//! Invariants: a [`Term`] is one whole item; its variables are numbered by their first appearance, so
//! two terms that differ only in the names of variables are the same bytes; no symbol is empty.
//! Nothing here recurses: depth costs no stack.
//!
//! Deliberately absent: where facts are kept, ids, text ([`crate::parse`], [`crate::print`]).

use std::fmt;

use craton_base::{Error, Kind, Result};

use crate::{id, sink};

/// Longest symbol, in bytes.
pub const SYMBOL_BYTES_MAX: usize = sink::SYMBOL_BYTES_MAX;
/// Longest term, in encoded bytes.
pub const TERM_BYTES_MAX: usize = 16 << 20;
/// Most items of one expression.
pub const ARITY_MAX: u32 = id::WIDTH_MAX as u32;
/// Most different variables in one term.
pub const VARIABLES_MAX: u32 = sink::VARIABLES_MAX as u32;
/// Deepest nesting of expressions.
pub const DEPTH_MAX: u32 = sink::DEPTH_MAX as u32;

const LONG: u32 = 63;
const EXPRESSION_LONG: u8 = 0x3F;
const REFERENCE: u8 = 0x80;
const REFERENCE_LONG: u8 = 0xBF;
const NEW_VARIABLE: u8 = 0xC0;
const SYMBOL: u8 = 0xC0;
const SYMBOL_LONG: u8 = 0xFF;

/// The first and the last byte that a variable can begin with.
pub(crate) const VARIABLE_BYTES: std::ops::RangeInclusive<u8> = REFERENCE..=NEW_VARIABLE;

/// One item of an encoded term, in the order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An expression; this many items follow.
    Expression(u32),
    /// A variable that appeared before, by its number.
    Reference(u32),
    /// A variable that appears for the first time; its number is how many did before.
    NewVariable,
    /// A symbol, by its text.
    Symbol(&'a [u8]),
}

/// A whole term. It orders as MM2 orders facts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(Box<[u8]>);

impl Term {
    /// A term of one symbol.
    pub fn symbol(text: &[u8]) -> Result<Self> {
        let mut writer = Writer::default();
        writer.symbol(text)?;
        Ok(writer.finish())
    }

    /// Checks that `bytes` are one term in this encoding, with variables numbered by appearance.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Result<Self> {
        let bytes = bytes.into();
        let (mut open, mut at, mut seen) = (1_u64, 0_usize, 0_u32);
        while open > 0 {
            let (item, next) = read(&bytes, at).ok_or_else(not_a_term)?;
            open -= 1;
            match item {
                Item::Expression(arity) => open += u64::from(arity),
                Item::NewVariable => seen += 1,
                Item::Reference(number) if number >= seen => return Err(not_a_term()),
                Item::Symbol(b"") => return Err(not_a_term()),
                Item::Reference(_) | Item::Symbol(_) => {}
            }
            at = next;
        }
        if at == bytes.len() {
            Ok(Self(bytes))
        } else {
            Err(not_a_term())
        }
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The encoded bytes, owned.
    #[must_use]
    pub fn into_bytes(self) -> Box<[u8]> {
        self.0
    }

    /// Whether there is no variable in it.
    #[must_use]
    pub fn is_ground(&self) -> bool {
        !has_variable(&self.0)
    }

    /// How many different variables it has.
    #[must_use]
    pub fn variables(&self) -> u32 {
        count_new(&self.0)
    }

    /// The items in the order of reading.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        Items {
            bytes: &self.0,
            at: 0,
        }
    }

    /// Where the parts of an expression begin and end, or nothing if this is no expression.
    #[must_use]
    pub fn parts(&self) -> Option<Vec<Part>> {
        parts(&self.0, Part::whole(&self.0))
    }
}

impl std::borrow::Borrow<[u8]> for Term {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::print::term(self))
    }
}

fn not_a_term() -> Error {
    Error::corrupt("bytes that should be a term are none")
}

/// A stretch of a term's bytes that is a term itself, except that its variables are numbered by the
/// whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// How many variables appeared before it.
    pub seen: u32,
}

impl Part {
    /// All of `bytes`.
    #[must_use]
    pub fn whole(bytes: &[u8]) -> Self {
        Self {
            start: 0,
            end: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            seen: 0,
        }
    }

    /// The bytes of this part.
    #[must_use]
    pub fn bytes(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// The parts of the expression at `of`, or nothing if there is none.
#[must_use]
pub fn parts(bytes: &[u8], of: Part) -> Option<Vec<Part>> {
    let (Item::Expression(arity), mut at) = read(bytes, of.start as usize)? else {
        return None;
    };
    let mut seen = of.seen;
    let mut parts = Vec::with_capacity(arity.min(1024) as usize);
    for _ in 0..arity {
        let end = skip(bytes, at)?;
        parts.push(Part {
            start: u32::try_from(at).ok()?,
            end: u32::try_from(end).ok()?,
            seen,
        });
        seen += count_new(bytes.get(at..end)?);
        at = end;
    }
    Some(parts)
}

/// Reads the item that begins at `at`; also where the next begins.
#[inline]
#[must_use]
pub fn read(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let first = *bytes.get(at)?;
    let next = at + 1;
    Some(match first {
        NEW_VARIABLE => (Item::NewVariable, next),
        SYMBOL_LONG => {
            let (length, next) = read_long(bytes, next)?;
            let end = next.checked_add(length as usize)?;
            (Item::Symbol(bytes.get(next..end)?), end)
        }
        0xC1.. => {
            let end = next + usize::from(first - SYMBOL);
            (Item::Symbol(bytes.get(next..end)?), end)
        }
        REFERENCE_LONG => {
            let (number, next) = read_long(bytes, next)?;
            (Item::Reference(number), next)
        }
        REFERENCE.. => (Item::Reference(u32::from(first - REFERENCE)), next),
        EXPRESSION_LONG => {
            let (arity, next) = read_long(bytes, next)?;
            (Item::Expression(arity), next)
        }
        0x40.. => return None,
        arity => (Item::Expression(u32::from(arity)), next),
    })
}

fn read_long(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let end = at + 4;
    let long = u32::from_be_bytes(bytes.get(at..end)?.try_into().ok()?);
    (long >= LONG).then_some((long, end))
}

/// Where the term that begins at `at` ends.
#[must_use]
pub fn skip(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 1_u64;
    while open > 0 {
        let (item, next) = read(bytes, at)?;
        open -= 1;
        if let Item::Expression(arity) = item {
            open += u64::from(arity);
        }
        at = next;
    }
    Some(at)
}

/// How many variables appear for the first time in `bytes`, which are whole items.
#[must_use]
pub fn count_new(bytes: &[u8]) -> u32 {
    let mut count = 0;
    for item in (Items { bytes, at: 0 }) {
        count += u32::from(item == Item::NewVariable);
    }
    count
}

fn has_variable(bytes: &[u8]) -> bool {
    (Items { bytes, at: 0 }).any(|item| matches!(item, Item::NewVariable | Item::Reference(_)))
}

/// Whether the whole items in `bytes` hold no variable.
#[must_use]
pub fn is_ground(bytes: &[u8]) -> bool {
    !has_variable(bytes)
}

struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let (item, next) = read(self.bytes, self.at)?;
        self.at = next;
        Some(item)
    }
}

/// Writes one term, item by item. Whoever writes opens each expression with the right arity.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    seen: u32,
}

impl Writer {
    /// Begins again, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.seen = 0;
    }

    /// Opens an expression of `arity` items.
    pub fn expression(&mut self, arity: u32) -> Result<()> {
        if arity > ARITY_MAX {
            return Err(too_large(format!("an expression of more than {ARITY_MAX} items")));
        }
        self.number(arity, 0, EXPRESSION_LONG)
    }

    /// Writes a symbol.
    pub fn symbol(&mut self, text: &[u8]) -> Result<()> {
        if text.is_empty() {
            return Err(Error::new(
                Kind::Invalid,
                "EmptySymbol",
                "a symbol can not be empty",
            ));
        }
        if text.len() > SYMBOL_BYTES_MAX {
            return Err(too_large(format!(
                "a symbol of more than {SYMBOL_BYTES_MAX} bytes"
            )));
        }
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.number(length, SYMBOL, SYMBOL_LONG)?;
        self.bytes.extend_from_slice(text);
        self.check()
    }

    /// Writes a variable that appears for the first time; its number.
    pub fn new_variable(&mut self) -> Result<u32> {
        if self.seen >= VARIABLES_MAX {
            return Err(too_large(format!(
                "a term of more than {VARIABLES_MAX} variables"
            )));
        }
        self.bytes.push(NEW_VARIABLE);
        self.seen += 1;
        self.check()?;
        Ok(self.seen - 1)
    }

    /// Writes a variable that appeared before.
    pub fn reference(&mut self, number: u32) -> Result<()> {
        self.number(number, REFERENCE, REFERENCE_LONG)
    }

    /// Writes bytes that are whole items without variables.
    pub fn ground(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.check()
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The term, and the writer is as new.
    #[must_use]
    pub fn take(&mut self) -> Term {
        let term = Term(self.bytes.as_slice().into());
        self.clear();
        term
    }

    /// The term.
    #[must_use]
    pub fn finish(self) -> Term {
        Term(self.bytes.into_boxed_slice())
    }

    fn number(&mut self, number: u32, base: u8, long: u8) -> Result<()> {
        match u8::try_from(number) {
            Ok(short) if number < LONG => self.bytes.push(base | short),
            _ => {
                self.bytes.push(long);
                self.bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.bytes.len() > TERM_BYTES_MAX {
            return Err(too_large(format!("a term of more than {TERM_BYTES_MAX} bytes")));
        }
        Ok(())
    }
}

pub(crate) fn too_large(what: String) -> Error {
    Error::new(Kind::TooLarge, "TermTooLarge", what)
}

#[cfg(test)]
mod tests;
