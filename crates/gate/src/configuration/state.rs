//! A bucket as requests need it: its record and its documents, those of the gate compiled, as of one commit.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, BucketName, Error, Result, Sequence};
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
};

use super::{
    BucketAccess, Configuration, NAMED, NAMED_MAX, NamedConfiguration, SINGLE, Subresource, named_prefix,
};
use crate::{bucket::BucketInfo, scope::successor};

/// How many rows one step of a scan takes.
const STEP: usize = 256;

/// A bucket with what is configured of it.
pub(crate) struct BucketState {
    pub(crate) info: Arc<BucketInfo>,
    pub(crate) access: BucketAccess,
    documents: BTreeMap<Subresource, Arc<Configuration>>,
}

impl BucketState {
    /// The bucket as of the newest commit.
    pub(crate) fn load(store: &Store, name: &BucketName) -> Result<Option<Self>> {
        let at = store.latest();
        let Some(stored) = store.get(&BucketInfo::key(name), at)? else {
            return Ok(None);
        };
        let info = BucketInfo::from_stored(&stored)?;
        let mut access = BucketAccess::default();
        let mut documents = BTreeMap::new();
        let found = scan(store, info.id, &[SINGLE], b"", usize::MAX, at)?;
        for (key, configuration) in found {
            let text = key.name.get(1..).unwrap_or_default();
            // A row of a later version of this program means nothing here.
            let known = Subresource::ALL.iter().find(|s| s.name().as_bytes() == text);
            let Some(subresource) = known.copied() else {
                continue;
            };
            access.take(subresource, &configuration).map_err(|e| {
                let text = format!("the {} of bucket {name} does not parse", subresource.name());
                Error::corrupt(text).with_source(e)
            })?;
            documents.insert(subresource, Arc::new(configuration));
        }
        Ok(Some(Self {
            info: Arc::new(info),
            access,
            documents,
        }))
    }

    /// Nothing is configured of it.
    #[cfg(test)]
    pub(crate) fn of_info(info: BucketInfo) -> Self {
        Self {
            info: Arc::new(info),
            access: BucketAccess::default(),
            documents: BTreeMap::new(),
        }
    }

    /// A document that the bucket has one of.
    pub(crate) fn document(&self, subresource: Subresource) -> Option<&Arc<Configuration>> {
        self.documents.get(&subresource)
    }

    /// About the bytes that it holds in memory.
    pub(crate) fn weight(&self) -> usize {
        let documents = self.documents.values().map(|d| d.document().len());
        // The compiled forms take several times their documents.
        documents.fold(1024, |sum, len| sum.saturating_add(len.saturating_mul(4)))
    }
}

/// One of several configurations, as of the newest commit.
pub(crate) fn named(
    store: &Store,
    bucket: BucketId,
    subresource: Subresource,
    id: &str,
) -> Result<Option<Configuration>> {
    let key = super::key(bucket, subresource, Some(id));
    let stored = store.get(&key, Sequence::MAX)?;
    stored.as_ref().map(Configuration::from_stored).transpose()
}

/// Several configurations, by id, after one, at most `limit`.
pub(crate) fn all_named(
    store: &Store,
    bucket: BucketId,
    subresource: Subresource,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<NamedConfiguration>> {
    let prefix = named_prefix(subresource);
    let after = after.map(|id| [id.as_bytes(), &[0]].concat()).unwrap_or_default();
    let found = scan(
        store,
        bucket,
        &prefix,
        &after,
        limit.min(NAMED_MAX),
        Sequence::MAX,
    )?;
    let named = found.into_iter().map(|(key, configuration)| {
        let id = key.name.get(prefix.len()..).unwrap_or_default();
        NamedConfiguration {
            id: String::from_utf8_lossy(id).into_owned(),
            configuration,
        }
    });
    Ok(named.collect())
}

/// The keys of all of a bucket's configurations.
pub(crate) fn keys(store: &Store, bucket: BucketId) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for first in [SINGLE, NAMED] {
        let found = scan(store, bucket, &[first], b"", usize::MAX, Sequence::MAX)?;
        keys.extend(found.into_iter().map(|(key, _)| key));
    }
    Ok(keys)
}

/// At most `limit` rows whose names begin with `prefix`, from `prefix` and `after` on.
fn scan(
    store: &Store,
    bucket: BucketId,
    prefix: &[u8],
    after: &[u8],
    limit: usize,
    at: Sequence,
) -> Result<Vec<(Key, Configuration)>> {
    let mut span = Span {
        bucket,
        branch: BranchId::MAIN,
        kind: Kind::Configuration,
        start: [prefix, after].concat().into(),
        end: successor(prefix),
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let step = STEP.min(limit.saturating_sub(found.len()));
        let page = store.scan(&span, at, Direction::Forward, step)?;
        for stored in &page.entries {
            found.push((stored.key.clone(), Configuration::from_stored(stored)?));
        }
        match page.entries.last() {
            Some(last) if page.more => span.start = Bytes::from([&last.key.name, &[0][..]].concat()),
            _ => break,
        }
    }
    Ok(found)
}
