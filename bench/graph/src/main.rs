//! Side by side: joins of Craton's graph engine and of engines that install from registries, on the same edges.
//!
//! `bench-graph <python> [work folder]` runs everything, each engine and each task in a process of its own, and prints a table.
//! `bench-graph one <engine> <task>` is one such process; it prints a line of `name=value`.
//! `bench-graph smoke` compares the engines of this process on small tasks.
//! `bench-graph loads`: what loading S-expressions of several kinds costs.
//! `bench-graph programs`: how much more two programs on disjoint prefixes do at once than one after the other.
//! `bench-graph readers`: queries' latency while nothing else happens, and under a writer that never rests.
//! `bench-graph huge <folder> <GB of text> <MiB of memory>`: facts larger than memory, loaded and transformed, beside what the disk can.
//! `<python>` is one that has `duckdb` and `pyoxigraph`.

mod craton;
mod edges;
mod huge;
mod loads;
mod measure;
mod peers;
mod programs;
mod readers;

use std::{path::PathBuf, process::Command};

use measure::Row;

/// What is asked of every engine.
const TASKS: [&str; 12] = [
    "two-hop-random",
    "two-hop-power",
    "two-hop-real",
    "triangles-random",
    "triangles-power",
    "triangles-real",
    "path-3-random",
    "path-3-power",
    "path-3-real",
    "star-random",
    "star-power",
    "star-real",
];
/// What takes a second: that it all runs.
const SMOKE: [&str; 4] = ["two-hop-smoke", "triangles-smoke", "path-3-smoke", "star-smoke"];
/// In the order of the table.
const ENGINES: [&str; 6] = [
    "craton",
    "craton-256MiB",
    "datafrog",
    "ascent",
    "duckdb",
    "pyoxigraph",
];
/// A peer that has not ended after so many seconds is stopped, and the table says so.
const SECONDS_MAX: &str = "120";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["one", engine, task] => {
            let task = edges::task(task).ok_or("no such task")?;
            let row = match *engine {
                "craton" => craton::run(&task, 4 << 10)?,
                "craton-256MiB" => craton::run(&task, 256)?,
                "datafrog" => peers::datafrog(&task),
                "ascent" => peers::ascent(&task),
                _ => return Err("no such engine".into()),
            };
            println!("{row}");
            Ok(())
        }
        ["edges", task, file] => {
            let task = edges::task(task).ok_or("no such task")?;
            Ok(std::fs::write(file, edges::text(&task.edges, ","))?)
        }
        ["smoke"] => smoke(),
        ["loads"] => loads::run(),
        ["programs"] => Ok(programs::run()?),
        ["readers"] => Ok(readers::run()?),
        ["huge", folder, gigabytes, memory] => {
            Ok(huge::run(folder.as_ref(), gigabytes.parse()?, memory.parse()?)?)
        }
        [python, rest @ ..] => all(
            python,
            rest.first().map_or_else(std::env::temp_dir, PathBuf::from),
        ),
        [] => Err("which python has duckdb and pyoxigraph?".into()),
    }
}

/// Every engine of this process on every kind of task, small; an error if they do not agree.
fn smoke() -> Result<(), Box<dyn std::error::Error>> {
    for name in SMOKE {
        let task = edges::task(name).ok_or("no such task")?;
        let rows = [
            craton::run(&task, 256)?,
            peers::datafrog(&task),
            peers::ascent(&task),
        ];
        let results: Vec<f64> = rows.iter().filter_map(Row::results).collect();
        println!("{name}: {results:?}");
        if results.len() != rows.len() || results.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{name}: the engines do not agree: {results:?}").into());
        }
    }
    Ok(())
}

/// The checkout: as who started this says, else where it was built.
fn root() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::env::var_os("CRATON_ROOT").map_or_else(|| built.into(), PathBuf::from)
}

fn all(python: &str, folder: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let own = std::env::current_exe()?;
    println!(
        "| task | engine | results | CPU s | wall s | peak MiB | CPU, × Craton's | load MB/s per core | bytes per edge |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|");
    for task in TASKS {
        let file = folder.join(format!("bench-graph-{task}.csv"));
        let made = Command::new(&own).args(["edges", task]).arg(&file).status()?;
        if !made.success() {
            return Err(format!("{task}: no edges: {made}").into());
        }
        let mut craton = None;
        for engine in ENGINES {
            let mut command = Command::new("timeout");
            command.arg(SECONDS_MAX);
            match engine {
                "duckdb" | "pyoxigraph" => {
                    let script = root().join("bench/graph/peers.py");
                    command.arg(python).arg(script).args([engine, task]).arg(&file);
                }
                _ => {
                    command.arg(&own).args(["one", engine, task]);
                }
            }
            let output = command.output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            match Row::parse(text.trim()) {
                Some(row) => {
                    craton = craton.or(row.cpu());
                    println!("| {task} | {engine} {}|", row.cells(craton));
                }
                None if output.status.code() == Some(124) => {
                    println!("| {task} | {engine} | not ended after {SECONDS_MAX} s | | | | | | |");
                }
                None => println!("| {task} | {engine} | failed: {} | | | | | | |", output.status),
            }
        }
        std::fs::remove_file(&file)?;
    }
    Ok(())
}
