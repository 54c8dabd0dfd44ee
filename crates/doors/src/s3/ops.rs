//! What each operation does: input to [`Ask`], permit, engine, output.
//!
//! Invariant: every function asks for its permit before it looks at anything stored.

use craton_gate::{Ask, Permit, ReadPermit, WritePermit};
use craton_objects::{
    condition::{Tag, WriteConditions},
    version::{Target, VersionId},
};
use s3s::{S3Result, dto::ETagCondition, s3_error};

use super::{
    answer::{fail, fail_base},
    call::Call,
    convert,
};

pub(super) mod bucket;
pub(super) mod configuration;
pub(super) mod copy;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod lock;
pub(super) mod multipart;
pub(super) mod object_acl;
pub(super) mod put;
mod replica;
pub(super) mod restore;
mod sse;
pub(super) mod stated;
pub(super) mod tagging;
pub(super) mod versions;

async fn read(call: &Call, ask: Ask) -> S3Result<ReadPermit> {
    call.read(ask).await.map_err(|e| fail_base(&e))
}

async fn read_once(call: &Call, ask: Ask) -> S3Result<ReadPermit> {
    call.read_once(ask).await.map_err(|e| fail_base(&e))
}

async fn write(call: &Call, ask: Ask) -> S3Result<WritePermit> {
    call.write(ask).await.map_err(|e| fail_base(&e))
}

/// An engine's result; a failure is noted with the permit, for the record.
fn settle<T>(permit: &Permit, result: craton_objects::Result<T>) -> S3Result<T> {
    result.map_err(|error| {
        permit.failed(error.kind(), error.code());
        fail(error)
    })
}

/// Adds a condition key if the request states it.
fn with(ask: Ask, key: &'static str, value: Option<impl Into<String>>) -> Ask {
    match value {
        Some(value) => ask.with(key, value),
        None => ask,
    }
}

/// `If-Match` on a write tells whether an object has this tag: only to who may read it, as in S3.
fn with_match(ask: Ask, states_match: bool) -> Ask {
    if states_match {
        ask.and_action("s3:GetObject")
    } else {
        ask
    }
}

/// Refuses a feature whose silent absence would mislead.
fn refuse_if(present: bool, feature: &str) -> S3Result<()> {
    if present {
        return Err(s3_error!(NotImplemented, "{feature} is not implemented."));
    }
    Ok(())
}

/// Says in an ask which version the request names: policies may ask for it, and for its tags.
fn with_version(ask: Ask, version_id: Option<&str>) -> Ask {
    with(ask, "s3:VersionId", version_id)
}

/// Which version a request means.
fn target(permit: &Permit, version_id: Option<&str>) -> S3Result<Target> {
    settle(permit, Target::parse(version_id))
}

/// A version's name, as `s3s` takes it.
fn version_text(version: Option<VersionId>) -> Option<String> {
    version.map(VersionId::to_text)
}

fn write_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<WriteConditions> {
    let absent = match if_none_match.map(convert::tag) {
        None => false,
        Some(Tag::Any) => true,
        Some(Tag::Is(_) | Tag::Among(_)) => {
            return Err(s3_error!(
                NotImplemented,
                "If-None-Match on a write supports only *."
            ));
        }
    };
    Ok(WriteConditions {
        matches: if_match.map(convert::tag),
        absent,
    })
}
