//! The namespace on a disk that loses power: random groups of batches, the power cut or the disk failing at a
//! random operation, opened again, and compared with the model. What was acknowledged is there; of the
//! group that was under way all is there or nothing. The same where first only the process ends, after a failed
//! flush of which the system shows what never reached the disk.
//!
//! `CRATON_POWER_CUTS` is how many cuts to make (500 if not set), `CRATON_SEED` the first seed (1): a failure
//! prints the seed of its run, which alone repeats it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Sequence, Timestamp};
use craton_sim::{SimClock, SimDisk, random::SplitMix};
use craton_store::disk::Disk;
use craton_store::namespace::{
    Batch, Change, Direction, Key, Kind, Namespace, Precondition, Span, Version, memory::MemoryNamespace,
    redb::RedbNamespace,
};

const FILE: &str = "namespace";
const CACHE_BYTES: usize = 1 << 20;

/// Cuts on one disk before a new one is taken.
const CUTS_A_RUN: u64 = 25;

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |s| s.parse().expect("a number"));
    let cuts: u64 = number("CRATON_POWER_CUTS", 500);
    let first: u64 = number("CRATON_SEED", 1);
    let mut ends = Ends::default();
    for run in 0..cuts.div_ceil(CUTS_A_RUN) {
        let seed = first + run;
        let told = Told(seed);
        let mut run = Run::new(seed);
        run.go(CUTS_A_RUN.min(cuts - ends.cuts));
        ends.add(run.ends);
        drop(told);
    }
    println!("{ends:?}");
    if cuts >= 500 {
        assert!(
            ends.lost > 0 && ends.kept > 0,
            "both ends of a cut group were seen: {ends:?}"
        );
    }
}

/// How the cuts ended: with no group under way, or with one that was lost or kept.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    cuts: u64,
    commits: u64,
    lost: u64,
    kept: u64,
}

impl Ends {
    fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.commits += other.commits;
        self.lost += other.lost;
        self.kept += other.kept;
    }
}

/// Tells the seed if its run panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "repeat with CRATON_SEED={} CRATON_POWER_CUTS={CUTS_A_RUN}",
                self.0
            );
        }
    }
}

struct Run {
    random: SplitMix,
    clock: Arc<SimClock>,
    disk: SimDisk,
    model: MemoryNamespace,
    ends: Ends,
    /// Commits as a large namespace does: see `with_quick_open_from`.
    quick: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(SimClock::new(Timestamp::from_seconds(1)));
        let disk = SimDisk::new();
        disk.create(FILE).expect("the disk works");
        disk.sync_dir("").expect("the disk works");
        Self {
            random: SplitMix::new(seed),
            model: MemoryNamespace::new(clock.clone()),
            clock,
            disk,
            ends: Ends::default(),
            quick: seed.is_multiple_of(3),
        }
    }

    fn go(&mut self, cuts: u64) {
        for _ in 0..cuts {
            self.one_cut();
        }
    }

    /// Opens, commits until the disk fails or for long enough, cuts the power, opens, compares.
    fn one_cut(&mut self) {
        let operations = self.random.below(120) + 1;
        // Rarely the failing operation is in the opening itself.
        let early = self.random.chance(15);
        if early {
            self.disk.stop_after(operations);
        }
        let mut under_way = None;
        if let Ok(namespace) = self.open() {
            if !early {
                match self.random.below(3) {
                    0 => self.disk.fail_after(operations),
                    _ => self.disk.stop_after(operations),
                }
            }
            for _ in 0..self.random.below(12) {
                let group = self.group();
                if let Some(failed) = self.commit(&namespace, group) {
                    under_way = Some(failed);
                    break;
                }
            }
        }
        // Now and then only the process ends, and what the next one commits is built upon what it finds.
        let next = self
            .random
            .chance(25)
            .then(|| self.next_process(under_way.take()));
        let seed = self.random.next();
        self.disk = self.disk.power_cut(seed);
        drop(next);
        let namespace = self.open().expect("what a power cut left opens");
        self.compare(&namespace, under_way);
        self.ends.cuts += 1;
    }

    fn next_process(&mut self, under_way: Option<MemoryNamespace>) -> RedbNamespace {
        self.disk.heal();
        let namespace = self.open().expect("what a process left opens");
        self.compare(&namespace, under_way);
        for _ in 0..self.random.below(3) {
            let group = self.group();
            assert!(self.commit(&namespace, group).is_none(), "a healthy disk");
        }
        namespace
    }

    fn open(&self) -> craton_base::Result<RedbNamespace> {
        let namespace = RedbNamespace::open(self.disk.open(FILE)?, CACHE_BYTES, self.clock.clone())?;
        Ok(if self.quick {
            namespace.with_quick_open_from(0)
        } else {
            namespace
        })
    }

    /// Commits a group to both; `Some` is the model with a group that failed.
    fn commit(&mut self, namespace: &RedbNamespace, group: Vec<Batch>) -> Option<MemoryNamespace> {
        self.clock.advance(Duration::from_millis(1));
        let next = self.model.fork();
        let expected = next.commit(&group).expect("the model never fails");
        let Ok(results) = namespace.commit(&group) else {
            assert_eq!(
                namespace.latest(),
                self.model.latest(),
                "a failed commit is not visible"
            );
            self.disk.heal();
            let again = namespace
                .commit(&group)
                .expect_err("nothing is written after a failure");
            assert_eq!(again.reason(), "StorePoisoned");
            // Where it was a read that failed, the engine answers no further ones.
            match try_dump(namespace) {
                Ok(found) => assert_eq!(found, dump(&self.model), "reads go on as of the last good commit"),
                Err(e) => assert_eq!(e.kind(), craton_base::Kind::Unavailable),
            }
            return Some(next);
        };
        assert_eq!(results.len(), expected.len());
        for (result, expected) in results.into_iter().zip(expected) {
            assert_eq!(
                result.ok(),
                expected.ok(),
                "a batch was answered unlike the model"
            );
        }
        self.model = next;
        self.ends.commits += 1;
        None
    }

    fn compare(&mut self, namespace: &RedbNamespace, under_way: Option<MemoryNamespace>) {
        let found = dump(namespace);
        let failed = under_way.is_some();
        if let Some(next) = under_way
            && namespace.latest() == next.latest()
            && found == dump(&next)
        {
            self.model = next;
            self.ends.kept += 1;
            return;
        }
        self.ends.lost += u64::from(failed);
        assert_eq!(
            namespace.latest(),
            self.model.latest(),
            "acknowledged commits are there"
        );
        assert_eq!(found, dump(&self.model), "as they were");
    }

    fn group(&mut self) -> Vec<Batch> {
        (0..self.random.below(4) + 1).map(|_| self.batch()).collect()
    }

    fn batch(&mut self) -> Batch {
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..self.random.below(5) + 1 {
            let key = self.key();
            let history = key.kind.keeps_history();
            let change = match self.random.below(12) {
                0..=6 => Change::Put(key, self.value()),
                7 => Change::Erase(key, self.version()),
                8 if history => Change::Mark(key, self.value()),
                9 if history => Change::Amend(key, self.version(), self.value()),
                _ => Change::Delete(key),
            };
            changes.push(change);
        }
        let mut preconditions = Vec::new();
        if self.random.chance(10) {
            preconditions.push(Precondition::Absent(self.key()));
        }
        Batch {
            preconditions,
            changes,
        }
    }

    fn version(&mut self) -> Sequence {
        Sequence(self.random.below(self.model.latest().0 + 1))
    }

    fn key(&mut self) -> Key {
        let kinds = [Kind::Object, Kind::Part, Kind::Ledger];
        let kind = kinds[self.random.below(3) as usize];
        let name = format!("name/{:03}", self.random.below(60));
        Key {
            bucket: BucketId(1),
            branch: BranchId::MAIN,
            kind,
            name: Bytes::from(name),
        }
    }

    /// Mostly small, now and then over several pages.
    fn value(&mut self) -> Bytes {
        let len = match self.random.below(20) {
            0 => 9000 + self.random.below(30_000),
            1..=4 => self.random.below(3000),
            _ => self.random.below(200),
        };
        Bytes::from(vec![self.random.below(256) as u8; len as usize])
    }
}

/// Everything that a namespace holds: the versions of all kinds, and the entries of the change feed.
fn dump(namespace: &dyn Namespace) -> Vec<Version> {
    try_dump(namespace).expect("what is there reads")
}

fn try_dump(namespace: &dyn Namespace) -> craton_base::Result<Vec<Version>> {
    let mut all = Vec::new();
    let kinds = [
        (BucketId(1), Kind::Object),
        (BucketId(1), Kind::Part),
        (BucketId(1), Kind::Ledger),
    ];
    for (bucket, kind) in kinds.into_iter().chain([(BucketId::SYSTEM, Kind::Change)]) {
        let span = Span {
            bucket,
            branch: BranchId::MAIN,
            kind,
            start: Bytes::new(),
            end: None,
        };
        let mut after: Option<(Bytes, Sequence)> = None;
        loop {
            let from = after.as_ref().map(|(name, sequence)| (name.as_ref(), *sequence));
            let versions = namespace.history(&span, from, 10_000)?;
            let Some(last) = versions.last() else { break };
            after = Some((last.key.name.clone(), last.sequence));
            all.extend(versions);
        }
        let forward = namespace.scan(&span, Sequence::MAX, Direction::Forward, 10_000)?;
        let mut backward = namespace.scan(&span, Sequence::MAX, Direction::Backward, 10_000)?;
        backward.entries.reverse();
        assert!(
            forward.more || forward == backward,
            "both directions see the same"
        );
    }
    Ok(all)
}
