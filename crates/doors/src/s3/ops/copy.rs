//! Copies: the source is read by a permit like any other read.

use craton_base::{ObjectKey, ResourcePath};
use craton_gate::{Ask, ReadPermit};
use craton_objects::{
    condition::{ReadConditions, WriteConditions},
    copy::{self as engine, Copied, Copy},
    multipart::{PartSource, UploadId, part_number, upload_part_copy as engine_part_copy},
    put::Written,
    range::ByteRange,
    version::Target,
};
use http::header;
use s3s::{
    S3Request, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETag, ETagCondition,
        UploadPartCopyInput, UploadPartCopyOutput,
    },
    s3_error,
};

use super::{
    lock, read, settle,
    sse::{self, SseFields},
    stated::{Stated, with_facts},
    target, version_text, with_match, with_version, write, write_conditions,
};
use crate::s3::{
    answer::argument,
    call::Call,
    convert::{self, ChecksumFields},
};

macro_rules! source_conditions {
    ($input:expr) => {
        ReadConditions {
            matches: $input.copy_source_if_match.take().map(convert::tag),
            none_match: $input.copy_source_if_none_match.take().map(convert::tag),
            modified_since: $input
                .copy_source_if_modified_since
                .as_ref()
                .map(convert::seconds),
            unmodified_since: $input
                .copy_source_if_unmodified_since
                .as_ref()
                .map(convert::seconds),
        }
    };
}

/// Where a copy comes from.
struct Source {
    path: ResourcePath,
    key: ObjectKey,
    version: Option<String>,
    text: String,
}

impl Source {
    fn of(source: &CopySource) -> S3Result<Self> {
        let CopySource::Bucket {
            bucket,
            key,
            version_id,
        } = source
        else {
            return Err(s3_error!(
                NotImplemented,
                "Copies from access points are not implemented."
            ));
        };
        let (path, key) = convert::object(bucket, key)?;
        let text = format!("{bucket}/{key}");
        Ok(Self {
            path,
            key,
            version: version_id.as_deref().map(ToOwned::to_owned),
            text,
        })
    }

    /// The permit to read it.
    async fn permit(&self, call: &Call, operation: &'static str) -> S3Result<(ReadPermit, Target)> {
        let action = if self.version.is_some() {
            "s3:GetObjectVersion"
        } else {
            "s3:GetObject"
        };
        let ask = with_version(
            Ask::new(operation, action, self.path.clone()),
            self.version.as_deref(),
        );
        let permit = read(call, ask).await?;
        let target = target(&permit, self.version.as_deref())?;
        Ok((permit, target))
    }
}

pub(in crate::s3) async fn copy_object(request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    let call = Call::of(&request)?;
    let conditions = destination_conditions(&request.headers)?;
    let (path, key) = convert::object(&request.input.bucket, &request.input.key)?;
    let source = Source::of(&request.input.copy_source)?;
    let ask = Ask::new("CopyObject", "s3:PutObject", path).with("s3:x-amz-copy-source", source.text.clone());
    let ask = with_match(with_facts(ask, &request.headers), conditions.matches.is_some());
    let ask = lock::with_lock(ask, &request.headers, call.session());
    let permit = write(&call, ask).await?;
    let (source_permit, source_target) = source.permit(&call, "CopyObject").await?;
    let stated = Stated::of(&request, call.session().origin())?;
    let (headers, mut input) = (request.headers, request.input);
    let replaced = replaces("metadata", input.metadata_directive.as_ref().map(|d| d.as_str()))?;
    let retagged = replaces("tagging", input.tagging_directive.as_ref().map(|d| d.as_str()))?;
    let wanted = stated.encryption(&permit)?;
    let acl = stated.acl(&permit)?;
    let context = sse::stated_context(&headers);
    let customer = wanted.customer().cloned();
    let copy = Copy {
        source: source_target,
        lock: stated.lock,
        source_conditions: source_conditions!(input),
        storage_class: stated.attributes.storage_class.clone(),
        redirect: stated.attributes.headers.website_redirect.clone(),
        attributes: replaced.then_some(stated.attributes),
        tags: retagged.then(|| stated.tags.unwrap_or_default()),
        source_key: sse::source_key(&headers, call.session().origin())?,
        states_encryption: stated.encryption.is_some(),
        acl,
        encryption: wanted,
        algorithm: convert::algorithm(input.checksum_algorithm.as_ref())?,
        conditions,
    };
    let copied = engine::copy(&source_permit, &source.key, &permit, &key, copy).await;
    let Copied { written, source } = settle(&source_permit, settle_both(&permit, copied))?;
    let Written { meta, version, .. } = written;
    let fields = ChecksumFields::of(meta.checksum().as_ref());
    let result = CopyObjectResult {
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        checksum_type: fields.scope,
        e_tag: Some(convert::etag(&meta)),
        last_modified: Some(convert::time(meta.modified())),
    };
    let sse = SseFields::of(meta.encryption.as_ref(), customer.as_ref())?;
    Ok(CopyObjectOutput {
        expiration: craton_objects::lifecycle::expiration(&permit, key.as_str(), &meta),
        bucket_key_enabled: sse.bucket_key,
        copy_object_result: Some(result),
        copy_source_version_id: version_text(source),
        version_id: version_text(version),
        sse_customer_algorithm: sse.customer_algorithm,
        sse_customer_key_md5: sse.customer_md5,
        ssekms_encryption_context: context,
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        ..CopyObjectOutput::default()
    })
}

/// Whether the request's own count instead of the source's.
fn replaces(what: &str, directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(argument(
            &format!("x-amz-{what}-directive"),
            other,
            format!("Unknown {what} directive."),
        )),
    }
}

/// The conditions on the copy itself, which s3s does not know of.
fn destination_conditions(headers: &http::HeaderMap) -> S3Result<WriteConditions> {
    let condition = |name: http::HeaderName| {
        let value = headers
            .get(name)
            .map(|v| ETagCondition::parse_http_header(v.as_bytes()));
        value
            .transpose()
            .map_err(|_| s3_error!(InvalidArgument, "A condition is not an entity tag."))
    };
    write_conditions(condition(header::IF_MATCH)?, condition(header::IF_NONE_MATCH)?)
}

/// Notes a failure with the second permit of a copy.
fn settle_both<T>(
    permit: &craton_gate::Permit,
    result: craton_objects::Result<T>,
) -> craton_objects::Result<T> {
    result.inspect_err(|error| permit.failed(error.kind(), error.code()))
}

pub(in crate::s3) async fn upload_part_copy(
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<UploadPartCopyOutput> {
    let call = Call::of(&request)?;
    let headers = request.headers;
    let mut input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let source = Source::of(&input.copy_source)?;
    let ask =
        Ask::new("UploadPartCopy", "s3:PutObject", path).with("s3:x-amz-copy-source", source.text.clone());
    let permit = write(&call, ask).await?;
    let (source_permit, target) = source.permit(&call, "UploadPartCopy").await?;
    let customer = sse::customer_key(&headers, call.session().origin())?;
    let number = settle(&permit, part_number(i64::from(input.part_number)))?;
    let id = settle(&permit, UploadId::parse(&input.upload_id))?;
    let range = match input.copy_source_range.as_deref() {
        None => None,
        Some(text) => Some(ByteRange::parse(text).ok_or_else(|| {
            argument(
                "x-amz-copy-source-range",
                text,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                 zero-based offsets of the first and last bytes to copy",
            )
        })?),
    };
    let from = PartSource {
        key: source.key,
        target,
        conditions: source_conditions!(input),
        range,
        key_of_source: sse::source_key(&headers, call.session().origin())?,
    };
    let to = (id, number);
    let copied = engine_part_copy(&source_permit, &from, &permit, &key, to, customer.as_ref()).await;
    let (part, source_version) = settle(&source_permit, settle_both(&permit, copied))?;
    let fields = ChecksumFields::of_part(part.checksum.0, &part.checksum.1);
    let result = CopyPartResult {
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(convert::time(part.modified)),
    };
    let sse = SseFields::of(part.encryption.as_ref(), customer.as_ref())?;
    Ok(UploadPartCopyOutput {
        bucket_key_enabled: sse.bucket_key,
        copy_part_result: Some(result),
        copy_source_version_id: version_text(source_version),
        sse_customer_algorithm: sse.customer_algorithm,
        sse_customer_key_md5: sse.customer_md5,
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        ..UploadPartCopyOutput::default()
    })
}
