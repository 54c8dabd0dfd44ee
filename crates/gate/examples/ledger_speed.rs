//! What the ledger costs on a real disk: `cargo run -p craton-gate --example ledger_speed -- FOLDER`.
//! The folder must be empty; it is not removed.

use std::{path::Path, sync::Arc};

use craton_base::{Clock, Result, clock::SystemClock};
use craton_crypto::{SealKey, SystemRandom};
use craton_gate::ledger::{Ledger, LedgerParts, Reader, Record, RecordKind, Verdict, VerifyOptions};
use craton_store::{
    disk::{Disk, real::RealDisk},
    journal::Journal,
    namespace::{Batch, Namespace, committer::Committer, redb::RedbNamespace},
};

const RECORDS: u32 = 200_000;
const WRITES: u32 = 20_000;
const SLICE: u32 = 1000;

fn record(n: u32) -> Record {
    let mut record = Record::of(RecordKind::Decision);
    record.principal = format!("user-{}", n % 50);
    record.access_key_id = "AKIAIOSFODNN7EXAMPLE".to_owned();
    record.source_ip = "192.0.2.17".to_owned();
    record.door = "s3".to_owned();
    record.operation = "GetObject".to_owned();
    record.action = "s3:GetObject".to_owned();
    record.resource = format!("/photos/objects/2026/11/22/{n:08}.jpg");
    record.bucket = "photos".to_owned();
    record.version = u64::from(n);
    record.verdict = Verdict::Allow.into();
    record.statements = vec!["readers#read-photos".to_owned()];
    record.request_id = "4442587FB7D0A2F9".to_owned();
    record
}

#[expect(clippy::print_stdout, reason = "a measurement for people")]
fn say(what: &str, count: u32, clock: &SystemClock, since: std::time::Duration) {
    let took = clock.monotonic().saturating_sub(since);
    let each = took.as_secs_f64() * 1e6 / f64::from(count);
    println!("{what}: {each:.2} µs each, {:.0} a second", 1e6 / each);
}

/// In slices, because something else may run on the machine: the best and the middle one.
#[expect(clippy::print_stdout, reason = "a measurement for people")]
fn slices(what: &str, clock: &SystemClock, mut work: impl FnMut(u32) -> Result<()>) -> Result<()> {
    let mut took = Vec::new();
    for slice in 0..RECORDS / SLICE {
        let since = clock.monotonic();
        for n in 0..SLICE {
            work(slice * SLICE + n)?;
        }
        took.push(clock.monotonic().saturating_sub(since).as_secs_f64() * 1e6 / f64::from(SLICE));
    }
    took.sort_by(f64::total_cmp);
    let (best, middle) = (took.first(), took.get(took.len() / 2));
    println!(
        "{what}: best {:.2} µs each, median {:.2}",
        best.unwrap_or(&0.0),
        middle.unwrap_or(&0.0)
    );
    Ok(())
}

fn main() -> Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "ledger-speed".to_owned());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(Path::new(&folder))?);
    let clock = Arc::new(SystemClock::new());
    let namespace: Arc<dyn Namespace> = Arc::new(RedbNamespace::open(
        disk.create("namespace.redb")?,
        32 << 20,
        clock.clone(),
    )?);
    let committer = Arc::new(Committer::start(namespace.clone())?);
    let key = SealKey::from_bytes([1; 32]);
    let ledger = Ledger::open(LedgerParts {
        namespace: namespace.clone(),
        committer: committer.clone(),
        journal: Arc::new(Journal::open(disk)?),
        key: key.clone(),
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        kernel_boot_id: "kernel".to_owned(),
    })?;
    for n in 0..1000 {
        ledger.append_decision(&mut record(n))?;
    }
    ledger.integrate()?;

    appending(&ledger, &clock)?;
    pending(&ledger, &committer, &clock)?;
    working(&ledger, &clock)?;
    let since = clock.monotonic();
    let verified = Reader::open(namespace, &key)?.verify(VerifyOptions::default())?;
    let records = u32::try_from(verified.records).unwrap_or(u32::MAX);
    say("verify", records, &clock, since);
    let since = clock.monotonic();
    for index in 0..1000 {
        std::hint::black_box(ledger.reader().prove(index * 97)?);
    }
    say("prove", 1000, &clock, since);
    ledger.close()
}

/// What a request waits for.
fn appending(ledger: &Ledger, clock: &SystemClock) -> Result<()> {
    slices("making a record (in all lines below)", clock, |n| {
        std::hint::black_box(record(n));
        Ok(())
    })?;
    slices("write_change", clock, |n| {
        ledger.write_change(&mut record(n)).map(drop)
    })?;
    slices("append_decision", clock, |n| {
        ledger.append_decision(&mut record(n)).map(drop)
    })?;
    slices("append_outcome", clock, |n| {
        ledger.append_outcome(&mut record(n)).map(drop)
    })?;
    let since = clock.monotonic();
    ledger.flush()?;
    say("flush of what these left", 1, clock, since);
    let since = clock.monotonic();
    ledger.integrate()?;
    say("integrate, from the journal", 2 * RECORDS, clock, since);
    Ok(())
}

/// Records of writes, committed with the writes.
fn pending(ledger: &Ledger, committer: &Committer, clock: &SystemClock) -> Result<()> {
    for n in 0..WRITES / 1000 {
        let changes = (0..1000)
            .map(|m| ledger.write_change(&mut record(n * 1000 + m)))
            .collect::<Result<_>>()?;
        committer.commit_blocking(Batch {
            preconditions: vec![],
            changes,
        })?;
    }
    let since = clock.monotonic();
    ledger.integrate()?;
    say("integrate, of pending writes", WRITES, clock, since);
    Ok(())
}

/// With the ledger's threads competing.
fn working(ledger: &Ledger, clock: &SystemClock) -> Result<()> {
    let workers = ledger.start_workers()?;
    let since = clock.monotonic();
    for n in 0..RECORDS {
        ledger.append_decision(&mut record(n))?;
    }
    say(
        "append_decision, flusher and integrator at work",
        RECORDS,
        clock,
        since,
    );
    drop(workers);
    let since = clock.monotonic();
    ledger.integrate()?;
    say("integrate what was left", 1, clock, since);
    Ok(())
}
