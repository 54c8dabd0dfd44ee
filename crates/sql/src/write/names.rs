//! Names in statements that write: of tables, of namespaces, of columns.

use craton_base::{BucketName, Error, Kind, Result};
use craton_tables::{Namespace, TableName};
use datafusion::{
    execution::SessionState,
    sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart},
};

use crate::catalog::{NO_BUCKET, NO_NAMESPACE};

/// A name as it counts: in lower case unless it is quoted.
pub(super) fn plain(ident: &Ident) -> String {
    match ident.quote_style {
        None => ident.value.to_lowercase(),
        Some(_) => ident.value.clone(),
    }
}

pub(super) fn invalid(text: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "InvalidStatement", text.into())
}

fn parts(name: &ObjectName) -> Result<Vec<String>> {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) => Ok(plain(ident)),
        ObjectNamePart::Function(_) => Err(invalid(format!("{name} is no name"))),
    };
    name.0.iter().map(part).collect()
}

fn incomplete(name: &ObjectName, whole: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "IncompleteName",
        format!("{name} is no whole name: {whole}"),
    )
}

fn levels(text: &str) -> Result<Namespace> {
    Namespace::new(text.split('.').map(str::to_owned).collect())
}

/// The bucket and the namespace of names that have none.
fn defaults(state: &SessionState) -> Result<(String, String)> {
    let bucket = super::context(state)?.bucket.clone();
    let namespace = state.config_options().catalog.default_schema.clone();
    Ok((bucket.unwrap_or_else(|| NO_BUCKET.to_owned()), namespace))
}

/// A table's name.
pub(super) fn table(state: &SessionState, name: &ObjectName) -> Result<(BucketName, TableName)> {
    let (default_bucket, default_schema) = defaults(state)?;
    let given = parts(name)?;
    let (bucket, namespace, table) = match given.as_slice() {
        [table] => (&default_bucket, &default_schema, table),
        [namespace, table] => (&default_bucket, namespace, table),
        [bucket, namespace, table] => (bucket, namespace, table),
        _ => return Err(incomplete(name, "a table is bucket.namespace.table")),
    };
    if bucket == NO_BUCKET || namespace == NO_NAMESPACE {
        return Err(incomplete(name, "a table is bucket.namespace.table"));
    }
    Ok((
        BucketName::new(bucket)?,
        TableName::new(levels(namespace)?, table)?,
    ))
}

/// A namespace's name.
pub(super) fn namespace(state: &SessionState, name: &ObjectName) -> Result<(BucketName, Namespace)> {
    let (default_bucket, _) = defaults(state)?;
    let given = parts(name)?;
    let (bucket, namespace) = match given.as_slice() {
        [namespace] => (&default_bucket, namespace),
        [bucket, namespace] => (bucket, namespace),
        _ => return Err(incomplete(name, "a schema is bucket.namespace")),
    };
    if bucket == NO_BUCKET {
        return Err(incomplete(name, "a schema is bucket.namespace"));
    }
    Ok((BucketName::new(bucket)?, levels(namespace)?))
}

/// The last part of a name: a column's of a table, or a table's own.
pub(super) fn last(name: &ObjectName) -> Result<String> {
    parts(name)?.pop().ok_or_else(|| invalid("a name is empty"))
}
