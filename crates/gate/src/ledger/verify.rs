//! Verifying a whole ledger, in one pass over the bundles with bounded memory.
//!
//! What holds when it returns `Ok`: every bundle, tile, subject key, pending entry and journal record that the ledger
//! needs opens; every record opens and parses and agrees with its envelope, or its subject was erased on
//! purpose; the leaves are those of the tiles, the tiles those of each other, and the root the signed one; and, where an
//! earlier checkpoint is given, the ledger of that time is the beginning of this one.
//!
//! Deliberately absent: mending anything.

use bytes::Bytes;
use craton_base::{Error, Result, Sequence};
use craton_crypto::{
    merkle::{self, CompactRange, Hash},
    note::checkpoint::Checkpoint,
};
use craton_store::namespace::{Direction, Kind, Span};

use super::{
    envelope::{self, Header},
    integrate::pending_span,
    journal::RecordJournal,
    opener::Known,
    parcel::{self, Parcel},
    reader::{Reader, at},
    record::Record,
    subjects,
    tree::{LEVELS_MAX, WIDTH, partial_of, perfect_root},
    values,
};

/// What to verify besides the tree.
#[derive(Default)]
pub struct VerifyOptions<'a> {
    /// A checkpoint seen earlier, as text: the ledger must still begin with what it signed.
    pub earlier: Option<&'a str>,
    /// The journal, whose records are not all in the tree yet.
    pub journal: Option<&'a dyn RecordJournal>,
    /// Is told now and then how many records of how many are done.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
}

/// What was verified.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Records in the tree.
    pub records: u64,
    /// Of these, records whose subject was erased.
    pub erased: u64,
    /// Records that are durable and not in the tree yet.
    pub waiting: u64,
    /// Subjects with a key.
    pub subjects: u64,
    /// The signed checkpoint, as text.
    pub checkpoint: String,
}

/// The tree as it is rebuilt.
struct Rebuilt {
    range: CompactRange,
    /// For each level the hashes of the tile that is not complete.
    levels: Vec<Vec<Hash>>,
    earlier: Option<Checkpoint>,
}

impl Reader {
    /// Verifies the whole ledger. Reads all of it; other calls go on meanwhile.
    ///
    /// # Errors
    /// `Corrupt` with the first problem and its place; the engine's own.
    pub fn verify(&self, mut options: VerifyOptions<'_>) -> Result<Verified> {
        let state = self
            .values
            .state()?
            .ok_or_else(|| Error::corrupt("the ledger's state is missing"))?
            .0;
        let (note, checkpoint) = self.checkpoint()?;
        let mut out = Verified {
            checkpoint: note,
            records: checkpoint.size,
            ..Verified::default()
        };
        self.verify_root()?;
        out.subjects = self.verify_subjects()?;
        let earlier = options
            .earlier
            .map(|note| self.earlier(note, checkpoint.size))
            .transpose()?;
        let mut rebuilt = Rebuilt {
            range: CompactRange::new(),
            levels: vec![vec![]; LEVELS_MAX],
            earlier,
        };
        for number in 0..checkpoint.size.div_ceil(WIDTH as u64) {
            self.verify_bundle(number, checkpoint.size, &mut rebuilt, &mut out)?;
            if let Some(progress) = options.progress.as_mut() {
                progress(rebuilt.range.size(), checkpoint.size);
            }
        }
        self.verify_edge(&rebuilt)?;
        if rebuilt.range.root() != checkpoint.root {
            return Err(Error::corrupt(
                "the ledger's tree does not have the root that its checkpoint signs",
            ));
        }
        out.waiting = self.verify_pending()?;
        if let Some(journal) = options.journal {
            out.waiting = out
                .waiting
                .saturating_add(self.verify_journal(journal, state.journal)?);
        }
        Ok(out)
    }

    /// The root that is stored has the key that this reader verifies with.
    fn verify_root(&self) -> Result<()> {
        let root = self
            .values
            .root()?
            .ok_or_else(|| Error::corrupt("the ledger's root is missing"))?;
        match super::signer_of(&root)?.verifier() == &self.verifier {
            true => Ok(()),
            false => Err(Error::corrupt("the ledger's root is another one now")),
        }
    }

    fn earlier(&self, note: &str, size: u64) -> Result<Checkpoint> {
        let earlier = Checkpoint::verify(note, &self.origin, std::slice::from_ref(&self.verifier))?;
        match earlier.size <= size {
            true => Ok(earlier),
            false => Err(Error::corrupt(format!(
                "the ledger has {size} records and had {} at the earlier checkpoint: it was cut or set back",
                earlier.size
            ))),
        }
    }

    fn verify_bundle(&self, number: u64, size: u64, rebuilt: &mut Rebuilt, out: &mut Verified) -> Result<()> {
        let first = number * WIDTH as u64;
        for (index, envelope) in (first..size).zip(self.bundle(number, size)?) {
            let header = Header::read(&envelope).map_err(|e| at(index, e))?;
            if self
                .record(&header, &envelope)
                .map_err(|e| at(index, e))?
                .is_none()
            {
                out.erased = out.erased.saturating_add(1);
            }
            let leaf = merkle::leaf_hash(&envelope::leaf_data(&envelope));
            self.add_leaf(leaf, rebuilt)?;
        }
        Ok(())
    }

    /// Adds a leaf, and compares every tile that it completes with the stored one.
    fn add_leaf(&self, leaf: Hash, rebuilt: &mut Rebuilt) -> Result<()> {
        rebuilt.check_earlier()?;
        rebuilt.range.append(leaf, |_, _| {})?;
        rebuilt.check_earlier()?;
        let mut number = (rebuilt.range.size() - 1) / WIDTH as u64;
        let mut hash = leaf;
        for (level, tile) in (0u8..).zip(&mut rebuilt.levels) {
            tile.push(hash);
            if tile.len() < WIDTH {
                break;
            }
            self.compare(level, number, tile)?;
            hash = perfect_root(tile);
            tile.clear();
            number /= WIDTH as u64;
        }
        Ok(())
    }

    /// Compares the partial tiles of the right edge.
    fn verify_edge(&self, rebuilt: &Rebuilt) -> Result<()> {
        let mut count = rebuilt.range.size();
        for (level, tile) in (0u8..).zip(&rebuilt.levels) {
            if tile.len() != partial_of(count) {
                return Err(Error::internal("a tree was not rebuilt as it should"));
            }
            count /= WIDTH as u64;
            if !tile.is_empty() {
                self.compare(level, count, tile)?;
            }
        }
        Ok(())
    }

    fn compare(&self, level: u8, number: u64, tile: &[Hash]) -> Result<()> {
        // A longer one: the ledger has grown meanwhile.
        let stored = self.values.tile(level, number, tile.len())?;
        match stored.starts_with(tile) && stored.len() <= WIDTH {
            true => Ok(()),
            false => {
                let name = values::tile_name(level, number);
                Err(Error::corrupt(format!(
                    "the ledger's value {name} does not have the hashes of its records"
                )))
            }
        }
    }

    /// Every subject's key opens, every principal's entry leads to one, every erasure is ours.
    fn verify_subjects(&self) -> Result<u64> {
        let mut count = 0u64;
        self.each(Kind::LedgerSubject, |name, value| {
            match name.split_first() {
                Some((b'k', id)) => {
                    let id = id.try_into().map_err(|_| subjects::unknown_name())?;
                    self.keys.unwrap(&id, value)?;
                    count = count.saturating_add(1);
                }
                Some((b'p', _)) => self.keys.check_lookup(name, value)?,
                Some((b'x', _)) => drop(self.values.open(name, value)?),
                _ => return Err(subjects::unknown_name()),
            }
            Ok(())
        })?;
        Ok(count)
    }

    fn verify_pending(&self) -> Result<u64> {
        let mut count = 0u64;
        self.each(Kind::LedgerPending, |name, value| {
            let parcel = parcel::read_pending(name, value)?;
            count = count.saturating_add(1);
            self.verify_parcel(&parcel).map(drop)
        })?;
        Ok(count)
    }

    fn verify_journal(&self, journal: &dyn RecordJournal, from: u64) -> Result<u64> {
        let mut count = 0u64;
        let mut position = from;
        while position < journal.end() {
            let next = journal.read(position, journal.end(), 1 << 20, &mut |record| {
                count = count.saturating_add(1);
                self.verify_parcel(&parcel::read(record)?).map(drop)
            })?;
            if next <= position {
                break;
            }
            position = next;
        }
        Ok(count)
    }

    /// A record on its way, which opens; `None` if its subject was erased.
    pub(super) fn verify_parcel(&self, parcel: &Parcel) -> Result<Option<Record>> {
        let header = &parcel.header;
        let named = |e: Error| {
            Error::corrupt(format!("the ledger's record {} does not verify", header.id())).with_source(e)
        };
        if let Some(new) = &parcel.definition
            && new.id != header.subject
        {
            return Err(named(Error::corrupt("it brings the key of another subject")));
        }
        let key = match (self.opener.key(header, &self.keys)?, &parcel.definition) {
            (Known::Key(key), _) => key,
            (Known::Erased, _) => return Ok(None),
            (Known::Lost, Some(new)) => self.opener.define(header, &self.keys, new).map_err(named)?,
            (Known::Lost, None) => return Err(named(Error::corrupt("the key of its subject is lost"))),
        };
        envelope::open(&parcel.envelope, header, &key)
            .map(|opened| Some(opened.record))
            .map_err(named)
    }

    /// Every entry of a kind, in pages.
    fn each(&self, kind: Kind, mut take: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut span = Span {
            kind,
            ..pending_span()
        };
        loop {
            let page = self
                .values
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, 1024)?;
            for (key, entry) in &page.entries {
                take(&key.name, &entry.value)?;
            }
            match page.entries.last() {
                Some((key, _)) if page.more => span.start = Bytes::from([&*key.name, &[0]].concat()),
                _ => return Ok(()),
            }
        }
    }
}

impl Rebuilt {
    fn check_earlier(&self) -> Result<()> {
        match &self.earlier {
            Some(earlier) if earlier.size == self.range.size() && earlier.root != self.range.root() => {
                Err(Error::corrupt(format!(
                    "the ledger's first {} records are not those of the earlier checkpoint",
                    earlier.size
                )))
            }
            _ => Ok(()),
        }
    }
}
