//! Statements as they are written, and the names of tables in them.
//!
//! ```text
//! bucket.namespace.table                      levels of a namespace with dots between them: bucket."a.b".table
//! … [FOR] VERSION AS OF 123                   a snapshot
//! … [FOR] VERSION AS OF 'dev'                 a branch or a tag
//! … [FOR] TIMESTAMP AS OF '2026-11-23 10:00'  the newest at a time, in UTC if it says no other; also SYSTEM_TIME
//! ```
//!
//! Planning knows tables by their names alone, so a moment becomes a part of the name, behind a character that no name has; the table keeps
//! its name as an alias.

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::compute::kernels::cast_utils::string_to_timestamp_nanos,
    common::DataFusionError,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            dialect::GenericDialect,
            keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS},
            parser::ParserError,
            tokenizer::{Token, TokenWithSpan, Tokenizer, Word},
        },
    },
};

use crate::{error::own, iceberg::metadata::Moment, write::arranged};

/// The longest statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 256 << 10;

/// How deep statements nest.
const DEPTH_MAX: usize = 64;

/// The most operators of a statement. A chain of them is a tree as deep as it is long, and planning one takes a time that grows with its
/// square; lists of values are not meant.
const OPERATORS_MAX: usize = 4096;

/// The operators that are words.
const OPERATORS: [Keyword; 14] = [
    Keyword::AND,
    Keyword::BETWEEN,
    Keyword::CASE,
    Keyword::EXCEPT,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::INTERSECT,
    Keyword::IS,
    Keyword::JOIN,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::OR,
    Keyword::UNION,
    Keyword::XOR,
];

/// Between a table's name and the moment; names of tables have no control characters.
const AS_OF: char = '\u{1}';

/// Reads one statement.
///
/// # Errors
/// `SyntaxError`, with its place; `TooLarge`.
pub(crate) fn parse(text: &str) -> Result<Statement> {
    if text.len() > STATEMENT_BYTES_MAX {
        let message = format!("a statement has at most {STATEMENT_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "StatementTooLong", message));
    }
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|e| syntax(ParserError::from(e)))?;
    if tokens.iter().filter(|t| is_operator(&t.token)).count() > OPERATORS_MAX {
        let message = format!("a statement has at most {OPERATORS_MAX} operators");
        return Err(Error::new(Kind::TooLarge, "StatementTooLong", message));
    }
    let mut parser = DFParserBuilder::new(arranged(with_moments(tokens)?))
        .with_recursion_limit(DEPTH_MAX)
        .build()
        .map_err(|e| own(&e))?;
    let mut statements = parser.parse_statements().map_err(|e| own(&e))?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(Error::new(Kind::Invalid, "SyntaxError", "there is no statement")),
        (Some(_), false) => {
            let message = "one statement at a time: there is another one after the first";
            Err(Error::new(Kind::Invalid, "SyntaxError", message))
        }
    }
}

fn syntax(error: ParserError) -> Error {
    own(&DataFusionError::SQL(Box::new(error), None))
}

/// A table's name and the moment in it.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn moment_of(name: &str) -> Result<(&str, Moment)> {
    let Some((name, moment)) = name.split_once(AS_OF) else {
        return Ok((name, Moment::Now));
    };
    let (kind, text) = moment.split_once(':').unwrap_or(("", moment));
    let moment = match kind {
        "version" => match text.parse() {
            Ok(id) => Moment::Snapshot(id),
            Err(_) => Moment::Named(text.to_owned()),
        },
        "time" => {
            let nanos = string_to_timestamp_nanos(text).map_err(|e| Error::invalid(e.to_string()))?;
            Moment::At(nanos.div_euclid(1_000_000))
        }
        _ => return Err(Error::invalid("a table's name has no control characters")),
    };
    Ok((name, moment))
}

/// Moments made parts of names.
fn with_moments(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let Some((moment, length)) = moment(rest) else {
            out.push(first.clone());
            rest = after;
            continue;
        };
        rest = rest.get(length..).unwrap_or_default();
        let named = out.iter_mut().rev().find(|t| !is_space(&t.token));
        let Some(TokenWithSpan {
            token: Token::Word(word),
            ..
        }) = named
        else {
            let text = format!("a version is of a table, by its name, at {}", first.span.start);
            return Err(Error::new(Kind::Invalid, "SyntaxError", text));
        };
        let plain = match word.quote_style {
            None => word.value.to_lowercase(),
            Some(_) => word.value.clone(),
        };
        *word = quoted(format!("{plain}{AS_OF}{moment}"));
        if !has_alias(rest) {
            let alias = [Token::make_keyword("AS"), Token::Word(quoted(plain))];
            let span = first.span;
            out.extend(alias.map(|token| TokenWithSpan { token, span }));
        }
    }
    Ok(out)
}

fn quoted(value: String) -> Word {
    Word {
        value,
        quote_style: Some('"'),
        keyword: Keyword::NoKeyword,
    }
}

/// Whether a token may be an operator: words count that are, and signs but for brackets and what stands between items.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none() && OPERATORS.contains(&word.keyword),
        Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::LParen
        | Token::RParen
        | Token::LBracket
        | Token::RBracket
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EOF => false,
        _ => true,
    }
}

fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

/// The moment that tokens begin with, and how many they are.
fn moment(tokens: &[TokenWithSpan]) -> Option<(String, usize)> {
    let mut words = tokens.iter().enumerate().filter(|(_, t)| !is_space(&t.token));
    let keyword = |found: Option<(usize, &TokenWithSpan)>| match found {
        Some((
            _,
            TokenWithSpan {
                token: Token::Word(word),
                ..
            },
        )) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    };
    // Nothing but a word can begin one.
    tokens.first().filter(|t| matches!(t.token, Token::Word(_)))?;
    let mut first = keyword(words.next())?;
    if first == Keyword::FOR {
        first = keyword(words.next())?;
    }
    let kind = match first {
        Keyword::VERSION => "version",
        Keyword::TIMESTAMP | Keyword::SYSTEM_TIME => "time",
        _ => return None,
    };
    (keyword(words.next())? == Keyword::AS && keyword(words.next())? == Keyword::OF).then_some(())?;
    let mut literal = words.next()?;
    if kind == "time" && keyword(Some(literal)) == Some(Keyword::TIMESTAMP) {
        literal = words.next()?;
    }
    let (at, literal) = literal;
    let mut out = format!("{kind}:");
    match &literal.token {
        Token::Number(number, _) if kind == "version" => out.push_str(number),
        Token::SingleQuotedString(text) => out.push_str(text),
        _ => return None,
    }
    Some((out, at.saturating_add(1)))
}

/// Whether an alias follows a table.
fn has_alias(rest: &[TokenWithSpan]) -> bool {
    match rest.iter().map(|t| &t.token).find(|t| !is_space(t)) {
        Some(Token::Word(word)) => {
            word.keyword == Keyword::AS
                || word.quote_style.is_some()
                || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
