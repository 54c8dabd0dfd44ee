//! What requests name by headers of ours, a lease and a run, and what answers say of a budget.

use std::sync::Arc;

use craton_gate::SessionBudget;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::kept;

/// The header that names a lease.
const LEASE: HeaderName = HeaderName::from_static("x-craton-lease");

/// The longest name of a lease that is kept, in bytes; a longer one is nobody's.
const LEASE_BYTES_MAX: usize = 64;

/// The header that says what is left of a session's budget.
const BUDGET: HeaderName = HeaderName::from_static("x-craton-budget");

/// The header that names an operation which waits for an approval.
const PENDING: HeaderName = HeaderName::from_static("x-craton-pending");

/// The header that names a run.
const RUN: HeaderName = HeaderName::from_static("x-craton-run");

/// The longest name of a run, in bytes; a longer one is cut.
const RUN_BYTES_MAX: usize = 128;

/// The lease that a request names.
pub(super) fn lease(headers: &HeaderMap) -> Option<Arc<str>> {
    kept(headers, &LEASE, LEASE_BYTES_MAX)
}

/// Says what is left of a budget.
pub(super) fn tell_left(headers: &mut HeaderMap, left: &SessionBudget) {
    // Names and numbers: they are a header's value.
    if let Ok(text) = HeaderValue::try_from(left.to_string()) {
        headers.insert(BUDGET, text);
    }
}

/// Says which operation waits for an approval.
pub(super) fn tell_pending(headers: &mut HeaderMap, id: &str) {
    if let Ok(text) = HeaderValue::try_from(id) {
        headers.insert(PENDING, text);
    }
}

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
