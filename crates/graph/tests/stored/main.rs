//! Graphs as they are stored: through the gate, on a simulated disk.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod crash;
mod kept;
mod live;
mod parallel;
mod programs;
mod random;
mod reference;
mod rules;
mod server;

use std::collections::BTreeSet;

use craton_base::Kind;
use craton_graph::{Bounds, Facts, Names, Order, Relation, load::Mode};
use craton_sim::{SimDisk, random::SplitMix};
use proptest::prelude::*;

use server::{Server, facts_of, path, rows, runtime};

fn set(facts: &[&str]) -> BTreeSet<String> {
    facts.iter().map(|f| (*f).to_owned()).collect()
}

pub(crate) fn new_server() -> (SimDisk, Server) {
    let disk = SimDisk::new();
    let server = Server::open(&disk, &runtime(), 1).expect("opens");
    server.make_bucket();
    (disk, server)
}

#[test]
fn what_was_loaded_is_there_after_a_restart() {
    let (disk, server) = new_server();
    let text = "(edge a b) (edge b 7) (gene BRCA1 (at chr17 43044295)) (if Z $x (f $y $y)) foo $v () (() ())\n; a comment\n(edge a b)";
    let progress = server.load(path("g", ""), text, Mode::Add).expect("loads");
    assert_eq!((progress.facts, progress.distinct), (9, 8));
    let expected = set(&[
        "(edge a b)",
        "(edge b 7)",
        "(gene BRCA1 (at chr17 43044295))",
        "(if Z $0 (f $1 $1))",
        "foo",
        "$0",
        "()",
        "(() ())",
    ]);
    assert_eq!(server.facts(path("g", "")), expected);
    server.drop();
    let server = Server::open(&disk.power_cut(5), &runtime(), 2).expect("opens");
    assert_eq!(server.facts(path("g", "")), expected);
}

#[test]
fn a_second_load_adds_and_a_removal_removes() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b) (edge b c) (p (q 1))", Mode::Add)
        .expect("loads");
    let before = server.snapshot(path("g", "")).expect("a snapshot");
    server
        .load(path("g", ""), "(edge c d) (edge a b)", Mode::Add)
        .expect("loads");
    server
        .load(path("g", ""), "(edge b c) (p (q 1)) (never there)", Mode::Remove)
        .expect("removes");
    assert_eq!(server.facts(path("g", "")), set(&["(edge a b)", "(edge c d)"]));
    server
        .load(path("g", ""), "(edge b c)", Mode::Add)
        .expect("loads");
    server.compact("g").expect("compacts");
    assert_eq!(
        server.facts(path("g", "")),
        set(&["(edge a b)", "(edge b c)", "(edge c d)"])
    );
    assert_eq!(
        facts_of(&before),
        set(&["(edge a b)", "(edge b c)", "(p (q 1))"]),
        "a snapshot does not change"
    );
    let after = server.snapshot(path("g", "")).expect("a snapshot");
    assert!(after.manifest().levels.iter().all(|l| !l.removes));
}

#[test]
fn a_permit_for_a_prefix_sees_and_changes_only_that() {
    let (_disk, server) = new_server();
    let text = "(edge chr1 a) (edge chr10 b) (edge chr1 c d) (edge chr1) (node chr1 x) chr1 (edge chr1 $x)";
    server.load(path("g", ""), text, Mode::Add).expect("loads");
    let only = path("g", "(edge chr1 ");
    let expected = set(&[
        "(edge chr1 a)",
        "(edge chr1 c d)",
        "(edge chr1)",
        "(edge chr1 $0)",
    ]);
    assert_eq!(server.facts(only.clone()), expected);
    assert!(server.facts(path("g", "(unknown ")).is_empty());
    let snapshot = server.snapshot(only.clone()).expect("a snapshot");
    let edge = snapshot.symbol(b"edge").expect("reads").expect("is known");
    let backwards = Order::new(vec![1, 0]).expect("an order");
    let relation = Relation::with_head(edge, 2);
    assert_eq!(
        rows(&snapshot, &relation, &backwards, &Bounds::all()).len(),
        1,
        "another order shows no more"
    );
    assert_eq!(
        snapshot
            .statistics(&relation, &backwards, &Bounds::all())
            .expect("known")
            .rows,
        1
    );
    let refused = server
        .load(only.clone(), "(edge chr1 z) (edge chr2 z)", Mode::Add)
        .expect_err("is outside");
    assert_eq!(
        (refused.kind(), refused.reason()),
        (Kind::Denied, "OutsidePrefix")
    );
    let refused = server
        .load(only.clone(), "(edge chr10 b)", Mode::Remove)
        .expect_err("is outside");
    assert_eq!(refused.reason(), "OutsidePrefix");
    server
        .load(only.clone(), "(edge chr1 z)", Mode::Add)
        .expect("is within");
    assert_eq!(server.facts(only).len(), 5);
    assert_eq!(server.facts(path("g", "")).len(), 8);
}

#[test]
fn another_order_is_sorted_and_bounded() {
    let (_disk, server) = new_server();
    let mut text = String::new();
    for n in 0..20_000 {
        text.push_str(&format!("(edge {} {})\n", n / 10, n * 7 % 1000));
    }
    server.load(path("g", ""), &text, Mode::Add).expect("loads");
    server
        .load(path("g", ""), "(edge 5 5) (other 1 2)", Mode::Add)
        .expect("loads");
    server
        .load(path("g", ""), "(edge 5 5)", Mode::Remove)
        .expect("removes");
    let snapshot = server.snapshot(path("g", "")).expect("a snapshot");
    let edge = snapshot.symbol(b"edge").expect("reads").expect("is known");
    let relation = Relation::with_head(edge, 2);
    let mut expected: Vec<Vec<u64>> = rows(&snapshot, &relation, &Order::natural(2), &Bounds::all());
    assert_eq!(expected.len(), 20_000);
    expected.iter_mut().for_each(|t| t.reverse());
    expected.sort_unstable();
    let backwards = Order::new(vec![1, 0]).expect("an order");
    assert!(!snapshot.has_order(&relation, &backwards));
    assert_eq!(rows(&snapshot, &relation, &backwards, &Bounds::all()), expected);
    assert!(snapshot.has_order(&relation, &backwards));
    let one = Bounds::prefix(vec![expected[77][0]]);
    let with_it: Vec<_> = expected
        .iter()
        .filter(|t| t[0] == expected[77][0])
        .cloned()
        .collect();
    assert_eq!(rows(&snapshot, &relation, &backwards, &one), with_it);
    let rows_known = snapshot
        .statistics(&relation, &backwards, &one)
        .expect("known")
        .rows;
    assert_eq!(rows_known, with_it.len() as u64);
    let natural = snapshot
        .statistics(&relation, &Order::natural(2), &Bounds::all())
        .expect("known");
    assert!((2_000..2_200).contains(&natural.distinct), "{natural:?}");
}

#[test]
fn a_load_of_many_batches_is_one_set_and_leaves_no_scratch() {
    let (disk, server) = new_server();
    let mut text = String::new();
    let mut expected = BTreeSet::new();
    for n in 0..150_000u32 {
        let fact = format!("(edge node-{} (at {} x{}))", n % 50_000, n % 977, n % 13);
        text.push_str(&fact);
        text.push('\n');
        expected.insert(fact);
    }
    let memory = Some(5 << 20);
    let progress = server
        .load_bytes(path("g", ""), text.into_bytes(), Mode::Add, memory)
        .expect("loads");
    assert!(progress.batches > 4, "{progress:?}");
    assert_eq!(progress.distinct, expected.len() as u64);
    assert_eq!(server.facts(path("g", "")), expected);
    assert_eq!(
        server.graphs.memory().gauges().used,
        0,
        "all memory was given back"
    );
    server.collect();
    let snapshot = server.snapshot(path("g", "")).expect("a snapshot");
    let manifest = snapshot.dictionary().manifest();
    let runs = manifest
        .index
        .iter()
        .chain(manifest.expressions.iter().map(|l| &l.run));
    let blobs = snapshot
        .manifest()
        .levels
        .iter()
        .map(|l| &l.run)
        .chain(runs)
        .map(|r| r.segments().len())
        .sum::<usize>()
        + manifest.texts.len();
    let files = disk.files().iter().filter(|f| f.starts_with("blobs/")).count();
    assert!(files <= blobs + 1, "{files} files for {blobs} blobs");
    assert_eq!(
        server.facts(path("g", "")),
        expected,
        "the collection took nothing that is needed"
    );
}

#[test]
fn a_load_that_fails_leaves_the_graph_as_it_was() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b)", Mode::Add)
        .expect("loads");
    let bad = server.load(path("g", ""), "(edge c d) (edge", Mode::Add);
    assert_eq!(bad.expect_err("is cut").kind(), Kind::Invalid);
    assert_eq!(server.facts(path("g", "")), set(&["(edge a b)"]));
    assert_eq!(
        server.snapshot(path("none", "")).err().expect("is none").reason(),
        "NoSuchGraph"
    );
}

#[test]
fn work_stops_at_its_limits_and_when_cancelled() {
    let (_disk, server) = new_server();
    let control = server.graphs.control(craton_graph::Limits {
        facts: 1500,
        ..craton_graph::Limits::default()
    });
    control.made_facts(1024).expect("within");
    assert_eq!(
        control.made_facts(1024).expect_err("beyond").reason(),
        "FactLimit"
    );
    control.cancel();
    assert_eq!(control.check().expect_err("cancelled").reason(), "Cancelled");
}

/// Random loads, removals and compactions against a set.
fn against_a_model(seed: u64) {
    let (disk, mut server) = new_server();
    let mut random = SplitMix::new(seed);
    let mut model = BTreeSet::new();
    for step in 0..14u64 {
        let facts: Vec<String> = (0..random.below(12))
            .map(|_| match random.below(4) {
                0 => format!("(p {} (q {} $0))", random.below(4), random.below(3)),
                1 => format!("s{}", random.below(5)),
                2 => format!("(e {} (n (n {})))", random.below(6), random.below(6)),
                _ => format!("(e {} {})", random.below(6), random.below(6)),
            })
            .collect();
        let text = facts.join("\n").replace("$0", "$x");
        match random.below(5) {
            0 => {
                server.load(path("g", ""), &text, Mode::Remove).expect("removes");
                model.retain(|f| !facts.contains(f));
            }
            1 if step > 0 => server.compact("g").expect("compacts"),
            2 => {
                let left = disk.after_cut(random.next());
                server.drop();
                server = Server::open(&left, &runtime(), 2 + step).expect("opens");
                assert_eq!(server.facts(path("g", "")), model, "seed {seed}, step {step}");
                return;
            }
            _ => {
                server.load(path("g", ""), &text, Mode::Add).expect("loads");
                model.extend(facts);
            }
        }
        if random.below(3) == 0 {
            server.collect();
        }
        assert_eq!(server.facts(path("g", "")), model, "seed {seed}, step {step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_history_is_that_of_a_set(seed: u64) {
        against_a_model(seed);
    }
}
