//! Between terms and tuples: looking facts of a snapshot up by a goal, and facts as terms.
//!
//! Deliberately absent: what a program changed.

use craton_base::{Error, Result};

use crate::{
    Block, Bounds, Facts, Form, Id, Names, Order, Relation, Shape, Table,
    exec::{Goal, Visit},
    snapshot::Snapshot,
    term::{self, Item, Part, Writer},
};

/// Gives the encoded facts of a relation, which is a whole table, within bounds.
pub(super) fn each(
    snapshot: &Snapshot,
    relation: &Relation,
    order: &Order,
    bounds: &Bounds,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut tuples = match bounds.prefix.is_empty() {
        true => snapshot.scan(relation, order, bounds)?,
        false => snapshot.look(relation, order, bounds)?,
    };
    let mut block = Block::new(relation.width());
    let mut writer = Encoder::new(snapshot);
    let mut tuple = vec![0; relation.table.width()];
    let head = usize::from(relation.head.is_some());
    while tuples.next(&mut block)? {
        snapshot.blobs().control().check()?;
        for row in 0..block.rows() {
            if let (Some(head), Some(first)) = (relation.head, tuple.first_mut()) {
                *first = head.0;
            }
            for (column, to) in order.columns().iter().enumerate() {
                let value = block.column(column).get(row).copied().unwrap_or_default();
                if let Some(place) = tuple.get_mut(usize::from(*to).saturating_add(head)) {
                    *place = value;
                }
            }
            visit(writer.fact(relation.table, &tuple)?)?;
        }
    }
    Ok(())
}

/// Gives every fact.
pub(super) fn every(snapshot: &Snapshot, visit: &mut Visit<'_>) -> Result<()> {
    let tables = snapshot.tables().into_iter();
    for table in tables.filter(|t| t.shape != Shape::Expression) {
        whole(snapshot, table, visit)?;
    }
    Ok(())
}

pub(super) fn whole(snapshot: &Snapshot, table: Table, visit: &mut Visit<'_>) -> Result<()> {
    if !snapshot.has(table) {
        return Ok(());
    }
    let order = Order::natural(table.width());
    each(snapshot, &Relation::whole(table), &order, &Bounds::all(), visit)
}

/// Where a goal's facts are.
enum Where {
    /// Anywhere.
    Everywhere,
    /// In the open facts of a table only; a name of the goal is in no other fact.
    Open(Table),
    /// In these bounds of a relation in an order, and in the open facts of a table.
    Here(Relation, Order, Bounds, Table),
}

/// Gives every fact that unifies with the goal, and perhaps others.
pub(super) fn candidates(snapshot: &Snapshot, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
    match locate(snapshot, goal)? {
        Where::Everywhere => every(snapshot, visit),
        Where::Open(table) => {
            whole(snapshot, Table::atoms(true), visit)?;
            match table.shape {
                Shape::Fact => whole(snapshot, table, visit),
                _ => Ok(()),
            }
        }
        Where::Here(relation, order, bounds, open) => {
            each(snapshot, &relation, &order, &bounds, visit)?;
            whole(snapshot, Table::atoms(true), visit)?;
            match open.shape {
                Shape::Fact => whole(snapshot, open, visit),
                _ => Ok(()),
            }
        }
    }
}

/// About how many facts [`candidates`] gives.
pub(super) fn estimate(snapshot: &Snapshot, goal: &Goal<'_>) -> Result<u64> {
    Ok(match locate(snapshot, goal)? {
        Where::Everywhere => snapshot.rows(),
        Where::Open(_) => 0,
        Where::Here(relation, order, bounds, _) => snapshot.statistics(&relation, &order, &bounds)?.rows,
    })
}

fn locate(snapshot: &Snapshot, goal: &Goal<'_>) -> Result<Where> {
    let bytes = goal.instance;
    let here = Part::whole(bytes);
    Ok(match term::read(bytes, 0) {
        Some((Item::Symbol(text), _)) => match snapshot.symbol(text)? {
            None => Where::Open(Table::atoms(true)),
            Some(id) => atom(id),
        },
        Some((Item::Expression(0), _)) => match snapshot.expression(&[])? {
            None => Where::Open(Table::atoms(true)),
            Some(id) => atom(id),
        },
        Some((Item::Expression(_), _)) => expression(snapshot, bytes, here)?,
        _ => Where::Everywhere,
    })
}

fn atom(id: Id) -> Where {
    let table = Table::atoms(false);
    let bounds = Bounds::prefix(vec![id.0]);
    Where::Here(
        Relation::whole(table),
        Order::natural(1),
        bounds,
        Table::atoms(true),
    )
}

fn expression(snapshot: &Snapshot, bytes: &[u8], here: Part) -> Result<Where> {
    let parts = term::parts(bytes, here).ok_or_else(damaged)?;
    let open = Table::open_facts(parts.len());
    let mut known: Vec<(u16, u64)> = Vec::new();
    for (column, part) in (0u16..).zip(&parts) {
        if term::is_ground(part.bytes(bytes)) {
            match ground_id(snapshot, part.bytes(bytes))? {
                None => return Ok(Where::Open(open)),
                Some(id) => known.push((column, id.0)),
            }
        }
    }
    let table = Table::facts(parts.len());
    let leading = known
        .iter()
        .enumerate()
        .take_while(|(n, (c, _))| *n == usize::from(*c))
        .count();
    if leading == known.len() {
        let prefix = known.into_iter().map(|(_, id)| id).collect();
        let order = Order::natural(parts.len());
        return Ok(Where::Here(
            Relation::whole(table),
            order,
            Bounds::prefix(prefix),
            open,
        ));
    }
    reordered(table, &known, open)
}

/// The facts whose known columns are not all in front: found by an order in which they are.
fn reordered(table: Table, known: &[(u16, u64)], open: Table) -> Result<Where> {
    let head = known
        .first()
        .filter(|(column, _)| *column == 0)
        .map(|(_, id)| Id(*id));
    let relation = Relation { table, head };
    let shift = u16::from(head.is_some());
    let arguments = known.iter().filter(|(column, _)| *column >= shift);
    let (mut columns, mut prefix) = (Vec::new(), Vec::new());
    for (column, id) in arguments {
        columns.push(column.saturating_sub(shift));
        prefix.push(*id);
    }
    for column in (0u16..).take(relation.width()) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Ok(Where::Here(
        relation,
        Order::new(columns)?,
        Bounds::prefix(prefix),
        open,
    ))
}

/// The id of an encoded term without variables; `None` if the graph does not know it.
///
/// # Errors
/// `Internal` for bytes that are no term; the storage's own.
pub fn ground_id(names: &dyn Names, bytes: &[u8]) -> Result<Option<Id>> {
    Ok(ids_of(names, bytes)?.and_then(|ids| ids.first().copied()))
}

/// The table and tuple of a fact; `None` if the graph lacks a name of it.
pub(super) fn tuple_of(names: &dyn Names, bytes: &[u8]) -> Result<Option<(Table, Vec<u64>)>> {
    let open = !term::is_ground(bytes);
    match term::read(bytes, 0) {
        Some((Item::Expression(width), start)) if width > 0 => {
            let tail = bytes.get(start..).unwrap_or_default();
            let Some(ids) = ids_of(names, tail)? else {
                return Ok(None);
            };
            let table = Table {
                shape: Shape::Fact,
                open,
                items: ids.len(),
            };
            Ok(Some((table, ids.into_iter().map(|i| i.0).collect())))
        }
        _ => {
            let ids = ids_of(names, bytes)?;
            let id = ids.and_then(|ids| ids.first().copied());
            Ok(id.map(|id| (Table::atoms(id.has_variables()), vec![id.0])))
        }
    }
}

/// The ids of the terms that follow each other in `bytes`, whose variables are numbered over all of them.
fn ids_of(names: &dyn Names, bytes: &[u8]) -> Result<Option<Vec<Id>>> {
    let mut done: Vec<Id> = Vec::new();
    // Where the items of each open expression begin, and how many are missing.
    let mut open: Vec<(usize, u32)> = Vec::new();
    let (mut at, mut seen) = (0, 0u64);
    while at < bytes.len() {
        let (item, next) = term::read(bytes, at).ok_or_else(damaged)?;
        at = next;
        match item {
            Item::Expression(width) => open.push((done.len(), width)),
            Item::NewVariable => {
                done.push(Id::variable(seen));
                seen = seen.saturating_add(1);
            }
            Item::Reference(number) => done.push(Id::variable(u64::from(number))),
            Item::Symbol(text) => match names.symbol(text)? {
                Some(id) => done.push(id),
                None => return Ok(None),
            },
        }
        if !matches!(item, Item::Expression(width) if width > 0) {
            let is_item = !matches!(item, Item::Expression(_));
            if !close(names, &mut done, &mut open, is_item)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(done))
}

/// Counts an item that is complete, and closes the expressions that it completes; `false` if the graph lacks one.
fn close(
    names: &dyn Names,
    done: &mut Vec<Id>,
    open: &mut Vec<(usize, u32)>,
    mut counts: bool,
) -> Result<bool> {
    loop {
        let Some((start, missing)) = open.last_mut() else {
            return Ok(true);
        };
        if counts {
            *missing = missing.saturating_sub(1);
        }
        if *missing > 0 {
            return Ok(true);
        }
        let items = done.split_off(*start);
        open.pop();
        match names.expression(&items)? {
            Some(id) => done.push(id),
            None => return Ok(false),
        }
        counts = true;
    }
}

/// Tuples as encoded terms.
pub(super) struct Encoder<'a> {
    names: &'a dyn Names,
    writer: Writer,
    text: Vec<u8>,
    items: Vec<Id>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(names: &'a dyn Names) -> Self {
        Self {
            names,
            writer: Writer::default(),
            text: Vec::new(),
            items: Vec::new(),
        }
    }

    pub(super) fn fact(&mut self, table: Table, tuple: &[u64]) -> Result<&[u8]> {
        self.writer.clear();
        let mut seen = 0u64;
        let mut left: Vec<Id> = tuple.iter().rev().copied().map(Id).collect();
        if table.shape == Shape::Fact {
            self.writer
                .expression(u32::try_from(tuple.len()).unwrap_or(u32::MAX))?;
        }
        while let Some(id) = left.pop() {
            match id.form() {
                Some(Form::Variable(place)) if place >= seen => {
                    self.writer.new_variable()?;
                    seen = seen.saturating_add(1);
                }
                Some(Form::Variable(place)) => {
                    self.writer.reference(u32::try_from(place).unwrap_or(u32::MAX))?
                }
                Some(Form::Expression { .. } | Form::Open { .. }) => {
                    self.items.clear();
                    self.names.items(id, &mut self.items)?;
                    self.writer
                        .expression(u32::try_from(self.items.len()).unwrap_or(u32::MAX))?;
                    left.extend(self.items.iter().rev());
                }
                _ => {
                    self.text.clear();
                    self.names.text(id, &mut self.text)?;
                    self.writer.symbol(&self.text)?;
                }
            }
        }
        Ok(self.writer.as_bytes())
    }
}

fn damaged() -> Error {
    Error::internal("a term is not encoded as it should be")
}
