//! Evaluating what rules say of a match: values of expressions, terms that are made anew.
//!
//! Values are looked up in the graph where they are compared, and get names only where a fact is made of them: what does not pass leaves
//! nothing.
//!
//! Invariant: terms that are made are nested at most as deep as the limit says, so that rules which make terms of terms come to an end.
//!
//! Deliberately absent: rows, facts.

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};

use super::number::{Number, compute};
use crate::{
    Form, Id, Names, Table,
    interner::Interner,
    pure,
    rules::{Build, Code, Operator, build::symbol},
    snapshot::Snapshot,
    stored::find::{self, Encoder},
    term::{Item, Term, Writer, read},
};

/// How many symbols are remembered with the numbers that they are.
const KNOWN_MAX: usize = 1 << 16;

/// The reason of the error for a term that is nested too deep.
pub(super) const DEPTH_LIMIT: &str = "DepthLimit";

/// Why there is no value.
pub(super) enum Stop {
    /// There is none.
    Failure(String),
    /// It can not be known.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A value, if there is one.
pub(super) type Valued<T> = std::result::Result<T, Stop>;

fn failure<T>(why: impl Into<String>) -> Valued<T> {
    Err(Stop::Failure(why.into()))
}

/// The value of a variable.
#[derive(Clone)]
pub(super) enum Value {
    /// A name of the graph.
    Id(u64),
    Number(Number),
    /// An encoded term without variables.
    Term(Box<[u8]>),
}

/// A [`Build`] whose constants are looked up.
pub(super) enum Cell {
    Variable(usize),
    Known(u64),
    /// A constant that is nowhere in the graph.
    Nowhere(Box<[u8]>),
    Made(Vec<Cell>),
    Value(Box<Formula>),
}

/// A [`Code`] whose constants are looked up.
pub(super) enum Formula {
    Cell(Cell),
    Number(Number),
    Compute(Operator, Vec<Formula>),
    Pure(pure::Named, Vec<Formula>),
}

impl Cell {
    pub(super) fn of(names: &dyn Names, build: &Build) -> Result<Self> {
        Ok(match build {
            Build::Variable(variable) => Self::Variable(usize::from(*variable)),
            Build::Constant(term) => match find::ground_id(names, term)? {
                Some(id) => Self::Known(id.0),
                None => Self::Nowhere(term.clone()),
            },
            Build::Expression(items) => Self::Made(
                items
                    .iter()
                    .map(|item| Self::of(names, item))
                    .collect::<Result<_>>()?,
            ),
            Build::Value(code) => Self::Value(Box::new(Formula::of(names, code)?)),
        })
    }
}

impl Formula {
    pub(super) fn of(names: &dyn Names, code: &Code) -> Result<Self> {
        let all = |of: &[Code]| of.iter().map(|code| Self::of(names, code)).collect::<Result<_>>();
        Ok(match code {
            Code::Term(Build::Constant(term)) if symbol(term).and_then(Number::read).is_some() => {
                // What is written is also what is put into a fact as it stands: only a canonical number may be one here.
                match symbol(term).and_then(Number::read) {
                    Some(number) if Some(number.text().as_bytes()) == symbol(term) => Self::Number(number),
                    _ => Self::Cell(Cell::of(names, &Build::Constant(term.clone()))?),
                }
            }
            Code::Term(term) => Self::Cell(Cell::of(names, term)?),
            Code::Number(operator, of) => Self::Compute(*operator, all(of)?),
            Code::Pure(function, of) => Self::Pure(*function, all(of)?),
        })
    }
}

/// Evaluates for one match after another.
pub(super) struct Evaluator<'a> {
    base: &'a Snapshot,
    encoder: Encoder<'a>,
    /// The values of variables by their numbers.
    pub(super) values: Vec<Value>,
    numbers: HashMap<u64, Option<Number>>,
    /// Names that facts were made of and that may be new.
    pub(super) interner: Interner,
    /// How deep made terms are nested; of those in the interner, until it is cleared.
    depths: HashMap<u64, u32>,
    depth_max: u32,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(base: &'a Snapshot, seed: [u64; 2], depth_max: u32) -> Self {
        Self {
            base,
            encoder: Encoder::new(base),
            values: Vec::new(),
            numbers: HashMap::new(),
            interner: Interner::new(seed),
            depths: HashMap::new(),
            depth_max,
        }
    }

    /// The value of a variable.
    fn value(&self, variable: usize) -> Result<&Value> {
        self.values
            .get(variable)
            .ok_or_else(|| Error::internal("a variable of a rule has no value"))
    }

    /// Sets the value of a variable.
    pub(super) fn bind(&mut self, variable: usize, value: Value) {
        if self.values.len() <= variable {
            self.values.resize(variable.saturating_add(1), Value::Id(0));
        }
        if let Some(place) = self.values.get_mut(variable) {
            *place = value;
        }
    }

    /// The value of an expression.
    pub(super) fn evaluate(&mut self, formula: &Formula) -> Valued<Value> {
        match formula {
            Formula::Number(number) => Ok(Value::Number(*number)),
            Formula::Cell(Cell::Variable(variable)) => Ok(self.value(*variable)?.clone()),
            Formula::Cell(Cell::Known(id)) => Ok(Value::Id(*id)),
            Formula::Cell(cell) => Ok(Value::Term(self.term(cell)?.into())),
            Formula::Compute(operator, of) => {
                let mut numbers = Vec::with_capacity(of.len());
                for formula in of {
                    numbers.push(self.number(formula)?);
                }
                match compute(*operator, &numbers) {
                    Ok(number) => Ok(Value::Number(number)),
                    Err(why) => failure(format!("{operator:?} {why}")),
                }
            }
            Formula::Pure(function, of) => {
                let mut arguments = Vec::with_capacity(of.len());
                for formula in of {
                    let value = self.evaluate(formula)?;
                    arguments.push(self.encoded(&value)?);
                }
                match function.call(&arguments) {
                    Ok(value) => Ok(Value::Term(value.into())),
                    Err(why) => failure(why),
                }
            }
        }
    }

    /// The number that an expression's value is.
    pub(super) fn number(&mut self, formula: &Formula) -> Valued<Number> {
        match formula {
            Formula::Number(number) => Ok(*number),
            Formula::Cell(Cell::Variable(variable)) => match self.value(*variable)? {
                Value::Id(id) => self.number_of(*id),
                Value::Number(number) => Ok(*number),
                Value::Term(term) => read_number(term),
            },
            _ => match self.evaluate(formula)? {
                Value::Id(id) => self.number_of(id),
                Value::Number(number) => Ok(number),
                Value::Term(term) => read_number(&term),
            },
        }
    }

    /// The number that a name of the graph is.
    pub(super) fn number_of(&mut self, id: u64) -> Valued<Number> {
        if let Some(Form::Integer(value)) = Id(id).form() {
            return Ok(Number::Whole(value.into()));
        }
        if let Some(Some(known)) = self.numbers.get(&id) {
            return Ok(*known);
        }
        let mut text = Vec::new();
        if let Some(Form::Symbol(_)) = Id(id).form() {
            self.base.text(Id(id), &mut text)?;
        }
        let number = Number::read(&text);
        if self.numbers.len() >= KNOWN_MAX {
            self.numbers.clear();
        }
        self.numbers.insert(id, number);
        match number {
            Some(number) => Ok(number),
            None => read_number(self.encoder.fact(Table::atoms(false), &[id])?),
        }
    }

    /// A value as an encoded term.
    pub(super) fn encoded(&mut self, value: &Value) -> Result<Vec<u8>> {
        Ok(match value {
            Value::Id(id) => self.encoder.fact(Table::atoms(false), &[*id])?.to_vec(),
            Value::Number(number) => Term::symbol(number.text().as_bytes())?.into_bytes().into_vec(),
            Value::Term(term) => term.to_vec(),
        })
    }

    /// A cell as an encoded term.
    pub(super) fn term(&mut self, cell: &Cell) -> Valued<Vec<u8>> {
        match cell {
            Cell::Variable(variable) => {
                let value = self.value(*variable)?.clone();
                Ok(self.encoded(&value)?)
            }
            Cell::Known(id) => Ok(self.encoded(&Value::Id(*id))?),
            Cell::Nowhere(term) => Ok(term.to_vec()),
            Cell::Value(formula) => {
                let value = self.evaluate(formula)?;
                Ok(self.encoded(&value)?)
            }
            Cell::Made(items) => {
                let mut writer = Writer::default();
                writer.expression(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
                for item in items {
                    let item = self.term(item)?;
                    writer.ground(&item)?;
                }
                Ok(writer.as_bytes().to_vec())
            }
        }
    }

    /// The name that a cell has in the graph, if it has one.
    pub(super) fn find(&mut self, cell: &Cell) -> Valued<Option<u64>> {
        let value = match cell {
            Cell::Known(id) => return Ok(Some(*id)),
            Cell::Nowhere(_) => return Ok(None),
            Cell::Variable(variable) => self.value(*variable)?.clone(),
            Cell::Value(formula) => self.evaluate(formula)?,
            Cell::Made(items) => {
                let mut ids = Vec::with_capacity(items.len());
                for item in items {
                    match self.find(item)? {
                        Some(id) => ids.push(Id(id)),
                        None => return Ok(None),
                    }
                }
                return Ok(self.base.expression(&ids)?.map(|id| id.0));
            }
        };
        Ok(self.find_value(&value)?)
    }

    /// The name that a value has in the graph, if it has one.
    pub(super) fn find_value(&self, value: &Value) -> Result<Option<u64>> {
        Ok(match value {
            Value::Id(id) => Some(*id),
            Value::Number(number) => self.base.symbol(number.text().as_bytes())?.map(|id| id.0),
            Value::Term(term) => find::ground_id(self.base, term)?.map(|id| id.0),
        })
    }

    /// Whether two cells are the same term.
    pub(super) fn same(&mut self, one: &Cell, other: &Cell) -> Valued<bool> {
        Ok(match (self.find(one)?, self.find(other)?) {
            (None, None) => self.term(one)? == self.term(other)?,
            (one, other) => one == other,
        })
    }

    /// The name of a cell for a fact, which may be one of [`Evaluator::interner`].
    pub(super) fn make(&mut self, cell: &Cell) -> Valued<u64> {
        match cell {
            Cell::Known(id) => Ok(*id),
            Cell::Nowhere(term) => self.intern(&Value::Term(term.clone())),
            Cell::Variable(variable) => match self.value(*variable)? {
                Value::Id(id) => Ok(*id),
                value => {
                    let value = value.clone();
                    self.intern(&value)
                }
            },
            Cell::Value(formula) => {
                let value = self.evaluate(formula)?;
                self.intern(&value)
            }
            Cell::Made(items) => {
                let mut ids = Vec::with_capacity(items.len());
                for item in items {
                    ids.push(self.make(item)?);
                }
                self.expression(&ids)
            }
        }
    }

    /// The name of a value for a fact.
    pub(super) fn intern(&mut self, value: &Value) -> Valued<u64> {
        match value {
            Value::Id(id) => Ok(*id),
            Value::Number(number) => {
                if let Number::Whole(whole) = number
                    && let Some(id) = i64::try_from(*whole).ok().and_then(Id::integer)
                {
                    return Ok(id.0);
                }
                self.symbol(number.text().as_bytes())
            }
            Value::Term(term) => self.intern_term(term),
        }
    }

    fn symbol(&mut self, text: &[u8]) -> Valued<u64> {
        Ok(match Id::of_text(text) {
            Some(id) => id.0,
            None => self.interner.symbol(text)?.0,
        })
    }

    fn intern_term(&mut self, term: &[u8]) -> Valued<u64> {
        let mut done: Vec<u64> = Vec::new();
        // Where the items of each open expression begin, and how many are missing.
        let mut open: Vec<(usize, u32)> = Vec::new();
        let mut at = 0;
        while let Some((item, next)) = read(term, at) {
            at = next;
            match item {
                Item::Expression(width) => open.push((done.len(), width)),
                Item::Symbol(text) => {
                    let id = self.symbol(text)?;
                    done.push(id);
                }
                Item::NewVariable | Item::Reference(_) => return failure("a value has a variable in it"),
            }
            let mut counts = !matches!(item, Item::Expression(_));
            while let Some((start, missing)) = open.last_mut() {
                *missing = missing.saturating_sub(u32::from(counts));
                if *missing > 0 {
                    break;
                }
                let items = done.split_off(*start);
                open.pop();
                let id = self.expression(&items)?;
                done.push(id);
                counts = true;
            }
        }
        match done.as_slice() {
            [id] => Ok(*id),
            _ => failure("a value is no whole term"),
        }
    }

    /// The name of an expression for a fact.
    fn expression(&mut self, items: &[u64]) -> Valued<u64> {
        let mut depth = 0;
        for item in items {
            depth = depth.max(self.depth(*item)?);
        }
        let depth = depth.saturating_add(1);
        if depth > self.depth_max {
            let most = self.depth_max;
            let message = format!(
                "stopped at its limit: a rule makes a term that is nested deeper than {most}; if the rules come to an end, allow more (depth)"
            );
            return Err(Error::new(Kind::TooLarge, DEPTH_LIMIT, message).into());
        }
        let id = self.interner.expression(items)?.0;
        self.depths.insert(id, depth);
        Ok(id)
    }

    /// How deep a term is nested, as far as it matters.
    fn depth(&mut self, id: u64) -> Result<u32> {
        let is_flat = |id: Id| {
            !matches!(id.form(), Some(Form::Expression { .. } | Form::Open { .. })) && !id.is_fresh()
        };
        if is_flat(Id(id)) {
            return Ok(0);
        }
        if let Some(depth) = self.depths.get(&id) {
            return Ok(*depth);
        }
        if Id(id).is_fresh() {
            // A symbol: expressions are remembered as they are made.
            return Ok(0);
        }
        // Terms under way, with what is left of their items and the greatest depth so far.
        let mut items = Vec::new();
        self.base.items(Id(id), &mut items)?;
        let mut open = vec![(id, items, 0u32)];
        let mut last = 0;
        while let Some((of, left, most)) = open.last_mut() {
            match left.pop() {
                None => {
                    last = most.saturating_add(1);
                    self.depths.insert(*of, last);
                    open.pop();
                    if let Some((_, _, most)) = open.last_mut() {
                        *most = last.max(*most);
                    }
                }
                Some(item) if is_flat(item) => {}
                Some(item) => match self.depths.get(&item.0) {
                    Some(known) => *most = (*known).max(*most),
                    None => {
                        let mut items = Vec::new();
                        self.base.items(item, &mut items)?;
                        open.push((item.0, items, 0));
                    }
                },
            }
        }
        Ok(last)
    }

    /// Forgets the names that were made; they have ids now.
    pub(super) fn clear(&mut self) {
        self.interner.clear();
        self.depths.clear();
    }
}

/// The number that an encoded term is.
fn read_number(term: &[u8]) -> Valued<Number> {
    match symbol(term).and_then(Number::read) {
        Some(number) => Ok(number),
        None => {
            let mut shown = Vec::new();
            crate::print::write(term, &mut shown);
            shown.truncate(100);
            failure(format!("{} is no number", String::from_utf8_lossy(&shown)))
        }
    }
}
