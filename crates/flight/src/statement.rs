//! What a client holds in place of the server: a statement, and the values of its parameters.
//!
//! Invariant: a handle is as good as the statement in it: whoever sends one is asked for rights as with the statement itself.

use arrow_flight::FlightData;
use bytes::{BufMut as _, Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use futures::{Stream, StreamExt as _};
use prost::Message;
use tonic::Status;

use crate::status::status;

/// The most bytes of parameters.
pub(crate) const BOUND_BYTES_MAX: usize = 1 << 20;

/// A prepared statement.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Prepared {
    /// Its text.
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    /// Its parameters as an Arrow stream; empty: none.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) bound: Bytes,
}

impl Prepared {
    /// What a handle holds.
    ///
    /// # Errors
    /// `NotFound`, for what is no handle.
    pub(crate) fn of(handle: &[u8]) -> Result<Self> {
        let text = "there is no such prepared statement";
        Self::decode(handle).map_err(|e| Error::new(Kind::NotFound, "NoSuchStatement", text).with_source(e))
    }

    /// Itself as a handle.
    pub(crate) fn handle(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

/// The values that a client sends, as one Arrow stream; empty if it sends no rows.
///
/// # Errors
/// Of more than [`BOUND_BYTES_MAX`]; the stream's own.
pub(crate) async fn bound(
    mut sent: impl Stream<Item = Result<FlightData, Status>> + Unpin,
) -> Result<Bytes, Status> {
    let mut out = BytesMut::new();
    let mut rows = false;
    while let Some(message) = sent.next().await {
        let FlightData {
            data_header,
            data_body,
            ..
        } = message?;
        if data_header.is_empty() {
            continue;
        }
        let size = data_header.len().saturating_add(data_body.len());
        if out.len().saturating_add(size) > BOUND_BYTES_MAX {
            let text = format!("the parameters of a statement have at most {BOUND_BYTES_MAX} bytes");
            return Err(status(&Error::new(Kind::TooLarge, "EntityTooLarge", text)));
        }
        rows |= !data_body.is_empty();
        put(&mut out, &data_header, &data_body);
    }
    Ok(if rows { out.freeze() } else { Bytes::new() })
}

/// A message as a stream has it: its metadata fills up to eight bytes.
fn put(out: &mut BytesMut, header: &[u8], body: &[u8]) {
    let length = header.len().next_multiple_of(8);
    out.put_u32_le(u32::MAX);
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_slice(header);
    out.put_bytes(0, length.saturating_sub(header.len()));
    out.put_slice(body);
}

#[cfg(test)]
mod tests;
