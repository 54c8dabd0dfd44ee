use craton_base::Sequence;
use craton_objects::{
    checksum::{Algorithm, Scope},
    meta::{Attributes, ChecksumRecord, MarkerMeta},
    version::VersionId,
};
use proptest::prelude::*;
use s3s::{
    dto::{
        ChecksumAlgorithm, ChecksumType, CommonPrefix, DeleteMarkerEntry, ListObjectVersionsOutput,
        ListObjectsV2Output, Object, ObjectStorageClass, ObjectVersion, ObjectVersionStorageClass,
        RestoreStatus,
    },
    xml::{SerializeContent as _, Serializer},
};

use super::*;

fn restore_status(meta: &ObjectMeta, now: Timestamp) -> Option<RestoreStatus> {
    let ongoing = meta.restore_days > 0;
    let until = Some(Timestamp(meta.restored_until_micros)).filter(|until| !ongoing && *until > now);
    (ongoing || until.is_some()).then(|| RestoreStatus {
        is_restore_in_progress: Some(ongoing),
        restore_expiry_date: until.map(convert::time),
    })
}

/// The same rows as `s3s` writes them.
fn by_s3s(entries: &[Listed], prefixes: &[String], shown: Shown) -> String {
    let object = |entry: &Listed| {
        let meta = &entry.meta;
        let checksum = meta.checksum();
        Object {
            checksum_algorithm: checksum
                .as_ref()
                .map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.name())]),
            checksum_type: checksum.map(|c| ChecksumType::from_static(c.scope.name())),
            e_tag: Some(convert::etag(meta)),
            key: Some(convert::url_encoded(entry.key.clone(), shown.encode)),
            last_modified: Some(convert::time(meta.modified())),
            owner: shown.owners.then(|| convert::owner(&meta.owner)),
            restore_status: shown.restores.and_then(|now| restore_status(meta, now)),
            size: convert::size(meta.size),
            storage_class: Some(ObjectStorageClass::from(
                meta.attributes.storage_class().to_owned(),
            )),
        }
    };
    let output = ListObjectsV2Output {
        contents: Some(entries.iter().map(object).collect()),
        common_prefixes: Some(prefixes.iter().map(|p| common(p, shown)).collect()),
        ..ListObjectsV2Output::default()
    };
    let mut out = Vec::new();
    output.serialize_content(&mut Serializer::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn common(text: &str, shown: Shown) -> CommonPrefix {
    CommonPrefix {
        prefix: Some(convert::url_encoded(text.to_owned(), shown.encode)),
    }
}

/// One version as `s3s` writes it: it writes all delete markers before all objects, so one by one.
fn version_by_s3s(version: &ListedVersion, shown: Shown) -> String {
    let key = Some(convert::url_encoded(version.key.clone(), shown.encode));
    let (version_id, is_latest) = (Some(version.id.to_text()), Some(version.latest));
    let mut output = ListObjectVersionsOutput::default();
    match &version.what {
        What::Object(meta) => {
            let checksum = meta.checksum();
            output.versions = Some(vec![ObjectVersion {
                checksum_algorithm: checksum
                    .as_ref()
                    .map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.name())]),
                checksum_type: checksum.map(|c| ChecksumType::from_static(c.scope.name())),
                e_tag: Some(convert::etag(meta)),
                is_latest,
                key,
                last_modified: Some(convert::time(meta.modified())),
                owner: shown.owners.then(|| convert::owner(&meta.owner)),
                restore_status: shown.restores.and_then(|now| restore_status(meta, now)),
                size: convert::size(meta.size),
                storage_class: Some(ObjectVersionStorageClass::from(
                    meta.attributes.storage_class().to_owned(),
                )),
                version_id,
            }]);
        }
        What::Marker(meta) => {
            output.delete_markers = Some(vec![DeleteMarkerEntry {
                is_latest,
                key,
                last_modified: Some(convert::time(Timestamp(meta.modified_micros))),
                owner: Some(convert::owner(&meta.owner)),
                version_id,
            }]);
        }
    }
    let mut out = Vec::new();
    output.serialize_content(&mut Serializer::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

prop_compose! {
    fn listed()(
        key in "\\PC{0,20}", md5: [u8; 16], parts in proptest::option::of(1u32..10_001), owner in "[a-z<&]{0,5}",
        size in 0u64..1 << 60, modified_micros in 0u64..1 << 52, class in "(|GLACIER|STANDARD_IA)", sum: bool,
        restore_days in 0u32..2, restored_until_micros in prop_oneof![Just(0), 1u64 << 50..1 << 52],
    ) -> Listed {
        let meta = ObjectMeta {
            size,
            modified_micros,
            md5: md5.to_vec(),
            attributes: Attributes { storage_class: class, ..Attributes::default() },
            checksum: sum.then(|| ChecksumRecord::new(Algorithm::Crc32c, Scope::Composite, vec![1; 4])),
            upload_id: parts.map(|_| vec![1; 16]).unwrap_or_default(),
            parts_count: parts.unwrap_or_default(),
            owner,
            restore_days,
            restored_until_micros,
            ..ObjectMeta::default()
        };
        Listed { key, meta }
    }
}

prop_compose! {
    fn listed_version()(
        listed in listed(), latest: bool, number in proptest::option::of(0u64..1 << 40), marker: bool,
    ) -> ListedVersion {
        let Listed { key, meta } = listed;
        let what = if marker {
            What::Marker(MarkerMeta {
                modified_micros: meta.modified_micros,
                owner: meta.owner,
                ..MarkerMeta::default()
            })
        } else {
            What::Object(Box::new(meta))
        };
        let id = number.map_or(VersionId::Null, |n| VersionId::Number(Sequence(n)));
        ListedVersion { key, id, latest, what }
    }
}

prop_compose! {
    fn shown()(encode: bool, owners: bool, restores in proptest::option::of(0u64..1 << 52)) -> Shown {
        Shown { encode, owners, restores: restores.map(Timestamp) }
    }
}

proptest! {
    #[test]
    fn rows_are_as_s3s_writes_them(
        entries in proptest::collection::vec(listed(), 0..4),
        prefixes in proptest::collection::vec("\\PC{0,9}", 0..4), shown in shown(),
    ) {
        prop_assert_eq!(objects(&entries, &prefixes, shown), by_s3s(&entries, &prefixes, shown));
    }

    #[test]
    fn versions_are_as_s3s_writes_each(
        listed in proptest::collection::vec(listed_version(), 0..4), shown in shown(),
    ) {
        let by_s3s: String = listed.iter().map(|version| version_by_s3s(version, shown)).collect();
        prop_assert_eq!(versions(&listed, &[], shown), by_s3s);
    }
}

#[test]
fn a_key_that_xml_can_not_hold_leaves_the_page_readable() {
    let listed = Listed {
        key: "a\u{1}\rb".into(),
        meta: ObjectMeta::default(),
    };
    let page = objects(&[listed], &["c\u{8}/".into()], Shown::default());
    assert!(page.contains("<Key>a\u{fffd}&#13;b</Key>"), "{page}");
    assert!(page.contains("<Prefix>c\u{fffd}/</Prefix>"), "{page}");
}
