//! The graph's names: from text and structure to id by a sorted index of hashes, and back by number.
//!
//! A name's hash has 128 bits, so two names that share one are not to be found ([`hashing`]). The index is a run of `(hash, hash, id)`.
//!
//! Invariants: ids are only added; a name that was found keeps its id; names that are new get consecutive numbers, in the order
//! in which they first appeared, so that things that are said together have near ids.
//!
//! Deliberately absent: facts, when names are committed.

use craton_base::{Error, Result};

use crate::{
    Block, Bounds, Form, Id, Names, Order, Relation, Storage, Table, Tuples,
    interner::{Interner, Name},
    levels,
    manifest::{Level, NamesManifest},
    run::{Cache, Run},
    sort,
    texts::{self, Texts},
};

pub mod hashing;

use hashing::{Hash, Hashing};

/// Columns of the index.
pub const INDEX_WIDTH: usize = 3;

/// The names of a graph as of one manifest.
pub struct Dictionary {
    manifest: NamesManifest,
    texts: Texts,
    cache: Cache,
}

impl Dictionary {
    /// The most memory that its caches hold, about, in bytes.
    pub const CACHES: u64 = Texts::MEMORY + Cache::MEMORY;

    /// The names that `manifest` names, with caches of about so many bytes.
    #[must_use]
    pub fn new(manifest: NamesManifest, caches: u64) -> Self {
        let of_texts = caches.saturating_mul(Texts::MEMORY) / Self::CACHES;
        Self {
            texts: Texts::new(manifest.texts.clone(), of_texts),
            manifest,
            cache: Cache::new(caches.saturating_sub(of_texts)),
        }
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &NamesManifest {
        &self.manifest
    }

    fn find(&self, hash: Hash) -> Result<Option<Id>> {
        let mut found = Vec::with_capacity(INDEX_WIDTH);
        for run in self.manifest.index.iter().rev() {
            if run.find(&hash, &self.cache, &mut found)? {
                return Ok(found.get(2).copied().map(Id));
            }
        }
        Ok(None)
    }
}

impl Names for Dictionary {
    fn symbol(&self, text: &[u8]) -> Result<Option<Id>> {
        match Id::of_text(text) {
            Some(id) => Ok(Some(id)),
            None => self.find(self.manifest.hashing.symbol(text)),
        }
    }

    fn expression(&self, items: &[Id]) -> Result<Option<Id>> {
        self.find(hash_items(self.manifest.hashing, items.iter().map(|i| i.0)))
    }

    fn text(&self, id: Id, out: &mut Vec<u8>) -> Result<()> {
        match id.form() {
            Some(Form::Integer(value)) => {
                out.extend_from_slice(value.to_string().as_bytes());
                Ok(())
            }
            Some(Form::Symbol(number)) => self.texts.text(number, out),
            _ => Err(Error::invalid(format!("{id:?} is no symbol"))),
        }
    }

    fn items(&self, id: Id, out: &mut Vec<Id>) -> Result<()> {
        let (width, open) = match id.form() {
            Some(Form::Expression { width, .. }) => (width, false),
            Some(Form::Open { width, .. }) => (width, true),
            _ => return Err(Error::invalid(format!("{id:?} is no expression"))),
        };
        let table = Table::expressions(width, open);
        let mut tuple = Vec::with_capacity(table.width());
        let natural = self
            .manifest
            .expressions
            .iter()
            .filter(|l| l.relation == Relation::whole(table));
        for level in natural.filter(|l| l.order.is_natural()) {
            if level.run.find(&[id.0], &self.cache, &mut tuple)? {
                out.extend(tuple.into_iter().skip(1).map(Id));
                return Ok(());
            }
        }
        Err(Error::corrupt(format!("the graph has no {id:?}")))
    }
}

/// Gives every name of `interner` its id: the graph's, or a new one, with which `names` grows by runs in `storage`.
///
/// # Errors
/// The storage's own; then the interner's new ids must not be used.
pub fn resolve(interner: &mut Interner, names: &mut NamesManifest, storage: &dyn Storage) -> Result<()> {
    let unknown = interner.unknown();
    if unknown.is_empty() {
        return Ok(());
    }
    let deepest = unknown
        .clone()
        .map(|p| interner.level(p).0)
        .max()
        .unwrap_or_default();
    let by_level = by_level(interner, deepest);
    let mut fresh = New {
        index: Vec::new(),
        texts: texts::Writer::new(storage, names.next_symbol),
        expressions: Vec::new(),
    };
    for places in &by_level {
        let mut wanted = hashes(interner, names.hashing, places)?;
        find_known(interner, &names.index, &mut wanted)?;
        give_ids(interner, names, places, &mut fresh)?;
        fresh.index(interner, wanted);
    }
    fresh.write(names, storage)?;
    interner.all_known();
    Ok(())
}

/// Places without an id, by level: an expression's hash needs the ids of its items.
fn by_level(interner: &Interner, deepest: u32) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); deepest as usize + 1];
    for place in interner.unknown().filter(|p| interner.id(*p).is_none()) {
        let level = interner.level(place).0 as usize;
        if let (Some(places), Ok(place)) = (out.get_mut(level), u32::try_from(place)) {
            places.push(place);
        }
    }
    out
}

fn hash_items(hashing: Hashing, items: impl Iterator<Item = u64>) -> Hash {
    let bytes: Vec<u8> = items.flat_map(u64::to_le_bytes).collect();
    hashing.expression(&bytes)
}

fn hash_of(interner: &Interner, hashing: Hashing, place: u32) -> Result<Hash> {
    match interner.name(place as usize) {
        Some(Name::Symbol(text)) => Ok(hashing.symbol(text)),
        Some(Name::Expression(items)) => Ok(hash_items(hashing, settled(interner, items)?.into_iter())),
        None => Err(Error::internal("a name has no place")),
    }
}

/// The items of an expression as the graph's ids.
fn settled(interner: &Interner, items: &[[u8; 8]]) -> Result<Vec<u64>> {
    items
        .iter()
        .map(|item| interner.settled(u64::from_le_bytes(*item)))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::internal("an expression's item has no id"))
}

/// In the place of the place of a name that the graph knows.
const KNOWN: u64 = u64::MAX;

/// The hash of each place, and the place: sorted rows.
fn hashes(interner: &Interner, hashing: Hashing, places: &[u32]) -> Result<Vec<u64>> {
    let mut rows = Vec::with_capacity(places.len().saturating_mul(INDEX_WIDTH));
    for place in places {
        let [first, second] = hash_of(interner, hashing, *place)?;
        rows.extend([first, second, u64::from(*place)]);
    }
    sort::sort_tuples(INDEX_WIDTH, &mut rows);
    Ok(rows)
}

/// Looks all names up in one pass over what the index holds near them, and marks those that it has.
fn find_known(interner: &mut Interner, index: &[Run], wanted: &mut [u64]) -> Result<()> {
    let (wanted, _) = wanted.as_chunks_mut::<INDEX_WIDTH>();
    for run in index {
        let mut scan = run.scan(&Bounds::all());
        let mut block = Block::default();
        let mut at = 0;
        for [first, second, place] in wanted.iter_mut().filter(|row| row[2] != KNOWN) {
            let hash = [*first, *second];
            at = block.lower_bound(at, &hash);
            if at >= block.rows() {
                scan.seek(&hash)?;
                if !scan.next(&mut block)? {
                    break;
                }
                at = block.lower_bound(0, &hash);
            }
            if at < block.rows() && block.compare(at, &hash).is_eq() {
                let id = block.column(2).get(at).copied().unwrap_or_default();
                interner.set_id(usize::try_from(*place).unwrap_or(usize::MAX), Id(id));
                *place = KNOWN;
            }
        }
    }
    Ok(())
}

/// What is written for new names.
struct New<'a> {
    /// Rows of the index, sorted within each level of names.
    index: Vec<u64>,
    texts: texts::Writer<'a>,
    /// Tuples of the tables of expressions, sorted.
    expressions: Vec<(Table, Vec<u64>)>,
}

fn give_ids(
    interner: &mut Interner,
    names: &mut NamesManifest,
    places: &[u32],
    new: &mut New<'_>,
) -> Result<()> {
    for place in places {
        if interner.id(*place as usize).is_some() {
            continue;
        }
        let id = match interner.name(*place as usize) {
            Some(Name::Symbol(text)) => {
                new.texts.push(text)?;
                let number = names.next_symbol;
                names.next_symbol = number.saturating_add(1);
                Id::symbol(number)
            }
            Some(Name::Expression(items)) => {
                let (_, open) = interner.level(*place as usize);
                let table = Table::expressions(items.len(), open);
                let serial = names.next_serial(table);
                let id = Id::expression(items.len(), serial, open)
                    .ok_or_else(|| Error::internal("there are no more ids for expressions"))?;
                let tuples = new.tuples_of(table);
                tuples.push(id.0);
                tuples.extend(settled(interner, items)?);
                id
            }
            None => return Err(Error::internal("a name has no place")),
        };
        interner.set_id(*place as usize, id);
    }
    Ok(())
}

impl New<'_> {
    /// Adds the names that are not known before to the index, by sorted rows of their hashes and places.
    fn index(&mut self, interner: &Interner, mut rows: Vec<u64>) {
        let mut kept = 0;
        for at in 0..rows.len() / INDEX_WIDTH {
            let from = at * INDEX_WIDTH;
            let place = rows
                .get(from + 2)
                .map(|p| usize::try_from(*p).unwrap_or(usize::MAX));
            if let Some(id) = place.and_then(|place| interner.id(place)) {
                rows.copy_within(from..from + 2, kept);
                if let Some(cell) = rows.get_mut(kept + 2) {
                    *cell = id.0;
                }
                kept += INDEX_WIDTH;
            }
        }
        rows.truncate(kept);
        match self.index.is_empty() {
            true => self.index = rows,
            false => self.index.extend(rows),
        }
    }

    fn tuples_of(&mut self, table: Table) -> &mut Vec<u64> {
        let at = match self.expressions.iter().position(|(t, _)| *t == table) {
            Some(at) => at,
            None => {
                self.expressions.push((table, Vec::new()));
                self.expressions.len().saturating_sub(1)
            }
        };
        // The position was found or made above.
        match self.expressions.get_mut(at) {
            Some((_, tuples)) => tuples,
            None => &mut self.index,
        }
    }

    fn write(mut self, names: &mut NamesManifest, storage: &dyn Storage) -> Result<()> {
        names.texts.extend(self.texts.finish()?);
        if self.index.is_empty() {
            return Ok(());
        }
        sort::sort_tuples(INDEX_WIDTH, &mut self.index);
        names
            .index
            .push(levels::write_rows(storage, INDEX_WIDTH, &self.index)?);
        levels::tidy_runs(&mut names.index, storage)?;
        for (table, tuples) in self.expressions {
            names.expressions.push(Level {
                relation: Relation::whole(table),
                order: Order::natural(table.width()),
                generation: 0,
                removes: false,
                run: levels::write_rows(storage, table.width(), &tuples)?,
            });
            levels::tidy_names(&mut names.expressions, table, storage)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
