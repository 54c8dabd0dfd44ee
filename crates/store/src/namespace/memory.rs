//! The namespace in memory: the model that the real one is compared with, and a double for tests.
//!
//! Written for clarity, apart from the bytes of the change feed sharing nothing with the real one: a map
//! of keys to maps of versions.
//!
//! Deliberately absent: durability, speed.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;
use craton_base::{Clock, Result, Sequence, Timestamp};
use parking_lot::RwLock;

use super::{
    Batch, Change, Committed, Direction, Entry, Key, Namespace, Page, Precondition, Span, Version,
    change::{self, Changes},
    rules,
};

/// A key's versions, oldest first; `None` is a deletion.
type Versions = BTreeMap<Sequence, Option<Bytes>>;

#[derive(Clone, Default)]
struct State {
    keys: BTreeMap<Key, Versions>,
    latest: Sequence,
    time: Timestamp,
}

/// A namespace in memory.
pub struct MemoryNamespace {
    state: RwLock<State>,
    clock: Arc<dyn Clock>,
}

impl MemoryNamespace {
    /// An empty namespace.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: RwLock::default(),
            clock,
        }
    }

    /// A copy of what it holds now; each goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            state: RwLock::new(self.state.read().clone()),
            clock: self.clock.clone(),
        }
    }
}

impl Namespace for MemoryNamespace {
    fn latest(&self) -> Sequence {
        self.state.read().latest
    }

    fn get(&self, key: &Key, at: Sequence) -> Result<Option<Entry>> {
        Ok(self
            .state
            .read()
            .keys
            .get(key)
            .and_then(|versions| entry_at(versions, at)))
    }

    fn scan(&self, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Result<Page> {
        let state = self.state.read();
        let entries = state
            .span(span)
            .filter_map(|(key, versions)| Some((key.clone(), entry_at(versions, at)?)));
        let mut entries: Vec<(Key, Entry)> = entries.collect();
        if direction == Direction::Backward {
            entries.reverse();
        }
        let mut room = rules::Room::new(limit);
        let total = entries.len();
        let entries: Vec<_> = entries
            .into_iter()
            .take_while(|(_, entry)| room.take(entry.value.len()))
            .collect();
        let more = entries.len() < total;
        Ok(Page { entries, more })
    }

    fn history(&self, span: &Span, after: Option<(&[u8], Sequence)>, limit: usize) -> Result<Vec<Version>> {
        let state = self.state.read();
        let is_after = |version: &Version| match after {
            None => true,
            Some((name, sequence)) => {
                let same = version.key.name == name;
                version.key.name > name || (same && span.kind.keeps_history() && version.sequence < sequence)
            }
        };
        let mut room = rules::Room::new(limit);
        let versions = state
            .span(span)
            .flat_map(|(key, versions)| {
                versions.iter().rev().map(|(sequence, value)| Version {
                    key: key.clone(),
                    sequence: *sequence,
                    value: value.clone(),
                })
            })
            .filter(is_after)
            .take_while(|version| room.take(version.value.as_ref().map_or(0, Bytes::len)));
        Ok(versions.collect())
    }

    fn commit(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>> {
        let mut state = self.state.write();
        let now = self.clock.now().max(state.time);
        Ok(batches.iter().map(|batch| state.apply(batch, now)).collect())
    }
}

impl State {
    fn span<'a>(&'a self, span: &'a Span) -> impl Iterator<Item = (&'a Key, &'a Versions)> {
        let key = |name: &Bytes| Key {
            bucket: span.bucket,
            branch: span.branch,
            kind: span.kind,
            name: name.clone(),
        };
        let inside = |key: &Key| {
            (key.bucket, key.branch, key.kind) == (span.bucket, span.branch, span.kind)
                && span.end.as_ref().is_none_or(|end| key.name < end)
        };
        self.keys
            .range((Bound::Included(key(&span.start)), Bound::Unbounded))
            .take_while(move |(key, _)| inside(key))
    }

    fn apply(&mut self, batch: &Batch, now: Timestamp) -> Result<Committed> {
        rules::check(batch)?;
        for (i, precondition) in batch.preconditions.iter().enumerate() {
            if !self.holds(precondition) {
                return Err(rules::unmet(i, precondition));
            }
        }
        let sequence = Sequence(self.latest.0.saturating_add(1));
        self.latest = sequence;
        self.time = now;
        for change in &batch.changes {
            match change {
                Change::Put(key, value) => self.put(key, sequence, Some(value.clone())),
                Change::Delete(key) => self.put(key, sequence, None),
                Change::Erase(key, version) => self.erase(key, *version),
            }
        }
        if let Some(changes) = Changes::of(&batch.changes, now) {
            self.put(&change::key(sequence), sequence, Some(changes));
        }
        Ok(Committed { sequence, time: now })
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        let newest = |key| self.keys.get(key).and_then(Versions::last_key_value);
        let exists = |key| matches!(newest(key), Some((_, Some(_))));
        match precondition {
            Precondition::Absent(key) => !exists(key),
            Precondition::Present(key) => exists(key),
            Precondition::At(key, at) => matches!(newest(key), Some((made, Some(_))) if made == at),
            Precondition::UnchangedSince(key, since) => newest(key).is_none_or(|(made, _)| made <= since),
            Precondition::Empty(span) => {
                let mut inside = self.span(span);
                inside.all(|(_, versions)| entry_at(versions, Sequence::MAX).is_none())
            }
        }
    }

    fn put(&mut self, key: &Key, sequence: Sequence, value: Option<Bytes>) {
        if !key.kind.keeps_history() {
            self.keys.remove(key);
            if value.is_none() {
                return;
            }
        }
        self.keys.entry(key.clone()).or_default().insert(sequence, value);
    }

    fn erase(&mut self, key: &Key, sequence: Sequence) {
        if let Some(versions) = self.keys.get_mut(key) {
            versions.remove(&sequence);
            if versions.is_empty() {
                self.keys.remove(key);
            }
        }
    }
}

fn entry_at(versions: &Versions, at: Sequence) -> Option<Entry> {
    let (sequence, value) = versions.range(..=at).next_back()?;
    value.clone().map(|value| Entry {
        sequence: *sequence,
        value,
    })
}
