//! What a session has read marks it: the labels of an object, a table or a graph are the session's before it gets anything of it.
//!
//! Labels are in the session's entry, so they outlive a restart, and those made from a session have its labels too. Who has no
//! session but an access key picks up none: a key is for years, and would end with every label that there is.
//!
//! Invariants: the mark is committed before the permit exists; a session has at most [`LABELS_MAX`], and reads nothing that
//! would give it more.
//!
//! Limit: labels of what is read are looked at only while a guard policy looks at the labels of sessions.
//!
//! Deliberately absent: what labels mean, which guard policies say.

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_guard::actions::{self, Level};
use craton_store::{namespace::Precondition, store::Transaction};

use crate::{
    ask::Ask,
    configuration::state::BucketState,
    directory::{SessionRecord, session_key, stored_value},
    gate::{Gate, Inner},
    session::Session,
    tables,
};

/// Labels of a session, at most.
const LABELS_MAX: usize = 64;

/// How often a mark is tried again when the session's entry has changed meanwhile.
const TRIES: usize = 8;

impl Gate {
    /// Marks a session with the labels of what it is about to read.
    ///
    /// # Errors
    /// `TooLarge`, `TooManyLabels`; the store's own.
    pub(crate) async fn pick_up_labels(
        &self,
        session: &Session,
        ask: &Ask,
        bucket: Option<&BucketState>,
    ) -> Result<()> {
        let Some(id) = session
            .session_id()
            .filter(|_| self.inner.guards.looks_at_labels())
        else {
            return Ok(());
        };
        let found = match bucket {
            Some(bucket) => self.inner.labels_of(ask, bucket)?,
            None => Vec::new(),
        };
        if found.iter().all(|label| session.labels().contains(label)) {
            return Ok(());
        }
        let id = id.to_owned();
        self.blocking(move |gate| gate.inner.mark(&id, &found)).await
    }
}

impl Inner {
    /// The labels of what an ask reads: an object, a table, a graph.
    fn labels_of(&self, ask: &Ask, bucket: &BucketState) -> Result<Vec<String>> {
        let reads = |action: &&str| actions::find(action).is_some_and(|a| a.level == Level::Read);
        if !ask.actions.iter().any(reads) {
            return Ok(Vec::new());
        }
        let mut labels = bucket.access.graph_labels(&ask.resource).to_vec();
        if let Some(id) = tables::id_of(&ask.resource) {
            let row = self.table_row(Some(bucket), id)?;
            labels.extend(row.unwrap_or_default().labels);
        }
        if matches!(ask.resource, ResourcePath::Object(..)) {
            labels.extend(self.labels_of_object(ask, bucket));
        }
        Ok(labels)
    }

    fn labels_of_object(&self, ask: &Ask, bucket: &BucketState) -> Vec<String> {
        let tags = self.object_tags(bucket, &ask.resource, &ask.context);
        let tags: Vec<_> = tags
            .unwrap_or_default()
            .list
            .into_iter()
            .map(|t| (t.key, t.value))
            .collect();
        craton_guard::labels(&tags)
    }

    /// Adds labels to a session's entry.
    fn mark(&self, id: &str, found: &[String]) -> Result<()> {
        let key = session_key(id);
        for _ in 0..TRIES {
            let stored = self.store.get(&key, Sequence::MAX)?;
            let stored = stored.ok_or_else(|| Error::internal("a session's entry is gone"))?;
            let mut record = SessionRecord::from_stored(&stored)?;
            record.labels.extend_from_slice(found);
            record.labels.sort_unstable();
            record.labels.dedup();
            if record.labels.len() > LABELS_MAX {
                let text = format!("a session picks up at most {LABELS_MAX} labels");
                return Err(Error::new(ErrorKind::TooLarge, "TooManyLabels", text));
            }
            let transaction = Transaction {
                preconditions: vec![Precondition::At(key.clone(), stored.sequence)],
                puts: vec![(key.clone(), stored_value(&record))],
                ..Transaction::default()
            };
            match self.store.commit_blocking(transaction) {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                Err(e) => return Err(e),
                Ok(_) => {
                    self.directory.forget();
                    return Ok(());
                }
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "OperationAborted",
            "the session is being changed; try again",
        ))
    }
}
