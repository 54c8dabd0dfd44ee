//! Who asks: a session carries the identity that a request was authenticated as, and the facts of
//! the request that policies and records need.
//!
//! Invariant: only the gate makes a session ([`crate::Gate::identify`]); a door can not claim one.
//!
//! Deliberately absent: what the session may do.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use craton_base::{PrincipalName, Timestamp};

use crate::{
    budgets::Purse,
    directory::{Actor, Identity, SessionFacts},
    policy::Policy,
};

/// The tag of a user or a role that is an engine which applies what guard policies leave of tables: `true`.
pub const TRUSTED_ENGINE_TAG: &str = "craton:trusted-engine";

/// What kind of identity a session has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrincipalKind {
    /// The root credential made at first start.
    Root,
    /// A named user: a person, a service or a software agent.
    User,
    /// A session of a role.
    Role,
    /// Nobody: the request carried no credentials.
    Anonymous,
    /// A worker of the system itself ([`crate::Worker`]).
    System,
}

/// Facts about the request that its door observed.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Which door it came through: `s3`, `api`.
    pub door: &'static str,
    /// The address of the peer, or the one that a configured proxy vouches for.
    pub source_ip: IpAddr,
    /// The version of TLS that it came over, as `s3:TlsVersion` has it: `1.2`, `1.3`.
    pub tls: Option<&'static str>,
    /// The request's id, as answered to the client.
    pub request_id: Arc<str>,
    /// The `User-Agent` header, cut to 256 bytes.
    pub user_agent: Option<Arc<str>>,
    /// The `Referer` header, cut to 1,024 bytes.
    pub referer: Option<Arc<str>>,
    /// The lease that the request stands under, as it names it.
    pub lease: Option<Arc<str>>,
    /// The run that the request is of, as it names it.
    pub run: Option<Arc<str>>,
    /// The trace that the request is of: a session's run, if nothing else names one.
    pub trace: Option<Arc<str>>,
    /// What it can use up.
    pub purse: Purse,
    /// When the request arrived.
    pub time: Timestamp,
}

impl Origin {
    /// Whether it came over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

/// How a request proved who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A signature in the `Authorization` header.
    Header,
    /// A signature in the query string.
    Presigned,
    /// A signed form upload.
    Form,
    /// A bearer token.
    Bearer,
    /// None.
    Nothing,
}

impl Proof {
    /// As `s3:authType` has it.
    #[must_use]
    pub const fn auth_type(self) -> Option<&'static str> {
        match self {
            Self::Header => Some("REST-HEADER"),
            Self::Presigned => Some("REST-QUERY-STRING"),
            Self::Form => Some("POST"),
            Self::Bearer | Self::Nothing => None,
        }
    }
}

/// Who asks in a request that a door makes within an authenticated one. It is never made of anything that a client sends.
#[derive(Clone)]
pub struct Within(Session);

impl Within {
    /// Where the request around it came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.0.origin()
    }

    /// The session of the request within: the same identity, and decisions of its own.
    pub(crate) fn session(&self, origin: Origin) -> Session {
        let outer = &self.0.inner;
        let inner = Inner {
            identity: outer.identity.clone(),
            access_key_id: outer.access_key_id.clone(),
            origin,
            proof: outer.proof,
            signature_age_ms: outer.signature_age_ms,
            content_sha256: None,
            asked: false.into(),
        };
        Session {
            inner: Arc::new(inner),
        }
    }
}

/// An authenticated request's identity.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) identity: Arc<Identity>,
    pub(crate) access_key_id: Option<Arc<str>>,
    pub(crate) origin: Origin,
    pub(crate) proof: Proof,
    /// Age of the signature in milliseconds, for `s3:signatureAge`.
    pub(crate) signature_age_ms: Option<u64>,
    /// The declared payload hash, for `s3:x-amz-content-sha256`.
    pub(crate) content_sha256: Option<Arc<str>>,
    /// Whether a decision was made for it, which is in the ledger then.
    pub(crate) asked: AtomicBool,
}

impl Session {
    /// A session of the process itself: nobody signed for it.
    pub(crate) fn without_key(identity: Arc<Identity>, origin: Origin) -> Self {
        let inner = Inner {
            identity,
            access_key_id: None,
            origin,
            proof: Proof::Nothing,
            signature_age_ms: None,
            content_sha256: None,
            asked: false.into(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A session that a bearer token or a client's secret proved.
    pub(crate) fn of_bearer(identity: Arc<Identity>, id: &str, origin: Origin, proof: Proof) -> Self {
        let inner = Inner {
            identity,
            access_key_id: Some(id.into()),
            origin,
            proof,
            signature_age_ms: None,
            content_sha256: None,
            asked: false.into(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same session in another run: for what it does as a piece of work of its own, within one request.
    #[must_use]
    pub fn in_run(&self, run: &str) -> Self {
        let origin = Origin {
            run: Some(run.into()),
            ..self.origin().clone()
        };
        self.within().session(origin)
    }

    /// For a request that a door makes within one of this session: put into the extensions of its head, it is who asks.
    #[must_use]
    pub fn within(&self) -> Within {
        Within(self.clone())
    }

    /// The same, whose accesses are of another run of its principal's.
    #[must_use]
    pub fn of_run(&self, run: &str) -> Self {
        let outer = &self.inner;
        let inner = Inner {
            identity: outer.identity.clone(),
            access_key_id: outer.access_key_id.clone(),
            origin: Origin {
                run: Some(run.into()),
                ..outer.origin.clone()
            },
            proof: outer.proof,
            signature_age_ms: outer.signature_age_ms,
            content_sha256: outer.content_sha256.clone(),
            asked: self.has_asked().into(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.inner.identity
    }

    fn actor(&self) -> &Actor {
        &self.inner.identity.actor
    }

    pub(crate) fn facts(&self) -> Option<&SessionFacts> {
        self.inner.identity.session.as_ref()
    }

    /// The same with another policy of this name, for one of those in it or for all who have one; to be asked about.
    pub(crate) fn replacing(
        &self,
        principal: Option<&str>,
        name: &str,
        policy: Option<&Arc<Policy>>,
    ) -> Self {
        let changed = |actor: &Actor| match principal.is_none_or(|p| p == &*actor.principal.label) {
            true => Actor {
                policies: actor.policies.replacing(name, policy, principal.is_some()),
                ..actor.clone()
            },
            false => actor.clone(),
        };
        let known = self.identity();
        let identity = Identity {
            actor: changed(&known.actor),
            chain: known.chain.iter().map(changed).collect(),
            session: known.session.clone(),
            credential: None,
            generation: known.generation,
        };
        Self::without_key(Arc::new(identity), self.inner.origin.clone())
    }

    /// The gate has recorded what it decided for this session. Whether that is the first time.
    pub(crate) fn note_asked(&self) -> bool {
        !self.inner.asked.swap(true, Ordering::Relaxed)
    }

    /// The principal's name as records and owners have it: a user's, `role/<name>`, `root`, or `anonymous`.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.actor().principal.label
    }

    /// What kind of identity it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.actor().principal.kind
    }

    /// Whether sessions are made from it: of a user or a role, and not for a table's files alone.
    pub(crate) fn makes_sessions(&self) -> bool {
        let has_some = matches!(self.kind(), PrincipalKind::User | PrincipalKind::Role);
        has_some && self.identity().files().is_none()
    }

    /// The user's validated name, if it is a named user.
    #[must_use]
    pub fn user_name(&self) -> Option<PrincipalName> {
        self.actor().principal.user_name()
    }

    /// The role's name, if it is a role's session.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        (self.kind() == PrincipalKind::Role).then(|| &*self.actor().principal.name)
    }

    /// The ARN: the user's, or the role session's.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.actor().arn
    }

    /// `aws:userid`: the user's id, or the role's with the session's name.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.actor().user_id
    }

    /// The groups that the user is in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.actor().principal.groups
    }

    /// The session's tags, then those of the principal that the session does not set.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.actor().tags()
    }

    /// Whether an administrator trusts who acts to apply what guard policies leave of tables. A tag of the user or the role itself says it: one that a
    /// session was given does not.
    #[must_use]
    pub fn is_trusted_engine(&self) -> bool {
        let mut own = self.actor().principal.tags.iter();
        own.any(|(key, value)| key == TRUSTED_ENGINE_TAG && value == "true")
    }

    /// The keys of tags that a session made from this one keeps.
    #[must_use]
    pub fn transitive_tag_keys(&self) -> &[String] {
        self.facts().map_or(&[], |f| &f.transitive_tags)
    }

    /// The id of the session that was made by STS or OAuth, if it is one.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.facts().map(|f| &*f.id)
    }

    /// The role session's name.
    #[must_use]
    pub fn session_name(&self) -> Option<&str> {
        self.actor().session_name.as_deref()
    }

    /// When the session was made.
    #[must_use]
    pub fn issued(&self) -> Option<Timestamp> {
        self.facts().map(|f| f.issued)
    }

    /// When the session ends.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.facts().map(|f| f.expires)
    }

    /// Who is behind the session, as whoever made it said.
    #[must_use]
    pub fn source_identity(&self) -> Option<&str> {
        self.facts().and_then(|f| f.source_identity.as_deref())
    }

    /// The identity provider that vouched: its address without `https://`.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.facts().and_then(|f| f.provider.as_deref())
    }

    /// Whom the identity provider vouched for.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.facts().and_then(|f| f.subject.as_deref())
    }

    /// The run that the session is for.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.facts().and_then(|f| f.run.as_deref())
    }

    /// What the session is for.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.facts().and_then(|f| f.purpose.as_deref())
    }

    /// The labels of what was read in the session and those that it was made from.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        self.facts().map_or(&[], |f| &f.labels)
    }

    /// For whom it acts, nearest first: names as in records.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        self.inner
            .identity
            .chain
            .iter()
            .map(|actor| &*actor.principal.label)
    }

    /// The ARNs of those for whom it acts, nearest first.
    pub fn chain_arns(&self) -> impl Iterator<Item = &str> {
        self.inner.identity.chain.iter().map(|actor| &*actor.arn)
    }

    /// Says in a record who acts for whom, in which session.
    pub(crate) fn describe(&self, record: &mut crate::ledger::Record) {
        let text = |s: Option<&str>| s.unwrap_or_default().to_owned();
        let origin = self.origin();
        record.run = text(origin.run.as_deref());
        let Some(facts) = self.facts() else { return };
        record.chain = self.chain().map(str::to_owned).collect();
        if record.run.is_empty() {
            record.run = text(self.run().or(origin.trace.as_deref()));
        }
        record.purpose = text(self.purpose());
        record.session = facts.id.to_string();
        record.session_name = text(self.session_name());
        record.source_identity = text(self.source_identity());
        record.subject_of = match (self.provider(), self.subject()) {
            (Some(provider), Some(subject)) => format!("{provider}#{subject}"),
            _ => String::new(),
        };
    }

    /// The access key that signed.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&str> {
        self.inner.access_key_id.as_deref()
    }

    /// Where the request came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    /// Whether the gate was asked for anything yet. If not, a request that ends in an error is not in the ledger.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.inner.asked.load(Ordering::Relaxed)
    }

    /// How it proved its identity.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.inner.proof
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("principal", &self.principal())
            .field("access_key_id", &self.access_key_id())
            .field("request_id", &self.origin().request_id)
            .finish_non_exhaustive()
    }
}
