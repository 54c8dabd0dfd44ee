//! Operations that wait: shown, approved, rejected, and taken away when their time is over.
//!
//! Who asked is shown their own. Others need `craton:ListPending` to see, and `craton:ApproveDeletion` on the bucket to answer.

use craton_base::{BucketName, Error, Kind as ErrorKind, ResourcePath, Result, Timestamp};
use craton_store::{
    namespace::{Change, Precondition},
    store::Transaction,
};

pub use super::rows::{PendingState, PendingThing};
use super::{
    pass::PENDING_FACT,
    rows::{self, PendingRecord, Row},
};
use crate::{
    ask::Ask,
    directory::stored_value,
    gate::{Gate, Inner, Verdicts},
    ledger::{Record, RecordKind, RecordedFact},
    session::Session,
};

/// The key under which records name what an operation destroys.
const DESTROYS_FACT: &str = "craton:destroys";

/// An operation that waits, or was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingInfo {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: PendingState,
    /// The bucket that it destroys something in.
    pub bucket: String,
    /// What its door calls it.
    pub operation: String,
    /// The door that it was asked for at.
    pub door: String,
    /// Who asked.
    pub principal: String,
    /// For whom, nearest first.
    pub chain: Vec<String>,
    /// In which session.
    pub session: String,
    /// In which run.
    pub run: String,
    /// What for.
    pub purpose: String,
    /// What it destroys, the first of them.
    pub things: Vec<PendingThing>,
    /// How many more there are.
    pub things_more: u64,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it waits, or the approval lasts.
    pub until: Timestamp,
    /// Who answered; empty while nobody did.
    pub answered_by: String,
    /// When.
    pub answered: Timestamp,
}

impl PendingInfo {
    fn of(row: &Row) -> Self {
        let record = row.record.clone();
        Self {
            id: row.id.clone(),
            state: record.state(),
            bucket: record.bucket,
            operation: record.operation,
            door: record.door,
            principal: record.principal,
            chain: record.chain,
            session: record.session,
            run: record.run,
            purpose: record.purpose,
            things: record.things,
            things_more: record.things_more,
            asked: Timestamp(record.asked_micros),
            until: Timestamp(record.until_micros),
            answered_by: record.answered_by,
            answered: Timestamp(record.answered_micros),
        }
    }
}

fn path(id: &str) -> ResourcePath {
    ResourcePath::System(format!("pending/{id}"))
}

fn no_such(id: &str) -> Error {
    let text = format!("no operation waits as {id:?}");
    Error::new(ErrorKind::NotFound, "NoSuchPending", text)
}

fn own() -> Verdicts {
    Verdicts {
        statements: vec!["own-operation".to_owned()],
        ..Verdicts::always()
    }
}

impl Gate {
    /// The operations that wait or were answered, of all buckets or of one; those whose time is over are none.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_pending(
        &self,
        session: &Session,
        bucket: Option<&BucketName>,
    ) -> Result<Vec<PendingInfo>> {
        let ask = Ask::new(
            "ListPending",
            "craton:ListPending",
            ResourcePath::System("pending".into()),
        );
        let _permit = self.read(session, ask).await?;
        let now = self.inner.clock.now();
        let all = rows::all(&self.inner.store)?;
        let is_asked =
            |row: &&Row| bucket.is_none_or(|b| b.as_str() == row.record.bucket) && now < row.until();
        let mut out: Vec<PendingInfo> = all.iter().filter(is_asked).map(PendingInfo::of).collect();
        out.sort_by_key(|pending| pending.asked);
        Ok(out)
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchPending`; `Denied` for another's without the right.
    pub async fn pending(&self, session: &Session, id: &str) -> Result<PendingInfo> {
        let found = self.inner.pending_now(id)?;
        let is_own = found
            .as_ref()
            .is_some_and(|row| row.record.principal == session.principal());
        let ask = Ask::new("GetPending", "craton:ListPending", path(id));
        let permit = match is_own {
            true => self.read_decided(session, ask, own())?,
            false => self.read(session, ask).await?,
        };
        let found = found.ok_or_else(|| no_such(id));
        found
            .map(|row| PendingInfo::of(&row))
            .inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// Approves an operation, or rejects it. An answer can be changed until the operation is carried out or its time is over.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchPending`; `Denied`, also with `OwnOperation` or `AgentsDoNotApprove`; `Busy`, `PendingDone` for one that was
    /// carried out.
    pub async fn answer_pending(&self, session: &Session, id: &str, approves: bool) -> Result<PendingInfo> {
        let Some(row) = self.inner.pending_now(id)? else {
            // Who may not answer any learns nothing.
            let ask = Ask::new("GetPending", "craton:ApproveDeletion", path(id));
            let permit = self.read(session, ask).await?;
            permit.failed(ErrorKind::NotFound, "NoSuchPending");
            return Err(no_such(id));
        };
        let (operation, state) = match approves {
            true => ("ApproveOperation", PendingState::Approved),
            false => ("RejectOperation", PendingState::Rejected),
        };
        let bucket = ResourcePath::Bucket(BucketName::new(&row.record.bucket)?);
        let ask = Ask::new(operation, "craton:ApproveDeletion", bucket).with(PENDING_FACT, id);
        let permit = self.read(session, ask).await?;
        let answered = self.answer(session, row, (operation, state)).await;
        answered.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn answer(
        &self,
        session: &Session,
        row: Row,
        (operation, state): (&'static str, PendingState),
    ) -> Result<PendingInfo> {
        self.inner.check_answers(session, &row.record.askers)?;
        let over = |text: String| Error::new(ErrorKind::Busy, "PendingDone", text);
        if row.record.state() == PendingState::Done {
            return Err(over(format!("the operation {} was carried out", row.id)));
        }
        let now = self.inner.clock.now();
        let mut record = row.record.clone();
        record.set_state(state);
        session.principal().clone_into(&mut record.answered_by);
        record.answered_micros = now.micros();
        let hold = std::time::Duration::from_secs(record.hold_seconds);
        record.until_micros = now.plus(hold).micros();
        let mut transaction = Transaction::default();
        let key = rows::key(&row.id);
        let unchanged = Precondition::At(key.clone(), row.sequence);
        transaction.preconditions.push(unchanged);
        transaction
            .plain
            .push(self.say(session, operation, &row.id, &record)?);
        transaction.puts.push((key, stored_value(&record)));
        let committed = self
            .inner
            .store
            .commit(transaction)
            .await
            .map_err(|e| match e.kind() {
                ErrorKind::Precondition => over(format!(
                    "the operation {} was answered or carried out meanwhile",
                    row.id
                )),
                _ => e,
            })?;
        Ok(PendingInfo::of(&Row {
            record,
            sequence: committed.sequence,
            ..row
        }))
    }

    /// The change that tells the ledger what becomes of an operation, for the commit that makes it so. It names no action: what was
    /// decided is in a record of its own.
    pub(super) fn say(
        &self,
        session: &Session,
        operation: &'static str,
        id: &str,
        row: &PendingRecord,
    ) -> Result<Change> {
        let ask = Ask {
            operation,
            actions: Vec::new(),
            resource: path(id),
            context: Vec::new(),
            columns: None,
        };
        let mut record = self.record_of(session, &ask);
        describe(&mut record, id, row);
        self.inner.ledger.write_change(&mut record)
    }
}

fn describe(record: &mut Record, id: &str, row: &PendingRecord) {
    record.kind = RecordKind::Write.into();
    record.result = "ok".to_owned();
    record.bucket.clone_from(&row.bucket);
    record.facts.push(RecordedFact {
        key: PENDING_FACT.to_owned(),
        value: id.to_owned(),
    });
    let things: Vec<String> = row.things.iter().map(text).collect();
    record.note_facts(things.iter().map(|thing| (DESTROYS_FACT, thing.as_str())));
}

fn text(thing: &PendingThing) -> String {
    let becomes = match thing.becomes.as_str() {
        "" => String::new(),
        becomes => format!(" -> {becomes}"),
    };
    format!("{} {}@{}{becomes}", thing.sort, thing.name, thing.version)
}

impl Inner {
    /// One that waits or was answered, unless its time is over.
    fn pending_now(&self, id: &str) -> Result<Option<Row>> {
        let found = rows::find(&self.store, id)?;
        Ok(found.filter(|row| self.clock.now() < row.until()))
    }

    /// The change that tells the ledger that the time of an operation is over.
    pub(super) fn expired(&self, row: &Row) -> Result<Change> {
        let mut record = Record::of(RecordKind::System);
        record.principal = "system".to_owned();
        record.operation = "ExpireOperation".to_owned();
        record.resource = path(&row.id).to_string();
        describe(&mut record, &row.id, &row.record);
        record.kind = RecordKind::System.into();
        record.detail = match row.record.state() {
            PendingState::Approved => "the operation was approved and not carried out in time",
            _ => "the operation was not approved in time",
        }
        .to_owned();
        self.ledger.write_change(&mut record)
    }

    /// Takes away the rows of operations whose time is over, and tells the ledger of those that were open.
    pub(crate) fn expire_pending(&self) -> Result<()> {
        let now = self.clock.now();
        for row in rows::all(&self.store)?
            .into_iter()
            .filter(|row| row.until() <= now)
        {
            let key = rows::key(&row.id);
            let mut transaction = Transaction::default();
            transaction
                .preconditions
                .push(Precondition::At(key.clone(), row.sequence));
            transaction.deletes.push(key);
            if row.record.is_open() {
                transaction.plain.push(self.expired(&row)?);
            }
            match self.store.commit_blocking(transaction) {
                // It was asked for or answered meanwhile.
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => drop(done?),
            }
        }
        Ok(())
    }
}
