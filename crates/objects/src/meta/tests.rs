use proptest::prelude::*;

use craton_gate::{Acl, tags::Tag};

use super::*;

fn attributes() -> impl Strategy<Value = Attributes> {
    let text = || proptest::option::of("[ -~é]{0,20}");
    (
        text(),
        text(),
        proptest::option::of(any::<i64>()),
        proptest::collection::btree_map("[a-z-]{1,9}", ".{0,9}", 0..4),
    )
        .prop_map(
            |(content_type, cache_control, expires_seconds, user)| Attributes {
                headers: Headers {
                    content_type,
                    cache_control,
                    expires_seconds,
                    ..Headers::default()
                },
                user,
                storage_class: String::new(),
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        attributes in attributes(), size: u64, modified_micros: u64, md5: [u8; 16],
        parts in proptest::collection::vec((any::<u64>(), any::<[u8; 4]>()), 0..5),
    ) {
        let meta = ObjectMeta {
            size, modified_micros, md5: md5.to_vec(), attributes,
            checksum: Some(ChecksumRecord::new(Algorithm::Crc32, Scope::Composite, vec![1, 2, 3, 4])),
            parts: parts.into_iter().map(|(size, c)| PartSize { size, checksum: c.to_vec() }).collect(),
            parts_count: 0,
            upload_id: vec![7; 16],
            owner: "root".into(),
            lock: Some(LockRecord { mode: 1, until_micros: 7, legal_hold: Some(true) }),
            tags: Some(Tags::new(vec![Tag { key: "k".into(), value: "v".into() }])),
            encryption: Some(EncryptionRecord { method: 1, context: [("a".to_owned(), "b".to_owned())].into(), ..EncryptionRecord::default() }),
            acl: Some(Acl::private("ana")),
            replication: Some(Replica { source: "v".into(), modified: None }.record()),
            restored_until_micros: 9,
            tier: String::new(),
            restore_days: 0,
            brought_back: 0,
        };
        prop_assert_eq!(meta.tag_count(), 1);
        // As it was stored before parts were kept apart, and as it is.
        prop_assert_eq!(ObjectMeta::read(&meta.encode_to_vec()).unwrap(), meta.clone());
        let value = meta.to_value(Vec::new(), true);
        let counted = ObjectMeta { parts_count: u32::try_from(meta.parts.len()).unwrap(), ..meta };
        prop_assert_eq!(ObjectMeta::of(&value).unwrap(), counted.clone());
        let listed = ObjectMeta::read(&value.meta).unwrap();
        prop_assert_eq!((listed.parts.len(), listed.part_count()), (0, counted.parts.len()));
        prop_assert_eq!(listed.etag(), counted.etag());
    }

    #[test]
    fn any_bytes_are_read_or_refused(stored in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Err(e) = ObjectMeta::read(&stored) {
            prop_assert_eq!(e.kind(), craton_base::Kind::Corrupt);
        }
    }
}

#[test]
fn tags_name_the_number_of_parts() {
    let mut meta = ObjectMeta {
        md5: vec![0xab; 2],
        ..ObjectMeta::default()
    };
    assert_eq!(meta.etag(), "abab");
    meta.upload_id = vec![1];
    meta.parts = vec![PartSize::default(), PartSize::default()];
    assert_eq!(meta.etag(), "abab-2");
}

#[test]
fn limits_are_kept() {
    let with = |n: usize| Attributes {
        user: [("k".to_owned(), "v".repeat(n))].into(),
        ..Attributes::default()
    };
    assert!(with(USER_METADATA_BYTES_MAX - 1).check().is_ok());
    assert_eq!(
        with(USER_METADATA_BYTES_MAX).check().unwrap_err().code(),
        "MetadataTooLarge"
    );
    let class = Attributes {
        storage_class: "COLDEST".into(),
        ..Attributes::default()
    };
    assert_eq!(class.check().unwrap_err().code(), "InvalidStorageClass");
}
