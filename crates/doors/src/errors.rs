//! The one table from what went wrong to what each protocol says: an S3 code and HTTP status, a SQLSTATE,
//! a status of gRPC, an exit code of the command line.
//!
//! Invariants: every kind has an answer; a reason that is an S3 code keeps it, with that code's
//! status; the text of an error that is our fault never leaves.
//!
//! Deliberately absent: the shape of the answers (XML, JSON), which is each door's own.

use craton_base::{Error, Kind};
use craton_gate::{BUDGET_EXCEEDED, OPERATION_PENDING};
use http::StatusCode;

/// What a client is told of an error that is ours.
pub const INTERNAL_MESSAGE: &str = "We encountered an internal error. Please try again.";

/// S3's codes and their HTTP statuses, by code.
const S3_CODES: &[(&str, u16)] = &[
    ("AccessControlListNotSupported", 400),
    ("AccessDenied", 403),
    ("AccessForbidden", 403),
    ("AuthorizationHeaderMalformed", 400),
    ("AuthorizationQueryParametersError", 400),
    ("BadDigest", 400),
    ("BadRequest", 400),
    ("BucketAlreadyExists", 409),
    ("BucketAlreadyOwnedByYou", 409),
    ("BucketNotEmpty", 409),
    (BUDGET_EXCEEDED, 429),
    ("ConditionalRequestConflict", 409),
    ("CredentialsNotSupported", 400),
    ("EntityTooLarge", 400),
    ("EntityTooSmall", 400),
    ("ExpiredToken", 400),
    ("IllegalLocationConstraintException", 400),
    ("IllegalVersioningConfigurationException", 400),
    ("IncompleteBody", 400),
    ("IncorrectNumberOfFilesInPostRequest", 400),
    ("InternalError", 500),
    ("InvalidAccessKeyId", 403),
    ("InvalidArgument", 400),
    ("InvalidBucketAclWithBlockPublicAccessError", 400),
    ("InvalidBucketAclWithObjectOwnership", 400),
    ("InvalidBucketName", 400),
    ("InvalidBucketState", 409),
    ("InvalidChunkSizeError", 403),
    ("InvalidConfigurationId", 400),
    ("InvalidDigest", 400),
    ("InvalidEncryptionAlgorithmError", 400),
    ("InvalidLocationConstraint", 400),
    ("InvalidObjectState", 403),
    ("InvalidPart", 400),
    ("InvalidPartNumber", 416),
    ("InvalidPartOrder", 400),
    ("InvalidPolicyDocument", 400),
    ("InvalidRange", 416),
    ("InvalidRedirectLocation", 400),
    ("InvalidRequest", 400),
    ("InvalidRetentionPeriod", 400),
    ("InvalidS3DestinationBucket", 400),
    ("InvalidSecurity", 403),
    ("InvalidSignature", 400),
    ("InvalidStorageClass", 400),
    ("InvalidTag", 400),
    ("InvalidTargetBucketForLogging", 400),
    ("InvalidToken", 400),
    ("InvalidURI", 400),
    ("KMS.DisabledException", 400),
    ("KMS.KMSInvalidStateException", 400),
    ("KMS.NotFoundException", 400),
    ("KeyTooLongError", 400),
    ("MalformedACLError", 400),
    ("MalformedPOSTRequest", 400),
    ("MalformedPolicy", 400),
    ("MalformedTrailerError", 400),
    ("MalformedXML", 400),
    ("MaxMessageLengthExceeded", 400),
    ("MaxPostPreDataLengthExceededError", 400),
    ("MetadataTooLarge", 400),
    ("MethodNotAllowed", 405),
    ("MissingAuthenticationToken", 403),
    ("MissingContentLength", 411),
    ("MissingRequestBodyError", 400),
    ("MissingSecurityHeader", 400),
    ("NoSuchBucket", 404),
    ("NoSuchBucketPolicy", 404),
    ("NoSuchCORSConfiguration", 404),
    ("NoSuchConfiguration", 404),
    ("NoSuchKey", 404),
    ("NoSuchLifecycleConfiguration", 404),
    ("NoSuchObjectLockConfiguration", 404),
    ("NoSuchPublicAccessBlockConfiguration", 404),
    ("NoSuchTagSet", 404),
    ("NoSuchUpload", 404),
    ("NoSuchVersion", 404),
    ("NoSuchWebsiteConfiguration", 404),
    ("NotImplemented", 501),
    ("NotModified", 304),
    ("ObjectLockConfigurationNotFoundError", 404),
    ("OperationAborted", 409),
    (OPERATION_PENDING, 403),
    ("OperationRejected", 403),
    ("OwnershipControlsNotFoundError", 404),
    ("PreconditionFailed", 412),
    ("ReplicationConfigurationNotFoundError", 404),
    ("RequestTimeTooSkewed", 403),
    ("RequestTimeout", 400),
    ("RestoreAlreadyInProgress", 409),
    ("ServiceUnavailable", 503),
    ("SignatureDoesNotMatch", 403),
    ("SlowDown", 503),
    ("TooManyConfigurations", 400),
    ("TooManyPending", 403),
    ("UnexpectedContent", 400),
    ("UnresolvableGrantByEmailAddress", 400),
    ("XAmzContentChecksumMismatch", 400),
    ("XAmzContentSHA256Mismatch", 400),
];

/// S3's answer to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct S3Answer {
    /// The code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
}

/// S3's code and status for a kind and a reason.
#[must_use]
pub fn s3(kind: Kind, reason: &str) -> S3Answer {
    by_code(reason).unwrap_or_else(|| by_code(code_of(kind)).unwrap_or(INTERNAL))
}

/// An S3 code as it stands in the table; `InternalError` for one that does not.
pub(crate) fn s3_code(code: &str) -> S3Answer {
    by_code(code).unwrap_or(INTERNAL)
}

/// The kind of error that a status says, for a record of a refusal that was made as an answer.
pub(crate) fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        403 => Kind::Denied,
        404 => Kind::NotFound,
        409 | 429 => Kind::Busy,
        304 | 412 => Kind::Precondition,
        503 => Kind::Unavailable,
        500 => Kind::Internal,
        _ => Kind::Invalid,
    }
}

const INTERNAL: S3Answer = S3Answer {
    code: "InternalError",
    status: StatusCode::INTERNAL_SERVER_ERROR,
};

fn by_code(code: &str) -> Option<S3Answer> {
    let at = S3_CODES.binary_search_by_key(&code, |(c, _)| c).ok()?;
    let (code, status) = S3_CODES.get(at)?;
    Some(S3Answer {
        code,
        status: StatusCode::from_u16(*status).ok()?,
    })
}

/// S3's code for a kind whose reason is not one of S3's.
const fn code_of(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => "NoSuchKey",
        Kind::Exists | Kind::Busy => "OperationAborted",
        Kind::Precondition => "PreconditionFailed",
        Kind::Denied => "AccessDenied",
        Kind::Invalid => "InvalidRequest",
        Kind::TooLarge => "EntityTooLarge",
        Kind::Corrupt | Kind::Internal => "InternalError",
        Kind::Unavailable => "ServiceUnavailable",
    }
}

/// The HTTP status of a kind, for doors that have no finer codes.
#[must_use]
pub const fn http_status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Exists | Kind::Busy => StatusCode::CONFLICT,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The SQLSTATE of an error.
///
/// Source: PostgreSQL 17 documentation, "PostgreSQL Error Codes".
#[must_use]
pub fn sqlstate(error: &Error) -> &'static str {
    match error.reason() {
        BUDGET_EXCEEDED => return "53400",
        "ClientGone" | "StatementCancelled" | "StatementTimeout" => return "57014",
        "IncompleteName" => return "3F000",
        "InvalidClient" => return "28P01",
        "InvalidParameter" => return "22P02",
        "NoSuchColumn" => return "42703",
        "NoSuchTableException" | "NoSuchViewException" => return "42P01",
        "NoSuchNamespaceException" => return "3F000",
        OPERATION_PENDING => return "55000",
        "NotSupportedYet" => return "0A000",
        "ProtocolViolation" => return "08P01",
        "StatementFailed" => return "22000",
        "StatementMemory" => return "53200",
        "SyntaxError" => return "42601",
        "TlsRequired" => return "28000",
        "TooManyStatements" => return "53300",
        "TransactionFailed" => return "25P02",
        _ => {}
    }
    match error.kind() {
        Kind::NotFound => "42704",
        Kind::Exists => "42710",
        Kind::Precondition => "40001",
        Kind::Denied => "42501",
        Kind::Invalid => "42000",
        Kind::Busy => "55006",
        Kind::TooLarge => "54000",
        Kind::Corrupt => "XX001",
        Kind::Internal => "XX000",
        Kind::Unavailable => "57P03",
    }
}

/// gRPC's status of an error.
///
/// Source: gRPC documentation, "Status Codes".
#[must_use]
pub fn grpc(error: &Error) -> u8 {
    match error.reason() {
        BUDGET_EXCEEDED | "StatementMemory" | "TooManyStatements" => return 8,
        "ClientGone" | "StatementCancelled" => return 1,
        "StatementTimeout" => return 4,
        "ExpiredToken" | "InvalidClient" | "InvalidToken" | "MissingAuthenticationToken" => return 16,
        "NotSupportedYet" => return 12,
        _ => {}
    }
    match error.kind() {
        Kind::NotFound => 5,
        Kind::Exists => 6,
        Kind::Precondition => 9,
        Kind::Denied => 7,
        Kind::Invalid => 3,
        Kind::Busy => 10,
        Kind::TooLarge => 8,
        Kind::Corrupt => 15,
        Kind::Internal => 13,
        Kind::Unavailable => 14,
    }
}

/// The HTTP status of an error, for doors that have no finer codes.
#[must_use]
pub fn http_status_of(error: &Error) -> StatusCode {
    match error.reason() {
        BUDGET_EXCEEDED => StatusCode::TOO_MANY_REQUESTS,
        _ => http_status(error.kind()),
    }
}

/// The exit code of a command that ended with a kind. 0 is success, 2 a wrong command line.
#[must_use]
pub const fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        Kind::Invalid => 2,
        Kind::NotFound => 3,
        Kind::Denied => 4,
        Kind::Exists => 5,
        Kind::Precondition => 6,
        Kind::Busy => 7,
        Kind::TooLarge => 8,
        Kind::Corrupt => 9,
        Kind::Unavailable => 10,
    }
}

/// The text that may leave: an error's own, unless it is our fault.
#[must_use]
pub fn message(error: &Error) -> String {
    match error.kind() {
        Kind::Corrupt | Kind::Internal => INTERNAL_MESSAGE.to_owned(),
        _ => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests;
