//! What an agent changes beside tables and graphs: objects and leases; and asking why something was denied.
//!
//! Deliberately absent: deleting, which is left to doors that say more of it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderName, Method, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::inside::{Call, Outcome, Refused, Told, object, segment};

const LEASES: &str = "/_api/v1/leases";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    bucket: String,
    key: String,
    text: Option<String>,
    base64: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    new: bool,
    etag: Option<String>,
    lease: Option<String>,
}

pub(super) async fn put(call: &Call<'_>) -> Outcome {
    let asked: Put = call.arguments()?;
    let content: Bytes = match (asked.text, asked.base64) {
        (Some(text), None) => text.into(),
        (None, Some(encoded)) => BASE64
            .decode(encoded)
            .map_err(|_| Refused::new("InvalidArguments", "base64 is not base64"))?
            .into(),
        _ => {
            return Err(Refused::new(
                "InvalidArguments",
                "the content is said once: as text or as base64",
            ));
        }
    };
    let said = [
        (header::CONTENT_TYPE, asked.content_type.as_deref()),
        (header::IF_NONE_MATCH, asked.new.then_some("*")),
        (header::IF_MATCH, asked.etag.as_deref()),
        (HeaderName::from_static("x-craton-lease"), asked.lease.as_deref()),
    ];
    let headers: Vec<(HeaderName, &str)> = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let size = content.len();
    let answer = call
        .ask(Method::PUT, &object(&asked.bucket, &asked.key), &headers, content)
        .await?;
    Ok(Told::Said(json!({
        "size": size,
        "etag": answer.header("etag"),
        "version": answer.header("x-amz-version-id"),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "action")]
enum Lease {
    Acquire {
        paths: Value,
        seconds: Option<u64>,
        #[serde(default)]
        purpose: String,
    },
    Renew {
        lease: String,
        seconds: Option<u64>,
    },
    Release {
        lease: String,
    },
}

/// How long a lease is if nobody says, in seconds.
const LEASE_SECONDS: u64 = 600;

pub(super) async fn lease(call: &Call<'_>) -> Outcome {
    let asked: Lease = call.arguments()?;
    let told = match asked {
        Lease::Acquire {
            paths,
            seconds,
            purpose,
        } => {
            let body =
                json!({ "paths": paths, "seconds": seconds.unwrap_or(LEASE_SECONDS), "purpose": purpose });
            call.send_json(Method::POST, LEASES, Some(body)).await?
        }
        Lease::Renew { lease, seconds } => {
            let body = json!({ "seconds": seconds.unwrap_or(LEASE_SECONDS) });
            let target = format!("{LEASES}/{}", segment(&lease));
            call.send_json(Method::PUT, &target, Some(body)).await?
        }
        Lease::Release { lease } => {
            let target = format!("{LEASES}/{}", segment(&lease));
            call.send_json(Method::DELETE, &target, None).await?
        }
    };
    Ok(Told::Said(told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    decision: Option<String>,
    action: Option<String>,
    resource: Option<String>,
}

pub(super) async fn explain(call: &Call<'_>) -> Outcome {
    let asked: Explain = call.arguments()?;
    let told = match (asked.decision, asked.action, asked.resource) {
        (Some(decision), None, None) => {
            let target = format!("/_api/v1/decisions/{}", segment(&decision));
            call.get_json(&target).await?
        }
        (None, Some(action), Some(resource)) => {
            // Of the session as it is: its policies, its chain and its tags.
            let session = call.session();
            let principal = session.session_id().unwrap_or_else(|| session.principal());
            let body = json!({ "principal": principal, "action": action, "resource": resource });
            call.send_json(Method::POST, "/_api/v1/explain", Some(body))
                .await?
        }
        _ => {
            return Err(Refused::new(
                "InvalidArguments",
                "either a decision is to be named, or an action and a resource",
            ));
        }
    };
    Ok(Told::Said(told))
}
