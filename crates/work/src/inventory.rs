//! Inventories: lists of what is in a bucket, as files in another, once a day or a week, or when asked for.
//!
//! ```text
//! PREFIX/SOURCE/ID/data/….csv.gz                       the rows, 1,000,000 to a file
//! PREFIX/SOURCE/ID/hive/dt=YYYY-MM-DD-HH-MM/symlink.txt    where they are, for Hive
//! PREFIX/SOURCE/ID/YYYY-MM-DDTHH-MMZ/manifest.json     what they are, when all of them are there
//! PREFIX/SOURCE/ID/YYYY-MM-DDTHH-MMZ/manifest.checksum its MD5
//! ```
//! Source: Amazon S3 User Guide, "Locating your inventory list".
//!
//! Invariants
//! - memory is that of a page of rows and of [`file::ROWS_AT_ONCE_MAX`] rows, whatever the bucket's size;
//! - the manifest comes last: who sees one finds what it names;
//! - the destination's bucket policy may deny it.
//!
//! Deliberately absent: what a row says ([`craton_objects::inventory`]), the forms of files ([`file`]).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use craton_base::{BucketName, Clock, Error, Kind as ErrorKind, Random, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Changes, Kind, Run, Subresource, Value, Worker, Workers};
use craton_objects::{
    inventory::{self as rules, Inventory},
    lifecycle::Calendar,
};
use tokio::sync::mpsc;

use crate::pace::Pace;

mod file;
mod rows;
mod write;

use rows::Rows;
use write::Writer;

/// How often it is looked for what is due, in parts of a day.
const LOOKS_A_DAY: u32 = 24;

/// The most inventories of one bucket.
const OF_BUCKET_MAX: usize = 1000;

/// What the worker remembers of each: when it was written last.
const LAST: &str = "inventory/";

/// Writes inventories.
pub(crate) struct Listing {
    pub(crate) workers: Arc<Workers>,
    pub(crate) calendar: Calendar,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

fn work_ask() -> Ask {
    let path = ResourcePath::System("work".into());
    Ask::new("InventoryPlace", "craton:Run", path)
}

impl Listing {
    /// For ever: what is due, and what someone asks for at once.
    pub(crate) async fn run_all(self, mut wanted: mpsc::Receiver<String>) {
        let every = (self.calendar.day() / LOOKS_A_DAY).max(Duration::from_millis(500));
        loop {
            let asked = tokio::select! {
                asked = wanted.recv() => asked,
                () = tokio::time::sleep(every) => None,
            };
            let done = match asked {
                Some(subject) => self.asked(&subject).await,
                None => self.look().await,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "inventories could not be looked at; it is tried again");
            }
        }
    }

    async fn asked(&self, subject: &str) -> Result<()> {
        let (bucket, id) = subject
            .split_once('/')
            .ok_or_else(|| Error::invalid("an inventory is named BUCKET/ID"))?;
        self.write(&BucketName::new(bucket)?, id).await;
        Ok(())
    }

    async fn look(&self) -> Result<()> {
        let buckets = self.workers.buckets_with_named(Subresource::Inventory)?;
        if buckets.is_empty() {
            return Ok(());
        }
        let run = self.workers.begin(Worker::Inventory, "schedule").await?;
        let mut due = Vec::new();
        let done = async {
            for bucket in buckets {
                due.extend(
                    self.due(&run, &bucket)
                        .await?
                        .into_iter()
                        .map(|id| (bucket.clone(), id)),
                );
            }
            Ok(())
        }
        .await;
        run.count("due", due.len() as u64);
        run.end(&done);
        done?;
        for (bucket, id) in due {
            self.write(&bucket, &id).await;
        }
        Ok(())
    }

    /// The inventories of a bucket whose time has come.
    async fn due(&self, run: &Run, bucket: &BucketName) -> Result<Vec<String>> {
        let path = ResourcePath::Bucket(bucket.clone());
        let ask = Ask::new("GetBucketInventory", "s3:GetInventoryConfiguration", path);
        let permit = match run.read(ask).await {
            Ok(permit) => permit,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let configured = permit.named_configurations(Subresource::Inventory, None, OF_BUCKET_MAX)?;
        let last = self.last(run, bucket).await?;
        let now = self.clock.now();
        let mut out = Vec::new();
        for named in configured {
            let Ok(inventory) = rules::parse(named.configuration.document()) else {
                continue;
            };
            let every = self.calendar.day().saturating_mul(inventory.every_days);
            let is_due = last.get(&inventory.id).is_none_or(|at| now.since(*at) >= every);
            if inventory.enabled && is_due {
                out.push(inventory.id);
            }
        }
        Ok(out)
    }

    /// When each inventory of a bucket was written last.
    async fn last(&self, run: &Run, bucket: &BucketName) -> Result<BTreeMap<String, Timestamp>> {
        let permit = run.read(work_ask()).await?;
        let (start, end) = (format!("{LAST}{bucket}/"), format!("{LAST}{bucket}0"));
        let page = permit.scan(
            Kind::Work,
            start.as_bytes(),
            Some(end.as_bytes()),
            craton_gate::Direction::Forward,
            OF_BUCKET_MAX,
        )?;
        let one = |stored: &craton_gate::Stored| {
            let id = std::str::from_utf8(stored.key.name.get(start.len()..)?).ok()?;
            let at = <[u8; 8]>::try_from(&*stored.value.meta).ok()?;
            Some((id.to_owned(), Timestamp(u64::from_be_bytes(at))))
        };
        Ok(page.entries.iter().filter_map(one).collect())
    }

    /// One run; what it met is in the run.
    async fn write(&self, bucket: &BucketName, id: &str) {
        let run = match self
            .workers
            .begin(Worker::Inventory, &format!("{bucket}/{id}"))
            .await
        {
            Ok(run) => run,
            Err(error) => {
                tracing::error!(%error, "an inventory can not begin");
                return;
            }
        };
        let done = self.write_run(&run, bucket, id).await;
        if let Err(error) = &done {
            tracing::warn!(%bucket, id, %error, "an inventory is not written; it is tried again");
        }
        run.end(&done);
    }

    async fn write_run(&self, run: &Run, bucket: &BucketName, id: &str) -> Result<()> {
        let inventory = configured(run, bucket, id).await?;
        let began = self.clock.now();
        let writer = Writer {
            run,
            source: bucket,
            inventory: &inventory,
            random: &*self.random,
            at: began,
        };
        let rows = Rows::new(run, bucket, &inventory, Pace::new(self.clock.clone()));
        if writer.write(rows).await? {
            let permit = run.write(work_ask()).await?;
            let name = format!("{LAST}{bucket}/{id}").into_bytes();
            let value = Value::of_meta(began.micros().to_be_bytes().to_vec());
            permit
                .commit_system(Changes::new().put(Kind::Work, name, value))
                .await?;
        }
        Ok(())
    }
}

async fn configured(run: &Run, bucket: &BucketName, id: &str) -> Result<Inventory> {
    let path = ResourcePath::Bucket(bucket.clone());
    let ask = Ask::new("GetBucketInventory", "s3:GetInventoryConfiguration", path);
    let permit = run.read(ask).await?;
    let found = permit.named_configuration(Subresource::Inventory, id)?;
    let found = found.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "NoSuchConfiguration",
            format!("the bucket {bucket} has no inventory {id:?}"),
        )
    })?;
    rules::parse(found.document())
}
