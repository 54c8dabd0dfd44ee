//! Cross-origin rules: which pages a browser may let read a bucket's answers.
//!
//! Invariant: a rule only tells a browser what it may show to a page; it gives nobody access.
//!
//! Source: the Fetch standard's CORS protocol, and Amazon S3 User Guide, "Elements of a CORS configuration".

use bytes::Bytes;
use craton_base::Result;
use prost::Message;

use super::access::malformed;

/// The most rules of one bucket.
pub const CORS_RULES_MAX: usize = 100;

/// A bucket's rules, in order: the first that fits counts.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Cors {
    /// The rules.
    #[prost(message, repeated, tag = "1")]
    pub rules: Vec<CorsRule>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CorsRule {
    /// Its id, for people.
    #[prost(string, optional, tag = "1")]
    pub id: Option<String>,
    /// Origins, each with at most one `*`.
    #[prost(string, repeated, tag = "2")]
    pub origins: Vec<String>,
    /// Methods: `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    #[prost(string, repeated, tag = "3")]
    pub methods: Vec<String>,
    /// Headers that a page may send, each with at most one `*`; compared without case.
    #[prost(string, repeated, tag = "4")]
    pub headers: Vec<String>,
    /// Headers of the answer that a page may see.
    #[prost(string, repeated, tag = "5")]
    pub expose: Vec<String>,
    /// For how long a browser may keep the answer, in seconds.
    #[prost(uint32, optional, tag = "6")]
    pub max_age_seconds: Option<u32>,
}

/// What a browser is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorsAnswer {
    /// The origin that is allowed: the one that asks, or `*`.
    pub origin: String,
    /// The methods that are allowed.
    pub methods: Vec<String>,
    /// Of the headers that were asked for, in lower case: all, or there is no answer.
    pub headers: Vec<String>,
    /// The headers that may be seen.
    pub expose: Vec<String>,
    /// For how long this may be kept, in seconds.
    pub max_age_seconds: Option<u32>,
}

impl CorsAnswer {
    /// Whether the page may send credentials: not where every page is allowed.
    #[must_use]
    pub fn allows_credentials(&self) -> bool {
        self.origin != "*"
    }
}

impl Cors {
    /// What the first rule that fits says to a page of `origin` that uses `method` and sends `headers`.
    #[must_use]
    pub fn answer(&self, origin: &str, method: &str, headers: &[&str]) -> Option<CorsAnswer> {
        self.rules
            .iter()
            .find_map(|rule| rule.answer(origin, method, headers))
    }
}

impl CorsRule {
    fn answer(&self, origin: &str, method: &str, headers: &[&str]) -> Option<CorsAnswer> {
        let allowed = self.origins.iter().find(|o| fits(o, origin))?;
        if !self.methods.iter().any(|m| m == method) {
            return None;
        }
        let headers: Vec<String> = headers.iter().map(|h| h.to_ascii_lowercase()).collect();
        let known = |header: &String| self.headers.iter().any(|h| fits(&h.to_ascii_lowercase(), header));
        if !headers.iter().all(known) {
            return None;
        }
        let origin = if allowed == "*" { "*" } else { origin };
        Some(CorsAnswer {
            origin: origin.to_owned(),
            methods: self.methods.clone(),
            headers,
            expose: self.expose.clone(),
            max_age_seconds: self.max_age_seconds,
        })
    }
}

/// Whether `text` fits `pattern`, in which one `*` stands for any run of characters.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, back)) => text.strip_prefix(front).is_some_and(|rest| rest.ends_with(back)),
    }
}

/// Reads stored rules.
pub(crate) fn parse(document: &Bytes) -> Result<Cors> {
    let cors = Cors::decode(document.clone()).map_err(|e| malformed("cross-origin rules").with_source(e))?;
    if cors.rules.len() > CORS_RULES_MAX {
        return Err(malformed("cross-origin rules: there are too many"));
    }
    Ok(cors)
}

#[cfg(test)]
mod tests;
