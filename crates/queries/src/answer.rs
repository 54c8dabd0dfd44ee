//! Answers as texts: SPARQL's results in JSON, CSV and TSV, N-Triples, and lines of JSON.
//!
//! Deliberately absent: how solutions are found.

use craton_base::{Error, Kind, Result};
use craton_graph::{
    snapshot::Snapshot,
    term::{Item, Term, read},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    algebra::{Compiled, Form, Made, Slot, Variable, of_slots},
    evaluate::Evaluator,
    terms::{Terms, UNBOUND},
    value::{LANG_STRING, Value, XSD},
};

/// The type of literals that hold JSON.
pub const JSON: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON";

/// Text is handed on when there is so much.
const PIECE_BYTES: usize = 64 << 10;

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// SPARQL 1.1 Query Results JSON Format.
    Json,
    /// SPARQL 1.1 Query Results CSV.
    Csv,
    /// SPARQL 1.1 Query Results TSV.
    Tsv,
    /// An object of JSON on each line, with plain values.
    Lines,
    /// N-Triples.
    Triples,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Json, Self::Triples, Self::Tsv, Self::Csv, Self::Lines];

    /// Its content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/sparql-results+json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Tsv => "text/tab-separated-values; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::Triples => "application/n-triples",
        }
    }

    /// Whether a query of this form can be answered so.
    #[must_use]
    pub const fn fits(self, form: &Form) -> bool {
        matches!(
            (self, form),
            (Self::Triples, Form::Triples(_))
                | (Self::Json, Form::Rows(_) | Form::Whether)
                | (Self::Csv | Self::Tsv | Self::Lines, Form::Rows(_))
        )
    }
}

/// Where an answer goes, in pieces.
pub type Out<'o> = dyn FnMut(Vec<u8>) -> Result<()> + 'o;

/// Answers a query over a snapshot with so many bytes of memory.
///
/// # Errors
/// `Invalid`, `NotAcceptable` if the format does not fit the query; limits; the storage's own; those of `out`.
pub fn answer(
    snapshot: &Snapshot,
    query: &Compiled,
    memory: u64,
    format: Format,
    out: &mut Out<'_>,
) -> Result<()> {
    if !format.fits(&query.form) {
        let message = format!("this query is not answered as {}", format.content_type());
        return Err(Error::new(Kind::Invalid, "NotAcceptable", message));
    }
    let mut evaluator = Evaluator::new(snapshot, query, memory);
    match &query.form {
        Form::Whether => {
            let mut found = false;
            evaluator.solutions(query, &[], &mut |_, _| {
                found = true;
                Ok(false)
            })?;
            out(json!({ "head": {}, "boolean": found }).to_string().into_bytes())
        }
        Form::Rows(columns) => rows(&mut evaluator, query, columns, format, out),
        Form::Triples(template) => triples(&mut evaluator, query, template, out),
    }
}

fn rows(
    evaluator: &mut Evaluator<'_>,
    query: &Compiled,
    columns: &[(String, Variable)],
    format: Format,
    out: &mut Out<'_>,
) -> Result<()> {
    let wanted: Vec<Variable> = columns.iter().map(|(_, variable)| *variable).collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut text: Vec<u8> = head(&names, format).into_bytes();
    let mut first = true;
    evaluator.solutions(query, &wanted, &mut |terms, row| {
        if format == Format::Json && !first {
            text.extend_from_slice(b",\n");
        }
        first = false;
        let shown: Result<Vec<Option<Shown>>> = row.iter().map(|id| Shown::of(terms, *id)).collect();
        write_row(&names, &shown?, format, &mut text);
        if text.len() >= PIECE_BYTES {
            out(std::mem::take(&mut text))?;
        }
        Ok(true)
    })?;
    if format == Format::Json {
        text.extend_from_slice(b"]}}\n");
    }
    if text.is_empty() { Ok(()) } else { out(text) }
}

fn head(names: &[&str], format: Format) -> String {
    match format {
        Format::Json => format!(
            "{{\"head\":{},\"results\":{{\"bindings\":[",
            json!({ "vars": names })
        ),
        Format::Csv => format!("{}\r\n", names.join(",")),
        Format::Tsv => {
            let named: Vec<String> = names.iter().map(|name| format!("?{name}")).collect();
            format!("{}\n", named.join("\t"))
        }
        Format::Lines | Format::Triples => String::new(),
    }
}

fn write_row(names: &[&str], row: &[Option<Shown>], format: Format, text: &mut Vec<u8>) {
    let line = match format {
        Format::Json | Format::Lines => {
            let mut object = Map::new();
            for (name, shown) in names.iter().zip(row) {
                match (shown, format) {
                    (Some(shown), Format::Json) => drop(object.insert((*name).to_owned(), shown.json())),
                    (Some(shown), _) => drop(object.insert((*name).to_owned(), json_value(&shown.value))),
                    (None, Format::Lines) => drop(object.insert((*name).to_owned(), Json::Null)),
                    (None, _) => {}
                }
            }
            let end = if format == Format::Lines { "\n" } else { "" };
            format!("{}{end}", Json::Object(object))
        }
        Format::Csv => {
            let cells = row
                .iter()
                .map(|shown| shown.as_ref().map(Shown::csv).unwrap_or_default());
            format!("{}\r\n", cells.collect::<Vec<_>>().join(","))
        }
        Format::Tsv | Format::Triples => {
            let cells = row
                .iter()
                .map(|shown| shown.as_ref().map(Shown::turtle).unwrap_or_default());
            format!("{}\n", cells.collect::<Vec<_>>().join("\t"))
        }
    };
    text.extend_from_slice(line.as_bytes());
}

/// The triples that a template makes of each solution; those that are none are left out.
fn triples(
    evaluator: &mut Evaluator<'_>,
    query: &Compiled,
    template: &[[Made; 3]],
    out: &mut Out<'_>,
) -> Result<()> {
    let slots: Vec<Slot> = template
        .iter()
        .flatten()
        .filter_map(|made| match made {
            Made::Slot(slot) => Some(slot.clone()),
            Made::Blank(_) => None,
        })
        .collect();
    let mut wanted = of_slots(&slots);
    wanted.sort_unstable();
    wanted.dedup();
    let (mut text, mut number) = (Vec::new(), 0u64);
    evaluator.solutions(query, &wanted, &mut |terms, row| {
        number += 1;
        for triple in template {
            let mut items = Vec::with_capacity(3);
            for made in triple {
                items.extend(match made {
                    Made::Blank(blank) => Some(Shown::blank(format!("c{number}-{blank}"))),
                    Made::Slot(Slot::Term(term)) => Some(Shown::of_term(term)),
                    Made::Slot(Slot::Variable(variable)) => {
                        let at = wanted.iter().position(|v| v == variable);
                        let id = at.and_then(|at| row.get(at)).copied().unwrap_or(UNBOUND);
                        Shown::of(terms, id)?
                    }
                });
            }
            if let [subject, predicate, object] = items.as_slice()
                && matches!(subject.value, Value::Iri(_) | Value::Blank(_))
                && matches!(predicate.value, Value::Iri(_))
            {
                let line = format!(
                    "{} {} {} .\n",
                    subject.n_triples(),
                    predicate.n_triples(),
                    object.n_triples()
                );
                text.extend_from_slice(line.as_bytes());
            }
        }
        if text.len() >= PIECE_BYTES {
            out(std::mem::take(&mut text))?;
        }
        Ok(true)
    })?;
    if text.is_empty() { Ok(()) } else { out(text) }
}

/// A term as it is shown: a number with the text that it has.
struct Shown {
    value: Value,
    text: String,
}

impl Shown {
    fn of(terms: &Terms<'_>, id: u64) -> Result<Option<Self>> {
        match id {
            UNBOUND => Ok(None),
            id => Ok(Some(Self::of_term(&terms.term(id)?))),
        }
    }

    fn of_term(term: &Term) -> Self {
        let value = Value::of(term.as_bytes());
        let text = match read(term.as_bytes(), 0) {
            Some((Item::Symbol(text), _)) if value.is_number() => String::from_utf8_lossy(text).into_owned(),
            _ => value.text(),
        };
        Self { value, text }
    }

    fn blank(name: String) -> Self {
        Self {
            value: Value::Blank(name),
            text: String::new(),
        }
    }

    fn json(&self) -> Json {
        match &self.value {
            Value::Iri(iri) => json!({ "type": "uri", "value": iri }),
            Value::Blank(name) => json!({ "type": "bnode", "value": name }),
            Value::Text(text) => json!({ "type": "literal", "value": text }),
            Value::Lang(text, language) => json!({ "type": "literal", "value": text, "xml:lang": language }),
            other => json!({ "type": "literal", "value": self.text, "datatype": other.datatype() }),
        }
    }

    fn csv(&self) -> String {
        let text = match &self.value {
            Value::Blank(name) => format!("_:{name}"),
            _ => self.text.clone(),
        };
        match text.contains(['"', ',', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        }
    }

    /// As Turtle writes it: numbers bare.
    fn turtle(&self) -> String {
        match &self.value {
            Value::Integer(_) | Value::Decimal(_) | Value::Bool(_) => self.text.clone(),
            Value::Double(value) if value.is_finite() => self.text.clone(),
            _ => self.n_triples(),
        }
    }

    fn n_triples(&self) -> String {
        match &self.value {
            Value::Iri(iri) => format!("<{iri}>"),
            Value::Blank(name) => format!("_:{name}"),
            Value::Lang(text, language) => format!("{}@{language}", quoted(text)),
            other => match other.datatype() {
                Some(kind) if kind != format!("{XSD}string") && kind != LANG_STRING => {
                    format!("{}^^<{kind}>", quoted(&self.text))
                }
                _ => quoted(&self.text),
            },
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A value as JSON has it: a number, a truth value, or its text.
#[must_use]
pub fn json_value(value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::Integer(value) => json!(i64::from(*value)),
        Value::Decimal(_) | Value::Double(_) => match value.text().parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => json!(value.text()),
        },
        Value::Typed(text, kind) if kind == JSON => {
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
        Value::Blank(name) => json!(format!("_:{name}")),
        other => json!(other.text()),
    }
}
