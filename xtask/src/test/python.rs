//! The Python tests: a virtual environment under cargo's target folder from tests/requirements.txt,
//! and programs that come from Debian.

use std::{fs, path::PathBuf};

use super::{Context, command::Command};

const REQUIREMENTS: &str = "tests/requirements.txt";

/// What is installed without what it names: that comes from Debian.
const ALONE: &str = "tests/requirements-alone.txt";

/// pytest on a folder of the checkout. It finds the built programs by variables:
/// `CRATON_BIN` (the binary), `CRATON_EXAMPLES` (the folder of the examples), `CRATON_TARGET` (where to
/// leave things) and `CRATON_ROOT` (the checkout).
pub(super) fn pytest(context: &Context, folder: &str) -> Result<Command, String> {
    let venv = environment(context)?;
    let built = context.target.join("debug");
    Ok(Command::new(venv.join("bin/python"))
        .arguments(["-m", "pytest", "-q", "-p", "no:cacheprovider", folder])
        .folder(&context.root)
        .variable("PYTHONDONTWRITEBYTECODE", "1")
        .variable("CRATON_BIN", built.join("craton"))
        .variable("CRATON_EXAMPLES", built.join("examples"))
        .variable("CRATON_TARGET", &context.target)
        .variable("CRATON_ROOT", &context.root))
}

/// The virtual environment, made again when the requirements have changed.
fn environment(context: &Context) -> Result<PathBuf, String> {
    let read = |file: &str| fs::read_to_string(context.root.join(file)).map_err(|e| format!("{file}: {e}"));
    let wanted = read(REQUIREMENTS)? + &read(ALONE)?;
    let venv = context.target.join("venv");
    let stamp = venv.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(venv);
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|e| format!("the old environment can not be removed: {e}"))?;
    }
    println!("making the Python environment (once per change of {REQUIREMENTS})");
    Command::new("python3")
        .arguments(["-m", "venv"])
        .arguments([&venv])
        .run()?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    for from in [&["-r", REQUIREMENTS][..], &["--no-deps", "-r", ALONE]] {
        Command::new(venv.join("bin/python"))
            .arguments(pip)
            .arguments(from)
            .folder(&context.root)
            .run()?;
    }
    fs::write(&stamp, wanted).map_err(|e| format!("the environment can not be marked: {e}"))?;
    Ok(venv)
}

/// Sees to it that programs are there: `(program, Debian package)`. Installs what is missing if that is
/// allowed to this user.
pub(super) fn programs(wanted: &[(&str, &str)]) -> Result<(), String> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(p, _)| !exists(p))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = Command::new("id")
        .arguments(["-u"])
        .output()
        .is_ok_and(|id| id.trim() == "0");
    let names = missing.join(" ");
    if !root {
        return Err(format!("these programs are needed: apt-get install {names}"));
    }
    println!("installing {names}");
    let install = || {
        Command::new("apt-get")
            .arguments(["install", "-y", "-qq", "--no-install-recommends"])
            .arguments(&missing)
            .variable("DEBIAN_FRONTEND", "noninteractive")
            .output()
    };
    install().or_else(|_| {
        Command::new("apt-get")
            .arguments(["update", "-qq"])
            .output()
            .and_then(|_| install())
    })?;
    Ok(())
}

fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_exist_need_nothing() {
        assert!(exists("sh"));
        assert!(!exists("no such program"));
        assert!(programs(&[("sh", "no such package")]).is_ok());
    }
}
