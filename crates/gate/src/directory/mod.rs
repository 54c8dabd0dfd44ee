//! Who exists: users, their access keys and policies, kept in the namespace and cached.
//!
//! Invariants
//! - a secret exists in the namespace only sealed, and in memory only as a [`Secret`];
//! - a change of an identity is visible to the next request: the change clears the cache before it returns;
//! - `root` and `anonymous` are not user names.
//!
//! Deliberately absent: who may change an identity ([`crate::identities`]).

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use craton_base::{
    BranchId, BucketId, Error, Kind as ErrorKind, PrincipalName, Random, Result, Secret, Sequence, Timestamp,
};
use craton_crypto::keys::SealKey;
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
    value::{Stored, Value},
};
use parking_lot::Mutex;
use prost::Message;

use crate::{
    policy::{Limits, Policy, PolicySet},
    session::PrincipalKind,
};

mod records;
mod secrets;

pub(crate) use records::{AccessKeyRecord, PolicyRecord, UserRecord};

/// The account in every ARN: Craton has one.
pub const ACCOUNT: &str = "000000000000";

/// The root user's name.
pub const ROOT: &str = "root";

/// The name for requests without credentials.
pub const ANONYMOUS: &str = "anonymous";

/// Most access keys of a user.
pub const ACCESS_KEYS_MAX: usize = 8;

/// Most policies of a user.
pub const POLICIES_MAX: usize = 32;

/// How many credentials are kept opened.
const CACHED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);

/// A principal with its compiled policies.
pub(crate) struct User {
    name: Arc<str>,
    user_name: Option<PrincipalName>,
    kind: PrincipalKind,
    arn: Arc<str>,
    policies: PolicySet,
}

/// An access key, opened.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) user: Arc<User>,
    pub(crate) secret: Secret,
    pub(crate) active: bool,
}

/// An access key as it is listed: never with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyInfo {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl User {
    pub(crate) fn new(name: &str, kind: PrincipalKind, policies: Vec<Arc<Policy>>) -> Self {
        let arn = match kind {
            PrincipalKind::Root => format!("arn:aws:iam::{ACCOUNT}:root"),
            PrincipalKind::User => format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
            PrincipalKind::Anonymous => "*".to_owned(),
            PrincipalKind::System => format!("arn:craton:system:::{name}"),
        };
        let user_name = (kind == PrincipalKind::User)
            .then(|| PrincipalName::new(name).ok())
            .flatten();
        Self {
            name: name.into(),
            user_name,
            kind,
            arn: arn.into(),
            policies: PolicySet::new(policies),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn user_name(&self) -> Option<&PrincipalName> {
        self.user_name.as_ref()
    }

    pub(crate) fn kind(&self) -> PrincipalKind {
        self.kind
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    pub(crate) fn policies(&self) -> &PolicySet {
        &self.policies
    }
}

/// The directory's read side: what the gate looks identities up in.
pub(crate) struct Directory {
    key: SealKey,
    random: Arc<dyn Random>,
    cache: Mutex<lru::LruCache<Arc<str>, Credential>>,
    anonymous: Arc<User>,
}

impl Directory {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        Ok(Self {
            key: store.system_key("access-key-secrets")?,
            random: store.parts().random.clone(),
            cache: Mutex::new(lru::LruCache::new(CACHED_MAX)),
            anonymous: Arc::new(User::new(ANONYMOUS, PrincipalKind::Anonymous, Vec::new())),
        })
    }

    pub(crate) fn anonymous(&self) -> Arc<User> {
        self.anonymous.clone()
    }

    /// The credential of an access key, active or not; `None` if there is no such key.
    pub(crate) fn credential(&self, store: &Store, id: &str) -> Result<Option<Credential>> {
        if let Some(found) = self.cache.lock().get(id) {
            return Ok(Some(found.clone()));
        }
        let at = store.latest();
        let Some(stored) = store.get(&access_key_key(id), at)? else {
            return Ok(None);
        };
        let record = AccessKeyRecord::from_stored(&stored)?;
        let Some(user) = self.user_at(store, &record.user, at)? else {
            return Ok(None);
        };
        let secret = secrets::open(&self.key, id, &record.sealed_secret)?;
        let credential = Credential {
            user: Arc::new(user),
            secret,
            active: record.active,
        };
        let mut cache = self.cache.lock();
        // A change that was committed while this was read has cleared the cache: do not bring the old state back.
        if store.latest() == at {
            cache.put(id.into(), credential.clone());
        }
        Ok(Some(credential))
    }

    /// A user with its policies, as of now.
    pub(crate) fn user(&self, store: &Store, name: &str) -> Result<Option<User>> {
        self.user_at(store, name, store.latest())
    }

    fn user_at(&self, store: &Store, name: &str, at: Sequence) -> Result<Option<User>> {
        let Some(stored) = store.get(&user_key(name), at)? else {
            return Ok(None);
        };
        let record = UserRecord::from_stored(&stored)?;
        let kind = if record.root {
            PrincipalKind::Root
        } else {
            PrincipalKind::User
        };
        let policies = policies_of(store, name, at)?
            .iter()
            .map(|(policy_name, document)| {
                Ok(Arc::new(
                    Policy::parse(document, &Limits::default())?.named(policy_name),
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Some(User::new(name, kind, policies)))
    }

    /// Forgets what is cached: called after every change of an identity, before the change returns.
    pub(crate) fn forget(&self) {
        self.cache.lock().clear();
    }

    pub(crate) fn seal_secret(&self, id: &str, secret: &Secret) -> Result<Bytes> {
        secrets::seal(&self.key, id, secret, &*self.random)
    }
}

/// The policies of a user: name and document.
pub(crate) fn policies_of(store: &Store, user: &str, at: Sequence) -> Result<Vec<(String, Bytes)>> {
    let start = policy_prefix(user);
    let end = crate::scope::successor(&start);
    let span = Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Policy,
        start: start.into(),
        end,
    };
    let page = store.scan(&span, at, Direction::Forward, POLICIES_MAX.saturating_add(1))?;
    page.entries.iter().map(PolicyRecord::named_from_stored).collect()
}

/// The access keys of a user.
pub(crate) fn access_keys_of(store: &Store, user: &str) -> Result<Vec<AccessKeyInfo>> {
    let Some(stored) = store.get(&user_key(user), Sequence::MAX)? else {
        return Err(no_such_user(user));
    };
    let record = UserRecord::from_stored(&stored)?;
    let mut out = Vec::new();
    for id in &record.access_keys {
        if let Some(stored) = store.get(&access_key_key(id), Sequence::MAX)? {
            out.push(AccessKeyRecord::from_stored(&stored)?.info(id));
        }
    }
    Ok(out)
}

pub(crate) fn no_such_user(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "NoSuchEntity",
        format!("there is no user {name:?}"),
    )
}

fn system_key(kind: Kind, name: Vec<u8>) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind,
        name: name.into(),
    }
}

pub(crate) fn user_key(name: &str) -> Key {
    system_key(Kind::User, name.as_bytes().to_vec())
}

pub(crate) fn access_key_key(id: &str) -> Key {
    system_key(Kind::AccessKey, id.as_bytes().to_vec())
}

fn policy_prefix(user: &str) -> Vec<u8> {
    let mut out = user.as_bytes().to_vec();
    out.push(0);
    out
}

pub(crate) fn policy_key(user: &str, policy: &str) -> Key {
    let mut name = policy_prefix(user);
    name.extend_from_slice(policy.as_bytes());
    system_key(Kind::Policy, name)
}

pub(crate) fn stored_value(message: &impl Message) -> Value {
    Value::of_meta(message.encode_to_vec())
}

pub(crate) fn decode<M: Message + Default>(stored: &Stored, what: &'static str) -> Result<M> {
    M::decode(stored.value.meta.clone())
        .map_err(|e| Error::corrupt(format!("{what} does not parse")).with_source(e))
}
