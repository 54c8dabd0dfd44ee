//! Programs of Node with packages from npm: a folder of the checkout is copied to cargo's target folder, and gets
//! its packages there. The checkout stays as it was.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::command::Command;

/// Copies the folder and installs its packages next to the copy, unless they are those of before.
pub(super) fn packages(folder: &Path, copy: &Path) -> Result<(), String> {
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

/// What a folder holds.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect()
}
