//! Errors as gRPC's statuses.

use craton_base::{Error, Kind};
use craton_doors::errors;
use tonic::{Code, Status};

/// The status of an error.
pub(crate) fn status(error: &Error) -> Status {
    if matches!(error.kind(), Kind::Internal | Kind::Corrupt) {
        tracing::error!(%error, reason = error.reason(), "a call failed");
    }
    let text = format!("{}: {}", error.reason(), errors::message(error));
    Status::new(Code::from_i32(errors::grpc(error).into()), text)
}

/// The status of a call that asks for what there is not.
pub(crate) fn none(what: &str) -> Status {
    Status::unimplemented(format!("NotSupportedYet: {what} are not supported"))
}

/// The status of a call that can not be read.
pub(crate) fn wrong(why: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("MalformedBody: {why}"))
}
