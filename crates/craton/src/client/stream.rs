//! Requests whose body or answer is a stream: for the graph door.
//!
//! Invariant: a few pieces are in memory, whatever the size. The body is not signed, only the request's head is: over a
//! network use https.

use craton_base::{Clock as _, Error, Result, clock::SystemClock};
use craton_gate::identify::sign::Body;
use http::{Method, Request};

use super::{Client, remote};

/// The most bytes of an error that is read.
const ERROR_BYTES_MAX: usize = 1 << 20;

impl Client {
    /// A request to `/_graph/v1/<path>`, whose answer is still to be read.
    ///
    /// # Errors
    /// What the server says; `Unavailable` if it can not be reached.
    pub(crate) async fn graph(
        &self,
        method: Method,
        path: &str,
        body: reqwest::Body,
    ) -> Result<reqwest::Response> {
        let address = format!("{}/_graph/v1/{path}", self.endpoint);
        let request = Request::builder().method(method.clone()).uri(&address).body(());
        let (mut parts, ()) = request
            .map_err(|e| Error::invalid(format!("{address:?} is not an address")).with_source(e))?
            .into_parts();
        self.signer()
            .sign(&mut parts, &Body::Unsigned, SystemClock::new().now())?;
        let mut builder = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10));
        if let Some(pem) = &self.ca {
            let certificate = reqwest::Certificate::from_pem(pem);
            let certificate =
                certificate.map_err(|e| Error::invalid("the certificate is no PEM").with_source(e))?;
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder
            .build()
            .map_err(|e| Error::internal("the HTTP client does not start").with_source(e))?;
        let sent = client
            .request(method, &address)
            .headers(parts.headers)
            .body(body)
            .send()
            .await;
        let mut answer = sent.map_err(|e| remote::unreachable(&self.endpoint, e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut text = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            if text.len().saturating_add(piece.len()) > ERROR_BYTES_MAX {
                break;
            }
            text.extend_from_slice(&piece);
        }
        Err(remote::api_error(
            status,
            serde_json::from_slice(&text).ok().as_ref(),
        ))
    }
}
