//! What a request is about, for the documents of errors: S3 names there the bucket that there is not, the key, the
//! range and so on, by the error's code.
//!
//! Source: Amazon S3 API Reference, "Error responses", and the documents that S3 sends.
//!
//! Deliberately absent: what only who found the error knows ([`craton_objects::error::Details`]).

use craton_base::name::OBJECT_KEY_BYTES_MAX;
use craton_objects::error::Details;
use http::{HeaderValue, Method, Uri, header, request::Parts};

use super::plain::COPY_SOURCE;

/// What a request is about. Made for every request, so it copies nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    method: Method,
    uri: Uri,
    range: Option<HeaderValue>,
    /// The source of a copy.
    source: Option<HeaderValue>,
}

impl Subject {
    /// Of a plain request: its path begins with the bucket.
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            range: parts.headers.get(header::RANGE).cloned(),
            source: parts.headers.get(COPY_SOURCE).cloned(),
        }
    }

    /// What S3 says of it with an error of this code.
    pub(super) fn details(&self, code: &str) -> Details {
        let found = match code {
            "NoSuchKey" => vec![("Key", self.read_key())],
            "NoSuchVersion" => vec![
                ("Key", self.read_key()),
                ("VersionId", self.parameter("versionId")),
            ],
            "InvalidPart" | "InvalidPartOrder" | "NoSuchUpload" => {
                vec![("UploadId", self.parameter("uploadId"))]
            }
            "InvalidRange" => vec![("RangeRequested", self.range.as_ref().and_then(text))],
            "KeyTooLongError" => vec![
                ("Size", self.key().map(|key| key.len().to_string())),
                ("MaxSizeAllowed", Some(OBJECT_KEY_BYTES_MAX.to_string())),
            ],
            "MethodNotAllowed" => vec![
                ("Method", Some(self.method.to_string())),
                ("ResourceType", Some(self.resource_type().to_owned())),
            ],
            // Of a copy it is not known which bucket is meant.
            code if OF_BUCKETS.contains(&code) && self.source.is_none() => {
                vec![("BucketName", self.bucket())]
            }
            _ => Vec::new(),
        };
        found
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }

    fn bucket(&self) -> Option<String> {
        let bucket = self.uri.path().strip_prefix('/')?.split('/').next()?;
        decoded(bucket).filter(|bucket| !bucket.is_empty())
    }

    fn key(&self) -> Option<String> {
        let (_, key) = self.uri.path().strip_prefix('/')?.split_once('/')?;
        decoded(key).filter(|key| !key.is_empty())
    }

    /// The key that is read: of a copy, its source's.
    fn read_key(&self) -> Option<String> {
        let Some(source) = &self.source else {
            return self.key();
        };
        let source = text(source)?;
        let path = source
            .split_once("?versionId=")
            .map_or(&*source, |(path, _)| path);
        let path = decoded(path)?;
        let (_, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
        Some(key.to_owned())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut parts = self
            .uri
            .query()?
            .split('&')
            .filter_map(|part| part.split_once('='));
        parts
            .find(|(n, _)| *n == name)
            .and_then(|(_, value)| decoded(value))
    }

    /// As S3 names what a method is not for.
    fn resource_type(&self) -> &'static str {
        match (self.bucket(), self.key()) {
            (_, Some(_)) => "OBJECT",
            (Some(_), None) => "BUCKET",
            (None, None) => "SERVICE",
        }
    }
}

/// The codes with which S3 names the bucket.
const OF_BUCKETS: &[&str] = &[
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNotEmpty",
    "InvalidBucketName",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NoSuchWebsiteConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "ReplicationConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
];

fn decoded(text: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
