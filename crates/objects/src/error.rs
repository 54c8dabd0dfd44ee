//! What can go wrong with an object, in S3's words.
//!
//! A [`Fault`] is one S3 meaning with its code; a gate's error passes through unchanged. Which HTTP
//! status a code has is the door's table.

use std::{borrow::Cow, fmt};

use craton_base::{Kind, Timestamp};

use crate::version::VersionId;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),+ $(,)?) => {
        /// An S3 meaning. The variant's name is S3's error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are S3's error codes, documented there")]
        pub enum Fault { $($(#[$doc])* $name),+ }

        impl Fault {
            /// Every fault, for tables that must cover them all.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// S3's error code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What a caller can do about it.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),+ }
            }
        }
    };
}

faults! {
    AccessDenied => Denied,
    BadDigest => Invalid,
    BucketAlreadyExists => Exists,
    BucketAlreadyOwnedByYou => Exists,
    BucketNotEmpty => Busy,
    ConditionalRequestConflict => Busy,
    EntityTooLarge => TooLarge,
    EntityTooSmall => Invalid,
    IncompleteBody => Invalid,
    InvalidArgument => Invalid,
    InvalidBucketState => Busy,
    InvalidDigest => Invalid,
    InvalidObjectState => Denied,
    InvalidPart => Invalid,
    InvalidPartNumber => Invalid,
    InvalidPartOrder => Invalid,
    InvalidRange => Invalid,
    InvalidRedirectLocation => Invalid,
    InvalidRequest => Invalid,
    InvalidRetentionPeriod => Invalid,
    InvalidStorageClass => Invalid,
    MalformedTrailerError => Invalid,
    MalformedXML => Invalid,
    MetadataTooLarge => TooLarge,
    MethodNotAllowed => Invalid,
    NoSuchBucket => NotFound,
    NoSuchKey => NotFound,
    NoSuchObjectLockConfiguration => NotFound,
    NoSuchUpload => NotFound,
    NoSuchVersion => NotFound,
    NotImplemented => Invalid,
    ObjectLockConfigurationNotFoundError => NotFound,
    PreconditionFailed => Precondition,
    RestoreAlreadyInProgress => Busy,
}

/// What S3's error document says besides code and message: elements and their texts. Never a secret.
pub type Details = Vec<(&'static str, String)>;

/// Why an operation on objects was not done.
#[derive(Debug)]
pub enum Error {
    /// The gate or the store below it said so.
    Gate(craton_base::Error),
    /// S3 semantics say so.
    Fault(Fault, Cow<'static, str>, Details),
    /// A conditional read: the caller has it already.
    NotModified {
        /// The entity tag, without quotes.
        etag: String,
        /// When the object was written.
        modified: Timestamp,
    },
    /// A read came upon a delete marker.
    DeleteMarker {
        /// The marker's name.
        version: VersionId,
        /// Whether the read named it.
        named: bool,
        /// When the marker was made.
        modified: Timestamp,
    },
    /// A range begins after the object's end.
    RangeNotSatisfiable {
        /// The object's size, in bytes.
        size: u64,
    },
}

impl Error {
    /// A fault with a message that names what is wrong.
    pub fn fault(fault: Fault, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Fault(fault, message.into(), Details::new())
    }

    /// The same with one more element of S3's error document.
    #[must_use]
    pub fn naming(mut self, element: &'static str, text: impl Into<String>) -> Self {
        if let Self::Fault(_, _, details) = &mut self {
            details.push((element, text.into()));
        }
        self
    }

    /// `InvalidArgument`, of this argument.
    #[must_use]
    pub fn argument(name: &str, value: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::fault(Fault::InvalidArgument, message)
            .naming("ArgumentName", name)
            .naming("ArgumentValue", value)
    }

    /// `NoSuchKey`.
    #[must_use]
    pub fn no_such_key() -> Self {
        Self::fault(Fault::NoSuchKey, "The specified key does not exist.")
    }

    /// `NoSuchUpload`.
    #[must_use]
    pub fn no_such_upload() -> Self {
        Self::fault(
            Fault::NoSuchUpload,
            "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been \
             aborted or completed.",
        )
    }

    /// `PreconditionFailed`, by the name of the condition's header.
    #[must_use]
    pub fn precondition(condition: impl Into<String>) -> Self {
        Self::fault(
            Fault::PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold",
        )
        .naming("Condition", condition)
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Gate(e) => e.kind(),
            Self::Fault(f, ..) => f.kind(),
            Self::NotModified { .. } => Kind::Precondition,
            Self::DeleteMarker { .. } => self.marker_fault().kind(),
            Self::RangeNotSatisfiable { .. } => Kind::Invalid,
        }
    }

    /// S3's code, or the gate's reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gate(e) => e.reason(),
            Self::Fault(f, ..) => f.code(),
            Self::NotModified { .. } => "NotModified",
            Self::DeleteMarker { .. } => self.marker_fault().code(),
            Self::RangeNotSatisfiable { .. } => Fault::InvalidRange.code(),
        }
    }

    /// Whether the store said so, and not S3's semantics: a commit's own precondition, for one.
    pub(crate) const fn is_of_commit(&self) -> bool {
        matches!(self, Self::Gate(_))
    }

    /// A delete marker that was named can not be read; else it is as if there were nothing.
    const fn marker_fault(&self) -> Fault {
        match self {
            Self::DeleteMarker { named: true, .. } => Fault::MethodNotAllowed,
            _ => Fault::NoSuchKey,
        }
    }

    /// The same as the error of the crates below, for a permit's record of the outcome.
    #[must_use]
    pub fn to_base(&self) -> craton_base::Error {
        craton_base::Error::new(self.kind(), self.code(), self.to_string())
    }
}

impl From<craton_base::Error> for Error {
    fn from(e: craton_base::Error) -> Self {
        Self::Gate(e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(e) => e.fmt(f),
            Self::Fault(_, message, _) => f.write_str(message),
            Self::NotModified { .. } => f.write_str("The object has not changed."),
            Self::DeleteMarker { named: true, .. } => {
                f.write_str("The specified method is not allowed against this resource.")
            }
            Self::DeleteMarker { .. } => f.write_str("The specified key does not exist."),
            Self::RangeNotSatisfiable { size } => {
                write!(
                    f,
                    "The requested range is not satisfiable: the object has {size} bytes."
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Gate(e) => std::error::Error::source(e),
            _ => None,
        }
    }
}
