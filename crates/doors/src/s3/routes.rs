//! Which S3 operations this door has, and the action that each needs: data for documents and for the tests
//! that try every operation as every kind of caller.

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// S3's name.
    pub operation: &'static str,
    /// The action that must be allowed; `None` where the operation is not implemented.
    pub action: Option<&'static str>,
    /// Why it never will be, where that is decided.
    pub never: Option<&'static str>,
}

const fn has(operation: &'static str, action: &'static str) -> Route {
    Route {
        operation,
        action: Some(action),
        never: None,
    }
}

const fn never(operation: &'static str, why: &'static str) -> Route {
    Route {
        operation,
        action: None,
        never: Some(why),
    }
}

/// Every operation, by name.
pub const ROUTES: &[Route] = &[
    has("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    has("CompleteMultipartUpload", "s3:PutObject"),
    has("CopyObject", "s3:PutObject"),
    has("CreateBucket", "s3:CreateBucket"),
    never(
        "CreateBucketMetadataTableConfiguration",
        "tables of metadata are AWS's own service",
    ),
    has("CreateMultipartUpload", "s3:PutObject"),
    never("CreateSession", "of directory buckets, which are AWS's own"),
    has("DeleteBucket", "s3:DeleteBucket"),
    has(
        "DeleteBucketAnalyticsConfiguration",
        "s3:PutAnalyticsConfiguration",
    ),
    has("DeleteBucketCors", "s3:PutBucketCORS"),
    has("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
    has(
        "DeleteBucketIntelligentTieringConfiguration",
        "s3:PutIntelligentTieringConfiguration",
    ),
    has(
        "DeleteBucketInventoryConfiguration",
        "s3:PutInventoryConfiguration",
    ),
    has("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    never(
        "DeleteBucketMetadataTableConfiguration",
        "tables of metadata are AWS's own service",
    ),
    has("DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration"),
    has("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    has("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
    has("DeleteBucketReplication", "s3:PutReplicationConfiguration"),
    has("DeleteBucketTagging", "s3:PutBucketTagging"),
    has("DeleteBucketWebsite", "s3:DeleteBucketWebsite"),
    has("DeleteObject", "s3:DeleteObject"),
    has("DeleteObjectTagging", "s3:DeleteObjectTagging"),
    has("DeleteObjects", "s3:DeleteObject"),
    has("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    has(
        "GetBucketAccelerateConfiguration",
        "s3:GetAccelerateConfiguration",
    ),
    has("GetBucketAcl", "s3:GetBucketAcl"),
    has("GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"),
    has("GetBucketCors", "s3:GetBucketCORS"),
    has("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    has(
        "GetBucketIntelligentTieringConfiguration",
        "s3:GetIntelligentTieringConfiguration",
    ),
    has("GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration"),
    has("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    has("GetBucketLocation", "s3:GetBucketLocation"),
    has("GetBucketLogging", "s3:GetBucketLogging"),
    never(
        "GetBucketMetadataTableConfiguration",
        "tables of metadata are AWS's own service",
    ),
    has("GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration"),
    has("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    has("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
    has("GetBucketPolicy", "s3:GetBucketPolicy"),
    has("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus"),
    has("GetBucketReplication", "s3:GetReplicationConfiguration"),
    has("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
    has("GetBucketTagging", "s3:GetBucketTagging"),
    has("GetBucketVersioning", "s3:GetBucketVersioning"),
    has("GetBucketWebsite", "s3:GetBucketWebsite"),
    has("GetObject", "s3:GetObject"),
    has("GetObjectAcl", "s3:GetObjectAcl"),
    has("GetObjectAttributes", "s3:GetObjectAttributes"),
    has("GetObjectLegalHold", "s3:GetObjectLegalHold"),
    has(
        "GetObjectLockConfiguration",
        "s3:GetBucketObjectLockConfiguration",
    ),
    has("GetObjectRetention", "s3:GetObjectRetention"),
    has("GetObjectTagging", "s3:GetObjectTagging"),
    never("GetObjectTorrent", "BitTorrent is not spoken"),
    has("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    has("HeadBucket", "s3:ListBucket"),
    has("HeadObject", "s3:GetObject"),
    has(
        "ListBucketAnalyticsConfigurations",
        "s3:GetAnalyticsConfiguration",
    ),
    has(
        "ListBucketIntelligentTieringConfigurations",
        "s3:GetIntelligentTieringConfiguration",
    ),
    has(
        "ListBucketInventoryConfigurations",
        "s3:GetInventoryConfiguration",
    ),
    has("ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration"),
    has("ListBuckets", "s3:ListAllMyBuckets"),
    never(
        "ListDirectoryBuckets",
        "of directory buckets, which are AWS's own",
    ),
    has("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    has("ListObjectVersions", "s3:ListBucketVersions"),
    has("ListObjects", "s3:ListBucket"),
    has("ListObjectsV2", "s3:ListBucket"),
    has("ListParts", "s3:ListMultipartUploadParts"),
    has("PostObject", "s3:PutObject"),
    never(
        "PutBucketAccelerateConfiguration",
        "there is one address, and it is near",
    ),
    has("PutBucketAcl", "s3:PutBucketAcl"),
    has("PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"),
    has("PutBucketCors", "s3:PutBucketCORS"),
    has("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    has(
        "PutBucketIntelligentTieringConfiguration",
        "s3:PutIntelligentTieringConfiguration",
    ),
    has("PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration"),
    has("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    has("PutBucketLogging", "s3:PutBucketLogging"),
    has("PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration"),
    has("PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
    has("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    has("PutBucketPolicy", "s3:PutBucketPolicy"),
    has("PutBucketReplication", "s3:PutReplicationConfiguration"),
    has("PutBucketRequestPayment", "s3:PutBucketRequestPayment"),
    has("PutBucketTagging", "s3:PutBucketTagging"),
    has("PutBucketVersioning", "s3:PutBucketVersioning"),
    never("PutBucketWebsite", "websites are not served"),
    has("PutObject", "s3:PutObject"),
    has("PutObjectAcl", "s3:PutObjectAcl"),
    has("PutObjectLegalHold", "s3:PutObjectLegalHold"),
    has(
        "PutObjectLockConfiguration",
        "s3:PutBucketObjectLockConfiguration",
    ),
    has("PutObjectRetention", "s3:PutObjectRetention"),
    has("PutObjectTagging", "s3:PutObjectTagging"),
    has("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    has("RestoreObject", "s3:RestoreObject"),
    never("SelectObjectContent", "deprecated by AWS; SQL reads objects"),
    has("UploadPart", "s3:PutObject"),
    has("UploadPartCopy", "s3:PutObject"),
    never(
        "WriteGetObjectResponse",
        "of object functions, which are AWS's own",
    ),
];
