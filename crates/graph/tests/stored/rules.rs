//! Rules on a stored graph give what their programs give that are run again and again in memory until nothing new comes.

use std::collections::BTreeSet;

use craton_base::clock::SystemClock;
use craton_graph::{Control, Limits, exec, load::Mode, memory::MemorySpace, print, rules::Rules};
use proptest::prelude::*;

use super::{new_server, server::path, set};

/// The naive evaluator: every rule over everything, until nothing new comes.
fn naive(facts: &str, rules: &str) -> BTreeSet<String> {
    let control = Control::new(Limits::default(), std::sync::Arc::new(SystemClock::new()));
    let read = Rules::read(rules.as_bytes()).expect("rules");
    let mut space = MemorySpace::read(facts.as_bytes()).expect("facts");
    let put = |space: &mut MemorySpace, fact: &craton_graph::term::Term| {
        exec::FactSpace::insert(space, fact.clone()).expect("a fact")
    };
    for fact in &read.facts {
        put(&mut space, fact);
    }
    loop {
        let before = space.len();
        for rule in &read.rules {
            put(&mut space, &rule.exec);
        }
        exec::run(&mut space, exec::Options::default(), &control).expect("runs");
        if space.len() == before {
            return space.facts().map(print::term).collect();
        }
    }
}

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
    prop_assert_eq!((again.rounds, again.added), (1, 0), "a fixpoint is one");
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

fn a_rule() -> impl Strategy<Value = String> {
    let item = || prop_oneof![4 => "[$][x-z]", 1 => "[ab]"];
    let atom = || ("[pqr]", item(), item()).prop_map(|(head, a, b)| format!("({head} {a} {b})"));
    (
        prop::collection::vec(atom(), 1..4),
        "[pqrs]",
        any::<[prop::sample::Index; 2]>(),
    )
        .prop_filter_map("has variables", |(body, head, picks)| {
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
            let [a, b] = picks.map(|pick| *pick.get(&variables));
            Some(format!("(rule r (, {text}) (, ({head} {a} {b})))"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_rules(
        facts in prop::collection::btree_set(("[pqr]", "[a-e]", "[a-e]"), 0..12),
        rules in prop::collection::vec(a_rule(), 1..5),
    ) {
        let facts: String = facts.iter().map(|(head, a, b)| format!("({head} {a} {b})\n")).collect();
        both(&facts, &rules.join("\n"))?;
    }
}
