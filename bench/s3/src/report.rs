//! The report: a table of medians, the ratios to the peers, and the targets.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use crate::{
    load::Outcome,
    options::Options,
    peers::Peer,
    plan::{self, KIB, MIB, Row, Verb},
    stats::median,
};

/// A row as one round measured it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) load: Outcome,
    pub(crate) server_cpu: Duration,
    pub(crate) client_cpu: Duration,
    pub(crate) peak_bytes: u64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.load.requests as f64 / self.load.elapsed.as_secs_f64()
    }

    fn mib_per_second(&self) -> f64 {
        self.load.bytes as f64 / MIB as f64 / self.load.elapsed.as_secs_f64()
    }

    fn server_cpu_per_request(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / (self.load.requests.max(1)) as f64
    }

    /// How much of one core the client used.
    fn client_busy(&self) -> f64 {
        self.client_cpu.as_secs_f64() / self.load.elapsed.as_secs_f64()
    }

    /// For who waits.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:.0}/s, {:.0} MiB/s, p50 {:.2} ms, p99 {:.2} ms, server {:.2} CPU s, client {:.2} CPU s in {:.2} s, {} MiB, {} failed",
            self.rate(),
            self.mib_per_second(),
            self.load.latencies.percentile(0.5),
            self.load.latencies.percentile(0.99),
            self.server_cpu.as_secs_f64(),
            self.client_cpu.as_secs_f64(),
            self.load.elapsed.as_secs_f64(),
            self.peak_bytes / MIB,
            self.load.failed,
        )
    }
}

/// What it cost to fill a bucket with small objects.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    pub(crate) peer: Peer,
    pub(crate) keys: u64,
    pub(crate) elapsed: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) peak_bytes: u64,
    pub(crate) disk_bytes: u64,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: BTreeMap<(Row, Peer), Vec<Measured>>,
    filled: Vec<Filled>,
    /// Of how many keys how many were seen to have expired in a row of so long.
    expired: Vec<(u64, u64, Duration)>,
}

/// The longest that 99 of 100 pages of a listing may take, in milliseconds.
const PAGE_MS_MAX: f64 = 20.0;

/// How many times as long as else requests may take beside an expiry, 99 of 100 of them.
const BESIDE_TIMES_MAX: f64 = 2.0;

/// What Craton is to reach: `factor` times each of `peers`.
struct Target {
    verb: Verb,
    size: u64,
    clients: &'static [usize],
    factor: f64,
    peers: &'static [Peer],
}

/// What is to be left of the rate of requests that say their run, beside a server without records.
const RECORDED_LEAST: f64 = 0.95;

/// How many times the time, and the server's CPU, that a request takes with decisions that cost nothing.
const DECIDING_TIMES_MAX: f64 = 1.1;

const TARGETS: [Target; 9] = [
    Target {
        verb: Verb::Get,
        size: 64 * MIB,
        clients: &plan::CLIENTS,
        factor: 0.8,
        peers: &[Peer::Nginx, Peer::NginxCopy],
    },
    Target {
        verb: Verb::Get,
        size: 4 * KIB,
        clients: &plan::CLIENTS,
        factor: 0.5,
        peers: &[Peer::Nginx, Peer::NginxCopy],
    },
    Target {
        verb: Verb::UserGet,
        size: 4 * KIB,
        clients: &plan::CLIENTS,
        factor: 1.0 / DECIDING_TIMES_MAX,
        peers: &[Peer::AlwaysYes],
    },
    Target {
        verb: Verb::Put,
        size: 64 * MIB,
        clients: &plan::CLIENTS,
        factor: 0.8,
        peers: &[Peer::RawFile],
    },
    Target {
        verb: Verb::Put,
        size: 4 * KIB,
        clients: &[64],
        factor: 2.0,
        peers: &[Peer::SeaweedFlush],
    },
    Target {
        verb: Verb::HeldGet,
        size: 64 * MIB,
        clients: &plan::CLIENTS,
        factor: 0.8,
        peers: &[Peer::Nginx, Peer::NginxCopy],
    },
    Target {
        verb: Verb::HeldGet,
        size: 4 * KIB,
        clients: &plan::CLIENTS,
        factor: 0.5,
        peers: &[Peer::Nginx, Peer::NginxCopy],
    },
    Target {
        verb: Verb::HeldPut,
        size: 64 * MIB,
        clients: &plan::CLIENTS,
        factor: 0.8,
        peers: &[Peer::RawFile],
    },
    Target {
        verb: Verb::HeldPut,
        size: 4 * KIB,
        clients: &[64],
        factor: 2.0,
        peers: &[Peer::SeaweedFlush],
    },
];

impl Report {
    pub(crate) fn add(&mut self, peer: Peer, row: Row, measured: Measured) {
        self.rows.entry((row, peer)).or_default().push(measured);
    }

    pub(crate) fn fill(&mut self, filled: Filled) {
        eprintln!("  {}", filled.line());
        self.filled.push(filled);
    }

    pub(crate) fn expire(&mut self, keys: u64, expired: u64, elapsed: Duration) {
        eprintln!("  {expired} of {keys} keys had expired");
        self.expired.push((keys, expired, elapsed));
    }

    pub(crate) fn failed_requests(&self) -> u64 {
        self.rows.values().flatten().map(|m| m.load.failed).sum()
    }

    pub(crate) fn render(&self, options: &Options) -> String {
        let mut out = String::new();
        if !options.label.is_empty() {
            let _ = writeln!(out, "{}\n", options.label);
        }
        let _ = writeln!(
            out,
            "Medians of {} rounds; rows of at most {:.1} s; requests in a closed loop from one thread.\n",
            options.rounds,
            options.time.as_secs_f64()
        );
        self.table(&mut out);
        self.targets(&mut out);
        self.own_targets(&mut out);
        self.rights(&mut out);
        self.records(&mut out);
        self.fillings(&mut out);
        out
    }

    fn fillings(&self, out: &mut String) {
        if self.filled.is_empty() {
            return;
        }
        out.push_str(
            "\n| filled | keys | s | keys/s | server CPU µs/key | disk bytes/key | peak MiB |\n\
             |---|--:|--:|--:|--:|--:|--:|\n",
        );
        for f in &self.filled {
            let _ = writeln!(
                out,
                "| {} | {} | {:.1} | {:.0} | {:.0} | {} | {} |",
                f.peer.name(),
                f.keys,
                f.elapsed.as_secs_f64(),
                f.rate(),
                f.server_cpu.as_secs_f64() * 1e6 / f.keys as f64,
                f.disk_bytes / f.keys.max(1),
                f.peak_bytes / MIB,
            );
        }
        for (keys, expired, elapsed) in &self.expired {
            let seconds = elapsed.as_secs_f64();
            let _ = writeln!(
                out,
                "\n{expired} of {keys} keys expired within {seconds:.0} s beside the load."
            );
        }
    }

    /// What is to hold of Craton alone.
    fn own_targets(&self, out: &mut String) {
        let p99 = |row: &Row| {
            let rounds = self.rows.get(&(*row, Peer::Craton))?;
            let all = rounds.iter().map(|m| m.load.latencies.percentile(0.99));
            Some(median(all.collect()))
        };
        let verdict = |holds: bool| if holds { "holds" } else { "missed" };
        let mut lines = String::new();
        for (row, _) in self.rows.keys().filter(|(_, peer)| *peer == Peer::Craton) {
            let Some(found) = p99(row) else { continue };
            let pages = matches!(
                row.verb,
                Verb::List | Verb::Prefix | Verb::Deep | Verb::Group | Verb::Versions
            );
            if pages {
                let holds = verdict(found <= PAGE_MS_MAX);
                let _ = writeln!(
                    lines,
                    "| {row}: p99 ≤ {PAGE_MS_MAX} ms a page | {found:.2} ms | {holds} |"
                );
            }
            let calm = Row {
                verb: Verb::Calm,
                size: 4 * KIB,
                clients: row.clients,
            };
            if row.verb == Verb::Expiry
                && let Some(calm) = p99(&calm)
            {
                let times = found / calm;
                let holds = verdict(times <= BESIDE_TIMES_MAX);
                let _ = writeln!(
                    lines,
                    "| {row}: p99 of GET and PUT beside it ≤ {BESIDE_TIMES_MAX} × without | {times:.2} × | {holds} |"
                );
            }
        }
        if !lines.is_empty() {
            let _ = write!(out, "\n| target of its own | reached | |\n|---|--:|---|\n{lines}");
        }
    }

    /// What holds of rights: what they cost, and that what was taken away is gone.
    fn rights(&self, out: &mut String) {
        let verdict = |holds: bool| if holds { "holds" } else { "missed" };
        let cpu = |row: &Row, peer| {
            let rounds = self.rows.get(&(*row, peer))?;
            Some(median(
                rounds.iter().map(Measured::server_cpu_per_request).collect(),
            ))
        };
        let mut lines = String::new();
        for ((row, _), rounds) in self.rows.iter().filter(|((_, peer), _)| *peer == Peer::Craton) {
            if row.verb == Verb::Revoke {
                let wrong: u64 = rounds.iter().map(|m| m.load.failed).sum();
                let requests: u64 = rounds.iter().map(|m| m.load.requests).sum();
                let rate = number(median(rounds.iter().map(Measured::rate).collect()));
                let holds = verdict(wrong == 0);
                let _ = writeln!(
                    lines,
                    "| {row}: what begins after the session's end is refused, all before is not | {wrong} of {requests} otherwise, at {rate}/s | {holds} |"
                );
            }
            if let (Some(own), Some(yes)) = (cpu(row, Peer::Craton), cpu(row, Peer::AlwaysYes)) {
                let times = own / yes;
                let holds = verdict(times <= DECIDING_TIMES_MAX);
                let _ = writeln!(
                    lines,
                    "| {row}: server CPU a request ≤ {DECIDING_TIMES_MAX} × always-yes | {own:.1} µs, {times:.2} × | {holds} |",
                );
            }
        }
        if !lines.is_empty() {
            let _ = write!(out, "\n| rights | reached | |\n|---|--:|---|\n{lines}");
        }
    }

    /// What records and lineage cost: rates of one round beside each other, and of those the middle.
    fn records(&self, out: &mut String) {
        let mut lines = String::new();
        let named = |(row, peer): &(Row, Peer)| row.verb == Verb::RunGet && *peer == Peer::Craton;
        for ((row, _), own) in self.rows.iter().filter(|(key, _)| named(key)) {
            let unnamed = Row {
                verb: Verb::Get,
                ..*row
            };
            for (what, beside, least) in [
                ("runs named, beside unnamed", (unnamed, Peer::Craton), None),
                ("beside no lineage", (*row, Peer::NoLineage), None),
                (
                    "beside neither ledger nor lineage",
                    (*row, Peer::NoLedger),
                    Some(RECORDED_LEAST),
                ),
            ] {
                let Some(others) = self.rows.get(&beside) else {
                    continue;
                };
                let pairs = || own.iter().zip(others);
                let reached = median(pairs().map(|(a, b)| a.rate() / b.rate()).collect());
                let more = |(a, b): (&Measured, &Measured)| a.server_cpu_per_request() - b.server_cpu_per_request();
                let cpu = median(pairs().map(more).collect());
                let verdict = match least {
                    Some(least) if reached >= least => format!("≥ {least:.2} holds"),
                    Some(least) => format!("≥ {least:.2} missed"),
                    None => String::new(),
                };
                let _ = writeln!(lines, "| {row}: {what} | {reached:.3} × | {cpu:+.1} µs | {verdict} |");
            }
        }
        if !lines.is_empty() {
            let _ = write!(
                out,
                "\n| records and lineage | requests/s | server CPU a request | |\n|---|--:|--:|---|\n{lines}"
            );
        }
    }

    fn table(&self, out: &mut String) {
        out.push_str(
            "| load | server | requests/s | spread | MiB/s | Craton is | p50 ms | p99 ms | p99.9 ms | max ms | \
             server CPU µs/request | client busy | peak MiB | failed |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for ((row, peer), rounds) in &self.rows {
            let of = |value: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(value).collect());
            let rate = of(&Measured::rate);
            let ratio = match self.rate(*row, Peer::Craton) {
                Some(craton) if *peer != Peer::Craton && rate > 0.0 => format!("{:.2} ×", craton / rate),
                _ => String::new(),
            };
            // Raw writers are the client.
            let busy = match peer {
                Peer::RawFile | Peer::RawLog => String::new(),
                _ => format!("{:.0} %", of(&Measured::client_busy) * 100.0),
            };
            let _ = writeln!(
                out,
                "| {row} | {} | {} | ±{:.0} % | {:.0} | {ratio} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {busy} | {:.0} | {} |",
                peer.name(),
                number(rate),
                spread(rounds) * 100.0,
                of(&Measured::mib_per_second),
                of(&|m| m.load.latencies.percentile(0.5)),
                of(&|m| m.load.latencies.percentile(0.99)),
                of(&|m| m.load.latencies.percentile(0.999)),
                of(&|m| m.load.latencies.max()),
                of(&Measured::server_cpu_per_request),
                of(&|m| m.peak_bytes as f64 / MIB as f64),
                rounds.iter().map(|m| m.load.failed).sum::<u64>(),
            );
        }
    }

    fn targets(&self, out: &mut String) {
        out.push_str("\n| target | clients | reached | |\n|---|--:|--:|---|\n");
        for target in &TARGETS {
            for clients in target.clients {
                let row = Row {
                    verb: target.verb,
                    size: target.size,
                    clients: *clients,
                };
                for peer in target.peers {
                    self.target(target, row, *peer, out);
                }
            }
        }
    }

    fn target(&self, target: &Target, row: Row, peer: Peer, out: &mut String) {
        let Some(craton) = self.rate(row, Peer::Craton) else {
            return;
        };
        // Peers are asked without locks and keys.
        let plain = match row.verb {
            Verb::HeldGet => Verb::Get,
            Verb::HeldPut => Verb::Put,
            other => other,
        };
        let row_of_peer = Row { verb: plain, ..row };
        let Some(rate) = self.rate(row_of_peer, peer).filter(|rate| *rate > 0.0) else {
            return;
        };
        let reached = craton / rate;
        let verdict = if reached >= target.factor {
            "holds"
        } else {
            "missed"
        };
        let _ = writeln!(
            out,
            "| {} {} ≥ {:.2} × {} | {} | {reached:.2} × | {verdict} |",
            target.verb.name(),
            plan::size(target.size),
            target.factor,
            peer.name(),
            row.clients,
        );
    }

    fn rate(&self, row: Row, peer: Peer) -> Option<f64> {
        let rounds = self.rows.get(&(row, peer))?;
        Some(median(rounds.iter().map(Measured::rate).collect()))
    }
}

impl Filled {
    fn rate(&self) -> f64 {
        self.keys as f64 / self.elapsed.as_secs_f64()
    }

    fn line(&self) -> String {
        format!(
            "filled with {} keys, {}: {:.0}/s in {:.1} s, server {:.1} CPU s, {} MiB on disk, peak {} MiB",
            self.keys,
            self.peer.name(),
            self.rate(),
            self.elapsed.as_secs_f64(),
            self.server_cpu.as_secs_f64(),
            self.disk_bytes / MIB,
            self.peak_bytes / MIB,
        )
    }
}

/// How far the furthest round is from the median, as a share of it.
fn spread(rounds: &[Measured]) -> f64 {
    let rates: Vec<f64> = rounds.iter().map(Measured::rate).collect();
    let middle = median(rates.clone());
    rates
        .into_iter()
        .map(|r| (r - middle).abs() / middle)
        .fold(0.0, f64::max)
}

fn number(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
