//! The rows of tables and of their names.

use bytes::Bytes;
use craton_base::{Error, Result};
use prost::Message;

/// What the catalog keeps of a table besides its metadata files.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TableRow {
    /// The levels of its namespace.
    #[prost(string, repeated, tag = "1")]
    pub namespace: Vec<String>,
    /// Its name in there.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The key of its newest metadata file; empty until the first commit of a table that was created staged.
    #[prost(string, tag = "3")]
    pub metadata: String,
    /// Whether it was dropped. What is left of its files is still decided by its name.
    #[prost(bool, tag = "4")]
    pub dropped: bool,
    /// Whether it is a view: it has metadata files and no others.
    #[prost(bool, tag = "5")]
    pub view: bool,
    /// Its columns, of all schemas that its metadata holds: [`ColumnRows`], decoded when a policy asks.
    #[prost(bytes = "bytes", tag = "6")]
    pub columns: Bytes,
    /// Its labels.
    #[prost(string, repeated, tag = "7")]
    pub labels: Vec<String>,
    /// Whether it is kept in order by the system itself.
    #[prost(bool, tag = "8")]
    pub maintained: bool,
    /// The commit whose state this is again, until it changes; 0: of none.
    #[prost(uint64, tag = "9")]
    pub brought_back: u64,
}

/// Columns of a table.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ColumnRows {
    /// Each once.
    #[prost(message, repeated, tag = "1")]
    pub columns: Vec<ColumnRow>,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ColumnRow {
    /// Its name; within others with dots.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type, as Iceberg writes it; `struct`, `list` and `map` alone.
    #[prost(string, tag = "2")]
    pub data_type: String,
}

/// What has a name among a bucket's tables and views.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NameRow {
    /// The table's id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Whether it is a view.
    #[prost(bool, tag = "2")]
    pub view: bool,
}

impl NameRow {
    /// Reads a name's row.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn read(meta: &[u8]) -> Result<Self> {
        Self::decode(meta)
            .map_err(|e| Error::corrupt("the row of a table's name does not parse").with_source(e))
    }
}

impl TableRow {
    /// Reads a row's description.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn read(meta: &[u8]) -> Result<Self> {
        Self::decode(meta).map_err(|e| Error::corrupt("a table's row does not parse").with_source(e))
    }
}
