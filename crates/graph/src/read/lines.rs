//! Lines with their numbers, of a bounded length.

use std::io::{BufRead, Read};

use craton_base::{Error, Kind, Result};

use super::buffered;
use crate::sink::Mark;

/// Longest line, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;
const PROGRESS_LINES: u64 = 4096;

/// Where a line is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its number, from 1.
    pub(super) number: u64,
    /// How many bytes lie before it.
    pub(super) start: u64,
    /// The same with it and its end.
    pub(super) end: u64,
}

impl Place {
    /// The mark after the line.
    pub(super) const fn after(self, rows: u64) -> Mark {
        Mark {
            bytes: self.end,
            lines: self.number,
            rows,
        }
    }
}

/// Calls `each` with every line, without line end, of an input that goes on at `start`.
pub(super) fn each_line(
    start: Mark,
    input: impl Read,
    progress: &mut dyn FnMut(u64) -> Result<()>,
    mut each: impl FnMut(Place, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut input = buffered(input);
    let (mut line, mut number, mut bytes) = (Vec::new(), start.lines, 0_u64);
    loop {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|error| {
                Error::new(Kind::Unavailable, "InputUnavailable", "the input can not be read")
                    .with_source(error)
            })?;
        if read == 0 {
            return progress(bytes);
        }
        number += 1;
        bytes += read as u64;
        if line.len() > LINE_BYTES_MAX {
            let message = format!("line {number} is longer than {LINE_BYTES_MAX} bytes");
            return Err(Error::new(Kind::TooLarge, "LineTooLong", message));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let end = start.bytes.saturating_add(bytes);
        let place = Place {
            number,
            start: end.saturating_sub(read as u64),
            end,
        };
        each(place, text.strip_suffix(b"\r").unwrap_or(text))?;
        if number.is_multiple_of(PROGRESS_LINES) {
            progress(bytes)?;
        }
    }
}
