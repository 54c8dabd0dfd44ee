//! Reading objects and what is known about them.

use craton_gate::{Ask, PrincipalKind};
use craton_objects::{
    condition::{IfRange, ReadConditions},
    encryption::CustomerKey,
    get::{self as engine, Found, ReadRequest},
    meta::ObjectMeta,
    range::Selection,
    version::Target,
};
use http::header;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        Checksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
        GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ObjectPart, StorageClass,
    },
    s3_error,
};

use super::{
    lock, read, read_once, replica, restore, settle,
    sse::{self, SseFields},
    target, version_text, with_version,
};
use crate::s3::{
    answer::argument,
    call::Call,
    convert::{self, ChecksumFields},
};

macro_rules! conditions {
    ($input:expr) => {
        ReadConditions {
            matches: $input.if_match.take().map(convert::tag),
            none_match: $input.if_none_match.take().map(convert::tag),
            modified_since: $input.if_modified_since.as_ref().map(convert::seconds),
            unmodified_since: $input.if_unmodified_since.as_ref().map(convert::seconds),
        }
    };
}

macro_rules! output {
    ($type:ident, $found:expr, $fields:expr $(, $name:ident: $value:expr)*) => {{
        let Found { meta, version, range, partial } = $found;
        let (fields, sse, locked, restored): (ChecksumFields, SseFields, lock::Shown, Option<String>) = $fields;
        $type {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: sse.bucket_key,
            cache_control: meta.attributes.headers.cache_control.clone(),
            checksum_crc32: fields.crc32,
            checksum_crc32c: fields.crc32c,
            checksum_crc64nvme: fields.crc64nvme,
            checksum_sha1: fields.sha1,
            checksum_sha256: fields.sha256,
            checksum_type: fields.scope,
            content_disposition: meta.attributes.headers.content_disposition.clone(),
            content_encoding: meta.attributes.headers.content_encoding.clone(),
            content_language: meta.attributes.headers.content_language.clone(),
            content_length: convert::size(range.end.saturating_sub(range.start)),
            content_range: content_range(*partial, range, meta.size),
            content_type: Some(content_type(meta)),
            e_tag: Some(convert::etag(meta)),
            last_modified: Some(convert::time(meta.modified())),
            metadata: convert::metadata(&meta.attributes),
            sse_customer_algorithm: sse.customer_algorithm,
            sse_customer_key_md5: sse.customer_md5,
            ssekms_key_id: sse.key_id,
            server_side_encryption: sse.method,
            object_lock_legal_hold_status: locked.hold,
            object_lock_mode: locked.mode,
            object_lock_retain_until_date: locked.until,
            replication_status: replica::status(meta),
            restore: restored,
            storage_class: storage_class(meta),
            version_id: version_text(*version),
            website_redirect_location: meta.attributes.headers.website_redirect.clone(),
            $($name: $value,)*
            ..$type::default()
        }
    }};
}

/// What a request for an object asks about it.
struct Asked {
    selection: Selection,
    checksum: bool,
    parts: bool,
}

fn asked(range: Option<&s3s::dto::Range>, part: Option<i32>, checksum_mode: Option<&str>) -> S3Result<Asked> {
    let selection = match (range, part) {
        (Some(_), Some(_)) => {
            return Err(s3_error!(
                InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            ));
        }
        (Some(range), None) => Selection::Range(convert::range(range)),
        (None, Some(part)) => match u32::try_from(part) {
            Ok(number) if (1..=craton_objects::multipart::PARTS_MAX).contains(&number) => {
                Selection::Part(number)
            }
            _ => {
                let message = "Part number must be an integer between 1 and 10000, inclusive";
                return Err(argument("partNumber", part.to_string(), message));
            }
        },
        (None, None) => Selection::Whole,
    };
    let checksum = checksum_mode.is_some_and(|m| m.eq_ignore_ascii_case("enabled"));
    Ok(Asked {
        selection,
        checksum,
        parts: part.is_some(),
    })
}

const fn action(version: Option<&String>) -> &'static str {
    if version.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    }
}

pub(in crate::s3) async fn get_object(
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let call = Call::of(&request)?;
    read_object(&call, &request.headers, request.input).await
}

/// The object that is asked for.
pub(in crate::s3) async fn read_object(
    call: &Call,
    headers: &http::HeaderMap,
    mut input: GetObjectInput,
) -> S3Result<S3Response<GetObjectOutput>> {
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("GetObject", action(input.version_id.as_ref()), path);
    let permit = read_once(call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    if call.session().kind() == PrincipalKind::Anonymous && overrides(&input) {
        return Err(s3_error!(
            InvalidRequest,
            "Request specific response headers cannot be used for anonymous GET requests."
        ));
    }
    sse::refuse_on_read(headers)?;
    let customer = sse::customer_key(headers, call.session().origin())?;
    let mode = input.checksum_mode.as_ref().map(s3s::dto::ChecksumMode::as_str);
    let asked = asked(input.range.as_ref(), input.part_number, mode)?;
    let wanted = ReadRequest {
        target,
        conditions: conditions!(input),
        selection: asked.selection,
        if_range: if_range(headers),
    };
    let found = engine::get(&permit, &key, &wanted, customer.as_ref()).await;
    let (found, content) = settle(&permit, found)?;
    let fields = fields(&permit, &asked, &found, customer.as_ref())?;
    let output = output!(GetObjectOutput, &found, fields,
        body: Some(convert::blob(content)),
        parts_count: parts_count(&asked, &found.meta),
        expiration: expiration(&permit, target, &key, &found.meta),
        tag_count: tag_count(&permit, &found.meta));
    let mut response = S3Response::new(output);
    if input.response_expires.is_none() {
        response.headers.extend(expires(&found.meta));
    }
    Ok(response)
}

/// When a rule lets the current version expire.
fn expiration(
    permit: &craton_gate::ReadPermit,
    target: Target,
    key: &craton_base::ObjectKey,
    meta: &ObjectMeta,
) -> Option<String> {
    (target == Target::Current)
        .then(|| craton_objects::lifecycle::expiration(permit, key.as_str(), meta))
        .flatten()
}

/// A version as it is, without conditions.
fn whole(target: Target) -> ReadRequest {
    ReadRequest {
        target,
        ..ReadRequest::default()
    }
}

/// `If-Range`: an entity tag, or an HTTP date.
fn if_range(headers: &http::HeaderMap) -> Option<IfRange> {
    let value = headers.get(header::IF_RANGE)?;
    let Ok(text) = value.to_str() else {
        return Some(IfRange::Nothing);
    };
    if let Some(tag) = text.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
        return Some(IfRange::Tag(tag.to_owned()));
    }
    let date = s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, text);
    Some(date.map_or(IfRange::Nothing, |date| IfRange::Written(convert::seconds(&date))))
}

const fn overrides(input: &GetObjectInput) -> bool {
    input.response_cache_control.is_some()
        || input.response_content_disposition.is_some()
        || input.response_content_encoding.is_some()
        || input.response_content_language.is_some()
        || input.response_content_type.is_some()
        || input.response_expires.is_some()
}

pub(in crate::s3) async fn head_object(
    request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let call = Call::of(&request)?;
    let headers = request.headers;
    let mut input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("HeadObject", action(input.version_id.as_ref()), path);
    let permit = read_once(&call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let overridden = overridden(&call, &input)?;
    sse::refuse_on_read(&headers)?;
    let customer = sse::customer_key(&headers, call.session().origin())?;
    let mode = input.checksum_mode.as_ref().map(s3s::dto::ChecksumMode::as_str);
    let asked = asked(input.range.as_ref(), input.part_number, mode)?;
    let wanted = ReadRequest {
        target,
        conditions: conditions!(input),
        selection: asked.selection,
        if_range: if_range(&headers),
    };
    let found = settle(&permit, engine::head(&permit, &key, &wanted, customer.as_ref()))?;
    let fields = fields(&permit, &asked, &found, customer.as_ref())?;
    let output = output!(HeadObjectOutput, &found, fields,
        expiration: expiration(&permit, target, &key, &found.meta),
        parts_count: parts_count(&asked, &found.meta));
    let mut response = S3Response::new(output);
    response.headers.extend(expires(&found.meta));
    response.headers.extend(replica::source(&found.meta));
    if let Some(count) = tag_count(&permit, &found.meta) {
        response
            .headers
            .insert(TAGGING_COUNT, http::HeaderValue::from(count));
    }
    response.headers.extend(overridden);
    Ok(response)
}

/// `s3s` has no field for it in the answer to HEAD.
const TAGGING_COUNT: http::HeaderName = http::HeaderName::from_static("x-amz-tagging-count");

/// The headers that the answer to a HEAD has instead of the object's own: `s3s` does this for GET only.
fn overridden(call: &Call, input: &HeadObjectInput) -> S3Result<http::HeaderMap> {
    let expires = input
        .response_expires
        .as_ref()
        .map(convert::seconds)
        .and_then(|s| u64::try_from(s).ok())
        .and_then(|s| convert::http_date(craton_base::Timestamp(s.saturating_mul(1_000_000))));
    let texts = [
        (header::CACHE_CONTROL, input.response_cache_control.as_deref()),
        (
            header::CONTENT_DISPOSITION,
            input.response_content_disposition.as_deref(),
        ),
        (
            header::CONTENT_ENCODING,
            input.response_content_encoding.as_deref(),
        ),
        (
            header::CONTENT_LANGUAGE,
            input.response_content_language.as_deref(),
        ),
        (header::CONTENT_TYPE, input.response_content_type.as_deref()),
    ];
    let mut out = http::HeaderMap::new();
    out.extend(expires.map(|value| (header::EXPIRES, value)));
    for (name, text) in texts {
        let Some(text) = text else { continue };
        let value = text
            .parse()
            .map_err(|_| s3_error!(InvalidArgument, "A response header that is asked for is not one."))?;
        out.insert(name, value);
    }
    if call.session().kind() == PrincipalKind::Anonymous && !out.is_empty() {
        return Err(s3_error!(
            InvalidRequest,
            "Request specific response headers cannot be used for anonymous GET requests."
        ));
    }
    Ok(out)
}

/// `Expires`, as it was put.
fn expires(meta: &ObjectMeta) -> Option<(http::HeaderName, http::HeaderValue)> {
    let kept = &meta.attributes.headers;
    let value = match &kept.expires {
        Some(text) => http::HeaderValue::from_bytes(text.as_bytes()).ok(),
        None => kept
            .expires_seconds
            .and_then(|s| u64::try_from(s).ok())
            .and_then(|s| convert::http_date(craton_base::Timestamp(s.saturating_mul(1_000_000)))),
    };
    value.map(|value| (header::EXPIRES, value))
}

/// How many tags it has, for who may know.
fn tag_count(permit: &craton_gate::Permit, meta: &ObjectMeta) -> Option<i32> {
    let count = meta.tag_count();
    let shown = count > 0 && permit.also("s3:GetObjectTagging", permit.resource());
    shown.then(|| convert::count(count)).flatten()
}

fn fields(
    permit: &craton_gate::Permit,
    asked: &Asked,
    found: &Found,
    customer: Option<&CustomerKey>,
) -> S3Result<(ChecksumFields, SseFields, lock::Shown, Option<String>)> {
    let sse = SseFields::of(found.meta.encryption.as_ref(), customer)?;
    let locked = lock::Shown::of(permit, &found.meta);
    let restored = restore::shown(permit, &found.meta);
    Ok((checksum_fields(asked, found), sse, locked, restored))
}

/// The checksum is the whole object's, so it goes with the whole object only.
fn checksum_fields(asked: &Asked, found: &Found) -> ChecksumFields {
    if !asked.checksum || found.partial {
        return ChecksumFields::default();
    }
    ChecksumFields::of(found.meta.checksum().as_ref())
}

fn parts_count(asked: &Asked, meta: &ObjectMeta) -> Option<i32> {
    (asked.parts && !meta.parts.is_empty())
        .then(|| convert::count(meta.part_count()))
        .flatten()
}

fn content_range(partial: bool, range: &std::ops::Range<u64>, size: u64) -> Option<String> {
    (partial && !range.is_empty())
        .then(|| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)))
}

fn content_type(meta: &ObjectMeta) -> String {
    let given = meta.attributes.headers.content_type.as_deref();
    given.unwrap_or("binary/octet-stream").to_owned()
}

/// S3 names the storage class only where it is not the standard one.
fn storage_class(meta: &ObjectMeta) -> Option<StorageClass> {
    let class = meta.attributes.storage_class();
    (class != "STANDARD").then(|| StorageClass::from(class.to_owned()))
}

pub(in crate::s3) async fn get_object_attributes(
    request: S3Request<GetObjectAttributesInput>,
) -> S3Result<GetObjectAttributesOutput> {
    let call = Call::of(&request)?;
    let headers = request.headers;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let wanted = match &input.version_id {
        Some(_) => "s3:GetObjectVersionAttributes",
        None => "s3:GetObjectAttributes",
    };
    let ask = Ask::new("GetObjectAttributes", wanted, path).and_action(action(input.version_id.as_ref()));
    let permit = read(&call, ask).await?;
    let request = whole(target(&permit, input.version_id.as_deref())?);
    let customer = sse::customer_key(&headers, call.session().origin())?;
    let attributes = named_attributes(&input)?;
    let found = engine::head(&permit, &key, &request, customer.as_ref());
    let Found { meta, version, .. } = settle(&permit, found)?;
    let wanted = |name: &str| attributes.contains(&name);
    let parts = if wanted("ObjectParts") && !meta.parts.is_empty() {
        Some(parts_page(&input, &meta)?)
    } else {
        None
    };
    if wanted("ETag") {
        // Here, and nowhere else, S3 writes it without quotes.
        let etag = meta.etag();
        call.amend(format!("<ETag>\"{etag}\"</ETag>"), format!("<ETag>{etag}</ETag>"));
    }
    Ok(GetObjectAttributesOutput {
        checksum: wanted("Checksum").then(|| checksum(&meta)),
        e_tag: wanted("ETag").then(|| convert::etag(&meta)),
        last_modified: Some(convert::time(meta.modified())),
        object_parts: parts,
        version_id: version_text(version),
        object_size: wanted("ObjectSize").then(|| convert::size(meta.size)).flatten(),
        storage_class: wanted("StorageClass")
            .then(|| StorageClass::from(meta.attributes.storage_class().to_owned())),
        ..GetObjectAttributesOutput::default()
    })
}

/// The attributes that are asked for; s3s gives the header's list as one value or as several.
fn named_attributes(input: &GetObjectAttributesInput) -> S3Result<Vec<&str>> {
    const KNOWN: [&str; 5] = ["Checksum", "ETag", "ObjectParts", "ObjectSize", "StorageClass"];
    let named: Vec<&str> = input
        .object_attributes
        .iter()
        .flat_map(|a| a.as_str().split(','))
        .map(str::trim)
        .collect();
    match named.iter().find(|name| !KNOWN.contains(name)) {
        None => Ok(named),
        Some(name) => Err(argument(
            "x-amz-object-attributes",
            *name,
            "Invalid attribute name specified.",
        )),
    }
}

fn checksum(meta: &ObjectMeta) -> Checksum {
    let fields = ChecksumFields::of(meta.checksum().as_ref());
    Checksum {
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        checksum_type: fields.scope,
    }
}

fn parts_page(input: &GetObjectAttributesInput, meta: &ObjectMeta) -> S3Result<GetObjectAttributesParts> {
    let limit = convert::limit(input.max_parts, "max-parts", 1000)?;
    let after = usize::try_from(input.part_number_marker.unwrap_or_default()).unwrap_or_default();
    // Parts are shown only for a checksum that the client chose, as in S3.
    if meta.checksum.as_ref().is_none_or(|c| c.unchosen) {
        return Ok(GetObjectAttributesParts {
            total_parts_count: convert::count(meta.part_count()),
            ..GetObjectAttributesParts::default()
        });
    }
    let algorithm = meta.checksum().map(|c| c.algorithm);
    let parts: Vec<ObjectPart> = meta
        .parts
        .iter()
        .enumerate()
        .skip(after)
        .take(limit)
        .map(|(at, part)| {
            let fields = algorithm
                .map(|a| ChecksumFields::of_part(a, &part.checksum))
                .unwrap_or_default();
            ObjectPart {
                checksum_crc32: fields.crc32,
                checksum_crc32c: fields.crc32c,
                checksum_crc64nvme: fields.crc64nvme,
                checksum_sha1: fields.sha1,
                checksum_sha256: fields.sha256,
                part_number: convert::count(at.saturating_add(1)),
                size: convert::size(part.size),
            }
        })
        .collect();
    let last = after.saturating_add(parts.len());
    Ok(GetObjectAttributesParts {
        is_truncated: Some(last < meta.part_count()),
        max_parts: convert::count(limit),
        next_part_number_marker: convert::count(last),
        part_number_marker: convert::count(after),
        total_parts_count: convert::count(meta.part_count()),
        parts: Some(parts),
    })
}
