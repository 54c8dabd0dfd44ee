use super::*;

#[test]
fn comments_and_literals_are_blanked_and_offsets_stay() {
    let text = "a // {\nb \"{\\\"{\" c /* { /* { */ { */ d '{' e '\\'' f r#\"{ \" {\"# g 'a: 'é' h";
    let blanked = blank(text);
    assert_eq!(blanked.len(), text.len());
    assert!(!blanked.contains('{'), "{blanked}");
    assert_eq!(blanked.matches('\n').count(), 1);
    let words: Vec<&str> = tokens(&blanked).into_iter().map(|(_, w)| w).collect();
    assert_eq!(words, ["a", "b", "c", "d", "e", "f", "g", "'", "a", ":", "h"]);
}

#[test]
fn a_raw_identifier_and_a_word_ending_in_r_are_no_strings() {
    assert_eq!(blank("r#type for\"x\""), "r#type for   ");
}

#[test]
fn functions_have_their_lengths() {
    let text = "fn one() {}\ntrait T {\n    fn none(&self, x: [u8; 3]);\n}\nfn two(x: [u8; 3])\n-> u8\nwhere\n{\n    fn inner() {\n    }\n    let f: fn(u8) = |_| {};\n}\n";
    let found: Vec<(String, usize, usize)> = functions(text)
        .into_iter()
        .map(|f| (f.name, f.line, f.lines))
        .collect();
    let expect = [("one", 1, 1), ("two", 5, 8), ("inner", 9, 2)];
    assert_eq!(found, expect.map(|(n, l, k)| (n.to_owned(), l, k)));
}

#[test]
fn test_files_are_told_by_their_path() {
    let file = |path: &str| File {
        path: path.into(),
        text: String::new(),
    };
    assert!(file("crates/a/src/b/tests.rs").is_test());
    assert!(file("crates/a/tests/b.rs").is_test());
    assert!(!file("crates/a/src/attests.rs").is_test());
    assert!(file("crates/a/src/b.rs").is("rs"));
}
