//! Identity providers of others: their keys, found by OpenID Connect Discovery and kept for a while.
//!
//! Invariants
//! - only the address of a provider that an administrator has registered is ever asked, and the place of keys that its
//!   own document names under the same scheme;
//! - keys are fetched again when they are old, and at most once in [`AGAIN_AFTER`] for a signature that is not good by them: keys need
//!   not have names, so a new one may look like the old one's forgery;
//! - what keeps a provider from answering refuses its tokens, never lets one pass.
//!
//! Deliberately absent: the connection itself, its guards against reaching inside ([`Fetch`]'s maker).

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result, Timestamp};
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::jwk::{IssuerKey, Token, audiences, key_set};

/// How long keys are used before they are fetched again.
const KEEP: Duration = Duration::from_hours(1);
/// How soon they are fetched again for a signature that is by none of them.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How far the clock of an issuer may be off.
const SKEW: Duration = Duration::from_secs(60);
/// Providers whose keys are kept.
const ISSUERS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// The longest subject, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// Fetches a document from outside. Its maker guards where it reaches.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The document at an address.
    ///
    /// # Errors
    /// `Unavailable` if it can not be had; `Denied` if the address is not one to reach.
    async fn get(&self, url: &str) -> Result<Bytes>;
}

/// What a provider has vouched for.
#[derive(Debug)]
pub(super) struct Vouched {
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) claims: Json,
}

/// A registered provider, as far as tokens are concerned.
pub(super) struct Provider<'a> {
    pub(super) url: &'a str,
    pub(super) clients: &'a [String],
}

struct Kept {
    keys: Arc<Vec<IssuerKey>>,
    fetched: Timestamp,
}

/// The keys of issuers.
pub(crate) struct Issuers {
    fetch: OnceLock<Arc<dyn Fetch>>,
    kept: Mutex<lru::LruCache<String, Kept>>,
    /// One at a time: many requests with a new key make one fetch.
    fetching: tokio::sync::Mutex<()>,
}

pub(super) fn bad_token(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidIdentityToken", message)
}

impl Issuers {
    pub(crate) fn new() -> Self {
        Self {
            fetch: OnceLock::new(),
            kept: Mutex::new(lru::LruCache::new(ISSUERS_MAX)),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// Fetches by this from here on. Only the first call counts.
    pub(crate) fn use_fetch(&self, fetch: Arc<dyn Fetch>) {
        self.fetch.get_or_init(|| fetch);
    }

    /// What a token says, once everything about it is verified.
    ///
    /// # Errors
    /// `Invalid`, `InvalidIdentityToken` or `ExpiredTokenException`; `Unavailable`, `IDPCommunicationError`.
    pub(super) async fn verify(
        &self,
        provider: &Provider<'_>,
        token: &str,
        now: Timestamp,
    ) -> Result<Vouched> {
        let parsed =
            Token::parse(token).ok_or_else(|| bad_token("The token is not one that can be verified."))?;
        if parsed.issuer() != Some(provider.url) {
            return Err(bad_token("The token's issuer is not the provider."));
        }
        let keys = self.keys(provider.url, &parsed, now).await?;
        let claims = parsed
            .verify(&keys)
            .ok_or_else(|| bad_token("The token's signature is not good by a key of its issuer."))?;
        check_times(&claims, now)?;
        let subject = claims.get("sub").and_then(Json::as_str).unwrap_or_default();
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
            return Err(bad_token("The token has no usable sub."));
        }
        let audience = audience(&claims, provider)?;
        Ok(Vouched {
            subject: subject.to_owned(),
            audience,
            claims,
        })
    }

    /// The issuer's keys, fetched if they are old or the token is signed by none of them.
    async fn keys(&self, issuer: &str, token: &Token<'_>, now: Timestamp) -> Result<Arc<Vec<IssuerKey>>> {
        if let Some(keys) = self.known(issuer, token, now) {
            return Ok(keys);
        }
        let _alone = self.fetching.lock().await;
        if let Some(keys) = self.known(issuer, token, now) {
            return Ok(keys);
        }
        let keys = Arc::new(self.discover(issuer).await?);
        let kept = Kept {
            keys: keys.clone(),
            fetched: now,
        };
        self.kept.lock().put(issuer.to_owned(), kept);
        Ok(keys)
    }

    /// The kept keys, unless it is time to fetch them.
    fn known(&self, issuer: &str, token: &Token<'_>, now: Timestamp) -> Option<Arc<Vec<IssuerKey>>> {
        let (keys, fetched) = {
            let mut all = self.kept.lock();
            let kept = all.get(issuer)?;
            (kept.keys.clone(), kept.fetched)
        };
        let age = now.since(fetched);
        let good = age < AGAIN_AFTER || (age < KEEP && token.is_signed_by(&keys));
        good.then_some(keys)
    }

    async fn discover(&self, issuer: &str) -> Result<Vec<IssuerKey>> {
        let bad =
            |message: &'static str| Error::new(ErrorKind::Unavailable, "IDPCommunicationError", message);
        let fetch = self
            .fetch
            .get()
            .ok_or_else(|| bad("this server fetches nothing from outside"))?;
        let address = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let document: Json = serde_json::from_slice(&fetch.get(&address).await?)
            .map_err(|e| bad("the issuer's configuration is not JSON").with_source(e))?;
        let text = |name: &str| document.get(name).and_then(Json::as_str);
        if text("issuer") != Some(issuer) {
            return Err(bad("the issuer's configuration is of another issuer"));
        }
        let keys = text("jwks_uri").ok_or_else(|| bad("the issuer's configuration names no keys"))?;
        if keys.split("://").next() != issuer.split("://").next() {
            return Err(bad("the issuer's keys are under another scheme"));
        }
        key_set(&fetch.get(keys).await?)
    }
}

fn check_times(claims: &Json, now: Timestamp) -> Result<()> {
    let seconds = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64().or_else(|| value.as_f64().map(|f| f as u64)) {
            Some(seconds) => Ok(Some(Timestamp::from_seconds(seconds))),
            None => Err(bad_token(format!("The token's {name} is not a time."))),
        },
    };
    let expires = seconds("exp")?.ok_or_else(|| bad_token("The token has no exp."))?;
    if now >= expires {
        return Err(Error::new(
            ErrorKind::Invalid,
            "ExpiredTokenException",
            "The token has expired.",
        ));
    }
    for name in ["nbf", "iat"] {
        if seconds(name)?.is_some_and(|at| at > now.plus(SKEW)) {
            return Err(bad_token(format!("The token's {name} is in the future.")));
        }
    }
    Ok(())
}

/// The audience that is one of the provider's clients.
fn audience(claims: &Json, provider: &Provider<'_>) -> Result<String> {
    let all = audiences(claims);
    let known = |name: &&&str| provider.clients.iter().any(|client| client == **name);
    let azp = claims.get("azp").and_then(Json::as_str);
    // Who has asked for the token says more than for whom else it may be.
    let wanted = match azp {
        Some(azp) if all.len() > 1 => all.iter().find(|name| **name == azp).filter(known),
        _ => all.iter().find(known),
    };
    wanted
        .map(|name| (*name).to_owned())
        .ok_or_else(|| bad_token("Incorrect token audience"))
}

#[cfg(test)]
mod tests;
