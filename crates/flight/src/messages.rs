//! Arrow's stream as messages of Flight: the same bytes, cut where a message begins.
//!
//! Source: Apache Arrow columnar format, "Encapsulated message format"; Arrow Flight RPC, `FlightData`.

use arrow_flight::FlightData;
use arrow_ipc::root_as_message;
use bytes::{Buf as _, Bytes, BytesMut};
use craton_base::{Error, Result};

/// What a message begins with.
const CONTINUATION: u32 = u32::MAX;

/// Bytes before a message's metadata: the mark above and its length.
const PREFIX: usize = 8;

/// Cuts a stream that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// What is not a whole message yet.
    rest: BytesMut,
}

fn broken(what: &str) -> Error {
    Error::internal(format!("the stream of an answer is broken: {what}"))
}

impl Messages {
    /// The messages that end in `piece`.
    ///
    /// # Errors
    /// `Internal` for what is no stream of Arrow's.
    pub(crate) fn cut(&mut self, piece: &Bytes) -> Result<Vec<FlightData>> {
        let mut bytes = if self.rest.is_empty() {
            piece.clone()
        } else {
            self.rest.extend_from_slice(piece);
            self.rest.split().freeze()
        };
        let mut out = Vec::new();
        while let Some((message, length)) = first(&bytes)? {
            bytes.advance(length);
            out.extend(message);
        }
        self.rest.extend_from_slice(&bytes);
        Ok(out)
    }
}

/// The first message, unless it is the end of the stream, and all bytes of it; `None` if it is not whole.
fn first(bytes: &Bytes) -> Result<Option<(Option<FlightData>, usize)>> {
    let Some((mut prefix, rest)) = bytes.split_at_checked(PREFIX) else {
        return Ok(None);
    };
    if prefix.get_u32_le() != CONTINUATION {
        return Err(broken("a message without its mark"));
    }
    let length = usize::try_from(prefix.get_u32_le()).map_err(|_| broken("a length"))?;
    if length == 0 {
        return Ok(Some((None, PREFIX)));
    }
    let Some(header) = rest.get(..length) else {
        return Ok(None);
    };
    let message = root_as_message(header).map_err(|e| broken(&format!("a header: {e}")))?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| broken("a body's length"))?;
    let begins = PREFIX.saturating_add(length);
    let ends = begins.saturating_add(body);
    if bytes.len() < ends {
        return Ok(None);
    }
    let data = FlightData::new()
        .with_data_header(bytes.slice(PREFIX..begins))
        .with_data_body(bytes.slice(begins..ends));
    Ok(Some((Some(data), ends)))
}

#[cfg(test)]
mod tests;
