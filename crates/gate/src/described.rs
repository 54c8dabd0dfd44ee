//! What the gate itself reads of an object to decide about it: its tags and its access control list, those of the
//! version that the request names.
//!
//! Invariant: what can not be read gives nothing.

use bytes::Bytes;
use craton_base::{BranchId, ResourcePath, Sequence};
use craton_store::{
    namespace::{Kind, Span},
    value::{Standing, StoredVersion},
};

use crate::{
    ask::Fact,
    configuration::{Acl, acl, state::BucketState},
    gate::Inner,
    tags::Tags,
};

/// How many rows are read at once where the null version is looked for.
const ROWS_AT_ONCE: usize = 64;

/// The condition key that names a version.
const VERSION: &str = "s3:VersionId";

impl Inner {
    /// The list of an object that has one of its own.
    pub(crate) fn object_acl(
        &self,
        bucket: &BucketState,
        resource: &ResourcePath,
        facts: &[Fact],
    ) -> Option<Acl> {
        acl::of_object(&self.description(bucket, resource, facts)?).ok()?
    }

    /// The tags that an object has. If they can not be read, neither can the object.
    pub(crate) fn object_tags(
        &self,
        bucket: &BucketState,
        resource: &ResourcePath,
        facts: &[Fact],
    ) -> Option<Tags> {
        Some(Tags::of_object(&self.description(bucket, resource, facts)?))
    }

    fn description(&self, bucket: &BucketState, resource: &ResourcePath, facts: &[Fact]) -> Option<Bytes> {
        let ResourcePath::Object(_, key) = resource else {
            return None;
        };
        let name = key.as_str().as_bytes();
        let span = Span {
            bucket: bucket.info.id,
            branch: BranchId::MAIN,
            kind: Kind::Object,
            start: Bytes::copy_from_slice(name),
            end: Some([name, &[0]].concat().into()),
        };
        let version = facts.iter().find(|(key, _)| key == VERSION);
        let found = match version.map(|(_, text)| text.as_str()) {
            None => self.row_until(&span, Sequence::MAX),
            Some("null") => self.null_row(&span),
            Some(text) => {
                let number = number(text)?;
                let found = self.row_until(&span, number);
                found.filter(|v| v.stored.sequence == number)
            }
        };
        let found = found.filter(|v| v.standing == Standing::Exists)?;
        Some(found.stored.value.meta)
    }

    /// The newest row that is not later.
    fn row_until(&self, span: &Span, until: Sequence) -> Option<StoredVersion> {
        let after = (&*span.start, Sequence(until.0.saturating_add(1)));
        let after = (until != Sequence::MAX).then_some(after);
        self.store.history(span, after, 1).ok()?.pop()
    }

    /// The newest row that has no name of its own.
    fn null_row(&self, span: &Span) -> Option<StoredVersion> {
        let mut after = None;
        loop {
            let from = after.map(|sequence| (&*span.start, sequence));
            let rows = self.store.history(span, from, ROWS_AT_ONCE).ok()?;
            after = Some(rows.last()?.stored.sequence);
            if let Some(found) = rows.into_iter().find(|v| !v.stored.value.kept) {
                return Some(found);
            }
        }
    }
}

/// The commit in a version's name: the last 16 of its 24 hexadecimal digits.
fn number(text: &str) -> Option<Sequence> {
    let digits = text.get(8..).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().map(Sequence)
}
