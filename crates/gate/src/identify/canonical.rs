//! The canonical request of Signature Version 4, for verifying and for signing alike.
//!
//! Source: "Create a signed AWS API request" and "Authenticating Requests (AWS Signature
//! Version 4)" in the Amazon S3 API reference.

use std::borrow::Cow;

use craton_base::Result;
use craton_crypto::hash;
use http::{HeaderMap, HeaderName, header::HOST, request::Parts};

use super::{
    encoding::{self, Part},
    refuse,
    scope::{Scope, Service},
};

/// The most parameters a query may have.
pub const QUERY_PARAMETERS_MAX: usize = 256;

/// The most headers that a signature may name.
pub const SIGNED_HEADERS_MAX: usize = 128;

/// The canonical path of `raw`, the path as it came over the wire.
pub(super) fn path(raw: &str, service: Service) -> Result<Cow<'_, str>> {
    let raw = if raw.is_empty() { "/" } else { raw };
    if service == Service::S3 {
        return encoding::recode(raw, Part::Path);
    }
    // Other services: dot segments and empty segments are resolved, then what is already
    // encoded once is encoded a second time.
    encoding::decode(raw, Part::Path)?;
    let mut kept: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            s => kept.push(s),
        }
    }
    let mut out = String::with_capacity(raw.len() + 16);
    for segment in &kept {
        out.push('/');
        encoding::encode_into(&mut out, segment.as_bytes(), Part::Path);
    }
    if kept.is_empty() || raw.ends_with('/') {
        out.push('/');
    }
    Ok(out.into())
}

/// A query, each name and value in canonical encoding, in the order of the wire.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Takes a raw query apart.
    pub(super) fn parse(raw: Option<&'a str>) -> Result<Self> {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut out = Vec::new();
        for pair in pairs {
            if out.len() == QUERY_PARAMETERS_MAX {
                let message = format!("a query has at most {QUERY_PARAMETERS_MAX} parameters");
                return Err(refuse::invalid("InvalidURI", message));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            out.push((
                encoding::recode(name, Part::Query)?,
                encoding::recode(value, Part::Query)?,
            ));
        }
        Ok(Self(out))
    }

    /// Adds a parameter, given decoded.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let mut pair = (String::new(), String::new());
        encoding::encode_into(&mut pair.0, name.as_bytes(), Part::Query);
        encoding::encode_into(&mut pair.1, value.as_bytes(), Part::Query);
        self.0.push((pair.0.into(), pair.1.into()));
    }

    /// The names, encoded.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The encoded values of the parameters called `name` (which needs no encoding).
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| &**value)
    }

    /// Sorted by name, then value, joined; without the parameter called `except`.
    pub(super) fn canonical(&self, except: Option<&str>) -> String {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| Some(&**name) != except)
            .collect();
        pairs.sort();
        let mut out = String::new();
        for (name, value) in pairs {
            if !out.is_empty() {
                out.push('&');
            }
            out.extend([&**name, "=", &**value]);
        }
        out
    }
}

/// The value of the host header: HTTP/1 has the header, HTTP/2 the authority of the address.
///
/// # Errors
/// `InvalidRequest` if there is none, more than one, or the two differ.
pub(super) fn host(parts: &Parts) -> Result<&str> {
    let bad = |message: &'static str| refuse::invalid("InvalidRequest", message);
    let header = one_header(&parts.headers, &HOST)
        .map_err(|()| bad("the request needs exactly one readable Host header"))?;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    match (header, authority) {
        (Some(h), Some(a)) if !h.eq_ignore_ascii_case(a) => {
            Err(bad("the Host header and the address name different hosts"))
        }
        (Some(h), _) => Ok(h),
        (None, Some(a)) => Ok(a),
        (None, None) => Err(bad("the request needs a Host header")),
    }
}

/// The only value of a header; `Err` if it occurs twice or is not visible ASCII.
pub(super) fn one_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|v| Some(v.trim())).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

/// The headers that a signature names: lower case, sorted, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedHeaders(pub(super) Vec<HeaderName>);

impl SignedHeaders {
    /// Reads `host;range;x-amz-date`; `None` if it is not lower case, sorted and without repetition.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut out: Vec<HeaderName> = Vec::new();
        for name in text.split(';') {
            let name = HeaderName::from_lowercase(name.as_bytes()).ok()?;
            if out.len() == SIGNED_HEADERS_MAX
                || out.last().is_some_and(|last| last.as_str() >= name.as_str())
            {
                return None;
            }
            out.push(name);
        }
        Some(Self(out))
    }

    /// As it stands in the canonical request.
    pub(super) fn text(&self) -> String {
        self.pieces().collect()
    }

    fn pieces(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().enumerate();
        names.flat_map(|(n, name)| [if n == 0 { "" } else { ";" }, name.as_str()])
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|n| n.as_str() == name)
    }
}

/// What a canonical request is made of.
pub(super) struct Canonical<'a> {
    pub(super) method: &'a str,
    /// From [`path`].
    pub(super) path: &'a str,
    /// From [`Query::canonical`].
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) host: &'a str,
    pub(super) signed: &'a SignedHeaders,
    /// The hex hash of the payload, or the word that stands for it.
    pub(super) payload: &'a str,
}

impl Canonical<'_> {
    /// The SHA-256 of the canonical request, in hex.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch` if a signed header is not in the request.
    pub(super) fn hash(&self) -> Result<String> {
        let mut out: Vec<u8> = Vec::with_capacity(1024);
        for part in [self.method, self.path, self.query] {
            out.extend_from_slice(part.as_bytes());
            out.push(b'\n');
        }
        for name in &self.signed.0 {
            out.extend_from_slice(name.as_str().as_bytes());
            out.push(b':');
            self.header_value(name, &mut out)?;
            out.push(b'\n');
        }
        out.push(b'\n');
        for piece in self.signed.pieces() {
            out.extend_from_slice(piece.as_bytes());
        }
        out.push(b'\n');
        out.extend_from_slice(self.payload.as_bytes());
        Ok(hex::encode(hash::sha256(&out)))
    }

    fn header_value(&self, name: &HeaderName, out: &mut Vec<u8>) -> Result<()> {
        if name == HOST {
            push_collapsed(out, self.host.as_bytes());
            return Ok(());
        }
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().ok_or_else(|| {
            let message = format!("the signed header {:?} is not in the request", name.as_str());
            refuse::denied("SignatureDoesNotMatch", message)
        })?;
        push_collapsed(out, first.as_bytes());
        for value in values {
            out.push(b',');
            push_collapsed(out, value.as_bytes());
        }
        Ok(())
    }
}

/// Appends a header's value without space at its ends, each run of space inside as one blank.
fn push_collapsed(out: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty());
    for (n, word) in words.enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// The string to sign of a request, in parts.
pub(super) fn to_sign<'a>(date: &'a str, scope: &'a Scope, canonical_hash: &'a str) -> [&'a [u8]; 10] {
    let Scope {
        date: day,
        region,
        service,
    } = scope;
    [
        "AWS4-HMAC-SHA256\n",
        date,
        "\n",
        day,
        "/",
        region,
        "/",
        service,
        "/aws4_request\n",
        canonical_hash,
    ]
    .map(str::as_bytes)
}

#[cfg(test)]
mod tests;
