//! Anti-unification: the least general term that two terms are instances of (Plotkin, Reynolds 1970).

use std::collections::HashMap;

use craton_base::Result;

use super::{broken, narrow};
use crate::term::{Item, Term, Writer, count_new, read, skip};

/// One side: the bytes, how far it is, and how many variables appeared before.
#[derive(Clone, Copy)]
struct Side<'a> {
    bytes: &'a [u8],
    at: usize,
    seen: u32,
}

impl<'a> Side<'a> {
    fn item(&self) -> Result<(Item<'a>, usize)> {
        read(self.bytes, self.at).ok_or_else(broken)
    }

    fn step(&mut self, next: usize) {
        self.at = next;
    }

    /// Steps over the term here and gives its bytes with variables numbered by the whole, so that
    /// equal bytes are equal terms.
    fn take(&mut self) -> Result<Vec<u8>> {
        let end = skip(self.bytes, self.at).ok_or_else(broken)?;
        let part = self.bytes.get(self.at..end).ok_or_else(broken)?;
        let mut writer = Writer::default();
        let (mut at, mut seen) = (0, self.seen);
        while let Some((item, next)) = read(part, at) {
            match item {
                Item::Symbol(text) => writer.symbol(text)?,
                Item::Expression(arity) => writer.expression(arity)?,
                Item::Reference(number) => writer.reference(number)?,
                Item::NewVariable => {
                    writer.reference(seen)?;
                    seen += 1;
                }
            }
            at = next;
        }
        self.seen += count_new(part);
        self.at = end;
        Ok(writer.as_bytes().to_vec())
    }
}

/// The least general generalisation of two terms, whose variables are apart.
pub fn generalise(left: &Term, right: &Term) -> Result<Term> {
    let mut left = Side {
        bytes: left.as_bytes(),
        at: 0,
        seen: 0,
    };
    let mut right = Side {
        bytes: right.as_bytes(),
        at: 0,
        seen: 0,
    };
    let mut known: HashMap<(Vec<u8>, Vec<u8>), u32> = HashMap::new();
    let mut writer = Writer::default();
    let mut count = 1_u64;
    while count > 0 {
        count -= 1;
        let ((one, after_one), (other, after_other)) = (left.item()?, right.item()?);
        match (one, other) {
            (Item::Symbol(text), Item::Symbol(same)) if text == same => writer.symbol(text)?,
            (Item::Expression(arity), Item::Expression(same)) if arity == same => {
                writer.expression(arity)?;
                count += u64::from(arity);
            }
            _ => {
                let pair = (left.take()?, right.take()?);
                let next = narrow(known.len());
                match known.get(&pair) {
                    Some(number) => writer.reference(*number)?,
                    None => {
                        writer.new_variable()?;
                        known.insert(pair, next);
                    }
                }
                continue;
            }
        }
        left.step(after_one);
        right.step(after_other);
    }
    Ok(writer.finish())
}
