//! The keys under which records are sealed: one for each principal, so that forgetting a person is
//! deleting a key.
//!
//! ```text
//! LedgerSubject  "k" ‖ id(16)           lookup(32) ‖ the subject's key, wrapped (crypto::keys), bound to id and lookup
//! LedgerSubject  "p" ‖ lookup(32)       the subject's id, sealed: finds the key of a principal
//! LedgerSubject  "x" ‖ id(16)           sealed: this subject was erased on purpose
//! ```
//!
//! `lookup` is HMAC-SHA-256 of the principal's name. A new subject's key travels with its records ([`Definition`]) until a round of the integrator has
//! committed it: no record is durable without its key, and nobody waits for a commit.
//!
//! Invariants
//! - a principal has at most one subject at a time;
//! - once "x" of an id is there, "k" of it never comes back, though a record with its definition may arrive later;
//! - names of principals stand nowhere here in the clear.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use craton_base::{Error, Kind as ErrorKind, Random, Result, Sequence, random};
use craton_crypto::{SealKey, counted::CountedKey, hash, keys};
use craton_store::namespace::{Change, Kind};
use lru::LruCache;
use parking_lot::{Mutex, MutexGuard};

use super::{
    envelope::{self, Boot, SubjectId},
    values::{self, Values},
};

/// Subjects whose keys are kept ready; others are read again when needed.
const CACHED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// Subjects that no round has committed yet; more than this at a time are refused.
const FRESH_MAX: usize = 4096;
const LOOKUP: usize = 32;
const KEY_CONTEXT: &[u8] = b"craton/ledger/subject/v1\0";

/// A subject, ready to seal in this start.
pub(super) struct Subject {
    pub(super) id: SubjectId,
    pub(super) key: CountedKey,
    /// What makes the subject known, while no round has committed it.
    pub(super) definition: Option<Definition>,
}

/// What a round commits to make a subject known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Definition {
    pub(super) id: SubjectId,
    pub(super) lookup: [u8; LOOKUP],
    pub(super) wrapped: [u8; keys::WRAPPED_LEN],
}

impl Definition {
    /// The value of the "k" entry.
    fn value(&self) -> Vec<u8> {
        [self.lookup.as_slice(), &self.wrapped].concat()
    }
}

/// What is known of a key.
pub(super) enum Known<K = SealKey> {
    /// The key.
    Key(K),
    /// Erased on purpose.
    Erased,
    /// It should be there and is not.
    Lost,
}

/// The subjects' keys in the namespace, for reading.
#[derive(Clone)]
pub(super) struct Keys {
    values: Values,
    wrapping: SealKey,
    lookup: SealKey,
}

impl Keys {
    pub(super) fn new(values: Values, ledger_key: &SealKey) -> Result<Self> {
        Ok(Self {
            values,
            wrapping: keys::derive(ledger_key, b"craton/ledger/subjects/v1")?,
            lookup: keys::derive(ledger_key, b"craton/ledger/lookup/v1")?,
        })
    }

    /// The key of a subject.
    pub(super) fn find(&self, id: &SubjectId) -> Result<Known> {
        let name = name(b'k', id);
        if let Some(entry) = self
            .values
            .namespace
            .get(&values::key(Kind::LedgerSubject, &name), Sequence::MAX)?
        {
            return Ok(Known::Key(self.unwrap(id, &entry.value)?.0));
        }
        match self.values.get(Kind::LedgerSubject, &self::name(b'x', id))? {
            Some(_) => Ok(Known::Erased),
            None => Ok(Known::Lost),
        }
    }

    /// Opens the value of a "k" entry: the key, and whose it is.
    pub(super) fn unwrap(&self, id: &SubjectId, value: &[u8]) -> Result<(SealKey, [u8; LOOKUP])> {
        let wrong = || {
            Error::corrupt(format!(
                "the ledger's subject key {} does not verify",
                hex::encode(id)
            ))
        };
        let (lookup, wrapped) = value.split_first_chunk::<LOOKUP>().ok_or_else(wrong)?;
        let key = keys::unwrap(&self.wrapping, wrapped, &context(id, lookup))
            .map_err(|e| wrong().with_source(e))?;
        Ok((key, *lookup))
    }

    /// The key that a definition brings.
    pub(super) fn key_of(&self, new: &Definition) -> Result<SealKey> {
        Ok(self.unwrap(&new.id, &new.value())?.0)
    }

    /// Checks a "p" entry: it leads to a subject, and that one leads back.
    pub(super) fn check_lookup(&self, name: &[u8], value: &[u8]) -> Result<()> {
        let wrong =
            || Error::corrupt("a principal's entry in the ledger leads to no subject of that principal");
        let id: SubjectId = self
            .values
            .open(name, value)?
            .as_slice()
            .try_into()
            .map_err(|_| wrong())?;
        let key = values::key(Kind::LedgerSubject, &self::name(b'k', &id));
        let entry = self
            .values
            .namespace
            .get(&key, Sequence::MAX)?
            .ok_or_else(wrong)?;
        let (_, lookup) = self.unwrap(&id, &entry.value)?;
        match *name == *self::name(b'p', &lookup) {
            true => Ok(()),
            false => Err(wrong()),
        }
    }

    fn lookup_of(&self, principal: &str) -> [u8; LOOKUP] {
        hash::hmac_sha256(self.lookup.expose(), &[principal.as_bytes()])
    }

    fn id_of(&self, lookup: &[u8; LOOKUP]) -> Result<Option<SubjectId>> {
        let Some((id, _)) = self.values.get(Kind::LedgerSubject, &name(b'p', lookup))? else {
            return Ok(None);
        };
        let id = id
            .as_slice()
            .try_into()
            .map_err(|_| Error::corrupt("a subject's id in the ledger is cut"))?;
        Ok(Some(id))
    }

    /// The changes that make a subject known; none if it was erased meanwhile, or is known.
    pub(super) fn define(&self, new: &Definition, random: &dyn Random) -> Result<Vec<Change>> {
        match self.find(&new.id)? {
            Known::Lost => {}
            Known::Key(_) | Known::Erased => return Ok(vec![]),
        }
        Ok(vec![
            Change::Put(
                values::key(Kind::LedgerSubject, &name(b'k', &new.id)),
                new.value().into(),
            ),
            self.values
                .put(Kind::LedgerSubject, &name(b'p', &new.lookup), &new.id, random)?,
        ])
    }

    fn make(&self, lookup: [u8; LOOKUP], random: &dyn Random) -> Result<(Definition, SealKey)> {
        let id: SubjectId = random::bytes(random)?;
        let key = SealKey::generate(random)?;
        let wrapped = keys::wrap(&self.wrapping, &key, &context(&id, &lookup), random)?
            .try_into()
            .map_err(|_| Error::internal("a wrapped key has the wrong length"))?;
        Ok((Definition { id, lookup, wrapped }, key))
    }
}

/// The subjects of this start.
pub(super) struct Subjects {
    keys: Keys,
    random: Arc<dyn Random>,
    boot: Boot,
    ready: Mutex<Ready>,
}

struct Ready {
    committed: LruCache<String, Arc<Subject>>,
    fresh: HashMap<String, Arc<Subject>>,
}

impl Subjects {
    pub(super) fn new(keys: Keys, random: Arc<dyn Random>, boot: Boot) -> Self {
        let ready = Ready {
            committed: LruCache::new(CACHED_MAX),
            fresh: HashMap::new(),
        };
        Self {
            keys,
            random,
            boot,
            ready: Mutex::new(ready),
        }
    }

    /// The subject of a principal; made if there is none.
    pub(super) fn of(&self, principal: &str) -> Result<Arc<Subject>> {
        let mut ready = self.ready.lock();
        if let Some(subject) = ready.committed.get(principal) {
            return Ok(Arc::clone(subject));
        }
        if let Some(subject) = ready.fresh.get(principal) {
            return Ok(Arc::clone(subject));
        }
        let lookup = self.keys.lookup_of(principal);
        if let Some(id) = self.keys.id_of(&lookup)? {
            let Known::Key(key) = self.keys.find(&id)? else {
                return Err(Error::corrupt(format!(
                    "the ledger's subject key {} is missing",
                    hex::encode(id)
                )));
            };
            let key = envelope::record_key(&key, self.boot)?;
            let subject = Arc::new(Subject {
                id,
                key,
                definition: None,
            });
            ready.committed.put(principal.to_owned(), Arc::clone(&subject));
            return Ok(subject);
        }
        if ready.fresh.len() >= FRESH_MAX {
            let why = "too many principals appear for the first time at once";
            return Err(Error::new(ErrorKind::Busy, "LedgerBusy", why));
        }
        let (definition, key) = self.keys.make(lookup, &*self.random)?;
        let key = envelope::record_key(&key, self.boot)?;
        let subject = Arc::new(Subject {
            id: definition.id,
            key,
            definition: Some(definition),
        });
        ready.fresh.insert(principal.to_owned(), Arc::clone(&subject));
        Ok(subject)
    }

    /// Tells that a round has committed these: their records need not carry them any more.
    pub(super) fn committed(&self, definitions: &[Definition]) {
        if !definitions.is_empty() {
            let known = |subject: &Subject| definitions.iter().any(|d| d.id == subject.id);
            // The next use finds it in the namespace.
            self.ready.lock().fresh.retain(|_, subject| !known(subject));
        }
    }

    /// Stops everybody from getting subjects until the result is dropped.
    pub(super) fn erasing(&self) -> Erasing<'_> {
        Erasing {
            subjects: self,
            ready: self.ready.lock(),
        }
    }
}

/// An erasure in progress: nobody gets a subject meanwhile.
pub(super) struct Erasing<'a> {
    subjects: &'a Subjects,
    ready: MutexGuard<'a, Ready>,
}

impl Erasing<'_> {
    /// The subjects of a principal (none, or one), and the changes that erase them.
    pub(super) fn of(&mut self, principal: &str) -> Result<(Vec<SubjectId>, Vec<Change>)> {
        let Subjects { keys, random, .. } = self.subjects;
        let lookup = keys.lookup_of(principal);
        let mut ids = Vec::new();
        let mut changes = Vec::new();
        if let Some(id) = keys.id_of(&lookup)? {
            ids.push(id);
            changes.push(Change::Delete(values::key(Kind::LedgerSubject, &name(b'k', &id))));
            changes.push(Change::Delete(values::key(
                Kind::LedgerSubject,
                &name(b'p', &lookup),
            )));
        }
        ids.extend(self.ready.fresh.get(principal).map(|subject| subject.id));
        for id in &ids {
            changes.push(
                keys.values
                    .put(Kind::LedgerSubject, &name(b'x', id), &[], &**random)?,
            );
        }
        Ok((ids, changes))
    }

    /// Forgets the prepared keys of a principal, after the commit.
    pub(super) fn done(mut self, principal: &str) {
        self.ready.committed.pop(principal);
        self.ready.fresh.remove(principal);
    }
}

/// An entry that no ledger makes.
pub(super) fn unknown_name() -> Error {
    Error::corrupt("an entry among the ledger's subjects has no known form")
}

fn context(id: &SubjectId, lookup: &[u8; LOOKUP]) -> Vec<u8> {
    [KEY_CONTEXT, id, lookup].concat()
}

fn name(tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend_from_slice(rest);
    out
}
