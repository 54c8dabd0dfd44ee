//! CSV (RFC 4180) and tab-separated values.
//!
//! A comma-separated field may stand in quotes, with doubled quotes and line ends in it. Tab-separated
//! fields are what stands between tabs.

use std::io::Read;

use craton_base::Result;

use super::{
    Out, Trouble, bad,
    lines::{LINE_BYTES_MAX, each_line},
};

pub(super) fn load(
    input: impl Read,
    relation: &[u8],
    delimiter: u8,
    header: bool,
    out: &mut Out<'_>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut row = Row::default();
    let mut width = usize::try_from(out.start.rows)
        .ok()
        .filter(|columns| *columns > 0);
    let mut began = 1;
    each_line(out.start, input, progress, |place, line| {
        if !row.unfinished {
            row.clear();
            began = place.number;
        }
        let done = row.add(line, delimiter).and_then(|()| {
            if row.unfinished || row.ends.is_empty() {
                return Ok(());
            }
            let fields = row.ends.len();
            let columns = *width.get_or_insert(fields);
            if columns != fields {
                return Err(bad(format!("{fields} fields where there are {columns} columns")));
            }
            if header && began == 1 {
                Ok(())
            } else {
                out.fact(relation, row.fields())
            }
        });
        if done.is_err() {
            row.unfinished = false;
        }
        out.settle(began, done)?;
        if !row.unfinished {
            out.sink.reached(place.after(width.unwrap_or_default() as u64));
        }
        Ok(())
    })?;
    if row.unfinished {
        out.settle(began, Err(bad("a quoted field without its end")))?;
    }
    Ok(())
}

/// The fields of a row, one after the other.
#[derive(Default)]
struct Row {
    text: Vec<u8>,
    ends: Vec<usize>,
    unfinished: bool,
}

impl Row {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// Adds a line: a whole row, or the next part of one whose quoted field holds line ends.
    fn add(&mut self, line: &[u8], delimiter: u8) -> Result<(), Trouble> {
        if delimiter == b'\t' {
            if !line.is_empty() {
                for field in line.split(|byte| *byte == delimiter) {
                    self.text.extend_from_slice(field);
                    self.ends.push(self.text.len());
                }
            }
            return Ok(());
        }
        let mut rest = line;
        if self.unfinished {
            self.text.push(b'\n');
            if self.text.len() > LINE_BYTES_MAX {
                return Err(bad("a row longer than a line may be"));
            }
            match self.quoted(rest, delimiter)? {
                Some(after) => rest = after,
                None => return Ok(()),
            }
        } else if line.is_empty() {
            return Ok(());
        } else {
            match self.field(rest, delimiter)? {
                Some(after) => rest = after,
                None => return Ok(()),
            }
        }
        while let Some((_, next)) = rest.split_first() {
            match self.field(next, delimiter)? {
                Some(after) => rest = after,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads one field; what is left begins with the delimiter or is empty. Nothing: it goes on in the
    /// next line.
    fn field<'l>(&mut self, text: &'l [u8], delimiter: u8) -> Result<Option<&'l [u8]>, Trouble> {
        if let Some(inside) = text.strip_prefix(b"\"") {
            return self.quoted(inside, delimiter);
        }
        let end = memchr::memchr(delimiter, text).unwrap_or(text.len());
        let (field, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
        self.text.extend_from_slice(field);
        self.ends.push(self.text.len());
        Ok(Some(rest))
    }

    fn quoted<'l>(&mut self, mut text: &'l [u8], delimiter: u8) -> Result<Option<&'l [u8]>, Trouble> {
        loop {
            let Some(end) = memchr::memchr(b'"', text) else {
                self.text.extend_from_slice(text);
                self.unfinished = true;
                return Ok(None);
            };
            let (before, after) = text.split_at_checked(end).unwrap_or((text, &[]));
            self.text.extend_from_slice(before);
            text = after.strip_prefix(b"\"").unwrap_or_default();
            if let Some(more) = text.strip_prefix(b"\"") {
                self.text.push(b'"');
                text = more;
                continue;
            }
            self.unfinished = false;
            self.ends.push(self.text.len());
            if text.first().is_some_and(|byte| *byte != delimiter) {
                return Err(bad("text after the closing quote of a field"));
            }
            return Ok(Some(text));
        }
    }
}
