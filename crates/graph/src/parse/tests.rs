use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::reference::{self, random};

fn printed(text: &str) -> Vec<String> {
    facts(text.as_bytes())
        .unwrap()
        .iter()
        .map(crate::print::term)
        .collect()
}

#[test]
fn what_mm2_reads() {
    assert_eq!(
        printed("(edge a b) ; a comment (with brackets\n(edge b c)"),
        ["(edge a b)", "(edge b c)"]
    );
    assert_eq!(printed("(a ; inside\n b)"), ["(a b)"]);
    assert_eq!(printed("(a b ; before the bracket\n)"), ["(a b)"]);
    assert_eq!(printed("foo $x ()"), ["foo", "$a", "()"]);
    assert_eq!(printed("(f $y $x $y)"), ["(f $a $b $a)"]);
    assert_eq!(printed("(f $_ $_)"), ["(f $a $b)"]);
    assert_eq!(printed("(f $x)(f $x)"), ["(f $a)", "(f $a)"]);
    assert_eq!(
        printed(r#"(say "a (b) ; \" c" d)"#),
        [r#"(say "a (b) ; \" c" d)"#]
    );
    assert_eq!(printed("(a;b c'd x$y 1.5e3 -)"), ["(a;b c'd x$y 1.5e3 -)"]);
    assert_eq!(printed("\r\n\t(a\r\n b)\r\n"), ["(a b)"]);
    assert_eq!(printed(r#"("a"b)"#), [r#"("a" b)"#]);
    assert!(printed(" ; nothing").is_empty());
}

#[test]
fn symbols_of_any_bytes_have_a_text() {
    assert_eq!(term(b"\\x0001ff").unwrap(), Term::symbol(&[0, 1, 255]).unwrap());
    assert_eq!(printed("\\x6162"), ["ab"]);
    assert_eq!(printed("\\x616"), ["\\x616"]);
    assert_eq!(crate::print::term(&Term::symbol(b"a b").unwrap()), "\\x612062");
    assert_eq!(
        crate::print::term(&Term::symbol(b"\\x6162").unwrap()),
        "\\x5c7836313632"
    );
}

#[test]
fn faults_say_where() {
    for (text, place, what) in [
        ("(a b", "line 1, column 5", "ends inside"),
        ("(a)\n )", "line 2, column 2", "closing bracket"),
        ("(a)\n(b \"c)", "line 2, column 4", "closing quote"),
    ] {
        let error = facts(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), "MalformedText");
        assert!(error.to_string().contains(place), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn deep_wide_and_long_text_is_an_error_or_a_term() {
    let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(term(deep(DEPTH_MAX as usize).as_bytes()).is_ok());
    assert_eq!(
        facts(deep(DEPTH_MAX as usize + 1).as_bytes())
            .unwrap_err()
            .reason(),
        "TermTooLarge"
    );
    assert_eq!(
        facts("(".repeat(1 << 20).as_bytes()).unwrap_err().reason(),
        "TermTooLarge"
    );
    let wide = format!("({})", "a ".repeat(ARITY_MAX as usize + 1));
    assert_eq!(facts(wide.as_bytes()).unwrap_err().reason(), "TermTooLarge");
    let long = "a".repeat(SYMBOL_BYTES_MAX + 1);
    assert_eq!(facts(long.as_bytes()).unwrap_err().reason(), "TermTooLarge");
    let variables: String = (0..=VARIABLES_MAX).map(|n| format!("({n} $v{n})")).collect();
    let nested = format!("({})", variables);
    assert_eq!(facts(nested.as_bytes()).unwrap_err().reason(), "TermTooLarge");
}

/// Gives out its bytes a few at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(out.len());
        let (now, later) = self.0.split_at(length);
        out[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

fn streamed(text: &[u8], step: usize) -> Vec<std::result::Result<Term, String>> {
    let mut reader = Reader::new(Drops(text, step));
    let mut out = Vec::new();
    loop {
        match reader.next_fact() {
            Ok(None) => return out,
            Ok(Some(fact)) => out.push(fact.term().map_err(|error| error.to_string())),
            Err(error) => out.push(Err(error.to_string())),
        }
    }
}

#[test]
fn a_stream_goes_on_after_a_bad_line() {
    let text = b"(a b)\n) (lost)\n(c d)\n(e \"f)\n(g)\n";
    for step in [1, 2, 7, 100] {
        let found = streamed(text, step);
        assert_eq!(found[0].as_ref().unwrap(), &term(b"(a b)").unwrap());
        assert!(
            found[1].as_ref().unwrap_err().contains("line 2, column 1"),
            "{found:?}"
        );
        assert_eq!(found[2].as_ref().unwrap(), &term(b"(c d)").unwrap());
        assert!(
            found[3].as_ref().unwrap_err().contains("line 4, column 4"),
            "{found:?}"
        );
    }
}

#[test]
fn a_reader_counts_lines_and_bytes_over_its_buffer() {
    let mut text = "(a b)\n".repeat(100_000).into_bytes();
    text.extend_from_slice(b")");
    let mut reader = Reader::new(text.as_slice());
    for _ in 0..100_000 {
        assert!(reader.next_fact().unwrap().is_some());
    }
    assert_eq!(reader.consumed(), 600_000 - 1);
    assert!(
        reader
            .next_fact()
            .unwrap_err()
            .to_string()
            .contains("line 100001, column 1")
    );
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(tree in random::any_tree()) {
        let fact = reference::term(&tree);
        let text = crate::print::term(&fact);
        prop_assert_eq!(term(text.as_bytes()).unwrap(), fact);
    }

    #[test]
    fn a_stream_reads_what_a_slice_reads(trees in prop::collection::vec(random::any_tree(), 0..8), step in 1_usize..40) {
        let facts: Vec<Term> = trees.iter().map(reference::term).collect();
        let text: String = facts.iter().map(|fact| crate::print::term(fact) + " ; and so on\n").collect();
        let read: Vec<Term> = streamed(text.as_bytes(), step).into_iter().map(|fact| fact.unwrap()).collect();
        prop_assert_eq!(read, facts);
    }

    #[test]
    fn no_text_crashes(text in prop::collection::vec(prop_oneof![Just(b'('), Just(b')'), Just(b'"'), Just(b'\\'),
        Just(b'$'), Just(b';'), Just(b'\n'), Just(b' '), Just(b'x'), any::<u8>()], 0..200), step in 1_usize..20) {
        let whole = facts(&text);
        let streamed = streamed(&text, step);
        if let Ok(facts) = whole {
            let streamed: Vec<Term> = streamed.into_iter().map(|fact| fact.unwrap()).collect();
            prop_assert_eq!(streamed, facts);
        }
    }
}
