use proptest::prelude::*;

use super::*;

impl Starting for &str {
    fn start(&self) -> String {
        (*self).to_owned()
    }
}

fn numbered<'s>(starts: &[&'s str]) -> Starts<usize> {
    Starts::new(starts.iter().copied().zip(0..).collect::<Vec<(&'s str, _)>>())
}

#[test]
fn starts_are_found_in_nested_prefixes() {
    let starts = ["", "a", "ab", "abc", "abd", "ac", "b", "abcde"];
    let index = numbered(&starts);
    for text in ["", "a", "ab", "abc", "abcd", "abcdef", "abz", "ad", "b", "c", "0"] {
        let found: Vec<&str> = index.of(text).map(|at| starts[*at]).collect();
        let mut expected: Vec<&str> = starts.into_iter().filter(|s| text.starts_with(s)).collect();
        expected.sort_unstable_by_key(|start| std::cmp::Reverse(start.len()));
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn of_a_long_list_only_what_can_fit_is_asked_about() {
    let names: Vec<String> = (0..5_000).map(|n| format!("p{n}/")).collect();
    let values: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut asked = Vec::new();
    let none = Finder::new(&values).any(&values, "p4321/key", |value| {
        asked.push(*value);
        false
    });
    assert!(!none);
    assert_eq!(asked, ["p4321/"]);
}

proptest! {
    #[test]
    fn what_is_found_is_what_going_through_all_finds(
        starts in prop::collection::vec("[aé/]{0,4}", 0..40),
        text in "[aé/]{0,6}",
    ) {
        let starts: Vec<&str> = starts.iter().map(String::as_str).collect();
        let mut found: Vec<usize> = numbered(&starts).of(&text).copied().collect();
        found.sort_unstable();
        let expected: Vec<usize> = (0..starts.len()).filter(|at| text.starts_with(starts[*at])).collect();
        prop_assert_eq!(&found, &expected);
        let mut beyond: Vec<usize> = numbered(&starts).beyond(&text).copied().collect();
        beyond.sort_unstable();
        let longer = |at: &usize| starts[*at].starts_with(&text) && starts[*at] != text;
        prop_assert_eq!(&beyond, &(0..starts.len()).filter(longer).collect::<Vec<usize>>());
        let any = Finder::new(&starts).any(&starts, &text, |start| text.starts_with(*start));
        prop_assert_eq!(any, !expected.is_empty());
    }
}
