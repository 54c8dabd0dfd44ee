//! The other side of the doors: a stock S3 client for objects, and signed requests for what it lacks
//! and for the API.
//!
//! Invariant: a secret comes from a file or the environment, never from the command line.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{Clock as _, Error, Kind, Result, clock::SystemClock};
use craton_gate::identify::{
    Service,
    sign::{Body, Signer, encode_path},
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use object_store::{
    Certificate, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector as _, HttpRequestBody, ReqwestConnector},
};
use serde_json::Value;

mod credentials;
mod remote;
mod stream;

pub(crate) use credentials::Credentials;
pub(crate) use remote::{collect, object_error, unreachable};
pub(crate) use stream::{cut, read_json, read_progress, read_text};

use crate::{cli::Target, files};

/// The most bytes of an answer that is held in memory.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A server, and as whom.
pub(crate) struct Client {
    endpoint: String,
    region: String,
    credentials: Credentials,
    options: ClientOptions,
    http: HttpClient,
    /// A certificate to trust besides the system's.
    ca: Option<Vec<u8>>,
    /// The content type that answers of the graph door are wanted in.
    accept: Option<&'static str>,
}

impl Client {
    /// The server that the command line names.
    ///
    /// # Errors
    /// `Invalid`, `Denied` or `NotFound` if there are no credentials or they do not parse.
    pub(crate) fn new(target: &Target) -> Result<Self> {
        let credentials = Credentials::find(target)?;
        let (mut options, mut ca) = (options(), None);
        if let Some(path) = &target.ca_cert {
            let pem = files::read(path, 1 << 20)?;
            let wrong = || Error::invalid(format!("the file {} has no PEM certificate", path.display()));
            options = options
                .with_root_certificate(Certificate::from_pem(&pem).map_err(|e| wrong().with_source(e))?);
            ca = Some(pem);
        }
        let mut client = Self::with(&target.endpoint, &target.region, credentials, options)?;
        client.ca = ca;
        Ok(client)
    }

    /// The same, which wants answers of the graph door in this content type.
    pub(crate) fn accepting(mut self, kind: Option<&'static str>) -> Self {
        self.accept = kind;
        self
    }

    /// A client of a server on this machine.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn local(endpoint: &str, credentials: Credentials) -> Result<Self> {
        Self::with(endpoint, "us-east-1", credentials, options())
    }

    fn with(endpoint: &str, region: &str, credentials: Credentials, options: ClientOptions) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(Error::invalid(format!(
                "{endpoint:?} is not an address such as http://127.0.0.1:9000"
            )));
        }
        let http = ReqwestConnector::default()
            .connect(&options)
            .map_err(|e| Error::internal("the HTTP client does not start").with_source(e))?;
        Ok(Self {
            endpoint,
            region: region.to_owned(),
            credentials,
            options,
            http,
            ca: None,
            accept: None,
        })
    }

    /// A stock S3 client of one bucket.
    ///
    /// # Errors
    /// `Invalid` if the settings do not fit together.
    pub(crate) fn bucket(&self, bucket: &str) -> Result<Arc<AmazonS3>> {
        let retry = RetryConfig {
            max_retries: 3,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_region(&self.region)
            .with_bucket_name(bucket)
            .with_access_key_id(&self.credentials.id)
            .with_secret_access_key(self.credentials.secret_text()?)
            .with_client_options(self.options.clone())
            .with_retry(retry)
            .build();
        Ok(Arc::new(store.map_err(object_error)?))
    }

    /// A request to the API, and its answer.
    ///
    /// # Errors
    /// What the server says; `Unavailable` if it can not be reached.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let (status, answer) = self.send(method, &format!("/_api/v1/{path}"), body).await?;
        let parsed = serde_json::from_slice(&answer).ok();
        match (status.is_success(), parsed) {
            (true, Some(value)) => Ok(value),
            (_, parsed) => Err(remote::api_error(status, parsed.as_ref())),
        }
    }

    /// A request to the Iceberg door, and its answer.
    ///
    /// # Errors
    /// What the server says; `Unavailable` if it can not be reached.
    pub(crate) async fn iceberg(&self, path: &str) -> Result<Value> {
        let path = format!("/_iceberg/v1/{path}");
        let (status, answer) = self.send(Method::GET, &path, Bytes::new()).await?;
        let parsed = serde_json::from_slice(&answer).ok();
        match (status.is_success(), parsed) {
            (true, Some(value)) => Ok(value),
            (_, parsed) => Err(remote::iceberg_error(status, parsed.as_ref())),
        }
    }

    /// A request to the S3 door that the stock client does not make; its answer's body.
    ///
    /// # Errors
    /// What the server says; `Unavailable` if it can not be reached.
    pub(crate) async fn s3(&self, method: Method, path: &str) -> Result<Bytes> {
        let (status, answer) = self.send(method, path, Bytes::new()).await?;
        match status.is_success() {
            true => Ok(answer),
            false => Err(remote::s3_error(status, &answer)),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let address = format!("{}{path}", self.endpoint);
        let request = Request::builder().method(method).uri(&address).body(());
        let (mut parts, ()) = request
            .map_err(|e| Error::invalid(format!("{address:?} is not an address")).with_source(e))?
            .into_parts();
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.signer()
            .sign(&mut parts, &Body::of(&body), SystemClock::new().now())?;
        let request = Request::from_parts(parts, HttpRequestBody::from(body));
        let response = self
            .http
            .execute(request)
            .await
            .map_err(|e| unreachable(&self.endpoint, e))?;
        let (head, body) = response.into_parts();
        let body = remote::collect(body, ANSWER_BYTES_MAX)
            .await
            .map_err(|e| unreachable(&self.endpoint, e))?;
        Ok((head.status, body))
    }

    fn signer(&self) -> Signer {
        Signer {
            access_key_id: self.credentials.id.clone(),
            secret: self.credentials.secret.clone(),
            session_token: self.credentials.token.clone(),
            region: self.region.clone(),
            service: Service::S3,
        }
    }
}

fn options() -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(true)
        // A transfer may take as long as it takes while bytes flow; connecting may not.
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(10))
}

/// A segment of a path, encoded.
pub(crate) fn segment(text: &str) -> String {
    encode_path(text).replace('/', "%2F")
}

/// `BUCKET/KEY`, also written `s3://BUCKET/KEY`, in two; the key may be empty.
///
/// # Errors
/// `Invalid` if there is no bucket.
pub(crate) fn place(text: &str) -> Result<(&str, &str)> {
    let text = text.strip_prefix("s3://").unwrap_or(text);
    let (bucket, key) = text.split_once('/').unwrap_or((text, ""));
    match bucket.is_empty() {
        false => Ok((bucket, key)),
        true => Err(Error::new(
            Kind::Invalid,
            "InvalidArgument",
            format!("{text:?} is not BUCKET/KEY"),
        )),
    }
}

#[cfg(test)]
mod tests;
