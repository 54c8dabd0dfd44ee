//! What must stand in a file and what must not: product modules begin by saying what they are; no
//! test is switched off; nothing is left for later in a comment; no path of somebody's machine.

use std::path::Path;

use super::{Finding, Tree};
use crate::source::File;

/// Left for later, or left behind. In two halves, so that this file may be checked too.
const UNFINISHED: [(&str, &str); 6] = [
    ("#[ign", "ore"),
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("to", "do!"),
    ("db", "g!"),
];
/// Folders of a machine.
const MACHINE: [(&str, &str); 5] = [
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/tm", "p/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
];

/// The switches of the benchmarks, of decisions that are none and of records that are not made, and the only files that may name them: where
/// they are known to the compiler, where they count, where they are set, and what says so.
const SWITCHES: [(&str, &str, &[&str]); 2] = [
    (
        "craton_always",
        "_yes",
        &[
            "Cargo.toml",
            "bench/README.md",
            "crates/gate/src/decide.rs",
            "xtask/src/bench.rs",
        ],
    ),
    (
        "craton_bench",
        "_switches",
        &[
            "Cargo.toml",
            "bench/README.md",
            "crates/gate/src/switches.rs",
            "xtask/src/bench/lineage.rs",
        ],
    ),
];

/// What lets code be `unsafe`, and the only module that may say it.
const UNSAFE: (&str, &str) = ("allow(unsafe", "_code");
const UNSAFE_IN: &str = "crates/craton/src/memory.rs";

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let files = || tree.files.iter();
    let only = files().filter_map(switch).chain(files().filter_map(unsafe_code));
    files().flat_map(file).chain(only).collect()
}

/// A file that lets itself be `unsafe` and may not.
fn unsafe_code(file: &File) -> Option<Finding> {
    let said = format!("{}{}", UNSAFE.0, UNSAFE.1);
    let may = file.path == UNSAFE_IN || !file.is("rs");
    (!may && file.text.contains(&said)).then(|| {
        let text = format!("`{said}`: only {UNSAFE_IN} has a reason to");
        Finding::new(&file.path, 0, text)
    })
}

/// A file that names a benchmark's switch and may not: a build with it would let everybody in, or be without records.
fn switch(file: &File) -> Option<Finding> {
    SWITCHES.iter().find_map(|(first, second, known)| {
        let named = format!("{first}{second}");
        let may = known.contains(&file.path.as_str());
        (!may && file.text.contains(&named)).then(|| {
            let text = format!("`{named}`: only `cargo xtask bench` sets it");
            Finding::new(&file.path, 0, text)
        })
    })
}

fn file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    let product = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
    if product
        && file.is("rs")
        && file.path.contains("/src/")
        && !file.is_test()
        && !file.text.starts_with("//!")
    {
        found.push(Finding::new(
            &file.path,
            1,
            "does not begin with `//!`: what it is and what it does not know",
        ));
    }
    let code = ["rs", "py", "sh", "mjs"].iter().any(|e| file.is(e)) || file.path.starts_with(".ci/");
    for (number, line) in (1..).zip(file.text.lines()) {
        if code {
            found.extend(any(&UNFINISHED, line, is_apart).map(|word| {
                Finding::new(
                    &file.path,
                    number,
                    format!("`{word}`: do it now, or describe it in an issue"),
                )
            }));
        }
        if !file.is("lock") {
            found
                .extend(any(&MACHINE, line, begins_path).map(|path| {
                    Finding::new(&file.path, number, format!("`{path}`: a path of one machine"))
                }));
        }
    }
    found
}

/// The first of the words that stands in a line.
fn any(words: &[(&str, &str)], line: &str, stands: fn(&str, &str) -> bool) -> Option<String> {
    words.iter().map(|(a, b)| format!("{a}{b}")).find(|word| {
        line.match_indices(word.as_str()).any(|(at, _)| {
            let (before, rest) = line.split_at_checked(at).unwrap_or((line, ""));
            stands(before, rest.strip_prefix(word.as_str()).unwrap_or(""))
        })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_apart(before: &str, after: &str) -> bool {
    !before.ends_with(is_word) && !after.starts_with(is_word)
}

/// A path of a machine begins the path: what stands before it is not part of a longer one or a URL.
fn begins_path(before: &str, _after: &str) -> bool {
    !before.ends_with(|c: char| is_word(c) || "./-*~}>)]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    fn run(path: &str, text: &str) -> usize {
        messages(check, &[(path, text)]).len()
    }

    #[test]
    fn a_module_says_what_it_is() {
        assert_eq!(run("crates/a/src/b.rs", "use x;\n"), 1);
        assert_eq!(run("crates/a/src/b.rs", "//! B.\n"), 0);
        assert_eq!(run("crates/a/src/b/tests.rs", "use x;\n"), 0);
        assert_eq!(run("crates/a/tests/all.rs", "use x;\n"), 0);
    }

    #[test]
    fn nothing_is_left_for_later() {
        for (a, b) in UNFINISHED {
            assert_eq!(run("a.rs", &format!("x\n// {a}{b} later\n")), 1, "{a}{b}");
        }
        assert_eq!(
            run("a.rs", &format!("{}{}LIST {}{}y\n", "TO", "DO", "XX", "X")),
            0
        );
        assert_eq!(
            run("a.md", &format!("{}{}\n", "TO", "DO")),
            0,
            "prose may name it"
        );
    }

    #[test]
    fn no_path_of_a_machine() {
        for (a, b) in MACHINE {
            assert_eq!(run("a.md", &format!("see `{a}{b}x`\n")), 1, "{a}{b}");
            assert_eq!(run("a.md", &format!("see target{a}{b}x\n")), 0, "{a}{b}");
        }
    }
}
