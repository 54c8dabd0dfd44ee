//! What a task took: CPU and wall time between two moments, and the process's greatest memory since the first.

use std::{collections::BTreeMap, fmt, time::Instant};

/// A moment.
pub(crate) struct Start {
    wall: Instant,
    cpu: f64,
}

impl Start {
    /// Now; the greatest memory is counted from here, too.
    pub(crate) fn now() -> Self {
        // See proc(5): 5 is the peak resident set size. Where it can not be reset, it is the process's.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self {
            wall: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    /// Wall and CPU seconds since then.
    pub(crate) fn elapsed(&self) -> (f64, f64) {
        (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu)
    }
}

/// Seconds of CPU that this process used, of all its threads, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // Fields 14 and 15 of proc(5), in ticks of 10 ms.
    fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// The most memory that this process had since the last [`Start`], in MiB.
pub(crate) fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}

/// One line of the table.
#[derive(Default)]
pub(crate) struct Row(BTreeMap<String, f64>);

impl Row {
    pub(crate) fn new(results: u64, start: &Start) -> Self {
        let (wall, cpu) = start.elapsed();
        let mut row = Self::default();
        row.set("results", results as f64);
        row.set("wall", wall);
        row.set("cpu", cpu);
        row.set("peak", peak_mib());
        row
    }

    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut row = Self::default();
        for part in line.split_whitespace() {
            let (name, value) = part.split_once('=')?;
            row.set(name, value.parse().ok()?);
        }
        row.0.contains_key("results").then_some(row)
    }

    pub(crate) fn results(&self) -> Option<f64> {
        self.0.get("results").copied()
    }

    pub(crate) fn cpu(&self) -> Option<f64> {
        self.0.get("cpu").copied()
    }

    /// Its cells of the table; `craton` is the CPU time that all are compared with.
    pub(crate) fn cells(&self, craton: Option<f64>) -> String {
        let ratio = self.cpu().zip(craton).map(|(own, craton)| own / craton.max(0.01));
        let cell = |name: &str, digits: usize| match (name, self.0.get(name)) {
            ("ratio", _) => ratio.map_or_else(|| "| ".to_owned(), |r| format!("| {r:.1} ")),
            (_, Some(value)) => format!("| {value:.digits$} "),
            (_, None) => "| ".to_owned(),
        };
        [
            ("results", 0),
            ("cpu", 2),
            ("wall", 2),
            ("peak", 0),
            ("ratio", 1),
            ("load", 0),
            ("bytes", 1),
        ]
        .map(|(name, digits)| cell(name, digits))
        .concat()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, "{name}={value} ")?;
        }
        Ok(())
    }
}
