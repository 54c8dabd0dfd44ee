//! Rows as text of facts, written piece by piece.

use craton_base::{Error, Result};
use craton_graph::read;

use crate::Out;

/// A piece is handed on when it has so many bytes.
const PIECE_BYTES: usize = 256 << 10;

/// How deep records and lists may nest.
pub(crate) const DEPTH_MAX: usize = 64;

/// Facts under way.
pub(crate) struct Rows<'a, 'o> {
    text: Vec<u8>,
    relation: Vec<u8>,
    out: &'a mut Out<'o>,
    rows: u64,
}

impl<'a, 'o> Rows<'a, 'o> {
    pub(crate) fn new(relation: &str, out: &'a mut Out<'o>) -> Self {
        let mut name = Vec::new();
        read::write_value(relation.as_bytes(), &mut name);
        Self {
            text: Vec::new(),
            relation: name,
            out,
            rows: 0,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.text.push(b'(');
        self.text.extend_from_slice(&self.relation);
    }

    pub(crate) fn end(&mut self) -> Result<()> {
        self.text.extend_from_slice(b")\n");
        self.rows = self.rows.saturating_add(1);
        match self.text.len() >= PIECE_BYTES {
            true => (self.out)(std::mem::take(&mut self.text)),
            false => Ok(()),
        }
    }

    /// A value as it stands: a number.
    pub(crate) fn plain(&mut self, text: &str) {
        self.separate();
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A text: a word as it stands, else in quotes.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.separate();
        read::write_value(text, &mut self.text);
    }

    /// Bytes, in hexadecimal.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.separate();
        self.text.extend_from_slice(b"0x");
        for byte in bytes {
            self.text.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
    }

    pub(crate) fn nothing(&mut self) {
        self.plain("()");
    }

    /// A nested expression begins.
    pub(crate) fn open(&mut self) {
        self.separate();
        self.text.push(b'(');
    }

    pub(crate) fn close(&mut self) {
        self.text.push(b')');
    }

    fn separate(&mut self) {
        if self.text.last() != Some(&b'(') {
            self.text.push(b' ');
        }
    }

    pub(crate) fn finish(mut self) -> Result<u64> {
        if !self.text.is_empty() {
            (self.out)(std::mem::take(&mut self.text))?;
        }
        Ok(self.rows)
    }
}

pub(crate) fn too_deep() -> Error {
    Error::invalid(format!("a value nests deeper than {DEPTH_MAX}"))
}
