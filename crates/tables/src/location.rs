//! Where a table's files may lie: in its own folder.
//!
//! Invariant: a location that passes names a place in the folder however a client resolves it: no `..`, no escapes.

use craton_base::{BucketName, ObjectKey, Result};
use craton_gate::tables::{FOLDER, is_id};
use serde_json::Value;

use crate::{error::bad, metadata::Metadata};

/// Properties of a table that say where files are written.
const PROPERTIES: [&str; 4] = [
    "write.data.path",
    "write.metadata.path",
    "write.object-storage.path",
    "write.folder-storage.path",
];

/// The longest location, in bytes.
const LOCATION_BYTES_MAX: usize = 1024;

/// A table's own folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    bucket: String,
    id: String,
}

impl Folder {
    pub(crate) fn new(bucket: &BucketName, id: &str) -> Self {
        Self {
            bucket: bucket.to_string(),
            id: id.to_owned(),
        }
    }

    /// The table's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The folder as a location.
    pub(crate) fn location(&self) -> String {
        format!("s3://{}/{FOLDER}{}", self.bucket, self.id)
    }

    /// The location of a key of the bucket.
    pub(crate) fn location_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// The key that a location in the bucket names.
    pub(crate) fn key_of<'a>(&self, location: &'a str) -> Option<&'a str> {
        let (_, rest) = location.split_once("://")?;
        rest.strip_prefix(self.bucket.as_str())?.strip_prefix('/')
    }

    /// The key of a metadata file in the folder.
    pub(crate) fn metadata_key(&self, file: &str) -> Result<ObjectKey> {
        ObjectKey::new(&format!("{FOLDER}{}/metadata/{file}", self.id))
    }

    /// What comes after the folder in a location: empty, or a slash and a path.
    fn inside<'a>(&self, location: &'a str) -> Option<&'a str> {
        let (scheme, rest) = location.split_once("://")?;
        let rest = rest.strip_prefix(self.bucket.as_str())?.strip_prefix('/')?;
        let rest = rest.strip_prefix(FOLDER)?.strip_prefix(self.id.as_str())?;
        let odd = |c: char| c.is_control() || matches!(c, '%' | '?' | '#' | '\\');
        let path = rest.strip_suffix('/').unwrap_or(rest);
        let mut segments = path.split('/');
        let ok = matches!(scheme, "s3" | "s3a")
            && location.len() <= LOCATION_BYTES_MAX
            && !path.contains(odd)
            && segments.next() == Some("")
            && segments.all(|s| !matches!(s, "" | "." | ".."));
        ok.then_some(rest)
    }

    /// Fails unless a location lies in the folder.
    pub(crate) fn check(&self, what: &str, location: &str) -> Result<()> {
        match self.inside(location) {
            Some(_) => Ok(()),
            None => Err(bad(format!(
                "{what} must lie in the table's own folder, {}/",
                self.location()
            ))),
        }
    }

    /// Fails unless every location in metadata lies in the folder.
    pub(crate) fn check_all(&self, metadata: &Metadata) -> Result<()> {
        self.check("location", metadata.text("location").unwrap_or_default())?;
        for (name, value) in metadata.properties() {
            if PROPERTIES.contains(&name.as_str()) {
                self.check(name, value.as_str().unwrap_or_default())?;
            }
        }
        let files = [
            ("snapshots", "manifest-list"),
            ("statistics", "statistics-path"),
            ("partition-statistics", "statistics-path"),
        ];
        for (list, name) in files {
            let paths = metadata.list(list).iter().filter_map(|item| item.get(name));
            for path in paths.filter_map(Value::as_str) {
                self.check(name, path)?;
            }
        }
        // Version 1 may name manifests without a list of them.
        let manifests = metadata
            .list("snapshots")
            .iter()
            .filter_map(|s| s.get("manifests"));
        for path in manifests.filter_map(Value::as_array).flatten() {
            self.check("manifests", path.as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// The table's id and the key of the metadata file that a location names in a bucket.
pub(crate) fn of_metadata_file(bucket: &BucketName, location: &str) -> Result<(String, ObjectKey)> {
    let wrong = || {
        bad(format!(
            "a metadata file is at s3://{bucket}/{FOLDER}<id>/metadata/….metadata.json"
        ))
    };
    let rest = location
        .split_once("://")
        .map(|(_, rest)| rest)
        .ok_or_else(wrong)?;
    let key = rest
        .strip_prefix(bucket.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(wrong)?;
    let id = key
        .strip_prefix(FOLDER)
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(wrong)?
        .0;
    if !is_id(id) {
        return Err(wrong());
    }
    let inside = Folder::new(bucket, id).inside(location).ok_or_else(wrong)?;
    match inside.starts_with("/metadata/") && inside.ends_with(".metadata.json") {
        true => Ok((id.to_owned(), ObjectKey::new(key)?)),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_folder_passes() {
        let bucket = BucketName::new("data").unwrap();
        let folder = Folder::new(&bucket, "id");
        for good in [
            "s3://data/.tables/id",
            "s3a://data/.tables/id/",
            "s3://data/.tables/id/x/y",
        ] {
            folder.check("x", good).unwrap();
        }
        for wrong in [
            "",
            "s3://data/.tables/",
            "s3://data/.tables/id2",
            "s3://data/.tables/id/../other",
            "s3://data/.tables/id/%2e%2e/other",
            "s3://data/.tables/id//x",
            "s3://data/.tables/id/x?y",
            "s3://other/.tables/id",
            "file:///.tables/id",
            "file://data/.tables/id",
        ] {
            assert!(folder.check("x", wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_metadata_file_is_one_of_a_table() {
        let bucket = BucketName::new("data").unwrap();
        let uuid = "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11";
        let key = format!(".tables/{uuid}/metadata/00001-a.metadata.json");
        let (id, found) = of_metadata_file(&bucket, &format!("s3://data/{key}")).unwrap();
        assert_eq!((id.as_str(), found.as_str()), (uuid, key.as_str()));
        for wrong in [
            String::new(),
            "x".to_owned(),
            "s3://data/a.metadata.json".to_owned(),
            "s3://data/.tables/id/metadata/a.metadata.json".to_owned(),
            format!(
                "s3://data/.tables/{}/metadata/a.metadata.json",
                uuid.to_uppercase()
            ),
            format!("s3://data/.tables/{uuid}/data/a.metadata.json"),
        ] {
            assert!(of_metadata_file(&bucket, &wrong).is_err(), "{wrong}");
        }
    }
}
