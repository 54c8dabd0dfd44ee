use std::collections::BTreeSet;

use super::touched;
use crate::parse;

fn of(program: &str) -> (Vec<String>, Vec<String>) {
    let execs = parse::facts(program.as_bytes()).expect("facts");
    let touched = touched(&execs).expect("is small");
    let list = |p: &crate::prefix::Prefixes| p.iter().map(str::to_owned).collect::<Vec<_>>();
    (list(&touched.reads), list(&touched.writes))
}

fn assert_touches(program: &str, reads: &[&str], writes: &[&str]) {
    let (r, w) = of(program);
    let set = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(r.into_iter().collect::<BTreeSet<_>>(), set(reads), "{program}");
    assert_eq!(w.into_iter().collect::<BTreeSet<_>>(), set(writes), "{program}");
}

#[test]
fn constants_narrow() {
    assert_touches(
        "(exec 0 (, (edge chr1 $x) (node $x)) (, (hop chr1 $x)))",
        &["(edge chr1 ", "(node "],
        &["(hop chr1 "],
    );
    assert_touches(
        "(exec 0 (I (BTM (a 1 $x)) (== (b $x) (b $y)) (!= (c $x) (d $y))) (O (- (a 1 $x)) (count (n $x $k) $k $y) (head 3 (h 1 $y))))",
        &["(a 1 ", "(b ", "(c ", "(d "],
        &["(a 1 ", "(n ", "(h 1 "],
    );
    assert_touches("(exec 0 (, $x) (, (seen $x)))", &[""], &["(seen "]);
    assert_touches("(exec 0 (,) (, (done)))", &[], &["("]);
}

#[test]
fn what_execs_write_is_followed() {
    // A rule that writes itself again.
    assert_touches(
        "(exec (s (S Z)) (, (exec (s (S $l)) $p $t) (edge chr1 $x)) (, (seen chr1 $x) (exec (s $l) $p $t)))",
        &["(edge chr1 "],
        &["(seen chr1 "],
    );
    // One rule writes another, which stands in it.
    assert_touches(
        "(exec 0 (, (go $x)) (, (exec 1 (, (edge $x $y)) (, (out $x $y)))))",
        &["(go ", "(edge "],
        &["(out "],
    );
    // One rule runs another again under a further location: both are known.
    assert_touches(
        "(exec 9 (, (exec (1 $l) $p $t)) (, (exec (2 $l) $p $t))) (exec (1 a) (, (edge a $x)) (, (out a $x)))",
        &["(edge a "],
        &["(out a "],
    );
    // Patterns and templates change places.
    assert_touches(
        "(exec 9 (, (exec 1 (, $p) (, $t))) (, (exec 2 (, $t) (, $p)))) (exec 1 (, (edge a $x)) (, (out a $x)))",
        &["(edge a ", "(out a "],
        &["(out a ", "(edge a "],
    );
}

#[test]
fn what_only_data_tells_is_everything() {
    for program in [
        "(exec 0 (, (rule $p $t)) (, (exec 1 $p $t)))",
        "(exec 0 (, (rule $r)) (, $r))",
        "(exec 0 (, (rule $a $b $c $d)) (, ($a $b $c $d)))",
        "(exec 0 (, (edge a b)) wrong)",
        "(exec 0 (, (exec 1 $p $t)) (O (AU (exec 2 $p $t))))",
        // Grows for ever.
        "(exec 0 (, (exec $l (, $p) $t)) (, (exec 1 (, (n $p)) $t)))",
    ] {
        let (reads, writes) = of(program);
        assert_eq!(
            (reads, writes),
            (vec![String::new()], vec![String::new()]),
            "{program}"
        );
    }
}

#[test]
fn three_items_are_never_an_exec() {
    assert_touches("(exec 0 (, ($r $x $y)) (, ($r $y $x)))", &["("], &["("]);
}
