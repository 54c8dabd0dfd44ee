//! Lengths of functions and files. What is longer than the limit stands in a list with its length; the
//! list only shrinks: a number that is larger than the length, or an entry that is no longer needed,
//! is a finding too.

use std::{collections::BTreeMap, path::Path};

use super::{Finding, Tree};
use crate::source::functions;

const LIST: &str = "xtask/tidy-allow.txt";
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;
const TEST_FILE_LINES_MAX: usize = 800;

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut allowed = BTreeMap::new();
    for (number, line) in (1..).zip(tree.text(LIST).unwrap_or("").lines()) {
        match entry(line) {
            Some((what, lines)) => drop(allowed.insert(what, (number, lines))),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None => found.push(Finding::new(
                LIST,
                number,
                "is not `path length` or `path:function length`",
            )),
        }
    }
    for (what, (path, line, lines)) in long(tree) {
        match allowed.remove(&what) {
            None => found.push(Finding::new(
                &path,
                line,
                format!("{what} has {lines} lines; make it shorter"),
            )),
            Some((_, may)) if may < lines => {
                found.push(Finding::new(
                    &path,
                    line,
                    format!("{what} grew from {may} to {lines} lines"),
                ));
            }
            Some((number, may)) if may > lines => {
                found.push(Finding::new(
                    LIST,
                    number,
                    format!("{what} has {lines} lines now, not {may}"),
                ));
            }
            Some(_) => {}
        }
    }
    found.extend(allowed.into_iter().map(|(what, (number, _))| {
        Finding::new(
            LIST,
            number,
            format!("{what} is not too long (any more); remove the entry"),
        )
    }));
    found
}

fn entry(line: &str) -> Option<(String, usize)> {
    let (what, lines) = line.trim().rsplit_once(' ')?;
    Some((what.trim().to_owned(), lines.parse().ok()?))
}

/// What is longer than its limit: its name in the list, its place, its length.
fn long(tree: &Tree) -> BTreeMap<String, (String, usize, usize)> {
    let mut out = BTreeMap::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        let limit = if file.is_test() {
            TEST_FILE_LINES_MAX
        } else {
            FILE_LINES_MAX
        };
        if lines > limit {
            out.insert(file.path.clone(), (file.path.clone(), 0, lines));
        }
        for f in functions(&file.text)
            .into_iter()
            .filter(|f| f.lines > FUNCTION_LINES_MAX)
        {
            let place = out.entry(format!("{}:{}", file.path, f.name)).or_insert((
                file.path.clone(),
                f.line,
                f.lines,
            ));
            if place.2 < f.lines {
                *place = (file.path.clone(), f.line, f.lines);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    fn run(lines: usize, list: &str) -> Vec<String> {
        let body = "    x();\n".repeat(lines - 2);
        messages(
            check,
            &[
                ("crates/a/src/b.rs", &format!("fn f() {{\n{body}}}\n")),
                (LIST, list),
            ],
        )
    }

    #[test]
    fn seventy_lines_are_fine_and_seventy_one_are_not() {
        assert!(run(70, "").is_empty());
        assert_eq!(
            run(71, ""),
            ["crates/a/src/b.rs:1: crates/a/src/b.rs:f has 71 lines; make it shorter"]
        );
    }

    #[test]
    fn the_list_only_shrinks() {
        assert!(run(80, "# why\ncrates/a/src/b.rs:f 80\n").is_empty());
        assert_eq!(run(80, "crates/a/src/b.rs:f 79").len(), 1, "grew");
        assert_eq!(run(80, "crates/a/src/b.rs:f 81").len(), 1, "shrank");
        assert_eq!(run(60, "crates/a/src/b.rs:f 81").len(), 1, "not needed");
        assert_eq!(run(60, "what is this").len(), 1, "not an entry");
    }

    #[test]
    fn test_files_may_be_longer() {
        let text = "//\n".repeat(600);
        assert!(messages(check, &[("crates/a/src/b/tests.rs", &text)]).is_empty());
        assert_eq!(messages(check, &[("crates/a/src/b.rs", &text)]).len(), 1);
    }
}
