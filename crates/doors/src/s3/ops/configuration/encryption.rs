//! Default encryption. Where none is configured S3 answers the one that every bucket has: SSE-S3, with keys of
//! customers refused.
//!
//! The document has an element, `BlockedEncryptionTypes`, that `s3s` does not know; so reading and writing it are
//! a route of this door's own, with the same permits as every other operation.

use craton_base::xml::element;
use craton_gate::{ConfigurationChange, DefaultEncryption, Subresource};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use s3s::{
    Body, S3Request, S3Response, S3Result,
    dto::{DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput},
    route::S3Route,
};
use serde::Deserialize;

use super::{changing, configure, malformed_xml, reading, refused, settle};
use crate::s3::call::Call;

/// `GET` and `PUT` of a bucket's `?encryption`.
pub(in crate::s3) struct Encryption;

#[async_trait::async_trait]
impl S3Route for Encryption {
    fn is_match(&self, method: &Method, uri: &Uri, _: &HeaderMap, _: &mut http::Extensions) -> bool {
        let asks = |query: &str| {
            query
                .split('&')
                .any(|part| part.split('=').next() == Some("encryption"))
        };
        matches!(*method, Method::GET | Method::PUT) && bucket(uri).is_some() && uri.query().is_some_and(asks)
    }

    /// Whose request it is the gate knows, and decides.
    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let call = Call::of(&request)?;
        call.ended(match request.method {
            Method::GET => get(&request).await,
            _ => put(&request).await,
        })
    }
}

/// The bucket of a path that names no object.
fn bucket(uri: &Uri) -> Option<String> {
    let path = uri.path().strip_prefix('/')?;
    let name = path.strip_suffix('/').unwrap_or(path);
    let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty() && !name.contains('/')).then(|| name.into_owned())
}

async fn get(request: &S3Request<Body>) -> S3Result<S3Response<Body>> {
    let bucket = bucket(&request.uri).unwrap_or_default();
    let action = "s3:GetEncryptionConfiguration";
    let permit = reading(request, &bucket, "GetBucketEncryption", action).await?;
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let mut response = S3Response::new(Body::from(shown(&access.encryption())));
    let xml = HeaderValue::from_static("application/xml");
    response.headers.insert(header::CONTENT_TYPE, xml);
    Ok(response)
}

async fn put(request: &S3Request<Body>) -> S3Result<S3Response<Body>> {
    let bucket = bucket(&request.uri).unwrap_or_default();
    let action = "s3:PutEncryptionConfiguration";
    let permit = changing(request, &bucket, "PutBucketEncryption", action).await?;
    let document = request.input.bytes().unwrap_or_default();
    if document.is_empty() {
        return Err(refused("MissingRequestBodyError", "Request Body is empty"));
    }
    let stated = stated(&document)?;
    configure(&permit, &[ConfigurationChange::encryption(&stated)]).await?;
    Ok(S3Response::with_status(Body::empty(), StatusCode::OK))
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketEncryptionInput>,
) -> S3Result<DeleteBucketEncryptionOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutEncryptionConfiguration";
    let permit = changing(&request, bucket, "DeleteBucketEncryption", action).await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Encryption)]).await?;
    Ok(DeleteBucketEncryptionOutput {})
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Rule", default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "ApplyServerSideEncryptionByDefault")]
    default: Option<ByDefault>,
    #[serde(rename = "BucketKeyEnabled")]
    bucket_key: Option<bool>,
    #[serde(rename = "BlockedEncryptionTypes")]
    blocked: Option<Blocked>,
}

#[derive(Deserialize)]
struct ByDefault {
    #[serde(rename = "SSEAlgorithm")]
    algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct Blocked {
    #[serde(rename = "EncryptionType", default)]
    types: Vec<String>,
}

fn stated(document: &[u8]) -> S3Result<DefaultEncryption> {
    let text = std::str::from_utf8(document).map_err(|_| malformed_xml())?;
    if !text.contains("<ServerSideEncryptionConfiguration") {
        return Err(malformed_xml());
    }
    let Document { mut rules } = quick_xml::de::from_str(text).map_err(|_| malformed_xml())?;
    let (Some(rule), true) = (rules.pop(), rules.is_empty()) else {
        return Err(malformed_xml());
    };
    let unset = DefaultEncryption::unset();
    let blocked = match rule.blocked {
        None => unset.blocked,
        Some(Blocked { types }) if is_blocked(&types) => types,
        Some(_) => return Err(malformed_xml()),
    };
    let (algorithm, key_id) = match rule.default {
        Some(default) => (default.algorithm, default.key_id),
        None => (unset.algorithm, None),
    };
    check(&algorithm, key_id.as_deref())?;
    Ok(DefaultEncryption {
        algorithm,
        key_id,
        bucket_key: rule.bucket_key.unwrap_or_default(),
        blocked,
    })
}

fn is_blocked(types: &[String]) -> bool {
    matches!(types, [only] if matches!(only.as_str(), "SSE-C" | "NONE"))
}

fn check(algorithm: &str, key_id: Option<&str>) -> S3Result<()> {
    match (algorithm, key_id) {
        ("AES256", Some(_)) => Err(refused(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        ("AES256", None) | ("aws:kms" | "aws:kms:dsse", None) => Ok(()),
        ("aws:kms" | "aws:kms:dsse", Some(id)) if !id.is_empty() && id.len() <= 2048 => Ok(()),
        _ => Err(malformed_xml()),
    }
}

fn shown(encryption: &DefaultEncryption) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    out.push_str(
        "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>",
    );
    out.push_str("<ApplyServerSideEncryptionByDefault>");
    element(&mut out, "SSEAlgorithm", &encryption.algorithm);
    if let Some(id) = &encryption.key_id {
        element(&mut out, "KMSMasterKeyID", id);
    }
    out.push_str("</ApplyServerSideEncryptionByDefault>");
    let bucket_key = if encryption.bucket_key { "true" } else { "false" };
    element(&mut out, "BucketKeyEnabled", bucket_key);
    out.push_str("<BlockedEncryptionTypes>");
    for blocked in &encryption.blocked {
        element(&mut out, "EncryptionType", blocked);
    }
    out.push_str("</BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>");
    out
}

#[cfg(test)]
mod tests;
