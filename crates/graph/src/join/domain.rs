//! Local numbers: the ids that a join meets, renumbered densely from 0 in the ids' own order, so that tries, bitmaps and sorts
//! work on 32 bits.
//!
//! Ids of one kind lie close together (symbols are numbered, integers have their values), so most local numbers are a
//! subtraction. Where a kind's ids are spread too thin for that, they are ranked among those that occur.
//!
//! Invariants: local numbers have the order of the ids; every id that was shown has one.
//!
//! Deliberately absent: what ids stand for.

use craton_base::{Error, Kind, Result};

use crate::sort::radix;

/// Kinds of ids: the bits above this one tell them apart.
const KIND_SHIFT: u32 = 61;
const KINDS: usize = 1 << (64 - KIND_SHIFT);
/// A kind is ranked where its span is more than so many times the numbers shown.
const SPARSE: u64 = 8;
/// A span up to this is never ranked.
const SPAN_SMALL: u64 = 1 << 16;

/// The least and the greatest id of each kind among those shown, and how many were.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    spans: [Option<(u64, u64)>; KINDS],
    shown: u64,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            spans: [None; KINDS],
            shown: 0,
        }
    }
}

impl Survey {
    /// Shows ids.
    pub(super) fn show(&mut self, ids: &[u64]) {
        self.shown += ids.len() as u64;
        let Some(first) = ids.first().copied() else { return };
        let (least, most) = ids
            .iter()
            .fold((first, first), |(a, b), id| (a.min(*id), b.max(*id)));
        if least >> KIND_SHIFT == most >> KIND_SHIFT {
            self.widen(least, most);
            return;
        }
        for id in ids {
            self.widen(*id, *id);
        }
    }

    fn widen(&mut self, least: u64, most: u64) {
        if let Some(span) = self.spans.get_mut((least >> KIND_SHIFT) as usize) {
            let (a, b) = span.unwrap_or((least, most));
            *span = Some((a.min(least), b.max(most)));
        }
    }

    fn sparse(&self, least: u64, most: u64) -> bool {
        let span = most - least;
        span >= SPAN_SMALL && span / SPARSE >= self.shown
    }

    /// Whether an id's local number needs to be ranked, so that all ids must be shown to [`Ranks`].
    pub(super) fn needs_ranks(&self) -> bool {
        self.spans
            .iter()
            .flatten()
            .any(|(least, most)| self.sparse(*least, *most))
    }
}

/// The ids of those kinds that are spread thin.
#[derive(Default)]
pub(super) struct Ranks {
    ids: Vec<u64>,
    /// Up to here they are sorted and distinct.
    sorted: usize,
}

impl Ranks {
    /// Shows ids.
    pub(super) fn show(&mut self, survey: &Survey, ids: &[u64]) {
        for id in ids {
            let span = survey.spans.get((*id >> KIND_SHIFT) as usize).copied().flatten();
            if span.is_some_and(|(least, most)| survey.sparse(least, most)) {
                self.ids.push(*id);
            }
        }
        if self.ids.len() > (2 * self.sorted).max(1 << 16) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        let mut scratch = vec![0; self.ids.len()];
        radix::sort(&mut self.ids, &mut scratch);
        self.ids.dedup();
        self.sorted = self.ids.len();
    }
}

/// A stretch of ids whose local numbers follow each other.
struct Stretch {
    least: u64,
    most: u64,
    base: u32,
    /// The ids that occur, where not every number between least and most has a place.
    ranked: Option<Vec<u64>>,
}

impl Stretch {
    fn local(&self, id: u64) -> Option<u32> {
        if id < self.least || id > self.most {
            return None;
        }
        let offset = match &self.ranked {
            None => (id - self.least) as u32,
            Some(ids) => ids.binary_search(&id).ok()? as u32,
        };
        Some(self.base + offset)
    }

    fn size(&self) -> u64 {
        match &self.ranked {
            None => self.most - self.least + 1,
            Some(ids) => ids.len() as u64,
        }
    }
}

impl Survey {
    /// The local numbers of the ids that were shown, if none of them has to be ranked.
    pub(super) fn dense(&self) -> Option<Domain> {
        match self.needs_ranks() {
            true => None,
            false => Domain::new(self, Ranks::default()).ok(),
        }
    }
}

/// Ids to local numbers and back.
#[derive(Default)]
pub(super) struct Domain {
    stretches: Vec<Stretch>,
    size: u32,
}

impl Domain {
    /// The local numbers of the ids that were shown.
    ///
    /// # Errors
    /// `TooLarge` beyond 2^32 − 1 of them.
    pub(super) fn new(survey: &Survey, mut ranks: Ranks) -> Result<Self> {
        ranks.sort();
        let mut domain = Self::default();
        for (least, most) in survey.spans.iter().flatten().copied() {
            let ranked = survey.sparse(least, most).then(|| {
                let within = |id: &&u64| (least..=most).contains(*id);
                ranks.ids.iter().filter(within).copied().collect()
            });
            let stretch = Stretch {
                least,
                most,
                base: domain.size,
                ranked,
            };
            let size = u64::from(domain.size) + stretch.size();
            domain.size = u32::try_from(size)
                .ok()
                .filter(|size| *size < u32::MAX)
                .ok_or_else(too_many)?;
            domain.stretches.push(stretch);
        }
        Ok(domain)
    }

    /// How many local numbers there are.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// Bits that a local number needs.
    pub(super) fn bits(&self) -> u32 {
        (u32::BITS - self.size.saturating_sub(1).leading_zeros()).max(1)
    }

    /// The local number of an id; `None` for one that was not shown.
    pub(super) fn local(&self, id: u64) -> Option<u32> {
        self.stretches.iter().find_map(|stretch| stretch.local(id))
    }

    /// Appends the local numbers of ids that were shown.
    pub(super) fn locals(&self, ids: &[u64], locals: &mut Vec<u32>) {
        match self.stretches.as_slice() {
            [
                Stretch {
                    least,
                    base,
                    ranked: None,
                    ..
                },
            ] => {
                locals.extend(
                    ids.iter()
                        .map(|id| base.wrapping_add(id.wrapping_sub(*least) as u32)),
                );
            }
            _ => locals.extend(ids.iter().map(|id| self.local(*id).unwrap_or_default())),
        }
    }

    /// Appends the ids of local numbers.
    pub(super) fn ids(&self, locals: &[u32], ids: &mut Vec<u64>) {
        match self.stretches.as_slice() {
            [
                Stretch {
                    least, ranked: None, ..
                },
            ] => ids.extend(locals.iter().map(|local| least + u64::from(*local))),
            _ => ids.extend(locals.iter().map(|local| self.id(*local))),
        }
    }

    fn id(&self, local: u32) -> u64 {
        let after = self.stretches.partition_point(|stretch| stretch.base <= local);
        let Some(stretch) = self.stretches.get(after.saturating_sub(1)) else {
            return 0;
        };
        let offset = local.saturating_sub(stretch.base);
        match &stretch.ranked {
            None => stretch.least + u64::from(offset),
            Some(ids) => ids.get(offset as usize).copied().unwrap_or_default(),
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.stretches
            .iter()
            .flat_map(|stretch| &stretch.ranked)
            .map(|ids| 8 * ids.capacity() as u64)
            .sum()
    }
}

fn too_many() -> Error {
    Error::new(
        Kind::TooLarge,
        "GraphMemory",
        "a join in memory would meet more than 2^32 different ids",
    )
}
