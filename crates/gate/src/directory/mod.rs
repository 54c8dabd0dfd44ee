//! Who exists: users, groups, roles, their keys, policies and sessions, kept in the namespace and cached compiled.
//!
//! Invariants
//! - a secret exists in the namespace only sealed, and in memory only as a [`Secret`];
//! - a change of an identity counts for every decision after it returns: the change ends the generation that the
//!   caches and the identities of requests under way are of, in the task that commits it;
//! - names are told apart without case; `root`, `anonymous` and `system` are nobody's to take.
//!
//! Deliberately absent: who may change an identity ([`crate::identities`]), how sessions are made ([`crate::sessions`]).

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use craton_base::{
    BranchId, BucketId, Error, Kind as ErrorKind, Random, Result, Secret, Sequence, Timestamp,
};
use craton_crypto::keys::SealKey;
use craton_store::{
    Store,
    namespace::{Key, Kind},
    value::{Stored, Value},
};
use parking_lot::Mutex;
use prost::Message;

use crate::{policy::PolicySet, session::PrincipalKind};

mod load;
pub(crate) mod managed;
mod principal;
mod records;
mod secrets;
mod uses;

use load::Loader;
pub(crate) use principal::{Actor, Identity, Principal, SessionFacts};
pub(crate) use records::{
    AccessKeyRecord, ActorRecord, EntityRecord, FilesRecord, InlineRecord, LayerRecord, ManagedRecord,
    ProviderRecord, SessionRecord, TagRecord, VersionRecord,
};
pub(crate) use uses::Use;
use uses::Uses;

/// The account in every ARN: Craton has one.
pub const ACCOUNT: &str = "000000000000";

/// The root user's name.
pub const ROOT: &str = "root";

/// The name for requests without credentials.
pub const ANONYMOUS: &str = "anonymous";

/// What the ids of sessions begin with.
pub(crate) const SESSION_PREFIX: &str = "ASIA";

/// How many credentials are kept opened.
const CACHED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);

/// Who can hold policies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HolderKind {
    /// A person, a service or a software agent.
    User,
    /// Several users.
    Group,
    /// What users, sessions and outsiders can become for a while.
    Role,
}

impl HolderKind {
    /// As ARNs and records say it: `user`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::User => Kind::User,
            Self::Group => Kind::Group,
            Self::Role => Kind::Role,
        }
    }
}

/// An access key or a session, opened.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) identity: Arc<Identity>,
    /// `None` for what can not sign.
    pub(crate) secret: Option<Secret>,
    pub(crate) active: bool,
    pub(crate) expires: Timestamp,
    pub(crate) used: Arc<Use>,
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

/// The directory's read side: what the gate looks identities up in.
pub(crate) struct Directory {
    key: SealKey,
    random: Arc<dyn Random>,
    generation: AtomicU64,
    caches: Mutex<Caches>,
    pub(crate) uses: Uses,
    anonymous: Arc<Identity>,
}

/// All of one generation.
struct Caches {
    credentials: lru::LruCache<Arc<str>, Credential>,
    principals: lru::LruCache<(HolderKind, String), Arc<Principal>>,
}

impl Directory {
    pub(crate) fn open(store: &Store) -> Result<Self> {
        let nobody = Principal::builtin(ANONYMOUS, PrincipalKind::Anonymous, PolicySet::new(Vec::new()));
        Ok(Self {
            key: store.system_key("access-key-secrets")?,
            random: store.parts().random.clone(),
            generation: AtomicU64::new(1),
            caches: Mutex::new(Caches {
                credentials: lru::LruCache::new(CACHED_MAX),
                principals: lru::LruCache::new(CACHED_MAX),
            }),
            uses: Uses::new(),
            anonymous: Arc::new(Identity::without_credential(Arc::new(nobody))),
        })
    }

    pub(crate) fn anonymous(&self) -> Arc<Identity> {
        self.anonymous.clone()
    }

    /// The state of the directory that is in force.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The credential of an access key or a session, active or not; `None` if there is none.
    pub(crate) fn credential(&self, store: &Store, id: &str) -> Result<Option<Credential>> {
        if let Some(found) = self.caches.lock().credentials.get(id) {
            return Ok(Some(found.clone()));
        }
        let loader = self.loader(store);
        let found = if id.starts_with(SESSION_PREFIX) {
            loader.session(id)?
        } else {
            loader.access_key(id)?
        };
        if let Some(credential) = &found {
            let mut caches = self.caches.lock();
            // A change since then has ended this generation: do not bring the old state back.
            if self.generation() == loader.generation {
                caches.credentials.put(id.into(), credential.clone());
            }
        }
        Ok(found)
    }

    /// The identity that is in force for one that was found before; `None` if its credential is no longer good.
    pub(crate) fn renew(
        &self,
        store: &Store,
        known: &Arc<Identity>,
        now: Timestamp,
    ) -> Result<Option<Arc<Identity>>> {
        let Some(id) = &known.credential else {
            return Ok(Some(known.clone()));
        };
        if known.generation == self.generation() {
            return Ok(Some(known.clone()));
        }
        let found = self.credential(store, id)?;
        Ok(found.filter(|c| c.active && now < c.expires).map(|c| c.identity))
    }

    /// A user with its policies, as of now.
    pub(crate) fn user(&self, store: &Store, name: &str) -> Result<Option<Arc<Principal>>> {
        self.principal(store, HolderKind::User, name)
    }

    /// A user or role with its policies, as of now.
    pub(crate) fn principal(
        &self,
        store: &Store,
        kind: HolderKind,
        name: &str,
    ) -> Result<Option<Arc<Principal>>> {
        self.loader(store).principal(kind, name)
    }

    /// The policies of an entry, its groups' not among them.
    pub(crate) fn policies_of(
        &self,
        store: &Store,
        record: &EntityRecord,
    ) -> Result<Vec<Arc<crate::policy::Policy>>> {
        self.loader(store).policies_of(record)
    }

    /// A managed policy as it is in force.
    pub(crate) fn managed(&self, store: &Store, arn: &str) -> Result<Option<Arc<crate::policy::Policy>>> {
        self.loader(store).managed(arn)
    }

    fn loader<'a>(&'a self, store: &'a Store) -> Loader<'a> {
        // First the generation: what is read after it is of it, or of a later one that keeps nothing of this.
        let generation = self.generation();
        Loader {
            directory: self,
            store,
            at: store.latest(),
            generation,
        }
    }

    fn known_principal(&self, kind: HolderKind, name: &str, generation: u64) -> Option<Arc<Principal>> {
        let mut caches = self.caches.lock();
        let current = self.generation() == generation;
        let known = current.then(|| caches.principals.get(&(kind, name.to_owned())));
        known.flatten().cloned()
    }

    fn keep_principal(&self, kind: HolderKind, name: &str, generation: u64, principal: &Arc<Principal>) {
        let mut caches = self.caches.lock();
        if self.generation() == generation {
            caches.principals.put((kind, name.to_owned()), principal.clone());
        }
    }

    /// Ends the generation: called after every change of an identity, before the change returns.
    pub(crate) fn forget(&self) {
        let mut caches = self.caches.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        caches.credentials.clear();
        caches.principals.clear();
    }

    pub(crate) fn seal_secret(&self, id: &str, secret: &Secret) -> Result<Bytes> {
        secrets::seal(&self.key, id, secret, &*self.random)
    }
}

/// The access keys of a user.
pub(crate) fn access_keys_of(store: &Store, record: &EntityRecord) -> Result<Vec<AccessKeyInfo>> {
    let mut out = Vec::new();
    for id in &record.access_keys {
        if let Some(stored) = store.get(&access_key_key(id), Sequence::MAX)? {
            out.push(AccessKeyRecord::from_stored(&stored)?.info(id));
        }
    }
    Ok(out)
}

/// Whether a commit of an entry of this kind changes who may do what.
pub(crate) const fn is_of_directory(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::User
            | Kind::Group
            | Kind::Role
            | Kind::AccessKey
            | Kind::ManagedPolicy
            | Kind::OidcProvider
            | Kind::Session
    )
}

pub(crate) fn no_such(kind: HolderKind, name: &str) -> Error {
    let text = format!("The {} with name {name} cannot be found.", kind.word());
    Error::new(ErrorKind::NotFound, "NoSuchEntity", text)
}

pub(crate) fn no_session(id: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "NoSuchEntity",
        format!("there is no session {id:?}"),
    )
}

pub(crate) fn no_such_user(name: &str) -> Error {
    no_such(HolderKind::User, name)
}

/// The ARN of a user, group or role.
pub(crate) fn entity_arn(kind: HolderKind, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{}{path}{name}", kind.word())
}

fn system_key(kind: Kind, name: Vec<u8>) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind,
        name: name.into(),
    }
}

/// The key of a user, group or role: names are told apart without case.
pub(crate) fn holder_key(kind: HolderKind, name: &str) -> Key {
    system_key(kind.kind(), name.to_ascii_lowercase().into_bytes())
}

pub(crate) fn access_key_key(id: &str) -> Key {
    system_key(Kind::AccessKey, id.as_bytes().to_vec())
}

pub(crate) fn session_key(id: &str) -> Key {
    system_key(Kind::Session, id.as_bytes().to_vec())
}

pub(crate) fn provider_key(address: &str) -> Key {
    system_key(Kind::OidcProvider, address.as_bytes().to_vec())
}

pub(crate) fn stored_value(message: &impl Message) -> Value {
    Value::of_meta(message.encode_to_vec())
}

pub(crate) fn decode<M: Message + Default>(stored: &Stored, what: &'static str) -> Result<M> {
    M::decode(stored.value.meta.clone())
        .map_err(|e| Error::corrupt(format!("{what} does not parse")).with_source(e))
}
