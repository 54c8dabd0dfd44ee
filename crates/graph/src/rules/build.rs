//! What rules make of the values of their variables: terms, values of expressions.
//!
//! Invariant: nesting has a limit, so what walks these may recurse.
//!
//! Deliberately absent: ids, evaluating ([`crate::stored::fixpoint`]).

use crate::{
    pure::Named,
    term::{Item, Writer, read},
};

/// How deep terms with variables and expressions of rules are nested, at most.
pub(super) const DEPTH_MAX: u32 = 128;

/// A term of a rule, or what takes its place.
#[derive(Clone, PartialEq, Debug)]
pub enum Build {
    /// An encoded term without variables.
    Constant(Box<[u8]>),
    /// A variable, by its number in the rule.
    Variable(u16),
    /// An expression with variables in it.
    Expression(Vec<Build>),
    /// The value of an expression.
    Value(Box<Code>),
}

/// An expression that has a value.
#[derive(Clone, PartialEq, Debug)]
pub enum Code {
    /// A term as it is.
    Term(Build),
    /// A number made of numbers.
    Number(Operator, Vec<Code>),
    /// A pure function of programs.
    Pure(Named, Vec<Code>),
}

/// What makes a number of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// The sum of two or more.
    Add,
    /// The difference; of one number, that with the other sign.
    Subtract,
    /// The product of two or more.
    Multiply,
    /// The quotient: a whole number if it is one.
    Divide,
    /// The quotient of whole numbers, rounded down.
    Quotient,
    /// What that leaves, which has the sign of the divisor.
    Remainder,
    /// The least.
    Least,
    /// The greatest.
    Greatest,
    /// Without its sign.
    Absolute,
    /// The greatest whole number that is not greater.
    Floor,
    /// The least whole number that is not less.
    Ceiling,
    /// The nearest whole number, a half away from zero.
    Round,
    /// The square root.
    Root,
    /// A power.
    Power,
}

impl Operator {
    /// The operator of a name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"+" => Self::Add,
            b"-" => Self::Subtract,
            b"*" => Self::Multiply,
            b"/" => Self::Divide,
            b"//" => Self::Quotient,
            b"%" => Self::Remainder,
            b"min" => Self::Least,
            b"max" => Self::Greatest,
            b"abs" => Self::Absolute,
            b"floor" => Self::Floor,
            b"ceil" => Self::Ceiling,
            b"round" => Self::Round,
            b"sqrt" => Self::Root,
            b"pow" => Self::Power,
            _ => return None,
        })
    }

    /// Whether it takes so many numbers.
    #[must_use]
    pub fn takes(self, count: usize) -> bool {
        match self {
            Self::Add | Self::Multiply | Self::Least | Self::Greatest => count >= 1,
            Self::Subtract => count == 1 || count == 2,
            Self::Divide | Self::Quotient | Self::Remainder | Self::Power => count == 2,
            Self::Absolute | Self::Floor | Self::Ceiling | Self::Round | Self::Root => count == 1,
        }
    }
}

impl Build {
    /// Gives every variable in it.
    pub fn each_variable(&self, visit: &mut dyn FnMut(u16)) {
        match self {
            Self::Constant(_) => {}
            Self::Variable(variable) => visit(*variable),
            Self::Expression(items) => items.iter().for_each(|item| item.each_variable(visit)),
            Self::Value(code) => code.each_variable(visit),
        }
    }

    /// Whether it has no variable and is not evaluated.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Puts terms in the place of variables.
    pub(super) fn put(&mut self, with: &dyn Fn(u16) -> Option<Self>) {
        match self {
            Self::Constant(_) => {}
            Self::Variable(variable) => {
                if let Some(term) = with(*variable) {
                    *self = term;
                }
            }
            Self::Expression(items) => items.iter_mut().for_each(|item| item.put(with)),
            Self::Value(code) => code.put(with),
        }
    }

    /// Encodes it with `number` for its variables; what is evaluated becomes a variable of its own.
    pub(super) fn write(&self, names: &mut Numbering, out: &mut Writer) -> craton_base::Result<()> {
        match self {
            Self::Constant(bytes) => out.ground(bytes),
            Self::Variable(variable) => names.write(Some(*variable), out),
            Self::Value(_) => names.write(None, out),
            Self::Expression(items) => {
                out.expression(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
                items.iter().try_for_each(|item| item.write(names, out))
            }
        }
    }

    /// As people write it.
    pub(super) fn show(&self, names: &[String], out: &mut Vec<u8>) {
        match self {
            Self::Constant(bytes) => crate::print::write(bytes, out),
            Self::Variable(variable) => out.extend_from_slice(
                names
                    .get(usize::from(*variable))
                    .map_or("$_", String::as_str)
                    .as_bytes(),
            ),
            Self::Value(_) => out.extend_from_slice(b"(:= ...)"),
            Self::Expression(items) => {
                for (number, item) in items.iter().enumerate() {
                    out.push(if number == 0 { b'(' } else { b' ' });
                    item.show(names, out);
                }
                out.push(b')');
            }
        }
    }
}

impl Code {
    /// Gives every variable in it.
    pub fn each_variable(&self, visit: &mut dyn FnMut(u16)) {
        match self {
            Self::Term(term) => term.each_variable(visit),
            Self::Number(_, of) | Self::Pure(_, of) => of.iter().for_each(|code| code.each_variable(visit)),
        }
    }

    fn put(&mut self, with: &dyn Fn(u16) -> Option<Build>) {
        match self {
            Self::Term(term) => term.put(with),
            Self::Number(_, of) | Self::Pure(_, of) => of.iter_mut().for_each(|code| code.put(with)),
        }
    }
}

/// Numbers of variables in a term that is written.
#[derive(Default)]
pub(super) struct Numbering(Vec<(u16, u32)>);

impl Numbering {
    fn write(&mut self, variable: Option<u16>, out: &mut Writer) -> craton_base::Result<()> {
        let known = self.0.iter().find(|(v, _)| Some(*v) == variable);
        if let Some((_, number)) = known {
            return out.reference(*number);
        }
        let number = out.new_variable()?;
        self.0.extend(variable.map(|variable| (variable, number)));
        Ok(())
    }
}

/// The text of an encoded symbol.
pub(crate) fn symbol(encoded: &[u8]) -> Option<&[u8]> {
    match read(encoded, 0) {
        Some((Item::Symbol(text), _)) => Some(text),
        _ => None,
    }
}
