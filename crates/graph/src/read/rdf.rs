//! RDF: N-Triples and Turtle, by `oxttl`.
//!
//! An IRI is the symbol `<iri>`, a blank node `_:name`. A plain string is a string; one with a
//! language is `(lang "text" en)`; one of another type is `(typed "text" <type>)`, but for numbers and
//! truth values, which are their text.

use std::io::Read;

use craton_base::{Error, Kind, Result};
use oxttl::{NTriplesParser, TurtleParser};

use oxrdf::{Literal, NamedNode, NamedOrBlankNode, Term, Triple};

use super::{Out, Trouble, buffered};

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
const BARE: [&str; 9] = [
    "integer", "decimal", "double", "float", "boolean", "long", "int", "short", "byte",
];
const PROGRESS_TRIPLES: u64 = 4096;

pub(super) fn load(
    input: impl Read,
    turtle: bool,
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let counted = std::cell::Cell::new(0_u64);
    let input = Counted {
        input: buffered(input),
        bytes: &counted,
    };
    let mut number = 0_u64;
    let mut take = |triple: std::result::Result<Triple, oxttl::TurtleParseError>| {
        number += 1;
        if number.is_multiple_of(PROGRESS_TRIPLES) {
            progress(counted.get())?;
        }
        match triple {
            Ok(triple) => {
                let done = push(&triple, out);
                out.settle(number, done)
            }
            Err(oxttl::TurtleParseError::Syntax(error)) => {
                let line = error.location().start.line + 1;
                out.settle(line, Err(Trouble::Bad(error.message().to_owned())))
            }
            Err(oxttl::TurtleParseError::Io(error)) => {
                Err(
                    Error::new(Kind::Unavailable, "InputUnavailable", "the input can not be read")
                        .with_source(error),
                )
            }
        }
    };
    if turtle {
        for triple in TurtleParser::new().for_reader(input) {
            take(triple)?;
        }
    } else {
        for triple in NTriplesParser::new().for_reader(input) {
            take(triple)?;
        }
    }
    progress(counted.get())
}

struct Counted<'c, R> {
    input: R,
    bytes: &'c std::cell::Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(out)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

fn push(triple: &Triple, out: &mut Out<'_>) -> Result<(), Trouble> {
    out.open()?;
    out.word(b"triple")?;
    match &triple.subject {
        NamedOrBlankNode::NamedNode(node) => iri(node, out)?,
        NamedOrBlankNode::BlankNode(node) => out.value(format!("_:{}", node.as_str()).as_bytes())?,
    }
    iri(&triple.predicate, out)?;
    match &triple.object {
        Term::NamedNode(node) => iri(node, out)?,
        Term::BlankNode(node) => out.value(format!("_:{}", node.as_str()).as_bytes())?,
        Term::Literal(literal) => value(literal, out)?,
        #[allow(unreachable_patterns, reason = "triples in triples are a feature of oxrdf")]
        _ => return Err(Trouble::Bad("a triple in a triple is not read".into())),
    }
    out.end()
}

fn iri(node: &NamedNode, out: &mut Out<'_>) -> Result<(), Trouble> {
    out.value(format!("<{}>", node.as_str()).as_bytes())
}

fn value(literal: &Literal, out: &mut Out<'_>) -> Result<(), Trouble> {
    let text = literal.value().as_bytes();
    if let Some(language) = literal.language() {
        out.open()?;
        out.word(b"lang")?;
        out.string(text)?;
        out.value(language.as_bytes())?;
        return out.close();
    }
    let kind = literal.datatype();
    match kind.as_str().strip_prefix(XSD) {
        Some("string") => out.string(text),
        Some(name) if BARE.contains(&name) => out.value(text),
        _ => {
            out.open()?;
            out.word(b"typed")?;
            out.string(text)?;
            out.value(format!("<{}>", kind.as_str()).as_bytes())?;
            out.close()
        }
    }
}
