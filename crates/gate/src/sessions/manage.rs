//! Seeing and ending sessions.
//!
//! Invariant: what was revoked is refused from the moment that the call returns, and stays so.

use craton_base::{BranchId, BucketId};
use craton_base::{Error, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Direction, Kind, Precondition, Span},
    store::Transaction,
};

use crate::{
    ask::Ask,
    directory::{
        EntityRecord, HolderKind, SESSION_PREFIX, SessionRecord, holder_key, no_session, no_such,
        session_key, stored_value,
    },
    gate::{Gate, Inner, Verdicts},
    session::Session,
};

/// How many entries are looked at in one go.
const AT_ONCE: usize = 1000;

/// How long an entry is kept after its session has ended: sessions that were made from it may live so long.
const KEEP_SECONDS: u64 = 129_600;

/// A session as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub id: String,
    /// Who acts: a user's name, or `role/<name>`.
    pub principal: String,
    /// The role session's name.
    pub session_name: String,
    /// For whom it acts, nearest first.
    pub chain: Vec<String>,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Who is behind it.
    pub source_identity: String,
    /// What it is for.
    pub purpose: String,
    /// The run that it is for.
    pub run: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl Gate {
    /// Ends a session before its time, and those that were made from it. One that is over already is no error.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn revoke_session(&self, session: &Session, id: &str) -> Result<()> {
        let ask = Ask::new(
            "RevokeSession",
            "craton:RevokeSession",
            ResourcePath::System(format!("sessions/{id}")),
        );
        // Everyone may end one's own.
        let permit = if session.session_id() == Some(id) {
            self.write_decided(session, ask, Verdicts::always())?
        } else {
            self.write(session, ask).await?
        };
        if !id.starts_with(SESSION_PREFIX) {
            return Err(no_session(id));
        }
        let key = session_key(id);
        let stored = self.inner.store.get(&key, Sequence::MAX)?;
        let stored = stored.ok_or_else(|| no_session(id))?;
        let record = SessionRecord {
            revoked: true,
            ..SessionRecord::from_stored(&stored)?
        };
        let mut transaction = Transaction::default();
        transaction.preconditions.push(Precondition::Present(key.clone()));
        transaction.puts.push((key, stored_value(&record)));
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// Ends every session of a user or role that began before now.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn revoke_sessions_of(&self, session: &Session, kind: HolderKind, name: &str) -> Result<()> {
        let key = holder_key(kind, name);
        let part = format!("sessions/of/{}/{name}", kind.word());
        let ask = Ask::new(
            "RevokeSessionsOf",
            "craton:RevokeSession",
            ResourcePath::System(part),
        );
        let permit = self.write(session, ask).await?;
        let stored = self
            .inner
            .store
            .get(&key, Sequence::MAX)?
            .ok_or_else(|| no_such(kind, name))?;
        let record = EntityRecord {
            revoked_before_micros: self.inner.clock.now().micros(),
            ..EntityRecord::from_stored(&stored)?
        };
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::At(key.clone(), stored.sequence));
        transaction.puts.push((key, stored_value(&record)));
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// Sessions that have not expired, by id, after one, at most `limit` of them; and whether there are more.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_sessions(
        &self,
        session: &Session,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<SessionInfo>, bool)> {
        let ask = Ask::new(
            "ListSessions",
            "craton:ListSessions",
            ResourcePath::System("sessions".into()),
        );
        let _permit = self.read(session, ask).await?;
        let now = self.inner.clock.now();
        let mut out = Vec::new();
        let mut more = false;
        self.inner.each_session(after.unwrap_or_default(), |id, record| {
            if Timestamp(record.expires_micros) <= now {
                return true;
            }
            more = out.len() == limit;
            if !more {
                out.push(info(id, record));
            }
            !more
        })?;
        Ok((out, more))
    }

    /// Makes a new key that signs tokens; those before it go on to verify as long as their tokens live. Its id.
    ///
    /// # Errors
    /// `Denied`; `Busy`, `TooManySigningKeys`; the store's own.
    pub async fn rotate_signing_key(&self, session: &Session) -> Result<String> {
        let ask = Ask::new(
            "RotateSigningKey",
            "craton:RotateKeys",
            ResourcePath::System("keys".into()),
        );
        let permit = self.read(session, ask).await?;
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || inner.tokens.rotate(&inner.store)).await;
        let done = done
            .map_err(|e| Error::internal("a rotation of keys did not end").with_source(e))
            .flatten();
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done
    }
}

impl Inner {
    /// Calls `each` for the sessions after an id, in order, until it says no.
    fn each_session(&self, after: &str, mut each: impl FnMut(&str, &SessionRecord) -> bool) -> Result<()> {
        let mut start = after.as_bytes().to_vec();
        loop {
            if !start.is_empty() {
                start.push(0);
            }
            let span = Span {
                bucket: BucketId::SYSTEM,
                branch: BranchId::MAIN,
                kind: Kind::Session,
                start: start.clone().into(),
                end: None,
            };
            let page = self
                .store
                .scan(&span, Sequence::MAX, Direction::Forward, AT_ONCE)?;
            for stored in &page.entries {
                let id = String::from_utf8_lossy(&stored.key.name);
                if !each(&id, &SessionRecord::from_stored(stored)?) {
                    return Ok(());
                }
            }
            match page.entries.last().filter(|_| page.more) {
                Some(last) => start = last.key.name.to_vec(),
                None => return Ok(()),
            }
        }
    }

    /// Removes the entries of sessions that nothing rests on any more.
    pub(crate) fn collect_sessions(&self) -> Result<()> {
        let now = self.clock.now().seconds();
        let mut old = Vec::new();
        self.each_session("", |id, record| {
            // Nothing is made from those for files.
            let keep = if record.files.is_some() { 0 } else { KEEP_SECONDS };
            if Timestamp(record.expires_micros).seconds().saturating_add(keep) < now {
                old.push(session_key(id));
            }
            old.len() < AT_ONCE
        })?;
        if old.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            deletes: old,
            ..Transaction::default()
        };
        self.store.commit_blocking(transaction).map(drop)
    }
}

fn info(id: &str, record: &SessionRecord) -> SessionInfo {
    let name = |actor: &crate::directory::ActorRecord| match actor.kind {
        2 => format!("role/{}", actor.name),
        _ => actor.name.clone(),
    };
    SessionInfo {
        id: id.to_owned(),
        principal: record.actor.as_ref().map(name).unwrap_or_default(),
        session_name: record
            .actor
            .as_ref()
            .map(|a| a.session_name.clone())
            .unwrap_or_default(),
        chain: record.chain.iter().map(name).collect(),
        issued: Timestamp(record.issued_micros),
        expires: Timestamp(record.expires_micros),
        source_identity: record.source_identity.clone(),
        purpose: record.purpose.clone(),
        run: record.run.clone(),
        revoked: record.revoked,
    }
}
