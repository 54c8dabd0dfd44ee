//! Expressions and groups of SPARQL as those of the algebra.
//!
//! Deliberately absent: their values.

use craton_base::Result;
use spargebra::{
    algebra::{
        AggregateExpression, AggregateFunction as Given, Expression as Sparql, Function as Called,
        GraphPattern,
    },
    term::Variable as Name,
};

use super::Translator;
use crate::{
    algebra::{Aggregate, AggregateFunction, Expression, Function, Plan, Variable},
    expression::functions::cast_of,
    nesting::Nesting,
    unsupported,
    value::Value,
};

/// An `EXISTS` in an expression: its pattern, and the variable that says whether there is any.
type Found<'q> = Vec<(&'q GraphPattern, Variable)>;

impl Translator {
    /// An expression over a plan, and the plan with what the expression's `EXISTS` say.
    pub(super) fn evaluated(&mut self, plan: Plan, expression: &Sparql) -> Result<(Plan, Expression)> {
        let mut found = Vec::new();
        let expression = self.expression(expression, &mut found)?;
        let mut plan = plan;
        for (pattern, variable) in found {
            plan = self.exists(plan, pattern, variable)?;
        }
        Ok((plan, expression))
    }

    /// An expression without `EXISTS`.
    pub(super) fn plain(&mut self, expression: &Sparql, what: &str) -> Result<Expression> {
        let mut found = Vec::new();
        let expression = self.expression(expression, &mut found)?;
        match found.is_empty() {
            true => Ok(expression),
            false => Err(unsupported(what)),
        }
    }

    /// The condition of an `EXISTS` that is one filter looks at what is outside too.
    fn exists(&mut self, plan: Plan, pattern: &GraphPattern, variable: Variable) -> Result<Plan> {
        let before = self.outer.clone();
        self.outer.extend(plan.variables());
        let (pattern, filter) = match pattern {
            GraphPattern::Filter { expr, inner } => (&**inner, Some(expr)),
            other => (other, None),
        };
        let inner = self.pattern(pattern);
        self.outer = before;
        let condition = match filter {
            None => None,
            Some(expression) => Some(self.plain(expression, "EXISTS in the filter of an EXISTS")?),
        };
        Ok(Plan::Exists(
            Box::new(plan),
            Box::new(inner?),
            condition,
            variable,
        ))
    }

    /// Refuses an expression in an `EXISTS` that looks at what is bound only outside of it.
    pub(super) fn check_outer(&self, expression: &Expression, inside: &[&Plan]) -> Result<()> {
        let mut variables = Vec::new();
        expression.variables(&mut variables);
        let known = |v: &Variable| inside.iter().any(|plan| plan.variables().contains(v));
        match variables.iter().any(|v| self.outer.contains(v) && !known(v)) {
            true => Err(unsupported(
                "an expression deep in EXISTS over a variable from outside of it",
            )),
            false => Ok(()),
        }
    }

    fn all<'q>(&mut self, all: &'q [Sparql], found: &mut Found<'q>) -> Result<Vec<Expression>> {
        all.iter().map(|one| self.expression(one, found)).collect()
    }

    fn expression<'q>(&mut self, expression: &'q Sparql, found: &mut Found<'q>) -> Result<Expression> {
        self.deeper(|translator| translator.expression_here(expression, found))
    }

    fn expression_here<'q>(&mut self, expression: &'q Sparql, found: &mut Found<'q>) -> Result<Expression> {
        let (function, parts): (Function, Vec<&Sparql>) = match expression {
            Sparql::NamedNode(node) => return Ok(Expression::Value(Value::Iri(node.as_str().to_owned()))),
            Sparql::Literal(literal) => return Ok(Expression::Value(value_of(literal))),
            Sparql::Variable(name) => return Ok(Expression::Variable(self.named(name.as_str())?)),
            Sparql::Bound(name) => return Ok(Expression::Bound(self.named(name.as_str())?)),
            Sparql::Exists(pattern) => {
                let variable = self.fresh()?;
                found.push((pattern, variable));
                return Ok(Expression::Variable(variable));
            }
            Sparql::If(a, b, c) => {
                let parts = [
                    self.expression(a, found)?,
                    self.expression(b, found)?,
                    self.expression(c, found)?,
                ];
                return Ok(Expression::If(Box::new(parts)));
            }
            Sparql::Coalesce(all) => return Ok(Expression::Coalesce(self.all(all, found)?)),
            Sparql::In(one, all) => {
                let one = Box::new(self.expression(one, found)?);
                return Ok(Expression::In(one, self.all(all, found)?));
            }
            Sparql::UnaryPlus(inner) => return self.expression(inner, found),
            Sparql::FunctionCall(function, all) => {
                let parts = self.all(all, found)?;
                return Ok(Expression::Call(called(function)?, parts));
            }
            Sparql::Or(..) => (Function::Or, chain(expression)),
            Sparql::And(..) => (Function::And, chain(expression)),
            Sparql::Not(a) => (Function::Not, vec![a]),
            Sparql::UnaryMinus(a) => (Function::Negate, vec![a]),
            Sparql::Equal(a, b) => (Function::Equal, vec![a, b]),
            Sparql::SameTerm(a, b) => (Function::SameTerm, vec![a, b]),
            Sparql::Less(a, b) => (Function::Less, vec![a, b]),
            Sparql::LessOrEqual(a, b) => (Function::LessOrEqual, vec![a, b]),
            Sparql::Greater(a, b) => (Function::Less, vec![b, a]),
            Sparql::GreaterOrEqual(a, b) => (Function::LessOrEqual, vec![b, a]),
            Sparql::Add(a, b) => (Function::Add, vec![a, b]),
            Sparql::Subtract(a, b) => (Function::Subtract, vec![a, b]),
            Sparql::Multiply(a, b) => (Function::Multiply, vec![a, b]),
            Sparql::Divide(a, b) => (Function::Divide, vec![a, b]),
        };
        let parts: Result<Vec<Expression>> = parts
            .into_iter()
            .map(|part| self.expression(part, found))
            .collect();
        Ok(Expression::Call(function, parts?))
    }

    pub(super) fn group(
        &mut self,
        inner: &GraphPattern,
        keys: &[Name],
        aggregates: &[(Name, AggregateExpression)],
    ) -> Result<Plan> {
        let mut plan = self.pattern(inner)?;
        let keys: Result<Vec<Variable>> = keys.iter().map(|key| self.named(key.as_str())).collect();
        let mut made = Vec::with_capacity(aggregates.len());
        for (name, aggregate) in aggregates {
            let aggregate = match aggregate {
                AggregateExpression::CountSolutions { distinct: true } => {
                    return Err(unsupported("COUNT(DISTINCT *)"));
                }
                AggregateExpression::CountSolutions { distinct } => Aggregate {
                    function: AggregateFunction::Count,
                    distinct: *distinct,
                    of: None,
                    strict: true,
                },
                AggregateExpression::FunctionCall { name, expr, distinct } => {
                    let (extended, of) = self.extended(plan, expr, false)?;
                    plan = extended;
                    Aggregate {
                        function: folded(name)?,
                        distinct: *distinct,
                        of: Some(of),
                        strict: true,
                    }
                }
            };
            made.push((self.named(name.as_str())?, aggregate));
        }
        Ok(Plan::Group(Box::new(plan), keys?, made))
    }
}

/// What `||`s, or `&&`s, in each other connect.
fn chain(expression: &Sparql) -> Vec<&Sparql> {
    let is_or = matches!(expression, Sparql::Or(..));
    let (mut left, mut out) = (vec![expression], Vec::new());
    while let Some(expression) = left.pop() {
        match expression {
            Sparql::Or(a, b) if is_or => left.extend([&**b, &**a]),
            Sparql::And(a, b) if !is_or => left.extend([&**b, &**a]),
            other => out.push(other),
        }
    }
    out
}

fn value_of(literal: &oxrdf::Literal) -> Value {
    match literal.language() {
        Some(language) => Value::Lang(literal.value().to_owned(), language.to_owned()),
        None => Value::typed(literal.value(), literal.datatype().as_str()),
    }
}

fn folded(function: &Given) -> Result<AggregateFunction> {
    Ok(match function {
        Given::Count => AggregateFunction::Count,
        Given::Sum => AggregateFunction::Sum,
        Given::Avg => AggregateFunction::Mean,
        Given::Min => AggregateFunction::Min,
        Given::Max => AggregateFunction::Max,
        Given::Sample => AggregateFunction::Sample,
        Given::GroupConcat { separator } => {
            AggregateFunction::Concat(separator.clone().unwrap_or_else(|| " ".to_owned()))
        }
        Given::Custom(node) => return Err(unsupported(&format!("the aggregate {node}"))),
    })
}

fn called(function: &Called) -> Result<Function> {
    Ok(match function {
        Called::Str => Function::Str,
        Called::Lang => Function::Lang,
        Called::LangMatches => Function::LangMatches,
        Called::Datatype => Function::Datatype,
        Called::Iri => Function::Iri,
        Called::Abs => Function::Abs,
        Called::Ceil => Function::Ceil,
        Called::Floor => Function::Floor,
        Called::Round => Function::Round,
        Called::Concat => Function::Concat,
        Called::SubStr => Function::Substring,
        Called::StrLen => Function::Length,
        Called::Replace => Function::Replace,
        Called::UCase => Function::Upper,
        Called::LCase => Function::Lower,
        Called::EncodeForUri => Function::EncodeForUri,
        Called::Contains => Function::Contains,
        Called::StrStarts => Function::StartsWith,
        Called::StrEnds => Function::EndsWith,
        Called::StrBefore => Function::Before,
        Called::StrAfter => Function::After,
        Called::Year => Function::Year,
        Called::Month => Function::Month,
        Called::Day => Function::Day,
        Called::Hours => Function::Hours,
        Called::Minutes => Function::Minutes,
        Called::Seconds => Function::Seconds,
        Called::StrLang => Function::StrLang,
        Called::StrDt => Function::StrDatatype,
        Called::IsIri => Function::IsIri,
        Called::IsBlank => Function::IsBlank,
        Called::IsLiteral => Function::IsLiteral,
        Called::IsNumeric => Function::IsNumeric,
        Called::Regex => Function::Regex,
        Called::Custom(node) => {
            cast_of(node.as_str()).ok_or_else(|| unsupported(&format!("the function {node}")))?
        }
        other => return Err(unsupported(&format!("the function {other}"))),
    })
}
