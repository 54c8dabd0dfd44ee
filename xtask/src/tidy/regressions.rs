//! The map of security tests, docs/security-regressions.md: every test it names exists, every test named
//! after an advisory is in it, and there are at least as many as its floor says. The floor only rises.

use std::{collections::BTreeSet, path::Path};

use super::{Finding, Tree};
use crate::source::blank;

const PAGE: &str = "docs/security-regressions.md";
/// How the name of a test begins that is named after an advisory.
const NAMED: [&str; 3] = ["cve_", "ghsa_", "rustsec_"];

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let Some(page) = tree.text(PAGE) else {
        return vec![Finding::new(
            PAGE,
            0,
            "is missing: it is the map of security tests",
        )];
    };
    let mapped: BTreeSet<&str> = mapped(page).collect();
    let present = present(tree);
    let mut found = Vec::new();
    for name in mapped.iter().filter(|name| !present.contains(**name)) {
        found.push(Finding::new(PAGE, 0, format!("no test is called {name}")));
    }
    for name in present.iter().filter(|name| !mapped.contains(name.as_str())) {
        found.push(Finding::new(
            PAGE,
            0,
            format!("the test {name} is not in the map"),
        ));
    }
    match floor(page) {
        None => found.push(Finding::new(PAGE, 0, "says no `Floor: N`")),
        Some(floor) if mapped.len() < floor => {
            found.push(Finding::new(
                PAGE,
                0,
                format!("{} tests, fewer than the floor of {floor}", mapped.len()),
            ));
        }
        Some(_) => {}
    }
    found
}

fn is_named(name: &str) -> bool {
    let name = name.strip_prefix("test_").unwrap_or(name);
    NAMED.iter().any(|n| name.starts_with(n))
}

/// The tests that the page names, in code marks.
fn mapped(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .filter(|l| l.starts_with('|'))
        .flat_map(|l| l.split('`').skip(1).step_by(2))
        .filter(|name| is_named(name) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn floor(page: &str) -> Option<usize> {
    let (_, rest) = page.split_once("Floor: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The functions of the tree that are named after an advisory, in Rust and in Python.
fn present(tree: &Tree) -> BTreeSet<String> {
    let rust = tree.rust().filter(|f| !f.path.starts_with("xtask/"));
    let rust = rust.flat_map(|f| defined(&blank(&f.text), "fn "));
    let python = tree.files.iter().filter(|f| f.is("py"));
    let python = python.flat_map(|f| defined(&f.text, "def "));
    rust.chain(python).filter(|name| is_named(name)).collect()
}

fn defined(text: &str, keyword: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let (before, rest) = line.split_once(keyword)?;
            let begins = before.is_empty() || before.ends_with(' ');
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            begins.then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    const RUST: &str = "#[test]\nfn cve_2026_1_x() {}\n// fn cve_2026_9_y() {}\n";

    #[test]
    fn map_and_tree_agree() {
        let page = "Floor: 2.\n| a | `cve_2026_1_x` |\n| b | `test_ghsa_1` in `tests/clients` |\n";
        let python = "def test_ghsa_1():\n    pass\n";
        assert!(messages(check, &[(PAGE, page), ("a.rs", RUST), ("b.py", python)]).is_empty());
        assert_eq!(messages(check, &[(PAGE, page), ("a.rs", RUST)]).len(), 1, "gone");
        let more = "async def test_cve_2026_2():\n    pass\n";
        let files = [(PAGE, page), ("a.rs", RUST), ("b.py", python), ("c.py", more)];
        assert_eq!(messages(check, &files).len(), 1, "not in the map");
    }

    #[test]
    fn the_floor_holds() {
        let page = |n: usize| format!("**Floor: {n}**\n| a | `cve_2026_1_x` |\n");
        assert!(messages(check, &[(PAGE, &page(1)), ("a.rs", RUST)]).is_empty());
        assert_eq!(messages(check, &[(PAGE, &page(2)), ("a.rs", RUST)]).len(), 1);
        assert_eq!(
            messages(check, &[(PAGE, "| a | `cve_2026_1_x` |"), ("a.rs", RUST)]).len(),
            1
        );
    }
}
