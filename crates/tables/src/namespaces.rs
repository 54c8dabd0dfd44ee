//! Namespaces: made under one that exists, deleted when nothing is in them, with properties.
//!
//! Whatever comes to be in a namespace rewrites the namespace's mark in the same commit; who deletes the namespace expects the mark as
//! it was when it saw that nothing is there. So nothing comes to be in a namespace that is being deleted.

use std::collections::BTreeMap;

use craton_base::{Kind as ErrorKind, Result};
use craton_gate::{
    Changes, Direction, Kind, Permit, ReadPermit, Stored, Value, WritePermit, tables::NameRow,
};
use prost::Message as _;

use crate::{
    error::{bad, commit_failed, exists, no_such_namespace, not_empty},
    name::{NAMES_PAGE_MAX, Namespace, SEPARATOR, What},
};

/// The most properties of a namespace.
const PROPERTIES_MAX: usize = 100;

/// The most bytes of a namespace's properties.
const PROPERTIES_BYTES_MAX: usize = 64 << 10;

/// How often a change that lost a race is tried again.
const TRIES_MAX: usize = 32;

/// Properties by name.
pub type Properties = BTreeMap<String, String>;

/// What is kept of a namespace.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct NamespaceRow {
    #[prost(btree_map = "string, string", tag = "1")]
    properties: Properties,
}

/// What a change of properties did, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Set.
    pub updated: Vec<String>,
    /// Removed.
    pub removed: Vec<String>,
    /// To be removed, and not there.
    pub missing: Vec<String>,
}

/// A page of names, and what the next one begins after.
#[derive(Clone, Debug)]
pub struct Names<T> {
    /// The names, in order.
    pub names: Vec<T>,
    /// The last one, if there are more.
    pub next: Option<String>,
}

fn value(properties: &Properties) -> Result<Value> {
    let row = NamespaceRow {
        properties: properties.clone(),
    };
    if properties.len() > PROPERTIES_MAX || row.encoded_len() > PROPERTIES_BYTES_MAX {
        return Err(bad(format!(
            "a namespace has at most {PROPERTIES_MAX} properties, together {PROPERTIES_BYTES_MAX} bytes"
        )));
    }
    Ok(Value::of_meta(row.encode_to_vec()))
}

fn read(stored: &Stored) -> Result<Properties> {
    let row = NamespaceRow::decode(stored.value.meta.clone());
    let corrupt = |e| craton_base::Error::corrupt("a namespace's row does not parse").with_source(e);
    Ok(row.map_err(corrupt)?.properties)
}

fn find(permit: &Permit, namespace: &Namespace) -> Result<Stored> {
    let found = permit.entry(Kind::TableNamespace, &namespace.row())?;
    found.ok_or_else(|| no_such_namespace(namespace))
}

/// That something comes to be in a namespace, which must be there.
pub(crate) fn entered(permit: &Permit, changes: Changes, namespace: &Namespace) -> Result<Changes> {
    find(permit, namespace)?;
    Ok(changes.expect_present(Kind::TableNamespace, namespace.row()).put(
        Kind::TableNamespace,
        namespace.mark(),
        Value::default(),
    ))
}

/// Makes a namespace.
///
/// # Errors
/// `AlreadyExistsException`; `NoSuchNamespaceException` if the one that it lies in does not exist; `BadRequestException`.
pub async fn create(permit: &WritePermit, namespace: &Namespace, properties: &Properties) -> Result<()> {
    let taken = || exists("Namespace", &namespace.text());
    let row = namespace.row();
    for _ in 0..TRIES_MAX {
        if permit.entry(Kind::TableNamespace, &row)?.is_some() {
            return Err(taken());
        }
        let mut changes = Changes::new()
            .expect_absent(Kind::TableNamespace, row.clone())
            .put(Kind::TableNamespace, row.clone(), value(properties)?);
        if let Some(parent) = namespace.parent() {
            changes = entered(permit, changes, &parent)?;
        }
        match permit.commit(changes).await {
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            done => return done.map(drop),
        }
    }
    Err(busy())
}

/// A namespace's properties.
///
/// # Errors
/// `NoSuchNamespaceException`.
pub fn get(permit: &ReadPermit, namespace: &Namespace) -> Result<Properties> {
    read(&find(permit, namespace)?)
}

/// Sets and removes properties.
///
/// # Errors
/// `NoSuchNamespaceException`; `UnprocessableEntityException` for a name that is to be set and removed; `BadRequestException`.
pub async fn update(
    permit: &WritePermit,
    namespace: &Namespace,
    updates: &Properties,
    removals: &[String],
) -> Result<Updated> {
    if let Some(both) = removals.iter().find(|name| updates.contains_key(*name)) {
        let text = format!("{both} is to be set and to be removed");
        let reason = "UnprocessableEntityException";
        return Err(craton_base::Error::new(ErrorKind::Invalid, reason, text));
    }
    for _ in 0..TRIES_MAX {
        let stored = find(permit, namespace)?;
        let mut properties = read(&stored)?;
        let mut out = Updated {
            updated: updates.keys().cloned().collect(),
            ..Updated::default()
        };
        for name in removals {
            match properties.remove(name) {
                Some(_) => out.removed.push(name.clone()),
                None => out.missing.push(name.clone()),
            }
        }
        properties.extend(updates.clone());
        let changes = Changes::new()
            .expect_at(Kind::TableNamespace, namespace.row(), stored.sequence)
            .put(Kind::TableNamespace, namespace.row(), value(&properties)?);
        match permit.commit(changes).await {
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            done => return done.map(|_| out),
        }
    }
    Err(busy())
}

/// Deletes a namespace, which must be empty.
///
/// # Errors
/// `NoSuchNamespaceException`, `NamespaceNotEmptyException`.
pub async fn delete(permit: &WritePermit, namespace: &Namespace) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let stored = find(permit, namespace)?;
        let mark = permit.entry(Kind::TableNamespace, &namespace.mark())?;
        let seen = mark.as_ref().map_or(stored.sequence, |m| m.sequence);
        let inside = !children(permit, Some(namespace), "", 1)?.names.is_empty();
        if inside || !names(permit, namespace, "", 1, |_| true)?.names.is_empty() {
            return Err(not_empty(namespace));
        }
        let mut changes = Changes::new()
            .expect_at(Kind::TableNamespace, namespace.row(), stored.sequence)
            .expect_unchanged_since(Kind::TableNamespace, namespace.mark(), seen)
            .delete(Kind::TableNamespace, namespace.row());
        if mark.is_some() {
            changes = changes.delete(Kind::TableNamespace, namespace.mark());
        }
        match permit.commit(changes).await {
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            done => return done.map(drop),
        }
    }
    Err(busy())
}

/// The namespaces right under one, or the outermost, after a level.
///
/// # Errors
/// `NoSuchNamespaceException`.
pub fn list(
    permit: &ReadPermit,
    parent: Option<&Namespace>,
    after: &str,
    limit: usize,
) -> Result<Names<Namespace>> {
    if let Some(parent) = parent {
        find(permit, parent)?;
    }
    children(permit, parent, after, limit)
}

fn children(
    permit: &Permit,
    parent: Option<&Namespace>,
    after: &str,
    limit: usize,
) -> Result<Names<Namespace>> {
    let mut prefix = parent.map(Namespace::row).unwrap_or_default();
    if parent.is_some() {
        prefix.push(0x1f);
    }
    let above = parent.map(|p| p.levels().to_vec()).unwrap_or_default();
    let end = end_of(&prefix);
    // A level's own rows are before this: no level holds what sorts before a blank.
    let behind = |level: &str| [&prefix, level.as_bytes(), b" "].concat();
    let mut start = match after {
        "" => prefix.clone(),
        after => behind(after),
    };
    let limit = limit.clamp(1, NAMES_PAGE_MAX);
    let mut found: Vec<String> = Vec::new();
    while found.len() <= limit {
        let page = permit.scan(
            Kind::TableNamespace,
            &start,
            end.as_deref(),
            Direction::Forward,
            1,
        )?;
        let Some(first) = page.entries.first() else { break };
        let name =
            String::from_utf8_lossy(first.key.name.get(prefix.len()..).unwrap_or_default()).into_owned();
        let level = name
            .split([SEPARATOR, '\0'])
            .next()
            .unwrap_or_default()
            .to_owned();
        start = behind(&level);
        found.push(level);
    }
    let (levels, next) = cut(found, limit);
    let names = levels
        .into_iter()
        .map(|level| Namespace::new([&*above, &[level]].concat()));
    Ok(Names {
        names: names.collect::<Result<_>>()?,
        next,
    })
}

/// The tables of a namespace, or its views, after a name.
///
/// # Errors
/// `NoSuchNamespaceException`.
pub fn names_of(
    permit: &ReadPermit,
    (namespace, what): (&Namespace, What),
    after: &str,
    limit: usize,
) -> Result<Names<String>> {
    find(permit, namespace)?;
    names(permit, namespace, after, limit, |row| What::of(row.view) == what)
}

fn names(
    permit: &Permit,
    namespace: &Namespace,
    after: &str,
    limit: usize,
    counts: impl Fn(&NameRow) -> bool,
) -> Result<Names<String>> {
    let prefix = namespace.tables();
    let mut start = [&*prefix, after.as_bytes()].concat();
    if !after.is_empty() {
        start.push(0);
    }
    let limit = limit.clamp(1, NAMES_PAGE_MAX);
    let mut found = Vec::new();
    while found.len() <= limit {
        let left = limit.saturating_sub(found.len()).saturating_add(1);
        let end = end_of(&prefix);
        let page = permit.scan(Kind::TableName, &start, end.as_deref(), Direction::Forward, left)?;
        let Some(last) = page.entries.last() else { break };
        start = [&*last.key.name, &[0]].concat();
        for stored in &page.entries {
            let name = stored.key.name.get(prefix.len()..).unwrap_or_default();
            if counts(&NameRow::read(&stored.value.meta)?) {
                found.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        if !page.more {
            break;
        }
    }
    let (names, next) = cut(found, limit);
    Ok(Names { names, next })
}

/// At most so many, and the last of them if there are more.
fn cut(mut found: Vec<String>, limit: usize) -> (Vec<String>, Option<String>) {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).cloned();
    (found, next)
}

/// The end of the names that begin so: a prefix here ends with a byte that can be made one more.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let (last, rest) = prefix.split_last()?;
    let mut end = rest.to_vec();
    end.push(last.saturating_add(1));
    Some(end)
}

fn busy() -> craton_base::Error {
    commit_failed("the namespace is being changed by others; try again")
}
