//! The decoder of `aws-chunked` bodies, without I/O: bytes in, data out, an error as soon as
//! something does not verify.
//!
//! ```text
//! <size in hex>[;chunk-signature=<64 hex>]\r\n <data> \r\n      … repeated
//! 0[;chunk-signature=<64 hex>]\r\n
//! [<name>:<value>\n …] [x-amz-trailer-signature:<64 hex>\r\n] \r\n
//! ```
//!
//! Invariants: nothing is buffered but one line of at most [`LINE_BYTES_MAX`]; data passes on
//! while it is hashed, except that the piece that ends a chunk is passed on only if the chunk
//! verifies; [`Decoder::finish`] succeeds only after everything that the request announced.

use bytes::{Buf, Bytes};
use craton_base::{Error, Result};
use craton_crypto::hash::{Sha256, sha256};
use http::HeaderName;

use super::{
    chain::{Chain, parse_signature, same},
    payload::{Mode, Payload, TRAILERS_MAX},
    refuse,
};

/// The longest header line of a chunk, and the longest line of a trailer, in bytes.
pub const LINE_BYTES_MAX: usize = 4096;

/// Signed chunks, the last with data excepted, have at least this many bytes, as with AWS: each
/// costs a signature.
pub const SIGNED_CHUNK_BYTES_MIN: u64 = 8192;

/// A trailer: its lower-case name and its value.
pub type Trailer = (HeaderName, String);

#[derive(Debug)]
enum State {
    /// Before or in the header line of a chunk.
    Header,
    /// In the data of a chunk, with this many bytes of it to come.
    Data(u64),
    /// Before the line end after the data.
    DataEnd(&'static [u8]),
    /// In the lines after the last chunk.
    Trailer,
    /// After everything; only these bytes may follow, all or none.
    Tail { left: &'static [u8], optional: bool },
}

/// Takes a chunked body apart.
pub(super) struct Decoder {
    state: State,
    line: Vec<u8>,
    chain: Option<Chain>,
    trailer_mode: bool,
    chunk_hash: Option<Sha256>,
    chunk_signature: [u8; 32],
    chunk_small: bool,
    /// Bytes of data that are still to come.
    left: u64,
    declared: Vec<HeaderName>,
    trailers: Vec<Trailer>,
    trailer_blank: bool,
}

impl Decoder {
    /// A decoder for what `payload` announces.
    pub(super) fn new(payload: Payload) -> Self {
        Self {
            state: State::Header,
            line: Vec::new(),
            trailer_mode: matches!(payload.mode, Mode::Chunked { trailer: true, .. }),
            chain: payload.chain,
            chunk_hash: None,
            chunk_signature: [0; 32],
            chunk_small: false,
            left: payload.decoded_len,
            declared: payload.trailers,
            trailers: Vec::new(),
            trailer_blank: false,
        }
    }

    /// Takes from `input` up to the next piece of data. `None`: `input` is used up.
    ///
    /// # Errors
    /// The body is not well formed, or does not verify. The decoder is of no use then.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>> {
        while !input.is_empty() {
            match self.state {
                State::Header => {
                    if let Some(line) = self.line(input)? {
                        self.chunk_header(&line)?;
                    }
                }
                State::Data(left) => return self.data(input, left).map(Some),
                State::DataEnd(expected) => {
                    let rest = literal(input, expected, || {
                        invalid_chunk("a chunk's data must end with CR LF")
                    })?;
                    self.state = if rest.is_empty() {
                        State::Header
                    } else {
                        State::DataEnd(rest)
                    };
                }
                State::Trailer => {
                    if let Some(line) = self.line(input)? {
                        self.trailer_line(&line)?;
                    }
                }
                State::Tail { left, .. } => {
                    let left = literal(input, left, || {
                        refuse::incomplete("there are bytes after the last chunk")
                    })?;
                    self.state = State::Tail {
                        left,
                        optional: false,
                    };
                }
            }
        }
        Ok(None)
    }

    /// The body has ended. The trailers, if it is complete.
    ///
    /// # Errors
    /// `IncompleteBody` if something is missing.
    pub(super) fn finish(self) -> Result<Vec<Trailer>> {
        match self.state {
            State::Tail { left: [], .. } | State::Tail { optional: true, .. } => Ok(self.trailers),
            _ => Err(refuse::incomplete(
                "the body ended before its last chunk was complete",
            )),
        }
    }

    /// Collects a line; `None` if it is not complete yet. Without its line feed.
    fn line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>> {
        let end = memchr::memchr(b'\n', input);
        let part = input.split_to(end.unwrap_or(input.len()));
        if self.line.len() + part.len() > LINE_BYTES_MAX {
            return Err(invalid_chunk(
                "a line of the chunked body is longer than 4096 bytes",
            ));
        }
        self.line.extend_from_slice(&part);
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        Ok(Some(std::mem::take(&mut self.line)))
    }

    fn chunk_header(&mut self, line: &[u8]) -> Result<()> {
        let (size, signature) = parse_header(line, self.chain.is_some())?;
        if size > self.left {
            return Err(refuse::incomplete(
                "the chunks hold more than x-amz-decoded-content-length says",
            ));
        }
        if size > 0 && self.chunk_small && self.chain.is_some() {
            let message = "only the last signed chunk may have less than 8192 bytes";
            return Err(refuse::denied("InvalidChunkSizeError", message));
        }
        self.chunk_small = size < SIGNED_CHUNK_BYTES_MIN;
        self.chunk_signature = signature;
        self.left -= size;
        if size > 0 {
            self.chunk_hash = self.chain.is_some().then(Sha256::new);
            self.state = State::Data(size);
            return Ok(());
        }
        self.last_chunk()
    }

    /// The empty chunk that ends the data.
    fn last_chunk(&mut self) -> Result<()> {
        if self.left > 0 {
            return Err(refuse::incomplete(
                "the chunks hold less than x-amz-decoded-content-length says",
            ));
        }
        self.verify_chunk(sha256(b""))?;
        self.state = if self.trailer_mode {
            State::Trailer
        } else {
            State::Tail {
                left: b"\r\n",
                optional: false,
            }
        };
        Ok(())
    }

    fn verify_chunk(&mut self, data_sha256: [u8; 32]) -> Result<()> {
        if let Some(chain) = &mut self.chain
            && !same(&chain.chunk(data_sha256), &self.chunk_signature)
        {
            return Err(refuse::mismatch());
        }
        Ok(())
    }

    fn data(&mut self, input: &mut Bytes, left: u64) -> Result<Bytes> {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(take);
        if let Some(hash) = &mut self.chunk_hash {
            hash.update(&data);
        }
        let left = left - take as u64;
        self.state = State::Data(left);
        if left == 0 {
            if let Some(hash) = self.chunk_hash.take() {
                self.verify_chunk(hash.finish())?;
            }
            self.state = State::DataEnd(b"\r\n");
        }
        Ok(data)
    }

    /// Lines end with LF or CR LF: minio-go ends a trailer with LF and puts an empty line after it.
    fn trailer_line(&mut self, line: &[u8]) -> Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.trailer_empty_line();
        }
        if self.trailer_blank && !line.starts_with(b"x-amz-trailer-signature") {
            return Err(refuse::bad_trailer("there is a trailer after the empty line"));
        }
        let text = std::str::from_utf8(line)
            .ok()
            .filter(|t| t.bytes().all(|b| matches!(b, 0x20..=0x7e)));
        let (name, value) = text
            .and_then(|t| t.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| refuse::bad_trailer("a trailer must be <name>:<value>"))?;
        if name == "x-amz-trailer-signature" {
            return self.trailer_signature(value);
        }
        let name = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|n| self.declared.contains(n) && !self.trailers.iter().any(|(t, _)| t == n))
            .ok_or_else(|| {
                refuse::bad_trailer("a trailer is not announced in x-amz-trailer, or occurs twice")
            })?;
        if self.trailers.len() == TRAILERS_MAX {
            return Err(refuse::bad_trailer("there are too many trailers"));
        }
        self.trailers.push((name, value.to_owned()));
        Ok(())
    }

    fn trailer_empty_line(&mut self) -> Result<()> {
        if self.chain.is_none() {
            // minio-go sends one more line end here.
            return self.end(b"\r\n", true);
        }
        if std::mem::replace(&mut self.trailer_blank, true) {
            return Err(refuse::bad_trailer("the trailer is not signed"));
        }
        Ok(())
    }

    fn trailer_signature(&mut self, value: &str) -> Result<()> {
        let chain = self
            .chain
            .as_mut()
            .ok_or_else(|| refuse::bad_trailer("this trailer must not be signed"))?;
        let mut text = String::new();
        for (name, value) in &self.trailers {
            text.extend([name.as_str(), ":", value, "\n"]);
        }
        let expected = chain.trailer(sha256(text.as_bytes()));
        let signature = parse_signature(value);
        if !signature.is_some_and(|s| same(&expected, &s)) {
            return Err(refuse::mismatch());
        }
        self.end(b"\r\n", false)
    }

    fn end(&mut self, left: &'static [u8], optional: bool) -> Result<()> {
        if self.trailers.len() != self.declared.len() {
            return Err(refuse::bad_trailer(
                "a trailer that x-amz-trailer announces is missing",
            ));
        }
        self.state = State::Tail { left, optional };
        Ok(())
    }
}

/// Takes the bytes of `expected` that are at hand; what is left of it.
fn literal(input: &mut Bytes, expected: &'static [u8], bad: impl Fn() -> Error) -> Result<&'static [u8]> {
    let mut left = expected;
    while let Some(first) = input.first() {
        let Some((want, rest)) = left.split_first() else {
            break;
        };
        if first != want {
            return Err(bad());
        }
        input.advance(1);
        left = rest;
    }
    // Bytes beyond the end are the caller's next state's, or wrong if this was the last one.
    if expected.is_empty() && !input.is_empty() {
        return Err(bad());
    }
    Ok(left)
}

fn parse_header(line: &[u8], signed: bool) -> Result<(u64, [u8; 32])> {
    let bad = || invalid_chunk("a chunk must begin with its size in hex and, if signed, its signature");
    let line = line
        .strip_suffix(b"\r")
        .and_then(|l| std::str::from_utf8(l).ok())
        .ok_or_else(bad)?;
    let (size, signature) = if signed {
        let (size, text) = line.split_once(";chunk-signature=").ok_or_else(bad)?;
        (size, parse_signature(text).ok_or_else(refuse::mismatch)?)
    } else {
        (line, [0; 32])
    };
    let digits = (1..=16).contains(&size.len()) && size.bytes().all(|b| b.is_ascii_hexdigit());
    let size = digits
        .then(|| u64::from_str_radix(size, 16).ok())
        .flatten()
        .ok_or_else(bad)?;
    Ok((size, signature))
}

fn invalid_chunk(message: &'static str) -> Error {
    refuse::invalid("InvalidRequest", message)
}

#[cfg(test)]
mod tests;
