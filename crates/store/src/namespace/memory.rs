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
    Batch, Change, Committed, Direction, Entry, Flow, Key, Namespace, Page, Precondition, Says, Seen, Span,
    State, Version, View, Visitor,
    change::{self, Changes},
    rules,
};

/// A key's versions, oldest first: what each says, and which commit wrote that.
type Versions = BTreeMap<Sequence, (State, Sequence)>;

#[derive(Clone, Default)]
struct Held {
    keys: BTreeMap<Key, Versions>,
    latest: Sequence,
    time: Timestamp,
}

/// A namespace in memory.
pub struct MemoryNamespace {
    state: RwLock<Held>,
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
        let mut room = rules::Room::new(limit);
        let state = self.state.read();
        let versions = state
            .versions(span, after)
            .take_while(|version| room.take(version.state.bytes().map_or(0, Bytes::len)));
        Ok(versions.collect())
    }

    fn visit(&self, span: &Span, view: View<'_>, visitor: &mut Visitor<'_>) -> Result<()> {
        // A copy, so that a visitor that takes its time holds nobody up.
        let versions: Vec<Version> = match view {
            View::Versions(after) => self.state.read().versions(span, after).collect(),
            View::At(at) => {
                let state = self.state.read();
                let newest = |(key, versions): (&Key, &Versions)| {
                    let (sequence, (state, revision)) = versions.range(..=at).next_back()?;
                    Some(version(key, *sequence, state, *revision))
                };
                state.span(span).filter_map(newest).collect()
            }
        };
        let mut from = Bytes::new();
        for version in &versions {
            if version.key.name < from {
                continue;
            }
            let seen = Seen {
                name: &version.key.name,
                sequence: version.sequence,
                revision: version.revision,
                says: match &version.state {
                    State::Value(bytes) => Says::Value(bytes),
                    State::Deleted => Says::Deleted,
                    State::Marked(bytes) => Says::Marked(bytes),
                },
            };
            match visitor(seen)? {
                Flow::Next => {}
                Flow::Skip(name) => from = name,
                Flow::Stop => break,
            }
        }
        Ok(())
    }

    fn commit(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>> {
        let mut state = self.state.write();
        let now = self.clock.now().max(state.time);
        Ok(batches.iter().map(|batch| state.apply(batch, now)).collect())
    }
}

impl Held {
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

    /// Versions by name, newest first, after the one of `after`.
    fn versions<'a>(
        &'a self,
        span: &'a Span,
        after: Option<(&'a [u8], Sequence)>,
    ) -> impl Iterator<Item = Version> + 'a {
        let is_after = move |version: &Version| match after {
            None => true,
            Some((name, sequence)) => {
                let same = version.key.name == name;
                version.key.name > name || (same && span.kind.keeps_history() && version.sequence < sequence)
            }
        };
        let all = self.span(span).flat_map(|(key, versions)| {
            let newest_first = versions.iter().rev();
            newest_first.map(|(sequence, (state, revision))| version(key, *sequence, state, *revision))
        });
        all.filter(is_after)
    }

    fn apply(&mut self, batch: &Batch, now: Timestamp) -> Result<Committed> {
        rules::check(batch)?;
        for (i, precondition) in batch.preconditions.iter().enumerate() {
            if !self.holds(precondition) {
                return Err(rules::unmet(i, precondition));
            }
        }
        for change in &batch.changes {
            if let Change::Amend(key, version, _) = change
                && self.revision(key, *version).is_none()
            {
                return Err(rules::nothing_to_amend());
            }
        }
        let sequence = Sequence(self.latest.0.saturating_add(1));
        self.latest = sequence;
        self.time = now;
        for change in &batch.changes {
            match change {
                Change::Put(key, value) => self.put(key, sequence, State::Value(value.clone())),
                Change::Delete(key) => self.put(key, sequence, State::Deleted),
                Change::Mark(key, note) => self.put(key, sequence, State::Marked(note.clone())),
                Change::Amend(key, version, value) => self.amend(key, *version, sequence, value),
                Change::Erase(key, version) => self.erase(key, *version),
            }
        }
        if let Some(changes) = Changes::of(&batch.changes, now) {
            self.put(&change::key(sequence), sequence, State::Value(changes));
        }
        Ok(Committed { sequence, time: now })
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        let newest = |key| self.keys.get(key).and_then(Versions::last_key_value);
        let exists = |key| matches!(newest(key), Some((_, (State::Value(_), _))));
        match precondition {
            Precondition::Absent(key) => !exists(key),
            Precondition::Present(key) => exists(key),
            Precondition::At(key, at) => {
                matches!(newest(key), Some((made, (State::Value(_), _))) if made == at)
            }
            Precondition::UnchangedSince(key, since) => newest(key).is_none_or(|(made, _)| made <= since),
            Precondition::Revision(key, version, made) => self.revision(key, *version) == Some(*made),
            Precondition::Empty(span) => {
                let deleted = |versions: &Versions| {
                    matches!(versions.last_key_value(), None | Some((_, (State::Deleted, _))))
                };
                self.span(span).all(|(_, versions)| deleted(versions))
            }
        }
    }

    /// The revision of a version that is not a plain deletion.
    fn revision(&self, key: &Key, version: Sequence) -> Option<Sequence> {
        match self.keys.get(key)?.get(&version)? {
            (State::Deleted, _) => None,
            (_, revision) => Some(*revision),
        }
    }

    fn put(&mut self, key: &Key, sequence: Sequence, state: State) {
        if !key.kind.keeps_history() {
            self.keys.remove(key);
            if state == State::Deleted {
                return;
            }
        }
        let versions = self.keys.entry(key.clone()).or_default();
        versions.insert(sequence, (state, sequence));
    }

    fn amend(&mut self, key: &Key, version: Sequence, by: Sequence, value: &Bytes) {
        let version = self
            .keys
            .get_mut(key)
            .and_then(|versions| versions.get_mut(&version));
        if let Some((state, revision)) = version {
            *revision = by;
            *state = match state {
                State::Marked(_) => State::Marked(value.clone()),
                _ => State::Value(value.clone()),
            };
        }
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

fn version(key: &Key, sequence: Sequence, state: &State, revision: Sequence) -> Version {
    Version {
        key: key.clone(),
        sequence,
        revision,
        state: state.clone(),
    }
}

fn entry_at(versions: &Versions, at: Sequence) -> Option<Entry> {
    let (sequence, (state, revision)) = versions.range(..=at).next_back()?;
    match state {
        State::Value(value) => Some(Entry {
            sequence: *sequence,
            revision: *revision,
            value: value.clone(),
        }),
        State::Deleted | State::Marked(_) => None,
    }
}
