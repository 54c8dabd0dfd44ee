//! Durable commits per second on a directory's disk: `commit_rate <directory> [seconds]`, with 1 and with 64
//! callers that each commit a batch of one entry of 200 bytes and wait for it.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Clock, Error, Result, clock::SystemClock};
use craton_store::{
    disk::{Disk, real::RealDisk},
    namespace::{Batch, Change, Key, Kind, committer::Committer, redb::RedbNamespace},
};

const CACHE_BYTES: usize = 64 << 20;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::invalid("usage: commit_rate <directory> [seconds]");
    let directory = arguments.next().ok_or_else(usage)?;
    let seconds = arguments
        .next()
        .map_or(Ok(5), |s| s.parse())
        .map_err(|_| usage())?;
    let disk = RealDisk::open(Path::new(&directory))?;
    let clock = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()?;
    for callers in [1, 64] {
        let name = format!("commit-rate-{callers}");
        let namespace = Arc::new(RedbNamespace::open(
            disk.create(&name)?,
            CACHE_BYTES,
            clock.clone(),
        )?);
        let committer = Arc::new(Committer::start(namespace)?);
        let start = clock.monotonic();
        let until = start + Duration::from_secs(seconds);
        let commits = runtime.block_on(run(&committer, clock.clone(), callers, until))?;
        let elapsed = (clock.monotonic() - start).as_secs_f64();
        let groups = committer.stats().groups;
        committer.close();
        disk.remove(&name)?;
        println!(
            "{callers} callers: {:.0} commits/s in {:.0} flushes/s, {:.2} ms a commit",
            commits as f64 / elapsed,
            groups as f64 / elapsed,
            elapsed * 1000.0 * f64::from(callers) / commits as f64,
        );
    }
    Ok(())
}

async fn run(
    committer: &Arc<Committer>,
    clock: Arc<SystemClock>,
    callers: u32,
    until: Duration,
) -> Result<u64> {
    let commits = Arc::new(AtomicU64::new(0));
    let caller = |caller: u32| {
        let (committer, clock, commits) = (committer.clone(), clock.clone(), commits.clone());
        async move {
            let mut number = 0_u64;
            while clock.monotonic() < until {
                committer.commit(batch(caller, number)).await?;
                commits.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
            Ok::<(), Error>(())
        }
    };
    let tasks: Vec<_> = (0..callers).map(|i| tokio::spawn(caller(i))).collect();
    for task in tasks {
        task.await
            .map_err(|e| Error::internal("a caller panicked").with_source(e))??;
    }
    Ok(commits.load(Ordering::Relaxed))
}

fn batch(caller: u32, number: u64) -> Batch {
    let key = Key {
        bucket: BucketId(1),
        branch: BranchId::MAIN,
        kind: Kind::Object,
        name: Bytes::from(format!("caller-{caller}/object-{number}")),
    };
    Batch {
        preconditions: Vec::new(),
        changes: vec![Change::Put(key, Bytes::from_static(&[7; 200]))],
    }
}
