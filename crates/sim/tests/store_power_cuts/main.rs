//! The whole store on a disk that loses power: random operations, the power cut, the process killed or the
//! disk failing at a random operation, now and then a second cut while it is being opened again.
//! Then every change that was acknowledged is there with its content, the one that was under way is
//! there as a whole or not at all, every blob that an entry names is owned by it and has its file (ST-1, ST-2),
//! and after a collection no file is left that nothing owns (ST-3).
//!
//! `CRATON_STORE_CUTS` is how many cuts and kills to make (400 if not set), `CRATON_SEED` the first seed (1): a
//! failure prints the seed of its run, which alone repeats it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

mod check;
mod model;
mod world;

use std::sync::Arc;

use craton_base::{Sequence, Timestamp};
use craton_store::Store;

use check::Found;
use model::Step;
use world::World;

/// Ends on one disk before a new one is taken.
const ENDS_A_RUN: u64 = 25;

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |s| s.parse().expect("a number"));
    let ends: u64 = number("CRATON_STORE_CUTS", 400);
    let first: u64 = number("CRATON_SEED", 1);
    let mut tally = Tally::default();
    for run in 0.. {
        if tally.cuts + tally.kills >= ends {
            break;
        }
        let told = Told(first + run);
        Run::new(first + run).go(&mut tally);
        drop(told);
    }
    println!("{tally:?}");
    if ends >= 400 {
        let all = [tally.lost, tally.kept, tally.kills, tally.again, tally.unopened];
        assert!(all.iter().all(|n| *n > 0), "every way to end was seen: {tally:?}");
    }
}

/// How the runs ended.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Power cuts.
    cuts: u64,
    /// Processes killed.
    kills: u64,
    /// Cuts while the store was being opened after one.
    again: u64,
    /// Of those and the first ones, how many kept it from opening.
    unopened: u64,
    commits: u64,
    /// Commits that had not been acknowledged, and were lost.
    lost: u64,
    /// The same, kept.
    kept: u64,
}

/// Tells the seed if its run panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with CRATON_SEED={} CRATON_STORE_CUTS=1", self.0);
        }
    }
}

struct Run {
    world: World,
    tally: Tally,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            tally: Tally::default(),
        }
    }

    fn go(mut self, tally: &mut Tally) {
        for _ in 0..self.world.random.below(3) {
            self.cut_an_opening(400);
        }
        self.world.disk.heal();
        self.world.make_buckets();
        while self.tally.cuts + self.tally.kills < ENDS_A_RUN {
            self.one_end();
        }
        let of = self.tally;
        tally.cuts += of.cuts;
        tally.kills += of.kills;
        tally.again += of.again;
        tally.unopened += of.unopened;
        tally.commits += self.world.commits;
        tally.lost += of.lost;
        tally.kept += of.kept;
    }

    /// Opens, operates until the disk fails or for long enough, ends in some way, opens, checks.
    fn one_end(&mut self) {
        let store = self.world.open().expect("a healthy disk opens");
        let world = &mut self.world;
        let operations = world.random.below(100) + 1;
        let fault = world.random.below(8);
        match fault {
            0..=3 => world.disk.stop_after(operations),
            4 | 5 => world.disk.fail_after(operations),
            6 => world.disk.kill_after(operations),
            _ => {}
        }
        world.faulty = fault != 7;
        for _ in 0..world.random.below(16) {
            // Others go on for a while after a failure.
            if world.operate(&store).is_err() && world.random.chance(50) {
                break;
            }
        }
        // After a single failure either may follow.
        if fault == 6 || (fault == 4 && self.world.random.chance(50)) {
            self.kill(store);
        } else {
            self.cut(store);
        }
        self.world.faulty = false;
        while self.world.random.chance(20) {
            self.cut_an_opening(60);
            self.tally.again += 1;
        }
        self.world.disk.heal();
        let store = self.world.open().expect("what was left opens");
        self.check(&store);
        self.world.drop_store(store);
    }

    fn cut(&mut self, store: Arc<Store>) {
        let seed = self.world.random.next();
        self.world.disk = self.world.disk.power_cut(seed);
        self.world.drop_store(store);
        self.tally.cuts += 1;
    }

    /// The process ends; what it had written, flushed or not, the next one sees.
    fn kill(&mut self, store: Arc<Store>) {
        self.world.disk.kill_after(0);
        self.world.drop_store(store);
        self.tally.kills += 1;
    }

    /// Cuts the power while the store is being opened, or just after.
    fn cut_an_opening(&mut self, operations: u64) {
        let operations = self.world.random.below(operations) + 1;
        self.world.disk.stop_after(operations);
        let opened = self.world.open();
        self.tally.unopened += u64::from(opened.is_err());
        let seed = self.world.random.next();
        self.world.disk = self.world.disk.power_cut(seed);
        self.tally.cuts += 1;
        drop(opened);
    }

    fn check(&mut self, store: &Store) {
        let found = check::read(store).expect("what is there reads");
        self.compare(&found);
        found.check_owners(store, &self.world.disk);
        let collected = store.collect(Timestamp(0)).expect("a healthy disk collects");
        assert_eq!(collected.versions, 0, "no history is as old as that");
        let found = check::read(store).expect("what is there reads");
        assert!(found.versions == self.world.model, "a sweep changes no entry");
        found.check_swept(store, &self.world.disk);
        let runtime = self.world.runtime.clone();
        runtime.block_on(found.check_contents(store));
    }

    /// The store holds what was acknowledged, and the change under way as a whole or not at all.
    fn compare(&mut self, found: &Found) {
        let world = &mut self.world;
        let gone = std::mem::take(&mut world.may_be_gone);
        let maybe = world.maybe.take();
        if let Some(step) = &maybe
            && let Some(sequence) = sequence_of(step, found)
        {
            let mut next = world.model.clone();
            next.apply(step, sequence);
            if next.allows(&found.versions, &gone) {
                world.model = found.versions.clone();
                self.tally.kept += 1;
                return;
            }
        }
        self.tally.lost += u64::from(maybe.is_some());
        assert!(
            world.model.allows(&found.versions, &gone),
            "the store holds something else; it may lack: {gone:#?}\nunder way: {maybe:?}\nmissing: {:#?}\ntoo much: {:#?}",
            world.model.without(&found.versions),
            found.versions.without(&world.model)
        );
        world.model = found.versions.clone();
    }
}

/// The commit that a step was made by, if it was; any for a step that only removes.
fn sequence_of(step: &Step, found: &Found) -> Option<Sequence> {
    let key = step.puts.first().map(|(key, _)| key).or(step.deletes.first());
    let Some(key) = key else {
        return Some(Sequence::MAX);
    };
    let (sequence, _) = found.versions.0.get(key)?.last_key_value()?;
    Some(*sequence)
}
