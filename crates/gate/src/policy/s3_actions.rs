//! What each S3 operation needs: the IAM action and the kind of resource, as data, and the ARNs
//! of buckets and objects.
//!
//! Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon S3". An operation that reads one place and writes another has two needs; all must be
//! allowed. Deliberately absent: which HTTP request is which operation.

use craton_base::{BucketName, ObjectKey};

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// All buckets: the resource is [`ALL_BUCKETS_ARN`].
    All,
    /// The bucket.
    Bucket,
    /// The object.
    Object,
    /// The object that is read by a copy.
    Source,
}

/// One action on one kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// For example `s3:GetObject`.
    pub action: &'static str,
    /// The action instead, if the request names a version.
    pub versioned: Option<&'static str>,
    /// What it is about.
    pub resource: Resource,
}

impl Need {
    const fn new(action: &'static str, resource: Resource) -> Self {
        Self {
            action,
            versioned: None,
            resource,
        }
    }

    const fn or_version(action: &'static str, versioned: &'static str, resource: Resource) -> Self {
        Self {
            action,
            versioned: Some(versioned),
            resource,
        }
    }

    /// The action for a request that names a version, or does not.
    #[must_use]
    pub const fn action(&self, names_version: bool) -> &'static str {
        match self.versioned {
            Some(versioned) if names_version => versioned,
            _ => self.action,
        }
    }
}

const GET: Need = Need::or_version("s3:GetObject", "s3:GetObjectVersion", Resource::Object);
const GET_SOURCE: Need = Need::or_version("s3:GetObject", "s3:GetObjectVersion", Resource::Source);
const PUT: Need = Need::new("s3:PutObject", Resource::Object);
const LIST: Need = Need::new("s3:ListBucket", Resource::Bucket);

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident => [$($need:expr),+];)+) => {
        /// An S3 operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// S3's name of the operation.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What must be allowed, all of it.
            #[must_use]
            pub const fn needs(self) -> &'static [Need] {
                match self {
                    $(Self::$name => const { &[$($need),+] },)+
                }
            }
        }
    };
}

operations! {
    /// List the caller's buckets.
    ListBuckets => [Need::new("s3:ListAllMyBuckets", Resource::All)];
    /// Make a bucket.
    CreateBucket => [Need::new("s3:CreateBucket", Resource::Bucket)];
    /// Delete an empty bucket.
    DeleteBucket => [Need::new("s3:DeleteBucket", Resource::Bucket)];
    /// Whether a bucket exists.
    HeadBucket => [LIST];
    /// Where a bucket is.
    GetBucketLocation => [Need::new("s3:GetBucketLocation", Resource::Bucket)];
    /// List keys, version 1.
    ListObjects => [LIST];
    /// List keys, version 2.
    ListObjectsV2 => [LIST];
    /// List versions of objects.
    ListObjectVersions => [Need::new("s3:ListBucketVersions", Resource::Bucket)];
    /// Read an object.
    GetObject => [GET];
    /// Read an object's headers.
    HeadObject => [GET];
    /// Write an object.
    PutObject => [PUT];
    /// Delete an object.
    DeleteObject => [Need::or_version("s3:DeleteObject", "s3:DeleteObjectVersion", Resource::Object)];
    /// Delete objects; decided for each key.
    DeleteObjects => [Need::or_version("s3:DeleteObject", "s3:DeleteObjectVersion", Resource::Object)];
    /// Copy an object.
    CopyObject => [GET_SOURCE, PUT];
    /// Begin an upload in parts.
    CreateMultipartUpload => [PUT];
    /// Write a part.
    UploadPart => [PUT];
    /// Copy a part from an object.
    UploadPartCopy => [GET_SOURCE, PUT];
    /// End an upload in parts.
    CompleteMultipartUpload => [PUT];
    /// Drop an upload in parts.
    AbortMultipartUpload => [Need::new("s3:AbortMultipartUpload", Resource::Object)];
    /// List the parts of an upload.
    ListParts => [Need::new("s3:ListMultipartUploadParts", Resource::Object)];
    /// List the uploads in a bucket.
    ListMultipartUploads => [Need::new("s3:ListBucketMultipartUploads", Resource::Bucket)];
}

/// The resource of a request that is about all buckets. Besides `*`, AWS's own walkthrough
/// ("Controlling access to a bucket with user policies") grants `s3:ListAllMyBuckets` on this ARN, so
/// both must match, and a policy that names one bucket must not.
pub const ALL_BUCKETS_ARN: &str = "arn:aws:s3:::*";

/// `arn:aws:s3:::bucket`.
#[must_use]
pub fn bucket_arn(bucket: &BucketName) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// `arn:aws:s3:::bucket/key`. The key is literal: the evaluator never reads a pattern on the
/// request's side, so a `*`, `?`, `$` or `:` in it is a character.
#[must_use]
pub fn object_arn(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

#[cfg(test)]
mod tests;
