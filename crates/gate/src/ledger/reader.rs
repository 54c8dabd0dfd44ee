//! Reading the ledger: needs the namespace and the ledger's key, and writes nothing.
//!
//! Deliberately absent: writing (`integrate`), and records that are not in the tree yet.

use std::sync::Arc;

use craton_base::{Error, Kind as ErrorKind, Result};
use craton_crypto::{
    SealKey, merkle,
    merkle::{proof::TileTree, tile::Tile},
    note::{Verifier, checkpoint::Checkpoint},
};
use craton_store::namespace::Namespace;

use super::{
    envelope::{self, Header},
    opener::{Known, Opener},
    record::{Record, RecordId},
    signer_of,
    subjects::Keys,
    tree::{WIDTH, envelopes, partial_of},
    values::{self, CHECKPOINT, Root, Values},
};

/// A ledger, for reading.
pub struct Reader {
    pub(super) values: Values,
    pub(super) keys: Keys,
    pub(super) opener: Opener,
    pub(super) origin: String,
    pub(super) verifier: Verifier,
}

/// A record in its place. `record` is `None` where its subject was erased.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The number of its leaf.
    pub index: u64,
    /// Its id.
    pub id: RecordId,
    /// When it was recorded, in microseconds since the epoch.
    pub time_micros: u64,
    /// What it says.
    pub record: Option<Record>,
}

impl Reader {
    /// A reader of the ledger in a namespace; `key` is the ledger's.
    ///
    /// # Errors
    /// `NotFound` if there is no ledger; `Corrupt`; the engine's own.
    pub fn open(namespace: Arc<dyn Namespace>, key: &SealKey) -> Result<Self> {
        let values = Values::new(namespace, key)?;
        let none = || Error::new(ErrorKind::NotFound, "NoLedger", "there is no ledger here");
        let root = values.root()?.ok_or_else(none)?;
        Self::new(values, key, &root)
    }

    pub(super) fn new(values: Values, key: &SealKey, root: &Root) -> Result<Self> {
        let signer = signer_of(root)?;
        Ok(Self {
            keys: Keys::new(values.clone(), key)?,
            values,
            opener: Opener::new(),
            origin: signer.verifier().name().to_owned(),
            verifier: signer.verifier().clone(),
        })
    }

    /// The name of this log, as checkpoints have it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that verifies checkpoints: `<origin>+<key id>+<key>`.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The newest signed checkpoint: its text, and what it says.
    ///
    /// # Errors
    /// `Corrupt`; the engine's own.
    pub fn checkpoint(&self) -> Result<(String, Checkpoint)> {
        let note = String::from_utf8(self.values.need(CHECKPOINT)?)
            .map_err(|e| Error::corrupt("the ledger's checkpoint is not text").with_source(e))?;
        let checkpoint = Checkpoint::verify(&note, &self.origin, std::slice::from_ref(&self.verifier))
            .map_err(|e| {
                Error::corrupt("the ledger's checkpoint is not signed by the ledger's key").with_source(e)
            })?;
        Ok((note, checkpoint))
    }

    /// The tree at a size, to make proofs from.
    pub(super) fn tree(&self, size: u64) -> TileTree<impl FnMut(Tile) -> Result<Vec<u8>>> {
        TileTree::new(size, |tile| {
            self.values.need(&values::tile_name(tile.level(), tile.index()))
        })
    }

    /// The proof that the tree of `size` leaves begins with the one of `old` leaves (RFC 6962).
    ///
    /// # Errors
    /// `Invalid` if the sizes are not in order or larger than the ledger; `Corrupt`; the engine's own.
    pub fn consistency(&self, old: u64, size: u64) -> Result<Vec<merkle::Hash>> {
        if size > self.checkpoint()?.1.size {
            return Err(Error::invalid("the ledger has fewer records"));
        }
        self.tree(size).consistency(old)
    }

    /// The envelopes of a bundle of a tree of `size` leaves.
    pub(super) fn bundle(&self, number: u64, size: u64) -> Result<Vec<Vec<u8>>> {
        let name = values::bundle_name(number);
        let bytes = self.values.need(&name)?;
        let cut = || Error::corrupt(format!("the ledger's value {name} is cut"));
        let out: Vec<_> = envelopes(&bytes)
            .take(WIDTH.saturating_add(1))
            .map(|envelope| envelope.map(<[u8]>::to_vec))
            .collect::<Option<_>>()
            .ok_or_else(cut)?;
        let least = match number == size / WIDTH as u64 {
            true => partial_of(size),
            false => WIDTH,
        };
        match (least..=WIDTH).contains(&out.len()) {
            true => Ok(out),
            false => Err(cut()),
        }
    }

    /// Reads the record of an envelope.
    pub(super) fn entry(&self, index: u64, envelope: &[u8]) -> Result<Entry> {
        let header = Header::read(envelope).map_err(|e| at(index, e))?;
        let record = self
            .record(&header, envelope)
            .map_err(|e| at(index, e))?
            .map(|opened| opened.record);
        Ok(Entry {
            index,
            id: header.id(),
            time_micros: header.time_micros,
            record,
        })
    }

    /// Opens an envelope; `None` if its subject was erased.
    pub(super) fn record(&self, header: &Header, envelope: &[u8]) -> Result<Option<envelope::Opened>> {
        match self.opener.key(header, &self.keys)? {
            Known::Key(key) => envelope::open(envelope, header, &key).map(Some),
            Known::Erased => Ok(None),
            Known::Lost => Err(Error::corrupt(format!(
                "the subject key {} is lost",
                hex::encode(header.subject)
            ))),
        }
    }
}

/// Says which record an error is about.
pub(super) fn at(index: u64, error: Error) -> Error {
    Error::corrupt(format!(
        "the ledger's record {index} does not verify: {}",
        error.message()
    ))
    .with_source(error)
}
