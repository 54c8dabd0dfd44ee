//! Expressions of openCypher as those of the algebra. What has no value is `null`.
//!
//! Deliberately absent: values.

use craton_base::Result;

use super::{EdgeType, Named, State, Translator, bad};
use crate::{
    algebra::{Aggregate, AggregateFunction, Expression, Function, Plan, Variable},
    cypher::syntax::{Expression as Written, Pattern},
    unsupported,
    value::Value,
};

/// Values of many under way.
type Aggregates = Vec<(Variable, Aggregate)>;

impl Translator<'_> {
    pub(super) fn condition(&mut self, state: &mut State, written: &Written) -> Result<Expression> {
        self.expression(state, written, None)
    }

    /// A value that is written out.
    pub(super) fn constant(&self, written: &Written) -> Result<Value> {
        match written {
            Written::Text(text) => Ok(Value::Text(text.clone())),
            Written::Bool(value) => Ok(Value::Bool(*value)),
            Written::Number(number) => Ok(number_of(number)),
            Written::Call { name, parts, .. } if name == "negate" => match parts.as_slice() {
                [Written::Number(number)] => Ok(number_of(&format!("-{number}"))),
                _ => Err(unsupported("a property that is not written out")),
            },
            _ => Err(unsupported("a property that is not written out")),
        }
    }

    /// An expression; values of many are put into `aggregates`, where they may be.
    pub(super) fn expression(
        &mut self,
        state: &mut State,
        written: &Written,
        mut aggregates: Option<&mut Aggregates>,
    ) -> Result<Expression> {
        Ok(match written {
            Written::Null => Expression::Coalesce(Vec::new()),
            Written::Text(_) | Written::Bool(_) | Written::Number(_) => {
                Expression::Value(self.constant(written)?)
            }
            Written::Name(name, at) => match state.names.get(name) {
                Some(Named::Node(variable) | Named::Value(variable)) => Expression::Variable(*variable),
                Some(Named::Edge(_)) => {
                    return Err(unsupported("an edge as a value; ask for type(…) or its nodes"));
                }
                None => return Err(self.unknown(name, *at)),
            },
            Written::Property(name, key, at) if key == "id" => {
                // A node's own text has no fact.
                let of = self.expression(state, &Written::Name(name.clone(), *at), None)?;
                plain(of)
            }
            Written::Property(name, key, at) => {
                plain(Expression::Variable(self.property(state, (name, *at), key)?))
            }
            Written::List(_) => return Err(unsupported("a list that is not behind IN")),
            Written::CountAll => {
                let variable = self.fresh()?;
                let count = Aggregate {
                    function: AggregateFunction::Count,
                    distinct: false,
                    of: None,
                    strict: false,
                };
                match aggregates {
                    Some(all) => all.push((variable, count)),
                    None => return Err(unsupported("count(*) here")),
                }
                Expression::Variable(variable)
            }
            Written::Case(cases, otherwise) => {
                let mut out = self.expression(state, otherwise, aggregates.as_deref_mut())?;
                for (condition, value) in cases.iter().rev() {
                    let condition = self.expression(state, condition, aggregates.as_deref_mut())?;
                    let known = Expression::Coalesce(vec![condition, Expression::Value(Value::Bool(false))]);
                    let value = self.expression(state, value, aggregates.as_deref_mut())?;
                    out = Expression::If(Box::new([known, value, out]));
                }
                out
            }
            Written::Exists(patterns, condition) => self.exists(state, patterns, condition.as_deref())?,
            Written::Call {
                name,
                distinct,
                parts,
                ..
            } => self.call(state, (name, *distinct), parts, aggregates)?,
        })
    }

    fn exists(
        &mut self,
        state: &mut State,
        patterns: &[Pattern],
        condition: Option<&Written>,
    ) -> Result<Expression> {
        let before = state.clone();
        let (outer, inner, condition) = self.beside(before, patterns, condition)?;
        let found = self.fresh()?;
        let plan = Plan::Exists(Box::new(outer.plan), Box::new(inner.plan), condition, found);
        *state = State { plan, ..outer };
        Ok(Expression::Variable(found))
    }

    fn call(
        &mut self,
        state: &mut State,
        (name, distinct): (&str, bool),
        written: &[Written],
        mut aggregates: Option<&mut Aggregates>,
    ) -> Result<Expression> {
        if let (Some(function), [of]) = (folded(name), written) {
            return self.aggregate(state, function, distinct, of, aggregates);
        }
        if let ("type", [Written::Name(edge, _)]) = (name, written) {
            return edge_type(state, edge);
        }
        if let ("in", [one, Written::List(all)]) = (name, written) {
            let one = self.expression(state, one, aggregates.as_deref_mut())?;
            let mut among = Vec::with_capacity(all.len());
            for other in all {
                among.push(self.expression(state, other, aggregates.as_deref_mut())?);
            }
            return Ok(Expression::In(
                Box::new(compared(one)),
                among.into_iter().map(compared).collect(),
            ));
        }
        let mut parts = Vec::with_capacity(written.len());
        for part in written {
            parts.push(self.expression(state, part, aggregates.as_deref_mut())?);
        }
        applied(name, parts)
    }

    fn aggregate(
        &mut self,
        state: &mut State,
        function: AggregateFunction,
        distinct: bool,
        of: &Written,
        aggregates: Option<&mut Aggregates>,
    ) -> Result<Expression> {
        let Some(aggregates) = aggregates else {
            return Err(unsupported("a value of many here"));
        };
        let of = match self.expression(state, of, None)? {
            Expression::Variable(variable) => variable,
            expression => {
                let variable = self.fresh()?;
                let plan = std::mem::replace(&mut state.plan, Plan::unit());
                state.plan = Plan::Extend(Box::new(plan), variable, expression);
                variable
            }
        };
        let variable = self.fresh()?;
        aggregates.push((
            variable,
            Aggregate {
                function,
                distinct,
                of: Some(of),
                strict: false,
            },
        ));
        Ok(Expression::Variable(variable))
    }
}

/// The text of a type, as `type(…)` gives it.
pub(super) fn edge_text(kind: &str) -> String {
    kind.to_owned()
}

fn edge_type(state: &State, edge: &str) -> Result<Expression> {
    match state.names.get(edge) {
        Some(Named::Edge(EdgeType::One(kind))) => Ok(Expression::Value(Value::Text(edge_text(kind)))),
        Some(Named::Edge(EdgeType::Of(variable))) => Ok(Expression::Variable(*variable)),
        Some(Named::Edge(EdgeType::Walk)) => Err(unsupported("the type of a walk")),
        _ => Err(bad(&format!("{edge} is no edge that is known here"))),
    }
}

fn number_of(text: &str) -> Value {
    let kind = if text.contains(['e', 'E', '.']) {
        "double"
    } else {
        "integer"
    };
    match Value::typed(text, &format!("{}{kind}", crate::value::XSD)) {
        // openCypher has no decimals.
        Value::Decimal(value) => Value::Double(value.into()),
        value => value,
    }
}

fn plain(of: Expression) -> Expression {
    Expression::Call(Function::Plain, vec![of])
}

/// What is compared: a node as its text.
fn compared(of: Expression) -> Expression {
    match of {
        Expression::Variable(_) => plain(of),
        other => other,
    }
}

fn folded(name: &str) -> Option<AggregateFunction> {
    Some(match name {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "avg" => AggregateFunction::Mean,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        "collect" => AggregateFunction::Collect,
        _ => return None,
    })
}

/// An operator or a function of values.
fn applied(name: &str, parts: Vec<Expression>) -> Result<Expression> {
    use Function as F;
    let not = |expression| Expression::Call(F::Not, vec![expression]);
    let count = parts.len();
    let function = match (name, count) {
        ("is null", 1) => return Ok(not(Expression::Present(Box::new(only(parts))))),
        ("is not null" | "exists", 1) => return Ok(Expression::Present(Box::new(only(parts)))),
        ("coalesce", _) => return Ok(Expression::Coalesce(parts)),
        ("id", 1) => return Ok(plain(only(parts))),
        ("=", 2) => {
            return Ok(Expression::Call(
                F::Equal,
                parts.into_iter().map(compared).collect(),
            ));
        }
        ("<>", 2) => {
            return Ok(not(Expression::Call(
                F::Equal,
                parts.into_iter().map(compared).collect(),
            )));
        }
        ("<", 2) => F::Less,
        ("<=", 2) => F::LessOrEqual,
        (">", 2) => return Ok(Expression::Call(F::Less, parts.into_iter().rev().collect())),
        (">=", 2) => {
            return Ok(Expression::Call(
                F::LessOrEqual,
                parts.into_iter().rev().collect(),
            ));
        }
        ("=~", 2) => F::Matches,
        ("and", _) => F::And,
        ("or", _) => F::Or,
        ("not", 1) => F::Not,
        ("+", 2) => F::Plus,
        ("-", 2) => F::Subtract,
        ("*", 2) => F::Multiply,
        ("/", 2) => F::Quotient,
        ("%", 2) => F::Modulo,
        ("negate", 1) => F::Negate,
        ("contains", 2) => F::Contains,
        ("starts with", 2) => F::StartsWith,
        ("ends with", 2) => F::EndsWith,
        ("tolower" | "lower", 1) => F::Lower,
        ("toupper" | "upper", 1) => F::Upper,
        ("size" | "length", 1) => F::Length,
        ("abs", 1) => F::Abs,
        ("ceil" | "ceiling", 1) => F::Ceil,
        ("floor", 1) => F::Floor,
        ("round", 1) => F::Round,
        ("tostring", 1) => F::ToText,
        ("tointeger", 1) => F::ToInteger,
        ("tofloat", 1) => F::ToDouble,
        ("toboolean", 1) => F::ToBoolean,
        ("substring", 2 | 3) => return Ok(substring(parts)),
        _ => return Err(unsupported(&format!("{name} of {count} in openCypher"))),
    };
    Ok(Expression::Call(function, parts))
}

fn only(parts: Vec<Expression>) -> Expression {
    parts
        .into_iter()
        .next()
        .unwrap_or(Expression::Coalesce(Vec::new()))
}

/// Letters are counted from 0.
fn substring(parts: Vec<Expression>) -> Expression {
    let one = || Expression::Value(Value::Integer(1.into()));
    let shifted = parts.into_iter().enumerate().map(|(at, part)| match at {
        1 => Expression::Call(Function::Add, vec![part, one()]),
        _ => part,
    });
    Expression::Call(Function::Substring, shifted.collect())
}
