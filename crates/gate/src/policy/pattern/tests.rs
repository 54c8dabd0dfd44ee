use proptest::prelude::*;

use super::*;

const LIKE: Syntax = Syntax {
    wildcards: true,
    variables: true,
    fold: false,
};
const EXACT: Syntax = Syntax {
    wildcards: false,
    variables: true,
    fold: false,
};

fn context() -> Context {
    let mut context = Context::new();
    context.set("aws:username", "al*ce").unwrap();
    context.set("aws:PrincipalTag/team", "red").unwrap();
    context.set("aws:PrincipalTag/empty", "").unwrap();
    context.set_list("aws:TagKeys", vec!["one".into()]).unwrap();
    context
}

fn like(pattern: &str, text: &str) -> bool {
    Pattern::parse(pattern, LIKE).unwrap().matches(text, &context())
}

#[test]
fn wildcards() {
    for (pattern, text, fits) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "a/b:c", true),
        ("**", "", true),
        ("a*", "a", true),
        ("*a", "ba", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "acb", false),
        ("*ab*ab*", "ab", false),
        ("*ab*ab*", "abab", true),
        ("?", "", false),
        ("?", "ü", true),
        ("?", "üü", false),
        ("??*", "a", false),
        ("*??", "ab", true),
        ("a?c", "abc", true),
        ("*a?c*", "xxabcxx", true),
        ("*a?c*", "xxabxcx", false),
        ("*?a", "a", false),
        ("a*?", "a", false),
        ("A", "a", false),
    ] {
        assert_eq!(like(pattern, text), fits, "{pattern:?} against {text:?}");
    }
}

#[test]
fn variables() {
    for (pattern, text, fits) in [
        ("home/${aws:username}/*", "home/al*ce/x", true),
        ("home/${aws:username}/*", "home/alice/x", false),
        ("${AWS:UserName}", "al*ce", true),
        ("${ aws:username }", "al*ce", true),
        ("${aws:principaltag/TEAM}", "red", true),
        ("${aws:missing}", "", false),
        ("${aws:missing}", "${aws:missing}", false),
        ("*${aws:missing}*", "anything", false),
        ("${aws:missing, 'none'}", "none", true),
        ("${aws:missing,'none'}", "none", true),
        ("${aws:missing, 'a*'}", "ab", false),
        ("${aws:PrincipalTag/team, 'none'}", "red", true),
        ("${aws:PrincipalTag/empty}*", "anything", false),
        ("${aws:PrincipalTag/empty, 'none'}", "none", true),
        ("${aws:TagKeys}", "one", false),
        ("${*}", "*", true),
        ("${*}", "a", false),
        ("${?}", "?", true),
        ("${?}", "a", false),
        ("${$}{aws:username}", "${aws:username}", true),
        ("$", "$", true),
        ("a$b", "a$b", true),
        ("{x}", "{x}", true),
    ] {
        assert_eq!(like(pattern, text), fits, "{pattern:?} against {text:?}");
    }
}

#[test]
fn exact_text_has_no_wildcards_but_has_variables() {
    let exact = |pattern, text| Pattern::parse(pattern, EXACT).unwrap().matches(text, &context());
    assert!(exact("a*", "a*"));
    assert!(!exact("a*", "ab"));
    assert!(exact("${*}", "*"));
    assert!(exact("x-${aws:username}", "x-al*ce"));
}

#[test]
fn without_variables_everything_else_is_text() {
    let syntax = Syntax {
        variables: false,
        ..LIKE
    };
    let pattern = Pattern::parse("${aws:username}", syntax).unwrap();
    assert!(pattern.matches("${aws:username}", &context()));
    assert!(Pattern::parse("${", syntax).is_ok());
}

#[test]
fn folding_covers_both_sides() {
    let syntax = Syntax {
        wildcards: false,
        variables: true,
        fold: true,
    };
    let fits = |pattern, text| Pattern::parse(pattern, syntax).unwrap().matches(text, &context());
    assert!(fits("TeAm-${aws:username}", "tEaM-AL*CE"));
    assert!(fits("ÄÖ", "äö"));
    assert!(!fits("a", "b"));
}

#[test]
fn malformed_variables_are_refused() {
    for bad in ["${", "a${b", "${}", "${ }", "${a, b}", "${a, 'b}", "${a${b}}"] {
        assert!(Pattern::parse(bad, LIKE).is_err(), "{bad:?}");
    }
}

#[test]
fn a_hostile_pattern_costs_no_more_than_text_times_pattern() {
    let pattern = format!("{}b", "*a?".repeat(60));
    let text = "a".repeat(4_000);
    let pattern = Pattern::parse(&pattern, LIKE).unwrap();
    for _ in 0..1_000 {
        assert!(!pattern.matches(&text, &Context::new()));
    }
}

/// The definition, exponential in the number of wildcards.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|n| naive(rest, &text[n..])),
        Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((c, rest)) => text.first() == Some(c) && naive(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(pattern in "[ab*?ü]{0,8}", text in "[abü]{0,10}") {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        prop_assert_eq!(like(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn the_value_of_a_variable_is_text(value in "[ab*?${}:/]{1,8}", text in "[ab*?${}:/]{0,10}") {
        let mut context = Context::new();
        context.set("aws:x", value.as_str()).unwrap();
        let pattern = Pattern::parse("<${aws:x}>", LIKE).unwrap();
        prop_assert_eq!(pattern.matches(&format!("<{text}>"), &context), value == text);
    }

    #[test]
    fn no_input_panics(pattern in ".{0,40}", text in ".{0,40}") {
        if let Ok(pattern) = Pattern::parse(&pattern, LIKE) {
            pattern.matches(&text, &context());
        }
    }
}
