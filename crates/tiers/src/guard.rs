//! What a tier's service answers, looked at before the client parses it.
//!
//! The client of `object_store` 0.13 parses answers with a quick-xml that is slow on a tag of very many attributes
//! (RUSTSEC-2026-0194) and takes memory for each namespace that one declares (RUSTSEC-2026-0195). So everything
//! but the content of a blob, which is not parsed, is read here first: it must be short, and so must each of its tags.
//! With these limits neither can cost more than a few milliseconds and megabytes. `docs/decisions/0016` says more.
//!
//! Invariant: no answer reaches the client's parser that is longer than [`ANSWER_BYTES_MAX`] or has a tag that is longer
//! than [`TAG_BYTES_MAX`].

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::Method;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService, ReqwestConnector,
    },
};

/// The longest answer that is not a blob's content, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// The longest tag of such an answer, in bytes.
const TAG_BYTES_MAX: usize = 1024;

/// Makes clients whose answers are looked at.
#[derive(Debug)]
pub(crate) struct Guarded;

impl HttpConnector for Guarded {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Looked { client }))
    }
}

#[derive(Debug)]
struct Looked {
    client: HttpClient,
}

#[async_trait::async_trait]
impl HttpService for Looked {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asks_content = is_content(request.method(), request.uri().query());
        let response = self.client.execute(request).await?;
        if asks_content && response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = read(body).await?;
        Ok(HttpResponse::from_parts(head, HttpResponseBody::from(body)))
    }
}

/// Whether the answer is a blob's bytes: a GET without a query, for lists and all else have one.
fn is_content(method: &Method, query: Option<&str>) -> bool {
    method == Method::GET && query.is_none_or(str::is_empty)
}

async fn read(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let mut pieces = body.bytes_stream();
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if all.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
            return Err(refused("an answer of a tier is too long"));
        }
        all.extend_from_slice(&piece);
    }
    match longest_tag(&all) > TAG_BYTES_MAX {
        true => Err(refused("an answer of a tier has a tag that is too long")),
        false => Ok(all.freeze()),
    }
}

/// The bytes from a `<` to the next `>`, at most; to the end if there is none.
fn longest_tag(text: &[u8]) -> usize {
    let (mut longest, mut tag) = (0usize, None);
    for byte in text {
        tag = match (byte, tag) {
            (b'<', None) => Some(1usize),
            (b'>', _) => None,
            (_, Some(len)) => Some(len.saturating_add(1)),
            (_, None) => None,
        };
        longest = longest.max(tag.unwrap_or_default());
    }
    longest
}

fn refused(why: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, craton_base::Error::invalid(why))
}

#[cfg(test)]
mod tests;
