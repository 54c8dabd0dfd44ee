//! Keeping what rules derived up to date as facts change: only what follows from the change is computed.
//!
//! ```text
//! what changed ─▶ layer by layer: ─▶ what may be gone: derived from what is gone, in the old facts    (semi-naive)
//!                                 ─▶ what of that is still derived, in one step, from what is left
//!                                 ─▶ what is new: derived from what came and came back                (semi-naive)
//!                                 ─▶ the layer's change, which the next layers take for theirs
//! ```
//!
//! That is deleting and rederiving (Gupta, Mumick, Subrahmanian: Maintaining Views Incrementally, 1993). A layer is computed anew from the facts below
//! it, and compared, where it denies a relation that changed, aggregates or keeps the best, or where half of it may be gone. Where few facts
//! changed, those that go with them are looked up ([`super::look`]); else relations are joined as in any round.
//!
//! Invariants
//! - LF-1: before and after, what the relations hold that rules make is the rules' least fixpoint over the other facts, and nothing else;
//! - LF-2: all rules of a relation lie in one layer ([`Rules::together`]), so what none of them derives is not derived.
//!
//! Deliberately absent: which rules a graph keeps, who may change what ([`crate::stored::live`]); commits.

use std::collections::BTreeSet;

use craton_base::{Error, Kind, Result};

use super::{
    Options, Report,
    prepared::{self, Prepared},
    run_layer,
    runs::{Runs, adding, removing, rows, together, within, without},
};
use crate::{
    Bounds, Facts as _, Order, Relation, Table,
    exec::flat::meets,
    manifest::{FactsManifest, Level},
    rules::{Checked, Head, Rules, wrong},
    run::Run,
    snapshot::Snapshot,
    stored::{StoredSpace, bulk},
    writer::Delta,
};

mod change;
mod join;

pub(crate) use change::all_of;
use change::{Change, Named, add, denied, difference, fresh, is_empty, put};

/// With fewer facts than this gone a layer is not computed anew for their number.
const GONE_MIN: u64 = 10_000;

/// What the rules make of the changes that the space has over `old`, as further changes of the space. Gives orders in which relations were
/// looked up and which the graph does not keep yet. Blocks.
///
/// # Errors
/// As [`super::run`].
pub(crate) fn maintain(
    space: &mut StoredSpace,
    old: Snapshot,
    rules: &Rules,
    options: Options,
) -> Result<(Report, Vec<Level>)> {
    let mut live = Live::new(space, old, rules, options)?;
    for layer in &rules.layers {
        live.layer(layer)?;
    }
    let Live {
        space,
        report,
        net,
        orders,
        ..
    } = live;
    space.deltas.extend(net);
    Ok((report, orders))
}

struct Live<'a> {
    space: &'a mut StoredSpace,
    /// The facts before the change, what was derived from them included.
    old: Snapshot,
    /// The facts after it, but for what follows.
    start: FactsManifest,
    options: Options,
    /// What follows so far, in layers that are done.
    net: Vec<Delta>,
    changed: Change,
    orders: Vec<Level>,
    report: Report,
}

impl<'a> Live<'a> {
    fn new(space: &'a mut StoredSpace, mut old: Snapshot, rules: &Rules, options: Options) -> Result<Self> {
        space.flush()?;
        for layer in &rules.layers {
            prepared::write_constants(space, layer)?;
        }
        old.refresh(&space.writer)?;
        let start = space.base.manifest().clone();
        let mut live = Self {
            space,
            old,
            start,
            options,
            net: Vec::new(),
            changed: Change::default(),
            orders: Vec::new(),
            report: Report::default(),
        };
        live.check_open(rules)?;
        live.changed = live.asked(rules)?;
        Ok(live)
    }

    /// What the changes of the space came to, in relations that rules read: of what is added, what was not there, and so on.
    fn asked(&self, rules: &Rules) -> Result<Change> {
        let names = &self.space.base;
        let mut relations = BTreeSet::new();
        for rule in rules.all() {
            Prepared::of(rule)?.reads(names, &mut relations)?;
            relations.extend(denied(rule, names)?);
        }
        let storage = names.blobs();
        let mut out = Change::default();
        for (table, head) in relations {
            let deltas = self.space.deltas.iter();
            let its = deltas.flat_map(|delta| delta.adds.iter().chain(&delta.removes));
            let touched: Vec<Run> = its
                .filter(|(t, _)| *t == table)
                .map(|(_, run)| run.clone())
                .collect();
            let (bounds, width) = (Bounds::prefix(vec![head.0]), table.width());
            let missing = |facts: &Snapshot| {
                let mut known = facts.scan(&Relation::whole(table), &Order::natural(width), &bounds)?;
                without(&mut *within(width, &touched, &bounds), &mut *known, storage)
            };
            if touched.is_empty() || is_empty(&mut *within(width, &touched, &bounds))? {
                continue;
            }
            let change = difference(table, [missing(&self.old)?], [missing(names)?], storage)?;
            out.extend(change);
        }
        Ok(out)
    }

    /// Fails if a fact with variables came that a pattern matches, which rules do not look at.
    fn check_open(&self, rules: &Rules) -> Result<()> {
        let adds = self.space.deltas.iter().flat_map(|delta| &delta.adds);
        if !adds.into_iter().any(|(table, run)| table.open && run.rows() > 0) {
            return Ok(());
        }
        for rule in rules.all() {
            let read = crate::exec::Rule::read(rule.touches.clone())?;
            if meets(&read, &bulk::Open(self.space))? {
                let what = "a fact with variables matches a pattern, which rules do not look at";
                return Err(wrong(&rule.label, what));
            }
        }
        Ok(())
    }

    /// Brings a layer up to date.
    fn layer(&mut self, rules: &[Checked]) -> Result<()> {
        let mut all = Vec::with_capacity(rules.len());
        let (mut reads, mut denies) = (BTreeSet::new(), BTreeSet::new());
        for rule in rules {
            let prepared = Prepared::of(rule)?;
            prepared.reads(&self.space.base, &mut reads)?;
            denies.extend(denied(rule, &self.space.base)?);
            all.push(prepared);
        }
        let is_denied = self.changed.is_in(&denies)?;
        if !is_denied && !self.changed.is_in(&reads)? {
            return Ok(());
        }
        let made = self.made(rules)?;
        let adds = |rule: &Checked| rule.heads.iter().all(|head| matches!(head, Head::Add(_)));
        let change = match !is_denied && rules.iter().all(adds) {
            true => self.follow(&all, &reads, &made)?,
            false => None,
        };
        let change = match change {
            Some(change) => change,
            None => self.anew(rules, &made)?,
        };
        self.report.added = self.report.added.saturating_add(rows(&change.plus));
        self.report.replaced = self.report.replaced.saturating_add(rows(&change.minus));
        if !change.is_empty() {
            self.net.push(Delta {
                adds: adding(&change.plus).adds,
                removes: removing(&change.minus).removes,
            });
        }
        self.changed.extend(change);
        self.show(&[])
    }

    /// Lets the space show what is known to follow, and more.
    fn show(&mut self, more: &[Delta]) -> Result<()> {
        let mut all = self.net.clone();
        all.extend_from_slice(more);
        self.space.base.rebase(&self.start, &all, &self.space.writer)
    }

    /// The relations that rules make.
    fn made(&self, rules: &[Checked]) -> Result<BTreeSet<Named>> {
        let mut out = BTreeSet::new();
        for head in rules.iter().flat_map(|rule| &rule.heads) {
            let (first, width) = head.of();
            out.insert((Table::facts(width), bulk::made_id(self.space, &first)?));
        }
        Ok(out)
    }

    /// Computes a layer from what is below it, and compares.
    fn anew(&mut self, rules: &[Checked], made: &BTreeSet<Named>) -> Result<Change> {
        let mut before = Runs::new();
        for (table, head) in made {
            let run = all_of(&self.space.base, (*table, *head))?;
            before.entry(*table).or_default().push(run);
        }
        self.show(&[removing(&before)])?;
        let asked = self.space.deltas.len();
        run_layer(self.space, rules, self.options, &mut Report::default())?;
        self.space.deltas.truncate(asked);
        let mut out = Change::default();
        let storage = self.space.base.blobs();
        for (table, old) in before {
            let heads = made.iter().filter(|(of, _)| *of == table);
            let new: Result<Vec<Run>> = heads.map(|named| all_of(&self.space.base, *named)).collect();
            out.extend(difference(table, new?, old, storage)?);
        }
        Ok(out)
    }

    /// Follows what changed through a layer; nothing if so much may be gone that computing it anew is less.
    fn follow(
        &mut self,
        rules: &[Prepared<'_>],
        reads: &BTreeSet<Named>,
        made: &BTreeSet<Named>,
    ) -> Result<Option<Change>> {
        let Some(gone) = self.gone(rules, reads, made)? else {
            return Ok(None);
        };
        self.show(&[removing(&gone)])?;
        let back = self.rederived(rules, &gone)?;
        let mut came = back.clone();
        self.show(&[removing(&gone), adding(&came)])?;
        let mut changed = self.changed.plus.clone();
        for (table, runs) in back {
            changed.entry(table).or_default().extend(runs);
        }
        let mut fresh = fresh(&changed, reads, self.space.base.blobs())?;
        for round in 1u64.. {
            if fresh.is_empty() {
                break;
            }
            self.check_rounds(round, rules)?;
            let found = self.round(rules, false, &fresh)?;
            let mut new = Runs::new();
            for (table, runs) in &found {
                let order = Order::natural(table.width());
                let base = &self.space.base;
                let mut known = base.scan(&Relation::whole(*table), &order, &Bounds::all())?;
                let run = without(&mut *together(table.width(), runs), &mut *known, base.blobs())?;
                add(&mut new, *table, run);
            }
            put(&mut came, &new, self.space.base.blobs())?;
            self.show(&[removing(&gone), adding(&came)])?;
            fresh = self::fresh(&new, reads, self.space.base.blobs())?;
        }
        let mut out = Change::default();
        let tables: BTreeSet<Table> = gone.keys().chain(came.keys()).copied().collect();
        for table in tables {
            let of = |runs: &Runs| runs.get(&table).cloned().unwrap_or_default();
            out.extend(difference(table, of(&came), of(&gone), self.space.base.blobs())?);
        }
        Ok(Some(out))
    }

    /// What may be gone: all that has a derivation from what is gone, over the old facts.
    fn gone(
        &mut self,
        rules: &[Prepared<'_>],
        reads: &BTreeSet<Named>,
        made: &BTreeSet<Named>,
    ) -> Result<Option<Runs>> {
        let mut gone = Runs::new();
        let mut fresh = fresh(&self.changed.minus, reads, self.space.base.blobs())?;
        if fresh.is_empty() {
            return Ok(Some(gone));
        }
        let mut all = 0u64;
        for (table, head) in made {
            let (order, bounds) = (Order::natural(table.width()), Bounds::prefix(vec![head.0]));
            let known = self.old.statistics(&Relation::whole(*table), &order, &bounds)?;
            all = all.saturating_add(known.rows);
        }
        while !fresh.is_empty() {
            let found = self.round(rules, true, &fresh)?;
            let mut new = Runs::new();
            for (table, runs) in &found {
                let width = table.width();
                let known = gone.get(table).map(Vec::as_slice).unwrap_or_default();
                let storage = self.space.base.blobs();
                let run = without(&mut *together(width, runs), &mut *together(width, known), storage)?;
                add(&mut new, *table, run);
            }
            put(&mut gone, &new, self.space.base.blobs())?;
            if rows(&gone) > GONE_MIN.max(all / 2) {
                return Ok(None);
            }
            fresh = self::fresh(&new, reads, self.space.base.blobs())?;
        }
        Ok(Some(gone))
    }

    /// What of it rules derive in one step from what is left.
    fn rederived(&mut self, rules: &[Prepared<'_>], gone: &Runs) -> Result<Runs> {
        let mut out = Runs::new();
        if rows(gone) == 0 {
            return Ok(out);
        }
        for rule in rules {
            let Some((table, first)) = rule.rule.heads.first().map(|head| {
                let (first, width) = head.of();
                (Table::facts(width), first)
            }) else {
                continue;
            };
            let named = (table, bulk::made_id(self.space, &first)?);
            let fresh = fresh(gone, &BTreeSet::from([named]), self.space.base.blobs())?;
            let Some(query) = self.query(rule, false)? else {
                continue;
            };
            if fresh.is_empty() {
                continue;
            }
            let driven = match rule.heads.first() {
                Some(head) => self.driven(query, head, &fresh, named)?,
                // A template without variables: any match will do.
                None => Some((query, None)),
            };
            let mut found = Runs::new();
            if let Some(driven) = driven {
                self.answer(rule, driven, (false, &fresh), &mut found)?;
            }
            let Some(found) = found.get(&table) else { continue };
            let (width, storage) = (table.width(), self.space.base.blobs());
            let gone = gone.get(&table).map(Vec::as_slice).unwrap_or_default();
            let other = without(&mut *together(width, found), &mut *together(width, gone), storage)?;
            let back = without(
                &mut *together(width, found),
                &mut other.scan(&Bounds::all()),
                storage,
            )?;
            add(&mut out, table, back);
        }
        Ok(out)
    }

    /// Fails if rules that make new terms go on and on.
    fn check_rounds(&self, round: u64, rules: &[Prepared<'_>]) -> Result<()> {
        let most = self.options.rounds;
        match rules.iter().find(|prepared| prepared.rule.invents()) {
            Some(prepared) if round > most => {
                let message = format!(
                    "stopped at its limit: after {most} rounds rules still find new facts (of those that make new terms or numbers: rule {})",
                    prepared.rule.label.name
                );
                Err(Error::new(Kind::TooLarge, "RoundLimit", message))
            }
            _ => Ok(()),
        }
    }
}
