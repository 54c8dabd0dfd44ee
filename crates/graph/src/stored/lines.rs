//! The rows of a join as lines: each template's instance for the values of its variables.
//!
//! Invariant: what it remembers of names stays below a limit.
//!
//! Deliberately absent: the order of lines, which is that of each thread's rows.

use std::collections::HashMap;

use craton_base::Result;

use super::{
    find::Encoder,
    query::{PIECE_BYTES, Told},
};
use crate::{
    Block, Table,
    exec::{Rule, Sink},
    join,
    snapshot::Snapshot,
    term::{Item, read},
};

/// Encoded terms that are remembered, in bytes; then all are forgotten.
const KNOWN_BYTES_MAX: usize = 1 << 20;

/// A piece of a template.
enum Piece {
    /// Encoded items as they stand.
    Plain(Vec<u8>),
    /// The term of a column.
    Column(usize),
}

/// One worker's lines.
pub(super) struct Lines<'a> {
    templates: Vec<Vec<Piece>>,
    encoder: Encoder<'a>,
    known: HashMap<u64, Box<[u8]>>,
    known_bytes: usize,
    told: &'a Told<'a>,
    text: Vec<u8>,
    term: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// `variables`: those of each template, in the order of the columns.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        rule: &Rule,
        variables: &[Vec<u16>],
        told: &'a Told<'a>,
    ) -> Self {
        let parts = rule.sinks.iter().filter_map(|sink| match sink {
            Sink::Add(part) => Some(*part),
            _ => None,
        });
        let templates = parts.zip(variables).map(|(part, variables)| {
            let bytes = part.bytes(rule.exec.as_bytes());
            pieces(bytes, part.seen, variables)
        });
        Self {
            templates: templates.collect(),
            encoder: Encoder::new(snapshot),
            known: HashMap::new(),
            known_bytes: 0,
            told,
            text: Vec::new(),
            term: Vec::new(),
        }
    }

    /// Appends the encoded term of an id.
    fn append(&mut self, id: u64) -> Result<()> {
        if let Some(bytes) = self.known.get(&id) {
            self.term.extend_from_slice(bytes);
            return Ok(());
        }
        let bytes = self.encoder.fact(Table::atoms(false), &[id])?;
        self.term.extend_from_slice(bytes);
        self.known_bytes = self.known_bytes.saturating_add(bytes.len()).saturating_add(64);
        if self.known_bytes > KNOWN_BYTES_MAX {
            self.known.clear();
            self.known_bytes = 0;
        }
        self.known.insert(id, bytes.into());
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.told.send(&mut self.text)
    }
}

/// A template in pieces; `seen` is how many variables the rule has before it.
fn pieces(bytes: &[u8], seen: u32, variables: &[u16]) -> Vec<Piece> {
    let (mut out, mut plain, mut at, mut next_new) = (Vec::new(), Vec::new(), 0, seen);
    while let Some((item, next)) = read(bytes, at) {
        let variable = match item {
            Item::NewVariable => {
                next_new = next_new.saturating_add(1);
                Some(next_new.saturating_sub(1))
            }
            Item::Reference(number) => Some(number),
            Item::Expression(_) | Item::Symbol(_) => None,
        };
        match variable {
            None => plain.extend_from_slice(bytes.get(at..next).unwrap_or_default()),
            Some(variable) => {
                if !plain.is_empty() {
                    out.push(Piece::Plain(std::mem::take(&mut plain)));
                }
                let column = variables.iter().position(|v| u32::from(*v) == variable);
                out.push(Piece::Column(column.unwrap_or_default()));
            }
        }
        at = next;
    }
    if !plain.is_empty() {
        out.push(Piece::Plain(plain));
    }
    out
}

impl join::Sink for Lines<'_> {
    fn push(&mut self, output: usize, block: &Block) -> Result<()> {
        let Some(template) = self.templates.get_mut(output).map(std::mem::take) else {
            return Ok(());
        };
        let mut done = Ok(());
        for row in 0..block.rows() {
            done = self.told.one();
            if done.is_err() {
                break;
            }
            self.term.clear();
            for piece in &template {
                match piece {
                    Piece::Plain(bytes) => self.term.extend_from_slice(bytes),
                    Piece::Column(column) => {
                        let id = block.column(*column).get(row).copied().unwrap_or_default();
                        self.append(id)?;
                    }
                }
            }
            self.told.write(&self.term, &mut self.text);
            if self.text.len() >= PIECE_BYTES {
                self.told.send(&mut self.text)?;
            }
        }
        if let Some(place) = self.templates.get_mut(output) {
            *place = template;
        }
        if done.is_err() {
            self.told.send(&mut self.text)?;
        }
        done
    }
}
