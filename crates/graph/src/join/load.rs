//! Loading: each scan of a plan is read and becomes a trie. Scans that are equal are read once.
//!
//! The tuples are read twice, first to find which ids there are, then to number them; what is small is kept in between.
//!
//! Invariant: at most the memory given is held, or the loading ends with [`Loading::TooLarge`].
//!
//! Deliberately absent: choosing what to read.

use std::sync::Arc;

use craton_base::Result;

use super::{
    Resources,
    domain::{Domain, Ranks, Survey},
    trie::{TABLE_SPARSE, Trie, TrieBuilder},
};
use crate::{
    Facts,
    plan::{Plan, Scan},
    sort::{KeySorter, Sorted, key::Key},
};

/// Numbers of a scan that are kept between the two readings.
const KEPT_NUMBERS_MAX: usize = 1 << 20;
/// Keys that are turned into columns at once.
const KEYS: usize = 8192;

/// A plan's patterns in memory.
pub(super) struct Loaded {
    pub(super) domain: Domain,
    /// One for each pattern; patterns that are read alike share theirs.
    pub(super) tries: Vec<Arc<Trie>>,
    /// Bytes held.
    pub(super) bytes: u64,
    /// Tuples read, from both readings.
    pub(super) read: u64,
    /// Bytes spilled by sorting.
    pub(super) spilled_bytes: u64,
}

/// How loading ended.
pub(super) enum Loading {
    Loaded(Loaded),
    /// A pattern without variables has no tuple, or one with variables has none: nothing matches.
    Nothing,
    /// It would take more memory than there is.
    TooLarge,
}

/// One scan, with what was kept of it.
struct Source<'a> {
    scan: &'a Scan,
    kept: Option<Vec<Vec<u64>>>,
    rows: u64,
    /// How many different beginnings the tuples have: the values of all levels of the trie but the last.
    beginnings: u64,
}

/// Reads the patterns of `plan`.
pub(super) fn load(facts: &dyn Facts, plan: &Plan, resources: &Resources) -> Result<Loading> {
    let mut sources: Vec<Source<'_>> = Vec::new();
    for scan in &plan.scans {
        if !sources.iter().any(|source| source.scan == scan) {
            sources.push(Source {
                scan,
                kept: None,
                rows: 0,
                beginnings: 0,
            });
        }
    }
    let expected: u64 = sources
        .iter()
        .map(|source| Ok(bytes_of(source.scan, source.scan.rows(facts)?)))
        .sum::<Result<u64>>()?;
    // Statistics count what is deleted too, and filters keep less: only what is far too large is given up unread.
    if expected / 4 > resources.memory {
        return Ok(Loading::TooLarge);
    }
    let (mut survey, mut read) = (Survey::default(), 0);
    for source in &mut sources {
        source.survey(facts, resources, &mut survey)?;
        read += source.rows;
        if source.rows == 0 {
            return Ok(Loading::Nothing);
        }
    }
    let expected: u64 = sources.iter().map(Source::bytes).sum();
    if expected > resources.memory || sources.iter().any(|source| source.rows >= u64::from(u32::MAX)) {
        return Ok(Loading::TooLarge);
    }
    let mut ranks = Ranks::default();
    if survey.needs_ranks() {
        for source in &sources {
            source.each(facts, resources, &mut |columns| {
                columns.iter().for_each(|column| ranks.show(&survey, column));
                Ok(())
            })?;
        }
    }
    let domain = Domain::new(&survey, ranks)?;
    build(
        facts,
        plan,
        resources,
        Built {
            sources,
            domain,
            read,
        },
    )
}

/// Counts the beginnings of sorted tuples, of every length but the whole.
#[derive(Default)]
struct Beginnings {
    count: u64,
    /// The tuple shown last, but for its last number.
    last: Vec<u64>,
    /// Whether a tuple begins otherwise than the one before it.
    other: Vec<bool>,
}

impl Beginnings {
    fn show(&mut self, columns: &[&[u64]]) {
        let Some((_, columns)) = columns.split_last() else {
            return;
        };
        self.other.clear();
        for (level, column) in columns.iter().enumerate() {
            self.other.resize(column.len(), false);
            let mut before = self.last.get(level).copied();
            for (other, value) in self.other.iter_mut().zip(*column) {
                *other |= before != Some(*value);
                before = Some(*value);
                self.count += u64::from(*other);
            }
        }
        self.last.clear();
        self.last
            .extend(columns.iter().filter_map(|column| column.last().copied()));
    }
}

/// The most bytes of a scan's trie, about, where only the number of tuples is known.
fn bytes_of(scan: &Scan, rows: u64) -> u64 {
    let sorting = if scan.sort { 2 } else { 0 };
    rows.saturating_mul(4 * (scan.columns.len() as u64 + 1 + sorting))
}

struct Built<'a> {
    sources: Vec<Source<'a>>,
    domain: Domain,
    read: u64,
}

fn build(facts: &dyn Facts, plan: &Plan, resources: &Resources, from: Built<'_>) -> Result<Loading> {
    let Built {
        mut sources,
        domain,
        mut read,
    } = from;
    let (mut bytes, mut spilled_bytes) = (domain.bytes(), 0);
    let mut made: Vec<(&Scan, Arc<Trie>)> = Vec::new();
    for source in &mut sources {
        let (trie, spilled) = source.trie(facts, resources, &domain)?;
        source.kept = None;
        read += source.rows;
        bytes += trie.bytes();
        spilled_bytes += spilled;
        made.push((source.scan, Arc::new(trie)));
    }
    let trie_of = |scan: &Scan| {
        made.iter()
            .find(|(of, _)| *of == scan)
            .map(|(_, trie)| trie.clone())
    };
    let tries = plan.scans.iter().filter_map(trie_of).collect();
    Ok(Loading::Loaded(Loaded {
        domain,
        tries,
        bytes,
        read,
        spilled_bytes,
    }))
}

impl Source<'_> {
    /// Bytes of its trie, about: the last level's values; of each level above it the values, and where their children begin; the table
    /// of the first level.
    fn bytes(&self) -> u64 {
        match self.scan.sort {
            true => bytes_of(self.scan, self.rows),
            false => {
                let above = self.beginnings.saturating_mul(4 * (2 + u64::from(TABLE_SPARSE)));
                self.rows.saturating_mul(4).saturating_add(above)
            }
        }
    }

    /// Reads the tuples for the first time.
    fn survey(&mut self, facts: &dyn Facts, resources: &Resources, survey: &mut Survey) -> Result<()> {
        let mut kept: Vec<Vec<u64>> = vec![Vec::new(); self.scan.columns.len()];
        let mut keeping = true;
        let mut rows = 0;
        let mut beginnings = Beginnings::default();
        self.scan.read(facts, &resources.control, &mut |columns, count| {
            rows += count as u64;
            for column in columns {
                survey.show(column);
            }
            beginnings.show(columns);
            if keeping {
                for (kept, column) in kept.iter_mut().zip(columns) {
                    kept.extend_from_slice(column);
                }
                keeping = kept.iter().map(Vec::len).sum::<usize>() <= KEPT_NUMBERS_MAX;
                if !keeping {
                    kept.clear();
                }
            }
            // A pattern without variables needs one tuple only.
            Ok(!columns.is_empty())
        })?;
        self.rows = rows;
        self.beginnings = beginnings.count;
        self.kept = keeping.then_some(kept);
        Ok(())
    }

    /// Calls `each` with the columns, once more.
    fn each(
        &self,
        facts: &dyn Facts,
        resources: &Resources,
        each: &mut dyn FnMut(&[&[u64]]) -> Result<()>,
    ) -> Result<()> {
        if let Some(kept) = &self.kept {
            let columns: Vec<&[u64]> = kept.iter().map(Vec::as_slice).collect();
            return each(&columns);
        }
        self.scan.read(facts, &resources.control, &mut |columns, _| {
            each(columns)?;
            Ok(true)
        })
    }

    /// The trie of the tuples, and the bytes that sorting them spilled.
    fn trie(&self, facts: &dyn Facts, resources: &Resources, domain: &Domain) -> Result<(Trie, u64)> {
        let width = self.scan.columns.len();
        if self.scan.sort {
            return match width as u32 * domain.bits() {
                ..=64 => self.sorted_trie::<u64>(facts, resources, domain),
                65..=128 => self.sorted_trie::<u128>(facts, resources, domain),
                _ => self.sorted_trie::<crate::sort::key::Wide<32>>(facts, resources, domain),
            };
        }
        let mut builder = TrieBuilder::new(width);
        builder.reserve(self.rows);
        let mut locals: Vec<Vec<u32>> = vec![Vec::new(); width];
        self.each(facts, resources, &mut |columns| {
            number(domain, columns, &mut locals);
            builder.push(&locals);
            Ok(())
        })?;
        Ok((builder.finish(domain.size()), 0))
    }

    /// The same for tuples that are not read in order: sorted as keys with a few bits for each column.
    fn sorted_trie<K: Packed>(
        &self,
        facts: &dyn Facts,
        resources: &Resources,
        domain: &Domain,
    ) -> Result<(Trie, u64)> {
        let (width, bits) = (self.scan.columns.len(), domain.bits());
        let mut sorter = KeySorter::<K>::new(resources.memory / 4, resources.storage.clone());
        let mut locals: Vec<Vec<u32>> = vec![Vec::new(); width];
        self.each(facts, resources, &mut |columns| {
            number(domain, columns, &mut locals);
            extend(&mut sorter, &locals, bits)
        })?;
        let (sources, cost) = sorter.finish();
        let mut sorted = Sorted::new(sources)?;
        let mut builder = TrieBuilder::new(width);
        let mut keys = Vec::new();
        while sorted.next(KEYS, &mut keys)? {
            unpack(&keys, bits, &mut locals);
            builder.push(&locals);
        }
        Ok((builder.finish(domain.size()), cost.spilled_bytes))
    }
}

fn number(domain: &Domain, columns: &[&[u64]], locals: &mut [Vec<u32>]) {
    for (locals, column) in locals.iter_mut().zip(columns) {
        locals.clear();
        domain.locals(column, locals);
    }
}

/// A key that holds the local numbers of a tuple, the first column in the highest bits.
pub(super) trait Packed: Key {
    /// The key with room made for `bits` more, and `value` in them; `at` is the column.
    fn put(self, at: usize, bits: u32, value: u32) -> Self;

    /// The value of column `at` of `width`.
    fn get(self, at: usize, width: usize, bits: u32) -> u32;
}

impl Packed for u64 {
    #[inline]
    fn put(self, _at: usize, bits: u32, value: u32) -> Self {
        self << bits | Self::from(value)
    }

    #[inline]
    fn get(self, at: usize, width: usize, bits: u32) -> u32 {
        let shift = (width - 1 - at) as u32 * bits;
        (self >> shift & ((1 << bits) - 1)) as u32
    }
}

impl Packed for u128 {
    #[inline]
    fn put(self, _at: usize, bits: u32, value: u32) -> Self {
        self << bits | Self::from(value)
    }

    #[inline]
    fn get(self, at: usize, width: usize, bits: u32) -> u32 {
        let shift = (width - 1 - at) as u32 * bits;
        (self >> shift & ((1 << bits) - 1)) as u32
    }
}

/// Two columns a word.
impl Packed for crate::sort::key::Wide<32> {
    fn put(mut self, at: usize, _bits: u32, value: u32) -> Self {
        self.set_half(at, value);
        self
    }

    fn get(self, at: usize, _width: usize, _bits: u32) -> u32 {
        let word = self.word(at / 2);
        if at.is_multiple_of(2) {
            (word >> 32) as u32
        } else {
            word as u32
        }
    }
}

/// Gives tuples to a sorter: their columns.
pub(super) fn extend<K: Packed>(
    sorter: &mut KeySorter<K>,
    columns: &[impl AsRef<[u32]>],
    bits: u32,
) -> Result<()> {
    if let [first, second] = columns {
        let pairs = first.as_ref().iter().zip(second.as_ref());
        return sorter.extend(pairs.map(|(a, b)| K::default().put(0, bits, *a).put(1, bits, *b)));
    }
    let rows = columns.first().map_or(0, |column| column.as_ref().len());
    sorter.extend((0..rows).map(|row| {
        columns
            .iter()
            .enumerate()
            .fold(K::default(), |key, (at, column)| {
                key.put(at, bits, column.as_ref().get(row).copied().unwrap_or_default())
            })
    }))
}

/// Keys to columns.
pub(super) fn unpack<K: Packed>(keys: &[K], bits: u32, columns: &mut [Vec<u32>]) {
    let width = columns.len();
    for (at, column) in columns.iter_mut().enumerate() {
        column.clear();
        column.extend(keys.iter().map(|key| key.get(at, width, bits)));
    }
}
