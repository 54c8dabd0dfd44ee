//! Rules on a stored graph give what a naive evaluator gives that shares nothing with them.

use std::collections::BTreeSet;

use craton_graph::{
    load::Mode,
    parse,
    rules::Rules,
    stored::fixpoint::{
        Options,
        why::{Asked, Derivation, How, why},
    },
};
use proptest::prelude::*;

use super::{new_server, reference::naive, server::path, set};

fn both(facts: &str, rules: &str) -> Result<(), TestCaseError> {
    let (_disk, server) = new_server();
    server.load(path("g", ""), facts, Mode::Add).expect("loads");
    let before = server.facts(path("g", "")).len() as u64;
    let report = server.reason("g", rules).expect("runs");
    let found = server.facts(path("g", ""));
    let facts_of_rules = Rules::read(rules.as_bytes()).expect("rules").facts.len() as u64;
    prop_assert_eq!(&found, &naive(facts, rules), "{}\n{}", facts, rules);
    prop_assert!(found.len() as u64 <= before + report.added + facts_of_rules);
    let again = server.reason("g", rules).expect("runs");
    let layers = Rules::read(rules.as_bytes()).expect("rules").layers.len() as u64;
    // What is aggregated is not asked again, and counts what was added.
    if !rules.contains("(O ") {
        prop_assert_eq!((again.rounds, again.added), (layers, 0), "a fixpoint is one");
    }
    Ok(())
}

const CLOSURE: &str = "(rule base (, (edge $x $y)) (, (path $x $y)))
    (rule step (, (path $x $y) (path $y $z)) (, (path $x $z)))";

#[test]
fn a_long_chain_is_closed() {
    let (_disk, server) = new_server();
    let chain: String = (0..150).map(|n| format!("(edge n{n} n{})\n", n + 1)).collect();
    server.load(path("g", ""), &chain, Mode::Add).expect("loads");
    let linear = "(rule base (, (edge $x $y)) (, (path $x $y)))
        (rule step (, (path $x $y) (edge $y $z)) (, (path $x $z)))";
    let report = server.reason("g", linear).expect("runs");
    assert_eq!((report.rounds, report.added), (151, 150 * 151 / 2));
    // What is known already is not found again; one more edge adds only what follows from it.
    server
        .load(path("g", ""), "(edge n150 n151)", Mode::Add)
        .expect("loads");
    let report = server.reason("g", linear).expect("runs");
    assert_eq!(report.added, 151);
    server.collect();
    assert_eq!(server.facts(path("g", "")).len(), 151 + 151 * 152 / 2);
}

#[test]
fn rules_of_many_kinds() {
    let facts = "(edge a b) (edge b c) (edge c a) (edge c d) (edge d d) (up a b) (up x b) (up b r) (up y c) (up c r) (flag)
        (gene g1 (at chr1 5)) (gene g2 (at chr2 6)) (arm chr1 p) (is a 1)";
    for rules in [
        CLOSURE,
        // Through each other.
        "(rule odd (, (edge $x $y)) (, (odd $x $y))) (rule odd2 (, (even $x $y) (edge $y $z)) (, (odd $x $z)))
         (rule even (, (odd $x $y) (edge $y $z)) (, (even $x $z)))",
        // Same generation.
        "(rule same (, (up $x $p) (up $y $p)) (, (same $x $y))) (rule more (, (up $x $p) (same $p $q) (up $y $q)) (, (same $x $y)))",
        // Constants, repeated variables, several templates, nested patterns, facts beside rules.
        "(edge d e) (rule loop (, (edge $x $x)) (, (loop $x) (node $x))) (rule from (, (edge a $y)) (, (reached $y a)))
         (rule on (, (reached $x $from) (edge $x $y)) (, (reached $y $from) (node $y)))
         (rule in (, (gene $g (at $c $p)) (arm $c $arm)) (, (in $g $arm $c)))",
        // A fact that only has to be there, and one that a rule makes so.
        "(rule start (, (edge $x $x) (flag)) (, (ready now))) (rule then (, (ready now) (edge $x $y)) (, (late $x $y)))",
        "(rule never (, (edge $x $y) (absent)) (, (path $x $y)))",
        // Denials over what other rules make, comparisons of numbers and of anything, constants that are nowhere.
        "(rule path (, (edge $x $y)) (, (path $x $y))) (rule on (, (path $x $y) (edge $y $z)) (, (path $x $z)))
         (rule node (, (edge $x $y)) (, (node $x) (node $y)))
         (rule apart (, (node $x) (not (path $x $y)) (node $y) (!= $x $y)) (, (apart $x $y)))
         (rule end (, (node $x) (not (apart $x d)) (not (gone $x 1.5)) (not (absent))) (, (end $x) (some end)))",
        "(n 3) (n 10) (n 2.5) (n x) (n -1) (rule less (, (n $x) (n $y) (< $x $y)) (, (less $x $y)))
         (rule small (, (n $x) (<= $x 2.5)) (, (small $x))) (rule same (, (n $x) (n $y) (== $x $y)) (, (same $x $y)))
         (rule more (, (n $x) (< 2 $x) (not (small $x))) (, (more $x)))",
        "(rule no (, (edge $x $y) (not (flag))) (, (no $x))) (rule yes (, (edge $x $y) (not (flags))) (, (yes $x) (yes at all)))",
        // Computed values, in conditions, bodies and templates; what has none gives nothing.
        "(n 3) (n 10) (n 2.5) (n x) (n 0) (rule sum (, (n $x) (n $y) (:= $z (+ $x $y))) (, (sum $x $y $z)))
         (rule half (, (n $x) (n $y) (:= $z (/ $x $y))) (, (ratio $x $y $z))) (rule twice (, (n $x) (n $y) (:= $y (* $x 4))) (, (four $x $y)))
         (rule near (, (n $x) (n $y) (< (- $y $x) 8) (> (+ $x 1) 1)) (, (near $x $y)))
         (rule in (, (n $x) (< $x 5)) (, (made (:= (+ $x 1)) (pair $x (:= (max $x 3))) end)))
         (rule chain (, (n $x) (:= $b (* $a 2)) (:= $a (+ $x 1)) (not (n $a)) (!= $b 7)) (, (chain $x $a $b)))",
        // A counter with an end.
        "(at 0) (rule on (, (at $n) (< $n 20)) (, (at (:= (+ $n 1)))))",
        // Terms that are made, matched again, and something new for each.
        "(rule wrap (, (edge $x $y)) (, (kept (pair $x $y) (list $y)))) (rule open (, (kept (pair $a $b) $l)) (, (opened $b $a $l)))
         (rule found (, (edge $x $y) (not (kept (pair $y $x) (list $x)))) (, (one way $x $y)))
         (rule quoted (, (edge $x $y) (:= $t (' (t $y $x))) (!= $t $x)) (, (quoted $t)))",
        "(rule some (, (edge $x $y) (exists $z $w)) (, (through $x $z) (through $z $y $w)))
         (rule (or 2) (, (through $x $z) (exists $w)) (, (again $z $w)))",
        // Counts, sums and means of groups, of nothing, of what was counted.
        "(pay a 10 x) (pay b 10 x) (pay c 5 y) (pay d 2.5 y) (rule in (, (pay $who $n $of))
           (O (count (count $of $k) $k $who) (sum (total $of $k) $k $n $who) (sum (different $of $k) $k $n) (mean (mean $of $k) $k $n $who) (+ (of $of))))
         (rule all (, (pay $who $n $of)) (O (count (all $k) $k $who $of) (mean (mean $k) $k $n)))
         (rule more (, (total $of $n) (mean $m) (< $m $n)) (O (count (rich $k $k) $k $of)))",
        // What is aggregated was computed just now.
        "(n 1) (n 3) (n 4) (rule halves (, (n $x) (:= $v (/ $x 8))) (O (sum (sum $k) $k $v) (top 2 (top $v) $v) (max (max $k) $k $v)))",
        "(s a 3 x) (s b 9 x) (s c 9 x) (s d 9 x) (s e 1 x) (s f 2 y) (rule top (, (s $who $n $of))
           (O (top 2 (best $of $who $n) $n $who) (bottom 1 (worst $of $n $who) $n $who) (top 2 (numbers $of $n) $n)))",
        // Shortest and widest paths, what is better than what was there, sets.
        "(w a b 5) (w a c 1) (w c b 1.5) (w b d 1) (w d a 1) (dist c 9) (dist b 0.5) (rule start (, (w a $x $_)) (O (min (dist a $k) $k 0)))
         (rule step (, (dist $x $d) (w $x $y $w)) (O (min (dist $y $k) $k (:= (+ $d $w)))))
         (rule far (, (dist $x $d) (< 1 $d)) (, (far $x))) (rule wide (, (w $x $y $w)) (O (max (wide $x $y $k) $k $w)))
         (rule wider (, (wide $x $y $w) (w $y $z $v)) (O (max (wide $x $z $k) $k (:= (min $w $v)))))",
        "(rule own (, (edge $x $y)) (O (union (after $x $k) $k ($y)))) (rule on (, (edge $x $y) (after $y $s)) (O (union (after $x $k) $k $s)))
         (rule size (, (after $x $s) (edge $x $y)) (, (sets $s)))",
        // What begins with one symbol and has several lengths.
        "(rule a (, (edge $x $y)) (, (edge $x $y 1))) (rule b (, (edge $x $y $n) (is $z $n)) (, (edge $y $x $n $z)))",
    ] {
        both(facts, rules).expect(rules);
    }
}

#[test]
fn a_fact_with_variables_is_not_looked_at() {
    let (_disk, server) = new_server();
    server
        .load(path("g", ""), "(edge $x b) (edge a b)", Mode::Add)
        .expect("loads");
    let error = server.reason("g", CLOSURE).expect_err("is refused");
    assert_eq!(error.reason(), "BadRule");
    assert_eq!(server.facts(path("g", "")).len(), 2);
    let error = server.reason("g", "(edge 1 2)").expect_err("nothing to run");
    assert_eq!(error.reason(), "NoRules");
    assert!(set(&[]).is_empty());
}

#[test]
fn rules_without_an_end_are_stopped() {
    for (rules, options, reason) in [
        (
            "(n 0) (rule on (, (n $x)) (, (n (:= (+ $x 1)))))",
            Options {
                rounds: 20,
                depth: 10,
            },
            "RoundLimit",
        ),
        (
            "(n z) (rule on (, (n $x)) (, (n (s $x))))",
            Options {
                rounds: 100,
                depth: 20,
            },
            "DepthLimit",
        ),
        (
            "(n z) (rule on (, (n $x) (exists $y)) (, (n $y) (after $x $y)))",
            Options {
                rounds: 100,
                depth: 20,
            },
            "DepthLimit",
        ),
        (
            "(d a 0) (w a a -1) (rule on (, (d $x $n) (w $x $y $m)) (O (min (d $y $k) $k (:= (+ $n $m)))))",
            Options { rounds: 30, depth: 9 },
            "RoundLimit",
        ),
    ] {
        let (_disk, server) = new_server();
        let error = server.reason_with("g", rules, options).expect_err(rules);
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains("rule on") && server.facts(path("g", "")).is_empty());
    }
    let (_disk, server) = new_server();
    let peano = "(n z) (rule on (, (n $x) (depth $x $d) (< $d 9)) (, (n (s $x)) (depth (s $x) (:= (+ $d 1))))) (depth z 0)";
    let report = server.reason("g", peano).expect("comes to an end");
    assert_eq!((report.added, server.facts(path("g", "(n ")).len()), (18, 10));
}

#[test]
fn what_has_no_value_is_told() {
    let (_disk, server) = new_server();
    let rules = "(n 1) (n a) (n 0) (rule r (, (n $x)) (, (m (:= (/ 6 $x)))))";
    let report = server.reason("g", rules).expect("runs");
    assert_eq!((report.added, report.failed_evaluations), (1, 2));
    assert!(
        report
            .failures
            .iter()
            .any(|f| f.contains("rule r: a is no number")),
        "{:?}",
        report.failures
    );
    let error = server
        .reason("g", "(rule s (, (n $x)) (O (sum (all $k) $k $x)))")
        .expect_err("no number");
    assert_eq!(error.reason(), "NotANumber", "{error}");
}

#[test]
fn what_is_better_replaces_what_was_there() {
    let (_disk, server) = new_server();
    let rules = "(rule a (, (offer $x $n)) (O (min (price $x $k) $k $n)))";
    let facts = "(offer pear 5) (offer pear 7) (price pear 6) (price pear 8) (price fig 1) (price fig 2)";
    server.load(path("g", ""), facts, Mode::Add).expect("loads");
    let report = server.reason("g", rules).expect("runs");
    assert_eq!((report.added, report.replaced), (1, 3));
    assert_eq!(
        server.facts(path("g", "(price ")),
        set(&["(price pear 5)", "(price fig 1)"])
    );
    server
        .load(path("g", ""), "(offer pear 4)", Mode::Add)
        .expect("loads");
    assert_eq!(server.reason("g", rules).expect("runs").replaced, 1);
    let report = server.reason("g", rules).expect("runs");
    assert_eq!((report.added, report.replaced), (0, 0));
    server.compact("g").expect("compacts");
    assert_eq!(
        server.facts(path("g", "(price ")),
        set(&["(price pear 4)", "(price fig 1)"])
    );
}

pub(crate) fn a_rule() -> impl Strategy<Value = String> {
    let item = || prop_oneof![4 => "[$][x-z]", 1 => "[ab1]"];
    let atom = || ("[pqr]", item(), item()).prop_map(|(head, a, b)| format!("({head} {a} {b})"));
    let pick = || any::<prop::sample::Index>();
    let condition = (
        prop_oneof![Just("not p"), Just("not s"), Just("!="), Just("<"), Just("<=")],
        pick(),
        pick(),
    );
    (
        prop::collection::vec(atom(), 1..4),
        prop::collection::vec(condition, 0..3),
        "[pqrs]",
        [pick(), pick()],
    )
        .prop_filter_map("has variables", |(body, conditions, head, picks)| {
            let text = body.join(" ");
            let mut variables: Vec<&str> = text
                .split(['(', ')', ' '])
                .filter(|w| w.starts_with('$'))
                .collect();
            variables.sort_unstable();
            variables.dedup();
            if variables.is_empty() {
                return None;
            }
            let mut all = String::new();
            for (what, a, b) in conditions {
                let (a, b) = (*a.get(&variables), *b.get(&variables));
                match what.strip_prefix("not ") {
                    Some(head) => all.push_str(&format!(" (not ({head} {a} {b}))")),
                    None => all.push_str(&format!(" ({what} {a} {b})")),
                }
            }
            let [a, b] = picks.map(|pick| *pick.get(&variables));
            Some(format!("(rule r (,{all} {text}) (, ({head} {a} {b})))"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_rules(
        facts in prop::collection::btree_set(("[pqr]", "[a-c1-3]", "[a-c1-3]"), 0..12),
        rules in prop::collection::vec(a_rule(), 1..5),
    ) {
        let facts: String = facts.iter().map(|(head, a, b)| format!("({head} {a} {b})\n")).collect();
        let rules = rules.join("\n");
        match Rules::read(rules.as_bytes()) {
            Ok(_) => both(&facts, &rules)?,
            Err(error) => prop_assert!(error.to_string().contains("what follows from it"), "{}", error),
        }
    }

    #[test]
    fn random_rules_are_explained(
        facts in prop::collection::btree_set(("[pqr]", 0..4u8, 0..4u8), 0..8),
        rules in prop::collection::vec(prop_oneof![a_rule(), a_computing_rule()], 1..4),
    ) {
        let facts: String = facts.iter().map(|(head, a, b)| format!("({head} {a} {b})\n")).collect();
        let rules = rules.join("\n");
        // What was kept on the way of relations of which the best are kept is not there any more.
        let keeps = ["(O (min", "(O (max", "(O (union"].iter().any(|sink| rules.contains(sink));
        if Rules::read(rules.as_bytes()).is_ok() && !keeps {
            explained(&facts, &rules);
        }
    }

    #[test]
    fn random_rules_that_compute(
        facts in prop::collection::btree_set(("[pqr]", 0..4u8, 0..4u8), 0..10),
        rules in prop::collection::vec(a_computing_rule(), 1..5),
    ) {
        let facts: String = facts.iter().map(|(head, a, b)| format!("({head} {a} {b})\n")).collect();
        let rules = rules.join("\n");
        match Rules::read(rules.as_bytes()) {
            Ok(_) => both(&facts, &rules)?,
            Err(error) => prop_assert!(error.to_string().contains("what follows from it"), "{}\n{}", rules, error),
        }
    }
}

/// A derivation is one: what rules make follows from what is below it, and what is given was there before.
fn is_derived(derivation: &Derivation, given: &BTreeSet<String>, rules: &str, seen: &mut BTreeSet<String>) {
    match derivation.how {
        How::Given => assert!(
            given.contains(&derivation.fact),
            "{} was not given\n{rules}",
            derivation.fact
        ),
        How::Unfollowed => panic!("{} was not followed", derivation.fact),
        How::Above => assert!(
            seen.contains(&derivation.fact),
            "{} is not above",
            derivation.fact
        ),
        How::Rule => {
            seen.insert(derivation.fact.clone());
            let below: Vec<&str> = derivation.because.iter().map(|d| d.fact.as_str()).collect();
            assert!(
                !below.contains(&derivation.fact.as_str()),
                "{} of itself",
                derivation.fact
            );
            let made = naive(&below.join("\n"), rules);
            assert!(
                made.contains(&derivation.fact),
                "{} does not follow from {below:?}\n{rules}",
                derivation.fact
            );
            derivation
                .because
                .iter()
                .for_each(|d| is_derived(d, given, rules, seen));
        }
    }
}

/// Every fact that rules make has a derivation.
fn explained(facts: &str, rules: &str) {
    let (_disk, server) = new_server();
    server.load(path("g", ""), facts, Mode::Add).expect("loads");
    let given = server.facts(path("g", ""));
    server.reason("g", rules).expect("runs");
    let read = Rules::read(rules.as_bytes()).expect("rules");
    let snapshot = server.snapshot(path("g", "")).expect("a snapshot");
    for fact in server.facts(path("g", "")) {
        let term = parse::term(fact.as_bytes()).expect("a fact");
        let found = why(&snapshot, &read, &term, Asked::default()).expect("is looked for");
        is_derived(&found.expect("is there"), &given, rules, &mut BTreeSet::new());
    }
    let other = parse::term(b"(never there)").expect("a fact");
    assert_eq!(
        why(&snapshot, &read, &other, Asked::default()).expect("is looked for"),
        None
    );
}

#[test]
fn facts_are_explained() {
    let facts = "(edge a b) (edge b c) (edge c a) (edge c d) (n 1) (n 3) (w a b 2) (w b c 2) (w a c 5)";
    for rules in [
        CLOSURE,
        "(rule base (, (edge $x $y)) (, (path $x $y))) (rule back (, (path $x $y)) (, (path $y $x)))
         (rule apart (, (edge $x $a) (edge $b $y) (not (path $x $y))) (, (apart $x $y)))",
        "(rule next (, (n $x) (< $x 9) (:= $y (+ $x 2))) (, (n $y) (made (f $x $y) (:= (* $x $y)))))",
        "(rule some (, (edge $x $y) (exists $z)) (, (through $x $z) (through $z $y)))",
        "(rule start (, (w a $x $_)) (O (min (dist a $k) $k 0)))
         (rule step (, (dist $x $d) (w $x $y $n)) (O (min (dist $y $k) $k (:= (+ $d $n)))))",
        "(rule out (, (edge $x $y)) (O (count (out $x $k) $k $y))) (rule many (, (out $x $n) (< 1 $n)) (, (many $x)))",
    ] {
        explained(facts, rules);
    }
}

#[test]
fn a_derivation_is_cut_where_it_is_asked_to_be() {
    let (_disk, server) = new_server();
    let chain: String = (0..30).map(|n| format!("(edge n{n} n{})\n", n + 1)).collect();
    server.load(path("g", ""), &chain, Mode::Add).expect("loads");
    let rules = "(rule base (, (edge $x $y)) (, (path $x $y))) (rule step (, (path $x $y) (edge $y $z)) (, (path $x $z)))";
    server.reason("g", rules).expect("runs");
    let read = Rules::read(rules.as_bytes()).expect("rules");
    let snapshot = server.snapshot(path("g", "")).expect("a snapshot");
    let fact = parse::term(b"(path n0 n30)").expect("a fact");
    let of = |asked| {
        why(&snapshot, &read, &fact, asked)
            .expect("is looked for")
            .expect("is there")
    };
    let depth = |mut derivation: &Derivation| {
        let mut depth = 0;
        while let Some(below) = derivation.because.first() {
            (derivation, depth) = (below, depth + 1);
        }
        (depth, derivation.how)
    };
    assert_eq!(depth(&of(Asked::default())), (30, How::Given));
    assert_eq!(
        depth(&of(Asked {
            depth: 5,
            ..Asked::default()
        })),
        (5, How::Unfollowed)
    );
    assert_eq!(
        depth(&of(Asked {
            facts: 7,
            ..Asked::default()
        }))
        .1,
        How::Unfollowed
    );
    let only = server.snapshot(path("g", "(path ")).expect("a snapshot");
    let found = why(&only, &read, &fact, Asked::default())
        .expect("is looked for")
        .expect("is there");
    assert_eq!(
        (found.how, found.because.len()),
        (How::Given, 0),
        "what may not be read is not told"
    );
}

/// A rule over numbers with a computed value, whose head is any that there is.
pub(crate) fn a_computing_rule() -> impl Strategy<Value = String> {
    let item = || prop_oneof![5 => "[$][x-z]", 1 => "[0-3]"];
    let atom = || ("[pqrcm]", item(), item()).prop_map(|(head, a, b)| format!("({head} {a} {b})"));
    let pick = || any::<prop::sample::Index>();
    let heads = prop::sample::select(vec![
        ", (p A V)",
        ", (q V B)",
        ", (t (f A V) B)",
        ", (t (:= (* V 2)) A)",
        "O (count (c A $k) $k B)",
        "O (count (c A $k) $k B V) (+ (t A))",
        "O (sum (c A $k) $k V)",
        "O (sum (c A $k) $k V B)",
        "O (mean (c A $k) $k V)",
        "O (top 2 (c A V) V)",
        "O (bottom 2 (t A V B) V B)",
        "O (min (m A $k) $k V)",
        "O (min (m A $k) $k (:= (+ V 1)))",
        "O (max (n A $k) $k V)",
        "O (union (u A $k) $k (B V))",
        ", (t A $new)",
        ", (r A B)",
    ]);
    let computed = prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "min", "max"]);
    let condition = (
        prop::sample::select(vec!["not p", "not c", "!=", "<", "<=", ">", ">="]),
        pick(),
        pick(),
    );
    (
        prop::collection::vec(atom(), 1..3),
        prop::collection::vec(condition, 0..2),
        (computed, heads),
        [pick(), pick(), pick(), pick()],
    )
        .prop_filter_map("has variables", |(body, conditions, (computed, head), picks)| {
            let text = body.join(" ");
            let mut variables: Vec<&str> = text
                .split(['(', ')', ' '])
                .filter(|w| w.starts_with('$'))
                .collect();
            variables.sort_unstable();
            variables.dedup();
            if variables.is_empty() {
                return None;
            }
            let [a, b, left, right] = picks.map(|pick| *pick.get(&variables));
            let mut all = format!("(:= $v ({computed} {left} {right})) (<= 0 $v) (<= $v 6)");
            variables.push("$v");
            for (what, a, b) in conditions {
                let (a, b) = (*a.get(&variables), *b.get(&variables));
                match what.strip_prefix("not ") {
                    Some(head) => all.push_str(&format!(" (not ({head} {a} {b}))")),
                    None => all.push_str(&format!(" ({what} {a} {b})")),
                }
            }
            if head.contains("$new") {
                all.push_str(" (exists $new)");
            }
            let head = head.replace('A', a).replace('B', b).replace('V', "$v");
            Some(format!("(rule r (, {all} {text}) ({head}))"))
        })
}
