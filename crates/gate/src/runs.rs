//! Runs: pieces of work that the system does by itself, visible while they go on and some time after, and
//! cancellable.
//!
//! Invariants
//! - a run's beginning is in the ledger before it does anything, its end when it is over;
//! - a run that is asked to end does nothing more after what it is at;
//! - a run that somebody asked for and watches can be seen and cancelled from then on, by whoever may change what it is about;
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
    gate::{Gate, Inner},
    ledger::Entry,
    permit::{ReadPermit, WritePermit},
    session::Session,
    worker::{Worker, Workers},
};

mod asking;

/// How many runs that are over are remembered.
pub const ENDED_MAX: usize = 256;

/// The reason of the error that a run ends with because it was told to.
const CANCELLED: &str = "RunCancelled";

/// How many requests for runs wait.
const WANTED_MAX: usize = 64;

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// It was asked for, and has not begun.
    Waiting,
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
            Self::Waiting => "waiting",
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
    /// What it works on: a bucket, a target, a table.
    pub subject: String,
    /// What it was asked to do with that, by name.
    pub options: Options,
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

/// What a run is asked to do, by name.
pub type Options = BTreeMap<&'static str, String>;

/// A run that someone asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What kind of work.
    pub worker: Worker,
    /// What it is to work on.
    pub subject: String,
    /// The run that waits to be begun, where who asked watches it: [`Workers::begin_wanted`].
    pub id: Option<Arc<str>>,
    /// What it is to do.
    pub options: Options,
}

impl Wanted {
    /// Work on something that nobody waits for.
    #[must_use]
    pub fn new(worker: Worker, subject: String) -> Self {
        Self {
            worker,
            subject,
            id: None,
            options: Options::new(),
        }
    }
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

/// How a run gets on: what it did, and whether it is to end. Clones are the same.
#[derive(Clone)]
pub struct Progress {
    gate: Gate,
    id: Arc<str>,
    cancelled: watch::Receiver<bool>,
}

/// A run, for the one who does the work. Dropped without [`Run::end`] it counts as failed.
pub struct Run {
    workers: Arc<Workers>,
    worker: Worker,
    progress: Progress,
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
        self.begin_wanted(&Wanted::new(worker, subject.to_owned())).await
    }

    /// Begins a run that someone asked for; it is in the ledger when this returns.
    ///
    /// # Errors
    /// As [`Self::begin`]; the run that waited is then over.
    pub async fn begin_wanted(self: &Arc<Self>, wanted: &Wanted) -> Result<Run> {
        let done = self.begin_now(wanted).await;
        if let (Err(error), Some(id)) = (&done, &wanted.id) {
            let now = self.gate.inner.clock.now();
            self.gate
                .inner
                .runs
                .over(id, (RunState::Failed, now), Some(error.to_string()));
        }
        done
    }

    async fn begin_now(self: &Arc<Self>, wanted: &Wanted) -> Result<Run> {
        let inner = &self.gate.inner;
        let (worker, subject) = (wanted.worker, wanted.subject.as_str());
        let id = match &wanted.id {
            Some(id) => id.clone(),
            None => inner.new_run_id()?,
        };
        let session = self.session(worker, &id)?;
        let path = ResourcePath::System(format!("runs/{}/{subject}", worker.name()));
        let permit = self
            .gate
            .read(&session, Ask::new("Run", "craton:Run", path))
            .await?;
        let info = RunInfo {
            state: RunState::Running,
            ..waiting(wanted, &id, inner.clock.now())
        };
        let mut going = inner.runs.going.lock();
        let cancelled = match going.get_mut(&id) {
            Some(before) => {
                before.info = info;
                before.cancel.subscribe()
            }
            None => {
                let (cancel, cancelled) = watch::channel(false);
                going.insert(id.clone(), Going { info, cancel });
                cancelled
            }
        };
        drop(going);
        Ok(Run {
            workers: self.clone(),
            worker,
            progress: Progress {
                gate: self.gate.clone(),
                id,
                cancelled,
            },
            permit,
            is_over: false,
        })
    }

    /// A permit to look for what is to be done, as a worker, before there is a run.
    ///
    /// # Errors
    /// As [`Gate::read`].
    pub async fn look(&self, worker: Worker, ask: Ask) -> Result<ReadPermit> {
        let session = self.session(worker, &self.gate.inner.new_run_id()?)?;
        self.gate.read(&session, ask).await
    }

    /// Where runs that someone asks for arrive. The last one who asks for it gets them.
    #[must_use]
    pub fn wanted(&self) -> mpsc::Receiver<Wanted> {
        let (sender, receiver) = mpsc::channel(WANTED_MAX);
        *self.gate.inner.runs.wanted.lock() = Some(sender);
        receiver
    }
}

impl Progress {
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

    /// Fails if it was told to end.
    ///
    /// # Errors
    /// `Busy`, `RunCancelled`.
    pub fn go_on(&self) -> Result<()> {
        match self.is_cancelled() {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Busy, CANCELLED, "the run was told to end")),
        }
    }

    /// Adds to what it did.
    pub fn count(&self, what: &'static str, n: u64) {
        if n == 0 {
            return;
        }
        if let Some(going) = self.gate.inner.runs.going.lock().get_mut(&self.id) {
            let count = going.info.counts.entry(what).or_default();
            *count = count.saturating_add(n);
        }
    }
}

impl Run {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.progress.id
    }

    /// How it gets on, for parts of the work that outlive a borrow of it.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.workers.gate
    }

    /// A session of the worker, for an engine that asks the gate by itself.
    ///
    /// # Errors
    /// `Internal`.
    pub fn session(&self) -> Result<Session> {
        self.workers.session(self.worker, self.id())
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
        let session = self.workers.session(self.worker, self.id())?;
        self.workers.gate.read(&session, ask).await
    }

    /// A permit to change, as the worker.
    ///
    /// # Errors
    /// As [`Gate::write`].
    pub async fn write(&self, ask: Ask) -> Result<WritePermit> {
        let session = self.workers.session(self.worker, self.id())?;
        self.workers.gate.write(&session, ask).await
    }

    /// Records of the ledger, as the worker.
    ///
    /// # Errors
    /// As [`Gate::audit_from`].
    pub async fn records(&self, from: u64, limit: usize) -> Result<(Vec<Entry>, u64)> {
        let session = self.workers.session(self.worker, self.id())?;
        self.workers.gate.audit_from(&session, from, limit).await
    }

    /// Whether it was told to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.progress.is_cancelled()
    }

    /// Ready when it is told to end.
    pub async fn cancelled(&self) {
        self.progress.cancelled().await;
    }

    /// Fails if it was told to end.
    ///
    /// # Errors
    /// `Busy`, `RunCancelled`.
    pub fn go_on(&self) -> Result<()> {
        self.progress.go_on()
    }

    /// Adds to what it did.
    pub fn count(&self, what: &'static str, n: u64) {
        self.progress.count(what, n);
    }

    /// It is over.
    pub fn end(mut self, result: &Result<()>) {
        let (state, error) = match result {
            Err(e) if e.reason() == CANCELLED => (RunState::Cancelled, None),
            Err(e) => (RunState::Failed, Some(e)),
            Ok(()) if self.is_cancelled() => (RunState::Cancelled, None),
            Ok(()) => (RunState::Done, None),
        };
        if let Some(error) = error {
            self.permit.failed(error.kind(), error.reason());
        }
        self.over(state, error.map(ToString::to_string));
    }

    fn over(&mut self, state: RunState, error: Option<String>) {
        self.is_over = true;
        let runs = &self.workers.gate.inner.runs;
        runs.over(&self.progress.id, (state, self.permit.now()), error);
    }
}

impl Runs {
    fn over(&self, id: &Arc<str>, (state, now): (RunState, Timestamp), error: Option<String>) {
        let Some(going) = self.going.lock().remove(id) else {
            return;
        };
        let info = RunInfo {
            state,
            error,
            ended: Some(now),
            ..going.info
        };
        let mut ended = self.ended.lock();
        if ended.len() >= ENDED_MAX {
            ended.pop_front();
        }
        ended.push_back(info);
    }

    /// Those that go on first, newest first.
    fn all(&self) -> Vec<RunInfo> {
        let mut out: Vec<RunInfo> = self.going.lock().values().map(|g| g.info.clone()).collect();
        out.sort_by_key(|info| std::cmp::Reverse(info.begun));
        out.extend(self.ended.lock().iter().rev().cloned());
        out
    }
}

/// A run that has not begun.
fn waiting(wanted: &Wanted, id: &Arc<str>, now: Timestamp) -> RunInfo {
    RunInfo {
        id: id.clone(),
        worker: wanted.worker,
        subject: wanted.subject.clone(),
        options: wanted.options.clone(),
        state: RunState::Waiting,
        begun: now,
        ended: None,
        counts: BTreeMap::new(),
        error: None,
    }
}

impl Inner {
    fn new_run_id(&self) -> Result<Arc<str>> {
        Ok(hex::encode(craton_base::random::bytes::<8>(&*self.random)?).into())
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
