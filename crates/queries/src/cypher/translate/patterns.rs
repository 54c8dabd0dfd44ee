//! Patterns of nodes and edges as facts.
//!
//! Deliberately absent: expressions.

use craton_base::Result;
use craton_graph::{
    parse,
    term::{Term, is_ground},
};

use super::{EdgeType, Named, State, Translator, bad, expressions::edge_text};
use crate::{
    algebra::{Closure, Expression, Function, Pattern as Facts, Plan, Slot, Variable},
    cypher::syntax::{Direction, Edge, Expression as Written, Node, Pattern},
    unsupported,
    value::Value,
};

/// The predicate of a node's type in RDF.
const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// An edge of a pattern: its ends, and its type if there may be several.
struct Walked {
    types: Vec<String>,
    ends: [Variable; 2],
    of: Option<Variable>,
}

impl Translator<'_> {
    pub(super) fn matching(
        &mut self,
        mut state: State,
        optional: bool,
        patterns: &[Pattern],
        condition: Option<&Written>,
    ) -> Result<State> {
        if !optional {
            state = self.patterns(state, patterns)?;
            return match condition {
                None => Ok(state),
                Some(condition) => self.filtered(state, condition),
            };
        }
        let (mut outer, inner, condition) = self.beside(state, patterns, condition)?;
        outer.plan = Plan::Optional(Box::new(outer.plan), Box::new(inner.plan), condition);
        for name in &inner.order {
            if let Some(named) = inner.names.get(name) {
                outer.name(name, named.clone());
            }
        }
        Ok(outer)
    }

    /// Patterns beside what is known already, and a condition over both.
    pub(super) fn beside(
        &mut self,
        mut outer: State,
        patterns: &[Pattern],
        condition: Option<&Written>,
    ) -> Result<(State, State, Option<Expression>)> {
        let known = outer.names.clone();
        let start = State {
            plan: Plan::unit(),
            properties: outer.properties.clone(),
            ..outer.clone()
        };
        let mut inner = self.patterns(start, patterns)?;
        let Some(written) = condition else {
            return Ok((outer, inner, None));
        };
        // Properties of what is known belong to it; those of new nodes are found with them.
        let mut asked = Vec::new();
        properties_of(written, &mut asked);
        for (name, key, at) in asked {
            let of = if known.contains_key(&name) {
                &mut outer
            } else {
                &mut inner
            };
            let made = self.property(of, (&name, at), &key)?;
            if let Some(Named::Node(node)) = inner.names.get(&name) {
                inner.properties.insert((*node, key), made);
            }
        }
        let before = inner.properties.len();
        let condition = self.condition(&mut inner, written)?;
        if inner.properties.len() != before {
            return Err(unsupported(
                "EXISTS in the condition of an OPTIONAL MATCH or EXISTS",
            ));
        }
        Ok((outer, inner, Some(condition)))
    }

    /// All patterns of a clause, whose edges differ.
    fn patterns(&mut self, mut state: State, patterns: &[Pattern]) -> Result<State> {
        let mut edges: Vec<Walked> = Vec::new();
        let mut plans = Vec::new();
        let mut conditions = Vec::new();
        for pattern in patterns {
            let mut here = self.node(
                &mut state,
                &pattern.first,
                pattern.steps.is_empty(),
                (&mut plans, &mut conditions),
            )?;
            for (edge, node) in &pattern.steps {
                let there = self.node(&mut state, node, false, (&mut plans, &mut conditions))?;
                edges.extend(self.edge(&mut state, edge, [here, there], &mut plans)?);
                here = there;
            }
        }
        for (at, one) in edges.iter().enumerate() {
            for other in edges.iter().take(at) {
                conditions.extend(differ(one, other));
            }
        }
        plans.insert(0, state.plan);
        state.plan = Plan::Join(plans);
        for condition in conditions {
            state.plan = Plan::Filter(Box::new(state.plan), condition);
        }
        Ok(state)
    }

    /// The variable of a node, with what its labels and properties say.
    fn node(
        &mut self,
        state: &mut State,
        node: &Node,
        alone: bool,
        (plans, conditions): (&mut Vec<Plan>, &mut Vec<Expression>),
    ) -> Result<Variable> {
        let known = node.name.as_ref().and_then(|name| state.names.get(name)).cloned();
        let is_new = known.is_none();
        let variable = match known {
            // A value that a WITH made may be a node as well.
            Some(Named::Node(variable) | Named::Value(variable)) => variable,
            Some(Named::Edge(_)) => return Err(bad("an edge is used as a node")),
            None => self.fresh()?,
        };
        if let Some(name) = &node.name {
            state.name(name, Named::Node(variable));
        }
        for label in &node.labels {
            plans.push(label_of(label, variable)?);
        }
        for (key, wanted) in &node.properties {
            let wanted = self.constant(wanted)?;
            if key == "id" {
                plans.push(Plan::Values(
                    vec![variable],
                    vec![vec![Some(node_term(&wanted)?)]],
                ));
                continue;
            }
            let value = self.fresh()?;
            plans.push(binary(key, Slot::Variable(variable), Slot::Variable(value))?);
            let plain = Expression::Call(Function::Plain, vec![Expression::Variable(value)]);
            conditions.push(Expression::Call(
                Function::Equal,
                vec![plain, Expression::Value(wanted)],
            ));
        }
        if alone && is_new && node.labels.is_empty() && node.properties.is_empty() {
            return Err(unsupported("a node without a label, a property or an edge"));
        }
        Ok(variable)
    }

    /// What an edge says of its ends.
    fn edge(
        &mut self,
        state: &mut State,
        edge: &Edge,
        [left, right]: [Variable; 2],
        plans: &mut Vec<Plan>,
    ) -> Result<Option<Walked>> {
        if edge.types.is_empty() {
            return Err(unsupported("an edge without a type"));
        }
        let ends = match edge.direction {
            Direction::Left => [right, left],
            Direction::Right | Direction::Either => [left, right],
        };
        if let Some(length) = edge.length {
            if let Some(name) = &edge.name {
                state.name(name, Named::Edge(EdgeType::Walk));
            }
            plans.push(self.walk(edge, ends, length)?);
            return Ok(None);
        }
        let several = edge.types.len() > 1;
        let of = if several { Some(self.fresh()?) } else { None };
        if let Some(name) = &edge.name {
            let its = match (of, edge.types.first()) {
                (Some(of), _) => EdgeType::Of(of),
                (None, Some(only)) => EdgeType::One(only.clone()),
                (None, None) => EdgeType::Walk,
            };
            state.name(name, Named::Edge(its));
        }
        let is_either = edge.direction == Direction::Either;
        if !several && !is_either {
            let [from, to] = ends.map(Slot::Variable);
            for kind in &edge.types {
                plans.push(binary(kind, from.clone(), to.clone())?);
            }
            return Ok(Some(Walked {
                types: edge.types.clone(),
                ends,
                of,
            }));
        }
        // As it is written, so that it is told from others whichever way it was found.
        let written = if is_either {
            [self.fresh()?, self.fresh()?]
        } else {
            ends
        };
        let mut sides = Vec::new();
        for kind in &edge.types {
            sides.extend(self.sides(kind, ends, written, (of, is_either))?);
        }
        plans.push(Plan::Union(sides));
        Ok(Some(Walked {
            types: edge.types.clone(),
            ends: written,
            of,
        }))
    }

    /// The ways in which an edge of a type can lie between two nodes.
    fn sides(
        &mut self,
        kind: &str,
        ends: [Variable; 2],
        written: [Variable; 2],
        (of, is_either): (Option<Variable>, bool),
    ) -> Result<Vec<Plan>> {
        let mut out = Vec::new();
        let [a, b] = ends;
        for (from, to) in [(a, b), (b, a)].into_iter().take(if is_either { 2 } else { 1 }) {
            let mut plan = binary(kind, Slot::Variable(from), Slot::Variable(to))?;
            if is_either {
                let [x, y] = written;
                plan = Plan::Extend(Box::new(plan), x, Expression::Variable(from));
                plan = Plan::Extend(Box::new(plan), y, Expression::Variable(to));
            }
            if let Some(of) = of {
                plan = Plan::Extend(
                    Box::new(plan),
                    of,
                    Expression::Value(Value::Text(edge_text(kind))),
                );
            }
            if !out.is_empty() {
                // An edge from a node to itself is one edge.
                plan = Plan::Filter(Box::new(plan), different(a, b));
            }
            out.push(plan);
        }
        Ok(out)
    }

    fn walk(&mut self, edge: &Edge, slots: [Variable; 2], length: (u32, Option<u32>)) -> Result<Plan> {
        let (least, most) = length;
        if most.is_some_and(|most| most < least) {
            return Err(bad("a walk has more edges at least than at most"));
        }
        let ends = [self.fresh()?, self.fresh()?];
        let [from, to] = ends.map(Slot::Variable);
        let mut sides = Vec::new();
        let mut nodes = Vec::new();
        for kind in &edge.types {
            sides.push(binary(kind, from.clone(), to.clone())?);
            if edge.direction == Direction::Either {
                sides.push(binary(kind, to.clone(), from.clone())?);
            }
            for is_end in [false, true] {
                let other = Slot::Variable(self.fresh()?);
                nodes.push(match is_end {
                    false => binary(kind, from.clone(), other)?,
                    true => binary(kind, other, from.clone())?,
                });
            }
        }
        let slots = slots.map(Slot::Variable);
        Ok(Plan::Closure(Box::new(Closure {
            edges: Plan::Union(sides),
            ends,
            slots,
            length,
            nodes,
        })))
    }

    /// A property of a node as a variable, found with the plan.
    pub(super) fn property(
        &mut self,
        state: &mut State,
        (name, at): (&str, usize),
        key: &str,
    ) -> Result<Variable> {
        let node = match state.names.get(name) {
            Some(Named::Node(node) | Named::Value(node)) => *node,
            Some(Named::Edge(_)) => return Err(unsupported("a property of an edge")),
            None => return Err(self.unknown(name, at)),
        };
        if let Some(known) = state.properties.get(&(node, key.to_owned())) {
            return Ok(*known);
        }
        let value = self.fresh()?;
        let fact = binary(key, Slot::Variable(node), Slot::Variable(value))?;
        let plan = std::mem::replace(&mut state.plan, Plan::unit());
        state.plan = Plan::Optional(Box::new(plan), Box::new(fact), None);
        state.properties.insert((node, key.to_owned()), value);
        Ok(value)
    }
}

/// The IRI that a name in angle brackets is.
fn iri(name: &str) -> Option<&str> {
    name.strip_prefix('<')?.strip_suffix('>')
}

/// A fact of a name and two items.
fn binary(name: &str, first: Slot, second: Slot) -> Result<Plan> {
    Ok(Plan::Facts(match iri(name) {
        None => Facts {
            head: name.to_owned(),
            slots: vec![first, second],
        },
        Some(iri) => {
            let predicate = Slot::Term(Value::Iri(iri.to_owned()).term()?);
            Facts {
                head: "triple".to_owned(),
                slots: vec![first, predicate, second],
            }
        }
    }))
}

fn label_of(label: &str, node: Variable) -> Result<Plan> {
    match iri(label) {
        None => Ok(Plan::Facts(Facts {
            head: label.to_owned(),
            slots: vec![Slot::Variable(node)],
        })),
        Some(kind) => {
            let kind = Slot::Term(Value::Iri(kind.to_owned()).term()?);
            binary(&format!("<{RDF_TYPE}>"), Slot::Variable(node), kind)
        }
    }
}

/// The term that a node's text is: as facts are written, or as readers of tables write a value.
fn node_term(value: &Value) -> Result<Term> {
    let text = value.text();
    match parse::term(text.as_bytes()) {
        Ok(term) if is_ground(term.as_bytes()) => Ok(term),
        _ => Value::Text(text).term(),
    }
}

fn different(a: Variable, b: Variable) -> Expression {
    let both = vec![Expression::Variable(a), Expression::Variable(b)];
    Expression::Call(Function::Not, vec![Expression::Call(Function::SameTerm, both)])
}

/// That two edges are not the same one, where they could be.
fn differ(one: &Walked, other: &Walked) -> Option<Expression> {
    if !one.types.iter().any(|kind| other.types.contains(kind)) {
        return None;
    }
    let kinds = |edge: &Walked| match (edge.of, edge.types.first()) {
        (Some(of), _) => Expression::Variable(of),
        (None, kind) => Expression::Value(Value::Text(kind.map(|k| edge_text(k)).unwrap_or_default())),
    };
    let ([a, b], [c, d]) = (one.ends, other.ends);
    let mut parts = vec![different(a, c), different(b, d)];
    if one.of.is_some() || other.of.is_some() {
        let same = Expression::Call(Function::Equal, vec![kinds(one), kinds(other)]);
        parts.push(Expression::Call(Function::Not, vec![same]));
    }
    Some(Expression::Call(Function::Or, parts))
}

/// The properties that an expression asks for.
fn properties_of(written: &Written, out: &mut Vec<(String, String, usize)>) {
    match written {
        Written::Property(name, key, at) => out.push((name.clone(), key.clone(), *at)),
        Written::List(all) | Written::Call { parts: all, .. } => {
            all.iter().for_each(|one| properties_of(one, out))
        }
        Written::Case(cases, otherwise) => {
            for (condition, value) in cases {
                properties_of(condition, out);
                properties_of(value, out);
            }
            properties_of(otherwise, out);
        }
        _ => {}
    }
}
