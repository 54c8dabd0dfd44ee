//! How a pattern's tuples are read: an order, a fixed prefix, what is filtered, which columns are taken.
//!
//! Deliberately absent: joining.

use std::fmt;

use craton_base::{Error, Result};

use crate::{
    Block, Bounds, Control, Facts, Order, Relation, Tuples,
    join::{Atom, Range, Slot},
};

/// Takes columns and how many rows they have; says whether to go on.
pub(crate) type Each<'a> = dyn FnMut(&[&[u64]], usize) -> Result<bool> + 'a;

/// Reading of one pattern. Patterns whose scans are equal share what is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scan {
    pub(crate) relation: Relation,
    pub(crate) order: Order,
    pub(crate) bounds: Bounds,
    /// Columns (of the order) that must be an id.
    constants: Vec<(usize, u64)>,
    /// Columns (of the order) that must be equal.
    equal: Vec<(usize, usize)>,
    /// Columns (of the order) and the least and greatest that they may be.
    ranges: Vec<(usize, u64, u64)>,
    /// Columns (of the order) that are taken, in the order in which the plan binds their variables.
    pub(crate) columns: Vec<usize>,
    /// Whether what is taken has to be sorted.
    pub(crate) sort: bool,
}

/// The order that gives a pattern's tuples sorted as the plan wants them: constants first, then the variables.
fn ideal(atom: &Atom, variables: &[u16]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(atom.slots.len());
    let constants = atom
        .slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| matches!(slot, Slot::Constant(_)));
    order.extend(constants.map(|(column, _)| column));
    for wanted in variables {
        order.extend(
            atom.slots
                .iter()
                .position(|slot| *slot == Slot::Variable(*wanted)),
        );
    }
    let rest: Vec<usize> = (0..atom.slots.len())
        .filter(|column| !order.contains(column))
        .collect();
    order.extend(rest);
    order
}

impl Scan {
    /// How to read `atom` for a plan that binds its `variables` (those that are bound) in this order.
    ///
    /// Reads in the ideal order where that is there or where it lets constants be found in a large relation; else in the
    /// natural one, filtered and sorted.
    pub(crate) fn new(atom: &Atom, variables: &[u16], ranges: &[Range], facts: &dyn Facts) -> Result<Self> {
        let natural = Order::natural(atom.slots.len());
        let ideal = ideal(atom, variables);
        let columns = ideal
            .iter()
            .filter_map(|column| u16::try_from(*column).ok())
            .collect();
        let ideal = Order::new(columns)?;
        let order = match ideal == natural || facts.has_order(&atom.relation, &ideal) {
            true => ideal,
            false => natural,
        };
        Ok(Self::in_order(atom, variables, ranges, order))
    }

    fn in_order(atom: &Atom, variables: &[u16], ranges: &[Range], order: Order) -> Self {
        let slots: Vec<Slot> = order
            .columns()
            .iter()
            .filter_map(|column| atom.slots.get(usize::from(*column)).copied())
            .collect();
        let prefix: Vec<u64> = slots
            .iter()
            .map_while(|slot| match slot {
                Slot::Constant(id) => Some(id.0),
                Slot::Variable(_) => None,
            })
            .collect();
        let first_of = |variable: u16| slots.iter().position(|slot| *slot == Slot::Variable(variable));
        let mut scan = Self {
            relation: atom.relation,
            bounds: Bounds::prefix(prefix.clone()),
            order,
            constants: Vec::new(),
            equal: Vec::new(),
            ranges: Vec::new(),
            columns: variables
                .iter()
                .filter_map(|variable| first_of(*variable))
                .collect(),
            sort: false,
        };
        // Columns that tell tuples apart and order them: not those that are fixed or repeat another.
        let mut free = Vec::new();
        for (at, slot) in slots.iter().enumerate() {
            match *slot {
                Slot::Constant(id) if at >= prefix.len() => scan.constants.push((at, id.0)),
                Slot::Constant(_) => {}
                Slot::Variable(variable) => match first_of(variable) {
                    Some(first) if first < at => scan.equal.push((first, at)),
                    _ => {
                        free.push(at);
                        scan.limit(at, prefix.len(), variable, ranges);
                    }
                },
            }
        }
        scan.sort = !free.starts_with(&scan.columns);
        scan
    }

    fn limit(&mut self, column: usize, prefix: usize, variable: u16, ranges: &[Range]) {
        for range in ranges.iter().filter(|range| range.variable == variable) {
            if column == prefix {
                self.bounds.least = self.bounds.least.max(range.least.0);
                self.bounds.most = self.bounds.most.min(range.most.0);
            } else {
                self.ranges.push((column, range.least.0, range.most.0));
            }
        }
    }

    /// Rows to expect, at most.
    pub(crate) fn rows(&self, facts: &dyn Facts) -> Result<u64> {
        Ok(facts.statistics(&self.relation, &self.order, &self.bounds)?.rows)
    }

    /// The tuples as they are read, columns taken, without duplicates next to each other. Not sorted where they
    /// would have to be.
    pub(crate) fn open(&self, facts: &dyn Facts) -> Result<Box<dyn Tuples>> {
        let tuples = facts.scan(&self.relation, &self.order, &self.bounds)?;
        let none = self.bounds.least > self.bounds.most;
        Ok(Box::new(Taken {
            scan: self.clone(),
            tuples,
            none,
            block: Block::default(),
            kept: Vec::new(),
            last: Vec::new(),
        }))
    }

    /// Calls `each` with the columns taken, block by block, until it returns `false`.
    pub(crate) fn read(&self, facts: &dyn Facts, control: &Control, each: &mut Each<'_>) -> Result<()> {
        if self.bounds.least > self.bounds.most {
            return Ok(());
        }
        let mut tuples = facts.scan(&self.relation, &self.order, &self.bounds)?;
        let (mut block, mut kept) = (Block::default(), Vec::new());
        let mut gathered: Vec<Vec<u64>> = vec![Vec::new(); self.columns.len()];
        let filtered = !(self.constants.is_empty() && self.equal.is_empty() && self.ranges.is_empty());
        while tuples.next(&mut block)? {
            control.check()?;
            let mut rows = block.rows();
            if filtered {
                self.filter(&block, &mut kept);
                rows = kept.len();
                for (to, column) in gathered.iter_mut().zip(&self.columns) {
                    let column = block.column(*column);
                    to.clear();
                    to.extend(kept.iter().filter_map(|row| column.get(*row).copied()));
                }
            }
            let taken: Vec<&[u64]> = match filtered {
                true => gathered.iter().map(Vec::as_slice).collect(),
                false => self.columns.iter().map(|column| block.column(*column)).collect(),
            };
            if rows > 0 && !each(&taken, rows)? {
                break;
            }
        }
        Ok(())
    }

    /// The rows that pass.
    fn filter(&self, block: &Block, kept: &mut Vec<usize>) {
        kept.clear();
        kept.extend(0..block.rows());
        for (column, id) in &self.constants {
            let column = block.column(*column);
            kept.retain(|row| column.get(*row) == Some(id));
        }
        for (a, b) in &self.equal {
            let (a, b) = (block.column(*a), block.column(*b));
            kept.retain(|row| a.get(*row) == b.get(*row));
        }
        for (column, least, most) in &self.ranges {
            let column = block.column(*column);
            kept.retain(|row| column.get(*row).is_some_and(|id| (least..=most).contains(&id)));
        }
    }
}

/// A pattern's tuples as a scan takes them.
struct Taken {
    scan: Scan,
    tuples: Box<dyn Tuples>,
    /// Nothing is within the bounds.
    none: bool,
    block: Block,
    kept: Vec<usize>,
    last: Vec<u64>,
}

impl Tuples for Taken {
    fn width(&self) -> usize {
        self.scan.columns.len()
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.reset(self.scan.columns.len());
        while block.is_empty() && !self.none && self.tuples.next(&mut self.block)? {
            self.scan.filter(&self.block, &mut self.kept);
            let mut tuple = Vec::with_capacity(self.scan.columns.len());
            for row in &self.kept {
                tuple.clear();
                let columns = self.scan.columns.iter().map(|at| self.block.column(*at));
                tuple.extend(columns.filter_map(|column| column.get(*row).copied()));
                if tuple != self.last {
                    block.push(&tuple);
                    std::mem::swap(&mut self.last, &mut tuple);
                }
            }
        }
        Ok(!block.is_empty())
    }

    /// Reads on: what is passed over is read.
    fn seek(&mut self, _least: &[u64]) -> Result<()> {
        Err(Error::internal("the tuples of a pattern are read in order only"))
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "columns {:?}", self.order.columns())?;
        if !self.bounds.prefix.is_empty() {
            write!(f, ", {} fixed", self.bounds.prefix.len())?;
        }
        let filters = self.constants.len() + self.equal.len() + self.ranges.len();
        if filters > 0 {
            write!(f, ", {filters} filtered")?;
        }
        write!(f, "{}", if self.sort { ", sorted" } else { "" })
    }
}
