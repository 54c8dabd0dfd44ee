//! The algebra that both languages become.
//!
//! Invariants
//! - a variable is a number, the same in all of a query; those that are not asked for tell solutions apart;
//! - an operand of [`Plan::Join`] that needs what others bind (a [`Closure`]) can be answered alone too.
//!
//! Deliberately absent: texts of languages, ids.

use craton_base::Result;
use craton_graph::{
    exec::Rule,
    term::{Term, Writer},
};

use crate::value::Value;

/// A variable of a query.
pub type Variable = u16;

/// An item of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// This term, without variables.
    Term(Term),
    /// Whatever this variable is.
    Variable(Variable),
}

/// A pattern of facts: `(head slot …)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The symbol in front, as it is in the graph.
    pub head: String,
    /// The other items.
    pub slots: Vec<Slot>,
}

/// What gives solutions.
#[derive(Clone, Debug)]
pub enum Plan {
    /// All of these hold; none of them: one solution that binds nothing.
    Join(Vec<Plan>),
    /// A pattern of facts matches.
    Facts(Pattern),
    /// Rows of terms, each with a place for each variable.
    Values(Vec<Variable>, Vec<Vec<Option<Term>>>),
    /// A walk over edges.
    Closure(Box<Closure>),
    /// The first, with what the second binds where they agree and the condition holds.
    Optional(Box<Plan>, Box<Plan>, Option<Expression>),
    /// The first, where nothing of the second agrees with it in a variable that both bind.
    Minus(Box<Plan>, Box<Plan>),
    /// The first, and the variable: whether something of the second agrees with it and the condition holds.
    Exists(Box<Plan>, Box<Plan>, Option<Expression>, Variable),
    /// The solutions of each.
    Union(Vec<Plan>),
    /// Where the condition holds.
    Filter(Box<Plan>, Expression),
    /// With a variable that is the value of an expression, where it has one.
    Extend(Box<Plan>, Variable, Expression),
    /// One solution for each combination of the variables, with values made of many.
    Group(Box<Plan>, Vec<Variable>, Vec<(Variable, Aggregate)>),
    /// Only these variables are known outside.
    Project(Box<Plan>, Vec<Variable>),
    /// Each combination of these variables once; only they are known outside.
    Distinct(Box<Plan>, Vec<Variable>),
    /// So many after so many, of all in this order.
    Slice(Box<Plan>, Vec<Order>, u64, Option<u64>),
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The variable.
    pub by: Variable,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Walks of so many edges, each pair of ends once.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The edges, …
    pub edges: Plan,
    /// … from this variable of theirs to that one.
    pub ends: [Variable; 2],
    /// Where a walk begins and where it ends.
    pub slots: [Slot; 2],
    /// The least and the greatest number of edges.
    pub length: (u32, Option<u32>),
    /// What a walk without edges may stand at: each of these, in the first variable of `ends`.
    pub nodes: Vec<Plan>,
}

/// A value made of the solutions of a group.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// How.
    pub function: AggregateFunction,
    /// Whether each value counts once.
    pub distinct: bool,
    /// The variable; none: the solutions themselves.
    pub of: Option<Variable>,
    /// Whether there is no value where the variable has none in a solution, as in SPARQL; else it is passed over. What is counted or any of
    /// them is always passed over.
    pub strict: bool,
}

/// How a value is made of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Any of them.
    Sample,
    /// Their texts with this between them, in no particular order.
    Concat(String),
    /// Their texts as a list of JSON.
    Collect,
}

/// An expression over the variables of one solution.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A value.
    Value(Value),
    /// A variable.
    Variable(Variable),
    /// Whether a variable has a value.
    Bound(Variable),
    /// Whether an expression has a value.
    Present(Box<Expression>),
    /// One of two, by the first.
    If(Box<[Expression; 3]>),
    /// The first that has a value.
    Coalesce(Vec<Expression>),
    /// Whether the first is one of the others.
    In(Box<Expression>, Vec<Expression>),
    /// A function or an operator.
    Call(Function, Vec<Expression>),
}

impl Expression {
    /// Adds the variables in it.
    pub(crate) fn variables(&self, out: &mut Vec<Variable>) {
        match self {
            Self::Value(_) => {}
            Self::Variable(variable) | Self::Bound(variable) => out.push(*variable),
            Self::Present(inner) => inner.variables(out),
            Self::If(parts) => parts.iter().for_each(|part| part.variables(out)),
            Self::Coalesce(all) | Self::Call(_, all) => all.iter().for_each(|part| part.variables(out)),
            Self::In(one, all) => {
                one.variables(out);
                all.iter().for_each(|part| part.variables(out));
            }
        }
    }
}

/// Functions and operators, by SPARQL's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the function of SPARQL 1.1 with this name")]
pub enum Function {
    Or,
    And,
    Not,
    Equal,
    SameTerm,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Quotient,
    /// Of numbers the sum, of texts both.
    Plus,
    /// A word as a text: what tables and programs write bare.
    Plain,
    /// Whether a pattern matches all of a text.
    Matches,
    Modulo,
    Negate,
    Str,
    Lang,
    LangMatches,
    Datatype,
    Iri,
    Abs,
    Ceil,
    Floor,
    Round,
    Concat,
    Substring,
    Length,
    Replace,
    Upper,
    Lower,
    Contains,
    StartsWith,
    EndsWith,
    Before,
    After,
    EncodeForUri,
    Year,
    Month,
    Day,
    Hours,
    Minutes,
    Seconds,
    StrLang,
    StrDatatype,
    IsIri,
    IsBlank,
    IsLiteral,
    IsNumeric,
    Regex,
    ToInteger,
    ToDecimal,
    ToDouble,
    ToBoolean,
    ToText,
}

/// What a query is answered with.
#[derive(Clone, Debug)]
pub enum Form {
    /// Rows of these variables, by name.
    Rows(Vec<(String, Variable)>),
    /// Whether there is a solution.
    Whether,
    /// Triples, made of each solution.
    Triples(Vec<[Made; 3]>),
}

/// An item of a triple that is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// Of the solution, or as it stands.
    Slot(Slot),
    /// A blank node of each solution's own, by its number.
    Blank(u16),
}

/// A query that can be answered.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What gives the solutions.
    pub plan: Plan,
    /// The order that they are told in.
    pub order: Vec<Order>,
    /// How many are passed over, and how many told at most.
    pub slice: (u64, Option<u64>),
    /// What is told.
    pub form: Form,
    /// How many variables there are.
    pub variables: u16,
    /// Whether a variable without a value agrees with none, as `null` of openCypher, and not with any, as in SPARQL.
    pub nulls: bool,
    /// What is read, as rules of the graph.
    rules: Vec<Rule>,
}

impl Compiled {
    /// A query of so many variables.
    ///
    /// # Errors
    /// `TooLarge` for a constant that no graph can hold.
    pub fn new(plan: Plan, form: Form, variables: u16) -> Result<Self> {
        let mut patterns = Vec::new();
        plan.patterns(&mut patterns);
        let rules = patterns.into_iter().map(rule).collect::<Result<_>>()?;
        let (order, slice) = (Vec::new(), (0, None));
        Ok(Self {
            plan,
            order,
            slice,
            form,
            variables,
            nulls: false,
            rules,
        })
    }

    /// The same in this order.
    #[must_use]
    pub fn in_order(self, order: Vec<Order>, slice: (u64, Option<u64>)) -> Self {
        Self { order, slice, ..self }
    }

    /// The same, where a variable without a value agrees with none.
    #[must_use]
    pub fn with_nulls(self) -> Self {
        Self { nulls: true, ..self }
    }

    /// What of a graph it can read: each a rule whose patterns are what is read.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl AsRef<[Rule]> for Compiled {
    fn as_ref(&self) -> &[Rule] {
        &self.rules
    }
}

impl Plan {
    /// What gives one solution that binds nothing.
    #[must_use]
    pub const fn unit() -> Self {
        Self::Join(Vec::new())
    }

    /// The plans that it is made of.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Join(all) | Self::Union(all) => all.iter().collect(),
            Self::Facts(_) | Self::Values(..) => Vec::new(),
            Self::Closure(closure) => std::iter::once(&closure.edges).chain(&closure.nodes).collect(),
            Self::Optional(a, b, _) | Self::Minus(a, b) | Self::Exists(a, b, ..) => vec![a, b],
            Self::Filter(inner, _)
            | Self::Extend(inner, ..)
            | Self::Group(inner, ..)
            | Self::Project(inner, _)
            | Self::Distinct(inner, _)
            | Self::Slice(inner, ..) => vec![inner],
        }
    }

    /// The patterns of facts in it.
    fn patterns<'a>(&'a self, out: &mut Vec<&'a Pattern>) {
        if let Self::Facts(pattern) = self {
            out.push(pattern);
        }
        self.inputs().into_iter().for_each(|input| input.patterns(out));
    }

    /// The variables that are known outside of it.
    #[must_use]
    pub fn variables(&self) -> Vec<Variable> {
        let mut out = Vec::new();
        let mut add = |of: &[Variable]| {
            for variable in of {
                if !out.contains(variable) {
                    out.push(*variable);
                }
            }
        };
        match self {
            Self::Facts(pattern) => add(&of_slots(&pattern.slots)),
            Self::Closure(closure) => add(&of_slots(&closure.slots)),
            Self::Values(variables, _) | Self::Project(_, variables) | Self::Distinct(_, variables) => {
                add(variables)
            }
            Self::Minus(first, _) => add(&first.variables()),
            Self::Exists(first, _, _, variable) | Self::Extend(first, variable, _) => {
                add(&first.variables());
                add(&[*variable]);
            }
            Self::Group(_, keys, aggregates) => {
                add(keys);
                aggregates.iter().for_each(|(variable, _)| add(&[*variable]));
            }
            _ => self.inputs().iter().for_each(|input| add(&input.variables())),
        }
        out
    }
}

/// The variables of slots.
#[must_use]
pub fn of_slots(slots: &[Slot]) -> Vec<Variable> {
    let variable = |slot: &Slot| match slot {
        Slot::Variable(variable) => Some(*variable),
        Slot::Term(_) => None,
    };
    slots.iter().filter_map(variable).collect()
}

/// The pattern as a rule that reads it.
fn rule(pattern: &Pattern) -> Result<Rule> {
    let mut out = Writer::default();
    out.expression(4)?;
    out.symbol(b"exec")?;
    out.symbol(b"0")?;
    out.expression(2)?;
    out.symbol(b",")?;
    out.expression(
        u32::try_from(pattern.slots.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1),
    )?;
    out.symbol(pattern.head.as_bytes())?;
    let mut seen: Vec<Variable> = Vec::new();
    for slot in &pattern.slots {
        match slot {
            Slot::Term(term) => out.ground(term.as_bytes())?,
            Slot::Variable(variable) => match seen.iter().position(|v| v == variable) {
                Some(number) => out.reference(u32::try_from(number).unwrap_or(u32::MAX))?,
                None => {
                    seen.push(*variable);
                    out.new_variable()?;
                }
            },
        }
    }
    out.expression(1)?;
    out.symbol(b",")?;
    Rule::read(out.finish())
}
