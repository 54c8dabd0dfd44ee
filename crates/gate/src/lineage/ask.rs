//! Asking what runs did, and where a version came from and went to.

use std::collections::HashMap;

use craton_base::{BucketName, Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::namespace;

use super::{
    follow::Lineage,
    rows::{self, EdgeKey, EdgeRow, Id, RunRow, Touch},
    walk::Walk,
};
use crate::{
    ask::Ask,
    gate::{Gate, Verdicts},
    session::Session,
};

/// The most edges of one answer about lineage.
pub const LINEAGE_EDGES_MAX: usize = 10_000;

/// Rows that are read at once.
const AT_ONCE: usize = 1000;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// What it is called.
    pub run: String,
    /// Whose it is.
    pub principal: String,
    /// When its first record was made.
    pub begun: Timestamp,
    /// When its last record was made.
    pub last: Timestamp,
    /// Decisions, writes and denials.
    pub requests: u64,
    /// Denials.
    pub denied: u64,
    /// Reads of versions.
    pub reads: u64,
    /// Versions made and deletions.
    pub writes: u64,
    /// Bytes of content read.
    pub bytes_read: u64,
    /// Bytes of content written.
    pub bytes_written: u64,
    /// Its newest session.
    pub session: String,
    /// What it is for.
    pub purpose: String,
    /// For whom it acts, nearest first.
    pub chain: Vec<String>,
}

/// That a run touched a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Whose run.
    pub principal: String,
    /// What the run is called.
    pub run: String,
    /// How it touched it.
    pub touch: Touch,
    /// What: the path as records have it.
    pub resource: String,
    /// The bucket of it.
    pub bucket: String,
    /// Which version: the sequence of the commit that made it.
    pub version: u64,
    /// How often.
    pub count: u64,
    /// Bytes of content that moved.
    pub bytes: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// Of a table: the snapshots that statements said they read, at most 100.
    pub snapshots: Vec<i64>,
}

/// A page of edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunEdges {
    /// Those that the caller may know.
    pub edges: Vec<Edge>,
    /// How many of the page they may not.
    pub hidden: u64,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

/// Which way one asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// What it was made from.
    Upstream,
    /// What was made from it.
    Downstream,
}

/// A question about lineage.
#[derive(Clone, Debug)]
pub struct LineageAsk {
    /// The path of the resource, as records have it.
    pub resource: String,
    /// The version; `None` is the newest that lineage knows.
    pub version: Option<u64>,
    /// Which way.
    pub direction: Direction,
    /// How many runs away at most; `None` is as many as there are.
    pub depth: Option<u32>,
    /// Only what was touched at or after.
    pub since: Option<Timestamp>,
    /// Only what was touched before.
    pub until: Option<Timestamp>,
    /// At most so many edges; `None`, or more than [`LINEAGE_EDGES_MAX`], is that many.
    pub limit: Option<usize>,
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineageAnswer {
    /// The version that was asked about; `None` if lineage knows none.
    pub version: Option<u64>,
    /// The edges that lead there.
    pub edges: Vec<Edge>,
    /// Edges that the caller may not know; what lies behind them is not told either.
    pub hidden: u64,
    /// Whether there are more than are told.
    pub more: bool,
}

/// Whose edges a session may know.
pub(super) struct Sight<'a> {
    gate: &'a Gate,
    session: &'a Session,
    buckets: HashMap<String, bool>,
}

impl Sight<'_> {
    pub(super) fn sees(&mut self, edge: &EdgeRow) -> bool {
        self.sees_of(&edge.principal, &edge.bucket)
    }

    /// Whether it may know what somebody's run touched of a bucket.
    pub(super) fn sees_of(&mut self, principal: &str, bucket: &str) -> bool {
        if principal == self.session.principal() {
            return true;
        }
        if let Some(known) = self.buckets.get(bucket) {
            return *known;
        }
        let of = BucketName::new(bucket).map(ResourcePath::Bucket);
        let may = of.is_ok_and(|path| {
            self.gate
                .inner
                .would_allow(self.session, &["craton:ReadLineage"], &path)
        });
        self.buckets.insert(bucket.to_owned(), may);
        may
    }
}

impl RunSummary {
    pub(super) fn of(name: &[u8], row: RunRow) -> Result<Self> {
        let (principal, run) = rows::run_name(name)?;
        Ok(Self {
            run,
            principal,
            begun: Timestamp(row.begun_micros),
            last: Timestamp(row.last_micros),
            requests: row.requests,
            denied: row.denied,
            reads: row.reads,
            writes: row.writes,
            bytes_read: row.bytes_read,
            bytes_written: row.bytes_written,
            session: row.session,
            purpose: row.purpose,
            chain: row.chain,
        })
    }
}

impl Edge {
    pub(super) fn of(key: &EdgeKey, row: EdgeRow) -> Self {
        Self {
            principal: row.principal,
            run: row.run,
            touch: key.touch,
            resource: row.resource,
            bucket: row.bucket,
            version: key.version,
            count: row.count,
            bytes: row.bytes,
            first: Timestamp(row.first_micros),
            last: Timestamp(row.last_micros),
            snapshots: row.snapshots,
        }
    }

    /// Its place in the list of its run's edges: what comes after it is asked for by this.
    #[must_use]
    pub fn place(&self) -> String {
        let key = EdgeKey {
            run: rows::run_id(&self.principal, &self.run),
            resource: rows::resource_id(&self.resource),
            version: self.version,
            touch: self.touch,
        };
        hex::encode(key.by_run().name)
    }
}

fn no_such_run(run: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "NoSuchRun",
        format!("there is no run {run:?}"),
    )
}

impl Gate {
    /// Runs by principal and name, after one of them: all of a principal's, or of everybody.
    ///
    /// # Errors
    /// `Denied` for others' without `craton:ListRuns`; the store's own.
    pub async fn runs(
        &self,
        session: &Session,
        principal: Option<&str>,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<(Vec<RunSummary>, bool)> {
        let ask = Ask::new("ListRuns", "craton:ListRuns", ResourcePath::System("runs".into()));
        let _permit = match principal == Some(session.principal()) {
            true => self.read_decided(session, ask, Verdicts::always())?,
            false => self.read(session, ask).await?,
        };
        let prefix = principal.map(|principal| [principal.as_bytes(), &[0][..]].concat());
        self.settled(move |lineage| {
            let after = after.map(|(principal, run)| rows::run_key(&principal, &run).name);
            let span = rows::span(&[b"R", prefix.as_deref().unwrap_or_default()], after.as_deref());
            let page = lineage.page(&span, limit)?;
            let runs = page
                .entries
                .iter()
                .map(|(key, entry)| RunSummary::of(&key.name, rows::decode(&entry.value)?));
            Ok((runs.collect::<Result<_>>()?, page.more))
        })
        .await
    }

    /// A run: one's own, or with `craton:ListRuns` anybody's.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchRun`.
    pub async fn run_info(&self, session: &Session, principal: &str, run: &str) -> Result<RunSummary> {
        let ask = Ask::new(
            "GetRun",
            "craton:ListRuns",
            ResourcePath::System(format!("runs/{run}")),
        );
        let permit = match principal == session.principal() {
            true => self.read_decided(session, ask, Verdicts::always())?,
            false => self.read(session, ask).await?,
        };
        let key = rows::run_key(principal, run);
        let found = self.settled(move |lineage| {
            let found = lineage.namespace.get(&key, Sequence::MAX)?;
            found
                .map(|entry| RunSummary::of(&key.name, rows::decode(&entry.value)?))
                .transpose()
        });
        let found = found.await?.ok_or_else(|| no_such_run(run));
        found.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// What a run touched, a page of it. Who may know the run is asked by [`Gate::run_info`]; what of it is told is decided here.
    ///
    /// # Errors
    /// `Invalid` for a place that is none; the store's own.
    pub async fn run_edges(
        &self,
        session: &Session,
        run: &RunSummary,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RunEdges> {
        let id = rows::run_id(&run.principal, &run.run);
        let after =
            after.map(|text| hex::decode(text).map_err(|_| Error::invalid("that is no place in a list")));
        let after = after.transpose()?;
        if after
            .as_ref()
            .is_some_and(|after| !after.starts_with(&[&b"E"[..], &id[..]].concat()))
        {
            return Err(Error::invalid("that is no place in this list"));
        }
        let page =
            self.settled(move |lineage| lineage.page(&rows::span(&[b"E", &id], after.as_deref()), limit));
        let page = page.await?;
        let mut sight = self.sight(session);
        let mut out = RunEdges::default();
        for (key, entry) in &page.entries {
            let row: EdgeRow = rows::decode(&entry.value)?;
            match sight.sees(&row) {
                true => out.edges.push(Edge::of(&EdgeKey::read(&key.name)?, row)),
                false => out.hidden = out.hidden.saturating_add(1),
            }
        }
        let last = page.entries.last().filter(|_| page.more);
        out.next = last.map(|(key, _)| hex::encode(&key.name));
        Ok(out)
    }

    /// Where a version came from, or what came of it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn lineage(&self, session: &Session, asked: LineageAsk) -> Result<LineageAnswer> {
        let ask = Ask::new(
            "GetLineage",
            "craton:ReadLineage",
            ResourcePath::System("lineage".into()),
        )
        .with("craton:resource", asked.resource.clone());
        // What of it is told is decided edge by edge.
        let _permit = self.read_decided(session, ask, Verdicts::always())?;
        self.blocking({
            let session = session.clone();
            move |gate| {
                gate.inner.lineage.settle()?;
                Walk::new(&gate.inner.lineage, gate.sight(&session), &asked).answer()
            }
        })
        .await
    }

    pub(super) fn sight<'a>(&'a self, session: &'a Session) -> Sight<'a> {
        Sight {
            gate: self,
            session,
            buckets: HashMap::new(),
        }
    }

    pub(super) async fn settled<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Lineage) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |gate| {
            gate.inner.lineage.settle()?;
            read(&gate.inner.lineage)
        })
        .await
    }
}

impl Lineage {
    pub(super) fn page(&self, span: &namespace::Span, limit: usize) -> Result<namespace::Page> {
        self.namespace
            .scan(span, Sequence::MAX, namespace::Direction::Forward, limit)
    }

    /// How many rows begin so.
    pub(super) fn count(&self, prefix: &[&[u8]]) -> Result<usize> {
        let mut count = 0_usize;
        self.each(prefix, |_, _| {
            count = count.saturating_add(1);
            Ok(true)
        })?;
        Ok(count)
    }

    pub(super) fn edge(&self, key: &EdgeKey) -> Result<Option<EdgeRow>> {
        let found = self.namespace.get(&key.by_run(), Sequence::MAX)?;
        found.map(|entry| rows::decode(&entry.value)).transpose()
    }

    /// Every row that begins so.
    pub(super) fn each(
        &self,
        prefix: &[&[u8]],
        mut take: impl FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        self.each_entry(prefix, |name, entry| take(name, &entry.value))
    }

    /// The same, with the commits that made them.
    pub(super) fn each_entry(
        &self,
        prefix: &[&[u8]],
        mut take: impl FnMut(&[u8], &namespace::Entry) -> Result<bool>,
    ) -> Result<()> {
        let mut after: Option<bytes::Bytes> = None;
        loop {
            let page = self.page(&rows::span(prefix, after.as_deref()), AT_ONCE)?;
            for (key, entry) in &page.entries {
                if !take(&key.name, entry)? {
                    return Ok(());
                }
            }
            match page.entries.last().filter(|_| page.more) {
                Some((key, _)) => after = Some(key.name.clone()),
                None => return Ok(()),
            }
        }
    }

    /// The newest version of a resource that a run made, or else one that a run read. From the end: of a version that was only read its
    /// readers are passed over, however many there are.
    pub(super) fn newest(&self, resource: &Id) -> Result<Option<u64>> {
        let mut span = rows::span(&[b"V", resource], None);
        let mut read = None;
        loop {
            let page = self
                .namespace
                .scan(&span, Sequence::MAX, namespace::Direction::Backward, 1)?;
            let Some((last, _)) = page.entries.first() else {
                return Ok(read);
            };
            let key = EdgeKey::read(&last.name)?;
            if key.touch != Touch::Read {
                return Ok(Some(key.version));
            }
            read = read.or(Some(key.version));
            let readers = [
                &b"V"[..],
                resource,
                &key.version.to_be_bytes(),
                &[Touch::Read as u8],
            ];
            span.end = Some(readers.concat().into());
        }
    }
}
