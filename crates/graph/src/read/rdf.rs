//! RDF: N-Triples and Turtle, by `oxttl`.
//!
//! An IRI is the symbol `<iri>`, a blank node `_:name`. A plain string is a string; one with a
//! language is `(lang "text" en)`; one of another type is `(typed "text" <type>)`, but for numbers and
//! truth values, which are their text. A blank node without a name is called by the text that it stands in, so that it is the
//! same one when the text is read again.
//!
//! Turtle is read piece by piece, a piece being whole statements ([`pieces`]), each with the prefixes and the base of those before it:
//! so reading can begin at any of them.

use std::{collections::HashMap, io::Read};

use craton_base::{Error, Kind, Result};
use oxttl::{NTriplesParser, TurtleParser, turtle::SliceTurtleParser};

use oxrdf::{BlankNode, Literal, NamedNode, NamedOrBlankNode, Term, Triple};

use super::{Out, STATE_BYTES_MAX, Trouble, bad, buffered, lines::each_line};
use crate::{pure::hash, sink::Mark};

mod pieces;

use pieces::Pieces;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
const BARE: [&str; 9] = [
    "integer", "decimal", "double", "float", "boolean", "long", "int", "short", "byte",
];

/// A triple on each line.
pub(super) fn n_triples(
    input: impl Read,
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    each_line(out.start, input, progress, |place, line| {
        let mut triples = NTriplesParser::new().for_slice(line);
        let done = triples.try_for_each(|triple| {
            let triple = triple.map_err(|error| bad(error.message()))?;
            push(&triple, &mut |node| node.as_str().to_owned(), out)
        });
        out.settle(place.number, done)?;
        out.sink.reached(place.after(0));
        Ok(())
    })
}

/// Statements, with prefixes and a base.
pub(super) fn turtle(
    input: impl Read,
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut known = out.state.clone();
    let mut at = out.start;
    let mut pieces = Pieces::new(buffered(input), out.start.lines);
    let mut text = Vec::new();
    while let Some(piece) = pieces.next()? {
        text.clear();
        text.extend_from_slice(&known);
        text.extend_from_slice(piece);
        let now = statements(&text, known.len(), at, out)?;
        at.bytes = at.bytes.saturating_add(piece.len() as u64);
        at.lines = at.lines.saturating_add(lines_of(piece));
        if now != known {
            known = now;
            out.sink.remember(&known);
        }
        out.sink.reached(at);
        progress(at.bytes.saturating_sub(out.start.bytes))?;
    }
    Ok(())
}

fn lines_of(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Reads the statements of a text, whose first bytes say what is known of those before; what is known after them.
fn statements(text: &[u8], known: usize, at: Mark, out: &mut Out<'_>) -> Result<Vec<u8>> {
    let (before, piece) = text.split_at_checked(known).unwrap_or((text, &[]));
    let mut nodes = Nodes::new(piece, at.bytes);
    let mut parser = TurtleParser::new().for_slice(text);
    for triple in parser.by_ref() {
        match triple {
            Ok(triple) => {
                let done =
                    push(&triple, &mut |node| nodes.name(node), out).map_err(|trouble| match trouble {
                        Trouble::Bad(what) => bad(format!("in a statement from here on: {what}")),
                        other => other,
                    });
                out.settle(at.lines.saturating_add(1), done)?;
            }
            Err(error) => {
                let line = error.location().start.line.saturating_sub(lines_of(before));
                let line = at.lines.saturating_add(line).saturating_add(1);
                out.settle(line, Err(bad(error.message())))?;
            }
        }
    }
    known_after(&parser)
}

/// What the statements after it need of those before, as statements.
fn known_after(parser: &SliceTurtleParser<'_>) -> Result<Vec<u8>> {
    let base = parser.base_iri().map(|base| format!("@base <{base}> .\n"));
    let prefixes = parser.prefixes();
    let mut lines: Vec<String> = prefixes
        .map(|(name, iri)| format!("@prefix {name}: <{iri}> .\n"))
        .collect();
    lines.sort_unstable();
    let known = base.into_iter().chain(lines).collect::<String>().into_bytes();
    if known.len() > STATE_BYTES_MAX {
        let message = format!("the prefixes have more than {STATE_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "TooManyPrefixes", message));
    }
    Ok(known)
}

/// The names of a piece's blank nodes: their own, or made of the piece and their place in it.
struct Nodes<'t> {
    piece: &'t [u8],
    start: u64,
    has_names: bool,
    /// Of those without one, which were seen.
    made: HashMap<String, Option<usize>>,
    hash: Option<u128>,
}

impl<'t> Nodes<'t> {
    fn new(piece: &'t [u8], start: u64) -> Self {
        Self {
            piece,
            start,
            has_names: memchr::memmem::find(piece, b"_:").is_some(),
            made: HashMap::new(),
            hash: None,
        }
    }

    fn name(&mut self, node: &BlankNode) -> String {
        let name = node.as_str();
        // The parser makes names as numbers; one that the text has may look so too.
        if node.as_ref().unique_id().is_none() {
            return name.to_owned();
        }
        let count = self.made.len();
        let number = *self.made.entry(name.to_owned()).or_insert_with(|| {
            let written = || memchr::memmem::find(self.piece, format!("_:{name}").as_bytes()).is_some();
            (!self.has_names || !written()).then_some(count)
        });
        let Some(number) = number else {
            return name.to_owned();
        };
        let hash = *self
            .hash
            .get_or_insert_with(|| hash(self.piece) ^ u128::from(self.start));
        format!("{hash:032x}-{number}")
    }
}

fn push(
    triple: &Triple,
    name: &mut dyn FnMut(&BlankNode) -> String,
    out: &mut Out<'_>,
) -> Result<(), Trouble> {
    out.open()?;
    out.word(b"triple")?;
    match &triple.subject {
        NamedOrBlankNode::NamedNode(node) => iri(node, out)?,
        NamedOrBlankNode::BlankNode(node) => blank(&name(node), out)?,
    }
    iri(&triple.predicate, out)?;
    match &triple.object {
        Term::NamedNode(node) => iri(node, out)?,
        Term::BlankNode(node) => blank(&name(node), out)?,
        Term::Literal(literal) => value(literal, out)?,
        #[allow(unreachable_patterns, reason = "triples in triples are a feature of oxrdf")]
        _ => return Err(Trouble::Bad("a triple in a triple is not read".into())),
    }
    out.end()
}

fn blank(name: &str, out: &mut Out<'_>) -> Result<(), Trouble> {
    out.value(format!("_:{name}").as_bytes())
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
