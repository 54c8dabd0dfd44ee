use super::*;

#[test]
fn ids_have_one_text_form_and_keep_their_order() {
    let ids = [(0, 0), (0, u64::MAX), (1, 0), (1, 0x2f), (u64::MAX, 3)]
        .map(|(boot, counter)| RecordId { boot, counter });
    for pair in ids.windows(2) {
        assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes());
    }
    for id in ids {
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
    }
    for bad in ["", "1", "-", "1-", "+1-2", "1-2-3", "1-g", "11111111111111111-1"] {
        assert!(bad.parse::<RecordId>().is_err(), "{bad}");
    }
}

#[test]
fn json_says_what_there_is_and_leaves_out_what_is_not() {
    let mut record = Record::of(RecordKind::Outcome);
    record.boot = 1;
    record.counter = 31;
    record.principal = "alice".to_owned();
    record.bytes = 5;
    record.refer_to(RecordId { boot: 1, counter: 30 });
    let json = record.to_json();
    assert_eq!(json["id"], "1-1f");
    assert_eq!(json["kind"], "outcome");
    assert_eq!(json["decision"], "1-1e");
    assert_eq!(json["principal"], "alice");
    assert_eq!(json["bytes"], 5);
    assert!(json.get("verdict").is_none() && json.get("bucket").is_none());
}

/// The tags are on disk: this record was encoded by hand.
#[test]
fn the_encoding_is_fixed() {
    let mut record = Record::of(RecordKind::Denial);
    record.boot = 1;
    record.counter = 2;
    record.time_micros = 3;
    record.principal = "p".to_owned();
    record.verdict = Verdict::ImplicitDeny.into();
    record.detail = "d".to_owned();
    let mut bytes = Vec::new();
    record.to_bytes(&mut bytes).unwrap();
    let expected: [u8; 19] = [
        0x08, 1, 0x10, 2, 0x18, 3, 0x20, 4, 0x2a, 1, b'p', 0x80, 0x01, 3, 0xe2, 0x01, 1, b'd', 0,
    ];
    assert_eq!(bytes, expected[..18]);
    assert_eq!(Record::from_bytes(&bytes).unwrap(), record);
}
