//! Words of a query, with where they stand.
//!
//! Deliberately absent: grammar.

use craton_base::{Error, Kind, Result};

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(String),
    /// A name in backquotes.
    Quoted(String),
    /// A string's content.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// A sign.
    Sign(&'static str),
    /// The end of the query.
    End,
}

/// Signs, the longest first.
const SIGNS: [&str; 27] = [
    "<>", "<=", ">=", "=~", "..", "->", "<-", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "*", "+",
    "-", "/", "%", "=", "<", ">", "$", ";",
];

/// An error about the place `at`.
pub(super) fn wrong(text: &str, at: usize, what: &str) -> Error {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Error::new(
        Kind::Invalid,
        "BadQuery",
        format!("line {line}, column {column}: {what}"),
    )
}

/// The words of a query and where each begins; the end is the last.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest
                .find("*/")
                .ok_or_else(|| wrong(text, at, "a comment has no end"))?
                + 2;
        } else {
            let (token, length) = token(text, at, rest, first)?;
            out.push((token, at));
            at += length;
        }
    }
    out.push((Token::End, text.len()));
    Ok(out)
}

fn token(text: &str, at: usize, rest: &str, first: char) -> Result<(Token, usize)> {
    let while_is = |is: &dyn Fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
    if first.is_alphabetic() || first == '_' {
        let length = while_is(&|c| c.is_alphanumeric() || c == '_');
        return Ok((
            Token::Name(rest.get(..length).unwrap_or_default().to_owned()),
            length,
        ));
    }
    if first.is_ascii_digit() {
        let length = number(rest);
        return Ok((
            Token::Number(rest.get(..length).unwrap_or_default().to_owned()),
            length,
        ));
    }
    if matches!(first, '\'' | '"' | '`') {
        let (content, length) =
            quoted(rest, first).ok_or_else(|| wrong(text, at, "a quotation has no end"))?;
        return Ok((
            if first == '`' {
                Token::Quoted(content)
            } else {
                Token::Text(content)
            },
            length,
        ));
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((Token::Sign(sign), sign.len())),
        None => Err(wrong(text, at, &format!("{first:?} is no part of a query"))),
    }
}

/// How long a number is: `1`, `1.5`, `1e9`; the point of `1..3` is not its.
fn number(rest: &str) -> usize {
    let digits = |from: usize| {
        let rest = rest.get(from..).unwrap_or_default();
        rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
    };
    let mut end = digits(0);
    if rest.get(end..).is_some_and(|r| r.starts_with('.')) && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if rest.get(end..).is_some_and(|r| r.starts_with(['e', 'E'])) {
        let sign = usize::from(rest.get(end + 1..).is_some_and(|r| r.starts_with(['+', '-'])));
        if digits(end + 1 + sign) > 0 {
            end += 1 + sign + digits(end + 1 + sign);
        }
    }
    end
}

/// What is between quotes, and how long it is with them.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let (mut out, mut letters) = (String::new(), rest.char_indices().skip(1));
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote != '`' => match letters.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                other => out.push(other),
            },
            _ if letter == quote => return Some((out, at + 1)),
            other => out.push(other),
        }
    }
    None
}
