//! Walking from version to version over the runs that touched them.
//!
//! Invariants
//! - nothing behind an edge that the caller may not know is followed;
//! - it ends at [`LINEAGE_EDGES_MAX`] edges, or as many that are hidden, and says that there are more;
//! - each version is looked at once, and each run as often as a later (or earlier) moment of it is met.
//!
//! Deliberately absent: who may ask.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use craton_base::{Result, Timestamp};

use super::{
    ask::{Direction, Edge, LINEAGE_EDGES_MAX, LineageAnswer, LineageAsk, Sight},
    follow::Lineage,
    rows::{self, EdgeKey, EdgeRow, Id, Touch},
};

/// A walk from version to version over runs.
pub(super) struct Walk<'a> {
    lineage: &'a Lineage,
    sight: Sight<'a>,
    asked: &'a LineageAsk,
    found: BTreeMap<EdgeKey, Edge>,
    hidden: HashSet<EdgeKey>,
    more: bool,
    most: usize,
    /// Rows of runs that were gone through for their other edges: they are asked for by their versions next.
    near: HashMap<EdgeKey, EdgeRow>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(lineage: &'a Lineage, sight: Sight<'a>, asked: &'a LineageAsk) -> Self {
        Self {
            lineage,
            sight,
            asked,
            found: BTreeMap::new(),
            hidden: HashSet::new(),
            more: false,
            near: HashMap::new(),
            most: asked
                .limit
                .map_or(LINEAGE_EDGES_MAX, |limit| limit.min(LINEAGE_EDGES_MAX)),
        }
    }

    pub(super) fn answer(mut self) -> Result<LineageAnswer> {
        let root = rows::resource_id(&self.asked.resource);
        let version = match self.asked.version {
            Some(version) => Some(version),
            None => self.lineage.newest(&root)?,
        };
        if let Some(version) = version {
            self.walk((root, version))?;
        }
        let mut edges: Vec<Edge> = self.found.into_values().collect();
        edges.sort_by(|a, b| (a.first, &a.resource, a.version).cmp(&(b.first, &b.resource, b.version)));
        Ok(LineageAnswer {
            version,
            edges,
            hidden: self.hidden.len() as u64,
            more: self.more,
        })
    }

    fn walk(&mut self, root: (Id, u64)) -> Result<()> {
        let mut seen = HashSet::from([root]);
        // How far the edges of a run were followed: what it touched until, or from, that moment.
        let mut runs: HashMap<Id, Timestamp> = HashMap::new();
        let mut waiting = VecDeque::from([(root, 0_u32)]);
        while let Some((node, depth)) = waiting.pop_front() {
            if self.more || self.asked.depth.is_some_and(|most| depth >= most) {
                continue;
            }
            for through in self.at_version(node)? {
                let moment = match self.asked.direction {
                    Direction::Upstream => through.1.last,
                    Direction::Downstream => through.1.first,
                };
                let run = through.0.run;
                let known = runs.get(&run).is_some_and(|known| match self.asked.direction {
                    Direction::Upstream => *known >= moment,
                    Direction::Downstream => *known <= moment,
                });
                if known {
                    continue;
                }
                runs.insert(run, moment);
                for key in self.of_run(&run, moment)? {
                    if seen.insert((key.resource, key.version)) {
                        waiting.push_back(((key.resource, key.version), depth.saturating_add(1)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The runs that made a version, or that read it: only their rows are looked at, however many touched it otherwise.
    fn at_version(&mut self, (resource, version): (Id, u64)) -> Result<Vec<(EdgeKey, Edge)>> {
        let touches: &[Touch] = match self.asked.direction {
            Direction::Upstream => &[Touch::Write, Touch::Delete],
            Direction::Downstream => &[Touch::Read],
        };
        let most = self.most;
        let mut keys = Vec::new();
        for touch in touches {
            let version = version.to_be_bytes();
            self.lineage
                .each(&[b"V", &resource, &version, &[*touch as u8]], |name, _| {
                    keys.push(EdgeKey::read(name)?);
                    Ok(keys.len() <= most)
                })?;
        }
        self.more |= keys.len() > most;
        let mut out = Vec::new();
        for key in keys.into_iter().take(most) {
            let row = match self.near.remove(&key) {
                Some(row) => Some(row),
                None => self.lineage.edge(&key)?,
            };
            if let Some(row) = row
                && let Some(edge) = self.keep(key, row)
            {
                out.push((key, edge));
            }
        }
        Ok(out)
    }

    /// What a run read until a moment, or made from one on.
    fn of_run(&mut self, run: &Id, moment: Timestamp) -> Result<Vec<EdgeKey>> {
        let read = self.asked.direction == Direction::Upstream;
        let lineage = self.lineage;
        let mut out = Vec::new();
        lineage.each(&[b"E", run], |name, value| {
            let key = EdgeKey::read(name)?;
            let row: EdgeRow = rows::decode(value)?;
            let in_time = match self.asked.direction {
                Direction::Upstream => Timestamp(row.first_micros) <= moment,
                Direction::Downstream => Timestamp(row.last_micros) >= moment,
            };
            if (key.touch == Touch::Read) != read {
                if self.near.len() < LINEAGE_EDGES_MAX {
                    self.near.insert(key, row);
                }
            } else if in_time && self.keep(key, row).is_some() {
                out.push(key);
            }
            Ok(!self.more)
        })?;
        Ok(out)
    }

    /// Takes an edge into the answer, if it may be told.
    fn keep(&mut self, key: EdgeKey, row: EdgeRow) -> Option<Edge> {
        let within = self
            .asked
            .since
            .is_none_or(|since| Timestamp(row.last_micros) >= since)
            && self
                .asked
                .until
                .is_none_or(|until| Timestamp(row.first_micros) < until);
        if !within {
            return None;
        }
        if !self.sight.sees(&row) {
            self.hidden.insert(key);
            self.more |= self.hidden.len() >= LINEAGE_EDGES_MAX;
            return None;
        }
        if self.found.len() >= self.most && !self.found.contains_key(&key) {
            self.more = true;
            return None;
        }
        let edge = Edge::of(&key, row);
        self.found.insert(key, edge.clone());
        Some(edge)
    }
}
