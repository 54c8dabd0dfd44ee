//! The keys that sign our tokens, and the two kinds of tokens: those that go with a session's access key, and bearer
//! tokens, which others can verify by our published keys.
//!
//! ```text
//! session token   CS1.<key id>.<session id>.<expiry, seconds>.<HMAC-SHA256>
//! bearer token    a JSON web token, EdDSA; `jti` is the session's id
//! ```
//!
//! Invariants
//! - keys are random, have nothing to do with the root credential, are stored sealed, and each has an id;
//! - a token says nothing that is believed but which session it is of; what that is and may do stands in its entry;
//! - a key that was replaced verifies as long as a token of its could live, and no longer.
//!
//! Deliberately absent: sessions, revoking: a token of a session that is over is refused when the session is looked up.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use craton_crypto::{SealKey, hash, jose::SigningKey, keys, seal};
use craton_store::{
    Store,
    namespace::{Key, Kind, Precondition},
    store::Transaction,
    value::Value,
};
use prost::Message;
use serde_json::{Value as Json, json};

/// The longest time that a token is good for.
const TOKEN_TIME_MAX: Duration = Duration::from_hours(36);

/// A key is replaced at the first start after this time.
const KEY_TIME_MAX: Duration = Duration::from_hours(24 * 30);

/// The most keys that verify at once.
const KEYS_MAX: usize = 16;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Where the keys are.
const SETTING: &[u8] = b"session-signing-keys";

#[derive(Clone, PartialEq, Message)]
struct KeyRecord {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(uint64, tag = "2")]
    created_micros: u64,
    #[prost(bytes = "bytes", tag = "3")]
    sealed_seed: Bytes,
}

/// The newest first.
#[derive(Clone, PartialEq, Message)]
struct KeysRecord {
    #[prost(message, repeated, tag = "1")]
    keys: Vec<KeyRecord>,
}

struct TokenKey {
    id: String,
    mac: SealKey,
    signing: SigningKey,
}

/// Whether a token is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenState {
    /// It is ours and of this session.
    Good,
    /// It was, until it expired.
    Expired,
    /// Anything else.
    Bad,
}

/// Signs and verifies tokens.
pub(crate) struct Tokens {
    sealing: SealKey,
    keys: ArcSwap<Vec<TokenKey>>,
}

fn entry() -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Setting,
        name: Bytes::from_static(SETTING),
    }
}

fn context(id: &str) -> Vec<u8> {
    [b"craton/session-signing-key/1\0", id.as_bytes()].concat()
}

impl Tokens {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let tokens = Self {
            sealing: store.system_key("session-signing-keys")?,
            keys: ArcSwap::default(),
        };
        let (_, record) = read(store)?;
        let now = store.parts().clock.now();
        let fresh = record
            .keys
            .first()
            .is_some_and(|k| now.since(Timestamp(k.created_micros)) < KEY_TIME_MAX);
        if fresh {
            tokens.load(&record)?;
        } else {
            tokens.rotate(store)?;
        }
        Ok(tokens)
    }

    /// Makes a new key; those before it go on to verify as long as their tokens live. Its id.
    pub(crate) fn rotate(&self, store: &Store) -> Result<String> {
        let (sequence, mut record) = read(store)?;
        let parts = store.parts();
        let now = parts.clock.now();
        // A key signs until the next one is made.
        let mut signed_until = now;
        record.keys.retain(|key| {
            let lives = now.since(signed_until) <= TOKEN_TIME_MAX;
            signed_until = Timestamp(key.created_micros);
            lives
        });
        if record.keys.len() >= KEYS_MAX {
            let text = "the signing keys were replaced too often; try again when their tokens have expired";
            return Err(Error::new(ErrorKind::Busy, "TooManySigningKeys", text));
        }
        let seed = keys::generate(&*parts.random)?;
        let id = hex::encode(
            hash::sha256(SigningKey::new(&seed)?.x().as_bytes())
                .first_chunk::<8>()
                .copied()
                .unwrap_or_default(),
        );
        let sealed = seal::seal(&self.sealing, &context(&id), seed.expose(), &*parts.random)?;
        record.keys.insert(
            0,
            KeyRecord {
                id: id.clone(),
                created_micros: now.micros(),
                sealed_seed: sealed.into(),
            },
        );
        let mut transaction = Transaction::default();
        transaction.preconditions.push(match sequence {
            Some(sequence) => Precondition::At(entry(), sequence),
            None => Precondition::Absent(entry()),
        });
        transaction
            .puts
            .push((entry(), Value::of_meta(record.encode_to_vec())));
        store.commit_blocking(transaction)?;
        self.load(&record)?;
        Ok(id)
    }

    fn load(&self, record: &KeysRecord) -> Result<()> {
        let mut out = Vec::with_capacity(record.keys.len());
        for key in &record.keys {
            let seed = seal::open(&self.sealing, &context(&key.id), &key.sealed_seed)
                .map_err(|e| Error::corrupt("a signing key does not open").with_source(e))?;
            let seed = SealKey::from_slice(&seed)?;
            out.push(TokenKey {
                id: key.id.clone(),
                mac: keys::derive(&seed, b"craton/session-token/1")?,
                signing: SigningKey::new(&seed)?,
            });
        }
        self.keys.store(Arc::new(out));
        Ok(())
    }

    /// The token that goes with a session's access key.
    pub(super) fn session_token(&self, session: &str, expires: Timestamp) -> Result<String> {
        let keys = self.keys.load();
        let key = keys
            .first()
            .ok_or_else(|| Error::internal("there is no signing key"))?;
        let head = format!("CS1.{}.{session}.{}", key.id, expires.seconds());
        let mac = hash::hmac_sha256(key.mac.expose(), &[head.as_bytes()]);
        Ok(format!("{head}.{}", BASE64.encode(mac)))
    }

    /// Whether a token is ours and goes with this access key.
    pub(crate) fn check_session(&self, token: &str, access_key_id: &str, now: Timestamp) -> TokenState {
        self.session_of(token, access_key_id, now)
            .unwrap_or(TokenState::Bad)
    }

    fn session_of(&self, token: &str, access_key_id: &str, now: Timestamp) -> Option<TokenState> {
        let (head, mac) = token.rsplit_once('.')?;
        let mut parts = head.split('.');
        let (version, key, session, expires) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "CS1" || session != access_key_id || parts.next().is_some() {
            return None;
        }
        let keys = self.keys.load();
        let key = keys.iter().find(|k| k.id == key)?;
        let mac = BASE64.decode(mac).ok()?;
        if !hash::hmac_sha256_verify(key.mac.expose(), &[head.as_bytes()], &mac) {
            return None;
        }
        let expires = Timestamp::from_seconds(expires.parse().ok()?);
        Some(if now < expires {
            TokenState::Good
        } else {
            TokenState::Expired
        })
    }

    /// A bearer token with these claims.
    pub(super) fn bearer(&self, claims: &Json) -> Result<String> {
        let keys = self.keys.load();
        let key = keys
            .first()
            .ok_or_else(|| Error::internal("there is no signing key"))?;
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": key.id });
        let head = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        let signature = key.signing.sign(head.as_bytes())?;
        Ok(format!("{head}.{}", BASE64.encode(signature)))
    }

    /// The claims of a bearer token of ours; `None` if its signature is not good. Says nothing about its time.
    pub(super) fn claims(&self, token: &str) -> Option<Json> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (head, signature) = token.rsplit_once('.')?;
        let (header, claims) = head.split_once('.')?;
        let header: Json = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        let own =
            header.get("alg")? == "EdDSA" && header.get("typ")? == "at+jwt" && header.get("crit").is_none();
        let kid = header.get("kid")?.as_str().filter(|_| own)?;
        let keys = self.keys.load();
        let key = keys.iter().find(|k| k.id == kid)?;
        let signature = BASE64.decode(signature).ok()?;
        if !key.signing.public().verify(head.as_bytes(), &signature) {
            return None;
        }
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }

    /// The public keys, as a JSON web key set.
    pub(super) fn key_set(&self) -> Json {
        let keys = self.keys.load();
        let keys: Vec<Json> = keys
            .iter()
            .map(|k| json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": k.id, "x": k.signing.x() }))
            .collect();
        json!({ "keys": keys })
    }
}

fn read(store: &Store) -> Result<(Option<Sequence>, KeysRecord)> {
    let Some(stored) = store.get(&entry(), Sequence::MAX)? else {
        return Ok((None, KeysRecord::default()));
    };
    let record = KeysRecord::decode(stored.value.meta.clone())
        .map_err(|e| Error::corrupt("the signing keys do not parse").with_source(e))?;
    Ok((Some(stored.sequence), record))
}
