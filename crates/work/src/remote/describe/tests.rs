use craton_gate::tags::Tag;
use craton_objects::{
    lock::Mode,
    meta::{Attributes, ChecksumRecord},
};

use super::*;

fn meta() -> ObjectMeta {
    let mut attributes = Attributes::default();
    attributes.headers.content_type = Some("text/plain".into());
    attributes.user.insert("colour".into(), "grün".into());
    ObjectMeta {
        attributes,
        modified_micros: 5_000_000,
        md5: vec![0; 16],
        tags: Some(Tags::new(vec![Tag {
            key: "a b".into(),
            value: "ü&=".into(),
        }])),
        ..ObjectMeta::default()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .map(|value| std::str::from_utf8(value.as_bytes()).unwrap())
}

#[test]
fn a_copy_has_what_its_source_says_and_says_that_it_is_one() {
    let wanted = As {
        source: "v1".into(),
        ..As::default()
    };
    let headers = object(&meta(), &wanted, Timestamp(0)).unwrap();
    assert_eq!(text(&headers, "content-type"), Some("text/plain"));
    assert_eq!(text(&headers, "x-amz-meta-colour"), Some("grün"));
    assert_eq!(text(&headers, "x-amz-tagging"), Some("a%20b=%C3%BC%26%3D"));
    assert_eq!(text(&headers, "x-amz-replication-status"), Some("REPLICA"));
    assert_eq!(text(&headers, "x-craton-source-version-id"), Some("v1"));
    assert_eq!(text(&headers, "x-craton-source-modified"), Some("5000000"));
    assert_eq!(text(&headers, "x-amz-storage-class"), None);
    assert_eq!(text(&headers, "x-amz-server-side-encryption"), None);
}

#[test]
fn a_rule_may_name_a_class_and_a_key() {
    let wanted = As {
        storage_class: Some("GLACIER".into()),
        kms_key: Some("key".into()),
        ..As::default()
    };
    let headers = object(&meta(), &wanted, Timestamp(0)).unwrap();
    assert_eq!(text(&headers, "x-amz-storage-class"), Some("GLACIER"));
    assert_eq!(text(&headers, "x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(
        text(&headers, "x-amz-server-side-encryption-aws-kms-key-id"),
        Some("key")
    );
}

#[test]
fn a_lock_goes_along_where_it_can_and_still_lasts() {
    let until = Timestamp::from_seconds(86_400);
    let locked = ObjectMeta {
        lock: Some(LockRecord {
            mode: Mode::Compliance as u32,
            until_micros: until.micros(),
            legal_hold: Some(true),
        }),
        ..meta()
    };
    let with = |locks, now| {
        let wanted = As {
            locks,
            ..As::default()
        };
        object(&locked, &wanted, now).unwrap()
    };
    let headers = with(true, Timestamp(0));
    assert_eq!(text(&headers, "x-amz-object-lock-mode"), Some("COMPLIANCE"));
    assert_eq!(
        text(&headers, "x-amz-object-lock-retain-until-date"),
        Some("1970-01-02T00:00:00Z")
    );
    assert_eq!(text(&headers, "x-amz-object-lock-legal-hold"), Some("ON"));
    assert_eq!(text(&with(true, until), "x-amz-object-lock-mode"), None);
    assert_eq!(
        text(&with(false, Timestamp(0)), "x-amz-object-lock-legal-hold"),
        None
    );
}

#[test]
fn what_is_known_of_the_bytes_is_stated() {
    let sum = ChecksumRecord::new(Algorithm::Crc32c, Scope::FullObject, vec![1, 2, 3, 4]);
    let whole = ObjectMeta {
        checksum: Some(sum.clone()),
        ..meta()
    };
    let mut headers = HeaderMap::new();
    digests(&mut headers, &whole).unwrap();
    assert_eq!(text(&headers, "content-md5"), Some("AAAAAAAAAAAAAAAAAAAAAA=="));
    assert_eq!(text(&headers, "x-amz-checksum-crc32c"), Some("AQIDBA=="));
    // The tag of parts is not the bytes' MD5.
    let mut headers = HeaderMap::new();
    let parts = ObjectMeta {
        upload_id: vec![1],
        ..whole
    };
    digests(&mut headers, &parts).unwrap();
    assert_eq!(text(&headers, "content-md5"), None);
}

#[test]
fn documents_escape_what_they_say() {
    let tags = Tags::new(vec![Tag {
        key: "<a>".into(),
        value: "b & \"c\"".into(),
    }]);
    assert_eq!(
        tagging(&tags),
        "<Tagging><TagSet><Tag><Key>&lt;a&gt;</Key><Value>b &amp; &quot;c&quot;</Value></Tag></TagSet></Tagging>"
    );
    assert_eq!(
        part(3, "\"t\"", Some((Algorithm::Sha256, &[0]))),
        "<Part><PartNumber>3</PartNumber><ETag>&quot;t&quot;</ETag><ChecksumSHA256>AA==</ChecksumSHA256></Part>"
    );
}
