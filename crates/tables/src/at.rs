//! A table as a commit left it.
//!
//! A table's row is kept for the undo window after another took its place; its metadata files stay longer. So where the row is gone, the metadata
//! file is looked for that the same commit wrote.
//!
//! Deliberately absent: who may ask.

use bytes::Bytes;
use craton_base::{Result, Sequence};
use craton_gate::{Direction, Kind, ReadPermit, Standing, Stored, tables::TableRow};

use crate::{
    location::Folder,
    metadata::Metadata,
    table::{METADATA_BYTES_MAX, PARSED, Tables, permitted, size},
};

/// How many files of a table are looked at for one that a commit wrote.
const LOOKED_AT_MAX: usize = 20_000;

/// How many at once.
const AT_ONCE: usize = 1000;

/// A table as of a commit.
#[derive(Clone, Debug)]
pub struct TableAt {
    /// The levels of its namespace; as they are now, where they are not known any more.
    pub namespace: Vec<String>,
    /// Its name, in the same way.
    pub name: String,
    /// Its labels, in the same way.
    pub labels: Vec<String>,
    /// Whether no later commit changed it.
    pub is_newest: bool,
    /// The key of its metadata file.
    pub key: String,
    /// The metadata file.
    pub metadata: Bytes,
    /// The snapshot that was current.
    pub snapshot: Option<i64>,
}

impl Tables {
    /// The table that a permit is for, as the commit `version` left it; `None` if that is not known any more.
    ///
    /// # Errors
    /// `TooLarge`; `Corrupt`; the store's own.
    pub async fn at(&self, permit: &ReadPermit, version: Sequence) -> Result<Option<TableAt>> {
        let id = permitted(permit)?;
        let newest = permit.entry(Kind::Table, id.as_bytes())?;
        let is_newest = newest.as_ref().is_some_and(|row| row.sequence == version);
        let then = permit.version(Kind::Table, id.as_bytes(), version)?;
        let then = then.filter(|found| found.standing == Standing::Exists);
        let (row, file) = match then {
            Some(found) => {
                let row = TableRow::read(&found.stored.value.meta)?;
                let file = match row.metadata.is_empty() {
                    true => None,
                    false => permit.entry(Kind::Object, row.metadata.as_bytes())?,
                };
                (row, file)
            }
            None => {
                let Some(newest) = newest else { return Ok(None) };
                (
                    TableRow::read(&newest.value.meta)?,
                    written_by(permit, &id, version)?,
                )
            }
        };
        permit.reads(version);
        let Some(file) = file else { return Ok(None) };
        let _room = self.room(size(&file).saturating_mul(PARSED)).await?;
        let metadata = permit.whole(&file, METADATA_BYTES_MAX).await?;
        let current = Metadata::parse(&metadata)?.number("current-snapshot-id");
        Ok(Some(TableAt {
            namespace: row.namespace,
            name: row.name,
            labels: row.labels,
            is_newest,
            key: String::from_utf8_lossy(&file.key.name).into_owned(),
            metadata,
            snapshot: current.filter(|id| *id >= 0),
        }))
    }
}

/// The metadata file that a commit wrote.
fn written_by(permit: &ReadPermit, id: &str, version: Sequence) -> Result<Option<Stored>> {
    let prefix = Folder::new(&permit.bucket()?.name, id).metadata_key("")?;
    let prefix = prefix.as_str().as_bytes();
    let mut start = prefix.to_vec();
    let mut left = LOOKED_AT_MAX;
    while left > 0 {
        let page = permit.scan(Kind::Object, &start, None, Direction::Forward, AT_ONCE.min(left))?;
        left = left.saturating_sub(page.entries.len());
        for stored in page.entries {
            if !stored.key.name.starts_with(prefix) {
                return Ok(None);
            }
            if stored.sequence == version && stored.key.name.ends_with(b".metadata.json") {
                return Ok(Some(stored));
            }
            start = [&stored.key.name[..], &[0]].concat();
        }
        if !page.more {
            break;
        }
    }
    Ok(None)
}
