//! Reading the ledger, and asking what would be decided: permitted and recorded like any other access.
//!
//! Deliberately absent: the ledger's own format ([`crate::ledger`]).

use craton_base::{BucketName, Error, Kind as ErrorKind, PrincipalName, ResourcePath, Result};

use crate::{
    access,
    ask::Ask,
    gate::Gate,
    ledger::{Entry, Filter, Listing, Receipt, Record, RecordId, Verified, VerifyOptions},
    policy,
    session::Session,
};

/// A question: what would be decided?
#[derive(Clone, Debug)]
pub struct Question {
    /// For whom.
    pub principal: PrincipalName,
    /// The action: `s3:GetObject`.
    pub action: String,
    /// The resource's ARN: `arn:aws:s3:::bucket/key`.
    pub resource: String,
    /// Condition keys and their values.
    pub context: Vec<(String, String)>,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it would be allowed.
    pub allowed: bool,
    /// `allow`, `explicit-deny` or `implicit-deny`.
    pub verdict: &'static str,
    /// The statements that decide, as `policy#sid`.
    pub statements: Vec<String>,
    /// The same in words, and what would have to change.
    pub explanation: String,
}

/// The bucket that an ARN lies in, if it is of S3.
fn bucket_of(arn: &str) -> Option<BucketName> {
    let path = arn.strip_prefix("arn:aws:s3:::")?;
    BucketName::new(path.split('/').next().unwrap_or_default()).ok()
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

    /// The record of a decision, by the id that the client was given with a denial.
    ///
    /// # Errors
    /// `Denied`; `NotFound`.
    pub async fn explain_decision(&self, session: &Session, id: RecordId) -> Result<Record> {
        let _permit = self.read(session, ledger_ask("ExplainDecision")).await?;
        let erased = || {
            Error::new(
                ErrorKind::NotFound,
                "SubjectErased",
                "the record's subject was erased",
            )
        };
        self.blocking(move |gate| gate.ledger().explain_id(id)?.ok_or_else(erased))
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

    /// What would be decided, and why. Nothing is accessed.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchEntity`; `Invalid` for a condition key or ARN that is not one.
    pub async fn explain(&self, session: &Session, question: Question) -> Result<Answer> {
        let resource = ResourcePath::System(format!("users/{}", question.principal));
        let ask = Ask::new("Explain", "iam:SimulatePrincipalPolicy", resource);
        let _permit = self.read(session, ask).await?;
        let inner = &self.inner;
        let user = inner.directory.user(&inner.store, question.principal.as_str())?;
        let user = user.ok_or_else(|| crate::directory::no_such_user(question.principal.as_str()))?;
        let mut context = policy::Context::new();
        let actor = crate::directory::Actor::plain(user);
        access::identify(&actor, &mut context)?;
        context.set_time(inner.clock.now())?;
        for (key, value) in &question.context {
            context.set(key, value.as_str())?;
        }
        let request = policy::Request {
            action: &question.action,
            resource: &question.resource,
            context: &context,
        };
        let bucket = bucket_of(&question.resource)
            .map(|name| inner.bucket(&name))
            .transpose()?;
        let bucket = bucket.flatten();
        let caller = access::caller(&actor);
        let guarded = bucket.as_ref().and_then(|b| access::guarded(&b.access, caller));
        let decision = actor.policies.decide_about(&request, guarded);
        let statements: Vec<String> = decision.statements.iter().map(ToString::to_string).collect();
        let (verdict, explanation) = access::explain(decision.kind, &question, &statements);
        Ok(Answer {
            allowed: decision.allowed,
            verdict,
            statements,
            explanation,
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gate = self.clone();
        tokio::task::spawn_blocking(move || work(&gate))
            .await
            .map_err(|e| craton_base::Error::internal("the ledger's reader did not end").with_source(e))?
    }
}
