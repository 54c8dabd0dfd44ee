use futures::{StreamExt as _, stream};

use super::*;
use crate::archive::Archive;

fn at() -> Timestamp {
    Timestamp(1_700_000_001_000_000)
}

fn packed(form: Form, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packer = Packer::new(form);
    let mut out = Vec::new();
    for (name, content) in files {
        out.extend_from_slice(&packer.begin(name, content.len() as u64, at()).unwrap());
        for piece in content.chunks(7) {
            packer.content(piece).unwrap();
            out.extend_from_slice(piece);
        }
        out.extend_from_slice(&packer.end().unwrap());
    }
    out.extend_from_slice(&packer.finish());
    out
}

#[tokio::test]
async fn a_tar_is_read_by_our_own_reader() {
    let long = "x".repeat(300);
    let files: [(&str, &[u8]); 4] = [
        ("a", b"one"),
        ("f\u{fc}r/b", b""),
        (&long, &[7; 1000]),
        ("block", &[1; 512]),
    ];
    let tar = packed(Form::Tar, &files);
    assert_eq!(tar.len() % BLOCK, 0);
    let pieces: Vec<craton_base::Result<Bytes>> =
        tar.chunks(100).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let mut archive = Archive::new(stream::iter(pieces).boxed());
    for (name, content) in files {
        let entry = archive.next().await.unwrap().unwrap();
        assert_eq!((&*entry.name, entry.size), (name, content.len() as u64));
        let (mut pieces, back) = archive.content(&entry);
        let mut found = Vec::new();
        while let Some(piece) = pieces.next().await {
            found.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(found, content);
        drop(pieces);
        archive = back.await.unwrap();
    }
    assert!(archive.next().await.unwrap().is_none());
}

#[test]
fn a_pax_record_counts_its_own_digits() {
    for len in [1, 85, 86, 87, 88, 89, 90, 91, 92, 93, 985, 986, 990, 995, 1024] {
        let mut out = String::new();
        pax_record(&mut out, "path", &"n".repeat(len));
        let said: usize = out.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(said, out.len());
    }
}

#[test]
fn a_large_file_is_said_in_a_record() {
    let size = TAR_SIZE_MAX + 1;
    let head = tar_head("large", size, at());
    assert!(head.windows(19).any(|w| w == b"19 size=8589934592\n"));
    assert_eq!(head.len(), 3 * BLOCK);
    assert_eq!(zip_head("large", size, at()).len(), 30 + 5 + 20);
}

#[test]
fn content_of_another_size_is_an_error() {
    let mut packer = Packer::new(Form::Zip);
    packer.begin("a", 3, at()).unwrap();
    packer.content(b"12").unwrap();
    assert!(packer.content(b"34").is_err());
    assert!(packer.end().is_err());
}

#[test]
fn a_directory_has_a_limit() {
    let mut packer = Packer::new(Form::Zip);
    let name = "n".repeat(1000);
    let mut count = 0;
    while packer.begin(&name, 0, at()).is_ok() {
        packer.end().unwrap();
        count += 1;
    }
    assert!((14_000..17_000).contains(&count), "{count}");
    assert!(packer.directory.len() <= DIRECTORY_BYTES_MAX + 2000);
}

#[test]
fn times_before_1980_are_its_beginning() {
    assert_eq!(dos_time(Timestamp(0)).1 >> 9, 0);
    let (time, date) = dos_time(at());
    assert_eq!((date >> 9, (date >> 5) & 15, date & 31), (43, 11, 14));
    assert_eq!((time >> 11, (time >> 5) & 63, time & 31), (22, 13, 10));
}
