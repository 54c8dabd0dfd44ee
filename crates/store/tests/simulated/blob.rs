use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use craton_base::{BlobId, Error, Kind};
use craton_crypto::{SealKey, seal};
use craton_sim::{SimDisk, SimRandom, random::SplitMix};
use craton_store::{
    blob::{Blobs, Download, PIECE_BYTES, Reader, Upload, Writer},
    budget::Budget,
};
use futures::StreamExt as _;

const CONTEXT: &[u8] = b"bucket 1, version 1";

fn key() -> SealKey {
    SealKey::from_bytes([3; 32])
}

fn id(n: u8) -> BlobId {
    BlobId([n; 16])
}

fn path(id: BlobId) -> String {
    let name = id.to_string();
    format!("blobs/{}/{name}", &name[..2])
}

fn open(disk: &SimDisk) -> Blobs {
    Blobs::open(Arc::new(disk.clone())).expect("open")
}

/// Content that follows from its seed, so that a piece from elsewhere is noticed.
fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut random = SplitMix::new(seed);
    let mut out: Vec<u8> = std::iter::repeat_with(|| random.next().to_le_bytes())
        .take(len / 8 + 1)
        .flatten()
        .collect();
    out.truncate(len);
    out
}

fn writer(blobs: &Blobs, id: BlobId, seed: u64) -> Writer {
    Writer::new(blobs, id, &key(), CONTEXT, &SimRandom::new(seed)).expect("writer")
}

fn put(blobs: &Blobs, id: BlobId, plain: &[u8]) -> Result<(), Error> {
    let mut writer = writer(blobs, id, 1);
    writer.write(plain)?;
    let done = writer.finish()?;
    assert_eq!((done.id(), done.plain_len()), (id, plain.len() as u64));
    Ok(())
}

fn get(blobs: &Blobs, id: BlobId, len: u64, range: std::ops::Range<u64>) -> Result<Vec<u8>, Error> {
    let reader = Reader::open(blobs, id, &key(), CONTEXT, len)?;
    let mut out = Vec::new();
    for piece in reader.pieces(range)? {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}

fn list(blobs: &Blobs) -> Vec<BlobId> {
    let mut out = Vec::new();
    blobs
        .list(&mut |id| {
            out.push(id);
            Ok(())
        })
        .expect("list");
    out
}

#[test]
fn any_range_of_any_length_comes_back() {
    let blobs = open(&SimDisk::new());
    let chunk = seal::CHUNK;
    let lens = [
        0,
        1,
        chunk - 1,
        chunk,
        chunk + 1,
        4 * chunk,
        PIECE_BYTES,
        3 * PIECE_BYTES + 17,
    ];
    let mut random = SplitMix::new(1);
    for (n, len) in (1u8..).zip(lens) {
        let plain = content(u64::from(n), len);
        put(&blobs, id(n), &plain).expect("put");
        let len = len as u64;
        assert!(get(&blobs, id(n), len, 0..len).expect("all") == plain);
        for _ in 0..20 {
            let start = random.below(len + 1);
            let end = start + random.below(len - start + 1);
            let part = get(&blobs, id(n), len, start..end).expect("range");
            assert!(
                part == plain[start as usize..end as usize],
                "{start}..{end} of {len}"
            );
        }
        assert_eq!(
            get(&blobs, id(n), len, 0..len + 1).expect_err("beyond").kind(),
            Kind::Invalid
        );
    }
    assert_eq!(list(&blobs).len(), lens.len());
}

#[test]
fn the_file_is_the_plain_layout_of_chunked_encryption() {
    let disk = SimDisk::new();
    let plain = content(1, 40_000);
    put(&open(&disk), id(1), &plain).expect("put");
    let file = craton_store::disk::Disk::open(&disk, &path(id(1))).expect("open");
    let mut sealed = vec![0; file.len().expect("len") as usize];
    file.read_at(0, &mut sealed).expect("read");
    assert!(seal::open(&key(), CONTEXT, &sealed).expect("opens on its own") == plain);
}

/// BL-3, for every part of the file: salt, commitment, chunks, tags, and the length.
#[test]
fn a_flipped_bit_anywhere_is_corrupt_and_names_the_blob() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    let mut random = SplitMix::new(2);
    for (n, len) in (1u8..).zip([0, 100, 2 * seal::CHUNK, 90_000, 5 * seal::CHUNK]) {
        put(&blobs, id(n), &content(7, len)).expect("put");
        let (len, bits) = (len as u64, disk.file_len(&path(id(n))).expect("there") * 8);
        let ends = (0..64).chain(56 * 8..56 * 8 + 16).chain(bits - 16 * 8..bits);
        let some: Vec<u64> = ends
            .chain((0..200).map(|_| random.below(bits)))
            .filter(|b| *b < bits)
            .collect();
        for bit in some {
            disk.flip_bit(&path(id(n)), bit).expect("flip");
            let e = get(&blobs, id(n), len, 0..len).expect_err("damaged");
            assert_eq!(e.kind(), Kind::Corrupt, "bit {bit}: {e}");
            assert!(e.message().contains(&id(n).to_string()), "{e}");
            disk.flip_bit(&path(id(n)), bit).expect("flip back");
        }
        for wrong in [len + 1, len.wrapping_sub(1), len + seal::CHUNK as u64] {
            let e = Reader::open(&blobs, id(n), &key(), CONTEXT, wrong)
                .err()
                .expect("length");
            assert_eq!(e.kind(), Kind::Corrupt);
        }
        assert!(get(&blobs, id(n), len, 0..len).is_ok());
    }
}

#[test]
fn another_key_context_or_blob_and_a_missing_one_are_corrupt() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    put(&blobs, id(1), b"hello").expect("put");
    let other = SealKey::from_bytes([4; 32]);
    for e in [
        Reader::open(&blobs, id(1), &other, CONTEXT, 5)
            .err()
            .expect("key"),
        Reader::open(&blobs, id(1), &key(), b"bucket 2, version 1", 5)
            .err()
            .expect("context"),
        Reader::open(&blobs, id(2), &key(), CONTEXT, 5)
            .err()
            .expect("missing"),
    ] {
        assert_eq!(e.kind(), Kind::Corrupt);
        assert!(e.message().contains("blob "), "{e}");
    }
    blobs.delete(id(1)).expect("delete");
    blobs.delete(id(1)).expect("twice is no error");
    assert_eq!(
        get(&blobs, id(1), 5, 0..5).expect_err("deleted").reason(),
        "BlobMissing"
    );
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_one_that_finished_is_protected() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    let mut dropped = writer(&blobs, id(1), 1);
    dropped.write(&content(1, 5 * PIECE_BYTES)).expect("write");
    assert!(blobs.in_progress(id(1)) && list(&blobs) == [id(1)]);
    assert!(
        Writer::new(&blobs, id(1), &key(), CONTEXT, &SimRandom::new(1)).is_err(),
        "one writer for an id"
    );
    drop(dropped);
    assert!(!blobs.in_progress(id(1)) && disk.files().is_empty());

    let mut small = writer(&blobs, id(2), 1);
    small.write(b"few").expect("write");
    assert!(disk.files().is_empty(), "few bytes touch no disk before the end");
    let finished = small.finish().expect("finish");
    assert!(blobs.in_progress(id(2)));
    drop(finished);
    assert!(!blobs.in_progress(id(2)) && list(&blobs) == [id(2)]);
}

/// BL-1: stopped at any operation, cut or only killed; what was finished is whole, what was not is an orphan or gone.
#[test]
fn every_cut_keeps_what_was_finished() {
    for seed in 0..super::cuts(200) {
        let mut random = SplitMix::new(seed);
        let mut disk = SimDisk::new();
        let mut finished: BTreeMap<BlobId, usize> = BTreeMap::new();
        let mut deleted = BTreeSet::new();
        for round in 0..2u8 {
            let setup = if round == 0 { random.below(280) } else { 0 };
            disk.stop_after(1 + setup + random.below(30));
            if let Ok(blobs) = Blobs::open(Arc::new(disk.clone())) {
                for n in 0..8 {
                    let id = id(round * 100 + n);
                    let len = random.below(40_000) as usize;
                    if put(&blobs, id, &content(u64::from(n), len)).is_err() {
                        break;
                    }
                    finished.insert(id, len);
                    if random.chance(20) {
                        finished.remove(&id);
                        deleted.insert(id);
                        let _ = blobs.delete(id);
                    }
                }
            }
            match random.chance(70) {
                true => disk = disk.power_cut(random.next()),
                false => disk.heal(),
            }
        }
        let blobs = open(&disk);
        for (id, len) in &finished {
            let n = id.0[0] % 100;
            let back = get(&blobs, *id, *len as u64, 0..*len as u64);
            assert!(back.unwrap_or_else(|e| panic!("seed {seed}: {e}")) == content(u64::from(n), *len));
        }
        // The sweep: whatever is listed and not finished can go, and then nothing else is left.
        for id in list(&blobs) {
            if !blobs.in_progress(id) && !finished.contains_key(&id) {
                blobs.delete(id).expect("sweep");
            }
        }
        assert!(list(&blobs).iter().eq(finished.keys()), "seed {seed}");
    }
}

#[test]
fn a_failing_disk_fails_the_blob_and_not_the_next() {
    for nth in 1..8 {
        let disk = SimDisk::new();
        let blobs = open(&disk);
        disk.fail_after(nth);
        let plain = content(1, 3 * PIECE_BYTES);
        let first = put(&blobs, id(1), &plain);
        assert_eq!(
            first.is_err(),
            nth <= 5,
            "operation {nth}: create, writes, flush, flush of the folder"
        );
        disk.heal();
        assert!(!blobs.in_progress(id(1)));
        put(&blobs, id(2), &plain).expect("the next");
        let left: Vec<_> = list(&blobs).into_iter().filter(|b| *b == id(1)).collect();
        assert_eq!(left.is_empty(), first.is_err(), "a failed blob is removed");
    }
}

#[tokio::test]
async fn uploads_and_downloads_carry_any_pieces() {
    let blobs = open(&SimDisk::new());
    let budget = Budget::new("transfers", 64 << 20);
    let plain = Bytes::from(content(1, 5 * PIECE_BYTES + 777));
    for (n, piece) in [(1u8, 1000), (2, PIECE_BYTES), (3, 70_001), (4, plain.len())] {
        let memory = budget.reserve(Upload::memory(None)).await.expect("memory");
        let mut upload = Upload::new(writer(&blobs, id(n), u64::from(n)), memory);
        let mut rest = plain.clone();
        while !rest.is_empty() {
            upload
                .write(rest.split_to(piece.min(rest.len())))
                .await
                .expect("write");
        }
        let done = upload.finish().await.expect("finish");
        assert_eq!(done.plain_len(), plain.len() as u64);

        let reader = Arc::new(Reader::open(&blobs, id(n), &key(), CONTEXT, done.plain_len()).expect("open"));
        for range in [0..plain.len(), 5..6, 100_000..2_000_000, plain.len()..plain.len()] {
            let memory = budget
                .reserve(Download::memory(range.len() as u64))
                .await
                .expect("memory");
            let range64 = range.start as u64..range.end as u64;
            let mut download = Download::new(Arc::clone(&reader), range64, memory).expect("range");
            let mut out = BytesMut::new();
            while let Some(piece) = download.next().await {
                let piece = piece.expect("verified");
                assert!(piece.len() <= PIECE_BYTES);
                out.extend_from_slice(&piece);
            }
            assert!(out == plain[range]);
        }
    }
    assert_eq!(budget.gauges().used, 0);
}

#[tokio::test]
async fn a_small_blob_streams_from_memory_and_a_damaged_one_ends_with_an_error() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    let budget = Budget::new("transfers", 64 << 20);
    for (n, len) in [(1u8, 10_000), (2, 4 * PIECE_BYTES)] {
        put(&blobs, id(n), &content(1, len)).expect("put");
        let end = disk.file_len(&path(id(n))).expect("there") * 8;
        let stream = || {
            let reader = Reader::open(&blobs, id(n), &key(), CONTEXT, len as u64).expect("open");
            let memory = budget.try_reserve(Download::memory(len as u64)).expect("memory");
            Download::new(Arc::new(reader), 0..len as u64, memory)
                .expect("range")
                .collect::<Vec<_>>()
        };
        assert!(stream().await.iter().all(Result::is_ok));
        disk.flip_bit(&path(id(n)), end - 1).expect("flip");
        let pieces = stream().await;
        let (last, before) = pieces.split_last().expect("an item");
        assert!(before.iter().all(Result::is_ok));
        assert_eq!(last.as_ref().expect_err("damaged").kind(), Kind::Corrupt);
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    let budget = Budget::new("transfers", 64 << 20);
    let memory = budget.try_reserve(Upload::memory(None)).expect("memory");
    let mut upload = Upload::new(writer(&blobs, id(1), 1), memory);
    upload
        .write(Bytes::from(content(1, 6 * PIECE_BYTES)))
        .await
        .expect("write");
    drop(upload);
    assert_eq!(budget.gauges().used, 0);
    for _ in 0..1000 {
        if !blobs.in_progress(id(1)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(!blobs.in_progress(id(1)) && disk.files().is_empty());
}

#[test]
fn many_threads_write_at_once_and_share_flushes() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    std::thread::scope(|scope| {
        for t in 0..8u8 {
            let blobs = &blobs;
            scope.spawn(move || {
                for i in 0..20u8 {
                    // All in one folder.
                    let mut name = [t; 16];
                    (name[0], name[1]) = (1, i);
                    put(blobs, BlobId(name), &[t, i]).expect("put");
                    assert_eq!(get(blobs, BlobId(name), 2, 0..2).expect("get"), [t, i]);
                }
            });
        }
    });
    assert_eq!(list(&blobs).len(), 160);
    let after = disk.power_cut(1);
    assert_eq!(list(&open(&after)).len(), 160);
}

#[test]
fn a_small_blob_has_no_file_before_it_is_made_durable() {
    let disk = SimDisk::new();
    let blobs = open(&disk);
    let plain = content(7, 40_000);
    let unsynced = |n, plain: &[u8]| {
        let mut writer = writer(&blobs, id(n), u64::from(n));
        writer.write(plain).expect("write");
        drop(writer.finish_unsynced().expect("finish"));
    };
    for n in 1..4 {
        unsynced(n, &plain);
    }
    unsynced(4, &content(8, 100_000));
    assert_eq!(list(&blobs), [id(4)], "only what is large");
    for range in [0..40_000, 100..200, 39_999..40_000] {
        let part = get(&blobs, id(1), 40_000, range.clone()).expect("read");
        assert!(part == plain[range.start as usize..range.end as usize]);
    }

    blobs.delete(id(2)).expect("delete");
    let gone = get(&blobs, id(2), 40_000, 0..1).expect_err("deleted");
    assert_eq!(gone.reason(), "BlobMissing");
    blobs.sync(&BTreeSet::from([id(1)])).expect("sync");
    let before: BTreeSet<_> = list(&blobs).into_iter().collect();
    assert_eq!(before, BTreeSet::from([id(1), id(4)]));
    assert!(get(&blobs, id(1), 40_000, 0..40_000).expect("read") == plain);
    blobs.delete(id(1)).expect("delete");
    assert_eq!(list(&blobs), [id(4)]);
}

#[test]
fn a_small_blob_that_was_made_durable_outlives_a_power_cut() {
    for seed in 0..20 {
        let disk = SimDisk::new();
        let blobs = open(&disk);
        let plain = content(seed, 30_000);
        for n in 1..3 {
            let mut writer = writer(&blobs, id(n), seed);
            writer.write(&plain).expect("write");
            drop(writer.finish_unsynced().expect("finish"));
        }
        blobs.sync(&BTreeSet::from([id(1)])).expect("sync");
        drop(blobs);
        let blobs = open(&disk.power_cut(seed));
        assert!(get(&blobs, id(1), 30_000, 0..30_000).expect("durable") == plain);
        let lost = get(&blobs, id(2), 30_000, 0..1).expect_err("it never was");
        assert_eq!(lost.reason(), "BlobMissing");
    }
}
