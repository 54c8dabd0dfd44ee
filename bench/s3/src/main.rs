//! The same S3 load against Craton and its peers: PUT and GET of 4 KiB, 1 MiB and 64 MiB by 1, 16 and 64
//! clients, with what it costs (CPU, peak memory) and how that compares.
//!
//! ```text
//! options ──▶ plan of rows ──▶ for each round, for each peer: start, load, measure, end ──▶ report
//! ```
//!
//! Everything is started here, on the loopback address, with data in one folder on one disk, and every
//! measurement is bounded in time, in requests and in bytes. Deliberately absent: any code of Craton's; it
//! is driven as the peers are, from outside.

mod clock;
mod http;
mod load;
mod options;
mod peers;
mod plan;
mod process;
mod report;
mod sign;
mod stats;

use std::{fs, process::ExitCode};

use anyhow::{Context, Result, bail};

use options::Options;
use peers::{Peer, Running};
use plan::{Row, Verb};
use report::{Measured, Report};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(options) = Options::parse()? else {
        print!("{}", options::USAGE);
        return Ok(());
    };
    let mut report = Report::default();
    for round in 0..options.rounds {
        for peer in &options.peers {
            let rows: Vec<Row> = plan::rows(&options)
                .into_iter()
                .filter(|row| peer.takes(row))
                .collect();
            if rows.is_empty() {
                continue;
            }
            eprintln!("round {} of {}: {}", round + 1, options.rounds, peer.name());
            measure_peer(&options, *peer, &rows, &mut report)
                .with_context(|| format!("peer {}", peer.name()))?;
        }
    }
    let text = report.render(&options);
    print!("{text}");
    if let Some(path) = &options.out {
        fs::write(path, &text).with_context(|| format!("writing {}", path.display()))?;
    }
    if report.failed_requests() > 0 {
        bail!("{} requests failed", report.failed_requests());
    }
    Ok(())
}

/// All rows of one peer, on a fresh folder that is removed in the end.
fn measure_peer(options: &Options, peer: Peer, rows: &[Row], report: &mut Report) -> Result<()> {
    let folder = options.folder.join(peer.name());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let done = measure_rows(options, peer, rows, &folder, report);
    let removed = fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()));
    process::flush_disks()?;
    done.and(removed)
}

fn measure_rows(
    options: &Options,
    peer: Peer,
    rows: &[Row],
    folder: &std::path::Path,
    report: &mut Report,
) -> Result<()> {
    let mut running = peer.start(options, folder)?;
    for row in rows {
        if row.verb == Verb::Get {
            running.prepare(row, options)?;
        }
        process::flush_disks()?;
        let measured = measure_row(&mut running, row, options)?;
        eprintln!("  {row}: {}", measured.line());
        report.add(peer, *row, measured);
    }
    running.end()
}

fn measure_row(running: &mut Running, row: &Row, options: &Options) -> Result<Measured> {
    let pid = running.pid();
    process::reset_peak(pid);
    let (server_before, own_before) = (process::cpu_tree(pid)?, process::cpu_self()?);
    let load = running.run(row, options)?;
    let (server_after, own_after) = (process::cpu_tree(pid)?, process::cpu_self()?);
    Ok(Measured {
        server_cpu: server_after.saturating_sub(server_before),
        client_cpu: own_after.saturating_sub(own_before),
        peak_bytes: process::peak_tree(pid),
        load,
    })
}
