//! Maintenance of tables as it happens: asked for, one table at a time, or by itself, where a table's properties say so.
//!
//! ```text
//! asked      BUCKET/NAMESPACE/TABLE and a task ─▶ a run of it
//! by itself  the rows of all tables, every hour ─▶ those that are to be kept in order, and have changed or wait since a day ─▶ a run of all tasks
//! ```
//!
//! Invariants
//! - everything is done as the worker, by permits of its own, and is in the ledger;
//! - a run that is told to end leaves the table as it was or as a commit made it;
//! - at most [`AT_ONCE`] runs go on, and each takes its memory from that of SQL.
//!
//! Deliberately absent: what expires and what is an orphan ([`craton_tables::maintain`]).

use std::{collections::HashMap, sync::Arc, time::Duration};

use craton_base::{BucketName, Clock, Error, Kind, Result, Timestamp};
use craton_gate::{Ask, Run, Wanted, Worker, Workers, tables::catalog};
use craton_tables::maintain::{Maintained, Opted, opted};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    engine::Engine,
    write::{Compaction, compact, rewrite_manifests},
};

mod asked;

use asked::{Asked, Task};

/// The reason of what is not done yet.
const NOT_YET: &str = "NotSupportedYet";

/// Runs that go on at once.
const AT_ONCE: usize = 2;

/// How often tables are looked through, in parts of a day.
const LOOKS_A_DAY: u32 = 24;

/// How old an orphan is, unless it is said otherwise, in days.
const ORPHAN_DAYS: u32 = 3;

/// How old it is at least, in parts of a day: what is younger a commit that goes on may come to name.
const ORPHAN_PART_MIN: u32 = 24;

/// What maintenance needs.
pub struct Parts {
    /// The right to act.
    pub workers: Arc<Workers>,
    /// What writes files anew, and knows the tables.
    pub engine: Engine,
    /// How long a day is.
    pub day: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Keeps tables in order.
pub struct Maintenance {
    parts: Parts,
    places: Arc<Semaphore>,
}

/// When a table was last kept in order: the metadata file that it had then, and the day.
type Done = HashMap<String, (String, u64)>;

impl Maintenance {
    /// What keeps tables in order once [`Self::run_all`] runs.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// For ever: what someone asks for at once, and all tables that are to be kept in order from time to time.
    pub async fn run_all(self, mut wanted: mpsc::Receiver<Wanted>) {
        let this = Arc::new(self);
        let every = (this.parts.day / LOOKS_A_DAY).max(Duration::from_millis(500));
        let mut going = JoinSet::new();
        let looking = this.clone();
        going.spawn(async move {
            let mut done = Done::new();
            loop {
                tokio::time::sleep(every).await;
                done = looking.look(done).await;
            }
        });
        // Nothing is taken that has no place: what waits, waits with who asks, whose number is bounded.
        while let Ok(place) = this.places.clone().acquire_owned().await {
            let Some(one) = wanted.recv().await else { return };
            while going.try_join_next().is_some() {}
            let this = this.clone();
            going.spawn(async move {
                this.asked(&one).await;
                drop(place);
            });
        }
    }

    async fn asked(&self, wanted: &Wanted) {
        if wanted.subject.contains('/') {
            return self
                .run(wanted, Asked::read(wanted).map(|asked| vec![asked]))
                .await;
        }
        // A bucket: all its tables that are to be kept in order.
        let done = async {
            let bucket = BucketName::new(&wanted.subject)?;
            self.bucket(&bucket, (&Done::new(), &mut Done::new())).await
        };
        if let Err(error) = done.await {
            tracing::warn!(subject = wanted.subject, %error, "tables could not be looked through");
        }
    }

    /// One run of some tasks.
    async fn run(&self, wanted: &Wanted, tasks: Result<Vec<Asked>>) {
        let run = match self.parts.workers.begin_wanted(wanted).await {
            Ok(run) => run,
            Err(error) => {
                tracing::error!(%error, "a run of maintenance can not begin");
                return;
            }
        };
        let done = self.tasks(&run, tasks).await;
        if let Err(error) = &done
            && !run.is_cancelled()
        {
            tracing::warn!(subject = wanted.subject, %error, "maintenance of a table failed");
        }
        run.end(&done);
    }

    async fn tasks(&self, run: &Run, tasks: Result<Vec<Asked>>) -> Result<()> {
        for asked in &tasks? {
            run.go_on()?;
            match self.task(run, asked).await {
                // A table of an earlier version is kept in order as far as it can be.
                Err(e) if asked.by_itself && e.reason() == NOT_YET => run.count("not done yet", 1),
                done => done?,
            }
        }
        Ok(())
    }

    async fn task(&self, run: &Run, asked: &Asked) -> Result<()> {
        let place = (asked.bucket.clone(), asked.name.clone());
        let table = Maintained::find((run, self.parts.engine.tables()), place, asked.dry)?;
        let (frugal, dry) = (asked.by_itself, asked.dry);
        let place = (asked.bucket.clone(), asked.name.clone());
        let progress = run.progress().clone();
        let engine = &self.parts.engine;
        match asked.task {
            Task::Expire => table.expire(&asked.keep).await,
            Task::Orphans => table.remove_orphans(self.before(asked.older_than)?).await,
            Task::Compact => {
                let bytes = asked.bytes;
                let wanted = Compaction { bytes, frugal, dry };
                let work =
                    |state, context| async move { compact((state, context), place, wanted, &progress).await };
                engine.job(&run.session()?, work).await
            }
            Task::RewriteManifests => {
                let work = |_, context| async move {
                    rewrite_manifests(context, place, (frugal, dry), &progress).await
                };
                engine.job(&run.session()?, work).await
            }
        }
    }

    /// Before when a file was written that is an orphan.
    fn before(&self, age: Option<Duration>) -> Result<Timestamp> {
        let day = self.parts.day;
        let least = day / ORPHAN_PART_MIN;
        let age = age.unwrap_or(day.saturating_mul(ORPHAN_DAYS));
        match age >= least {
            true => Ok(self.parts.clock.now().minus(age)),
            false => {
                let text = format!(
                    "an orphan is at least {} seconds old: a commit that goes on may come to name what is younger",
                    least.as_secs()
                );
                Err(Error::new(Kind::Invalid, "TooYoung", text))
            }
        }
    }

    /// One look at all tables: what was done, of those that are still there.
    async fn look(&self, done: Done) -> Done {
        let mut now = Done::new();
        let looked = async {
            for bucket in self.parts.workers.buckets_with_maintained()? {
                let _place = self.places.acquire().await;
                self.bucket(&bucket, (&done, &mut now)).await?;
            }
            Ok::<(), Error>(())
        };
        match looked.await {
            Ok(()) => now,
            Err(error) => {
                tracing::warn!(%error, "tables could not be looked through; it is tried again");
                done.into_iter().chain(now).collect()
            }
        }
    }

    async fn bucket(&self, bucket: &BucketName, (done, now): (&Done, &mut Done)) -> Result<()> {
        let day = u64::try_from(self.parts.day.as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        let today = self.parts.clock.now().micros() / day;
        let mut after = Some(String::new());
        while let Some(place) = after {
            let (tables, next) = self.page(bucket, &place).await?;
            for table in tables {
                let is = (table.metadata.clone(), today);
                if done.get(&table.id) == Some(&is) {
                    now.insert(table.id, is);
                    continue;
                }
                self.by_itself(bucket, &table).await;
                // What it is now: its own commits are nothing new.
                let newest = self.newest(bucket, &table).await.unwrap_or(table.metadata);
                now.insert(table.id, (newest, today));
            }
            after = next;
        }
        Ok(())
    }

    async fn page(&self, bucket: &BucketName, after: &str) -> Result<(Vec<Opted>, Option<String>)> {
        let permit = self
            .parts
            .workers
            .look(Worker::Maintenance, list_ask(bucket))
            .await?;
        opted(&permit, after)
    }

    async fn newest(&self, bucket: &BucketName, of: &Opted) -> Option<String> {
        let permit = self
            .parts
            .workers
            .look(Worker::Maintenance, list_ask(bucket))
            .await;
        // The ids before it: the page begins with it.
        let before = of.id.get(..of.id.len().saturating_sub(1)).unwrap_or_default();
        let (tables, _) = opted(&permit.ok()?, before).ok()?;
        tables
            .into_iter()
            .find(|table| table.id == of.id)
            .map(|table| table.metadata)
    }

    /// All that a table needs, as its properties say.
    async fn by_itself(&self, bucket: &BucketName, of: &Opted) {
        let name = &of.name;
        let subject = format!("{bucket}/{}/{}", name.namespace.text(), name.name());
        let wanted = Wanted::new(Worker::Maintenance, subject);
        let tasks = [Task::Expire, Task::Compact, Task::RewriteManifests, Task::Orphans];
        let tasks = tasks.map(|task| Asked::of((bucket.clone(), name.clone()), task));
        self.run(&wanted, Ok(tasks.into())).await;
    }
}

fn list_ask(bucket: &BucketName) -> Ask {
    Ask::new("ListTables", "s3tables:ListTables", catalog(bucket.clone()))
}
