//! Telling others what runs did: which runs are to be told of, and that they were.
//!
//! ```text
//! rows of a run ─▶ S in their commit ─▶ due? ─▶ messages in a queue, T, S gone: one commit
//! ```
//!
//! Invariants
//! - a run that is touched is marked (`S`) in the commit of its rows, if the server tells of runs at all;
//! - the mark goes in the commit that puts the last message about the run into its queue, and only if the run was not touched since: a crash in
//!   between repeats what was to be told, and loses none of it.
//!
//! Deliberately absent: what is told, and to whom.

use std::time::Duration;

use craton_base::{Error, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Change, Kind, Namespace, Precondition, committer::Committer},
    value::Value,
};
use prost::Message;

use super::{
    ask::{RunEdges, RunSummary},
    follow::{Lineage, batch},
    rows::{self, RunRow},
};
use crate::{
    ask::Ask,
    changes::Changes,
    runs::Run,
    tables::{self, TableRow},
    worker::Workers,
};

/// What was told of a run (`T`).
#[derive(Clone, PartialEq, Eq, Message)]
struct ToldRow {
    #[prost(uint64, tag = "1")]
    told_micros: u64,
}

/// How long is waited for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    /// A run that nothing came of for so long is over.
    pub idle: Duration,
    /// Of one that goes on something is told so often.
    pub again: Duration,
}

/// A run that is to be told of.
#[derive(Clone, Debug)]
pub struct Due {
    /// The run, as it stands.
    pub run: RunSummary,
    /// What stands for its name where names are of one form: 16 bytes of a hash.
    pub id: [u8; 16],
    /// Whether nothing was told of it yet.
    pub begins: bool,
    /// Whether it is over.
    pub over: bool,
    /// The commit that marked it.
    marked: Sequence,
}

/// Whether somebody is told of runs: as the server is set, which is kept for who opens the folder without it.
pub(super) fn agreed(namespace: &dyn Namespace, committer: &Committer, set: Option<bool>) -> Result<bool> {
    let key = rows::key(&[b"Q"]);
    let known = namespace.get(&key, Sequence::MAX)?.is_some();
    let tells = set.unwrap_or(known);
    if tells != known {
        let change = match tells {
            true => Change::Put(key, bytes::Bytes::new()),
            false => Change::Delete(key),
        };
        committer.commit_blocking(batch(vec![change]))?;
    }
    Ok(tells)
}

impl Lineage {
    /// The mark of a run whose rows change; nothing where nobody is told.
    pub(super) fn mark(&self, principal: &str, run: &str) -> Option<Change> {
        let id = rows::run_id(principal, run);
        let name = rows::run_key(principal, run).name;
        self.tells.then(|| Change::Put(rows::key(&[b"S", &id]), name))
    }

    /// Runs that are to be told of, at most `limit`.
    fn due(&self, now: Timestamp, pauses: Pauses, limit: usize) -> Result<Vec<Due>> {
        let mut out = Vec::new();
        self.marks(|id, name, marked| {
            let key = rows::key(&[name]);
            let Some(found) = self.namespace.get(&key, Sequence::MAX)? else {
                return Ok(true);
            };
            let row: RunRow = rows::decode(&found.value)?;
            let told = self.namespace.get(&rows::key(&[b"T", &id]), Sequence::MAX)?;
            let told: Option<ToldRow> = told.map(|entry| rows::decode(&entry.value)).transpose()?;
            let over = now.since(Timestamp(row.last_micros)) >= pauses.idle;
            let is_again = |told: &ToldRow| now.since(Timestamp(told.told_micros)) >= pauses.again;
            if over || told.as_ref().is_none_or(is_again) {
                out.push(Due {
                    run: RunSummary::of(name, row)?,
                    id,
                    begins: told.is_none(),
                    over,
                    marked,
                });
            }
            Ok(out.len() < limit)
        })?;
        Ok(out)
    }

    fn marks(&self, mut take: impl FnMut([u8; 16], &[u8], Sequence) -> Result<bool>) -> Result<()> {
        self.each_entry(&[b"S"], |name, entry| {
            let id = name.get(1..).and_then(|id| <[u8; 16]>::try_from(id).ok());
            let id = id.ok_or_else(|| Error::corrupt("the mark of a run has no known form"))?;
            take(id, &entry.value, entry.sequence)
        })
    }
}

impl Workers {
    /// Whether there are runs to be told of. Says nothing else about them.
    ///
    /// # Errors
    /// The ledger's and the store's own.
    pub async fn is_any_run_due(&self, pauses: Pauses) -> Result<bool> {
        let done = self.gate.blocking(move |gate| {
            let lineage = &gate.inner.lineage;
            lineage.settle()?;
            Ok(!lineage.due(gate.inner.clock.now(), pauses, 1)?.is_empty())
        });
        done.await
    }
}

impl Run {
    /// Runs of clients that are to be told of, at most `limit`.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn due(&self, pauses: Pauses, limit: usize) -> Result<Vec<Due>> {
        let ask = Ask::new("ListRuns", "craton:ListRuns", ResourcePath::System("runs".into()));
        let permit = self.read(ask).await?;
        let now = permit.now();
        let done = self
            .gate()
            .blocking(move |gate| gate.inner.lineage.due(now, pauses, limit));
        done.await
    }

    /// A page of what a run of a client touched.
    ///
    /// # Errors
    /// As [`crate::Gate::run_edges`].
    pub async fn edges(&self, of: &RunSummary, after: Option<&str>, limit: usize) -> Result<RunEdges> {
        self.gate().run_edges(&self.session()?, of, after, limit).await
    }

    /// The namespace and the name of a table, if it is there.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn table_called(&self, bucket: &craton_base::BucketName, id: &str) -> Result<Option<TableRow>> {
        let path = tables::table(bucket.clone(), id);
        let ask = Ask::new("GetTable", "s3tables:GetTableMetadataLocation", path).of_columns(Vec::new());
        let permit = self.read(ask).await?;
        let found = permit.entry(Kind::Table, id.as_bytes())?;
        found.map(|stored| TableRow::read(&stored.value.meta)).transpose()
    }

    /// Puts messages about a run into queues, and notes that it was told of.
    ///
    /// # Errors
    /// `Precondition` if it was touched meanwhile; the store's own.
    pub async fn told(&self, due: &Due, messages: Vec<(Vec<u8>, Value)>) -> Result<()> {
        let path = ResourcePath::System("outbox".into());
        let permit = self
            .write(Ask::new("DeliverEvents", "craton:DeliverEvents", path))
            .await?;
        let put =
            |changes: Changes, (name, value): (Vec<u8>, Value)| changes.put(Kind::Delivery, name, value);
        let changes = messages.into_iter().fold(Changes::new(), put);
        let told = ToldRow {
            told_micros: permit.now().micros(),
        };
        let mut plain = vec![Change::Put(rows::key(&[b"T", &due.id]), rows::encode(&told))];
        let mut preconditions = Vec::new();
        if due.over {
            let mark = rows::key(&[b"S", &due.id]);
            preconditions.push(Precondition::At(mark.clone(), due.marked));
            plain.push(Change::Delete(mark));
        }
        permit
            .commit_system_with(changes, plain, preconditions)
            .await
            .map(drop)
    }
}
