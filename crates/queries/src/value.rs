//! Values: what a term of a graph is as a value of a query, and the term that a value is.
//!
//! The mapping is the one of the graph's readers of RDF: `<iri>`, `_:name`, `"text"`, `(lang "text" en)`, `(typed "text" <type>)`; a number or truth
//! value is its bare text. Numbers of several types have one text, so what is read back is an `xsd:integer`, `xsd:decimal` or `xsd:double`. Any
//! other term is a [`Value::Other`]: its text, as a literal of the type [`OTHER`].
//!
//! Deliberately absent: ids, operators.

use craton_base::Result;
use craton_graph::{
    parse, print,
    term::{Item, Part, Term, Writer, parts, read},
};
use oxsdatatypes::{Date, DateTime, Decimal, Double, Integer};

/// The namespace of XML Schema's types.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
/// The type of literals with a language.
pub const LANG_STRING: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString";
/// The type of terms that RDF does not have.
pub const OTHER: &str = "urn:craton:term";

/// The types of XML Schema whose literals are their bare texts in a graph.
const BARE: [&str; 9] = [
    "integer", "decimal", "double", "float", "boolean", "long", "int", "short", "byte",
];

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An IRI, without its brackets.
    Iri(String),
    /// A blank node, by its name.
    Blank(String),
    /// A string.
    Text(String),
    /// A string and its language.
    Lang(String, String),
    /// A truth value.
    Bool(bool),
    /// An integer of 64 bits.
    Integer(Integer),
    /// A decimal of 18 digits after the point.
    Decimal(Decimal),
    /// A float of 64 bits.
    Double(Double),
    /// A literal of another type: its text and the type's IRI.
    Typed(String, String),
    /// What RDF does not have: the term's text.
    Other(String),
}

impl Value {
    /// The value of an encoded term.
    #[must_use]
    pub fn of(term: &[u8]) -> Self {
        match read(term, 0) {
            Some((Item::Symbol(text), _)) => match std::str::from_utf8(text) {
                Ok(text) => of_symbol(text),
                Err(_) => Self::Other(shown(term)),
            },
            _ => of_expression(term).unwrap_or_else(|| Self::Other(shown(term))),
        }
    }

    /// The encoded term that it is.
    ///
    /// # Errors
    /// `TooLarge` for a text beyond what a graph can hold; `Invalid` for an [`Value::Other`] that is no term.
    pub fn term(&self) -> Result<Term> {
        let mut out = Writer::default();
        match self {
            Self::Iri(iri) => out.symbol(format!("<{iri}>").as_bytes())?,
            Self::Blank(name) => out.symbol(format!("_:{name}").as_bytes())?,
            Self::Text(text) => out.symbol(&quoted(text))?,
            Self::Lang(text, language) => tagged("lang", text, language, &mut out)?,
            Self::Typed(text, kind) => tagged("typed", text, &format!("<{kind}>"), &mut out)?,
            Self::Other(text) => return parse::term(text.as_bytes()),
            Self::Bool(_) | Self::Integer(_) | Self::Decimal(_) | Self::Double(_) => {
                out.symbol(self.text().as_bytes())?;
            }
        }
        Ok(out.finish())
    }

    /// The value of a literal with this text and type.
    #[must_use]
    pub fn typed(text: &str, kind: &str) -> Self {
        let typed = || Self::Typed(text.to_owned(), kind.to_owned());
        if kind == OTHER {
            return Self::Other(text.to_owned());
        }
        match kind.strip_prefix(XSD) {
            Some("string") => Self::Text(text.to_owned()),
            Some(name) if BARE.contains(&name) => match of_symbol(text) {
                // The graph holds the bare text; what is no number there is none here.
                Self::Other(_) | Self::Iri(_) | Self::Blank(_) | Self::Text(_) => typed(),
                value => value,
            },
            _ => typed(),
        }
    }

    /// The text of a literal, an IRI's own; a blank node has none.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Iri(text)
            | Self::Text(text)
            | Self::Lang(text, _)
            | Self::Typed(text, _)
            | Self::Other(text) => text.clone(),
            Self::Blank(_) => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Decimal(value) => {
                // With its point: without it, it would be an integer.
                let text = value.to_string();
                if text.contains('.') {
                    text
                } else {
                    format!("{text}.0")
                }
            }
            Self::Double(value) => double_text(f64::from(*value)),
        }
    }

    /// The type of a literal, as an IRI.
    #[must_use]
    pub fn datatype(&self) -> Option<String> {
        let xsd = |name: &str| Some(format!("{XSD}{name}"));
        match self {
            Self::Iri(_) | Self::Blank(_) => None,
            Self::Text(_) => xsd("string"),
            Self::Lang(..) => Some(LANG_STRING.to_owned()),
            Self::Bool(_) => xsd("boolean"),
            Self::Integer(_) => xsd("integer"),
            Self::Decimal(_) => xsd("decimal"),
            Self::Double(_) => xsd("double"),
            Self::Typed(_, kind) => Some(kind.clone()),
            Self::Other(_) => Some(OTHER.to_owned()),
        }
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Decimal(_) | Self::Double(_))
    }

    /// The moment that it is, with whether it has a time.
    #[must_use]
    pub fn moment(&self) -> Option<(DateTime, bool)> {
        let Self::Typed(text, kind) = self else {
            return None;
        };
        match kind.strip_prefix(XSD)? {
            "dateTime" => Some((text.parse().ok()?, true)),
            "date" => Some((DateTime::try_from(text.parse::<Date>().ok()?).ok()?, false)),
            _ => None,
        }
    }
}

/// The term that a literal is in a graph, as the graph's readers of RDF make it: a number keeps its text.
///
/// # Errors
/// `TooLarge` for a text beyond what a graph can hold.
pub fn literal_term(text: &str, language: Option<&str>, kind: &str) -> Result<Term> {
    if let Some(language) = language {
        return Value::Lang(text.to_owned(), language.to_owned()).term();
    }
    match kind.strip_prefix(XSD) {
        Some(name) if BARE.contains(&name) && !text.is_empty() => Term::symbol(text.as_bytes()),
        Some("string") => Value::Text(text.to_owned()).term(),
        _ if kind == OTHER => Value::Other(text.to_owned()).term(),
        _ => Value::Typed(text.to_owned(), kind.to_owned()).term(),
    }
}

/// The text of a double: with an exponent, so that it is not read as another number.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        (if value > 0.0 { "INF" } else { "-INF" }).to_owned()
    } else {
        format!("{value:E}")
    }
}

fn tagged(head: &str, text: &str, tag: &str, out: &mut Writer) -> Result<()> {
    out.expression(3)?;
    out.symbol(head.as_bytes())?;
    out.symbol(&quoted(text))?;
    out.symbol(tag.as_bytes())
}

/// A string as the graph's readers write it.
fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(2));
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

fn shown(term: &[u8]) -> String {
    let mut text = Vec::new();
    print::write(term, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn of_symbol(text: &str) -> Value {
    let inner = |open: &str, close: &str| text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
    if let Some(iri) = inner("<", ">") {
        return Value::Iri(iri.to_owned());
    }
    if let Some(name) = text.strip_prefix("_:") {
        return Value::Blank(name.to_owned());
    }
    if text.starts_with('"') && text.len() > 1 && text.ends_with('"') {
        return Value::Text(print::json::content(text));
    }
    number(text).unwrap_or_else(|| {
        let mut term = Writer::default();
        match term.symbol(text.as_bytes()) {
            Ok(()) => Value::Other(shown(term.as_bytes())),
            Err(_) => Value::Other(text.to_owned()),
        }
    })
}

/// The number or truth value that a bare text is.
fn number(text: &str) -> Option<Value> {
    match text {
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        "INF" | "-INF" | "NaN" => return Some(Value::Double(text.parse().ok()?)),
        _ => {}
    }
    let starts = |c: u8| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.');
    if !text.bytes().next().is_some_and(starts) {
        return None;
    }
    if text.bytes().any(|c| matches!(c, b'e' | b'E')) {
        let value: f64 = text.parse().ok()?;
        return value.is_finite().then(|| Value::Double(value.into()));
    }
    if text.contains('.') {
        return text.parse().ok().map(Value::Decimal);
    }
    text.parse().ok().map(Value::Integer)
}

fn of_expression(term: &[u8]) -> Option<Value> {
    let items = parts(term, Part::whole(term))?;
    let [head, text, tag] = items.as_slice() else {
        return None;
    };
    let symbol = |part: &Part| match read(part.bytes(term), 0) {
        Some((Item::Symbol(text), _)) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    let (text, tag) = (symbol(text)?, symbol(tag)?);
    if !text.starts_with('"') {
        return None;
    }
    let text = print::json::content(text);
    match symbol(head)? {
        "lang" => Some(Value::Lang(text, tag.to_owned())),
        "typed" => {
            let kind = tag.strip_prefix('<')?.strip_suffix('>')?;
            Some(Value::Typed(text, kind.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
