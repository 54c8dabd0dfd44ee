use super::*;

fn id(n: u8) -> BlobId {
    BlobId([n; 16])
}

#[test]
fn what_has_no_room_is_given_back_and_what_goes_makes_room() {
    let young = YoungBlobs::default();
    assert_eq!(
        young.keep(id(0), vec![1; BLOB_BYTES_MAX + 1]),
        Err(vec![1; BLOB_BYTES_MAX + 1]),
        "one that is too large"
    );
    let room = u8::try_from(BYTES_MAX / BLOB_BYTES_MAX).expect("few");
    for n in 0..room {
        young.keep(id(n), vec![n; BLOB_BYTES_MAX]).expect("there is room");
    }
    young.keep(id(room), vec![1]).expect_err("they are too many");
    young.remove(id(3));
    young.remove(id(3));
    young.keep(id(room), vec![1; BLOB_BYTES_MAX]).expect("one went");
    young.keep(id(room + 1), vec![1]).expect_err("and only one");
    assert!(young.get(id(3)).is_none());
    assert_eq!(young.get(id(2)).expect("kept").sealed(), [2; BLOB_BYTES_MAX]);
}

#[test]
fn one_is_read_as_a_file_and_never_changed() {
    let young = YoungBlobs::default();
    young.keep(id(1), (0..10).collect()).expect("there is room");
    let file = young.get(id(1)).expect("kept");
    let mut out = [0; 4];
    file.read_at(6, &mut out).expect("its end");
    assert_eq!(out, [6, 7, 8, 9]);
    assert!(file.read_cached(0, &mut out));
    assert_eq!((out, file.len().expect("known")), ([0, 1, 2, 3], 10));
    assert!(!file.read_cached(7, &mut out));
    for offset in [7, 10, 11, u64::MAX] {
        let error = file.read_at(offset, &mut out).expect_err("beyond its end");
        assert_eq!(error.kind(), craton_base::Kind::Corrupt, "{offset}");
    }
    for changed in [
        file.write_at(0, b"x"),
        file.set_len(0),
        file.sync(),
        file.try_lock().map(drop),
    ] {
        assert_eq!(
            changed.expect_err("it is whole").kind(),
            craton_base::Kind::Internal
        );
    }
}
