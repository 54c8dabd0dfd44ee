use craton_base::Sequence;
use craton_gate::Notice;

use super::*;

fn told() -> Told {
    let notice = Notice {
        event: "ObjectCreated:Put".into(),
        key: "a b/ü+*.txt".into(),
        size: 7,
        etag: "0cc175b9c0f1b6a831c399e269772661".into(),
        bucket: "data".into(),
        bucket_owner: "root".into(),
        principal: "ana".into(),
        source_ip: "10.0.0.1".into(),
        request_id: "R1".into(),
        operation: "PutObject".into(),
        time_micros: 1_700_000_000_123_456,
        region: "eu-1".into(),
        ..Notice::default()
    };
    Told {
        notice,
        sequence: Sequence(0x1234),
    }
}

#[test]
fn a_record_has_the_form_of_s3() {
    let found = record(&told(), "rule-1");
    let expected = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-1",
        "eventTime": "2023-11-14T22:13:20.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "ana" },
        "requestParameters": { "sourceIPAddress": "10.0.0.1" },
        "responseElements": { "x-amz-request-id": "R1", "x-amz-id-2": "craton" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "rule-1",
            "bucket": { "name": "data", "ownerIdentity": { "principalId": "root" }, "arn": "arn:aws:s3:::data" },
            "object": {
                "key": "a+b/%C3%BC%2B*.txt",
                "size": 7,
                "eTag": "0cc175b9c0f1b6a831c399e269772661",
                "sequencer": "0000000000001234",
            },
        },
    });
    assert_eq!(found, expected);
}

#[test]
fn versions_have_ids_and_deletions_have_no_size() {
    let mut told = told();
    told.notice.versioned = true;
    assert!(record(&told, "r")["s3"]["object"]["versionId"].is_string());
    told.notice.event = "ObjectRemoved:Delete".into();
    told.notice.etag.clear();
    let object = &record(&told, "r")["s3"]["object"];
    assert!(object.get("size").is_none() && object.get("eTag").is_none());
}
