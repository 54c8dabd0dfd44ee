use super::*;
use crate::policy::{Context, DecisionKind, Limits, Policy, Request, decide};

#[test]
fn needs_are_as_aws_lists_them() {
    let one = |operation: Operation| {
        let needs: Vec<String> = operation
            .needs()
            .iter()
            .map(|n| format!("{} {:?}", n.action(false), n.resource))
            .collect();
        needs.join(", ")
    };
    for (operation, needs) in [
        (Operation::ListBuckets, "s3:ListAllMyBuckets All"),
        (Operation::HeadBucket, "s3:ListBucket Bucket"),
        (Operation::ListObjects, "s3:ListBucket Bucket"),
        (Operation::ListObjectsV2, "s3:ListBucket Bucket"),
        (Operation::HeadObject, "s3:GetObject Object"),
        (Operation::UploadPart, "s3:PutObject Object"),
        (Operation::CompleteMultipartUpload, "s3:PutObject Object"),
        (Operation::ListParts, "s3:ListMultipartUploadParts Object"),
        (
            Operation::ListMultipartUploads,
            "s3:ListBucketMultipartUploads Bucket",
        ),
        (Operation::DeleteObjects, "s3:DeleteObject Object"),
        (Operation::CopyObject, "s3:GetObject Source, s3:PutObject Object"),
        (
            Operation::UploadPartCopy,
            "s3:GetObject Source, s3:PutObject Object",
        ),
    ] {
        assert_eq!(one(operation), needs, "{}", operation.name());
    }
}

#[test]
fn every_operation_has_a_need_and_its_own_name() {
    let mut names: Vec<_> = Operation::ALL.iter().map(|o| o.name()).collect();
    assert!(Operation::ALL.iter().all(|o| !o.needs().is_empty()));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Operation::ALL.len());
}

/// GHSA-3ppv: a read of a version was authorised as a plain read, also as the source of a copy.
#[test]
fn ghsa_3ppv_a_version_is_its_own_action() {
    for operation in [
        Operation::GetObject,
        Operation::HeadObject,
        Operation::CopyObject,
        Operation::UploadPartCopy,
    ] {
        assert_eq!(
            operation.needs()[0].action(true),
            "s3:GetObjectVersion",
            "{}",
            operation.name()
        );
    }
    assert_eq!(
        Operation::DeleteObject.needs()[0].action(true),
        "s3:DeleteObjectVersion"
    );
    assert_eq!(Operation::PutObject.needs()[0].action(true), "s3:PutObject");
}

fn kind(resource: &str, request: &str) -> DecisionKind {
    let json = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}}}"#
    );
    let policy = Policy::parse(json.as_bytes(), &Limits::default()).unwrap();
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: request,
        context: &context,
    };
    decide(&[&policy], &request).kind
}

#[test]
fn a_key_is_never_a_pattern() {
    let bucket = BucketName::new("data").unwrap();
    let arn = |key: &str| object_arn(&bucket, &ObjectKey::new(key).unwrap());
    for key in [
        "*",
        "?",
        "home/*",
        "${aws:username}",
        "a:b",
        "arn:aws:s3:::other/x",
    ] {
        let arn = arn(key);
        assert_eq!(
            kind("arn:aws:s3:::data/home/x", &arn),
            DecisionKind::ImplicitDeny,
            "{key}"
        );
        assert_eq!(kind("arn:aws:s3:::data/*", &arn), DecisionKind::Allow, "{key}");
        assert_eq!(
            kind("arn:aws:s3:::other/*", &arn),
            DecisionKind::ImplicitDeny,
            "{key}"
        );
    }
    assert_eq!(bucket_arn(&bucket), "arn:aws:s3:::data");
}

#[test]
fn all_buckets_is_granted_by_all_buckets_only() {
    assert_eq!(kind("*", ALL_BUCKETS_ARN), DecisionKind::Allow);
    assert_eq!(kind("arn:aws:s3:::*", ALL_BUCKETS_ARN), DecisionKind::Allow);
    assert_eq!(
        kind("arn:aws:s3:::data", ALL_BUCKETS_ARN),
        DecisionKind::ImplicitDeny
    );
    assert_eq!(
        kind("arn:aws:s3:::data*", ALL_BUCKETS_ARN),
        DecisionKind::ImplicitDeny
    );
}
