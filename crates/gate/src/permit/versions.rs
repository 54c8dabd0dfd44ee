//! Reading what an entry was: its versions, deletions among them.
//!
//! Invariant: a read permit sees no version that is later than its snapshot.

use bytes::Bytes;
use craton_base::{Result, Sequence};
use craton_store::{
    namespace::{Kind, Span},
    value::StoredVersion,
};

use super::Permit;

impl Permit {
    /// The newest version of a name, which may be a deletion.
    ///
    /// # Errors
    /// `NoSuchBucket`; `OutsidePermit`; the store's own.
    pub fn newest(&self, kind: Kind, name: &[u8]) -> Result<Option<StoredVersion>> {
        self.version_until(kind, name, self.at())
    }

    /// The newest version of a name that is older than a commit, which may be a deletion.
    ///
    /// # Errors
    /// As [`Permit::newest`].
    pub fn before(&self, kind: Kind, name: &[u8], sequence: Sequence) -> Result<Option<StoredVersion>> {
        match sequence.0.checked_sub(1) {
            None => Ok(None),
            Some(until) => self.version_until(kind, name, Sequence(until).min(self.at())),
        }
    }

    /// The version of a name that a commit made, which may be a deletion.
    ///
    /// # Errors
    /// As [`Permit::newest`].
    pub fn version(&self, kind: Kind, name: &[u8], sequence: Sequence) -> Result<Option<StoredVersion>> {
        if sequence > self.at() {
            return Ok(None);
        }
        let found = self.version_until(kind, name, sequence)?;
        Ok(found.filter(|version| version.stored.sequence == sequence))
    }

    fn version_until(&self, kind: Kind, name: &[u8], until: Sequence) -> Result<Option<StoredVersion>> {
        let key = self.key(kind, name)?;
        let span = Span {
            bucket: key.bucket,
            branch: key.branch,
            kind,
            end: Some([name, &[0]].concat().into()),
            start: key.name,
        };
        let after = (name, Sequence(until.0.saturating_add(1)));
        let found = self.gate.store.history(&span, Some(after), 1)?.pop();
        if let Some(version) = &found {
            self.found(kind, version.stored.sequence);
        }
        Ok(found)
    }

    /// Versions of the names in `[start, end)` under the permit's path: by name, newest first within a name; at
    /// most `limit`, after the version `after` of a name. Only an empty answer means that there are no more.
    ///
    /// # Errors
    /// As [`Permit::newest`].
    pub fn history(
        &self,
        kind: Kind,
        (start, end): (&[u8], Option<&[u8]>),
        after: Option<(&[u8], Sequence)>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>> {
        let at = self.at();
        let mut after = after.map(|(name, sequence)| (Bytes::copy_from_slice(name), sequence));
        for span in self.spans(kind, start, end)? {
            loop {
                let from = after.as_ref().map(|(name, sequence)| (&**name, *sequence));
                let mut versions = self.gate.store.history(&span, from, limit)?;
                let Some(last) = versions.last() else {
                    break;
                };
                after = Some((last.stored.key.name.clone(), last.stored.sequence));
                versions.retain(|version| version.stored.sequence <= at);
                if !versions.is_empty() {
                    return Ok(versions);
                }
            }
        }
        Ok(Vec::new())
    }
}
