//! The key service over HTTP: AWS KMS, or what speaks its API. For SSE-KMS instead of the local keys.
//!
//! Requests are JSON (`x-amz-json-1.1`, target `TrentService.…`), signed with Signature Version 4.
//!
//! Invariants: a data key is never logged; an answer is held only up to a limit; a call ends within
//! [`TIMEOUT`].
//!
//! Deliberately absent: managing keys, retries: the client of S3 sends its request again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use craton_base::{Clock as _, Error, Kind, Result, Secret, clock::SystemClock};
use craton_gate::{
    SealKey,
    identify::{
        Service,
        sign::{Body, Signer},
    },
    kms::{Context, DataKey, KeyService, MANAGED_KEY, SEALED_BYTES_MAX, disabled, no_such_key},
};
use http::{HeaderValue, Method, Request, header};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector as _, HttpRequestBody, ReqwestConnector},
};
use serde_json::{Value, json};

use crate::client::{Credentials, collect, unreachable};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A key service at an address.
pub(super) struct AwsKms {
    endpoint: String,
    signer: Signer,
    /// The key for requests that name none.
    default_key: String,
    http: HttpClient,
}

impl AwsKms {
    /// The service at `endpoint`; `default_key` stands for the key that S3 keeps itself.
    ///
    /// # Errors
    /// `Internal` if the HTTP client does not start.
    pub(super) fn new(
        endpoint: &str,
        region: &str,
        credentials: Credentials,
        default_key: Option<&str>,
    ) -> Result<Self> {
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_timeout(TIMEOUT)
            .with_connect_timeout(TIMEOUT);
        let http = ReqwestConnector::default()
            .connect(&options)
            .map_err(|e| Error::internal("the key service's HTTP client does not start").with_source(e))?;
        Ok(Self {
            endpoint: format!("{}/", endpoint.trim_end_matches('/')),
            signer: Signer {
                access_key_id: credentials.id,
                secret: credentials.secret,
                session_token: credentials.token,
                region: region.to_owned(),
                service: Service::Kms,
            },
            default_key: default_key.unwrap_or(MANAGED_KEY).to_owned(),
            http,
        })
    }

    async fn call(&self, action: &str, key: &str, body: &Value) -> Result<Value> {
        let body = Bytes::from(body.to_string());
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{action}"))
            .body(());
        let (mut parts, ()) = request
            .map_err(|e| Error::internal("a request to the key service is none").with_source(e))?
            .into_parts();
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.signer
            .sign(&mut parts, &Body::of(&body), SystemClock::new().now())?;
        let request = Request::from_parts(parts, HttpRequestBody::from(body));
        let answer = self.http.execute(request).await;
        let (head, body) = answer.map_err(|e| unreachable(&self.endpoint, e))?.into_parts();
        let body = collect(body, ANSWER_BYTES_MAX)
            .await
            .map_err(|e| unreachable(&self.endpoint, e))?;
        let parsed: Option<Value> = serde_json::from_slice(&body).ok();
        match (head.status.is_success(), parsed) {
            (true, Some(value)) => Ok(value),
            (_, parsed) => Err(refused(key, head.status.as_u16(), parsed.as_ref())),
        }
    }
}

#[async_trait::async_trait]
impl KeyService for AwsKms {
    async fn generate(&self, name: &str, context: &Context) -> Result<DataKey> {
        let name = if name == MANAGED_KEY {
            &self.default_key
        } else {
            name
        };
        let body = json!({ "KeyId": name, "EncryptionContext": context, "NumberOfBytes": 32 });
        let answer = self.call("GenerateDataKey", name, &body).await?;
        let named = text(&answer, "KeyId")?.to_owned();
        let sealed = decoded(&answer, "CiphertextBlob")?;
        if sealed.expose().len() > SEALED_BYTES_MAX {
            return Err(unusable("a data key that is too long"));
        }
        Ok(DataKey {
            named,
            key: key_of(&answer)?,
            sealed: Bytes::copy_from_slice(sealed.expose()),
        })
    }

    async fn open(&self, arn: &str, context: &Context, sealed: &[u8]) -> Result<SealKey> {
        let body = json!({
            "KeyId": arn,
            "EncryptionContext": context,
            "CiphertextBlob": BASE64.encode(sealed),
        });
        key_of(&self.call("Decrypt", arn, &body).await?)
    }
}

fn key_of(answer: &Value) -> Result<SealKey> {
    SealKey::from_slice(decoded(answer, "Plaintext")?.expose())
        .map_err(|e| unusable("a data key that has not 256 bits").with_source(e))
}

fn decoded(answer: &Value, field: &str) -> Result<Secret> {
    BASE64
        .decode(text(answer, field)?)
        .map(Secret::new)
        .map_err(|_| unusable("a key that is not base64"))
}

fn text<'a>(answer: &'a Value, field: &str) -> Result<&'a str> {
    answer
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| unusable("no key"))
}

fn unusable(what: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        "KeyServiceUnavailable",
        format!("the key service answers with {what}"),
    )
}

/// What the service says is wrong, as S3 passes it on.
fn refused(key: &str, status: u16, answer: Option<&Value>) -> Error {
    let field = |name: &str| answer.and_then(|a| a.get(name)).and_then(Value::as_str);
    let code = field("__type").unwrap_or_default();
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let message: String = field("message")
        .or_else(|| field("Message"))
        .unwrap_or("the key service refuses")
        .chars()
        .take(256)
        .collect();
    match code {
        "NotFoundException" => no_such_key(key),
        "DisabledException" => disabled(key),
        "KMSInvalidStateException" | "InvalidKeyUsageException" => {
            Error::new(Kind::Invalid, "KMS.KMSInvalidStateException", message)
        }
        "AccessDeniedException" => Error::new(Kind::Denied, "AccessDenied", message),
        "InvalidCiphertextException" | "IncorrectKeyException" => {
            Error::corrupt("the key service does not open a data key: it was not made so")
        }
        _ => Error::new(
            Kind::Unavailable,
            "KeyServiceUnavailable",
            format!("the key service answers {status}: {message}"),
        ),
    }
}

#[cfg(test)]
mod tests;
