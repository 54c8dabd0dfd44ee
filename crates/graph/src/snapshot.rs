//! A snapshot: a graph as of one commit, through a permit. What queries and programs read.
//!
//! Of a permit for a prefix it shows what begins with that ([`scope`]): the rest is not there.
//!
//! Another order than the facts' own is taken from the manifest as far as it is there; what later commits changed is sorted into it,
//! and kept for as long as the snapshot lives.
//!
//! Invariants: a snapshot never changes; of equal tuples the newest level's decides; a scan holds a block and a read-ahead for each
//! level.
//!
//! Deliberately absent: programs, commits.

use std::{collections::HashMap, sync::Arc};

use craton_base::{Error, GraphName, Kind as ErrorKind, Random, ResourcePath, Result, Sequence};
use craton_gate::Handle;
use parking_lot::Mutex;

mod at;
mod inputs;
mod orders;
mod read;
mod scope;

pub use at::{Asked, Moment};
pub use read::{read_facts, read_names};
pub use scope::Scope;

pub(crate) use inputs::WithoutHead;
use inputs::{Open, inputs};
use read::fact_path;

use crate::{
    Block, Bounds, Control, Facts, Id, Names, Order, Relation, Shape, Statistics, Table, Tuples,
    blobs::GraphBlobs,
    dictionary::Dictionary,
    manifest::{FactsManifest, Level},
    merge::union,
    run::{Cache, Run, Writer},
    sort::Sorter,
    tuples::InTurn,
    writer::GraphWriter,
};

/// Bytes that sorting into another order may hold.
const SORT_BYTES: u64 = 16 << 20;

/// Levels of one relation, sorted into an order.
type Sorted = HashMap<(Relation, Order), Arc<Vec<Level>>>;

/// A graph as of one commit.
pub struct Snapshot {
    blobs: GraphBlobs,
    facts: FactsManifest,
    names: Dictionary,
    /// The commits that made the two manifests; `None` where there is none yet.
    versions: Versions,
    /// The items that every visible fact begins with.
    scope: Scope,
    /// Whether it shows all facts whatever the permit is for: to the engine itself, which gives nothing of it out.
    is_whole: bool,
    sorted: Mutex<Sorted>,
    /// Blocks for looking single facts up.
    cache: Arc<Cache>,
    /// The most bytes of all its caches.
    caches: u64,
}

/// Which commits a snapshot is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Versions {
    /// The commit that made the manifest of facts.
    pub facts: Option<Sequence>,
    /// The commit that made the manifest of names.
    pub names: Option<Sequence>,
}

impl Snapshot {
    /// The most memory that its caches can use, about, in bytes.
    pub const CACHES_MAX: u64 = Dictionary::CACHES + Cache::MEMORY;

    /// The graph that `handle` is a permit for, as the permit sees it, with caches of about so many bytes. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchGraph`; `Invalid` if the permit is for no graph; `Corrupt`; the store's own.
    pub fn open(handle: &Handle, random: Arc<dyn Random>, control: Control, caches: u64) -> Result<Self> {
        let found = Self::open_or_empty(handle, random, control, caches)?;
        if found.versions.facts.is_none() {
            let graph = found.blobs.graph();
            let message = format!("there is no graph {graph}");
            return Err(Error::new(ErrorKind::NotFound, "NoSuchGraph", message));
        }
        Ok(found)
    }

    /// As [`Snapshot::open`]; a graph that does not exist is empty. Blocks.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn open_or_empty(
        handle: &Handle,
        random: Arc<dyn Random>,
        control: Control,
        caches: u64,
    ) -> Result<Self> {
        let path = fact_path(handle)?;
        let blobs = GraphBlobs::new(handle.clone(), path.graph().clone(), random, control);
        let mut found = Self::whole(blobs, caches)?;
        let visible = visible(handle);
        found.scope = Scope::of(visible.iter().map(String::as_str), &found.names)?;
        found.is_whole = false;
        handle.read_version(found.versions.facts);
        Ok(found)
    }

    /// All of the graph, for the engine itself: what follows from a change is computed over facts that who makes it may not read. Blocks.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub(crate) fn whole(blobs: GraphBlobs, caches: u64) -> Result<Self> {
        let (facts, facts_version) = read_facts(&blobs)?;
        let (names, names_version) = read_names(&blobs)?;
        let names = Dictionary::new(names, names_share(caches));
        Ok(Self {
            blobs,
            facts,
            names,
            versions: Versions {
                facts: facts_version,
                names: names_version,
            },
            scope: Scope::all(),
            is_whole: true,
            sorted: Mutex::default(),
            cache: Arc::new(Cache::new(caches.saturating_sub(names_share(caches)))),
            caches,
        })
    }

    /// The most bytes of all its caches, about: part of what its user has reserved.
    #[must_use]
    pub fn caches(&self) -> u64 {
        self.caches
    }

    /// The graph's name.
    #[must_use]
    pub fn graph(&self) -> &GraphName {
        self.blobs.graph()
    }

    /// Which commits it is of.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.versions
    }

    /// The blobs, for scratch space.
    #[must_use]
    pub fn blobs(&self) -> &GraphBlobs {
        &self.blobs
    }

    /// The manifest of facts.
    #[must_use]
    pub fn manifest(&self) -> &FactsManifest {
        &self.facts
    }

    /// The names.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.names
    }

    /// How many facts there are at most, over all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let natural = self
            .facts
            .levels
            .iter()
            .filter(|l| l.order.is_natural() && !l.removes);
        natural.map(|l| l.run.rows()).fold(0, u64::saturating_add)
    }

    /// Whether a table may have tuples.
    #[must_use]
    pub fn has(&self, table: Table) -> bool {
        self.levels(table).next().is_some()
    }

    /// Whether a table has a tuple.
    ///
    /// # Errors
    /// The storage's own.
    pub fn contains(&self, table: Table, tuple: &[u64]) -> Result<bool> {
        if table.shape != Shape::Expression && !self.scope.allows(table, tuple) {
            return Ok(false);
        }
        let levels: Vec<&Level> = self.levels(table).collect();
        let mut found = Vec::with_capacity(tuple.len());
        for level in levels.into_iter().rev() {
            if level.run.find(tuple, &self.cache, &mut found)? {
                return Ok(!level.removes);
            }
        }
        Ok(false)
    }

    /// Reads the names again: those that were added since are known too.
    ///
    /// # Errors
    /// The store's own.
    pub fn refresh(&mut self, writer: &GraphWriter) -> Result<()> {
        let blobs = writer.pinned();
        let (names, version) = read_names(&blobs)?;
        if version != self.versions.names {
            self.names = Dictionary::new(names, names_share(self.caches));
            self.versions.names = version;
            if !self.is_whole {
                self.scope = Scope::of(visible(blobs.handle()).iter().map(String::as_str), &self.names)?;
            }
        }
        Ok(())
    }

    /// What the permit lets through.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The levels of a table in its natural order, the oldest first.
    fn levels(&self, table: Table) -> impl Iterator<Item = &Level> + '_ {
        let all = match table.shape {
            Shape::Expression => &self.names.manifest().expressions,
            Shape::Fact | Shape::Atom => &self.facts.levels,
        };
        let whole = Relation::whole(table);
        all.iter()
            .filter(move |l| l.relation == whole && l.order.is_natural())
    }

    /// The bounds over a table's natural order that `bounds` of a relation come to, within the scope: ascending and apart.
    fn natural_bounds(&self, relation: &Relation, bounds: &Bounds) -> Vec<Bounds> {
        let mut out = bounds.clone();
        if let Some(head) = relation.head {
            out.prefix.insert(0, head.0);
        }
        match relation.table.shape {
            Shape::Expression => vec![out],
            Shape::Atom | Shape::Fact => self.scope.narrow(relation.table, &out),
        }
    }

    fn natural_scan(
        &self,
        relation: &Relation,
        bounds: &Bounds,
        levels: &[&Level],
        open: &Open<'_>,
    ) -> Box<dyn Tuples> {
        let width = relation.table.width();
        let within = |bounds: &Bounds| union(width, inputs(levels.iter().copied(), bounds, open));
        let parts = self.natural_bounds(relation, bounds);
        let merged = match parts.as_slice() {
            [] => return union(relation.width(), Vec::new()),
            [one] => within(one),
            several => Box::new(InTurn::new(several.iter().map(within).collect())),
        };
        match relation.head {
            None => merged,
            Some(head) => Box::new(WithoutHead::new(merged, head)),
        }
    }

    /// As [`Facts::scan`], for few tuples at a time: the blocks in which they begin are kept for the next look.
    ///
    /// # Errors
    /// The storage's own.
    pub fn look(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        let open = |run: &Run, bounds: &Bounds| run.scan(bounds).with_cache(Arc::clone(&self.cache));
        self.scan_with(relation, order, bounds, &open)
    }

    fn scan_with(
        &self,
        relation: &Relation,
        order: &Order,
        bounds: &Bounds,
        open: &Open<'_>,
    ) -> Result<Box<dyn Tuples>> {
        if order.is_natural() {
            let levels: Vec<&Level> = self.levels(relation.table).collect();
            return Ok(self.natural_scan(relation, bounds, &levels, open));
        }
        let levels = self.levels_in(relation, order)?;
        Ok(union(relation.width(), inputs(levels.iter(), bounds, open)))
    }

    /// The levels of a relation in another order: those of the manifest, and what is newer, sorted.
    fn levels_in(&self, relation: &Relation, order: &Order) -> Result<Arc<Vec<Level>>> {
        let key = (*relation, order.clone());
        if let Some(found) = self.sorted.lock().get(&key) {
            return Ok(Arc::clone(found));
        }
        let mut out: Vec<Level> = self.kept(relation, order).cloned().collect();
        let covered = out.last().map(|l| l.generation);
        let newer: Vec<&Level> = self
            .levels(relation.table)
            .filter(|l| covered.is_none_or(|c| l.generation > c))
            .collect();
        match covered {
            None if !newer.is_empty() => out.push(self.sort(relation, order, &newer, false)?),
            _ => {
                for level in newer {
                    let adding = Level {
                        removes: false,
                        ..level.clone()
                    };
                    out.push(self.sort(relation, order, &[&adding], level.removes)?);
                }
            }
        }
        let out = Arc::new(out);
        self.sorted.lock().insert(key, Arc::clone(&out));
        Ok(out)
    }

    /// Levels of the manifest that hold a relation in an order; not those of a whole graph for a part of it.
    fn kept<'a>(&'a self, relation: &Relation, order: &Order) -> impl Iterator<Item = &'a Level> + use<'a> {
        let (relation, order) = (*relation, order.clone());
        let all = match relation.table.shape {
            Shape::Expression => &self.names.manifest().expressions,
            Shape::Fact | Shape::Atom => &self.facts.levels,
        };
        let whole = self.scope.is_whole();
        all.iter()
            .filter(move |l| whole && l.relation == relation && l.order == order && !order.is_natural())
    }

    /// The union of levels, sorted into another order; as one level of their newest generation.
    fn sort(&self, relation: &Relation, order: &Order, levels: &[&Level], removes: bool) -> Result<Level> {
        let width = relation.width();
        let mut sorter = Sorter::new(width, SORT_BYTES, Arc::new(self.blobs.clone()))?;
        let mut tuples = self.natural_scan(relation, &Bounds::all(), levels, &Run::scan);
        let mut block = Block::new(width);
        while tuples.next(&mut block)? {
            self.blobs.control().check()?;
            let columns: Vec<&[u64]> = order
                .columns()
                .iter()
                .map(|c| block.column(usize::from(*c)))
                .collect();
            sorter.push(&columns)?;
        }
        let (mut sorted, _) = sorter.finish()?;
        let mut writer = Writer::new(&self.blobs, width);
        writer.push_all(&mut sorted)?;
        Ok(Level {
            relation: *relation,
            order: order.clone(),
            generation: levels.iter().map(|l| l.generation).max().unwrap_or_default(),
            removes,
            run: writer.finish()?,
        })
    }
}

impl Facts for Snapshot {
    fn tables(&self) -> Vec<Table> {
        let expressions = self.names.manifest().expressions.iter();
        let mut out: Vec<Table> = self
            .facts
            .levels
            .iter()
            .chain(expressions)
            .filter(|l| l.order.is_natural() && l.relation.head.is_none() && !l.removes)
            .map(|l| l.relation.table)
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        self.scan_with(relation, order, bounds, &Run::scan)
    }

    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics> {
        let known = match order.is_natural() {
            true => None,
            false => self
                .sorted
                .lock()
                .get(&(*relation, order.clone()))
                .map(Arc::clone),
        };
        let (levels, bounds): (Vec<Run>, Vec<Bounds>) = match known {
            Some(levels) => (
                levels.iter().map(|l| l.run.clone()).collect(),
                vec![bounds.clone()],
            ),
            None => {
                // What is not sorted yet is as many tuples as all of the relation.
                let asked = if order.is_natural() {
                    bounds.clone()
                } else {
                    Bounds::all()
                };
                (
                    self.levels(relation.table).map(|l| l.run.clone()).collect(),
                    self.natural_bounds(relation, &asked),
                )
            }
        };
        let mut out = Statistics::default();
        for (run, bounds) in levels.iter().flat_map(|run| bounds.iter().map(move |b| (run, b))) {
            let measure = run.measure(bounds)?;
            out.rows = out.rows.saturating_add(measure.rows);
            out.bytes = out.bytes.saturating_add(measure.bytes);
            let distinct = match bounds.prefix.len() {
                0 => measure.distinct_1,
                1 => measure.distinct_2,
                _ => 0,
            };
            out.distinct = out.distinct.saturating_add(distinct.min(measure.rows));
        }
        Ok(out)
    }

    fn has_order(&self, relation: &Relation, order: &Order) -> bool {
        order.is_natural()
            || self.sorted.lock().contains_key(&(*relation, order.clone()))
            || self.kept(relation, order).next().is_some()
    }

    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>> {
        if order.is_natural() {
            let within = self.natural_bounds(relation, &Bounds::all());
            let [bounds] = within.as_slice() else {
                return Ok(Vec::new());
            };
            let fixed = usize::from(relation.head.is_some());
            if bounds.prefix.len() > fixed {
                // The permit's prefix fixes the first column.
                return Ok(Vec::new());
            }
            let largest = self.levels(relation.table).max_by_key(|l| l.run.rows());
            return largest.map_or(Ok(Vec::new()), |l| l.run.split(&bounds.prefix, parts));
        }
        let levels = self.levels_in(relation, order)?;
        let largest = levels.iter().max_by_key(|l| l.run.rows());
        largest.map_or(Ok(Vec::new()), |l| l.run.split(&[], parts))
    }
}

impl Names for Snapshot {
    fn symbol(&self, text: &[u8]) -> Result<Option<Id>> {
        self.names.symbol(text)
    }

    fn expression(&self, items: &[Id]) -> Result<Option<Id>> {
        self.names.expression(items)
    }

    fn text(&self, id: Id, out: &mut Vec<u8>) -> Result<()> {
        self.names.text(id, out)
    }

    fn items(&self, id: Id, out: &mut Vec<Id>) -> Result<()> {
        self.names.items(id, out)
    }
}

/// How much of a snapshot's caches is its names'.
const fn names_share(caches: u64) -> u64 {
    caches.saturating_mul(Dictionary::CACHES) / Snapshot::CACHES_MAX
}

/// The prefixes of facts that a permit shows.
fn visible(handle: &Handle) -> Vec<String> {
    let prefix = |path: &ResourcePath| match path {
        ResourcePath::Facts(_, facts) => Some(facts.prefix().to_owned()),
        _ => None,
    };
    match handle.parts() {
        Some(parts) => parts
            .reads
            .iter()
            .chain(&parts.writes)
            .filter_map(prefix)
            .collect(),
        None => prefix(handle.resource()).into_iter().collect(),
    }
}
