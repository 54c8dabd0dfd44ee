//! One error type for the crates below the engines: a [`Kind`] says what a caller can do about
//! it, `reason` is a stable word for programs, the message is for people.
//!
//! Doors turn a kind (and, where a protocol is finer, a reason) into their own code with one
//! table. The text of a message is not API and never holds a secret or stored data.

use std::{borrow::Cow, fmt};

/// What went wrong, told by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The named thing does not exist, or the caller may not know that it does.
    NotFound,
    /// The thing to be made exists already.
    Exists,
    /// A condition that the caller set does not hold; read again and decide.
    Precondition,
    /// The caller is not who it says, or may not do this.
    Denied,
    /// The request itself is wrong; sending it again will not help.
    Invalid,
    /// Someone else holds what is needed; try again later.
    Busy,
    /// A stated limit would be exceeded.
    TooLarge,
    /// Stored bytes do not verify. Never retried, never served.
    Corrupt,
    /// A part that is needed does not answer; try again later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// Every kind, for tables that must cover them all.
    pub const ALL: [Self; 10] = [
        Self::NotFound,
        Self::Exists,
        Self::Precondition,
        Self::Denied,
        Self::Invalid,
        Self::Busy,
        Self::TooLarge,
        Self::Corrupt,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The kind as one lower-case word, for logs, metrics and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::Precondition => "precondition",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Busy => "busy",
            Self::TooLarge => "too-large",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// An error with its [`Kind`], a stable reason and a message.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    reason: &'static str,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error. `reason` is a stable word in CamelCase, for example `NoSuchKey`.
    pub fn new(kind: Kind, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason,
            message: message.into(),
            source: None,
        }))
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// [`Kind::Invalid`] with the reason `InvalidArgument`.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, "InvalidArgument", message)
    }

    /// [`Kind::Internal`] with the reason `InternalError`.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Internal, "InternalError", message)
    }

    /// [`Kind::Corrupt`] with the reason `Corrupt`; the message names what does not verify.
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Corrupt, "Corrupt", message)
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable word for programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The text for people, without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind)
            .field("reason", &self.0.reason)
            .field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let kind = match e.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::AlreadyExists => Kind::Exists,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Unavailable,
            _ => Kind::Internal,
        };
        Self::new(kind, "Io", format!("input or output failed: {e}")).with_source(e)
    }
}
