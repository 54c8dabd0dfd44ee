//! Threads, flushes, failures.

use std::sync::atomic::AtomicBool;

use craton_base::{Error, Kind as ErrorKind};

use super::*;

/// A journal in memory that counts, waits and fails as it is told.
#[derive(Default)]
struct FakeJournal {
    records: Mutex<Vec<Vec<u8>>>,
    durable: AtomicU64,
    appends: AtomicU64,
    syncs: AtomicU64,
    sync_takes: Duration,
    fail_append: AtomicBool,
    fail_sync: AtomicBool,
}

fn failed() -> Error {
    Error::new(ErrorKind::Internal, "Told", "told to fail")
}

impl RecordJournal for FakeJournal {
    fn append(&self, records: &[&[u8]]) -> Result<u64> {
        if self.fail_append.load(Ordering::SeqCst) {
            return Err(failed());
        }
        self.appends.fetch_add(1, Ordering::SeqCst);
        let mut all = self.records.lock();
        let first = all.len() as u64;
        all.extend(records.iter().map(|record| record.to_vec()));
        Ok(first)
    }

    fn sync(&self) -> Result<()> {
        let end = self.end();
        std::thread::sleep(self.sync_takes);
        if self.fail_sync.load(Ordering::SeqCst) {
            return Err(failed());
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.durable.fetch_max(end, Ordering::SeqCst);
        Ok(())
    }

    fn read(&self, from: u64, end: u64, _: usize, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64> {
        let records = self.records.lock();
        records[from as usize..end as usize]
            .iter()
            .try_for_each(|record| each(record))?;
        Ok(end)
    }

    fn end(&self) -> u64 {
        self.records.lock().len() as u64
    }

    fn release(&self, _: u64) -> Result<()> {
        Ok(())
    }

    fn torn(&self) -> bool {
        false
    }
}

fn with(journal: FakeJournal) -> (World, Arc<FakeJournal>, Ledger) {
    let world = World::new();
    let journal = Arc::new(journal);
    let mut parts = world.parts("kernel");
    parts.journal = journal.clone();
    parts.clock = Arc::new(craton_base::clock::SystemClock::new());
    let ledger = Ledger::open(parts).unwrap();
    (world, journal, ledger)
}

#[test]
fn many_threads_append_and_each_record_is_there_once() {
    let (world, _, ledger) = with(FakeJournal::default());
    let workers = ledger.start_workers().unwrap();
    let per_thread = 2000;
    let made: Vec<RecordId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (ledger, world) = (&ledger, &world);
                scope.spawn(move || {
                    (0..per_thread)
                        .map(|n| {
                            let mut record =
                                read(&format!("user-{}", n % 7), &format!("/b/objects/{thread}/{n}"));
                            match n % 3 {
                                0 => ledger.append_decision(&mut record).unwrap(),
                                1 => ledger.append_outcome(&mut record).unwrap(),
                                _ => world.write(ledger, &record.resource),
                            }
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    drop(workers);
    ledger.integrate().unwrap();
    let mut found = ids(ledger.reader());
    assert_eq!(found.remove(0), RecordId { boot: 1, counter: 0 });
    let mut made = made;
    made.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, made);
    let verified = ledger.reader().verify(VerifyOptions::default()).unwrap();
    assert_eq!(
        (verified.records, verified.waiting),
        (1 + 4 * per_thread as u64, 0)
    );
    ledger.close().unwrap();
}

#[test]
fn outcomes_ride_with_the_next_decision() {
    let (_world, journal, ledger) = with(FakeJournal::default());
    for _ in 0..5 {
        ledger.append_outcome(&mut read("alice", "/b")).unwrap();
    }
    assert_eq!((journal.appends.load(Ordering::SeqCst), journal.end()), (0, 0));
    ledger.append_decision(&mut read("alice", "/b")).unwrap();
    assert_eq!((journal.appends.load(Ordering::SeqCst), journal.end()), (1, 6));
    // They do not pile up either.
    for _ in 0..1000 {
        ledger.append_outcome(&mut read("alice", "/b")).unwrap();
    }
    assert!(journal.end() > 6 + 800);
}

/// Without anybody asking, what was accepted leaves the process and becomes durable.
#[test]
fn the_flusher_flushes_by_itself() {
    let (_world, journal, ledger) = with(FakeJournal::default());
    let _workers = ledger.start_workers().unwrap();
    ledger.append_outcome(&mut read("alice", "/b")).unwrap();
    let waited = (0..200).find(|_| {
        std::thread::sleep(Duration::from_millis(5));
        journal.durable.load(Ordering::SeqCst) == 1
    });
    assert!(waited.is_some());
    let waited = (0..200).find(|_| {
        std::thread::sleep(Duration::from_millis(5));
        ledger.reader().checkpoint().unwrap().1.size == 2
    });
    assert!(waited.is_some());
}

#[test]
fn strict_waiters_share_flushes() {
    let (_world, journal, ledger) = with(FakeJournal {
        sync_takes: Duration::from_millis(5),
        ..FakeJournal::default()
    });
    let workers = ledger.start_workers().unwrap();
    let before = journal.syncs.load(Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (ledger, journal) = (ledger.clone(), journal.clone());
                tokio::spawn(async move {
                    ledger
                        .append_decision(&mut read("alice", &format!("/b/objects/{n}")))
                        .unwrap();
                    let end = ledger.0.log.newest();
                    ledger.sync().await.unwrap();
                    // This record, and what came before it, was flushed.
                    assert!(end > 0 && journal.durable.load(Ordering::SeqCst) >= end);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(journal.durable.load(Ordering::SeqCst), 64);
    let flushes = journal.syncs.load(Ordering::SeqCst) - before;
    assert!(flushes <= 20, "{flushes} flushes for 64 waiters");
    drop(workers);
    // And without a flusher it flushes in the caller.
    ledger.append_decision(&mut read("alice", "/b")).unwrap();
    futures::executor::block_on(ledger.sync()).unwrap();
    assert_eq!(journal.durable.load(Ordering::SeqCst), 65);
}

fn refuses_everything(ledger: &Ledger) {
    let refused = [
        ledger.append_decision(&mut read("alice", "/b")).unwrap_err(),
        ledger.append_denial(&mut read("alice", "/b")).unwrap_err(),
        ledger.append_outcome(&mut read("alice", "/b")).unwrap_err(),
        ledger.write_change(&mut read("alice", "/b")).unwrap_err(),
        ledger.integrate().unwrap_err(),
        ledger.check().unwrap_err(),
        ledger.flush().unwrap_err(),
        ledger.erase_subject("alice").unwrap_err(),
        ledger.close().unwrap_err(),
        futures::executor::block_on(ledger.sync()).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(
            (error.kind(), error.reason()),
            (ErrorKind::Unavailable, "LedgerUnavailable")
        );
    }
}

#[test]
fn a_failed_append_stops_the_ledger_for_good() {
    let (_world, journal, ledger) = with(FakeJournal::default());
    journal.fail_append.store(true, Ordering::SeqCst);
    assert_eq!(
        ledger
            .append_decision(&mut read("alice", "/b"))
            .unwrap_err()
            .reason(),
        "LedgerUnavailable"
    );
    journal.fail_append.store(false, Ordering::SeqCst);
    refuses_everything(&ledger);
}

#[test]
fn a_failed_flush_stops_the_ledger_and_wakes_who_waits() {
    let (_world, journal, ledger) = with(FakeJournal::default());
    let _workers = ledger.start_workers().unwrap();
    journal.fail_sync.store(true, Ordering::SeqCst);
    let appended = ledger.append_decision(&mut read("alice", "/b"));
    let waited = appended.and_then(|_| futures::executor::block_on(ledger.sync()));
    assert_eq!(waited.unwrap_err().reason(), "LedgerUnavailable");
    journal.fail_sync.store(false, Ordering::SeqCst);
    refuses_everything(&ledger);
}

#[test]
fn a_failed_commit_stops_the_ledger() {
    let world = World::new();
    let mut parts = world.parts("kernel");
    let committer = Arc::new(Committer::start(world.namespace.clone()).unwrap());
    parts.committer = committer.clone();
    let ledger = Ledger::open(parts).unwrap();
    let id = world.decide(&ledger, "alice", "/b/objects/a");
    committer.close();
    assert_eq!(ledger.integrate().unwrap_err().reason(), "LedgerUnavailable");
    refuses_everything(&ledger);
    drop(ledger);
    // What had left the process is there at the next start.
    let ledger = world.open();
    assert!(ids(ledger.reader()).contains(&id));
}

#[test]
fn a_damaged_record_in_memory_or_journal_never_gets_a_leaf() {
    let (_world, journal, ledger) = with(FakeJournal::default());
    ledger.append_decision(&mut read("alice", "/b")).unwrap();
    // Not kept: as if it had been read back.
    ledger.0.log.take(0, 0, &mut |_| Ok(())).unwrap();
    let mut change = ledger.write_change(&mut read("alice", "/b")).unwrap();
    let Change::Put(_, value) = &mut change else {
        panic!("a put")
    };
    let mut bad = value.to_vec();
    *bad.last_mut().unwrap() ^= 1;
    *value = bad.into();
    let namespace = &ledger.reader().values.namespace;
    namespace
        .commit(&[Batch {
            preconditions: vec![],
            changes: vec![change],
        }])
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(ledger.integrate().unwrap_err().reason(), "LedgerUnavailable");
    assert_eq!(ledger.reader().checkpoint().unwrap().1.size, 1);
    assert_eq!(journal.end(), 1);
}
