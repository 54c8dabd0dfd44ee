//! What a run changed: the resources of its edges that it wrote or deleted, and which of a resource's versions are its own. For undoing it.
//!
//! Invariants: RN-4 as everywhere; a page looks at [`ROWS_MAX`] rows at most, however many edges a resource has.
//!
//! Deliberately absent: what is done about it.

use bytes::Bytes;
use craton_base::{Error, Result, Sequence, Timestamp};
use craton_store::namespace::{self, Direction};

use super::{
    ask::{Edge, RunSummary, Sight},
    follow::Lineage,
    rows::{self, EdgeKey, EdgeRow, Id, Touch},
};
use crate::{gate::Gate, scope, session::Session};

/// Rows that are read at once.
const AT_ONCE: usize = 256;

/// Rows that one page looks at.
const ROWS_MAX: usize = 16_384;

/// Versions of one resource that are told.
const VERSIONS_MAX: usize = 64;

/// A resource that a run changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The path as records have it.
    pub resource: String,
    /// The bucket of it.
    pub bucket: String,
    /// How often it was written, as far as was looked.
    pub written: u64,
    /// How often something of it was deleted.
    pub deleted: u64,
    /// The newest of the versions that it made or deleted, as far as was looked.
    pub last: u64,
    /// The newest of them, newest first: a few.
    pub versions: Vec<u64>,
    /// When it was first changed.
    pub begun: Timestamp,
    /// Its place in the list: a page after it begins with the next.
    pub place: String,
}

/// A page of what a run changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPage {
    /// Those that the caller may know, each whole.
    pub changed: Vec<Changed>,
    /// How many of the page they may not.
    pub hidden: u64,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

/// The edges of one resource.
#[derive(Default)]
struct Group {
    found: Option<(Changed, EdgeRow)>,
}

impl Group {
    fn add(&mut self, key: &EdgeKey, row: EdgeRow) {
        if key.touch == Touch::Read {
            return;
        }
        let begun = Timestamp(row.first_micros);
        let (changed, _) = self.found.get_or_insert_with(|| {
            let changed = Changed {
                resource: row.resource.clone(),
                bucket: row.bucket.clone(),
                written: 0,
                deleted: 0,
                last: 0,
                versions: Vec::new(),
                begun,
                place: hex::encode(key.resource),
            };
            (changed, row.clone())
        });
        let sum = match key.touch {
            Touch::Write => &mut changed.written,
            _ => &mut changed.deleted,
        };
        *sum = sum.saturating_add(row.count);
        changed.begun = changed.begun.min(begun);
        changed.last = changed.last.max(key.version);
        if changed.versions.first() != Some(&key.version) {
            // Rows come by ascending version.
            changed.versions.insert(0, key.version);
            changed.versions.truncate(VERSIONS_MAX);
        }
    }
}

impl Gate {
    /// What a run changed, a page of resources after a place. Who may know the run is asked by [`Gate::run_info`]; what of it is told is
    /// decided here.
    ///
    /// # Errors
    /// `Invalid` for a place that is none; the store's own.
    pub async fn run_changes(
        &self,
        session: &Session,
        run: &RunSummary,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ChangedPage> {
        let id = rows::run_id(&run.principal, &run.run);
        let after = after.map(place).transpose()?;
        let session = session.clone();
        self.blocking(move |gate| {
            gate.inner.lineage.settle()?;
            let mut sight = gate.sight(&session);
            gate.inner.lineage.changes(&mut sight, &id, after, limit)
        })
        .await
    }

    /// Whether a version of a resource was made, or is a deletion that was made, by a run.
    ///
    /// # Errors
    /// The store's own.
    pub fn is_of_run(
        &self,
        (principal, run): (&str, &str),
        resource: &str,
        version: Sequence,
    ) -> Result<bool> {
        let run = rows::run_id(principal, run);
        let key = |touch| EdgeKey {
            run,
            resource: rows::resource_id(resource),
            version: version.0,
            touch,
        };
        for touch in [Touch::Write, Touch::Delete] {
            if self.inner.lineage.edge(&key(touch))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The run that made a version of a resource, or a deletion of it, if one did and the caller may know.
    ///
    /// # Errors
    /// The store's own.
    pub fn maker(&self, session: &Session, resource: &str, version: Sequence) -> Result<Option<Edge>> {
        let lineage = &self.inner.lineage;
        let (resource, number) = (rows::resource_id(resource), version.0.to_be_bytes());
        let mut sight = self.sight(session);
        for touch in [Touch::Write, Touch::Delete] {
            let mut found = None;
            lineage.each(&[b"V", &resource, &number, &[touch as u8]], |name, _| {
                found = Some(EdgeKey::read(name)?);
                Ok(false)
            })?;
            let Some(key) = found else { continue };
            let row = lineage.edge(&key)?;
            return Ok(row.filter(|row| sight.sees(row)).map(|row| Edge::of(&key, row)));
        }
        Ok(None)
    }
}

/// Where a page goes on: after the resource that stands in names so.
fn place(text: &str) -> Result<Id> {
    let raw = hex::decode(text).ok().and_then(|raw| Id::try_from(raw).ok());
    raw.ok_or_else(|| Error::invalid("that is no place in this list"))
}

impl Lineage {
    fn changes(
        &self,
        sight: &mut Sight<'_>,
        run: &Id,
        after: Option<Id>,
        limit: usize,
    ) -> Result<ChangedPage> {
        let mut out = ChangedPage::default();
        let mut left = ROWS_MAX;
        let mut after = after;
        while out.changed.len() < limit {
            let Some((resource, group)) = self.group(run, after.as_ref(), &mut left)? else {
                return Ok(out);
            };
            after = Some(resource);
            match group.found {
                None => {}
                Some((changed, row)) if sight.sees(&row) => out.changed.push(changed),
                Some(_) => out.hidden = out.hidden.saturating_add(1),
            }
            if left == 0 {
                break;
            }
        }
        out.next = after.map(hex::encode);
        Ok(out)
    }

    /// The edges of the run's first resource after one, as many as may be looked at.
    fn group(&self, run: &Id, after: Option<&Id>, left: &mut usize) -> Result<Option<(Id, Group)>> {
        let start = match after {
            None => [&b"E"[..], run].concat(),
            Some(after) => match scope::successor(&[&b"E"[..], run, after].concat()) {
                Some(start) => start.to_vec(),
                None => return Ok(None),
            },
        };
        let mut span = rows::span(&[b"E", run], None);
        // The next run's edges are none of this one's.
        if span
            .end
            .as_ref()
            .is_some_and(|end| start.as_slice() >= end.as_ref())
        {
            return Ok(None);
        }
        span.start = Bytes::from(start);
        let mut found: Option<(Id, Group)> = None;
        loop {
            let page: namespace::Page =
                self.namespace
                    .scan(&span, Sequence::MAX, Direction::Forward, AT_ONCE)?;
            for (key, entry) in &page.entries {
                let edge = EdgeKey::read(&key.name)?;
                let (resource, group) = found.get_or_insert_with(|| (edge.resource, Group::default()));
                if *resource != edge.resource {
                    return Ok(found);
                }
                *left = left.saturating_sub(1);
                if edge.touch != Touch::Read {
                    group.add(&edge, rows::decode(&entry.value)?);
                }
            }
            match page.entries.last() {
                Some((key, _)) if page.more && *left > 0 => {
                    span.start = [&key.name[..], &[0]].concat().into();
                }
                _ => return Ok(found),
            }
        }
    }
}
