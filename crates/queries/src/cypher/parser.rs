//! The grammar: clauses and patterns.
//!
//! Deliberately absent: what names stand for.

use craton_base::{Error, Result};

use super::{
    DEPTH_MAX,
    lexer::{Token, tokens, wrong},
    syntax::{Clause, Direction, Edge, Expression, Node, Pattern, Query, Return},
};
use crate::{nesting::Nesting, unsupported};

mod expressions;

/// Words of openCypher that are not supported where a clause begins.
const CLAUSES: [&str; 11] = [
    "UNWIND", "UNION", "CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE", "CALL", "FOREACH", "LOAD",
];

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Query> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let mut clauses = Vec::new();
    loop {
        let optional = parser.word("OPTIONAL");
        if parser.word("MATCH") {
            clauses.push(parser.matching(optional)?);
        } else if !optional && parser.word("WITH") {
            clauses.push(Clause::Return(parser.returning(true)?));
        } else if !optional && parser.word("RETURN") {
            clauses.push(Clause::Return(parser.returning(false)?));
            parser.sign(";");
            return match parser.peek() {
                Token::End => Ok(Query { clauses }),
                _ => Err(parser.unexpected("the end of the query, which RETURN is the last clause of")),
            };
        } else {
            return Err(parser.unexpected("MATCH, OPTIONAL MATCH, WITH or RETURN"));
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
}

impl Nesting for Parser<'_> {
    const MAX: usize = DEPTH_MAX;

    fn depth(&mut self) -> &mut usize {
        &mut self.depth
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> &Token {
        self.tokens
            .get(self.next + by)
            .map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |(_, at)| *at)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is_word(&self, by: usize, word: &str) -> bool {
        matches!(self.ahead(by), Token::Name(name) if name.eq_ignore_ascii_case(word))
    }

    /// Takes a keyword, if it is next.
    fn word(&mut self, word: &str) -> bool {
        let is_next = self.is_word(0, word);
        self.next += usize::from(is_next);
        is_next
    }

    /// Takes a sign, if it is next.
    fn sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn need(&mut self, sign: &str) -> Result<()> {
        match self.sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("{sign:?}"))),
        }
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Name(name) if CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(name)) => {
                return unsupported(&format!("{} in openCypher", name.to_uppercase()));
            }
            Token::Name(name) | Token::Quoted(name) | Token::Number(name) => name.clone(),
            Token::Text(text) => format!("{text:?}"),
            Token::Sign(sign) => (*sign).to_owned(),
        };
        wrong(
            self.text,
            self.at(),
            &format!("here should be {wanted}, not {found}"),
        )
    }

    fn name(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Token::Name(_) | Token::Quoted(_) => match self.take() {
                Token::Name(name) | Token::Quoted(name) => Ok(name),
                _ => Err(self.unexpected(what)),
            },
            _ => Err(self.unexpected(what)),
        }
    }

    fn matching(&mut self, optional: bool) -> Result<Clause> {
        let patterns = self.patterns()?;
        let condition = self.condition()?;
        Ok(Clause::Match {
            optional,
            patterns,
            condition,
        })
    }

    fn condition(&mut self) -> Result<Option<Expression>> {
        match self.word("WHERE") {
            true => self.expression().map(Some),
            false => Ok(None),
        }
    }

    fn patterns(&mut self) -> Result<Vec<Pattern>> {
        let mut patterns = vec![self.pattern()?];
        while self.sign(",") {
            patterns.push(self.pattern()?);
        }
        Ok(patterns)
    }

    fn pattern(&mut self) -> Result<Pattern> {
        if matches!((self.ahead(0), self.ahead(1)), (Token::Name(_), Token::Sign("="))) {
            return Err(unsupported("a name for a path"));
        }
        let first = self.node()?;
        let mut steps = Vec::new();
        while matches!(self.peek(), Token::Sign("-" | "<-")) {
            let edge = self.edge()?;
            steps.push((edge, self.node()?));
        }
        Ok(Pattern { first, steps })
    }

    fn node(&mut self) -> Result<Node> {
        self.need("(")?;
        let name = match self.peek() {
            Token::Name(_) | Token::Quoted(_) => Some(self.name("a name")?),
            _ => None,
        };
        let mut labels = Vec::new();
        while self.sign(":") {
            labels.push(self.name("a label")?);
        }
        let properties = self.properties()?;
        self.need(")")?;
        Ok(Node {
            name,
            labels,
            properties,
        })
    }

    fn properties(&mut self) -> Result<Vec<(String, Expression)>> {
        let mut out = Vec::new();
        if !self.sign("{") {
            return Ok(out);
        }
        while !self.sign("}") {
            if !out.is_empty() {
                self.need(",")?;
            }
            let key = self.name("a key")?;
            self.need(":")?;
            out.push((key, self.expression()?));
        }
        Ok(out)
    }

    fn edge(&mut self) -> Result<Edge> {
        let from_right = self.sign("<-");
        if !from_right {
            self.need("-")?;
        }
        let (mut name, mut types, mut length) = (None, Vec::new(), None);
        if self.sign("[") {
            if matches!(self.peek(), Token::Name(_)) {
                name = Some(self.name("a name")?);
            }
            if self.sign(":") {
                types.push(self.name("a type")?);
                while self.sign("|") {
                    self.sign(":");
                    types.push(self.name("a type")?);
                }
            }
            if self.sign("*") {
                length = Some(self.length()?);
            }
            if matches!(self.peek(), Token::Sign("{")) {
                return Err(unsupported("a property of an edge"));
            }
            self.need("]")?;
        }
        let to_right = match from_right {
            true => {
                self.need("-")?;
                false
            }
            false => {
                self.sign("->") || {
                    self.need("-")?;
                    false
                }
            }
        };
        let direction = match (from_right, to_right) {
            (true, _) => Direction::Left,
            (false, true) => Direction::Right,
            (false, false) => Direction::Either,
        };
        Ok(Edge {
            name,
            types,
            direction,
            length,
        })
    }

    /// `*`, `*2`, `*1..`, `*..3`, `*1..3`.
    fn length(&mut self) -> Result<(u32, Option<u32>)> {
        let least = self.count()?;
        if !self.sign("..") {
            return Ok((least.unwrap_or(1), least));
        }
        let most = self.count()?;
        Ok((least.unwrap_or(1), most))
    }

    fn count(&mut self) -> Result<Option<u32>> {
        let Token::Number(number) = self.peek() else {
            return Ok(None);
        };
        let count = number.parse().map_err(|_| self.unexpected("a number of edges"))?;
        self.next += 1;
        Ok(Some(count))
    }

    fn returning(&mut self, is_with: bool) -> Result<Return> {
        let distinct = self.word("DISTINCT");
        let all = self.sign("*");
        let mut items = Vec::new();
        if !all {
            items.push(self.item()?);
        }
        while self.sign(",") {
            items.push(self.item()?);
        }
        let mut order = Vec::new();
        if self.word("ORDER") {
            if !self.word("BY") {
                return Err(self.unexpected("BY"));
            }
            order.push(self.key()?);
            while self.sign(",") {
                order.push(self.key()?);
            }
        }
        let skip = match self.word("SKIP") || self.word("OFFSET") {
            true => self.whole()?,
            false => 0,
        };
        let limit = match self.word("LIMIT") {
            true => Some(self.whole()?),
            false => None,
        };
        let condition = if is_with { self.condition()? } else { None };
        Ok(Return {
            distinct,
            all,
            items,
            order,
            skip,
            limit,
            condition,
        })
    }

    /// What is returned, and its name: as it is written, if it is given none.
    fn item(&mut self) -> Result<(String, Expression)> {
        let start = self.at();
        let expression = self.expression()?;
        if self.word("AS") {
            return Ok((self.name("a name")?, expression));
        }
        let written = self.text.get(start..self.at()).unwrap_or_default().trim();
        Ok((written.to_owned(), expression))
    }

    fn key(&mut self) -> Result<(Expression, bool)> {
        let expression = self.expression()?;
        let descending = self.word("DESC") || self.word("DESCENDING");
        if !descending && !self.word("ASC") {
            self.word("ASCENDING");
        }
        Ok((expression, descending))
    }

    fn whole(&mut self) -> Result<u64> {
        let wanted = "a whole number";
        match self.peek() {
            Token::Number(number) => {
                let number = number.parse().map_err(|_| self.unexpected(wanted))?;
                self.next += 1;
                Ok(number)
            }
            _ => Err(self.unexpected(wanted)),
        }
    }
}
