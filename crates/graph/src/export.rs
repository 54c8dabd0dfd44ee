//! Facts as text, one on each line, such that loading them again gives the same facts.
//!
//! Invariants: memory is one block of tuples, the names that were read lately, and one line; nesting costs no stack.
//!
//! Deliberately absent: other formats.

use craton_base::Result;

use crate::{
    Block, Bounds, Facts, Form, Id, Names, Order, Relation, Shape, Table, print, snapshot::Snapshot,
};

/// Text is handed on when there is so much.
const PIECE_BYTES: usize = 64 << 10;

/// Hands the text of every fact of a snapshot to `out`, in pieces of whole lines; the number of facts.
///
/// # Errors
/// The storage's own; those of `out`.
pub fn export(snapshot: &Snapshot, out: &mut dyn FnMut(Vec<u8>) -> Result<()>) -> Result<u64> {
    let mut lines = Lines::new(snapshot);
    let mut facts = 0u64;
    for table in snapshot.tables() {
        if table.shape == Shape::Expression {
            continue;
        }
        let order = Order::natural(table.width());
        let mut tuples = snapshot.scan(&Relation::whole(table), &order, &Bounds::all())?;
        let mut block = Block::new(table.width());
        while tuples.next(&mut block)? {
            snapshot.blobs().control().check()?;
            for row in 0..block.rows() {
                lines.fact(table, &block, row)?;
                if lines.text.len() >= PIECE_BYTES {
                    out(std::mem::take(&mut lines.text))?;
                }
            }
            facts = facts.saturating_add(block.rows() as u64);
        }
    }
    if !lines.text.is_empty() {
        out(lines.text)?;
    }
    Ok(facts)
}

/// Writes facts as lines.
pub struct Lines<'a> {
    names: &'a dyn Names,
    text: Vec<u8>,
    items: Vec<Id>,
    symbol: Vec<u8>,
}

/// What is still to be written.
enum Left {
    Item(Id),
    Close,
}

impl<'a> Lines<'a> {
    /// With the names of facts from `names`.
    #[must_use]
    pub fn new(names: &'a dyn Names) -> Self {
        Self {
            names,
            text: Vec::new(),
            items: Vec::new(),
            symbol: Vec::new(),
        }
    }

    /// Takes what was written.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    /// Writes a fact of a table and a line end.
    ///
    /// # Errors
    /// The names' own.
    pub fn fact(&mut self, table: Table, block: &Block, row: usize) -> Result<()> {
        let mut tuple = Vec::with_capacity(block.width());
        block.row(row, &mut tuple);
        match (table.shape, tuple.as_slice()) {
            (Shape::Atom, [only]) => self.term(Id(*only))?,
            _ => {
                self.text.push(b'(');
                for (n, item) in tuple.into_iter().enumerate() {
                    if n > 0 {
                        self.text.push(b' ');
                    }
                    self.term(Id(item))?;
                }
                self.text.push(b')');
            }
        }
        self.text.push(b'\n');
        Ok(())
    }

    /// Writes what an id stands for.
    ///
    /// # Errors
    /// The names' own.
    pub fn term(&mut self, id: Id) -> Result<()> {
        let mut left = vec![Left::Item(id)];
        while let Some(next) = left.pop() {
            let id = match next {
                Left::Close => {
                    self.text.push(b')');
                    continue;
                }
                Left::Item(id) => id,
            };
            if !matches!(self.text.last(), None | Some(b'(' | b' ' | b'\n')) {
                self.text.push(b' ');
            }
            match id.form() {
                Some(Form::Variable(place)) => {
                    print::variable(u32::try_from(place).unwrap_or(u32::MAX), &mut self.text);
                }
                Some(Form::Expression { .. } | Form::Open { .. }) => {
                    self.items.clear();
                    self.names.items(id, &mut self.items)?;
                    self.text.push(b'(');
                    left.push(Left::Close);
                    left.extend(self.items.iter().rev().copied().map(Left::Item));
                }
                _ => {
                    self.symbol.clear();
                    self.names.text(id, &mut self.symbol)?;
                    print::symbol(&self.symbol, &mut self.text);
                }
            }
        }
        Ok(())
    }
}
