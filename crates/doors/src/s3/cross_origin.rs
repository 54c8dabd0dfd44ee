//! Cross-origin requests of pages in browsers: the preflight, and what is added to answers.
//!
//! Invariant: nothing here gives access; without a rule that fits, an answer simply is not shown to the page.

use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::{CorsAnswer, Gate, Origin, PageRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use s3s::Body;

use super::plain::{bucket_of_host, host};
use crate::http::Response;

/// The name of a preflight in records and metrics.
pub(super) const OPERATION: &str = "PreflightRequest";

/// The most headers that a page may ask for at once.
const HEADERS_MAX: usize = 100;

/// A request of a page.
pub(super) struct Page {
    bucket: BucketName,
    origin: String,
    method: Method,
}

impl Page {
    /// The page that a request comes from, if a browser says so and it is about a bucket.
    pub(super) fn of(parts: &Parts, domains: &[String]) -> Option<Self> {
        Some(Self {
            origin: text(&parts.headers, &header::ORIGIN)?.to_owned(),
            bucket: bucket(parts, domains)?,
            method: parts.method.clone(),
        })
    }

    /// Adds what the browser is told.
    pub(super) fn answer(&self, gate: &Gate, response: &mut Response) {
        let request = PageRequest {
            page: &self.origin,
            method: self.method.as_str(),
            headers: &[],
        };
        if let Some(answer) = gate.cross_origin(&self.bucket, request) {
            add(response.headers_mut(), &answer);
        }
    }
}

/// Answers a preflight.
///
/// # Errors
/// `BadRequest` if it is none; `AccessForbidden`; `Unavailable` if it can not be recorded.
pub(super) fn preflight(parts: &Parts, domains: &[String], gate: &Gate, origin: &Origin) -> Result<Response> {
    let incomplete = |message: &str| {
        let error = Error::new(Kind::Invalid, "BadRequest", message.to_owned());
        gate.refuse(origin, None, OPERATION, parts.uri.path(), &error)?;
        Err(error)
    };
    let Some(page) = text(&parts.headers, &header::ORIGIN) else {
        return incomplete("Insufficient information. Origin request header needed.");
    };
    let method = text(&parts.headers, &header::ACCESS_CONTROL_REQUEST_METHOD);
    let Some(method) = method.filter(|m| matches!(*m, "GET" | "PUT" | "POST" | "DELETE" | "HEAD")) else {
        let shown: String = method.unwrap_or("null").chars().take(32).collect();
        return incomplete(&format!("Invalid Access-Control-Request-Method: {shown}"));
    };
    let Some(bucket) = bucket(parts, domains) else {
        return incomplete("A preflight is about a bucket.");
    };
    let list = text(&parts.headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let headers: Vec<&str> = list.split(',').map(str::trim).filter(|h| !h.is_empty()).collect();
    if headers.len() > HEADERS_MAX {
        return incomplete("Access-Control-Request-Headers names too many headers.");
    }
    let request = PageRequest {
        page,
        method,
        headers: &headers,
    };
    let answer = gate.preflight(origin, &bucket, request)?;
    let mut response = Response::new(Body::empty());
    add(response.headers_mut(), &answer);
    let allowed = answer.headers.join(", ");
    if !allowed.is_empty() {
        set(
            response.headers_mut(),
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &allowed,
        );
    }
    Ok(response)
}

fn add(headers: &mut HeaderMap, answer: &CorsAnswer) {
    set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, &answer.origin);
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        &answer.methods.join(", "),
    );
    if !answer.expose.is_empty() {
        set(
            headers,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &answer.expose.join(", "),
        );
    }
    if let Some(seconds) = answer.max_age_seconds {
        set(headers, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    if answer.allows_credentials() {
        set(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    let varies = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    headers.append(header::VARY, HeaderValue::from_static(varies));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// The bucket that a request is about, by its host or its path.
fn bucket(parts: &Parts, domains: &[String]) -> Option<BucketName> {
    if let Some(bucket) = host(parts).and_then(|host| bucket_of_host(host, domains)) {
        return BucketName::new(&bucket.to_ascii_lowercase()).ok();
    }
    let path = parts.uri.path().strip_prefix('/')?;
    let first = path.split('/').next().unwrap_or_default();
    let first = percent_encoding::percent_decode_str(first).decode_utf8().ok()?;
    BucketName::new(&first).ok()
}

#[cfg(test)]
mod tests;
