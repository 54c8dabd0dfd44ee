//! Listing edges by what is known of them: a relation for who asks in SQL.
//!
//! ```text
//! a run of a principal          the run's rows, of a resource and a version if they are known
//! a resource, a version         the rows that lead from them to runs
//! a principal, or a run's name  the runs that are so, and the rows of each
//! nothing                       all edges
//! ```
//!
//! Invariants
//! - a call looks at a bounded number of rows, however few of them are wanted or may be known;
//! - what may be known is what [`Gate::lineage`] would tell: one's own edges, and those of buckets whose lineage one may read.
//!
//! Deliberately absent: walks.

use bytes::Bytes;
use craton_base::{ResourcePath, Result};

use super::{
    ask::Edge,
    follow::Lineage,
    rows::{self, EdgeKey, EdgeRow},
};
use crate::{
    ask::Ask,
    gate::{Gate, Verdicts},
    session::Session,
};

/// About the most edges that a call looks at: one more run's may be added.
const EDGES_PAGE_MAX: usize = 1000;

/// The most runs that a call looks at.
const RUNS_MAX: usize = 1000;

/// Which edges to list; nothing is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgesAsk {
    /// Of the runs of this principal.
    pub principal: Option<String>,
    /// Of runs that are called so.
    pub run: Option<String>,
    /// Of this resource, as records have its path.
    pub resource: Option<String>,
    /// Of this version.
    pub version: Option<u64>,
}

/// Where a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgesPlace {
    /// The row of the last run that was looked at.
    run: Option<Bytes>,
    /// The row of the last edge; of that run, which has more then, if there is one.
    row: Option<Bytes>,
}

/// A page of edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgesPage {
    /// Those that the caller may know: perhaps none, though there are more.
    pub edges: Vec<Edge>,
    /// Where to go on, if there may be more.
    pub next: Option<EdgesPlace>,
}

/// Rows that were found, and where to go on.
type Found = (Vec<(EdgeKey, EdgeRow)>, Option<EdgesPlace>);

impl EdgesAsk {
    fn takes(&self, key: &EdgeKey, row: &EdgeRow) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        is(&self.principal, &row.principal)
            && is(&self.run, &row.run)
            && is(&self.resource, &row.resource)
            && self.version.is_none_or(|version| version == key.version)
    }
}

impl Gate {
    /// A page of the edges that are so, after a place.
    ///
    /// # Errors
    /// The store's own.
    pub async fn edges(&self, session: &Session, asked: EdgesAsk, after: EdgesPlace) -> Result<EdgesPage> {
        let ask = Ask::new(
            "ListLineage",
            "craton:ReadLineage",
            ResourcePath::System("lineage".into()),
        );
        // What of it is told is decided edge by edge.
        let _permit = self.read_decided(session, ask, Verdicts::always())?;
        let session = session.clone();
        self.blocking(move |gate| {
            if after == EdgesPlace::default() {
                gate.inner.lineage.settle()?;
            }
            let (found, next) = gate.inner.lineage.listed(&asked, after)?;
            let mut sight = gate.sight(&session);
            let found = found.into_iter().filter(|(key, row)| asked.takes(key, row));
            let seen = found.filter(|(_, row)| sight.sees(row));
            Ok(EdgesPage {
                edges: seen.map(|(key, row)| Edge::of(&key, row)).collect(),
                next,
            })
        })
        .await
    }
}

impl Lineage {
    fn listed(&self, asked: &EdgesAsk, after: EdgesPlace) -> Result<Found> {
        match (&asked.principal, &asked.run, &asked.resource) {
            (Some(principal), Some(run), resource) => {
                let mut prefix = [&b"E"[..], &rows::run_id(principal, run)].concat();
                if let Some(resource) = resource {
                    prefix.extend_from_slice(&rows::resource_id(resource));
                    prefix.extend(asked.version.iter().flat_map(|version| version.to_be_bytes()));
                }
                self.of_prefix(&prefix, after.row.as_deref())
            }
            (_, _, Some(resource)) => {
                let mut prefix = [&b"V"[..], &rows::resource_id(resource)].concat();
                prefix.extend(asked.version.iter().flat_map(|version| version.to_be_bytes()));
                self.of_prefix(&prefix, after.row.as_deref())
            }
            (None, None, None) => self.of_prefix(b"E", after.row.as_deref()),
            (principal, run, None) => self.of_runs(principal.as_deref(), run.as_deref(), after),
        }
    }

    /// A page of the edges whose rows, of either form, begin so.
    fn of_prefix(&self, prefix: &[u8], after: Option<&[u8]>) -> Result<Found> {
        let page = self.page(&rows::span(&[prefix], after), EDGES_PAGE_MAX)?;
        let mut out = Vec::with_capacity(page.entries.len());
        for (name, entry) in &page.entries {
            let key = EdgeKey::read(&name.name)?;
            let row = match name.name.first() {
                Some(b'E') => Some(rows::decode(&entry.value)?),
                // The edge may have gone since.
                _ => self.edge(&key)?,
            };
            out.extend(row.map(|row| (key, row)));
        }
        let last = page.entries.last().filter(|_| page.more);
        let next = last.map(|(name, _)| EdgesPlace {
            run: None,
            row: Some(name.name.clone()),
        });
        Ok((out, next))
    }

    /// Edges of runs by whose they are and what they are called, of which only one is known.
    fn of_runs(&self, principal: Option<&str>, called: Option<&str>, after: EdgesPlace) -> Result<Found> {
        let mut out = Vec::new();
        let EdgesPlace { run: mut last, row } = after;
        if let (Some(run), Some(row)) = (&last, row) {
            let next = self.of_run(run, Some(&row), &mut out)?;
            if next.is_some() {
                return Ok((out, Some(EdgesPlace { run: last, row: next })));
            }
        }
        let whose = principal.map(|principal| [principal.as_bytes(), &[0][..]].concat());
        let prefix = [&b"R"[..], whose.as_deref().unwrap_or_default()];
        let runs = self.page(&rows::span(&prefix, last.as_deref()), RUNS_MAX)?;
        for (name, _) in runs.entries {
            let name = name.name;
            let is_wanted = called.map_or(Ok(true), |called| {
                rows::run_name(&name).map(|(_, run)| run == called)
            })?;
            let next = match is_wanted {
                true => self.of_run(&name, None, &mut out)?,
                false => None,
            };
            last = Some(name);
            if next.is_some() || out.len() >= EDGES_PAGE_MAX {
                return Ok((out, Some(EdgesPlace { run: last, row: next })));
            }
        }
        let next = runs.more.then_some(EdgesPlace { run: last, row: None });
        Ok((out, next))
    }

    /// A page of the edges of a run, by its row; and after which row there are more.
    fn of_run(
        &self,
        name: &[u8],
        after: Option<&[u8]>,
        out: &mut Vec<(EdgeKey, EdgeRow)>,
    ) -> Result<Option<Bytes>> {
        let (principal, run) = rows::run_name(name)?;
        let prefix = [&b"E"[..], &rows::run_id(&principal, &run)].concat();
        let (found, next) = self.of_prefix(&prefix, after)?;
        out.extend(found);
        Ok(next.and_then(|next| next.row))
    }
}
