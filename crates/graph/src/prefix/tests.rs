use super::{Prefixes, items, of_term};
use crate::{parse, print};

fn prefix(text: &str) -> String {
    of_term(parse::term(text.as_bytes()).expect("a term").as_bytes())
}

fn all(texts: &[&str]) -> Prefixes {
    let mut out = Prefixes::default();
    texts.iter().for_each(|t| out.insert((*t).to_owned()));
    out
}

#[test]
fn constants_in_front_make_a_prefix() {
    for (term, expected) in [
        ("(edge chr1 $x)", "(edge chr1 "),
        ("(edge $x chr1)", "(edge "),
        ("(edge chr1 a)", "(edge chr1 "),
        ("(gene (at chr17 5) $x)", "(gene (at chr17 5) "),
        ("(gene (at chr17 $p) $x)", "(gene "),
        ("($r a b)", "("),
        ("(done)", "("),
        ("$x", ""),
        ("foo", ""),
        ("()", ""),
        ("(name \"a b\" $x)", "(name \"a b\" "),
    ] {
        assert_eq!(prefix(term), expected, "{term}");
    }
}

#[test]
fn a_prefix_has_one_text() {
    assert_eq!(items("").expect("all"), None);
    let known = items("(gene (at chr17 5) ").expect("is one").expect("has items");
    assert_eq!(
        known.iter().map(print::term).collect::<Vec<_>>(),
        ["gene", "(at chr17 5)"]
    );
    assert_eq!(items("(").expect("is one").expect("has items").len(), 0);
    for wrong in [
        "(edge  chr1 ",
        "(edge\tchr1 ",
        "(edge (at chr1 ",
        "(edge $x ",
        "(edge chr1",
        "(name \"a ",
        "edge ",
        "( edge ",
    ] {
        assert!(items(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn sets_of_prefixes() {
    let one = all(&["(edge chr1 ", "(edge chr1 a ", "(node "]);
    assert_eq!(one.iter().collect::<Vec<_>>(), ["(edge chr1 ", "(node "]);
    assert!(one.cover("(edge chr1 b ") && !one.cover("(edge chr10 ") && !one.cover("(edge "));
    assert!(!one.meet(&all(&["(edge chr2 ", "(edge chr10 "])));
    assert!(one.meet(&all(&["(edge "])) && one.meet(&all(&["(node a "])) && one.meet(&Prefixes::all()));
    assert!(!Prefixes::default().meet(&Prefixes::all()));
    assert_eq!(one.within("(edge "), all(&["(edge chr1 "]));
    assert_eq!(one.within("(node a "), all(&["(node a "]));
    assert!(one.within("(other ").is_empty());
    assert_eq!(Prefixes::all().within("(edge "), all(&["(edge "]));
    let many = all(&["(a 1 x ", "(a 1 y ", "(a 2 x ", "(b "]);
    assert_eq!(many.clone().at_most(3), all(&["(a 1 ", "(a 2 ", "(b "]));
    assert_eq!(many.clone().at_most(2), all(&["(a ", "(b "]));
    assert_eq!(many.clone().at_most(1), all(&["("]));
    assert_eq!(many.at_most(0), all(&["("]));
    assert_eq!(Prefixes::all().at_most(0), Prefixes::all());
}
