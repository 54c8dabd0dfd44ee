//! A graph as it was: what undoing a run, or going back to a time, makes of it.
//!
//! Each commit's manifest stays for the undo window, and so do the runs that it names, also those that were merged away since. Facts are had
//! back by a new manifest that names the old runs again.
//!
//! ```text
//! manifests, newest first      15 merge of 14   14 run   12 merge of 9   9 other      before the run: the facts of 12
//! ```
//!
//! A merge changes no fact, nor does a pin: such a manifest has the generation of the one before it, and counts as that one.
//!
//! Deliberately absent: which commits are a run's (who asks says); putting the manifest in place ([`crate::writer`]).

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{Kind, Permit, ReadPermit, Standing, StoredVersion, Whose};

use crate::{Control, blobs::GraphBlobs, engine::Graphs, manifest::FactsManifest};

/// The most commits that are looked at.
const COMMITS_MAX: usize = 4096;

/// What can be made of a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It is as it would become.
    Same,
    /// It was done before, by this commit.
    Done(Sequence),
    /// Somebody changed it later, by this commit.
    Later(Sequence),
    /// What is to be undone is not there any more.
    Gone,
    /// What was before is not there any more.
    Passed,
    /// This is to be done.
    Step(Step),
}

/// What is to be done with a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The generation of the newest facts, which must still be that.
    pub newest: u64,
    /// The commit whose facts are had back; `None`: there are none then.
    pub back: Option<Sequence>,
}

/// Facts between two changes of them: the commit that made them, and those after it that kept them.
#[derive(Clone, Copy)]
struct State {
    /// The newest commit of them.
    newest: Sequence,
    /// The commit that made them.
    made: Sequence,
    generation: u64,
    brought_back: u64,
    is_empty: bool,
}

/// The states of a graph, newest first, as far as one looks.
struct States<'a> {
    permit: &'a Permit,
    blobs: GraphBlobs,
    /// A commit of the state that comes next.
    held: Option<(Sequence, FactsManifest)>,
    before: Option<Sequence>,
    looked: usize,
}

impl States<'_> {
    fn row(&mut self) -> Result<Option<(Sequence, FactsManifest)>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        self.looked = self.looked.saturating_add(1);
        if self.looked > COMMITS_MAX {
            let text = format!("a graph of more than {COMMITS_MAX} commits since then is not had back");
            return Err(Error::new(ErrorKind::TooLarge, "TooManyCommits", text));
        }
        let name = self.blobs.graph().as_str().as_bytes();
        let found = match self.before {
            None => self.permit.newest(Kind::Graph, name)?,
            Some(before) => self.permit.before(Kind::Graph, name, before)?,
        };
        let Some(StoredVersion { stored, standing }) = found else {
            return Ok(None);
        };
        self.before = Some(stored.sequence);
        let manifest = match standing {
            Standing::Exists => FactsManifest::decode(&self.blobs.handle().whole(&stored)?, &self.blobs)?,
            Standing::Deleted | Standing::Marked => FactsManifest::default(),
        };
        Ok(Some((stored.sequence, manifest)))
    }

    fn next(&mut self) -> Result<Option<State>> {
        let Some((newest, manifest)) = self.row()? else {
            return Ok(None);
        };
        let mut state = State {
            newest,
            made: newest,
            generation: manifest.next_generation,
            brought_back: manifest.brought_back,
            is_empty: manifest.levels.is_empty(),
        };
        while let Some((sequence, manifest)) = self.row()? {
            if manifest.next_generation != state.generation {
                self.held = Some((sequence, manifest));
                break;
            }
            state.made = sequence;
        }
        Ok(Some(state))
    }
}

impl Graphs {
    fn states<'a>(&self, permit: &'a ReadPermit, control: Control) -> Result<States<'a>> {
        let craton_base::ResourcePath::Facts(_, path) = permit.resource() else {
            return Err(Error::internal("a permit is for no graph"));
        };
        let random = std::sync::Arc::clone(self.random());
        Ok(States {
            permit,
            blobs: GraphBlobs::new(permit.handle(), path.graph().clone(), random, control),
            held: None,
            before: None,
            looked: 0,
        })
    }

    /// What undoing a run makes of the graph that a permit is for. `whole` is the newest commit of before history is whole. Blocks.
    ///
    /// # Errors
    /// Those of `whose`; `TooManyCommits`; the store's own.
    pub fn before_run(
        &self,
        permit: &ReadPermit,
        control: Control,
        whole: Sequence,
        whose: impl Fn(Sequence) -> Result<Whose>,
    ) -> Result<Finding> {
        let mut states = self.states(permit, control)?;
        let Some(newest) = states.next()? else {
            return Ok(Finding::Gone);
        };
        match whose(newest.made)? {
            Whose::Run => {}
            Whose::Undoing => return Ok(Finding::Done(newest.made)),
            Whose::Another => {
                while let Some(state) = states.next()? {
                    if state.newest <= whole {
                        break;
                    }
                    if whose(state.made)? == Whose::Run {
                        return Ok(Finding::Later(newest.made));
                    }
                }
                return Ok(Finding::Gone);
            }
        }
        let mut of_run = newest;
        let before = loop {
            if of_run.made <= whole {
                return Ok(Finding::Passed);
            }
            match states.next()? {
                None => break None,
                Some(state) if whose(state.made)? == Whose::Run => of_run = state,
                Some(state) => break Some(state),
            }
        };
        Ok(step(newest, before))
    }

    /// What going back to a commit makes of the graph that a permit is for. History is whole since before it. Blocks.
    ///
    /// # Errors
    /// `TooManyCommits`; the store's own.
    pub fn as_of(&self, permit: &ReadPermit, control: Control, at: Sequence) -> Result<Finding> {
        let mut states = self.states(permit, control)?;
        let Some(newest) = states.next()? else {
            return Ok(Finding::Same);
        };
        let mut then = Some(newest);
        while let Some(state) = then
            && state.made > at
        {
            then = states.next()?;
        }
        Ok(step(newest, then))
    }
}

/// From what is to what was.
fn step(newest: State, was: Option<State>) -> Finding {
    let Some(was) = was.filter(|was| !was.is_empty) else {
        return match newest.is_empty {
            true => Finding::Same,
            false => Finding::Step(Step {
                newest: newest.generation,
                back: None,
            }),
        };
    };
    let is_it =
        newest.generation == was.generation || (was.made.0..=was.newest.0).contains(&newest.brought_back);
    match is_it {
        true => Finding::Same,
        false => Finding::Step(Step {
            newest: newest.generation,
            back: Some(was.newest),
        }),
    }
}
