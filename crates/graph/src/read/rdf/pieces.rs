//! A text of statements in pieces of whole statements: a statement ends with a `.` that white space or a comment follows, outside of strings,
//! IRIs and comments.
//!
//! Invariants: the same text is cut at the same places, and as well if reading begins at one of them; a piece has a limit, and so has
//! nesting, which the parser would keep in memory.
//!
//! Deliberately absent: whether the statements are any good.

use std::io::Read;

use craton_base::{Error, Kind, Result};

use super::super::lines::LINE_BYTES_MAX;

/// A piece ends with the first statement that ends after so many bytes.
const PIECE_BYTES: usize = if cfg!(test) { 24 } else { 128 << 10 };
/// The longest piece, and so about the longest statement.
const PIECE_BYTES_MAX: usize = LINE_BYTES_MAX;
const READ_BYTES: usize = 64 << 10;
/// How deep brackets nest.
const DEPTH_MAX: u32 = 4096;

/// Pieces of a text.
pub(super) struct Pieces<R> {
    input: R,
    buffer: Vec<u8>,
    /// Of the buffer: what was handed out last.
    cut: usize,
    ended: bool,
    /// Lines before the piece that comes next.
    lines: u64,
}

impl<R: Read> Pieces<R> {
    /// A text that goes on after so many lines.
    pub(super) fn new(input: R, lines: u64) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            cut: 0,
            ended: false,
            lines,
        }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// `TooLarge`, `StatementTooLong`, `TooDeep`; the input's own.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        let before = self.buffer.get(..self.cut).unwrap_or_default();
        self.lines = self.lines.saturating_add(super::lines_of(before));
        self.buffer.drain(..self.cut.min(self.buffer.len()));
        self.cut = 0;
        let mut scanner = Scanner::default();
        loop {
            if let Some(end) = scanner.find(&self.buffer) {
                self.cut = end;
                break;
            }
            if scanner.depth > DEPTH_MAX {
                let message = format!(
                    "a statement after line {} nests deeper than {DEPTH_MAX}",
                    self.lines
                );
                return Err(Error::new(Kind::TooLarge, "TooDeep", message));
            }
            if self.ended {
                self.cut = self.buffer.len();
                break;
            }
            if self.buffer.len() > PIECE_BYTES_MAX {
                let message = format!(
                    "a statement after line {} is longer than {PIECE_BYTES_MAX} bytes",
                    self.lines
                );
                return Err(Error::new(Kind::TooLarge, "StatementTooLong", message));
            }
            self.fill()?;
        }
        let piece = self.buffer.get(..self.cut).unwrap_or_default();
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn fill(&mut self) -> Result<()> {
        let limit = READ_BYTES as u64;
        let read = self
            .input
            .by_ref()
            .take(limit)
            .read_to_end(&mut self.buffer)
            .map_err(|error| {
                Error::new(Kind::Unavailable, "InputUnavailable", "the input can not be read")
                    .with_source(error)
            })?;
        self.ended = read == 0;
        Ok(())
    }
}

/// Looks for the end of a piece, byte by byte.
#[derive(Default)]
struct Scanner {
    at: usize,
    within: Within,
    depth: u32,
}

/// What the next byte stands in.
#[derive(Clone, Copy, Default)]
enum Within {
    /// Names, numbers, brackets.
    #[default]
    Between,
    /// After a `.` there.
    Dot,
    /// After a backslash there.
    Escape,
    /// An IRI, which goes no further than the line.
    Iri,
    /// A comment.
    Comment,
    /// After so many of the quotes that may begin a string.
    Opening(u8, u8),
    /// A string in one line.
    Short(u8),
    /// A string over lines, after so many of the quotes that may end it.
    Long(u8, u8),
    /// After a backslash in a string.
    ShortEscape(u8),
    /// The same in one over lines.
    LongEscape(u8),
}

impl Scanner {
    /// The end of the piece that `text` begins with, if it has it; what was looked at before is not looked at again.
    fn find(&mut self, text: &[u8]) -> Option<usize> {
        for byte in text.get(self.at..).unwrap_or_default() {
            let ends = matches!(self.within, Within::Dot) && (byte.is_ascii_whitespace() || *byte == b'#');
            if ends {
                // What stood open is closed or wrong.
                (self.within, self.depth) = (Within::Between, 0);
                if self.at >= PIECE_BYTES {
                    return Some(self.at);
                }
            }
            self.within = self.step(*byte);
            if self.depth > DEPTH_MAX {
                return None;
            }
            self.at = self.at.saturating_add(1);
        }
        None
    }

    fn step(&mut self, byte: u8) -> Within {
        match (self.within, byte) {
            (Within::Between | Within::Dot, _) => self.between(byte),
            (Within::Escape, _) | (Within::Iri, b'>' | b'\n') | (Within::Comment, b'\n') => Within::Between,
            (Within::Opening(quote, 1), _) if byte == quote => Within::Opening(quote, 2),
            (Within::Opening(quote, 2), _) if byte == quote => Within::Long(quote, 0),
            // An empty string.
            (Within::Opening(_, 2), _) => self.between(byte),
            (Within::Opening(quote, _) | Within::Short(quote), _) => match byte {
                b'\\' => Within::ShortEscape(quote),
                b'\n' => Within::Between,
                _ if byte == quote => Within::Between,
                _ => Within::Short(quote),
            },
            (Within::Long(quote, _), b'\\') => Within::LongEscape(quote),
            (Within::Long(quote, 2), _) if byte == quote => Within::Between,
            (Within::Long(quote, count), _) if byte == quote => Within::Long(quote, count.saturating_add(1)),
            (Within::Long(quote, _) | Within::LongEscape(quote), _) => Within::Long(quote, 0),
            (Within::ShortEscape(quote), _) => Within::Short(quote),
            (within @ (Within::Iri | Within::Comment), _) => within,
        }
    }

    fn between(&mut self, byte: u8) -> Within {
        match byte {
            b'.' => return Within::Dot,
            b'\\' => return Within::Escape,
            b'<' => return Within::Iri,
            b'#' => return Within::Comment,
            b'"' | b'\'' => return Within::Opening(byte, 1),
            b'[' | b'(' => self.depth = self.depth.saturating_add(1),
            b']' | b')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Within::Between
    }
}
