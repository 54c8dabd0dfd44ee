//! Requests that come by replication: they say so, and of which version of another store they bring a copy.
//!
//! `x-amz-replication-status: REPLICA` is what other stores send too. Who sends it needs the right to replicate
//! besides the right to do the same as a user.
//!
//! Deliberately absent: what a copy is (the engine).

use craton_base::Timestamp;
use craton_gate::Ask;
use craton_objects::{meta::ObjectMeta, replica::Replica};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::ReplicationStatus;

use super::stated::text;

/// Says that a request comes by replication.
const STATUS: &str = "x-amz-replication-status";

/// The version that it brings, as its own store names it.
const SOURCE: HeaderName = HeaderName::from_static("x-craton-source-version-id");

/// When that version was written, in microseconds since the epoch.
const MODIFIED: &str = "x-craton-source-modified";

/// The longest name of another store's version, in bytes.
const SOURCE_BYTES_MAX: usize = 1024;

/// Of what the request brings a copy, if it comes by replication.
pub(super) fn stated(headers: &HeaderMap) -> Option<Replica> {
    let status = text(headers, STATUS).ok().flatten()?;
    if !status.eq_ignore_ascii_case("REPLICA") {
        return None;
    }
    let source = text(headers, SOURCE.as_str()).ok().flatten().unwrap_or_default();
    let modified = text(headers, MODIFIED).ok().flatten();
    Some(Replica {
        source: match source.len() <= SOURCE_BYTES_MAX {
            true => source.to_owned(),
            false => String::new(),
        },
        modified: modified.and_then(|text| text.parse().ok()).map(Timestamp),
    })
}

/// Asks for the right to replicate where the request says that it does.
pub(super) fn with_replica(
    mut ask: Ask,
    headers: &HeaderMap,
    operation: &'static str,
    action: &'static str,
) -> Ask {
    if stated(headers).is_none() {
        return ask;
    }
    ask.operation = operation;
    ask.and_action(action)
}

/// What a read says of an object's copies, or that it is one.
pub(super) fn status(meta: &ObjectMeta) -> Option<ReplicationStatus> {
    let status = meta.replication.as_ref()?.status()?;
    Some(ReplicationStatus::from_static(status))
}

/// The header that tells which version an object is a copy of: so that whoever copies sees that it has.
pub(super) fn source(meta: &ObjectMeta) -> Option<(HeaderName, HeaderValue)> {
    let record = meta.replication.as_ref().filter(|record| record.replica)?;
    let value = HeaderValue::from_str(&record.source).ok()?;
    (!value.is_empty()).then_some((SOURCE, value))
}
