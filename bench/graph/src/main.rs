//! Side by side: joins of Craton's graph engine and of engines that install from registries, on the same edges.
//!
//! `bench-graph <python> [work folder]` runs everything, each engine and each task in a process of its own, and prints a table.
//! `bench-graph one <engine> <task>` is one such process; it prints a line of `name=value`.
//! `bench-graph programs`: how much more two programs on disjoint prefixes do at once than one after the other.
//! `bench-graph readers`: queries' latency while nothing else happens, and under a writer that never rests.
//! `bench-graph huge <folder> <GB of text> <MiB of memory>`: facts larger than memory, loaded and transformed, beside what the disk can.
//! `<python>` is one that has `duckdb` and `pyoxigraph`.

mod craton;
mod edges;
mod huge;
mod measure;
mod peers;
mod programs;
mod readers;

use std::{path::PathBuf, process::Command};

use measure::Row;

/// What is asked of every engine.
const TASKS: [&str; 5] = ["two-hop", "triangles", "path-3", "path-3-power", "star"];
/// In the order of the table.
const ENGINES: [&str; 5] = ["craton", "craton-256MiB", "datafrog", "ascent", "duckdb"];

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
        ["programs"] => Ok(programs::run()?),
        ["readers"] => Ok(readers::run()?),
        ["huge", folder, gigabytes, memory] => {
            Ok(huge::run(folder.as_ref(), gigabytes.parse()?, memory.parse()?)?)
        }
        [python, rest @ ..] => all(
            python,
            rest.first().map_or_else(std::env::temp_dir, PathBuf::from),
        ),
        [] => Err("which python has duckdb?".into()),
    }
}

fn all(python: &str, folder: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let own = std::env::current_exe()?;
    println!("| task | engine | results | CPU s | wall s | peak MiB | load MB/s per core | bytes per edge |");
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    for task in TASKS {
        let file = folder.join(format!("bench-graph-{task}.csv"));
        Command::new(&own).args(["edges", task]).arg(&file).status()?;
        for engine in ENGINES {
            let mut command = match engine {
                "duckdb" => {
                    let mut command = Command::new(python);
                    command
                        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py"))
                        .arg(task)
                        .arg(&file);
                    command
                }
                _ => {
                    let mut command = Command::new(&own);
                    command.args(["one", engine, task]);
                    command
                }
            };
            let output = command.output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            match Row::parse(text.trim()) {
                Some(row) => println!("| {task} | {engine} {}|", row.cells()),
                None => println!("| {task} | {engine} | failed: {} | | | | | |", output.status),
            }
        }
        std::fs::remove_file(&file)?;
    }
    Ok(())
}
