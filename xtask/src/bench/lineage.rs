//! `cargo xtask bench lineage`: what records and lineage cost, and how long it takes to ask where a version came from.
//!
//! GET of 4 KiB whose requests say their run, in turns beside the same without names, beside a server without lineage and beside one without records. What is
//! left out is left out by a build of its own, `--cfg craton_bench_switches`, and named when that is started; only the workspace's crates are
//! built with it, so the crates of others are the same. Then upstream of versions in a graph of ten million edges, by the gate's own walk.
//!
//! Deliberately absent: what is measured and how (`bench/s3`, `crates/gate/examples/lineage_speed.rs`).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use super::{cargo, label, measure, run, target_folder};

/// Runs both; `arguments` go to the load generator, or after `upstream` to the other.
pub(crate) fn lineage(root: &Path, arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["upstream", rest @ ..] => upstream(root, rest),
        ["get", rest @ ..] => get(root, rest),
        [] => get(root, &[]).and_then(|()| upstream(root, &[])),
        _ => Err("usage: cargo xtask bench lineage [get|upstream] [OPTIONS]".to_owned()),
    }
}

/// The cost of records and lineage.
fn get(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    let switches = target.join("bench-switches/craton");
    built_with_switches(root, &target, &switches)?;
    let build = ["build", "--release", "--locked", "--package", "craton"];
    run(cargo().args(build).current_dir(root))?;
    let switches = switches
        .to_str()
        .ok_or("xtask: the target folder's name is not text")?;
    let label = label(root)?;
    let rows = [
        "--peers",
        "craton,no-lineage,no-ledger",
        "--verbs",
        "get,run-get",
        "--sizes",
        "4K",
        "--rounds",
        "7",
        "--seconds",
        "3",
        "--switches",
        switches,
        "--label",
        &label,
    ];
    let all: Vec<&str> = rows.iter().chain(arguments).copied().collect();
    measure(root, &target, &target.join("release/craton"), &all, false)
}

/// Builds Craton so that records and lineage can be left out, at `to`.
fn built_with_switches(root: &Path, target: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().unwrap_or(target);
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    // A compiler of the workspace's crates alone: those of others are built once.
    let compiler = folder.join("rustc");
    fs::write(&compiler, "#!/bin/sh\nexec \"$@\" --cfg craton_bench_switches\n").map_err(fault)?;
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).map_err(fault)?;
    let build = ["build", "--release", "--locked", "--package", "craton"];
    run(cargo()
        .args(build)
        .env("RUSTC_WORKSPACE_WRAPPER", &compiler)
        .current_dir(root))?;
    // The next build puts its own there.
    fs::copy(target.join("release/craton"), to)
        .map(drop)
        .map_err(fault)
}

/// Upstream of versions among many edges.
fn upstream(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let target = target_folder(root)?;
    let example = [
        "build",
        "--release",
        "--locked",
        "--package",
        "craton-gate",
        "--example",
        "lineage_speed",
    ];
    run(cargo().args(example).current_dir(root))?;
    drive(&target, &target.join("release/examples/lineage_speed"), arguments)
}

/// Both parts of it, each a process of its own, so that what building takes is not counted as what asking takes.
pub(super) fn drive(target: &Path, program: &Path, arguments: &[&str]) -> Result<(), String> {
    let folder = target.join("bench-lineage-data");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let part = |name: &str| run(Command::new(program).arg(name).arg(&folder).args(arguments));
    part("build").and_then(|()| part("ask"))?;
    fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))
}
