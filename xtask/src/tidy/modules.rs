//! Dead files: every `.rs` under a `src` is reached from its crate's roots by `mod` declarations.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::{Finding, Tree};
use crate::source::{blank, tokens};

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let sources: BTreeSet<&str> = tree.rust().map(|f| f.path.as_str()).collect();
    let mut reached = BTreeSet::new();
    let mut queue: Vec<String> = sources
        .iter()
        .filter(|p| is_root(p))
        .map(|p| (*p).to_owned())
        .collect();
    while let Some(path) = queue.pop() {
        if let Some(text) = tree.text(&path)
            && reached.insert(path.clone())
        {
            queue.extend(
                declared(&path, text)
                    .into_iter()
                    .filter(|p| sources.contains(p.as_str())),
            );
        }
    }
    sources
        .into_iter()
        .filter(|p| p.contains("/src/") && !reached.contains(*p))
        .map(|p| Finding::new(p, 0, "no `mod` reaches this file"))
        .collect()
}

/// A file that cargo compiles by itself.
fn is_root(path: &str) -> bool {
    let Some((_, inside)) = path.split_once("/src/") else {
        return ["tests", "examples", "benches"]
            .iter()
            .any(|f| path.contains(&format!("/{f}/")));
    };
    inside == "lib.rs" || inside == "main.rs" || inside.starts_with("bin/")
}

/// The files that the modules declared in a file may be.
fn declared(path: &str, text: &str) -> Vec<String> {
    let blanked = blank(text);
    let tokens = tokens(&blanked);
    let mut out = Vec::new();
    // The inline modules around, each with the depth of braces it began at.
    let mut inside: Vec<(&str, usize)> = Vec::new();
    let mut depth = 0_usize;
    for (i, (offset, word)) in tokens.iter().enumerate() {
        match *word {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inside.retain(|(_, d)| *d < depth);
            }
            "mod" => {
                let (Some((_, name)), Some((_, next))) = (tokens.get(i + 1), tokens.get(i + 2)) else {
                    break;
                };
                match *next {
                    ";" => out.extend(files_of(
                        path,
                        &inside,
                        name,
                        path_attribute(text, &blanked, *offset),
                    )),
                    "{" => inside.push((name, depth)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    out
}

/// The value of a `#[path = "…"]` among the attributes just before an offset.
fn path_attribute<'a>(text: &'a str, blanked: &str, offset: usize) -> Option<&'a str> {
    let start = blanked.get(..offset)?.rfind([';', '{', '}']).unwrap_or(0);
    let attributes = text.get(start..offset)?;
    let (_, value) = attributes.split_once("#[path = \"")?;
    Some(value.split_once('"')?.0)
}

fn files_of(path: &str, inside: &[(&str, usize)], name: &str, attribute: Option<&str>) -> Vec<String> {
    let root = is_root(path);
    let path = Path::new(path);
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut own = folder.to_path_buf();
    if !root && stem != "mod" {
        own.push(&*stem);
    }
    own.extend(inside.iter().map(|(name, _)| name));
    let found = match attribute {
        Some(value) if inside.is_empty() => vec![folder.join(value)],
        Some(value) => vec![own.join(value)],
        None => vec![own.join(format!("{name}.rs")), own.join(name).join("mod.rs")],
    };
    found.iter().map(|p| plain(p)).collect()
}

/// A path without `..`.
fn plain(path: &Path) -> String {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    #[test]
    fn a_file_that_no_mod_reaches_is_dead() {
        let files = [
            (
                "crates/a/src/lib.rs",
                "mod b;\n// mod dead;\nmod inline { mod deep; }\npub mod d;\n",
            ),
            ("crates/a/src/b.rs", "mod c;\n#[cfg(test)]\nmod tests;"),
            ("crates/a/src/b/c.rs", ""),
            ("crates/a/src/b/tests.rs", "#[path = \"../other.rs\"]\nmod again;"),
            ("crates/a/src/other.rs", ""),
            ("crates/a/src/inline/deep.rs", ""),
            ("crates/a/src/d/mod.rs", "mod e;"),
            ("crates/a/src/d/e.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/src/dead.rs", "mod deader;"),
            ("crates/a/src/dead/deader.rs", ""),
        ];
        assert_eq!(
            messages(check, &files),
            [
                "crates/a/src/dead.rs: no `mod` reaches this file",
                "crates/a/src/dead/deader.rs: no `mod` reaches this file"
            ]
        );
    }
}
