//! Receipts: one record with the proof that it is in the ledger, for somebody who has only the ledger's
//! verifier key.
//!
//! A receipt is JSON. What it proves: the record's bytes with their salt hash to the commitment in the envelope; the
//! envelope hashes to the leaf; the proof leads from the leaf to the root; the ledger signed the root. No
//! key that opens other records is given out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use craton_base::{Error, Result};
use craton_crypto::{
    merkle::{
        self, Hash,
        proof::{PROOF_MAX, verify_inclusion},
    },
    note::{Verifier, checkpoint::Checkpoint},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    envelope::{self, Header, SALT},
    reader::{Entry, Reader, at},
};

const FORMAT: &str = "craton-receipt/v1";
/// The most bytes of a receipt.
const RECEIPT_BYTES_MAX: usize = 256 << 10;

/// A record with its proof; bytes are base64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Which form this is.
    pub format: String,
    /// The record, readable; says the same as `record_bytes`.
    pub record: Value,
    /// The record as it was committed to: a protocol-buffers message, see `docs/formats.md`.
    pub record_bytes: String,
    /// The salt of the commitment.
    pub salt: String,
    /// The sealed record; its SHA-256 is the leaf's data.
    pub envelope: String,
    /// The number of the leaf.
    pub index: u64,
    /// The inclusion proof (RFC 6962), from the leaf upwards.
    pub proof: Vec<String>,
    /// The signed checkpoint that the proof leads to.
    pub checkpoint: String,
}

impl Reader {
    /// The receipt of a record.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if its subject was erased; `Corrupt`; the engine's own.
    pub fn prove(&self, index: u64) -> Result<Receipt> {
        let (note, checkpoint) = self.checkpoint()?;
        let envelope = self.envelope(index, checkpoint.size)?;
        let header = Header::read(&envelope).map_err(|e| at(index, e))?;
        let erased = || Error::invalid(format!("the ledger's record {index} was erased with its subject"));
        let opened = self
            .record(&header, &envelope)
            .map_err(|e| at(index, e))?
            .ok_or_else(erased)?;
        let (salt, bytes) = opened.message.split_at_checked(SALT).unwrap_or_default();
        let receipt = Receipt {
            format: FORMAT.to_owned(),
            record: opened.record.to_json(),
            record_bytes: STANDARD.encode(bytes),
            salt: STANDARD.encode(salt),
            envelope: STANDARD.encode(&envelope),
            index,
            proof: self
                .tree(checkpoint.size)
                .inclusion(index)?
                .iter()
                .map(|hash| STANDARD.encode(hash))
                .collect(),
            checkpoint: note,
        };
        // A receipt that would not verify means that a tile has changed.
        receipt.verify(&self.verifier).map_err(|e| at(index, e))?;
        Ok(receipt)
    }
}

impl Receipt {
    /// As JSON.
    ///
    /// # Errors
    /// `Internal` if it does not encode.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|e| Error::internal("a receipt does not encode").with_source(e))
    }

    /// Reads one from JSON; verifies nothing.
    ///
    /// # Errors
    /// `Invalid` if it is not a receipt.
    pub fn from_json(json: &str) -> Result<Self> {
        if json.len() > RECEIPT_BYTES_MAX {
            return Err(refused("it is too large"));
        }
        serde_json::from_str(json).map_err(|e| refused("it does not parse").with_source(e))
    }

    /// Verifies it, and gives the record.
    ///
    /// # Errors
    /// `Corrupt`, `ReceiptRefused`, with what does not hold.
    pub fn verify(&self, verifier: &Verifier) -> Result<Entry> {
        if self.format != FORMAT {
            return Err(refused("its form is not known"));
        }
        let (envelope, salt) = (decode(&self.envelope)?, decode(&self.salt)?);
        let header =
            Header::read(&envelope).map_err(|e| refused("its envelope has no known form").with_source(e))?;
        let message = [salt.as_slice(), &decode(&self.record_bytes)?].concat();
        if salt.len() != SALT {
            return Err(refused("its salt has the wrong length"));
        }
        let record = envelope::check(&header, &message)
            .map_err(|e| refused("its record is not the one of its envelope").with_source(e))?;
        if record.to_json() != self.record {
            return Err(refused("its readable record is not the recorded one"));
        }
        let checkpoint =
            Checkpoint::verify(&self.checkpoint, verifier.name(), std::slice::from_ref(verifier))
                .map_err(|e| refused("its checkpoint is not signed by the ledger").with_source(e))?;
        let leaf = merkle::leaf_hash(&envelope::leaf_data(&envelope));
        verify_inclusion(
            &leaf,
            self.index,
            checkpoint.size,
            &self.hashes()?,
            &checkpoint.root,
        )
        .map_err(|e| refused("its proof does not lead to the signed root").with_source(e))?;
        Ok(Entry {
            index: self.index,
            id: header.id(),
            time_micros: header.time_micros,
            record: Some(record),
        })
    }

    fn hashes(&self) -> Result<Vec<Hash>> {
        if self.proof.len() > PROOF_MAX {
            return Err(refused("its proof is too long"));
        }
        let hash = |text: &String| {
            decode(text)?
                .try_into()
                .map_err(|_| refused("its proof has a hash of the wrong length"))
        };
        self.proof.iter().map(hash).collect()
    }
}

/// Verifies a receipt with nothing but the ledger's verifier key (`<origin>+<key id>+<key>`), and gives the record.
///
/// # Errors
/// `Invalid` if the receipt or the key does not parse; `Corrupt`, `ReceiptRefused`.
pub fn verify_receipt(json: &str, verifier_key: &str) -> Result<Entry> {
    Receipt::from_json(json)?.verify(&verifier_key.parse()?)
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|e| refused("it has a value that is not base64").with_source(e))
}

fn refused(why: &str) -> Error {
    Error::new(
        craton_base::Kind::Corrupt,
        "ReceiptRefused",
        format!("the receipt does not verify: {why}"),
    )
}
