//! Telling an OpenLineage endpoint of the runs of clients: what each read and wrote, as the ledger saw it.
//!
//! ```text
//! marks of runs ─▶ due: begun, over, or going on for long ─▶ events in the queue (Kind::Delivery) ─▶ one POST each, again until it is taken
//! ```
//!
//! Invariants
//! - a run that was touched is told of at least once after it was over: its mark goes in the commit that queues its last event;
//! - an event names at most [`DATA_SETS_MAX`] inputs and as many outputs; of more the folders are named;
//! - while the queue is full nothing is added to it, and the marks stay.
//!
//! Deliberately absent: which runs there are, what they touched (the gate), delivery ([`crate::deliver`]).

use std::{sync::Arc, time::Duration};

use craton_base::{Error, Kind as ErrorKind, Result, Secret, Timestamp};
use craton_gate::{Due, Pauses, Run, Touch, Worker, Workers};
use serde_json::Value;

use crate::{
    deliver::{Post, queued},
    sink::Message,
    target::{self, Target, Webhook},
};

mod event;
mod sets;

use sets::Sets;

/// The most data sets of one kind in an event.
pub const DATA_SETS_MAX: usize = 200;

/// Of a run that goes on something is told so often.
const AGAIN: Duration = Duration::from_mins(15);

/// Runs that are told of in one go.
const BATCH: usize = 64;

/// Edges that are read at once.
const EDGES_AT_ONCE: usize = 1000;

/// What queues and records call the endpoint: no target in the file of targets can be called so.
pub(crate) const NAME: &str = "@openlineage";

/// Where runs are told of.
#[derive(Clone, Debug)]
pub struct OpenLineage {
    /// The address of the endpoint: `/api/v1/lineage` comes after it, as with OpenLineage's own clients.
    pub url: String,
    /// Its API key.
    pub key: Option<Secret>,
    /// A run that nothing came of for so long is over.
    pub idle: Duration,
}

impl OpenLineage {
    /// Checks the settings.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        target::check_url(&self.url)?;
        match self.url.contains(['?', '#']) {
            true => Err(Error::invalid(
                "the address of OpenLineage's endpoint has no query",
            )),
            false => Ok(()),
        }
    }

    /// The endpoint as a target of events.
    pub(crate) fn target(&self) -> Target {
        Target {
            name: NAME.to_owned(),
            webhook: Some(Webhook {
                url: format!("{}/api/v1/lineage", self.url.trim_end_matches('/')),
                token: self.key.clone(),
            }),
            ..Target::default()
        }
    }
}

/// Tells.
pub(crate) struct Telling {
    pub(crate) workers: Arc<Workers>,
    pub(crate) post: Arc<Post>,
    pub(crate) idle: Duration,
}

impl Telling {
    fn pauses(&self) -> Pauses {
        Pauses {
            idle: self.idle,
            again: AGAIN.max(self.idle),
        }
    }

    /// Looks for runs to be told of for ever.
    pub(crate) async fn tell_all(self) {
        let look = (self.idle / 4).clamp(Duration::from_millis(200), Duration::from_secs(15));
        loop {
            tokio::time::sleep(look).await;
            let done = match self.workers.is_any_run_due(self.pauses()).await {
                Ok(true) => self.tell_run().await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "runs are not told of; it is tried again");
            }
        }
    }

    async fn tell_run(&self) -> Result<()> {
        let run = self.workers.begin(Worker::Lineage, "openlineage").await?;
        let done = self.tell(&run).await;
        run.end(&done);
        done
    }

    async fn tell(&self, run: &Run) -> Result<()> {
        loop {
            let due = run.due(self.pauses(), BATCH).await?;
            if due.is_empty() || run.is_cancelled() {
                return Ok(());
            }
            for one in due {
                if self.post.is_full() {
                    let text = "too many events wait for OpenLineage's endpoint; runs are told of when there is room";
                    return Err(Error::new(ErrorKind::Busy, "QueueFull", text));
                }
                self.tell_of(run, &one).await?;
            }
        }
    }

    /// Queues the events about one run.
    async fn tell_of(&self, run: &Run, due: &Due) -> Result<()> {
        let now = run.now();
        let mut events = Vec::new();
        if due.begins {
            events.push(event::of(due, event::State::Start, due.run.begun, None)?);
        }
        if due.over || !due.begins {
            let sets = touched(run, due).await?;
            let (state, at) = match due.over {
                true => (event::State::Complete, due.run.last),
                false => (event::State::Running, now),
            };
            events.push(event::of(due, state, at, Some(&sets))?);
        }
        let prefix = self.post.prefix();
        let messages = events.iter().zip(0_u16..).map(|(event, n)| {
            let name = [
                prefix.as_slice(),
                &now.micros().to_be_bytes(),
                &due.id,
                &n.to_be_bytes(),
            ]
            .concat();
            (name, queued(message(due, now, event)))
        });
        let count = events.len() as u64;
        match run.told(due, messages.collect()).await {
            Ok(()) => {
                run.count("events", count);
                self.post.arrived(count);
                Ok(())
            }
            // It was touched meanwhile, and is told of later.
            Err(error) if error.kind() == ErrorKind::Precondition => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn message(due: &Due, now: Timestamp, event: &Value) -> Message {
    Message {
        subject: due.run.run.clone(),
        time_millis: i64::try_from(now.micros() / 1000).unwrap_or(i64::MAX),
        body: event.to_string().into(),
    }
}

/// What a run read and wrote.
async fn touched(run: &Run, due: &Due) -> Result<(Sets, Sets)> {
    let (mut inputs, mut outputs) = (Sets::default(), Sets::default());
    let mut after: Option<String> = None;
    loop {
        let page = run.edges(&due.run, after.as_deref(), EDGES_AT_ONCE).await?;
        for edge in &page.edges {
            match edge.touch {
                Touch::Read => inputs.add(edge),
                Touch::Write | Touch::Delete => outputs.add(edge),
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    for sets in [&mut inputs, &mut outputs] {
        for (bucket, id) in sets.tables() {
            if let Some(row) = run.table_called(&bucket, &id).await? {
                sets.call(&bucket, &id, &row);
            }
        }
    }
    Ok((inputs, outputs))
}

#[cfg(test)]
mod tests;
