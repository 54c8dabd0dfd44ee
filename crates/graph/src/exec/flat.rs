//! Rules that are joins: taken apart into tables and columns, so that they run in bulk.
//!
//! A rule is flat if it reads the space only, each pattern is an expression with a symbol in front, and
//! each template adds or removes an expression whose items are constants or variables of the patterns.
//! A nested pattern is a further table, of nested expressions; a template without variables of the
//! patterns is done once if there is any match. Sinks that count, sum, take the bits that all have or the least or the
//! greatest are flat too: they go over the distinct rows of their variables, group by group.
//!
//! That holds for facts without variables. Whoever runs a flat rule makes sure with [`meets`] that no
//! fact with variables unifies with a pattern, and takes patterns that such facts match (an `exec` that
//! looks at `exec`s) out of the rule first, with [`specialise`].
//!
//! Deliberately absent: ids; whoever has the names gives them.

use craton_base::{Error, Kind, Result};

use super::{
    rule::{Reduction, Rule, Sink, Source, ground_prefix},
    search::each_variable,
    space::{FactSpace, Goal},
};
use crate::{
    Control, Id, Relation, Table,
    join::{Atom, Query, Slot},
    term::{Item, Part, Term, Writer, is_ground, parts, read},
    unify::{Naming, Unifier},
};

/// Most rules that one is specialised to.
const SPECIAL_MAX: usize = 4096;

/// A column of a pattern or template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The encoded term that it is.
    Constant(Box<[u8]>),
    /// A variable of the query.
    Variable(u16),
}

/// A pattern over one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The table.
    pub table: Table,
    /// All of its columns.
    pub cells: Vec<Cell>,
}

/// What is done with the rows of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// They are added.
    Add,
    /// They are removed.
    Remove,
}

/// A flat rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// Patterns with variables.
    pub patterns: Vec<Pattern>,
    /// Facts that must be there for any match.
    pub present: Vec<Term>,
    /// Templates with variables of the patterns: facts of as many items as there are cells.
    pub outputs: Vec<(Does, Vec<Cell>)>,
    /// What is added or removed once if there is a match.
    pub once: Vec<(Does, Term)>,
    /// Sinks that make one value of many rows. A rule that has any removes nothing.
    pub reduces: Vec<Reduce>,
}

/// A sink `(… t k x)` over rows of variables: one value for each group of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// How the value is made.
    pub reduction: Reduction,
    /// The variables of `t` but `k`, each once: rows that are alike in them are a group.
    pub group: Vec<u16>,
    /// The other variables of `x`.
    pub over: Vec<u16>,
    /// The items of `t`; nothing is the place of the value.
    pub template: Vec<Option<Cell>>,
    /// If `k` is a term: what the value has to be.
    pub literal: Option<Box<[u8]>>,
}

impl Flat {
    /// The flat form of a rule, if it has one.
    #[must_use]
    pub fn of(rule: &Rule) -> Option<Self> {
        let mut flat = Self::patterns(rule)?;
        for sink in &rule.sinks {
            match sink {
                Sink::Add(part) => flat.template(rule, Does::Add, *part)?,
                Sink::Remove(part) => flat.template(rule, Does::Remove, *part)?,
                Sink::Reduce(reduction, parts) => {
                    let reduce = flat.reduce(rule, *reduction, *parts)?;
                    flat.reduces.push(reduce);
                }
                _ => return None,
            }
        }
        let removes = rule.sinks.iter().any(|sink| matches!(sink, Sink::Remove(_)));
        // What comes first of a removal and a reduction would matter.
        (flat.reduces.is_empty() || !removes).then_some(flat)
    }

    /// The flat form of a rule's patterns, without its templates, if they have one.
    #[must_use]
    pub fn patterns(rule: &Rule) -> Option<Self> {
        let bytes = rule.exec.as_bytes();
        let mut flat = Self {
            patterns: Vec::new(),
            present: Vec::new(),
            outputs: Vec::new(),
            once: Vec::new(),
            reduces: Vec::new(),
        };
        let mut next = u16::try_from(rule.exec.variables()).ok()?;
        for source in &rule.sources {
            let Source::Space(part) = source else { return None };
            if is_ground(part.bytes(bytes)) {
                flat.present.push(Term::from_bytes(part.bytes(bytes)).ok()?);
                continue;
            }
            if !is_plain_pattern(bytes, *part) {
                return None;
            }
            let items = parts(bytes, *part)?;
            let cells = cells(bytes, &items, &mut flat.patterns, &mut next)?;
            flat.patterns.push(Pattern {
                table: Table::facts(cells.len()),
                cells,
            });
        }
        (!flat.patterns.is_empty()).then_some(flat)
    }

    /// A reducing sink whose value does not depend on the order of what it reduces.
    fn reduce(&self, rule: &Rule, reduction: Reduction, [t, k, x]: [Part; 3]) -> Option<Reduce> {
        let bytes = rule.exec.as_bytes();
        let is_bare = variable(bytes, x).is_some();
        match reduction {
            Reduction::Count => {}
            Reduction::Sum | Reduction::And | Reduction::FloatMin | Reduction::FloatMax if is_bare => {}
            _ => return None,
        }
        let mut nested = Vec::new();
        let mut next = u16::MAX - 1;
        let items = cells(bytes, &parts(bytes, t)?, &mut nested, &mut next)?;
        let (place, literal) = match variable(bytes, k) {
            Some(place) => (Some(place), None),
            None => (None, Some(k.bytes(bytes)).filter(|text| is_ground(text))),
        };
        if !nested.is_empty()
            || (place.is_none() && literal.is_none())
            || place.is_some_and(|p| self.binds(u32::from(p)))
        {
            return None;
        }
        let (mut group, mut over, mut known) = (Vec::new(), Vec::new(), true);
        for cell in &items {
            match cell {
                Cell::Variable(v) if Some(*v) != place => {
                    known &= self.binds(u32::from(*v));
                    group.push(*v);
                }
                _ => {}
            }
        }
        let mut in_x = Vec::new();
        each_variable(bytes, x, &mut |v| in_x.push(v));
        for v in in_x {
            known &= self.binds(v);
            over.push(u16::try_from(v).ok()?);
        }
        distinct(&mut group);
        distinct(&mut over);
        // A bare `x` is read from its column, even if it is one of the group's.
        if !is_bare {
            over.retain(|v| !group.contains(v));
        }
        let template = items
            .into_iter()
            .map(|cell| (!matches!(cell, Cell::Variable(v) if Some(v) == place)).then_some(cell));
        (known && !(group.is_empty() && over.is_empty())).then(|| Reduce {
            reduction,
            group,
            over,
            template: template.collect(),
            literal: literal.map(Into::into),
        })
    }

    fn template(&mut self, rule: &Rule, does: Does, part: Part) -> Option<()> {
        let bytes = rule.exec.as_bytes();
        let mut bound = false;
        each_variable(bytes, part, &mut |variable| bound |= self.binds(variable));
        if !bound {
            let mut unifier = Unifier::default();
            let root = unifier.frame(bytes);
            self.once
                .push((does, unifier.term(unifier.part(root, part)).ok()?));
            return Some(());
        }
        let mut nested = Vec::new();
        let mut next = u16::MAX - 1;
        let cells = cells(bytes, &parts(bytes, part)?, &mut nested, &mut next)?;
        let known = |cell: &Cell| match cell {
            Cell::Constant(_) => true,
            Cell::Variable(variable) => self.binds(u32::from(*variable)),
        };
        if !nested.is_empty() || !cells.iter().all(known) {
            return None;
        }
        self.outputs.push((does, cells));
        Some(())
    }

    /// Whether a pattern binds a variable of the rule.
    #[must_use]
    pub fn binds(&self, variable: u32) -> bool {
        let cells = self.patterns.iter().flat_map(|pattern| &pattern.cells);
        cells
            .into_iter()
            .any(|cell| matches!(cell, Cell::Variable(known) if u32::from(*known) == variable))
    }

    /// The query whose outputs are those of the rule; if the rule has none, one output of one column
    /// that has a row if there is a match. Nothing if a constant of a pattern is not in the graph, so
    /// that nothing matches. `find` gives the id of an encoded term that may not be there, `make` that
    /// of one that then is.
    ///
    /// # Errors
    /// Those of `find` and `make`.
    pub fn query(
        &self,
        find: &mut dyn FnMut(&[u8]) -> Result<Option<Id>>,
        make: &mut dyn FnMut(&[u8]) -> Result<Id>,
    ) -> Result<Option<Query>> {
        let mut query = Query::default();
        for pattern in &self.patterns {
            let mut slots = Vec::with_capacity(pattern.cells.len());
            for cell in &pattern.cells {
                slots.push(match cell {
                    Cell::Variable(variable) => Slot::Variable(*variable),
                    Cell::Constant(term) => match find(term)? {
                        Some(id) => Slot::Constant(id),
                        None => return Ok(None),
                    },
                });
            }
            let mut relation = Relation::whole(pattern.table);
            if let Some(Slot::Constant(head)) = slots.first().copied() {
                relation.head = Some(head);
                slots.remove(0);
            }
            query.atoms.push(Atom { relation, slots });
        }
        for (_, cells) in &self.outputs {
            let mut slots = Vec::with_capacity(cells.len());
            for cell in cells {
                slots.push(match cell {
                    Cell::Variable(variable) => Slot::Variable(*variable),
                    Cell::Constant(term) => Slot::Constant(make(term)?),
                });
            }
            query.outputs.push(slots);
        }
        if query.outputs.is_empty() {
            let slots = query.atoms.iter().flat_map(|atom| &atom.slots);
            let any = slots.copied().find(|slot| matches!(slot, Slot::Variable(_)));
            query.outputs.push(any.into_iter().collect());
        }
        Ok(Some(query))
    }
}

/// Whether it is an expression with a symbol in front; not an `exec`, which is a fact with variables more often than not.
pub(crate) fn is_plain_pattern(bytes: &[u8], part: Part) -> bool {
    let items = parts(bytes, part).unwrap_or_default();
    let head = items.first().and_then(|head| read(head.bytes(bytes), 0));
    matches!(head, Some((Item::Symbol(text), _)) if text != b"exec")
}

/// Drops what was there before.
fn distinct(variables: &mut Vec<u16>) {
    let mut seen = Vec::new();
    variables.retain(|v| {
        let is_new = !seen.contains(v);
        seen.push(*v);
        is_new
    });
}

/// The columns of an expression; a nested expression with variables is a variable of its own and a
/// further pattern.
fn cells(bytes: &[u8], items: &[Part], nested: &mut Vec<Pattern>, next: &mut u16) -> Option<Vec<Cell>> {
    let mut out = Vec::with_capacity(items.len());
    // Expressions whose columns are still to be written: where their cell is, and their parts.
    for item in items {
        out.push(cell(bytes, *item, nested, next)?);
    }
    Some(out)
}

fn cell(bytes: &[u8], item: Part, nested: &mut Vec<Pattern>, next: &mut u16) -> Option<Cell> {
    let text = item.bytes(bytes);
    if is_ground(text) {
        return Some(Cell::Constant(text.into()));
    }
    if let Some(variable) = variable(bytes, item) {
        return Some(Cell::Variable(variable));
    }
    // Breadth first, so that depth costs no stack.
    let name = *next;
    *next = next.checked_add(1)?;
    let mut open = vec![(name, item)];
    while let Some((name, item)) = open.pop() {
        let items = parts(bytes, item)?;
        let mut cells = vec![Cell::Variable(name)];
        for item in &items {
            let text = item.bytes(bytes);
            if is_ground(text) {
                cells.push(Cell::Constant(text.into()));
            } else if let Some(variable) = variable(bytes, *item) {
                cells.push(Cell::Variable(variable));
            } else {
                cells.push(Cell::Variable(*next));
                open.push((*next, *item));
                *next = next.checked_add(1)?;
            }
        }
        nested.push(Pattern {
            table: Table::expressions(items.len(), false),
            cells,
        });
    }
    Some(Cell::Variable(name))
}

fn variable(bytes: &[u8], part: Part) -> Option<u16> {
    match read(bytes, part.start as usize)?.0 {
        Item::NewVariable => u16::try_from(part.seen).ok(),
        Item::Reference(number) => u16::try_from(number).ok(),
        Item::Expression(_) | Item::Symbol(_) => None,
    }
}

fn goal(bytes: &[u8], part: Part) -> Goal<'_> {
    let instance = part.bytes(bytes);
    Goal {
        instance,
        ground: ground_prefix(instance).len(),
    }
}

/// Whether any fact of `space` unifies with a pattern of the rule.
///
/// # Errors
/// The space's own.
pub fn meets(rule: &Rule, space: &dyn FactSpace) -> Result<bool> {
    let bytes = rule.exec.as_bytes();
    for source in &rule.sources {
        let Source::Space(part) = source else {
            return Ok(true);
        };
        let mut unifier = Unifier::default();
        let root = unifier.frame(bytes);
        let pattern = unifier.part(root, *part);
        let mut met = false;
        space.candidates(&goal(bytes, *part), &mut |fact| {
            if !met {
                let mark = unifier.mark();
                let fact = unifier.frame(fact);
                met = unifier.unify(pattern, fact)?;
                unifier.undo(mark);
            }
            Ok(())
        })?;
        if met {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rules that `rule` comes to when its pattern `number` is matched with the facts of `space`: each
/// without that pattern, what it bound put in everywhere. The matches of the rule are those of all of
/// them.
///
/// # Errors
/// `TooLarge` if they are more than the limit; the space's and the control's own.
pub fn specialise(rule: &Rule, number: usize, space: &dyn FactSpace, control: &Control) -> Result<Vec<Rule>> {
    let bytes = rule.exec.as_bytes();
    let mut special = Vec::new();
    let whole = rule.exec.parts().unwrap_or_default();
    let (Some(Source::Space(part)), [head, location, _, templates]) =
        (rule.sources.get(number), whole.as_slice())
    else {
        return Err(Error::internal(
            "only a pattern of the space can be taken out of a rule",
        ));
    };
    let mut unifier = Unifier::default();
    let root = unifier.frame(bytes);
    let pattern = unifier.part(root, *part);
    space.candidates(&goal(bytes, *part), &mut |fact| {
        control.check()?;
        let mark = unifier.mark();
        let found = unifier.frame(fact);
        if unifier.unify(pattern, found)? {
            if special.len() >= SPECIAL_MAX {
                return Err(Error::new(
                    Kind::TooLarge,
                    "TooManyRules",
                    format!("a rule comes to more than {SPECIAL_MAX}"),
                ));
            }
            let (mut out, mut names) = (Writer::default(), Naming::default());
            out.expression(4)?;
            unifier.instance(unifier.part(root, *head), &mut names, &mut out)?;
            unifier.instance(unifier.part(root, *location), &mut names, &mut out)?;
            out.expression(u32::try_from(rule.sources.len()).unwrap_or(u32::MAX))?;
            out.symbol(b",")?;
            for (other, source) in rule.sources.iter().enumerate() {
                if let Source::Space(part) = source
                    && other != number
                {
                    unifier.instance(unifier.part(root, *part), &mut names, &mut out)?;
                }
            }
            unifier.instance(unifier.part(root, *templates), &mut names, &mut out)?;
            special.push(Rule::read(out.take())?);
        }
        unifier.undo(mark);
        Ok(())
    })?;
    Ok(special)
}

#[cfg(test)]
mod tests;
