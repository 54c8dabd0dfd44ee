use std::{sync::Arc, time::Duration};

use craton_base::Timestamp;
use craton_crypto::SealKey;
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    journal::Journal,
    namespace::{committer::Committer, memory::MemoryNamespace},
};

use super::*;
use crate::{
    ledger::{Effect, Ledger, LedgerParts, Record, RecordId, RecordKind, Verdict},
    lineage::{
        columns::{ColumnsRow, pending},
        rows::Touch,
        {ColumnEdge, ColumnSource, ColumnUse, Derived},
    },
};

struct World {
    clock: SimClock,
    ledger: Ledger,
    lineage: Lineage,
    random: Arc<SimRandom>,
}

impl World {
    fn new() -> Self {
        let clock = SimClock::default();
        clock.advance(Duration::from_hours(1000));
        let namespace = Arc::new(MemoryNamespace::new(Arc::new(clock.clone())));
        let committer = Arc::new(Committer::inline(namespace.clone()));
        let random = Arc::new(SimRandom::new(7));
        let ledger = Ledger::open(LedgerParts {
            namespace: namespace.clone(),
            committer: committer.clone(),
            journal: Arc::new(Journal::open(Arc::new(SimDisk::new())).unwrap()),
            key: SealKey::from_bytes([9; 32]),
            clock: Arc::new(clock.clone()),
            random: random.clone(),
            kernel_boot_id: "kernel".to_owned(),
        })
        .unwrap();
        let lineage = Lineage::open(
            namespace,
            committer,
            ledger.clone(),
            (Arc::new(clock.clone()), None),
        )
        .unwrap();
        Self {
            clock,
            ledger,
            lineage,
            random,
        }
    }

    fn touch(&self, whose: (&str, &str), touch: Touch, resource: &str, version: u64) -> RecordId {
        let (principal, run) = whose;
        self.clock.advance(Duration::from_secs(1));
        let mut record = Record::of(RecordKind::Decision);
        record.principal = principal.to_owned();
        record.run = run.to_owned();
        record.resource = format!("/data/objects/{resource}");
        record.bucket = "data".to_owned();
        record.version = version;
        record.verdict = Verdict::Allow.into();
        record.result = "ok".to_owned();
        record.purpose = format!("{principal}'s");
        record.chain = vec!["alice".to_owned()];
        if touch != Touch::Read {
            record.kind = RecordKind::Write.into();
            record.effect = Effect::Made.into();
        }
        self.ledger.append_decision(&mut record).unwrap()
    }

    fn edges(&self, prefix: &[u8]) -> Vec<(EdgeKey, Bytes)> {
        let mut out = Vec::new();
        let mut add = |name: &[u8], value: &[u8]| {
            out.push((EdgeKey::read(name)?, Bytes::copy_from_slice(value)));
            Ok(true)
        };
        self.lineage.each(&[prefix], &mut add).unwrap();
        out.sort_by_key(|(key, _)| *key);
        out
    }

    fn runs(&self) -> Vec<(String, String, RunRow)> {
        let mut out = Vec::new();
        let mut add = |name: &[u8], value: &[u8]| {
            let (principal, run) = rows::run_name(name)?;
            out.push((principal, run, rows::decode(value)?));
            Ok(true)
        };
        self.lineage.each(&[b"R"], &mut add).unwrap();
        out
    }

    /// Each edge has both of its rows.
    fn is_whole(&self) {
        let keys = |prefix| {
            self.edges(prefix)
                .into_iter()
                .map(|(key, _)| key)
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(b"E"), keys(b"V"));
    }

    fn declare(&self, principal: &str, run: &str) {
        let id = rows::run_id(principal, run);
        let changes = [rows::key(&[b"D", &id, &[7; 16], b"r"]), rows::key(&[b"O", &id])];
        let changes = changes.map(|key| Change::Put(key, Bytes::from_static(b"")));
        self.lineage.commit(changes.into()).unwrap();
    }

    fn count(&self, prefix: &[u8]) -> usize {
        self.lineage.count(&[prefix]).unwrap()
    }
}

#[test]
fn what_is_older_goes_and_the_rest_stays() {
    let world = World::new();
    world.touch(("alice", "old"), Touch::Read, "a", 1);
    world.touch(("alice", "old"), Touch::Write, "b", 2);
    world.touch(("bob", "long"), Touch::Read, "a", 1);
    world.declare("alice", "old");
    world.declare("bob", "long");
    world.clock.advance(Duration::from_hours(10));
    let then = craton_base::Clock::now(&world.clock);
    world.touch(("bob", "long"), Touch::Read, "b", 2);
    world.touch(("bob", "new"), Touch::Write, "c", 3);
    let swept = world.lineage.sweep(Timestamp(0)).unwrap();
    assert_eq!(swept, Swept::default());
    assert_eq!((world.count(b"E"), world.count(b"D")), (5, 2));
    let swept = world.lineage.sweep(then).unwrap();
    assert_eq!(swept, Swept { runs: 1, edges: 3 });
    let runs: Vec<String> = world.runs().into_iter().map(|(_, run, _)| run).collect();
    assert_eq!(runs, ["long", "new"]);
    assert_eq!(
        (world.count(b"E"), world.count(b"D"), world.count(b"O")),
        (2, 1, 1)
    );
    world.is_whole();
    // What was touched again is younger.
    assert_eq!(world.lineage.sweep(then).unwrap(), Swept::default());
}

#[test]
fn more_than_a_page_goes_too() {
    let world = World::new();
    for version in 1..=2500 {
        world.touch(("alice", "many"), Touch::Read, "a", version);
    }
    world.clock.advance(Duration::from_secs(1));
    let swept = world
        .lineage
        .sweep(craton_base::Clock::now(&world.clock))
        .unwrap();
    assert_eq!(swept, Swept { runs: 1, edges: 2500 });
    assert_eq!(
        (world.count(b"E"), world.count(b"V"), world.count(b"R")),
        (0, 0, 0)
    );
}

#[test]
fn who_is_forgotten_has_no_name_and_what_others_did_stays_connected() {
    let world = World::new();
    world.touch(("bob", "first"), Touch::Write, "a", 1);
    for version in 1..=1500 {
        world.touch(("alice", "ana's notebook"), Touch::Read, "a", version);
    }
    world.touch(("alice", "ana's notebook"), Touch::Write, "b", 2);
    world.touch(("alice", "another"), Touch::Read, "b", 2);
    world.touch(("bob", "last"), Touch::Read, "b", 2);
    world.declare("alice", "another");
    world.lineage.settle().unwrap();
    let before: Vec<EdgeRow> = world
        .edges(b"E")
        .iter()
        .map(|(_, row)| rows::decode(row).unwrap())
        .collect();
    assert_eq!(world.lineage.erase("alice", &*world.random).unwrap(), 2);
    world.is_whole();
    assert_eq!(world.edges(b"E").len(), before.len());
    let runs = world.runs();
    assert_eq!(runs.len(), 4);
    for (principal, run, row) in &runs {
        let is_forgotten = principal.starts_with(FORGOTTEN);
        assert_eq!(is_forgotten, run.starts_with("run-"), "{principal} {run}");
        assert_eq!(is_forgotten, row.purpose.is_empty());
        assert!(!row.chain.iter().any(|name| name == "alice"));
    }
    for (key, value) in world.edges(b"E") {
        let row: EdgeRow = rows::decode(&value).unwrap();
        assert!(row.principal == "bob" || row.principal.starts_with(FORGOTTEN));
        assert_eq!(
            key.run,
            rows::run_id(&row.principal, &row.run),
            "it is found by its run"
        );
    }
    let totals = |rows: &[EdgeRow]| {
        let sum = |of: fn(&EdgeRow) -> u64| rows.iter().map(of).sum::<u64>();
        (sum(|row| row.count), sum(|row| row.first_micros))
    };
    let after: Vec<EdgeRow> = world
        .edges(b"E")
        .iter()
        .map(|(_, row)| rows::decode(row).unwrap())
        .collect();
    assert_eq!(totals(&before), totals(&after));
    assert_eq!((world.count(b"D"), world.count(b"O")), (0, 0));
    for kind in [b"R".as_slice(), b"E", b"V", b"D"] {
        let look = |name: &[u8], value: &[u8]| {
            for text in [name, value] {
                let text = String::from_utf8_lossy(text);
                assert!(!text.contains("alice") && !text.contains("ana's"), "{text}");
            }
            Ok(true)
        };
        world.lineage.each(&[kind], look).unwrap();
    }
    assert_eq!(world.lineage.erase("alice", &*world.random).unwrap(), 0);
    // Who comes later under that name is somebody new.
    world.touch(("alice", "another"), Touch::Read, "b", 2);
    world.lineage.settle().unwrap();
    assert_eq!(world.runs().len(), 5);
}

#[test]
fn columns_come_to_their_version_and_go_with_it() {
    let world = World::new();
    let resource = "/data/objects/.tables/t/*";
    let made = world.touch(("alice", "run"), Touch::Write, ".tables/t/*", 5);
    let derived = Derived {
        sources: vec![ColumnSource {
            resource: "/data/objects/a.csv".to_owned(),
            bucket: "data".to_owned(),
            version: 0,
        }],
        edges: vec![ColumnEdge {
            column: Some("x".to_owned()),
            source: 0,
            of: "v".to_owned(),
            by: ColumnUse::Aggregation,
        }],
        kept: 4,
        more: false,
    };
    let row = ColumnsRow::of(&derived, resource, "data");
    let said = Change::Put(pending(&made.to_bytes()), rows::encode(&row));
    world.lineage.commit(vec![said]).unwrap();
    world.lineage.settle().unwrap();
    let id = rows::resource_id(resource);
    let found = world.lineage.columns_of(&id, 5).unwrap().unwrap();
    assert_eq!((found.derived, found.version), (derived, 5));
    let csv = rows::resource_id("/data/objects/a.csv");
    assert_eq!(
        world.lineage.columns_from(&csv, 9, 10).unwrap(),
        [(id, 5)],
        "whatever version it was"
    );
    assert_eq!(world.lineage.columns_from(&id, 4, 10).unwrap(), [(id, 5)]);
    assert_eq!(
        (world.count(b"P"), world.count(b"K"), world.count(b"L")),
        (0, 1, 2)
    );
    world.clock.advance(Duration::from_secs(1));
    world
        .lineage
        .sweep(craton_base::Clock::now(&world.clock))
        .unwrap();
    assert_eq!(
        (world.count(b"K"), world.count(b"L"), world.count(b"E")),
        (0, 0, 0)
    );
}
