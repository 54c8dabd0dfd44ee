//! What can be had back: from the paths that records have, and from what people write.
//!
//! ```text
//! /BUCKET/objects/KEY      an object              BUCKET/GRAPH          a graph
//! /BUCKET/objects/PREFIX*  those that begin so    BUCKET.NAMESPACE.NAME a table
//! /BUCKET/graphs/GRAPH     a graph                /BUCKET/tables/NAMESPACE.NAME  the same
//! ```

use craton_base::{BucketName, Error, GraphName, ObjectKey, ResourcePath, Result};
use craton_gate::tables;

/// What is had back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An object.
    Object(BucketName, ObjectKey),
    /// The objects whose keys begin so.
    Objects(BucketName, String),
    /// A file of a table.
    File(BucketName, ObjectKey),
    /// A bucket's catalog: the tables that were made, or changed together.
    Catalog(BucketName),
    /// A table, by its id.
    Table(BucketName, String),
    /// A table, by the levels of its namespace and its name.
    TableNamed(BucketName, Vec<String>, String),
    /// A graph.
    Graph(BucketName, GraphName),
}

impl Place {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Object(..) | Self::Objects(..) => "object",
            Self::File(..) => "file",
            Self::Catalog(..) | Self::Table(..) | Self::TableNamed(..) => "table",
            Self::Graph(..) => "graph",
        }
    }

    /// What a record of a write is about, if it is something that has versions.
    pub(super) fn of_record(bucket: &str, resource: &str) -> Result<Option<Self>> {
        let name = BucketName::new(bucket)?;
        let Some(rest) = resource
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(bucket))
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            return Ok(None);
        };
        if let Some(graph) = rest.strip_prefix("graphs/") {
            // What it did to a part of the facts it did to the graph.
            let graph = graph.split('/').next().unwrap_or_default();
            return Ok(Some(Self::Graph(name, GraphName::new(graph)?)));
        }
        let Some(key) = rest.strip_prefix("objects/") else {
            return Ok(None);
        };
        let folder = key.strip_suffix('*').filter(|_| key.starts_with(tables::FOLDER));
        if let Some(folder) = folder {
            if folder == tables::FOLDER {
                return Ok(Some(Self::Catalog(name)));
            }
            let path = ResourcePath::Objects(name.clone(), folder.to_owned());
            return Ok(tables::id_of(&path).map(|id| Self::Table(name, id.to_owned())));
        }
        let key = ObjectKey::new(key)?;
        Ok(Some(match key.as_str().starts_with(tables::FOLDER) {
            true => Self::File(name, key),
            false => Self::Object(name, key),
        }))
    }

    /// What people write.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let forms = "/BUCKET/objects/KEY, /BUCKET/objects/PREFIX*, BUCKET/GRAPH, BUCKET.NAMESPACE.TABLE or \
                         /BUCKET/tables/NAMESPACE.TABLE";
            Error::invalid(format!("{text:?} is none of {forms}"))
        };
        if let Some(path) = text.strip_prefix('/') {
            let (bucket, rest) = path.split_once('/').ok_or_else(wrong)?;
            let bucket = BucketName::new(bucket)?;
            return match rest.split_once('/').ok_or_else(wrong)? {
                ("graphs", graph) => Ok(Self::Graph(bucket, GraphName::new(graph)?)),
                ("tables", table) => Self::table(bucket, table).ok_or_else(wrong),
                ("objects", key) if key.starts_with(tables::FOLDER) => {
                    Err(Error::invalid("files of tables are had back with their table"))
                }
                ("objects", key) => match key.strip_suffix('*') {
                    Some(prefix) => Ok(Self::Objects(bucket, prefix.to_owned())),
                    None => Ok(Self::Object(bucket, ObjectKey::new(key)?)),
                },
                _ => Err(wrong()),
            };
        }
        if let Some((bucket, graph)) = text.split_once('/') {
            return Ok(Self::Graph(BucketName::new(bucket)?, GraphName::new(graph)?));
        }
        let (bucket, table) = text.split_once('.').ok_or_else(wrong)?;
        Self::table(BucketName::new(bucket)?, table).ok_or_else(wrong)
    }

    fn table(bucket: BucketName, text: &str) -> Option<Self> {
        let (namespace, name) = text.rsplit_once('.')?;
        let levels = namespace.split('.').map(str::to_owned).collect();
        Some(Self::TableNamed(bucket, levels, name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
