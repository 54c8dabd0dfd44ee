use proptest::prelude::*;

use super::*;
use crate::reference::{self, Tree, random};

fn term(text: &str) -> Term {
    crate::parse::term(text.as_bytes()).unwrap()
}

#[test]
fn the_encoding_is_mm2s_where_mm2_has_one() {
    assert_eq!(term("(edge a b)").as_bytes(), b"\x03\xC4edge\xC1a\xC1b");
    assert_eq!(term("(f $x $y $x)").as_bytes(), b"\x04\xC1f\xC0\xC0\x80");
    assert_eq!(term("()").as_bytes(), b"\x00");
}

#[test]
fn the_order_is_that_of_facts() {
    let sorted = [
        "()", "(1 Z)", "(a)", "(a b)", "(b a)", "$x", "0", "9", "10", "zz", "aaa",
    ];
    let mut terms: Vec<Term> = sorted.iter().map(|text| term(text)).collect();
    terms.sort();
    let printed: Vec<String> = terms.iter().map(crate::print::term).collect();
    assert_eq!(
        printed,
        [
            "()", "(a)", "(1 Z)", "(a b)", "(b a)", "$a", "0", "9", "10", "zz", "aaa"
        ]
    );
}

#[test]
fn symbols_and_expressions_go_on_where_mm2_stops() {
    for length in [62, 63, 64, 300] {
        let text = "s".repeat(length);
        assert_eq!(Term::from_bytes(term(&text).as_bytes()).unwrap(), term(&text));
        let wide = format!("({})", "a ".repeat(length));
        assert_eq!(term(&wide).parts().unwrap().len(), length);
        assert_eq!(Term::from_bytes(term(&wide).as_bytes()).unwrap(), term(&wide));
    }
    assert!(term(&"s".repeat(63)) < term(&"s".repeat(64)));
    assert!(term(&"s".repeat(70)) != term(&format!("{}t", "s".repeat(69))));
    assert!(term(&format!("({})", "a ".repeat(63))) < term(&format!("({})", "a ".repeat(64))));
    let many: String = (0..200).map(|n| format!("$v{n} ")).collect();
    let twice = term(&format!("({many}{many})"));
    assert_eq!(twice.variables(), 200);
    assert_eq!(Term::from_bytes(twice.as_bytes()).unwrap(), twice);
}

#[test]
fn bytes_that_are_no_term_are_refused() {
    let cases: [&[u8]; 10] = [
        b"",
        b"\x02\xC1a",
        b"\xC1",
        b"\x80",
        b"\x02\xC0\x81",
        b"\x40",
        b"\xFF\x00\x00\x00\x00",
        b"\x3F\x00\x00\x00\x01\xC1a",
        b"\xC1ab",
        b"\xFF\xFF\xFF\xFF\xFF",
    ];
    for bytes in cases {
        assert!(Term::from_bytes(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn limits_are_errors() {
    let mut writer = Writer::default();
    assert_eq!(
        writer
            .symbol(&vec![b'a'; SYMBOL_BYTES_MAX + 1])
            .unwrap_err()
            .reason(),
        "TermTooLarge"
    );
    assert_eq!(
        writer.expression(ARITY_MAX + 1).unwrap_err().reason(),
        "TermTooLarge"
    );
    assert_eq!(writer.symbol(b"").unwrap_err().reason(), "EmptySymbol");
}

fn fits_mm2(tree: &Tree) -> bool {
    match tree {
        Tree::Symbol(text) => text.len() < 64,
        Tree::Variable(_) => true,
        Tree::Expression(items) => items.iter().all(fits_mm2),
    }
}

proptest! {
    #[test]
    fn terms_order_as_mm2_orders_their_bytes(one in random::any_tree(), other in random::any_tree()) {
        prop_assume!(fits_mm2(&one) && fits_mm2(&other));
        let (one, other) = (reference::term(&one), reference::term(&other));
        prop_assert_eq!(one.cmp(&other), reference::mm2_bytes(&one).cmp(&reference::mm2_bytes(&other)));
    }

    #[test]
    fn names_of_variables_do_not_matter(tree in random::tree(&["x", "y", "z"])) {
        let term = reference::term(&tree);
        prop_assert_eq!(&reference::term(&reference::tree(&term, "other")), &term);
        prop_assert_eq!(&Term::from_bytes(term.as_bytes()).unwrap(), &term);
    }

    #[test]
    fn any_bytes_are_a_term_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(term) = Term::from_bytes(bytes.as_slice()) {
            prop_assert_eq!(&reference::term(&reference::tree(&term, "x")), &term);
        }
    }
}
