use std::collections::BTreeSet;

use super::*;

fn filled(file: &dyn File, offset: u64, byte: u8, len: usize) {
    file.write_at(offset, &vec![byte; len]).expect("write");
}

fn content(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(path).ok()?;
    let mut out = vec![0; usize::try_from(file.len().expect("len")).expect("small")];
    file.read_at(0, &mut out).expect("read");
    Some(out)
}

#[test]
fn what_was_flushed_survives_every_cut() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    filled(&*file, 100, 7, 5000);
    file.sync().expect("sync");
    disk.sync_dir("").expect("sync dir");
    for seed in 0..200 {
        let after = disk.after_cut(seed);
        let content = content(&after, "a").expect("there");
        assert_eq!(content.len(), 5100);
        assert!(content[100..].iter().all(|b| *b == 7) && content[..100].iter().all(|b| *b == 0));
    }
}

#[test]
fn unflushed_sectors_come_in_every_combination() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    filled(&*file, 0, 1, 3 * SECTOR);
    file.sync().expect("sync");
    disk.sync_dir("").expect("sync dir");
    filled(&*file, 0, 2, 3 * SECTOR);
    filled(&*file, 0, 3, 3 * SECTOR);
    let mut seen = BTreeSet::new();
    for seed in 0..5000 {
        let content = content(&disk.after_cut(seed), "a").expect("there");
        for sector in content.chunks(SECTOR) {
            assert!(sector.iter().all(|b| *b == sector[0]), "a sector is never torn");
        }
        seen.insert([content[0], content[SECTOR], content[2 * SECTOR]]);
    }
    assert_eq!(seen.len(), 27, "each of three sectors has each of three contents");
}

#[test]
fn names_need_their_own_flush() {
    let disk = SimDisk::new();
    disk.create_dir("d").expect("dir");
    disk.sync_dir("").expect("sync dir");
    let file = disk.create("d/a").expect("create");
    filled(&*file, 0, 1, 10);
    file.sync().expect("sync");
    let there = (0..100)
        .filter(|s| content(&disk.after_cut(*s), "d/a").is_some())
        .count();
    assert!(there > 0 && there < 100);
    disk.sync_dir("d").expect("sync dir");
    assert!((0..100).all(|s| content(&disk.after_cut(s), "d/a").is_some()));
}

#[test]
fn a_rename_happens_or_not() {
    let disk = SimDisk::new();
    for (name, byte) in [("old", 1), ("new", 2)] {
        let file = disk.create(name).expect("create");
        filled(&*file, 0, byte, 10);
        file.sync().expect("sync");
    }
    disk.sync_dir("").expect("sync dir");
    disk.rename("new", "old").expect("rename");
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let after = disk.after_cut(seed);
        let old = content(&after, "old").expect("the target is always there")[0];
        assert_eq!(content(&after, "new").is_some(), old == 1);
        seen.insert(old);
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn a_lost_directory_takes_its_files_along() {
    let disk = SimDisk::new();
    disk.create_dir("d/e").expect("dir");
    let file = disk.create("d/e/a").expect("create");
    file.sync().expect("sync");
    disk.sync_dir("d/e").expect("sync dir");
    disk.sync_dir("d").expect("sync dir");
    let there = (0..100)
        .filter(|s| !disk.after_cut(*s).files().is_empty())
        .count();
    assert!(there > 0 && there < 100);
}

#[test]
fn lengths_come_back_too() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    filled(&*file, 0, 1, 2000);
    file.sync().expect("sync");
    disk.sync_dir("").expect("sync dir");
    file.set_len(100).expect("shrink");
    file.set_len(3000).expect("grow");
    assert_eq!(content(&disk, "a").expect("there")[100..], vec![0; 2900]);
    let mut lens = BTreeSet::new();
    for seed in 0..300 {
        let after = content(&disk.after_cut(seed), "a").expect("there");
        lens.insert(after.len());
        assert!(after.iter().skip(2000).all(|b| *b == 0));
    }
    assert_eq!(lens, BTreeSet::from([100, 2000, 3000]));
}

#[test]
fn a_failed_flush_is_not_made_up_for() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    disk.sync_dir("").expect("sync dir");
    filled(&*file, 0, 1, SECTOR);
    disk.fail_after(1);
    assert_eq!(file.sync().expect_err("told to").reason(), "InjectedFault");
    file.sync().expect("the next one answers");
    assert!((0..50).any(|s| content(&disk.after_cut(s), "a").expect("there").is_empty()));
    filled(&*file, 0, 1, SECTOR);
    filled(&*file, SECTOR as u64, 2, 1);
    file.sync().expect("written again");
    assert!((0..50).all(|s| content(&disk.after_cut(s), "a").expect("there").len() == SECTOR + 1));
}

#[test]
fn the_nth_operation_fails_once_or_for_good() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    disk.fail_after(2);
    filled(&*file, 0, 1, 10);
    assert!(file.write_at(0, &[2; 10]).is_err());
    let now = content(&disk, "a").expect("there");
    let prefix = now.iter().take_while(|b| **b == 2).count();
    assert!(now[prefix..].iter().all(|b| *b == 1));
    filled(&*file, 0, 3, 10);

    disk.stop_after(1);
    assert!(file.sync().is_err() && file.sync().is_err() && disk.create("b").is_err());
    disk.heal();
    file.sync().expect("healed");
    assert_eq!(disk.operations().syncs, 3);
}

#[test]
fn a_cut_kills_the_old_disk_and_frees_its_locks() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    disk.sync_dir("").expect("sync dir");
    assert!(file.try_lock().expect("lock"));
    assert!(!disk.open("a").expect("open").try_lock().expect("lock"));
    let after = disk.power_cut(1);
    assert!(file.write_at(0, b"x").is_err() && file.len().is_err() && disk.open("a").is_err());
    assert!(after.open("a").expect("open").try_lock().expect("lock"));
    assert!(content(&after, "a").expect("there").is_empty());
}

#[test]
fn a_bit_flips_for_good() {
    let disk = SimDisk::new();
    let file = disk.create("a").expect("create");
    filled(&*file, 0, 0, 10);
    disk.flip_bit("a", 17).expect("flip");
    assert_eq!(content(&disk, "a").expect("there")[2], 2);
    file.sync().expect("sync");
    disk.sync_dir("").expect("sync dir");
    assert_eq!(content(&disk.power_cut(3), "a").expect("there")[2], 2);
    assert!(disk.flip_bit("b", 0).is_err());
}

#[test]
fn the_same_seed_leaves_the_same_disk() {
    let run = |seed| {
        let disk = SimDisk::new();
        let file = disk.create("a").expect("create");
        disk.sync_dir("").expect("sync dir");
        (0..20).for_each(|n| filled(&*file, n * 300, n as u8, 700));
        content(&disk.power_cut(seed), "a")
    };
    assert_eq!(run(5), run(5));
    assert!((0..20).any(|s| run(s) != run(s + 1)));
}
