use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    exec, parse,
    reference::{self, random},
};

fn term(text: &str) -> Term {
    parse::term(text.as_bytes()).unwrap()
}

fn answers(space: &MemorySpace, pair: &str) -> Vec<String> {
    exec::query(space, &term(pair))
        .unwrap()
        .iter()
        .map(crate::print::term)
        .collect()
}

#[test]
fn facts_are_a_set_in_order() {
    let mut space = MemorySpace::read(b"(b) 1 (f $y) (f $x) (a b) (b)").unwrap();
    assert_eq!(space.len(), 4);
    let shown: Vec<String> = space.facts().map(crate::print::term).collect();
    assert_eq!(shown, ["(b)", "(a b)", "(f $a)", "1"]);
    assert!(space.remove(&term("(f $other)")).unwrap());
    assert!(!space.remove(&term("(f a)")).unwrap());
    assert_eq!(space.len(), 3);
}

#[test]
fn a_later_column_is_found_without_reading_all() {
    let mut space = MemorySpace::new();
    for n in 0..1000 {
        space.insert(term(&format!("(edge a{n} b{})", n % 10))).unwrap();
    }
    assert_eq!(answers(&space, "((edge $x b7) $x)").len(), 100);
    let looked_at = |space: &MemorySpace, pattern: &str| {
        let pattern = term(pattern);
        let goal = Goal {
            instance: pattern.as_bytes(),
            ground: 6,
        };
        let mut count = 0;
        space
            .candidates(&goal, &mut |_| {
                count += 1;
                Ok(())
            })
            .unwrap();
        count
    };
    assert_eq!(looked_at(&space, "(edge $x b7)"), 100);
    // The index follows what is added and removed.
    space.insert(term("(edge new b7)")).unwrap();
    space.remove(&term("(edge a7 b7)")).unwrap();
    assert_eq!(looked_at(&space, "(edge $x b7)"), 100);
    assert!(answers(&space, "((edge $x b7) $x)").contains(&"new".to_owned()));
    assert!(!answers(&space, "((edge $x b7) $x)").contains(&"a7".to_owned()));
}

#[test]
fn facts_with_variables_match_behind_every_prefix() {
    let space = MemorySpace::read(b"(f a b) (f $x c) ($h a b) $any (f (g $y) c) (f a)").unwrap();
    assert_eq!(answers(&space, "((f a b) yes)"), ["yes"]);
    assert_eq!(answers(&space, "((f a $z) $z)"), ["$a", "b", "c"]);
    assert_eq!(answers(&space, "((f (g k) $z) $z)"), ["$a", "c"]);
    assert_eq!(answers(&space, "((f a) ok)"), ["ok"]);
    assert_eq!(answers(&space, "(nothing ok)"), ["ok"]);
}

proptest! {
    #[test]
    fn a_query_finds_what_unifies(
        facts in prop::collection::vec(random::tree(&["u", "v"]), 0..40),
        pattern in random::tree(&["x", "y"]),
    ) {
        let mut space = MemorySpace::new();
        for fact in &facts {
            space.insert(reference::term(fact)).unwrap();
        }
        let pattern = reference::tree(&reference::term(&pattern), "p");
        let pair = reference::term(&reference::Tree::Expression(vec![pattern.clone(), pattern.clone()]));
        let expected: BTreeSet<Term> = facts
            .iter()
            .map(|fact| reference::tree(&reference::term(fact), "f"))
            .filter_map(|fact| reference::unify(&pattern, &fact, Default::default()))
            .map(|found| reference::term(&reference::apply(&pattern, &found)))
            .collect();
        prop_assert_eq!(exec::query(&space, &pair).unwrap(), expected);
    }
}
