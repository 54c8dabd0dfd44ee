//! Opening the content of one entry: the keys of its extents, kept if they may be, and what is sealed inline.
//!
//! Invariant: what a client's own key opened is kept nowhere; what another second key opened is found again only by who has that key.
//!
//! Deliberately absent: reading blobs ([`crate::content`]).

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use craton_base::{Error, Result};
use craton_crypto::{hash, keys, seal};

use super::{SecondKey, Store, extent_context, extent_key, with_second};
use crate::{content::Piece, namespace::Key, opened::Opened, value::Extent};

/// What opens the content of one entry.
pub(super) struct Opening<'a> {
    store: &'a Store,
    owner: &'a Key,
    bucket_key: Arc<keys::SealKey>,
    second: Option<&'a SecondKey>,
    /// Shows, in the names of what is kept, that the caller has the second key; empty if there is none.
    shown: Vec<u8>,
    /// What extents' keys are wrapped under, once it is needed.
    wrapping: OnceLock<Arc<keys::SealKey>>,
}

impl Store {
    pub(super) fn opening<'a>(
        &'a self,
        owner: &'a Key,
        second: Option<&'a SecondKey>,
    ) -> Result<Opening<'a>> {
        Ok(Opening {
            store: self,
            owner,
            bucket_key: self.bucket_keys.get(owner.bucket)?,
            second,
            shown: second.map_or_else(Vec::new, |second| hash::sha256(second.key.expose()).to_vec()),
            wrapping: OnceLock::new(),
        })
    }
}

impl Opening<'_> {
    fn wrapping(&self) -> Result<&keys::SealKey> {
        if let Some(known) = self.wrapping.get() {
            return Ok(known);
        }
        let wrapping = with_second(self.bucket_key.clone(), self.second.map(|second| &second.key))?;
        Ok(self.wrapping.get_or_init(|| wrapping))
    }

    /// What `open` makes of an extent, or what it made of it lately; `header` is what that depends on besides.
    fn known<T>(
        &self,
        kept: &Opened<T>,
        (extent, context, header): (&Extent, &[u8], &[u8]),
        open: impl FnOnce(keys::SealKey) -> Result<T>,
    ) -> Result<Arc<T>> {
        let open = || open(extent_key(self.wrapping()?, extent, context)?);
        match self.second {
            Some(second) if second.is_of_client => open().map(Arc::new),
            _ => kept.get(&[&self.shown, context, &extent.wrapped_key, header], open),
        }
    }

    pub(super) fn piece(&self, extent: &Extent, range: Range<u64>) -> Result<Piece> {
        if extent.inline.is_some() {
            return Ok(Piece::Whole(self.inline(extent, range)?));
        }
        let context = extent_context(self.owner, extent.id);
        Ok(Piece::Blob {
            id: extent.id,
            key: keys::SealKey::clone(&*self.known(&self.store.blob_keys, (extent, &context, &[]), Ok)?),
            context,
            len: extent.len,
            range,
            tier: extent.tier.clone().filter(|_| !extent.copied),
        })
    }

    pub(super) fn inline(&self, extent: &Extent, range: Range<u64>) -> Result<Bytes> {
        let sealed = extent.inline.as_deref().unwrap_or_default();
        let context = extent_context(self.owner, extent.id);
        let corrupt = || Error::corrupt(format!("the content of {} does not verify", extent.id));
        let header = seal::header(sealed).map_err(|e| corrupt().with_source(e))?;
        let of = (extent, context.as_slice(), header);
        let opener = self.known(&self.store.openers, of, |key| {
            seal::Opener::new(&key, header, &context).map_err(|e| corrupt().with_source(e))
        })?;
        let plain = opener.open(sealed).map_err(|e| corrupt().with_source(e))?;
        if plain.len() as u64 != extent.len {
            return Err(corrupt());
        }
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let (Ok(start), Ok(end)) = (start, end) else {
            return Err(corrupt());
        };
        let plain = Bytes::from(plain);
        if end > plain.len() || start > end {
            return Err(Error::invalid("the range is not within the content"));
        }
        Ok(plain.slice(start..end))
    }
}
