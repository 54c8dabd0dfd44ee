//! From a request's head to a session: the signature is verified, the identity looked up, and a
//! request that fails either leaves a denial.
//!
//! Deliberately absent: how signatures work ([`crate::identify`]), what a session may do.

use std::sync::Arc;

use craton_base::{Clock, Error, Kind as ErrorKind, Result, Secret};
use craton_store::Store;
use http::request::Parts;

use crate::{
    directory::{Directory, Identity, SESSION_PREFIX, Use},
    gate::Gate,
    identify::{
        Caller, Credentials, How, Identified, Lookup, Mode, Payload, Service,
        post_policy::{Fields, Form},
    },
    session::{self, Origin, Proof, Session, Within},
    sessions::{Audience, TokenState, Tokens},
};

/// An admitted request: who it is from, and how its body is to be read.
pub struct Admitted {
    /// Whose request it is.
    pub session: Session,
    /// How to read the body: give it to [`crate::identify::body::VerifiedBody`].
    pub payload: Payload,
}

/// A form whose signature and policy are good: who it is from, and what its policy says about the file.
pub struct AdmittedForm {
    /// Whose form it is.
    pub session: Session,
    /// The key, and the bounds of the file's length, which the door checks when it is known.
    pub form: Form<()>,
}

/// What a form is sent to.
#[derive(Clone, Copy, Debug)]
pub struct FormTarget<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// What the browser calls the file.
    pub filename: &'a str,
    /// The path of the request, for the record.
    pub path: &'a str,
}

/// Where the verifier finds access keys and sessions.
pub(crate) struct Keys {
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whose an access key is, and where its use is noted once the signature is known to be good.
pub(crate) struct Owner {
    identity: Arc<Identity>,
    used: Arc<Use>,
}

impl Credentials for Keys {
    type Owner = Owner;

    fn find(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Lookup<Owner>> {
        let now = self.clock.now();
        if let Some(token) = session_token {
            // Of us, and of this key: only then is anything looked up.
            match self.tokens.check_session(token, access_key_id, now) {
                TokenState::Good => {}
                TokenState::Expired => return Ok(Lookup::ExpiredToken),
                TokenState::Bad => return Ok(Lookup::BadToken),
            }
        }
        let is_session = access_key_id.starts_with(SESSION_PREFIX);
        if is_session != session_token.is_some() {
            return Ok(Lookup::BadToken);
        }
        let Some(found) = self.directory.credential(&self.store, access_key_id)? else {
            // A session that was revoked: the client is to stop, not to try again.
            return Ok(if is_session {
                Lookup::BadToken
            } else {
                Lookup::UnknownKey
            });
        };
        if now >= found.expires {
            return Ok(Lookup::ExpiredToken);
        }
        match found.secret.filter(|_| found.active) {
            Some(secret) => Ok(Lookup::Found {
                secret,
                owner: Owner {
                    identity: found.identity,
                    used: found.used,
                },
            }),
            None => Ok(Lookup::UnknownKey),
        }
    }
}

impl Gate {
    /// Authenticates a request to the S3 door. A request that fails is in the ledger when this returns.
    ///
    /// # Errors
    /// `Denied` or `Invalid` with S3's code as the reason; `Unavailable` if a denial can not be recorded.
    pub fn identify(&self, parts: &Parts, origin: Origin) -> Result<Admitted> {
        if let Some(within) = parts.extensions.get::<Within>() {
            return Ok(Admitted {
                session: within.session(origin),
                payload: Payload::of_bearer(parts)?,
            });
        }
        let caller = self.inner.verifier.identify(parts);
        self.admit(caller, parts, origin)
    }

    /// Authenticates a request to a door that takes bearer tokens too: signed like any other, or with a token of ours.
    ///
    /// # Errors
    /// As [`Gate::identify`]; `Denied`, `InvalidToken` for a token that is not good.
    pub fn identify_or_bearer(&self, parts: &Parts, origin: Origin) -> Result<Admitted> {
        match bearer_token(parts) {
            None => self.identify(parts, origin),
            Some(token) => self.admit_bearer(parts, token, (Audience::Server, origin)),
        }
    }

    /// Authenticates a request to the door for agents, by a token for it alone.
    ///
    /// # Errors
    /// `Denied`, `InvalidToken`; `MissingAuthenticationToken` without any.
    pub fn identify_agent(&self, parts: &Parts, origin: Origin) -> Result<Admitted> {
        if let Some(token) = bearer_token(parts) {
            return self.admit_bearer(parts, token, (Audience::Mcp, origin));
        }
        let error = Error::new(
            ErrorKind::Denied,
            "MissingAuthenticationToken",
            "this door answers requests with a bearer token only",
        );
        self.refuse(&origin, None, parts.method.as_str(), parts.uri.path(), &error)?;
        Err(error)
    }

    fn admit_bearer(
        &self,
        parts: &Parts,
        token: Option<Secret>,
        (audience, origin): (Audience, Origin),
    ) -> Result<Admitted> {
        let known = token.and_then(|token| self.bearer_identity(&token, audience).transpose());
        if let Some(identity) = known.transpose()? {
            let id = identity.credential.as_deref().unwrap_or_default().to_owned();
            return Ok(Admitted {
                session: Session::of_bearer(identity, &id, origin, Proof::Bearer),
                payload: Payload::of_bearer(parts)?,
            });
        }
        let error = Error::new(
            ErrorKind::Denied,
            "InvalidToken",
            "the bearer token is not one of this server for this door, or is over",
        );
        self.refuse(&origin, None, parts.method.as_str(), parts.uri.path(), &error)?;
        Err(error)
    }

    /// Authenticates a request to a door whose service signs the hash of its whole, small body.
    ///
    /// # Errors
    /// As [`Gate::identify`].
    pub fn identify_with_body(
        &self,
        parts: &Parts,
        service: Service,
        body: &[u8],
        origin: Origin,
    ) -> Result<Admitted> {
        let caller = self.inner.verifier.identify_with_body(parts, service, body);
        self.admit(caller, parts, origin)
    }

    /// The same before the body is read, by the hash that the head says of it (of an empty one it need not): what is read by
    /// the payload ends cleanly only if it has that hash.
    ///
    /// # Errors
    /// As [`Gate::identify`].
    pub fn identify_by_hash(&self, parts: &Parts, service: Service, origin: Origin) -> Result<Admitted> {
        let caller = self.inner.verifier.identify_by_hash(parts, service);
        self.admit(caller, parts, origin)
    }

    /// Whether a request names an access key that there is. Proves nothing.
    #[must_use]
    pub fn names_a_key(&self, parts: &Parts) -> bool {
        let found = claimed_key(parts).map(|id| self.inner.directory.credential(&self.inner.store, &id));
        matches!(found, Some(Ok(Some(_))))
    }

    /// Authenticates a form upload by its own fields. A form that fails is in the ledger when this returns.
    ///
    /// # Errors
    /// As [`Gate::identify`].
    pub fn identify_form(
        &self,
        fields: &Fields,
        target: FormTarget<'_>,
        origin: Origin,
    ) -> Result<AdmittedForm> {
        let checked = self
            .inner
            .verifier
            .identify_form(fields, target.bucket, target.filename);
        match checked {
            Ok(form) => {
                let now = self.inner.clock.now();
                form.owner.used.note(now, Service::S3);
                let age = now.since(form.signed_at);
                Ok(admitted_form(form, age, origin))
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => {
                let claimed = fields.get("x-amz-credential").and_then(key_id);
                self.refuse(&origin, claimed.as_deref(), "PostObject", target.path, &error)?;
                Err(error)
            }
        }
    }

    fn admit(&self, caller: Result<Caller<Owner>>, parts: &Parts, origin: Origin) -> Result<Admitted> {
        match caller {
            Ok(Caller::Identified(identified)) => {
                let service = Service::from_name(&identified.scope.service).unwrap_or(Service::S3);
                identified.owner.used.note(self.inner.clock.now(), service);
                Ok(admitted(*identified, origin))
            }
            Ok(Caller::Anonymous { payload }) => Ok(self.anonymous(payload, origin)),
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => {
                self.refuse(
                    &origin,
                    claimed_key(parts).as_deref(),
                    parts.method.as_str(),
                    parts.uri.path(),
                    &error,
                )?;
                Err(error)
            }
        }
    }

    fn anonymous(&self, payload: Payload, origin: Origin) -> Admitted {
        let inner = session::Inner {
            identity: self.inner.directory.anonymous(),
            access_key_id: None,
            origin,
            proof: Proof::Nothing,
            signature_age_ms: None,
            content_sha256: None,
            asked: false.into(),
        };
        Admitted {
            session: Session {
                inner: Arc::new(inner),
            },
            payload,
        }
    }

    /// A session of the operator at the machine itself: for the commands that open the store directly.
    /// It acts as root and is recorded as such.
    ///
    /// # Errors
    /// The store's own; `NotFound` before the first start.
    pub fn operator(&self, origin: Origin) -> Result<Session> {
        let root = self
            .inner
            .directory
            .user(&self.inner.store, crate::directory::ROOT)?;
        let user =
            root.ok_or_else(|| Error::new(ErrorKind::NotFound, "NoSuchEntity", "there is no root user yet"))?;
        Ok(Session::without_key(
            Arc::new(Identity::without_credential(user)),
            origin,
        ))
    }
}

fn admitted(identified: Identified<Owner>, origin: Origin) -> Admitted {
    let proof = match identified.how {
        How::Header => Proof::Header,
        How::Presigned { .. } => Proof::Presigned,
        How::Form => Proof::Form,
    };
    let content_sha256 = match identified.payload.mode() {
        Mode::Unsigned => Some(Arc::from("UNSIGNED-PAYLOAD")),
        _ => None,
    };
    let inner = session::Inner {
        identity: identified.owner.identity,
        access_key_id: Some(identified.access_key_id.into()),
        origin,
        proof,
        signature_age_ms: Some(u64::try_from(identified.signature_age.as_millis()).unwrap_or(u64::MAX)),
        content_sha256,
        asked: false.into(),
    };
    Admitted {
        session: Session {
            inner: Arc::new(inner),
        },
        payload: identified.payload,
    }
}

fn admitted_form(form: Form<Owner>, age: std::time::Duration, origin: Origin) -> AdmittedForm {
    let inner = session::Inner {
        identity: form.owner.identity,
        access_key_id: Some(form.access_key_id.as_str().into()),
        origin,
        proof: Proof::Form,
        signature_age_ms: Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        content_sha256: None,
        asked: false.into(),
    };
    AdmittedForm {
        session: Session {
            inner: Arc::new(inner),
        },
        form: Form {
            access_key_id: form.access_key_id,
            owner: (),
            signed_at: form.signed_at,
            key: form.key,
            length: form.length,
        },
    }
}

/// The bearer token of a request: `None` if it says nothing of one, `Some(None)` if what it says can not be good.
fn bearer_token(parts: &Parts) -> Option<Option<Secret>> {
    let mut all = parts.headers.get_all(http::header::AUTHORIZATION).iter();
    let first = all.next()?;
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let signed_too = parts
        .uri
        .query()
        .is_some_and(|q| q.to_ascii_lowercase().contains("x-amz-"));
    let alone = all.next().is_none() && !signed_too;
    Some(alone.then(|| token.trim().into()))
}

/// The access key id that a refused request named, for its record; unverified, so it is only shown.
fn claimed_key(parts: &Parts) -> Option<String> {
    let header = parts
        .headers
        .get(http::header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    let text = header
        .and_then(|h| h.split_once("Credential=").map(|(_, rest)| rest))
        .or_else(|| {
            parts
                .uri
                .query()
                .and_then(|q| q.split_once("X-Amz-Credential=").map(|(_, rest)| rest))
        })?;
    key_id(text)
}

/// The key id at the beginning of a credential.
fn key_id(credential: &str) -> Option<String> {
    let id: String = credential
        .chars()
        .take(128)
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (!id.is_empty()).then_some(id)
}
