//! More kinds of program, after MORK's public examples: the same shapes with other data, each result worked out beside it.

use super::{after, found, ran};

#[test]
fn two_way_views_compose() {
    // A view is (view name outer inner new-inner new-outer); composing unifies what one gives with what the other takes.
    let text = "(view first (pair $x $y) $x $z (pair $z $y))
        (view salary (person $n (pays $s)) $s $t (person $n (pays $t)))
        (chain first salary)
        (exec 0 (, (chain $a $b) (view $a $o $i $j $p) (view $b $i $x $y $j)) (, (view ($a then $b) $o $x $y $p)))
        (exec 1 (, (view (first then salary) (pair (person ann (pays 10)) rest) $s 11 $new)) (, (raised $s $new)))";
    assert_eq!(
        after(text, "(raised $s $new)"),
        ["(raised 10 (pair (person ann (pays 11)) rest))"]
    );
    assert_eq!(after(text, "(view ($a then $b) $o $x $y $p)").len(), 1);
}

#[test]
fn equations_join_with_themselves_turned_round() {
    // (= (f $x $y) (g $y)) turned round unifies with (= (g $z) (f a $z)) alone: $x is a.
    let text = "(law (= (f $x $y) (g $y))) (law (= (g $z) (f a $z))) (law (= (h $x) $x))
        (exec 0 (, (law (= $l $r)) (law (= $r $l))) (, (both $l $r)))";
    let both = after(text, "(both $l $r)");
    assert!(both.contains(&"(both (f a $a) (g $a))".to_owned()), "{both:?}");
    assert!(both.contains(&"(both (g $a) (f a $a))".to_owned()), "{both:?}");
    // (= (h $x) $x) turned round is (= $x (h $x)): it unifies with itself only if $x were (h $x), which nothing is.
    assert!(both.iter().all(|fact| !fact.contains("(h ")), "{both:?}");
}

#[test]
fn a_tree_is_unfolded_by_rules_that_write_rules() {
    // Each step looks up what can be done with a node, and writes the rule that does it.
    let text = "(grow (node (node (leaf 1) (leaf 2)) (leaf 3)) top)
        (step (node $l $r) $way (, (grow $l (left $way)) (grow $r (right $way))))
        (step (leaf $v) $way (, (value $v $way)))
        (exec (1 Z) (, (exec (1 $n) $p $t) (grow $tree $way) (step $tree $way $then) (below $n $m))
                    (, (exec (0 $way) (, (grow $tree $way)) $then) (exec (1 $m) $p $t)))
        (below Z (S Z)) (below (S Z) (S (S Z))) (below (S (S Z)) (S (S (S Z))))";
    assert_eq!(
        after(text, "(value $v $way)"),
        [
            "(value 1 (left (left top)))",
            "(value 2 (right (left top)))",
            "(value 3 (right top))"
        ]
    );
}

#[test]
fn an_expression_is_taken_apart_and_put_together_by_its_width() {
    let text = "(part ($a) 1 $a) (part ($a $b) 1 $a) (part ($a $b) 2 $b)
        (width ($a) one) (width ($a $b) two)
        (given (swap (deep (er 7)) x)) (given (pair (deep (er 7)) x))
        (exec 0 (, (given ($what $a $b)) (part ($a $b) 1 $p) (part ($a $b) 2 $q) (width ($a $b) $w)) (, ($w $q $p $what)))";
    assert_eq!(
        after(text, "(two $q $p $what)"),
        ["(two x (deep (er 7)) pair)", "(two x (deep (er 7)) swap)"]
    );
    assert!(after(text, "(one $q $p $what)").is_empty());
}

#[test]
fn what_is_named_to_be_removed_goes_rules_too() {
    let text = "(row 1) (row 2) (column 1) (kept 1)
        (drop (row $x)) (drop (column 2)) (drop (exec (later $n) $p $t))
        (exec (later 1) (, (kept $x)) (, (never $x)))
        (exec 9 (, (drop $x) $x) (O (- $x)))";
    // `(later 1)` is an expression, and so would run before 9: it has run when the rest goes.
    assert_eq!(after(text, "(never $x)"), ["(never 1)"]);
    assert!(after(text, "(row $x)").is_empty());
    assert_eq!(
        after(text, "(column $x)"),
        ["(column 1)"],
        "removing names what is there"
    );
    // With a lower place the removal comes first, and the rule that it removes never runs.
    let text = text.replace("(exec 9", "(exec (a 0)");
    assert!(after(&text, "(never $x)").is_empty());
    assert_eq!(after(&text, "(kept $x)"), ["(kept 1)"]);
}

#[test]
fn sinks_count_and_cut_products() {
    let text = "(a 1) (a 2) (b x) (b y) (b z)
        (exec 0 (, (a $n) (b $c)) (O (head 4 (first $c $n))))
        (exec 1 (, (a $n) (b $c)) (O (tail 1 (last $c $n))))
        (exec 2 (, (a $n) (b $c)) (O (count (six) 6 ($n $c))))
        (exec 3 (, (a $n) (b $c)) (O (count (seven) 7 ($n $c))))
        (exec 4 (, (a $n) (b $c)) (O (count (each $n $k) $k $c)))
        (exec 5 (, (a $n) (b $c)) (O (count (untold) $k $c)))";
    let (space, _) = ran(text);
    assert_eq!(
        found(&space, "(first $c $n)"),
        ["(first x 1)", "(first x 2)", "(first y 1)", "(first y 2)"]
    );
    assert_eq!(found(&space, "(last $c $n)"), ["(last z 2)"]);
    assert_eq!(found(&space, "(six)"), ["(six)"]);
    assert!(found(&space, "(seven)").is_empty());
    assert_eq!(found(&space, "(each $n $k)"), ["(each 1 3)", "(each 2 3)"]);
    assert_eq!(found(&space, "(untold)"), ["(untold)"]);
}

#[test]
fn a_macro_shares_its_variable_with_what_it_becomes() {
    // The input is a variable: what comes of it is a fact with one variable in both places.
    let text = "(twice $x $e (plus $e $e)) (input $v)
        (exec 0 (, (input $x) (twice $x (number $x) $f)) (, (becomes $x $f)))";
    assert_eq!(
        after(text, "(becomes $x $f)"),
        ["(becomes $a (plus (number $a) (number $a)))"]
    );
}

#[test]
fn a_call_finds_the_functions_that_it_needs() {
    let text = "(goal (apply both (3 4) $res))
        (def (both ($a $b) ((twice $a $c) (twice $b $d)) (pair $c $d)))
        (def (twice 3 6)) (def (twice 4 8))
        (exec 0 (, (goal (apply $f $arg $res)) (def ($f $arg ($one $two) $res)) (def $one) (def $two)) (, (result $res)))";
    assert_eq!(after(text, "(result $r)"), ["(result (pair 6 8))"]);
}

#[test]
fn unification_meets_in_the_middle() {
    // (f $a $a y) and (f $w (g $x) $x): $x is y, and $w is (g y).
    let text = "(f $a $a y) (exec 0 (, (f $w (g $x) $x)) (, (found $w $x)))";
    assert_eq!(after(text, "(found $w $x)"), ["(found (g y) y)"]);
    // A variable that would be part of itself matches nothing.
    let text = "(same $a $a) (exec 0 (, (same $x (s $x))) (, (never $x)))";
    assert!(after(text, "(never $x)").is_empty());
    // Facts with variables on both sides.
    let text = "(left (k $x)) (right ($y end)) (exec 0 (, (left $t) (right $t)) (, (met $t)))";
    assert_eq!(after(text, "(met $t)"), ["(met (k end))"]);
}

#[test]
fn sources_compare_facts() {
    let text = "(val X) (val Y) (val Z) (keep (val Y)) (tall (k $y)) (wide ($x end))
        (exec 0 (I (!= (val $x) (val $y))) (, (differ $x $y)))
        (exec 1 (I (== (val $x) $fact) (BTM (keep $fact))) (, (kept $x $fact)))
        (exec 2 (I (BTM (tall $t)) (== (wide $t) $fact)) (, (seen $fact)))";
    let (space, _) = ran(text);
    assert_eq!(found(&space, "(differ $x $y)").len(), 6);
    assert!(found(&space, "(differ X X)").is_empty());
    assert_eq!(found(&space, "(kept $x $fact)"), ["(kept Y (val Y))"]);
    assert_eq!(found(&space, "(seen $fact)"), ["(seen (wide ($a end)))"]);
}

#[test]
fn numbers_are_scaled_in_steps_or_at_once() {
    let text = "(reading a 30) (reading b 70)
        (scaled $e (div_f64 (sum_f64 (f64_from_string 10) $e) (f64_from_string 4)))
        (exec 0 (, (reading $n $x) (scaled (f64_from_string $x) $formula)) (O (pure (at-once $n $r) $r (f64_to_string $formula))))
        (exec 1 (, (reading $n $x)) (O (pure (number $n $r) $r (f64_from_string $x))))
        (exec 2 (, (number $n $x)) (O (- (number $n $x)) (pure (step $n $r) $r (f64_to_string (div_f64 (sum_f64 (f64_from_string 10) $x) (f64_from_string 4))))))";
    let (space, _) = ran(text);
    assert_eq!(
        found(&space, "(at-once $n $r)"),
        ["(at-once a 10.0)", "(at-once b 20.0)"]
    );
    assert_eq!(found(&space, "(step $n $r)"), ["(step a 10.0)", "(step b 20.0)"]);
    assert!(found(&space, "(number $n $x)").is_empty());
}

#[test]
fn a_pair_of_facts_that_matches_itself_says_so() {
    // Closing triangles again and again: every edge of a closed set is in both directions of what it closes.
    let text = "(way a b) (way b c)
        (exec 0 (, (way $x $y) (way $y $z)) (, (way $x $z)))
        (exec 1 (, (way $x $y) (way $y $z) (way $x $z)) (, (short $x $y $z)))";
    assert_eq!(after(text, "(short $x $y $z)"), ["(short a b c)"]);
}
