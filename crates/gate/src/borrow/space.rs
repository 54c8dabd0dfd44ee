//! An index of borrows on one tree of keys that answers "what overlaps this span in a conflicting
//! mode" in time that grows with the answer and the depth of the tree, not with what is held.
//!
//! Two ordered maps: spans that are one key, and spans that are all keys with a prefix. Overlap of a
//! span is then an exact lookup, a walk over the stored prefixes of a key, and a range scan.
//! Invariant: no map holds an empty [`Slots`], and `held` counts what the nodes hold, per mode, so
//! that the usual question (is there any lease at all?) is answered without a search.
//!
//! Deliberately unknown here: owners, waiting, locks. Keys are bytes.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use super::Mode;

/// A set of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Span<'a> {
    /// One key.
    Key(&'a [u8]),
    /// Every key that begins with this.
    Prefix(&'a [u8]),
}

/// Which borrow it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) mode: Mode,
    /// The turn of the request.
    pub(super) turn: u64,
    /// Which of the request's set. Two paths of a set can be the same span: a bucket, and its objects
    /// with any prefix.
    pub(super) index: usize,
}

/// The borrows of one span.
pub(super) enum Slots<E> {
    /// The usual case, without an allocation.
    One(Place, E),
    /// Ordered by mode, then turn.
    Many(BTreeMap<Place, E>),
}

impl<E> Slots<E> {
    fn insert(&mut self, place: Place, entry: E) {
        if let Self::Many(map) = self {
            map.insert(place, entry);
            return;
        }
        let one = std::mem::replace(self, Self::Many(BTreeMap::new()));
        if let (Self::One(first, e), Self::Many(map)) = (one, self) {
            map.insert(first, e);
            map.insert(place, entry);
        }
    }

    /// Removes a borrow. Says whether it was there, and whether nothing is left.
    fn remove(&mut self, place: Place) -> (bool, bool) {
        match self {
            Self::One(p, _) => (*p == place, *p == place),
            Self::Many(map) => (map.remove(&place).is_some(), map.is_empty()),
        }
    }

    fn visit(&self, mode: Mode, f: &mut impl FnMut(Place, &E)) {
        match self {
            Self::One(place, e) if mode.conflicts().contains(&place.mode) => f(*place, e),
            Self::One(..) => {}
            Self::Many(map) => {
                for &mode in mode.conflicts() {
                    let from = Place {
                        mode,
                        turn: 0,
                        index: 0,
                    };
                    map.range(from..)
                        .take_while(|(p, _)| p.mode == mode)
                        .for_each(|(p, e)| f(*p, e));
                }
            }
        }
    }
}

/// How many borrows there are, per mode.
#[derive(Default)]
struct Held {
    shared: usize,
    exclusive: usize,
    write: usize,
}

impl Held {
    fn count(&mut self, mode: Mode) -> &mut usize {
        match mode {
            Mode::Shared => &mut self.shared,
            Mode::Exclusive => &mut self.exclusive,
            Mode::Write => &mut self.write,
        }
    }

    fn none_against(&self, mode: Mode) -> bool {
        match mode {
            Mode::Shared => self.exclusive == 0 && self.write == 0,
            Mode::Exclusive => self.shared == 0 && self.exclusive == 0 && self.write == 0,
            Mode::Write => self.shared == 0 && self.exclusive == 0,
        }
    }
}

/// One ordered map of spans.
struct Layer<E> {
    nodes: BTreeMap<Box<[u8]>, Slots<E>>,
    held: Held,
}

impl<E> Default for Layer<E> {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::new(),
            held: Held::default(),
        }
    }
}

impl<E> Layer<E> {
    fn insert(&mut self, key: &[u8], place: Place, entry: E) {
        *self.held.count(place.mode) += 1;
        match self.nodes.get_mut(key) {
            Some(slots) => slots.insert(place, entry),
            None => {
                self.nodes.insert(key.into(), Slots::One(place, entry));
            }
        }
    }

    fn remove(&mut self, key: &[u8], place: Place) {
        let Some(slots) = self.nodes.get_mut(key) else {
            return;
        };
        let (was, empty) = slots.remove(place);
        if was {
            let held = self.held.count(place.mode);
            *held = held.saturating_sub(1);
        }
        if empty {
            self.nodes.remove(key);
        }
    }

    fn visit_exact(&self, key: &[u8], mode: Mode, f: &mut impl FnMut(Place, &E)) {
        if self.held.none_against(mode) {
            return;
        }
        if let Some(slots) = self.nodes.get(key) {
            slots.visit(mode, f);
        }
    }

    /// Every stored span that is a prefix of `key`, `key` itself included. Each step finds the
    /// greatest stored span up to a bound and shortens the bound to what it has in common with the
    /// key: no longer prefix of the key can be stored, since it would sort after the one found.
    fn visit_prefixes_of(&self, key: &[u8], mode: Mode, f: &mut impl FnMut(Place, &E)) {
        if self.held.none_against(mode) {
            return;
        }
        let mut bound = key;
        loop {
            let upto = (Unbounded, Included(bound));
            let Some((found, slots)) = self.nodes.range::<[u8], _>(upto).next_back() else {
                return;
            };
            let common = found.iter().zip(key).take_while(|(a, b)| a == b).count();
            let mut longest = common;
            if common == found.len() {
                slots.visit(mode, f);
                let Some(shorter) = common.checked_sub(1) else {
                    return;
                };
                longest = shorter;
            }
            let Some(shorter) = key.get(..longest) else { return };
            bound = shorter;
        }
    }

    /// Every stored span that begins with `prefix`; `prefix` itself only if asked.
    fn visit_below(&self, prefix: &[u8], itself: bool, mode: Mode, f: &mut impl FnMut(Place, &E)) {
        if self.held.none_against(mode) {
            return;
        }
        let from = if itself {
            Included(prefix)
        } else {
            Excluded(prefix)
        };
        self.nodes
            .range::<[u8], _>((from, Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .for_each(|(_, slots)| slots.visit(mode, f));
    }
}

/// The borrows on one tree of keys.
pub(super) struct Space<E> {
    keys: Layer<E>,
    prefixes: Layer<E>,
}

impl<E> Default for Space<E> {
    fn default() -> Self {
        Self {
            keys: Layer::default(),
            prefixes: Layer::default(),
        }
    }
}

impl<E> Space<E> {
    pub(super) fn insert(&mut self, span: Span<'_>, place: Place, entry: E) {
        match span {
            Span::Key(key) => self.keys.insert(key, place, entry),
            Span::Prefix(prefix) => self.prefixes.insert(prefix, place, entry),
        }
    }

    pub(super) fn remove(&mut self, span: Span<'_>, place: Place) {
        match span {
            Span::Key(key) => self.keys.remove(key, place),
            Span::Prefix(prefix) => self.prefixes.remove(prefix, place),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.nodes.is_empty() && self.prefixes.nodes.is_empty()
    }

    /// Calls `f` once for every borrow that overlaps `span` in a mode that conflicts with `mode`.
    pub(super) fn visit(&self, span: Span<'_>, mode: Mode, f: &mut impl FnMut(Place, &E)) {
        match span {
            Span::Key(key) => {
                self.prefixes.visit_prefixes_of(key, mode, f);
                self.keys.visit_exact(key, mode, f);
            }
            Span::Prefix(prefix) => {
                self.prefixes.visit_prefixes_of(prefix, mode, f);
                self.prefixes.visit_below(prefix, false, mode, f);
                self.keys.visit_below(prefix, true, mode, f);
            }
        }
    }
}
