//! From a query as it is written to the algebra: clause by clause, each over what those before it know.
//!
//! Deliberately absent: grammar.

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};

use super::{
    DEPTH_MAX,
    lexer::wrong,
    syntax::{Clause, Expression as Written, Query, Return},
};
use crate::{
    algebra::{Aggregate, Compiled, Expression, Form, Order, Plan, Variable},
    nesting::too_deep,
    unsupported,
};

mod expressions;
mod patterns;

/// What a name stands for.
#[derive(Clone, Debug)]
enum Named {
    /// A node.
    Node(Variable),
    /// An edge: its type, where one is known by a variable.
    Edge(EdgeType),
    /// A value.
    Value(Variable),
}

#[derive(Clone, Debug)]
enum EdgeType {
    One(String),
    Of(Variable),
    Walk,
}

/// What is known after some clauses.
#[derive(Clone, Debug)]
struct State {
    plan: Plan,
    names: HashMap<String, Named>,
    /// The order in which names became known, for `*`.
    order: Vec<String>,
    /// Properties of nodes that are variables already.
    properties: HashMap<(Variable, String), Variable>,
}

impl State {
    fn name(&mut self, name: &str, named: Named) {
        if self.names.insert(name.to_owned(), named).is_none() {
            self.order.push(name.to_owned());
        }
    }
}

/// A query that can be answered.
pub(super) fn translate(query: &Query, text: &str) -> Result<Compiled> {
    let mut translator = Translator { next: 0, text };
    let mut state = State {
        plan: Plan::unit(),
        names: HashMap::new(),
        order: Vec::new(),
        properties: HashMap::new(),
    };
    let Some((Clause::Return(last), clauses)) = query.clauses.split_last() else {
        return Err(bad("a query ends with RETURN"));
    };
    for clause in clauses {
        state = match clause {
            Clause::Match {
                optional,
                patterns,
                condition,
            } => translator.matching(state, *optional, patterns, condition.as_ref())?,
            Clause::Return(with) => translator.with(state, with)?,
        };
    }
    let projected = translator.projected(state, last)?;
    let columns = projected
        .columns
        .iter()
        .map(|(name, named)| (name.clone(), variable_of(named)))
        .collect();
    let compiled = Compiled::new(projected.plan, Form::Rows(columns), translator.next)?.with_nulls();
    Ok(compiled.in_order(projected.order, (last.skip, last.limit)))
}

fn bad(what: &str) -> Error {
    Error::new(Kind::Invalid, "BadQuery", what.to_owned())
}

fn variable_of(named: &Named) -> Variable {
    match named {
        Named::Node(variable) | Named::Value(variable) | Named::Edge(EdgeType::Of(variable)) => *variable,
        Named::Edge(_) => Variable::MAX,
    }
}

/// What a `WITH` or `RETURN` comes to.
struct Projected {
    plan: Plan,
    columns: Vec<(String, Named)>,
    order: Vec<Order>,
}

struct Translator<'t> {
    next: Variable,
    /// The query, for errors.
    text: &'t str,
}

impl Translator<'_> {
    /// The error about a name that stands for nothing.
    fn unknown(&self, name: &str, at: usize) -> Error {
        wrong(self.text, at, &format!("{name} is not known here"))
    }

    fn fresh(&mut self) -> Result<Variable> {
        let fresh = self.next;
        self.next = fresh
            .checked_add(1)
            .filter(|next| *next < Variable::MAX / 2)
            .ok_or_else(|| too_deep(DEPTH_MAX))?;
        Ok(fresh)
    }

    fn with(&mut self, state: State, with: &Return) -> Result<State> {
        let projected = self.projected(state, with)?;
        let mut plan = projected.plan;
        if (with.skip, with.limit) != (0, None) {
            plan = Plan::Slice(Box::new(plan), projected.order, with.skip, with.limit);
        }
        let kept = projected
            .columns
            .iter()
            .map(|(_, named)| variable_of(named))
            .collect();
        let mut state = State {
            plan: Plan::Project(Box::new(plan), kept),
            names: HashMap::new(),
            order: Vec::new(),
            properties: HashMap::new(),
        };
        for (name, named) in projected.columns {
            state.name(&name, named);
        }
        match &with.condition {
            None => Ok(state),
            Some(condition) => self.filtered(state, condition),
        }
    }

    /// What is selected, grouped where a value of many is asked for.
    fn projected(&mut self, mut state: State, of: &Return) -> Result<Projected> {
        let mut items = of.items.clone();
        if of.all {
            let known = state
                .order
                .iter()
                .map(|name| (name.clone(), Written::Name(name.clone(), 0)));
            items = known.chain(items).collect();
        }
        let mut aggregates = Vec::new();
        let (mut columns, mut keys, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for (name, item) in &items {
            if let Written::Name(source, _) = item
                && let Some(named) = state.names.get(source).cloned()
            {
                if let Named::Edge(_) = named {
                    return Err(unsupported("an edge as a value; ask for type(…) or its nodes"));
                }
                keys.push(variable_of(&named));
                columns.push((name.clone(), named));
                continue;
            }
            let before = aggregates.len();
            let expression = self.expression(&mut state, item, Some(&mut aggregates))?;
            let variable = self.fresh()?;
            if aggregates.len() == before {
                state.plan = Plan::Extend(Box::new(state.plan), variable, expression);
                keys.push(variable);
            } else {
                after.push((variable, expression));
            }
            columns.push((name.clone(), Named::Value(variable)));
        }
        let is_grouped = !aggregates.is_empty();
        if is_grouped {
            state = self.grouped(state, &keys, aggregates, after)?;
        }
        if of.distinct {
            let all = columns.iter().map(|(_, named)| variable_of(named)).collect();
            state.plan = Plan::Distinct(Box::new(state.plan), all);
        }
        self.ordered(state, of, columns, is_grouped)
    }

    /// Groups by the keys; what is made of values of many comes after.
    fn grouped(
        &mut self,
        mut state: State,
        keys: &[Variable],
        aggregates: Vec<(Variable, Aggregate)>,
        after: Vec<(Variable, Expression)>,
    ) -> Result<State> {
        let made: Vec<Variable> = aggregates.iter().map(|(variable, _)| *variable).collect();
        state.plan = Plan::Group(Box::new(state.plan), keys.to_vec(), aggregates);
        for (variable, expression) in after {
            let mut used = Vec::new();
            expression.variables(&mut used);
            if !used.iter().all(|v| made.contains(v) || keys.contains(v)) {
                return Err(unsupported("a value of many beside what is not returned itself"));
            }
            state.plan = Plan::Extend(Box::new(state.plan), variable, expression);
        }
        Ok(state)
    }

    fn ordered(
        &mut self,
        mut state: State,
        of: &Return,
        columns: Vec<(String, Named)>,
        is_grouped: bool,
    ) -> Result<Projected> {
        let returned = |written: &Written| {
            let found = of
                .items
                .iter()
                .find(|(_, item)| format!("{item:?}") == format!("{written:?}"));
            found.map(|(name, _)| name.clone())
        };
        let mut scope = state.clone();
        if is_grouped || of.distinct {
            scope.names.clear();
            scope.properties.clear();
        }
        for (name, named) in &columns {
            scope.name(name, named.clone());
        }
        let mut order = Vec::new();
        for (written, descending) in &of.order {
            let written = returned(written).map_or_else(|| written.clone(), |name| Written::Name(name, 0));
            let expression = self.expression(&mut scope, &written, None)?;
            let by = match expression {
                Expression::Variable(variable) => variable,
                expression => {
                    let variable = self.fresh()?;
                    scope.plan = Plan::Extend(Box::new(scope.plan), variable, expression);
                    variable
                }
            };
            order.push(Order {
                by,
                descending: *descending,
            });
        }
        state.plan = scope.plan;
        Ok(Projected {
            plan: state.plan,
            columns,
            order,
        })
    }

    /// Where a condition holds.
    fn filtered(&mut self, mut state: State, condition: &Written) -> Result<State> {
        let condition = self.condition(&mut state, condition)?;
        state.plan = Plan::Filter(Box::new(state.plan), condition);
        Ok(state)
    }
}
