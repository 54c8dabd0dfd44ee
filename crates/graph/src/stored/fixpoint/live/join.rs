//! A rule over facts as they were or are, with one of its patterns over few of them.
//!
//! Deliberately absent: which facts, and what becomes of what is found.

use craton_base::{Error, Result};

use super::{
    super::{
        Failures, Found,
        fresh::{Fresh, Layer},
        look::Looks,
        prepared::Prepared,
        rows::Making,
        runs::Runs,
    },
    Live,
    change::Named,
};
use crate::{
    Bounds, Facts as _, Id, Order, Relation, Table,
    join::{Atom, Query, Slot},
    load::runs_of,
    rules::{Build, Head},
    run::Run,
    snapshot::Snapshot,
    stored::{bulk, find},
    transform::transform,
};

impl Live<'_> {
    /// A rule's query, with its template as a further pattern, over facts that are to be derived again, and which one that is.
    pub(super) fn driven(
        &self,
        mut query: Query,
        head: &Head,
        fresh: &Fresh,
        (table, id): Named,
    ) -> Result<Option<(Query, Option<usize>)>> {
        let (Head::Add(items), Some(stand_in)) = (head, fresh.stand_in(table, id)) else {
            return Err(Error::internal("facts of no rule are derived again"));
        };
        let bound = |variable: u16| {
            let mut slots = query.atoms.iter().flat_map(|atom| &atom.slots);
            slots.any(|slot| *slot == Slot::Variable(variable))
        };
        let used = query.atoms.iter().flat_map(|atom| &atom.slots);
        let most = used.filter_map(|slot| match slot {
            Slot::Variable(variable) => Some(*variable),
            Slot::Constant(_) => None,
        });
        let mut next = most.max().map_or(0, |most| most.saturating_add(1));
        let mut slots = Vec::with_capacity(items.len());
        for item in items.iter().skip(1) {
            slots.push(match item {
                Build::Variable(variable) if bound(*variable) => Slot::Variable(*variable),
                Build::Constant(term) => match find::ground_id(&self.space.base, term)? {
                    Some(id) => Slot::Constant(id),
                    None => return Ok(None),
                },
                // What is computed is compared afterwards.
                _ => {
                    next = next.saturating_add(1);
                    Slot::Variable(next.saturating_sub(1))
                }
            });
        }
        let at = query.atoms.len();
        query.atoms.push(Atom {
            relation: Relation {
                table,
                head: Some(stand_in),
            },
            slots,
        });
        Ok(Some((query, Some(at))))
    }

    pub(super) fn facts(&self, is_old: bool) -> &Snapshot {
        match is_old {
            true => &self.old,
            false => &self.space.base,
        }
    }

    /// A rule's query over the facts as they were or are; `None` if nothing can match.
    pub(super) fn query(&self, rule: &Prepared<'_>, is_old: bool) -> Result<Option<Query>> {
        let (facts, names) = (self.facts(is_old), &self.space.base);
        if !rule.may_hold(facts)? {
            return Ok(None);
        }
        for fact in &rule.flat.present {
            let there = match find::tuple_of(names, fact.as_bytes())? {
                Some((table, tuple)) => facts.contains(table, &tuple)?,
                None => false,
            };
            if !there {
                return Ok(None);
            }
        }
        rule.flat
            .query(&mut |term| find::ground_id(names, term), &mut |term| {
                bulk::made_id(self.space, term)
            })
    }

    /// What rules derive with one of their patterns over new facts, over the facts as they were or are.
    pub(super) fn round(&mut self, rules: &[Prepared<'_>], is_old: bool, fresh: &Fresh) -> Result<Runs> {
        self.space.base.blobs().control().check()?;
        self.report.rounds = self.report.rounds.saturating_add(1);
        let mut out = Runs::new();
        for rule in rules {
            let Some(query) = self.query(rule, is_old)? else {
                continue;
            };
            for driven in self.variants(rule, query, fresh)? {
                self.answer(rule, driven, (is_old, fresh), &mut out)?;
            }
        }
        Ok(out)
    }

    /// The query with one of its patterns over new facts, each in turn; as it is if a fact is new that only has to be there.
    pub(super) fn variants(
        &self,
        rule: &Prepared<'_>,
        query: Query,
        fresh: &Fresh,
    ) -> Result<Vec<(Query, Option<usize>)>> {
        for fact in &rule.flat.present {
            let tuple = find::tuple_of(&self.space.base, fact.as_bytes())?;
            let named = tuple.and_then(|(table, tuple)| Some((table, Id(*tuple.first()?))));
            if named.is_some_and(|(table, head)| fresh.stand_in(table, head).is_some()) {
                return Ok(vec![(query, None)]);
            }
        }
        let mut out = Vec::new();
        for at in 0..query.atoms.len() {
            let mut variant = query.clone();
            if let Some(atom) = variant.atoms.get_mut(at)
                && let Some(head) = atom.relation.head
                && let Some(stand_in) = fresh.stand_in(atom.relation.table, head)
            {
                atom.relation.head = Some(stand_in);
                out.push((variant, Some(at)));
            }
        }
        Ok(out)
    }

    /// Answers a query, beginning with the pattern over new facts if they are few, and adds what the rule makes of it.
    pub(super) fn answer(
        &mut self,
        rule: &Prepared<'_>,
        (query, first): (Query, Option<usize>),
        (is_old, fresh): (bool, &Fresh),
        out: &mut Runs,
    ) -> Result<()> {
        let (query, tables) = rule.wanting(query);
        let runs = self.joined((&query, first), &tables, (is_old, fresh))?;
        let made: u64 = runs.iter().map(|(_, run)| run.rows()).sum();
        self.space.base.blobs().control().made_facts(made)?;
        if made == 0 {
            return Ok(());
        }
        let holds = match rule.direct {
            true => {
                let facts = runs.into_iter().filter(|_| !rule.heads.is_empty());
                facts.for_each(|(table, run)| out.entry(table).or_default().push(run));
                true
            }
            false => {
                let (mut found, mut failures) = (Found::default(), Failures::default());
                let making = Making {
                    base: self.facts(is_old),
                    writer: &self.space.writer,
                    depth_max: self.options.depth,
                };
                let holds = rule.pass(&making, &runs, self.space, (&mut found, &mut failures))?;
                for (table, runs) in found.facts {
                    out.entry(table).or_default().extend(runs);
                }
                holds
            }
        };
        if holds && !rule.once.is_empty() {
            for (table, run) in runs_of(&self.space.writer, rule.once.iter())? {
                out.entry(table).or_default().push(run);
            }
        }
        Ok(())
    }

    fn joined(
        &mut self,
        (query, first): (&Query, Option<usize>),
        tables: &[Table],
        (is_old, fresh): (bool, &Fresh),
    ) -> Result<Vec<(Table, Run)>> {
        let few = fresh.rows() < self.space.writer.graphs().looks_below();
        let sizes = match few {
            true => self.sizes(query, is_old)?,
            false => Vec::new(),
        };
        if few && let Some(looks) = first.and_then(|first| Looks::of(query, first, &sizes)) {
            let orders: Vec<(Relation, Order)> = looks.orders().map(|(r, o)| (*r, o.clone())).collect();
            for (relation, order) in orders {
                self.have_order(&relation, &order, fresh)?;
            }
            let facts = self.facts(is_old);
            if let Some(runs) = looks.answer(tables, &Layer::new(facts, Some(fresh)), facts)? {
                return Ok(runs);
            }
        }
        let resources = bulk::resources(self.space, 1);
        let layer = Layer::new(self.facts(is_old), Some(fresh));
        Ok(transform(query, tables, &layer, &resources)?.runs)
    }

    /// How many tuples the relations of patterns have, at most.
    fn sizes(&self, query: &Query, is_old: bool) -> Result<Vec<u64>> {
        let rows = |atom: &Atom| {
            let order = Order::natural(atom.relation.width());
            let known = self
                .facts(is_old)
                .statistics(&atom.relation, &order, &Bounds::all());
            known.map(|known| known.rows)
        };
        query.atoms.iter().map(rows).collect()
    }

    /// Has a relation in an order that can be looked up in, kept for the next time.
    fn have_order(&mut self, relation: &Relation, order: &Order, fresh: &Fresh) -> Result<()> {
        if fresh.is_stand_in(relation) {
            return Ok(());
        }
        let Some(level) = self.old.missing_order(relation, order)? else {
            return Ok(());
        };
        self.old.take_order(level.clone());
        crate::writer::put_order(&mut self.start, level.clone());
        self.space.base.take_order(level.clone());
        self.orders.push(level);
        Ok(())
    }
}
