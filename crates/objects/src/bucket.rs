//! Buckets: making, deleting and listing them.

use craton_base::{BucketName, Kind as ErrorKind};
use craton_gate::{
    BucketInfo, BucketLock, BucketSettings, Changes, ConfigurationChange, Permit, ReadPermit, Subresource,
    Versioning, WritePermit,
};

use crate::{Error, Fault, Result, multipart};

/// The most buckets in one page of a listing.
pub const BUCKETS_PAGE_MAX: usize = 10_000;

/// The region where old clients make a bucket each time they start.
const FIRST_REGION: &str = "us-east-1";

/// How many open uploads a bucket's deletion aborts at once.
const UPLOADS_AT_ONCE: usize = 64;

/// Makes the bucket that `permit` is for, configured like this; with object lock, which keeps versions from the
/// start, if `lock`.
///
/// # Errors
/// `BucketAlreadyOwnedByYou`, but not in AWS's first region, where making one's own bucket again succeeds and changes
/// nothing; `BucketAlreadyExists`; the gate's own.
pub async fn create(
    permit: &WritePermit,
    lock: bool,
    configurations: &[ConfigurationChange],
) -> Result<BucketInfo> {
    if let Ok(existing) = permit.bucket() {
        let own = existing.owner == permit.session().principal();
        if own && existing.region == FIRST_REGION {
            let existing = existing.clone();
            // Nothing to change; the commit carries the record that it was asked and allowed.
            permit.commit(Changes::new()).await?;
            return Ok(existing);
        }
        return Err(taken(own));
    }
    let mut settings = BucketSettings::default();
    if lock {
        settings.versioning = Versioning::Enabled;
        settings.lock = Some(BucketLock::default());
    }
    match permit.create_bucket(settings, configurations).await {
        Err(e) if e.kind() == ErrorKind::Exists => Err(taken(false)),
        other => Ok(other?),
    }
}

fn taken(by_caller: bool) -> Error {
    if by_caller {
        return Error::fault(
            Fault::BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it.",
        );
    }
    Error::fault(
        Fault::BucketAlreadyExists,
        "The requested bucket name is not available.",
    )
}

/// Deletes the bucket that `permit` is for. Uploads that are open do not keep it: they are aborted.
///
/// # Errors
/// `NoSuchBucket`, `BucketNotEmpty`; the gate's own.
pub async fn delete(permit: &WritePermit) -> Result<()> {
    loop {
        match permit.delete_bucket().await {
            Err(e) if e.reason() != Fault::BucketNotEmpty.code() => return Err(e.into()),
            Ok(()) => return Ok(()),
            Err(_) => {}
        }
        let only_uploads = permit.holds_only_uploads().await?;
        if !only_uploads || multipart::abort_some(permit, UPLOADS_AT_ONCE).await? == 0 {
            return Err(Error::fault(
                Fault::BucketNotEmpty,
                "The bucket you tried to delete is not empty.",
            ));
        }
    }
}

/// Has the bucket that `permit` is for keep the versions of its objects from now on, or not.
///
/// # Errors
/// `InvalidBucketState` for a bucket with object lock or replication, which must keep them; the gate's own.
pub async fn set_versioning(permit: &WritePermit, keep: bool) -> Result<BucketInfo> {
    if !keep && permit.configuration(Subresource::Replication)?.is_some() {
        return Err(Error::fault(
            Fault::InvalidBucketState,
            "A replication configuration is present on this bucket, so you cannot change the versioning state. To change \
             the versioning state, first delete the replication configuration.",
        ));
    }
    permit
        .change_bucket(|settings| match settings.lock {
            Some(_) if !keep => Err(Error::fault(
                Fault::InvalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            )),
            _ => Ok(BucketSettings {
                versioning: if keep { Versioning::Enabled } else { Versioning::Suspended },
                ..settings
            }),
        })
        .await
}

/// The bucket that `permit` is about.
///
/// # Errors
/// `NoSuchBucket`.
pub fn head(permit: &Permit) -> Result<&BucketInfo> {
    Ok(permit.bucket()?)
}

/// A page of buckets.
#[derive(Clone, Debug)]
pub struct BucketPage {
    /// The buckets, by name.
    pub buckets: Vec<BucketInfo>,
    /// The last name of the page, if there are more.
    pub next: Option<BucketName>,
}

/// Which buckets to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// What their names begin with.
    pub prefix: &'a str,
    /// The region that they are in; all, if it is not said.
    pub region: Option<&'a str>,
}

impl Wanted<'_> {
    fn includes(&self, bucket: &BucketInfo) -> bool {
        bucket.name.as_str().starts_with(self.prefix) && self.region.is_none_or(|r| r == bucket.region)
    }
}

/// Lists the buckets that are wanted, after `after`, at most `limit`.
///
/// # Errors
/// The gate's own.
pub fn list(
    permit: &ReadPermit,
    wanted: Wanted<'_>,
    after: Option<&BucketName>,
    limit: usize,
) -> Result<BucketPage> {
    let limit = limit.clamp(1, BUCKETS_PAGE_MAX);
    let mut buckets: Vec<BucketInfo> = Vec::new();
    let mut after = after.cloned();
    loop {
        let page = permit.buckets(after.as_ref(), 1000)?;
        let Some(last) = page.last() else {
            return Ok(BucketPage { buckets, next: None });
        };
        after = Some(last.name.clone());
        for bucket in page.into_iter().filter(|b| wanted.includes(b)) {
            if buckets.len() == limit {
                let next = buckets.last().map(|b| b.name.clone());
                return Ok(BucketPage { buckets, next });
            }
            buckets.push(bucket);
        }
    }
}
