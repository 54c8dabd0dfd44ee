//! Reading a tar archive piece by piece: ustar, with the long names of GNU and pax, as `tar`, Python's
//! `tarfile` and Snowball's clients write it.
//!
//! Invariants
//! - of a header's numbers none makes memory grow: names and pax records have limits, content is handed on in
//!   the pieces that it came in;
//! - an archive that ends early, or a header whose checksum is another, is an error, not an end.
//!
//! Deliberately absent: compression, sparse files, links: what they mean in a bucket is nothing.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes, BytesMut};
use craton_base::Error as BaseError;
use futures::{Stream, StreamExt as _};
use tokio::sync::oneshot;

use crate::{Error, Fault, Result, body::Pieces};

/// The unit of an archive, in bytes.
const BLOCK: usize = 512;

/// The longest extended header, in bytes.
const EXTENDED_BYTES_MAX: u64 = 64 << 10;

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the archive says it.
    pub name: String,
    /// Its size, in bytes.
    pub size: u64,
}

/// An archive that is being read.
pub struct Archive {
    pieces: Pieces,
    buffer: BytesMut,
    /// What is left of the entry before, with its padding.
    skip: u64,
}

/// What extended headers say about the entry after them.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<u64>,
}

fn broken(what: &'static str) -> Error {
    Error::fault(
        Fault::InvalidRequest,
        format!("The archive can not be read: {what}."),
    )
}

impl Archive {
    /// Reads the archive that comes in these pieces.
    #[must_use]
    pub fn new(pieces: Pieces) -> Self {
        Self {
            pieces,
            buffer: BytesMut::new(),
            skip: 0,
        }
    }

    /// The next file; its content follows, by [`Archive::content`]. Folders and links are passed over.
    ///
    /// # Errors
    /// `InvalidRequest` for what is no archive; the stream's own.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.pass(self.skip).await?;
            self.skip = 0;
            let block = self.take(BLOCK).await?;
            if block.iter().all(|b| *b == 0) {
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            let size = extended.size.unwrap_or(header.size);
            match header.kind {
                b'x' => extended.pax(&self.extension(size).await?)?,
                b'L' => extended.name = Some(text(&self.extension(size).await?)?),
                b'g' | b'K' => drop(self.extension(size).await?),
                b'0' | 0 | b'7' => {
                    let name = extended.name.take().unwrap_or(header.name);
                    self.skip = padded(size);
                    return Ok(Some(Entry { name, size }));
                }
                _ => {
                    self.skip = padded(size);
                    extended = Extended::default();
                }
            }
        }
    }

    /// The content of the entry that [`Archive::next`] gave; it gives the archive back when it is dropped.
    #[must_use]
    pub fn content(mut self, entry: &Entry) -> (Pieces, oneshot::Receiver<Self>) {
        let (back, archive) = oneshot::channel();
        self.skip = padded(entry.size);
        let content = Content {
            left: entry.size,
            archive: Some(self),
            back: Some(back),
        };
        (Box::pin(content), archive)
    }

    /// The bytes of an extended header, with its padding passed.
    async fn extension(&mut self, size: u64) -> Result<Bytes> {
        if size > EXTENDED_BYTES_MAX {
            return Err(broken("an extended header is too long"));
        }
        let bytes = self.take(usize::try_from(size).unwrap_or(usize::MAX)).await?;
        self.pass(padded(size).saturating_sub(size)).await?;
        Ok(bytes)
    }

    async fn take(&mut self, count: usize) -> Result<Bytes> {
        while self.buffer.len() < count {
            let piece = self.pieces.next().await.ok_or_else(|| broken("it ends early"))?;
            self.buffer.extend_from_slice(&piece?);
        }
        Ok(self.buffer.split_to(count).freeze())
    }

    async fn pass(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            if self.buffer.is_empty() {
                let piece = self.pieces.next().await.ok_or_else(|| broken("it ends early"))?;
                self.buffer.extend_from_slice(&piece?);
            }
            let now = self
                .buffer
                .len()
                .min(usize::try_from(count).unwrap_or(usize::MAX));
            self.buffer.advance(now);
            count = count.saturating_sub(now as u64);
        }
        Ok(())
    }

    /// A piece of at most `count` bytes.
    fn poll_piece(&mut self, cx: &mut Context<'_>, count: u64) -> Poll<Result<Bytes, BaseError>> {
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        if !self.buffer.is_empty() {
            let now = self.buffer.len().min(most);
            return Poll::Ready(Ok(self.buffer.split_to(now).freeze()));
        }
        match std::task::ready!(self.pieces.poll_next_unpin(cx)) {
            None => Poll::Ready(Err(broken("it ends early").to_base())),
            Some(Err(e)) => Poll::Ready(Err(e)),
            Some(Ok(mut piece)) => {
                let now = piece.split_to(piece.len().min(most));
                self.buffer.extend_from_slice(&piece);
                Poll::Ready(Ok(now))
            }
        }
    }
}

struct Content {
    left: u64,
    archive: Option<Archive>,
    back: Option<oneshot::Sender<Archive>>,
}

impl Stream for Content {
    type Item = Result<Bytes, BaseError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(archive) = this.archive.as_mut().filter(|_| this.left > 0) else {
            return Poll::Ready(None);
        };
        let piece = std::task::ready!(archive.poll_piece(cx, this.left));
        match &piece {
            Ok(bytes) => {
                this.left = this.left.saturating_sub(bytes.len() as u64);
                archive.skip = archive.skip.saturating_sub(bytes.len() as u64);
            }
            Err(_) => this.left = 0,
        }
        Poll::Ready(Some(piece))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let (Some(archive), Some(back)) = (self.archive.take(), self.back.take()) {
            // Nobody waits for it if the reading was given up.
            drop(back.send(archive));
        }
    }
}

/// A header of 512 bytes (POSIX.1-1988, "ustar Interchange Format").
struct Header {
    name: String,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8]) -> Result<Self> {
        let field = |at: usize, len: usize| block.get(at..at.saturating_add(len)).unwrap_or_default();
        let stated = number(field(148, 8))?;
        // The checksum is over the header with its own field as spaces.
        let around = field(0, 148).iter().chain(field(156, BLOCK - 156));
        let sum = around.map(|b| u64::from(*b)).sum::<u64>().saturating_add(8 * 32);
        if sum != stated {
            return Err(broken("a header's checksum is another"));
        }
        let mut name = text(until_nul(field(0, 100)))?;
        let prefix = until_nul(field(345, 155));
        // GNU's old format has other things there.
        if field(257, 8) == b"ustar\x0000" && !prefix.is_empty() {
            name = format!("{}/{name}", text(prefix)?);
        }
        Ok(Self {
            name,
            size: number(field(124, 12))?,
            kind: block.get(156).copied().unwrap_or_default(),
        })
    }
}

impl Extended {
    /// Reads pax records: `length key=value\n`, the length in bytes of all of it.
    fn pax(&mut self, records: &[u8]) -> Result<()> {
        let mut rest = records;
        while !rest.is_empty() {
            let space = rest.iter().position(|b| *b == b' ');
            let length = space
                .and_then(|at| rest.get(..at))
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| digits.parse::<usize>().ok())
                .ok_or_else(|| broken("an extended header does not parse"))?;
            let (record, after) = rest
                .split_at_checked(length)
                .filter(|(record, _)| !record.is_empty())
                .ok_or_else(|| broken("an extended header does not parse"))?;
            let start = space.unwrap_or_default().saturating_add(1);
            let record = record.get(start..).unwrap_or_default();
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(name) = record.strip_prefix(b"path=") {
                self.name = Some(text(name)?);
            } else if let Some(size) = record.strip_prefix(b"size=") {
                let size = text(size)?.parse();
                self.size = Some(size.map_err(|_| broken("an extended header does not parse"))?);
            }
            rest = after;
        }
        Ok(())
    }
}

/// A number: octal digits, or GNU's binary form for what they can not hold.
fn number(field: &[u8]) -> Result<u64> {
    if let Some((first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        let (high, low) = rest.split_at(rest.len().saturating_sub(8));
        if high.iter().any(|b| *b != 0) || first & 0x7f != 0 {
            return Err(broken("a number is too large"));
        }
        return Ok(low.iter().fold(0, |n, b| (n << 8) | u64::from(*b)));
    }
    let digits = text(until_nul(field))?;
    let digits = digits.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| broken("a number is none"))
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

fn text(bytes: &[u8]) -> Result<String> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_| broken("a name is not UTF-8"))
}

/// With what fills the last block.
const fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

#[cfg(test)]
mod tests;
