use super::*;
use crate::ledger::{RecordKind, record::ANONYMOUS};

fn sealed() -> (Record, Vec<u8>, CountedKey) {
    let mut record = Record::of(RecordKind::Decision);
    record.boot = 3;
    record.counter = 4;
    record.time_micros = 5;
    record.principal = ANONYMOUS.to_owned();
    let boot = Boot {
        number: 3,
        tag: [7; 8],
    };
    let key = record_key(&SealKey::from_bytes([1; 32]), boot).unwrap();
    let mut out = b"before".to_vec();
    seal(&record, [2; 16], [7; 8], &key, [9; 16], &mut out).unwrap();
    (record, out.split_off(6), key)
}

#[test]
fn opens_as_it_was_sealed_and_only_so() {
    let (record, envelope, key) = sealed();
    let header = Header::read(&envelope).unwrap();
    assert_eq!(header.id(), RecordId { boot: 3, counter: 4 });
    let opened = open(&envelope, &header, &key).unwrap();
    assert_eq!(opened.record, record);
    assert_eq!(opened.message[..16], [9; 16]);
    for at in 0..envelope.len() {
        let mut bad = envelope.clone();
        bad[at] ^= 0x10;
        let refused = Header::read(&bad).and_then(|header| open(&bad, &header, &key).map(drop));
        assert!(refused.is_err(), "byte {at}");
        assert_ne!(leaf_data(&bad), leaf_data(&envelope));
    }
    for len in 0..envelope.len() {
        let bad = &envelope[..len];
        assert!(
            Header::read(bad)
                .and_then(|header| open(bad, &header, &key).map(drop))
                .is_err()
        );
    }
}

#[test]
fn keys_of_other_starts_and_tags_are_other_keys() {
    let (_, envelope, _) = sealed();
    let header = Header::read(&envelope).unwrap();
    let subject = SealKey::from_bytes([1; 32]);
    for boot in [
        Boot {
            number: 4,
            tag: [7; 8],
        },
        Boot {
            number: 3,
            tag: [8; 8],
        },
    ] {
        assert!(open(&envelope, &header, &record_key(&subject, boot).unwrap()).is_err());
    }
}

#[test]
fn the_byte_map_is_fixed() {
    let (_, envelope, _) = sealed();
    let mut head = vec![1];
    head.extend([2; 16]);
    head.extend(3u64.to_be_bytes());
    head.extend(4u64.to_be_bytes());
    head.extend([7; 8]);
    head.extend(5u64.to_be_bytes());
    assert_eq!(envelope[..49], head);
    assert_eq!(envelope.len(), HEADER + SALT + TAG + 19);
}
