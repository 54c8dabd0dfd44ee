use craton_objects::{
    checksum::{Algorithm, Scope},
    meta::{Attributes, ChecksumRecord},
};
use proptest::prelude::*;
use s3s::{
    dto::{ChecksumAlgorithm, ChecksumType, CommonPrefix, ListObjectsV2Output, Object, ObjectStorageClass},
    xml::{SerializeContent as _, Serializer},
};

use super::*;

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
            restore_status: None,
            size: convert::size(meta.size),
            storage_class: Some(ObjectStorageClass::from(
                meta.attributes.storage_class().to_owned(),
            )),
        }
    };
    let prefix = |text: &String| CommonPrefix {
        prefix: Some(convert::url_encoded(text.clone(), shown.encode)),
    };
    let output = ListObjectsV2Output {
        contents: Some(entries.iter().map(object).collect()),
        common_prefixes: Some(prefixes.iter().map(prefix).collect()),
        ..ListObjectsV2Output::default()
    };
    let mut out = Vec::new();
    output.serialize_content(&mut Serializer::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

prop_compose! {
    fn listed()(
        key in ".{0,20}", md5: [u8; 16], parts in proptest::option::of(1u32..10_001), owner in "[a-z<&]{0,5}",
        size in 0u64..1 << 60, modified_micros in 0u64..1 << 52, class in "(|GLACIER|STANDARD_IA)", sum: bool,
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
            ..ObjectMeta::default()
        };
        Listed { key, meta }
    }
}

proptest! {
    #[test]
    fn rows_are_as_s3s_writes_them(
        entries in proptest::collection::vec(listed(), 0..4),
        prefixes in proptest::collection::vec(".{0,9}", 0..4), encode: bool, owners: bool,
    ) {
        let shown = Shown { encode, owners };
        prop_assert_eq!(write(&entries, &prefixes, shown), by_s3s(&entries, &prefixes, shown));
    }
}
