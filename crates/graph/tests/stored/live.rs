//! Live programs: what they derive is, after any edits, what a naive evaluator gives that shares nothing with them.

use std::collections::BTreeSet;

use craton_base::Random as _;
use craton_graph::{load::Mode, manifest::Live, rules::Rules, stored::live::Change};
use craton_sim::SimRandom;
use proptest::prelude::*;

use super::{
    new_server,
    reference::naive,
    rules::{a_computing_rule, a_rule},
    server::{Server, path},
    set,
};

const CLOSURE: &str = "(rule base (, (edge $x $y)) (, (path $x $y)))
    (rule step (, (path $x $y) (edge $y $z)) (, (path $x $z)))";

/// So that every change is looked up, or every one is joined as a whole.
const LOOKED: [u64; 2] = [u64::MAX, 0];

fn program(name: &str, text: &str) -> Live {
    Live {
        name: name.into(),
        text: text.into(),
        rounds: 1000,
        depth: 50,
        by: "root".into(),
    }
}

fn add(server: &Server, name: &str, text: &str) -> craton_base::Result<u64> {
    let change = Change::Add(program(name, text));
    server.live("g", change).map(|done| done.added)
}

fn edit(server: &Server, facts: &[String], mode: Mode) {
    server
        .load(path("g", ""), &facts.join("\n"), mode)
        .expect("loads");
}

#[test]
fn a_closure_follows_its_edges() {
    for looked in LOOKED {
        let (_disk, server) = new_server();
        server.graphs.look_below(looked);
        server
            .load(
                path("g", ""),
                "(edge a b) (edge b c) (edge c a) (edge x y)",
                Mode::Add,
            )
            .expect("loads");
        assert_eq!(add(&server, "closure", CLOSURE).expect("is added"), 10);
        server
            .load(path("g", ""), "(edge c x)", Mode::Add)
            .expect("loads");
        let after = |facts: &str| assert_eq!(server.facts(path("g", "")), naive(facts, CLOSURE));
        after("(edge a b) (edge b c) (edge c a) (edge x y) (edge c x)");
        server
            .load(path("g", ""), "(edge b c) (edge not there)", Mode::Remove)
            .expect("removes");
        after("(edge a b) (edge c a) (edge x y) (edge c x)");
        // A program changes it as a load does.
        server
            .run(
                "g",
                "(exec 0 (, (edge $x $y)) (O (- (edge $x $y)) (+ (edge $y $x))))",
                16 << 20,
            )
            .expect("runs");
        after("(edge b a) (edge a c) (edge y x) (edge x c)");
        let refreshed = server.live("g", Change::Refresh).expect("computes");
        assert_eq!((refreshed.added, refreshed.removed), (0, 0));
        server.compact("g").expect("compacts");
        server
            .load(path("g", ""), "(edge c b)", Mode::Add)
            .expect("loads");
        after("(edge b a) (edge a c) (edge y x) (edge x c) (edge c b)");
        server.keep("g", |writer| writer.clear()).expect("clears");
        assert!(server.facts(path("g", "")).is_empty());
        server
            .load(path("g", ""), "(edge 1 2) (edge 2 3)", Mode::Add)
            .expect("loads");
        after("(edge 1 2) (edge 2 3)");
        server.collect();
        after("(edge 1 2) (edge 2 3)");
    }
}

#[test]
fn what_is_derived_is_nobody_elses() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b) (other 1)", Mode::Add)
        .expect("loads");
    add(&server, "closure", CLOSURE).expect("is added");
    let refused = |error: craton_base::Error| assert_eq!(error.reason(), "LiveRelation", "{error}");
    refused(
        server
            .load(path("g", ""), "(path b a)", Mode::Add)
            .map(drop)
            .expect_err("is refused"),
    );
    refused(
        server
            .load(path("g", ""), "(path a b) (other 1)", Mode::Remove)
            .map(drop)
            .expect_err("is refused"),
    );
    refused(
        server
            .load(path("g", "(path "), "(path $x b)", Mode::Add)
            .map(drop)
            .expect_err("is refused"),
    );
    refused(
        server
            .reason("g", "(rule r (, (edge $x $y)) (, (path $y $x)))")
            .map(drop)
            .expect_err("is refused"),
    );
}

#[test]
fn what_can_not_be_kept_is_refused() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b) (other 1)", Mode::Add)
        .expect("loads");
    add(&server, "closure", CLOSURE).expect("is added");
    // Not the same relation.
    server
        .load(path("g", ""), "(path a b c)", Mode::Add)
        .expect("loads");
    let error = server
        .load(path("g", ""), "(edge $x b)", Mode::Add)
        .expect_err("is refused");
    assert_eq!(error.reason(), "BadRule", "{error}");
    for (name, text, reason) in [
        (
            "other",
            "(rule r (, (edge $x $y)) (, (other $x)))",
            "RelationNotEmpty",
        ),
        (
            "other",
            "(rule r (, (edge $x $y)) (, (path $y $x)))",
            "RelationTaken",
        ),
        (
            "other",
            "(edge 1 2) (rule r (, (edge $x $y)) (, (more $y $x)))",
            "LiveFacts",
        ),
        ("other", "(edge 1 2)", "NoRules"),
        ("1", "(rule r (, (edge $x $y)) (, (more $y $x)))", "InvalidName"),
        (
            "other",
            "(rule r (, (edge $x $y) (not (path $x $y))) (, (edge $y $x)))",
            "BadRule",
        ),
    ] {
        assert_eq!(add(&server, name, text).expect_err(text).reason(), reason);
    }
    let error = server
        .live(
            "g",
            Change::Remove {
                name: "no".into(),
                keep: false,
            },
        )
        .map(drop);
    assert_eq!(error.expect_err("is not there").reason(), "NoSuchProgram");
    assert_eq!(
        server.facts(path("g", "")),
        set(&["(edge a b)", "(other 1)", "(path a b)", "(path a b c)"])
    );
}

#[test]
fn programs_follow_each_other_and_go() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b) (edge b c)", Mode::Add)
        .expect("loads");
    let far = "(rule far (, (path $x $y) (not (edge $x $y))) (, (far $x $y)))
        (rule out (, (path $x $y)) (O (count (reach $x $k) $k $y)))";
    add(&server, "far", far).expect("is added, over what nobody makes yet");
    add(&server, "closure", CLOSURE).expect("is added");
    let all = format!("{CLOSURE} {far}");
    assert_eq!(server.facts(path("g", "")), naive("(edge a b) (edge b c)", &all));
    server
        .load(path("g", ""), "(edge a c) (edge c d)", Mode::Add)
        .expect("loads");
    assert_eq!(
        server.facts(path("g", "")),
        naive("(edge a b) (edge b c) (edge a c) (edge c d)", &all)
    );
    // Another text in its place.
    let back = "(rule base (, (edge $x $y)) (, (path $y $x)))";
    add(&server, "closure", back).expect("is put in its place");
    let all = format!("{back} {far}");
    assert_eq!(
        server.facts(path("g", "")),
        naive("(edge a b) (edge b c) (edge a c) (edge c d)", &all)
    );
    server
        .live(
            "g",
            Change::Remove {
                name: "closure".into(),
                keep: true,
            },
        )
        .expect("goes");
    server
        .load(path("g", ""), "(path d a)", Mode::Remove)
        .expect("is a fact like others now");
    server
        .live(
            "g",
            Change::Remove {
                name: "far".into(),
                keep: false,
            },
        )
        .expect("goes");
    let left = server.facts(path("g", ""));
    assert!(
        left.contains("(path b a)")
            && !left
                .iter()
                .any(|fact| fact.starts_with("(far") || fact.starts_with("(reach"))
    );
}

#[test]
fn a_change_without_an_end_is_refused() {
    let (_disk, server) = new_server();
    let rules = "(rule on (, (start $x)) (, (n $x))) (rule next (, (n $x) (step $x $y)) (, (n $y)))
        (rule wrap (, (n $x) (grow $g)) (, (n (s $x))))";
    server.load(path("g", ""), "(start z)", Mode::Add).expect("loads");
    add(&server, "grow", rules).expect("is added");
    let error = server
        .load(path("g", ""), "(grow yes)", Mode::Add)
        .expect_err("goes on and on");
    assert_eq!(error.reason(), "DepthLimit");
    assert!(error.to_string().contains("live rules (grow)"), "{error}");
    assert_eq!(server.facts(path("g", "")), set(&["(start z)", "(n z)"]));
    server
        .load(path("g", ""), "(step z y)", Mode::Add)
        .expect("loads");
    assert_eq!(
        server.facts(path("g", "")),
        set(&["(start z)", "(n z)", "(n y)", "(step z y)"])
    );
}

/// The closure of edges, who is not reached of those that there are, and how many each reaches, without any of our code.
fn expected(edges: &BTreeSet<(u8, u8)>) -> BTreeSet<String> {
    let nodes: BTreeSet<u8> = edges.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let mut out: BTreeSet<String> = edges.iter().map(|(a, b)| format!("(edge {a} {b})")).collect();
    for from in &nodes {
        out.insert(format!("(node {from})"));
        let (mut seen, mut left) = (BTreeSet::new(), vec![*from]);
        while let Some(at) = left.pop() {
            for (_, to) in edges.iter().filter(|(a, _)| *a == at) {
                if seen.insert(*to) {
                    left.push(*to);
                }
            }
        }
        out.extend(seen.iter().map(|to| format!("(path {from} {to})")));
        out.extend(nodes.difference(&seen).map(|to| format!("(apart {from} {to})")));
        if !seen.is_empty() {
            out.insert(format!("(reach {from} {})", seen.len()));
        }
    }
    out
}

#[test]
fn a_thousand_edits() {
    let (_disk, server) = new_server();
    let rules = format!(
        "{CLOSURE} (rule node (, (edge $x $y)) (, (node $x) (node $y)))
        (rule apart (, (node $x) (node $y) (not (path $x $y))) (, (apart $x $y)))
        (rule reach (, (path $x $y)) (O (count (reach $x $k) $k $y)))"
    );
    add(&server, "all", &rules).expect("is added");
    let random = SimRandom::new(7);
    let mut bytes = [0u8; 3];
    let mut edges: BTreeSet<(u8, u8)> = BTreeSet::new();
    for number in 0..1000 {
        random.fill(&mut bytes).expect("is random");
        let edge = (bytes[0] % 9, bytes[1] % 9);
        let removes = usize::from(bytes[2] % 24) < edges.len();
        let text = format!("(edge {} {})", edge.0, edge.1);
        match removes {
            true => {
                let edge = edges
                    .iter()
                    .nth(usize::from(bytes[0]) % edges.len())
                    .copied()
                    .expect("an edge");
                edges.remove(&edge);
                edit(&server, &[format!("(edge {} {})", edge.0, edge.1)], Mode::Remove);
            }
            false => {
                edges.insert(edge);
                edit(&server, &[text], Mode::Add);
            }
        }
        if number % 100 == 50 {
            server.graphs.look_below(LOOKED[number / 100 % 2]);
        }
        assert_eq!(server.facts(path("g", "")), expected(&edges), "edit {number}");
    }
    let refreshed = server.live("g", Change::Refresh).expect("computes");
    assert_eq!((refreshed.added, refreshed.removed), (0, 0));
}

/// Facts of three relations, each of which goes into one that rules read and make.
const INTO: &str = "(rule into1 (, (e $x $y)) (, (p $x $y))) (rule into2 (, (f $x $y)) (, (q $x $y))) (rule into3 (, (g $x $y)) (, (r $x $y)))";

type Edit = (bool, Vec<(String, u8, u8)>);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let fact = ("[efg]", 0..4u8, 0..4u8);
    prop::collection::vec((any::<bool>(), prop::collection::vec(fact, 1..4)), 1..6)
}

fn followed(
    start: &[(String, u8, u8)],
    rules: &str,
    edits: &[Edit],
    looked: u64,
) -> Result<(), TestCaseError> {
    let rules = format!("{INTO}\n{rules}");
    if Rules::read(rules.as_bytes()).is_err() {
        return Ok(());
    }
    let (_disk, server) = new_server();
    server.graphs.look_below(looked);
    let text = |(head, a, b): &(String, u8, u8)| format!("({head} {a} {b})");
    let mut facts: BTreeSet<String> = start.iter().map(text).collect();
    edit(&server, &facts.iter().cloned().collect::<Vec<_>>(), Mode::Add);
    add(&server, "all", &rules).expect("is added");
    for (number, (adds, its)) in edits.iter().enumerate() {
        let its: Vec<String> = its.iter().map(text).collect();
        match adds {
            true => {
                facts.extend(its.iter().cloned());
                edit(&server, &its, Mode::Add);
            }
            false => {
                facts.retain(|fact| !its.contains(fact));
                edit(&server, &its, Mode::Remove);
            }
        }
        let all: Vec<String> = facts.iter().cloned().collect();
        let expected = naive(&all.join("\n"), &rules);
        prop_assert_eq!(
            server.facts(path("g", "")),
            expected,
            "edit {} of\n{:?}\n{}",
            number,
            edits,
            rules
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_rules_follow_random_edits(
        start in prop::collection::vec(("[efg]", 0..4u8, 0..4u8), 0..8),
        rules in prop::collection::vec(a_rule(), 1..4),
        edits in edits(),
        looked in prop::sample::select(LOOKED.to_vec()),
    ) {
        followed(&start, &rules.join("\n"), &edits, looked)?;
    }

    #[test]
    fn random_rules_that_compute_follow_random_edits(
        start in prop::collection::vec(("[efg]", 0..4u8, 0..4u8), 0..8),
        rules in prop::collection::vec(prop_oneof![a_rule(), a_computing_rule()], 1..4),
        edits in edits(),
        looked in prop::sample::select(LOOKED.to_vec()),
    ) {
        followed(&start, &rules.join("\n"), &edits, looked)?;
    }
}
