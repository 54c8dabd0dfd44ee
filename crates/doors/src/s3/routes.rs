//! Which S3 operations this door has, and the action that each needs: data for documents and for the tests
//! that try every operation as every kind of caller.

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// S3's name.
    pub operation: &'static str,
    /// The action that must be allowed; `None` where the operation is not implemented.
    pub action: Option<&'static str>,
}

const fn has(operation: &'static str, action: &'static str) -> Route {
    Route {
        operation,
        action: Some(action),
    }
}

const fn lacks(operation: &'static str) -> Route {
    Route {
        operation,
        action: None,
    }
}

/// Every operation, by name.
pub const ROUTES: &[Route] = &[
    has("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    has("CompleteMultipartUpload", "s3:PutObject"),
    has("CopyObject", "s3:PutObject"),
    has("CreateBucket", "s3:CreateBucket"),
    has("CreateMultipartUpload", "s3:PutObject"),
    has("DeleteBucket", "s3:DeleteBucket"),
    lacks("DeleteBucketCors"),
    lacks("DeleteBucketEncryption"),
    lacks("DeleteBucketLifecycle"),
    lacks("DeleteBucketPolicy"),
    lacks("DeleteBucketReplication"),
    lacks("DeleteBucketTagging"),
    lacks("DeleteBucketWebsite"),
    has("DeleteObject", "s3:DeleteObject"),
    lacks("DeleteObjectTagging"),
    has("DeleteObjects", "s3:DeleteObject"),
    has("GetBucketAcl", "s3:GetBucketAcl"),
    lacks("GetBucketCors"),
    lacks("GetBucketEncryption"),
    lacks("GetBucketLifecycleConfiguration"),
    has("GetBucketLocation", "s3:GetBucketLocation"),
    lacks("GetBucketLogging"),
    lacks("GetBucketNotificationConfiguration"),
    lacks("GetBucketPolicy"),
    lacks("GetBucketReplication"),
    has("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
    lacks("GetBucketTagging"),
    has("GetBucketVersioning", "s3:GetBucketVersioning"),
    lacks("GetBucketWebsite"),
    has("GetObject", "s3:GetObject"),
    has("GetObjectAcl", "s3:GetObjectAcl"),
    has("GetObjectAttributes", "s3:GetObjectAttributes"),
    lacks("GetObjectLegalHold"),
    lacks("GetObjectLockConfiguration"),
    lacks("GetObjectRetention"),
    lacks("GetObjectTagging"),
    has("HeadBucket", "s3:ListBucket"),
    has("HeadObject", "s3:GetObject"),
    has("ListBuckets", "s3:ListAllMyBuckets"),
    has("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    lacks("ListObjectVersions"),
    has("ListObjects", "s3:ListBucket"),
    has("ListObjectsV2", "s3:ListBucket"),
    has("ListParts", "s3:ListMultipartUploadParts"),
    has("PostObject", "s3:PutObject"),
    lacks("PutBucketAcl"),
    lacks("PutBucketCors"),
    lacks("PutBucketEncryption"),
    lacks("PutBucketLifecycleConfiguration"),
    lacks("PutBucketLogging"),
    lacks("PutBucketNotificationConfiguration"),
    lacks("PutBucketPolicy"),
    lacks("PutBucketReplication"),
    lacks("PutBucketTagging"),
    lacks("PutBucketVersioning"),
    lacks("PutBucketWebsite"),
    has("PutObject", "s3:PutObject"),
    lacks("PutObjectAcl"),
    lacks("PutObjectLegalHold"),
    lacks("PutObjectLockConfiguration"),
    lacks("PutObjectRetention"),
    lacks("PutObjectTagging"),
    lacks("RestoreObject"),
    lacks("SelectObjectContent"),
    has("UploadPart", "s3:PutObject"),
    has("UploadPartCopy", "s3:PutObject"),
];
