//! Between the typed inputs and outputs of `s3s` and the values of the objects engine.

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath, Timestamp, name::OBJECT_KEY_BYTES_MAX};
use craton_gate::Content;
use craton_objects::{
    body::{Body, Trailers},
    checksum::{Algorithm, Checksum, Scope},
    condition::Tag,
    meta::{Attributes, ObjectMeta},
    range::ByteRange,
};
use futures::StreamExt as _;
use http::HeaderValue;
use s3s::{
    S3Result,
    dto::{self, ChecksumType, ETag, ETagCondition, Owner, StreamingBlob},
    s3_error,
};

use super::answer::{argument, fail_base};

/// A validated bucket name.
pub(super) fn bucket(name: &str) -> S3Result<BucketName> {
    BucketName::new(name).map_err(|e| fail_base(&e))
}

/// A validated key.
pub(super) fn key(key: &str) -> S3Result<ObjectKey> {
    ObjectKey::new(key).map_err(|e| fail_base(&e))
}

/// A prefix of keys, which is never longer than a key, nor is its place in a record.
pub(super) fn prefix(text: &str) -> S3Result<String> {
    if text.len() > OBJECT_KEY_BYTES_MAX {
        return Err(s3_error!(
            KeyTooLongError,
            "A prefix has at most {OBJECT_KEY_BYTES_MAX} bytes."
        ));
    }
    Ok(text.to_owned())
}

/// The path of an object.
pub(super) fn object(bucket_name: &str, key_text: &str) -> S3Result<(ResourcePath, ObjectKey)> {
    let key = key(key_text)?;
    Ok((ResourcePath::Object(bucket(bucket_name)?, key.clone()), key))
}

/// A time as `s3s` takes it.
pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    at.to_utc().into()
}

/// Seconds since the epoch of a time in a request.
pub(super) fn seconds(at: &dto::Timestamp) -> i64 {
    let at: time::OffsetDateTime = at.clone().into();
    at.unix_timestamp()
}

/// A time as a header's value.
pub(super) fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let mut out = Vec::with_capacity(29);
    time(at).format(dto::TimestampFormat::HttpDate, &mut out).ok()?;
    HeaderValue::from_bytes(&out).ok()
}

/// An entity tag.
pub(super) fn etag(meta: &ObjectMeta) -> ETag {
    ETag::Strong(meta.etag())
}

/// A condition on an entity tag.
pub(super) fn tag(condition: ETagCondition) -> Tag {
    match condition {
        ETagCondition::Any => Tag::Any,
        // s3s takes a list for one tag with quotes and commas in it.
        ETagCondition::ETag(tag) => Tag::of_list(tag.value()),
    }
}

/// A principal as an owner.
pub(super) fn owner(name: &str) -> Owner {
    Owner {
        display_name: Some(name.to_owned()),
        id: Some(name.to_owned()),
    }
}

/// A range that `s3s` parsed.
pub(super) fn range(range: &dto::Range) -> ByteRange {
    match range {
        dto::Range::Int { first, last } => ByteRange::From(*first, *last),
        dto::Range::Suffix { length } => ByteRange::Last(*length),
    }
}

/// A checksum by the name of each algorithm's field.
#[derive(Default)]
pub(super) struct ChecksumFields {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) scope: Option<ChecksumType>,
}

impl ChecksumFields {
    pub(super) fn of(checksum: Option<&Checksum>) -> Self {
        let Some(checksum) = checksum else {
            return Self::default();
        };
        let scope = Some(ChecksumType::from_static(checksum.scope.name()));
        Self {
            scope,
            ..Self::named(checksum.algorithm, checksum.to_text())
        }
    }

    /// Of one part.
    pub(super) fn of_part(algorithm: Algorithm, value: &[u8]) -> Self {
        let checksum = Checksum {
            algorithm,
            scope: Scope::FullObject,
            parts: 0,
            value: value.to_vec(),
        };
        Self {
            scope: None,
            ..Self::of(Some(&checksum))
        }
    }

    fn named(algorithm: Algorithm, text: String) -> Self {
        let mut out = Self::default();
        let field = match algorithm {
            Algorithm::Crc32 => &mut out.crc32,
            Algorithm::Crc32c => &mut out.crc32c,
            Algorithm::Crc64Nvme => &mut out.crc64nvme,
            Algorithm::Sha1 => &mut out.sha1,
            Algorithm::Sha256 => &mut out.sha256,
        };
        *field = Some(text);
        out
    }

    /// The one that is set, with its value; S3's `-N` of a composite is left out.
    pub(super) fn stated(&self) -> S3Result<Option<(Algorithm, Vec<u8>)>> {
        let fields = [
            (Algorithm::Crc32, &self.crc32),
            (Algorithm::Crc32c, &self.crc32c),
            (Algorithm::Crc64Nvme, &self.crc64nvme),
            (Algorithm::Sha1, &self.sha1),
            (Algorithm::Sha256, &self.sha256),
        ];
        let mut stated = fields
            .into_iter()
            .filter_map(|(a, text)| text.as_deref().map(|t| (a, t)));
        let Some((algorithm, text)) = stated.next() else {
            return Ok(None);
        };
        if stated.next().is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header."
            ));
        }
        let text = text.split_once('-').map_or(text, |(value, _)| value);
        Ok(Some((
            algorithm,
            algorithm.parse(text).map_err(super::answer::fail)?,
        )))
    }
}

/// The checksum algorithm that a request names.
pub(super) fn algorithm(named: Option<&dto::ChecksumAlgorithm>) -> S3Result<Option<Algorithm>> {
    let unknown = || s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported.");
    named
        .map(|n| Algorithm::from_name(n.as_str()).ok_or_else(unknown))
        .transpose()
}

/// User metadata, as `s3s` takes it.
pub(super) fn metadata(attributes: &Attributes) -> Option<dto::Metadata> {
    let user = &attributes.user;
    (!user.is_empty()).then(|| user.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// A size, as `s3s` takes it.
pub(super) fn size(bytes: u64) -> Option<i64> {
    Some(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// A small number, as `s3s` takes it.
pub(super) fn count(n: usize) -> Option<i32> {
    Some(i32::try_from(n).unwrap_or(i32::MAX))
}

/// A limit on the rows of a page: a number that is not negative.
pub(super) fn limit(asked: Option<i32>, name: &str, max: usize) -> S3Result<usize> {
    let Some(asked) = asked else { return Ok(max) };
    match usize::try_from(asked) {
        Ok(limit) => Ok(limit.min(max)),
        Err(_) => {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(argument(name, asked.to_string(), message))
        }
    }
}

/// A request's body, as the engine takes it.
pub(super) fn body(
    blob: Option<StreamingBlob>,
    len: Option<i64>,
    trailers: std::sync::Arc<dyn Trailers>,
) -> Body {
    let len = len.and_then(|len| u64::try_from(len).ok());
    let Some(blob) = blob else {
        return Body::of(Bytes::new());
    };
    let pieces = blob.map(|piece| {
        piece.map_err(|e| match e.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => {
                Error::new(Kind::Invalid, "IncompleteBody", "The body ended early.").with_source(other)
            }
        })
    });
    Body {
        pieces: Box::pin(pieces),
        len,
        trailers: Some(trailers),
    }
}

/// Content, as `s3s` sends it.
pub(super) fn blob(content: Content) -> StreamingBlob {
    match content {
        Content::Whole(bytes) => StreamingBlob::from(s3s::Body::from(bytes)),
        Content::Stream(stream) => StreamingBlob::wrap(stream),
    }
}

/// A key or prefix in a listing with `encoding-type=url`: all but unreserved characters and `/` escaped.
pub(super) fn url_encoded(text: String, encode: bool) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b'/');
    if encode {
        percent_encoding::utf8_percent_encode(&text, &KEPT).to_string()
    } else {
        text
    }
}
