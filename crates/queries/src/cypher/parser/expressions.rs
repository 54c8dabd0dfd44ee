//! The grammar of expressions, the loosest operator first.
//!
//! Deliberately absent: values.

use craton_base::Result;

use super::Parser;
use crate::{
    cypher::{
        lexer::Token,
        syntax::{Expression, Pattern},
    },
    nesting::{Nesting, too_deep},
    unsupported,
};

/// Operators of two sides, and their names as functions.
const COMPARISONS: [(&str, &str); 7] = [
    ("=", "="),
    ("<>", "<>"),
    ("<=", "<="),
    (">=", ">="),
    ("<", "<"),
    (">", ">"),
    ("=~", "=~"),
];

/// The most cases of one `CASE`: each holds a copy of what it compares.
const CASES_MAX: usize = 64;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.deeper(|parser| parser.chained("OR", |parser| parser.chained("AND", Self::denied)))
    }

    /// What a keyword connects, all at once.
    fn chained(&mut self, word: &str, part: impl Fn(&mut Self) -> Result<Expression>) -> Result<Expression> {
        let mut parts = vec![part(self)?];
        while self.word(word) {
            parts.push(part(self)?);
        }
        if self.is_word(0, "XOR") {
            return Err(unsupported("XOR"));
        }
        Ok(match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                parts.extend(last);
                call(&word.to_lowercase(), parts)
            }
        })
    }

    fn denied(&mut self) -> Result<Expression> {
        match self.word("NOT") {
            true => Ok(call("not", vec![self.deeper(Self::denied)?])),
            false => self.compared(),
        }
    }

    fn compared(&mut self) -> Result<Expression> {
        let left = self.added()?;
        if let Some((_, name)) = COMPARISONS.iter().find(|(sign, _)| self.sign(sign)) {
            let right = self.added()?;
            return Ok(call(name, vec![left, right]));
        }
        if self.word("IN") {
            return Ok(call("in", vec![left, self.added()?]));
        }
        if self.word("CONTAINS") {
            return Ok(call("contains", vec![left, self.added()?]));
        }
        for (word, name) in [("STARTS", "starts with"), ("ENDS", "ends with")] {
            if self.is_word(0, word) && self.is_word(1, "WITH") {
                self.next += 2;
                return Ok(call(name, vec![left, self.added()?]));
            }
        }
        if self.word("IS") {
            let not = self.word("NOT");
            if !self.word("NULL") {
                return Err(self.unexpected("NULL"));
            }
            return Ok(call(if not { "is not null" } else { "is null" }, vec![left]));
        }
        Ok(left)
    }

    fn added(&mut self) -> Result<Expression> {
        self.left(&["+", "-"], |parser| parser.left(&["*", "/", "%"], Self::signed))
    }

    fn left(&mut self, signs: &[&str], part: impl Fn(&mut Self) -> Result<Expression>) -> Result<Expression> {
        let mut left = part(self)?;
        let mut count = 0;
        while let Some(sign) = signs.iter().find(|sign| self.sign(sign)) {
            count += 1;
            if count > super::DEPTH_MAX {
                return Err(too_deep(super::DEPTH_MAX));
            }
            left = call(sign, vec![left, part(self)?]);
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression> {
        match self.sign("-") {
            true => Ok(call("negate", vec![self.deeper(Self::signed)?])),
            false => self.atom(),
        }
    }

    fn atom(&mut self) -> Result<Expression> {
        let at = self.at();
        if self.sign("(") {
            let inner = self.expression()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.sign("[") {
            return Ok(Expression::List(self.list("]")?));
        }
        if self.sign("$") {
            return Err(unsupported("a parameter"));
        }
        for (word, value) in [("TRUE", Some(true)), ("FALSE", Some(false)), ("NULL", None)] {
            if self.word(word) {
                return Ok(value.map_or(Expression::Null, Expression::Bool));
            }
        }
        if self.word("CASE") {
            return self.deeper(Self::case);
        }
        if self.is_word(0, "EXISTS") && matches!(self.ahead(1), Token::Sign("{")) {
            self.next += 2;
            return self.deeper(Self::exists);
        }
        match self.peek() {
            Token::Number(_) | Token::Text(_) => Ok(match self.take() {
                Token::Number(number) => Expression::Number(number),
                Token::Text(text) => Expression::Text(text),
                _ => Expression::Null,
            }),
            Token::Name(_) | Token::Quoted(_) => self.named(at),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expression>> {
        let mut out = Vec::new();
        while !self.sign(end) {
            if !out.is_empty() {
                self.need(",")?;
            }
            out.push(self.expression()?);
        }
        Ok(out)
    }

    /// A name, a property or a function.
    fn named(&mut self, at: usize) -> Result<Expression> {
        let name = self.name("a name")?;
        if self.sign("(") {
            if name.eq_ignore_ascii_case("count") && self.sign("*") {
                self.need(")")?;
                return Ok(Expression::CountAll);
            }
            let distinct = self.word("DISTINCT");
            let parts = self.list(")")?;
            return Ok(Expression::Call {
                name: name.to_lowercase(),
                distinct,
                parts,
            });
        }
        if self.sign(".") {
            let key = self.name("a key")?;
            return Ok(Expression::Property(name, key, at));
        }
        Ok(Expression::Name(name, at))
    }

    fn case(&mut self) -> Result<Expression> {
        let of = match self.is_word(0, "WHEN") {
            true => None,
            false => Some(self.expression()?),
        };
        let mut cases = Vec::new();
        while self.word("WHEN") {
            let mut condition = self.expression()?;
            if let Some(of) = &of {
                condition = call("=", vec![of.clone(), condition]);
            }
            if !self.word("THEN") {
                return Err(self.unexpected("THEN"));
            }
            cases.push((condition, self.expression()?));
            if cases.len() > CASES_MAX {
                return Err(unsupported(&format!("CASE of more than {CASES_MAX} cases")));
            }
        }
        let otherwise = match self.word("ELSE") {
            true => self.expression()?,
            false => Expression::Null,
        };
        if cases.is_empty() || !self.word("END") {
            return Err(self.unexpected("WHEN or END"));
        }
        Ok(Expression::Case(cases, Box::new(otherwise)))
    }

    fn exists(&mut self) -> Result<Expression> {
        self.word("MATCH");
        let patterns: Vec<Pattern> = self.patterns()?;
        let condition = self.condition()?.map(Box::new);
        self.need("}")?;
        Ok(Expression::Exists(patterns, condition))
    }
}

fn call(name: &str, parts: Vec<Expression>) -> Expression {
    Expression::Call {
        name: name.to_owned(),
        distinct: false,
        parts,
    }
}
