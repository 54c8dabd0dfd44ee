use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use craton_base::{Error, Kind};
use craton_sim::{SimDisk, random::SplitMix};
use craton_store::disk::Disk as _;
use craton_store::journal::{APPEND_BYTES_MAX, Journal, Position, RECORD_BYTES_MAX};

fn open(disk: &SimDisk) -> Journal {
    open_small(disk).expect("open")
}

fn open_small(disk: &SimDisk) -> Result<Journal, Error> {
    Journal::open_with(Arc::new(disk.clone()), 2000)
}

fn records(journal: &Journal, from: u64) -> Vec<(u64, Vec<u8>)> {
    let mut out = Vec::new();
    journal
        .replay(Position(from), &mut |p, r| {
            out.push((p.0, r.to_vec()));
            Ok(())
        })
        .expect("replay");
    out
}

/// The record that a test puts at a position: its length and content follow from the position.
fn record(position: u64) -> Vec<u8> {
    let mut random = SplitMix::new(position);
    let len = random.below(300);
    (0..len).map(|_| random.next() as u8).collect()
}

#[test]
fn records_come_back_in_order_over_segments() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    assert!(journal.recovered().closed);
    for p in 0..100 {
        let (one, two) = (record(2 * p), record(2 * p + 1));
        assert_eq!(journal.append(&[&one, &two]).expect("append").0, 2 * p);
    }
    assert_eq!(journal.append(&[]).expect("nothing").0, 200);
    let expected: Vec<_> = (0..200).map(|p| (p, record(p))).collect();
    assert_eq!(records(&journal, 0), expected);
    assert_eq!(records(&journal, 150), expected[150..]);
    assert!(disk.files().len() > 10);

    journal.release(Position(120)).expect("release");
    let kept = records(&journal, 0);
    assert!(kept[0].0 > 80 && kept[0].0 <= 120);
    assert_eq!(kept, expected[kept[0].0 as usize..]);
    journal.close().expect("close");
    assert_eq!(
        journal.append(&[b"late"]).expect_err("closed").kind(),
        Kind::Unavailable
    );

    let again = open(&disk);
    let found = again.recovered();
    assert!(found.closed && !found.torn);
    assert_eq!((found.first.0, found.next.0), (kept[0].0, 200));
    assert_eq!(records(&again, 0), kept);
    assert!(
        !open(&disk).recovered().closed,
        "an open journal does not look closed"
    );
}

#[test]
fn limits_are_errors_and_change_nothing() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    let long = vec![1; RECORD_BYTES_MAX + 1];
    assert_eq!(journal.append(&[&long]).expect_err("long").kind(), Kind::TooLarge);
    let full = vec![1; RECORD_BYTES_MAX];
    let many = vec![full.as_slice(); APPEND_BYTES_MAX / RECORD_BYTES_MAX + 1];
    assert_eq!(journal.append(&many).expect_err("many").kind(), Kind::TooLarge);
    journal.append(&many[1..]).expect("the largest");
    assert_eq!(records(&journal, 0).len(), APPEND_BYTES_MAX / RECORD_BYTES_MAX);
    assert!(records(&open(&disk), 0).iter().all(|(_, r)| *r == full));
}

/// JR-1, JR-2, JR-3: appends and flushes, stopped at any operation, cut, opened again, several times over.
#[test]
fn every_cut_keeps_what_was_flushed_and_nothing_torn() {
    for seed in 0..super::cuts(500) {
        let mut random = SplitMix::new(seed);
        let mut disk = SimDisk::new();
        let mut durable = 0;
        for _ in 0..3 {
            disk.stop_after(1 + random.below(60));
            let mut appended = durable;
            if let Ok(journal) = open_small(&disk) {
                let next = journal.recovered().next.0;
                assert!(
                    next >= durable,
                    "seed {seed}: {next} of {durable} durable records"
                );
                let found = records_or_stop(&journal);
                for (i, (p, r)) in found.iter().enumerate() {
                    assert!(*p == i as u64 && *r == record(*p), "seed {seed}: record {p}");
                }
                durable = next;
                appended = next;
                work(&journal, &mut random, &mut appended, &mut durable);
            }
            assert!(appended >= durable);
            if random.chance(70) {
                disk = disk.power_cut(random.next());
            } else {
                // Only the process was killed: the next one goes on with what was not flushed.
                disk.heal();
            }
        }
        let journal = open_small(&disk).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let found = records(&journal, 0);
        assert!(found.len() as u64 >= durable, "seed {seed}");
        let after = open_small(&disk.power_cut(random.next())).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert!(
            records(&after, 0).len() >= found.len(),
            "seed {seed}: opening makes durable"
        );
        assert!(
            found
                .iter()
                .enumerate()
                .all(|(i, (p, r))| i as u64 == *p && *r == record(*p))
        );
    }
}

fn records_or_stop(journal: &Journal) -> Vec<(u64, Vec<u8>)> {
    let mut out = Vec::new();
    let done = journal.replay(Position(0), &mut |p, r| {
        out.push((p.0, r.to_vec()));
        Ok(())
    });
    if let Err(e) = done {
        assert_eq!(e.reason(), "InjectedFault");
    }
    out
}

fn work(journal: &Journal, random: &mut SplitMix, appended: &mut u64, durable: &mut u64) {
    loop {
        let done = if random.chance(25) {
            journal.sync().map(|p| *durable = p.0)
        } else {
            let batch: Vec<_> = (0..=random.below(3)).map(|i| record(*appended + i)).collect();
            let batch: Vec<_> = batch.iter().map(Vec::as_slice).collect();
            journal.append(&batch).map(|p| {
                assert_eq!(p.0, *appended);
                *appended += batch.len() as u64;
            })
        };
        if done.is_err() {
            return;
        }
    }
}

#[test]
fn a_flipped_bit_in_what_was_flushed_is_corrupt_and_named() {
    let build = || {
        let disk = SimDisk::new();
        let journal = open(&disk);
        for p in 0..40 {
            journal.append(&[&record(p)]).expect("append");
            if p % 3 == 0 {
                journal.sync().expect("sync");
            }
        }
        journal.sync().expect("sync");
        disk
    };
    let model = build();
    let files = model.files();
    // The last mark is not flushed by the journal; with it gone, damage of the very last flushed
    // records can not be told from a torn tail.
    for file in &files {
        model.open(file).and_then(|f| f.sync()).expect("sync");
    }
    assert!(files.len() > 2);
    let mut random = SplitMix::new(1);
    for _ in 0..super::cuts(300) {
        let disk = model.after_cut(0);
        let file = &files[random.below(files.len() as u64) as usize];
        let len = disk.file_len(file).expect("there");
        // Damage of the last mark alone says nothing about a record.
        let bit = random.below((len - 24) * 8);
        disk.flip_bit(file, bit).expect("flip");
        match open_small(&disk) {
            Err(e) => {
                assert_eq!(e.kind(), Kind::Corrupt);
                let name = file.trim_start_matches("journal/").trim_end_matches(".log");
                assert!(e.message().contains(name), "{e} names {file}");
            }
            Ok(journal) => {
                // Only a mark may have been hit: then nothing is missing.
                assert_eq!(records(&journal, 0).len(), 40, "{file} bit {bit}");
            }
        }
    }
}

#[test]
fn a_missing_segment_is_corrupt() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    for p in 0..60 {
        journal.append(&[&record(p)]).expect("append");
    }
    let files = disk.files();
    disk.remove(&files[1]).expect("remove");
    assert_eq!(open_small(&disk).err().expect("a gap").kind(), Kind::Corrupt);
}

/// JR-4, and what a full disk does.
#[test]
fn a_failed_write_is_taken_back_and_a_failed_flush_is_final() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    journal.append(&[b"one"]).expect("append");
    disk.fail_after(1);
    assert!(journal.append(&[b"two", b"three"]).is_err());
    assert_eq!(journal.append(&[b"four"]).expect("goes on").0, 1);
    disk.fail_after(1);
    assert!(journal.sync().is_err());
    assert_eq!(
        journal.append(&[b"five"]).expect_err("failed").reason(),
        "JournalFailed"
    );
    assert_eq!(journal.sync().expect_err("failed").reason(), "JournalFailed");
    let found: Vec<_> = records(&journal, 0).into_iter().map(|(_, r)| r).collect();
    assert_eq!(found, [b"one".to_vec(), b"four".to_vec()]);
}

#[test]
fn threads_append_and_flush_together() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    let given = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for t in 0..8u8 {
            let (journal, given) = (&journal, &given);
            scope.spawn(move || {
                for i in 0..200u8 {
                    let first = journal.append(&[&[t, i], &[t, i, 1]]).expect("append");
                    if i % 16 == 0 {
                        assert!(journal.sync().expect("sync") > first.plus(1));
                    }
                    let mut given = given.lock().expect("lock");
                    assert!(given.insert(first.0) && given.insert(first.0 + 1));
                }
            });
        }
    });
    let found = records(&journal, 0);
    assert_eq!(found.len(), 3200);
    assert!(
        found.chunks(2).all(|c| c[0].1[..] == c[1].1[..2]),
        "an append stays together"
    );
    for t in 0..8u8 {
        let mine: Vec<u8> = found
            .iter()
            .filter(|(_, r)| r.len() == 2 && r[0] == t)
            .map(|(_, r)| r[1])
            .collect();
        assert!(mine.is_sorted() && mine.len() == 200);
    }
    assert_eq!(records(&open(&disk), 0), found);
}
