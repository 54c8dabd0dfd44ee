//! Text to terms: a scanner without recursion over one slice, and a [`Reader`] over a stream.
//!
//! The text is MM2's: `(` and `)` make expressions, white space parts items, `;` where an item could
//! begin starts a comment to the end of the line, `$name` is a variable of the fact that it stands in
//! (`$_` a fresh one each time), `"…"` is a symbol with its quotes and escapes as written, anything
//! else is a symbol. One thing is ours: `\x` followed by pairs of hexadecimal digits is the symbol of
//! those bytes, so that every symbol can be written ([`crate::print`]).
//!
//! Invariants: bad input is a [`Fault`] with its place, never a panic; depth, width and size have
//! limits ([`crate::term`]) and cost no stack; a reader's memory is a few times its longest fact.
//!
//! Deliberately absent: files, ids, what a fact means.

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};

use crate::term::{ARITY_MAX, DEPTH_MAX, SYMBOL_BYTES_MAX, TERM_BYTES_MAX, Term, VARIABLES_MAX, Writer};

mod reader;
pub use reader::Reader;

/// What begins a symbol that is written as bytes.
pub(crate) const HEX: &[u8] = b"\\x";
/// Longest text of one fact: comments, white space and escapes take more than its term.
const FACT_TEXT_BYTES_MAX: usize = 4 * TERM_BYTES_MAX;
const FEW_VARIABLES: usize = 16;

/// An item of a fact, in the order of reading. Ranges are offsets into the text or, for `Bytes`, into
/// the bytes beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// An expression of so many items.
    Open(u32),
    /// A symbol as it stands in the text.
    Text(usize, usize),
    /// A symbol that was written as `\x…`.
    Bytes(usize, usize),
    /// A variable, numbered by first appearance.
    Variable(u32),
}

/// What is wrong with a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the byte where it shows.
    pub at: usize,
    /// What is wrong, for people.
    pub what: &'static str,
    kind: Kind,
}

impl Fault {
    /// As an error that names line and column. `line` is the number of the first line of `text`, from 1.
    #[must_use]
    pub fn locate(&self, text: &[u8], line: u64) -> Error {
        let before = text.get(..self.at).unwrap_or(text);
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
        let reason = if self.kind == Kind::TooLarge {
            "TermTooLarge"
        } else {
            "MalformedText"
        };
        Error::new(
            self.kind,
            reason,
            format!("line {}, column {column}: {}", line + lines, self.what),
        )
    }
}

/// How far [`Parser::fact`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole fact; the next thing begins at this offset.
    Fact(usize),
    /// Only white space and whole comments up to the end.
    End,
    /// Something begins at this offset that the text does not finish.
    Partial(usize),
}

/// Reads facts from a slice. It keeps its memory from fact to fact.
#[derive(Debug, Default)]
pub struct Parser {
    tokens: Vec<Token>,
    open: Vec<usize>,
    bytes: Vec<u8>,
    names: Names,
    start: usize,
}

impl Parser {
    /// Reads the next fact at or after `at`. `last`: the text goes no further.
    pub fn fact(&mut self, text: &[u8], at: usize, last: bool) -> Result<Step, Fault> {
        self.tokens.clear();
        self.open.clear();
        self.bytes.clear();
        self.names.clear();
        let Some(start) = self.space(text, at, last)? else {
            return Ok(Step::End);
        };
        self.start = start;
        let mut at = start;
        loop {
            match self.item(text, at, last)? {
                Some(next) if self.open.is_empty() => return Ok(Step::Fact(next)),
                Some(next) => at = next,
                None if last => return Err(fault(text.len(), "the text ends inside a fact")),
                None => return Ok(Step::Partial(start)),
            }
            at = match self.space(text, at, last)? {
                Some(next) => next,
                None if last => return Err(fault(text.len(), "the text ends inside a fact")),
                None => return Ok(Step::Partial(start)),
            };
            if at - start > FACT_TEXT_BYTES_MAX {
                return Err(large(start, "a fact of more text than the limit"));
            }
        }
    }

    /// The items of the fact that was read last.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Where the fact that was read last begins.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start
    }

    /// The names of the variables of the fact that was read last, by their numbers; `$_` where it has none.
    #[must_use]
    pub fn variable_names(&self) -> Vec<String> {
        let mut out = vec!["$_".to_owned(); self.names.next as usize];
        let few = self.names.few.iter().map(|(name, number)| (name, *number));
        let many = self.names.many.iter().map(|(name, number)| (name, *number));
        for (name, number) in few.chain(many) {
            if let Some(place) = out.get_mut(number as usize) {
                *place = String::from_utf8_lossy(name).into_owned();
            }
        }
        out
    }

    /// The fact that was read last; `text` is the one it was read from.
    #[must_use]
    pub fn parsed<'a>(&'a self, text: &'a [u8]) -> Parsed<'a> {
        Parsed {
            tokens: &self.tokens,
            text,
            bytes: &self.bytes,
        }
    }

    /// Steps over white space and comments. Nothing: the text ends there.
    fn space(&self, text: &[u8], mut at: usize, last: bool) -> Result<Option<usize>, Fault> {
        loop {
            match text.get(at) {
                None => return Ok(None),
                Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
                Some(b';') => match memchr::memchr(b'\n', text.get(at..).unwrap_or_default()) {
                    Some(length) => at += length + 1,
                    None if last => return Ok(None),
                    // An unfinished comment between facts is something that begins.
                    None if self.open.is_empty() => return Ok(Some(at)),
                    None => return Ok(None),
                },
                Some(_) => return Ok(Some(at)),
            }
        }
    }

    /// Reads one item or bracket at `at`. Nothing: it is not finished.
    fn item(&mut self, text: &[u8], at: usize, last: bool) -> Result<Option<usize>, Fault> {
        match text.get(at) {
            None | Some(b';') => Ok(None),
            Some(b'(') => {
                self.count(at)?;
                if self.open.len() >= DEPTH_MAX as usize {
                    return Err(large(at, "expressions nested deeper than the limit"));
                }
                self.open.push(self.tokens.len());
                self.tokens.push(Token::Open(0));
                Ok(Some(at + 1))
            }
            Some(b')') => match self.open.pop() {
                Some(_) => Ok(Some(at + 1)),
                None => Err(fault(at, "a closing bracket without an opening one")),
            },
            Some(b'"') => {
                let Some(end) = end_of_string(text, at) else {
                    return if last {
                        Err(fault(at, "a string without its closing quote"))
                    } else {
                        Ok(None)
                    };
                };
                self.symbol(text, at, end).map(Some)
            }
            Some(first) => {
                let end = end_of_word(text, at);
                if end == text.len() && !last {
                    return Ok(None);
                }
                if *first == b'$' {
                    self.variable(text, at, end)
                } else {
                    self.symbol(text, at, end)
                }
                .map(Some)
            }
        }
    }

    fn symbol(&mut self, text: &[u8], at: usize, end: usize) -> Result<usize, Fault> {
        self.count(at)?;
        if end - at > SYMBOL_BYTES_MAX {
            return Err(large(at, "a symbol longer than the limit"));
        }
        let word = text.get(at..end).unwrap_or_default();
        let start = self.bytes.len();
        let token = if unhex(word, &mut self.bytes) {
            Token::Bytes(start, self.bytes.len())
        } else {
            Token::Text(at, end)
        };
        self.tokens.push(token);
        Ok(end)
    }

    fn variable(&mut self, text: &[u8], at: usize, end: usize) -> Result<usize, Fault> {
        self.count(at)?;
        let name = text.get(at..end).unwrap_or_default();
        let number = self.names.number(name);
        if number >= VARIABLES_MAX {
            return Err(large(at, "more variables in a fact than the limit"));
        }
        self.tokens.push(Token::Variable(number));
        Ok(end)
    }

    /// Counts an item in the expression that it stands in.
    fn count(&mut self, at: usize) -> Result<(), Fault> {
        let Some(Token::Open(arity)) = self.open.last().and_then(|open| self.tokens.get_mut(*open)) else {
            return Ok(());
        };
        if *arity >= ARITY_MAX {
            return Err(large(at, "more items in an expression than the limit"));
        }
        *arity += 1;
        Ok(())
    }
}

fn fault(at: usize, what: &'static str) -> Fault {
    Fault {
        at,
        what,
        kind: Kind::Invalid,
    }
}

fn large(at: usize, what: &'static str) -> Fault {
    Fault {
        at,
        what,
        kind: Kind::TooLarge,
    }
}

/// One past the closing quote of the string that begins at `at`.
pub(crate) fn end_of_string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// One past the last byte of the word at `at`: eight bytes at a time, of which those below `*` are looked at, as all are that end a word.
fn end_of_word(text: &[u8], at: usize) -> usize {
    const EACH: u64 = u64::MAX / 255;
    let mut at = at;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*bytes);
        // The lowest bit of these is exact: see "Bit Twiddling Hacks", a byte less than n.
        let low = word.wrapping_sub(EACH * u64::from(b'*')) & !word & (EACH << 7);
        let passed = (low.trailing_zeros() / u8::BITS) as usize;
        at += passed;
        if let Some(byte) = bytes.get(passed) {
            if ends_word(*byte) {
                return at;
            }
            at += 1;
        }
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .position(|byte| ends_word(*byte))
        .unwrap_or(rest.len())
}

#[inline]
pub(crate) fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'(' | b')')
}

/// Appends the bytes that a word `\x…` stands for; false if it is no such word.
pub(crate) fn unhex(word: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(digits) = word.strip_prefix(HEX) else {
        return false;
    };
    if digits.is_empty() || digits.len() % 2 != 0 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    };
    out.extend(digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => value(*high) << 4 | value(*low),
        _ => 0,
    }));
    true
}

/// The names of a fact's variables.
#[derive(Debug, Default)]
struct Names {
    few: Vec<(Box<[u8]>, u32)>,
    many: HashMap<Box<[u8]>, u32>,
    next: u32,
}

impl Names {
    fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
        self.next = 0;
    }

    fn number(&mut self, name: &[u8]) -> u32 {
        let known = self
            .few
            .iter()
            .find(|(known, _)| **known == *name)
            .map(|(_, number)| *number);
        if name != b"$_"
            && let Some(number) = known.or_else(|| self.many.get(name).copied())
        {
            return number;
        }
        let number = self.next;
        self.next += 1;
        if name == b"$_" {
        } else if self.few.len() < FEW_VARIABLES {
            self.few.push((name.into(), number));
        } else {
            self.many.insert(name.into(), number);
        }
        number
    }
}

/// A fact as it was read, still pointing into its text.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<'a> {
    /// Its items in the order of reading.
    pub tokens: &'a [Token],
    text: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// The text of a symbol, if the token is one.
    #[must_use]
    pub fn symbol(&self, token: Token) -> Option<&'a [u8]> {
        match token {
            Token::Text(start, end) => self.text.get(start..end),
            Token::Bytes(start, end) => self.bytes.get(start..end),
            Token::Open(_) | Token::Variable(_) => None,
        }
    }

    /// Encodes it.
    pub fn term(&self) -> Result<Term> {
        let mut writer = Writer::default();
        let mut seen = 0;
        for token in self.tokens {
            match *token {
                Token::Open(arity) => writer.expression(arity)?,
                Token::Variable(number) if number < seen => writer.reference(number)?,
                Token::Variable(_) => seen = writer.new_variable()? + 1,
                Token::Text(..) | Token::Bytes(..) => {
                    writer.symbol(self.symbol(*token).unwrap_or_default())?;
                }
            }
        }
        Ok(writer.finish())
    }
}

/// All facts of a text.
pub fn facts(text: &[u8]) -> Result<Vec<Term>> {
    let mut parser = Parser::default();
    let (mut facts, mut at) = (Vec::new(), 0);
    loop {
        match parser
            .fact(text, at, true)
            .map_err(|fault| fault.locate(text, 1))?
        {
            Step::Fact(next) => at = next,
            Step::End | Step::Partial(_) => return Ok(facts),
        }
        facts.push(parser.parsed(text).term()?);
    }
}

/// The one term of a text.
pub fn term(text: &[u8]) -> Result<Term> {
    let mut facts = facts(text)?;
    match (facts.pop(), facts.is_empty()) {
        (Some(term), true) => Ok(term),
        _ => Err(Error::new(
            Kind::Invalid,
            "MalformedText",
            "the text is not exactly one term",
        )),
    }
}

#[cfg(test)]
mod tests;
