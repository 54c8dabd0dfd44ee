//! How long it takes to ask where a version came from, in a graph of ten million edges.
//!
//! `cargo run --release -p craton-gate --example lineage_speed -- build FOLDER`, then the same with `ask`; or `cargo xtask bench lineage upstream`. With
//! `--smoke` it is small, and shows that it runs and that answers are right; `--edges N` is another size, `--questions N` another number.
//!
//! **The graph.** Pipelines of ten stages of ten runs. A run reads a file that all runs read and fourteen versions of the stage before (in the first stage
//! raw ones, and in one of ten pipelines the results of an earlier one), and writes five. In the end one run reads 20,000 results. The rows are
//! made by the product's own code of rows, in their order, because making them by requests would take hours.
//!
//! **The questions.** Upstream, as far as it goes, of versions drawn from all stages, by the gate as the API asks it: the answer's permit and its record
//! are among what is timed. Each answer has as many edges as are counted by going through the same graph as it is defined.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark: it measures time and prints"
)]

use std::{
    collections::{HashSet, VecDeque},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use craton_base::{ByteSize, Clock as _, Error, Result, clock::SystemClock};
use craton_crypto::SystemRandom;
use craton_gate::{Gate, LINEAGE_EDGES_MAX, LineageAsk, LineageDirection, Origin, Session, Settings};
use craton_store::{
    Options, Store,
    disk::real::RealDisk,
    namespace::{Batch, Change, Key},
};
use rows::{EdgeKey, EdgeRow, Id, RunRow, Touch};

#[path = "../src/lineage/rows.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the product's code of rows, of which some is used"
)]
mod rows;

/// What the code of rows scans with; nothing is scanned here.
mod scope {
    pub(crate) fn successor(_: &[u8]) -> Option<bytes::Bytes> {
        None
    }
}

const STAGES: u64 = 10;
const RUNS: u64 = 10;
const READS: u64 = 14;
const WRITES: u64 = 5;
const PIPELINE_RUNS: u64 = STAGES * RUNS;
const PIPELINE_EDGES: u64 = PIPELINE_RUNS * (READS + 1 + WRITES);
/// What the last run reads.
const MERGED: u64 = 20_000;
/// Versions that runs write have higher numbers; below are raw ones.
const FIRST_MADE: u64 = 1 << 40;
/// Changes of a commit.
const AT_ONCE: usize = 50_000;
/// The most that 95 of 100 answers may take.
const MILLIS_MAX: f64 = 50.0;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (part, folder) = (arguments.next(), arguments.next());
    let (mut edges, mut questions) = (10_000_000, 2000);
    while let Some(name) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).ok_or_else(usage);
        match name.as_str() {
            "--smoke" => (edges, questions) = (20_000, 50),
            "--edges" => edges = number()?,
            "--questions" => questions = number()?,
            _ => return Err(usage()),
        }
    }
    let graph = Graph {
        pipelines: (edges / PIPELINE_EDGES).max(2),
    };
    match (part.as_deref(), folder) {
        (Some("build"), Some(folder)) => build(&graph, Path::new(&folder)),
        (Some("ask"), Some(folder)) => ask(&graph, Path::new(&folder), questions),
        _ => Err(usage()),
    }
}

fn usage() -> Error {
    Error::invalid("lineage_speed build|ask FOLDER [--smoke] [--edges N] [--questions N]")
}

/// Numbers that look drawn and are the same each time: SplitMix64.
fn drawn(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A graph, by what it is made of. Runs are numbered through; the last one merges results.
struct Graph {
    pipelines: u64,
}

impl Graph {
    fn runs(&self) -> u64 {
        self.pipelines * PIPELINE_RUNS + 1
    }

    fn is_merge(&self, run: u64) -> bool {
        run == self.pipelines * PIPELINE_RUNS
    }

    /// The versions that a run reads.
    fn reads(&self, run: u64) -> Vec<u64> {
        let finals = |pipeline: u64, n: u64| {
            let run = pipeline * PIPELINE_RUNS + (STAGES - 1) * RUNS + n / WRITES % RUNS;
            FIRST_MADE + run * WRITES + n % WRITES
        };
        if self.is_merge(run) {
            let all = self.pipelines * RUNS * WRITES;
            let each = RUNS * WRITES;
            return (0..MERGED.min(all)).map(|n| finals(n / each, n % each)).collect();
        }
        let (pipeline, stage) = (run / PIPELINE_RUNS, run % PIPELINE_RUNS / RUNS);
        let earlier =
            (pipeline > 0 && drawn(pipeline).is_multiple_of(10)).then(|| drawn(pipeline + 1) % pipeline);
        // A step that has no factor in common with the number of versions: each is drawn once.
        let start = drawn(run ^ 0x5151);
        let mut out: Vec<u64> = (0..READS)
            .map(|n| {
                let nth = start.wrapping_add(n * 7) % (RUNS * WRITES);
                match (stage, earlier) {
                    (0, Some(earlier)) if n < 2 => finals(earlier, nth),
                    (0, _) => 1 + (start % (self.pipelines * 20) + n),
                    _ => FIRST_MADE + (pipeline * PIPELINE_RUNS + (stage - 1) * RUNS) * WRITES + nth,
                }
            })
            .collect();
        // What everybody reads.
        out.push(0);
        out
    }

    fn writes(&self, run: u64) -> impl Iterator<Item = u64> + use<> {
        (0..WRITES).map(move |n| FIRST_MADE + run * WRITES + n)
    }

    /// The run that made a version.
    fn maker(version: u64) -> Option<u64> {
        version.checked_sub(FIRST_MADE).map(|made| made / WRITES)
    }

    fn names(&self, run: u64) -> (String, String) {
        let (pipeline, stage) = (run / PIPELINE_RUNS, run % PIPELINE_RUNS / RUNS);
        (
            format!("user-{}", pipeline % 200),
            format!("pipeline-{pipeline:06}/stage-{stage}/run-{}", run % RUNS),
        )
    }

    fn resource(&self, version: u64) -> String {
        match Self::maker(version) {
            None if version == 0 => "/data/objects/shared/vocabulary.json".to_owned(),
            None => format!("/data/objects/raw/2026/{version:09}.jsonl"),
            Some(run) => {
                let (_, name) = self.names(run);
                format!("/data/objects/made/{name}/part-{}.parquet", version % WRITES)
            }
        }
    }

    /// When a run read, in microseconds; it wrote half a second later.
    fn time(&self, run: u64) -> u64 {
        let stage = run / RUNS;
        1_700_000_000_000_000 + stage * 1_000_000 + run % RUNS
    }

    fn edges(&self, run: u64) -> Vec<(u64, Touch, u64)> {
        let read = self.time(run);
        let reads = self
            .reads(run)
            .into_iter()
            .map(|version| (version, Touch::Read, read));
        let writes = self
            .writes(run)
            .map(|version| (version, Touch::Write, read + 500_000));
        reads.chain(writes).collect()
    }

    /// How many edges lead to a version; those of versions, then those that their runs read.
    fn upstream(&self, version: u64) -> usize {
        let (mut seen, mut runs) = (HashSet::from([version]), HashSet::new());
        let mut waiting = VecDeque::from([version]);
        let mut edges = 0;
        while let Some(version) = waiting.pop_front() {
            let Some(run) = Self::maker(version) else { continue };
            edges += 1;
            if runs.insert(run) {
                let reads = self.reads(run);
                edges += reads.len();
                waiting.extend(reads.into_iter().filter(|version| seen.insert(*version)));
            }
        }
        edges
    }
}

fn open(folder: &Path) -> Result<Store> {
    std::fs::create_dir_all(folder)?;
    Store::open(Options {
        disk: Arc::new(RealDisk::open(folder)?),
        memory: ByteSize::mib(512),
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
        inline_commits: false,
    })
}

/// Changes that are committed when there are enough of them.
struct Writer {
    store: Store,
    changes: Vec<Change>,
}

impl Writer {
    fn put(&mut self, key: Key, value: Bytes) -> Result<()> {
        self.changes.push(Change::Put(key, value));
        match self.changes.len() < AT_ONCE {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let batch = Batch {
            preconditions: Vec::new(),
            changes: std::mem::take(&mut self.changes),
        };
        self.store.parts().committer.commit_blocking(batch).map(drop)
    }
}

/// Makes the rows: of runs, of edges by run, of edges by version, each in order.
fn build(graph: &Graph, folder: &Path) -> Result<()> {
    let began = Instant::now();
    let mut writer = Writer {
        store: open(folder)?,
        changes: Vec::new(),
    };
    let ids: Vec<Id> = (0..graph.runs())
        .map(|run| {
            let (principal, name) = graph.names(run);
            rows::run_id(&principal, &name)
        })
        .collect();
    let mut order: Vec<u64> = (0..graph.runs()).collect();
    order.sort_by_cached_key(|run| graph.names(*run));
    for run in &order {
        put_run(graph, *run, &mut writer)?;
    }
    order.sort_unstable_by_key(|run| ids[*run as usize]);
    let mut by_version = Vec::new();
    for run in order {
        put_edges(graph, (run, ids[run as usize]), &mut writer, &mut by_version)?;
    }
    by_version.sort_unstable_by_key(|(resource, version, touch, run)| {
        (*resource, *version, *touch, ids[*run as usize])
    });
    for (resource, version, touch, run) in &by_version {
        let key = EdgeKey {
            run: ids[*run as usize],
            resource: *resource,
            version: *version,
            touch: *touch,
        };
        writer.put(key.by_version(), Bytes::new())?;
    }
    writer.flush()?;
    writer.store.parts().committer.close();
    println!(
        "{} edges of {} runs, made in {:.0} s",
        by_version.len(),
        graph.runs(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn put_run(graph: &Graph, run: u64, writer: &mut Writer) -> Result<()> {
    let (principal, name) = graph.names(run);
    let time = graph.time(run);
    let row = RunRow {
        begun_micros: time,
        last_micros: time + 500_000,
        requests: READS + 1 + WRITES,
        reads: READS + 1,
        writes: WRITES,
        bytes_read: 1 << 20,
        bytes_written: 1 << 19,
        session: "ASIA0123456789ABCDEF".to_owned(),
        ..RunRow::default()
    };
    writer.put(rows::run_key(&principal, &name), rows::encode(&row))
}

/// The edges of a run, in the order of their names.
fn put_edges(
    graph: &Graph,
    (run, id): (u64, Id),
    writer: &mut Writer,
    by_version: &mut Vec<(Id, u64, Touch, u32)>,
) -> Result<()> {
    let (principal, name) = graph.names(run);
    let mut found = Vec::new();
    for (version, touch, time) in graph.edges(run) {
        let resource = graph.resource(version);
        let key = EdgeKey {
            run: id,
            resource: rows::resource_id(&resource),
            version: version + 1,
            touch,
        };
        by_version.push((key.resource, key.version, touch, run as u32));
        let row = EdgeRow {
            principal: principal.clone(),
            run: name.clone(),
            resource,
            bucket: "data".to_owned(),
            count: 1,
            bytes: 4096,
            first_micros: time,
            last_micros: time,
            snapshots: Vec::new(),
        };
        found.push((key.by_run(), rows::encode(&row)));
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    found
        .into_iter()
        .try_for_each(|(key, value)| writer.put(key, value))
}

fn session(gate: &Gate) -> Result<Session> {
    gate.ensure_root(|_| Ok(()))?;
    gate.operator(Origin {
        door: "api",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "bench".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: SystemClock::new().now(),
    })
}

#[tokio::main]
async fn ask(graph: &Graph, folder: &Path, questions: u64) -> Result<()> {
    let gate = Gate::open(open(folder)?, Settings::default(), "bench")?;
    let session = session(&gate)?;
    gate.start()?;
    println!(
        "\n| upstream of a version | edges told, p50 | p95 | p50 | p95 | p99 | longest | |\n|---|--:|--:|--:|--:|--:|--:|---|"
    );
    let made = graph.pipelines * PIPELINE_RUNS * WRITES;
    let drawn: Vec<u64> = (0..questions)
        .map(|n| FIRST_MADE + drawn(n + 77) % made)
        .collect();
    let p95 = asked(graph, (&gate, &session), ("drawn from all stages", &drawn)).await?;
    println!(
        "{}",
        if p95 <= MILLIS_MAX {
            " p95 ≤ 50 ms holds |"
        } else {
            " p95 ≤ 50 ms missed |"
        }
    );
    let merged = vec![FIRST_MADE + made; usize::try_from(questions.div_ceil(20)).unwrap_or(1)];
    asked(
        graph,
        (&gate, &session),
        ("of 20,000 results, as many edges as are told", &merged),
    )
    .await?;
    println!(" |");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))
    {
        println!("\npeak of resident memory: {}", peak.trim());
    }
    gate.close().await
}

/// Asks, prints a line without its end, and gives how long 95 of 100 took at most, in milliseconds.
async fn asked(
    graph: &Graph,
    (gate, session): (&Gate, &Session),
    (what, versions): (&str, &[u64]),
) -> Result<f64> {
    let (mut millis, mut edges) = (Vec::new(), Vec::new());
    for version in versions {
        let asked = LineageAsk {
            resource: graph.resource(*version),
            version: Some(version + 1),
            direction: LineageDirection::Upstream,
            depth: None,
            since: None,
            until: None,
            limit: None,
        };
        let began = Instant::now();
        let found = gate.lineage(session, asked).await?;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
        let expected = graph.upstream(*version);
        if found.edges.len() != expected.min(LINEAGE_EDGES_MAX)
            || found.more != (expected > LINEAGE_EDGES_MAX)
        {
            let text = format!("{} edges are told of {expected}", found.edges.len());
            return Err(Error::internal(text));
        }
        edges.push(found.edges.len() as f64);
    }
    let at = |values: &mut Vec<f64>, share: f64| {
        values.sort_by(f64::total_cmp);
        values[((values.len() as f64 * share) as usize).min(values.len() - 1)]
    };
    let p95 = at(&mut millis, 0.95);
    print!(
        "| {what} | {:.0} | {:.0} | {:.2} ms | {p95:.2} ms | {:.2} ms | {:.2} ms |",
        at(&mut edges, 0.5),
        at(&mut edges, 0.95),
        at(&mut millis, 0.5),
        at(&mut millis, 0.99),
        at(&mut millis, 1.0),
    );
    Ok(p95)
}
