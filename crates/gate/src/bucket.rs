//! Buckets as the gate knows them: a name, an identity, and the settings that decide how access is
//! recorded.
//!
//! Deliberately absent: S3's bucket sub-resources, which are the objects engine's.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, BucketName, Error, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Key, Kind},
    value::{Stored, Value},
};
use prost::Message;

/// A bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// Its identity; another bucket of the same name has another.
    pub id: BucketId,
    /// When it was made.
    pub created: Timestamp,
    /// The principal that made it.
    pub owner: String,
    /// The region it was made in.
    pub region: String,
    /// Whether a read's record is flushed before the first byte leaves.
    pub strict: bool,
    /// The commit that last changed it.
    pub sequence: Sequence,
}

#[derive(Clone, PartialEq, Message)]
struct BucketRecord {
    #[prost(fixed64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    created_micros: u64,
    #[prost(string, tag = "3")]
    owner: String,
    #[prost(string, tag = "4")]
    region: String,
    #[prost(bool, tag = "5")]
    strict: bool,
}

impl BucketInfo {
    pub(crate) fn key(name: &BucketName) -> Key {
        Key {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::Bucket,
            name: Bytes::copy_from_slice(name.as_str().as_bytes()),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        let record = BucketRecord {
            id: self.id.0,
            created_micros: self.created.micros(),
            owner: self.owner.clone(),
            region: self.region.clone(),
            strict: self.strict,
        };
        Value::of_meta(record.encode_to_vec())
    }

    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        let corrupt = || Error::corrupt("a bucket's entry does not parse");
        let name = std::str::from_utf8(&stored.key.name).map_err(|e| corrupt().with_source(e))?;
        let record = BucketRecord::decode(stored.value.meta.clone()).map_err(|e| corrupt().with_source(e))?;
        Ok(Self {
            name: BucketName::new(name)?,
            id: BucketId(record.id),
            created: Timestamp(record.created_micros),
            owner: record.owner,
            region: record.region,
            strict: record.strict,
            sequence: stored.sequence,
        })
    }
}
