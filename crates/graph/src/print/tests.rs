use super::*;
use crate::parse;

#[test]
fn variables_are_named_as_mork_names_them() {
    let many: String = (0..12).map(|n| format!("$v{n} ")).collect();
    let fact = parse::term(format!("({many}$v0)").as_bytes()).unwrap();
    assert_eq!(term(&fact), "($a $b $c $d $e $f $g $h $i $j $x10 $x11 $a)");
}

#[test]
fn nesting_and_empty_expressions() {
    for text in ["()", "(())", "(() ())", "(a (b (c)) () d)", "((a) b)"] {
        assert_eq!(term(&parse::term(text.as_bytes()).unwrap()), text);
    }
}

#[test]
fn what_would_not_be_read_back_is_written_in_hexadecimal() {
    for (symbol, text) in [
        (&b"plain"[..], "plain"),
        (b"\"a b\"", "\"a b\""),
        (b"\"open", "\\x226f70656e"),
        (b"\"a\"b", "\\x226122"),
        (b"$x", "\\x2478"),
        (b";c", "\\x3b63"),
        (b"(", "\\x28"),
        (b"\x00\x01", "\\x0001"),
        (b"\xff", "\\xff"),
        ("ü".as_bytes(), "ü"),
    ] {
        let shown = term(&Term::symbol(symbol).unwrap());
        assert!(shown.starts_with(text), "{shown}");
        assert_eq!(
            parse::term(shown.as_bytes()).unwrap(),
            Term::symbol(symbol).unwrap()
        );
    }
}
