//! Whole requests: the published examples, what clients sign, and everything that must be refused.

use std::{sync::Arc, time::Duration};

use craton_base::{Clock, Error, Kind, Result, Secret, Timestamp};
use http::{HeaderValue, Request, Uri, request::Parts};

use super::{
    sign::{Body, ChunkWriter, Signer},
    *,
};

mod aws_examples;
mod botocore;
mod header;
mod presigned;
mod properties;

/// The access key and secret of AWS's documentation.
pub(super) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION_KEY: &str = "ASIAIOSFODNN7EXAMPLE";
const TOKEN: &str = "FwoGZXIvYXdzE+token/with=odd&chars";

struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Knows one lasting key and one session.
pub(super) struct TwoKeys;

impl Credentials for TwoKeys {
    type Owner = &'static str;

    fn find(&self, id: &str, token: Option<&str>) -> Result<Lookup<Self::Owner>> {
        let secret = Secret::from(SECRET);
        Ok(match (id, token) {
            (KEY, None) => Lookup::Found {
                secret,
                owner: "alice",
            },
            (SESSION_KEY, Some(TOKEN)) => Lookup::Found {
                secret,
                owner: "session",
            },
            (SESSION_KEY, Some("old")) => Lookup::ExpiredToken,
            (KEY | SESSION_KEY, _) => Lookup::BadToken,
            _ => Lookup::UnknownKey,
        })
    }
}

/// 2013-05-24T00:00:00Z, the time of AWS's examples.
pub(super) fn example_time() -> Timestamp {
    Timestamp::from_seconds(1_369_353_600)
}

pub(super) fn verifier_at(now: Timestamp) -> Verifier<TwoKeys> {
    Verifier::new(TwoKeys, Arc::new(FixedClock(now)), Settings::default())
}

pub(super) fn verifier() -> Verifier<TwoKeys> {
    verifier_at(example_time())
}

fn signer() -> Signer {
    Signer {
        access_key_id: KEY.into(),
        secret: SECRET.into(),
        session_token: None,
        region: "us-east-1".into(),
        service: Service::S3,
    }
}

fn session_signer() -> Signer {
    Signer {
        access_key_id: SESSION_KEY.into(),
        session_token: Some(TOKEN.into()),
        ..signer()
    }
}

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn signed(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut parts = parts(method, uri, headers);
    signer().sign(&mut parts, &Body::of(b""), example_time()).unwrap();
    parts
}

fn identified(caller: Result<Caller<&'static str>>) -> Box<Identified<&'static str>> {
    match caller {
        Ok(Caller::Identified(identified)) => identified,
        other => panic!("not identified: {other:?}"),
    }
}

fn refusal(parts: &Parts) -> Error {
    refusal_by(&verifier(), parts)
}

fn refusal_by(verifier: &Verifier<TwoKeys>, parts: &Parts) -> Error {
    let error = verifier.identify(parts).expect_err("must be refused");
    refuses_leaking(&error);
    error
}

/// The error is of a kind that a door answers with 4xx and tells no secret.
pub(super) fn refuses_leaking(error: &Error) {
    assert!(matches!(error.kind(), Kind::Denied | Kind::Invalid), "{error:?}");
    let text = format!("{error:?} {error}");
    assert!(
        !text.contains(SECRET) && !text.contains(TOKEN) && !text.contains("Signature="),
        "{text}"
    );
}

fn set(parts: &mut Parts, name: &'static str, value: &str) {
    parts.headers.insert(name, HeaderValue::from_str(value).unwrap());
}

fn set_uri(parts: &mut Parts, uri: &str) {
    parts.uri = uri.parse::<Uri>().unwrap();
}

fn authorization(parts: &Parts) -> String {
    parts.headers["authorization"].to_str().unwrap().to_owned()
}

/// The payload that a verified request with this body has, and the writer that continues it.
pub(super) fn payload_of(body: &Body) -> (Payload, ChunkWriter) {
    let mut parts = parts("PUT", "/bucket/key", &[("host", "localhost:9000")]);
    let writer = signer().sign(&mut parts, body, example_time()).unwrap().unwrap();
    (identified(verifier().identify(&parts)).payload, writer)
}

/// The signature of a form's policy by the key of the examples.
pub(super) fn form_signature(policy: &str) -> String {
    let scope = Scope {
        date: "20130524".into(),
        region: "us-east-1".into(),
        service: "s3".into(),
    };
    hex::encode(key::SigningKey::derive(&SECRET.into(), &scope).sign(&[policy.as_bytes()]))
}
