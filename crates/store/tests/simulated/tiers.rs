//! Tiers: content that moves to another place and back, with the power cut at any point of it.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use craton_base::{
    BlobId, BranchId, BucketId, ByteSize, Error, Kind as ErrorKind, Result, Sequence, Timestamp,
};
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    Options, Store,
    namespace::{Key, Kind},
    store::{Content, Transaction},
    tier::{Tier, Tiers},
    value::{Extent, Stored, Value},
};
use futures::{StreamExt as _, stream::BoxStream};
use parking_lot::Mutex;

/// A tier in memory.
#[derive(Default)]
struct Shelf {
    blobs: Mutex<BTreeMap<BlobId, Vec<u8>>>,
    alters: AtomicBool,
    fails: AtomicBool,
}

#[async_trait::async_trait]
impl Tier for Shelf {
    async fn put(&self, id: BlobId, len: u64, mut content: BoxStream<'static, Result<Bytes>>) -> Result<()> {
        let mut all = Vec::new();
        while let Some(piece) = content.next().await {
            all.extend_from_slice(&piece?);
        }
        assert_eq!(all.len() as u64, len);
        if self.alters.load(Ordering::Relaxed) {
            all.iter_mut().skip(60).take(1).for_each(|byte| *byte ^= 1);
        }
        self.blobs.lock().insert(id, all);
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "Down", "down"));
        }
        Ok(())
    }

    async fn read(&self, id: BlobId, range: Range<u64>) -> Result<Bytes> {
        let blobs = self.blobs.lock();
        let blob = blobs
            .get(&id)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "NoSuchBlob", "none"))?;
        let piece = blob.get(range.start as usize..range.end as usize);
        piece
            .map(Bytes::copy_from_slice)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "InvalidRange", "past the end"))
    }

    async fn delete(&self, id: BlobId) -> Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "Down", "down"));
        }
        self.blobs.lock().remove(&id);
        Ok(())
    }

    fn put_memory(&self) -> u64 {
        0
    }
}

struct Case {
    store: Arc<Store>,
    cold: Arc<Shelf>,
    disk: SimDisk,
}

const BUCKET: BucketId = BucketId(7);

const CONTENT_LEN: usize = 3 << 20;

fn object() -> Key {
    Key {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind: Kind::Object,
        name: Bytes::from_static(b"a"),
    }
}

fn open(disk: &SimDisk, cold: &Arc<Shelf>, seed: u64) -> Arc<Store> {
    let store = Store::open(Options {
        disk: Arc::new(disk.clone()),
        memory: ByteSize::mib(64),
        clock: Arc::new(SimClock::default()),
        random: Arc::new(SimRandom::new(seed)),
        inline_commits: true,
    })
    .expect("it works");
    let frozen = Arc::new(Shelf::default());
    let all: [(String, Arc<dyn Tier>); 2] = [("COLD".into(), cold.clone()), ("FROZEN".into(), frozen)];
    store.use_tiers(Tiers::new(all).expect("it works"));
    Arc::new(store)
}

async fn case() -> Case {
    let disk = SimDisk::new();
    let cold = Arc::new(Shelf::default());
    let store = open(&disk, &cold, 1);
    let key = store.make_bucket_key(BUCKET).expect("it works");
    let made = Transaction {
        plain: vec![key],
        ..Transaction::default()
    };
    store.commit(made).await.expect("it works");
    let mut upload = store.upload(&object(), None).await.expect("it works");
    upload.write(plain()).await.expect("it works");
    let value = Value {
        content: vec![upload.finish().await.expect("it works")],
        kept: true,
        ..Value::default()
    };
    let transaction = Transaction {
        puts: vec![(object(), value)],
        ..Transaction::default()
    };
    store.commit(transaction).await.expect("it works");
    Case { store, cold, disk }
}

fn plain() -> Bytes {
    (0..CONTENT_LEN).map(|n| (n % 251) as u8).collect()
}

fn stored(store: &Store) -> Stored {
    store
        .get(&object(), Sequence::MAX)
        .expect("it works")
        .expect("it works")
}

async fn read(store: &Store, stored: &Stored) -> Result<Vec<u8>> {
    let range = 0..stored.value.len();
    let mut out = Vec::new();
    match store.content(&stored.key, &stored.value, range, None)? {
        Content::Whole(bytes) => out.extend_from_slice(&bytes),
        Content::Stream(mut stream) => {
            while let Some(piece) = stream.next().await {
                out.extend_from_slice(&piece?);
            }
        }
    }
    Ok(out)
}

async fn amend(store: &Arc<Store>, old: Stored, content: Vec<Extent>) {
    let value = Value {
        content,
        ..old.value.clone()
    };
    let transaction = Transaction {
        amends: vec![(old, value)],
        ..Transaction::default()
    };
    store.commit(transaction).await.expect("it works");
}

async fn send(case: &Case, tier: &str) {
    let old = stored(&case.store);
    let content = case
        .store
        .send_out(&old.value.content, tier)
        .await
        .expect("it works");
    amend(&case.store, old, content).await;
}

fn local_blobs(store: &Store) -> usize {
    let mut count = 0;
    let blobs = store.parts().blobs.clone();
    blobs
        .list(&mut |_| {
            count += 1;
            Ok(())
        })
        .expect("it works");
    count
}

fn collect(store: &Store) {
    store.collect(Timestamp(0)).expect("it works");
}

#[tokio::test]
async fn content_moves_and_is_read_where_it_is() {
    let case = case().await;
    let before = stored(&case.store);
    send(&case, "COLD").await;
    collect(&case.store);
    assert_eq!(local_blobs(&case.store), 0);
    assert_eq!(case.cold.blobs.lock().len(), 1);
    assert_eq!(case.store.listed_at_tiers(10).expect("it works"), 0);
    let found = stored(&case.store);
    assert_eq!(found.value.content[0].tier.as_deref(), Some("COLD"));
    assert_eq!(read(&case.store, &found).await.expect("it works"), plain());
    // Who read the row before it moved finds the content too.
    assert_eq!(read(&case.store, &before).await.expect("it works"), plain());
}

#[tokio::test]
async fn what_a_tier_holds_is_sealed() {
    let case = case().await;
    send(&case, "COLD").await;
    let blobs = case.cold.blobs.lock();
    let held = blobs.values().next().expect("it works");
    let piece = &plain()[..64];
    assert!(!held.windows(64).any(|w| w == piece));
}

#[tokio::test]
async fn from_tier_to_tier_and_away() {
    let case = case().await;
    send(&case, "COLD").await;
    send(&case, "FROZEN").await;
    assert_eq!(case.store.listed_at_tiers(10).expect("it works"), 1);
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 1);
    assert!(case.cold.blobs.lock().is_empty());
    let found = stored(&case.store);
    assert_eq!(read(&case.store, &found).await.expect("it works"), plain());
    let transaction = Transaction {
        removes: vec![found],
        ..Transaction::default()
    };
    case.store.commit(transaction).await.expect("it works");
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 1);
    assert_eq!(case.store.listed_at_tiers(10).expect("it works"), 0);
}

#[tokio::test]
async fn a_copy_comes_back_and_goes_again() {
    let case = case().await;
    send(&case, "COLD").await;
    let old = stored(&case.store);
    let content = case.store.bring_back(&old.value.content).await.expect("it works");
    amend(&case.store, old, content).await;
    collect(&case.store);
    assert_eq!(local_blobs(&case.store), 1);
    let with_copy = stored(&case.store);
    // It is the copy that is read.
    case.cold.blobs.lock().clear();
    assert_eq!(read(&case.store, &with_copy).await.expect("it works"), plain());
    let mut content = with_copy.value.content.clone();
    content
        .iter_mut()
        .take(1)
        .for_each(|extent| extent.copied = false);
    amend(&case.store, with_copy, content).await;
    collect(&case.store);
    assert_eq!(local_blobs(&case.store), 0);
}

#[tokio::test]
async fn a_copy_that_no_commit_names_goes_by_itself() {
    let case = case().await;
    send(&case, "COLD").await;
    collect(&case.store);
    let old = stored(&case.store);
    drop(case.store.bring_back(&old.value.content).await.expect("it works"));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(local_blobs(&case.store), 0);
    assert_eq!(read(&case.store, &old).await.expect("it works"), plain());
}

#[tokio::test]
async fn what_was_sent_and_not_named_is_deleted_there() {
    let case = case().await;
    let old = stored(&case.store);
    let sent = case
        .store
        .send_out(&old.value.content, "COLD")
        .await
        .expect("it works");
    assert_eq!(case.store.listed_at_tiers(10).expect("it works"), 1);
    // Not while someone may yet name it.
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 0);
    let again = case.store.send_out(&old.value.content, "COLD").await;
    assert_eq!(again.unwrap_err().reason(), "BlobMoves");
    drop(sent);
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 1);
    assert!(case.cold.blobs.lock().is_empty());
    assert_eq!(read(&case.store, &old).await.expect("it works"), plain());
}

#[tokio::test]
async fn a_tier_that_alters_or_fails_gets_nothing_named() {
    let case = case().await;
    let old = stored(&case.store);
    case.cold.alters.store(true, Ordering::Relaxed);
    let altered = case.store.send_out(&old.value.content, "COLD").await;
    assert_eq!(altered.unwrap_err().reason(), "TierAltersContent");
    case.cold.alters.store(false, Ordering::Relaxed);
    case.cold.fails.store(true, Ordering::Relaxed);
    let failed = case.store.send_out(&old.value.content, "COLD").await;
    assert_eq!(failed.unwrap_err().reason(), "Down");
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 0);
    assert_eq!(case.store.listed_at_tiers(10).expect("it works"), 1);
    case.cold.fails.store(false, Ordering::Relaxed);
    assert_eq!(case.store.collect_tiers().await.expect("it works"), 1);
    let unknown = case.store.send_out(&old.value.content, "OTHER").await;
    assert_eq!(unknown.unwrap_err().reason(), "NoSuchTier");
    assert_eq!(read(&case.store, &old).await.expect("it works"), plain());
}

/// The disk loses power after each of its operations in turn, in a move, in a restore and in the removal: what was
/// committed is there, what was not is where it was, and after a collection nothing is left over anywhere.
#[tokio::test]
async fn a_power_cut_at_any_point_loses_nothing() {
    for cut in 1.. {
        let case = case().await;
        case.disk.stop_after(cut);
        let moved = whole_life(&case).await;
        let finished = moved.is_ok();
        let Case { store, cold, disk } = case;
        drop(store);
        let disk = disk.power_cut(cut);
        let store = open(&disk, &cold, 1000 + cut);
        if let Some(found) = store.get(&object(), Sequence::MAX).expect("it works") {
            assert_eq!(
                read(&store, &found).await.expect("it works"),
                plain(),
                "cut {cut}"
            );
            collect(&store);
            store.collect_tiers().await.expect("it works");
            assert_eq!(
                read(&store, &found).await.expect("it works"),
                plain(),
                "cut {cut}"
            );
            assert_eq!(
                cold.blobs.lock().len(),
                found.value.remote_blobs().count(),
                "cut {cut}"
            );
            assert_eq!(local_blobs(&store), found.value.blobs().count(), "cut {cut}");
        } else {
            collect(&store);
            store.collect_tiers().await.expect("it works");
            assert!(cold.blobs.lock().is_empty(), "cut {cut}");
            assert_eq!(local_blobs(&store), 0, "cut {cut}");
        }
        assert_eq!(store.listed_at_tiers(10).expect("it works"), 0, "cut {cut}");
        if finished {
            return;
        }
    }
}

/// Sent to a tier, brought back, let go, and removed.
async fn whole_life(case: &Case) -> Result<()> {
    let store = &case.store;
    let amend = async |content: Vec<Extent>| {
        let old = stored(store);
        let value = Value {
            content,
            ..old.value.clone()
        };
        let amends = vec![(old, value)];
        let transaction = Transaction {
            amends,
            ..Transaction::default()
        };
        store.commit(transaction).await
    };
    let old = stored(store);
    amend(store.send_out(&old.value.content, "COLD").await?).await?;
    let old = stored(store);
    let mut content = store.bring_back(&old.value.content).await?;
    amend(content.clone()).await?;
    content
        .iter_mut()
        .take(1)
        .for_each(|extent| extent.copied = false);
    amend(content).await?;
    let transaction = Transaction {
        removes: vec![stored(store)],
        ..Transaction::default()
    };
    store.commit(transaction).await?;
    store.collect(Timestamp(0))?;
    store.collect_tiers().await.map(drop)
}
