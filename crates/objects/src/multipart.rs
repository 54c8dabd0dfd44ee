//! Uploads in parts.
//!
//! ```text
//! entry Upload   key 0x00 id            while the upload is open
//! entry Part     key 0x00 id number     for each part; its content is sealed for the object's name
//! entry Object   key                    made by completing: one commit that adopts the parts' content
//!                                       and removes the upload and all its parts
//! ```
//!
//! Invariants
//! - a part is committed only while its upload is open (the commit expects the upload's entry);
//! - of a complete and an abort, or two completes, exactly one commit succeeds; a complete that is sent
//!   again after it succeeded answers the same;
//! - parts that slip in between a reading of the parts and the commit that closes the upload are
//!   removed afterwards.

use bytes::Bytes;
use craton_base::ObjectKey;
use craton_gate::{Kind, Permit, Stored};

use crate::{Error, Result, meta::UploadMeta};

mod complete;
mod create;
mod part;
mod show;

pub(crate) use complete::abort_some;
pub use complete::{Complete, CompletedPart, abort, complete};
pub use create::{Create, create};
pub use part::{PartSource, UploadedPart, upload_part, upload_part_copy};
pub use show::{
    ListedPart, ListedUpload, PartsPage, UploadsAfter, UploadsListing, UploadsPage, list_parts, list_uploads,
};

/// The highest part number.
pub const PARTS_MAX: u32 = 10_000;

/// The smallest part but the last, in bytes: 5 MiB.
pub const PART_BYTES_MIN: u64 = 5 << 20;

/// The largest object, in bytes: 5 TiB.
pub const OBJECT_BYTES_MAX: u64 = 5 << 40;

/// Length of an upload id, in bytes.
const ID_BYTES: usize = 16;

/// An upload's identity: 8 bytes of time, so that uploads of one key are listed in the order they
/// were begun, and 8 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UploadId([u8; ID_BYTES]);

impl UploadId {
    /// Reads the text form.
    ///
    /// # Errors
    /// `NoSuchUpload`: what is not an id names no upload.
    pub fn parse(text: &str) -> Result<Self> {
        let mut id = [0; ID_BYTES];
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Error::no_such_upload());
        }
        hex::decode_to_slice(text, &mut id).map_err(|_| Error::no_such_upload())?;
        Ok(Self(id))
    }

    /// The text form: 32 lower-case hex digits.
    #[must_use]
    pub fn to_text(self) -> String {
        hex::encode(self.0)
    }

    /// The name of the upload's entry.
    fn name(self, key: &ObjectKey) -> Bytes {
        [key.as_str().as_bytes(), &[0], &self.0].concat().into()
    }

    /// The name of a part's entry.
    fn part_name(self, key: &ObjectKey, number: u16) -> Bytes {
        [key.as_str().as_bytes(), &[0], &self.0, &number.to_be_bytes()]
            .concat()
            .into()
    }

    /// The names after all of the upload's parts.
    fn parts_end(self, key: &ObjectKey) -> Bytes {
        self.part_name(key, u16::MAX)
    }
}

/// Checks a part's number.
///
/// # Errors
/// `InvalidArgument`.
pub fn part_number(number: i64) -> Result<u16> {
    let valid = (1..=i64::from(PARTS_MAX)).contains(&number);
    u16::try_from(number).ok().filter(|_| valid).ok_or_else(|| {
        let message = format!("Part number must be an integer between 1 and {PARTS_MAX}, inclusive");
        Error::argument("partNumber", number.to_string(), message)
    })
}

/// An open upload.
fn open(permit: &Permit, key: &ObjectKey, id: UploadId) -> Result<(Stored, UploadMeta)> {
    permit.bucket()?;
    let stored = permit
        .entry(Kind::Upload, &id.name(key))?
        .ok_or_else(Error::no_such_upload)?;
    let meta = UploadMeta::read(&stored.value.meta)?;
    Ok((stored, meta))
}

#[cfg(test)]
mod tests;
