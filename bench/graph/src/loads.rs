//! What loading S-expressions costs, by what is in them: numbers, names of many or few things, nested expressions, a real ontology.

use std::{collections::BTreeSet, path::Path};

use tokio::runtime::Builder;

use crate::{
    craton::open,
    edges,
    measure::{Start, peak_mib},
};

/// Facts of each kind but the real one.
const FACTS: u64 = 4_000_000;

type Done = Result<(), Box<dyn std::error::Error>>;

/// Makes a text; none if its source is not there.
type Make = fn() -> Option<String>;

/// Kinds of facts, and the text of each.
const KINDS: [(&str, Make); 5] = [
    ("numbers", || {
        Some(facts(|a, b| {
            format!("(edge {} {})\n", a % 1_000_000, b % 1_000_000)
        }))
    }),
    ("names of 100,000 things", || {
        Some(facts(|a, b| {
            format!("(edge gene{} term{})\n", a % 50_000, b % 50_000)
        }))
    }),
    ("names of 4,000,000 things", || {
        Some(facts(|a, b| {
            format!("(edge gene{} term{})\n", a % 2_000_000, b % 2_000_000)
        }))
    }),
    ("nested", || {
        Some(facts(|a, b| {
            format!("(gene g{} (at chr{} {}))\n", a % 100_000, b % 23, b % 1_000_000)
        }))
    }),
    ("Gene Ontology", edges::real_text),
];

fn facts(fact: impl Fn(u64, u64) -> String) -> String {
    let mut random = edges::random(11);
    (0..FACTS).map(|_| fact(random(), random())).collect()
}

pub(crate) fn run() -> Done {
    println!(
        "| facts | distinct | MB of text | CPU s | wall s | MB/s per core | peak MiB above the text | bytes per fact |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (kind, text) in KINDS {
        let text = text().ok_or("the data set is not there")?;
        let folder = std::env::temp_dir().join(format!("bench-graph-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let done = one(kind, &text, &folder);
        std::fs::remove_dir_all(&folder)?;
        done?;
    }
    Ok(())
}

fn one(kind: &str, text: &str, folder: &Path) -> Done {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _in_runtime = runtime.enter();
    let server = open(folder, 2 << 10, &runtime)?;
    let start = Start::now();
    let (distinct, bytes) = server.load(text.as_bytes(), &runtime)?;
    let (wall, cpu) = start.elapsed();
    let peak = peak_mib() - text.len() as f64 / f64::from(1 << 20);
    let lines: BTreeSet<&str> = text.lines().collect();
    if lines.len() as u64 != distinct {
        return Err(format!("{kind}: {distinct} facts of {} were loaded", lines.len()).into());
    }
    let megabytes = text.len() as f64 / 1e6;
    println!(
        "| {kind} | {distinct} | {megabytes:.0} | {cpu:.2} | {wall:.2} | {:.0} | {peak:.0} | {:.1} |",
        megabytes / cpu.max(0.01),
        bytes as f64 / distinct.max(1) as f64
    );
    Ok(())
}
