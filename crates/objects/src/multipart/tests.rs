use super::{
    complete::{Candidate, check_order, md5_of_md5s, select, whole_checksum},
    create::choose,
    part::source_range,
    show::start,
    *,
};
use crate::{
    checksum::{self, Algorithm, Scope},
    meta::PartMeta,
    range::ByteRange,
};

struct Part(u16, PartMeta);

impl Candidate for Part {
    fn number(&self) -> u16 {
        self.0
    }

    fn meta(&self) -> &PartMeta {
        &self.1
    }
}

fn stored(number: u16, size: u64) -> Part {
    let md5 = vec![u8::try_from(number).unwrap(); 16];
    let checksum = checksum::of(Algorithm::Crc32, &md5);
    Part(
        number,
        PartMeta {
            size,
            md5,
            checksum,
            ..PartMeta::default()
        },
    )
}

fn named(number: u16) -> CompletedPart {
    CompletedPart {
        number,
        etag: hex::encode([u8::try_from(number).unwrap(); 16]),
        checksum: None,
    }
}

fn code<T>(r: Result<T>) -> &'static str {
    r.err().map_or("ok", |e| e.code())
}

#[test]
fn the_order_of_parts() {
    assert_eq!(code(check_order(&[named(1), named(2), named(7)])), "ok");
    assert_eq!(code(check_order(&[named(2), named(1)])), "InvalidPartOrder");
    assert_eq!(code(check_order(&[named(1), named(1)])), "InvalidPartOrder");
    assert_eq!(code(check_order(&[])), "MalformedXML");
}

#[test]
fn only_stored_parts_with_the_named_tag_count() {
    let parts = [stored(1, PART_BYTES_MIN), stored(3, PART_BYTES_MIN), stored(4, 1)];
    assert_eq!(select(&[named(1), named(3), named(4)], &parts).unwrap().len(), 3);
    assert_eq!(select(&[named(3)], &parts).unwrap()[0].number(), 3);
    assert_eq!(code(select(&[named(1), named(2)], &parts)), "InvalidPart");
    let other = CompletedPart {
        etag: "0".repeat(32),
        ..named(1)
    };
    assert_eq!(code(select(&[other], &parts)), "InvalidPart");
    let wrong = CompletedPart {
        checksum: Some((Algorithm::Crc32, vec![0; 4])),
        ..named(1)
    };
    assert_eq!(code(select(&[wrong], &parts)), "InvalidPart");
}

#[test]
fn only_the_last_part_may_be_small() {
    let parts = [
        stored(1, PART_BYTES_MIN - 1),
        stored(2, PART_BYTES_MIN),
        stored(3, 0),
    ];
    assert_eq!(code(select(&[named(1)], &parts)), "ok");
    assert_eq!(code(select(&[named(2), named(3)], &parts)), "ok");
    assert_eq!(code(select(&[named(1), named(2)], &parts)), "EntityTooSmall");
}

fn upload(algorithm: Algorithm, scope: Scope) -> UploadMeta {
    UploadMeta {
        algorithm: algorithm.number(),
        scope: scope.number(),
        ..UploadMeta::default()
    }
}

#[test]
fn composite_and_full_checksums() {
    let content: [&[u8]; 2] = [b"hello, ", b"world"];
    let part = |n: u16, data: &[u8]| {
        let checksum = checksum::of(Algorithm::Crc32c, data);
        Part(
            n,
            PartMeta {
                size: data.len() as u64,
                checksum,
                ..PartMeta::default()
            },
        )
    };
    let parts = [part(1, content[0]), part(2, content[1])];
    let parts: Vec<_> = parts.iter().collect();
    let full = checksum::of(Algorithm::Crc32c, &content.concat());
    let request = Complete {
        checksum: Some((Algorithm::Crc32c, full.clone())),
        ..Complete::default()
    };
    let record = whole_checksum(&request, &upload(Algorithm::Crc32c, Scope::FullObject), &parts).unwrap();
    assert_eq!(record.value, full);
    let composite = upload(Algorithm::Crc32c, Scope::Composite);
    assert_eq!(code(whole_checksum(&request, &composite, &parts)), "BadDigest");
    let sums = [
        checksum::of(Algorithm::Crc32c, content[0]),
        checksum::of(Algorithm::Crc32c, content[1]),
    ]
    .concat();
    let record = whole_checksum(&Complete::default(), &composite, &parts).unwrap();
    assert_eq!(record.value, checksum::of(Algorithm::Crc32c, &sums));
    let typed = Complete {
        scope: Some(Scope::FullObject),
        ..Complete::default()
    };
    assert_eq!(code(whole_checksum(&typed, &composite, &parts)), "InvalidRequest");
    let other = Complete {
        checksum: Some((Algorithm::Crc32, vec![0; 4])),
        ..Complete::default()
    };
    assert_eq!(code(whole_checksum(&other, &composite, &parts)), "InvalidRequest");
}

#[test]
fn algorithms_and_scopes_that_go_together() {
    use {Algorithm::*, Scope::*};
    assert_eq!(choose(None, None).unwrap(), (Crc64Nvme, FullObject));
    assert_eq!(choose(Some(Crc32), None).unwrap(), (Crc32, Composite));
    assert_eq!(
        choose(Some(Crc32), Some(FullObject)).unwrap(),
        (Crc32, FullObject)
    );
    assert_eq!(code(choose(Some(Sha256), Some(FullObject))), "InvalidRequest");
    assert_eq!(code(choose(Some(Crc64Nvme), Some(Composite))), "InvalidRequest");
    assert_eq!(code(choose(None, Some(Composite))), "InvalidRequest");
}

#[test]
fn the_tag_is_the_md5_of_md5s() {
    // Independent: `printf '' | md5sum` twice over, then the 32 bytes' MD5.
    let empty = hex::decode("d41d8cd98f00b204e9800998ecf8427e").unwrap();
    assert_eq!(
        hex::encode(md5_of_md5s([&*empty].into_iter())),
        "59adb24ef3cdbe0297f05b395827453f"
    );
}

#[test]
fn part_numbers_have_limits() {
    assert_eq!(part_number(1).unwrap(), 1);
    assert_eq!(part_number(10_000).unwrap(), 10_000);
    for bad in [0, -1, 10_001, i64::MAX] {
        assert_eq!(code(part_number(bad)), "InvalidArgument");
    }
}

#[test]
fn copied_ranges_are_not_cut() {
    assert_eq!(source_range(None, 5).unwrap(), 0..5);
    assert_eq!(source_range(Some(ByteRange::From(1, Some(4))), 5).unwrap(), 1..5);
    for bad in [
        ByteRange::From(0, Some(5)),
        ByteRange::From(0, None),
        ByteRange::Last(2),
    ] {
        assert_eq!(code(source_range(Some(bad), 5)), "InvalidArgument");
    }
}

#[test]
fn ids_are_32_lower_case_digits() {
    let id = UploadId([0xab; ID_BYTES]);
    assert_eq!(UploadId::parse(&id.to_text()).unwrap(), id);
    for bad in ["", "ab", &"AB".repeat(16), &"zz".repeat(16), &"ab".repeat(17)] {
        assert_eq!(code(UploadId::parse(bad)), "NoSuchUpload");
    }
}

#[test]
fn markers_of_uploads() {
    let id = UploadId([7; ID_BYTES]);
    let key = ObjectKey::new("k").unwrap();
    let after = |key: &str, id| UploadsAfter { key: key.into(), id };
    let with_id = start(&after("k", Some(id)), "", None).unwrap();
    assert!(with_id > id.name(&key).to_vec());
    assert!(with_id < UploadId([8; ID_BYTES]).name(&key).to_vec());
    let whole = start(&after("k", None), "", None).unwrap();
    assert!(whole > UploadId([0xff; ID_BYTES]).name(&key).to_vec());
    assert!(
        whole
            <= UploadId([0; ID_BYTES])
                .name(&ObjectKey::new("k\u{1}").unwrap())
                .to_vec()
    );
    assert_eq!(start(&after("a/", None), "", Some("/")), Some(b"a0".to_vec()));
}
