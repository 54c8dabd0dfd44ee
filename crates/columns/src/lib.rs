//! Arrow and Parquet: files of columns as text of facts, and answers of the graph engine as an Arrow stream.
//!
//! A row becomes `(relation value …)`; a list, a map and a record a nested expression; nothing `()`.
//!
//! Invariants: memory is a few pages or one batch; a type that is not known is an error that names the column.
//!
//! Files are read by the command line, not by the server: the readers are other people's code, and a file made to
//! trip them up should trip up only whoever opens it.
//!
//! Deliberately absent: the graph (`craton-graph`), tables and their files (another engine).

pub mod answer;
mod arrow;
mod cells;
mod parquet;

use std::{
    fs::File,
    io::{Read, Seek as _},
    path::Path,
};

use craton_base::{Error, Result};
pub use craton_graph::read::unpacked;

/// Where the text goes, in pieces that end with a line.
pub type Out<'a> = dyn FnMut(Vec<u8>) -> Result<()> + 'a;

/// What a file of columns is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    /// Parquet.
    Parquet,
    /// An Arrow stream, or file.
    Arrow,
}

impl Columns {
    /// The kind that a format's name or a file's ending says.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "parquet" | "pq" => Some(Self::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Self::Arrow),
            _ => None,
        }
    }
}

/// Writes each row of a file as a fact of `relation`; how many there were. Blocks.
///
/// # Errors
/// `Invalid` if the file is not what it is said to be or has a type that is not known; the file's own and those of `out`.
#[expect(
    clippy::disallowed_methods,
    reason = "reads a file that a person names, never stored data"
)]
pub fn facts(path: &Path, kind: Columns, relation: &str, out: &mut Out<'_>) -> Result<u64> {
    let mut file = File::open(path).map_err(|e| {
        let message = format!("the file {} can not be read: {e}", path.display());
        Error::invalid(message).with_source(e)
    })?;
    match kind {
        Columns::Parquet => parquet::facts(file, relation, out),
        Columns::Arrow => {
            let mut magic = [0; 8];
            // A file is a stream between a mark and an index.
            if file.read_exact(&mut magic).is_err() || !magic.starts_with(b"ARROW1") {
                file.rewind()?;
            }
            arrow::facts(file, relation, out)
        }
    }
}

/// Writes each row of an Arrow stream as a fact of `relation`; how many there were. Blocks.
///
/// # Errors
/// As [`facts`].
pub fn stream(input: impl Read, relation: &str, out: &mut Out<'_>) -> Result<u64> {
    arrow::facts(input, relation, out)
}

#[cfg(test)]
mod tests;
