//! Reading a segment: frame after frame through one bounded buffer, and the judgement on a bad one.

use std::sync::Arc;

use craton_base::{Error, Result};

use super::{
    Position, RECORD_BYTES_MAX, frame,
    frame::{FRAME_HEADER, Frame, SEGMENT_HEADER, What},
};
use crate::disk::{Disk, File};

/// How much is read at once, in bytes; also holds the largest frame.
const READ_BYTES: usize = RECORD_BYTES_MAX + FRAME_HEADER;

pub(super) const FOLDER: &str = "journal";

/// A segment's path; its name is its first position.
pub(super) fn path(first: Position) -> String {
    format!("{FOLDER}/{:016x}.log", first.0)
}

/// The first position of the segment with this file name, if it is one.
pub(super) fn parse_name(name: &str) -> Option<Position> {
    let digits = name.strip_suffix(".log")?;
    let canonical = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    canonical.then(|| u64::from_str_radix(digits, 16).ok().map(Position))?
}

pub(super) fn corrupt(first: Position, offset: u64, what: &str) -> Error {
    Error::corrupt(format!(
        "journal segment {:016x} at byte {offset}: {what}",
        first.0
    ))
}

/// Makes a segment, durable with its name and header before anything is appended to it.
pub(super) fn create(disk: &dyn Disk, first: Position) -> Result<Arc<dyn File>> {
    let file = disk.create(&path(first))?;
    file.write_at(0, &frame::segment_header(first))?;
    file.sync()?;
    disk.sync_dir(FOLDER)?;
    Ok(file)
}

/// Writes once more what no frame says to be durable, up to `end`.
///
/// After a flush that failed, the kernel may show bytes as written that never reached the disk, and take the
/// next flush for done. If the process was started again since and the machine was not, they look whole
/// here; only writing them makes the next flush flush them.
pub(super) fn write_again(file: &Arc<dyn File>, first: Position, durable: Position, end: u64) -> Result<()> {
    let mut from = 0;
    if durable > first {
        let mut scan = Scan::open(Arc::clone(file), first, end)?;
        while scan.next_position() < durable && matches!(scan.step()?, Found::Frame(..)) {}
        from = scan.place();
    }
    let mut buffer = Vec::new();
    while from < end {
        let left = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        buffer.resize(left.min(READ_BYTES), 0);
        file.read_at(from, &mut buffer)?;
        file.write_at(from, &buffer)?;
        from = from.saturating_add(buffer.len() as u64);
    }
    Ok(())
}

/// A segment that is read from its start.
pub(super) struct Scan {
    file: Arc<dyn File>,
    first: Position,
    /// Where the file ends, for this scan.
    end: u64,
    /// Where `buffer` lies in the file.
    offset: u64,
    buffer: Vec<u8>,
    /// How much of `buffer` has been read already.
    at: usize,
    /// What the next record's position must be.
    next: Position,
    /// The most that any frame said was durable.
    durable: Position,
}

/// What a scan found at one place.
pub(super) enum Found<'a> {
    /// A good frame.
    Frame(Frame, &'a [u8]),
    /// The end of the segment.
    End,
    /// Something that is not a frame.
    Bad,
}

impl Scan {
    /// A scan up to `end`. The header must be there and hold.
    pub(super) fn open(file: Arc<dyn File>, first: Position, end: u64) -> Result<Self> {
        let mut header = [0; SEGMENT_HEADER];
        if end < SEGMENT_HEADER as u64 {
            return Err(corrupt(first, 0, "the header is cut short"));
        }
        file.read_at(0, &mut header)?;
        if header != frame::segment_header(first) {
            return Err(corrupt(first, 0, "the header does not verify"));
        }
        Ok(Self {
            file,
            first,
            end,
            offset: SEGMENT_HEADER as u64,
            buffer: Vec::new(),
            at: 0,
            next: first,
            durable: first,
        })
    }

    /// The file offset of the next frame.
    pub(super) fn place(&self) -> u64 {
        self.offset.saturating_add(self.at as u64)
    }

    /// The position of the next record.
    pub(super) fn next_position(&self) -> Position {
        self.next
    }

    /// The most that any frame so far said was durable.
    pub(super) fn durable(&self) -> Position {
        self.durable
    }

    /// Makes at least `need` bytes available at the front, or as many as there are.
    fn fill(&mut self, need: usize) -> Result<()> {
        if self.buffer.len().saturating_sub(self.at) >= need {
            return Ok(());
        }
        self.buffer.drain(..self.at.min(self.buffer.len()));
        self.offset = self.offset.saturating_add(self.at as u64);
        self.at = 0;
        let have = self.buffer.len();
        let left = self.end.saturating_sub(self.offset.saturating_add(have as u64));
        let more = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(READ_BYTES.saturating_sub(have));
        self.buffer.resize(have.saturating_add(more), 0);
        let (_, fresh) = self.buffer.split_at_mut_checked(have).unwrap_or_default();
        self.file.read_at(self.offset.saturating_add(have as u64), fresh)
    }

    fn front(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// The next frame, and past it.
    pub(super) fn step(&mut self) -> Result<Found<'_>> {
        self.fill(FRAME_HEADER)?;
        if self.front().is_empty() {
            return Ok(Found::End);
        }
        let Some(size) = frame::claimed_size(self.front()) else {
            return Ok(Found::Bad);
        };
        self.fill(size)?;
        let Some((frame, _)) = frame::decode(self.front()) else {
            return Ok(Found::Bad);
        };
        if frame.position != self.next || frame.durable > frame.position {
            return Ok(Found::Bad);
        }
        if frame.what == What::Record {
            self.next = self.next.plus(1);
        }
        self.durable = self.durable.max(frame.durable);
        let from = self.at;
        self.at = self.at.saturating_add(size);
        let record = self
            .buffer
            .get(from.saturating_add(FRAME_HEADER)..self.at)
            .unwrap_or_default();
        Ok(Found::Frame(frame, record))
    }

    /// After a bad frame: whether a later frame shows that this place had been durable, so that it
    /// was damaged and not just torn by a power cut. A cut may leave later unflushed frames whole, so a later
    /// frame alone says nothing; but one that was written when this position was durable already does.
    pub(super) fn was_durable(&mut self) -> Result<bool> {
        let torn = self.next;
        if self.durable > torn {
            return Ok(true);
        }
        loop {
            self.fill(FRAME_HEADER)?;
            if self.front().len() < FRAME_HEADER {
                return Ok(false);
            }
            // The claims are looked at first: a checksum of up to 1 MiB at every byte would take minutes.
            let claims = frame::claimed_places(self.front())
                .filter(|(position, durable)| *durable > torn && durable <= position)
                .and_then(|_| frame::claimed_size(self.front()));
            if let Some(size) = claims {
                self.fill(size)?;
                if frame::decode(self.front()).is_some() {
                    return Ok(true);
                }
            }
            self.at = self.at.saturating_add(1);
        }
    }

    /// The error that names the segment and the next frame's place.
    pub(super) fn corrupt(&self, what: &str) -> Error {
        corrupt(self.first, self.place(), what)
    }
}
