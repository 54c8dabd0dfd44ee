//! Functions over values.
//!
//! Deliberately absent: those that look at ids or at what has no value.

use craton_base::Result;
use oxsdatatypes::{Decimal, Double, Integer};
use regex::Regex;

use super::{
    compare, equal,
    numbers::{self, Rounding},
    truth,
};
use crate::{
    algebra::Function,
    terms::Terms,
    value::{Value, XSD},
};

/// The longest text that a function makes, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The value of a function, if it has one for these.
pub(super) fn call(function: Function, values: &[Value], terms: &mut Terms<'_>) -> Result<Option<Value>> {
    Ok(match (function, values) {
        (Function::Regex | Function::Replace | Function::Matches, _) => patterns(function, values, terms),
        (Function::Concat, all) => concat(all),
        (_, [one]) => of_one(function, one),
        (_, [a, b]) => of_two(function, a, b),
        (Function::Substring, [text, start, length]) => substring(text, start, Some(length)),
        _ => None,
    })
}

fn of_one(function: Function, value: &Value) -> Option<Value> {
    let flag = |value| Some(Value::Bool(value));
    match function {
        Function::Plain => Some(match value {
            Value::Other(text) | Value::Lang(text, _) | Value::Iri(text) => Value::Text(text.clone()),
            other => other.clone(),
        }),
        Function::Not => truth(value).map(|truth| Value::Bool(!truth)),
        Function::Negate => numbers::negate(value),
        Function::Abs => numbers::rounded(value, Rounding::Abs),
        Function::Ceil => numbers::rounded(value, Rounding::Ceil),
        Function::Floor => numbers::rounded(value, Rounding::Floor),
        Function::Round => numbers::rounded(value, Rounding::Nearest),
        Function::IsIri => flag(matches!(value, Value::Iri(_))),
        Function::IsBlank => flag(matches!(value, Value::Blank(_))),
        Function::IsLiteral => flag(!matches!(value, Value::Iri(_) | Value::Blank(_))),
        Function::IsNumeric => flag(value.is_number()),
        Function::Str | Function::ToText if !matches!(value, Value::Blank(_)) => {
            Some(Value::Text(value.text()))
        }
        Function::Lang => match value {
            Value::Iri(_) | Value::Blank(_) => None,
            Value::Lang(_, language) => Some(Value::Text(language.clone())),
            _ => Some(Value::Text(String::new())),
        },
        Function::Datatype => value.datatype().map(Value::Iri),
        Function::Iri => match value {
            Value::Iri(_) => Some(value.clone()),
            Value::Text(text) => Some(Value::Iri(text.clone())),
            _ => None,
        },
        Function::Length => integer(text_of(value)?.chars().count()),
        Function::Upper => like(value, text_of(value)?.to_uppercase()),
        Function::Lower => like(value, text_of(value)?.to_lowercase()),
        Function::EncodeForUri => Some(Value::Text(for_uri(text_of(value)?))),
        Function::Substring => None,
        Function::ToInteger | Function::ToDecimal | Function::ToDouble | Function::ToBoolean => {
            cast(function, value)
        }
        _ => of_time(function, value),
    }
}

fn of_two(function: Function, a: &Value, b: &Value) -> Option<Value> {
    match function {
        Function::Equal => equal(a, b).map(Value::Bool),
        Function::Less => compare(a, b).map(|order| Value::Bool(order.is_lt())),
        Function::LessOrEqual => compare(a, b).map(|order| Value::Bool(order.is_le())),
        Function::Add => numbers::add(a, b),
        Function::Plus => match (a, b) {
            (Value::Text(a), b) => concat(&[Value::Text(a.clone()), Value::Text(b.text())]),
            (a, Value::Text(b)) => concat(&[Value::Text(a.text()), Value::Text(b.clone())]),
            _ => numbers::add(a, b),
        },
        Function::Subtract => numbers::subtract(a, b),
        Function::Multiply => numbers::multiply(a, b),
        Function::Divide => numbers::divide(a, b),
        Function::Quotient => numbers::quotient(a, b),
        Function::Modulo => numbers::modulo(a, b),
        Function::Substring => substring(a, b, None),
        Function::StrLang => match (a, b) {
            (Value::Text(text), Value::Text(language)) if !language.is_empty() => {
                Some(Value::Lang(text.clone(), language.to_lowercase()))
            }
            _ => None,
        },
        Function::StrDatatype => match (a, b) {
            (Value::Text(text), Value::Iri(kind)) => Some(Value::typed(text, kind)),
            _ => None,
        },
        Function::LangMatches => match (a, b) {
            (Value::Text(language), Value::Text(range)) => Some(Value::Bool(matches_range(language, range))),
            _ => None,
        },
        _ => of_texts(function, a, b),
    }
}

/// Functions of two texts, the second without a language or with the first one's.
fn of_texts(function: Function, a: &Value, b: &Value) -> Option<Value> {
    let fits = match (a, b) {
        (_, Value::Text(_)) => true,
        (Value::Lang(_, x), Value::Lang(_, y)) => x == y,
        _ => false,
    };
    let (text, other) = (text_of(a)?, text_of(b)?);
    if !fits {
        return None;
    }
    match function {
        Function::Contains => Some(Value::Bool(text.contains(other))),
        Function::StartsWith => Some(Value::Bool(text.starts_with(other))),
        Function::EndsWith => Some(Value::Bool(text.ends_with(other))),
        Function::Before => match text.split_once(other) {
            Some((before, _)) => like(a, before.to_owned()),
            None => Some(Value::Text(String::new())),
        },
        Function::After => match text.split_once(other) {
            Some((_, after)) => like(a, after.to_owned()),
            None => Some(Value::Text(String::new())),
        },
        _ => None,
    }
}

/// The text of a string, with a language or without.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Lang(text, _) => Some(text),
        _ => None,
    }
}

/// A string of the same language.
fn like(value: &Value, text: String) -> Option<Value> {
    match value {
        Value::Lang(_, language) => Some(Value::Lang(text, language.clone())),
        _ => Some(Value::Text(text)),
    }
}

fn integer(value: usize) -> Option<Value> {
    i64::try_from(value)
        .ok()
        .map(|value| Value::Integer(value.into()))
}

fn concat(all: &[Value]) -> Option<Value> {
    let mut text = String::new();
    let mut language: Option<Option<&str>> = None;
    for value in all {
        text.push_str(text_of(value)?);
        let its = match value {
            Value::Lang(_, language) => Some(language.as_str()),
            _ => None,
        };
        language = Some(match language {
            None => its,
            Some(known) => known.filter(|known| its == Some(*known)),
        });
    }
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    Some(match language.flatten() {
        Some(language) => Value::Lang(text, language.to_owned()),
        None => Value::Text(text),
    })
}

/// The letters from `start` on, the first being number 1.
fn substring(value: &Value, start: &Value, length: Option<&Value>) -> Option<Value> {
    let text = text_of(value)?;
    let begin = numbers::double(start)?.round();
    let end = match length {
        None => f64::INFINITY,
        Some(length) => begin + numbers::double(length)?.round(),
    };
    let letters = text.chars().zip(1u32..).filter(|(_, number)| {
        let number = f64::from(*number);
        number >= begin && number < end
    });
    like(value, letters.map(|(letter, _)| letter).collect())
}

fn for_uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Basic filtering of RFC 4647.
fn matches_range(language: &str, range: &str) -> bool {
    if range == "*" {
        return !language.is_empty();
    }
    let (language, range) = (language.to_lowercase(), range.to_lowercase());
    language == range
        || language
            .strip_prefix(&range)
            .is_some_and(|rest| rest.starts_with('-'))
}

/// `REGEX` and `REPLACE`.
fn patterns(function: Function, values: &[Value], terms: &mut Terms<'_>) -> Option<Value> {
    let (value, rest) = values.split_first()?;
    let text = text_of(value)?;
    let plain = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let rest: Vec<String> = rest.iter().map(plain).collect::<Option<_>>()?;
    match (function, rest.as_slice()) {
        (Function::Regex, [pattern]) => Some(Value::Bool(terms.regex(pattern, "")?.is_match(text))),
        (Function::Matches, [pattern]) => Some(Value::Bool(
            terms.regex(&format!("^(?:{pattern})$"), "")?.is_match(text),
        )),
        (Function::Regex, [pattern, flags]) => Some(Value::Bool(terms.regex(pattern, flags)?.is_match(text))),
        (Function::Replace, [pattern, with]) => replaced(value, text, terms.regex(pattern, "")?, with),
        (Function::Replace, [pattern, with, flags]) => {
            replaced(value, text, terms.regex(pattern, flags)?, with)
        }
        _ => None,
    }
}

fn replaced(value: &Value, text: &str, pattern: &Regex, with: &str) -> Option<Value> {
    // `$1a` is group 1 and an a, as in XPath; the library would take `1a` for a name.
    let mut named = String::with_capacity(with.len());
    let mut letters = with.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '$' => {
                named.push_str("${");
                while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                    named.push(digit);
                }
                named.push('}');
            }
            '\\' => match letters.next()? {
                '$' => named.push_str("$$"),
                '\\' => named.push('\\'),
                _ => return None,
            },
            other => named.push(other),
        }
    }
    let done = pattern.replace_all(text, named.as_str()).into_owned();
    (done.len() <= TEXT_BYTES_MAX)
        .then(|| like(value, done))
        .flatten()
}

fn of_time(function: Function, value: &Value) -> Option<Value> {
    let (moment, has_time) = value.moment()?;
    let whole = |value: i64| Some(Value::Integer(value.into()));
    match function {
        Function::Year => whole(moment.year()),
        Function::Month => whole(i64::from(moment.month())),
        Function::Day => whole(i64::from(moment.day())),
        Function::Hours if has_time => whole(i64::from(moment.hour())),
        Function::Minutes if has_time => whole(i64::from(moment.minute())),
        Function::Seconds if has_time => Some(Value::Decimal(moment.second())),
        _ => None,
    }
}

fn cast(function: Function, value: &Value) -> Option<Value> {
    let text = match value {
        Value::Iri(_) | Value::Blank(_) | Value::Lang(..) => return None,
        other => other.text(),
    };
    let text = text.trim();
    match (function, value) {
        (Function::ToInteger, Value::Bool(value)) => Some(Value::Integer(Integer::from(i64::from(*value)))),
        (Function::ToDecimal, Value::Bool(value)) => Some(Value::Decimal(Decimal::from(i64::from(*value)))),
        (Function::ToDouble, Value::Bool(value)) => {
            Some(Value::Double(Double::from(f64::from(u8::from(*value)))))
        }
        (Function::ToInteger, Value::Decimal(value)) => Integer::try_from(*value).ok().map(Value::Integer),
        (Function::ToInteger, Value::Double(value)) => Integer::try_from(*value).ok().map(Value::Integer),
        (Function::ToDecimal, Value::Double(value)) => Decimal::try_from(*value).ok().map(Value::Decimal),
        (Function::ToInteger, _) => text.parse().ok().map(Value::Integer),
        (Function::ToDecimal, _) => text.parse().ok().map(Value::Decimal),
        (Function::ToDouble, _) => text.parse().ok().map(Value::Double),
        (Function::ToBoolean, value) if value.is_number() => truth(value).map(Value::Bool),
        (Function::ToBoolean, _) => match text {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

/// The function that a type's IRI is as a cast.
pub(crate) fn cast_of(iri: &str) -> Option<Function> {
    Some(match iri.strip_prefix(XSD)? {
        "integer" | "int" | "long" => Function::ToInteger,
        "decimal" => Function::ToDecimal,
        "double" | "float" => Function::ToDouble,
        "boolean" => Function::ToBoolean,
        "string" => Function::ToText,
        _ => return None,
    })
}
