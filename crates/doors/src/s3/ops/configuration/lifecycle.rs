//! Lifecycle rules: what expires and what moves, and when. Refusals and their order of importance are S3's.

use std::collections::BTreeSet;

use bytes::Bytes;
use craton_base::Error;
use craton_gate::{ConfigurationChange, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
        GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
        PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput, Tag, Timestamp,
        Transition, TransitionDefaultMinimumObjectSize,
    },
    xml::Serializer,
};

use super::{
    absent, changing, complete_ids, configure, decode, document, is_short, malformed_xml, reading, refused,
};
use crate::s3::{answer::fail_base, call::Call};

const ROOT: &str = "LifecycleConfiguration";

/// The attribute of the stored root that keeps what S3 says in a header.
const LEAST_SIZE: &str = "transitionDefaultMinimumObjectSize";

const ALL_128K: &str = TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K;
const VARIES: &str = TransitionDefaultMinimumObjectSize::VARIES_BY_STORAGE_CLASS;

/// The most rules of one bucket.
const RULES_MAX: usize = 1000;

/// Classes that objects can be moved to.
const CLASSES: [&str; 6] = [
    "DEEP_ARCHIVE",
    "GLACIER",
    "GLACIER_IR",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "STANDARD_IA",
];

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetLifecycleConfiguration";
    let permit = reading(&request, bucket, "GetBucketLifecycleConfiguration", action).await?;
    let Some(found) = document(&permit, Subresource::Lifecycle)? else {
        let message = "The lifecycle configuration does not exist";
        return Err(absent("NoSuchLifecycleConfiguration", message));
    };
    let configuration: BucketLifecycleConfiguration = decode(ROOT, &found)?;
    let varies = found
        .windows(VARIES.len())
        .take(128)
        .any(|w| w == VARIES.as_bytes());
    let least = if varies { VARIES } else { ALL_128K };
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(configuration.rules),
        transition_default_minimum_object_size: Some(TransitionDefaultMinimumObjectSize::from_static(least)),
    })
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<PutBucketLifecycleConfigurationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutLifecycleConfiguration";
    let permit = changing(&request, bucket, "PutBucketLifecycleConfiguration", action).await?;
    let request_id = Call::of(&request)?.session().origin().request_id.clone();
    let input = request.input;
    let mut stated = input.lifecycle_configuration.ok_or_else(malformed_xml)?;
    if stated.rules.is_empty() || stated.rules.len() > RULES_MAX {
        return Err(malformed_xml());
    }
    complete_ids(stated.rules.iter_mut().map(|r| &mut r.id), &request_id)?;
    stated.rules.iter().try_for_each(check)?;
    let least = match input
        .transition_default_minimum_object_size
        .as_ref()
        .map(|s| s.as_str())
    {
        None | Some(ALL_128K) => ALL_128K,
        Some(VARIES) => VARIES,
        Some(_) => {
            let message = "Invalid transition default minimum object size";
            return Err(refused("InvalidRequest", message));
        }
    };
    let document = written(&stated, least)?;
    configure(
        &permit,
        &[ConfigurationChange::set(Subresource::Lifecycle, document)],
    )
    .await?;
    Ok(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(TransitionDefaultMinimumObjectSize::from_static(least)),
    })
}

fn written(stated: &BucketLifecycleConfiguration, least: &str) -> S3Result<Bytes> {
    let mut out = Vec::new();
    Serializer::new(&mut out)
        .content_with_attrs(ROOT, &[(LEAST_SIZE, least)], stated)
        .map_err(|e| fail_base(&Error::internal("lifecycle rules can not be written").with_source(e)))?;
    Ok(out.into())
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketLifecycleInput>,
) -> S3Result<DeleteBucketLifecycleOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutLifecycleConfiguration";
    let permit = changing(&request, bucket, "DeleteBucketLifecycle", action).await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Lifecycle)]).await?;
    Ok(DeleteBucketLifecycleOutput {})
}

fn check(rule: &LifecycleRule) -> S3Result<()> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(malformed_xml());
    }
    if rule.filter.is_some() == rule.prefix.is_some() {
        return Err(malformed_xml());
    }
    if rule.prefix.as_ref().is_some_and(|p| p.len() > 1024) {
        return Err(refused("InvalidRequest", "The maximum size of a prefix is 1024."));
    }
    let scope = match &rule.filter {
        Some(filter) => check_filter(filter)?,
        None => Scope::default(),
    };
    check_actions(rule, scope)?;
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration)?;
    }
    if let Some(expiration) = &rule.noncurrent_version_expiration {
        check_noncurrent(expiration)?;
    }
    check_transitions(rule)?;
    check_noncurrent_transitions(rule)
}

/// What a filter chooses by.
#[derive(Clone, Copy, Default)]
struct Scope {
    tags: bool,
    sizes: bool,
}

fn check_filter(filter: &LifecycleRuleFilter) -> S3Result<Scope> {
    let members = [
        filter.and.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
    ];
    if members.iter().filter(|stated| **stated).count() > 1 {
        return Err(malformed_xml());
    }
    let mut tags: Vec<&Tag> = filter.tag.iter().collect();
    let mut prefix = filter.prefix.as_deref();
    let (mut above, mut below) = (filter.object_size_greater_than, filter.object_size_less_than);
    if let Some(and) = &filter.and {
        tags = and.tags.iter().flatten().collect();
        prefix = and.prefix.as_deref();
        (above, below) = (and.object_size_greater_than, and.object_size_less_than);
        let others =
            usize::from(prefix.is_some()) + usize::from(above.is_some()) + usize::from(below.is_some());
        if tags.len().saturating_add(others) < 2 {
            return Err(malformed_xml());
        }
    }
    if prefix.is_some_and(|p| p.len() > 1024) {
        return Err(refused("InvalidRequest", "The maximum size of a prefix is 1024."));
    }
    check_sizes(above, below)?;
    check_tags(&tags)?;
    Ok(Scope {
        tags: !tags.is_empty(),
        sizes: above.is_some() || below.is_some(),
    })
}

fn check_sizes(above: Option<i64>, below: Option<i64>) -> S3Result<()> {
    if above.is_some_and(|size| size < 0) || below.is_some_and(|size| size < 1) {
        return Err(refused(
            "InvalidRequest",
            "Object size in a filter must not be negative",
        ));
    }
    if let (Some(above), Some(below)) = (above, below)
        && above >= below
    {
        let message = "Max object size should be greater than the Min object size";
        return Err(refused("InvalidRequest", message));
    }
    Ok(())
}

fn check_tags(tags: &[&Tag]) -> S3Result<()> {
    let mut seen = BTreeSet::new();
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        if !is_short(key, 128) {
            return Err(refused("InvalidTag", "The TagKey you have provided is invalid"));
        }
        if tag.value.as_ref().is_some_and(|v| v.chars().count() > 256) {
            return Err(refused("InvalidTag", "The TagValue you have provided is invalid"));
        }
        if !seen.insert(key) {
            return Err(refused("InvalidRequest", "Duplicate Tag Keys are not allowed."));
        }
    }
    Ok(())
}

fn check_actions(rule: &LifecycleRule, scope: Scope) -> S3Result<()> {
    let abort = rule.abort_incomplete_multipart_upload.as_ref();
    let has_any = rule.expiration.is_some()
        || abort.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.transitions.as_ref().is_some_and(|t| !t.is_empty())
        || rule
            .noncurrent_version_transitions
            .as_ref()
            .is_some_and(|t| !t.is_empty());
    if !has_any {
        let message = "At least one action needs to be specified in a rule";
        return Err(refused("InvalidRequest", message));
    }
    if let Some(abort) = abort {
        if scope.tags || scope.sizes {
            let message = "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.";
            return Err(refused("InvalidRequest", message));
        }
        positive(
            abort.days_after_initiation,
            "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action",
        )?;
    }
    let markers = rule
        .expiration
        .as_ref()
        .and_then(|e| e.expired_object_delete_marker);
    if markers == Some(true) && scope.tags {
        let message = "ExpiredObjectDeleteMarker cannot be specified with Tags.";
        return Err(refused("InvalidRequest", message));
    }
    Ok(())
}

fn check_expiration(expiration: &LifecycleExpiration) -> S3Result<()> {
    let members = [
        expiration.date.is_some(),
        expiration.days.is_some(),
        expiration.expired_object_delete_marker.is_some(),
    ];
    if members.iter().filter(|stated| **stated).count() != 1 {
        return Err(malformed_xml());
    }
    if expiration.days.is_some() {
        positive(expiration.days, "'Days' for Expiration action")?;
    }
    expiration.date.as_ref().map_or(Ok(()), check_date)
}

fn check_noncurrent(expiration: &NoncurrentVersionExpiration) -> S3Result<()> {
    positive(
        expiration.noncurrent_days,
        "'NoncurrentDays' for NoncurrentVersionExpiration action",
    )?;
    check_newer(expiration.newer_noncurrent_versions)
}

fn check_newer(versions: Option<i32>) -> S3Result<()> {
    match versions {
        Some(n) if !(1..=100).contains(&n) => Err(refused(
            "InvalidArgument",
            "'NewerNoncurrentVersions' must be a positive integer up to 100",
        )),
        _ => Ok(()),
    }
}

fn positive(days: Option<i32>, what: &str) -> S3Result<()> {
    match days {
        None => Err(malformed_xml()),
        Some(days) if days <= 0 => Err(refused(
            "InvalidArgument",
            format!("{what} must be a positive integer"),
        )),
        Some(_) => Ok(()),
    }
}

fn check_date(date: &Timestamp) -> S3Result<()> {
    let at: time::OffsetDateTime = date.clone().into();
    if at.unix_timestamp().rem_euclid(86_400) == 0 && at.nanosecond() == 0 {
        return Ok(());
    }
    Err(refused("InvalidArgument", "'Date' must be at midnight GMT"))
}

fn check_transitions(rule: &LifecycleRule) -> S3Result<()> {
    let transitions = rule.transitions.as_deref().unwrap_or_default();
    let mut classes = BTreeSet::new();
    for transition in transitions {
        let class = check_transition(transition)?;
        if !classes.insert(class) {
            let message = "'StorageClass' must be different for 'Transition' actions in same 'Rule'";
            return Err(refused("InvalidRequest", message));
        }
    }
    let by_date = transitions.iter().any(|t| t.date.is_some());
    let by_days = transitions.iter().any(|t| t.days.is_some());
    let expiry = rule.expiration.as_ref();
    let (on, after) = (expiry.and_then(|e| e.date.as_ref()), expiry.and_then(|e| e.days));
    if (by_date || (on.is_some() && !transitions.is_empty())) && (by_days || (after.is_some() && by_date)) {
        let message =
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule";
        return Err(refused("InvalidRequest", message));
    }
    if let Some(after) = after
        && transitions
            .iter()
            .filter_map(|t| t.days)
            .any(|days| days >= after)
    {
        let message = "'Days' in the Expiration action must be greater than 'Days' in the Transition action";
        return Err(refused("InvalidArgument", message));
    }
    Ok(())
}

fn check_transition(transition: &Transition) -> S3Result<&str> {
    if transition.date.is_some() == transition.days.is_some() {
        return Err(malformed_xml());
    }
    let class = transition
        .storage_class
        .as_ref()
        .ok_or_else(malformed_xml)?
        .as_str();
    if !CLASSES.contains(&class) {
        return Err(malformed_xml());
    }
    if let Some(days) = transition.days {
        check_days(days, class, "'Days' in Transition action")?;
    }
    transition.date.as_ref().map_or(Ok(()), check_date)?;
    Ok(class)
}

/// Classes for what is seldom read take nothing younger than a month.
fn check_days(days: i32, class: &str, what: &str) -> S3Result<()> {
    if days < 0 {
        let message = format!("{what} must be nonnegative");
        return Err(refused("InvalidArgument", message));
    }
    if days < 30 && matches!(class, "STANDARD_IA" | "ONEZONE_IA") {
        let message = format!("{what} must be greater than or equal to 30 for storageClass '{class}'");
        return Err(refused("InvalidArgument", message));
    }
    Ok(())
}

fn check_noncurrent_transitions(rule: &LifecycleRule) -> S3Result<()> {
    let mut classes = BTreeSet::new();
    for transition in rule.noncurrent_version_transitions.iter().flatten() {
        let class = transition
            .storage_class
            .as_ref()
            .ok_or_else(malformed_xml)?
            .as_str();
        let days = transition.noncurrent_days.ok_or_else(malformed_xml)?;
        if !CLASSES.contains(&class) {
            return Err(malformed_xml());
        }
        check_days(
            days,
            class,
            "'NoncurrentDays' in NoncurrentVersionTransition action",
        )?;
        check_newer(transition.newer_noncurrent_versions)?;
        if !classes.insert(class) {
            let message =
                "'StorageClass' must be different for 'NoncurrentVersionTransition' actions in same 'Rule'";
            return Err(refused("InvalidRequest", message));
        }
        let expires = rule
            .noncurrent_version_expiration
            .as_ref()
            .and_then(|e| e.noncurrent_days);
        if expires.is_some_and(|expires| days >= expires) {
            let message = "'NoncurrentDays' in the NoncurrentVersionExpiration action must be greater than \
                           'NoncurrentDays' in the NoncurrentVersionTransition action";
            return Err(refused("InvalidArgument", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
