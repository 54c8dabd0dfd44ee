//! Listing versions: by key, newest first within a key, grouped by common prefixes.
//!
//! Invariants
//! - what a page shows, the next page does not, and what is hidden by a version on an earlier page stays hidden;
//! - a common prefix is shown only if a version under it is to be seen.

use std::ops::ControlFlow;

use bytes::Bytes;
use craton_base::Sequence;
use craton_gate::{Flow, Head, Kind, ReadPermit, Standing};

use super::{
    After, Each, LOOKS_AT_ONCE, LOOKS_MAX, PAGE_KEYS_MAX, borrowed_text, common_prefix, is_common_prefix,
    successor, text,
};
use crate::{
    Result,
    meta::{MarkerMeta, ObjectMeta},
    version::{VersionId, nulls},
};

/// Where a listing of versions goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionsAfter {
    /// After every version of a key, or of every key under a common prefix.
    Name(After),
    /// After this version of this key.
    Version(String, VersionId),
}

/// What is listed.
#[derive(Clone, Debug, Default)]
pub struct VersionsListing {
    /// Only keys that begin with it.
    pub prefix: String,
    /// Keys that hold it after the prefix are shown as one common prefix.
    pub delimiter: Option<String>,
    /// Where to go on.
    pub after: Option<VersionsAfter>,
    /// The most rows, at most [`PAGE_KEYS_MAX`].
    pub limit: usize,
}

/// A version in a listing.
#[derive(Clone, Debug)]
pub struct ListedVersion {
    /// The object's key.
    pub key: String,
    /// The version's name.
    pub id: VersionId,
    /// Whether it is the newest of its key.
    pub latest: bool,
    /// What it is.
    pub what: What,
}

/// What a version is.
#[derive(Clone, Debug)]
pub enum What {
    /// An object.
    Object(Box<ObjectMeta>),
    /// A delete marker.
    Marker(MarkerMeta),
}

/// A page of versions.
#[derive(Clone, Debug, Default)]
pub struct VersionsPage {
    /// Those that are under no common prefix, in order.
    pub versions: Vec<ListedVersion>,
    /// The common prefixes, in order.
    pub prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<VersionsAfter>,
}

impl VersionsAfter {
    /// From `key-marker` and `version-id-marker`.
    ///
    /// # Errors
    /// `InvalidArgument` for a version that is none.
    pub fn from_markers(
        key: &str,
        version: Option<&str>,
        prefix: &str,
        delimiter: Option<&str>,
    ) -> Result<Self> {
        match version {
            Some(id) => Ok(Self::Version(key.to_owned(), VersionId::parse(id)?)),
            None => Ok(Self::Name(After::from_marker(key, prefix, delimiter))),
        }
    }
}

/// Lists the versions under the prefix that `permit` is for. As [`super::list`], a page may be short and not the last.
///
/// # Errors
/// The gate's own; `Corrupt` if an entry does not parse.
pub async fn list_versions(permit: &ReadPermit, listing: &VersionsListing) -> Result<VersionsPage> {
    permit.bucket()?;
    page(permit, listing, LOOKS_MAX).await
}

/// What a walk reads.
trait Rows {
    /// Shows versions, newest first within a name, as [`craton_gate::Permit::visit_versions`] does.
    fn visit(
        &self,
        names: (&[u8], Option<&[u8]>),
        after: Option<(&[u8], Sequence)>,
        each: &mut Each<'_>,
    ) -> Result<()>;

    /// The newest row of a name.
    fn newest(&self, name: &[u8]) -> Result<Option<Sequence>>;

    /// The newest row of a name that is not kept: that of its null version.
    fn null(&self, name: &[u8]) -> Result<Option<Sequence>>;
}

impl Rows for ReadPermit {
    fn visit(
        &self,
        names: (&[u8], Option<&[u8]>),
        after: Option<(&[u8], Sequence)>,
        each: &mut Each<'_>,
    ) -> Result<()> {
        self.visit_versions(Kind::Object, names, after, each)
    }

    fn newest(&self, name: &[u8]) -> Result<Option<Sequence>> {
        let newest = craton_gate::Permit::newest(self, Kind::Object, name)?;
        Ok(newest.map(|version| version.stored.sequence))
    }

    fn null(&self, name: &[u8]) -> Result<Option<Sequence>> {
        let newest = nulls(self, name, None)?;
        Ok(newest.first().map(|version| version.stored.sequence))
    }
}

/// A page for which so many rows are looked at, about.
async fn page(
    rows: &(impl Rows + Sync),
    listing: &VersionsListing,
    looks_max: usize,
) -> Result<VersionsPage> {
    let limit = listing.limit.min(PAGE_KEYS_MAX);
    let Some(mut walk) = VersionsWalk::begin(rows, listing, looks_max)? else {
        return Ok(VersionsPage::default());
    };
    if limit == 0 {
        return Ok(walk.page);
    }
    loop {
        let (start, end) = (walk.start.clone(), walk.end.clone());
        let after = walk.after.take();
        let after = after.as_ref().map(|(name, sequence)| (&**name, *sequence));
        let mut stopped = None;
        rows.visit((&start, end.as_deref()), after, &mut |head| {
            Ok(match walk.look(rows, listing, limit, &head)? {
                ControlFlow::Continue(flow) => flow,
                ControlFlow::Break(why) => {
                    stopped = Some(why);
                    Flow::Stop
                }
            })
        })?;
        match stopped {
            Some(Stopped::Resting) => tokio::task::yield_now().await,
            Some(Stopped::Done) | None => return Ok(walk.page),
        }
    }
}

/// Why a visit ended before its rows did.
enum Stopped {
    /// Others have their turn.
    Resting,
    /// The page is at its end.
    Done,
}

/// A walk over rows.
struct VersionsWalk {
    start: Bytes,
    end: Option<Vec<u8>>,
    /// The row that was looked at last, where the walk rested.
    after: Option<(Bytes, Sequence)>,
    /// The key that is being walked over.
    key: Option<Key>,
    /// What was shown last.
    last: Option<VersionsAfter>,
    /// Rows looked at, and how many may be.
    looks: usize,
    looks_max: usize,
    page: VersionsPage,
}

struct Key {
    name: Bytes,
    newest: Sequence,
    /// Whether rows of it were on an earlier page.
    resumed: bool,
    /// The row of its null version, once it is known.
    null: Option<Sequence>,
}

impl Key {
    /// Whether a row that is not kept was superseded by a newer one.
    fn hides(&mut self, rows: &impl Rows, row: Sequence) -> Result<bool> {
        if self.null.is_none() && self.resumed {
            self.null = rows.null(&self.name)?;
        }
        Ok(*self.null.get_or_insert(row) != row)
    }
}

/// Where a listing goes on after a version, and its key; from the newest version where there is no such version any
/// more, and so no place.
fn resume(rows: &impl Rows, key: &str, id: VersionId) -> Result<Option<(Sequence, Key)>> {
    let name = key.as_bytes();
    let after = match id {
        VersionId::Number(sequence) => Some(sequence),
        VersionId::Null => rows.null(name)?,
    };
    Ok(after.zip(rows.newest(name)?).map(|(after, newest)| {
        let key = Key {
            name: Bytes::copy_from_slice(name),
            newest,
            resumed: true,
            null: None,
        };
        (after, key)
    }))
}

impl VersionsWalk {
    /// `None` if there is nothing after where it is to begin.
    fn begin(rows: &impl Rows, listing: &VersionsListing, looks_max: usize) -> Result<Option<Self>> {
        let (mut start, mut after, mut key) = (Some(Vec::new()), None, None);
        let mut begun: &[u8] = &[];
        match &listing.after {
            None => {}
            Some(VersionsAfter::Name(After::Key(k))) => start = Some([k.as_bytes(), &[0]].concat()),
            Some(VersionsAfter::Name(After::Prefix(p))) => start = successor(p.as_bytes()),
            Some(VersionsAfter::Version(k, id)) => {
                begun = k.as_bytes();
                start = Some(begun.to_vec());
                (after, key) = resume(rows, k, *id)?.unzip();
            }
        }
        let prefix = listing.prefix.as_bytes();
        Ok(start.map(|start| Self {
            start: start.max(prefix.to_vec()).into(),
            end: successor(prefix),
            after: after.map(|sequence| (Bytes::copy_from_slice(begun), sequence)),
            key,
            last: None,
            looks: 0,
            looks_max,
            page: VersionsPage::default(),
        }))
    }

    fn look(
        &mut self,
        rows: &impl Rows,
        listing: &VersionsListing,
        limit: usize,
        head: &Head<'_>,
    ) -> Result<ControlFlow<Stopped, Flow>> {
        if self.key.as_ref().is_none_or(|key| key.name != head.name) {
            if let Some(done) = self.key.as_ref().filter(|_| self.looks >= self.looks_max) {
                // Between keys: what follows a key that was looked at whole, unless its marker would pass over that.
                let done = text(&done.name)?;
                let passes = is_common_prefix(&done, &listing.prefix, listing.delimiter.as_deref());
                if !(passes && head.name.starts_with(done.as_bytes())) {
                    self.page.next = Some(VersionsAfter::Name(After::Key(done)));
                    return Ok(ControlFlow::Break(Stopped::Done));
                }
            }
            self.key = Some(Key {
                name: Bytes::copy_from_slice(head.name),
                newest: head.sequence,
                resumed: false,
                null: None,
            });
        }
        let shown = self.show(rows, listing, limit, head)?;
        self.looks += 1;
        if matches!(shown, ControlFlow::Continue(_)) && self.looks.is_multiple_of(LOOKS_AT_ONCE) {
            return Ok(ControlFlow::Break(self.rest(head, shown)));
        }
        Ok(shown)
    }

    /// Notes where to go on.
    fn rest(&mut self, head: &Head<'_>, shown: ControlFlow<Stopped, Flow>) -> Stopped {
        match shown {
            ControlFlow::Continue(Flow::Skip(name)) => self.start = name,
            _ => self.after = Some((Bytes::copy_from_slice(head.name), head.sequence)),
        }
        Stopped::Resting
    }

    fn show(
        &mut self,
        rows: &impl Rows,
        listing: &VersionsListing,
        limit: usize,
        head: &Head<'_>,
    ) -> Result<ControlFlow<Stopped, Flow>> {
        let hidden = match &mut self.key {
            Some(key) if !head.kept => key.hides(rows, head.sequence)?,
            _ => false,
        };
        if hidden || head.standing == Standing::Deleted {
            return Ok(ControlFlow::Continue(Flow::Next));
        }
        if self.page.versions.len() + self.page.prefixes.len() >= limit {
            self.page.next = self.last.take();
            return Ok(ControlFlow::Break(Stopped::Done));
        }
        let name = borrowed_text(head.name)?;
        if let Some(common) = common_prefix(name, &listing.prefix, listing.delimiter.as_deref()) {
            self.page.prefixes.push(common.to_owned());
            self.last = Some(VersionsAfter::Name(After::Prefix(common.to_owned())));
            self.key = None;
            return Ok(match successor(common.as_bytes()) {
                Some(next) => ControlFlow::Continue(Flow::Skip(next.into())),
                None => ControlFlow::Break(Stopped::Done),
            });
        }
        let id = VersionId::of_row(head.kept, head.sequence);
        let what = match head.standing {
            Standing::Marked => What::Marker(MarkerMeta::read(head.meta)?),
            _ => What::Object(Box::new(ObjectMeta::read(head.meta)?)),
        };
        self.last = Some(VersionsAfter::Version(name.to_owned(), id));
        self.page.versions.push(ListedVersion {
            key: name.to_owned(),
            id,
            latest: self.key.as_ref().is_some_and(|key| key.newest == head.sequence),
            what,
        });
        Ok(ControlFlow::Continue(Flow::Next))
    }
}

#[cfg(test)]
mod tests;
