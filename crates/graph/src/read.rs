//! Loaders: facts from what researchers have, pushed into a [`FactSink`] as they are read.
//!
//! | format | facts |
//! |---|---|
//! | S-expressions | as they are |
//! | CSV, TSV | `(relation value …)` for each row; the header, if there is one, says how many |
//! | JSON lines | `(relation row (key (key value)))` for each leaf; an array's keys are its places |
//! | N-Triples, Turtle | `(triple subject predicate object)` |
//! | OBO | `(tag id value …)` for each line of a `[Term]` and other stanzas |
//! | GFF3 | `(feature row seqid source type start end score strand phase)`, `(attribute row key value)` |
//! | VCF | `(variant row chrom pos id ref alt qual filter)`, `(info row key value)`, `(call row sample key value)` |
//!
//! A value that is a word is a symbol as it stands; any other is a string with quotes, so that it can
//! be read again. Nothing is left out: an empty field is `""`, a missing one `.` where the format says.
//!
//! Invariants: memory is bounded by the longest line, which has a limit; a bad line is named by its
//! number, and skipped or the end of the load, as the caller says; a line's facts come all or not.
//!
//! Deliberately absent: files, compression ([`unpacked`] only tells and opens it), where facts go.

use std::io::{BufRead, BufReader, Read};

use craton_base::{Error, Kind, Result};

use crate::{
    parse::{self, Reader, Token},
    sink::{ANONYMOUS, FactSink, Mark, Start},
};

mod biology;
mod json;
mod lines;
mod rdf;
mod table;
mod unpack;

pub use unpack::unpacked;

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Facts as they are written.
    Expressions,
    /// Rows of fields.
    Table {
        /// The first item of each fact.
        relation: String,
        /// What parts fields: `,` or a tab.
        delimiter: u8,
        /// Whether the first line names the columns.
        header: bool,
    },
    /// A JSON value on each line.
    JsonLines {
        /// The first item of each fact.
        relation: String,
    },
    /// RDF, a triple on each line.
    NTriples,
    /// RDF with prefixes.
    Turtle,
    /// Ontologies of the Open Biomedical Ontologies.
    Obo,
    /// Features on sequences.
    Gff3,
    /// Variants of sequences.
    Vcf,
}

impl Format {
    /// The format that a file's name says, compression aside. `relation` is the name without it.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let name = name
            .strip_suffix(".gz")
            .or_else(|| name.strip_suffix(".zst"))
            .unwrap_or(name);
        let (relation, suffix) = name.rsplit_once('.')?;
        let relation = relation.to_owned();
        Some(match suffix {
            "metta" | "mm2" | "sexp" | "lisp" => Self::Expressions,
            "csv" => Self::Table {
                relation,
                delimiter: b',',
                header: true,
            },
            "tsv" | "tab" => Self::Table {
                relation,
                delimiter: b'\t',
                header: true,
            },
            "jsonl" | "ndjson" => Self::JsonLines { relation },
            "nt" => Self::NTriples,
            "ttl" => Self::Turtle,
            "obo" => Self::Obo,
            "gff" | "gff3" => Self::Gff3,
            "vcf" => Self::Vcf,
            _ => return None,
        })
    }
}

/// What to do about a bad line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// End with an error that names it.
    Stop,
    /// Go on with the next.
    Skip,
}

/// What a load read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many facts were pushed.
    pub facts: u64,
    /// How many lines were skipped.
    pub bad: u64,
    /// The first of them, each with its number and what is wrong.
    pub faults: Vec<String>,
}

const FAULTS_SHOWN: usize = 100;

/// The most that a reader remembers for going on, in bytes.
const STATE_BYTES_MAX: usize = 64 << 10;

/// Pushes all facts of `input` into `sink`. `progress` is called now and then with the bytes read so
/// far and may end the load with an error.
///
/// # Errors
/// `Invalid` for a bad line unless those are skipped; the input's, the sink's and `progress`'s own.
pub fn load(
    input: impl Read,
    format: &Format,
    on_bad: OnBad,
    sink: &mut dyn FactSink,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Summary> {
    load_from(&Start::default(), input, format, on_bad, sink, progress)
}

/// The same of an input that goes on somewhere: what lies before it is not in `input`.
///
/// # Errors
/// As [`load`].
pub fn load_from(
    start: &Start,
    input: impl Read,
    format: &Format,
    on_bad: OnBad,
    sink: &mut dyn FactSink,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Summary> {
    let mut out = Out {
        sink,
        start: start.mark,
        state: start.state.clone(),
        on_bad,
        summary: Summary::default(),
        quoted: Vec::new(),
        missing: Vec::new(),
    };
    match format {
        Format::Expressions => expressions(input, &mut out, progress)?,
        Format::Table {
            relation,
            delimiter,
            header,
        } => {
            table::load(
                input,
                relation.as_bytes(),
                *delimiter,
                *header,
                &mut out,
                progress,
            )?;
        }
        Format::JsonLines { relation } => json::load(input, relation.as_bytes(), &mut out, progress)?,
        Format::NTriples => rdf::n_triples(input, &mut out, progress)?,
        Format::Turtle => rdf::turtle(input, &mut out, progress)?,
        Format::Obo => biology::obo(input, &mut out, progress)?,
        Format::Gff3 => biology::gff3(input, &mut out, progress)?,
        Format::Vcf => biology::vcf(input, &mut out, progress)?,
    }
    Ok(out.summary)
}

/// What is wrong with a line, or an error that is not about it.
enum Trouble {
    Bad(String),
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        // What a sink says about the size of a fact is about the line.
        match error.kind() {
            Kind::Invalid => Self::Bad(error.to_string()),
            Kind::TooLarge
                if matches!(
                    error.reason(),
                    "SymbolTooLong" | "TermTooLarge" | "TooWide" | "TooDeep" | "TooManyVariables"
                ) =>
            {
                Self::Bad(error.to_string())
            }
            _ => Self::Other(error),
        }
    }
}

fn bad(what: impl Into<String>) -> Trouble {
    Trouble::Bad(what.into())
}

/// The sink, and what was pushed.
struct Out<'a> {
    sink: &'a mut dyn FactSink,
    /// Where the input goes on.
    start: Mark,
    /// What the reader knew there.
    state: Vec<u8>,
    on_bad: OnBad,
    summary: Summary,
    quoted: Vec<u8>,
    /// How many items each open expression of a parsed fact still gets.
    missing: Vec<u32>,
}

impl Out<'_> {
    /// A symbol as it stands.
    fn word(&mut self, text: &[u8]) -> Result<(), Trouble> {
        Ok(self.sink.symbol(text)?)
    }

    /// A value: as it stands if it is a word, else in quotes.
    fn value(&mut self, text: &[u8]) -> Result<(), Trouble> {
        if is_word(text) {
            return self.word(text);
        }
        self.string(text)
    }

    /// A value in quotes.
    fn string(&mut self, text: &[u8]) -> Result<(), Trouble> {
        let mut quoted = std::mem::take(&mut self.quoted);
        quoted.clear();
        quote(text, &mut quoted);
        let done = self.sink.symbol(&quoted);
        self.quoted = quoted;
        Ok(done?)
    }

    fn open(&mut self) -> Result<(), Trouble> {
        Ok(self.sink.open()?)
    }

    fn close(&mut self) -> Result<(), Trouble> {
        Ok(self.sink.close()?)
    }

    /// A fact `(first value …)`.
    fn fact<'v>(&mut self, first: &[u8], values: impl IntoIterator<Item = &'v [u8]>) -> Result<(), Trouble> {
        self.open()?;
        self.value(first)?;
        for value in values {
            self.value(value)?;
        }
        self.end()
    }

    /// Ends a fact.
    fn end(&mut self) -> Result<(), Trouble> {
        self.close()?;
        self.summary.facts += 1;
        Ok(())
    }

    /// What to do after line `number`: nothing if it was good.
    fn settle(&mut self, number: u64, done: Result<(), Trouble>) -> Result<()> {
        let what = match done {
            Ok(()) => return Ok(()),
            Err(Trouble::Other(error)) => return Err(error),
            Err(Trouble::Bad(what)) => what,
        };
        self.sink.abandon();
        let fault = format!("line {number}: {what}");
        if self.on_bad == OnBad::Stop {
            return Err(Error::new(Kind::Invalid, "BadLine", fault));
        }
        self.summary.bad += 1;
        if self.summary.faults.len() < FAULTS_SHOWN {
            self.summary.faults.push(fault);
        }
        Ok(())
    }
}

/// Whether the parser reads the text as one symbol that is no string.
fn is_word(text: &[u8]) -> bool {
    match text.first() {
        None | Some(b'$' | b';' | b'"') => false,
        Some(_) => {
            !text.starts_with(parse::HEX)
                && !text
                    .iter()
                    .any(|byte| parse::ends_word(*byte) || byte.is_ascii_control())
        }
    }
}

/// Appends a value as tables have it: a word as it stands, anything else in quotes.
pub fn write_value(text: &[u8], out: &mut Vec<u8>) {
    match is_word(text) {
        true => out.extend_from_slice(text),
        false => quote(text, out),
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn expressions(
    input: impl Read,
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    const PROGRESS_FACTS: u64 = 4096;
    let mut reader = Reader::new(input);
    loop {
        let done = match reader.next_fact() {
            Ok(None) => return progress(reader.consumed()),
            Ok(Some(fact)) => push(&fact, out),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => {}
            // The reader's own faults name line and column already.
            Err(Trouble::Bad(what)) if out.on_bad == OnBad::Skip => {
                out.sink.abandon();
                out.summary.bad += 1;
                if out.summary.faults.len() < FAULTS_SHOWN {
                    out.summary.faults.push(what);
                }
            }
            Err(Trouble::Bad(what)) => return Err(Error::new(Kind::Invalid, "BadLine", what)),
            Err(Trouble::Other(error)) => return Err(error),
        }
        out.sink.reached(Mark {
            bytes: out.start.bytes.saturating_add(reader.consumed()),
            ..Mark::default()
        });
        if (out.summary.facts + out.summary.bad).is_multiple_of(PROGRESS_FACTS) {
            progress(reader.consumed())?;
        }
    }
}

/// Pushes a parsed fact.
fn push(fact: &parse::Parsed<'_>, out: &mut Out<'_>) -> Result<(), Trouble> {
    let mut missing = std::mem::take(&mut out.missing);
    missing.clear();
    let pushed = push_items(fact, out, &mut missing);
    out.missing = missing;
    out.summary.facts += u64::from(pushed.is_ok());
    pushed
}

fn push_items(fact: &parse::Parsed<'_>, out: &mut Out<'_>, missing: &mut Vec<u32>) -> Result<(), Trouble> {
    for token in fact.tokens {
        match *token {
            Token::Open(arity) => {
                out.open()?;
                missing.push(arity);
            }
            Token::Variable(number) => {
                let name = number.to_string();
                debug_assert!(name.as_bytes() != ANONYMOUS, "a number is no underscore");
                out.sink.variable(name.as_bytes())?;
                count(missing);
            }
            Token::Text(..) | Token::Bytes(..) => {
                out.word(fact.symbol(*token).unwrap_or_default())?;
                count(missing);
            }
        }
        while missing.last() == Some(&0) {
            missing.pop();
            out.close()?;
            count(missing);
        }
    }
    Ok(())
}

fn count(missing: &mut [u32]) {
    if let Some(items) = missing.last_mut() {
        *items = items.saturating_sub(1);
    }
}

/// A reader with a buffer that suits long lines.
fn buffered(input: impl Read) -> impl BufRead {
    BufReader::with_capacity(256 << 10, input)
}

#[cfg(test)]
mod tests;
