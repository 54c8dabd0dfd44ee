//! Facts from a stream, in a buffer that moves along it.

use std::io::Read;

use craton_base::{Error, Kind, Result};

use super::{FACT_TEXT_BYTES_MAX, Parsed, Parser, Step};

const CHUNK_BYTES: usize = 256 << 10;

/// Facts from a stream.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    filled: usize,
    at: usize,
    ended: bool,
    line: u64,
    offset: u64,
    parser: Parser,
}

impl<R: Read> Reader<R> {
    /// Reads `input` from its beginning.
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            filled: 0,
            at: 0,
            ended: false,
            line: 1,
            offset: 0,
            parser: Parser::default(),
        }
    }

    /// The next fact, or nothing at the end. After an error about the text the next call goes on at
    /// the line after it; after any other error there is no next.
    pub fn next_fact(&mut self) -> Result<Option<Parsed<'_>>> {
        loop {
            let text = self.buffer.get(..self.filled).unwrap_or_default();
            match self.parser.fact(text, self.at, self.ended) {
                Ok(Step::Fact(next)) => {
                    self.at = next;
                    break;
                }
                Ok(Step::End) if self.ended => return Ok(None),
                Ok(Step::End) => {
                    self.at = self.filled;
                    self.fill()?;
                }
                Ok(Step::Partial(start)) => {
                    self.at = start;
                    self.fill()?;
                }
                Err(fault) => {
                    let error = fault.locate(text, self.line);
                    self.resume(fault.at)?;
                    return Err(error);
                }
            }
        }
        Ok(Some(
            self.parser
                .parsed(self.buffer.get(..self.filled).unwrap_or_default()),
        ))
    }

    /// How many bytes of the stream lie before the next fact.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// Moves to the line after a fault, reading over what belongs to its line.
    fn resume(&mut self, from: usize) -> Result<()> {
        self.at = from.min(self.filled);
        loop {
            let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', rest) {
                self.at += length + 1;
                return Ok(());
            }
            self.at = self.filled;
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Drops what was read and reads on; the buffer grows only if it holds one unfinished fact.
    fn fill(&mut self) -> Result<()> {
        let consumed = self.buffer.get(..self.at).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', consumed).count() as u64;
        self.offset += self.at as u64;
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.filled > FACT_TEXT_BYTES_MAX {
            self.ended = true;
            // Where it ends is not known: there is nothing to go on with.
            let message = format!("line {}: a fact of more text than the limit", self.line);
            return Err(Error::new(Kind::TooLarge, "FactTooLong", message));
        }
        let room = self.filled.max(CHUNK_BYTES);
        self.buffer.resize(self.filled + room, 0);
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let read = self.input.read(free).map_err(|error| {
            Error::new(Kind::Unavailable, "InputUnavailable", "the input can not be read").with_source(error)
        })?;
        self.ended = read == 0;
        self.filled += read;
        Ok(())
    }
}
