//! The Python tests: virtual environments under cargo's target folder from tests/requirements*.txt,
//! and programs that come from Debian.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Context, command::Command};

const REQUIREMENTS: &str = "tests/requirements.txt";

/// What is installed without what it names: that comes from Debian.
const ALONE: &str = "tests/requirements-alone.txt";

/// What goes with Debian's torch.
const WITH_TORCH: &str = "tests/requirements-torch.txt";

/// Spark, and packages that have the jars it needs for Iceberg.
const WITH_SPARK: &str = "tests/requirements-spark.txt";

/// Debian's Python, and what of Debian's is imported there: torch from PyPI is 3 GB.
const DEBIAN: &str = "/usr/bin/python3";
const FROM_DEBIAN: &[(&str, &str)] = &[
    ("torchrun", "python3-torch"),
    (
        "/usr/lib/python3/dist-packages/pandas/__init__.py",
        "python3-pandas",
    ),
];

/// pytest on a folder of the checkout. It finds the built programs by variables:
/// `CRATON_BIN` (the binary), `CRATON_EXAMPLES` (the folder of the examples), `CRATON_TARGET` (where to
/// leave things) and `CRATON_ROOT` (the checkout).
pub(super) fn pytest(context: &Context, folder: &str) -> Result<Command, String> {
    let install = |python: &Path| {
        pip(context, python, &["-r", REQUIREMENTS])?;
        pip(context, python, &["--no-deps", "-r", ALONE])
    };
    let python = environment(context, "venv", &[REQUIREMENTS, ALONE], "python3", install)?;
    let built = context.target.join("debug");
    Ok(Command::new(python)
        .arguments(["-m", "pytest", "-q", "-p", "no:cacheprovider", folder])
        .folder(&context.root)
        .variable("PYTHONDONTWRITEBYTECODE", "1")
        .variable("CRATON_BIN", built.join("craton"))
        .variable("CRATON_EXAMPLES", built.join("examples"))
        .variable("CRATON_TARGET", &context.target)
        .variable("CRATON_ROOT", &context.root))
}

/// The Python that has torch and pandas, for `CRATON_TORCH_PYTHON`.
pub(super) fn with_torch(context: &Context) -> Result<PathBuf, String> {
    programs(FROM_DEBIAN)?;
    let install = |python: &Path| pip(context, python, &["-r", WITH_TORCH]);
    environment(context, "venv-torch", &[WITH_TORCH], DEBIAN, install)
}

/// The Python that has Spark, for `CRATON_SPARK_PYTHON`.
pub(super) fn with_spark(context: &Context) -> Result<PathBuf, String> {
    programs(&[("java", "openjdk-17-jre-headless")])?;
    let install = |python: &Path| pip(context, python, &["--no-deps", "-r", WITH_SPARK]);
    environment(context, "venv-spark", &[WITH_SPARK], "python3", install)
}

/// The Python of a virtual environment, which is made again when its requirements have changed. Debian's sees what Debian installed.
fn environment(
    context: &Context,
    name: &str,
    requirements: &[&str],
    python: &str,
    install: impl Fn(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let read = |file: &&str| fs::read_to_string(context.root.join(file)).map_err(|e| format!("{file}: {e}"));
    let wanted: String = requirements.iter().map(read).collect::<Result<_, _>>()?;
    let venv = context.target.join(name);
    let stamp = venv.join("requirements.txt");
    let made = venv.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(made);
    }
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|e| format!("the old environment can not be removed: {e}"))?;
    }
    println!("making the Python environment {name} (once per change of {requirements:?})");
    let sees: &[&str] = if python == DEBIAN {
        &["--system-site-packages"]
    } else {
        &[]
    };
    Command::new(python)
        .arguments(["-m", "venv"])
        .arguments(sees)
        .arguments([&venv])
        .run()?;
    install(&made)?;
    fs::write(&stamp, wanted).map_err(|e| format!("the environment can not be marked: {e}"))?;
    Ok(made)
}

fn pip(context: &Context, python: &Path, from: &[&str]) -> Result<(), String> {
    Command::new(python)
        .arguments(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arguments(from)
        .folder(&context.root)
        .run()
        .map(drop)
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
