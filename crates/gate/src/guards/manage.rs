//! Changing guard policies: each change is decided on `/system/guard/<name>`, checked in full before it is stored, recorded
//! in its own commit, and in force when the call returns.

use std::sync::Arc;

use craton_base::{Error, Kind as ErrorKind, PrincipalName, ResourcePath, Result, Timestamp};
use craton_guard::{DOCUMENT_BYTES_MAX, Document, POLICIES_MAX, Rules};
use craton_store::{store::Transaction, value::Value};
use prost::Message as _;
use tokio::sync::OwnedMutexGuard;

use super::{GuardRecord, State, key, stored};
use crate::{ask::Ask, gate::Gate, permit::WritePermit, session::Session};

/// The most documents of guard policies.
pub const GUARD_DOCUMENTS_MAX: usize = 1000;

/// The most names that are not there of which a check warns.
const WARNINGS_MAX: usize = 100;

/// A document of guard policies as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardDocument {
    /// Its name.
    pub name: String,
    /// Its text, in Cedar.
    pub text: String,
    /// When it was set.
    pub set: Timestamp,
    /// By whom.
    pub set_by: String,
}

/// What a check of a document found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The names of its policies, as decisions show them.
    pub policies: Vec<String>,
    /// What is allowed and perhaps not meant.
    pub warnings: Vec<String>,
}

fn path(name: &str) -> ResourcePath {
    ResourcePath::System(format!("guard/{name}"))
}

impl Gate {
    /// Sets a document of guard policies. In force when this returns.
    ///
    /// # Errors
    /// `Invalid`, `MalformedPolicyDocument`, with what is wrong; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn put_guard_policy(
        &self,
        session: &Session,
        name: &PrincipalName,
        text: String,
    ) -> Result<Checked> {
        let ask = Ask::new("PutGuardPolicy", "craton:PutGuardPolicy", path(name.as_str()));
        let permit = self.write(session, ask).await?;
        let changing = self.inner.guards.changing.clone().lock_owned().await;
        let (document, checked) = self.checked_with_names(name, &text).await?;
        let mut documents: Vec<Arc<Document>> = self.others(name);
        documents.push(Arc::new(document));
        let policies: usize = documents.iter().map(|d| d.len()).sum();
        if documents.len() > GUARD_DOCUMENTS_MAX || policies > POLICIES_MAX {
            let text = format!(
                "there are at most {GUARD_DOCUMENTS_MAX} documents with {POLICIES_MAX} guard policies together"
            );
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let record = GuardRecord {
            text,
            set_micros: self.inner.clock.now().micros(),
            set_by: session.principal().to_owned(),
        };
        let mut transaction = Transaction::default();
        let value = Value::of_meta(record.encode_to_vec());
        transaction.puts.push((key(name.as_str()), value));
        self.change(permit, changing, transaction, name, documents)
            .await?;
        Ok(checked)
    }

    /// Deletes a document of guard policies. It counts no more when this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_guard_policy(&self, session: &Session, name: &PrincipalName) -> Result<()> {
        let ask = Ask::new(
            "DeleteGuardPolicy",
            "craton:DeleteGuardPolicy",
            path(name.as_str()),
        );
        let permit = self.write(session, ask).await?;
        let changing = self.inner.guards.changing.clone().lock_owned().await;
        self.guard_record(name)?;
        let mut transaction = Transaction::default();
        transaction.deletes.push(key(name.as_str()));
        self.change(permit, changing, transaction, name, self.others(name))
            .await
    }

    /// A document of guard policies.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn guard_policy(&self, session: &Session, name: &PrincipalName) -> Result<GuardDocument> {
        let ask = Ask::new("GetGuardPolicy", "craton:GetGuardPolicy", path(name.as_str()));
        let _permit = self.read(session, ask).await?;
        let record = self.guard_record(name)?;
        Ok(record.named(name.as_str().to_owned()))
    }

    /// Every document of guard policies.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_guard_policies(&self, session: &Session) -> Result<Vec<GuardDocument>> {
        let resource = ResourcePath::System("guard".into());
        let ask = Ask::new("ListGuardPolicies", "craton:ListGuardPolicies", resource);
        let _permit = self.read(session, ask).await?;
        let all = stored(&self.inner.store)?;
        Ok(all.into_iter().map(|(name, record)| record.named(name)).collect())
    }

    /// Checks a document as [`Gate::put_guard_policy`] would, and keeps nothing.
    ///
    /// # Errors
    /// As [`Gate::put_guard_policy`].
    pub async fn check_guard_policy(
        &self,
        session: &Session,
        name: &PrincipalName,
        text: &str,
    ) -> Result<Checked> {
        self.ask_about_guards(session, "CheckGuardPolicy").await?;
        self.checked_with_names(name, text)
            .await
            .map(|(_, checked)| checked)
    }

    /// A document checked in full, with what it names that is not there.
    async fn checked_with_names(&self, name: &PrincipalName, text: &str) -> Result<(Document, Checked)> {
        let document = self.checked(name, text).await?;
        self.beside(move |gate| {
            gate.inner.refuse_unknown_columns(&document)?;
            let mut checked = Checked::of(&document);
            let in_vain = gate.inner.named_in_vain(&document)?.into_iter();
            let warnings = in_vain
                .take(WARNINGS_MAX)
                .map(|f| format!("{}: {}", f.statement, f.message));
            checked.warnings.extend(warnings);
            Ok((document, checked))
        })
        .await
    }

    /// The schema that guard policies are checked against, with what there is that they can name.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn guard_schema(&self, session: &Session) -> Result<String> {
        self.ask_about_guards(session, "GetGuardSchema").await?;
        let session = session.clone();
        self.beside(move |gate| {
            let there_is = gate.inner.what_there_is(&session)?;
            Ok(format!("{}{there_is}", gate.inner.guards.language()?.schema()))
        })
        .await
    }

    async fn ask_about_guards(&self, session: &Session, operation: &'static str) -> Result<()> {
        let resource = ResourcePath::System("guard".into());
        let ask = Ask::new(operation, "craton:GetGuardPolicy", resource);
        self.read(session, ask).await.map(drop)
    }

    /// A document checked in full, beside the tasks: parsing a large one takes a while.
    pub(crate) async fn checked(&self, name: &PrincipalName, text: &str) -> Result<Document> {
        if text.len() > DOCUMENT_BYTES_MAX {
            let text = format!("a document of guard policies has at most {DOCUMENT_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let (name, text) = (name.as_str().to_owned(), text.to_owned());
        self.beside(move |gate| Document::check(gate.inner.guards.language()?, &name, &text))
            .await
    }

    /// Commits a change and puts it in force, in a task of its own: a caller that goes away in between must not leave
    /// the one without the other.
    async fn change(
        &self,
        permit: WritePermit,
        changing: OwnedMutexGuard<()>,
        transaction: Transaction,
        name: &PrincipalName,
        documents: Vec<Arc<Document>>,
    ) -> Result<()> {
        let (gate, name) = (self.clone(), name.clone());
        let task = tokio::spawn(async move {
            permit.commit_transaction(transaction).await?;
            gate.put_in_force(&name, documents).await?;
            drop(changing);
            Ok(())
        });
        task.await
            .map_err(|e| Error::internal("the change of a guard policy did not end").with_source(e))?
    }

    async fn put_in_force(&self, changed: &PrincipalName, documents: Vec<Arc<Document>>) -> Result<()> {
        let mut broken = self.inner.guards.state().broken.clone();
        broken.retain(|name| name != changed.as_str());
        self.beside(move |gate| {
            let rules = Rules::new(gate.inner.guards.language()?, documents);
            gate.inner.guards.put_in_force(State { rules, broken });
            Ok(())
        })
        .await
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gate = self.clone();
        tokio::task::spawn_blocking(move || work(&gate))
            .await
            .map_err(|e| Error::internal("the work on guard policies did not end").with_source(e))?
    }

    /// The documents in force beside the one of this name.
    pub(crate) fn others(&self, name: &PrincipalName) -> Vec<Arc<Document>> {
        let state = self.inner.guards.state();
        let others = state.rules.documents().iter();
        others.filter(|d| d.name() != name.as_str()).cloned().collect()
    }

    fn guard_record(&self, name: &PrincipalName) -> Result<GuardRecord> {
        let store = &self.inner.store;
        let found = store.get(&key(name.as_str()), store.latest())?;
        let found = found.ok_or_else(|| {
            let text = format!("there is no guard policy {name:?}");
            Error::new(ErrorKind::NotFound, "NoSuchEntity", text)
        })?;
        Ok(super::named_record(&found)?.1)
    }
}

impl GuardRecord {
    fn named(self, name: String) -> GuardDocument {
        GuardDocument {
            name,
            text: self.text,
            set: Timestamp(self.set_micros),
            set_by: self.set_by,
        }
    }
}

impl Checked {
    fn of(document: &Document) -> Self {
        Self {
            policies: document.policies().map(str::to_owned).collect(),
            warnings: document.warnings().to_vec(),
        }
    }
}
