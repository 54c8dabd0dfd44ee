//! Listening: `GET /bucket?events=s3:ObjectCreated:*&prefix=…&suffix=…`, an extension of MinIO's that its clients
//! have. The answer is a stream of lines, each the JSON of one event, with blanks in between so that a connection
//! that is gone is noticed.
//!
//! Invariant: a client that is too slow misses events; it makes nobody wait.
//!
//! Deliberately absent: delivery, which takes a configured target.

use std::time::Duration;

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ResourcePath, Result};
use craton_gate::{Ask, Listener, ReadPermit};
use craton_objects::notification::{Rule, is_event, record};
use futures::Stream;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::percent_decode_str;
use s3s::Body;

use super::call::Call;
use crate::http::Response;

/// How often a blank is sent, in seconds, if the client does not say.
const PING_SECONDS: u64 = 5;

/// The most events that one request names.
const EVENTS_MAX: usize = 64;

/// What a client listens to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    rule: Rule,
    ping_seconds: u64,
}

/// Whether a request listens.
pub(super) fn is_listening(parts: &Parts) -> bool {
    let names = || parts.uri.query().unwrap_or_default().split('&');
    parts.method == Method::GET && names().any(|pair| pair.starts_with("events="))
}

/// Begins to listen.
///
/// # Errors
/// `InvalidArgument`; `Denied`; `NoSuchBucket`; `Busy`, `TooManyListeners`.
pub(super) async fn answer(parts: &Parts, call: &Call) -> Result<Response> {
    let bucket = BucketName::new(parts.uri.path().trim_matches('/'))?;
    let wanted = wanted(parts.uri.query().unwrap_or_default())?;
    let ask = Ask::new(
        "ListenNotification",
        "s3:ListenBucketNotification",
        ResourcePath::Bucket(bucket),
    );
    let permit = call.read(ask).await?;
    let listener = permit.listen()?;
    let hearing = Hearing {
        permit,
        listener,
        wanted,
    };
    let mut response = Response::new(Body::http_body_unsync(StreamBody::new(lines(hearing))));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    Ok(response)
}

struct Hearing {
    /// The access goes on, and is recorded when it ends.
    permit: ReadPermit,
    listener: Listener,
    wanted: Wanted,
}

fn lines(hearing: Hearing) -> impl Stream<Item = Result<Frame<Bytes>>> + Send + 'static {
    futures::stream::unfold(hearing, |mut hearing| async move {
        let line = hearing.line().await?;
        Some((Ok(Frame::data(line)), hearing))
    })
}

impl Hearing {
    /// The next line, or a blank.
    async fn line(&mut self) -> Option<Bytes> {
        let pause = Duration::from_secs(self.wanted.ping_seconds);
        loop {
            let heard = tokio::time::timeout(pause, self.listener.next()).await;
            let Ok(heard) = heard else {
                return Some(Bytes::from_static(b" \n"));
            };
            let told = heard?;
            let _ = &self.permit;
            if self.wanted.rule.takes(&told.notice.event, &told.notice.key) {
                let message = record::message(&told, "");
                return Some([&message, &b"\n"[..]].concat().into());
            }
        }
    }
}

fn wanted(query: &str) -> Result<Wanted> {
    let mut out = Wanted {
        ping_seconds: PING_SECONDS,
        ..Wanted::default()
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value)
            .decode_utf8()
            .map_err(|e| Error::invalid("the query is not UTF-8").with_source(e))?
            .into_owned();
        match name {
            "events" if is_event(&value) && out.rule.events.len() < EVENTS_MAX => out.rule.events.push(value),
            "events" => {
                let message = "A specified event is not supported for notifications.";
                return Err(Error::new(Kind::Invalid, "InvalidArgument", message));
            }
            "prefix" => out.rule.prefix = value,
            "suffix" => out.rule.suffix = value,
            "ping" => out.ping_seconds = value.parse().unwrap_or(PING_SECONDS).clamp(1, 60),
            _ => {}
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_heard() {
        let found =
            wanted("events=s3%3AObjectCreated%3A*&events=s3:ObjectRemoved:*&prefix=a%2F&suffix=.csv&ping=10")
                .unwrap();
        assert_eq!(found.rule.events, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]);
        assert_eq!(
            (&*found.rule.prefix, &*found.rule.suffix, found.ping_seconds),
            ("a/", ".csv", 10)
        );
        assert!(wanted("events=nothing").is_err());
        assert!(wanted("events=%ff").is_err());
    }
}
