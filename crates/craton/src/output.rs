//! What commands say: answers to standard output, everything else to standard error.
//!
//! Invariant: text from a server is shown with its control characters escaped, so that a name can not
//! act on the terminal. A reader that goes away (`craton ls | head`) is not an error.

use std::io::Write as _;

use craton_base::Error;
use serde_json::Value;

/// How to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Tables and sentences.
    Text,
    /// One JSON value.
    Json,
}

/// A line of the answer.
pub(crate) fn line(text: &str) {
    // The reader may be gone; then nobody misses the line.
    let _ = writeln!(std::io::stdout().lock(), "{}", shown(text));
}

/// A JSON value.
pub(crate) fn json(value: &Value) {
    let _ = writeln!(std::io::stdout().lock(), "{value:#}");
}

/// A remark beside the answer.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown(text));
}

/// An error with its causes.
pub(crate) fn error(error: &Error) {
    let mut text = format!("craton: {}", error.message());
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    note(&text);
}

/// Rows under headings, in columns.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|c| shown(c)).collect())
        .collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&headings).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(c, w)| format!("{c:w$}")).collect();
        line(cells.join("  ").trim_end());
    }
}

/// The text with control characters escaped.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && c != '\n' {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_name_can_not_act_on_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\r"), "a\\u{1b}[2Jb\\r");
        assert_eq!(shown("größe 1"), "größe 1");
    }
}
