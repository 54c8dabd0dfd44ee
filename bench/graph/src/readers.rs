//! Queries' latency: alone, and while a writer loads facts and runs joins without a rest.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use craton_base::Result;
use craton_gate::Ask;
use craton_graph::{engine::Share, stored::query};
use tokio::runtime::{Builder, Runtime};

use crate::craton::{Server, open, path};

const VERTICES: usize = 200_000;
const EDGES: usize = 1_000_000;
/// Queries of each measurement.
const QUERIES: usize = 3000;
/// Between two queries of the one reader, as people and services have it.
const PAUSE: Duration = Duration::from_millis(2);

fn edges(from: usize, count: usize, head: &str) -> String {
    let mut text = String::with_capacity(count * 24);
    for n in from..from + count {
        let (a, b) = (n * 7919 % VERTICES, n * 104_729 % VERTICES);
        text.push_str(&format!("({head} {a} {b})\n"));
    }
    text
}

/// One query through the gate; its time.
fn ask(server: &Server, vertex: usize, runtime: &Runtime) -> Result<Duration> {
    let start = Instant::now();
    let permit = runtime.block_on(
        server
            .gate
            .read(&server.session, Ask::new("Query", "craton:ReadGraph", path()?)),
    )?;
    let memory = runtime.block_on(server.graphs.reserve(Share::Reader))?;
    let snapshot = server.graphs.snapshot(&permit, server.control())?;
    let rule = query::read(&format!("(, (edge {vertex} $x)) (, $x)"))?;
    let asked = query::Asked {
        limit: u64::MAX,
        memory: memory.bytes().saturating_sub(snapshot.caches()),
        style: query::line,
    };
    query::query(&snapshot, &rule, asked, &|_| Ok(()))?;
    Ok(start.elapsed())
}

fn measure(server: &Server, runtime: &Runtime) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(QUERIES);
    for n in 0..QUERIES {
        times.push(ask(server, n * 31 % VERTICES, runtime)?);
        thread::sleep(PAUSE);
    }
    times.sort_unstable();
    Ok(times)
}

fn row(name: &str, times: &[Duration]) {
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).map_or(0.0, |t| t.as_secs_f64() * 1e3)
    };
    println!(
        "| {name} | {} | {:.2} | {:.2} | {:.2} |",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99)
    );
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
    server.load(edges(0, EDGES, "edge").as_bytes(), &runtime)?;
    println!("| readers | queries | p50 ms | p90 ms | p99 ms |");
    println!("|---|--:|--:|--:|--:|");
    measure(&server, &runtime)?;
    let idle = measure(&server, &runtime)?;
    row("idle", &idle);
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let busy = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // As the door does: long work runs on threads that yield.
            let (server, written, stop) = (&server, &written, &stop);
            let work = || -> Result<()> {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (facts, _) =
                        server.load(edges(round * 300_000, 300_000, "other").as_bytes(), &runtime)?;
                    let join = format!(
                        "(exec 0 (, (edge $x $y) (edge $y $z)) (, (two {} $x $z)))",
                        round % 4
                    );
                    let added = server.program(&join, &runtime)?;
                    written.fetch_add(facts + added, Ordering::Relaxed);
                }
                Ok(())
            };
            craton_graph::threads::yielding(work)
        });
        let busy = measure(&server, &runtime);
        stop.store(true, Ordering::Relaxed);
        let ended = writer
            .join()
            .unwrap_or_else(|_| Err(craton_base::Error::internal("a thread ended")));
        ended.and(busy)
    })?;
    row("under a writer", &busy);
    let p99 = |times: &[Duration]| {
        times
            .get(times.len() * 99 / 100)
            .map_or(0.0, Duration::as_secs_f64)
    };
    println!(
        "\np99 under the writer: {:.2} × idle; it wrote {} facts meanwhile",
        p99(&busy) / p99(&idle),
        written.into_inner()
    );
    Ok(())
}
