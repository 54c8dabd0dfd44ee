//! Putting an object.

use craton_base::{BucketName, ObjectKey, ResourcePath};
use craton_gate::{Ask, WritePermit};
use craton_objects::{
    body::{Body, Claims},
    encryption, extract, lifecycle,
    put::{self as engine, About, Put, Written},
};
use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{PutObjectInput, PutObjectOutput},
};

use super::{
    lock, refuse_if, replica, settle,
    sse::{self, SseFields},
    stated::{Stated, text, with_facts},
    version_text, with_match, write, write_conditions,
};
use crate::s3::{
    answer::{fail, fail_base},
    call::Call,
    convert::{self, ChecksumFields},
    plain::claims,
};

/// Asks for an archive's files to be put instead of it, as S3's Snowball and those who followed it do.
const EXTRACT: &str = "x-amz-meta-snowball-auto-extract";

/// What the files' keys begin with.
const PREFIX: &str = "x-amz-meta-minio-snowball-prefix";

pub(in crate::s3) async fn put_object(request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let call = Call::of(&request)?;
    let (path, key) = convert::object(&request.input.bucket, &request.input.key)?;
    let ask = with_match(
        Ask::new("PutObject", "s3:PutObject", path),
        request.input.if_match.is_some(),
    );
    let ask = lock::with_lock(
        with_facts(ask, &request.headers),
        &request.headers,
        call.session(),
    );
    let ask = replica::with_replica(ask, &request.headers, "ReplicateObject", "s3:ReplicateObject");
    let permit = write(&call, ask).await?;
    let stated = Stated::of(&request, call.session().origin())?;
    let (headers, mut input) = (request.headers, request.input);
    refuse_if(input.write_offset_bytes.is_some(), "Appending")?;
    let conditions = write_conditions(input.if_match.take(), input.if_none_match.take())?;
    let claims = claims(&headers, &call).map_err(|e| fail_base(&e))?;
    lock::check_claims(&permit, &stated.lock, &claims)?;
    if text(&headers, EXTRACT)?.is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        let body = convert::body(input.body.take(), input.content_length, call.trailers());
        return extracted(&call, (permit, key), (stated, headers), (body, claims)).await;
    }
    let wanted = stated.encryption(&permit)?;
    let acl = stated.acl(&permit)?;
    let encrypted = encryption::seal(&permit, &key, &wanted).await;
    let put = Put {
        about: About {
            attributes: stated.attributes,
            tags: stated.tags.unwrap_or_default(),
            encryption: settle(&permit, encrypted)?,
            lock: stated.lock,
            acl,
            replica: replica::stated(&headers),
        },
        claims,
        conditions,
    };
    let body = convert::body(input.body.take(), input.content_length, call.trailers());
    let Written { meta, version, .. } = settle(&permit, engine::put(&permit, &key, put, body).await)?;
    let fields = ChecksumFields::of(meta.checksum().as_ref());
    let sse = SseFields::of(meta.encryption.as_ref(), wanted.customer())?;
    Ok(PutObjectOutput {
        expiration: lifecycle::expiration(&permit, key.as_str(), &meta),
        bucket_key_enabled: sse.bucket_key,
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        checksum_type: fields.scope,
        e_tag: Some(convert::etag(&meta)),
        sse_customer_algorithm: sse.customer_algorithm,
        sse_customer_key_md5: sse.customer_md5,
        ssekms_encryption_context: sse::stated_context(&headers),
        ssekms_key_id: sse.key_id,
        server_side_encryption: sse.method,
        version_id: version_text(version),
        ..PutObjectOutput::default()
    })
}

/// A refusal of one of an archive's files.
struct Refused(S3Error);

impl From<craton_objects::Error> for Refused {
    fn from(error: craton_objects::Error) -> Self {
        Self(fail(error))
    }
}

/// Puts the files of an archive, each asked for like any other put.
async fn extracted(
    call: &Call,
    (permit, key): (WritePermit, ObjectKey),
    (mut stated, headers): (Stated, HeaderMap),
    (body, claims): (Body, Claims),
) -> S3Result<PutObjectOutput> {
    let bucket = permit.bucket().map_err(|e| fail_base(&e))?.name.clone();
    let prefix = text(&headers, PREFIX)?.unwrap_or_default().to_owned();
    stated
        .attributes
        .user
        .retain(|name, _| !name.contains("snowball"));
    let (stated, headers, bucket) = (&stated, &headers, &bucket);
    let put = |key: ObjectKey, body: Body| async move {
        let done = put_file(call, (bucket, key), (stated, headers), body).await;
        done.map_err(Refused)
    };
    let done = extract::extract(permit, &key, &prefix, (body, &claims), put).await;
    done.map_err(|Refused(error)| error)?;
    Ok(PutObjectOutput::default())
}

async fn put_file(
    call: &Call,
    (bucket, key): (&BucketName, ObjectKey),
    (stated, headers): (&Stated, &HeaderMap),
    body: Body,
) -> S3Result<()> {
    let path = ResourcePath::Object(bucket.clone(), key.clone());
    let ask = with_facts(Ask::new("PutObject", "s3:PutObject", path), headers);
    let permit = write(call, lock::with_lock(ask, headers, call.session())).await?;
    let wanted = stated.encryption(&permit)?;
    let encrypted = encryption::seal(&permit, &key, &wanted).await;
    let put = Put {
        about: About {
            attributes: stated.attributes.clone(),
            tags: stated.tags.clone().unwrap_or_default(),
            encryption: settle(&permit, encrypted)?,
            lock: stated.lock,
            acl: stated.acl(&permit)?,
            replica: None,
        },
        ..Put::default()
    };
    settle(&permit, engine::put(&permit, &key, put, body).await).map(drop)
}
