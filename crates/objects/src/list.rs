//! Listing objects: prefix, delimiter, where to go on.
//!
//! A common prefix is passed over by seeking to the first name after everything under it, so a page
//! costs what it shows, not what it hides.
//!
//! Deliberately absent: the two versions of the protocol's listing, which differ only in how they
//! say where to go on.

mod versions;

pub use versions::{ListedVersion, VersionsAfter, VersionsListing, VersionsPage, What, list_versions};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use craton_base::Error as BaseError;
use craton_gate::{Direction, Kind, ReadPermit, Stored};

use crate::{
    Error, Fault, Result,
    checksum::{self, Algorithm},
    meta::ObjectMeta,
};

/// The most keys and common prefixes in one page.
pub const PAGE_KEYS_MAX: usize = 1000;

/// How many entries are fetched at first where a delimiter may hide most of them.
const FETCH_FIRST: usize = 16;

/// How many at least: the first of a group, and one that may be under no group or in the next.
const FETCH_LEAST: usize = 2;

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// After this key.
    Key(String),
    /// After every key that begins with this common prefix.
    Prefix(String),
}

/// What is listed.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Only keys that begin with it.
    pub prefix: String,
    /// Keys that hold it after the prefix are shown as one common prefix.
    pub delimiter: Option<String>,
    /// Where to go on.
    pub after: Option<After>,
    /// The most rows, at most [`PAGE_KEYS_MAX`].
    pub limit: usize,
}

/// An object in a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// What is stored about it.
    pub meta: ObjectMeta,
}

/// A page of a listing.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    /// The entries that are under no common prefix, by key.
    pub entries: Vec<T>,
    /// The common prefixes, in order.
    pub prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<After>,
}

impl After {
    /// As a continuation token: opaque to clients, checked when it comes back.
    #[must_use]
    pub fn to_token(&self) -> String {
        let (flag, text) = match self {
            Self::Key(k) => (0u8, k),
            Self::Prefix(p) => (1, p),
        };
        let mut out = vec![1, flag];
        out.extend_from_slice(text.as_bytes());
        let check = checksum::of(Algorithm::Crc32c, &out);
        out.extend_from_slice(&check);
        BASE64.encode(out)
    }

    /// Reads a continuation token.
    ///
    /// # Errors
    /// `InvalidArgument` for anything that [`After::to_token`] did not make.
    pub fn from_token(token: &str) -> Result<Self> {
        let bad = || {
            Error::fault(
                Fault::InvalidArgument,
                "The continuation token provided is incorrect.",
            )
        };
        let raw = BASE64.decode(token).map_err(|_| bad())?;
        let at = raw.len().checked_sub(4).ok_or_else(bad)?;
        let (body, check) = raw.split_at_checked(at).ok_or_else(bad)?;
        if checksum::of(Algorithm::Crc32c, body) != check {
            return Err(bad());
        }
        let (head, text) = body.split_at_checked(2).ok_or_else(bad)?;
        let text = String::from_utf8(text.to_vec()).map_err(|_| bad())?;
        match head {
            [1, 0] => Ok(Self::Key(text)),
            [1, 1] => Ok(Self::Prefix(text)),
            _ => Err(bad()),
        }
    }

    /// From a `marker` or `start-after`: a common prefix that was given back as a marker passes over
    /// everything under it.
    #[must_use]
    pub fn from_marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> Self {
        match common_prefix(marker, prefix, delimiter) {
            Some(common) if common == marker => Self::Prefix(marker.to_owned()),
            _ => Self::Key(marker.to_owned()),
        }
    }

    /// The text of it, for a listing that names it as a marker.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Key(t) | Self::Prefix(t) => t,
        }
    }
}

/// Lists the objects under the prefix that `permit` is for.
///
/// # Errors
/// The gate's own; `Corrupt` if an entry does not parse.
pub fn list(permit: &ReadPermit, listing: &Listing) -> Result<ListPage<Listed>> {
    permit.bucket()?;
    let start = match &listing.after {
        None => Some(Vec::new()),
        Some(After::Key(key)) => Some([key.as_bytes(), &[0]].concat()),
        Some(After::Prefix(prefix)) => successor(prefix.as_bytes()),
    };
    let walk = Walk {
        prefix: &listing.prefix,
        delimiter: listing.delimiter.as_deref(),
        start,
        limit: listing.limit.min(PAGE_KEYS_MAX),
    };
    let page = walk.run(|start, end, limit| {
        let page = permit.scan(Kind::Object, start, end, Direction::Forward, limit)?;
        let rows = page.entries.iter().map(row).collect::<Result<_>>()?;
        Ok(Fetched {
            rows,
            more: page.more,
        })
    })?;
    let next = page.next.map(|row| match row {
        Last::Row(listed) => After::Key(listed),
        Last::Prefix(prefix) => After::Prefix(prefix),
    });
    Ok(ListPage {
        entries: page.entries,
        prefixes: page.prefixes,
        next,
    })
}

fn row(stored: &Stored) -> Result<Row<Listed>> {
    let key = text(&stored.key.name)?;
    let meta = ObjectMeta::read(&stored.value.meta)?;
    Ok(Row {
        name: stored.key.name.clone(),
        key: key.clone(),
        item: Listed { key, meta },
    })
}

pub(crate) fn text(name: &[u8]) -> Result<String> {
    std::str::from_utf8(name).map(ToOwned::to_owned).map_err(|e| {
        BaseError::corrupt("a stored key is not UTF-8")
            .with_source(e)
            .into()
    })
}

/// The common prefix that `key` is shown under, if it is.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The least name after every name that begins with `prefix`; `None` if there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if let Some(next) = last.checked_add(1) {
            out.push(next);
            return Some(out);
        }
    }
    None
}

/// An entry of a walk: its name, the key within it, and what is shown.
pub(crate) struct Row<T> {
    pub(crate) name: Bytes,
    pub(crate) key: String,
    pub(crate) item: T,
}

pub(crate) struct Fetched<T> {
    pub(crate) rows: Vec<Row<T>>,
    pub(crate) more: bool,
}

/// The last thing that a walk showed.
pub(crate) enum Last {
    /// An entry's key.
    Row(String),
    /// A common prefix.
    Prefix(String),
}

pub(crate) struct Walked<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) prefixes: Vec<String>,
    /// Set if there is more.
    pub(crate) next: Option<Last>,
}

/// A walk over names in order, grouped by common prefixes.
pub(crate) struct Walk<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The first name that may be shown; `None`: there is none.
    pub(crate) start: Option<Vec<u8>>,
    pub(crate) limit: usize,
}

impl Walk<'_> {
    pub(crate) fn run<T>(
        self,
        mut fetch: impl FnMut(&[u8], Option<&[u8]>, usize) -> Result<Fetched<T>>,
    ) -> Result<Walked<T>> {
        let mut out = Walked {
            entries: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let end = successor(self.prefix.as_bytes());
        let mut start = self.start.map(|s| s.max(self.prefix.as_bytes().to_vec()));
        let mut batch = if self.delimiter.is_some() {
            FETCH_FIRST
        } else {
            self.limit.saturating_add(1)
        };
        let mut last: Option<Last> = None;
        while let Some(from) = start.take().filter(|_| self.limit > 0) {
            if end.as_ref().is_some_and(|end| from >= *end) {
                break;
            }
            let shown = out.entries.len() + out.prefixes.len();
            let page = fetch(&from, end.as_deref(), batch.min(self.limit - shown + 1))?;
            let (rows, mut hidden) = (page.rows.len(), 0);
            let mut tail = None;
            for row in page.rows {
                tail = Some(row.name);
                if matches!(&last, Some(Last::Prefix(p)) if row.key.starts_with(p.as_str())) {
                    hidden += 1;
                    continue;
                }
                if out.entries.len() + out.prefixes.len() == self.limit {
                    out.next = last;
                    return Ok(out);
                }
                match common_prefix(&row.key, self.prefix, self.delimiter) {
                    Some(common) => {
                        out.prefixes.push(common.to_owned());
                        last = Some(Last::Prefix(common.to_owned()));
                    }
                    None => {
                        out.entries.push(row.item);
                        last = Some(Last::Row(row.key));
                    }
                }
            }
            if page.more {
                start = next_start(last.as_ref(), tail);
            }
            // Where groups are large, what is fetched is mostly hidden: less is fetched at once.
            batch = if hidden == 0 {
                batch.saturating_mul(4).min(PAGE_KEYS_MAX + 1)
            } else if 2 * hidden > rows {
                (batch / 4).max(FETCH_LEAST)
            } else {
                batch
            };
        }
        Ok(out)
    }
}

/// Where the next fetch begins: past the common prefix that the last row is under, or past the last row.
fn next_start(last: Option<&Last>, tail: Option<Bytes>) -> Option<Vec<u8>> {
    let tail = tail?;
    if let Some(Last::Prefix(prefix)) = last
        && tail.starts_with(prefix.as_bytes())
    {
        return successor(prefix.as_bytes());
    }
    Some([&tail[..], &[0]].concat())
}

#[cfg(test)]
mod tests;
