//! The text of a condition on rows.
//!
//! ```text
//! any   = all { "or" all }
//! all   = not { "and" not }
//! not   = "not" not | "(" any ")" | test
//! test  = column ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
//!       | column ["not"] "in" ( "(" value { "," value } ")" | variable )
//!       | column "is" ["not"] "null"
//! value = 'text' | number | "true" | "false" | ${variable}
//! column = name | "quoted name"
//! ```
//!
//! Words are lower or upper case; names are what they are. It nests to [`DEPTH_MAX`].

use std::{iter::Peekable, str::CharIndices};

use craton_base::Result;

use super::{Comparison, Condition, Value, malformed};

/// How deep conditions nest.
const DEPTH_MAX: usize = 32;

/// Reads a condition.
pub(super) fn condition(text: &str) -> Result<Condition> {
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter().peekable(),
        text,
    };
    let condition = parser.any(0)?;
    match parser.tokens.next() {
        None => Ok(condition),
        Some(token) => Err(parser.unexpected(Some(token))),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or a word.
    Word(String),
    /// A name in quotes.
    Name(String),
    Value(Value),
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, first)) = chars.next() {
        let rest = text.get(at..).unwrap_or_default();
        let token = match first {
            c if c.is_whitespace() => continue,
            '\'' => Token::Value(Value::Text(quoted(&mut chars, '\'')?)),
            '"' => Token::Name(quoted(&mut chars, '"')?),
            '$' => {
                let inner = rest.strip_prefix("${").and_then(|r| r.split_once('}'));
                let (name, _) = inner.ok_or_else(|| malformed("${ without }".to_owned()))?;
                // The dollar is taken already: the braces and what is in them are left.
                skip(&mut chars, name.chars().count().saturating_add(2));
                Token::Value(Value::variable(name)?)
            }
            c if c.is_ascii_digit() || c == '-' => Token::Value(
                number(first, &mut chars).ok_or_else(|| malformed(format!("a number at {rest:?}")))?,
            ),
            c if c.is_alphabetic() || c == '_' => {
                let mut word = c.to_string();
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                Token::Word(word)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| malformed(format!("@rows: {first:?} is not expected")))?;
                skip(&mut chars, sign.len().saturating_sub(1));
                Token::Sign(sign)
            }
        };
        out.push(token);
    }
    Ok(out)
}

fn skip(chars: &mut Peekable<CharIndices<'_>>, count: usize) {
    (0..count).for_each(|_| {
        chars.next();
    });
}

/// What stands in quotes, which are doubled inside.
fn quoted(chars: &mut Peekable<CharIndices<'_>>, quote: char) -> Result<String> {
    let mut out = String::new();
    while let Some((_, c)) = chars.next() {
        if c != quote {
            out.push(c);
        } else if chars.next_if(|(_, c)| *c == quote).is_some() {
            out.push(quote);
        } else {
            return Ok(out);
        }
    }
    Err(malformed(format!("@rows: a {quote} is not closed")))
}

fn number(first: char, chars: &mut Peekable<CharIndices<'_>>) -> Option<Value> {
    let mut text = first.to_string();
    while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit() || *c == '.') {
        text.push(c);
    }
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let is_number = digits.split('.').all(|part| !part.is_empty()) && digits.matches('.').count() <= 1;
    is_number.then_some(Value::Number(text))
}

struct Parser<'a> {
    tokens: Peekable<std::vec::IntoIter<Token>>,
    text: &'a str,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<Condition> {
        let mut all = vec![self.all(depth)?];
        while self.word("or") {
            all.push(self.all(depth)?);
        }
        Ok(one_or(all, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition> {
        let mut all = vec![self.not(depth)?];
        while self.word("and") {
            all.push(self.not(depth)?);
        }
        Ok(one_or(all, Condition::All))
    }

    fn not(&mut self, depth: usize) -> Result<Condition> {
        let depth = depth.saturating_add(1);
        if depth > DEPTH_MAX {
            return Err(malformed(format!("@rows nests deeper than {DEPTH_MAX}")));
        }
        if self.word("not") {
            return Ok(Condition::Not(Box::new(self.not(depth)?)));
        }
        if self.sign("(") {
            let inner = self.any(depth)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Condition> {
        let column = match self.tokens.next() {
            Some(Token::Word(name) | Token::Name(name)) => name,
            other => return Err(self.unexpected(other)),
        };
        if self.word("is") {
            let negated = self.word("not");
            return match self.word("null") {
                true => Ok(negate(Condition::IsNull(column), negated)),
                false => Err(self.unexpected(None)),
            };
        }
        let negated = self.word("not");
        if self.word("in") {
            let values = self.values()?;
            return Ok(negate(Condition::In(column, values), negated));
        }
        let how = match self.tokens.next() {
            Some(Token::Sign(sign)) if !negated => comparison(sign),
            _ => None,
        };
        let how = how.ok_or_else(|| self.unexpected(None))?;
        Ok(Condition::Compare(column, how, self.value()?))
    }

    fn values(&mut self) -> Result<Vec<Value>> {
        if !self.sign("(") {
            return match self.value()? {
                value @ Value::Variable(_) => Ok(vec![value]),
                _ => Err(self.unexpected(None)),
            };
        }
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<Value> {
        match self.tokens.next() {
            Some(Token::Value(value)) => Ok(value),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            other => Err(self.unexpected(other)),
        }
    }

    fn word(&mut self, wanted: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.tokens.next_if(is).is_some()
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Sign(sign) if *sign == wanted);
        self.tokens.next_if(is).is_some()
    }

    fn expect(&mut self, wanted: &str) -> Result<()> {
        match self.sign(wanted) {
            true => Ok(()),
            false => Err(malformed(format!("@rows({:?}) misses {wanted:?}", self.text))),
        }
    }

    fn unexpected(&self, token: Option<Token>) -> craton_base::Error {
        let what = token.map_or(String::new(), |token| format!(": {token:?} is not expected"));
        malformed(format!("@rows({:?}) is no condition on columns{what}", self.text))
    }
}

fn one_or(mut all: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            many(all)
        }
    }
}

fn negate(condition: Condition, negated: bool) -> Condition {
    match negated {
        true => Condition::Not(Box::new(condition)),
        false => condition,
    }
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "=" => Comparison::Equal,
        "!=" | "<>" => Comparison::Unequal,
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::More,
        ">=" => Comparison::AtLeast,
        _ => return None,
    })
}
