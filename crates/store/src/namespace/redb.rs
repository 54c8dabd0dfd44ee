//! The namespace on redb: one B-tree of rows (`encoding` gives their bytes) and one of two numbers.
//!
//! Invariants (their ids and the crash argument are in `docs/formats.md`)
//! - a group of batches is one redb transaction and one flush; the newest sequence is a row of it;
//! - readers use a snapshot that is replaced only after the flush of a commit returned, so nobody sees what
//!   a power cut could take back, and a failed commit changes nothing for them;
//! - after a failed commit nothing is written to the file again;
//! - every row that is answered matched its checksum, and its value was copied once.
//!
//! Deliberately absent: what values mean, which threads call, how groups are gathered (`committer`).

use std::{ops::Bound, sync::Arc};

use ::redb::{Builder, Database, ReadOnlyTable, ReadableDatabase, Table, TableDefinition};
use bytes::Bytes;
use craton_base::{Clock, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use parking_lot::{Mutex, RwLock};

use super::{
    Batch, Change, Committed, Direction, Entry, Flow, Key, Namespace, Page, Precondition, Span, Version,
    View, Visitor,
    change::{self, Changes},
    encoding::{self, Row, Says},
    rules,
};
use crate::disk::File;

mod backend;
mod walk;

use backend::{Backend, Health, empty_unfinished, flush_again};
use walk::{Walk, newest};

type RowsRead = ReadOnlyTable<&'static [u8], &'static [u8]>;
type RowsWrite<'t> = Table<'t, &'static [u8], &'static [u8]>;

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

const FORMAT: &str = "format";
const SEQUENCE: &str = "sequence";
const TIME: &str = "time";

/// The format that this code writes.
const FORMAT_VERSION: u64 = 2;

/// The one before, which had no rows of [`super::Kind::Detail`]: it is read, and counts as the newer one from then on.
const FORMAT_WITHOUT_DETAILS: u64 = 1;

/// From this length of the file on, a commit also records which pages are free, so that opening after a crash
/// need not read the whole file (1.5 to 2 s a GiB). It costs a second flush, and 64 KiB a GiB a commit.
const QUICK_OPEN_FROM_BYTES: u64 = 1 << 30;

/// The state that reads see: that of the last good commit.
struct Snapshot {
    rows: RowsRead,
    latest: Sequence,
    time: Timestamp,
}

/// A namespace in one file. See the module.
pub struct RedbNamespace {
    // Dropped before the database, which waits for nobody.
    snapshot: RwLock<Arc<Snapshot>>,
    /// Whether a commit has failed; held while one is under way.
    poisoned: Mutex<bool>,
    database: Database,
    file: Arc<dyn File>,
    quick_open_from: u64,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl RedbNamespace {
    /// Opens the namespace in `file`, or makes one if the file is empty, and takes the file's lock. After a
    /// crash this repairs. `cache_bytes` bounds redb's page cache, half of which a commit may use.
    ///
    /// # Errors
    /// `Busy` if another process has it open, `Corrupt`, `Invalid` if its format is another one, the disk's own.
    pub fn open(file: Arc<dyn File>, cache_bytes: usize, clock: Arc<dyn Clock>) -> Result<Self> {
        if !file.try_lock()? {
            let message = "another process has this store open";
            return Err(Error::new(ErrorKind::Busy, "StoreInUse", message));
        }
        empty_unfinished(file.as_ref())?;
        flush_again(file.as_ref())?;
        let health = Arc::new(Health::default());
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend::new(file.clone(), health.clone()))
            .map_err(engine)?;
        prepare(&database)?;
        health.check()?;
        let snapshot = Arc::new(Snapshot::take(&database)?);
        snapshot.check()?;
        Ok(Self {
            snapshot: RwLock::new(snapshot),
            poisoned: Mutex::new(false),
            database,
            file,
            quick_open_from: QUICK_OPEN_FROM_BYTES,
            health,
            clock,
        })
    }

    /// Sets the length of the file, in bytes, from which on commits pay a second flush so that opening after
    /// a crash does not read the whole file. 1 GiB if not set.
    #[must_use]
    pub fn with_quick_open_from(mut self, bytes: u64) -> Self {
        self.quick_open_from = bytes;
        self
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().clone()
    }

    /// One transaction and one flush for all batches, then the new snapshot.
    fn apply(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>> {
        let before = self.snapshot();
        let now = self.clock.now().max(before.time);
        let mut transaction = self.database.begin_write().map_err(engine)?;
        transaction.set_quick_repair(self.file.len()? >= self.quick_open_from);
        let mut results = Vec::with_capacity(batches.len());
        let mut latest = before.latest;
        {
            let mut rows = transaction.open_table(ROWS).map_err(engine)?;
            for batch in batches {
                let next = Committed {
                    sequence: Sequence(latest.0.saturating_add(1)),
                    time: now,
                };
                let result = match admit(&rows, batch)? {
                    Ok(()) => write_batch(&mut rows, batch, next).map(|()| next)?,
                    Err(refused) => {
                        results.push(Err(refused));
                        continue;
                    }
                };
                latest = result.sequence;
                results.push(Ok(result));
            }
        }
        if latest == before.latest {
            transaction.abort().map_err(engine)?;
            return Ok(results);
        }
        {
            let mut numbers = transaction.open_table(NUMBERS).map_err(engine)?;
            numbers.insert(SEQUENCE, latest.0).map_err(engine)?;
            numbers.insert(TIME, now.micros()).map_err(engine)?;
        }
        transaction.commit().map_err(engine)?;
        self.health.check()?;
        *self.snapshot.write() = Arc::new(Snapshot::take(&self.database)?);
        Ok(results)
    }
}

impl Namespace for RedbNamespace {
    fn latest(&self) -> Sequence {
        self.snapshot.read().latest
    }

    fn get(&self, key: &Key, at: Sequence) -> Result<Option<Entry>> {
        let snapshot = self.snapshot();
        let found = newest(&snapshot.rows, key, at)?;
        found.map_or(Ok(None), |raw| raw.open().map(entry))
    }

    fn scan(&self, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Result<Page> {
        let snapshot = self.snapshot();
        let mut walk = Walk::new(&snapshot.rows, span, at, direction)?;
        let mut room = rules::Room::new(limit);
        let mut page = Page::default();
        while let Some(raw) = walk.next_existing()? {
            let row = raw.open()?;
            if !room.take(row.says.bytes().len()) {
                page.more = true;
                break;
            }
            if let Some(entry) = entry(row) {
                page.entries.push((raw.key()?, entry));
            }
        }
        Ok(page)
    }

    fn history(&self, span: &Span, after: Option<(&[u8], Sequence)>, limit: usize) -> Result<Vec<Version>> {
        let mut room = rules::Room::new(limit);
        let mut versions = Vec::new();
        self.visit(span, View::Versions(after), &mut |seen| {
            if !room.take(seen.says.bytes().len()) {
                return Ok(Flow::Stop);
            }
            versions.push(seen.to_version(span));
            Ok(Flow::Next)
        })?;
        Ok(versions)
    }

    fn visit(&self, span: &Span, view: View<'_>, visitor: &mut Visitor<'_>) -> Result<()> {
        let snapshot = self.snapshot();
        let after = match view {
            View::At(at) => {
                let mut walk = Walk::new(&snapshot.rows, span, at, Direction::Forward)?;
                return walk.visit(span, visitor);
            }
            View::Versions(after) => after,
        };
        let (start, end) = encoding::range(span);
        let after = after.map(|(name, sequence)| after_version(span, name, sequence));
        let from = match &after {
            Some(after) if *after >= start => Bound::Excluded(after.as_slice()),
            _ => Bound::Included(start.as_slice()),
        };
        walk::visit_versions(&snapshot.rows, span, from, &end, visitor)
    }

    fn commit(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>> {
        let mut poisoned = self.poisoned.lock();
        if *poisoned {
            return Err(rules::poisoned());
        }
        // Set first, so that a panic in the engine leaves it set.
        *poisoned = true;
        let result = self.apply(batches);
        *poisoned = result.is_err();
        result
    }
}

impl Snapshot {
    fn take(database: &Database) -> Result<Self> {
        let transaction = database.begin_read().map_err(engine)?;
        let numbers = transaction.open_table(NUMBERS).map_err(engine)?;
        let number =
            |name| -> Result<u64> { Ok(numbers.get(name).map_err(engine)?.map_or(0, |n| n.value())) };
        Ok(Self {
            rows: transaction.open_table(ROWS).map_err(engine)?,
            latest: Sequence(number(SEQUENCE)?),
            time: Timestamp(number(TIME)?),
        })
    }

    /// NS-4: no entry of the change feed is later than the newest sequence.
    fn check(&self) -> Result<()> {
        let first = change::key(Sequence(0));
        let feed = Span {
            bucket: first.bucket,
            branch: first.branch,
            kind: first.kind,
            start: Bytes::new(),
            end: None,
        };
        let newest = Walk::new(&self.rows, &feed, Sequence::MAX, Direction::Backward)?.next_existing()?;
        match newest {
            Some(raw) if change::sequence_of(&raw.key()?)? > self.latest => Err(Error::corrupt(
                "the namespace's change feed is ahead of its newest commit",
            )),
            _ => Ok(()),
        }
    }
}

/// Makes the tables of a new file; checks the format of one that has them.
fn prepare(database: &Database) -> Result<()> {
    let transaction = database.begin_read().map_err(engine)?;
    let format = match transaction.open_table(NUMBERS) {
        Ok(numbers) => numbers.get(FORMAT).map_err(engine)?.map(|n| n.value()),
        Err(::redb::TableError::TableDoesNotExist(_)) => None,
        Err(e) => return Err(engine(e)),
    };
    match format {
        Some(FORMAT_VERSION) => return Ok(()),
        Some(FORMAT_WITHOUT_DETAILS) => {}
        Some(other) => {
            let message = format!("the namespace has format {other}; this program reads {FORMAT_VERSION}");
            return Err(Error::new(ErrorKind::Invalid, "FormatVersion", message));
        }
        None => {}
    }
    let transaction = database.begin_write().map_err(engine)?;
    transaction.open_table(ROWS).map_err(engine)?;
    let mut numbers = transaction.open_table(NUMBERS).map_err(engine)?;
    numbers.insert(FORMAT, FORMAT_VERSION).map_err(engine)?;
    drop(numbers);
    transaction.commit().map_err(engine)
}

/// Whether a batch may be applied: its limits and its preconditions, against what this transaction has so far.
fn admit(rows: &RowsWrite<'_>, batch: &Batch) -> Result<Result<()>> {
    if let Err(refused) = rules::check(batch) {
        return Ok(Err(refused));
    }
    for (i, precondition) in batch.preconditions.iter().enumerate() {
        if !holds(rows, precondition)? {
            return Ok(Err(rules::unmet(i, precondition)));
        }
    }
    for change in &batch.changes {
        if let Change::Amend(key, version, _) = change
            && revision(rows, key, *version)?.is_none()
        {
            return Ok(Err(rules::nothing_to_amend()));
        }
    }
    Ok(Ok(()))
}

fn holds(rows: &RowsWrite<'_>, precondition: &Precondition) -> Result<bool> {
    // The newest version: when it was made, and whether it is a value.
    let newest = |key| match newest(rows, key, Sequence::MAX)? {
        Some(raw) => raw
            .open()
            .map(|row| Some((row.sequence, row.says.value().is_some()))),
        None => Ok(None),
    };
    Ok(match precondition {
        Precondition::Absent(key) => !matches!(newest(key)?, Some((_, true))),
        Precondition::Present(key) => matches!(newest(key)?, Some((_, true))),
        Precondition::At(key, at) => newest(key)? == Some((*at, true)),
        Precondition::UnchangedSince(key, since) => newest(key)?.is_none_or(|(made, _)| made <= *since),
        Precondition::Revision(key, version, made) => revision(rows, key, *version)? == Some(*made),
        Precondition::Empty(span) => is_empty(rows, span)?,
    })
}

fn is_empty(rows: &RowsWrite<'_>, span: &Span) -> Result<bool> {
    let mut walk = Walk::new(rows, span, Sequence::MAX, Direction::Forward)?;
    while let Some(raw) = walk.next_any()? {
        if raw.open()?.says != Says::Deleted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The revision of the version that `sequence` made, if it is there and is not a plain deletion.
fn revision(rows: &RowsWrite<'_>, key: &Key, sequence: Sequence) -> Result<Option<Sequence>> {
    let Some(raw) = newest(rows, key, sequence)? else {
        return Ok(None);
    };
    let row = raw.open()?;
    Ok((row.sequence == sequence && row.says != Says::Deleted).then_some(row.revision))
}

fn write_batch(rows: &mut RowsWrite<'_>, batch: &Batch, made: Committed) -> Result<()> {
    for change in &batch.changes {
        match change {
            Change::Put(key, value) => put(rows, key, &Row::new(made.sequence, Says::Value(value)))?,
            Change::Mark(key, note) => put(rows, key, &Row::new(made.sequence, Says::Marked(note)))?,
            Change::Amend(key, version, value) => amend(rows, key, *version, made.sequence, value)?,
            Change::Delete(key) if key.kind.keeps_history() => {
                put(rows, key, &Row::new(made.sequence, Says::Deleted))?;
            }
            Change::Delete(key) => remove(rows, key, Sequence(0))?,
            Change::Erase(key, sequence) => erase(rows, key, *sequence)?,
        }
    }
    if let Some(changes) = Changes::of(&batch.changes, made.time) {
        let row = Row::new(made.sequence, Says::Value(&changes));
        put(rows, &change::key(made.sequence), &row)?;
    }
    Ok(())
}

fn put(rows: &mut RowsWrite<'_>, key: &Key, row: &Row<'_>) -> Result<()> {
    let row_key = encoding::row_key(key, row.sequence);
    let mut place = rows
        .insert_reserve(row_key.as_slice(), row.len(key.kind))
        .map_err(engine)?;
    row.fill(place.as_mut(), &row_key, key.kind)
}

/// Writes another value into the version that `version` made; [`admit`] has seen that it is there.
fn amend(rows: &mut RowsWrite<'_>, key: &Key, version: Sequence, by: Sequence, value: &[u8]) -> Result<()> {
    let marked = match newest(rows, key, version)? {
        Some(raw) => matches!(raw.open()?.says, Says::Marked(_)),
        None => return Err(Error::internal("a version that is to be amended is gone")),
    };
    let says = if marked {
        Says::Marked(value)
    } else {
        Says::Value(value)
    };
    let row = Row {
        sequence: version,
        revision: by,
        says,
    };
    put(rows, key, &row)
}

fn erase(rows: &mut RowsWrite<'_>, key: &Key, sequence: Sequence) -> Result<()> {
    if !key.kind.keeps_history() {
        let made = newest(rows, key, Sequence::MAX)?
            .map_or(Ok(None), |raw| raw.open().map(|row| Some(row.sequence)))?;
        if made != Some(sequence) {
            return Ok(());
        }
    }
    remove(rows, key, sequence)
}

fn remove(rows: &mut RowsWrite<'_>, key: &Key, sequence: Sequence) -> Result<()> {
    let row_key = encoding::row_key(key, sequence);
    rows.remove(row_key.as_slice()).map_err(engine)?;
    Ok(())
}

/// The last row key that is not after version `sequence` of `name`. Kinds without history have one row for
/// a name, whatever made it.
fn after_version(span: &Span, name: &[u8], sequence: Sequence) -> Vec<u8> {
    let version = if span.kind.keeps_history() {
        sequence
    } else {
        Sequence(0)
    };
    encoding::with_version(&encoding::stem_in(span, name), version)
}

fn entry(row: encoding::Row<'_>) -> Option<Entry> {
    row.says.value().map(|value| Entry {
        sequence: row.sequence,
        revision: row.revision,
        value: Bytes::copy_from_slice(value),
    })
}

/// redb's errors by what a caller can do.
fn engine(error: impl Into<::redb::Error>) -> Error {
    use ::redb::Error as E;
    let error = error.into();
    let (kind, reason, message) = match &error {
        E::Corrupted(_) => (
            ErrorKind::Corrupt,
            "Corrupt",
            "the namespace's file does not verify",
        ),
        E::Io(_) | E::PreviousIo => (
            ErrorKind::Unavailable,
            "StoreIo",
            "the namespace's disk does not answer",
        ),
        E::DatabaseClosed => (ErrorKind::Unavailable, "StoreClosed", "the namespace is closed"),
        E::UpgradeRequired(_) => (
            ErrorKind::Invalid,
            "FormatVersion",
            "the namespace's file has an older engine format",
        ),
        _ => (
            ErrorKind::Internal,
            "InternalError",
            "the namespace's engine failed",
        ),
    };
    Error::new(kind, reason, message).with_source(error)
}
