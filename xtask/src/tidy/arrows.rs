//! The arrows between crates: normal dependencies on crates of ours, against the table under
//! `## Crates` in ARCHITECTURE.md. And the arrow that is absent whatever that table says: a door names
//! the store nowhere, not even for its tests, since then a door could be written that works only there.

use std::{collections::BTreeMap, path::Path};

use super::{Finding, Tree};

const PAGE: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let Some(page) = tree.text(PAGE) else {
        return vec![Finding::new(PAGE, 0, "is missing: it holds the table of crates")];
    };
    let allowed = table(page);
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| f.path.ends_with("/Cargo.toml")) {
        let Some(name) = file
            .path
            .strip_prefix("crates/")
            .and_then(|p| p.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some(may) = allowed.get(name) else {
            found.push(Finding::new(
                &file.path,
                0,
                format!("{name} is not in the table of crates in {PAGE}"),
            ));
            continue;
        };
        for dependency in dependencies(&file.text) {
            found.extend(judge(&file.path, name, may, &dependency));
        }
    }
    for name in allowed.keys() {
        if tree.text(&format!("crates/{name}/Cargo.toml")).is_none() {
            found.push(Finding::new(
                PAGE,
                0,
                format!("the table names {name}, which has no content yet"),
            ));
        }
    }
    found
}

fn judge(path: &str, name: &str, may: &[String], d: &Dependency) -> Option<Finding> {
    if name == "doors" && d.on == "store" {
        return Some(Finding::new(path, d.line, "a door may not name the store"));
    }
    let any = may.iter().any(|m| m == "any");
    if d.normal && !any && !may.contains(&d.on) {
        let message = format!("{name} -> {} is not an arrow of the table in {PAGE}", d.on);
        return Some(Finding::new(path, d.line, message));
    }
    None
}

/// The table: crate -> the crates it may depend on. Other columns are for people.
fn table(page: &str) -> BTreeMap<String, Vec<String>> {
    page.lines()
        .skip_while(|l| l.trim() != "## Crates")
        .skip(1)
        .take_while(|l| !l.starts_with("## "))
        .filter_map(|line| {
            let mut cells = line.trim().strip_prefix('|')?.split('|');
            let name = words(cells.next()?).next()?;
            let may = words(cells.next()?).collect();
            Some((name, may))
        })
        .filter(|(name, _)| name != "crate" && !name.starts_with('-'))
        .collect()
}

/// The names in a cell, without code marks, folders and the crates' common prefix.
fn words(cell: &str) -> impl Iterator<Item = String> {
    cell.split([',', ' '])
        .map(|w| {
            w.trim_matches('`')
                .trim_start_matches("crates/")
                .trim_start_matches("craton-")
                .to_owned()
        })
        .filter(|w| !w.is_empty())
}

/// A dependency on a crate of ours.
struct Dependency {
    on: String,
    line: usize,
    normal: bool,
}

fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut section = String::new();
    let mut out = Vec::new();
    for (number, line) in (1..).zip(manifest.lines()) {
        let line = line.trim();
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_end_matches(']').to_owned();
        }
        let normal = section.contains("dependencies")
            && !section.contains("dev-dependencies")
            && !section.contains("build-dependencies");
        let names = section.contains("dependencies") && !line.starts_with('#');
        for on in ours(line).filter(|_| names) {
            out.push(Dependency {
                on,
                line: number,
                normal,
            });
        }
    }
    out
}

/// The crates of ours that a line names: as the key, in a heading, or as `package = "…"`.
fn ours(line: &str) -> impl Iterator<Item = String> {
    let mut seen: Vec<String> = line
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_')
        .filter_map(|word| {
            word.strip_prefix("craton-")
                .or_else(|| word.strip_prefix("craton_"))
        })
        .map(str::to_owned)
        .collect();
    seen.dedup();
    seen.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    const PAGE_TEXT: &str = "# A\n## Crates\n| crate | may depend on | what |\n|---|---|---|\n| `base` | nothing | x |\n| `store` | `base` | `gate` |\n| `doors` | `base`, `store` | y |\n| `sim` | any | z |\n## Next\n| `other` | a |\n";

    fn run(name: &str, manifest: &str) -> Vec<String> {
        let path = format!("crates/{name}/Cargo.toml");
        let mut files = vec![(PAGE, PAGE_TEXT)];
        for other in [
            "crates/base/Cargo.toml",
            "crates/store/Cargo.toml",
            "crates/doors/Cargo.toml",
            "crates/sim/Cargo.toml",
        ] {
            if other != path {
                files.push((other, ""));
            }
        }
        files.push((&path, manifest));
        messages(check, &files)
    }

    #[test]
    fn an_arrow_of_the_table_is_fine_and_others_are_not() {
        assert!(
            run(
                "store",
                "[dependencies]\ncraton-base = { workspace = true }\nbytes = \"1\"\n"
            )
            .is_empty()
        );
        let found = run("store", "[dependencies]\ncraton-gate.workspace = true\n");
        assert_eq!(
            found,
            ["crates/store/Cargo.toml:2: store -> gate is not an arrow of the table in ARCHITECTURE.md"]
        );
    }

    #[test]
    fn test_dependencies_are_free_and_renamed_ones_are_seen() {
        assert!(run("store", "[dev-dependencies]\ncraton-sim = {}\n").is_empty());
        assert_eq!(
            run("store", "[dependencies.gate]\npackage = \"craton-gate\"\n").len(),
            1
        );
        assert_eq!(
            run("store", "[target.'cfg(unix)'.dependencies]\ncraton-gate = {}\n").len(),
            1
        );
        assert!(run("sim", "[dependencies]\ncraton-store = {}\n").is_empty());
    }

    #[test]
    fn a_door_never_names_the_store() {
        for section in ["dependencies", "dev-dependencies"] {
            let found = run(
                "doors",
                &format!("[{section}]\ncraton-store = {{ workspace = true }}\n"),
            );
            assert_eq!(
                found,
                ["crates/doors/Cargo.toml:2: a door may not name the store"]
            );
        }
    }

    #[test]
    fn table_and_tree_name_the_same_crates() {
        let found = messages(check, &[(PAGE, PAGE_TEXT), ("crates/new/Cargo.toml", "")]);
        assert_eq!(found.len(), 5, "{found:?}");
    }
}
