//! Replication: which objects are copied where.

use std::collections::BTreeSet;

use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath};
use craton_gate::{ConfigurationChange, RemoteBuckets, Subresource, Versioning, WritePermit};
use craton_objects::{meta::STORAGE_CLASSES, replication::Place};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketReplicationInput, DeleteBucketReplicationOutput, GetBucketReplicationInput,
        GetBucketReplicationOutput, PutBucketReplicationInput, PutBucketReplicationOutput,
        ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter, StorageClass,
    },
};

use super::{
    absent, changing, complete_ids, configure, decode, document, encode, malformed_xml, reading, refused,
    settle,
};
use crate::s3::{answer::fail_base, call::Call};

const ROOT: &str = "ReplicationConfiguration";

/// The most rules of one bucket.
const RULES_MAX: usize = 1000;

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketReplicationInput>,
) -> S3Result<GetBucketReplicationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetReplicationConfiguration";
    let permit = reading(&request, bucket, "GetBucketReplication", action).await?;
    let Some(found) = document(&permit, Subresource::Replication)? else {
        let message = "The replication configuration was not found";
        return Err(absent("ReplicationConfigurationNotFoundError", message));
    };
    Ok(GetBucketReplicationOutput {
        replication_configuration: Some(decode(ROOT, &found)?),
    })
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketReplicationInput>,
) -> S3Result<PutBucketReplicationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutReplicationConfiguration";
    let permit = changing(&request, bucket, "PutBucketReplication", action).await?;
    let call = Call::of(&request)?;
    let request_id = call.session().origin().request_id.clone();
    let mut stated = request.input.replication_configuration;
    check(&stated)?;
    check_bucket(&permit)?;
    let remotes = &call.gate().settings().remotes;
    stated
        .rules
        .iter()
        .try_for_each(|rule| check_place(&permit, rule, remotes))?;
    complete_ids(stated.rules.iter_mut().map(|r| &mut r.id), &request_id)?;
    let change = ConfigurationChange::set(Subresource::Replication, encode(ROOT, &stated)?);
    configure(&permit, &[change]).await?;
    Ok(PutBucketReplicationOutput {})
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketReplicationInput>,
) -> S3Result<DeleteBucketReplicationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutReplicationConfiguration";
    let permit = changing(&request, bucket, "DeleteBucketReplication", action).await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Replication)]).await?;
    Ok(DeleteBucketReplicationOutput {})
}

/// Copies are of versions, so there must be versions.
fn check_bucket(permit: &WritePermit) -> S3Result<()> {
    let bucket = settle(permit, permit.bucket().map_err(Into::into))?;
    if bucket.versioning == Versioning::Enabled {
        return Ok(());
    }
    let message = "Versioning must be 'Enabled' on the bucket to apply a replication configuration";
    Err(refused("InvalidRequest", message))
}

/// Where a rule copies to must be there, and who sets the rule must be allowed to copy there.
fn check_place(permit: &WritePermit, rule: &ReplicationRule, remotes: &[RemoteBuckets]) -> S3Result<()> {
    let missing = || refused("InvalidRequest", "Destination bucket must exist.");
    let name = match Place::of(&rule.destination.bucket, remotes).ok_or_else(missing)? {
        Place::There { bucket, .. } => bucket,
        Place::Here(name) => {
            if permit.resource().bucket() == Some(&name) {
                let message = "Destination bucket cannot be the same as the source bucket.";
                return Err(refused("InvalidRequest", message));
            }
            let versioning = settle(permit, permit.versioning_of(&name).map_err(Into::into))?;
            if versioning.ok_or_else(missing)? != Versioning::Enabled {
                let message = "Destination bucket must have versioning enabled.";
                return Err(refused("InvalidRequest", message));
            }
            name.to_string()
        }
    };
    check_rights(permit, rule, &name)
}

/// As passing a role is in AWS: nobody gets copied for them what they may not read, nor to where they may not copy.
fn check_rights(permit: &WritePermit, rule: &ReplicationRule, to: &str) -> S3Result<()> {
    let objects = |bucket: &BucketName| -> craton_base::Result<ResourcePath> {
        let key = ObjectKey::new(&format!("{}*", prefix_of(rule)))?;
        Ok(ResourcePath::Object(bucket.clone(), key))
    };
    let may = |actions: &[&'static str], bucket: &BucketName| {
        objects(bucket).is_ok_and(|path| actions.iter().all(|action| permit.also(action, &path)))
    };
    let reads = permit.resource().bucket().is_some_and(|from| {
        may(&["s3:GetObjectVersionForReplication"], from)
            || may(&["s3:GetObjectVersion", "s3:GetObjectVersionTagging"], from)
    });
    let writes = BucketName::new(to).is_ok_and(|to| may(&COPIES, &to));
    let keys = ResourcePath::System("kms/*".to_owned());
    if reads && writes && (!takes_kms(rule) || permit.also("kms:Decrypt", &keys)) {
        return Ok(());
    }
    let message = "Access Denied: who sets up replication needs s3:GetObjectVersionForReplication for the source, \
                   s3:ReplicateObject, s3:ReplicateDelete and s3:ReplicateTags for the destination, and kms:Decrypt to \
                   copy objects with SSE-KMS.";
    permit.failed(Kind::Denied, "AccessDenied");
    Err(fail_base(&Error::new(Kind::Denied, "AccessDenied", message)))
}

/// The actions that copying takes at the destination.
const COPIES: [&str; 3] = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"];

fn takes_kms(rule: &ReplicationRule) -> bool {
    let criteria = rule.source_selection_criteria.as_ref();
    let kms = criteria.and_then(|c| c.sse_kms_encrypted_objects.as_ref());
    kms.is_some_and(|k| k.status.as_str() == "Enabled")
}

/// What a destination says of its copies must mean something.
fn check_copies(rule: &ReplicationRule) -> S3Result<()> {
    let to = &rule.destination;
    let class = to.storage_class.as_ref().map(StorageClass::as_str);
    if class.is_some_and(|class| !STORAGE_CLASSES.contains(&class)) {
        return Err(malformed_xml());
    }
    let key = to.encryption_configuration.as_ref();
    let names_key = key.is_some_and(|e| e.replica_kms_key_id.as_ref().is_some_and(|key| !key.is_empty()));
    if takes_kms(rule) && !names_key {
        let message = "EncryptionConfiguration must be specified if SseKmsEncryptedObjects tag is present";
        return Err(refused("InvalidRequest", message));
    }
    Ok(())
}

fn prefix_of(rule: &ReplicationRule) -> &str {
    let filter = rule.filter.as_ref();
    let inner = filter.and_then(|f| match &f.and {
        Some(and) => and.prefix.as_deref(),
        None => f.prefix.as_deref(),
    });
    inner.or(rule.prefix.as_deref()).unwrap_or_default()
}

fn check(stated: &ReplicationConfiguration) -> S3Result<()> {
    if stated.rules.is_empty() || stated.rules.len() > RULES_MAX {
        return Err(malformed_xml());
    }
    let mut priorities = BTreeSet::new();
    for rule in &stated.rules {
        check_rule(rule)?;
        if rule.priority.is_some_and(|p| !priorities.insert(p)) {
            let message = "Found duplicate priority in the replication rules. Priority must be unique.";
            return Err(refused("InvalidRequest", message));
        }
    }
    Ok(())
}

fn check_rule(rule: &ReplicationRule) -> S3Result<()> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(malformed_xml());
    }
    if !rule.destination.bucket.starts_with("arn:") {
        return Err(refused("InvalidArgument", "Invalid bucket ARN."));
    }
    check_copies(rule)?;
    let Some(filter) = &rule.filter else {
        // The first form of the schema: a prefix, which may be empty.
        return Ok(());
    };
    if rule.prefix.is_some() {
        return Err(malformed_xml());
    }
    let message = |element: &str| {
        format!(
            "{element} must be specified for this version of Cross Region Replication configuration schema. \
             Please refer to S3 Developer Guide for more information."
        )
    };
    if rule.priority.is_none_or(|p| p < 0) {
        return Err(refused("InvalidRequest", message("Priority")));
    }
    let Some(markers) = &rule.delete_marker_replication else {
        return Err(refused("InvalidRequest", message("DeleteMarkerReplication")));
    };
    let replicates_markers = markers.status.as_ref().is_some_and(|s| s.as_str() == "Enabled");
    if replicates_markers && has_tags(filter) {
        let message = "Delete marker replication is not supported if any Tag filter is specified. \
                       Please refer to S3 Developer Guide for more information.";
        return Err(refused("InvalidRequest", message));
    }
    let members = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
    ];
    if members.iter().filter(|stated| **stated).count() > 1 {
        return Err(malformed_xml());
    }
    Ok(())
}

fn has_tags(filter: &ReplicationRuleFilter) -> bool {
    let listed = filter.and.as_ref().and_then(|and| and.tags.as_ref());
    filter.tag.is_some() || listed.is_some_and(|tags| !tags.is_empty())
}
