//! Programs: small ones that show one rule of the language each, and, in `known`, the kinds of program
//! that people write.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use craton_base::{Clock, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    Control, Limits,
    memory::MemorySpace,
    parse,
    reference::{self, Tree, random},
    term::Term,
};

mod examples;
mod known;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn control() -> Control {
    Control::new(Limits::default(), Arc::new(Still))
}

/// Runs a program; its space and report.
fn ran(text: &str) -> (MemorySpace, Report) {
    let mut space = MemorySpace::read(text.as_bytes()).unwrap();
    let options = Options {
        steps: 100_000,
        ..Options::default()
    };
    let report = run(&mut space, options, &control()).unwrap();
    assert!(report.finished, "the program does not end");
    (space, report)
}

/// The facts that match `pattern` after a run, in their order.
fn after(text: &str, pattern: &str) -> Vec<String> {
    let (space, _) = ran(text);
    found(&space, pattern)
}

fn found(space: &MemorySpace, pattern: &str) -> Vec<String> {
    let pair = parse::term(format!("({pattern} {pattern})").as_bytes()).unwrap();
    query(space, &pair)
        .unwrap()
        .iter()
        .map(crate::print::term)
        .collect()
}

fn error(text: &str) -> craton_base::Error {
    let mut space = MemorySpace::read(text.as_bytes()).unwrap();
    run(&mut space, Options::default(), &control()).unwrap_err()
}

#[test]
fn each_match_adds_its_instances() {
    let text =
        "(edge a b) (edge b c) (edge b d) (exec 0 (, (edge $x $y) (edge $y $z)) (, (hop $x $z) (seen $y)))";
    assert_eq!(after(text, "(hop $x $y)"), ["(hop a c)", "(hop a d)"]);
    assert_eq!(after(text, "(seen $x)"), ["(seen b)"]);
    let (space, report) = ran(text);
    assert_eq!(
        (report.steps, report.matches, report.added, report.removed),
        (1, 2, 3, 0)
    );
    assert_eq!(space.len(), 6);
}

#[test]
fn no_pattern_matches_once_and_a_bare_variable_matches_everything() {
    assert_eq!(after("(exec 0 (,) (, (done)))", "(done)"), ["(done)"]);
    assert_eq!(after("a (b) (exec 0 (, $x) (, (was $x)))", "(was $x)").len(), 3);
}

#[test]
fn an_exec_sees_itself_and_may_write_itself_again() {
    let text = "(exec 0 (, (exec $n $p $t) (go $x)) (, (ran $n)))  (go 1)";
    assert_eq!(after(text, "(ran $x)"), ["(ran 0)"]);
    let text = "(left (S (S (S Z)))) (exec 9 (, (left (S $n)) (exec 9 $p $t)) (O (- (left (S $n))) (+ (left $n)) (+ (exec 9 $p $t))))";
    let (space, report) = ran(text);
    assert_eq!(found(&space, "(left $x)"), ["(left Z)"]);
    assert_eq!(report.steps, 4);
}

#[test]
fn the_order_of_execs_is_that_of_facts() {
    // (1 Z) is an expression and runs before the symbols; 9 before 10.
    let rule = |at: &str, name: &str| {
        format!("(exec {at} (, (last $x)) (O (- (last $x)) (+ (last {name})) (+ (before {name} $x))))")
    };
    let text = format!(
        "(last none) {} {} {} {}",
        rule("10", "ten"),
        rule("9", "nine"),
        rule("(1 Z)", "pair"),
        rule("0", "zero")
    );
    let mut found = after(&text, "(before $x $y)");
    found.sort();
    assert_eq!(
        found,
        [
            "(before nine zero)",
            "(before pair none)",
            "(before ten nine)",
            "(before zero pair)"
        ]
    );
}

#[test]
fn additions_come_first_and_removals_see_all_matches() {
    let text = "(n 1) (n 2) (exec 0 (, (n $x) (n $y)) (O (- (n $x)) (+ (pair $x $y))))";
    assert_eq!(after(text, "(pair $x $y)").len(), 4);
    assert!(after(text, "(n $x)").is_empty());
    // What is added and removed by one exec is not there.
    assert!(after("(n 1) (exec 0 (, (n $x)) (O (- (n $x)) (+ (n $x))))", "(n $x)").is_empty());
}

#[test]
fn a_removal_is_of_that_very_fact() {
    let text = "(f $any) (f a) (exec 0 (, (go)) (O (- (f a)))) (go)";
    assert_eq!(after(text, "(f $x)"), ["(f $a)"]);
    let text = "(f $any) (f a) (exec 0 (, (go)) (O (- (f $z)))) (go)";
    assert_eq!(after(text, "(f $x)"), ["(f a)"]);
}

#[test]
fn facts_with_variables_take_part() {
    let text = "(if Z $x $y $y) (if (S $n) $x $y $x) (ask (S Z) then else) (ask Z then else)
        (exec 0 (, (ask $c $x $y) (if $c $x $y $r)) (, (answer $c $r)))";
    assert_eq!(
        after(text, "(answer $x $y)"),
        ["(answer Z else)", "(answer (S Z) then)"]
            .map(String::from)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    // An unbound variable makes a fact with a variable, each fact its own.
    let text = "(p $q (f $q)) (exec 0 (, (p $x $y)) (, (r $x $y $new) (s $y)))";
    assert_eq!(after(text, "(r $x $y $z)"), ["(r $a (f $a) $b)"]);
    assert_eq!(after(text, "(s $x)"), ["(s (f $a))"]);
}

#[test]
fn head_and_tail_keep_the_first_and_the_last() {
    let text = "(n 9) (n 10) (n 2) (n (x)) (exec 0 (, (n $x)) (O (head 2 (h $x)) (tail 2 (t $x))))";
    assert_eq!(after(text, "(h $x)"), ["(h (x))", "(h 2)"]);
    assert_eq!(after(text, "(t $x)"), ["(t 9)", "(t 10)"]);
    assert_eq!(
        error("(exec 0 (, (n $x)) (O (head 0 (h $x))))").reason(),
        "MalformedExec"
    );
}

#[test]
fn counting() {
    let data = "(r a 1) (r a 2) (r b 1) (r b 1)";
    let with = |sink: &str| format!("{data} (exec 0 (, (r $x $y)) (O {sink}))");
    assert_eq!(
        after(&with("(count (c $x $k) $k $y)"), "(c $x $y)"),
        ["(c a 2)", "(c b 1)"]
    );
    assert_eq!(
        after(&with("(count (all $k) $k ($x $y))"), "(all $x)"),
        ["(all 3)"]
    );
    assert_eq!(after(&with("(count (two $x) 2 $y)"), "(two $x)"), ["(two a)"]);
    assert_eq!(
        after(&with("(count (any $x) $k $y)"), "(any $x)"),
        ["(any a)", "(any b)"]
    );
    assert_eq!(
        after(&with("(count (twice $k $x $k) $k $y)"), "(twice $x $y $z)"),
        ["(twice 1 b 1)", "(twice 2 a 2)"]
    );
    assert!(after("(exec 0 (, (r $x)) (O (count (c $k) $k $x)))", "(c $x)").is_empty());
}

#[test]
fn reductions() {
    let data = "(r a 1) (r a 2) (r a 30) (r b -4)";
    let with = |sink: &str| format!("{data} (exec 0 (, (r $x $y)) (O {sink}))");
    assert_eq!(
        after(&with("(sum (s $x $k) $k $y)"), "(s $x $y)"),
        ["(s a 33)", "(s b -4)"]
    );
    assert_eq!(after(&with("(sum (is33 $x) 33 $y)"), "(is33 $x)"), ["(is33 a)"]);
    assert_eq!(
        after(&with("(fsum (s $x $k) $k $y)"), "(s $x $y)"),
        ["(s a 33)", "(s b -4)"]
    );
    assert_eq!(
        after(&with("(fmin (m $x $k) $k $y)"), "(m $x $y)"),
        ["(m a 1)", "(m b -4)"]
    );
    assert_eq!(after(&with("(fmax (m $k) $k $y)"), "(m $x)"), ["(m 30)"]);
    assert_eq!(after(&with("(fprod (m $k) $k $y)"), "(m $x)"), ["(m -240)"]);
    let floats = "(r 0.5) (r 1e3) (r .25) (exec 0 (, (r $x)) (O (fsum (s $k) $k $x)))";
    assert_eq!(after(floats, "(s $x)"), ["(s 1000.75)"]);
    assert_eq!(error(&with("(sum (s $k) $k $x)")).reason(), "NotANumber");
    let bits = "(b \\x0e) (b \\x0b) (exec 0 (, (b $x)) (O (and (all $k) $k $x)))";
    assert_eq!(after(bits, "(all $x)"), ["(all \\x0a)"]);
    let hashes = after(&with("(hash (h $x $k) $k $y)"), "(h $x $y)");
    assert_eq!(hashes.len(), 2);
}

#[test]
fn reductions_are_of_different_values_in_each_group() {
    // 5 comes twice, by two matches; the groups are what else the template has.
    let data = "(v a 5 x) (v a 5 y) (v a 2 x) (v b 5 x)";
    let with = |sink: &str| format!("{data} (exec 0 (, (v $g $n $why)) (O {sink}))");
    for (sink, expected) in [
        ("(sum (r $g $k) $k $n)", ["(r a 7)", "(r b 5)"]),
        ("(fsum (r $g $k) $k $n)", ["(r a 7)", "(r b 5)"]),
        ("(fprod (r $g $k) $k $n)", ["(r a 10)", "(r b 5)"]),
        ("(fmin (r $g $k) $k $n)", ["(r a 2)", "(r b 5)"]),
        ("(fmax (r $g $k) $k $n)", ["(r a 5)", "(r b 5)"]),
        ("(count (r $g $k) $k $n)", ["(r a 2)", "(r b 1)"]),
    ] {
        let mut found = after(&with(sink), "(r $x $y)");
        found.sort();
        assert_eq!(found, expected, "{sink}");
    }
    let hashed = "(v a p) (v b p) (v c q) (exec 0 (, (v $g $n)) (O (hash (h $g $k) $k $n)))
        (exec 1 (, (h a $k) (h b $k)) (, same)) (exec 2 (, (h a $k) (h c $k)) (, other))";
    assert_eq!(after(hashed, "same"), ["same"]);
    assert!(after(hashed, "other").is_empty());
    let bits = "(v a \\x0e) (v a \\x0b) (v b \\x01) (exec 0 (, (v $g $n)) (O (and (r $g $k) $k $n)))";
    assert_eq!(after(bits, "(r $x $y)"), ["(r a \\x0a)", "(r b \\x01)"]);
}

#[test]
fn variables_facts_and_comments_are_as_the_language_says() {
    // A set: renamings are one fact, and each `$_` is a variable of its own.
    let text = "(p $x $y) (p $u $v) (p $_ $_) ; (p $z $z)\n(p $x $x) ; and ; that is all";
    assert_eq!(MemorySpace::read(text.as_bytes()).unwrap().len(), 2);
    assert_eq!(MemorySpace::read(b"(a;b \"; in a string\")").unwrap().len(), 1);
    // Numbers are text until a function reads them.
    assert_eq!(MemorySpace::read(b"1 1.0 01 +1").unwrap().len(), 4);
    // A pattern that is a variable matches every fact, a symbol and the exec itself among them.
    let text = "a (b c) (exec 0 (, $x) (, (saw $x)))";
    assert_eq!(after(text, "(saw $x)").len(), 3);
    // All patterns have one substitution.
    let text = "(f a b) (f b a) (f c c) (exec 0 (, (f $x $y) (f $y $x)) (, (back $x $y)))";
    assert_eq!(
        after(text, "(back $x $y)"),
        ["(back a b)", "(back b a)", "(back c c)"]
    );
}

#[test]
fn unification_and_generalisation_of_all_instances() {
    let data = "(p (f a $x)) (p (f $y b))";
    let with = |sink: &str| format!("{data} (exec 0 (, (p $x)) (O {sink}))");
    assert_eq!(after(&with("(U (u $x))"), "(u $x)"), ["(u (f a b))"]);
    assert_eq!(after(&with("(AU (g $x))"), "(g $x)"), ["(g (f $a $b))"]);
    let clash = "(p (f a)) (p (f b)) (exec 0 (, (p $x)) (O (U (u $x)) (AU (g $x))))";
    assert!(after(clash, "(u $x)").is_empty());
    assert_eq!(after(clash, "(g $x)"), ["(g (f $a))"]);
}

#[test]
fn pure_evaluates_and_failures_are_counted() {
    let text = "(n 20) (n 22) (n x) (exec 0 (, (n $x)) (O (pure (next $x $k) $k
        (i32_to_string (sum_i32 (i32_from_string $x) (i32_from_string 1))))))";
    let (space, report) = ran(text);
    assert_eq!(found(&space, "(next $x $y)"), ["(next 20 21)", "(next 22 23)"]);
    assert_eq!(report.failed_evaluations, 1);
    assert!(
        report.failures[0].contains("not such a number"),
        "{:?}",
        report.failures
    );
    let text = "(w abc) (exec 0 (, (w $x)) (O (pure (first $h) ($h $b $c) (explode_symbol $x)) (pure (is $x) (a b c) (explode_symbol $x))))";
    assert_eq!(after(text, "(first $x)"), ["(first a)"]);
    assert_eq!(after(text, "(is $x)"), ["(is abc)"]);
}

#[test]
fn sources() {
    let data = "(n a) (n b) (m b) (m c)";
    let with = |sources: &str, template: &str| format!("{data} (exec 0 (I {sources}) (, {template}))");
    assert_eq!(
        after(&with("(BTM (n $x)) (BTM (m $x))", "(both $x)"), "(both $x)"),
        ["(both b)"]
    );
    assert_eq!(
        after(&with("(!= (n $x) (n $y))", "(d $x $y)"), "(d $x $y)"),
        ["(d a b)", "(d b a)"]
    );
    assert_eq!(
        after(
            &with("(BTM (n $x)) (BTM (n $y)) (!= (n $x) (n $y))", "(d $x $y)"),
            "(d $x $y)"
        ),
        ["(d a b)", "(d b a)"]
    );
    assert_eq!(
        after(&with("(== (n $x) ($p b))", "(s $x $p)"), "(s $x $p)"),
        ["(s b n)"]
    );
    assert_eq!(
        error(&with("(ACT elsewhere (n $x))", "(s $x)")).reason(),
        "NoSuchGraph"
    );
    assert_eq!(error(&with("(z3 x (n $x))", "(s $x)")).reason(), "MalformedExec");
}

#[test]
fn other_graphs_are_read_and_written_by_name() {
    let mut space = MemorySpace::read(
        b"(n a) (exec 0 (I (ACT old (m $x)) (BTM (n $y))) (O (ACT new (pair $x $y)) (+ (did $x))))",
    )
    .unwrap();
    space.set_other(b"old", MemorySpace::read(b"(m 1) (m 2)").unwrap());
    run(&mut space, Options::default(), &control()).unwrap();
    assert_eq!(found(&space, "(did $x)"), ["(did 1)", "(did 2)"]);
    assert_eq!(
        found(space.get_other(b"new").unwrap(), "(pair $x $y)"),
        ["(pair 1 a)", "(pair 2 a)"]
    );
}

#[test]
fn malformed_execs_are_named() {
    for text in [
        "(exec $x (, a) (, b))",
        "(exec 0 a (, b))",
        "(exec 0 (, a) b)",
        "(exec 0 (. a) (, b))",
        "(exec 0 (, a) (Q b))",
        "(exec 0 () (, b))",
        "(exec 0 (Q) (, b))",
        "(exec 0 (, a) (Q))",
        "(exec 0 (, a) (O (+ b c)))",
        "(exec 0 (, a) (O b))",
        "(exec 0 (I a) (, b))",
        "(exec 0 (, a) (O (head x b)))",
    ] {
        let error = error(text);
        assert_eq!(error.reason(), "MalformedExec", "{text}");
        assert!(error.to_string().contains("(exec "), "{error}");
    }
    // Anything else is a fact like any other.
    assert_eq!(
        ran("(exec 0 (, a)) (exec) exec (execute 0 (, a) (, b))").0.len(),
        4
    );
}

#[test]
fn limits_stop_a_program() {
    let forever = "(exec 0 (, (exec 0 $p $t) (n $x)) (, (n (s $x)) (exec 0 $p $t))) (n z)";
    let mut space = MemorySpace::read(forever.as_bytes()).unwrap();
    let report = run(
        &mut space,
        Options {
            steps: 5,
            ..Options::default()
        },
        &control(),
    )
    .unwrap();
    assert_eq!((report.steps, report.finished), (5, false));
    let limits = Limits {
        facts: 100,
        ..Limits::default()
    };
    let control = Control::new(limits, Arc::new(Still));
    assert_eq!(
        run(&mut space, Options::default(), &control).unwrap_err().kind(),
        craton_base::Kind::TooLarge
    );
    let many: String = (0..300).map(|n| format!("(n {n})")).collect();
    let mut space =
        MemorySpace::read(format!("{many} (exec 0 (, (n $x) (n $y)) (, (p $x $y)))").as_bytes()).unwrap();
    let options = Options {
        gathered_bytes_max: 1 << 20,
        ..Options::default()
    };
    assert_eq!(
        run(&mut space, options, &super::tests::control())
            .unwrap_err()
            .reason(),
        "ProgramTooLarge"
    );
}

#[test]
fn the_first_steps_are_told_one_by_one() {
    let text = "(n 1) (n 2) (exec 0 (, (n $x)) (, (m $x))) (exec 1 (, (n $x)) (O (- (n $x)))) (exec 2 (, (m $x)) (, (p $x)))";
    let mut space = MemorySpace::read(text.as_bytes()).unwrap();
    let options = Options {
        told_max: 2,
        ..Options::default()
    };
    let report = run(&mut space, options, &control()).unwrap();
    let told: Vec<_> = report
        .each
        .iter()
        .map(|told| (told.steps, told.matches, told.added, told.removed, told.joined))
        .collect();
    assert_eq!(told, [(1, 2, 2, 0, false), (1, 2, 0, 2, false)]);
    assert!(
        report.each[1].exec.starts_with("(exec 1 (, (n $a))"),
        "{:?}",
        report.each
    );
    assert_eq!((report.steps, report.added, report.removed), (3, 4, 2));
}

#[test]
fn a_cancelled_program_ends() {
    let many: String = (0..200).map(|n| format!("(n {n})")).collect();
    let text = format!("{many} (exec 0 (, (n $x) (n $y) (n $z) (n $u) (n $v)) (, (p)))");
    let mut space = MemorySpace::read(text.as_bytes()).unwrap();
    let control = control();
    let other = control.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        other.cancel();
    });
    assert_eq!(
        run(&mut space, Options::default(), &control)
            .unwrap_err()
            .reason(),
        "Cancelled"
    );
    thread.join().unwrap();
}

#[test]
fn the_prefixes_of_a_rule() {
    let exec = parse::term(b"(exec 0 (, (edge chr1 $x) (n $y)) (O (+ (hop chr1 $x)) (count (c $k) $k $y)))")
        .unwrap();
    let (reads, writes) = Rule::read(exec).unwrap().prefixes();
    assert_eq!(reads, [b"\x03\xC4edge\xC4chr1".to_vec(), b"\x02\xC1n".to_vec()]);
    assert_eq!(writes, [b"\x03\xC3hop\xC4chr1".to_vec(), b"\x02\xC1c".to_vec()]);
}

/// Programs over few facts, so that patterns meet them.
fn program() -> impl Strategy<Value = BTreeSet<Term>> {
    let facts = prop::collection::vec(random::tree(&["u", "v"]), 0..10);
    let patterns = prop::collection::vec(random::tree(&["x", "y", "z"]), 0..4);
    let templates = prop::collection::vec(
        (
            0..5_u8,
            random::tree(&["x", "y", "new"]),
            random::tree(&["x", "y"]),
        ),
        1..4,
    );
    let exec = (0..3_u8, any::<bool>(), patterns, templates).prop_map(exec);
    (facts, prop::collection::vec(exec, 1..4))
        .prop_map(|(facts, execs)| facts.iter().chain(&execs).map(reference::term).collect())
}

fn symbol(text: &str) -> Tree {
    Tree::Symbol(text.as_bytes().to_vec())
}

/// Place, whether its templates are plain, patterns, sinks.
type Parts = (u8, bool, Vec<Tree>, Vec<(u8, Tree, Tree)>);

fn exec((place, plain, patterns, templates): Parts) -> Tree {
    let mut body = vec![symbol(",")];
    body.extend(patterns);
    let mut later = Vec::new();
    let mut sinks = vec![symbol(if plain { "," } else { "O" })];
    for (kind, template, over) in templates {
        let wrapped = |head: &str, items: Vec<Tree>| {
            Tree::Expression(std::iter::once(symbol(head)).chain(items).collect())
        };
        let counted = Tree::Expression(vec![symbol("c"), template.clone(), Tree::Variable("k".into())]);
        match kind {
            _ if plain => sinks.push(template),
            0 => sinks.push(wrapped("+", vec![template])),
            1 => sinks.push(wrapped("-", vec![template])),
            2 => later.push(wrapped("head", vec![symbol("2"), template])),
            3 => later.push(wrapped("tail", vec![symbol("2"), template])),
            _ => later.push(wrapped("count", vec![counted, Tree::Variable("k".into()), over])),
        }
    }
    sinks.extend(later);
    Tree::Expression(vec![
        symbol("exec"),
        symbol(&place.to_string()),
        Tree::Expression(body),
        Tree::Expression(sinks),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn programs_do_what_the_reference_does(program in program()) {
        let mut space = MemorySpace::new();
        for fact in &program {
            space.insert(fact.clone()).unwrap();
        }
        let options = Options { steps: 4, ..Options::default() };
        match run(&mut space, options, &control()) {
            Ok(_) => {
                let expected = reference::run(program, 4);
                prop_assert_eq!(space.facts().cloned().collect::<BTreeSet<_>>(), expected);
            }
            // A template may have made an `exec` that is none.
            Err(error) => prop_assert_eq!(error.reason(), "MalformedExec"),
        }
    }

    #[test]
    fn no_program_crashes(text in "[()$,;IO+\\-a-c exhdtniu01 =!]{0,120}") {
        if let Ok(mut space) = MemorySpace::read(text.as_bytes()) {
            let _ = run(&mut space, Options { steps: 5, gathered_bytes_max: 1 << 20, ..Options::default() }, &control());
        }
    }
}
