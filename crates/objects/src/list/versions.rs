//! Listing versions: by key, newest first within a key, grouped by common prefixes.
//!
//! Invariants
//! - what a page shows, the next page does not, and what is hidden by a version on an earlier page stays hidden;
//! - a common prefix is shown only if a version under it is to be seen.

use bytes::Bytes;
use craton_base::Sequence;
use craton_gate::{Kind, ReadPermit, Standing, StoredVersion};

use super::{After, PAGE_KEYS_MAX, common_prefix, successor, text};
use crate::{
    Result,
    meta::{MarkerMeta, ObjectMeta},
    version::{VersionId, nulls, row},
};

/// How many rows are read at once: few at first where a delimiter may hide most of them.
const ROWS_FIRST: usize = 16;

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

/// Lists the versions under the prefix that `permit` is for.
///
/// # Errors
/// The gate's own; `Corrupt` if an entry does not parse.
pub async fn list_versions(permit: &ReadPermit, listing: &VersionsListing) -> Result<VersionsPage> {
    permit.bucket()?;
    let limit = listing.limit.min(PAGE_KEYS_MAX);
    let Some(mut walk) = VersionsWalk::begin(permit, listing)? else {
        return Ok(VersionsPage::default());
    };
    if limit == 0 {
        return Ok(walk.page);
    }
    let mut at_once = ROWS_FIRST;
    loop {
        let span = (&*walk.start, walk.end.as_deref());
        let after = walk.after.as_ref().map(|(name, sequence)| (&**name, *sequence));
        let rows = permit.history(Kind::Object, span, after, at_once)?;
        if rows.is_empty() {
            return Ok(walk.page);
        }
        for row in rows {
            match walk.take(permit, listing, limit, row)? {
                Step::Next => {}
                Step::Seek => break,
                Step::Full => return Ok(walk.page),
            }
        }
        at_once = at_once.saturating_mul(4).min(PAGE_KEYS_MAX);
        // Rows that are not to be seen may be many.
        tokio::task::yield_now().await;
    }
}

/// A walk over rows.
struct VersionsWalk {
    start: Bytes,
    end: Option<Vec<u8>>,
    /// The row that was looked at last, if it is within the span.
    after: Option<(Bytes, Sequence)>,
    /// The key that is being walked over.
    key: Option<Key>,
    /// What was shown last.
    last: Option<VersionsAfter>,
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
    fn hides(&mut self, permit: &ReadPermit, row: Sequence) -> Result<bool> {
        if self.null.is_none() && self.resumed {
            let newest = nulls(permit, &self.name, None)?;
            self.null = newest.first().map(|version| version.stored.sequence);
        }
        Ok(*self.null.get_or_insert(row) != row)
    }
}

/// Where a listing goes on after a version, and its key; from the newest version where there is no such version any
/// more, and so no place.
fn resume(permit: &ReadPermit, key: &str, id: VersionId) -> Result<Option<(Sequence, Key)>> {
    let name = key.as_bytes();
    let after = match id {
        VersionId::Number(sequence) => Some(sequence),
        VersionId::Null => row(permit, name, id)?.map(|version| version.stored.sequence),
    };
    let newest = permit.newest(Kind::Object, name)?;
    Ok(after.zip(newest).map(|(after, newest)| {
        let key = Key {
            name: newest.stored.key.name,
            newest: newest.stored.sequence,
            resumed: true,
            null: None,
        };
        (after, key)
    }))
}

enum Step {
    Next,
    /// The rest of the rows that were read is under a common prefix.
    Seek,
    Full,
}

impl VersionsWalk {
    /// `None` if there is nothing after where it is to begin.
    fn begin(permit: &ReadPermit, listing: &VersionsListing) -> Result<Option<Self>> {
        let (mut start, mut after, mut key) = (Some(Vec::new()), None, None);
        let mut begun: &[u8] = &[];
        match &listing.after {
            None => {}
            Some(VersionsAfter::Name(After::Key(k))) => start = Some([k.as_bytes(), &[0]].concat()),
            Some(VersionsAfter::Name(After::Prefix(p))) => start = successor(p.as_bytes()),
            Some(VersionsAfter::Version(k, id)) => {
                begun = k.as_bytes();
                start = Some(begun.to_vec());
                (after, key) = resume(permit, k, *id)?.unzip();
            }
        }
        let prefix = listing.prefix.as_bytes();
        Ok(start.map(|start| Self {
            start: start.max(prefix.to_vec()).into(),
            end: successor(prefix),
            after: after.map(|sequence| (Bytes::copy_from_slice(begun), sequence)),
            key,
            last: None,
            page: VersionsPage::default(),
        }))
    }

    fn take(
        &mut self,
        permit: &ReadPermit,
        listing: &VersionsListing,
        limit: usize,
        version: StoredVersion,
    ) -> Result<Step> {
        let StoredVersion { stored, standing } = version;
        self.after = Some((stored.key.name.clone(), stored.sequence));
        let key = self.key.take().filter(|key| key.name == stored.key.name);
        let key = self.key.insert(key.unwrap_or_else(|| Key {
            name: stored.key.name.clone(),
            newest: stored.sequence,
            resumed: false,
            null: None,
        }));
        let hidden = !stored.value.kept && key.hides(permit, stored.sequence)?;
        if hidden || standing == Standing::Deleted {
            return Ok(Step::Next);
        }
        let latest = key.newest == stored.sequence;
        let name = text(&stored.key.name)?;
        if self.page.versions.len() + self.page.prefixes.len() >= limit {
            self.page.next = self.last.take();
            return Ok(Step::Full);
        }
        if let Some(common) = common_prefix(&name, &listing.prefix, listing.delimiter.as_deref()) {
            self.page.prefixes.push(common.to_owned());
            self.last = Some(VersionsAfter::Name(After::Prefix(common.to_owned())));
            return Ok(self.pass(common));
        }
        let id = VersionId::of(&stored);
        let what = match standing {
            Standing::Marked => What::Marker(MarkerMeta::read(&stored.value.meta)?),
            _ => What::Object(Box::new(ObjectMeta::read(&stored.value.meta)?)),
        };
        self.last = Some(VersionsAfter::Version(name.clone(), id));
        self.page.versions.push(ListedVersion {
            key: name,
            id,
            latest,
            what,
        });
        Ok(Step::Next)
    }

    /// Goes on after everything under a common prefix.
    fn pass(&mut self, common: &str) -> Step {
        self.after = None;
        self.key = None;
        match successor(common.as_bytes()) {
            Some(start) => self.start = start.into(),
            None => self.end = Some(self.start.to_vec()),
        }
        Step::Seek
    }
}
