//! Putting an object.

use craton_gate::Ask;
use craton_objects::put::{self as engine, Put};
use s3s::{
    S3Request, S3Result,
    dto::{PutObjectInput, PutObjectOutput},
};

use super::{attributes, refuse_features, refuse_if, settle, with, with_match, write, write_conditions};
use crate::s3::{
    answer::fail_base,
    call::Call,
    convert::{self, ChecksumFields},
    plain::claims,
};

pub(in crate::s3) async fn put_object(request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let call = Call::of(&request)?;
    let headers = request.headers;
    let mut input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let permit = write(&call, ask(&input, path)).await?;
    refuse_features!(input);
    refuse_if(input.write_offset_bytes.is_some(), "Appending")?;
    let put = Put {
        attributes: attributes!(input),
        claims: claims(&headers, &call).map_err(|e| fail_base(&e))?,
        conditions: write_conditions(input.if_match.take(), input.if_none_match.take())?,
    };
    let body = convert::body(input.body.take(), input.content_length, call.trailers());
    let meta = settle(&permit, engine::put(&permit, &key, put, body).await)?;
    let fields = ChecksumFields::of(meta.checksum().as_ref());
    Ok(PutObjectOutput {
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        checksum_type: fields.scope,
        e_tag: Some(convert::etag(&meta)),
        server_side_encryption: input.server_side_encryption,
        ..PutObjectOutput::default()
    })
}

fn ask(input: &PutObjectInput, path: craton_base::ResourcePath) -> Ask {
    let ask = with_match(
        Ask::new("PutObject", "s3:PutObject", path),
        input.if_match.is_some(),
    );
    let ask = with(
        ask,
        "s3:x-amz-acl",
        input.acl.as_ref().map(|a| a.as_str().to_owned()),
    );
    let ask = with(
        ask,
        "s3:x-amz-storage-class",
        input.storage_class.as_ref().map(|c| c.as_str().to_owned()),
    );
    let sse = input
        .server_side_encryption
        .as_ref()
        .map(|s| s.as_str().to_owned());
    with(ask, "s3:x-amz-server-side-encryption", sse)
}
