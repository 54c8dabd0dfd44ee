//! The journal: records appended to segment files, out of the process when `append` returns,
//! durable when `sync` returns.
//!
//! The byte map and the crash argument are in `docs/formats.md`, section "Journal". Invariants:
//! - JR-1: a record that was durable is replayed, whole and in its place, or opening says `Corrupt`;
//! - JR-2: positions only grow; a position whose record was durable is never given again;
//! - JR-3: what a power cut tore is cut off at opening, and told: never replayed, never an error;
//! - JR-4: after a failed flush nothing is appended any more until the journal is opened again.
//!
//! Deliberately absent: what records mean, when to flush, encryption (callers seal their records).

use std::{fmt, sync::Arc};

use craton_base::{Error, Kind, Result};
use parking_lot::Mutex;

use crate::disk::{Disk, File};

mod frame;
mod segment;

use frame::{SEGMENT_HEADER, What};
use segment::{FOLDER, Found, Scan};

/// The largest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// The most bytes that one `append` may hold.
pub const APPEND_BYTES_MAX: usize = 8 << 20;

/// A segment that has reached this many bytes is closed and a new one begun.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// How much memory the encoding buffer keeps between appends, in bytes.
const BUFFER_BYTES_KEPT: usize = 64 << 10;

/// A record's number, counted from the journal's first record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

impl Position {
    /// Later by `n` records.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The oldest position that can still be replayed.
    pub first: Position,
    /// The next record's position: one more than the last record's.
    pub next: Position,
    /// Whether the journal was closed in order. If not, records from `next` on may have been appended and lost.
    pub closed: bool,
    /// Whether a torn tail was cut off.
    pub torn: bool,
}

/// An append-only file of records. Threads may share it.
pub struct Journal {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    recovered: Recovered,
    tail: Mutex<Tail>,
    /// Held while flushing, so that callers who come meanwhile find it done.
    flushing: Mutex<()>,
}

struct Tail {
    file: Arc<dyn File>,
    /// First positions of all segments, ascending; the last one is `file`.
    segments: Vec<Position>,
    /// Where the next frame goes.
    end: u64,
    next: Position,
    durable: Position,
    buffer: Vec<u8>,
    failed: bool,
}

fn poisoned() -> Error {
    Error::new(
        Kind::Unavailable,
        "JournalFailed",
        "the journal could not be written and takes no more records until the next start",
    )
}

impl Journal {
    /// Opens the journal in the folder `journal`, or begins one.
    ///
    /// # Errors
    /// `Corrupt`, naming segment and offset, if durable records are damaged or missing; the disk's own.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        Self::open_with(disk, SEGMENT_BYTES)
    }

    /// As [`Journal::open`], with segments of about `segment_bytes`; for tests of rotation.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<Self> {
        disk.create_dir(FOLDER)?;
        // Also what a process that was killed had made and not flushed: this one builds on it.
        disk.sync_dir("")?;
        disk.sync_dir(FOLDER)?;
        let segments = segments(&*disk)?;
        let (tail, recovered) = match segments.split_last() {
            None => begin(&*disk)?,
            Some((last, before)) => {
                check_closed(&*disk, before, *last)?;
                recover(&*disk, &segments, *last)?
            }
        };
        Ok(Self {
            disk,
            segment_bytes,
            recovered,
            tail: Mutex::new(tail),
            flushing: Mutex::new(()),
        })
    }

    /// What opening found.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// The position that the next record will have.
    #[must_use]
    pub fn next(&self) -> Position {
        self.tail.lock().next
    }

    /// All records before this position are durable.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.tail.lock().durable
    }

    /// Appends records, one after the other; the position of the first. When it returns, the bytes have left
    /// the process: killing it loses none, a power cut may. One system call, except where a segment is full.
    ///
    /// # Errors
    /// `TooLarge` beyond [`RECORD_BYTES_MAX`] or [`APPEND_BYTES_MAX`]; `Unavailable` after a failed flush; the disk's own, and
    /// then none of the records is in the journal.
    pub fn append(&self, records: &[&[u8]]) -> Result<Position> {
        let bytes: usize = records.iter().map(|r| r.len()).sum();
        if bytes > APPEND_BYTES_MAX {
            return Err(Error::new(
                Kind::TooLarge,
                "JournalAppend",
                format!("{bytes} bytes in one append, the limit is {APPEND_BYTES_MAX}"),
            ));
        }
        let mut tail = self.tail.lock();
        if tail.end >= self.segment_bytes && tail.next > tail.segment() {
            self.rotate(&mut tail)?;
        }
        let first = tail.next;
        tail.buffer.clear();
        let (mut buffer, durable) = (std::mem::take(&mut tail.buffer), tail.durable);
        let mut position = first;
        for record in records {
            frame::encode(&mut buffer, What::Record, position, durable, record)?;
            position = position.plus(1);
        }
        tail.write(&buffer)?;
        tail.next = position;
        if buffer.capacity() <= BUFFER_BYTES_KEPT {
            tail.buffer = buffer;
        }
        Ok(first)
    }

    /// Makes all that was appended before this call durable; the position up to which that is so.
    /// Callers at the same time share flushes.
    ///
    /// # Errors
    /// The disk's own; then the journal takes no more records.
    pub fn sync(&self) -> Result<Position> {
        let wanted = self.tail.lock().next;
        let _one = self.flushing.lock();
        let (file, next) = {
            let tail = self.tail.lock();
            if tail.failed {
                return Err(poisoned());
            }
            if tail.durable >= wanted {
                return Ok(tail.durable);
            }
            (Arc::clone(&tail.file), tail.next)
        };
        // A rotation meanwhile flushes the same file: harmless.
        let flushed = file.sync();
        let mut tail = self.tail.lock();
        if let Err(e) = flushed {
            tail.failed = true;
            return Err(e);
        }
        tail.durable = tail.durable.max(next);
        // The mark only sharpens the judgement at the next opening; the records are durable without it.
        let _ = tail.mark(What::Mark);
        Ok(tail.durable)
    }

    /// Flushes, and writes that nothing is missing.
    ///
    /// # Errors
    /// As [`Journal::sync`].
    pub fn close(&self) -> Result<()> {
        self.sync()?;
        let _one = self.flushing.lock();
        let mut tail = self.tail.lock();
        tail.mark(What::Closed)?;
        // Nothing is appended any more: it would not be known to be missing.
        tail.failed = true;
        tail.file.sync()
    }

    /// Calls `each` for every record from `from` on that was appended before this call, in order.
    /// Memory: one read buffer of about 1 MiB.
    ///
    /// # Errors
    /// `Corrupt`, naming segment and offset; the disk's own; what `each` returns.
    pub fn replay(&self, from: Position, each: &mut dyn FnMut(Position, &[u8]) -> Result<()>) -> Result<()> {
        let (segments, end) = {
            let tail = self.tail.lock();
            (tail.segments.clone(), tail.end)
        };
        for (i, first) in segments.iter().enumerate() {
            let following = segments.get(i.saturating_add(1));
            if following.is_some_and(|f| *f <= from) {
                continue;
            }
            let file = self.disk.open(&segment::path(*first))?;
            let len = if following.is_some() { file.len()? } else { end };
            let mut scan = Scan::open(file, *first, len)?;
            loop {
                match scan.step()? {
                    Found::Frame(f, record) if f.what == What::Record && f.position >= from => {
                        each(f.position, record)?;
                    }
                    Found::Frame(..) => {}
                    Found::End => break,
                    Found::Bad => return Err(scan.corrupt("a record does not verify")),
                }
            }
        }
        Ok(())
    }

    /// Deletes the segments that hold only records before `upto`.
    ///
    /// # Errors
    /// The disk's own.
    pub fn release(&self, upto: Position) -> Result<()> {
        let mut tail = self.tail.lock();
        while let [oldest, following, ..] = *tail.segments.as_slice()
            && following <= upto
        {
            self.disk.remove(&segment::path(oldest))?;
            // One flush for each: a later segment must not vanish before an earlier one.
            self.disk.sync_dir(FOLDER)?;
            tail.segments.remove(0);
        }
        Ok(())
    }

    /// Closes the full segment, durable, and begins the next. Appends wait for it.
    fn rotate(&self, tail: &mut Tail) -> Result<()> {
        if tail.failed {
            return Err(poisoned());
        }
        if let Err(e) = tail.file.sync() {
            tail.failed = true;
            return Err(e);
        }
        tail.durable = tail.next;
        let file = match segment::create(&*self.disk, tail.next) {
            Ok(file) => file,
            Err(e) => {
                // A half-made segment may lie there under the name that the next try needs.
                tail.failed = true;
                return Err(e);
            }
        };
        tail.file = file;
        tail.end = SEGMENT_HEADER as u64;
        let first = tail.next;
        tail.segments.push(first);
        Ok(())
    }
}

impl Tail {
    /// The first position of the segment that is written.
    fn segment(&self) -> Position {
        self.segments.last().copied().unwrap_or_default()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.failed {
            return Err(poisoned());
        }
        if let Err(e) = self.file.write_at(self.end, bytes) {
            // Some of it may be there (the disk is full, say). Without it the journal can go on.
            self.failed = self.file.set_len(self.end).is_err();
            return Err(e);
        }
        self.end = self.end.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Writes how much is durable: what tells damage from a torn tail at the next opening.
    fn mark(&mut self, what: What) -> Result<()> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, what, self.next, self.durable, &[])?;
        self.write(&bytes)
    }
}

/// The first positions of all segments, ascending.
fn segments(disk: &dyn Disk) -> Result<Vec<Position>> {
    let mut out = Vec::new();
    disk.list(FOLDER, &mut |name| {
        out.extend(segment::parse_name(name));
        Ok(())
    })?;
    out.sort_unstable();
    Ok(out)
}

fn begin(disk: &dyn Disk) -> Result<(Tail, Recovered)> {
    let first = Position(0);
    let file = segment::create(disk, first)?;
    let recovered = Recovered {
        first,
        next: first,
        closed: true,
        torn: false,
    };
    Ok((
        tail_of(file, vec![first], SEGMENT_HEADER as u64, first),
        recovered,
    ))
}

fn tail_of(file: Arc<dyn File>, segments: Vec<Position>, end: u64, next: Position) -> Tail {
    Tail {
        file,
        segments,
        end,
        next,
        durable: next,
        buffer: Vec::new(),
        failed: false,
    }
}

/// All segments but the last were flushed before the next was begun: anything bad in them is damage.
fn check_closed(disk: &dyn Disk, before: &[Position], last: Position) -> Result<()> {
    let following = before.iter().skip(1).chain([&last]);
    for (first, following) in before.iter().zip(following) {
        let file = disk.open(&segment::path(*first))?;
        let len = file.len()?;
        let mut scan = Scan::open(file, *first, len)?;
        loop {
            match scan.step()? {
                Found::Frame(..) => {}
                Found::End => break,
                Found::Bad => return Err(scan.corrupt("a record does not verify")),
            }
        }
        if scan.next_position() != *following {
            return Err(scan.corrupt("records are missing at its end"));
        }
    }
    Ok(())
}

/// Reads the last segment, cuts a torn tail off, and makes what is left durable.
fn recover(disk: &dyn Disk, segments: &[Position], last: Position) -> Result<(Tail, Recovered)> {
    let file = disk.open(&segment::path(last))?;
    let len = file.len()?;
    let first = segments.first().copied().unwrap_or(last);
    if len <= SEGMENT_HEADER as u64 && Scan::open(Arc::clone(&file), last, len).is_err() {
        return remake_header(file, segments, first, last);
    }
    let mut scan = Scan::open(Arc::clone(&file), last, len)?;
    let (mut closed, mut torn) = (false, false);
    loop {
        match scan.step()? {
            Found::Frame(frame, _) => closed = frame.what == What::Closed,
            Found::End => break,
            Found::Bad => {
                torn = true;
                break;
            }
        }
    }
    let (end, next) = (scan.place(), scan.next_position());
    if scan.durable() > next || (torn && scan.was_durable()?) {
        return Err(segment::corrupt(last, end, "a durable record does not verify"));
    }
    if torn {
        file.set_len(end)?;
    }
    if !closed {
        segment::write_again(&file, last, scan.durable(), end)?;
    }
    // What was whole but not yet flushed counts as durable from here on. This comes before the mark, which
    // says so and must not reach the disk alone.
    file.sync()?;
    let mut tail = tail_of(file, segments.to_vec(), end, next);
    // The last frame must not say "closed" while the journal is open.
    tail.mark(What::Mark)?;
    tail.file.sync()?;
    let recovered = Recovered {
        first,
        next,
        closed: closed && !torn,
        torn,
    };
    Ok((tail, recovered))
}

/// The power went while the segment was begun: nothing was appended to it yet.
fn remake_header(
    file: Arc<dyn File>,
    segments: &[Position],
    first: Position,
    last: Position,
) -> Result<(Tail, Recovered)> {
    file.write_at(0, &frame::segment_header(last))?;
    file.set_len(SEGMENT_HEADER as u64)?;
    file.sync()?;
    let recovered = Recovered {
        first,
        next: last,
        closed: false,
        torn: true,
    };
    let tail = tail_of(file, segments.to_vec(), SEGMENT_HEADER as u64, last);
    Ok((tail, recovered))
}
