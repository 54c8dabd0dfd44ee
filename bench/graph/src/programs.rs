//! Programs on disjoint prefixes of one graph: one after the other, and two at once. They are of the kind that runs match by match,
//! on one thread: joins use all cores by themselves.

use std::{path::Path, thread};

use craton_base::Result;
use tokio::runtime::{Builder, Runtime};

use crate::{
    craton::{Server, open},
    measure::Start,
};

/// Facts of each prefix.
const FACTS: usize = 4000;
/// Programs that each half runs.
const RUNS: usize = 12;
/// Rounds of each program, which makes as many facts in each as there are in its prefix: enough that the commit, which two programs on one
/// disk wait for as long as one, is a small part.
const ROUNDS: usize = 8;
/// How often all of it is measured.
const REPEATS: usize = 3;

fn facts() -> String {
    let mut text = String::new();
    for side in ["left", "right"] {
        for n in 0..FACTS {
            text.push_str(&format!("(edge {side} {n} {})\n", n * 7 % FACTS));
        }
    }
    text
}

/// Some rounds of a join that is matched one by one, each on what the last one left.
fn program(side: &str, run: usize) -> String {
    (0..ROUNDS)
        .map(|round| {
            format!("(exec {round} (, (edge {side} $x $y) (edge {side} $y $z)) (, (far {side} {run} {round} $x $z)))\n")
        })
        .collect()
}

fn half(server: &Server, side: &str, repeat: usize, runtime: &Runtime) -> Result<()> {
    for run in 0..RUNS {
        server.program(&program(side, repeat * RUNS + run), runtime)?;
    }
    Ok(())
}

pub(crate) fn run() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("bench-graph-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = in_folder(&folder);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn in_folder(folder: &Path) -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _in_runtime = runtime.enter();
    let server = open(folder, 2 << 10, &runtime)?;
    server.load(facts().as_bytes(), &runtime)?;
    println!("Each program has {ROUNDS} rules of {FACTS} matches, and adds as many facts.");
    println!("| programs | one after the other, s | CPU s | two at once, s | CPU s | throughput |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for repeat in 0..REPEATS {
        let start = Start::now();
        half(&server, "left", 2 * repeat, &runtime)?;
        half(&server, "right", 2 * repeat, &runtime)?;
        let (one, cpu_one) = start.elapsed();
        let start = Start::now();
        thread::scope(|scope| {
            let other = scope.spawn(|| half(&server, "right", 2 * repeat + 1, &runtime));
            let done = half(&server, "left", 2 * repeat + 1, &runtime);
            done.and(
                other
                    .join()
                    .unwrap_or_else(|_| Err(craton_base::Error::internal("a thread ended"))),
            )
        })?;
        let (two, cpu_two) = start.elapsed();
        println!(
            "| {} | {one:.2} | {cpu_one:.2} | {two:.2} | {cpu_two:.2} | {:.2} × |",
            2 * RUNS,
            one / two
        );
    }
    Ok(())
}
