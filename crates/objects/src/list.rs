//! Listing objects: prefix, delimiter, where to go on.
//!
//! A common prefix is passed over by seeking to the first name after everything under it, so a page
//! costs what it shows, not what it hides. What it can not seek past, deleted names, is bounded: a page looks at
//! [`LOOKS_MAX`] names, and then ends, short or empty, with a place between names to go on from.
//!
//! Deliberately absent: the two versions of the protocol's listing, which differ only in how they
//! say where to go on.

mod versions;

pub use versions::{ListedVersion, VersionsAfter, VersionsListing, VersionsPage, What, list_versions};

use std::ops::ControlFlow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use craton_base::Error as BaseError;
use craton_gate::{Flow, Head, Kind, ReadPermit, Standing};

use crate::{
    Error, Result,
    checksum::{self, Algorithm},
    meta::ObjectMeta,
};

/// The most keys and common prefixes in one page.
pub const PAGE_KEYS_MAX: usize = 1000;

/// How many names are looked at before others have their turn on the processor.
pub(crate) const LOOKS_AT_ONCE: usize = 256;

/// The most names that a page looks at, about: some ten milliseconds.
pub(crate) const LOOKS_MAX: usize = 65_536;

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
            let message = "The continuation token provided is incorrect";
            Error::argument("continuation-token", token, message)
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
        if is_common_prefix(marker, prefix, delimiter) {
            Self::Prefix(marker.to_owned())
        } else {
            Self::Key(marker.to_owned())
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

/// Lists the objects under the prefix that `permit` is for. A page may be short, even empty, and not the last:
/// only [`ListPage::next`] tells.
///
/// # Errors
/// The gate's own; `Corrupt` if an entry does not parse.
pub async fn list(permit: &ReadPermit, listing: &Listing) -> Result<ListPage<Listed>> {
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
        looks_max: LOOKS_MAX,
        key: borrowed_text,
        item: |head: &Head<'_>, key: &str| {
            Ok(Listed {
                key: key.to_owned(),
                meta: ObjectMeta::read(head.meta)?,
            })
        },
    };
    let visit = |start: &[u8], end: Option<&[u8]>, each: &mut Each<'_>| {
        permit.visit(Kind::Object, (start, end), each)
    };
    let page = walk.run(visit).await?;
    Ok(ListPage {
        entries: page.entries,
        prefixes: page.prefixes,
        next: page.next,
    })
}

/// Who looks at names.
pub(crate) type Each<'e> = dyn FnMut(Head<'_>) -> Result<Flow> + Send + 'e;

pub(crate) fn borrowed_text(name: &[u8]) -> Result<&str> {
    std::str::from_utf8(name).map_err(|e| {
        BaseError::corrupt("a stored key is not UTF-8")
            .with_source(e)
            .into()
    })
}

pub(crate) fn text(name: &[u8]) -> Result<String> {
    borrowed_text(name).map(ToOwned::to_owned)
}

/// The common prefix that `key` is shown under, if it is.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// Whether `text` is one of the common prefixes.
fn is_common_prefix(text: &str, prefix: &str, delimiter: Option<&str>) -> bool {
    common_prefix(text, prefix, delimiter) == Some(text)
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

/// What a walk showed.
pub(crate) struct Walked<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) prefixes: Vec<String>,
    /// Set if there may be more.
    pub(crate) next: Option<After>,
}

/// A walk over names in order, grouped by common prefixes.
pub(crate) struct Walk<'a, K, I> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The first name that may be shown; `None`: there is none.
    pub(crate) start: Option<Vec<u8>>,
    pub(crate) limit: usize,
    /// The most names that are looked at.
    pub(crate) looks_max: usize,
    /// The key in a name.
    pub(crate) key: K,
    /// What is shown of a name and its key.
    pub(crate) item: I,
}

/// How far a walk came.
struct Progress<T> {
    out: Walked<T>,
    /// What was shown last.
    last: Option<After>,
    /// Names looked at.
    looks: usize,
    /// The last of them, where the page would have ended but for what its marker would pass over.
    before: Option<String>,
}

/// Why a visit ended before its names did.
enum Stopped {
    /// Others have their turn; it goes on from this name.
    Resting(Vec<u8>),
    /// The page is at its end.
    Done,
}

impl<K, I> Walk<'_, K, I>
where
    K: Fn(&[u8]) -> Result<&str>,
{
    /// Walks through the names that `visit` shows.
    pub(crate) async fn run<T, V>(mut self, visit: V) -> Result<Walked<T>>
    where
        I: Fn(&Head<'_>, &str) -> Result<T>,
        V: Fn(&[u8], Option<&[u8]>, &mut Each<'_>) -> Result<()>,
        Self: Sync,
        T: Send,
    {
        let mut progress = Progress {
            out: Walked {
                entries: Vec::new(),
                prefixes: Vec::new(),
                next: None,
            },
            last: None,
            looks: 0,
            before: None,
        };
        let end = successor(self.prefix.as_bytes());
        let prefix = self.prefix.as_bytes();
        let mut start = self.start.take().map(|start| start.max(prefix.to_vec()));
        while let Some(from) = start.take().filter(|_| self.limit > 0) {
            if end.as_ref().is_some_and(|end| from >= *end) {
                break;
            }
            let mut stopped = None;
            visit(&from, end.as_deref(), &mut |head| {
                Ok(match self.look(&mut progress, &head)? {
                    ControlFlow::Continue(flow) => flow,
                    ControlFlow::Break(why) => {
                        stopped = Some(why);
                        Flow::Stop
                    }
                })
            })?;
            if let Some(Stopped::Resting(name)) = stopped {
                start = Some(name);
                tokio::task::yield_now().await;
            }
        }
        Ok(progress.out)
    }

    fn look<T>(&self, progress: &mut Progress<T>, head: &Head<'_>) -> Result<ControlFlow<Stopped, Flow>>
    where
        I: Fn(&Head<'_>, &str) -> Result<T>,
    {
        let key = (self.key)(head.name)?;
        let out = &mut progress.out;
        let exists = head.standing == Standing::Exists;
        if exists && out.entries.len() + out.prefixes.len() == self.limit {
            out.next = progress.last.take();
            return Ok(ControlFlow::Break(Stopped::Done));
        }
        progress.looks += 1;
        let common = common_prefix(key, self.prefix, self.delimiter).filter(|_| exists);
        let next = match common {
            Some(common) => {
                out.prefixes.push(common.to_owned());
                progress.last = Some(After::Prefix(common.to_owned()));
                match successor(common.as_bytes()) {
                    Some(next) => Some(next),
                    None => return Ok(ControlFlow::Break(Stopped::Done)),
                }
            }
            None if exists => {
                out.entries.push((self.item)(head, key)?);
                progress.last = Some(After::Key(key.to_owned()));
                None
            }
            None => None,
        };
        if progress.looks >= self.looks_max {
            // A place between names: what was looked at last need not have been shown.
            out.next = match common {
                Some(common) => Some(After::Prefix(common.to_owned())),
                // What is under a common prefix comes next: one name more, so that a marker does not pass over it.
                None if is_common_prefix(key, self.prefix, self.delimiter) => {
                    progress.before.replace(key.to_owned()).map(After::Key)
                }
                None => Some(After::Key(key.to_owned())),
            };
            if out.next.is_some() {
                return Ok(ControlFlow::Break(Stopped::Done));
            }
        }
        if progress.looks.is_multiple_of(LOOKS_AT_ONCE) {
            let next = next.unwrap_or_else(|| [head.name, &[0]].concat());
            return Ok(ControlFlow::Break(Stopped::Resting(next)));
        }
        Ok(ControlFlow::Continue(match next {
            Some(next) => Flow::Skip(Bytes::from(next)),
            None => Flow::Next,
        }))
    }
}

#[cfg(test)]
mod tests;
