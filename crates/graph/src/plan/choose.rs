//! Choosing the order of variables: the one whose steps have the least to do, by statistics.
//!
//! Sizes are guessed as is usual: a pattern's tuples are spread evenly over the values of its columns, columns are
//! independent. Up to [`ALL_ORDERS_MAX`] variables every order is weighed, beyond that the next variable is the one
//! that costs least now.
//!
//! Deliberately absent: how steps work.

use craton_base::Result;

use super::{bound, variables};
use crate::{
    Bounds, Facts, Order,
    join::{Atom, Query, Slot},
};

/// With more variables not every order is weighed.
const ALL_ORDERS_MAX: usize = 7;
/// Sorting a tuple costs about as much as binding so many.
const SORT_COST: f64 = 4.0;
/// How many values a column has, as a share of the tuples, where nothing says it.
const DISTINCT_SHARE: f64 = 0.3;

/// What is known of a pattern.
struct Guess {
    rows: f64,
    /// The variables that are bound, with about how many values they have.
    values: Vec<(u16, f64)>,
    /// The variables in the natural order of the pattern.
    natural: Vec<u16>,
}

impl Guess {
    fn new(atom: &Atom, bound: &[u16], facts: &dyn Facts) -> Result<Self> {
        let width = atom.slots.len();
        let natural = Order::natural(width);
        let all = facts.statistics(&atom.relation, &natural, &Bounds::all())?;
        let prefix: Vec<u64> = atom
            .slots
            .iter()
            .map_while(|slot| match slot {
                Slot::Constant(id) => Some(id.0),
                Slot::Variable(_) => None,
            })
            .collect();
        let fixed = prefix.len();
        let within = match fixed {
            0 => all,
            _ => facts.statistics(&atom.relation, &natural, &Bounds::prefix(prefix))?,
        };
        let constants = atom
            .slots
            .iter()
            .filter(|slot| matches!(slot, Slot::Constant(_)))
            .count();
        let rows = (within.rows as f64)
            / ((all.rows as f64) * DISTINCT_SHARE)
                .max(1.0)
                .powi((constants - fixed) as i32);
        let rows = rows.max(1.0);
        let mut of_atom = variables(&atom.slots);
        of_atom.retain(|variable| bound.contains(variable));
        let first = atom.slots.first();
        let values = of_atom
            .iter()
            .map(|variable| {
                let known = first == Some(&Slot::Variable(*variable)) && within.distinct > 0;
                let values = if known {
                    within.distinct as f64
                } else {
                    rows * DISTINCT_SHARE
                };
                (*variable, values.clamp(1.0, rows))
            })
            .collect();
        Ok(Self {
            rows,
            values,
            natural: of_atom,
        })
    }

    /// How many tuples there are if only these variables are looked at.
    fn tuples(&self, among: &[u16]) -> f64 {
        let product: f64 = self
            .values
            .iter()
            .filter(|(v, _)| among.contains(v))
            .map(|(_, n)| n)
            .product();
        let whole = self.values.iter().all(|(v, _)| among.contains(v));
        if whole { self.rows } else { product.min(self.rows) }
    }

    fn has(&self, variable: u16) -> Option<f64> {
        self.values.iter().find(|(v, _)| *v == variable).map(|(_, n)| *n)
    }
}

pub(super) fn order(query: &Query, facts: &dyn Facts) -> Result<Vec<u16>> {
    let bound = bound(query);
    if bound.len() < 2 {
        return Ok(bound);
    }
    let guesses = query
        .atoms
        .iter()
        .map(|atom| Guess::new(atom, &bound, facts))
        .collect::<Result<Vec<_>>>()?;
    let mut search = Search {
        guesses: &guesses,
        outputs: query.outputs.iter().map(variables).collect(),
        best: None,
    };
    if bound.len() <= ALL_ORDERS_MAX {
        search.weigh(&mut Vec::new(), &bound, 0.0, 1.0);
    } else {
        search.greedy(&bound);
    }
    Ok(search.best.map_or(bound, |(_, order)| order))
}

struct Search<'a> {
    guesses: &'a [Guess],
    outputs: Vec<Vec<u16>>,
    best: Option<(f64, Vec<u16>)>,
}

impl Search<'_> {
    /// Tries every order that begins with `order`, which costs `cost` and leaves `rows` bindings.
    fn weigh(&mut self, order: &mut Vec<u16>, rest: &[u16], cost: f64, rows: f64) {
        if self.best.as_ref().is_some_and(|(best, _)| *best <= cost) {
            return;
        }
        if rest.is_empty() {
            let cost = cost + self.finish(order, rows);
            if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
                self.best = Some((cost, order.clone()));
            }
            return;
        }
        for variable in rest {
            let (work, after) = self.extend(order, *variable, rows);
            let others: Vec<u16> = rest.iter().copied().filter(|v| v != variable).collect();
            order.push(*variable);
            self.weigh(order, &others, cost + work, after);
            order.pop();
        }
    }

    fn greedy(&mut self, bound: &[u16]) {
        let (mut order, mut rest, mut rows) = (Vec::new(), bound.to_vec(), 1.0);
        while !rest.is_empty() {
            let costs = rest.iter().map(|v| (*v, self.extend(&order, *v, rows)));
            let cheapest = costs.min_by(|(_, a), (_, b)| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
            let Some((variable, (_, after))) = cheapest else {
                break;
            };
            rest.retain(|v| *v != variable);
            order.push(variable);
            rows = after;
        }
        self.best = Some((0.0, order));
    }

    /// What binding `variable` costs, and how many bindings there are then.
    fn extend(&self, order: &[u16], variable: u16, rows: f64) -> (f64, f64) {
        let mut among = order.to_vec();
        among.push(variable);
        let (mut least, mut product, mut inputs, mut domain) = (f64::MAX, 1.0, 0, 1.0_f64);
        for guess in self.guesses {
            let Some(values) = guess.has(variable) else {
                continue;
            };
            let fan = guess.tuples(&among) / guess.tuples(order);
            least = least.min(fan);
            product *= fan;
            domain = domain.max(values);
            inputs += 1;
        }
        let after = rows * (product / domain.powi(inputs - 1)).min(least);
        (rows * least, after.max(1.0))
    }

    /// What sorting costs: of patterns that are not read in their order, of outputs that are not made in theirs.
    fn finish(&self, order: &[u16], rows: f64) -> f64 {
        let place = |variable: &u16| order.iter().position(|v| v == variable);
        let unsorted = self
            .guesses
            .iter()
            .filter(|guess| !guess.natural.is_sorted_by_key(place));
        let reading: f64 = unsorted.map(|guess| guess.rows * SORT_COST).sum();
        let out_of_order =
            |output: &&Vec<u16>| !output.is_sorted_by_key(place) || output.first() != order.first();
        reading + self.outputs.iter().filter(out_of_order).count() as f64 * rows * SORT_COST
    }
}
