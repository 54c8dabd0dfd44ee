//! Ids: one 64-bit number for every symbol, nested expression, small integer and variable.
//!
//! The three high bits say what an id is, so that no look-up is needed to tell:
//!
//! ```text
//! 000  a symbol: its number in the graph's dictionary
//! 001  an integer whose canonical decimal text is the symbol's: the value + 2^60
//! 010  a nested expression without variables: width (12 bits), number (49 bits)
//! 011  a name that has no id in the graph yet: its place in one batch ([`crate::names`])
//! 100  a variable: its place among the variables of its fact, in order of appearance
//! 101  a nested expression with variables: as 010
//! 111  as 011, of a nested expression with variables
//! ```
//!
//! Invariants: a text that is an integer's canonical form is never in the dictionary; the top bit is set
//! exactly where something has a variable in it; the order of ids is total and stable and means nothing
//! (the language's order is another), except that integers are in numeric order among themselves.
//!
//! Deliberately absent: texts, structure.

use std::fmt;

/// Bits below the tag.
const PAYLOAD_BITS: u32 = 61;
const PAYLOAD_MAX: u64 = (1 << PAYLOAD_BITS) - 1;
const SERIAL_BITS: u32 = 49;
const SERIAL_MAX: u64 = (1 << SERIAL_BITS) - 1;
const INTEGER_BIAS: i64 = 1 << (PAYLOAD_BITS - 1);

const SYMBOL: u64 = 0;
const INTEGER: u64 = 1;
const EXPRESSION: u64 = 2;
const FRESH: u64 = 3;
const VARIABLE: u64 = 4;
const OPEN: u64 = 5;
const FRESH_OPEN: u64 = 7;

/// The widest expression, in items, that an id can name.
pub const WIDTH_MAX: usize = (1 << (PAYLOAD_BITS - SERIAL_BITS)) - 1;

/// What stands for one symbol, nested expression, integer or variable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Id(pub u64);

/// An id taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A symbol, by its number in the dictionary.
    Symbol(u64),
    /// An integer.
    Integer(i64),
    /// A nested expression without variables.
    Expression {
        /// How many items it has.
        width: usize,
        /// Its number among those of its width.
        serial: u64,
    },
    /// A name of a batch that has no id in the graph yet.
    Fresh(u64),
    /// A variable, by its place in its fact.
    Variable(u64),
    /// A nested expression with variables in it.
    Open {
        /// How many items it has.
        width: usize,
        /// Its number among those of its width.
        serial: u64,
    },
}

const fn tagged(tag: u64, payload: u64) -> Id {
    Id((tag << PAYLOAD_BITS) | (payload & PAYLOAD_MAX))
}

const fn numbered(tag: u64, width: usize, serial: u64) -> Option<Id> {
    if width > WIDTH_MAX || serial > SERIAL_MAX {
        return None;
    }
    Some(tagged(tag, ((width as u64) << SERIAL_BITS) | serial))
}

impl Id {
    /// Less than every id.
    pub const MIN: Self = Self(0);
    /// More than every id.
    pub const MAX: Self = Self(u64::MAX);

    /// The symbol with this number in the dictionary.
    #[must_use]
    pub const fn symbol(number: u64) -> Self {
        tagged(SYMBOL, number)
    }

    /// An integer, if it is small enough: −2^60 ≤ value < 2^60.
    #[must_use]
    pub const fn integer(value: i64) -> Option<Self> {
        if value < -INTEGER_BIAS || value >= INTEGER_BIAS {
            return None;
        }
        Some(tagged(INTEGER, value.wrapping_add(INTEGER_BIAS) as u64))
    }

    /// The integer that `text` is the canonical decimal form of: `0`, `7`, `-12`; not `007`, `-0`, `+1`.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            all => (false, all),
        };
        match digits {
            [] => return None,
            [b'0'] if !negative => {}
            [b'0', ..] => return None,
            _ if digits.len() > 19 => return None,
            _ => {}
        }
        let mut value = 0i64;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
        }
        Self::integer(if negative { value.wrapping_neg() } else { value })
    }

    /// The `serial`th expression of `width` items; `None` beyond what an id can name.
    #[must_use]
    pub const fn expression(width: usize, serial: u64, open: bool) -> Option<Self> {
        numbered(if open { OPEN } else { EXPRESSION }, width, serial)
    }

    /// The `place`th fresh name of a batch; `open` if it is an expression with variables.
    #[must_use]
    pub const fn fresh(place: u64, open: bool) -> Self {
        tagged(if open { FRESH_OPEN } else { FRESH }, place)
    }

    /// The `place`th variable of a fact.
    #[must_use]
    pub const fn variable(place: u64) -> Self {
        tagged(VARIABLE, place)
    }

    /// Whether there is a variable in it.
    #[must_use]
    pub const fn has_variables(self) -> bool {
        self.0 >> 63 == 1
    }

    /// Whether it names something of a batch only.
    #[must_use]
    pub const fn is_fresh(self) -> bool {
        matches!(self.0 >> PAYLOAD_BITS, FRESH | FRESH_OPEN)
    }

    /// Whether it is a symbol or an integer.
    #[must_use]
    pub const fn is_atom(self) -> bool {
        self.0 >> PAYLOAD_BITS <= INTEGER
    }

    /// What it is; `None` for a number that is no id.
    #[must_use]
    pub const fn form(self) -> Option<Form> {
        let payload = self.0 & PAYLOAD_MAX;
        let width = (payload >> SERIAL_BITS) as usize;
        let serial = payload & SERIAL_MAX;
        Some(match self.0 >> PAYLOAD_BITS {
            SYMBOL => Form::Symbol(payload),
            INTEGER => Form::Integer((payload as i64).wrapping_sub(INTEGER_BIAS)),
            EXPRESSION => Form::Expression { width, serial },
            FRESH | FRESH_OPEN => Form::Fresh(payload),
            VARIABLE => Form::Variable(payload),
            OPEN => Form::Open { width, serial },
            _ => return None,
        })
    }

    /// The least and the greatest id of expressions of `width` items: a nested pattern is a range of ids.
    #[must_use]
    pub const fn expressions(width: usize, open: bool) -> Option<(Self, Self)> {
        match (
            Self::expression(width, 0, open),
            Self::expression(width, SERIAL_MAX, open),
        ) {
            (Some(least), Some(most)) => Some((least, most)),
            _ => None,
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form() {
            Some(form) => write!(f, "{form:?}"),
            None => write!(f, "Id({:#x})", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
