//! Both implementations against the conformance suite and against each other; redb's failure handling.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Clock, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use parking_lot::Mutex;
use proptest::prelude::*;

use super::{
    Batch, Change, Direction, Key, Kind, Namespace, Precondition, Span, conformance,
    encoding::{self, Row, Says},
    memory::MemoryNamespace,
    redb::RedbNamespace,
};
use crate::disk::File;

/// A clock that goes on by a millisecond a look, and now and then back.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let looks = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp(1_000_000 + looks * 1000 - if looks % 5 == 4 { 2500 } else { 0 })
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A file in memory that can be told to fail.
#[derive(Default)]
pub(crate) struct TestFile {
    bytes: Mutex<Vec<u8>>,
    /// Writes, flushes and changes of length fail.
    broken: AtomicBool,
    /// Changes that reached the file while it was broken or after.
    writes: AtomicU64,
    syncs: AtomicU64,
}

impl TestFile {
    fn change(&self) -> Result<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Internal, "Io", "the disk is broken"));
        }
        Ok(())
    }
}

impl File for TestFile {
    fn len(&self) -> Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change()?;
        self.bytes.lock().resize(len as usize, 0);
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let from = offset as usize;
        let bytes = self.bytes.lock();
        let found = bytes.get(from..from + out.len());
        out.copy_from_slice(found.ok_or_else(|| Error::corrupt("the file ends before"))?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.change()?;
        let from = offset as usize;
        self.bytes.lock()[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.change()
    }

    fn try_lock(&self) -> Result<bool> {
        Ok(true)
    }
}

fn open(file: &Arc<TestFile>) -> RedbNamespace {
    RedbNamespace::open(file.clone(), 1 << 20, Arc::new(TestClock::default())).unwrap()
}

fn key(kind: Kind, name: impl Into<Bytes>) -> Key {
    Key {
        bucket: BucketId(1),
        branch: BranchId::MAIN,
        kind,
        name: name.into(),
    }
}

fn put(name: &'static str, value: impl Into<Bytes>) -> Batch {
    Batch {
        preconditions: vec![],
        changes: vec![Change::Put(key(Kind::Object, name), value.into())],
    }
}

#[test]
fn memory_conforms() {
    conformance::all(&|| Arc::new(MemoryNamespace::new(Arc::new(TestClock::default()))));
}

#[test]
fn redb_conforms() {
    conformance::all(&|| Arc::new(open(&Arc::default())));
}

#[test]
fn redb_conforms_when_large() {
    conformance::all(&|| Arc::new(open(&Arc::default()).with_quick_open_from(0)));
}

#[test]
fn what_is_committed_is_there_after_opening_again() {
    let file = Arc::<TestFile>::default();
    let namespace = open(&file);
    let made = namespace.commit(&[put("a", "1"), put("b", "2")]).unwrap();
    let last = made[1].as_ref().unwrap();
    drop(namespace);
    let namespace = RedbNamespace::open(file, 1 << 20, Arc::new(SetClock::default())).unwrap();
    assert_eq!(namespace.latest(), last.sequence);
    let again = namespace.commit(&[put("a", "3")]).unwrap();
    let again = again[0].as_ref().unwrap();
    assert_eq!(again.sequence, Sequence(3));
    assert!(again.time >= last.time, "time went back with the clock");
}

/// A clock that stands where it is set, at first at the epoch.
#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn a_commit_is_one_flush() {
    let file = Arc::<TestFile>::default();
    let namespace = open(&file);
    namespace.commit(&[put("a", "1")]).unwrap();
    let before = file.syncs.load(Ordering::Relaxed);
    for _ in 0..20 {
        namespace.commit(&[put("a", "1"), put("b", "2")]).unwrap();
    }
    assert_eq!(file.syncs.load(Ordering::Relaxed) - before, 20);
    let refused = Batch {
        preconditions: vec![Precondition::Absent(key(Kind::Object, "a"))],
        changes: vec![],
    };
    assert!(namespace.commit(&[refused]).unwrap()[0].is_err());
    assert_eq!(
        file.syncs.load(Ordering::Relaxed) - before,
        20,
        "nothing to flush"
    );
}

#[test]
fn after_a_failure_nothing_is_written_and_reads_go_on() {
    let file = Arc::<TestFile>::default();
    // Next to no cache, so that reads reach the file.
    let namespace = RedbNamespace::open(file.clone(), 0, Arc::new(TestClock::default())).unwrap();
    namespace
        .commit(&[put("a", "1"), put("b", vec![5; 100_000])])
        .unwrap();
    file.broken.store(true, Ordering::Relaxed);
    let error = namespace
        .commit(&[put("a", "2"), put("b", vec![6; 3_000_000])])
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Unavailable, "StorePoisoned")
    );
    let changes = file.writes.load(Ordering::Relaxed);
    file.broken.store(false, Ordering::Relaxed);
    let error = namespace.commit(&[put("a", "3")]).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Unavailable, "StorePoisoned")
    );
    assert_eq!(namespace.latest(), Sequence(2));
    for (name, value) in [("a", vec![b'1']), ("b", vec![5; 100_000])] {
        let entry = namespace
            .get(&key(Kind::Object, name), Sequence::MAX)
            .unwrap()
            .unwrap();
        assert!(entry.value == value, "{name} as of the last good commit");
    }
    drop(namespace);
    assert_eq!(
        file.writes.load(Ordering::Relaxed),
        changes,
        "written after a failure"
    );
    let namespace = open(&file);
    assert_eq!(namespace.latest(), Sequence(2));
    namespace.commit(&[put("a", "4")]).unwrap();
}

#[test]
fn a_flipped_bit_in_a_row_is_found() {
    let file = Arc::<TestFile>::default();
    let namespace = open(&file);
    namespace.commit(&[put("a", vec![0x5A; 64])]).unwrap();
    drop(namespace);
    {
        let mut bytes = file.bytes.lock();
        let at = bytes.windows(64).position(|w| w == [0x5A; 64]).unwrap();
        bytes[at + 32] ^= 4;
    }
    let namespace = open(&file);
    let error = namespace.get(&key(Kind::Object, "a"), Sequence::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn only_a_file_that_was_never_finished_is_made_again() {
    let file = Arc::<TestFile>::default();
    file.bytes.lock().resize(1 << 20, 0);
    open(&file).commit(&[put("a", "1")]).unwrap();
    file.bytes.lock()[..512].fill(0);
    let left = file.bytes.lock().clone();
    let refused = RedbNamespace::open(file.clone(), 0, Arc::new(SetClock::default()));
    assert!(refused.is_err(), "a lost header is not an unfinished file");
    assert!(*file.bytes.lock() == left, "what is left of it is kept");
}

#[test]
fn a_lock_that_is_held_refuses() {
    struct Held(TestFile);
    impl File for Held {
        fn len(&self) -> Result<u64> {
            self.0.len()
        }
        fn set_len(&self, len: u64) -> Result<()> {
            self.0.set_len(len)
        }
        fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            self.0.read_at(offset, out)
        }
        fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
            self.0.write_at(offset, data)
        }
        fn sync(&self) -> Result<()> {
            self.0.sync()
        }
        fn try_lock(&self) -> Result<bool> {
            Ok(false)
        }
    }
    let held = Arc::new(Held(TestFile::default()));
    let refused = RedbNamespace::open(held.clone(), 0, Arc::new(SetClock::default()))
        .err()
        .unwrap();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert_eq!(held.0.writes.load(Ordering::Relaxed), 0);
}

/// Few names, of awkward bytes, so that versions pile up.
fn any_name() -> impl Strategy<Value = Bytes> {
    let byte = prop::sample::select(vec![0_u8, 1, b'a', 0xFF]);
    prop::collection::vec(byte, 0..3).prop_map(Bytes::from)
}

fn any_key() -> impl Strategy<Value = Key> {
    let kind = prop::sample::select(vec![Kind::Object, Kind::Object, Kind::Object, Kind::Part]);
    (any_name(), kind).prop_map(|(name, kind)| key(kind, name))
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any_key(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(k, v)| Change::Put(k, v.into())),
        3 => any_key().prop_map(Change::Delete),
        2 => (any_key(), any::<u8>()).prop_map(|(k, v)| Change::Mark(k, vec![v].into())),
        3 => (any_key(), 0..80_u64, any::<u8>()).prop_map(|(k, s, v)| Change::Amend(k, Sequence(s), vec![v].into())),
        2 => (any_key(), 0..80_u64).prop_map(|(k, s)| Change::Erase(k, Sequence(s))),
    ]
}

fn any_span() -> impl Strategy<Value = Span> {
    let kind = prop::sample::select(vec![Kind::Object, Kind::Object, Kind::Part, Kind::Change]);
    (any_name(), prop::option::of(any_name()), kind).prop_map(|(start, end, kind)| {
        let bucket = if kind == Kind::Change {
            BucketId::SYSTEM
        } else {
            BucketId(1)
        };
        Span {
            bucket,
            branch: BranchId::MAIN,
            kind,
            start,
            end,
        }
    })
}

fn any_precondition() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        any_key().prop_map(Precondition::Absent),
        any_key().prop_map(Precondition::Present),
        (any_key(), 0..80_u64).prop_map(|(k, s)| Precondition::At(k, Sequence(s))),
        (any_key(), 0..80_u64).prop_map(|(k, s)| Precondition::UnchangedSince(k, Sequence(s))),
        (any_key(), 0..80_u64, 0..80_u64).prop_map(|(k, s, r)| Precondition::Revision(
            k,
            Sequence(s),
            Sequence(r)
        )),
        any_span().prop_map(Precondition::Empty),
    ]
}

fn any_batch() -> impl Strategy<Value = Batch> {
    let preconditions = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(any_precondition(), 1..3),
    ];
    (preconditions, prop::collection::vec(any_change(), 0..6)).prop_map(|(preconditions, changes)| Batch {
        preconditions,
        changes,
    })
}

#[derive(Debug, Clone)]
struct Look {
    key: Key,
    span: Span,
    at: Sequence,
    after: Option<(Bytes, u64)>,
    limit: usize,
}

fn any_look() -> impl Strategy<Value = Look> {
    let at = prop_oneof![Just(u64::MAX), 0..80_u64].prop_map(Sequence);
    let after = prop::option::of((any_name(), 0..80_u64));
    (any_key(), any_span(), at, after, 0..30_usize).prop_map(|(key, span, at, after, limit)| Look {
        key,
        span,
        at,
        after,
        limit,
    })
}

fn same(model: &dyn Namespace, real: &dyn Namespace, look: &Look) -> std::result::Result<(), TestCaseError> {
    prop_assert_eq!(model.latest(), real.latest());
    prop_assert_eq!(
        model.get(&look.key, look.at).unwrap(),
        real.get(&look.key, look.at).unwrap()
    );
    for direction in [Direction::Forward, Direction::Backward] {
        let of = |ns: &dyn Namespace| ns.scan(&look.span, look.at, direction, look.limit).unwrap();
        prop_assert_eq!(of(model), of(real));
    }
    let after = look
        .after
        .as_ref()
        .map(|(name, sequence)| (name.as_ref(), Sequence(*sequence)));
    let of = |ns: &dyn Namespace| ns.history(&look.span, after, look.limit).unwrap();
    prop_assert_eq!(of(model), of(real));
    Ok(())
}

type Told = Vec<std::result::Result<super::Committed, (ErrorKind, String)>>;

fn told(results: Vec<Result<super::Committed>>) -> Told {
    let told = |r: Result<_>| r.map_err(|e| (e.kind(), e.message().to_owned()));
    results.into_iter().map(told).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redb_is_the_model(
        groups in prop::collection::vec((prop::collection::vec(any_batch(), 1..4), any_look()), 1..40),
        looks in prop::collection::vec(any_look(), 20),
    ) {
        let file = Arc::<TestFile>::default();
        let clock = Arc::new(SetClock::default());
        let model = MemoryNamespace::new(clock.clone());
        let mut real = RedbNamespace::open(file.clone(), 1 << 20, clock.clone()).unwrap();
        for (i, (group, look)) in groups.iter().enumerate() {
            // Now and then the clock goes back.
            clock.0.store((i as u64 * 37) % 101, Ordering::Relaxed);
            prop_assert_eq!(told(model.commit(group).unwrap()), told(real.commit(group).unwrap()));
            same(&model, &real, look)?;
            if i == groups.len() / 2 {
                drop(real);
                real = RedbNamespace::open(file.clone(), 1 << 20, clock.clone()).unwrap();
            }
        }
        for look in &looks {
            same(&model, &real, look)?;
        }
    }

    #[test]
    fn keys_keep_their_order_and_come_back(a in any_key(), b in any_key(), x in any::<u64>(), y in any::<u64>()) {
        let (stem_a, stem_b) = (encoding::stem(&a), encoding::stem(&b));
        prop_assert_eq!(encoding::parse_stem(&stem_a).unwrap(), a.clone());
        prop_assert_eq!(stem_a.cmp(&stem_b), a.cmp(&b));
        let version_a = encoding::with_version(&stem_a, Sequence(x));
        let version_b = encoding::with_version(&stem_b, Sequence(y));
        prop_assert_eq!(version_a.cmp(&version_b), a.cmp(&b).then(y.cmp(&x)));
    }

    #[test]
    fn rows_come_back_and_damage_is_found(
        k in any_key(), made in 1..u64::MAX, amended in prop::option::of(1..u64::MAX), form in 0..3,
        bytes in prop::collection::vec(any::<u8>(), 0..40), bit in any::<prop::sample::Index>(),
    ) {
        let history = k.kind.keeps_history();
        let says = match form {
            0 if history => Says::Marked(&bytes),
            1 => Says::Deleted,
            _ => Says::Value(&bytes),
        };
        let revision = amended.filter(|_| history && says != Says::Deleted).unwrap_or(made);
        let written = Row { sequence: Sequence(made), revision: Sequence(revision), says };
        let row_key = encoding::row_key(&k, Sequence(made));
        let mut row = vec![0; written.len(k.kind)];
        written.fill(&mut row, &row_key, k.kind).unwrap();
        prop_assert_eq!(encoding::open_row(&row_key, &row).unwrap(), written);
        let bit = bit.index(row.len() * 8);
        row[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(encoding::open_row(&row_key, &row).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(row_key in prop::collection::vec(any::<u8>(), 0..60), row in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(encoding::open_row(&row_key, &row).is_err() || row.len() >= 5);
        let parsed = encoding::parse_stem(&row_key);
        if let Ok(key) = parsed {
            prop_assert_eq!(encoding::stem(&key), row_key);
        }
    }
}
