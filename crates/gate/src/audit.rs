//! Reading the ledger: permitted and recorded like any other access.
//!
//! Deliberately absent: the ledger's own format ([`crate::ledger`]).

use craton_base::{ResourcePath, Result};

use crate::{
    ask::Ask,
    gate::Gate,
    ledger::{Entry, Filter, Listing, Receipt, RecordId, Verified, VerifyOptions},
    session::Session,
};

/// What was forgotten of a principal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Erased {
    /// Keys of records that were deleted: none if nothing was recorded.
    pub subjects: usize,
    /// Runs that have other names now.
    pub runs: u64,
}

fn ledger_ask(operation: &'static str) -> Ask {
    Ask::new(
        operation,
        "craton:ReadLedger",
        ResourcePath::System("ledger".into()),
    )
}

impl Gate {
    /// Records that match, newest first.
    ///
    /// # Errors
    /// `Denied`; the ledger's own.
    pub async fn audit_list(&self, session: &Session, filter: Filter) -> Result<Listing> {
        let _permit = self.read(session, ledger_ask("ListRecords")).await?;
        self.blocking(move |gate| {
            gate.ledger().integrate()?;
            gate.ledger().reader().list(&filter)
        })
        .await
    }

    /// Records from a place in the tree on, in its order, at most `limit`, and the place after them.
    ///
    /// # Errors
    /// `Denied`; the ledger's own.
    pub async fn audit_from(&self, session: &Session, from: u64, limit: usize) -> Result<(Vec<Entry>, u64)> {
        let _permit = self.read(session, ledger_ask("ListRecords")).await?;
        self.blocking(move |gate| {
            gate.ledger().integrate()?;
            gate.ledger().reader().list_from(from, limit)
        })
        .await
    }

    /// Checks the whole ledger; given an earlier checkpoint, also that it still begins with what that one signed.
    ///
    /// # Errors
    /// `Denied`; `Corrupt` with the first problem and its place; the ledger's own.
    pub async fn audit_verify(&self, session: &Session, earlier: Option<String>) -> Result<Verified> {
        let _permit = self.read(session, ledger_ask("VerifyLedger")).await?;
        self.blocking(move |gate| {
            gate.ledger().integrate()?;
            let journal = &*gate.inner.store.parts().journal;
            let earlier = earlier.as_deref();
            gate.ledger().reader().verify(VerifyOptions {
                earlier,
                journal: Some(journal),
                progress: None,
            })
        })
        .await
    }

    /// A record with the proof that it is in the ledger.
    ///
    /// # Errors
    /// `Denied`; `NotFound`.
    pub async fn audit_prove(&self, session: &Session, id: RecordId) -> Result<Receipt> {
        let _permit = self.read(session, ledger_ask("ProveRecord")).await?;
        self.blocking(move |gate| {
            gate.ledger().integrate()?;
            let reader = gate.ledger().reader();
            reader.prove(reader.find(id)?.index)
        })
        .await
    }

    /// The newest signed checkpoint, and the key that verifies it.
    ///
    /// # Errors
    /// `Denied`; the ledger's own.
    pub async fn audit_checkpoint(&self, session: &Session) -> Result<(String, String)> {
        let _permit = self.read(session, ledger_ask("GetCheckpoint")).await?;
        self.blocking(|gate| {
            gate.ledger().integrate()?;
            let reader = gate.ledger().reader();
            Ok((reader.checkpoint()?.0, reader.verifier().to_string()))
        })
        .await
    }

    /// Forgets a principal: deletes the key of its records, and gives its runs names that say nothing. Repeat it if it fails: it goes on.
    ///
    /// # Errors
    /// `Denied`; the ledger's own; the store's own.
    pub async fn erase_subject(&self, session: &Session, principal: &str) -> Result<Erased> {
        let path = ResourcePath::System("ledger".into());
        // The name stands in no record of it.
        let ask = Ask::new("EraseSubject", "craton:EraseSubject", path);
        let permit = self.read(session, ask).await?;
        let principal = principal.to_owned();
        let erased = self.blocking(move |gate| {
            // What its records say of runs is in the rows before nobody can read them any more.
            gate.inner.lineage.settle()?;
            let subjects = gate.ledger().erase_subject(&principal)?;
            let runs = gate.inner.lineage.erase(&principal, &*gate.inner.random)?;
            Ok(Erased { subjects, runs })
        });
        erased.await.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// Signs a statement of a type by the key that signs checkpoints: the key's name, and the signature in base64 (DSSE). Who makes a
    /// statement has been permitted what it says.
    ///
    /// # Errors
    /// `Internal`.
    pub fn sign_statement(&self, kind: &str, statement: &[u8]) -> Result<(String, String)> {
        let signed = self.ledger().sign(kind, statement)?;
        Ok((signed.key, signed.signature))
    }

    /// The log's name: the key that signs it is called so.
    #[must_use]
    pub fn log_name(&self) -> String {
        self.ledger().reader().verifier().name().to_owned()
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gate = self.clone();
        tokio::task::spawn_blocking(move || work(&gate))
            .await
            .map_err(|e| craton_base::Error::internal("the ledger's reader did not end").with_source(e))?
    }
}
