//! One resource in the answer: what would be done with it, or was, and what stands against it.

use craton_base::{Error, Kind, Result, Timestamp};
use craton_gate::BUDGET_EXCEEDED;
use serde_json::{Value, json};

use crate::errors;

/// How a resource stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It would be done.
    Ready,
    /// It was done.
    Done,
    /// There is nothing to do: it is as it was.
    Same,
    /// It was done before.
    Already,
    /// Somebody changed it later.
    Later,
    /// What was done to it is not there any more.
    Gone,
    /// The undo window has passed over what it was.
    Passed,
    /// The caller may not.
    Denied,
    /// A lease of somebody else covers it.
    Leased,
    /// Something else is in the way.
    Failed,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Done => "done",
            Self::Same => "same",
            Self::Already => "already",
            Self::Later => "later",
            Self::Gone => "gone",
            Self::Passed => "passed",
            Self::Denied => "denied",
            Self::Leased => "leased",
            Self::Failed => "failed",
        }
    }
}

/// Who changed a resource later, as far as the caller may know.
#[derive(Clone, Debug, Default)]
pub(super) struct By {
    pub(super) version: u64,
    pub(super) principal: Option<String>,
    pub(super) run: Option<String>,
    pub(super) time: Option<Timestamp>,
    /// Whether they deleted it.
    pub(super) deletion: bool,
}

/// A resource.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) resource: String,
    pub(super) kind: &'static str,
    pub(super) state: State,
    /// What the run did to it.
    pub(super) written: u64,
    pub(super) deleted: u64,
    /// What is done with it: `bring back`, `delete`, `drop`.
    pub(super) step: Option<&'static str>,
    /// The version that is brought back.
    pub(super) back: Option<u64>,
    /// The commit that did it.
    pub(super) commit: Option<u64>,
    pub(super) by: Option<By>,
    pub(super) why: String,
}

impl Item {
    pub(super) fn new(resource: &str, kind: &'static str) -> Self {
        Self {
            resource: resource.to_owned(),
            kind,
            state: State::Same,
            written: 0,
            deleted: 0,
            step: None,
            back: None,
            commit: None,
            by: None,
            why: String::new(),
        }
    }

    pub(super) fn stands(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    pub(super) fn refused(mut self, state: State, why: &str) -> Self {
        self.state = state;
        why.clone_into(&mut self.why);
        self
    }

    /// What is done with it.
    pub(super) fn planned(mut self, step: &'static str, back: Option<u64>) -> Self {
        self.step = Some(step);
        self.back = back;
        self
    }

    pub(super) fn done(mut self, commit: u64) -> Self {
        self.state = State::Done;
        self.commit = Some(commit);
        self
    }

    /// Somebody changed it later.
    pub(super) fn later(mut self, by: By) -> Self {
        self.state = State::Later;
        self.by = Some(by);
        self
    }

    /// An error of one resource, said of it. What keeps all others from being done too is an error of the whole.
    pub(super) fn failed(self, error: Error) -> Result<Self> {
        let state = match (error.kind(), error.reason()) {
            (_, BUDGET_EXCEEDED) | (Kind::Unavailable | Kind::Corrupt, _) => return Err(error),
            (Kind::Denied, _) => State::Denied,
            (Kind::Busy, _) => State::Leased,
            (Kind::Precondition, _) => State::Later,
            (Kind::NotFound, "NoSuchBucket") => State::Gone,
            (Kind::NotFound, "UndoWindowPassed") => State::Passed,
            (Kind::Internal, _) => {
                tracing::error!(%error, reason = error.reason(), "a resource can not be had back");
                State::Failed
            }
            _ => State::Failed,
        };
        // Who may not is told no more than that.
        let why = match state {
            State::Denied => "Access Denied".to_owned(),
            _ => errors::message(&error).to_owned(),
        };
        Ok(self.refused(state, &why))
    }

    pub(super) fn shown(&self) -> Value {
        let by = self.by.as_ref().map(|by| {
            json!({
                "version": by.version,
                "principal": by.principal,
                "run": by.run,
                "time_micros": by.time.map(Timestamp::micros),
                "deletion": by.deletion,
            })
        });
        json!({
            "resource": self.resource,
            "kind": self.kind,
            "state": self.state.as_str(),
            "written": self.written,
            "deleted": self.deleted,
            "step": self.step,
            "back": self.back,
            "commit": self.commit,
            "by": by,
            "why": self.why,
        })
    }
}
