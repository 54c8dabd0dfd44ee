//! The ledger as a whole, on a namespace in memory and a journal on a simulated disk.

mod crash;
mod erase;
mod find;
mod receipts;
mod tamper;
mod work;

use std::{sync::Arc, time::Duration};

use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    journal::Journal,
    namespace::{Precondition, memory::MemoryNamespace},
};

use super::*;

/// What outlives a process.
pub(super) struct World {
    pub(super) clock: SimClock,
    pub(super) random: Arc<SimRandom>,
    pub(super) namespace: Arc<MemoryNamespace>,
    pub(super) disk: SimDisk,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = SimClock::default();
        let namespace = Arc::new(MemoryNamespace::new(Arc::new(clock.clone())));
        Self {
            clock,
            random: Arc::new(SimRandom::new(7)),
            namespace,
            disk: SimDisk::new(),
        }
    }

    pub(super) fn parts(&self, kernel: &str) -> LedgerParts {
        LedgerParts {
            namespace: self.namespace.clone(),
            committer: Arc::new(Committer::inline(self.namespace.clone())),
            journal: self.journal(),
            key: key(),
            clock: Arc::new(self.clock.clone()),
            random: self.random.clone(),
            kernel_boot_id: kernel.to_owned(),
        }
    }

    pub(super) fn journal(&self) -> Arc<Journal> {
        Arc::new(Journal::open(Arc::new(self.disk.clone())).unwrap())
    }

    pub(super) fn open(&self) -> Ledger {
        Ledger::open(self.parts("kernel")).unwrap()
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(self.namespace.clone(), &key()).unwrap()
    }

    /// Commits a write with its record, as the gate does.
    pub(super) fn write(&self, ledger: &Ledger, resource: &str) -> RecordId {
        let mut record = read("writer", resource);
        record.kind = RecordKind::Write.into();
        let change = ledger.write_change(&mut record).unwrap();
        self.namespace
            .commit(&[Batch {
                preconditions: vec![],
                changes: vec![change],
            }])
            .unwrap()
            .remove(0)
            .unwrap();
        self.clock.advance(Duration::from_micros(10));
        record.id()
    }

    pub(super) fn decide(&self, ledger: &Ledger, principal: &str, resource: &str) -> RecordId {
        self.clock.advance(Duration::from_micros(10));
        ledger.append_decision(&mut read(principal, resource)).unwrap()
    }
}

pub(super) fn key() -> SealKey {
    SealKey::from_bytes([9; 32])
}

pub(super) fn read(principal: &str, resource: &str) -> Record {
    let mut record = Record::of(RecordKind::Decision);
    record.principal = principal.to_owned();
    record.access_key_id = "AKIAEXAMPLE".to_owned();
    record.source_ip = "192.0.2.1".to_owned();
    record.door = "s3".to_owned();
    record.operation = "GetObject".to_owned();
    record.action = "s3:GetObject".to_owned();
    record.resource = resource.to_owned();
    record.bucket = resource.split('/').nth(1).unwrap_or_default().to_owned();
    record.verdict = Verdict::Allow.into();
    record.statements = vec!["readers#1".to_owned()];
    record.request_id = "4442587FB7D0A2F9".to_owned();
    record
}

/// Everything in the tree, oldest first.
pub(super) fn all(reader: &Reader) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut after = None;
    loop {
        let page = reader
            .list(&Filter {
                after,
                limit: 100,
                ..Filter::default()
            })
            .unwrap();
        out.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    out.reverse();
    out
}

pub(super) fn ids(reader: &Reader) -> Vec<RecordId> {
    all(reader).iter().map(|entry| entry.id).collect()
}

pub(super) fn gaps(reader: &Reader) -> Vec<Record> {
    let filter = Filter {
        kind: Some(RecordKind::Gap),
        ..Filter::default()
    };
    reader
        .list(&filter)
        .unwrap()
        .entries
        .into_iter()
        .filter_map(|entry| entry.record)
        .collect()
}

#[test]
fn reads_outcomes_writes_and_denials_come_into_the_tree() {
    let world = World::new();
    let ledger = world.open();
    let decision = world.decide(&ledger, "alice", "/photos/objects/cat.jpg");
    let mut outcome = read("alice", "/photos/objects/cat.jpg");
    outcome.kind = RecordKind::Outcome.into();
    outcome.result = "ok".to_owned();
    outcome.bytes = 12;
    outcome.refer_to(decision);
    let outcome = ledger.append_outcome(&mut outcome).unwrap();
    let write = world.write(&ledger, "/photos/objects/dog.jpg");
    let mut denial = read("", "/photos/objects/secret");
    denial.kind = RecordKind::Denial.into();
    denial.verdict = Verdict::Unauthenticated.into();
    let denial = ledger.append_denial(&mut denial).unwrap();

    assert_eq!(ledger.integrate().unwrap(), Integrated { records: 4, size: 5 });
    let start = RecordId { boot: 1, counter: 0 };
    assert_eq!(
        ids(ledger.reader()),
        vec![start, decision, outcome, write, denial]
    );
    assert_eq!(
        ledger.reader().get(2).unwrap().record.unwrap().decision(),
        Some(decision)
    );
    assert_eq!(
        ledger.reader().get(4).unwrap().record.unwrap().verdict(),
        Verdict::Unauthenticated
    );
    let verified = ledger.reader().verify(VerifyOptions::default()).unwrap();
    assert_eq!(
        (
            verified.records,
            verified.erased,
            verified.waiting,
            verified.subjects
        ),
        (5, 0, 0, 4)
    );
    assert_eq!(ledger.integrate().unwrap(), Integrated { records: 0, size: 5 });
}

#[test]
fn explain_finds_what_was_just_recorded() {
    let world = World::new();
    let ledger = world.open();
    let mut some = Vec::new();
    for n in 0..700 {
        some.push(world.decide(&ledger, "alice", &format!("/b/objects/{n}")));
        if n % 90 == 0 {
            ledger.integrate().unwrap();
        }
    }
    for (n, id) in some.iter().enumerate().step_by(23).chain([(699, &some[699])]) {
        let record = ledger.explain_id(*id).unwrap().unwrap();
        assert_eq!(record.resource, format!("/b/objects/{n}"));
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), *id);
    }
    let missing = ledger
        .explain_id(RecordId {
            boot: 1,
            counter: 5000,
        })
        .unwrap_err();
    assert_eq!(missing.reason(), "NoSuchRecord");
    ledger.reader().verify(VerifyOptions::default()).unwrap();
}

#[test]
fn a_clean_stop_leaves_no_doubt_and_nothing_behind() {
    let world = World::new();
    let ledger = world.open();
    let id = world.decide(&ledger, "alice", "/b/objects/a");
    ledger.close().unwrap();
    assert_eq!(
        ledger
            .append_decision(&mut read("alice", "/b"))
            .unwrap_err()
            .reason(),
        "LedgerUnavailable"
    );
    assert!(ledger.write_change(&mut read("alice", "/b")).is_err());
    drop(ledger);
    let ledger = Ledger::open(world.parts("another kernel")).unwrap();
    assert!(gaps(ledger.reader()).is_empty());
    let all = ids(ledger.reader());
    assert_eq!(all.len(), 4);
    assert_eq!(all[1], id);
    assert_eq!(all[3], RecordId { boot: 2, counter: 0 });
}

#[test]
fn a_killed_process_loses_nothing_and_leaves_no_gap() {
    let world = World::new();
    let ledger = world.open();
    let read = world.decide(&ledger, "alice", "/b/objects/a");
    let write = world.write(&ledger, "/b/objects/b");
    drop(ledger);
    let ledger = world.open();
    let all = ids(ledger.reader());
    assert!(all.contains(&read) && all.contains(&write), "{all:?}");
    assert!(gaps(ledger.reader()).is_empty());
}

#[test]
fn a_power_cut_leaves_a_gap_from_the_last_flush() {
    let mut world = World::new();
    let ledger = world.open();
    world.clock.advance(Duration::from_secs(10));
    world.decide(&ledger, "alice", "/b/objects/a");
    ledger.flush().unwrap();
    let flushed = world.clock.now();
    world.clock.advance(Duration::from_secs(5));
    let lost = world.decide(&ledger, "alice", "/b/objects/b");
    // A seed with which the unflushed record does not survive.
    let cut = (0..).map(|seed| world.disk.after_cut(seed)).find(|disk| {
        let journal = Journal::open(Arc::new(disk.clone())).unwrap();
        journal.next().0 == 1
    });
    world.disk = cut.unwrap();
    world.clock.advance(Duration::from_secs(100));
    let ledger = Ledger::open(world.parts("another kernel")).unwrap();
    assert!(!ids(ledger.reader()).contains(&lost));
    let [gap] = gaps(ledger.reader()).try_into().unwrap();
    // The flushed record was logged then, and nothing later is known to be there.
    assert_eq!(gap.gap_since_micros, flushed.micros());
    assert_eq!(gap.gap_until_micros, world.clock.now().micros());
    ledger.reader().verify(VerifyOptions::default()).unwrap();
}

#[test]
fn a_lost_journal_leaves_a_gap_and_new_records_are_not_taken_for_old_ones() {
    let mut world = World::new();
    let ledger = world.open();
    for n in 0..20 {
        world.decide(&ledger, "alice", &format!("/b/objects/{n}"));
    }
    ledger.integrate().unwrap();
    drop(ledger);
    world.disk = SimDisk::new();
    let ledger = world.open();
    assert_eq!(gaps(ledger.reader()).len(), 1);
    let id = world.decide(&ledger, "alice", "/b/objects/new");
    ledger.integrate().unwrap();
    assert_eq!(
        ids(ledger.reader()).iter().filter(|known| **known == id).count(),
        1
    );
}

#[test]
fn a_quiet_ledger_notes_that_nothing_is_missing() {
    let world = World::new();
    let ledger = world.open();
    world.clock.advance(Duration::from_secs(3600));
    ledger.flush().unwrap();
    let noted = world.clock.now().micros();
    ledger.0.note_whole(&mut ledger.0.progress.lock()).unwrap();
    world.clock.advance(Duration::from_secs(30));
    let ledger = Ledger::open(world.parts("another kernel")).unwrap();
    assert_eq!(gaps(ledger.reader())[0].gap_since_micros, noted);
}

#[test]
fn a_second_ledger_on_the_same_namespace_is_found_out() {
    let world = World::new();
    let first = world.open();
    let mut parts = world.parts("kernel");
    // A journal of its own: the two would not even share that.
    parts.journal = Arc::new(Journal::open(Arc::new(SimDisk::new())).unwrap());
    let _second = Ledger::open(parts).unwrap();
    world.decide(&first, "alice", "/b/objects/a");
    assert_eq!(first.integrate().unwrap_err().reason(), "LedgerUnavailable");
    assert_eq!(
        first
            .append_decision(&mut read("alice", "/b"))
            .unwrap_err()
            .reason(),
        "LedgerUnavailable"
    );
}

#[test]
fn records_over_a_limit_are_refused_and_take_nothing_along() {
    let world = World::new();
    let ledger = world.open();
    let mut large = read("alice", &"x".repeat(RESOURCE_BYTES_MAX + 1));
    assert_eq!(
        ledger.append_decision(&mut large).unwrap_err().reason(),
        "RecordTooLarge"
    );
    assert_eq!(
        ledger.write_change(&mut large).unwrap_err().reason(),
        "RecordTooLarge"
    );
    let mut fits = read("alice", &"x".repeat(RESOURCE_BYTES_MAX));
    fits.name_statements((0..100).map(|n| format!("{n}#{}", "s".repeat(TEXT_BYTES_MAX - 4))));
    assert_eq!(
        (fits.statements.len(), fits.statements_more),
        (STATEMENTS_MAX, 100 - STATEMENTS_MAX as u32)
    );
    fits.chain = vec!["c".repeat(TEXT_BYTES_MAX); CHAIN_MAX];
    // Every field at its limit: too much together, and said so.
    assert_eq!(
        ledger.append_decision(&mut fits).unwrap_err().reason(),
        "RecordTooLarge"
    );
    fits.chain.truncate(CHAIN_MAX / 2);
    ledger.append_decision(&mut fits).unwrap();
    assert_eq!(ledger.integrate().unwrap().records, 1);
    assert_eq!(ledger.reader().get(1).unwrap().record.unwrap(), fits);
}

#[test]
fn a_precondition_that_fails_takes_the_record_along() {
    let world = World::new();
    let ledger = world.open();
    let change = ledger.write_change(&mut read("alice", "/b/objects/a")).unwrap();
    let missing = values::key(Kind::Setting, b"missing");
    let batch = Batch {
        preconditions: vec![Precondition::Present(missing)],
        changes: vec![change],
    };
    assert!(world.namespace.commit(&[batch]).unwrap()[0].is_err());
    assert_eq!(ledger.integrate().unwrap().records, 0);
}
