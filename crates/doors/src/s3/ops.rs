//! What each operation does: input to [`Ask`], permit, engine, output.
//!
//! Invariant: every function asks for its permit before it looks at anything stored.

use craton_gate::{Ask, Permit, ReadPermit, WritePermit};
use craton_objects::condition::{Tag, WriteConditions};
use s3s::{
    S3Result,
    dto::{ETagCondition, ObjectCannedACL},
    s3_error,
};

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
pub(super) mod multipart;
pub(super) mod put;

async fn read(call: &Call, ask: Ask) -> S3Result<ReadPermit> {
    call.read(ask).await.map_err(|e| fail_base(&e))
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

/// Access is policy's alone, as in AWS buckets whose owner enforces it: only the lists that say the
/// same are accepted.
fn check_acl(acl: Option<&ObjectCannedACL>, grants: &[&Option<String>]) -> S3Result<()> {
    let plain = acl.is_none_or(|a| {
        matches!(
            a.as_str(),
            "private" | "bucket-owner-full-control" | "bucket-owner-read"
        )
    });
    if plain && grants.iter().all(|g| g.is_none()) {
        return Ok(());
    }
    Err(s3_error!(
        AccessControlListNotSupported,
        "The bucket does not allow ACLs"
    ))
}

/// Refuses a feature whose silent absence would mislead.
fn refuse_if(present: bool, feature: &str) -> S3Result<()> {
    if present {
        return Err(s3_error!(NotImplemented, "{feature} is not implemented."));
    }
    Ok(())
}

/// Versions come with versioned buckets; until then an object's one version is `null`.
fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

fn write_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<WriteConditions> {
    let absent = match if_none_match.map(convert::tag) {
        None => false,
        Some(Tag::Any) => true,
        Some(Tag::Is(_)) => {
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

/// The attributes that a request with these fields states.
macro_rules! attributes {
    ($input:expr) => {
        craton_objects::meta::Attributes {
            headers: craton_objects::meta::Headers {
                content_type: $input.content_type.take(),
                content_encoding: $input.content_encoding.take(),
                content_disposition: $input.content_disposition.take(),
                content_language: $input.content_language.take(),
                cache_control: $input.cache_control.take(),
                expires_seconds: $input.expires.as_ref().map(crate::s3::convert::seconds),
                website_redirect: $input.website_redirect_location.take(),
            },
            user: crate::s3::convert::user_metadata($input.metadata.take()),
            storage_class: $input
                .storage_class
                .take()
                .map(|c| c.as_str().to_owned())
                .unwrap_or_default(),
        }
    };
}

/// Refuses what these requests may ask for and the engine does not have.
macro_rules! refuse_features {
    ($input:expr) => {{
        let kms = $input
            .server_side_encryption
            .as_ref()
            .is_some_and(|s| s.as_str() != "AES256");
        crate::s3::ops::refuse_if(kms, "Encryption with a key of KMS")?;
        crate::s3::ops::refuse_if(
            $input.sse_customer_key.is_some(),
            "Encryption with a customer's key",
        )?;
        crate::s3::ops::refuse_if($input.tagging.is_some(), "Tagging")?;
        let lock = $input.object_lock_mode.is_some()
            || $input.object_lock_legal_hold_status.is_some()
            || $input.object_lock_retain_until_date.is_some();
        crate::s3::ops::refuse_if(lock, "Object lock")?;
        crate::s3::ops::check_acl(
            $input.acl.as_ref(),
            &[
                &$input.grant_full_control,
                &$input.grant_read,
                &$input.grant_read_acp,
                &$input.grant_write_acp,
            ],
        )?;
    }};
}

pub(super) use {attributes, refuse_features};
