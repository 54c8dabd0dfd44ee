use std::{collections::BTreeSet, sync::Arc};

use craton_base::{Error, Kind};
use craton_crypto::SealKey;
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    disk::Disk as _,
    keyring::{KeyProvider as _, LocalKeyring, PATH},
};

fn create(disk: &SimDisk, seed: u64) -> Result<LocalKeyring, Error> {
    LocalKeyring::create(
        Arc::new(disk.clone()),
        Arc::new(SimRandom::new(seed)),
        Arc::new(SimClock::default()),
    )
}

fn open(disk: &SimDisk) -> Result<LocalKeyring, Error> {
    LocalKeyring::open(
        Arc::new(disk.clone()),
        Arc::new(SimRandom::new(9)),
        Arc::new(SimClock::default()),
    )
}

fn bucket_key() -> SealKey {
    SealKey::from_bytes([7; 32])
}

#[test]
fn keys_open_after_rotation_and_reopening_but_not_after_retiring() {
    let disk = SimDisk::new();
    let ring = create(&disk, 1).expect("create");
    let first = ring.active_id();
    let wrapped = ring.wrap(b"bucket 1", &bucket_key()).expect("wrap");
    assert_eq!(wrapped.key_id, first);
    let second = ring.rotate().expect("rotate");
    assert!(second != first && ring.active_id() == second);
    let again = ring.wrap(b"bucket 1", &bucket_key()).expect("wrap");
    assert_eq!(again.key_id, second);

    let ring = open(&disk).expect("open");
    assert_eq!(
        ring.list().iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(),
        [second.clone(), first.clone()]
    );
    for w in [&wrapped, &again] {
        assert!(ring.unwrap(b"bucket 1", w).expect("unwrap") == bucket_key());
        assert_eq!(
            ring.unwrap(b"bucket 2", w).expect_err("context").kind(),
            Kind::Corrupt
        );
    }
    assert_eq!(ring.retire(&second).expect_err("active").kind(), Kind::Invalid);
    ring.retire(&first).expect("retire");
    assert_eq!(ring.retire(&first).expect_err("gone").reason(), "NoSuchRootKey");
    let ring = open(&disk).expect("open");
    assert_eq!(
        ring.unwrap(b"bucket 1", &wrapped).expect_err("gone").reason(),
        "NoSuchRootKey"
    );
    assert!(ring.unwrap(b"bucket 1", &again).is_ok());
}

#[test]
fn it_is_never_made_twice_nor_found_where_there_is_none() {
    let disk = SimDisk::new();
    assert_eq!(open(&disk).err().expect("none").reason(), "NoKeyring");
    create(&disk, 1).expect("create");
    assert_eq!(create(&disk, 2).err().expect("twice").reason(), "KeyringExists");
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let disk = SimDisk::new();
    create(&disk, 1).expect("create");
    disk.set_private(PATH, false).expect("there");
    assert_eq!(open(&disk).err().expect("public").reason(), "KeyringNotPrivate");
}

#[test]
fn every_flipped_bit_is_found() {
    let disk = SimDisk::new();
    create(&disk, 1).expect("create").rotate().expect("rotate");
    for bit in 0..disk.file_len(PATH).expect("there") * 8 {
        disk.flip_bit(PATH, bit).expect("flip");
        assert_eq!(
            open(&disk).err().expect("damaged").kind(),
            Kind::Corrupt,
            "bit {bit}"
        );
        disk.flip_bit(PATH, bit).expect("flip back");
    }
    open(&disk).expect("whole again");
}

/// KR-2, KR-3: whatever is cut, the keys that were acknowledged are there.
#[test]
fn every_cut_leaves_a_whole_keyring() {
    for seed in 0..super::cuts(300) {
        let disk = SimDisk::new();
        disk.stop_after(1 + seed % 40);
        let mut acknowledged = BTreeSet::new();
        if let Ok(ring) = create(&disk, seed) {
            acknowledged.insert(ring.active_id());
            while let Ok(id) = ring.rotate() {
                acknowledged.insert(id);
            }
        }
        // One in three: only the process was killed, and the next one uses what was not flushed.
        let disk = if seed % 3 == 0 { disk } else { disk.power_cut(seed) };
        disk.heal();
        let ring = match open(&disk) {
            Err(e) if acknowledged.is_empty() && e.reason() == "NoKeyring" => {
                create(&disk, 1).expect("create")
            }
            other => other.unwrap_or_else(|e| panic!("seed {seed}: {e}")),
        };
        acknowledged.insert(ring.active_id());
        let disk = disk.power_cut(seed);
        let ring = open(&disk).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let there: BTreeSet<_> = ring.list().into_iter().map(|(id, _)| id).collect();
        assert!(there.is_superset(&acknowledged), "seed {seed}");
        ring.rotate().expect("goes on over what the crash left");
    }
}

#[test]
fn nothing_prints_a_key() {
    let disk = SimDisk::new();
    create(&disk, 1).expect("create");
    let file = disk.open(PATH).expect("open");
    let mut text = vec![0; file.len().expect("len") as usize];
    file.read_at(0, &mut text).expect("read");
    let text = String::from_utf8(text).expect("text");
    let secret = text
        .lines()
        .find_map(|l| l.strip_prefix("active "))
        .and_then(|l| l.split(' ').nth(2))
        .expect("a key");
    assert_eq!(secret.len(), 64);
    disk.flip_bit(PATH, 300 * 8).expect("flip");
    let e = open(&disk).err().expect("damaged");
    assert!(!format!("{e} {e:?}").contains(&secret[..8]));
}
