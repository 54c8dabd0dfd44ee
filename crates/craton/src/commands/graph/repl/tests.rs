use console::Key;

use super::{
    depth,
    editor::{Did, Line},
    is_query,
};

#[test]
fn an_input_ends_where_its_brackets_do() {
    assert_eq!(depth("(a (b c))"), 0);
    assert_eq!(depth("(exec 0 (, (a"), 3);
    assert_eq!(depth("(a \") \\\" (\""), 1);
    assert_eq!(depth("(a ; (((\n b)"), 0);
}

#[test]
fn a_query_begins_with_patterns() {
    assert!(is_query("(, (edge $x $y)) (, $x)"));
    assert!(is_query("(I (BTM $x)) (, $x)"));
    assert!(!is_query("(edge a b)"));
    assert!(!is_query("(exec 0 (, a) (, b))"));
    assert!(!is_query("atom"));
}

#[test]
fn a_line_is_edited() {
    let history = ["(first)".to_owned(), "(second)".to_owned()];
    let mut line = Line::default();
    for letter in "(edeg".chars() {
        line.take(&Key::Char(letter), &history);
    }
    let keys = [
        Key::Backspace,
        Key::Backspace,
        Key::Char('g'),
        Key::Char('e'),
        Key::Char(')'),
        Key::Home,
        Key::Del,
        Key::Char('['),
    ];
    for key in keys {
        assert_eq!(line.take(&key, &history), Did::Edited);
    }
    assert_eq!(line.text(), "[edge)");
    line.take(&Key::ArrowUp, &history);
    assert_eq!(line.text(), "(second)");
    line.take(&Key::ArrowUp, &history);
    line.take(&Key::ArrowUp, &history);
    assert_eq!(line.text(), "(first)");
    line.take(&Key::ArrowDown, &history);
    line.take(&Key::ArrowDown, &history);
    assert_eq!(line.text(), "[edge)", "its own line is still there");
    assert_eq!(line.take(&Key::Enter, &history), Did::Entered);
    assert_eq!(line.take(&Key::CtrlC, &history), Did::GivenUp);
}
