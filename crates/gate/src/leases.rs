//! Leases: borrows that clients hold, each with an end, a purpose and a fencing token.
//!
//! ```text
//! each path decided ─▶ borrowed, all or none ─▶ a row ─▶ id and token          (start: rows ─▶ borrowed again)
//! ```
//!
//! A request that names the lease (`x-craton-lease`) stands for its holder; of others, what the lease keeps from them is refused at once,
//! with the holder and the end. A lease is its principal's: whoever else names it is refused as if there were none.
//!
//! Invariants
//! - LS-1: a lease is held in this process exactly from before its row is committed until after the row is gone, or its end;
//! - LS-2: of two leases that keep anything from each other, the later one has the greater token;
//! - LS-3: from its end on a lease keeps nothing from anyone and gives nothing to its holder, whoever looks first;
//! - LS-4: rows are as durable as any commit: a killed process begins with the leases that it had.
//!
//! Deliberately absent: the table of borrows ([`crate::borrow`]), doors.

use std::time::Duration;

use craton_base::{
    BranchId, BucketId, BucketName, Error, FactPath, GraphName, Kind as ErrorKind, ObjectKey, ResourcePath,
    Result, Sequence, Timestamp, random,
};
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
    store::Transaction,
};
use prost::Message;

use crate::{
    ask::Ask,
    borrow::Mode,
    directory::{decode, stored_value},
    gate::{Gate, Inner, Verdicts},
    ledger::Verdict,
    lending::{Leasing, Wanted},
    session::Session,
    tables,
};

/// The most paths of a lease.
pub const LEASE_PATHS_MAX: usize = 16;

/// The longest time of a lease, in seconds.
pub const LEASE_SECONDS_MAX: u64 = 86_400;

/// The most leases at once.
pub const LEASES_MAX: usize = 10_000;

/// The longest purpose, in bytes.
const PURPOSE_BYTES_MAX: usize = 256;

/// A path of a lease, and how it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedPath {
    /// The path.
    pub path: ResourcePath,
    /// Only the holder writes under it; else nobody does.
    pub exclusive: bool,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseInfo {
    /// Its id, by which requests name it.
    pub id: String,
    /// Whose it is.
    pub principal: String,
    /// Its paths.
    pub paths: Vec<LeasedPath>,
    /// What it is for.
    pub purpose: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The fencing token: greater than that of every earlier lease in its way.
    pub token: u64,
}

/// A lease as it is kept (`Kind::Lease`, by id). The tags are on disk (`docs/formats.md`, "Leases").
#[derive(Clone, PartialEq, Message)]
struct LeaseRecord {
    #[prost(string, tag = "1")]
    principal: String,
    #[prost(message, repeated, tag = "2")]
    paths: Vec<PathRecord>,
    #[prost(string, tag = "3")]
    purpose: String,
    #[prost(uint64, tag = "4")]
    since_micros: u64,
    #[prost(uint64, tag = "5")]
    until_micros: u64,
    #[prost(uint64, tag = "6")]
    token: u64,
}

/// A path: 1 a bucket, 2 an object, 3 objects by prefix, 4 facts by prefix.
#[derive(Clone, PartialEq, Message)]
struct PathRecord {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(string, tag = "2")]
    bucket: String,
    /// The key, the prefix of keys, or the graph.
    #[prost(string, tag = "3")]
    name: String,
    /// The prefix of facts.
    #[prost(string, tag = "4")]
    prefix: String,
    #[prost(bool, tag = "5")]
    exclusive: bool,
}

impl PathRecord {
    fn of(leased: &LeasedPath) -> Result<Self> {
        let (kind, bucket, name, prefix) = match &leased.path {
            ResourcePath::Bucket(b) => (1, b, "", ""),
            ResourcePath::Object(b, key) => (2, b, key.as_str(), ""),
            ResourcePath::Objects(b, prefix) => (3, b, prefix.as_str(), ""),
            ResourcePath::Facts(b, facts) => (4, b, facts.graph().as_str(), facts.prefix()),
            other => return Err(Error::invalid(format!("{other} can not be leased"))),
        };
        Ok(Self {
            kind,
            bucket: bucket.to_string(),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            exclusive: leased.exclusive,
        })
    }

    fn read(&self) -> Result<LeasedPath> {
        let bucket = BucketName::new(&self.bucket)?;
        let path = match self.kind {
            1 => ResourcePath::Bucket(bucket),
            2 => ResourcePath::Object(bucket, ObjectKey::new(&self.name)?),
            3 => ResourcePath::Objects(bucket, self.name.clone()),
            4 => ResourcePath::Facts(bucket, FactPath::new(GraphName::new(&self.name)?, &self.prefix)?),
            _ => return Err(Error::corrupt("a lease has a path of no known kind")),
        };
        Ok(LeasedPath {
            path,
            exclusive: self.exclusive,
        })
    }
}

impl LeaseInfo {
    fn record(&self) -> Result<LeaseRecord> {
        Ok(LeaseRecord {
            principal: self.principal.clone(),
            paths: self.paths.iter().map(PathRecord::of).collect::<Result<_>>()?,
            purpose: self.purpose.clone(),
            since_micros: self.since.micros(),
            until_micros: self.until.micros(),
            token: self.token,
        })
    }

    fn read(id: &str, record: &LeaseRecord) -> Result<Self> {
        Ok(Self {
            id: id.to_owned(),
            principal: record.principal.clone(),
            paths: record.paths.iter().map(PathRecord::read).collect::<Result<_>>()?,
            purpose: record.purpose.clone(),
            since: Timestamp(record.since_micros),
            until: Timestamp(record.until_micros),
            token: record.token,
        })
    }

    fn wanted(&self) -> Wanted {
        let mode = |exclusive| if exclusive { Mode::Exclusive } else { Mode::Shared };
        let each = self.paths.iter();
        each.map(|p| (p.path.clone(), mode(p.exclusive))).collect()
    }

    fn leasing(&self) -> Leasing {
        Leasing {
            id: self.id.as_str().into(),
            principal: self.principal.clone(),
            since: self.since,
            until: self.until,
            token: self.token,
        }
    }
}

/// What is asked about before a path is leased: of a prefix, the name with a star, as policies write it.
fn asked(path: &ResourcePath) -> Result<ResourcePath> {
    match path {
        ResourcePath::Objects(bucket, prefix) if tables::id_of(path).is_none() => {
            let name = ObjectKey::new(&format!("{prefix}*"))?;
            Ok(ResourcePath::Object(bucket.clone(), name))
        }
        other => Ok(other.clone()),
    }
}

/// The action of taking a lease on a path.
fn action(path: &ResourcePath) -> &'static str {
    match path {
        ResourcePath::Bucket(_) => "craton:LeaseBucket",
        ResourcePath::Facts(..) => "craton:LeaseGraph",
        _ => "craton:LeaseObjects",
    }
}

fn until(now: Timestamp, seconds: u64) -> Result<Timestamp> {
    match (1..=LEASE_SECONDS_MAX).contains(&seconds) {
        true => Ok(now.plus(Duration::from_secs(seconds))),
        false => Err(Error::invalid(format!(
            "a lease is for 1 to {LEASE_SECONDS_MAX} seconds"
        ))),
    }
}

fn own() -> Verdicts {
    Verdicts {
        allowed: true,
        verdict: Verdict::Allow,
        statements: vec!["own-lease".to_owned()],
        restrictions: Default::default(),
    }
}

fn no_lease(id: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "NoSuchLease",
        format!("there is no lease {id:?} of yours"),
    )
}

impl Gate {
    /// Takes a lease on all of these paths, or on none.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`, with the holder and the end of what is in the way; `Busy`, `LeaseOver` if it ended while it was made; `Invalid`;
    /// `Denied`; `TooLarge`.
    pub async fn acquire_lease(
        &self,
        session: &Session,
        paths: Vec<LeasedPath>,
        seconds: u64,
        purpose: String,
    ) -> Result<LeaseInfo> {
        if paths.is_empty() || paths.len() > LEASE_PATHS_MAX || purpose.len() > PURPOSE_BYTES_MAX {
            let text = format!(
                "a lease has 1 to {LEASE_PATHS_MAX} paths, and a purpose of at most {PURPOSE_BYTES_MAX} bytes"
            );
            return Err(Error::invalid(text));
        }
        let now = self.inner.clock.now();
        let ends = until(now, seconds)?;
        for leased in &paths {
            PathRecord::of(leased)?;
            let ask = Ask::new("AcquireLease", action(&leased.path), asked(&leased.path)?);
            let _permit = self.read(session, ask).await?;
        }
        let id = format!("L{}", hex::encode_upper(random::bytes::<8>(&*self.inner.random)?));
        let mut lease = LeaseInfo {
            id,
            principal: session.principal().to_owned(),
            paths,
            purpose,
            since: now,
            until: ends,
            token: 0,
        };
        let inner = &self.inner;
        inner
            .lending
            .hold(lease.leasing(), lease.wanted(), now, LEASES_MAX)?;
        // After it is held: every lease that was in its way has been committed, and is no more.
        lease.token = inner.store.latest().0.saturating_add(1);
        inner.lending.set_token(&lease.id, lease.token);
        let mut transaction = Transaction::default();
        transaction
            .puts
            .push((key(&lease.id), stored_value(&lease.record()?)));
        let held = lease.id.clone();
        let then = move |inner: &Inner, done: Result<()>| {
            done.inspect_err(|_| inner.lending.release(&held))?;
            if inner.lending.is_held(&held, inner.clock.now()) {
                return Ok(());
            }
            // It ended before it could be told, and another may have taken its place with the same token.
            inner.lending.release(&held);
            inner.remove_lease(&held)?;
            let text = "the lease ended before it could be given";
            Err(Error::new(ErrorKind::Busy, "LeaseOver", text))
        };
        self.commit_lease((session, "AcquireLease", &lease.id), transaction, then)
            .await?;
        Ok(lease)
    }

    /// Sets another end.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchLease`, also for one that is over or another's; `Invalid`.
    pub async fn renew_lease(&self, session: &Session, id: &str, seconds: u64) -> Result<LeaseInfo> {
        let now = self.inner.clock.now();
        let mut lease = self.own_lease(session, "RenewLease", id, now).await?;
        lease.until = until(now, seconds)?;
        let mut transaction = Transaction::default();
        transaction.puts.push((key(id), stored_value(&lease.record()?)));
        let (name, until) = (id.to_owned(), lease.until);
        let then = move |inner: &Inner, done: Result<()>| {
            done?;
            // By the clock as it is now: what was over for anybody does not begin again.
            if inner.lending.renew(&name, until, inner.clock.now()) {
                return Ok(());
            }
            // It ended while it was renewed, and another may have taken its place.
            inner.remove_lease(&name)?;
            Err(no_lease(&name))
        };
        self.commit_lease((session, "RenewLease", id), transaction, then)
            .await?;
        Ok(lease)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchLease`.
    pub async fn release_lease(&self, session: &Session, id: &str) -> Result<()> {
        let now = self.inner.clock.now();
        self.own_lease(session, "ReleaseLease", id, now).await?;
        self.end_lease(session, "ReleaseLease", id).await
    }

    /// Ends a lease of anybody.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchLease`; `Denied`.
    pub async fn break_lease(&self, session: &Session, id: &str) -> Result<()> {
        let ask = Ask::new("BreakLease", "craton:BreakLease", path(id));
        let permit = self.read(session, ask).await?;
        let found = self.inner.lease(id)?.ok_or_else(|| no_lease(id));
        found.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        self.end_lease(session, "BreakLease", id).await
    }

    /// All leases that have not ended.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_leases(&self, session: &Session) -> Result<Vec<LeaseInfo>> {
        let ask = Ask::new(
            "ListLeases",
            "craton:ListLeases",
            ResourcePath::System("leases".into()),
        );
        let _permit = self.read(session, ask).await?;
        let now = self.inner.clock.now();
        let mut all = stored(&self.inner.store)?;
        all.retain(|lease| now < lease.until);
        Ok(all)
    }

    /// A lease of the caller's own. Who has no right over others' is told of none whether there is one.
    async fn own_lease(
        &self,
        session: &Session,
        operation: &'static str,
        id: &str,
        now: Timestamp,
    ) -> Result<LeaseInfo> {
        let found = self.inner.lease(id)?;
        let own = |lease: &LeaseInfo| lease.principal == session.principal() && now < lease.until;
        if let Some(lease) = found.filter(own) {
            return Ok(lease);
        }
        let ask = Ask::new(operation, "craton:BreakLease", path(id));
        let permit = self.read(session, ask).await?;
        let error = no_lease(id);
        permit.failed(error.kind(), error.reason());
        Err(error)
    }

    async fn end_lease(&self, session: &Session, operation: &'static str, id: &str) -> Result<()> {
        let mut transaction = Transaction::default();
        transaction.deletes.push(key(id));
        let ended = id.to_owned();
        let then = move |inner: &Inner, done: Result<()>| done.inspect(|()| inner.lending.release(&ended));
        self.commit_lease((session, operation, id), transaction, then)
            .await
    }

    /// Commits a change of a lease's row, and does what follows from it here, also if the caller stops waiting: a lease without a row
    /// could be neither seen nor ended.
    async fn commit_lease(
        &self,
        (session, operation, id): (&Session, &'static str, &str),
        transaction: Transaction,
        then: impl FnOnce(&Inner, Result<()>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let ask = Ask::new(operation, "craton:Lease", path(id));
        let permit = self.write_decided(session, ask, own())?;
        let inner = self.inner.clone();
        let task = tokio::spawn(async move {
            let done = permit.commit_transaction(transaction).await.map(drop);
            then(&inner, done)
        });
        task.await
            .map_err(|e| Error::internal("a lease's task ended").with_source(e))?
    }
}

impl Inner {
    /// Holds again what was leased when the process ended.
    pub(crate) fn load_leases(&self) -> Result<()> {
        let now = self.clock.now();
        for lease in stored(&self.store)? {
            if now < lease.until {
                let held = self
                    .lending
                    .hold(lease.leasing(), lease.wanted(), now, usize::MAX);
                // Two that are in each other's way can only be there if one of them was over.
                held.unwrap_or_else(|error| tracing::error!(%error, lease.id, "a lease is not held again"));
            }
        }
        Ok(())
    }

    /// Removes the rows of leases that are over.
    pub(crate) fn collect_leases(&self) -> Result<()> {
        let now = self.clock.now();
        for lease in stored(&self.store)? {
            if lease.until <= now && !self.lending.is_held(&lease.id, now) {
                self.remove_lease(&lease.id)?;
            }
        }
        Ok(())
    }

    fn remove_lease(&self, id: &str) -> Result<()> {
        let transaction = Transaction {
            deletes: vec![key(id)],
            ..Transaction::default()
        };
        self.store.commit_blocking(transaction).map(drop)
    }

    fn lease(&self, id: &str) -> Result<Option<LeaseInfo>> {
        let found = self.store.get(&key(id), Sequence::MAX)?;
        let read = |stored| LeaseInfo::read(id, &decode(&stored, "a lease")?);
        found.map(read).transpose()
    }
}

fn path(id: &str) -> ResourcePath {
    ResourcePath::System(format!("leases/{id}"))
}

fn key(id: &str) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Lease,
        name: bytes::Bytes::copy_from_slice(id.as_bytes()),
    }
}

fn stored(store: &Store) -> Result<Vec<LeaseInfo>> {
    let span = Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Lease,
        start: bytes::Bytes::new(),
        end: None,
    };
    let page = store.scan(
        &span,
        store.latest(),
        Direction::Forward,
        LEASES_MAX.saturating_mul(2),
    )?;
    let read = |stored: &craton_store::value::Stored| {
        let id = String::from_utf8_lossy(&stored.key.name).into_owned();
        LeaseInfo::read(&id, &decode(stored, "a lease")?)
    };
    page.entries.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
