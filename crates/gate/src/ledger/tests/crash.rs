//! The power goes at any operation of the disk; namespace and journal are on the same disk.

use std::collections::BTreeSet;

use craton_store::{disk::Disk as _, namespace::redb::RedbNamespace};

use super::*;

const FILE: &str = "namespace.redb";

/// What a run of the ledger was told is durable, or at least done.
#[derive(Default)]
struct Told {
    /// Flushed or committed: must be there whatever happens.
    durable: BTreeSet<RecordId>,
    /// Left the process, not flushed.
    floating: BTreeSet<RecordId>,
}

struct Machine {
    disk: SimDisk,
    clock: SimClock,
    random: Arc<SimRandom>,
    told: Told,
    kernel: u32,
}

impl Machine {
    fn new() -> Self {
        let disk = SimDisk::new();
        // A namespace that exists: how it begins is the store's concern.
        let file = disk.create(FILE).unwrap();
        disk.sync_dir("").unwrap();
        drop(RedbNamespace::open(file, 1 << 20, Arc::new(SimClock::default())).unwrap());
        let random = Arc::new(SimRandom::new(3));
        Self {
            disk,
            clock: SimClock::default(),
            random,
            told: Told::default(),
            kernel: 0,
        }
    }

    fn open(&self) -> Result<(Arc<RedbNamespace>, Ledger)> {
        let clock = Arc::new(self.clock.clone());
        let namespace = Arc::new(RedbNamespace::open(
            self.disk.open(FILE)?,
            1 << 20,
            clock.clone(),
        )?);
        let ledger = Ledger::open(LedgerParts {
            namespace: namespace.clone(),
            committer: Arc::new(Committer::inline(namespace.clone())),
            journal: Arc::new(Journal::open_with(Arc::new(self.disk.clone()), 2048)?),
            key: key(),
            clock,
            random: self.random.clone(),
            kernel_boot_id: self.kernel.to_string(),
        })?;
        Ok((namespace, ledger))
    }

    /// A stretch of work until the end or the first failure.
    fn work(&mut self) -> Result<()> {
        let (namespace, ledger) = self.open()?;
        for n in 0..14u32 {
            self.clock.advance(Duration::from_millis(1));
            let mut record = read(["alice", "bob", ""][n as usize % 3], &format!("/b/objects/{n}"));
            match n % 4 {
                0 => {
                    let change = ledger.write_change(&mut record)?;
                    let batch = Batch {
                        preconditions: vec![],
                        changes: vec![change],
                    };
                    namespace.commit(&[batch])?.remove(0)?;
                    self.told.durable.insert(record.id());
                }
                1 => drop(ledger.append_outcome(&mut record)?),
                _ => drop(self.told.floating.insert(ledger.append_decision(&mut record)?)),
            }
            if n % 3 == 2 {
                ledger.flush()?;
                self.told.durable.append(&mut self.told.floating);
            }
            if n % 5 == 4 {
                ledger.integrate()?;
                self.told.durable.append(&mut self.told.floating);
            }
        }
        if self.kernel.is_multiple_of(2) {
            ledger.close()?;
            self.told.durable.append(&mut self.told.floating);
        }
        Ok(())
    }

    /// The power goes: another kernel, and what survived.
    fn cut(&mut self, seed: u64) {
        self.disk = self.disk.power_cut(seed);
        self.kernel += 1;
        self.clock.advance(Duration::from_secs(1));
    }

    /// Opens, and compares what is there with what was told.
    fn check(&mut self, what: &str) {
        let (_namespace, ledger) = self.open().unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let found = ids(ledger.reader());
        let once: BTreeSet<_> = found.iter().copied().collect();
        assert_eq!(once.len(), found.len(), "{what}: a record is there twice");
        let lost: Vec<_> = self.told.durable.difference(&once).collect();
        assert!(lost.is_empty(), "{what}: lost {lost:?}");
        if !self.told.floating.is_subset(&once) {
            assert!(
                !gaps(ledger.reader()).is_empty(),
                "{what}: reads are missing and there is no gap"
            );
        }
        self.told.floating.retain(|id| once.contains(id));
        self.told.durable.append(&mut self.told.floating);
        ledger
            .reader()
            .verify(VerifyOptions::default())
            .unwrap_or_else(|e| panic!("{what}: {e:?}"));
    }
}

fn times(default: u64) -> u64 {
    std::env::var("CRATON_LEDGER_CRASHES").map_or(default, |text| text.parse().unwrap())
}

/// The power goes at every single operation, and again at some operation of the start that follows.
#[test]
fn no_crash_loses_or_doubles_a_record() {
    let mut whole = Machine::new();
    whole.work().unwrap();
    let operations = whole.disk.operations().total;
    assert!(operations > 100, "{operations}");
    for n in 1..=operations {
        for seed in 0..times(2) {
            let what = format!("operation {n}, seed {seed}");
            let mut machine = Machine::new();
            machine.disk.stop_after(n);
            let _ = machine.work();
            machine.cut(seed);
            machine.disk.stop_after(1 + (n * 7 + seed * 13) % 60);
            let _ = machine.work();
            machine.cut(seed + 1);
            machine.check(&what);
        }
    }
}

/// A process is killed, not the machine: nothing that left it is missing, and there is no gap.
#[test]
fn a_kill_at_any_operation_loses_nothing_that_left() {
    let mut whole = Machine::new();
    whole.work().unwrap();
    for n in 1..=whole.disk.operations().total {
        let mut machine = Machine::new();
        machine.disk.stop_after(n);
        let _ = machine.work();
        machine.disk.heal();
        let (_namespace, ledger) = machine.open().unwrap();
        let found: BTreeSet<_> = ids(ledger.reader()).into_iter().collect();
        let Told { durable, floating } = &machine.told;
        assert!(
            durable.is_subset(&found) && floating.is_subset(&found),
            "operation {n}"
        );
        ledger.reader().verify(VerifyOptions::default()).unwrap();
    }
}

/// One operation fails and the disk goes on: the ledger has stopped, and nothing is lost.
#[test]
fn one_failure_stops_the_ledger_and_loses_nothing() {
    let mut whole = Machine::new();
    whole.work().unwrap();
    for n in 1..=whole.disk.operations().total {
        let mut machine = Machine::new();
        machine.disk.fail_after(n);
        let _ = machine.work();
        machine.cut(n);
        machine.check(&format!("operation {n}"));
    }
}

/// The ledger always reads at the newest sequence, so none of its kinds may have a past that is read instead.
#[test]
fn the_kinds_of_the_ledger_keep_no_history() {
    for kind in [
        Kind::Ledger,
        Kind::LedgerPending,
        Kind::LedgerSubject,
        Kind::Setting,
    ] {
        assert!(!kind.keeps_history());
    }
}
