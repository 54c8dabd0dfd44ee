use super::*;
use crate::meta::PartSize;

#[test]
fn headers_parse_as_one_range_or_none() {
    let cases = [
        ("bytes=0-499", Some(ByteRange::From(0, Some(499)))),
        ("bytes=500-", Some(ByteRange::From(500, None))),
        ("bytes=-5", Some(ByteRange::Last(5))),
        ("BYTES=1-2", Some(ByteRange::From(1, Some(2)))),
        ("bytes=0-1,3-4", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=+1-2", None),
        ("items=0-1", None),
        ("bytes=99999999999999999999-", Some(ByteRange::From(FAR, None))),
        (
            "bytes=1-99999999999999999999",
            Some(ByteRange::From(1, Some(FAR))),
        ),
        ("", None),
    ];
    for (header, expected) in cases {
        assert_eq!(ByteRange::parse(header), expected, "{header}");
    }
}

#[test]
fn ranges_are_cut_to_the_object() {
    let ok = |r: ByteRange, size| r.within(size).ok();
    assert_eq!(ok(ByteRange::From(0, Some(u64::MAX)), 10), Some(0..10));
    assert_eq!(ok(ByteRange::From(9, None), 10), Some(9..10));
    assert_eq!(ok(ByteRange::From(10, None), 10), None);
    assert_eq!(ok(ByteRange::Last(3), 10), Some(7..10));
    assert_eq!(ok(ByteRange::Last(30), 10), Some(0..10));
    assert_eq!(ok(ByteRange::Last(0), 10), None);
    assert_eq!(ok(ByteRange::From(0, None), 0), None);
}

#[test]
fn parts_are_found_by_their_sizes() {
    let sized = |size| PartSize {
        size,
        checksum: Vec::new(),
    };
    let meta = ObjectMeta {
        size: 12,
        parts: vec![sized(5), sized(5), sized(2)],
        ..ObjectMeta::default()
    };
    assert_eq!(Selection::Part(1).within(&meta).unwrap(), 0..5);
    assert_eq!(Selection::Part(3).within(&meta).unwrap(), 10..12);
    assert!(Selection::Part(4).within(&meta).is_err());
    assert!(Selection::Part(0).within(&meta).is_err());
    let single = ObjectMeta {
        size: 12,
        ..ObjectMeta::default()
    };
    assert_eq!(Selection::Part(1).within(&single).unwrap(), 0..12);
    assert!(Selection::Part(2).within(&single).is_err());
}
