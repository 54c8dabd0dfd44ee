//! Writing an archive as a stream: tar (ustar, with pax records where a name or size needs them) or zip (stored,
//! zip64). Whoever writes knows each file's size beforehand, and hands its content on piece by piece.
//!
//! Invariants
//! - nothing is held of a file but what a zip's directory, which comes at its end, says of it; that has a limit
//!   ([`DIRECTORY_BYTES_MAX`]);
//! - what a file's content has more or less than its size is an error, not a broken archive.
//!
//! Sources: POSIX.1-2017, `pax`; PKWARE's APPNOTE 6.3.10.
//!
//! Deliberately absent: what is packed, compression.

use bytes::{BufMut as _, Bytes, BytesMut};
use craton_base::{Error as BaseError, Kind, Timestamp};

use crate::Result;

/// The most bytes of a zip's directory, which is in memory to its end: about 150,000 files. A tar has no such limit.
pub const DIRECTORY_BYTES_MAX: usize = 16 << 20;

/// The unit of a tar, in bytes.
const BLOCK: usize = 512;

/// The largest size that a tar's header says by itself: 11 octal digits.
const TAR_SIZE_MAX: u64 = 0o777_7777_7777;

/// The longest name that a tar's header says by itself, in bytes.
const TAR_NAME_BYTES_MAX: usize = 100;

/// Of zip: the version that zip64 needs, and "the names are UTF-8, the checksum follows the content".
const ZIP_VERSION: u16 = 45;
const ZIP_FLAGS: u16 = 0x0808;

/// Which archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A tar.
    Tar,
    /// A zip.
    Zip,
}

/// An archive that is being written.
pub struct Packer {
    form: Form,
    /// Bytes so far.
    offset: u64,
    now: Option<Entry>,
    /// Of a zip: what its directory will say.
    directory: BytesMut,
    entries: u64,
}

/// The file that is being written.
struct Entry {
    name: String,
    size: u64,
    left: u64,
    modified: Timestamp,
    crc: crc_fast::Digest,
    offset: u64,
}

fn limit(what: &'static str) -> crate::Error {
    BaseError::new(Kind::TooLarge, "ArchiveTooLarge", what).into()
}

impl Packer {
    /// An empty archive.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self {
            form,
            offset: 0,
            now: None,
            directory: BytesMut::new(),
            entries: 0,
        }
    }

    /// Begins a file; a name that ends in `/` is a folder's.
    ///
    /// # Errors
    /// `TooLarge` if a zip's directory would be.
    pub fn begin(&mut self, name: &str, size: u64, modified: Timestamp) -> Result<Bytes> {
        if self.directory.len().saturating_add(name.len()) > DIRECTORY_BYTES_MAX {
            return Err(limit("a zip of so many files is too large; take a tar"));
        }
        let head = match self.form {
            Form::Tar => tar_head(name, size, modified),
            Form::Zip => zip_head(name, size, modified),
        };
        self.now = Some(Entry {
            name: name.to_owned(),
            size,
            left: size,
            modified,
            crc: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            offset: self.offset,
        });
        Ok(self.written(head))
    }

    /// Takes note of a piece of the file's content, which comes after what was written before.
    ///
    /// # Errors
    /// `Internal` for more than its size.
    pub fn content(&mut self, piece: &[u8]) -> Result<()> {
        let len = piece.len() as u64;
        let entry = self.now.as_mut().filter(|entry| entry.left >= len);
        let Some(entry) = entry else {
            return Err(BaseError::internal("a file has more bytes than was said").into());
        };
        entry.left = entry.left.saturating_sub(len);
        if self.form == Form::Zip {
            entry.crc.update(piece);
        }
        self.offset = self.offset.saturating_add(len);
        Ok(())
    }

    /// Ends the file: what follows its content.
    ///
    /// # Errors
    /// `Internal` if it has fewer bytes than its size.
    pub fn end(&mut self) -> Result<Bytes> {
        let Some(entry) = self.now.take().filter(|entry| entry.left == 0) else {
            return Err(BaseError::internal("a file has fewer bytes than was said").into());
        };
        self.entries = self.entries.saturating_add(1);
        let tail = match self.form {
            Form::Tar => {
                let over = usize::try_from(entry.size % BLOCK as u64).unwrap_or_default();
                BytesMut::zeroed(if over == 0 { 0 } else { BLOCK.saturating_sub(over) })
            }
            Form::Zip => {
                let crc = u32::try_from(entry.crc.finalize()).unwrap_or_default();
                zip_listed(&mut self.directory, &entry, crc);
                zip_descriptor(crc, entry.size)
            }
        };
        Ok(self.written(tail))
    }

    /// Ends the archive.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        match self.form {
            Form::Tar => BytesMut::zeroed(2 * BLOCK).freeze(),
            Form::Zip => {
                let mut out = std::mem::take(&mut self.directory);
                let len = out.len() as u64;
                zip_end(&mut out, self.entries, len, self.offset);
                out.freeze()
            }
        }
    }

    fn written(&mut self, bytes: BytesMut) -> Bytes {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        bytes.freeze()
    }
}

fn tar_head(name: &str, size: u64, modified: Timestamp) -> BytesMut {
    let mut records = String::new();
    if name.len() > TAR_NAME_BYTES_MAX || !name.is_ascii() {
        pax_record(&mut records, "path", name);
    }
    if size > TAR_SIZE_MAX {
        pax_record(&mut records, "size", &size.to_string());
    }
    let mut out = BytesMut::new();
    if !records.is_empty() {
        out.extend_from_slice(&tar_block("pax", records.len() as u64, modified, b'x'));
        out.extend_from_slice(records.as_bytes());
        out.resize(out.len().div_ceil(BLOCK).saturating_mul(BLOCK), 0);
    }
    let kind = if name.ends_with('/') { b'5' } else { b'0' };
    out.extend_from_slice(&tar_block(name, size, modified, kind));
    out
}

/// `length name=value\n`, where the length counts its own digits.
fn pax_record(out: &mut String, name: &str, value: &str) {
    let rest = name.len().saturating_add(value.len()).saturating_add(3);
    let mut len = rest.saturating_add(1);
    while len.to_string().len().saturating_add(rest) != len {
        len = len.to_string().len().saturating_add(rest);
    }
    out.push_str(&format!("{len} {name}={value}\n"));
}

fn tar_block(name: &str, size: u64, modified: Timestamp, kind: u8) -> BytesMut {
    let mut out = BytesMut::with_capacity(BLOCK);
    let name = name.as_bytes();
    out.extend_from_slice(name.get(..TAR_NAME_BYTES_MAX).unwrap_or(name));
    out.resize(TAR_NAME_BYTES_MAX, 0);
    let mode = if kind == b'5' { "0000755\0" } else { "0000644\0" };
    out.extend_from_slice(mode.as_bytes());
    out.extend_from_slice(b"0000000\x000000000\0");
    // What is larger stands in a pax record.
    let size = if size > TAR_SIZE_MAX { 0 } else { size };
    out.extend_from_slice(format!("{size:011o}\0").as_bytes());
    let seconds = modified.seconds().min(TAR_SIZE_MAX);
    out.extend_from_slice(format!("{seconds:011o}\0").as_bytes());
    let before_sum = out.len();
    // The checksum counts itself as blanks.
    out.extend_from_slice(b"        ");
    out.put_u8(kind);
    out.resize(257, 0);
    out.extend_from_slice(b"ustar\x0000");
    out.resize(BLOCK, 0);
    let sum: u64 = out.iter().map(|b| u64::from(*b)).sum();
    let text = format!("{sum:06o}\0 ");
    if let Some(field) = out.get_mut(before_sum..before_sum.saturating_add(8)) {
        field.copy_from_slice(text.as_bytes());
    }
    out
}

/// The time as MS-DOS had it, in UTC: from 1980 on, in steps of two seconds.
fn dos_time(modified: Timestamp) -> (u16, u16) {
    let at = modified.to_utc();
    let year = u16::try_from(at.year().saturating_sub(1980).clamp(0, 127)).unwrap_or_default();
    let date = (year << 9) | (u16::from(u8::from(at.month())) << 5) | u16::from(at.day());
    let time = (u16::from(at.hour()) << 11) | (u16::from(at.minute()) << 5) | u16::from(at.second() / 2);
    (time, date)
}

fn zip_common(out: &mut BytesMut, modified: Timestamp, crc: u32, name: &str, extra: u16) {
    let (time, date) = dos_time(modified);
    out.put_u16_le(ZIP_VERSION);
    out.put_u16_le(ZIP_FLAGS);
    // Stored.
    out.put_u16_le(0);
    out.put_u16_le(time);
    out.put_u16_le(date);
    out.put_u32_le(crc);
    // Both sizes are in the extra field.
    out.put_u32_le(u32::MAX);
    out.put_u32_le(u32::MAX);
    out.put_u16_le(u16::try_from(name.len()).unwrap_or(u16::MAX));
    out.put_u16_le(extra);
}

fn zip_head(name: &str, size: u64, modified: Timestamp) -> BytesMut {
    let mut out = BytesMut::with_capacity(64 + name.len());
    out.put_u32_le(0x0403_4b50);
    zip_common(&mut out, modified, 0, name, 20);
    out.extend_from_slice(name.as_bytes());
    out.put_u16_le(1);
    out.put_u16_le(16);
    out.put_u64_le(size);
    out.put_u64_le(size);
    out
}

fn zip_descriptor(crc: u32, size: u64) -> BytesMut {
    let mut out = BytesMut::with_capacity(24);
    out.put_u32_le(0x0807_4b50);
    out.put_u32_le(crc);
    out.put_u64_le(size);
    out.put_u64_le(size);
    out
}

fn zip_listed(out: &mut BytesMut, entry: &Entry, crc: u32) {
    out.put_u32_le(0x0201_4b50);
    // Made on Unix, so that the mode counts.
    out.put_u16_le((3 << 8) | ZIP_VERSION);
    zip_common(out, entry.modified, crc, &entry.name, 28);
    // No comment, first disk, no internal attributes.
    out.put_u16_le(0);
    out.put_u16_le(0);
    out.put_u16_le(0);
    let mode: u32 = if entry.name.ends_with('/') {
        0o040_755
    } else {
        0o100_644
    };
    out.put_u32_le(mode << 16);
    // In the extra field.
    out.put_u32_le(u32::MAX);
    out.extend_from_slice(entry.name.as_bytes());
    out.put_u16_le(1);
    out.put_u16_le(24);
    out.put_u64_le(entry.size);
    out.put_u64_le(entry.size);
    out.put_u64_le(entry.offset);
}

fn zip_end(out: &mut BytesMut, entries: u64, len: u64, offset: u64) {
    let end = offset.saturating_add(len);
    out.put_u32_le(0x0606_4b50);
    out.put_u64_le(44);
    out.put_u16_le((3 << 8) | ZIP_VERSION);
    out.put_u16_le(ZIP_VERSION);
    out.put_u32_le(0);
    out.put_u32_le(0);
    out.put_u64_le(entries);
    out.put_u64_le(entries);
    out.put_u64_le(len);
    out.put_u64_le(offset);
    // Where that record is.
    out.put_u32_le(0x0706_4b50);
    out.put_u32_le(0);
    out.put_u64_le(end);
    out.put_u32_le(1);
    // The old end, which points to the new one.
    out.put_u32_le(0x0605_4b50);
    out.put_u16_le(0);
    out.put_u16_le(0);
    out.put_u16_le(u16::MAX);
    out.put_u16_le(u16::MAX);
    out.put_u32_le(u32::MAX);
    out.put_u32_le(u32::MAX);
    out.put_u16_le(0);
}

#[cfg(test)]
mod tests;
