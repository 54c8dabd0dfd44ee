//! What can go wrong with a catalog, in Iceberg's words: the reasons are the types of the REST protocol's errors.

use craton_base::{Error, Kind};

use crate::name::{Namespace, TableName, What};

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

pub(crate) fn no_such(what: What, name: &TableName) -> Error {
    let reason = match what {
        What::Table => "NoSuchTableException",
        What::View => "NoSuchViewException",
    };
    let text = format!("{} does not exist: {}", what.text(), name.text());
    Error::new(Kind::NotFound, reason, text)
}

pub(crate) fn exists(what: &str, name: &str) -> Error {
    let text = format!("{what} already exists: {name}");
    Error::new(Kind::Exists, "AlreadyExistsException", text)
}

pub(crate) fn not_empty(namespace: &Namespace) -> Error {
    let text = format!("Namespace is not empty: {}", namespace.text());
    Error::new(Kind::Exists, "NamespaceNotEmptyException", text)
}
