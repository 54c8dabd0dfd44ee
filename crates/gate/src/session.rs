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

use crate::directory::User;

/// What kind of identity a session has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrincipalKind {
    /// The root credential made at first start.
    Root,
    /// A named user: a person, a service or a software agent.
    User,
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
    /// Whether it came over TLS.
    pub secure: bool,
    /// The request's id, as answered to the client.
    pub request_id: Arc<str>,
    /// The `User-Agent` header, cut to 256 bytes.
    pub user_agent: Option<Arc<str>>,
    /// The `Referer` header, cut to 1,024 bytes.
    pub referer: Option<Arc<str>>,
    /// When the request arrived.
    pub time: Timestamp,
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
            Self::Nothing => None,
        }
    }
}

/// An authenticated request's identity.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) user: Arc<User>,
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
    pub(crate) fn without_key(user: Arc<User>, origin: Origin) -> Self {
        let inner = Inner {
            user,
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

    /// The principal's name: a user's, `root`, or `anonymous`.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.inner.user.name()
    }

    /// What kind of identity it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.inner.user.kind()
    }

    /// The user's validated name, if it is a named user.
    #[must_use]
    pub fn user_name(&self) -> Option<&PrincipalName> {
        self.inner.user.user_name()
    }

    /// The principal's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        self.inner.user.arn()
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
