//! Encryption in S3's words: what a request's headers ask for, and what the answer's fields say.
//!
//! Invariants
//! - a client's own key is taken only from a connection that others can not read;
//! - headers that contradict each other are an error, never a choice.
//!
//! Deliberately absent: where keys come from and what is sealed under them (the engine).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use craton_gate::{Origin, WritePermit, kms::KEY_NAME_BYTES_MAX};
use craton_objects::encryption::{self, CustomerKey, EncryptionRecord, Method, Wanted, WantedKms};
use http::HeaderMap;
use s3s::{S3Result, dto::ServerSideEncryption, s3_error};

use super::stated::text;
use crate::s3::answer::{fail, fail_base};

const METHOD: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// The longest context of a client, in bytes of its header.
const CONTEXT_BYTES_MAX: usize = 8192;

/// The three headers of a client's own key.
struct CustomerHeaders {
    algorithm: &'static str,
    key: &'static str,
    md5: &'static str,
}

const OWN: CustomerHeaders = CustomerHeaders {
    algorithm: "x-amz-server-side-encryption-customer-algorithm",
    key: "x-amz-server-side-encryption-customer-key",
    md5: "x-amz-server-side-encryption-customer-key-md5",
};

const SOURCE: CustomerHeaders = CustomerHeaders {
    algorithm: "x-amz-copy-source-server-side-encryption-customer-algorithm",
    key: "x-amz-copy-source-server-side-encryption-customer-key",
    md5: "x-amz-copy-source-server-side-encryption-customer-key-md5",
};

/// The client's own key for the object of the request.
pub(super) fn customer_key(headers: &HeaderMap, origin: &Origin) -> S3Result<Option<CustomerKey>> {
    OWN.read(headers, origin)
}

/// The client's own key for the source of a copy.
pub(super) fn source_key(headers: &HeaderMap, origin: &Origin) -> S3Result<Option<CustomerKey>> {
    SOURCE.read(headers, origin)
}

impl CustomerHeaders {
    fn read(&self, headers: &HeaderMap, origin: &Origin) -> S3Result<Option<CustomerKey>> {
        let [algorithm, key, md5] = [self.algorithm, self.key, self.md5].map(|name| text(headers, name));
        let (algorithm, key, md5) = (algorithm?, key?, md5?);
        if algorithm.is_none() && key.is_none() && md5.is_none() {
            return Ok(None);
        }
        // What comes from this machine itself crossed no network: a proxy that ends TLS, or a test.
        if !origin.is_secure() && !origin.source_ip.to_canonical().is_loopback() {
            return Err(s3_error!(
                InvalidRequest,
                "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
                 connection."
            ));
        }
        let missing = |what: &str| {
            let start = "Requests specifying Server Side Encryption with Customer provided keys must provide";
            s3_error!(InvalidArgument, "{start} {what}.")
        };
        let algorithm = algorithm.ok_or_else(|| missing("a valid encryption algorithm"))?;
        let key = key.ok_or_else(|| missing("an appropriate secret key"))?;
        let md5 = md5.ok_or_else(|| missing("the client calculated MD5 of the secret key"))?;
        if algorithm != "AES256" {
            return Err(invalid_algorithm());
        }
        CustomerKey::parse(key, md5).map(Some).map_err(fail)
    }
}

fn invalid_algorithm() -> s3s::S3Error {
    let mut error = s3_error!(
        InvalidEncryptionAlgorithmError,
        "The encryption request that you specified is not valid. The valid value is AES256."
    );
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}

/// What a write's headers ask for; `None`: nothing, so the bucket's default counts.
pub(super) fn wanted(headers: &HeaderMap, origin: &Origin) -> S3Result<Option<Wanted>> {
    let customer = customer_key(headers, origin)?;
    let method = text(headers, METHOD)?;
    if let Some(customer) = customer {
        if method.is_some() {
            return Err(s3_error!(
                InvalidArgument,
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
            ));
        }
        return Ok(Some(Wanted::Customer(customer)));
    }
    let (key, context) = (text(headers, KEY_ID)?, text(headers, CONTEXT)?);
    let bucket_key = bucket_key(headers)?;
    match method {
        Some("aws:kms" | "aws:kms:dsse") => {
            let dual = method == Some("aws:kms:dsse");
            if dual && bucket_key == Some(true) {
                return Err(s3_error!(
                    InvalidArgument,
                    "Server Side Encryption with aws:kms:dsse does not support S3 Bucket Keys."
                ));
            }
            kms(key, context, bucket_key.unwrap_or_default(), dual).map(Some)
        }
        _ if key.is_some() || context.is_some() => Err(s3_error!(
            InvalidArgument,
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
        )),
        Some("AES256") => Ok(Some(Wanted::Managed)),
        Some(_) => Err(s3_error!(
            InvalidArgument,
            "The encryption method specified is not supported"
        )),
        None => Ok(None),
    }
}

/// What a write gets: what it asks for, unless the bucket refuses that, else the bucket's default.
pub(super) fn decided(asked: Option<Wanted>, permit: &WritePermit) -> S3Result<Wanted> {
    let access = permit.bucket_access().map_err(|e| fail_base(&e))?;
    let default = access.encryption();
    let blocks_customers = default.blocked.iter().any(|b| b == "SSE-C");
    match asked {
        Some(Wanted::Customer(_)) if blocks_customers => {
            let error = s3_error!(
                AccessDenied,
                "Access Denied because the bucket blocks encryption with customer-provided keys (SSE-C)."
            );
            permit.failed(craton_base::Kind::Denied, "AccessDenied");
            Err(error)
        }
        Some(wanted) => Ok(wanted),
        None => Ok(encryption::by_default(&default)),
    }
}

fn bucket_key(headers: &HeaderMap) -> S3Result<Option<bool>> {
    match text(headers, BUCKET_KEY)? {
        None => Ok(None),
        Some(t) if t.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(t) if t.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(s3_error!(
            InvalidArgument,
            "The value of x-amz-server-side-encryption-bucket-key-enabled must be true or false."
        )),
    }
}

fn kms(key: Option<&str>, context: Option<&str>, bucket_key: bool, dual: bool) -> S3Result<Wanted> {
    if key.is_some_and(|k| k.len() > KEY_NAME_BYTES_MAX) {
        return Err(s3_error!(InvalidArgument, "The KMS key id is too long."));
    }
    Ok(Wanted::Kms(WantedKms {
        key: key.map(ToOwned::to_owned),
        context: context.map(context_of).transpose()?.unwrap_or_default(),
        bucket_key,
        dual,
    }))
}

/// A context: a JSON object of texts, in base64.
fn context_of(header: &str) -> S3Result<BTreeMap<String, String>> {
    let bad = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which \
             represents a string-string map"
        )
    };
    if header.len() > CONTEXT_BYTES_MAX {
        return Err(bad());
    }
    let json = BASE64.decode(header.trim()).map_err(|_| bad())?;
    serde_json::from_slice(&json).map_err(|_| bad())
}

/// A read names no encryption but the client's own key: the object knows how it was sealed.
pub(super) fn refuse_on_read(headers: &HeaderMap) -> S3Result<()> {
    match headers.contains_key(METHOD) {
        true => Err(s3_error!(
            InvalidArgument,
            "x-amz-server-side-encryption header is not supported for this operation."
        )),
        false => Ok(()),
    }
}

/// What an answer says of an object's encryption.
#[derive(Default)]
pub(super) struct SseFields {
    pub(super) method: Option<ServerSideEncryption>,
    pub(super) key_id: Option<String>,
    pub(super) bucket_key: Option<bool>,
    pub(super) customer_algorithm: Option<String>,
    pub(super) customer_md5: Option<String>,
}

impl SseFields {
    pub(super) fn of(record: Option<&EncryptionRecord>, customer: Option<&CustomerKey>) -> S3Result<Self> {
        let Some(record) = record else {
            return Ok(Self::named(Method::Managed));
        };
        Ok(match record.method().map_err(fail)? {
            Method::Managed => Self::named(Method::Managed),
            Method::Customer => Self {
                customer_algorithm: Some("AES256".to_owned()),
                customer_md5: customer.map(CustomerKey::md5_text),
                ..Self::default()
            },
            method @ (Method::Kms | Method::KmsDual) => Self {
                key_id: Some(record.key_arn.clone()),
                bucket_key: record.bucket_key.then_some(true),
                ..Self::named(method)
            },
        })
    }

    fn named(method: Method) -> Self {
        Self {
            method: method.name().map(ServerSideEncryption::from_static),
            ..Self::default()
        }
    }
}

/// The client's context, as a write's answer repeats it.
pub(super) fn stated_context(headers: &HeaderMap) -> Option<String> {
    text(headers, CONTEXT).ok().flatten().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
