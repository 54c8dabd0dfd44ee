//! What a load borrows: prefixes that its facts have in common, read off the ends of its sorted runs.
//!
//! Deliberately absent: borrowing.

use craton_base::Result;
use craton_gate::PARTS_MAX;

use super::Delta;
use crate::{Form, Id, Names as _, Shape, dictionary::Dictionary, prefix::Prefixes, print};

/// The most items of a prefix that a load borrows.
const COMMON_MAX: usize = 4;
/// The longest of them, in bytes.
const COMMON_BYTES_MAX: usize = 100;

/// Few prefixes that cover all changes: what the facts of each run have in common.
pub(super) fn covering(delta: &Delta, names: &Dictionary) -> Result<Prefixes> {
    let mut out = Prefixes::default();
    for (table, run) in delta
        .adds
        .iter()
        .chain(&delta.removes)
        .filter(|(_, run)| run.rows() > 0)
    {
        let (first, last) = (run.segments().first(), run.segments().last());
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        if table.shape != Shape::Fact {
            out.insert(String::new());
            continue;
        }
        let mut prefix = "(".to_owned();
        let common = first
            .info()
            .first
            .iter()
            .zip(&last.info().last)
            .take_while(|(a, b)| a == b);
        // The last item of a fact has no space after it.
        for (id, _) in common.take(table.items.saturating_sub(1).min(COMMON_MAX)) {
            let mut text = Vec::new();
            if !matches!(Id(*id).form(), Some(Form::Symbol(_) | Form::Integer(_))) {
                break;
            }
            names.text(Id(*id), &mut text)?;
            let mut printed = Vec::new();
            print::symbol(&text, &mut printed);
            match String::from_utf8(printed) {
                Ok(item) if item.len() < COMMON_BYTES_MAX && !item.contains('\0') => {
                    prefix.push_str(&item);
                    prefix.push(' ');
                }
                _ => break,
            }
        }
        out.insert(prefix);
    }
    Ok(out.at_most(PARTS_MAX))
}
