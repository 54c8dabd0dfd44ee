//! Programs on a stored graph give what they give in memory.

use std::collections::BTreeSet;

use craton_base::{Clock as _, clock::SystemClock};
use craton_graph::{Control, Limits, exec, load::Mode, memory::MemorySpace, print};

use super::{new_server, server::path, set};

/// The facts that a program leaves of a text, run in memory.
fn in_memory(text: &str) -> BTreeSet<String> {
    let clock = SystemClock::new();
    assert!(clock.now().micros() > 0);
    let control = Control::new(Limits::default(), std::sync::Arc::new(clock));
    let mut space = MemorySpace::read(text.as_bytes()).expect("reads");
    exec::run(&mut space, exec::Options::default(), &control).expect("runs");
    space.facts().map(print::term).collect()
}

fn both(facts: &str, program: &str) {
    let expected = in_memory(&format!("{facts}\n{program}"));
    let (_disk, server) = new_server();
    server.load(path("g", ""), facts, Mode::Add).expect("loads");
    server.run("g", program, 8 << 20).expect("runs");
    let found: BTreeSet<String> = server.text(path("g", "")).lines().map(str::to_owned).collect();
    assert_eq!(found, expected, "{program}");
}

const FACTS: &str = "(edge a b) (edge b c) (edge c a) (edge c 7) (gene x (at chr1 5)) (gene y (at chr2 6)) (if Z $x $y $y) (if (s $n) $x $y $x) foo (exec 5 (, (edge $x $x)) (, (loop $x)))";

#[test]
fn small_programs() {
    for program in [
        "(exec 0 (, (edge $x $y) (edge $y $z)) (, (two $x $z)))",
        "(exec 0 (, (gene $g (at $c $p))) (, (on $c $g) (wrapped (pos $p))))",
        "(exec 0 (, (edge $x c) (edge c $y)) (O (- (edge $x c)) (+ (through $x $y))))",
        "(exec 0 (, (if (s $m) p q $r)) (, (is $r)))",
        "(exec 0 (, $any) (, (seen $any)))",
        "(exec 0 (, foo (edge $x 7)) (, bar)) (exec 1 (, bar) (O (- foo) (- bar) (+ (done))))",
        "(exec 0 (, (edge $x $y)) (O (count (degree $x $k) $k $y)))",
        "(exec 0 (, (edge a $x) (nothing $x)) (, (never)))",
        "(n 3) (exec 0 (, (n 3)) (O (- (n 3)))) (exec 1 (, (exec 5 $p $t)) (, (kept $p)))",
    ] {
        both(FACTS, program);
    }
}

/// Symbols over 63 bytes, more than 63 items, more than 64 variables, and terms deeper than a stack: MM2's own machine cuts them or ends.
#[test]
fn what_the_language_is_cut_at_elsewhere() {
    let (one, other) = ("s".repeat(100), format!("{}t", "s".repeat(99)));
    let wide = |last: &str| format!("(wide {} {last})", "x ".repeat(100));
    let variables: String = (0..100).map(|n| format!("$v{n} ")).collect();
    let deep = format!("{}core{}", "(s ".repeat(5000), ")".repeat(5000));
    let facts = format!(
        "(long {one}) (long {other}) {} {} (many {variables}) (deep {deep}) (edge {one} {other})",
        wide("a"),
        wide("b")
    );
    for program in [
        "(exec 0 (, (long $x) (edge $x $y)) (, (found $x $y)))".to_owned(),
        format!("(exec 0 (, {}) (, (last $z)))", wide("$z")),
        format!("(exec 0 (, (many {variables})) (, (turned ({variables}) again)))"),
        "(exec 0 (, (deep $x)) (, (deeper (s $x))))".to_owned(),
        "(exec 0 (, (deep (s $x))) (O (- (deep (s $x))) (+ (deep $x))))".to_owned(),
        "(exec 0 (, (long $x)) (O (count (longs $k) $k $x)))".to_owned(),
    ] {
        both(&facts, &program);
    }
}

#[test]
fn large_steps_run_as_joins() {
    let mut facts = String::new();
    for n in 0..12_000 {
        facts.push_str(&format!(
            "(edge {} n{})\n(name n{} (is v{}))\n",
            n % 500,
            n % 700,
            n % 700,
            n % 9
        ));
    }
    let program = "(edge 3 fresh) (exec 0 (, (edge $x $y) (name $y (is $v))) (, (sees $x $v) (flag $x new)))
        (exec 1 (, (edge 7 $y) (edge $x $y)) (O (- (edge $x $y)) (+ (like7 $x))))
        (exec 2 (, (sees $x v1) (like7 $x)) (, (both $x)))";
    both(&facts, program);
}

#[test]
fn another_graph_is_written_in_the_same_commit() {
    let (_disk, server) = new_server();
    server.load(path("g", ""), FACTS, Mode::Add).expect("loads");
    server
        .load(path("copy", ""), "(old 1)", Mode::Add)
        .expect("loads");
    let program = "(exec 0 (, (edge $x $y)) (O (ACT copy (back $y $x)) (+ (seen $x))))";
    server.program("g", program, None).expect("runs");
    let expected = set(&["(back b a)", "(back c b)", "(back a c)", "(back 7 c)"]);
    assert_eq!(
        server.facts(path("copy", "")),
        expected,
        "in place of what was there"
    );
    assert!(server.facts(path("g", "")).contains("(seen a)"));
    // A graph that is not there yet, by a join; and one that the program makes be nothing.
    let program = "(exec 0 (, (seen $x)) (O (ACT fresh (was $x)))) (exec 1 (, (none $x)) (O (ACT copy $x)))";
    server.program("g", program, Some(0)).expect("runs");
    assert_eq!(
        server.facts(path("fresh", "")),
        set(&["(was a)", "(was b)", "(was c)"])
    );
    assert!(server.facts(path("copy", "")).is_empty());
    server.collect();
    assert_eq!(server.facts(path("fresh", "")).len(), 3);
}

#[test]
fn a_program_that_fails_writes_no_other_graph() {
    let (_disk, server) = new_server();
    server
        .load(path("copy", ""), "(old 1)", Mode::Add)
        .expect("loads");
    for program in [
        "(n 1) (exec 0 (, (n $x)) (O (ACT copy (new $x)))) (exec 1 (, bad) (, $x",
        "(n 1) (exec 0 (, (n $x)) (O (ACT copy (new $x)))) (exec 1 (, (n $x)) (nonsense))",
        "(n 1) (exec 0 (, (n $x)) (O (ACT g (new $x))))",
    ] {
        assert!(server.program("g", program, None).is_err(), "{program}");
        assert_eq!(server.facts(path("copy", "")), set(&["(old 1)"]), "{program}");
        assert!(server.facts(path("g", "")).is_empty(), "{program}");
    }
}
