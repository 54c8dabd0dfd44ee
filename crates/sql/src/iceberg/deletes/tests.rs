//! What is kept between deletes, and which deletes apply. Files of deletes of other engines are read in the client tests.

use super::*;

#[test]
fn what_lies_between_deletes_is_kept() {
    let kept = |deleted: &[u64], start, rows| kept(deleted, start, rows).collect::<Vec<_>>();
    assert_eq!(kept(&[2, 3, 7], 0, 10), [0..2, 4..7, 8..10]);
    assert_eq!(kept(&[100, 105, 109], 100, 10), [1..5, 6..9]);
    assert!(kept(&[0, 1, 2], 0, 3).is_empty());
}

#[test]
fn deletes_apply_to_their_commit_and_to_earlier_ones() {
    let mut deleted = Deleted::default();
    deleted
        .positions
        .insert("f".to_owned(), vec![(3, vec![5, 1]), (7, vec![1, 9])]);
    let of = |sequence| {
        deleted.of(&DataFile {
            path: "f".to_owned(),
            size: 1,
            records: 10,
            sequence,
            lower: vec![],
            upper: vec![],
            nulls: vec![],
            first_row: None,
            spec: 0,
            partition: crate::iceberg::avro::Value::Null,
        })
    };
    assert_eq!(of(3), [1, 5, 9]);
    assert_eq!(of(4), [1, 9]);
    assert_eq!(of(8), [] as [u64; 0]);
}
