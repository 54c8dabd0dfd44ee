//! Names of one piece of work: each text and each expression once, by its place. What facts are made of before the graph has
//! ids for them.
//!
//! An expression's items are ids, of which fresh ones are places of the same interner; so it comes after its items.
//!
//! Invariants: equal names have one place; a place's id in the graph, once known, does not change; the table of hashes is
//! keyed by a random seed, so that nobody can choose names that collide.
//!
//! Deliberately absent: the graph's own names ([`crate::dictionary`]).

use craton_base::{Error, Kind, Result};

use crate::Id;

/// A place whose id is not known.
const UNKNOWN: u64 = u64::MAX;

/// Bytes that a name takes besides its own: its end, id and level, and its slots.
const NAME_BYTES: u64 = 8 + 8 + 4 + 16;

/// The slots of an empty table.
const SLOTS_MIN: usize = 1 << 10;

/// Set in a level: the expression has variables.
const OPEN: u32 = 1 << 31;

/// What a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name<'a> {
    /// A symbol's text.
    Symbol(&'a [u8]),
    /// An expression's items, each eight bytes.
    Expression(&'a [[u8; 8]]),
}

/// Names by place.
pub struct Interner {
    seed: [u64; 2],
    /// The high half of a name's hash, and its place + 1; 0 is empty.
    slots: Vec<u64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    ids: Vec<u64>,
    /// 0: a symbol; else 1 + the greatest level of its items.
    levels: Vec<u32>,
    /// The places before have ids.
    known: usize,
}

impl Interner {
    /// An empty one.
    #[must_use]
    pub fn new(seed: [u64; 2]) -> Self {
        Self {
            seed,
            slots: vec![0; SLOTS_MIN],
            bytes: Vec::new(),
            ends: Vec::new(),
            ids: Vec::new(),
            levels: Vec::new(),
            known: 0,
        }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// About the bytes of memory that it holds, and those that giving out ids will need.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let names = self.ends.len() as u64;
        let new = names.saturating_sub(self.known as u64);
        (self.bytes.len() as u64)
            .saturating_add(names.saturating_mul(NAME_BYTES))
            .saturating_add((self.slots.len() as u64).saturating_mul(8))
            .saturating_add(new.saturating_mul(72))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }

    /// The place of a symbol, as a fresh id.
    ///
    /// # Errors
    /// `TooLarge` beyond four thousand million names.
    pub fn symbol(&mut self, text: &[u8]) -> Result<Id> {
        let hash = self.hash(text, 0);
        let place = match self.find(hash, text, true) {
            Ok(place) => place,
            Err(slot) => self.insert(slot, hash, 0, |bytes| bytes.extend_from_slice(text))?,
        };
        Ok(Id::fresh(place as u64, false))
    }

    /// The place of an expression with these items, as a fresh id.
    ///
    /// # Errors
    /// As [`Interner::symbol`].
    pub fn expression(&mut self, items: &[u64]) -> Result<Id> {
        let mut level = 0u32;
        let mut raw = [0u8; 64 * 8];
        let mut long = Vec::new();
        let bytes = as_bytes(items, &mut raw, &mut long);
        for item in items {
            let id = Id(*item);
            let its = match id.form() {
                Some(crate::Form::Fresh(place)) => {
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    self.levels.get(place).copied().unwrap_or_default()
                }
                _ => 0,
            };
            let open = if id.has_variables() { OPEN } else { its & OPEN };
            level = (level & !OPEN).max(its & !OPEN) | (level & OPEN) | open;
        }
        let level = ((level & !OPEN).saturating_add(1)) | (level & OPEN);
        let hash = self.hash(bytes, 1);
        let place = match self.find(hash, bytes, false) {
            Ok(place) => place,
            Err(slot) => self.insert(slot, hash, level, |out| out.extend_from_slice(bytes))?,
        };
        Ok(Id::fresh(place as u64, level & OPEN != 0))
    }

    /// What is at a place.
    #[must_use]
    pub fn name(&self, place: usize) -> Option<Name<'_>> {
        let bytes = self.bytes_of(place)?;
        Some(match self.levels.get(place)? {
            0 => Name::Symbol(bytes),
            _ => Name::Expression(bytes.as_chunks().0),
        })
    }

    /// The level of a place: 0 for a symbol, for an expression one more than the greatest of its items'; and whether it has
    /// variables.
    #[must_use]
    pub fn level(&self, place: usize) -> (u32, bool) {
        let level = self.levels.get(place).copied().unwrap_or_default();
        (level & !OPEN, level & OPEN != 0)
    }

    /// The places that have no id yet.
    #[must_use]
    pub fn unknown(&self) -> std::ops::Range<usize> {
        self.known..self.ends.len()
    }

    /// Says that all places have ids now.
    pub fn all_known(&mut self) {
        self.known = self.ends.len();
    }

    /// The id of a place, if it is known.
    #[must_use]
    pub fn id(&self, place: usize) -> Option<Id> {
        self.ids.get(place).copied().filter(|id| *id != UNKNOWN).map(Id)
    }

    /// Sets the id of a place.
    pub fn set_id(&mut self, place: usize, id: Id) {
        if let Some(slot) = self.ids.get_mut(place) {
            *slot = id.0;
        }
    }

    /// The id that stands for `raw` in the graph: itself, or if it is fresh, what its place got.
    #[inline]
    #[must_use]
    pub fn settled(&self, raw: u64) -> Option<u64> {
        let id = Id(raw);
        if !id.is_fresh() {
            return Some(raw);
        }
        match id.form() {
            Some(crate::Form::Fresh(place)) => self.id(usize::try_from(place).ok()?).map(|id| id.0),
            _ => None,
        }
    }

    fn bytes_of(&self, place: usize) -> Option<&[u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(place)?)
    }

    /// The place of a name, or the slot where it would go.
    fn find(&self, hash: u64, bytes: &[u8], symbol: bool) -> Result<usize, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = (hash as usize) & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or_default();
            if slot == 0 {
                return Err(at);
            }
            if slot >> 32 == hash >> 32 {
                let place = (slot as u32 as usize).wrapping_sub(1);
                let is_symbol = self.levels.get(place).is_some_and(|l| *l == 0);
                if is_symbol == symbol && self.bytes_of(place) == Some(bytes) {
                    return Ok(place);
                }
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    fn insert(
        &mut self,
        slot: usize,
        hash: u64,
        level: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize> {
        let place = self.ends.len();
        let Ok(number) = u32::try_from(place.saturating_add(1)) else {
            let message = "one piece of work names at most 4,294,967,294 things";
            return Err(Error::new(Kind::TooLarge, "TooManyNames", message));
        };
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.ids.push(UNKNOWN);
        self.levels.push(level);
        if let Some(empty) = self.slots.get_mut(slot) {
            *empty = (hash >> 32 << 32) | u64::from(number);
        }
        if self.ends.len().saturating_mul(8) > self.slots.len().saturating_mul(5) {
            self.grow();
        }
        Ok(place)
    }

    fn grow(&mut self) {
        let len = self.slots.len().saturating_mul(2);
        let mask = len.wrapping_sub(1);
        let mut slots = vec![0u64; len];
        for place in 0..self.ends.len() {
            let kind = u64::from(self.levels.get(place).is_some_and(|l| *l > 0));
            let hash = self.hash(self.bytes_of(place).unwrap_or_default(), kind);
            let mut at = (hash as usize) & mask;
            while slots.get(at).is_some_and(|s| *s != 0) {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(empty) = slots.get_mut(at) {
                *empty = (hash >> 32 << 32) | (place as u64).saturating_add(1);
            }
        }
        self.slots = slots;
    }

    /// Folded multiplication over words of eight bytes, keyed by the seed.
    #[inline]
    fn hash(&self, bytes: &[u8], kind: u64) -> u64 {
        let [a, b] = self.seed;
        let mut hash = fold(
            a ^ bytes.len() as u64,
            b ^ kind.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        );
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            hash = fold(hash ^ u64::from_le_bytes(*word), b | 1);
        }
        let mut last = [0u8; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        fold(hash ^ u64::from_le_bytes(last), b.rotate_left(32) | 1)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product as u64) ^ ((product >> 64) as u64)
}

/// Items as bytes, in `short` if they fit.
fn as_bytes<'a>(items: &[u64], short: &'a mut [u8; 512], long: &'a mut Vec<u8>) -> &'a [u8] {
    let len = items.len().saturating_mul(8);
    let out = match len <= short.len() {
        true => short.get_mut(..len).unwrap_or_default(),
        false => {
            long.resize(len, 0);
            long.as_mut_slice()
        }
    };
    for (to, item) in out.as_chunks_mut::<8>().0.iter_mut().zip(items) {
        *to = item.to_le_bytes();
    }
    out
}

#[cfg(test)]
mod tests;
