//! What a store holds, read back whole: versions, contents, owners, garbage, files.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use craton_base::{BlobId, BranchId, BucketId, Result, Sequence};
use craton_sim::SimDisk;
use craton_store::{
    Store,
    namespace::{Direction, Flow, Key, Kind, Span, View},
    store::Content,
    value::{Standing, StoredVersion, Value},
};
use futures::StreamExt as _;

use crate::model::{Said, Spec, Versions};

pub(crate) const BUCKETS: [BucketId; 2] = [BucketId(7), BucketId(8)];

/// Everything that a store holds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) versions: Versions,
    /// Each version with its value, for reading the content.
    values: Vec<(Key, Value)>,
    /// The owner of each blob, by the entries of versions.
    named: BTreeMap<BlobId, Bytes>,
}

fn span(bucket: BucketId, kind: Kind) -> Span {
    Span {
        bucket,
        branch: BranchId::MAIN,
        kind,
        start: Bytes::new(),
        end: None,
    }
}

/// Whose content an entry's is sealed as: a part's is its object's.
pub(crate) fn sealed_for(key: &Key) -> Key {
    let object = key.name.split(|b| *b == 0).next().unwrap_or_default();
    Key {
        kind: Kind::Object,
        name: Bytes::copy_from_slice(object),
        ..key.clone()
    }
}

/// An owner as `docs/formats.md` writes it.
fn owner(key: &Key) -> Bytes {
    let mut out = key.bucket.0.to_be_bytes().to_vec();
    out.extend_from_slice(&key.branch.0.to_be_bytes());
    out.push(key.kind as u8);
    out.extend_from_slice(&key.name);
    out.into()
}

pub(crate) fn read(store: &Store) -> Result<Found> {
    let mut found = Found::default();
    for bucket in BUCKETS {
        for kind in [Kind::Object, Kind::Upload, Kind::Part] {
            read_kind(store, bucket, kind, &mut found)?;
        }
    }
    Ok(found)
}

fn read_kind(store: &Store, bucket: BucketId, kind: Kind, found: &mut Found) -> Result<()> {
    let mut after: Option<(Bytes, Sequence)> = None;
    let mut versions = BTreeSet::new();
    loop {
        let from = after.as_ref().map(|(name, sequence)| (&**name, *sequence));
        // ST-4: a version whose detail is missing is an error here.
        let page = store.history(&span(bucket, kind), from, 1000)?;
        let Some(last) = page.last() else { break };
        after = Some((last.stored.key.name.clone(), last.stored.sequence));
        for StoredVersion { stored, standing } in page {
            versions.insert((stored.key.name.clone(), stored.sequence));
            let value = (standing != Standing::Deleted).then_some(stored.value);
            let said = Said {
                spec: value.as_ref().map(|v| Spec::decode(&v.meta)),
                deleted: standing != Standing::Exists,
                kept: value.as_ref().is_some_and(|v| v.kept),
            };
            found.versions.insert(stored.key.clone(), stored.sequence, said);
            let Some(value) = value else { continue };
            for blob in value.blobs() {
                let before = found.named.insert(blob, owner(&stored.key));
                assert_eq!(before, None, "blob {blob} is named twice");
            }
            found.values.push((stored.key, value));
        }
    }
    if kind == Kind::Object {
        check_details(store, bucket, &versions)?;
    }
    Ok(())
}

/// ST-4: no detail outlives its version.
fn check_details(store: &Store, bucket: BucketId, versions: &BTreeSet<(Bytes, Sequence)>) -> Result<()> {
    let mut lost = None;
    let namespace = &store.parts().namespace;
    namespace.visit(&span(bucket, Kind::Detail), View::Versions(None), &mut |seen| {
        let version = (Bytes::copy_from_slice(seen.name), seen.sequence);
        lost = Some(version).filter(|version| !versions.contains(version));
        Ok(if lost.is_some() { Flow::Stop } else { Flow::Next })
    })?;
    assert_eq!(lost, None, "a detail without its version");
    Ok(())
}

fn listed(store: &Store, kind: Kind) -> BTreeMap<BlobId, Bytes> {
    let span = span(BucketId::SYSTEM, kind);
    let namespace = &store.parts().namespace;
    let page = namespace
        .scan(&span, Sequence::MAX, Direction::Forward, 1_000_000)
        .expect("the store reads");
    assert!(!page.more);
    let entry = |(key, entry): (Key, craton_store::namespace::Entry)| {
        let id = <[u8; 16]>::try_from(&*key.name).expect("named by a blob's id");
        (BlobId(id), entry.value)
    };
    page.entries.into_iter().map(entry).collect()
}

fn files(disk: &SimDisk) -> BTreeSet<BlobId> {
    let name = |path: &String| path.strip_prefix("blobs/")?.split('/').nth(1)?.parse().ok();
    disk.files().iter().filter_map(name).collect()
}

impl Found {
    /// ST-1 and ST-2, and that no file is missing.
    pub(crate) fn check_owners(&self, store: &Store, disk: &SimDisk) {
        let owners = listed(store, Kind::BlobOwner);
        assert_eq!(owners, self.named, "the owners are those that the entries name");
        let garbage = listed(store, Kind::Garbage);
        let both = garbage.keys().find(|id| owners.contains_key(id));
        assert_eq!(both, None, "a blob is owned and garbage");
        let files = files(disk);
        let missing = self.named.keys().find(|id| !files.contains(id));
        assert_eq!(missing, None, "the file of an owned blob is missing");
    }

    /// ST-3: after a collection there is nothing but what is owned.
    pub(crate) fn check_swept(&self, store: &Store, disk: &SimDisk) {
        self.check_owners(store, disk);
        assert!(listed(store, Kind::Garbage).is_empty(), "no garbage is left");
        let orphan = files(disk).into_iter().find(|id| !self.named.contains_key(id));
        assert_eq!(orphan, None, "an orphan is left");
    }

    /// Every version's content, byte by byte.
    pub(crate) async fn check_contents(&self, store: &Store) {
        for (key, value) in &self.values {
            let spec = Spec::decode(&value.meta);
            let content = content(store, key, value).await.expect("the content opens");
            assert!(content == spec.content(), "{key:?} has other content");
        }
    }
}

pub(crate) async fn content(store: &Store, key: &Key, value: &Value) -> Result<Vec<u8>> {
    match store.content(&sealed_for(key), value, 0..value.len(), None)? {
        Content::Whole(bytes) => Ok(bytes.to_vec()),
        Content::Stream(mut stream) => {
            let mut out = Vec::new();
            while let Some(piece) = stream.next().await {
                out.extend_from_slice(&piece?);
            }
            Ok(out)
        }
    }
}
