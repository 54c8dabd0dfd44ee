//! Property paths: steps are patterns, what repeats is a walk over edges.
//!
//! Deliberately absent: how walks are found.

use craton_base::Result;
use spargebra::algebra::PropertyPathExpression as Path;

use super::{Translator, facts};
use crate::{
    algebra::{Closure, Expression, Function, Plan, Slot},
    nesting::Nesting,
    value::Value,
};

impl Translator {
    /// The ends of a path.
    pub(super) fn path(&mut self, ends: [Slot; 2], path: &Path) -> Result<Plan> {
        self.deeper(|translator| translator.path_here(ends, path))
    }

    fn path_here(&mut self, [from, to]: [Slot; 2], path: &Path) -> Result<Plan> {
        match path {
            Path::NamedNode(node) => {
                let predicate = Slot::Term(Value::Iri(node.as_str().to_owned()).term()?);
                Ok(facts(from, predicate, to))
            }
            Path::Reverse(inner) => self.path([to, from], inner),
            Path::Sequence(first, second) => {
                let middle = Slot::Variable(self.fresh()?);
                let first = self.path([from, middle.clone()], first)?;
                Ok(Plan::Join(vec![first, self.path([middle, to], second)?]))
            }
            Path::Alternative(a, b) => {
                let a = self.path([from.clone(), to.clone()], a)?;
                Ok(Plan::Union(vec![a, self.path([from, to], b)?]))
            }
            Path::NegatedPropertySet(nodes) => {
                let predicate = self.fresh()?;
                let denied = nodes
                    .iter()
                    .map(|node| Expression::Value(Value::Iri(node.as_str().to_owned())));
                let is_in = Expression::In(Box::new(Expression::Variable(predicate)), denied.collect());
                let pattern = facts(from, Slot::Variable(predicate), to);
                Ok(Plan::Filter(
                    Box::new(pattern),
                    Expression::Call(Function::Not, vec![is_in]),
                ))
            }
            Path::ZeroOrMore(inner) => self.walk([from, to], inner, (0, None)),
            Path::OneOrMore(inner) => self.walk([from, to], inner, (1, None)),
            Path::ZeroOrOne(inner) => self.walk([from, to], inner, (0, Some(1))),
        }
    }

    fn walk(&mut self, slots: [Slot; 2], edge: &Path, length: (u32, Option<u32>)) -> Result<Plan> {
        let ends = [self.fresh()?, self.fresh()?];
        let [from, to] = ends.map(Slot::Variable);
        let edges = self.path([from.clone(), to], edge)?;
        let mut nodes = Vec::new();
        for is_object in [false, true] {
            let (predicate, other) = (Slot::Variable(self.fresh()?), Slot::Variable(self.fresh()?));
            nodes.push(match is_object {
                false => facts(from.clone(), predicate, other),
                true => facts(other, predicate, from.clone()),
            });
        }
        Ok(Plan::Closure(Box::new(Closure {
            edges,
            ends,
            slots,
            length,
            nodes,
        })))
    }
}
