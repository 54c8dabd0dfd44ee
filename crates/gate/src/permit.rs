//! Permits: the proof that an access was decided and recorded, and the only handle to the data.
//!
//! Invariants
//! - GT-1: only [`crate::Gate`] makes a permit; there is no public constructor, no clone, no default;
//! - GT-2: a permit reaches entries under its path and in its mode, nothing else ([`crate::scope`]);
//! - GT-3: a permit's decision is in the ledger before it exists, its outcome follows; or, where what is read is known at once,
//!   both are in one record before a byte of the content is handed out ([`outcome`]);
//! - GT-4: a write's record is in the write's own commit.
//!
//! Deliberately absent: what the entries mean; protocols.

use std::{
    ops::Range,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use bytes::Bytes;
use craton_base::{
    BranchId, BucketName, Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp,
};
use craton_crypto::SealKey;
use craton_guard::Restrictions;
use craton_store::{
    namespace::{Direction, Key, Kind},
    store::{Content as StoreContent, INLINE_BYTES_MAX, Page, SecondKey},
    value::{Extent, Stored, Value},
};
use outcome::Outcome;
use parking_lot::Mutex;

use crate::{
    bucket::BucketInfo, configuration::state::BucketState, gate::Inner, guards::Moved, ledger::Record,
    once::Once, scope, session::Session, work::Reach,
};

mod blobs;
mod buckets;
mod commit;
mod configuration;
mod keys;
mod outcome;
mod system;
mod tiers;
mod transfer;
mod versions;
mod visit;

pub use blobs::{Blob, BlobWriter, Handle};
pub use keys::SealedKey;
pub use outcome::Ending;
pub(crate) use outcome::Told;
pub use tiers::ClassTier;
pub use transfer::{Content, ContentBody, Upload};

/// What read and write permits share.
pub struct Permit {
    pub(crate) gate: Arc<Inner>,
    pub(crate) session: Session,
    pub(crate) resource: ResourcePath,
    /// The door's operation.
    operation: &'static str,
    bucket: Option<Arc<BucketState>>,
    sequence: Sequence,
    mode: Mode,
    pub(crate) outcome: Mutex<Outcome>,
    /// What guard policies leave of rows and columns.
    restrictions: Restrictions,
    /// What its session has moved so far, with other permits too.
    moved_so_far: Moved,
    /// A key that content is sealed and opened under besides the bucket's.
    second: OnceLock<SecondKey>,
    /// What is carried out once, if its client names it.
    pub(crate) once: Mutex<Option<Once>>,
    /// What the columns of the version came from that is committed.
    pub(crate) columns: Mutex<Option<Bytes>>,
    /// Of a permit for work: the parts of its path that it reaches, and what it holds of them.
    pub(crate) reach: Mutex<Option<Reach>>,
    /// Whether what its last commit destroys was approved before its first.
    pub(crate) passed_ahead: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// A permit to read what lies under a path, as of one moment.
pub struct ReadPermit {
    permit: Arc<Permit>,
}

/// A permit to change what lies under a path.
pub struct WritePermit {
    permit: Arc<Permit>,
}

/// What [`Permit`]s are made from.
pub(crate) struct Grant {
    pub(crate) session: Session,
    pub(crate) operation: &'static str,
    pub(crate) resource: ResourcePath,
    pub(crate) record: Record,
    pub(crate) told: Told,
    pub(crate) bucket: Option<Arc<BucketState>>,
    pub(crate) mode: Mode,
}

impl Permit {
    pub(crate) fn new(gate: Arc<Inner>, grant: Grant, restrictions: Restrictions) -> Self {
        let sequence = gate.store.latest();
        let moved_so_far = gate.guards.tally.of(&gate.store, &grant.session);
        let Grant {
            session,
            operation,
            resource,
            record,
            told,
            bucket,
            mode,
        } = grant;
        Self {
            gate,
            session,
            operation,
            resource,
            bucket,
            sequence,
            mode,
            outcome: Mutex::new(Outcome::new(told, record)),
            restrictions,
            moved_so_far,
            second: OnceLock::new(),
            once: Mutex::default(),
            columns: Mutex::default(),
            reach: Mutex::default(),
            passed_ahead: AtomicBool::new(false),
        }
    }

    /// From here on content is sealed and opened under this key too, besides the bucket's: a client's own or
    /// one of the key service. Without it the content can not be read again. Only the first call counts: a permit
    /// is for one content.
    pub fn bind(&self, key: SealKey) {
        self.bind_second(key, false);
    }

    /// The same with a key that the client sends with each request: nothing that it opens is kept.
    pub fn bind_of_client(&self, key: SealKey) {
        self.bind_second(key, true);
    }

    fn bind_second(&self, key: SealKey, is_of_client: bool) {
        self.second.get_or_init(|| SecondKey { key, is_of_client });
    }

    /// The key that content is sealed under besides the bucket's.
    fn second(&self) -> Option<&SealKey> {
        self.second.get().map(|second| &second.key)
    }

    /// What it is a permit for.
    #[must_use]
    pub fn resource(&self) -> &ResourcePath {
        &self.resource
    }

    /// Whose it is.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What is to be applied by who said which columns it reads ([`crate::Ask::of_columns`]).
    #[must_use]
    pub fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// The statements that decided it, as its record names them.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.outcome.lock().record.statements.clone()
    }

    /// The snapshot that a read permit reads at.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.gate.clock.now()
    }

    /// The bucket that its path lies in.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchBucket`.
    pub fn bucket(&self) -> Result<&BucketInfo> {
        self.state().map(|state| &*state.info)
    }

    pub(crate) fn state(&self) -> Result<&BucketState> {
        self.bucket
            .as_deref()
            .ok_or_else(|| no_such_bucket(self.resource.bucket()))
    }

    /// Whether the session would be allowed this too: for choosing between "not found" and "denied".
    #[must_use]
    pub fn also(&self, action: &'static str, resource: &ResourcePath) -> bool {
        self.also_all(&[action], resource)
    }

    /// Whether the session would be allowed all of these too.
    #[must_use]
    pub fn also_all(&self, actions: &[&'static str], resource: &ResourcePath) -> bool {
        self.gate.would_allow(&self.session, actions, resource)
    }

    fn at(&self) -> Sequence {
        match self.mode {
            Mode::Read => self.sequence,
            Mode::Write => Sequence::MAX,
        }
    }

    fn key(&self, kind: Kind, name: &[u8]) -> Result<Key> {
        if !scope::covers(&self.resource, kind, name) || !self.is_of_parts(kind, name) {
            return Err(scope::outside(&self.resource, kind));
        }
        Ok(Key {
            bucket: self.home()?,
            branch: BranchId::MAIN,
            kind,
            name: Bytes::copy_from_slice(name),
        })
    }

    /// An entry under the permit's path: as of the snapshot for a read permit, the newest for a write permit.
    ///
    /// # Errors
    /// `NoSuchBucket`; `OutsidePermit`; the store's own.
    pub fn entry(&self, kind: Kind, name: &[u8]) -> Result<Option<Stored>> {
        let found = self.gate.store.get(&self.key(kind, name)?, self.at())?;
        if let Some(stored) = &found {
            self.found(kind, stored.sequence);
        }
        Ok(found)
    }

    /// An entry that was read before lies in this permit's bucket and under its path.
    fn reached(&self, stored: &Stored) -> Result<()> {
        if self.key(stored.key.kind, &stored.key.name)? == stored.key {
            return Ok(());
        }
        Err(scope::outside(&self.resource, stored.key.kind))
    }

    /// Entries under the permit's path with names in `[start, end)`, at most `limit` of them.
    ///
    /// # Errors
    /// `NoSuchBucket`; `OutsidePermit`; the store's own.
    pub fn scan(
        &self,
        kind: Kind,
        start: &[u8],
        end: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Page> {
        let mut spans = self.spans(kind, start, end)?;
        if matches!(direction, Direction::Backward) {
            spans.reverse();
        }
        let mut page = Page {
            entries: Vec::new(),
            more: false,
        };
        let mut left = spans.into_iter();
        while let Some(span) = left.next() {
            let room = limit.saturating_sub(page.entries.len());
            let found = self.gate.store.scan(&span, self.at(), direction, room)?;
            page.entries.extend(found.entries);
            page.more = found.more || (page.entries.len() >= limit && left.len() > 0);
            if page.more {
                break;
            }
        }
        Ok(page)
    }
}

impl ReadPermit {
    pub(crate) fn new(gate: Arc<Inner>, grant: Grant) -> Self {
        Self::restricted(gate, grant, Restrictions::default())
    }

    pub(crate) fn restricted(gate: Arc<Inner>, grant: Grant, restrictions: Restrictions) -> Self {
        Self {
            permit: Arc::new(Permit::new(gate, grant, restrictions)),
        }
    }

    /// For noting how the access ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending::of(self.permit.clone())
    }

    /// The bytes `range` of an entry's content. Ends with an error rather than a wrong byte.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the content; `Corrupt`; `OutsidePermit`; `Unavailable` if it can not be recorded.
    pub fn content(&self, stored: &Stored, range: Range<u64>) -> Result<Content> {
        self.reached(stored)?;
        self.permit.found(stored.key.kind, stored.sequence);
        match self
            .permit
            .gate
            .store
            .content(&stored.key, &stored.value, range, self.second.get())?
        {
            StoreContent::Whole(bytes) => {
                self.permit.spend(bytes.len() as u64)?;
                self.permit.tell()?;
                Ok(Content::Whole(bytes))
            }
            StoreContent::Stream(stream) => {
                self.permit.tell_decision()?;
                Ok(Content::Stream(ContentBody {
                    stream,
                    permit: self.permit.clone(),
                }))
            }
        }
    }

    /// All of an entry's content, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// `TooLarge`; as [`ReadPermit::content`].
    pub async fn whole(&self, stored: &Stored, bytes_max: u64) -> Result<Bytes> {
        self.reached(stored)?;
        let store = &self.permit.gate.store;
        let whole = transfer::whole(&stored.value.content, bytes_max, |range| {
            store.content(&stored.key, &stored.value, range, self.second.get())
        });
        let whole = whole.await?;
        self.permit.spend(whole.len() as u64)?;
        self.permit.tell()?;
        Ok(whole)
    }

    /// The buckets after a name, in order; for a permit on [`ResourcePath::Root`].
    ///
    /// # Errors
    /// `OutsidePermit`; the store's own.
    pub fn buckets(&self, after: Option<&BucketName>, limit: usize) -> Result<Vec<BucketInfo>> {
        if self.permit.resource != ResourcePath::Root {
            return Err(scope::outside(&self.permit.resource, Kind::Bucket));
        }
        self.permit.gate.list_buckets(after, self.permit.sequence, limit)
    }
}

impl WritePermit {
    /// Content up to this many bytes sits in its entry.
    pub const INLINE_BYTES_MAX: usize = INLINE_BYTES_MAX;

    pub(crate) fn new(gate: Arc<Inner>, grant: Grant) -> Self {
        Self {
            permit: Arc::new(Permit::new(gate, grant, Restrictions::default())),
        }
    }

    /// For noting how the access ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending::of(self.permit.clone())
    }

    /// Seals small content for the object `name`.
    ///
    /// # Errors
    /// `TooLarge` above [`WritePermit::INLINE_BYTES_MAX`]; `OutsidePermit`.
    pub fn inline(&self, name: &[u8], content: &[u8]) -> Result<Extent> {
        let extent =
            self.permit
                .gate
                .store
                .seal_inline(&self.key(Kind::Object, name)?, content, self.second())?;
        self.permit.moved(content.len() as u64);
        Ok(extent)
    }

    /// The bytes `range` of content that this permit has sealed for the object `name` and that no commit names
    /// yet: for who must have verified all of it before making use of any.
    ///
    /// # Errors
    /// `OutsidePermit`; `Invalid` if the range is not within the content; `Corrupt`.
    pub fn reread(&self, name: &[u8], content: &[Extent], range: Range<u64>) -> Result<Content> {
        let value = Value {
            content: content.to_vec(),
            ..Value::default()
        };
        let key = self.key(Kind::Object, name)?;
        let store = &self.permit.gate.store;
        Ok(match store.content(&key, &value, range, self.second.get())? {
            StoreContent::Whole(bytes) => Content::Whole(bytes),
            StoreContent::Stream(stream) => Content::Stream(ContentBody {
                stream,
                permit: self.permit.clone(),
            }),
        })
    }

    /// All of an entry's content, of at most `bytes_max` bytes: for who changes it by what it holds. The ask is to name the action of
    /// reading it.
    ///
    /// # Errors
    /// `TooLarge`; `Corrupt`; `OutsidePermit`.
    pub async fn whole(&self, stored: &Stored, bytes_max: u64) -> Result<Bytes> {
        self.reached(stored)?;
        let store = &self.permit.gate.store;
        transfer::whole(&stored.value.content, bytes_max, |range| {
            store.content(&stored.key, &stored.value, range, self.second.get())
        })
        .await
    }

    /// Begins content of any size for the object `name`; also for a part that will become its.
    ///
    /// # Errors
    /// `OutsidePermit`; the disk's own.
    pub async fn upload(&self, name: &[u8]) -> Result<Upload> {
        let upload = self
            .permit
            .gate
            .store
            .upload(&self.key(Kind::Object, name)?, self.second())
            .await?;
        Ok(Upload {
            upload,
            permit: self.permit.clone(),
        })
    }
}

impl std::ops::Deref for ReadPermit {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.permit
    }
}

impl std::ops::Deref for WritePermit {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.permit
    }
}

pub(crate) fn no_such_bucket(name: Option<&BucketName>) -> Error {
    let name = name.map_or("", BucketName::as_str);
    Error::new(
        ErrorKind::NotFound,
        "NoSuchBucket",
        format!("there is no bucket {name:?}"),
    )
}
