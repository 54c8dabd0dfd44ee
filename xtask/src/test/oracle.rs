//! The oracles: independent implementations that must agree with ours, one folder each under
//! tests/oracle. A folder with a `package.json` gets its packages by npm; then its Python tests run, and find
//! the copy with the packages by `CRATON_ORACLE`.

use std::path::{Path, PathBuf};

use super::{Context, command::Counts, npm, python};

const FOLDER: &str = "tests/oracle";

pub(super) fn run(context: &Context) -> Result<Counts, String> {
    let mut folders: Vec<PathBuf> = npm::list(&context.root.join(FOLDER))
        .map_err(|e| format!("{FOLDER} can not be read: {e}"))?
        .into_iter()
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    let mut counts = Counts::default();
    for folder in folders {
        if !has_tests(&folder) {
            continue;
        }
        let Some(name) = folder.file_name().map(|n| n.to_string_lossy().into_owned()) else {
            continue;
        };
        let copy = context.target.join("oracle").join(&name);
        if folder.join("package.json").exists() {
            npm::packages(&folder, &copy).map_err(|e| format!("{FOLDER}/{name}: {e}"))?;
        }
        let tests = python::pytest(context, &format!("{FOLDER}/{name}"))?;
        counts.add(tests.variable("CRATON_ORACLE", &copy).run()?);
    }
    Ok(counts)
}

/// Some folders only hold how a file that the tests of a crate read was made.
fn has_tests(folder: &Path) -> bool {
    let named = |p: &PathBuf| {
        p.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("test_"))
    };
    npm::list(folder).is_ok_and(|files| files.iter().any(named))
}
