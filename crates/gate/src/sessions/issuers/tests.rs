//! Tokens of an issuer that a test plays: what is taken, what is refused, and how often its keys are fetched.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use craton_crypto::{SealKey, hash, jose::SigningKey};
use serde_json::json;

use super::*;

const URL: &str = "https://id.example";
const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

/// An issuer whose key can be replaced.
struct Issuer {
    seed: AtomicUsize,
    fetched: AtomicUsize,
}

fn key(seed: usize) -> SigningKey {
    let byte = u8::try_from(seed).unwrap();
    SigningKey::new(&SealKey::from_bytes([byte; 32])).unwrap()
}

#[async_trait]
impl Fetch for Issuer {
    async fn get(&self, url: &str) -> Result<Bytes> {
        let seed = self.seed.load(Ordering::Relaxed);
        Ok(match url {
            "https://id.example/.well-known/openid-configuration" => {
                json!({ "issuer": URL, "jwks_uri": "https://id.example/keys" })
            }
            "https://id.example/keys" => {
                self.fetched.fetch_add(1, Ordering::Relaxed);
                json!({ "keys": [
                    { "kty": "oct", "kid": "mac", "k": "AAAA" },
                    { "kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "x": key(seed).x() },
                ] })
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "IDPCommunicationError",
                    "elsewhere",
                ));
            }
        }
        .to_string()
        .into())
    }
}

struct World {
    issuer: Arc<Issuer>,
    issuers: Issuers,
}

impl World {
    fn new() -> Self {
        let issuer = Arc::new(Issuer {
            seed: 1.into(),
            fetched: 0.into(),
        });
        let issuers = Issuers::new();
        issuers.use_fetch(issuer.clone());
        Self { issuer, issuers }
    }

    async fn verify(&self, token: &str, now: Timestamp) -> Result<Vouched> {
        let clients = ["app".to_owned()];
        let provider = Provider {
            url: URL,
            clients: &clients,
        };
        self.issuers.verify(&provider, token, now).await
    }

    async fn reason(&self, token: &str) -> &'static str {
        match self.verify(token, NOW).await {
            Ok(_) => "good",
            Err(error) => error.reason(),
        }
    }
}

fn claims() -> Json {
    json!({ "iss": URL, "aud": "app", "sub": "ana", "exp": NOW.seconds() + 600, "iat": NOW.seconds() })
}

fn head(header: &Json, claims: &Json) -> String {
    format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(claims.to_string())
    )
}

fn token(seed: usize, claims: &Json) -> String {
    signed(
        seed,
        &json!({ "alg": "EdDSA", "kid": format!("k{seed}") }),
        claims,
    )
}

fn signed(seed: usize, header: &Json, claims: &Json) -> String {
    let head = head(header, claims);
    let signature = key(seed).sign(head.as_bytes()).unwrap();
    format!("{head}.{}", BASE64.encode(signature))
}

fn with(name: &str, value: Json) -> Json {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Json {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_good_token_is_good() {
    let world = World::new();
    let vouched = world.verify(&token(1, &claims()), NOW).await.unwrap();
    assert_eq!(
        (vouched.subject.as_str(), vouched.audience.as_str()),
        ("ana", "app")
    );
    assert_eq!(
        world
            .reason(&token(1, &with("aud", json!(["other", "app"]))))
            .await,
        "good"
    );
}

#[tokio::test]
async fn cve_2025_32963_audience_issuer_and_expiry_are_required() {
    let world = World::new();
    for bad in [
        without("exp"),
        without("aud"),
        without("iss"),
        without("sub"),
        with("aud", json!("other")),
        with("aud", json!([])),
        with("aud", json!(["other", "app"]))
            .as_object_mut()
            .map(|c| {
                c.insert("azp".into(), json!("other"));
                Json::from(c.clone())
            })
            .unwrap(),
        with("iss", json!("https://id.example/")),
        with("iss", json!("https://evil.example")),
        with("sub", json!("")),
        with("nbf", json!(NOW.seconds() + 600)),
        with("iat", json!(NOW.seconds() + 600)),
        with("exp", json!("soon")),
    ] {
        assert_eq!(
            world.reason(&token(1, &bad)).await,
            "InvalidIdentityToken",
            "{bad}"
        );
    }
    assert_eq!(
        world.reason(&token(1, &with("exp", json!(NOW.seconds())))).await,
        "ExpiredTokenException"
    );
}

#[tokio::test]
async fn cve_2026_33322_the_algorithm_is_the_key_s() {
    let world = World::new();
    let public = key(1).x();
    for (algorithm, kid) in [
        ("none", "k1"),
        ("HS256", "k1"),
        ("HS256", "mac"),
        ("RS256", "k1"),
        ("ES256", "k1"),
    ] {
        let head = head(&json!({ "alg": algorithm, "kid": kid }), &claims());
        for secret in [
            public.as_bytes().to_vec(),
            BASE64.decode(&public).unwrap(),
            vec![0, 0, 0],
        ] {
            let mac = BASE64.encode(hash::hmac_sha256(&secret, &[head.as_bytes()]));
            for token in [format!("{head}.{mac}"), format!("{head}.")] {
                assert_eq!(
                    world.reason(&token).await,
                    "InvalidIdentityToken",
                    "{algorithm} {kid}"
                );
            }
        }
    }
    let head = head(
        &json!({ "alg": "EdDSA", "kid": "k1", "crit": ["exp"] }),
        &claims(),
    );
    let signed = format!("{head}.{}", BASE64.encode(key(1).sign(head.as_bytes()).unwrap()));
    assert_eq!(world.reason(&signed).await, "InvalidIdentityToken");
}

#[tokio::test]
async fn ghsa_5qfg_the_signature_is_the_issuer_s() {
    let world = World::new();
    let good = token(1, &claims());
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = rest.split_once('.').unwrap();
    let other = BASE64.encode(with("sub", json!("boss")).to_string());
    assert_eq!(
        world.reason(&format!("{header}.{other}.{signature}")).await,
        "InvalidIdentityToken"
    );
    let forged = head(&json!({ "alg": "EdDSA", "kid": "k1" }), &claims());
    let by_other = format!(
        "{forged}.{}",
        BASE64.encode(key(9).sign(forged.as_bytes()).unwrap())
    );
    assert_eq!(world.reason(&by_other).await, "InvalidIdentityToken");
    for nonsense in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
        assert_eq!(world.reason(nonsense).await, "InvalidIdentityToken");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_and_unknown_ones_do_not_make_a_flood() {
    let world = World::new();
    let fetched = || world.issuer.fetched.load(Ordering::Relaxed);
    for _ in 0..5 {
        assert_eq!(world.reason(&token(1, &claims())).await, "good");
    }
    assert_eq!(fetched(), 1);
    for _ in 0..5 {
        assert_eq!(world.reason(&token(2, &claims())).await, "InvalidIdentityToken");
    }
    assert_eq!(fetched(), 1, "not again so soon");
    world.issuer.seed.store(2, Ordering::Relaxed);
    let later = NOW.plus(AGAIN_AFTER).plus(Duration::from_secs(1));
    assert!(world.verify(&token(2, &claims()), later).await.is_ok());
    assert_eq!(fetched(), 2);
    assert!(
        world.verify(&token(1, &claims()), later).await.is_err(),
        "the issuer has it no more"
    );
}

/// Issuers with one key need not name it.
#[tokio::test]
async fn a_new_key_without_a_name_is_fetched_too() {
    let world = World::new();
    let nameless = |seed| signed(seed, &json!({ "alg": "EdDSA" }), &claims());
    assert_eq!(world.reason(&nameless(1)).await, "good");
    world.issuer.seed.store(2, Ordering::Relaxed);
    assert_eq!(
        world.reason(&nameless(2)).await,
        "InvalidIdentityToken",
        "not so soon"
    );
    let later = NOW.plus(AGAIN_AFTER);
    assert!(world.verify(&nameless(2), later).await.is_ok());
    assert!(world.verify(&nameless(1), later).await.is_err());
    assert_eq!(world.issuer.fetched.load(Ordering::Relaxed), 2);
}
