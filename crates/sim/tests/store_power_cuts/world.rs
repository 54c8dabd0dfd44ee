//! A store on a simulated disk, the random operations on it, and the model of what was acknowledged.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{BranchId, ByteSize, Kind as ErrorKind, Result, Sequence, Timestamp};
use craton_sim::{SimClock, SimDisk, SimRandom, random::SplitMix};
use craton_store::{
    Options, Store,
    namespace::{Direction, Key, Kind, Precondition, Span},
    store::{INLINE_BYTES_MAX, Transaction, Upload},
    value::{Extent, Standing, Stored, StoredVersion, Value},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    check::{self, BUCKETS, sealed_for},
    model::{Gone, Piece, Said, Spec, Step, Versions, content},
};

pub(crate) struct World {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) random: SplitMix,
    pub(crate) disk: SimDisk,
    pub(crate) model: Versions,
    /// What a collection removes that was begun and did not end.
    pub(crate) may_be_gone: Gone,
    /// The commit that failed, if any: after the next opening it happened or not.
    pub(crate) maybe: Option<Step>,
    /// Whether the disk may fail now.
    pub(crate) faulty: bool,
    pub(crate) commits: u64,
    clock: SimClock,
    ids: Arc<SimRandom>,
    numbers: u64,
    /// A blob that is durable and that no commit names yet.
    held: Option<(Key, Extent, Piece)>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        // One blocking thread, so that what runs there runs in one order.
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build();
        Self {
            runtime: Arc::new(runtime.expect("a runtime")),
            random: SplitMix::new(seed),
            disk: SimDisk::new(),
            model: Versions::default(),
            may_be_gone: Gone::new(),
            maybe: None,
            faulty: false,
            commits: 0,
            clock: SimClock::default(),
            ids: Arc::new(SimRandom::new(seed)),
            numbers: 0,
            held: None,
        }
    }

    pub(crate) fn open(&self) -> Result<Arc<Store>> {
        let _in_runtime = self.runtime.enter();
        Store::open(Options {
            disk: Arc::new(self.disk.clone()),
            memory: ByteSize::mib(64),
            clock: Arc::new(self.clock.clone()),
            random: self.ids.clone(),
            inline_commits: true,
        })
        .map(Arc::new)
    }

    /// The store is let go of, with what was not committed.
    pub(crate) fn drop_store(&mut self, store: Arc<Store>) {
        let runtime = self.runtime.clone();
        let held = self.held.take();
        runtime.block_on(async move {
            drop((held, store));
            settle().await;
        });
    }

    /// Makes the buckets' keys, in a store that is new.
    pub(crate) fn make_buckets(&mut self) {
        let store = self.open().expect("a new store opens");
        for bucket in BUCKETS {
            let plain = vec![store.make_bucket_key(bucket).expect("a key")];
            let transaction = Transaction {
                plain,
                ..Transaction::default()
            };
            store.commit_blocking(transaction).expect("the disk works");
        }
        self.drop_store(store);
    }

    /// One random operation, and all that it leaves to the background.
    pub(crate) fn operate(&mut self, store: &Arc<Store>) -> Result<()> {
        self.clock.advance(Duration::from_millis(1));
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            let done = self.choose(store).await;
            settle().await;
            assert!(self.faulty || done.is_ok(), "a healthy disk: {done:?}");
            done
        })
    }

    async fn choose(&mut self, store: &Arc<Store>) -> Result<()> {
        match self.random.below(28) {
            0..=6 => self.put(store).await,
            7 => self.replace(store).await,
            8 => self.delete(store).await,
            9 => self.remove(store).await,
            10 => self.refused(store).await,
            11..=13 => self.put_part(store).await,
            14 => self.end_upload(store, true).await,
            15 => self.end_upload(store, false).await,
            16 => self.collect(store, Timestamp(u64::MAX)),
            17 => self.collect(store, Timestamp(0)),
            18 => self.rotate(store),
            19 => self.abandon(store).await,
            20 | 21 => self.hold(store).await,
            22 => self.mark(store).await,
            23 | 24 => self.amend(store).await,
            25 => self.remove_older(store).await,
            _ => self.look(store).await,
        }
    }

    fn object(&mut self) -> Key {
        let bucket = BUCKETS[self.random.below(2) as usize];
        let name = format!("object/{}", self.random.below(6));
        Key {
            bucket,
            branch: BranchId::MAIN,
            kind: Kind::Object,
            name: name.into(),
        }
    }

    fn part(&mut self) -> Key {
        let object = self.object();
        let tail = [0, b'u', self.random.below(4) as u8];
        let name = [&*object.name, &tail].concat().into();
        Key {
            kind: Kind::Part,
            name,
            ..object
        }
    }

    fn len(&mut self) -> u64 {
        match self.random.below(100) {
            0 => 1_000_000 + self.random.below(400_000),
            1..=9 => self.random.below(2 * INLINE_BYTES_MAX as u64),
            10..=30 => self.random.below(4000),
            _ => self.random.below(600),
        }
    }

    /// Content for an entry of `key`, in no, one or several pieces.
    async fn content(&mut self, store: &Store, key: &Key) -> Result<(Value, Spec)> {
        let count = match self.random.below(20) {
            0 => 0,
            1..=3 => 2 + self.random.below(2),
            _ => 1,
        };
        let (mut pieces, mut extents) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (extent, piece) = self.extent(store, &sealed_for(key)).await?;
            extents.push(extent);
            pieces.push(piece);
        }
        Ok(self.value(extents, pieces))
    }

    fn value(&mut self, content: Vec<Extent>, pieces: Vec<Piece>) -> (Value, Spec) {
        self.numbers += 1;
        let spec = Spec {
            number: self.numbers,
            pieces,
        };
        (
            Value {
                meta: spec.encode(),
                content,
                ..Value::default()
            },
            spec,
        )
    }

    async fn extent(&mut self, store: &Store, owner: &Key) -> Result<(Extent, Piece)> {
        let piece @ (seed, len) = (self.random.next(), self.len());
        let bytes = content(seed, len);
        if bytes.len() <= INLINE_BYTES_MAX && self.random.chance(40) {
            return Ok((store.seal_inline(owner, &bytes, None)?, piece));
        }
        let mut upload = store.upload(owner, None).await?;
        self.write(&mut upload, &bytes).await?;
        Ok((upload.finish().await?, piece))
    }

    async fn write(&mut self, upload: &mut Upload, bytes: &[u8]) -> Result<()> {
        let (first, second) = bytes.split_at(self.random.below(bytes.len() as u64 + 1) as usize);
        upload.write(Bytes::copy_from_slice(first)).await?;
        upload.write(Bytes::copy_from_slice(second)).await
    }

    async fn commit(&mut self, store: &Arc<Store>, transaction: Transaction, step: Step) -> Result<()> {
        match store.commit(transaction).await {
            Ok(committed) => {
                assert!(self.maybe.is_none(), "nothing is committed after a commit failed");
                self.model.apply(&step, committed.sequence);
                self.commits += 1;
                Ok(())
            }
            Err(e) => {
                assert_ne!(
                    e.kind(),
                    ErrorKind::Precondition,
                    "no precondition was made to fail"
                );
                self.maybe.get_or_insert(step);
                Err(e)
            }
        }
    }

    async fn put(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        let (mut value, spec) = self.content(store, &key).await?;
        value.kept = self.random.chance(30);
        let step = Step::put(key.clone(), spec, value.kept);
        let transaction = Transaction {
            puts: vec![(key, value)],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    async fn replace(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        self.put_over(store, key).await
    }

    async fn put_part(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.part();
        self.put_over(store, key).await
    }

    /// Puts an entry and removes the one before, for good.
    async fn put_over(&mut self, store: &Arc<Store>, key: Key) -> Result<()> {
        let (value, spec) = self.content(store, &key).await?;
        let removes: Vec<Stored> = store.get(&key, Sequence::MAX)?.into_iter().collect();
        let step = Step {
            removes: removes.iter().map(|s| (s.key.clone(), s.sequence)).collect(),
            ..Step::put(key.clone(), spec, false)
        };
        let puts = vec![(key, value)];
        let transaction = Transaction {
            puts,
            removes,
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    async fn delete(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        let step = Step {
            deletes: vec![key.clone()],
            ..Step::default()
        };
        let transaction = Transaction {
            deletes: vec![key],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    /// Deletes an entry, and says something about that.
    async fn mark(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        let (mut value, spec) = self.value(Vec::new(), Vec::new());
        value.kept = self.random.chance(50);
        let said = Said {
            spec: Some(spec),
            deleted: true,
            kept: value.kept,
        };
        let step = Step {
            puts: vec![(key.clone(), said)],
            ..Step::default()
        };
        let transaction = Transaction {
            marks: vec![(key, value)],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    /// Any version of an object that is not a plain deletion.
    fn version(&mut self, store: &Store) -> Result<Option<StoredVersion>> {
        let key = self.object();
        let span = Span {
            bucket: key.bucket,
            branch: key.branch,
            kind: key.kind,
            end: Some([&*key.name, &[0]].concat().into()),
            start: key.name,
        };
        let mut versions = store.history(&span, None, 1000)?;
        versions.retain(|version| version.standing != Standing::Deleted);
        let chosen = self.random.below(versions.len().max(1) as u64);
        Ok(versions.into_iter().nth(chosen as usize))
    }

    /// Writes another description into a version, and now and then other content.
    async fn amend(&mut self, store: &Arc<Store>) -> Result<()> {
        let Some(StoredVersion { stored, standing }) = self.version(store)? else {
            return Ok(());
        };
        let deleted = standing == Standing::Marked;
        let old = Spec::decode(&stored.value.meta).pieces;
        let (mut value, spec) = if deleted || self.random.chance(60) {
            self.value(stored.value.content.clone(), old)
        } else {
            let (extent, piece) = self.extent(store, &stored.key).await?;
            self.value(vec![extent], vec![piece])
        };
        value.kept = stored.value.kept;
        let said = Said {
            spec: Some(spec),
            deleted,
            kept: value.kept,
        };
        let step = Step {
            amends: vec![(stored.key.clone(), stored.sequence, said)],
            ..Step::default()
        };
        let transaction = Transaction {
            amends: vec![(stored, value)],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    /// Removes a version by its name: one that is kept, which hides nothing that it superseded.
    async fn remove_older(&mut self, store: &Arc<Store>) -> Result<()> {
        let found = self.version(store)?.filter(|version| version.stored.value.kept);
        let Some(StoredVersion { stored, .. }) = found else {
            return Ok(());
        };
        let step = Step {
            removes: vec![(stored.key.clone(), stored.sequence)],
            ..Step::default()
        };
        let transaction = Transaction {
            removes: vec![stored],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    async fn remove(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        let Some(stored) = store.get(&key, Sequence::MAX)? else {
            return Ok(());
        };
        let step = Step {
            removes: vec![(key, stored.sequence)],
            ..Step::default()
        };
        let transaction = Transaction {
            removes: vec![stored],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    /// A commit whose precondition does not hold leaves nothing.
    async fn refused(&mut self, store: &Arc<Store>) -> Result<()> {
        let key = self.object();
        let (value, _) = self.content(store, &key).await?;
        let transaction = Transaction {
            preconditions: vec![Precondition::At(key.clone(), Sequence(1))],
            puts: vec![(key, value)],
            ..Transaction::default()
        };
        match store.commit(transaction).await {
            Err(e) if e.kind() == ErrorKind::Precondition => Ok(()),
            Err(e) => Err(e),
            Ok(_) => panic!("a commit was made against its precondition"),
        }
    }

    /// Completes or aborts: an object adopts the parts, or they go.
    async fn end_upload(&mut self, store: &Arc<Store>, complete: bool) -> Result<()> {
        let object = self.object();
        let start = Bytes::from([&*object.name, &[0]].concat());
        let end = Bytes::from([&*object.name, &[1]].concat());
        let span = Span {
            bucket: object.bucket,
            branch: object.branch,
            kind: Kind::Part,
            start,
            end: Some(end),
        };
        let removes = store.scan(&span, Sequence::MAX, Direction::Forward, 100)?.entries;
        let mut transaction = Transaction::default();
        let mut step = Step {
            removes: removes.iter().map(|s| (s.key.clone(), s.sequence)).collect(),
            ..Step::default()
        };
        if complete {
            // Now and then a part is left out, and goes with the upload.
            let taken: Vec<_> = removes.iter().filter(|_| self.random.chance(85)).collect();
            let content = taken.iter().flat_map(|s| s.value.content.clone()).collect();
            let pieces = taken
                .iter()
                .flat_map(|s| Spec::decode(&s.value.meta).pieces)
                .collect();
            let (value, spec) = self.value(content, pieces);
            step.puts = Step::put(object.clone(), spec, false).puts;
            transaction.puts.push((object, value));
        }
        transaction.removes = removes;
        self.commit(store, transaction, step).await
    }

    fn collect(&mut self, store: &Store, before: Timestamp) -> Result<()> {
        let all = before > Timestamp(0);
        let left = self.model.collected();
        if all {
            self.may_be_gone.extend(self.model.without(&left));
        }
        store.collect(before)?;
        if all {
            // One that a collection before has removed may seem to stand again, what superseded it being removed.
            let there = left.without(&Versions::default());
            self.may_be_gone.retain(|version| there.contains(version));
            self.model = left;
        }
        Ok(())
    }

    fn rotate(&mut self, store: &Store) -> Result<()> {
        let keys = &store.parts().keys;
        let old = keys.active_id();
        keys.rotate()?;
        store.rewrap_keys()?;
        if self.random.chance(50) {
            keys.retire(&old)?;
        }
        Ok(())
    }

    /// An upload that is given up in its middle.
    async fn abandon(&mut self, store: &Store) -> Result<()> {
        let owner = self.object();
        let (seed, len) = (self.random.next(), self.len());
        let mut upload = store.upload(&owner, None).await?;
        self.write(&mut upload, &content(seed, len)).await
    }

    /// Finishes a blob and keeps it for later; or commits the one that was kept.
    async fn hold(&mut self, store: &Arc<Store>) -> Result<()> {
        let Some((key, extent, piece)) = self.held.take() else {
            let key = self.object();
            let (extent, piece) = self.extent(store, &key).await?;
            self.held = Some((key, extent, piece));
            return Ok(());
        };
        let (value, spec) = self.value(vec![extent], vec![piece]);
        let step = Step::put(key.clone(), spec, false);
        let transaction = Transaction {
            puts: vec![(key, value)],
            ..Transaction::default()
        };
        self.commit(store, transaction, step).await
    }

    /// Reads an object and compares it.
    async fn look(&mut self, store: &Store) -> Result<()> {
        let key = self.object();
        let found = store.get(&key, Sequence::MAX)?;
        if !self.may_be_gone.is_empty() {
            return Ok(());
        }
        let expected = self.model.newest(&key);
        assert_eq!(
            found.as_ref().map(|s| s.sequence),
            expected.map(|(sequence, _)| sequence)
        );
        let (Some(stored), Some((_, spec))) = (found, expected) else {
            return Ok(());
        };
        let content = check::content(store, &key, &stored.value).await?;
        assert!(content == spec.content(), "{key:?} has other content");
        Ok(())
    }
}

/// Waits until nothing runs in the background: tasks, and what they and dropped values gave to the one
/// blocking thread, which takes one thing after the other.
async fn settle() {
    loop {
        tokio::task::spawn_blocking(|| ())
            .await
            .expect("the thread lives");
        if tokio::runtime::Handle::current().metrics().num_alive_tasks() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(|| ())
        .await
        .expect("the thread lives");
}
