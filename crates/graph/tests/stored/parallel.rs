//! Programs side by side: those that touch different parts go on beside each other and all come in; those that touch the same part take
//! turns, so that what is left is what some order of them leaves. Merging in the background changes nothing.

use std::{collections::BTreeSet, thread};

use craton_base::{Kind, clock::SystemClock};
use craton_graph::{Control, Limits, exec, load::Mode, memory::MemorySpace, parse, print};
use craton_sim::random::SplitMix;

use super::{new_server, server::path, set};
use exec::FactSpace as _;

const FACTS: &str = "(edge chr1 a) (edge chr1 b) (edge chr2 c) (gene x)";

fn hop(chromosome: &str) -> String {
    format!("(exec 0 (, (edge {chromosome} $x)) (O (+ (hop {chromosome} $x)) (- (edge {chromosome} $x))))")
}

#[test]
fn disjoint_programs_both_come_in() {
    for joins_from in [None, Some(0)] {
        let (_disk, server) = new_server();
        server.load(path("g", ""), FACTS, Mode::Add).expect("loads");
        let first = server
            .begin(&path("g", ""), &hop("chr1"), joins_from, 60)
            .expect("runs");
        server
            .program("g", &hop("chr2"), joins_from)
            .expect("is not in its way");
        server
            .load(path("g", ""), "(gene y)", Mode::Add)
            .expect("neither is this");
        server.commit(first).expect("comes in without being run again");
        let expected = set(&[
            "(hop chr1 a)",
            "(hop chr1 b)",
            "(hop chr2 c)",
            "(gene x)",
            "(gene y)",
        ]);
        assert_eq!(server.facts(path("g", "")), expected);
    }
}

#[test]
fn who_touches_the_same_waits_and_is_told_for_whom() {
    let (_disk, server) = new_server();
    server.load(path("g", ""), FACTS, Mode::Add).expect("loads");
    let first = server
        .begin(&path("g", ""), &hop("chr1"), None, 60)
        .expect("runs");
    for text in [
        // Reads what it writes; writes what it reads; writes what it writes.
        "(exec 0 (, (hop $c $x)) (, (seen $x)))",
        "(edge chr1 z)",
        "(hop chr1 z)",
    ] {
        let refused = server
            .begin(&path("g", ""), text, None, 0)
            .err()
            .expect("has to wait");
        assert_eq!(
            (refused.kind(), refused.reason()),
            (Kind::Busy, "Borrowed"),
            "{text}"
        );
        assert!(refused.to_string().contains("borrowed by root"), "{refused}");
    }
    let written = server.begin(
        &path("g", ""),
        "(exec 0 (, (edge chr1 $x)) (, (gene $x)))",
        None,
        0,
    );
    assert!(written.is_err(), "the first removes what this one reads");
    server.commit(first).expect("commits");
    server
        .program("g", "(exec 0 (, (hop $c $x)) (, (seen $x)))", None)
        .expect("has its turn");
    assert!(server.facts(path("g", "")).contains("(seen b)"));
}

#[test]
fn a_lease_refuses_at_once_and_says_whose_it_is() {
    let (_disk, server) = new_server();
    server.load(path("g", ""), FACTS, Mode::Add).expect("loads");
    let lease = server.lease(path("g", "(edge chr1 ")).expect("nobody has it");
    let refused = server.program("g", &hop("chr1"), None).expect_err("is leased");
    assert_eq!((refused.kind(), refused.reason()), (Kind::Busy, "Borrowed"));
    assert!(refused.to_string().contains("leased to root"), "{refused}");
    let refused = server
        .load(path("g", ""), "(edge chr1 z)", Mode::Add)
        .expect_err("is leased");
    assert_eq!(refused.reason(), "Borrowed");
    server.program("g", &hop("chr2"), None).expect("is another part");
    drop(lease);
    server.program("g", &hop("chr1"), None).expect("was given back");
    assert!(server.lease(path("g", "")).is_ok(), "everything was given back");
}

#[test]
fn rules_of_the_graph_run_with_a_program_and_are_held_too() {
    let (_disk, server) = new_server();
    let facts = format!("{FACTS} (exec 5 (, (gene $x)) (O (- (gene $x)) (+ (known $x))))");
    server.load(path("g", ""), &facts, Mode::Add).expect("loads");
    server.program("g", &hop("chr1"), None).expect("runs both");
    let expected = set(&["(hop chr1 a)", "(hop chr1 b)", "(edge chr2 c)", "(known x)"]);
    assert_eq!(server.facts(path("g", "")), expected);
}

#[test]
fn facts_with_variables_are_read_wherever_they_begin() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(if Z $x $y $y) ($r a b) (edge chr1 a)", Mode::Add)
        .expect("loads");
    let program = "(exec 0 (, (if Z 1 2 $r) (edge a $b)) (, (is $r $b)))";
    server.program("g", program, None).expect("runs");
    assert!(server.facts(path("g", "")).contains("(is 2 b)"));
}

#[test]
fn a_program_on_a_prefix_sees_and_changes_only_that() {
    let (_disk, server) = new_server();
    server.load(path("g", ""), FACTS, Mode::Add).expect("loads");
    let only = path("g", "(edge chr1 ");
    let program = "(exec 0 (, (edge $c $x)) (O (- (edge $c $x)) (+ (edge chr1 (was $c $x)))))";
    let ran = server.begin(&only, program, None, 60).expect("runs");
    server.commit(ran).expect("commits");
    let expected = set(&[
        "(edge chr1 (was chr1 a))",
        "(edge chr1 (was chr1 b))",
        "(edge chr2 c)",
        "(gene x)",
    ]);
    assert_eq!(server.facts(path("g", "")), expected);
    let ran = server
        .begin(&only, "(exec 0 (, (edge $c $x)) (, (copy $x)))", None, 60)
        .expect("runs");
    assert_eq!(
        server.commit(ran).expect_err("is outside").reason(),
        "OutsidePrefix"
    );
}

fn pick<'a>(random: &mut SplitMix, of: &[&'a str]) -> &'a str {
    of[usize::try_from(random.below(of.len() as u64)).expect("small")]
}

fn random_program(random: &mut SplitMix) -> String {
    let mut text = String::new();
    if random.below(3) == 0 {
        text.push_str(&format!(
            "({} {} own) ",
            pick(random, &["p", "q"]),
            pick(random, &["a", "b"])
        ));
    }
    for number in 0..=random.below(2) {
        let term = |random: &mut SplitMix, last: &str| {
            let (head, middle) = (
                pick(random, &["p", "q", "r"]),
                pick(random, &["a", "b", "b", "$c"]),
            );
            format!("({head} {middle} {last})")
        };
        let pattern = term(random, "$x");
        let bound = pattern.contains("$c");
        let template = |random: &mut SplitMix| {
            let last = pick(random, &["$x", "$x", "(n $x)", "new"]);
            let made = term(random, last);
            if bound { made } else { made.replace("$c", "a") }
        };
        let (one, other) = (template(random), template(random));
        let sinks = match random.below(3) {
            0 => format!("(O (+ {one}) (- {other}))"),
            1 => format!("(O (- {pattern}) (+ {one}))"),
            _ => format!("(, {one} {other})"),
        };
        text.push_str(&format!("(exec {number} (, {pattern}) {sinks}) "));
    }
    text
}

/// What programs leave of facts, in an order.
fn in_memory(facts: &str, programs: &[&String]) -> BTreeSet<String> {
    let control = Control::new(Limits::default(), std::sync::Arc::new(SystemClock::new()));
    let mut space = MemorySpace::read(facts.as_bytes()).expect("reads");
    for program in programs {
        for fact in parse::facts(program.as_bytes()).expect("reads") {
            space.insert(fact).expect("inserts");
        }
        exec::run(&mut space, exec::Options::default(), &control).expect("runs");
    }
    space.facts().map(print::term).collect()
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    match count {
        0 => vec![Vec::new()],
        _ => orders(count - 1)
            .into_iter()
            .flat_map(|order| {
                (0..count).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, count - 1);
                    order
                })
            })
            .collect(),
    }
}

#[test]
fn random_programs_at_once_leave_what_some_order_leaves() {
    for seed in 0..60 {
        let mut random = SplitMix::new(seed);
        let facts: Vec<String> = (0..12)
            .map(|n| {
                format!(
                    "({} {} {n})",
                    pick(&mut random, &["p", "q", "r"]),
                    pick(&mut random, &["a", "b"])
                )
            })
            .collect();
        let facts = facts.join(" ");
        let programs: Vec<String> = (0..=1 + random.below(2))
            .map(|_| random_program(&mut random))
            .collect();
        let (_disk, server) = new_server();
        server.load(path("g", ""), &facts, Mode::Add).expect("loads");
        let joins_from = (random.below(2) == 0).then_some(0);
        thread::scope(|scope| {
            for program in &programs {
                let server = &server;
                scope.spawn(move || server.program("g", program, joins_from).expect("runs"));
            }
        });
        let found: BTreeSet<String> = server.text(path("g", "")).lines().map(str::to_owned).collect();
        let possible: Vec<BTreeSet<String>> = orders(programs.len())
            .into_iter()
            .map(|order| in_memory(&facts, &order.iter().map(|n| &programs[*n]).collect::<Vec<_>>()))
            .collect();
        assert!(
            possible.contains(&found),
            "seed {seed}: {facts}\n{programs:#?}\n{found:?}"
        );
    }
}

#[test]
fn merging_in_the_background_changes_nothing() {
    let (_disk, server) = new_server();
    server.graphs.merge_in_background(true);
    let mut model = BTreeSet::new();
    let mut random = SplitMix::new(5);
    for _ in 0..40 {
        let facts: BTreeSet<String> = (0..6)
            .map(|_| format!("(e {} {})", random.below(9), random.below(9)))
            .collect();
        let text = facts.iter().cloned().collect::<Vec<_>>().join(" ");
        match random.below(3) {
            0 => {
                server.load(path("g", ""), &text, Mode::Remove).expect("removes");
                model.retain(|f| !facts.contains(f));
            }
            _ => {
                server.load(path("g", ""), &text, Mode::Add).expect("loads");
                model.extend(facts);
            }
        }
        assert_eq!(server.facts(path("g", "")), model);
    }
    // What was merged while there was more to merge may stand in the way of older levels until the next commits are its size.
    server.graphs.merge_in_background(false);
    for n in 0..9 {
        let facts: Vec<String> = (0..9).map(|m| format!("(e {n} {m})")).collect();
        server
            .load(path("g", ""), &facts.join(" "), Mode::Add)
            .expect("loads");
        model.extend(facts);
    }
    while server.merge("g").expect("merges") {}
    assert_eq!(server.facts(path("g", "")), model);
    let levels = server
        .snapshot(path("g", ""))
        .expect("a snapshot")
        .manifest()
        .levels
        .len();
    // At most seven of about one size, and each larger one is three times what is newer: for some eighty facts.
    assert!(levels <= 12, "{levels} levels");
}
