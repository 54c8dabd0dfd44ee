//! Progress of long work: where JSON lines are asked for, a line each second, and the outcome as the last one.
//!
//! ```text
//! {"progress":{"seconds":3,"steps":2,"facts":1250000,"read_bytes":52428800}}
//! {"done":{…}}  or  {"error":{"kind":…,"reason":…,"message":…}}
//! ```
//!
//! Who asks for a JSON document gets the outcome alone, and its status. Either way the work stops when the client goes away.
//!
//! Deliberately absent: what the work is.

use std::{future::Future, pin::pin, time::Duration};

use craton_base::{Error, Result};
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    ops::{self, Cancel},
    query::JSON_LINES,
    respond,
    stream::{Out, Writing},
};
use crate::{errors, http::Body};

/// How long until the next line.
const EACH: Duration = Duration::from_secs(1);

/// The answer of `work`, which `cancel` stops.
pub(super) async fn answer(
    headers: &HeaderMap,
    cancel: Cancel,
    work: impl Future<Output = Result<Value>> + Send + 'static,
) -> Result<Response<Body>> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accept != Some(JSON_LINES) {
        let done = work.await;
        drop(cancel);
        return Ok(respond(StatusCode::OK, &done?));
    }
    let (body, out) = Writing::new();
    tokio::spawn(tell(out, cancel, work));
    Ok(ops::answer(body, JSON_LINES))
}

async fn tell(out: Out, cancel: Cancel, work: impl Future<Output = Result<Value>> + Send) {
    let mut work = pin!(work);
    loop {
        let (line, is_last) = match tokio::time::timeout(EACH, &mut work).await {
            Ok(Ok(done)) => (json!({ "done": done }), true),
            Ok(Err(error)) => (json!({ "error": failure(&error) }), true),
            Err(_) => (json!({ "progress": progress(&cancel) }), false),
        };
        // Nobody is left to tell if this fails; then the work is stopped.
        if out.tell(format!("{line}\n")).await.is_err() || is_last {
            return;
        }
    }
}

fn progress(cancel: &Cancel) -> Value {
    let done = cancel.0.done();
    json!({
        "seconds": cancel.0.elapsed().as_secs(),
        "steps": done.steps,
        "facts": done.facts,
        "read_bytes": done.read_bytes,
    })
}

fn failure(error: &Error) -> Value {
    json!({
        "kind": error.kind().as_str(),
        "reason": error.reason(),
        "message": errors::message(error),
    })
}
