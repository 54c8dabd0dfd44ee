//! Asking where a column came from, and what came of it.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use craton_base::{ResourcePath, Result};

use super::{
    ask::{Direction, LINEAGE_EDGES_MAX, LineageAsk, Sight},
    columns::{ColumnUse, Made},
    follow::Lineage,
    rows::{self, Id},
};
use crate::{
    ask::Ask,
    gate::{Gate, Verdicts},
    session::Session,
};

/// Versions of a page of edges between columns.
const PAGE: usize = 16;

/// That a column came from a column, and in which run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ToldColumn {
    /// Whose run.
    pub principal: String,
    /// What the run is called.
    pub run: String,
    /// What was written.
    pub resource: String,
    /// Its bucket.
    pub bucket: String,
    /// The version that was made.
    pub version: u64,
    /// The column that was written; none: all of them, as rows.
    pub column: Option<String>,
    /// What was read.
    pub source: String,
    /// Its bucket.
    pub source_bucket: String,
    /// Its version; 0 if it is not known.
    pub source_version: u64,
    /// Which column of it; none: the same column.
    pub source_column: Option<String>,
    /// How.
    pub by: ColumnUse,
}

/// What is known of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnAnswer {
    /// The version that was asked about; `None` if lineage knows none.
    pub version: Option<u64>,
    /// The edges that lead there.
    pub edges: Vec<ToldColumn>,
    /// Edges that the caller may not know; what lies behind them is not told either.
    pub hidden: u64,
    /// Whether there are more than are told, or statements that had too many.
    pub more: bool,
}

/// A page of edges between columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnsPage {
    /// Those that the caller may know.
    pub edges: Vec<ToldColumn>,
    /// Where to go on, if there may be more.
    pub next: Option<Bytes>,
}

/// A column of a version; none: its rows.
type Node = (Id, u64, Option<String>);

impl Gate {
    /// Where a column of a version came from, or what came of it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn column_lineage(
        &self,
        session: &Session,
        asked: LineageAsk,
        column: String,
    ) -> Result<ColumnAnswer> {
        let ask = Ask::new(
            "GetLineage",
            "craton:ReadLineage",
            ResourcePath::System("lineage".into()),
        )
        .with("craton:resource", asked.resource.clone());
        // What of it is told is decided edge by edge.
        let _permit = self.read_decided(session, ask, Verdicts::always())?;
        let session = session.clone();
        self.blocking(move |gate| {
            let lineage = &gate.inner.lineage;
            lineage.settle()?;
            let root = rows::resource_id(&asked.resource);
            let version = match asked.version {
                Some(version) => Some(version),
                None => lineage.newest(&root)?,
            };
            let mut walk = Columns {
                lineage,
                sight: gate.sight(&session),
                most: asked
                    .limit
                    .map_or(LINEAGE_EDGES_MAX, |limit| limit.min(LINEAGE_EDGES_MAX)),
                found: BTreeSet::new(),
                hidden: 0,
                more: false,
            };
            if let Some(version) = version {
                walk.walk((root, version, Some(column)), &asked)?;
            }
            Ok(ColumnAnswer {
                version,
                edges: walk.found.into_iter().collect(),
                hidden: walk.hidden,
                more: walk.more,
            })
        })
        .await
    }

    /// A page of edges between columns, of a resource and a version if they are known.
    ///
    /// # Errors
    /// The store's own.
    pub async fn column_edges(
        &self,
        session: &Session,
        (resource, version): (Option<String>, Option<u64>),
        after: Option<Bytes>,
    ) -> Result<ColumnsPage> {
        let ask = Ask::new(
            "ListLineage",
            "craton:ReadLineage",
            ResourcePath::System("lineage".into()),
        );
        let _permit = self.read_decided(session, ask, Verdicts::always())?;
        let session = session.clone();
        self.blocking(move |gate| {
            let lineage = &gate.inner.lineage;
            if after.is_none() {
                lineage.settle()?;
            }
            let (found, next) = lineage.columns_page(resource.as_deref(), version, after.as_deref(), PAGE)?;
            let mut sight = gate.sight(&session);
            let mut edges = Vec::new();
            for made in &found {
                let told = lineage.told(made)?;
                edges.extend(told.into_iter().filter(|edge| sight.sees_column(edge)));
            }
            Ok(ColumnsPage { edges, next })
        })
        .await
    }
}

impl Sight<'_> {
    /// Whether both ends may be known.
    fn sees_column(&mut self, edge: &ToldColumn) -> bool {
        self.sees_of(&edge.principal, &edge.bucket) && self.sees_of(&edge.principal, &edge.source_bucket)
    }
}

impl Lineage {
    /// What is told of a version: nothing if it is not known who made it.
    fn told(&self, made: &Made) -> Result<Vec<ToldColumn>> {
        let id = rows::resource_id(&made.resource);
        let Some(by) = self.maker(&id, made.version)? else {
            return Ok(Vec::new());
        };
        let blank = ToldColumn {
            principal: by.principal,
            run: by.run,
            resource: made.resource.clone(),
            bucket: made.bucket.clone(),
            version: made.version,
            column: None,
            source: made.resource.clone(),
            source_bucket: made.bucket.clone(),
            source_version: made.derived.kept,
            source_column: None,
            by: ColumnUse::Identity,
        };
        let mut out = Vec::with_capacity(made.derived.edges.len().saturating_add(1));
        for edge in &made.derived.edges {
            let Some(source) = made.derived.sources.get(edge.source) else {
                continue;
            };
            out.push(ToldColumn {
                column: edge.column.clone(),
                source: source.resource.clone(),
                source_bucket: source.bucket.clone(),
                source_version: source.version,
                source_column: Some(edge.of.clone()),
                by: edge.by,
                ..blank.clone()
            });
        }
        if made.derived.kept > 0 {
            out.push(blank);
        }
        Ok(out)
    }
}

/// A walk from column to column.
struct Columns<'a> {
    lineage: &'a Lineage,
    sight: Sight<'a>,
    most: usize,
    found: BTreeSet<ToldColumn>,
    hidden: u64,
    more: bool,
}

impl Columns<'_> {
    fn walk(&mut self, root: Node, asked: &LineageAsk) -> Result<()> {
        let mut seen = BTreeSet::from([root.clone()]);
        let mut waiting = VecDeque::from([(root, 0_u32)]);
        while let Some((node, depth)) = waiting.pop_front() {
            if self.more || asked.depth.is_some_and(|most| depth >= most) {
                continue;
            }
            let next = match asked.direction {
                Direction::Upstream => self.above(&node)?,
                Direction::Downstream => self.below(&node)?,
            };
            for node in next {
                if seen.insert(node.clone()) {
                    waiting.push_back((node, depth.saturating_add(1)));
                }
            }
        }
        Ok(())
    }

    /// What a column came from.
    fn above(&mut self, (resource, version, column): &Node) -> Result<Vec<Node>> {
        let Some(made) = self.lineage.columns_of(resource, *version)? else {
            return Ok(Vec::new());
        };
        self.more |= made.derived.more;
        let mut out = Vec::new();
        for mut edge in self.lineage.told(&made)? {
            // What rows came from is where each column came from.
            let is_of = column.is_none() || edge.column.is_none() || edge.column == *column;
            if !is_of {
                continue;
            }
            let kept = edge.source_column.is_none();
            if kept {
                (edge.column, edge.source_column) = (column.clone(), column.clone());
            }
            let node = (
                rows::resource_id(&edge.source),
                edge.source_version,
                edge.source_column.clone(),
            );
            if self.keep(edge) {
                out.push(node);
            }
        }
        Ok(out)
    }

    /// What came of a column.
    fn below(&mut self, (resource, version, column): &Node) -> Result<Vec<Node>> {
        let made = self.lineage.columns_from(resource, *version, self.most)?;
        self.more |= made.len() > self.most;
        let mut out = Vec::new();
        for (to, at) in made.into_iter().take(self.most) {
            let Some(made) = self.lineage.columns_of(&to, at)? else {
                continue;
            };
            self.more |= made.derived.more;
            for mut edge in self.lineage.told(&made)? {
                let from = (rows::resource_id(&edge.source), edge.source_version);
                let is_from = from.0 == *resource && (from.1 == *version || from.1 == 0);
                let kept = edge.source_column.is_none();
                let is_of = column.is_none() || kept || edge.source_column == *column;
                if !is_from || !is_of {
                    continue;
                }
                if kept {
                    (edge.column, edge.source_column) = (column.clone(), column.clone());
                }
                let node = (to, at, edge.column.clone());
                if self.keep(edge) {
                    out.push(node);
                }
            }
        }
        Ok(out)
    }

    /// Takes an edge into the answer, if it may be told.
    fn keep(&mut self, edge: ToldColumn) -> bool {
        if !self.sight.sees_column(&edge) {
            self.hidden = self.hidden.saturating_add(1);
            return false;
        }
        if self.found.len() >= self.most && !self.found.contains(&edge) {
            self.more = true;
            return false;
        }
        self.found.insert(edge);
        true
    }
}
