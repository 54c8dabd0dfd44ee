//! SPARQL 1.1 queries, parsed by `spargebra`, as the algebra.
//!
//! A triple pattern is a pattern of facts `(triple s p o)`, which is what the graph's readers of RDF make. Not supported, and said so: other graphs
//! (`FROM`, `GRAPH`), `SERVICE`, `DESCRIBE`, functions of chance and of the moment, hashes.
//!
//! Deliberately absent: updates; how anything is answered.

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};
use craton_graph::term::Term;
use spargebra::{
    Query, SparqlParser,
    algebra::{GraphPattern, OrderExpression},
    term::{GroundTerm, NamedNodePattern, TermPattern, TriplePattern, Variable as Name},
};

use crate::{
    algebra::{Compiled, Expression, Form, Made, Order, Pattern, Plan, Slot, Variable},
    nesting::{Nesting, too_deep},
    unsupported,
    value::{Value, literal_term},
};

mod expressions;
mod paths;

/// The longest query, in bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// The deepest nesting of brackets, and of what a query is made of.
const DEPTH_MAX: usize = 128;
/// The most signs in a row that each make an expression deeper.
const SIGNS_MAX: usize = 32;
/// The stack of the parser: its depth is bounded by the two above and the length of chains of operators.
const STACK_BYTES: usize = 64 << 20;

/// The relation of triples.
const TRIPLE: &str = "triple";

/// A query that can be answered.
///
/// # Errors
/// `Invalid`, `BadQuery` for a text that is no query; `Invalid`, `NotSupported`, which names what; `TooLarge`.
pub fn compile(text: &str) -> Result<Compiled> {
    check_depth(text)?;
    let text = text.to_owned();
    let parser = std::thread::Builder::new()
        .name("sparql-parse".into())
        .stack_size(STACK_BYTES);
    let parser = parser.spawn(move || {
        let query = SparqlParser::new()
            .parse_query(&text)
            .map_err(|error| bad(error.to_string()))?;
        translate(&query)
    })?;
    parser
        .join()
        .map_err(|_| Error::internal("the parser of SPARQL failed"))?
}

fn bad(why: String) -> Error {
    Error::new(Kind::Invalid, "BadQuery", why)
}

/// Refuses what the parser would go too deep for.
fn check_depth(text: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a query has at most {TEXT_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "EntityTooLarge", message));
    }
    let (mut depth, mut signs) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match byte {
            b'!' | b'+' | b'-' | b'^' => signs += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => signs = 0,
        }
        if depth > DEPTH_MAX || signs > SIGNS_MAX {
            return Err(too_deep(DEPTH_MAX));
        }
    }
    Ok(())
}

fn translate(query: &Query) -> Result<Compiled> {
    let (pattern, dataset) = match query {
        Query::Select { pattern, dataset, .. }
        | Query::Construct { pattern, dataset, .. }
        | Query::Ask { pattern, dataset, .. } => (pattern, dataset),
        Query::Describe { .. } => return Err(unsupported("DESCRIBE")),
    };
    if dataset.is_some() {
        return Err(unsupported("FROM"));
    }
    let mut translator = Translator::default();
    let selection = translator.selection(pattern)?;
    let form = match query {
        Query::Ask { .. } => Form::Whether,
        Query::Construct { template, .. } => Form::Triples(translator.template(template)?),
        _ => {
            let named = |(name, variable): &(Name, Variable)| (name.as_str().to_owned(), *variable);
            Form::Rows(selection.variables.iter().map(named).collect())
        }
    };
    let slice = match form {
        Form::Whether => (0, Some(1)),
        _ => selection.slice,
    };
    let compiled = Compiled::new(selection.plan, form, translator.next)?;
    Ok(compiled.in_order(selection.order, slice))
}

/// What a `SELECT` comes to, before anything is left out.
struct Selection {
    plan: Plan,
    order: Vec<Order>,
    slice: (u64, Option<u64>),
    variables: Vec<(Name, Variable)>,
}

#[derive(Default)]
struct Translator {
    names: HashMap<String, Variable>,
    next: Variable,
    depth: usize,
    /// The variables outside of an `EXISTS`.
    outer: Vec<Variable>,
}

impl Nesting for Translator {
    const MAX: usize = DEPTH_MAX;

    fn depth(&mut self) -> &mut usize {
        &mut self.depth
    }
}

impl Translator {
    fn fresh(&mut self) -> Result<Variable> {
        let fresh = self.next;
        self.next = fresh
            .checked_add(1)
            .filter(|next| *next < Variable::MAX / 2)
            .ok_or_else(|| {
                Error::new(
                    Kind::TooLarge,
                    "TooManyVariables",
                    "the query has too many variables",
                )
            })?;
        Ok(fresh)
    }

    fn named(&mut self, name: &str) -> Result<Variable> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        let fresh = self.fresh()?;
        self.names.insert(name.to_owned(), fresh);
        Ok(fresh)
    }

    fn selection(&mut self, pattern: &GraphPattern) -> Result<Selection> {
        let (mut slice, mut distinct, mut named, mut keys) = ((0, None), false, None, None);
        let mut inner = pattern;
        loop {
            inner = match inner {
                GraphPattern::Slice { inner, start, length } if named.is_none() && !distinct => {
                    slice = (*start as u64, length.map(|length| length as u64));
                    inner
                }
                GraphPattern::Distinct { inner } if named.is_none() => {
                    distinct = true;
                    inner
                }
                GraphPattern::Reduced { inner } if named.is_none() => inner,
                GraphPattern::Project { inner, variables } if named.is_none() => {
                    named = Some(variables);
                    inner
                }
                GraphPattern::OrderBy { inner, expression } if keys.is_none() => {
                    keys = Some(expression);
                    inner
                }
                _ => break,
            };
        }
        let mut plan = self.pattern(inner)?;
        let mut variables = Vec::new();
        for name in named.into_iter().flatten() {
            variables.push((name.clone(), self.named(name.as_str())?));
        }
        if distinct {
            plan = Plan::Distinct(Box::new(plan), variables.iter().map(|(_, v)| *v).collect());
        }
        let mut order = Vec::new();
        for key in keys.into_iter().flatten() {
            let (expression, descending) = match key {
                OrderExpression::Asc(expression) => (expression, false),
                OrderExpression::Desc(expression) => (expression, true),
            };
            let (extended, by) = self.extended(plan, expression, distinct)?;
            plan = extended;
            order.push(Order { by, descending });
        }
        Ok(Selection {
            plan,
            order,
            slice,
            variables,
        })
    }

    /// A plan with a variable that is an expression's value. With `only`, the plan must know all of the expression's variables.
    fn extended(
        &mut self,
        plan: Plan,
        expression: &spargebra::algebra::Expression,
        only: bool,
    ) -> Result<(Plan, Variable)> {
        let (plan, expression) = self.evaluated(plan, expression)?;
        if only {
            let known = plan.variables();
            let mut used = Vec::new();
            expression.variables(&mut used);
            if !used.iter().all(|variable| known.contains(variable)) {
                return Err(unsupported(
                    "ordering a SELECT DISTINCT by what it does not select",
                ));
            }
        }
        if let Expression::Variable(variable) = expression {
            return Ok((plan, variable));
        }
        let variable = self.fresh()?;
        Ok((Plan::Extend(Box::new(plan), variable, expression), variable))
    }

    fn pattern(&mut self, pattern: &GraphPattern) -> Result<Plan> {
        self.deeper(|translator| translator.pattern_here(pattern))
    }

    fn pattern_here(&mut self, pattern: &GraphPattern) -> Result<Plan> {
        match pattern {
            GraphPattern::Bgp { patterns } => {
                let all: Result<Vec<Plan>> = patterns.iter().map(|triple| self.triple(triple)).collect();
                Ok(Plan::Join(all?))
            }
            GraphPattern::Path {
                subject,
                path,
                object,
            } => {
                let ends = [self.slot(subject)?, self.slot(object)?];
                self.path(ends, path)
            }
            GraphPattern::Join { left, right } => {
                Ok(Plan::Join(vec![self.pattern(left)?, self.pattern(right)?]))
            }
            GraphPattern::LeftJoin {
                left,
                right,
                expression,
            } => self.optional(left, right, expression.as_ref()),
            GraphPattern::Filter { expr, inner } => {
                let inner = self.pattern(inner)?;
                let (plan, condition) = self.evaluated(inner, expr)?;
                self.check_outer(&condition, &[&plan])?;
                Ok(Plan::Filter(Box::new(plan), condition))
            }
            GraphPattern::Union { .. } => self.union(pattern),
            GraphPattern::Extend {
                inner,
                variable,
                expression,
            } => {
                let inner = self.pattern(inner)?;
                let (plan, expression) = self.evaluated(inner, expression)?;
                self.check_outer(&expression, &[&plan])?;
                let variable = self.named(variable.as_str())?;
                Ok(Plan::Extend(Box::new(plan), variable, expression))
            }
            GraphPattern::Minus { left, right } => {
                let left = self.pattern(left)?;
                let right = self.pattern(right)?;
                Ok(Plan::Minus(Box::new(left), Box::new(right)))
            }
            GraphPattern::Values { variables, bindings } => self.values(variables, bindings),
            GraphPattern::Group {
                inner,
                variables,
                aggregates,
            } => self.group(inner, variables, aggregates),
            GraphPattern::Graph { .. } => Err(unsupported("GRAPH")),
            GraphPattern::Service { .. } => Err(unsupported("SERVICE")),
            GraphPattern::OrderBy { .. }
            | GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. }
            | GraphPattern::Slice { .. } => self.inner_selection(pattern),
        }
    }

    fn optional(
        &mut self,
        left: &GraphPattern,
        right: &GraphPattern,
        expression: Option<&spargebra::algebra::Expression>,
    ) -> Result<Plan> {
        let (left, right) = (self.pattern(left)?, self.pattern(right)?);
        let condition = match expression {
            None => None,
            Some(expression) => Some(self.plain(expression, "EXISTS in the condition of an OPTIONAL")?),
        };
        if let Some(condition) = &condition {
            self.check_outer(condition, &[&left, &right])?;
        }
        Ok(Plan::Optional(Box::new(left), Box::new(right), condition))
    }

    /// A `SELECT` within a query: what it does not select is another variable than outside.
    fn inner_selection(&mut self, pattern: &GraphPattern) -> Result<Plan> {
        let outside = self.names.clone();
        let selection = self.selection(pattern)?;
        let mut plan = selection.plan;
        if selection.slice != (0, None) {
            plan = Plan::Slice(
                Box::new(plan),
                selection.order,
                selection.slice.0,
                selection.slice.1,
            );
        }
        let (mut kept, mut renamed) = (Vec::new(), outside);
        for (name, variable) in selection.variables {
            kept.push(variable);
            renamed.insert(name.as_str().to_owned(), variable);
        }
        self.names = renamed;
        Ok(Plan::Project(Box::new(plan), kept))
    }

    /// All sides of nested unions at once.
    fn union(&mut self, pattern: &GraphPattern) -> Result<Plan> {
        let (mut left, mut all) = (vec![pattern], Vec::new());
        while let Some(pattern) = left.pop() {
            match pattern {
                GraphPattern::Union { left: a, right: b } => left.extend([&**b, &**a]),
                other => all.push(self.pattern(other)?),
            }
        }
        Ok(Plan::Union(all))
    }

    fn values(&mut self, variables: &[Name], bindings: &[Vec<Option<GroundTerm>>]) -> Result<Plan> {
        let named: Result<Vec<Variable>> = variables.iter().map(|v| self.named(v.as_str())).collect();
        let term = |term: &Option<GroundTerm>| match term {
            None => Ok(None),
            Some(GroundTerm::NamedNode(node)) => Value::Iri(node.as_str().to_owned()).term().map(Some),
            Some(GroundTerm::Literal(literal)) => constant(literal).map(Some),
        };
        let rows = bindings
            .iter()
            .map(|row| row.iter().map(term).collect::<Result<Vec<_>>>());
        Ok(Plan::Values(named?, rows.collect::<Result<_>>()?))
    }

    fn triple(&mut self, triple: &TriplePattern) -> Result<Plan> {
        let predicate = match &triple.predicate {
            NamedNodePattern::NamedNode(node) => Slot::Term(Value::Iri(node.as_str().to_owned()).term()?),
            NamedNodePattern::Variable(name) => Slot::Variable(self.named(name.as_str())?),
        };
        let (subject, object) = (self.slot(&triple.subject)?, self.slot(&triple.object)?);
        Ok(facts(subject, predicate, object))
    }

    fn slot(&mut self, term: &TermPattern) -> Result<Slot> {
        Ok(match term {
            TermPattern::NamedNode(node) => Slot::Term(Value::Iri(node.as_str().to_owned()).term()?),
            // A blank node of a pattern is a variable that can not be asked for.
            TermPattern::BlankNode(node) => Slot::Variable(self.named(&format!("_:{}", node.as_str()))?),
            TermPattern::Literal(literal) => Slot::Term(constant(literal)?),
            TermPattern::Variable(name) => Slot::Variable(self.named(name.as_str())?),
        })
    }

    fn template(&mut self, template: &[TriplePattern]) -> Result<Vec<[Made; 3]>> {
        let mut blanks: Vec<String> = Vec::new();
        let mut out = Vec::with_capacity(template.len());
        for triple in template {
            let mut made = |translator: &mut Self, term: &TermPattern| match term {
                TermPattern::BlankNode(node) => {
                    let known = blanks.iter().position(|name| name == node.as_str());
                    let number = known.unwrap_or_else(|| {
                        blanks.push(node.as_str().to_owned());
                        blanks.len() - 1
                    });
                    u16::try_from(number)
                        .map(Made::Blank)
                        .map_err(|_| too_deep(DEPTH_MAX))
                }
                other => translator.slot(other).map(Made::Slot),
            };
            let (subject, object) = (made(self, &triple.subject)?, made(self, &triple.object)?);
            let predicate = Made::Slot(match &triple.predicate {
                NamedNodePattern::NamedNode(node) => Slot::Term(Value::Iri(node.as_str().to_owned()).term()?),
                NamedNodePattern::Variable(name) => Slot::Variable(self.named(name.as_str())?),
            });
            out.push([subject, predicate, object]);
        }
        Ok(out)
    }
}

/// The pattern of a triple.
fn facts(subject: Slot, predicate: Slot, object: Slot) -> Plan {
    Plan::Facts(Pattern {
        head: TRIPLE.to_owned(),
        slots: vec![subject, predicate, object],
    })
}

/// The term that a literal is in a graph.
fn constant(literal: &oxrdf::Literal) -> Result<Term> {
    literal_term(literal.value(), literal.language(), literal.datatype().as_str())
}

#[cfg(test)]
mod tests;
