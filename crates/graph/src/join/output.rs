//! The end of a join: outputs are made from the last bindings, at once where those are in order, else by way of a sort.
//!
//! Deliberately absent: what becomes of blocks.

use std::sync::Arc;

use craton_base::Result;

use super::{
    domain::Domain,
    load::{Packed, extend, unpack},
    step::{BATCH_ROWS, Batch, End},
};
use crate::{
    Block, Control, Storage,
    join::Slot,
    plan::OutputPlan,
    sort::{KeySorter, SortCost, Sorted, key::Wide, merge::Source},
};

/// Takes what a join makes. One worker pushes to one sink.
pub trait Sink: Send {
    /// Takes tuples of an output: ascending, each once, greater than those before.
    ///
    /// # Errors
    /// Its own; ends the join.
    fn push(&mut self, output: usize, block: &Block) -> Result<()>;
}

/// Makes blocks of one output from columns of local numbers.
pub(super) struct Blocks<'a> {
    plan: &'a OutputPlan,
    domain: &'a Domain,
    control: &'a Control,
    block: Block,
    pub(super) rows: u64,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(plan: &'a OutputPlan, domain: &'a Domain, control: &'a Control) -> Self {
        Self {
            plan,
            domain,
            control,
            block: Block::default(),
            rows: 0,
        }
    }

    /// Pushes tuples: the columns of the output's variables.
    fn push(&mut self, at: usize, columns: &[&[u32]], rows: usize, sink: &mut dyn Sink) -> Result<()> {
        let most = Block::rows_max(self.plan.slots.len());
        let mut from = 0;
        while from < rows {
            let to = rows.min(from + most);
            self.block.reset(self.plan.slots.len());
            let (plan, domain) = (self.plan, self.domain);
            self.block.fill(|blocks| {
                for ((block, slot), place) in blocks.iter_mut().zip(&plan.slots).zip(&plan.places) {
                    match (slot, place.and_then(|place| columns.get(place))) {
                        (Slot::Constant(id), _) => block.resize(to - from, id.0),
                        (Slot::Variable(_), Some(column)) => {
                            domain.ids(column.get(from..to).unwrap_or_default(), block);
                        }
                        (Slot::Variable(_), None) => {}
                    }
                }
            });
            self.rows += (to - from) as u64;
            self.control.made_facts((to - from) as u64)?;
            sink.push(at, &self.block)?;
            from = to;
        }
        Ok(())
    }
}

/// Tuples of local numbers being sorted, in the narrowest keys that hold them.
enum Sorting {
    Narrow(KeySorter<u64>),
    Middle(KeySorter<u128>),
    Wide(KeySorter<Wide<32>>),
}

/// What sorting left to be merged.
pub(super) enum Merging {
    Narrow(Vec<Source<u64>>),
    Middle(Vec<Source<u128>>),
    Wide(Vec<Source<Wide<32>>>),
}

/// What a worker sorted of an output, if it had to be sorted.
pub(super) type Unmerged = Option<(Merging, SortCost)>;

impl Sorting {
    fn new(width: usize, bits: u32, budget: u64, storage: Arc<dyn Storage>) -> Self {
        match width as u32 * bits {
            ..=64 => Self::Narrow(KeySorter::new(budget, storage)),
            65..=128 => Self::Middle(KeySorter::new(budget, storage)),
            _ => Self::Wide(KeySorter::new(budget, storage)),
        }
    }

    fn extend(&mut self, columns: &[&[u32]], bits: u32) -> Result<()> {
        match self {
            Self::Narrow(sorter) => extend(sorter, columns, bits),
            Self::Middle(sorter) => extend(sorter, columns, bits),
            Self::Wide(sorter) => extend(sorter, columns, bits),
        }
    }

    fn finish(self) -> (Merging, SortCost) {
        match self {
            Self::Narrow(sorter) => {
                let (sources, cost) = sorter.finish();
                (Merging::Narrow(sources), cost)
            }
            Self::Middle(sorter) => {
                let (sources, cost) = sorter.finish();
                (Merging::Middle(sources), cost)
            }
            Self::Wide(sorter) => {
                let (sources, cost) = sorter.finish();
                (Merging::Wide(sources), cost)
            }
        }
    }
}

/// One output of one worker.
struct Output<'a> {
    plan: &'a OutputPlan,
    blocks: Blocks<'a>,
    /// Where it does not come in order.
    sorting: Option<Sorting>,
    /// The last tuple, where tuples can repeat.
    last: Vec<u32>,
}

/// All outputs of one worker.
pub(super) struct Outputs<'a, S> {
    outputs: Vec<Output<'a>>,
    bits: u32,
    pub(super) sink: S,
}

impl<'a, S: Sink> Outputs<'a, S> {
    /// `budget` bytes for sorting, for each output that is sorted.
    pub(super) fn new(
        plans: &'a [OutputPlan],
        domain: &'a Domain,
        control: &'a Control,
        (budget, storage): (u64, &Arc<dyn Storage>),
        sink: S,
    ) -> Self {
        let bits = domain.bits();
        let output = |plan: &'a OutputPlan| Output {
            plan,
            blocks: Blocks::new(plan, domain, control),
            sorting: (!plan.in_order)
                .then(|| Sorting::new(plan.columns.len(), bits, budget, storage.clone())),
            last: Vec::new(),
        };
        Self {
            outputs: plans.iter().map(output).collect(),
            bits,
            sink,
        }
    }

    /// The sink; what each output has to merge; the tuples that each output pushed already.
    pub(super) fn finish(self) -> (S, Vec<Unmerged>, Vec<u64>) {
        let mut merging = Vec::new();
        let mut rows = Vec::new();
        for output in self.outputs {
            merging.push(output.sorting.map(Sorting::finish));
            rows.push(output.blocks.rows);
        }
        (self.sink, merging, rows)
    }
}

impl<S: Sink> End for Outputs<'_, S> {
    fn take(&mut self, batch: &Batch) -> Result<()> {
        for (at, output) in self.outputs.iter_mut().enumerate() {
            let columns: Vec<&[u32]> = output
                .plan
                .columns
                .iter()
                .filter_map(|at| batch.columns.get(*at).map(Vec::as_slice))
                .collect();
            match &mut output.sorting {
                Some(_) if columns.is_empty() => output.once()?,
                Some(sorting) => sorting.extend(&columns, self.bits)?,
                None if output.plan.repeats => {
                    output.push_distinct(at, &columns, batch.rows, &mut self.sink)?
                }
                None => output.blocks.push(at, &columns, batch.rows, &mut self.sink)?,
            }
        }
        Ok(())
    }
}

impl Output<'_> {
    /// An output without variables: made once, by whoever merges.
    fn once(&mut self) -> Result<()> {
        if let Some(Sorting::Narrow(sorter)) = &mut self.sorting {
            sorter.extend(std::iter::once(0))?;
        }
        Ok(())
    }

    /// Pushes in-order tuples without those that equal the one before.
    fn push_distinct(
        &mut self,
        at: usize,
        columns: &[&[u32]],
        rows: usize,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let mut kept: Vec<Vec<u32>> = vec![Vec::with_capacity(BATCH_ROWS); columns.len()];
        for row in 0..rows {
            let tuple = || columns.iter().filter_map(|column| column.get(row).copied());
            if self.last.len() == columns.len() && tuple().eq(self.last.iter().copied()) {
                continue;
            }
            self.last.clear();
            self.last.extend(tuple());
            for (kept, value) in kept.iter_mut().zip(&self.last) {
                kept.push(*value);
            }
        }
        let rows = kept.first().map_or(0, Vec::len);
        let kept: Vec<&[u32]> = kept.iter().map(Vec::as_slice).collect();
        self.blocks.push(at, &kept, rows, sink)
    }
}

/// Merges what workers sorted of an output and pushes it.
pub(super) fn merge(
    at: usize,
    mut blocks: Blocks<'_>,
    parts: Vec<Merging>,
    sink: &mut dyn Sink,
) -> Result<u64> {
    let mut parts = parts.into_iter().peekable();
    macro_rules! merge {
        ($($width:ident),*) => {
            match parts.peek() {
                $(Some(Merging::$width(_)) => {
                    let sources = parts.filter_map(|part| match part {
                        Merging::$width(sources) => Some(sources),
                        _ => None,
                    });
                    push_merged(at, &mut blocks, Sorted::new(sources.flatten().collect())?, sink)?;
                })*
                None => {}
            }
        };
    }
    merge!(Narrow, Middle, Wide);
    Ok(blocks.rows)
}

fn push_merged<K: Packed>(
    at: usize,
    blocks: &mut Blocks<'_>,
    mut sorted: Sorted<K>,
    sink: &mut dyn Sink,
) -> Result<()> {
    let bits = blocks.domain.bits();
    let mut columns: Vec<Vec<u32>> = vec![Vec::new(); blocks.plan.columns.len()];
    let mut keys = Vec::new();
    while sorted.next(BATCH_ROWS, &mut keys)? {
        unpack(&keys, bits, &mut columns);
        let columns: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
        blocks.push(at, &columns, keys.len(), sink)?;
    }
    Ok(())
}
