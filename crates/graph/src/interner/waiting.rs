//! Names that wait to be looked up together: a name that is not in the processor's caches is waited for once, with many others, and not
//! one after the other.
//!
//! ```text
//! symbol, expression ─▶ an id that says which one waits ─▶ … ─▶ settle: by depth, a group at a time: hash all,
//!                                                               touch their slots, touch their records, find or insert ─▶ put
//! ```
//!
//! Invariants: ids of what waits are good until the next [`Waiting::settle`], and [`Waiting::put`] changes them until the next name;
//! names get their places in the order of their depth, and within one in that of their appearance.
//!
//! Deliberately absent: who holds ids of what waits.

use std::hint;

use craton_base::{Error, Result};

use super::{EXPRESSION, Interner, OPEN, RECORD_ALIGN};
use crate::{Form, Id};

/// Fresh ids from here on are of names that wait.
const FIRST: u64 = 1 << 40;

/// So many names are looked up together.
const GROUP: usize = 64;

/// So many names, or bytes of them, are enough.
const NAMES_MAX: usize = 512;
const BYTES_MAX: usize = 64 << 10;

/// Names that have no place yet.
#[derive(Default)]
pub struct Waiting {
    /// Their texts and items, one after the other.
    bytes: Vec<u8>,
    names: Vec<Name>,
    /// Whether there are expressions among them.
    nested: bool,
    /// What each came to, once they are settled.
    ids: Vec<Id>,
}

/// A name that waits.
struct Name {
    start: usize,
    end: usize,
    /// 0: a symbol; else 1 + the greatest depth of those of its items that wait.
    depth: u32,
}

impl Waiting {
    /// Whether it is time to settle.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.names.len() >= NAMES_MAX || self.bytes.len() >= BYTES_MAX
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// A symbol's id for now.
    pub fn symbol(&mut self, text: &[u8]) -> Id {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.add(start, 0, false)
    }

    /// The id for now of an expression, whose items may be such ids.
    pub fn expression(&mut self, items: &[u64]) -> Id {
        let start = self.bytes.len();
        let (mut depth, mut open) = (0, false);
        for item in items {
            self.bytes.extend_from_slice(&item.to_le_bytes());
            let its = number(*item).and_then(|n| self.names.get(n));
            depth = its.map_or(0, |name| name.depth).max(depth);
            open |= Id(*item).has_variables();
        }
        self.nested = true;
        self.add(start, depth.saturating_add(1), open)
    }

    fn add(&mut self, start: usize, depth: u32, open: bool) -> Id {
        let number = self.names.len() as u64;
        self.names.push(Name {
            start,
            end: self.bytes.len(),
            depth,
        });
        Id::fresh(FIRST.saturating_add(number), open)
    }

    /// Finds or makes the places of all.
    ///
    /// # Errors
    /// As [`Interner::symbol`].
    pub fn settle(&mut self, interner: &mut Interner) -> Result<()> {
        self.ids.clear();
        self.ids.resize(self.names.len(), Id::MAX);
        let (mut now, mut later): (Vec<usize>, Vec<usize>) = ((0..self.names.len()).collect(), Vec::new());
        let names = &self.names;
        for depth in 0.. {
            if self.nested {
                let is_now = |n: &usize| names.get(*n).is_none_or(|name| name.depth <= depth);
                later.extend(now.extract_if(.., |n| !is_now(n)));
            }
            for group in now.chunks(GROUP) {
                settle_group(names, &mut self.bytes, &mut self.ids, group, interner)?;
            }
            if later.is_empty() {
                break;
            }
            now.clear();
            std::mem::swap(&mut now, &mut later);
        }
        self.bytes.clear();
        self.names.clear();
        self.nested = false;
        Ok(())
    }

    /// Puts ids of places where there are ids of what waited before.
    pub fn put(&self, cells: &mut [u64]) {
        for cell in cells {
            if let Some(id) = number(*cell).and_then(|n| self.ids.get(n)) {
                *cell = id.0;
            }
        }
    }
}

/// Which of those that wait an id is of.
#[inline]
fn number(raw: u64) -> Option<usize> {
    match Id(raw).form() {
        Some(Form::Fresh(place)) => usize::try_from(place.checked_sub(FIRST)?).ok(),
        _ => None,
    }
}

/// Names of one depth; the items of expressions among them have been settled.
fn settle_group(
    names: &[Name],
    bytes: &mut [u8],
    ids: &mut [Id],
    group: &[usize],
    interner: &mut Interner,
) -> Result<()> {
    let mut hashes = [0u64; GROUP];
    for (at, hash) in group.iter().zip(&mut hashes) {
        let name = names.get(*at).ok_or_else(lost)?;
        let text = bytes.get_mut(name.start..name.end).ok_or_else(lost)?;
        if name.depth > 0 {
            put_items(ids, text);
        }
        *hash = interner.hash(text, head(name));
    }
    touch(interner, hashes.get(..group.len()).unwrap_or_default());
    for (at, hash) in group.iter().zip(&hashes) {
        let name = names.get(*at).ok_or_else(lost)?;
        let text = bytes.get(name.start..name.end).ok_or_else(lost)?;
        let level = match name.depth {
            0 => 0,
            _ => interner.level_over(
                text.as_chunks::<8>()
                    .0
                    .iter()
                    .map(|item| u64::from_le_bytes(*item)),
            ),
        };
        let place = interner.place_of(*hash, text, level, head(name))?;
        let id = ids.get_mut(*at).ok_or_else(lost)?;
        *id = Id::fresh(u64::from(place), level & OPEN != 0);
    }
    Ok(())
}

fn head(name: &Name) -> u32 {
    let kind = if name.depth == 0 { 0 } else { EXPRESSION };
    // Symbols and expressions have limits far below.
    u32::try_from(name.end.saturating_sub(name.start)).unwrap_or(u32::MAX) | kind
}

fn put_items(ids: &[Id], items: &mut [u8]) {
    for item in items.as_chunks_mut::<8>().0 {
        if let Some(id) = number(u64::from_le_bytes(*item)).and_then(|n| ids.get(n)) {
            *item = id.0.to_le_bytes();
        }
    }
}

/// Brings the slots and the records of names into the processor's caches. Reads that do not depend on each other are under way at once.
fn touch(interner: &Interner, hashes: &[u64]) {
    let mask = interner.slots.len().wrapping_sub(1);
    let mut slots = [0u64; GROUP];
    for (slot, hash) in slots.iter_mut().zip(hashes) {
        *slot = interner
            .slots
            .get((*hash as usize) & mask)
            .copied()
            .unwrap_or_default();
    }
    let mut sum = 0u8;
    for slot in slots.iter().filter(|slot| **slot != 0) {
        let start = ((*slot as u32).wrapping_sub(1) as usize).saturating_mul(RECORD_ALIGN);
        sum ^= interner.records.get(start).copied().unwrap_or_default();
    }
    hint::black_box(sum);
}

fn lost() -> Error {
    Error::internal("a name that waits is not there")
}

#[cfg(test)]
mod tests;
