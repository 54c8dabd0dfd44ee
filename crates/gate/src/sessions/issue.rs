//! Making a session's entry and the credentials that name it.

use craton_base::{Error, Kind as ErrorKind, Result, Secret, Timestamp, random};
use craton_guard::Restrictions;
use craton_store::{namespace::Precondition, store::Transaction};

use crate::{
    directory::{
        ACCOUNT, Actor, ActorRecord, Identity, SESSION_PREFIX, SessionRecord, TagRecord, session_key,
        stored_value,
    },
    gate::{Gate, Verdicts},
    identities::{ID_ALPHABET, SECRET_ALPHABET, letters},
    ledger::Verdict,
    permit::WritePermit,
    policy::{Decision, DecisionKind},
    session::{PrincipalKind, Session},
};

/// The most people and programs in a chain, the one who acts among them.
pub(super) const CHAIN_MAX: usize = 8;

/// The most credentials that a session rests on.
const MADE_FROM_MAX: usize = 32;

/// A new session. The only time that its secret is shown.
#[derive(Debug)]
pub struct Issued {
    /// The access key's id, which is the session's.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret: Secret,
    /// What requests carry beside the signature.
    pub token: Secret,
    /// When it ends.
    pub expires: Timestamp,
    /// The session's ARN.
    pub arn: String,
    /// `AROA…:name`.
    pub user_id: String,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// `aws:userid`.
    pub user_id: String,
    /// The account.
    pub account: &'static str,
    /// The ARN.
    pub arn: String,
}

impl Verdicts {
    /// A decision as the gate records it.
    pub(super) fn of(decision: &Decision<'_>) -> Self {
        Self {
            allowed: decision.allowed,
            verdict: match decision.kind {
                DecisionKind::Allow => Verdict::Allow,
                DecisionKind::ExplicitDeny => Verdict::ExplicitDeny,
                DecisionKind::ImplicitDeny => Verdict::ImplicitDeny,
            },
            statements: decision.statements.iter().map(ToString::to_string).collect(),
            restrictions: Restrictions::default(),
        }
    }

    /// What everyone may.
    pub(crate) fn always() -> Self {
        Self {
            allowed: true,
            verdict: Verdict::Allow,
            statements: vec!["always".to_owned()],
            restrictions: Restrictions::default(),
        }
    }
}

impl Gate {
    /// A new session's id.
    pub(super) fn new_session_id(&self) -> Result<String> {
        let id = letters(&random::bytes::<16>(&*self.inner.random)?, ID_ALPHABET);
        Ok(format!("{SESSION_PREFIX}{id}"))
    }

    /// Stores a session, and gives its access key.
    pub(super) async fn issue(
        &self,
        permit: &WritePermit,
        record: SessionRecord,
        names: (String, String),
    ) -> Result<Issued> {
        let id = self.new_session_id()?;
        let random = &*self.inner.random;
        let secret: Secret = letters(&random::bytes::<40>(random)?, SECRET_ALPHABET).into();
        let record = SessionRecord {
            sealed_secret: self.inner.directory.seal_secret(&id, &secret)?,
            ..record
        };
        let expires = Timestamp(record.expires_micros);
        let token = self.inner.tokens.session_token(&id, expires)?;
        let source_identity = (!record.source_identity.is_empty()).then(|| record.source_identity.clone());
        self.store_session(permit, &id, &record).await?;
        let (arn, user_id) = names;
        Ok(Issued {
            access_key_id: id,
            secret,
            token: token.into(),
            expires,
            arn,
            user_id,
            source_identity,
        })
    }

    /// Stores a session under its id.
    pub(super) async fn store_session(
        &self,
        permit: &WritePermit,
        id: &str,
        record: &SessionRecord,
    ) -> Result<()> {
        if record.chain.len() >= CHAIN_MAX || record.made_from.len() > MADE_FROM_MAX {
            let text = format!(
                "a session acts for at most {} others, and rests on at most {MADE_FROM_MAX} credentials",
                CHAIN_MAX - 1
            );
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let mut transaction = Transaction::default();
        let key = session_key(id);
        transaction.preconditions.push(Precondition::Absent(key.clone()));
        transaction.puts.push((key, stored_value(record)));
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// Who a session is.
    ///
    /// # Errors
    /// `Denied` for nobody; `Unavailable` if it can not be recorded.
    pub async fn caller_identity(&self, session: &Session) -> Result<CallerIdentity> {
        let verdicts = match session.kind() {
            PrincipalKind::Anonymous => Verdicts::nobody(),
            _ => Verdicts::always(),
        };
        let ask = crate::Ask::new(
            "GetCallerIdentity",
            "sts:GetCallerIdentity",
            craton_base::ResourcePath::System("sessions".into()),
        );
        let _permit = self.read_decided(session, ask, verdicts)?;
        let root = session.kind() == PrincipalKind::Root;
        Ok(CallerIdentity {
            user_id: if root { ACCOUNT } else { session.user_id() }.to_owned(),
            account: ACCOUNT,
            arn: session.arn().to_owned(),
        })
    }
}

impl Verdicts {
    /// For who is not known.
    pub(crate) fn nobody() -> Self {
        Self {
            allowed: false,
            verdict: Verdict::ImplicitDeny,
            statements: Vec::new(),
            restrictions: Restrictions::default(),
        }
    }
}

/// An actor as a session's entry keeps it.
pub(super) fn actor_record(identity: &Identity, place: usize) -> Option<ActorRecord> {
    let actor = identity.actors().nth(place)?;
    Some(ActorRecord {
        kind: kind_number(actor),
        name: actor.principal.name.to_string(),
        id: actor.principal.id.to_string(),
        session_name: actor.session_name.as_deref().unwrap_or_default().to_owned(),
        layers: actor.layers.clone(),
        tags: tag_records(&actor.tags),
    })
}

fn kind_number(actor: &Actor) -> u32 {
    match actor.principal.kind {
        PrincipalKind::Role => 2,
        _ => 1,
    }
}

pub(super) fn tag_records(tags: &[(String, String)]) -> Vec<TagRecord> {
    let record = |(key, value): &(String, String)| TagRecord {
        key: key.clone(),
        value: value.clone(),
    };
    tags.iter().map(record).collect()
}

/// What a session made with this identity rests on.
pub(super) fn made_from(identity: &Identity) -> Vec<String> {
    let mut out = identity
        .session
        .as_ref()
        .map(|s| s.made_from.clone())
        .unwrap_or_default();
    out.extend(identity.credential.as_deref().map(str::to_owned));
    out
}
