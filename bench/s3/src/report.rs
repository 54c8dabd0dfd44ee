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

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: BTreeMap<(Row, Peer), Vec<Measured>>,
}

/// What Craton is to reach: `factor` times each of `peers`.
struct Target {
    verb: Verb,
    size: u64,
    clients: &'static [usize],
    factor: f64,
    peers: &'static [Peer],
}

const TARGETS: [Target; 4] = [
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
];

impl Report {
    pub(crate) fn add(&mut self, peer: Peer, row: Row, measured: Measured) {
        self.rows.entry((row, peer)).or_default().push(measured);
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
        out
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
        let Some(rate) = self.rate(row, peer).filter(|rate| *rate > 0.0) else {
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
            "| {} {} ≥ {} × {} | {} | {reached:.2} × | {verdict} |",
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
