//! The same S3 load against Craton and its peers: PUT and GET of 4 KiB, 1 MiB and 64 MiB by 1, 16 and 64
//! clients, with and without locks and keys stated, by a user and in a session that is ended, both mixed, uploads in parts, listings of large buckets, reads as for
//! training, and work beside an expiry, with what it costs (CPU, peak memory) and how that compares.
//!
//! ```text
//! options ──▶ plan of rows ──▶ for each round: peers started, for each row each peer measured ──▶ report
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
mod revoke;
mod sign;
mod stats;

use std::{fs, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};

use options::Options;
use peers::{Peer, Running};
use plan::{Row, Verb};
use report::{Filled, Measured, Report};

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
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        measure_round(&options, round, &mut report)?;
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

/// All rows with all peers. Those about the bucket of listings come after the others, on fresh folders: both would not fit
/// on many a disk.
fn measure_round(options: &Options, round: u32, report: &mut Report) -> Result<()> {
    let rows = plan::rows(options);
    let groups = rows.chunk_by(|a, b| a.verb.is_about_listings() == b.verb.is_about_listings());
    for group in groups {
        measure_group(group, options, round, report)?;
    }
    Ok(())
}

/// Rows with all peers, each peer on a fresh folder that is removed in the end. The peers take turns
/// row by row, so that what else goes on at the machine is the same for those that are compared; who is first changes with each round.
fn measure_group(rows: &[Row], options: &Options, round: u32, report: &mut Report) -> Result<()> {
    let takes_part = |peer: &Peer| rows.iter().any(|row| peer.takes(row, options));
    let mut started = Vec::new();
    for peer in options.peers.iter().copied().filter(takes_part) {
        let folder = fresh_folder(options, peer)?;
        let running = peer
            .start(options, &folder)
            .with_context(|| format!("starting {}", peer.name()))?;
        started.push((peer, running));
    }
    if round.is_multiple_of(2) {
        started.reverse();
    }
    for row in rows {
        for (peer, running) in started.iter_mut().filter(|(peer, _)| peer.takes(row, options)) {
            let about = || format!("{row}, {}", peer.name());
            if let Some(filled) = prepare(*peer, running, row, options).with_context(about)? {
                report.fill(filled);
            }
            let measured = measure(running, row, options).with_context(about)?;
            if row.verb == Verb::Expiry {
                report.expire(row.size, running.expired(row)?, measured.load.elapsed);
            }
            eprintln!("  {row}, {}: {}", peer.name(), measured.line());
            report.add(*peer, *row, measured);
        }
    }
    for (peer, running) in started {
        running.end()?;
        fs::remove_dir_all(options.folder.join(peer.name()))?;
    }
    Ok(())
}

fn fresh_folder(options: &Options, peer: Peer) -> Result<PathBuf> {
    let folder = options.folder.join(peer.name());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Stores what a row needs; where that was a bucket of keys, what it cost.
fn prepare(peer: Peer, running: &mut Running, row: &Row, options: &Options) -> Result<Option<Filled>> {
    if !row.verb.needs_preparation() {
        return Ok(None);
    }
    let pid = running.pid();
    let folder = options.folder.join(peer.name());
    if !row.verb.needs_keys() {
        return running.prepare(row, options).map(|_| None);
    }
    let disk_before = process::disk_bytes(&folder)?;
    process::reset_peak(pid);
    let (cpu_before, began) = (process::cpu_tree(pid)?, Instant::now());
    let filled = running.prepare(row, options)?;
    let elapsed = began.elapsed();
    Ok(filled.then_some(Filled {
        peer,
        keys: row.size,
        elapsed,
        server_cpu: process::cpu_tree(pid)?.saturating_sub(cpu_before),
        peak_bytes: process::peak_tree(pid),
        disk_bytes: process::disk_bytes(&folder)?.saturating_sub(disk_before),
    }))
}

fn measure(running: &mut Running, row: &Row, options: &Options) -> Result<Measured> {
    if row.verb != Verb::Expiry {
        process::flush_disks()?;
    }
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
