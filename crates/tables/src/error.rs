//! What can go wrong with a catalog, in Iceberg's words: the reasons are the types of the REST protocol's errors.

use craton_base::{Error, Kind};

use crate::name::{Namespace, TableName};

/// A commit that lost: its requirements do not hold any more.
pub(crate) const COMMIT_FAILED: &str = "CommitFailedException";

pub(crate) fn bad(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "BadRequestException", message.into())
}

pub(crate) fn commit_failed(message: impl Into<String>) -> Error {
    Error::new(Kind::Precondition, COMMIT_FAILED, message.into())
}

pub(crate) fn no_such_namespace(namespace: &Namespace) -> Error {
    let text = format!("Namespace does not exist: {}", namespace.text());
    Error::new(Kind::NotFound, "NoSuchNamespaceException", text)
}

pub(crate) fn no_such_table(name: &TableName) -> Error {
    Error::new(
        Kind::NotFound,
        "NoSuchTableException",
        format!("Table does not exist: {}", name.text()),
    )
}

pub(crate) fn exists(what: &str, name: &str) -> Error {
    let text = format!("{what} already exists: {name}");
    Error::new(Kind::Exists, "AlreadyExistsException", text)
}

pub(crate) fn not_empty(namespace: &Namespace) -> Error {
    let text = format!("Namespace is not empty: {}", namespace.text());
    Error::new(Kind::Exists, "NamespaceNotEmptyException", text)
}
