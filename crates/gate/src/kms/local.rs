//! The key service that is always there: named keys in the namespace, sealed under a key of the system.
//!
//! Invariants
//! - a named key exists in the namespace only wrapped; erasing its entry shreds everything that was sealed under it;
//! - what was read or opened lately is kept, and nothing of it outlives a change of a named key: the commit that makes
//!   one calls [`LocalKeys::forget`] before it is answered, and what was read before that is not kept after it.
//!
//! Deliberately absent: who may use or manage a key.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Clock, Error, Random, Result, Sequence};
use craton_crypto::{SealKey, keys};
use craton_store::{
    Store,
    namespace::{Key, Kind, Precondition},
    opened::Opened,
    store::Transaction,
    value::{Stored, Value},
};
use parking_lot::RwLock;
use prost::Message;

use super::{Context, DataKey, KeyService, MANAGED_KEY, disabled, no_such_key};
use crate::directory::ACCOUNT;

/// The id of the key for [`MANAGED_KEY`].
pub(super) const MANAGED_ID: &str = "aws-s3";

/// A named key as it is stored (`Kind::KmsKey`, by id).
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyRecord {
    #[prost(uint64, tag = "1")]
    pub(super) created_micros: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) wrapped: Bytes,
    #[prost(bool, tag = "3")]
    pub(super) disabled: bool,
}

/// Named keys in the namespace.
pub(crate) struct LocalKeys {
    store: Arc<Store>,
    key: SealKey,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// `arn:aws:kms:<region>:<account>:key/`.
    prefix: String,
    named: RwLock<Named>,
    /// Data keys, by the wrapped named key, the sealed data key and its context.
    opened: Opened<SealKey>,
}

/// The named keys that were used since one was changed: there are at most [`super::manage::NAMED_KEYS_MAX`].
#[derive(Default)]
struct Named {
    records: BTreeMap<String, Arc<KeyRecord>>,
    /// Counts the changes.
    generation: u64,
}

/// How many data keys are kept open.
const OPENED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

impl LocalKeys {
    pub(crate) fn open(store: &Arc<Store>, region: &str) -> Result<Self> {
        let parts = store.parts();
        Ok(Self {
            key: store.system_key("kms-keys")?,
            clock: parts.clock.clone(),
            random: parts.random.clone(),
            prefix: format!("arn:aws:kms:{region}:{ACCOUNT}:key/"),
            store: store.clone(),
            named: RwLock::default(),
            opened: Opened::new(OPENED_MAX),
        })
    }

    pub(super) fn arn(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    /// The id in a name: an id or an ARN of ours, or the alias of the managed key.
    pub(super) fn id<'a>(&self, name: &'a str) -> &'a str {
        let alias = name.strip_prefix("arn:aws:kms:").map_or(name, |rest| {
            rest.rsplit_once(':').map_or(rest, |(_, resource)| resource)
        });
        if alias == MANAGED_KEY {
            return MANAGED_ID;
        }
        name.strip_prefix(&*self.prefix).unwrap_or(name)
    }

    pub(super) fn read(&self, id: &str) -> Result<Option<Arc<KeyRecord>>> {
        if id.is_empty() || id.len() > super::manage::ID_BYTES_MAX {
            return Ok(None);
        }
        let since = {
            let named = self.named.read();
            if let Some(known) = named.records.get(id) {
                return Ok(Some(known.clone()));
            }
            named.generation
        };
        let Some(stored) = self.store.get(&entry(id), Sequence::MAX)? else {
            return Ok(None);
        };
        let found = Arc::new(record(&stored)?);
        let mut named = self.named.write();
        if named.generation == since {
            named.records.insert(id.to_owned(), found.clone());
        }
        Ok(Some(found))
    }

    /// A new key.
    pub(super) fn make(&self, id: &str) -> Result<KeyRecord> {
        let key = keys::generate(&*self.random)?;
        Ok(KeyRecord {
            created_micros: self.clock.now().micros(),
            wrapped: keys::wrap(&self.key, &key, &binding(id), &*self.random)?.into(),
            disabled: false,
        })
    }

    /// The managed key, made when it is first used.
    async fn managed(&self) -> Result<Arc<KeyRecord>> {
        if let Some(found) = self.read(MANAGED_ID)? {
            return Ok(found);
        }
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::Absent(entry(MANAGED_ID)));
        transaction
            .puts
            .push((entry(MANAGED_ID), stored_value(&self.make(MANAGED_ID)?)));
        // Of two who make it, one does; both then read the same.
        match self.store.commit(transaction).await {
            Err(e) if e.kind() != craton_base::Kind::Precondition => return Err(e),
            _ => {}
        }
        self.read(MANAGED_ID)?
            .ok_or_else(|| Error::internal("the managed key was made and is not there"))
    }

    fn wrapping(&self, id: &str, record: &KeyRecord) -> Result<SealKey> {
        keys::unwrap(&self.key, &record.wrapped, &binding(id))
    }

    fn check_enabled(&self, id: &str, record: &KeyRecord) -> Result<()> {
        match record.disabled {
            true => Err(disabled(&self.arn(id))),
            false => Ok(()),
        }
    }

    /// Wipes what was opened: a named key was made or changed.
    pub(crate) fn forget(&self) {
        {
            let mut named = self.named.write();
            named.generation = named.generation.wrapping_add(1);
            named.records.clear();
        }
        self.opened.clear();
    }
}

#[async_trait::async_trait]
impl KeyService for LocalKeys {
    async fn generate(&self, name: &str, context: &Context) -> Result<DataKey> {
        let id = self.id(name);
        let record = match self.read(id)? {
            Some(record) => record,
            None if id == MANAGED_ID => self.managed().await?,
            None => return Err(no_such_key(&self.arn(id))),
        };
        self.check_enabled(id, &record)?;
        let wrapping = self.wrapping(id, &record)?;
        let key = keys::generate(&*self.random)?;
        let sealed = keys::wrap(&wrapping, &key, &bytes_of(context), &*self.random)?.into();
        Ok(DataKey {
            named: self.arn(id),
            key,
            sealed,
        })
    }

    async fn open(&self, arn: &str, context: &Context, sealed: &[u8]) -> Result<SealKey> {
        let id = self.id(arn);
        let record = self.read(id)?.ok_or_else(|| no_such_key(arn))?;
        self.check_enabled(id, &record)?;
        let context = bytes_of(context);
        let name: [&[u8]; 3] = [&record.wrapped, sealed, &context];
        let open = || keys::unwrap(&self.wrapping(id, &record)?, sealed, &context);
        Ok(SealKey::clone(&*self.opened.get(&name, open)?))
    }

    fn is_outside(&self) -> bool {
        false
    }
}

pub(super) fn entry(id: &str) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::KmsKey,
        name: Bytes::copy_from_slice(id.as_bytes()),
    }
}

pub(super) fn record(stored: &Stored) -> Result<KeyRecord> {
    KeyRecord::decode(stored.value.meta.clone())
        .map_err(|e| Error::corrupt("a named key's entry does not parse").with_source(e))
}

pub(super) fn stored_value(record: &KeyRecord) -> Value {
    Value::of_meta(record.encode_to_vec())
}

fn binding(id: &str) -> Vec<u8> {
    [b"craton/kms-key/1\0".as_slice(), id.as_bytes()].concat()
}

/// A context as bytes, not ambiguous: each text after its length.
fn bytes_of(context: &Context) -> Vec<u8> {
    let mut out = b"craton/kms-context/1\0".to_vec();
    for text in context.iter().flat_map(|(k, v)| [k, v]) {
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}
