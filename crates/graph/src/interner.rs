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

mod waiting;

pub use waiting::Waiting;

/// A place whose id is not known.
const UNKNOWN: u64 = u64::MAX;

/// Bytes that a name takes besides its record and its slots: its start, id and level, and room to grow.
const NAME_BYTES: u64 = 4 + 8 + 4 + 16;

/// Records begin at multiples of so many bytes.
const RECORD_ALIGN: usize = 8;
/// What is before a name's bytes in its record: its kind and their number, and its place.
const HEAD_BYTES: usize = 8;
/// Set in a record's length: the name is an expression.
const EXPRESSION: u32 = 1 << 31;

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

/// Names by place. Finding one touches two places of memory: its slot and its record.
pub struct Interner {
    seed: [u64; 2],
    /// The high half of a name's hash, and where its record starts + 1; 0 is empty.
    slots: Vec<u64>,
    /// The names one after the other, each with its head.
    records: Vec<u8>,
    /// Where each place's record starts, in units of [`RECORD_ALIGN`].
    starts: Vec<u32>,
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
            records: Vec::new(),
            starts: Vec::new(),
            ids: Vec::new(),
            levels: Vec::new(),
            known: 0,
        }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// About the bytes of memory that it holds, and those that giving out ids will need.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let names = self.starts.len() as u64;
        let new = names.saturating_sub(self.known as u64);
        (self.records.len() as u64)
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
    /// `TooLarge` beyond 32 GiB of names.
    pub fn symbol(&mut self, text: &[u8]) -> Result<Id> {
        let place = self.place(text, 0)?;
        Ok(Id::fresh(u64::from(place), false))
    }

    /// The place of an expression with these items, as a fresh id.
    ///
    /// # Errors
    /// As [`Interner::symbol`].
    pub fn expression(&mut self, items: &[u64]) -> Result<Id> {
        let mut raw = [0u8; 64 * 8];
        let mut long = Vec::new();
        let bytes = as_bytes(items, &mut raw, &mut long);
        let level = self.level_over(items.iter().copied());
        let place = self.place(bytes, level)?;
        Ok(Id::fresh(u64::from(place), level & OPEN != 0))
    }

    /// The level of an expression with these items, with [`OPEN`] if one of them has variables.
    fn level_over(&self, items: impl Iterator<Item = u64>) -> u32 {
        let (mut level, mut open) = (0u32, 0u32);
        for item in items.map(Id) {
            if let Some(crate::Form::Fresh(place)) = item.form() {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                level = level.max(self.level(place).0);
            }
            if item.has_variables() {
                open = OPEN;
            }
        }
        level.saturating_add(1) | open
    }

    /// What is at a place.
    #[must_use]
    pub fn name(&self, place: usize) -> Option<Name<'_>> {
        let record = Record::read(&self.records, *self.starts.get(place)?)?;
        Some(match record.is_expression() {
            false => Name::Symbol(record.bytes),
            true => Name::Expression(record.bytes.as_chunks().0),
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
        self.known..self.starts.len()
    }

    /// Says that all places have ids now.
    pub fn all_known(&mut self) {
        self.known = self.starts.len();
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

    /// The place of a name, a new one if it has none; a symbol has the level 0.
    fn place(&mut self, bytes: &[u8], level: u32) -> Result<u32> {
        let kind = if level == 0 { 0 } else { EXPRESSION };
        // Symbols and expressions have limits far below.
        let head = u32::try_from(bytes.len()).unwrap_or(u32::MAX) | kind;
        self.place_of(self.hash(bytes, head), bytes, level, head)
    }

    /// The same of a name whose hash and head are known.
    fn place_of(&mut self, hash: u64, bytes: &[u8], level: u32, head: u32) -> Result<u32> {
        match self.find(hash, bytes, head) {
            Ok(place) => Ok(place),
            Err(slot) => self.insert(slot, hash, level, bytes, head),
        }
    }

    /// The place of a name, or the slot where it would go.
    fn find(&self, hash: u64, bytes: &[u8], head: u32) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = (hash as usize) & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or_default();
            if slot == 0 {
                return Err(at);
            }
            if slot >> 32 == hash >> 32
                && let Some(record) = Record::read(&self.records, (slot as u32).wrapping_sub(1))
                && record.head == head
                && record.bytes == bytes
            {
                return Ok(record.place);
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    fn insert(&mut self, slot: usize, hash: u64, level: u32, bytes: &[u8], head: u32) -> Result<u32> {
        let start = u32::try_from(self.records.len() / RECORD_ALIGN);
        let (Ok(place), Some(start)) = (
            u32::try_from(self.starts.len()),
            start.ok().filter(|s| *s < u32::MAX),
        ) else {
            let message = "one piece of work has at most 32 GiB of names";
            return Err(Error::new(Kind::TooLarge, "TooManyNames", message));
        };
        self.records.extend_from_slice(&head.to_le_bytes());
        self.records.extend_from_slice(&place.to_le_bytes());
        self.records.extend_from_slice(bytes);
        self.records
            .resize(self.records.len().next_multiple_of(RECORD_ALIGN), 0);
        self.starts.push(start);
        self.ids.push(UNKNOWN);
        self.levels.push(level);
        if let Some(empty) = self.slots.get_mut(slot) {
            *empty = (hash >> 32 << 32) | u64::from(start).saturating_add(1);
        }
        if self.starts.len().saturating_mul(8) > self.slots.len().saturating_mul(5) {
            self.grow();
        }
        Ok(place)
    }

    fn grow(&mut self) {
        let len = self.slots.len().saturating_mul(2);
        let mask = len.wrapping_sub(1);
        let mut slots = vec![0u64; len];
        for start in &self.starts {
            let Some(record) = Record::read(&self.records, *start) else {
                continue;
            };
            let hash = self.hash(record.bytes, record.head);
            let mut at = (hash as usize) & mask;
            while slots.get(at).is_some_and(|s| *s != 0) {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(empty) = slots.get_mut(at) {
                *empty = (hash >> 32 << 32) | u64::from(*start).saturating_add(1);
            }
        }
        self.slots = slots;
    }

    /// Folded multiplication over words of eight bytes, keyed by the seed; `head` says kind and length.
    #[inline]
    fn hash(&self, bytes: &[u8], head: u32) -> u64 {
        let [a, b] = self.seed;
        let mut hash = fold(a ^ u64::from(head), b);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            hash = fold(hash ^ u64::from_le_bytes(*word), b | 1);
        }
        fold(hash ^ last_word(rest), b.rotate_left(32) | 1)
    }
}

/// A name as it is kept.
struct Record<'a> {
    /// Its kind, and how many bytes.
    head: u32,
    place: u32,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn read(records: &'a [u8], start: u32) -> Option<Self> {
        let (head, rest) = records
            .get((start as usize).saturating_mul(RECORD_ALIGN)..)?
            .split_first_chunk::<HEAD_BYTES>()?;
        let [a, b, c, d, place @ ..] = *head;
        let head = u32::from_le_bytes([a, b, c, d]);
        Some(Self {
            head,
            place: u32::from_le_bytes(place),
            bytes: rest.get(..(head & !EXPRESSION) as usize)?,
        })
    }

    const fn is_expression(&self) -> bool {
        self.head & EXPRESSION != 0
    }
}

/// Fewer than eight bytes as a number; with their count it says which they are.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    let short = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => short(*first) | short(*last) << 32,
        _ => match *bytes {
            [a] => short([a, 0, 0, 0]),
            [a, b] => short([a, b, 0, 0]),
            [a, b, c, ..] => short([a, b, c, 0]),
            [] => 0,
        },
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
