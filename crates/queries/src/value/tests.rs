//! Terms to values and back.

use craton_graph::{parse, print};

use super::*;

fn of(text: &str) -> Value {
    Value::of(parse::term(text.as_bytes()).unwrap().as_bytes())
}

#[test]
fn a_term_is_a_value_and_the_value_is_the_term() {
    for text in [
        "<http://e.org/a>",
        "_:b1",
        "\"a \\\"text\\\" of \\\\ words\"",
        "(lang \"text\" en)",
        "(typed \"2020-01-01\" <http://www.w3.org/2001/XMLSchema#date>)",
        "true",
        "-12",
        "1.5",
        "1.5E0",
        "NaN",
        "word",
        "(at chr17 43044295)",
        "(lang word en)",
    ] {
        let value = of(text);
        assert_eq!(print::term(&value.term().unwrap()), text, "{value:?}");
    }
}

#[test]
fn numbers_are_told_by_their_texts() {
    assert_eq!(of("007"), Value::Integer(7.into()));
    assert!(matches!(of("1."), Value::Decimal(_) | Value::Other(_)));
    assert!(matches!(of("1e3"), Value::Double(_)));
    for word in ["1a", "-", "e5", "inf", "0x10", "1_000", "99999999999999999999"] {
        assert_eq!(of(word), Value::Other(word.to_owned()), "{word}");
    }
}

#[test]
fn a_literal_is_the_term_that_readers_of_rdf_make() {
    let text = |text: &str, language, kind: &str| print::term(&literal_term(text, language, kind).unwrap());
    assert_eq!(text("01", None, &format!("{XSD}integer")), "01");
    assert_eq!(text("a b", None, &format!("{XSD}string")), "\"a b\"");
    assert_eq!(text("a", Some("en"), LANG_STRING), "(lang \"a\" en)");
    assert_eq!(text("a", None, "urn:t"), "(typed \"a\" <urn:t>)");
    assert_eq!(text("(f x)", None, OTHER), "(f x)");
}
