//! Deciding: both planes are asked, for a session that still is, and what they say is recorded.
//!
//! Deliberately absent: permits ([`crate::gate`]), what the planes know ([`crate::access`], [`crate::guards`]).

use std::sync::Arc;

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};
use craton_guard::Restrictions;

use crate::{
    access,
    ask::{Ask, Fact},
    configuration::state::BucketState,
    gate::{Gate, Inner, Verdicts},
    guards,
    ledger::{Record, RecordId, RecordKind, Verdict},
    permit::{Mode, ReadPermit, Told, WritePermit},
    session::Session,
    tables, watch,
};

/// A question to the planes, but for who asks it.
#[derive(Clone, Copy)]
pub(crate) struct Put<'a> {
    pub(crate) actions: &'a [&'a str],
    pub(crate) resource: &'a ResourcePath,
    /// The bucket that the resource lies in.
    pub(crate) bucket: Option<&'a BucketState>,
    /// Condition keys beyond the session's.
    pub(crate) extra: &'a [Fact],
    /// The columns that are read, if it is said.
    pub(crate) columns: Option<&'a [String]>,
}

impl Verdicts {
    /// The refusal of a request whose credential stopped to be good while it was under way.
    fn session_is_over() -> Self {
        Self {
            allowed: false,
            verdict: Verdict::ExplicitDeny,
            statements: vec!["session-is-over".to_owned()],
            restrictions: Restrictions::default(),
        }
    }
}

impl Gate {
    /// Decides all actions of an ask. Refused: the denial is recorded and an error returned.
    pub(crate) fn decide(
        &self,
        session: &Session,
        ask: &Ask,
        bucket: Option<&BucketState>,
    ) -> Result<(Record, Restrictions)> {
        let is_first = session.note_asked();
        watch::note(|seen| seen.asked(session.principal(), &ask.resource));
        let put = Put {
            actions: &ask.actions,
            resource: &ask.resource,
            bucket,
            extra: &ask.context,
            columns: ask.columns.as_deref(),
        };
        let mut verdicts = if cfg!(craton_always_yes) {
            // Of the build that `cargo xtask bench gate` compares with.
            Verdicts::always()
        } else if self.inner.is_in_force(session)? {
            self.inner.verdicts(session, &put, None)
        } else {
            Verdicts::session_is_over()
        };
        let within = self.inner.spend_request(session, is_first);
        let within = within.and_then(|()| match verdicts.allowed {
            true => self.inner.spend_ask(session, ask),
            false => Ok(()),
        });
        within.map_err(|error| self.over_budget(session, ask, error))?;
        let restrictions = match verdicts.allowed {
            true => std::mem::take(&mut verdicts.restrictions),
            false => Restrictions::default(),
        };
        let record = self.conclude(session, ask, verdicts, bucket)?;
        Ok((record, restrictions))
    }

    /// Records that a session's budget is used up.
    fn over_budget(&self, session: &Session, ask: &Ask, error: Error) -> Error {
        let mut record = self.record_of(session, ask);
        record.kind = RecordKind::Denial.into();
        record.verdict = Verdict::ExplicitDeny.into();
        record.name_statements(std::iter::once("budget".to_owned()));
        record.result = error.kind().as_str().to_owned();
        record.reason = error.reason().to_owned();
        match self.inner.ledger.append_denial(&mut record) {
            Ok(id) => {
                let text = format!("{} (decision {id})", error.message());
                Error::new(error.kind(), error.reason(), text)
            }
            Err(unrecorded) => unrecorded,
        }
    }

    /// The record of a decision. Refused: the denial is recorded and an error returned.
    fn conclude(
        &self,
        session: &Session,
        ask: &Ask,
        verdicts: Verdicts,
        bucket: Option<&BucketState>,
    ) -> Result<Record> {
        let mut record = self.record_of(session, ask);
        record.verdict = verdicts.verdict.into();
        record.name_statements(verdicts.statements.into_iter());
        if verdicts.allowed {
            return Ok(record);
        }
        // A name that no bucket has is no secret: who makes a bucket learns it too, and S3 says so to everyone.
        let missing = ask
            .resource
            .bucket()
            .filter(|_| bucket.is_none() && !makes_bucket(ask));
        let missing = missing.map(|name| crate::permit::no_such_bucket(Some(name)));
        let (kind, reason) = missing
            .as_ref()
            .map_or((ErrorKind::Denied, "AccessDenied"), |e| (e.kind(), e.reason()));
        record.kind = RecordKind::Denial.into();
        record.result = kind.as_str().to_owned();
        record.reason = reason.to_owned();
        let id = self.inner.ledger.append_denial(&mut record)?;
        Err(missing.unwrap_or_else(|| access_denied(&verdicts.restrictions.refused, id)))
    }

    /// What was decided elsewhere about something of the system's own, less what guard policies forbid of it.
    fn guarded(&self, session: &Session, ask: &Ask, verdicts: Verdicts) -> Verdicts {
        let asked = guards::Asked {
            session,
            actions: &ask.actions,
            resource: &ask.resource,
            extra: &ask.context,
            bucket: None,
            table: None,
            labels: &[],
            object_tags: &|| None,
        };
        self.inner.guards.restrict(&self.inner.store, verdicts, &asked)
    }

    /// A permit to read something of the system's own that everyone may know: who they are. No policy of either plane
    /// takes that away, as at AWS.
    pub(crate) fn read_decided(&self, session: &Session, ask: Ask, verdicts: Verdicts) -> Result<ReadPermit> {
        session.note_asked();
        let mut record = self.conclude(session, &ask, verdicts, None)?;
        record.kind = RecordKind::Decision.into();
        let decision = self.inner.ledger.append_decision(&mut record)?;
        let grant = self.grant(session, ask, record, Told::Decision(decision), None, Mode::Read);
        Ok(ReadPermit::new(self.inner.clone(), grant))
    }

    /// A permit to change something of the system's own, decided elsewhere.
    pub(crate) fn write_decided(
        &self,
        session: &Session,
        ask: Ask,
        verdicts: Verdicts,
    ) -> Result<WritePermit> {
        session.note_asked();
        let verdicts = match self.inner.is_in_force(session)? {
            true => self.guarded(session, &ask, verdicts),
            false => Verdicts::session_is_over(),
        };
        let record = self.conclude(session, &ask, verdicts, None)?;
        let grant = self.grant(session, ask, record, Told::ByCommit, None, Mode::Write);
        Ok(WritePermit::new(self.inner.clone(), grant))
    }

    /// Fetches documents from outside, of identity providers, by this from here on. Only the first call counts.
    pub fn use_fetch(&self, fetch: Arc<dyn crate::sessions::Fetch>) {
        self.inner.issuers.use_fetch(fetch);
    }
}

impl Inner {
    /// Puts a question of `session`.
    pub(crate) fn asking<T>(
        &self,
        session: &Session,
        put: &Put<'_>,
        then: impl FnOnce(&access::Question<'_>) -> T,
    ) -> T {
        let Put {
            actions,
            resource,
            bucket,
            extra,
            columns: _,
        } = *put;
        let seen = self.about_tables(session, put);
        let seen = seen.as_ref();
        then(&access::Question {
            session,
            actions: seen.map_or(actions, |s| &s.actions),
            undenied: seen.map_or(&[], |s| &s.undenied),
            refusal: seen
                .and_then(|s| s.refusal)
                .or_else(|| tables::beyond(session, put)),
            resource,
            guarded: actions,
            table: seen.and_then(|s| s.shown.as_ref()),
            extra: seen.map_or(extra, |s| &s.facts),
            bucket: bucket.map(|b| &b.access),
            object_acl: &|| self.object_acl(bucket?, resource, extra),
            object_tags: &|| self.object_tags(bucket?, resource, extra),
        })
    }

    /// What both planes say, by guard policies as given or those in force; records nothing.
    pub(crate) fn verdicts(
        &self,
        session: &Session,
        put: &Put<'_>,
        guards: Option<&guards::State>,
    ) -> Verdicts {
        self.asking(session, put, |question| {
            let asked = guards::asked(question, put.bucket.map(|b| &*b.info));
            let verdicts = access::evaluate(question);
            match guards {
                Some(state) => self.guards.restrict_by(&self.store, state, verdicts, &asked),
                None => self.guards.restrict(&self.store, verdicts, &asked),
            }
        })
    }

    /// Whether `session` would be allowed all of `actions`; records nothing.
    pub(crate) fn would_allow(
        &self,
        session: &Session,
        actions: &[&'static str],
        resource: &ResourcePath,
    ) -> bool {
        let Ok(bucket) = self.bucket_of(resource) else {
            return false;
        };
        let put = Put {
            actions,
            resource,
            bucket: bucket.as_deref(),
            extra: &[],
            columns: None,
        };
        self.verdicts(session, &put, None).allowed
    }

    /// Whether a session's credential is still what it was when the request began: not revoked, switched off or
    /// deleted, and with the same rights. Costs one comparison while nothing has changed.
    pub(crate) fn is_in_force(&self, session: &Session) -> Result<bool> {
        let known = session.identity();
        if known.credential.is_none() || known.generation == self.directory.generation() {
            return Ok(true);
        }
        // Something changed since. What the session may do now is decided by its next request; here it is enough
        // that it still is.
        let renewed = self.directory.renew(&self.store, known, self.clock.now())?;
        Ok(renewed.is_some())
    }
}

fn makes_bucket(ask: &Ask) -> bool {
    ask.actions.contains(&"s3:CreateBucket")
}

/// `columns`: those that it is refused for, if for nothing else.
fn access_denied(columns: &[String], id: RecordId) -> Error {
    let of_columns = match columns {
        [] => String::new(),
        [column] => format!(" to the column {column:?}"),
        several => format!(" to the columns {several:?}"),
    };
    let text = format!("Access Denied{of_columns} (decision {id})");
    Error::new(ErrorKind::Denied, "AccessDenied", text)
}
