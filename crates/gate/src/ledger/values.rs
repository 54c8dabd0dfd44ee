//! The ledger's values in the namespace: their names, their seals, and the state that each round commits.
//!
//! ```text
//! Setting  "ledger"             the root: instance id and signing seed, made once, sealed
//! Ledger   "state"              [`State`], sealed
//! Ledger   "checkpoint"         the signed checkpoint, a C2SP note, sealed
//! Ledger   "tile/<L>/<N>"       the hashes of one tile, 32 bytes each, sealed; a partial tile has its full name
//! Ledger   "bundle/<N>"         up to 256 × (length, 4 bytes big-endian ‖ envelope), sealed
//! ```
//!
//! A sealed value is a C2SP chunked-encryption message whose context is `craton/ledger/value/v1`, a zero byte,
//! and the value's name: no value opens under another name. `<N>` is written as in C2SP tlog-tiles.
//!
//! Deliberately absent: when values are written (`integrate`) and what makes them right (`verify`).

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Random, Result, Sequence};
use craton_crypto::{
    SealKey, keys,
    merkle::tile::{self, Tile},
    seal,
};
use craton_store::namespace::{Change, Key, Kind, Namespace};
use prost::Message as _;

use super::tree::Hash;

pub(super) const STATE: &str = "state";
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const ROOT: &str = "ledger";
const CONTEXT: &[u8] = b"craton/ledger/value/v1\0";

/// What each round of the integrator commits with its leaves.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct State {
    /// Leaves in the tree.
    #[prost(uint64, tag = "1")]
    pub(super) size: u64,
    /// The journal is integrated up to here.
    #[prost(uint64, tag = "2")]
    pub(super) journal: u64,
    /// The number of the newest start.
    #[prost(uint64, tag = "3")]
    pub(super) boot: u64,
    /// Its random tag.
    #[prost(fixed64, tag = "4")]
    pub(super) boot_tag: u64,
    /// Whether that start ended with [`super::Ledger::close`].
    #[prost(bool, tag = "5")]
    pub(super) clean: bool,
    /// Which run of the operating system's kernel it was in.
    #[prost(string, tag = "6")]
    pub(super) kernel_boot_id: String,
    /// Every record logged up to here was durable, in microseconds since the epoch.
    #[prost(uint64, tag = "7")]
    pub(super) complete_until_micros: u64,
}

/// What is made once, at the first start.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Root {
    /// The instance: 32 hex digits.
    #[prost(string, tag = "1")]
    pub(super) instance: String,
    /// The Ed25519 seed that signs checkpoints.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) seed: Vec<u8>,
}

/// Opens and seals the values of one ledger.
#[derive(Clone)]
pub(super) struct Values {
    pub(super) namespace: Arc<dyn Namespace>,
    key: SealKey,
}

impl Values {
    pub(super) fn new(namespace: Arc<dyn Namespace>, ledger_key: &SealKey) -> Result<Self> {
        Ok(Self {
            namespace,
            key: keys::derive(ledger_key, b"craton/ledger/values/v1")?,
        })
    }

    /// The value of a name, opened, and the commit that wrote it.
    pub(super) fn get(&self, kind: Kind, name: &[u8]) -> Result<Option<(Vec<u8>, Sequence)>> {
        let Some(entry) = self.namespace.get(&key(kind, name), Sequence::MAX)? else {
            return Ok(None);
        };
        Ok(Some((self.open(name, &entry.value)?, entry.sequence)))
    }

    /// A ledger value that must be there.
    pub(super) fn need(&self, name: &str) -> Result<Vec<u8>> {
        match self.get(Kind::Ledger, name.as_bytes())? {
            Some((value, _)) => Ok(value),
            None => Err(Error::corrupt(format!("the ledger's value {name} is missing"))),
        }
    }

    pub(super) fn open(&self, name: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        seal::open(&self.key, &context(name), sealed).map_err(|e| {
            let name = String::from_utf8_lossy(name);
            Error::corrupt(format!("the ledger's value {name} does not verify")).with_source(e)
        })
    }

    /// The change that writes a value.
    pub(super) fn put(&self, kind: Kind, name: &[u8], value: &[u8], random: &dyn Random) -> Result<Change> {
        let sealed = seal::seal(&self.key, &context(name), value, random)?;
        Ok(Change::Put(key(kind, name), sealed.into()))
    }

    pub(super) fn state(&self) -> Result<Option<(State, Sequence)>> {
        let Some((bytes, sequence)) = self.get(Kind::Ledger, STATE.as_bytes())? else {
            return Ok(None);
        };
        let state = State::decode(bytes.as_slice())
            .map_err(|e| Error::corrupt("the ledger's state does not parse").with_source(e))?;
        Ok(Some((state, sequence)))
    }

    pub(super) fn put_state(&self, state: &State, random: &dyn Random) -> Result<Change> {
        self.put(Kind::Ledger, STATE.as_bytes(), &state.encode_to_vec(), random)
    }

    pub(super) fn root(&self) -> Result<Option<Root>> {
        let Some((bytes, _)) = self.get(Kind::Setting, ROOT.as_bytes())? else {
            return Ok(None);
        };
        let root = Root::decode(bytes.as_slice())
            .map_err(|e| Error::corrupt("the ledger's root does not parse").with_source(e))?;
        Ok(Some(root))
    }

    pub(super) fn put_root(&self, root: &Root, random: &dyn Random) -> Result<Change> {
        self.put(Kind::Setting, ROOT.as_bytes(), &root.encode_to_vec(), random)
    }

    /// The hashes of a tile, at least `count` of them.
    pub(super) fn tile(&self, level: u8, number: u64, count: usize) -> Result<Vec<Hash>> {
        let name = tile_name(level, number);
        let bytes = self.need(&name)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() < count {
            return Err(Error::corrupt(format!("the ledger's value {name} is cut")));
        }
        Ok(hashes.to_vec())
    }
}

/// A key of the ledger.
pub(super) fn key(kind: Kind, name: &[u8]) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind,
        name: Bytes::copy_from_slice(name),
    }
}

/// The name of a tile of hashes.
pub(super) fn tile_name(level: u8, number: u64) -> String {
    full_tile(level, number).map_or_else(String::new, Tile::path)
}

/// The name of a bundle of envelopes.
pub(super) fn bundle_name(number: u64) -> String {
    let path = full_tile(0, number)
        .and_then(Tile::entries_path)
        .unwrap_or_default();
    path.replacen("tile/entries/", "bundle/", 1)
}

/// The coordinates of a full tile; there are none above [`tile::LEVEL_MAX`], which no tree reaches.
fn full_tile(level: u8, number: u64) -> Option<Tile> {
    Tile::new(level, number, tile::WIDTH).ok()
}

fn context(name: &[u8]) -> Vec<u8> {
    [CONTEXT, name].concat()
}
