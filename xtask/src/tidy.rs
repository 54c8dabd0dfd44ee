//! Style that is a test. Each check reads the tree and returns findings; there is no output but those.
//!
//! The checks, one module each: `arrows` between crates against the table in ARCHITECTURE.md; `lengths`
//! of functions and files with a list that only shrinks; `words` that may not stand in the tree;
//! `modules` that nothing reaches; `links` between documents; `regressions`, the map of security tests;
//! `lock`, floors and single versions in Cargo.lock.

use std::{fmt, path::Path};

use crate::source::{File, read_tree};

mod arrows;
mod lengths;
mod links;
mod lock;
mod modules;
mod regressions;
mod words;

/// Something that must change.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// The tree as the checks see it.
struct Tree {
    files: Vec<File>,
}

impl Tree {
    fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|f| f.path == path)
            .map(|f| f.text.as_str())
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|f| f.is("rs"))
    }
}

/// A check by its name.
type Check = (&'static str, fn(&Tree, &Path) -> Vec<Finding>);

const CHECKS: [Check; 7] = [
    ("arrows", arrows::check),
    ("lengths", lengths::check),
    ("words", words::check),
    ("modules", modules::check),
    ("links", links::check),
    ("regressions", regressions::check),
    ("lock", lock::check),
];

/// Runs every check.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let files = read_tree(root).map_err(|e| format!("tidy: the tree can not be read: {e}"))?;
    let tree = Tree { files };
    let mut total = 0;
    for (name, check) in CHECKS {
        let mut findings = check(&tree, root);
        findings.sort();
        total += findings.len();
        findings.iter().for_each(|f| println!("tidy ({name}): {f}"));
    }
    if total > 0 {
        return Err(format!("tidy: {total} things to change"));
    }
    println!(
        "tidy: {} files, {} checks, nothing to change",
        tree.files.len(),
        CHECKS.len()
    );
    Ok(())
}

/// A tree made of literals, for the tests of the checks.
#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Tree {
    let files = files.iter().map(|(path, text)| File {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    });
    Tree {
        files: files.collect(),
    }
}

#[cfg(test)]
fn messages(check: fn(&Tree, &Path) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    let mut found = check(&tree(files), Path::new("."));
    found.sort();
    found.iter().map(ToString::to_string).collect()
}
