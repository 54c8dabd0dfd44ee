//! The verification itself: from a request's head to the one it comes from.
//!
//! A request with an unknown key goes the same way as one with a wrong signature, with a secret
//! that nobody has, so that time does not tell which keys exist.

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use craton_base::{Result, Secret, Timestamp, clock::Clock};
use craton_crypto::hash;
use http::{HeaderName, request::Parts};

use super::{
    canonical::{self, Canonical, Query, SignedHeaders, one_header, to_sign},
    chain::{self, Chain},
    claim::{self, Claim, How, bad_token},
    key::{KeyCache, SigningKey},
    payload::{self, CONTENT_SHA256, Mode, Payload, UNSIGNED},
    refuse,
    scope::{Scope, Service},
};

/// How far a signature's date may be from the clock, either way.
pub const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// Where access keys and their secrets come from. Answers from memory: it is asked for every
/// request before anything is known about the caller.
pub trait Credentials: Send + Sync {
    /// Whom a key belongs to.
    type Owner;

    /// Finds the secret of an access key, with the session token that came with it.
    ///
    /// # Errors
    /// Only if the question cannot be answered now; an unknown key is an answer.
    fn find(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Lookup<Self::Owner>>;
}

/// What [`Credentials`] knows about a key.
pub enum Lookup<Owner> {
    /// The key is good, and the token belongs to it (or the key needs none and none came).
    Found {
        /// The secret access key.
        secret: Secret,
        /// Whom it belongs to.
        owner: Owner,
    },
    /// There is no such key, or it is switched off.
    UnknownKey,
    /// The token is unknown, of another key, missing where one is needed, or too much.
    BadToken,
    /// The session is over.
    ExpiredToken,
}

/// The regions that a signature may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regions {
    /// These; the first is named in the refusal of another.
    Only(Vec<String>),
    /// Whatever the client is set to.
    Any,
}

/// Settings of a [`Verifier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The regions that a signature may name.
    pub regions: Regions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            regions: Regions::Only(vec!["us-east-1".to_owned()]),
        }
    }
}

/// Who makes a request.
#[derive(Debug)]
pub enum Caller<Owner> {
    /// The request carries no credentials at all.
    Anonymous {
        /// How to read the body.
        payload: Payload,
    },
    /// The signature is good.
    Identified(Box<Identified<Owner>>),
}

/// A request whose signature is good.
#[derive(Debug)]
#[non_exhaustive]
pub struct Identified<Owner> {
    /// The access key.
    pub access_key_id: String,
    /// Whom it belongs to, as [`Credentials`] said.
    pub owner: Owner,
    /// When it was signed, by the signer's clock.
    pub signed_at: Timestamp,
    /// How long before now that was; zero if the signer's clock is ahead.
    pub signature_age: Duration,
    /// The day, region and service that the signature is for.
    pub scope: Scope,
    /// The headers that the signature covers, in order.
    pub signed_headers: Vec<HeaderName>,
    /// Where the signature was.
    pub how: How,
    /// How to read the body.
    pub payload: Payload,
}

/// Verifies the signatures of requests.
pub struct Verifier<C> {
    credentials: C,
    clock: Arc<dyn Clock>,
    settings: Settings,
    keys: KeyCache,
    nobody: Secret,
}

/// What is known of the body when the signature is checked.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// What the head says, in any of S3's ways.
    Head,
    /// That it has the SHA-256 that the head says, or is empty: it is compared when it is read.
    Hash,
    /// All of it.
    Whole(&'a [u8]),
}

/// What a signature covers besides the claim itself.
struct Covered<'a> {
    parts: &'a Parts,
    query: &'a Query<'a>,
    service: Service,
    payload: &'a str,
}

impl<C: Credentials> Verifier<C> {
    /// A verifier that finds keys in `credentials` and takes the time from `clock`.
    pub fn new(credentials: C, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self {
            credentials,
            clock,
            settings,
            keys: KeyCache::new(),
            nobody: Secret::from("nobody's"),
        }
    }

    /// Where keys come from.
    pub const fn credentials(&self) -> &C {
        &self.credentials
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Verifies the head of a request to the S3 door.
    ///
    /// # Errors
    /// `Denied` or `Invalid` with S3's code as the reason if the request is not exactly well
    /// signed; the errors of [`Credentials::find`].
    pub fn identify(&self, parts: &Parts) -> Result<Caller<C::Owner>> {
        self.run(parts, Service::S3, Known::Head)
    }

    /// Verifies a request to a door whose service signs the hash of a whole, small body.
    ///
    /// # Errors
    /// As [`Verifier::identify`].
    pub fn identify_with_body(
        &self,
        parts: &Parts,
        service: Service,
        body: &[u8],
    ) -> Result<Caller<C::Owner>> {
        self.run(parts, service, Known::Whole(body))
    }

    /// Verifies the head of a request to a door whose service signs the hash of a whole, small body, which the head says:
    /// a body without it is taken for empty.
    ///
    /// # Errors
    /// As [`Verifier::identify`].
    pub fn identify_by_hash(&self, parts: &Parts, service: Service) -> Result<Caller<C::Owner>> {
        self.run(parts, service, Known::Hash)
    }

    fn run(&self, parts: &Parts, service: Service, body: Known<'_>) -> Result<Caller<C::Owner>> {
        let query = Query::parse(parts.uri.query())?;
        let claim = claim::read(parts, &query)?;
        let mode = payload_mode(parts, &query, claim.as_ref().map(|c| c.how), body)?;
        let Some(claim) = claim else {
            let payload = Payload::from_parts(mode.1, parts, None)?;
            return Ok(Caller::Anonymous { payload });
        };
        self.check_time(&claim)?;
        self.check_scope(&claim, service)?;
        check_coverage(parts, &claim.signed)?;
        let covered = Covered {
            parts,
            query: &query,
            service,
            payload: &mode.0,
        };
        let (owner, key) = self.check_signature(&claim, &covered)?;
        let chain = matches!(mode.1, Mode::Chunked { signed: true, .. })
            .then(|| Chain::new(key, &claim.date.text, &claim.scope.text(), claim.signature));
        Ok(Caller::Identified(Box::new(Identified {
            payload: Payload::from_parts(mode.1, parts, chain)?,
            owner,
            signed_at: claim.date.at,
            signature_age: claim.date.age(&*self.clock),
            signed_headers: claim.signed.0,
            access_key_id: claim.access_key_id,
            scope: claim.scope,
            how: claim.how,
        })))
    }

    fn check_time(&self, claim: &Claim) -> Result<()> {
        let (now, at) = (self.clock.now(), claim.date.at);
        match claim.how {
            How::Presigned { expires } => {
                if at > now.plus(SKEW_MAX) {
                    return Err(refuse::denied("AccessDenied", "Request is not yet valid"));
                }
                if now > at.plus(expires) {
                    return Err(refuse::denied("AccessDenied", "Request has expired"));
                }
            }
            How::Header | How::Form => {
                if at > now.plus(SKEW_MAX) || now > at.plus(SKEW_MAX) {
                    let message =
                        "the difference between the request's time and the server's is more than 15 minutes";
                    return Err(refuse::denied("RequestTimeTooSkewed", message));
                }
            }
        }
        Ok(())
    }

    pub(super) fn check_scope(&self, claim: &Claim, service: Service) -> Result<()> {
        let bad = |message: String| {
            let reason = match claim.how {
                How::Header => "AuthorizationHeaderMalformed",
                How::Presigned { .. } => "AuthorizationQueryParametersError",
                How::Form => "InvalidArgument",
            };
            Err(refuse::invalid(reason, message))
        };
        if claim.scope.date != claim.date.day() {
            return bad("the day in the Credential is not the day of the request's date".to_owned());
        }
        if claim.scope.service != service.as_str() {
            return bad(format!(
                "the Credential is for another service; it must be {:?}",
                service.as_str()
            ));
        }
        match &self.settings.regions {
            Regions::Only(known) if !known.contains(&claim.scope.region) => {
                let first = known.first().map_or("", String::as_str);
                bad(format!(
                    "the region in the Credential is wrong; expecting {first:?}"
                ))
            }
            Regions::Only(_) | Regions::Any => Ok(()),
        }
    }

    fn check_signature(&self, claim: &Claim, covered: &Covered<'_>) -> Result<(C::Owner, Arc<SigningKey>)> {
        self.check_signature_over(claim, |key| compute(key, claim, covered))
    }

    /// Compares the signature with what `compute` makes of the key; unknown keys take the same
    /// way with a secret of nobody.
    pub(super) fn check_signature_over(
        &self,
        claim: &Claim,
        compute: impl FnOnce(&SigningKey) -> Result<[u8; 32]>,
    ) -> Result<(C::Owner, Arc<SigningKey>)> {
        let found = self
            .credentials
            .find(&claim.access_key_id, claim.token.as_deref())?;
        let (id, secret) = match &found {
            Lookup::Found { secret, .. } => (claim.access_key_id.as_str(), secret),
            Lookup::UnknownKey | Lookup::BadToken | Lookup::ExpiredToken => ("", &self.nobody),
        };
        let key = self.keys.get(id, secret, &claim.scope);
        let good = chain::same(&compute(&key)?, &claim.signature);
        match found {
            Lookup::Found { owner, .. } if good => Ok((owner, key)),
            Lookup::Found { .. } => Err(refuse::mismatch()),
            Lookup::UnknownKey => {
                let message = "the access key id does not exist here";
                Err(refuse::denied("InvalidAccessKeyId", message))
            }
            Lookup::BadToken => Err(bad_token()),
            Lookup::ExpiredToken => Err(refuse::invalid("ExpiredToken", "the security token has expired")),
        }
    }
}

/// The signature that the request should carry. It never leaves this module.
fn compute(key: &SigningKey, claim: &Claim, covered: &Covered<'_>) -> Result<[u8; 32]> {
    let except = matches!(claim.how, How::Presigned { .. }).then_some("X-Amz-Signature");
    let canonical = Canonical {
        method: covered.parts.method.as_str(),
        path: &canonical::path(covered.parts.uri.path(), covered.service)?,
        query: &covered.query.canonical(except),
        headers: &covered.parts.headers,
        host: canonical::host(covered.parts)?,
        signed: &claim.signed,
        payload: covered.payload,
    };
    let hash = canonical.hash()?;
    Ok(key.sign(&to_sign(&claim.date.text, &claim.scope, &hash)))
}

/// The host and every `x-amz-*` header of the request must be signed.
fn check_coverage(parts: &Parts, signed: &SignedHeaders) -> Result<()> {
    let host = (!signed.has("host")).then_some("host");
    let names = parts.headers.keys().map(http::HeaderName::as_str);
    let amz = names.filter(|n| n.starts_with("x-amz-") && !signed.has(n));
    let missing: Vec<_> = host.into_iter().chain(amz).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "there are headers in the request that were not signed: {}",
        missing.join(", ")
    );
    Err(refuse::denied("AccessDenied", message))
}

/// The payload line of the canonical request, and what it means for the body.
fn payload_mode<'a>(
    parts: &'a Parts,
    query: &Query<'_>,
    how: Option<How>,
    body: Known<'_>,
) -> Result<(Cow<'a, str>, Mode)> {
    let twice = || {
        refuse::invalid(
            "InvalidArgument",
            "x-amz-content-sha256 occurs twice or is not readable",
        )
    };
    let in_header = one_header(&parts.headers, &CONTENT_SHA256).map_err(|()| twice())?;
    let in_query = match how {
        Some(How::Presigned { .. }) => claim::query_parameter(query, "X-Amz-Content-Sha256")?,
        _ => None,
    };
    if let (Some(header), Some(query)) = (in_header, in_query.as_deref())
        && header != query
    {
        return Err(twice());
    }
    let text = in_header.map(Cow::Borrowed).or(in_query.map(Cow::Owned));
    match body {
        Known::Head => {}
        Known::Hash if how.is_some() => return hashed(text.as_deref()),
        Known::Hash => {}
        Known::Whole(body) => return whole_body(text.as_deref(), how, body),
    }
    match (text, how) {
        (Some(text), _) => Mode::parse(&text).map(|mode| (text, mode)),
        (None, Some(How::Header)) => {
            let message = "missing required header for this request: x-amz-content-sha256";
            Err(refuse::invalid("InvalidRequest", message))
        }
        (None, _) => Ok((UNSIGNED.into(), Mode::Unsigned)),
    }
}

/// The payload line where the whole body is at hand: its hash, whatever the header says.
fn whole_body(text: Option<&str>, how: Option<How>, body: &[u8]) -> Result<(Cow<'static, str>, Mode)> {
    let sha256 = hash::sha256(body);
    match text {
        None => Ok((hex::encode(sha256).into(), Mode::Sha256(sha256))),
        Some(UNSIGNED) if how.is_none() => Ok((UNSIGNED.into(), Mode::Sha256(sha256))),
        Some(_) => hashed(text).and_then(|(line, mode)| match mode {
            Mode::Sha256(said) if said == sha256 => Ok((line, mode)),
            _ => Err(sha256_mismatch()),
        }),
    }
}

/// The payload line of a body that is not at hand: the hash that the header says, or that of nothing. Iceberg's Java clients write it in
/// base64, and sign it in hex.
fn hashed(text: Option<&str>) -> Result<(Cow<'static, str>, Mode)> {
    let Some(text) = text else {
        let sha256 = payload::empty_sha256();
        return Ok((hex::encode(sha256).into(), Mode::Sha256(sha256)));
    };
    let in_base64 = || <[u8; 32]>::try_from(BASE64.decode(text).ok()?).ok();
    match (Mode::parse(text), in_base64()) {
        (Ok(mode @ Mode::Sha256(_)), _) => Ok((text.to_owned().into(), mode)),
        (Ok(_), _) => Err(sha256_mismatch()),
        (Err(_), Some(sha256)) => Ok((hex::encode(sha256).into(), Mode::Sha256(sha256))),
        (Err(error), None) => Err(error),
    }
}

/// The body is not the one whose hash the request carries.
pub(super) fn sha256_mismatch() -> craton_base::Error {
    let message = "the body does not have the SHA-256 that x-amz-content-sha256 says";
    refuse::invalid("XAmzContentSHA256Mismatch", message)
}
