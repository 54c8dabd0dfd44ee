//! How a request says which run it is of: by name, or by the trace that it is part of.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::kept;

/// The header that names a run.
const RUN: HeaderName = HeaderName::from_static("x-craton-run");

/// The longest name of a run, in bytes; a longer one is cut.
const RUN_BYTES_MAX: usize = 128;

/// The run that a request names.
pub(super) fn run(headers: &HeaderMap) -> Option<Arc<str>> {
    kept(headers, &RUN, RUN_BYTES_MAX).filter(|name| is_name(name))
}

/// Whether a text can name a run.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The trace that a request is of (W3C Trace Context, 3.2): `version-trace-parent-flags`.
pub(super) fn trace(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let trace = text.split('-').nth(1)?;
    let is_one =
        trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()) && trace.bytes().any(|b| b != b'0');
    is_one.then(|| format!("trace-{}", trace.to_ascii_lowercase()).into())
}
