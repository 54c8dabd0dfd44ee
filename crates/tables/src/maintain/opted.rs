//! The tables of a bucket that are to be kept in order: their rows say it, so that no metadata is read to find them.

use craton_base::Result;
use craton_gate::{Direction, Kind, ReadPermit, tables::TableRow};

use crate::{Namespace, TableName};

/// Rows that are looked at together.
const ROWS_AT_ONCE: usize = 1000;

/// A table that is to be kept in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opted {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: TableName,
    /// The key of its newest metadata file.
    pub metadata: String,
}

/// Those of a page of a bucket's tables, after an id, and after which the next page begins; by a permit for the bucket's catalog.
///
/// # Errors
/// `Corrupt`; the store's own.
pub fn opted(permit: &ReadPermit, after: &str) -> Result<(Vec<Opted>, Option<String>)> {
    let start = match after {
        "" => Vec::new(),
        after => [after.as_bytes(), &[0]].concat(),
    };
    let page = permit.scan(Kind::Table, &start, None, Direction::Forward, ROWS_AT_ONCE)?;
    let mut out = Vec::new();
    let mut last = None;
    for stored in &page.entries {
        let id = String::from_utf8_lossy(&stored.key.name).into_owned();
        let row = TableRow::read(&stored.value.meta)?;
        if row.maintained && !row.dropped && !row.view && !row.metadata.is_empty() {
            out.push(Opted {
                id: id.clone(),
                name: TableName::new(Namespace::new(row.namespace)?, &row.name)?,
                metadata: row.metadata,
            });
        }
        last = Some(id);
    }
    Ok((out, last.filter(|_| page.more)))
}
