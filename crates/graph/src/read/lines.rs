//! Lines with their numbers, of a bounded length.

use std::io::{BufRead, Read};

use craton_base::{Error, Kind, Result};

use super::buffered;

/// Longest line, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;
const PROGRESS_LINES: u64 = 4096;

/// Calls `each` with every line and its number, without line end.
pub(super) fn each_line(
    input: impl Read,
    progress: &mut dyn FnMut(u64) -> Result<()>,
    mut each: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut input = buffered(input);
    let (mut line, mut number, mut bytes) = (Vec::new(), 0_u64, 0_u64);
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
        each(number, text.strip_suffix(b"\r").unwrap_or(text))?;
        if number.is_multiple_of(PROGRESS_LINES) {
            progress(bytes)?;
        }
    }
}
