//! Sessions for the files of one table: what the Iceberg door gives to engines, so that they read and write a table's files by S3.
//!
//! Such a session is its maker's own, less whatever is not the table's folder and the mode. That limit is a value (a bucket, a table's id, a
//! mode) and never a pattern made of names.
//!
//! Invariants
//! - it has no right that its maker lacks when it is used: policies are asked as for the maker;
//! - it reaches keys in the table's folder by S3's actions on data, and makes no other sessions;
//! - it ends after [`SECONDS`], and with whatever its maker's credential ends with.
//!
//! Deliberately absent: what a table is ([`crate::tables`]), the protocol.

use std::{collections::HashMap, sync::Arc};

use craton_base::{ResourcePath, Result, Timestamp};
use parking_lot::Mutex;

use super::issue::{Issued, actor_record, made_from};
use crate::{
    ask::Ask,
    directory::{FilesRecord, Identity, SessionRecord},
    gate::{Gate, Verdicts},
    session::Session,
    tables,
};

/// How long such a session lasts, in seconds.
const SECONDS: u32 = 3600;

/// The most of them that are kept to be given again.
const KEPT_MAX: usize = 4096;

/// A credential, and what a session was made from it for.
type Key = (Arc<str>, FilesRecord);

/// Those that were given, by whose credential and for what: one that has half its time left is given again.
#[derive(Default)]
pub(crate) struct Vended(Mutex<HashMap<Key, Arc<Issued>>>);

impl Vended {
    /// One that lasts for another half of the time, or as long as a new one would: until `end`.
    fn find(&self, key: &Key, now: Timestamp, end: Timestamp) -> Option<Arc<Issued>> {
        let found = self.0.lock().get(key).cloned();
        found.filter(|issued| {
            let half = issued.expires.since(now).as_secs() > u64::from(SECONDS / 2);
            issued.expires > now && (half || issued.expires >= end)
        })
    }

    fn keep(&self, key: Key, issued: &Arc<Issued>, now: Timestamp) {
        let mut kept = self.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, issued| issued.expires > now);
        }
        if kept.len() < KEPT_MAX {
            kept.insert(key, issued.clone());
        }
    }
}

impl Gate {
    /// A session of the caller's own for the files of the table that `table` names, to read or also to write them; `None` for who has no
    /// sessions: root, nobody, and who has only such a session.
    ///
    /// # Errors
    /// `Denied` by a guard policy; the store's own.
    pub async fn vend(
        &self,
        session: &Session,
        table: &ResourcePath,
        writes: bool,
    ) -> Result<Option<Arc<Issued>>> {
        let identity = session.identity();
        let (Some(bucket), Some(id), Some(credential)) =
            (table.bucket(), tables::id_of(table), identity.credential.clone())
        else {
            return Ok(None);
        };
        if !session.makes_sessions() {
            return Ok(None);
        }
        let files = FilesRecord {
            bucket: bucket.to_string(),
            table: id.to_owned(),
            writes,
        };
        let (key, now) = ((credential, files), self.inner.clock.now());
        let end = identity
            .session
            .as_ref()
            .map_or(Timestamp(u64::MAX), |s| s.expires);
        if let Some(known) = self.inner.vended.find(&key, now, end)
            && self.inner.is_in_force(session)?
        {
            return Ok(Some(known));
        }
        let ask = Ask::new(
            "VendCredentials",
            "craton:GrantToken",
            ResourcePath::System("sessions".into()),
        );
        let permit = self.write_decided(session, ask, Verdicts::always())?;
        let record = self.vended_session(identity, key.1.clone(), end);
        let names = (session.arn().to_owned(), session.user_id().to_owned());
        let issued = Arc::new(self.issue(&permit, record, names).await?);
        self.inner.vended.keep(key, &issued, now);
        Ok(Some(issued))
    }

    fn vended_session(&self, identity: &Identity, files: FilesRecord, end: Timestamp) -> SessionRecord {
        let record = self.session_until(SECONDS);
        let of = identity.session.as_ref();
        let text = |of: Option<&Arc<str>>| of.map(ToString::to_string).unwrap_or_default();
        SessionRecord {
            actor: actor_record(identity, 0),
            chain: (1..=identity.chain.len())
                .filter_map(|n| actor_record(identity, n))
                .collect(),
            source_identity: text(of.and_then(|s| s.source_identity.as_ref())),
            run: text(of.and_then(|s| s.run.as_ref())),
            purpose: text(of.and_then(|s| s.purpose.as_ref())),
            made_from: made_from(identity),
            without_iam: true,
            files: Some(files),
            expires_micros: record.expires_micros.min(end.micros()),
            ..record
        }
    }
}
