//! A sealed record: what the journal, the pending entries and the record bundles hold.
//!
//! ```text
//!  0   1  format, 1
//!  1  16  subject: which subject key seals it, a random id
//! 17   8  start number, big-endian      ┐ the record's id
//! 25   8  counter, big-endian           ┘
//! 33   8  start tag: random, one for each start
//! 41   8  time, microseconds since the epoch, big-endian
//! 49  32  commitment: SHA-256(salt ‖ record)
//! 81   …  AES-256-GCM(salt(16) ‖ record) ‖ tag(16)
//!         key   = derive(subject key, "craton/ledger/record/v1\0" ‖ start number ‖ start tag)
//!         nonce = counter; associated data = bytes 0..81
//! ```
//!
//! The leaf of the tree is SHA-256 of the envelope, so the tree never holds anything that a person's record
//! could be guessed from, and an envelope whose key is erased still verifies. The commitment ties the
//! readable record to the leaf without a key (a receipt shows salt and record); the salt is sealed with the
//! record, so that after an erasure nobody can test guesses against the commitment.
//!
//! Invariant: no (key, nonce) pair seals twice: the key is one start's, the counter only grows in it.

use craton_base::{Error, Result};
use craton_crypto::{SealKey, counted::CountedKey, hash, keys};

use super::record::{RECORD_BYTES_MAX, Record, RecordId};

/// Bytes before the ciphertext.
pub(super) const HEADER: usize = 81;
/// Bytes of a salt.
pub(super) const SALT: usize = 16;
/// The most bytes of an envelope.
pub(super) const ENVELOPE_BYTES_MAX: usize = HEADER + SALT + RECORD_BYTES_MAX + TAG;

const TAG: usize = craton_crypto::counted::TAG;
const FORMAT: u8 = 1;
const RECORD_LABEL: &[u8] = b"craton/ledger/record/v1\0";

/// Which subject key seals a record.
pub(super) type SubjectId = [u8; 16];

/// One start of the ledger, as far as sealing goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Boot {
    /// From 1, one more at each start.
    pub(super) number: u64,
    /// Random: tells starts apart even if a restored backup repeats the number.
    pub(super) tag: [u8; 8],
}

/// The clear part of an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) subject: SubjectId,
    pub(super) boot: Boot,
    pub(super) counter: u64,
    pub(super) time_micros: u64,
    pub(super) commitment: [u8; 32],
}

impl Header {
    pub(super) const fn id(&self) -> RecordId {
        RecordId {
            boot: self.boot.number,
            counter: self.counter,
        }
    }

    /// Reads the clear part. Not authenticated: that is done by opening, or by the tree.
    pub(super) fn read(envelope: &[u8]) -> Result<Self> {
        let wrong = || Error::corrupt("a record of the ledger has no known form");
        if envelope.len() < HEADER + SALT + TAG || envelope.len() > ENVELOPE_BYTES_MAX {
            return Err(wrong());
        }
        let [FORMAT, rest @ ..] = envelope else {
            return Err(wrong());
        };
        let (subject, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        let (number, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (counter, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (tag, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (time, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (commitment, _) = rest.split_first_chunk::<32>().ok_or_else(wrong)?;
        Ok(Self {
            subject: *subject,
            boot: Boot {
                number: u64::from_be_bytes(*number),
                tag: *tag,
            },
            counter: u64::from_be_bytes(*counter),
            time_micros: u64::from_be_bytes(*time),
            commitment: *commitment,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&self.subject);
        out.extend_from_slice(&self.boot.number.to_be_bytes());
        out.extend_from_slice(&self.counter.to_be_bytes());
        out.extend_from_slice(&self.boot.tag);
        out.extend_from_slice(&self.time_micros.to_be_bytes());
        out.extend_from_slice(&self.commitment);
    }
}

/// The key of one subject for one start.
pub(super) fn record_key(subject: &SealKey, boot: Boot) -> Result<CountedKey> {
    let mut label = RECORD_LABEL.to_vec();
    label.extend_from_slice(&boot.number.to_be_bytes());
    label.extend_from_slice(&boot.tag);
    CountedKey::new(&keys::derive(subject, &label)?)
}

/// The data of the tree's leaf for an envelope.
pub(super) fn leaf_data(envelope: &[u8]) -> [u8; 32] {
    hash::sha256(envelope)
}

/// Seals `record`, whose id and time are set, and appends the envelope to `out`.
pub(super) fn seal(
    record: &Record,
    subject: SubjectId,
    tag: [u8; 8],
    key: &CountedKey,
    salt: [u8; SALT],
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    out.resize(start.saturating_add(HEADER), 0);
    out.extend_from_slice(&salt);
    record.to_bytes(out)?;
    let (_, whole) = out.split_at_mut_checked(start).ok_or_else(impossible)?;
    let (head, message) = whole.split_at_mut_checked(HEADER).ok_or_else(impossible)?;
    let header = Header {
        subject,
        boot: Boot {
            number: record.boot,
            tag,
        },
        counter: record.counter,
        time_micros: record.time_micros,
        commitment: hash::sha256(message),
    };
    let mut clear = Vec::with_capacity(HEADER);
    header.write(&mut clear);
    head.copy_from_slice(&clear);
    let sealed = key.seal(record.counter, head, message)?;
    out.extend_from_slice(&sealed);
    Ok(())
}

/// An opened envelope.
pub(super) struct Opened {
    pub(super) record: Record,
    /// The salt and then the record's bytes: what the commitment is the hash of.
    pub(super) message: Vec<u8>,
}

/// Opens an envelope and checks that everything in it agrees.
pub(super) fn open(envelope: &[u8], header: &Header, key: &CountedKey) -> Result<Opened> {
    let (head, sealed) = envelope.split_at_checked(HEADER).ok_or_else(impossible)?;
    let message = key.open(header.counter, head, sealed)?;
    let record = check(header, &message)?;
    Ok(Opened { record, message })
}

/// Checks the salt and record against the clear part, and parses the record.
pub(super) fn check(header: &Header, message: &[u8]) -> Result<Record> {
    if !hash::equal(&hash::sha256(message), &header.commitment) {
        return Err(Error::corrupt(
            "a record of the ledger is not the one that was committed to",
        ));
    }
    let (_, bytes) = message
        .split_at_checked(SALT)
        .ok_or_else(|| Error::corrupt("a record of the ledger is too short"))?;
    let record = Record::from_bytes(bytes)?;
    match record.id() == header.id() && record.time_micros == header.time_micros {
        true => Ok(record),
        false => Err(Error::corrupt("a record of the ledger contradicts its envelope")),
    }
}

fn impossible() -> Error {
    Error::internal("an envelope has the wrong length")
}

#[cfg(test)]
mod tests;
