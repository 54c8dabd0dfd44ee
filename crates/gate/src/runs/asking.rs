//! Runs as others see them: listed, asked for, told to end, by whoever may.

use std::sync::Arc;

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};
use tokio::sync::watch;

use super::{Going, RunInfo, Runs, Wanted, waiting};
use crate::{ask::Ask, gate::Gate, session::Session, worker::Worker};

impl Gate {
    /// The runs, those that go on first, newest first.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn list_runs(&self, session: &Session) -> Result<Vec<RunInfo>> {
        let ask = Ask::new("ListRuns", "craton:ListRuns", ResourcePath::System("runs".into()));
        let _permit = self.read(session, ask).await?;
        Ok(self.inner.runs.all())
    }

    /// The runs of `worker` on `subject`, for who may do what `ask` says.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn runs_on(
        &self,
        session: &Session,
        ask: Ask,
        (worker, subject): (Worker, &str),
    ) -> Result<Vec<RunInfo>> {
        let _permit = self.read(session, ask).await?;
        let mut runs = self.inner.runs.all();
        runs.retain(|run| run.worker == worker && run.subject == subject);
        Ok(runs)
    }

    /// Tells a run of `worker` on `subject` to end, for who may do what `ask` says.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchRun` if it is over or never was.
    pub async fn cancel_run_on(
        &self,
        session: &Session,
        ask: Ask,
        (worker, subject, id): (Worker, &str, &str),
    ) -> Result<()> {
        let permit = self.write(session, ask).await?;
        let going = self.inner.runs.going.lock();
        let found = going.get(id);
        let found = found.filter(|going| going.info.worker == worker && going.info.subject == subject);
        let told = found.map(|going| going.cancel.send_replace(true));
        drop(going);
        told.map(drop).ok_or_else(|| {
            permit.failed(ErrorKind::NotFound, "NoSuchRun");
            no_such_run(id)
        })
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
        Err(no_such_run(id))
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
        let sent = self.inner.runs.send(Wanted::new(worker, subject.to_owned()));
        sent.inspect_err(|error| permit.failed(error.kind(), error.reason()))
    }

    /// Asks for a run, for who may change what `ask` says: the run's id, by which it is watched and cancelled from now on.
    ///
    /// # Errors
    /// As [`Gate::ask_for_run`].
    pub async fn ask_for_run_on(&self, session: &Session, ask: Ask, wanted: Wanted) -> Result<Arc<str>> {
        let permit = self.write(session, ask).await?;
        let id = self.inner.new_run_id()?;
        let wanted = Wanted {
            id: Some(id.clone()),
            ..wanted
        };
        let info = waiting(&wanted, &id, permit.now());
        let cancel = watch::channel(false).0;
        let runs = &self.inner.runs;
        runs.going.lock().insert(id.clone(), Going { info, cancel });
        if let Err(error) = runs.send(wanted) {
            runs.going.lock().remove(&id);
            permit.failed(error.kind(), error.reason());
            return Err(error);
        }
        Ok(id)
    }
}

impl Runs {
    /// Tells who works that something is wanted.
    fn send(&self, wanted: Wanted) -> Result<()> {
        let Some(sender) = self.wanted.lock().clone() else {
            let text = "nobody works here";
            return Err(Error::new(ErrorKind::Unavailable, "NoWorkers", text));
        };
        sender.try_send(wanted).map_err(|e| {
            Error::new(ErrorKind::Busy, "TooManyRuns", "too many runs were asked for").with_source(e)
        })
    }
}

fn no_such_run(id: &str) -> Error {
    let text = format!("no run {id:?} goes on");
    Error::new(ErrorKind::NotFound, "NoSuchRun", text)
}
