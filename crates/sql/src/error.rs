//! Between DataFusion's errors and ours.
//!
//! Invariant: an error of ours that DataFusion hands on comes out as what it was: a denial stays a denial.

use std::time::Duration;

use craton_base::{Error, Kind};
use datafusion::common::{DataFusionError, SchemaError};
use tokio::task::JoinError;

/// The longest text of an error, in bytes: plans and values can be long.
const TEXT_BYTES_MAX: usize = 2000;

/// Nobody reads the answer.
pub(crate) fn gone() -> Error {
    let text = "the client does not read any more";
    Error::new(Kind::Unavailable, "ClientGone", text)
}

/// A statement's time is over.
pub(crate) fn too_long(time: Duration) -> Error {
    let text = format!("the statement took more than its {} seconds", time.as_secs());
    Error::new(Kind::TooLarge, "StatementTimeout", text)
}

/// A statement's task ended otherwise than by itself.
pub(crate) fn broken(error: &JoinError) -> Error {
    if error.is_panic() {
        let text = "the engine has a fault that this statement meets; others go on";
        return Error::new(Kind::Internal, "StatementBroken", text);
    }
    Error::new(Kind::Unavailable, "ServiceUnavailable", "the server ends")
}

/// An error of ours for DataFusion to hand on.
pub(crate) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What an error comes to.
pub(crate) fn own(error: &DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<Error>() {
            return Error::new(found.kind(), found.reason(), found.message().to_owned());
        }
        cause = next.source();
    }
    let (kind, reason) = sort(error.find_root());
    let mut text = error.strip_backtrace();
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    if let Some(place) = place(error) {
        text = format!("{text} ({place})");
    }
    Error::new(kind, reason, text)
}

fn sort(root: &DataFusionError) -> (Kind, &'static str) {
    use DataFusionError as D;
    match root {
        D::SQL(..) => (Kind::Invalid, "SyntaxError"),
        D::Plan(_) | D::Diagnostic(..) | D::Configuration(_) => (Kind::Invalid, "InvalidStatement"),
        D::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => (Kind::Invalid, "NoSuchColumn"),
            _ => (Kind::Invalid, "InvalidStatement"),
        },
        D::NotImplemented(_) => (Kind::Invalid, "NotSupportedYet"),
        D::ResourcesExhausted(_) => (Kind::TooLarge, "StatementMemory"),
        D::Execution(_) | D::ArrowError(..) => (Kind::Invalid, "StatementFailed"),
        D::ParquetError(_) => (Kind::Invalid, "UnreadableFile"),
        _ => (Kind::Internal, "InternalError"),
    }
}

/// Where in the statement, if it is known. A parser's text says it itself.
fn place(error: &DataFusionError) -> Option<String> {
    let start = match error {
        DataFusionError::Diagnostic(diagnostic, _) => diagnostic.span?.start,
        DataFusionError::Context(_, inner) => return place(inner),
        DataFusionError::Shared(inner) => return place(inner),
        DataFusionError::Collection(all) => return all.iter().find_map(place),
        _ => return None,
    };
    (start.line > 0).then(|| format!("at Line: {}, Column: {}", start.line, start.column))
}
