//! Work on parts of a whole: a permit that reaches several prefixes of a graph's facts, or several tables, each decided, and holds them while
//! it works.
//!
//! ```text
//! infer what it reads and writes ─▶ decide each part ─▶ borrow all of them at once ─▶ snapshot, work, one commit
//! ```
//!
//! Invariants
//! - WP-1: a part is reached only after it was decided; a part that is written may be read too;
//! - WP-2: what is read is held shared and what is written exclusively from before the snapshot until after the commit, so a commit
//!   never meets a change of what it read;
//! - WP-3: who borrows waits its turn in line, or is refused at once where a client's lease is in the way.
//!
//! Deliberately absent: how parts are inferred, what facts are (the graph engine's).

use std::{sync::Arc, time::Duration};

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::namespace::Kind;

use crate::{
    ask::Ask,
    borrow::Mode as BorrowMode,
    gate::Gate,
    ledger::{Record, RecordKind},
    lending::{Lent, Wanted},
    permit::{Grant, Mode, Permit, ReadPermit, Told, WritePermit},
    scope,
    session::Session,
    tables,
};

/// The most parts that a piece of work reads, and as many that it writes.
pub const PARTS_MAX: usize = 16;
/// The longest text of all parts, in bytes.
pub const PARTS_BYTES_MAX: usize = 8 << 10;

/// What a piece of work reads and what it writes, as paths. What is written may be read too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// Nothing in these changes meanwhile.
    pub reads: Vec<ResourcePath>,
    /// Only this work changes anything in these.
    pub writes: Vec<ResourcePath>,
}

impl Parts {
    /// Whether all of `other` is within it.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        let within = |part: &ResourcePath, of: &[ResourcePath]| of.iter().any(|p| p.covers(part));
        other.writes.iter().all(|w| within(w, &self.writes))
            && other
                .reads
                .iter()
                .all(|r| within(r, &self.reads) || within(r, &self.writes))
    }

    fn wanted(&self) -> Wanted {
        let shared = self.reads.iter().map(|p| (p.clone(), BorrowMode::Shared));
        let alone = self.writes.iter().map(|p| (p.clone(), BorrowMode::Exclusive));
        shared.chain(alone).collect()
    }

    fn check(&self, path: &ResourcePath) -> Result<()> {
        let parts = || self.reads.iter().chain(&self.writes);
        let outside = parts().any(|p| !path.covers(p));
        let long = parts().map(|p| text(p).len()).sum::<usize>() > PARTS_BYTES_MAX;
        if outside || long || self.reads.len().max(self.writes.len()) > PARTS_MAX {
            return Err(Error::internal(
                "parts of work are too many, too long, or not under its path",
            ));
        }
        Ok(())
    }
}

/// What is to be done, and where.
#[derive(Clone, Debug)]
pub struct Work {
    /// The door's operation, for the record.
    pub operation: &'static str,
    /// What all parts are under.
    pub path: ResourcePath,
    /// The action that must be allowed on every part.
    pub read: &'static str,
    /// The action that must be allowed on the parts that are written.
    pub write: &'static str,
}

/// What a permit for work reaches and holds.
#[derive(Default)]
pub(crate) struct Reach {
    work: Option<Work>,
    pub(crate) parts: Parts,
    /// What changes with what it writes, and is held with it.
    following: Vec<ResourcePath>,
    lent: Option<Lent>,
}

/// A part as records show it: a prefix of facts, or the path.
fn text(path: &ResourcePath) -> String {
    match path {
        ResourcePath::Facts(_, facts) if !facts.prefix().is_empty() => facts.prefix().to_owned(),
        path => path.to_string(),
    }
}

/// A lease: borrows that a client holds. Given back when it is dropped.
#[must_use = "a lease ends when this is dropped"]
pub struct Lease {
    _lent: Lent,
}

impl Gate {
    /// A permit for work on parts of a path, each of which is decided; nothing is borrowed yet.
    ///
    /// # Errors
    /// As [`Gate::write`], naming the part that is refused; `Internal` for parts over the limits or outside the path.
    pub async fn work(&self, session: &Session, work: Work, parts: Parts) -> Result<WritePermit> {
        parts.check(&work.path)?;
        let bucket = self.inner.bucket_of(&work.path)?;
        let ask = Ask::new(work.operation, work.write, work.path.clone()).and_action(work.read);
        let record = self.record_of_parts(session, &ask, &work, &parts)?;
        self.pick_up_labels(session, &ask, bucket.as_deref())
            .await
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        self.require_bucket(&work.path, bucket.is_some())
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        let grant = Grant {
            session: session.clone(),
            operation: work.operation,
            resource: work.path.clone(),
            record,
            told: Told::ByCommit,
            bucket,
            mode: Mode::Write,
        };
        let permit = WritePermit::new(self.inner.clone(), grant);
        *permit.reach.lock() = Some(Reach {
            work: Some(work),
            parts,
            ..Reach::default()
        });
        Ok(permit)
    }

    /// A permit to read parts of a path: all of it, if that is allowed; else the parts, each of which is decided.
    ///
    /// # Errors
    /// As [`Gate::read`], naming the part that is refused; `Internal` for parts over the limits or outside the path.
    pub async fn read_parts(
        &self,
        session: &Session,
        work: Work,
        reads: Vec<ResourcePath>,
    ) -> Result<ReadPermit> {
        let ask = Ask::new(work.operation, work.read, work.path.clone());
        if reads.is_empty() || self.inner.would_allow(session, &[work.read], &work.path) {
            return self.read(session, ask).await;
        }
        let parts = Parts {
            reads,
            writes: Vec::new(),
        };
        parts.check(&work.path)?;
        let bucket = self.inner.bucket_of(&work.path)?;
        let mut record = self.record_of_parts(session, &ask, &work, &parts)?;
        self.pick_up_labels(session, &ask, bucket.as_deref())
            .await
            .inspect_err(|e| self.note_failure(&record, None, e))?;
        record.kind = RecordKind::Decision.into();
        record.reads = parts.reads.iter().map(text).collect();
        let decision = self.inner.ledger.append_decision(&mut record)?;
        self.require_bucket(&work.path, bucket.is_some())
            .inspect_err(|e| self.note_failure(&record, Some(decision), e))?;
        if bucket.as_ref().is_some_and(|b| b.info.strict) {
            self.inner.ledger.sync().await?;
        }
        let grant = self.grant(session, ask, record, Told::Decision(decision), bucket, Mode::Read);
        let permit = ReadPermit::new(self.inner.clone(), grant);
        *permit.reach.lock() = Some(Reach {
            work: Some(work),
            parts,
            ..Reach::default()
        });
        Ok(permit)
    }

    /// The record of work whose parts were all allowed. What is refused is named: it is what the caller asked for.
    fn record_of_parts(&self, session: &Session, ask: &Ask, work: &Work, parts: &Parts) -> Result<Record> {
        let statements =
            self.decide_parts(session, work, parts)
                .map_err(|(part, error)| match error.kind() {
                    ErrorKind::Denied => Error::new(
                        ErrorKind::Denied,
                        error.reason(),
                        format!("{error}: it would touch {}", text(part)),
                    ),
                    _ => error,
                })?;
        let mut record = self.record_of(session, ask);
        record.verdict = crate::ledger::Verdict::Allow.into();
        record.name_statements(statements.into_iter());
        Ok(record)
    }

    /// Decides every part; the statements that allowed them. The first that is refused leaves its denial, and is named.
    fn decide_parts<'p>(
        &self,
        session: &Session,
        work: &Work,
        parts: &'p Parts,
    ) -> std::result::Result<Vec<String>, (&'p ResourcePath, Error)> {
        let mut statements = Vec::new();
        let writes = parts.writes.iter().map(|part| (part, true));
        for (part, is_written) in parts.reads.iter().map(|part| (part, false)).chain(writes) {
            let ask = match is_written {
                true => Ask::new(work.operation, work.write, part.clone()).and_action(work.read),
                false => Ask::new(work.operation, work.read, part.clone()),
            };
            let decided = self.inner.bucket_of(part);
            let decided = decided.and_then(|bucket| {
                self.decide(session, &ask, bucket.as_deref())
                    .map(|(record, _)| record)
            });
            let record = decided.map_err(|error| (part, error))?;
            for statement in record.statements {
                if !statements.contains(&statement) {
                    statements.push(statement);
                }
            }
        }
        Ok(statements)
    }

    /// Lends paths to a client until `until`: others who need them are refused, and told whose they are. Held by this process only.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`.
    pub fn lease(&self, session: &Session, parts: &Parts, until: Timestamp) -> Result<Lease> {
        let now = self.inner.clock.now();
        let lent = self.inner.lending.lease(session, parts.wanted(), now, until)?;
        Ok(Lease { _lent: lent })
    }
}

impl Permit {
    /// What of its path it reaches, if it is a permit for work.
    #[must_use]
    pub fn parts(&self) -> Option<Parts> {
        let reach = self.reach.lock();
        let of_work = reach.as_ref().filter(|reach| reach.work.is_some());
        of_work.map(|reach| reach.parts.clone())
    }

    /// Whether a name lies in one of the tables that work on a catalog was decided for. Which of a graph's facts a permit shows is the graph
    /// engine's to say.
    pub(crate) fn is_of_parts(&self, kind: Kind, name: &[u8]) -> bool {
        if !tables::is_catalog(&self.resource) {
            return true;
        }
        let reach = self.reach.lock();
        let of_work = reach.as_ref().filter(|reach| reach.work.is_some());
        of_work.is_none_or(|reach| {
            reach
                .parts
                .writes
                .iter()
                .any(|part| scope::covers(part, kind, name))
        })
    }

    /// Whether it holds paths for what it does.
    pub(crate) fn holds(&self) -> bool {
        self.reach
            .lock()
            .as_ref()
            .is_some_and(|reach| reach.lent.is_some())
    }

    /// Says which version of the whole the work reads, for the record.
    pub fn read_version(&self, version: Option<Sequence>) {
        self.outcome.lock().read_version = version.map_or(0, |v| v.0);
    }
}

impl WritePermit {
    /// Reaches further parts, each of which is decided, and none of them if one is refused.
    ///
    /// # Errors
    /// As [`Gate::work`]; `Internal` if it is no permit for work.
    pub fn reach_more(&self, more: &Parts) -> Result<()> {
        let Some((work, mut parts)) = self
            .reach
            .lock()
            .as_ref()
            .and_then(|r| Some((r.work.clone()?, r.parts.clone())))
        else {
            return Err(Error::internal("only a permit for work reaches parts"));
        };
        more.check(&work.path)?;
        let gate = Gate {
            inner: self.gate.clone(),
        };
        // Not named: it may be what rules of others touch.
        gate.decide_parts(&self.session, &work, more)
            .map_err(|(_, error)| error)?;
        parts.reads.extend(more.reads.iter().cloned());
        parts.writes.extend(more.writes.iter().cloned());
        for list in [&mut parts.reads, &mut parts.writes] {
            list.sort();
            list.dedup();
        }
        parts.check(&work.path)?;
        if let Some(reach) = self.reach.lock().as_mut() {
            reach.parts = parts;
        }
        Ok(())
    }

    /// Holds parts until [`WritePermit::give_back`] or its own end, waiting its turn so long at most. What it held is given back first.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`; `Internal` if a part was not decided.
    pub async fn hold(&self, parts: &Parts, patience: Duration) -> Result<()> {
        self.hold_with(parts, &[], patience).await
    }

    /// The same, and with it all of what other permits are for, exclusively.
    ///
    /// # Errors
    /// As [`WritePermit::hold`].
    pub async fn hold_with(&self, parts: &Parts, others: &[&Self], patience: Duration) -> Result<()> {
        self.give_back();
        let own = self.parts().unwrap_or_else(|| Parts {
            reads: Vec::new(),
            writes: vec![self.resource.clone()],
        });
        if !own.cover(parts) {
            return Err(Error::internal("a part is borrowed that was not decided"));
        }
        let mut wanted = parts.wanted();
        let whole = others.iter().map(|other| other.resource.clone());
        wanted.extend(whole.map(|path| (path, BorrowMode::Exclusive)));
        self.take(wanted, patience).await
    }

    /// Holds paths for a commit that does not depend on what is there: others may commit such changes beside it. Waits its turn so long at
    /// most.
    ///
    /// # Errors
    /// As [`WritePermit::hold`].
    pub async fn hold_to_write(&self, paths: &[ResourcePath], patience: Duration) -> Result<()> {
        self.give_back();
        if paths.iter().any(|path| !self.resource.covers(path)) {
            return Err(Error::internal("a path is borrowed that was not decided"));
        }
        let wanted = paths.iter().map(|p| (p.clone(), BorrowMode::Write));
        self.take(wanted.collect(), patience).await
    }

    /// Names parts of its graph that change as a consequence of what is written, by the graph's own rules: whenever it holds
    /// anything from here on, it holds them too, alone. They are not reached by the permit, and nothing of them is given out.
    ///
    /// # Errors
    /// `Internal` for a path that is not of its graph.
    pub fn brings_about(&self, following: Vec<ResourcePath>) -> Result<()> {
        let is_of_graph = |path: &ResourcePath| match (path, &self.resource) {
            (ResourcePath::Facts(bucket, facts), ResourcePath::Facts(own, of)) => {
                bucket == own && facts.graph() == of.graph()
            }
            _ => false,
        };
        if !following.iter().all(is_of_graph) || following.len() > PARTS_MAX {
            return Err(Error::internal("what follows from a change is not of its graph"));
        }
        self.reach.lock().get_or_insert_default().following = following;
        Ok(())
    }

    async fn take(&self, mut wanted: Wanted, patience: Duration) -> Result<()> {
        let following = self.reach.lock().as_ref().map(|r| r.following.clone());
        wanted.extend(
            following
                .into_iter()
                .flatten()
                .map(|path| (path, BorrowMode::Exclusive)),
        );
        let lending = Arc::clone(&self.gate.lending);
        let lent = lending
            .borrow(&self.session, wanted, patience, self.now())
            .await?;
        self.reach.lock().get_or_insert_default().lent = Some(lent);
        Ok(())
    }

    /// Gives back what it holds.
    pub fn give_back(&self) {
        let lent = self.reach.lock().as_mut().and_then(|reach| reach.lent.take());
        drop(lent);
    }

    /// Notes, after a commit of work, which version it made.
    pub(crate) fn made(&self, version: Sequence) {
        if self.outcome.lock().read_version == 0 && self.parts().is_none() {
            return;
        }
        let mut record = self.outcome.lock().record.clone();
        record.kind = RecordKind::Outcome.into();
        record.version = version.0;
        self.describe(&mut record);
        self.end(&mut record, None);
        self.gate.record_outcome(record);
    }
}

impl Permit {
    /// Writes into a record what was reached and which version was read.
    pub(crate) fn describe(&self, record: &mut crate::ledger::Record) {
        record.read_version = self.outcome.lock().read_version;
        let reach = self.reach.lock();
        if let Some(reach) = reach.as_ref().filter(|r| r.work.is_some()) {
            let texts = |paths: &[ResourcePath]| paths.iter().map(text).collect();
            record.reads = texts(&reach.parts.reads);
            record.writes = texts(&reach.parts.writes);
        }
    }
}
