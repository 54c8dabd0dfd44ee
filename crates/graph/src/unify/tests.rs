use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    parse,
    reference::{self, Tree, random},
};

fn term(text: &str) -> Term {
    parse::term(text.as_bytes()).unwrap()
}

fn both(left: &str, right: &str) -> Option<String> {
    unified(&term(left), &term(right))
        .unwrap()
        .map(|term| crate::print::term(&term))
}

#[test]
fn unification_on_both_sides() {
    assert_eq!(both("(f $x b)", "(f a $y)").unwrap(), "(f a b)");
    assert_eq!(both("($x $x)", "((a $y) $z)").unwrap(), "((a $a) (a $a))");
    assert_eq!(both("(f $x $x)", "(f a b)"), None);
    assert_eq!(both("(f $x)", "(f $x $y)"), None);
    assert_eq!(both("$x", "(f $x)").unwrap(), "(f $a)");
    assert_eq!(both("(if Z $x $y $y)", "(if Z a $b c)").unwrap(), "(if Z a c c)");
    assert_eq!(both("a", "(a)"), None);
}

#[test]
fn a_variable_does_not_stand_for_what_it_is_part_of() {
    assert_eq!(both("($x $x)", "($y (f $y))"), None);
    assert_eq!(both("($x $y $x)", "((f $u) (f $v) (f (f $u)))"), None);
    assert_eq!(both("($x $x)", "((a $y) $y)"), None);
    assert_eq!(both("($x $y)", "($y $x)").unwrap(), "($a $b)");
}

#[test]
fn deep_terms_need_no_stack() {
    let depth = crate::term::DEPTH_MAX as usize - 2;
    let deep = |core: &str| format!("{}{core}{}", "(s ".repeat(depth), ")".repeat(depth));
    assert_eq!(both(&deep("$x"), &deep("z")).unwrap(), deep("z"));
    assert_eq!(
        generalise(&term(&deep("a")), &term(&deep("b"))).unwrap(),
        term(&deep("$x"))
    );
}

#[test]
fn terms_of_exponential_size_end_in_an_error() {
    // x0 = (x1 x1), x1 = (x2 x2), … on one side, the same over other variables on the other.
    let chain = |name: &str| {
        (0..60)
            .map(|n| format!("{name}{n} ({name}{} {name}{}) ", n + 1, n + 1))
            .collect::<String>()
    };
    let left = term(&format!("({} $x0)", chain("$x")));
    let same: String = (0..60).map(|n| format!("$a{n} $a{n} ")).collect();
    let right = term(&format!("({same} $b)"));
    let error = unified(&left, &right).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
}

#[test]
fn undoing_takes_bindings_back() {
    let mut unifier = Unifier::default();
    let pattern = unifier.frame(term("(edge $x $y)").as_bytes());
    let mark = unifier.mark();
    for (fact, shown) in [("(edge a b)", "(edge a b)"), ("(edge c $z)", "(edge c $a)")] {
        let fact = unifier.frame(term(fact).as_bytes());
        assert!(unifier.unify(pattern, fact).unwrap());
        assert_eq!(crate::print::term(&unifier.term(pattern).unwrap()), shown);
        unifier.undo(mark);
        assert_eq!(
            crate::print::term(&unifier.term(pattern).unwrap()),
            "(edge $a $b)"
        );
    }
}

#[test]
fn least_general_generalisations() {
    let general = |one: &str, other: &str| crate::print::term(&generalise(&term(one), &term(other)).unwrap());
    assert_eq!(general("(f a b)", "(f a c)"), "(f a $a)");
    assert_eq!(general("(f a a)", "(f b b)"), "(f $a $a)");
    assert_eq!(general("(f a (g a))", "(f b (g b))"), "(f $a (g $a))");
    assert_eq!(general("(f a b)", "(f b a)"), "(f $a $b)");
    assert_eq!(general("(f $x $x)", "(f $y $y)"), "(f $a $a)");
    assert_eq!(general("(f $x $x)", "(f $y $z)"), "(f $a $b)");
    assert_eq!(general("(f ($x b) ($x b))", "(f c c)"), "(f $a $a)");
    assert_eq!(general("a", "(a)"), "$a");
}

/// The matcher: a substitution that takes `general` to `special`, if there is one.
fn instance_of(special: &Tree, general: &Tree, known: &mut BTreeMap<String, Tree>) -> bool {
    match (general, special) {
        (Tree::Variable(name), _) => known.entry(name.clone()).or_insert_with(|| special.clone()) == special,
        (Tree::Expression(some), Tree::Expression(others)) => {
            some.len() == others.len() && some.iter().zip(others).all(|(g, s)| instance_of(s, g, known))
        }
        _ => general == special,
    }
}

proptest! {
    #[test]
    fn it_agrees_with_the_simple_algorithm(left in random::tree(&["x", "y", "z"]), right in random::tree(&["x", "u"])) {
        let (left, right) = (reference::term(&left), reference::term(&right));
        let (one, other) = (reference::tree(&left, "l"), reference::tree(&right, "r"));
        let simple = reference::unify(&one, &other, Default::default())
            .map(|found| reference::term(&reference::apply(&one, &found)));
        prop_assert_eq!(unified(&left, &right).unwrap(), simple.clone());
        prop_assert_eq!(unified(&right, &left).unwrap(), simple);
    }

    #[test]
    fn several_patterns_share_their_variables(
        patterns in prop::collection::vec(random::tree(&["x", "y", "z"]), 1..4),
        facts in prop::collection::vec(random::tree(&["u", "v"]), 3),
    ) {
        let whole = reference::term(&Tree::Expression(patterns));
        let Tree::Expression(patterns) = reference::tree(&whole, "p") else { panic!() };
        let mut simple = Some(reference::Bindings::new());
        let mut unifier = Unifier::default();
        let root = unifier.frame(whole.as_bytes());
        let mut fast = true;
        for (number, (pattern, part)) in patterns.iter().zip(whole.parts().unwrap()).enumerate() {
            let fact = reference::term(&facts[number]);
            let tree = reference::tree(&fact, &format!("f{number}_"));
            simple = simple.and_then(|known| reference::unify(pattern, &tree, known));
            let place = unifier.frame(fact.as_bytes());
            fast = fast && unifier.unify(unifier.part(root, part), place).unwrap();
        }
        prop_assert_eq!(fast, simple.is_some());
        if let Some(found) = simple {
            let simple = reference::term(&reference::apply(&Tree::Expression(patterns), &found));
            prop_assert_eq!(unifier.term(root).unwrap(), simple);
        }
    }

    #[test]
    fn both_are_instances_of_their_generalisation(left in random::tree(&["x", "y"]), right in random::tree(&["x", "y"])) {
        let (left, right) = (reference::term(&left), reference::term(&right));
        let general = reference::tree(&generalise(&left, &right).unwrap(), "g");
        prop_assert!(instance_of(&reference::tree(&left, "l"), &general, &mut BTreeMap::new()));
        prop_assert!(instance_of(&reference::tree(&right, "r"), &general, &mut BTreeMap::new()));
    }
}
