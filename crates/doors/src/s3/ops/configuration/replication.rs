//! Replication: which objects are copied where.

use std::collections::BTreeSet;

use craton_gate::{ConfigurationChange, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketReplicationInput, DeleteBucketReplicationOutput, GetBucketReplicationInput,
        GetBucketReplicationOutput, PutBucketReplicationInput, PutBucketReplicationOutput,
        ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
    },
};

use super::{
    absent, changing, complete_ids, configure, decode, document, encode, malformed_xml, reading, refused,
};
use crate::s3::call::Call;

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
    let request_id = Call::of(&request)?.session().origin().request_id.clone();
    let mut stated = request.input.replication_configuration;
    check(&stated)?;
    if stated.rules.iter().any(|r| r.status.as_str() == "Enabled") {
        // Who has set it up counts on the copies.
        let message = "Replication is not carried out yet: a rule can be kept only as Disabled.";
        return Err(refused("NotImplemented", message));
    }
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
