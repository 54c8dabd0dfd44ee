use futures::TryStreamExt as _;

use super::*;

/// A file's header and content.
fn file(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block.extend_from_slice(data);
    block.resize(block.len().next_multiple_of(BLOCK), 0);
    block
}

fn seal(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u64 = block[..BLOCK].iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn archive(bytes: Vec<u8>, piece: usize) -> Archive {
    let pieces: Vec<_> = bytes
        .chunks(piece)
        .map(|c| Ok(Bytes::copy_from_slice(c)))
        .collect();
    Archive::new(Box::pin(futures::stream::iter(pieces)))
}

/// All files, and how it ended.
fn read(bytes: Vec<u8>, piece: usize) -> (Vec<(String, Vec<u8>)>, &'static str) {
    futures::executor::block_on(async {
        let mut archive = archive(bytes, piece);
        let mut found = Vec::new();
        loop {
            let entry = match archive.next().await {
                Ok(Some(entry)) => entry,
                Ok(None) => return (found, "ok"),
                Err(e) => return (found, e.code()),
            };
            let (content, back) = archive.content(&entry);
            match content.try_collect::<Vec<Bytes>>().await {
                Ok(pieces) => found.push((entry.name, pieces.concat())),
                Err(e) => return (found, e.reason()),
            }
            archive = back.await.unwrap();
        }
    })
}

fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

#[test]
fn files_in_pieces_of_any_size() {
    let big = vec![7; 1500];
    let all = [
        file("a", b'0', b"one"),
        file("folder/", b'5', b""),
        file("empty", 0, b""),
        file("link", b'2', b""),
        file("b/c", b'0', &big),
        end(),
    ]
    .concat();
    let wanted = vec![
        ("a".to_owned(), b"one".to_vec()),
        ("empty".to_owned(), vec![]),
        ("b/c".to_owned(), big),
    ];
    for piece in [1, 100, 511, 512, 513, 100_000] {
        assert_eq!(read(all.clone(), piece), (wanted.clone(), "ok"), "{piece}");
    }
}

#[test]
fn long_names() {
    let name = format!("{}ü", "n/".repeat(200));
    let record = format!(" path={name}\n");
    let pax = format!("{}{record}", record.len() + 3);
    let gnu = [
        file("././@LongLink", b'L', format!("{name}\0").as_bytes()),
        file("short", b'0', b"g"),
    ];
    let all = [
        file("pax", b'x', pax.as_bytes()),
        file("short", b'0', b"p"),
        file("pax", b'g', b"9 a=bcde\n"),
        gnu.concat(),
        file("plain", b'0', b"s"),
        end(),
    ];
    let (found, ended) = read(all.concat(), 700);
    let names: Vec<&str> = found.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(
        (names, ended),
        (vec![name.as_str(), name.as_str(), "plain"], "ok")
    );
}

#[test]
fn a_prefix_is_part_of_the_name() {
    let mut block = file("name", b'0', b"");
    block[345..351].copy_from_slice(b"before");
    seal(&mut block);
    block.extend(end());
    assert_eq!(read(block, 512).0[0].0, "before/name");
}

#[test]
fn what_is_no_archive() {
    let whole = [file("a", b'0', &[1; 600]), end()].concat();
    for cut in [1, 511, 700, 1400, 1536] {
        assert_eq!(read(whole[..cut].to_vec(), 512).1, "InvalidRequest", "{cut}");
    }
    let mut wrong = whole.clone();
    wrong[3] ^= 1;
    assert_eq!(read(wrong, 512).1, "InvalidRequest");
    assert_eq!(read(b"\x1f\x8b gzip".repeat(100), 512).1, "InvalidRequest");
    for bad in [
        &b"x path=a\n"[..],
        b"999 path=a\n",
        b"0 path=a\n",
        b"11 size=zz\n",
    ] {
        let all = [file("p", b'x', bad), file("a", b'0', b""), end()].concat();
        assert_eq!(read(all, 512).1, "InvalidRequest", "{bad:?}");
    }
    let mut long = file("p", b'x', b"");
    long[124..135].copy_from_slice(b"77777777777");
    seal(&mut long);
    assert_eq!(read(long, 512).1, "InvalidRequest");
}

#[test]
fn a_content_that_is_not_read_is_passed() {
    futures::executor::block_on(async {
        let all = [file("a", b'0', &[1; 5000]), file("b", b'0', b"two"), end()].concat();
        let mut archive = archive(all, 300);
        let first = archive.next().await.unwrap().unwrap();
        let (content, back) = archive.content(&first);
        drop(content);
        let mut archive = back.await.unwrap();
        assert_eq!(archive.next().await.unwrap().unwrap().name, "b");
    });
}
