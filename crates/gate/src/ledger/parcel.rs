//! A sealed record on its way to the tree: what a journal frame and a pending entry hold.
//!
//! ```text
//! 0  1  0: no definition; 1: a subject's definition follows
//! 1  8  when it was logged, microseconds since the epoch, big-endian
//! 9  …  definition: id(16) ‖ lookup(32) ‖ wrapped key(73)
//!    …  envelope
//! ```
//!
//! The integrator drops everything but the envelope.

use craton_base::{Error, Result};
use craton_crypto::keys::WRAPPED_LEN;

use super::{
    envelope::{ENVELOPE_BYTES_MAX, Header},
    subjects::Definition,
};

/// A parcel fits into a journal record and a bundle of them into a value, whatever a request says.
const _: () = {
    let parcel_bytes_max = 9 + 16 + 32 + WRAPPED_LEN + ENVELOPE_BYTES_MAX;
    assert!(parcel_bytes_max < craton_store::journal::RECORD_BYTES_MAX);
    assert!((ENVELOPE_BYTES_MAX + 4) * 256 < craton_store::namespace::VALUE_BYTES_MAX / 2);
};

/// A parcel that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parcel {
    pub(super) logged_micros: u64,
    pub(super) definition: Option<Definition>,
    pub(super) envelope: Vec<u8>,
    pub(super) header: Header,
}

/// Begins a parcel; the envelope is appended to it.
pub(super) fn begin(definition: Option<&Definition>) -> Vec<u8> {
    let mut out = Vec::with_capacity(768);
    out.push(u8::from(definition.is_some()));
    out.extend_from_slice(&[0; 8]);
    if let Some(Definition { id, lookup, wrapped }) = definition {
        out.extend_from_slice(id);
        out.extend_from_slice(lookup);
        out.extend_from_slice(wrapped);
    }
    out
}

/// Notes when it was logged.
pub(super) fn stamp(parcel: &mut [u8], logged_micros: u64) {
    for (to, from) in parcel.iter_mut().skip(1).zip(logged_micros.to_be_bytes()) {
        *to = from;
    }
}

/// Reads a parcel.
pub(super) fn read(bytes: &[u8]) -> Result<Parcel> {
    let wrong = || Error::corrupt("a record on its way to the ledger's tree has no known form");
    let (flag, rest) = bytes.split_first().ok_or_else(wrong)?;
    let (logged, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (definition, envelope) = match flag {
        0 => (None, rest),
        1 => {
            let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
            let (lookup, rest) = rest.split_first_chunk::<32>().ok_or_else(wrong)?;
            let (wrapped, rest) = rest.split_first_chunk::<WRAPPED_LEN>().ok_or_else(wrong)?;
            (
                Some(Definition {
                    id: *id,
                    lookup: *lookup,
                    wrapped: *wrapped,
                }),
                rest,
            )
        }
        _ => return Err(wrong()),
    };
    let header = Header::read(envelope)?;
    let logged_micros = u64::from_be_bytes(*logged);
    Ok(Parcel {
        logged_micros,
        definition,
        envelope: envelope.to_vec(),
        header,
    })
}

/// Reads the parcel of a pending entry: it has the name of its record, and was logged when it was made.
pub(super) fn read_pending(name: &[u8], bytes: &[u8]) -> Result<Parcel> {
    let parcel = read(bytes)?;
    match parcel.header.id().to_bytes() == *name && parcel.logged_micros == parcel.header.time_micros {
        true => Ok(parcel),
        false => Err(Error::corrupt(
            "a pending record of the ledger is not the one of its name",
        )),
    }
}
