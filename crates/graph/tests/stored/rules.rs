//! Rules on a stored graph give what their programs give that are run again and again in memory until nothing new comes.

use std::collections::BTreeSet;

use craton_base::clock::SystemClock;
use craton_graph::{
    Control, Limits, exec,
    exec::FactSpace,
    load::Mode,
    memory::MemorySpace,
    print,
    rules::{Checked, Condition, Rules},
    term::Term,
};
use proptest::prelude::*;

use super::{new_server, server::path, set};

/// The naive evaluator: layer by layer every rule over everything, match by match, until nothing new comes.
fn naive(facts: &str, rules: &str) -> BTreeSet<String> {
    let control = Control::new(Limits::default(), std::sync::Arc::new(SystemClock::new()));
    let read = Rules::read(rules.as_bytes()).expect("rules");
    let mut space = MemorySpace::read(facts.as_bytes()).expect("facts");
    let put = |space: &mut MemorySpace, fact: &Term| FactSpace::insert(space, fact.clone()).expect("a fact");
    for fact in &read.facts {
        put(&mut space, fact);
    }
    for layer in &read.layers {
        let mut is_new = true;
        while is_new {
            let made: Vec<Term> = layer
                .iter()
                .flat_map(|rule| made_by(rule, &space, &control))
                .collect();
            is_new = made.iter().fold(false, |any, fact| put(&mut space, fact) | any);
        }
    }
    space.facts().map(print::term).collect()
}

fn made_by(rule: &Checked, space: &MemorySpace, control: &Control) -> Vec<Term> {
    let mut made = Vec::new();
    let found = exec::for_each_match(space, &rule.rule, control, &mut |unifier, root| {
        let instance = |sink: &exec::Sink| match sink {
            exec::Sink::Add(part) => unifier.term(unifier.part(root, *part)),
            _ => panic!("rules only add"),
        };
        let instances: Vec<Term> = rule.rule.sinks.iter().map(instance).collect::<Result<_, _>>()?;
        let (templates, conditions) = instances.split_at(rule.templates);
        if conditions
            .iter()
            .zip(&rule.conditions)
            .all(|(term, what)| holds(space, term, *what))
        {
            made.extend_from_slice(templates);
        }
        Ok(())
    });
    found.expect("matches");
    made
}

fn holds(space: &MemorySpace, term: &Term, what: Condition) -> bool {
    let text = print::term(term);
    let items: Vec<&str> = text.trim_matches(['(', ')']).split(' ').collect();
    let numbers = || Some((items[1].parse::<f64>().ok()?, items[2].parse::<f64>().ok()?));
    match what {
        Condition::Not => !space.contains(term),
        Condition::Same => items[1] == items[2],
        Condition::Different => items[1] != items[2],
        Condition::Less => numbers().is_some_and(|(left, right)| left < right),
        Condition::LessOrSame => numbers().is_some_and(|(left, right)| left <= right),
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
    let layers = Rules::read(rules.as_bytes()).expect("rules").layers.len() as u64;
    prop_assert_eq!((again.rounds, again.added), (layers, 0), "a fixpoint is one");
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
            Err(error) => prop_assert!(error.to_string().contains("denies what follows"), "{}", error),
        }
    }
}
