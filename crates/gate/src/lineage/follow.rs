//! From records to rows.
//!
//! What the records say is summed in memory and written when there is enough of it, or when somebody asks. The place after the last record that
//! is in the rows is written with them: whatever was only in memory when the process ended is read from the ledger again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use craton_base::{Clock, Result, Sequence, Timestamp};
use craton_store::namespace::{Batch, Change, Namespace, committer::Committer};
use parking_lot::Mutex;

use super::{
    digests::Fresh,
    rows::{self, EdgeKey, EdgeRow, RunRow, Touch},
    telling,
};
use crate::{
    ledger::{Effect, Followed, Follower, Ledger, Record, RecordId, RecordKind, place},
    tables,
};

/// Edges that are held before they are written.
pub(super) const EDGES_MAX: usize = 1024;

/// Versions that are held before they are written: each may have a row of columns.
const MADE_MAX: usize = 32;

/// How long edges are held, about.
const HELD_MAX: Duration = Duration::from_secs(2);

/// Records that are passed over before it is noted how far one is.
const PASSED_MAX: u64 = 1 << 16;

/// Records that are read again at once.
const AT_ONCE: usize = 2048;

/// What a record says which snapshot of a table is read.
const SNAPSHOT_FACT: &str = "craton:snapshot";

/// What follows the ledger.
pub(crate) struct Lineage {
    pub(super) namespace: Arc<dyn Namespace>,
    pub(super) committer: Arc<Committer>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    pub(super) fresh: Fresh,
    /// Whether somebody is told of runs.
    pub(super) tells: bool,
}

/// What is in memory only.
#[derive(Default)]
struct Held {
    /// The place after the last record that is in here.
    next: u64,
    /// The place after the last record that is in rows.
    written: u64,
    since: Option<Timestamp>,
    edges: HashMap<EdgeKey, EdgeRow>,
    runs: HashMap<(String, String), RunRow>,
    /// Places whose versions are in here.
    places: Vec<u64>,
    /// Records of versions that statements may have said something of, and the versions.
    made: Vec<(RecordId, EdgeKey)>,
}

impl Lineage {
    /// Follows a ledger from where its rows end; of one that has none yet, from now on.
    pub(crate) fn open(
        namespace: Arc<dyn Namespace>,
        committer: Arc<Committer>,
        ledger: Ledger,
        (clock, tells): (Arc<dyn Clock>, Option<bool>),
    ) -> Result<Self> {
        let found = namespace.get(&rows::cursor_key(), Sequence::MAX)?;
        let number = found.and_then(|entry| <[u8; 8]>::try_from(entry.value.as_ref()).ok());
        let next = match number {
            Some(number) => u64::from_be_bytes(number),
            None => {
                let size = ledger.reader().checkpoint()?.1.size;
                committer.commit_blocking(batch(vec![cursor(size)]))?;
                size
            }
        };
        let tells = telling::agreed(&*namespace, &committer, tells)?;
        Ok(Self {
            namespace,
            committer,
            ledger,
            clock,
            held: Mutex::new(Held {
                next,
                written: next,
                ..Held::default()
            }),
            fresh: Fresh::default(),
            tells,
        })
    }

    /// Writes everything into rows that the ledger's tree holds.
    ///
    /// # Errors
    /// The ledger's and the engine's own.
    pub(crate) fn settle(&self) -> Result<()> {
        self.ledger.integrate()?;
        let size = self.ledger.reader().checkpoint()?.1.size;
        let mut held = self.held.lock();
        let done = self
            .catch_up(&mut held, size)
            .and_then(|()| self.write(&mut held));
        done.inspect_err(|_| held.forget())
    }

    /// Writes what is held, and lets nothing be added while the answer lives.
    pub(super) fn still(&self) -> Result<impl Sized + '_> {
        let mut held = self.held.lock();
        if let Err(error) = self.write(&mut held) {
            held.forget();
            return Err(error);
        }
        Ok(held)
    }

    /// Reads from the ledger what is not in here yet.
    fn catch_up(&self, held: &mut Held, end: u64) -> Result<()> {
        while held.next < end {
            let most = usize::try_from(end - held.next).map_or(AT_ONCE, |left| left.min(AT_ONCE));
            let (records, next) = self.ledger.reader().of_runs(held.next, most)?;
            if next == held.next {
                break;
            }
            self.take(held, records, next)?;
        }
        Ok(())
    }

    fn take(&self, held: &mut Held, records: Vec<Followed>, end: u64) -> Result<()> {
        for followed in records {
            held.next = followed.index.saturating_add(1);
            held.add(followed);
            if held.edges.len() >= EDGES_MAX || held.made.len() >= MADE_MAX {
                self.write(held)?;
            }
        }
        held.next = held.next.max(end);
        let now = self.clock.now();
        let is_old = held.since.is_some_and(|since| now.since(since) >= HELD_MAX);
        if held.runs.is_empty() {
            held.since = None;
        } else if held.since.is_none() {
            held.since = Some(now);
        }
        match is_old || held.next.saturating_sub(held.written) >= PASSED_MAX {
            true => self.write(held),
            false => Ok(()),
        }
    }

    /// Writes what is held, and how far that is.
    fn write(&self, held: &mut Held) -> Result<()> {
        if held.next == held.written {
            return Ok(());
        }
        let mut changes = vec![cursor(held.next)];
        changes.extend(held.places.iter().map(|index| Change::Delete(place(*index))));
        for (record, edge) in &held.made {
            changes.extend(self.place_columns(*record, (&edge.resource, edge.version))?);
        }
        for (key, more) in &held.edges {
            let row = key.by_run();
            let mut edge = more.clone();
            match self.namespace.get(&row, Sequence::MAX)? {
                Some(found) => edge.add(&rows::decode(&found.value)?),
                None => changes.push(Change::Put(key.by_version(), bytes::Bytes::new())),
            }
            changes.push(Change::Put(row, rows::encode(&edge)));
        }
        for ((principal, run), more) in &held.runs {
            let row = rows::run_key(principal, run);
            let found = self.namespace.get(&row, Sequence::MAX)?;
            let mut sum: RunRow = found.map_or_else(|| Ok(RunRow::default()), |e| rows::decode(&e.value))?;
            sum.add(more.clone());
            changes.push(Change::Put(row, rows::encode(&sum)));
            changes.extend(self.mark(principal, run));
        }
        self.committer.commit_blocking(batch(changes))?;
        let next = held.next;
        *held = Held {
            next,
            written: next,
            ..Held::default()
        };
        Ok(())
    }
}

impl Follower for Lineage {
    fn follow(&self, from: u64, records: Vec<Followed>, end: u64) {
        let mut held = self.held.lock();
        // Something else entered the tree in between, or what was held is lost.
        let done = self.catch_up(&mut held, from);
        let next = held.next;
        let new = records.into_iter().filter(|followed| followed.index >= next);
        let done = done.and_then(|()| self.take(&mut held, new.collect(), end));
        if let Err(error) = done {
            tracing::error!(%error, "what runs did can not be written down now; it is read from the ledger again");
            held.forget();
        }
    }
}

impl Held {
    /// Lets go of what is only in memory.
    fn forget(&mut self) {
        *self = Self {
            next: self.written,
            written: self.written,
            ..Self::default()
        };
    }

    fn add(
        &mut self,
        Followed {
            index,
            record,
            version,
        }: Followed,
    ) {
        let Some(run) = record.run_name() else { return };
        let touched = touched(&record, version);
        if record.effect() != Effect::Nothing {
            self.places.push(index);
        }
        if record.effect() == Effect::Made && is_of_table(&record) {
            let made = touched.iter().find(|(key, _)| key.touch == Touch::Write);
            self.made.extend(made.map(|(key, _)| (record.id(), *key)));
        }
        for (key, edge) in &touched {
            match self.edges.get_mut(key) {
                Some(known) => known.add(edge),
                None => drop(self.edges.insert(*key, edge.clone())),
            }
        }
        let sum = summed(&record, &touched);
        let name = (record.principal.clone(), run.to_owned());
        self.runs.entry(name).or_default().add(sum);
    }
}

/// What one record adds to its run.
fn summed(record: &Record, touched: &[(EdgeKey, EdgeRow)]) -> RunRow {
    let of = |is: fn(Touch) -> bool| {
        let edges = touched.iter().filter(move |(key, _)| is(key.touch));
        edges.fold((0, 0), |(n, bytes): (u64, u64), (_, edge)| {
            (n.saturating_add(1), bytes.saturating_add(edge.bytes))
        })
    };
    let (reads, bytes_read) = of(|touch| touch == Touch::Read);
    let (writes, bytes_written) = of(|touch| touch != Touch::Read);
    let is_request = matches!(
        record.kind(),
        RecordKind::Decision | RecordKind::Write | RecordKind::Denial
    );
    RunRow {
        begun_micros: record.time_micros,
        last_micros: record.time_micros,
        requests: is_request.into(),
        denied: u64::from(record.kind() == RecordKind::Denial),
        reads,
        writes,
        bytes_read,
        bytes_written,
        session: record.session.clone(),
        purpose: record.purpose.clone(),
        chain: record.chain.clone(),
    }
}

/// Whether a record is about an object, a table or a graph.
fn is_of_data(record: &Record) -> bool {
    let rest = record
        .resource
        .strip_prefix('/')
        .and_then(|rest| rest.strip_prefix(&*record.bucket));
    !record.bucket.is_empty()
        && rest.is_some_and(|rest| rest.starts_with("/objects/") || rest.starts_with("/graphs/"))
}

/// Whether a record is about a table: only of those is known what their columns came from.
fn is_of_table(record: &Record) -> bool {
    record.resource.contains(tables::FOLDER) && record.resource.ends_with("/*")
}

/// What a record is about: of a change to a catalog, the tables that it made or changed.
fn resources(record: &Record) -> &[String] {
    match record.writes.is_empty() || !tables::is_text_of_catalog(&record.resource) {
        true => std::slice::from_ref(&record.resource),
        false => &record.writes,
    }
}

/// The edges that a record is.
fn touched(record: &Record, version: Option<Sequence>) -> Vec<(EdgeKey, EdgeRow)> {
    let mut out = Vec::new();
    let Some(run) = record.run_name().filter(|_| is_of_data(record)) else {
        return out;
    };
    let snapshot = record.facts.iter().find(|fact| fact.key == SNAPSHOT_FACT);
    let snapshot = snapshot.and_then(|fact| fact.value.parse::<i64>().ok());
    let mut edge = |touch, version, bytes| {
        // What is counted of several is counted once.
        let bytes = std::iter::once(bytes).chain(std::iter::repeat(0));
        for (resource, bytes) in resources(record).iter().zip(bytes) {
            let key = EdgeKey {
                run: rows::run_id(&record.principal, run),
                resource: rows::resource_id(resource),
                version,
                touch,
            };
            let row = EdgeRow {
                principal: record.principal.clone(),
                run: run.to_owned(),
                resource: resource.clone(),
                bucket: record.bucket.clone(),
                count: 1,
                bytes,
                first_micros: record.time_micros,
                last_micros: record.time_micros,
                snapshots: snapshot.into_iter().collect(),
            };
            out.push((key, row));
        }
    };
    if record.kind() == RecordKind::Write {
        let version = match record.version {
            0 => version.map_or(0, |version| version.0),
            named => named,
        };
        match record.effect() {
            Effect::Made => edge(Touch::Write, version, record.bytes),
            Effect::Deleted => edge(Touch::Delete, version, 0),
            Effect::Nothing => return out,
        }
        if record.read_version != 0 {
            edge(Touch::Read, record.read_version, 0);
        }
        return out;
    }
    // Of a read that was a decision and an outcome, the outcome knows what was read.
    let is_read = match record.kind() {
        RecordKind::Decision => record.is_ended(),
        RecordKind::Outcome => record.decision().is_some(),
        _ => false,
    };
    let version = if record.version == 0 {
        record.read_version
    } else {
        record.version
    };
    if is_read && version != 0 && (record.result == "ok" || record.bytes > 0) {
        edge(Touch::Read, version, record.bytes);
    }
    out
}

fn cursor(next: u64) -> Change {
    Change::Put(rows::cursor_key(), next.to_be_bytes().to_vec().into())
}

pub(super) fn batch(changes: Vec<Change>) -> Batch {
    Batch {
        preconditions: Vec::new(),
        changes,
    }
}

#[cfg(test)]
mod tests;
