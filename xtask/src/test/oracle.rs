//! The oracles: independent implementations that must agree with ours, one folder each under
//! tests/oracle. A folder with a `package.json` is copied to cargo's target folder and gets its packages
//! by npm there; then its Python tests run, and find the copy by `CRATON_ORACLE`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Context,
    command::{Command, Counts},
    python,
};

const FOLDER: &str = "tests/oracle";

pub(super) fn run(context: &Context) -> Result<Counts, String> {
    let mut folders: Vec<PathBuf> = list(&context.root.join(FOLDER))
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
            packages(&folder, &copy).map_err(|e| format!("{FOLDER}/{name}: {e}"))?;
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
    list(folder).is_ok_and(|files| files.iter().any(named))
}

/// Copies the folder and installs its packages next to the copy, unless they are those of before.
fn packages(folder: &Path, copy: &Path) -> Result<(), String> {
    let copied = || -> io::Result<bool> {
        fs::create_dir_all(copy)?;
        let mut changed = !copy.join("node_modules").exists();
        for file in list(folder)?.into_iter().filter(|f| f.is_file()) {
            let to = copy.join(file.file_name().unwrap_or_default());
            let text = fs::read(&file)?;
            let is_manifest = file.extension().is_some_and(|e| e == "json");
            if fs::read(&to).ok().as_ref() != Some(&text) {
                changed |= is_manifest;
                fs::write(&to, text)?;
            }
        }
        Ok(changed)
    };
    if !copied().map_err(|e| format!("can not be copied: {e}"))? {
        return Ok(());
    }
    let how = if copy.join("package-lock.json").exists() {
        "ci"
    } else {
        "install"
    };
    let npm = Command::new("npm")
        .arguments([how, "--no-audit", "--no-fund", "--silent"])
        .folder(copy);
    npm.run().map(|_| ())
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect()
}
