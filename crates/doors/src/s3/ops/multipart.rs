//! Uploads in parts.

use craton_base::{ObjectKey, ResourcePath, Timestamp};
use craton_gate::{Ask, Permit};
use craton_objects::{
    body,
    checksum::{Algorithm, Scope},
    encryption, lifecycle,
    list::PAGE_KEYS_MAX,
    multipart::{self as engine, Complete, CompletedPart, Create, UploadId, UploadsAfter, UploadsListing},
    put::{About, Written},
};
use s3s::{
    S3Request, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart as PartNamed,
        CreateMultipartUploadInput, CreateMultipartUploadOutput, Initiator, ListMultipartUploadsInput,
        ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part, StorageClass,
        UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use super::{
    list::{common_prefixes, encodes},
    lock, read, replica, settle,
    sse::{self, SseFields},
    stated::{Stated, with_facts},
    version_text, with, with_match, write, write_conditions,
};
use crate::s3::{
    answer::{argument, fail, fail_base},
    call::Call,
    convert::{self, ChecksumFields},
    plain::{Address, claims},
};

pub(in crate::s3) async fn create(
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let call = Call::of(&request)?;
    let (path, key) = convert::object(&request.input.bucket, &request.input.key)?;
    let ask = Ask::new("CreateMultipartUpload", "s3:PutObject", path);
    let ask = lock::with_lock(
        with_facts(ask, &request.headers),
        &request.headers,
        call.session(),
    );
    let ask = replica::with_replica(ask, &request.headers, "ReplicateObject", "s3:ReplicateObject");
    let permit = write(&call, ask).await?;
    let stated = Stated::of(&request, call.session().origin())?;
    let (headers, input) = (request.headers, request.input);
    let wanted = stated.encryption(&permit)?;
    let acl = stated.acl(&permit)?;
    let encrypted = encryption::seal(&permit, &key, &wanted).await;
    let encrypted = settle(&permit, encrypted)?;
    let sse = SseFields::of(encrypted.as_ref(), wanted.customer())?;
    let create = Create {
        about: About {
            attributes: stated.attributes,
            tags: stated.tags.unwrap_or_default(),
            encryption: encrypted,
            lock: stated.lock,
            acl,
            replica: replica::stated(&headers),
        },
        algorithm: convert::algorithm(input.checksum_algorithm.as_ref())?,
        scope: scope(input.checksum_type.as_ref())?,
    };
    let chosen = create.algorithm;
    let scope = create.scope.or_else(|| chosen.map(Algorithm::default_scope));
    let id = settle(&permit, engine::create(&permit, &key, create).await)?;
    let (abort_date, abort_rule_id) = aborted(&permit, &key, permit.now());
    Ok(CreateMultipartUploadOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(input.bucket),
        bucket_key_enabled: sse.bucket_key,
        checksum_algorithm: chosen.map(|a| ChecksumAlgorithm::from_static(a.name())),
        checksum_type: chosen.and(scope).map(|s| ChecksumType::from_static(s.name())),
        key: Some(input.key),
        sse_customer_algorithm: sse.customer_algorithm,
        sse_customer_key_md5: sse.customer_md5,
        ssekms_encryption_context: sse::stated_context(&headers),
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        upload_id: Some(id.to_text()),
        ..CreateMultipartUploadOutput::default()
    })
}

/// When a rule aborts an upload that is not completed, and which.
fn aborted(
    permit: &Permit,
    key: &ObjectKey,
    begun: Timestamp,
) -> (Option<s3s::dto::Timestamp>, Option<String>) {
    match lifecycle::abortion(permit, key.as_str(), begun) {
        Some((at, rule)) => (Some(convert::time(at)), Some(rule)),
        None => (None, None),
    }
}

fn scope(named: Option<&ChecksumType>) -> S3Result<Option<Scope>> {
    let unknown = || s3_error!(InvalidRequest, "Value for x-amz-checksum-type header is invalid.");
    named
        .map(|n| Scope::from_name(n.as_str()).ok_or_else(unknown))
        .transpose()
}

pub(in crate::s3) async fn upload_part(request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let call = Call::of(&request)?;
    let headers = request.headers;
    let mut input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let permit = write(&call, Ask::new("UploadPart", "s3:PutObject", path)).await?;
    let customer = sse::customer_key(&headers, call.session().origin())?;
    let number = settle(&permit, engine::part_number(i64::from(input.part_number)))?;
    let id = settle(&permit, UploadId::parse(&input.upload_id))?;
    let claims = claims(&headers, &call).map_err(|e| fail_base(&e))?;
    let content = convert::body(input.body.take(), input.content_length, call.trailers());
    let part = settle(
        &permit,
        engine::upload_part(&permit, &key, id, number, &claims, content, customer.as_ref()).await,
    )?;
    // The answer repeats what the client stated, not what the upload keeps by default.
    let fields = match &claims.checksum {
        Some((algorithm, _)) if *algorithm == part.checksum.0 => {
            ChecksumFields::of_part(part.checksum.0, &part.checksum.1)
        }
        Some((algorithm, body::Stated::Value(value))) => ChecksumFields::of_part(*algorithm, value),
        _ => ChecksumFields::default(),
    };
    let sse = SseFields::of(part.encryption.as_ref(), customer.as_ref())?;
    Ok(UploadPartOutput {
        bucket_key_enabled: sse.bucket_key,
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        e_tag: Some(s3s::dto::ETag::Strong(part.etag)),
        sse_customer_algorithm: sse.customer_algorithm,
        sse_customer_key_md5: sse.customer_md5,
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        ..UploadPartOutput::default()
    })
}

pub(in crate::s3) async fn complete(
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let call = Call::of(&request)?;
    let location = location(&call, &request.extensions);
    let headers = request.headers;
    let mut input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("CompleteMultipartUpload", "s3:PutObject", path);
    let ask = with_match(with_facts(ask, &headers), input.if_match.is_some());
    let permit = write(&call, ask).await?;
    let id = settle(&permit, UploadId::parse(&input.upload_id))?;
    let complete = complete_request(&mut input)?;
    let completed = engine::complete(&permit, &key, id, &complete).await;
    let Written { meta, version, .. } = settle(&permit, completed)?;
    let fields = ChecksumFields::of(meta.checksum().as_ref());
    let sse = SseFields::of(meta.encryption.as_ref(), None)?;
    Ok(CompleteMultipartUploadOutput {
        expiration: craton_objects::lifecycle::expiration(&permit, key.as_str(), &meta),
        bucket_key_enabled: sse.bucket_key,
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        location,
        bucket: Some(input.bucket),
        key: Some(input.key),
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        checksum_type: fields.scope,
        e_tag: Some(convert::etag(&meta)),
        version_id: version_text(version),
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The address of the object, as its client sees this server.
fn location(call: &Call, extensions: &http::Extensions) -> Option<String> {
    let scheme = if call.session().origin().is_secure() {
        "https"
    } else {
        "http"
    };
    let Address(address) = extensions.get()?;
    Some(format!("{scheme}://{address}"))
}

fn complete_request(input: &mut CompleteMultipartUploadInput) -> S3Result<Complete> {
    let fields = ChecksumFields {
        crc32: input.checksum_crc32.take(),
        crc32c: input.checksum_crc32c.take(),
        crc64nvme: input.checksum_crc64nvme.take(),
        sha1: input.checksum_sha1.take(),
        sha256: input.checksum_sha256.take(),
        scope: None,
    };
    let parts = input
        .multipart_upload
        .take()
        .and_then(|m| m.parts)
        .unwrap_or_default();
    Ok(Complete {
        parts: parts.into_iter().map(part_named).collect::<S3Result<_>>()?,
        conditions: write_conditions(input.if_match.take(), input.if_none_match.take())?,
        checksum: fields.stated()?,
        scope: scope(input.checksum_type.as_ref())?,
        size: input
            .mpu_object_size
            .map(|n| u64::try_from(n).unwrap_or(u64::MAX)),
    })
}

fn part_named(part: PartNamed) -> S3Result<CompletedPart> {
    let number = part.part_number.ok_or_else(|| s3_error!(MalformedXML))?;
    let fields = ChecksumFields {
        crc32: part.checksum_crc32,
        crc32c: part.checksum_crc32c,
        crc64nvme: part.checksum_crc64nvme,
        sha1: part.checksum_sha1,
        sha256: part.checksum_sha256,
        scope: None,
    };
    Ok(CompletedPart {
        number: engine::part_number(i64::from(number)).map_err(fail)?,
        etag: part.e_tag.ok_or_else(|| s3_error!(MalformedXML))?.into_value(),
        checksum: fields.stated()?,
    })
}

pub(in crate::s3) async fn abort(
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let permit = write(
        &call,
        Ask::new("AbortMultipartUpload", "s3:AbortMultipartUpload", path),
    )
    .await?;
    let id = settle(&permit, UploadId::parse(&input.upload_id))?;
    settle(&permit, engine::abort(&permit, &key, id).await)?;
    Ok(AbortMultipartUploadOutput::default())
}

pub(in crate::s3) async fn list_parts(request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let limit = convert::limit(input.max_parts, "maxParts", PAGE_KEYS_MAX)?;
    let permit = read(&call, Ask::new("ListParts", "s3:ListMultipartUploadParts", path)).await?;
    let id = settle(&permit, UploadId::parse(&input.upload_id))?;
    let marker = input.part_number_marker.unwrap_or_default();
    let after = u16::try_from(marker).map_err(|_| {
        argument(
            "part-number-marker",
            marker.to_string(),
            "Argument part-number-marker must be an integer between 0 and 10000",
        )
    })?;
    let page = settle(&permit, engine::list_parts(&permit, &key, id, after, limit))?;
    let (algorithm, scope) = settle(&permit, page.upload.checksum())?;
    let next = page.parts.last().map_or(marker, |p| i32::from(p.number));
    let shown = page.upload.chosen;
    let begun = Timestamp(page.upload.initiated_micros);
    let (abort_date, abort_rule_id) = aborted(&permit, &key, begun);
    Ok(ListPartsOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(input.bucket),
        checksum_algorithm: shown.then(|| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: shown.then(|| ChecksumType::from_static(scope.name())),
        initiator: Some(initiator(&page.upload.initiator)),
        is_truncated: Some(page.truncated),
        key: Some(input.key),
        max_parts: convert::count(limit),
        next_part_number_marker: Some(next),
        owner: Some(convert::owner(&page.upload.initiator)),
        part_number_marker: Some(marker),
        storage_class: Some(StorageClass::from(
            page.upload.attributes.storage_class().to_owned(),
        )),
        parts: Some(
            page.parts
                .into_iter()
                .map(|p| part(&p, shown.then_some(algorithm)))
                .collect(),
        ),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

fn part(listed: &engine::ListedPart, algorithm: Option<Algorithm>) -> Part {
    let meta = &listed.meta;
    let fields = algorithm
        .map(|a| ChecksumFields::of_part(a, &meta.checksum))
        .unwrap_or_default();
    Part {
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        e_tag: Some(s3s::dto::ETag::Strong(meta.etag())),
        last_modified: Some(convert::time(craton_base::Timestamp(meta.modified_micros))),
        part_number: Some(i32::from(listed.number)),
        size: convert::size(meta.size),
    }
}

fn initiator(name: &str) -> Initiator {
    Initiator {
        display_name: Some(name.to_owned()),
        id: Some(name.to_owned()),
    }
}

pub(in crate::s3) async fn list_uploads(
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let encode = encodes(input.encoding_type.as_ref())?;
    let limit = convert::limit(input.max_uploads, "maxUploads", PAGE_KEYS_MAX)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let path = ResourcePath::Objects(convert::bucket(&input.bucket)?, convert::prefix(&prefix)?);
    let ask = Ask::new("ListMultipartUploads", "s3:ListBucketMultipartUploads", path);
    let permit = read(&call, with(ask, "s3:prefix", input.prefix.clone())).await?;
    let delimiter = input.delimiter.filter(|d| !d.is_empty());
    let after = UploadsAfter::from_markers(input.key_marker.clone(), input.upload_id_marker.as_deref());
    let listing = UploadsListing {
        prefix,
        delimiter: delimiter.clone(),
        after: settle(&permit, after)?,
        limit,
    };
    let page = settle(&permit, engine::list_uploads(&permit, &listing).await)?;
    let encoded = |text: String| convert::url_encoded(text, encode);
    let (next_key, next_id) = page.next.map(|n| (n.key, n.id)).unzip();
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: Some(common_prefixes(page.prefixes, encode)),
        delimiter: delimiter.map(encoded),
        encoding_type: input.encoding_type,
        is_truncated: Some(next_key.is_some()),
        key_marker: Some(encoded(input.key_marker.unwrap_or_default())),
        max_uploads: convert::count(limit),
        next_key_marker: next_key.map(encoded),
        next_upload_id_marker: next_id.flatten().map(UploadId::to_text),
        prefix: Some(encoded(listing.prefix)),
        request_charged: None,
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        uploads: Some(page.uploads.into_iter().map(|u| upload(u, encode)).collect()),
    })
}

fn upload(listed: engine::ListedUpload, encode: bool) -> MultipartUpload {
    let meta = listed.meta;
    let checksum = meta.checksum().ok().filter(|_| meta.chosen);
    MultipartUpload {
        checksum_algorithm: checksum.map(|(a, _)| ChecksumAlgorithm::from_static(a.name())),
        checksum_type: checksum.map(|(_, s)| ChecksumType::from_static(s.name())),
        initiated: Some(convert::time(craton_base::Timestamp(meta.initiated_micros))),
        initiator: Some(initiator(&meta.initiator)),
        key: Some(convert::url_encoded(listed.key, encode)),
        owner: Some(convert::owner(&meta.initiator)),
        storage_class: Some(StorageClass::from(meta.attributes.storage_class().to_owned())),
        upload_id: Some(listed.id.to_text()),
    }
}
