//! What clients of leases did and were told, and whether one order of it explains everything: the search of Wing and Gong ("Testing
//! and verifying concurrent objects", 1993) with Lowe's memory of what was tried ("Testing for linearizability", 2017).

use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
};

/// The prefixes that leases are on.
pub(crate) const PREFIXES: [&str; 4] = ["a/", "a/x/", "b/", ""];

/// A place of a lease: which of [`PREFIXES`], and whether it is exclusive.
pub(crate) type Place = (usize, bool);

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A lease on all of these for so many seconds.
    Take(Vec<Place>, u64),
    /// So many seconds from now, of a lease.
    Renew(String, u64),
    Release(String),
    /// The key under a prefix, under a lease or not.
    Write(usize, Option<String>),
    /// So many seconds pass.
    Pass(u64),
    /// The process is killed, and another begins.
    Kill,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Done,
    /// A lease: its id, its token and its end, in seconds since the history began.
    Taken(String, u64, u64),
    /// A renewal: the new end.
    Until(u64),
    /// Something is in the way.
    Busy,
    /// The lease is over, or there is none.
    Over,
    /// Nothing: the process was killed first.
    Nothing,
}

/// An operation: between `begun` and `ended` it happened.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) ask: Ask,
    pub(crate) told: Told,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// What the clock read when it was asked, in seconds since the history began: from then on a lease's seconds count.
    pub(crate) at: u64,
}

fn overlap(a: usize, b: usize) -> bool {
    let (a, b) = (PREFIXES[a], PREFIXES[b]);
    a.starts_with(b) || b.starts_with(a)
}

/// The key that is written under a prefix.
pub(crate) fn key(prefix: usize) -> String {
    format!("{}k", PREFIXES[prefix])
}

fn covers(place: usize, written: usize) -> bool {
    key(written).starts_with(PREFIXES[place])
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lease {
    places: Vec<Place>,
    until: u64,
    token: u64,
    /// Its row was not committed when the process was killed.
    lost: bool,
}

/// The sequential model: what time it is, and which leases there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    now: u64,
    leases: BTreeMap<String, Lease>,
    /// The greatest token of a lease on each prefix.
    tokens: [u64; PREFIXES.len()],
}

impl Model {
    fn alive(&self) -> impl Iterator<Item = (&String, &Lease)> {
        self.leases.iter().filter(|(_, lease)| self.now < lease.until)
    }

    fn keeps_from_leasing(&self, wanted: &[Place]) -> bool {
        self.alive().any(|(_, lease)| {
            let mut pairs = lease
                .places
                .iter()
                .flat_map(|a| wanted.iter().map(move |b| (a, b)));
            pairs.any(|(a, b)| overlap(a.0, b.0) && (a.1 || b.1))
        })
    }

    fn keeps_from_writing(&self, prefix: usize, under: Option<&String>) -> bool {
        let mut others = self.alive().filter(|(id, _)| Some(*id) != under);
        others.any(|(_, lease)| lease.places.iter().any(|(p, _)| covers(*p, prefix)))
    }

    fn is_alive(&self, id: &str) -> bool {
        self.alive().any(|(known, _)| known == id)
    }

    fn take(&mut self, id: &str, places: &[Place], until: u64, token: u64, lost: bool) {
        for (place, _) in places {
            self.tokens[*place] = self.tokens[*place].max(token);
        }
        let lease = Lease {
            places: places.to_vec(),
            until,
            token,
            lost,
        };
        self.leases.insert(id.to_owned(), lease);
    }

    /// Whether a token is beyond those of all earlier leases in its way (LS-2).
    fn is_newest(&self, places: &[Place], token: u64) -> bool {
        let exclusive_or_mine = |known: &Lease| {
            let mut pairs = known
                .places
                .iter()
                .flat_map(|a| places.iter().map(move |b| (a, b)));
            pairs.any(|(a, b)| overlap(a.0, b.0) && (a.1 || b.1))
        };
        self.leases
            .values()
            .filter(|l| exclusive_or_mine(l))
            .all(|l| l.token < token)
    }

    /// The states after an operation with its answer; none if the answer can not be.
    fn after(&self, operation: &Operation, excused: bool, number: usize) -> Vec<Self> {
        let mut next = self.clone();
        match (&operation.ask, &operation.told) {
            (Ask::Pass(seconds), _) => next.now += seconds,
            (Ask::Kill, _) => next.leases.retain(|_, lease| !lease.lost),
            (Ask::Take(places, seconds), Told::Taken(id, token, until)) => {
                let is_free = !self.keeps_from_leasing(places) && self.is_newest(places, *token);
                if !is_free || !self.ends(operation, *seconds).contains(until) {
                    return Vec::new();
                }
                next.take(id, places, *until, *token, false);
            }
            (Ask::Take(places, _), Told::Busy) => {
                if !self.keeps_from_leasing(places) && !excused {
                    return Vec::new();
                }
            }
            // Nobody was told of it, or it ended before anybody could be.
            (Ask::Take(places, seconds), Told::Nothing | Told::Over) => {
                return self.maybe_taken(places, self.ends(operation, *seconds), number);
            }
            (Ask::Renew(id, seconds), Told::Until(until)) if self.is_alive(id) => {
                if !self.ends(operation, *seconds).contains(until) {
                    return Vec::new();
                }
                next.renew(id, *until);
            }
            (Ask::Renew(id, _) | Ask::Release(id), Told::Over) if !self.is_alive(id) => {}
            (Ask::Release(id), Told::Done) if self.is_alive(id) || excused => drop(next.leases.remove(id)),
            (Ask::Renew(id, seconds), Told::Nothing) if self.is_alive(id) => {
                let renewed = self.ends(operation, *seconds).map(|until| {
                    let mut next = self.clone();
                    next.renew(id, until);
                    next
                });
                return renewed.chain([self.clone()]).collect();
            }
            (Ask::Release(id), Told::Nothing) => {
                next.leases.remove(id);
                return vec![next, self.clone()];
            }
            (Ask::Write(..) | Ask::Renew(..), Told::Nothing) => {}
            (Ask::Write(_, Some(id)), Told::Over) if !self.is_alive(id) => {}
            // Refused either way: under a lease that is over, for that or for what is held there now.
            (Ask::Write(_, Some(id)), Told::Done) if !self.is_alive(id) => return Vec::new(),
            (Ask::Write(prefix, under), Told::Done) if !self.keeps_from_writing(*prefix, under.as_ref()) => {}
            (Ask::Write(prefix, under), Told::Busy) if self.keeps_from_writing(*prefix, under.as_ref()) => {}
            _ => return Vec::new(),
        }
        vec![next]
    }

    fn renew(&mut self, id: &str, until: u64) {
        if let Some(lease) = self.leases.get_mut(id) {
            lease.until = until;
        }
    }

    /// When a lease may end that was asked for so many seconds: they count from the beginning of its request.
    fn ends(&self, operation: &Operation, seconds: u64) -> RangeInclusive<u64> {
        operation.at + seconds..=self.now + seconds
    }

    /// A lease that nobody was told of: not taken; taken; or held until the process was killed, and its row not committed.
    fn maybe_taken(&self, places: &[Place], ends: RangeInclusive<u64>, number: usize) -> Vec<Self> {
        if self.keeps_from_leasing(places) {
            return vec![self.clone()];
        }
        let with = |(until, lost)| {
            let mut next = self.clone();
            // Its token is not known: less than any that was told later is all that matters.
            next.take(&format!("nobody's {number}"), places, until, 0, lost);
            next
        };
        let taken = ends.flat_map(|until| [(until, false), (until, true)]);
        std::iter::once(self.clone()).chain(taken.map(with)).collect()
    }
}

/// Whether one order of the operations, each between its begin and its end, explains every answer.
pub(crate) fn is_linearizable(operations: &[Operation]) -> bool {
    assert!(operations.len() < 64, "a history is short");
    let excused: Vec<bool> = operations.iter().map(|op| is_excused(op, operations)).collect();
    let mut seen: HashSet<(u64, Model)> = HashSet::new();
    let mut left = vec![(0_u64, Model::default())];
    let all = (1_u64 << operations.len()) - 1;
    while let Some((done, model)) = left.pop() {
        if done == all {
            return true;
        }
        let waits = |n: &usize| done & (1 << n) == 0;
        let first_end = (0..operations.len())
            .filter(waits)
            .map(|n| operations[n].ended)
            .min();
        for n in (0..operations.len()).filter(waits) {
            if operations[n].begun > first_end.unwrap_or(u64::MAX) {
                continue;
            }
            for next in model.after(&operations[n], excused[n], n) {
                let state = (done | 1 << n, next);
                if seen.insert(state.clone()) {
                    left.push(state);
                }
            }
        }
    }
    false
}

/// What the model does not see, in which operations take no time: a lease may be refused for a plain write that is under way, and two who give
/// the same lease back at the same time are both told that it is done.
fn is_excused(op: &Operation, all: &[Operation]) -> bool {
    let others = all
        .iter()
        .filter(|other| other.begun < op.ended && op.begun < other.ended);
    let mut beside = others.filter(|other| other.begun != op.begun);
    match &op.ask {
        Ask::Take(places, _) => beside.any(|other| match other.ask {
            Ask::Write(prefix, _) => places.iter().any(|(place, _)| covers(*place, prefix)),
            _ => false,
        }),
        Ask::Release(_) => beside.any(|other| other.ask == op.ask),
        _ => false,
    }
}
