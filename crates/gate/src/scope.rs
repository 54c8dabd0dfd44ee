//! What a permit reaches: the part of the namespace under its path, and nothing else.
//!
//! Invariant: a name passes only if everything under it lies under the permit's path.
//!
//! A table's permit reaches the names of its bucket's tables and namespaces too: a commit that makes, moves or drops a table changes
//! them, and which of them it may is the tables engine's to say, in one place.

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};
use craton_store::namespace::Kind;

use crate::tables;

/// Separates an object's key from what follows it in the names of uploads and parts, and a graph's name from a run's. Keys
/// and graphs' names hold no NUL. A graph's runs hold the facts of all its prefixes: which of them a permit for one prefix
/// sees, the graph engine decides in one place, where it opens a snapshot.
const SEPARATOR: u8 = 0;

/// Whether entries of `kind` named `name` lie under `path`.
pub(crate) fn covers(path: &ResourcePath, kind: Kind, name: &[u8]) -> bool {
    match (path, kind) {
        (ResourcePath::Object(_, key), Kind::Object) => name == key.as_str().as_bytes(),
        (ResourcePath::Object(_, key), Kind::Upload | Kind::Part) => name
            .strip_prefix(key.as_str().as_bytes())
            .is_some_and(|rest| rest.first() == Some(&SEPARATOR)),
        (ResourcePath::Objects(_, prefix), Kind::Object | Kind::Upload | Kind::Part) => {
            let hidden = tables::hides(prefix) && name.starts_with(tables::FOLDER.as_bytes());
            name.starts_with(prefix.as_bytes()) && !hidden
        }
        (ResourcePath::Objects(_, prefix), Kind::Table) => match tables::id_of(path) {
            Some(id) => name == id.as_bytes(),
            None => prefix == tables::FOLDER,
        },
        (ResourcePath::Objects(_, prefix), Kind::TableName | Kind::TableNamespace) => {
            tables::id_of(path).is_some() || prefix == tables::FOLDER
        }
        (ResourcePath::Facts(_, path), Kind::Graph | Kind::GraphNames) => {
            name == path.graph().as_str().as_bytes()
        }
        (ResourcePath::Facts(_, path), Kind::GraphRun) => name
            .strip_prefix(path.graph().as_str().as_bytes())
            .is_some_and(|rest| rest.first() == Some(&SEPARATOR)),
        (
            ResourcePath::Bucket(_),
            Kind::Object | Kind::Upload | Kind::Part | Kind::Graph | Kind::TableNamespace,
        ) => true,
        (ResourcePath::System(part), _) => is_own(part, kind),
        _ => false,
    }
}

/// Whether a part of the system's own has entries of this kind.
fn is_own(part: &str, kind: Kind) -> bool {
    match kind {
        Kind::Outbox | Kind::Delivery => part == "outbox",
        Kind::Work => part == "work",
        Kind::Replication => part == "replication",
        _ => false,
    }
}

/// The narrowest `[start, end)` that holds every name of `kind` under `path`; an end of `None` has no limit.
pub(crate) fn span(path: &ResourcePath, kind: Kind) -> Option<(Bytes, Option<Bytes>)> {
    let under = |prefix: Vec<u8>| {
        let end = successor(&prefix);
        Some((Bytes::from(prefix), end))
    };
    match (path, kind) {
        (ResourcePath::Object(_, key), Kind::Object) => {
            let start = key.as_str().as_bytes().to_vec();
            let mut end = start.clone();
            end.push(0);
            Some((start.into(), Some(end.into())))
        }
        (ResourcePath::Object(_, key), Kind::Upload | Kind::Part) => {
            let mut start = key.as_str().as_bytes().to_vec();
            start.push(SEPARATOR);
            under(start)
        }
        (ResourcePath::Objects(_, prefix), Kind::Object | Kind::Upload | Kind::Part) => {
            under(prefix.as_bytes().to_vec())
        }
        (ResourcePath::Objects(_, prefix), Kind::Table | Kind::TableName | Kind::TableNamespace)
            if prefix == tables::FOLDER =>
        {
            under(Vec::new())
        }
        (ResourcePath::Facts(_, path), Kind::GraphRun) => {
            let mut start = path.graph().as_str().as_bytes().to_vec();
            start.push(SEPARATOR);
            under(start)
        }
        (
            ResourcePath::Bucket(_),
            Kind::Object | Kind::Upload | Kind::Part | Kind::Graph | Kind::TableNamespace,
        ) => under(Vec::new()),
        (ResourcePath::System(part), _) if is_own(part, kind) => under(Vec::new()),
        _ => None,
    }
}

/// The least name after every name that begins with `prefix`; `None` if there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Bytes> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if let Some(next) = last.checked_add(1) {
            out.push(next);
            return Some(out.into());
        }
    }
    None
}

/// A span of names: its start and its end, `None` for no end.
pub(crate) type Names = (Bytes, Option<Bytes>);

/// The parts of `[start, end)` that lie under `path`, in order: all of it, or what is before and after the files of tables, which
/// only a path that names `.tables/` shows.
pub(crate) fn parts(path: &ResourcePath, kind: Kind, start: &[u8], end: Option<&[u8]>) -> Result<Vec<Names>> {
    let (start, end) = clip(path, kind, start, end)?;
    let hides = matches!(path, ResourcePath::Objects(_, prefix) if tables::hides(prefix));
    let of_objects = matches!(kind, Kind::Object | Kind::Upload | Kind::Part);
    let Some(after) = successor(tables::FOLDER.as_bytes()).filter(|_| hides && of_objects) else {
        return Ok(vec![(start, end)]);
    };
    let folder = Bytes::from_static(tables::FOLDER.as_bytes());
    let before_end = end.clone().filter(|end| *end < folder).unwrap_or(folder);
    let parts = [(start.clone(), Some(before_end)), (start.max(after), end)];
    let some = |(start, end): &Names| end.as_ref().is_none_or(|end| start < end);
    Ok(parts.into_iter().filter(some).collect())
}

/// Cuts `[start, end)` down to what lies under `path`.
pub(crate) fn clip(
    path: &ResourcePath,
    kind: Kind,
    start: &[u8],
    end: Option<&[u8]>,
) -> Result<(Bytes, Option<Bytes>)> {
    let (low, high) = span(path, kind).ok_or_else(|| outside(path, kind))?;
    let start = if start > &*low {
        Bytes::copy_from_slice(start)
    } else {
        low
    };
    let end = match (end, high) {
        (Some(asked), Some(high)) if asked < &*high => Some(Bytes::copy_from_slice(asked)),
        (Some(asked), None) => Some(Bytes::copy_from_slice(asked)),
        (_, high) => high,
    };
    Ok((start, end))
}

/// The error for an engine that reaches outside its permit: a fault of ours, never a client's.
pub(crate) fn outside(path: &ResourcePath, kind: Kind) -> Error {
    Error::new(
        ErrorKind::Internal,
        "OutsidePermit",
        format!("an entry of kind {kind:?} was reached for that does not lie under {path}"),
    )
}

#[cfg(test)]
mod tests;
