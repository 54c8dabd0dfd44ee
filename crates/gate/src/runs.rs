//! Runs: pieces of work that the system does by itself, visible while they go on and some time after, and
//! cancellable.
//!
//! Invariants
//! - a run's beginning is in the ledger before it does anything, its end when it is over;
//! - a run that is asked to end does nothing more after what it is at;
//! - at most [`ENDED_MAX`] runs that are over are remembered.
//!
//! Deliberately absent: what runs do.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::{
    ask::Ask,
    gate::Gate,
    ledger::Entry,
    permit::{ReadPermit, WritePermit},
    session::Session,
    worker::{Worker, Workers},
};

/// How many runs that are over are remembered.
pub const ENDED_MAX: usize = 256;

/// How many requests for runs wait.
const WANTED_MAX: usize = 64;

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// It goes on.
    Running,
    /// It has done its work.
    Done,
    /// It was told to end before.
    Cancelled,
    /// It met an error.
    Failed,
}

impl RunState {
    /// As one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// A run as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunInfo {
    /// Its id; the request id of its records.
    pub id: Arc<str>,
    /// What kind of work.
    pub worker: Worker,
    /// What it works on: a bucket, a target.
    pub subject: String,
    /// How it stands.
    pub state: RunState,
    /// When it began.
    pub begun: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What it did so far, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// The error that it met.
    pub error: Option<String>,
}

/// A run that someone asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What kind of work.
    pub worker: Worker,
    /// What it is to work on.
    pub subject: String,
}

/// The runs of this process.
#[derive(Default)]
pub(crate) struct Runs {
    going: Mutex<BTreeMap<Arc<str>, Going>>,
    ended: Mutex<VecDeque<RunInfo>>,
    pub(crate) wanted: Mutex<Option<mpsc::Sender<Wanted>>>,
}

struct Going {
    info: RunInfo,
    cancel: watch::Sender<bool>,
}

/// A run, for the one who does the work. Dropped without [`Run::end`] it counts as failed.
pub struct Run {
    workers: Arc<Workers>,
    worker: Worker,
    id: Arc<str>,
    cancelled: watch::Receiver<bool>,
    /// Its record in the ledger; the outcome follows when it is dropped.
    permit: ReadPermit,
    is_over: bool,
}

impl Workers {
    /// Begins a run; it is in the ledger when this returns.
    ///
    /// # Errors
    /// `Unavailable` if it can not be recorded.
    pub async fn begin(self: &Arc<Self>, worker: Worker, subject: &str) -> Result<Run> {
        let inner = &self.gate.inner;
        let id: Arc<str> = hex::encode(craton_base::random::bytes::<8>(&*inner.random)?).into();
        let session = self.session(worker, &id)?;
        let path = ResourcePath::System(format!("runs/{}/{subject}", worker.name()));
        let permit = self
            .gate
            .read(&session, Ask::new("Run", "craton:Run", path))
            .await?;
        let (cancel, cancelled) = watch::channel(false);
        let info = RunInfo {
            id: id.clone(),
            worker,
            subject: subject.to_owned(),
            state: RunState::Running,
            begun: inner.clock.now(),
            ended: None,
            counts: BTreeMap::new(),
            error: None,
        };
        inner.runs.going.lock().insert(id.clone(), Going { info, cancel });
        Ok(Run {
            workers: self.clone(),
            worker,
            id,
            cancelled,
            permit,
            is_over: false,
        })
    }

    /// Where runs that someone asks for arrive. The last one who asks for it gets them.
    #[must_use]
    pub fn wanted(&self) -> mpsc::Receiver<Wanted> {
        let (sender, receiver) = mpsc::channel(WANTED_MAX);
        *self.gate.inner.runs.wanted.lock() = Some(sender);
        receiver
    }
}

impl Run {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.workers.gate
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.permit.now()
    }

    /// A permit to read, as the worker.
    ///
    /// # Errors
    /// As [`Gate::read`].
    pub async fn read(&self, ask: Ask) -> Result<ReadPermit> {
        let session = self.workers.session(self.worker, &self.id)?;
        self.workers.gate.read(&session, ask).await
    }

    /// A permit to change, as the worker.
    ///
    /// # Errors
    /// As [`Gate::write`].
    pub async fn write(&self, ask: Ask) -> Result<WritePermit> {
        let session = self.workers.session(self.worker, &self.id)?;
        self.workers.gate.write(&session, ask).await
    }

    /// Records of the ledger, as the worker.
    ///
    /// # Errors
    /// As [`Gate::audit_from`].
    pub async fn records(&self, from: u64, limit: usize) -> Result<(Vec<Entry>, u64)> {
        let session = self.workers.session(self.worker, &self.id)?;
        self.workers.gate.audit_from(&session, from, limit).await
    }

    /// Whether it was told to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Ready when it is told to end.
    pub async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        // The sender goes only when the run is over.
        let _ = cancelled.wait_for(|is| *is).await;
    }

    /// Adds to what it did.
    pub fn count(&self, what: &'static str, n: u64) {
        if let Some(going) = self.workers.gate.inner.runs.going.lock().get_mut(&self.id) {
            let count = going.info.counts.entry(what).or_default();
            *count = count.saturating_add(n);
        }
    }

    /// It is over.
    pub fn end(mut self, result: &Result<()>) {
        let state = match result {
            Err(_) => RunState::Failed,
            Ok(()) if self.is_cancelled() => RunState::Cancelled,
            Ok(()) => RunState::Done,
        };
        if let Err(error) = result {
            self.permit.failed(error.kind(), error.reason());
        }
        self.over(state, result.as_ref().err().map(ToString::to_string));
    }

    fn over(&mut self, state: RunState, error: Option<String>) {
        self.is_over = true;
        let runs = &self.workers.gate.inner.runs;
        let Some(going) = runs.going.lock().remove(&self.id) else {
            return;
        };
        let info = RunInfo {
            state,
            error,
            ended: Some(self.permit.now()),
            ..going.info
        };
        let mut ended = runs.ended.lock();
        if ended.len() >= ENDED_MAX {
            ended.pop_front();
        }
        ended.push_back(info);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_over {
            self.permit.failed(ErrorKind::Internal, "Abandoned");
            self.over(RunState::Failed, Some("it was given up".to_owned()));
        }
    }
}

impl Gate {
    /// The runs, those that go on first, newest first.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn list_runs(&self, session: &Session) -> Result<Vec<RunInfo>> {
        let ask = Ask::new("ListRuns", "craton:ListRuns", ResourcePath::System("runs".into()));
        let _permit = self.read(session, ask).await?;
        let runs = &self.inner.runs;
        let mut out: Vec<RunInfo> = runs.going.lock().values().map(|g| g.info.clone()).collect();
        out.sort_by_key(|info| std::cmp::Reverse(info.begun));
        out.extend(runs.ended.lock().iter().rev().cloned());
        Ok(out)
    }

    /// Tells a run to end.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchRun` if it is over or never was.
    pub async fn cancel_run(&self, session: &Session, id: &str) -> Result<()> {
        let path = ResourcePath::System(format!("runs/{id}"));
        let permit = self
            .read(session, Ask::new("CancelRun", "craton:CancelRun", path))
            .await?;
        let told = self
            .inner
            .runs
            .going
            .lock()
            .get(id)
            .map(|going| going.cancel.send_replace(true));
        if told.is_some() {
            return Ok(());
        }
        permit.failed(ErrorKind::NotFound, "NoSuchRun");
        Err(Error::new(
            ErrorKind::NotFound,
            "NoSuchRun",
            format!("no run {id:?} goes on"),
        ))
    }

    /// Asks for a run of `worker` on `subject` now.
    ///
    /// # Errors
    /// `Denied`; `Busy` if too many were asked for; `Unavailable` if nobody works here.
    pub async fn ask_for_run(&self, session: &Session, worker: Worker, subject: &str) -> Result<()> {
        let path = ResourcePath::System(format!("runs/{}/{subject}", worker.name()));
        let permit = self
            .read(session, Ask::new("StartRun", "craton:StartRun", path))
            .await?;
        let wanted = Wanted {
            worker,
            subject: subject.to_owned(),
        };
        let sender = self.inner.runs.wanted.lock().clone();
        let sent = match sender {
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "NoWorkers",
                "nobody works here",
            )),
            Some(sender) => sender.try_send(wanted).map_err(|e| {
                Error::new(ErrorKind::Busy, "TooManyRuns", "too many runs were asked for").with_source(e)
            }),
        };
        if let Err(error) = &sent {
            permit.failed(error.kind(), error.reason());
        }
        sent
    }
}
