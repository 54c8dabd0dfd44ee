//! Iceberg catalogs: a bucket is a warehouse, its tables' files are objects in it under `.tables/<id>/`.
//!
//! ```text
//! TableNamespace  levels joined by 1F             properties of a namespace
//! TableNamespace  the same and 00                 rewritten by whatever comes to be in the namespace
//! TableName       namespace, 00, name             the id of the table or view
//! Table           id                              namespace, name, newest metadata file, columns, labels; of a view, too
//! Object          .tables/<id>/metadata/…         metadata files, written by the catalog alone
//! ```
//!
//! Invariants
//! - a commit is one commit of the namespace: metadata file, row and names change together or not at all; who loses a race
//!   checks its requirements against the winner's metadata and tries again, so of N writers none is lost;
//! - metadata is changed as the JSON that it is: fields that are not known here stay as they are;
//! - every location in metadata lies in the table's own folder, as of every commit;
//! - a dropped table's files are still governed by its name.
//!
//! Deliberately absent: HTTP, identity, decisions (permits come from the gate), what data files hold; manifests are read to plan scans ([`scan`]).

mod at;
pub mod avro;
mod error;
mod fresh;
mod governed;
mod location;
pub mod maintain;
mod metadata;
mod name;
pub mod namespaces;
pub mod past;
mod requirement;
mod scan;
mod table;
mod update;
mod view;

pub use at::TableAt;
pub use governed::{changes_labels, columns_of};
pub use name::{NAMES_PAGE_MAX, Namespace, TableName, What};
pub use table::{
    CreateTable, Loaded, METADATA_BYTES_MAX, Snapshots, TABLES_MAX, TableChange, Tables, metadata_file,
    staged_id,
};
pub use view::CreateView;
