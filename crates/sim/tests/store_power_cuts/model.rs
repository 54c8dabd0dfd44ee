//! What a store must hold: every version of every entry, by what was acknowledged.
//!
//! An entry's description says what its content is, so that content can be checked without the model.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use craton_base::Sequence;
use craton_sim::random::SplitMix;
use craton_store::namespace::Key;

/// A piece of content: what it is made from, and its length in bytes.
pub(crate) type Piece = (u64, u64);

/// The content of one version. The number keeps versions of the same content apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) number: u64,
    pub(crate) pieces: Vec<Piece>,
}

impl Spec {
    pub(crate) fn encode(&self) -> Bytes {
        let pieces = self.pieces.iter().flat_map(|(seed, len)| [*seed, *len]);
        let numbers = std::iter::once(self.number).chain(pieces);
        numbers.flat_map(u64::to_be_bytes).collect()
    }

    pub(crate) fn decode(meta: &[u8]) -> Self {
        let (numbers, rest) = meta.as_chunks::<8>();
        assert!(rest.is_empty(), "a description is whole");
        let mut numbers = numbers.iter().map(|n| u64::from_be_bytes(*n));
        let number = numbers.next().expect("a description has a number");
        let mut pieces = Vec::new();
        while let (Some(seed), Some(len)) = (numbers.next(), numbers.next()) {
            pieces.push((seed, len));
        }
        Self { number, pieces }
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let all = self.pieces.iter().flat_map(|(seed, len)| content(*seed, *len));
        all.collect()
    }
}

/// Bytes that follow from a seed, so that a piece from elsewhere is noticed.
pub(crate) fn content(seed: u64, len: u64) -> Vec<u8> {
    let len = usize::try_from(len).expect("small");
    let mut random = SplitMix::new(seed);
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
    out.truncate(len);
    out
}

/// What a version says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    /// What it describes; `None` for a plain deletion.
    pub(crate) spec: Option<Spec>,
    /// Whether it says that its entry is deleted.
    pub(crate) deleted: bool,
    /// Whether only a removal takes it away.
    pub(crate) kept: bool,
}

impl Said {
    /// That the entry is deleted, and nothing else.
    pub(crate) const NOTHING: Self = Self {
        spec: None,
        deleted: true,
        kept: false,
    };
}

/// The versions of entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Versions(pub(crate) BTreeMap<Key, BTreeMap<Sequence, Said>>);

/// Versions that are gone, or may be.
pub(crate) type Gone = BTreeSet<(Key, Sequence)>;

/// One commit, as far as the model knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) puts: Vec<(Key, Said)>,
    pub(crate) deletes: Vec<Key>,
    pub(crate) amends: Vec<(Key, Sequence, Said)>,
    pub(crate) removes: Vec<(Key, Sequence)>,
}

impl Step {
    /// One entry that exists from then on.
    pub(crate) fn put(key: Key, spec: Spec, kept: bool) -> Self {
        let said = Said {
            spec: Some(spec),
            deleted: false,
            kept,
        };
        Self {
            puts: vec![(key, said)],
            ..Self::default()
        }
    }
}

impl Versions {
    pub(crate) fn insert(&mut self, key: Key, sequence: Sequence, said: Said) {
        let versions = self.0.entry(key.clone()).or_default();
        if !key.kind.keeps_history() {
            versions.clear();
        }
        versions.insert(sequence, said);
    }

    fn remove(&mut self, key: &Key, sequence: Sequence) {
        if let Some(versions) = self.0.get_mut(key) {
            versions.remove(&sequence);
            if versions.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(crate) fn apply(&mut self, step: &Step, sequence: Sequence) {
        for (key, old) in &step.removes {
            self.remove(key, *old);
        }
        for (key, said) in &step.puts {
            self.insert(key.clone(), sequence, said.clone());
        }
        for key in &step.deletes {
            self.insert(key.clone(), sequence, Said::NOTHING);
        }
        for (key, version, said) in &step.amends {
            let versions = self.0.entry(key.clone()).or_default();
            versions.insert(*version, said.clone());
        }
    }

    /// The newest version, if it is not a deletion.
    pub(crate) fn newest(&self, key: &Key) -> Option<(Sequence, &Spec)> {
        let (sequence, said) = self.0.get(key)?.last_key_value()?;
        (!said.deleted).then_some((*sequence, said.spec.as_ref()?))
    }

    /// Without what a collection of all history removes: of the versions of an entry that are not kept, all but
    /// the newest, and that too if it says no more than that the entry is deleted.
    pub(crate) fn collected(&self) -> Self {
        let left = |versions: &BTreeMap<Sequence, Said>| -> BTreeMap<Sequence, Said> {
            let newest = versions.iter().rfind(|(_, said)| !said.kept).map(|(at, _)| *at);
            let stays =
                |at: &Sequence, said: &Said| said.kept || (newest == Some(*at) && *said != Said::NOTHING);
            let mut left = versions.clone();
            left.retain(|at, said| stays(at, said));
            left
        };
        let entry = |(key, versions): (&Key, &BTreeMap<_, _>)| {
            let left = left(versions);
            (!left.is_empty()).then(|| (key.clone(), left))
        };
        Self(self.0.iter().filter_map(entry).collect())
    }

    /// Whether `found` is this, but for some of those that may be gone.
    pub(crate) fn allows(&self, found: &Self, may_be_gone: &Gone) -> bool {
        let missing = self.without(found);
        found.without(self).is_empty() && missing.is_subset(may_be_gone)
    }

    /// What is here and not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Gone {
        let mut out = Gone::new();
        for (key, versions) in &self.0 {
            let others = other.0.get(key);
            let missing =
                |(sequence, said): &(&Sequence, &Said)| others.and_then(|o| o.get(*sequence)) != Some(*said);
            out.extend(versions.iter().filter(missing).map(|(s, _)| (key.clone(), *s)));
        }
        out
    }
}
