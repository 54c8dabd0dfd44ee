//! Whether a commit may destroy what it destroys; and what is kept of one that may not yet.
//!
//! Invariant: a commit that uses an approval marks it as used, and expects that what it destroys is what was approved.

use std::sync::atomic::Ordering;

use craton_base::{Error, Kind as ErrorKind, Result, Timestamp};
use craton_store::{namespace::Precondition, store::Transaction};

use super::{
    Destroyed, OPERATION_PENDING, PENDING_IN_BUCKET_MAX, PENDING_MAX, PENDING_OF_PRINCIPAL_MAX, Shield,
    destroyed,
    rows::{self, PendingRecord, PendingState, Row},
};
use crate::{
    changes::Says,
    directory::stored_value,
    gate::Gate,
    ledger::{Record, RecordedFact},
    permit::WritePermit,
    session::PrincipalKind,
};

/// The key under which records name an operation that waited.
pub(super) const PENDING_FACT: &str = "craton:pending";

/// An approval that a commit uses up.
pub(crate) struct Approved(Row);

impl Approved {
    /// Marks it as used in the commit that uses it.
    pub(crate) fn use_up(&self, transaction: &mut Transaction, destroyed: &[Destroyed]) {
        let key = rows::key(&self.0.id);
        let unused = Precondition::At(key.clone(), self.0.sequence);
        let as_it_was = destroyed.iter().filter_map(|of| of.expects.clone());
        transaction.preconditions.extend(as_it_was.chain([unused]));
        let mut record = self.0.record.clone();
        record.set_state(PendingState::Done);
        transaction.puts.push((key, stored_value(&record)));
    }

    /// Names it in the record of the commit.
    pub(crate) fn describe(&self, record: &mut Record) {
        record.facts.push(RecordedFact {
            key: PENDING_FACT.to_owned(),
            value: self.0.id.clone(),
        });
    }
}

impl WritePermit {
    /// What changes destroy, in a bucket with a shield; nothing elsewhere.
    pub(crate) fn destroyed(&self, transaction: &Transaction, says: Says) -> Result<Vec<Destroyed>> {
        match (self.bucket_access(), self.bucket()) {
            (Ok(access), Ok(info)) if access.shield().is_some() => {
                destroyed(&self.gate.store, info, transaction, says)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Lets through what may be destroyed: all of it, or what was approved, which the commit then uses up.
    ///
    /// # Errors
    /// `Denied`, [`OPERATION_PENDING`], naming what waits; `Denied`, `OperationRejected`, `TooManyPending`.
    pub(crate) async fn pass_shield(&self, destroyed: &[Destroyed]) -> Result<Option<Approved>> {
        let shield = match destroyed {
            [] => None,
            _ => self.bucket_access()?.shield(),
        };
        let Some(shield) = shield else {
            return Ok(None);
        };
        let passed = self.ask_shield(shield, destroyed).await;
        passed.inspect_err(|error| self.failed(error.kind(), error.reason()))
    }

    async fn ask_shield(&self, shield: Shield, destroyed: &[Destroyed]) -> Result<Option<Approved>> {
        let (gate, session) = (&self.gate, self.session());
        let is_held = match shield.everyone {
            true => session.kind() != PrincipalKind::System,
            false => gate.is_agent(session)?,
        };
        if !is_held {
            return Ok(None);
        }
        let fingerprint = rows::fingerprint(session, self.bucket()?.id, destroyed);
        let id = rows::id_of(&fingerprint);
        let found = rows::find(&gate.store, &id)?;
        if self.passed_ahead.load(Ordering::Relaxed) {
            let is_approved = |row: &Row| row.record.state() == PendingState::Approved;
            return Ok(found.filter(is_approved).map(Approved));
        }
        if let Some(approved) = self.standing(found.as_ref(), &fingerprint)? {
            return Ok(Some(approved));
        }
        let _one_at_a_time = gate.shield.asking.lock().await;
        // Another request may have been first.
        let found = rows::find(&gate.store, &id)?;
        if let Some(approved) = self.standing(found.as_ref(), &fingerprint)? {
            return Ok(Some(approved));
        }
        self.keep_asked(&id, &fingerprint, (shield, destroyed), found.as_ref())
            .await?;
        Err(self.pending(&id))
    }

    /// How an operation stands that was asked for before: approved, or refused again. `None`: it is to be asked for.
    fn standing(&self, found: Option<&Row>, fingerprint: &[u8; 32]) -> Result<Option<Approved>> {
        let Some(row) = found.filter(|row| self.now() < row.until()) else {
            return Ok(None);
        };
        if row.record.fingerprint.as_ref() != fingerprint.as_slice() {
            let text = format!("another operation waits as {}; try again when it is over", row.id);
            return Err(Error::new(ErrorKind::Busy, "PendingTaken", text));
        }
        match row.record.state() {
            PendingState::Approved => Ok(Some(Approved(row.clone()))),
            PendingState::Done => Ok(None),
            PendingState::Waiting => Err(self.pending(&row.id)),
            PendingState::Rejected => {
                let text = format!(
                    "the operation {} was rejected by {}",
                    row.id, row.record.answered_by
                );
                Err(Error::new(ErrorKind::Denied, "OperationRejected", text))
            }
        }
    }

    /// The error of an operation that waits.
    fn pending(&self, id: &str) -> Error {
        self.session().origin().purse.note_pending(id);
        let text = format!(
            "the operation waits for the approval of somebody else, as {id}: once it is approved, repeat it"
        );
        Error::new(ErrorKind::Denied, OPERATION_PENDING, text)
    }

    /// Keeps an operation that is asked for, in the place of `before`.
    async fn keep_asked(
        &self,
        id: &str,
        fingerprint: &[u8; 32],
        (shield, destroyed): (Shield, &[Destroyed]),
        before: Option<&Row>,
    ) -> Result<()> {
        let (gate, session, now) = (&self.gate, self.session(), self.now());
        check_room(
            &rows::all(&gate.store)?,
            session.principal(),
            self.bucket()?.name.as_str(),
            now,
        )?;
        let mut record = Record::default();
        session.describe(&mut record);
        let mut row = PendingRecord {
            fingerprint: bytes::Bytes::copy_from_slice(fingerprint),
            bucket: self.bucket()?.name.to_string(),
            bucket_id: self.bucket()?.id.0,
            operation: self.operation().to_owned(),
            door: session.origin().door.to_owned(),
            principal: session.principal().to_owned(),
            chain: record.chain,
            askers: gate.askers(session)?.into_iter().collect(),
            session: record.session,
            run: record.run,
            purpose: record.purpose,
            asked_micros: now.micros(),
            until_micros: now.plus(shield.hold()).micros(),
            hold_seconds: shield.hold_seconds,
            ..PendingRecord::default()
        };
        row.name(destroyed);
        let mut transaction = Transaction::default();
        let key = rows::key(id);
        transaction.preconditions.push(match before {
            Some(before) => Precondition::At(key.clone(), before.sequence),
            None => Precondition::Absent(key.clone()),
        });
        if let Some(before) = before.filter(|before| before.record.is_open()) {
            transaction.plain.push(gate.expired(before)?);
        }
        let of = Gate { inner: gate.clone() };
        transaction
            .plain
            .push(of.say(session, "HoldOperation", id, &row)?);
        transaction.puts.push((key, stored_value(&row)));
        gate.store.commit(transaction).await.map(drop)
    }
}

/// Refuses one more where there are as many as there may be.
pub(super) fn check_room(all: &[Row], principal: &str, bucket: &str, now: Timestamp) -> Result<()> {
    let waits = |row: &&Row| row.record.state() == PendingState::Waiting && now < row.until();
    let of =
        |is: &dyn Fn(&PendingRecord) -> bool| all.iter().filter(waits).filter(|row| is(&row.record)).count();
    let (most, whose) = if of(&|row| row.principal == principal) >= PENDING_OF_PRINCIPAL_MAX {
        (PENDING_OF_PRINCIPAL_MAX, "of one principal")
    } else if of(&|row| row.bucket == bucket) >= PENDING_IN_BUCKET_MAX {
        (PENDING_IN_BUCKET_MAX, "in one bucket")
    } else if all.len() >= PENDING_MAX {
        (PENDING_MAX, "in all")
    } else {
        return Ok(());
    };
    let text = format!("there are at most {most} operations {whose} that wait for an approval");
    Err(Error::new(ErrorKind::Denied, "TooManyPending", text))
}
