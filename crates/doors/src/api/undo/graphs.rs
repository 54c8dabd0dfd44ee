//! Graphs: before a run, and at a time.

use craton_base::{BucketName, Error, FactPath, GraphName, ResourcePath, Result, Sequence};
use craton_gate::{ReadPermit, Whose, WritePermit};
use craton_graph::{
    Limits,
    engine::Share,
    past::{Finding, Step},
};
use craton_objects::past::{Era, Moment};

use super::{
    Aim, Work,
    item::{By, Item, State},
};

/// Work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("a graph's work did not end").with_source(e))?
}

impl Work<'_> {
    /// One graph.
    pub(super) async fn graph(&self, bucket: BucketName, graph: GraphName, aim: Aim<'_>) -> Result<Item> {
        let path = ResourcePath::Facts(bucket, FactPath::whole(graph));
        let item = Item::new(&path.to_string(), "graph");
        let ask = self.ask(&["craton:ReadGraph"], path.clone());
        let read = self.gate.read(&self.session, ask).await?;
        let ending = read.ending();
        let may = read.also_all(&["craton:WriteGraph"], &path);
        let finding = self.find_graph(read, aim).await;
        let finding = finding.inspect_err(|e| ending.failed(e.kind(), e.reason()))?;
        Ok(match finding {
            Finding::Same => item,
            Finding::Done(commit) => {
                let mut item = item.stands(State::Already);
                item.commit = Some(commit.0);
                item
            }
            Finding::Later(commit) => {
                let made = self.made_by(&path.to_string(), commit)?;
                item.later(made)
            }
            Finding::Gone => item.refused(
                State::Gone,
                "what the run did is not there any more: the undo window has passed",
            ),
            Finding::Passed => item.refused(State::Passed, "the undo window has passed over what it was"),
            Finding::Step(step) => return self.step_graph(item, (path, may), step).await,
        })
    }

    async fn find_graph(&self, read: ReadPermit, aim: Aim<'_>) -> Result<Finding> {
        let _memory = self.engines.graphs.reserve(Share::Reader).await?;
        let graphs = self.engines.graphs.clone();
        let control = graphs.control(Limits::default());
        match aim {
            Aim::At(time) => {
                let moment = Moment::at(&read, time).map_err(|e| e.to_base())?;
                if !moment.whole {
                    let text = "the undo window of the bucket begins later";
                    return Err(Error::new(craton_base::Kind::NotFound, "UndoWindowPassed", text));
                }
                blocking(move || graphs.as_of(&read, control, moment.commit)).await
            }
            Aim::Undo(of) => {
                let whole = Era::of(&read).map_err(|e| e.to_base())?.whole;
                let gate = self.gate.clone();
                let (run, principal) = (of.run.run.clone(), of.run.principal.clone());
                let (undoing, caller) = (of.undoing.to_owned(), self.session.principal().to_owned());
                let resources = of.resources.clone();
                let whose = move |version: Sequence| {
                    for resource in &resources {
                        if gate.is_of_run((&principal, &run), resource, version)? {
                            return Ok(Whose::Run);
                        }
                    }
                    // What is undone is undone as a whole.
                    let whole = read_path(&resources);
                    Ok(match gate.is_of_run((&caller, &undoing), &whole, version)? {
                        true => Whose::Undoing,
                        false => Whose::Another,
                    })
                };
                blocking(move || graphs.before_run(&read, control, whole, whose)).await
            }
        }
    }

    async fn step_graph(&self, item: Item, (path, may): (ResourcePath, bool), step: Step) -> Result<Item> {
        let item = match step.back {
            Some(back) => item.planned("bring back", Some(back.0)),
            None => item.planned("delete", None),
        };
        let write: WritePermit = match self.apply {
            false => {
                return Ok(match may {
                    true => item.stands(State::Ready),
                    false => item.refused(State::Denied, "Access Denied"),
                });
            }
            true => match self
                .gate
                .write(&self.session, self.ask(&["craton:WriteGraph"], path))
                .await
            {
                Ok(write) => write,
                Err(error) => return item.failed(error),
            },
        };
        let _memory = self.engines.graphs.reserve(Share::Reader).await?;
        let control = self.engines.graphs.control(Limits::default());
        let writer = self.engines.graphs.writer(write, control)?;
        let done = blocking(move || {
            let ending = writer.permit().ending();
            let done = writer.bring_back(&step);
            done.inspect_err(|e| ending.failed(e.kind(), e.reason()))
        });
        match done.await {
            Ok(committed) => Ok(item.done(committed.sequence.0)),
            Err(error) => item.failed(error),
        }
    }

    /// Who made a version, as far as the caller may know.
    pub(super) fn made_by(&self, resource: &str, version: Sequence) -> Result<By> {
        let made = self.gate.maker(&self.session, resource, version)?;
        Ok(By {
            version: version.0,
            principal: made.as_ref().map(|edge| edge.principal.clone()),
            run: made.as_ref().map(|edge| edge.run.clone()),
            time: made.map(|edge| edge.first),
            deletion: false,
        })
    }
}

/// The path of the whole graph that paths of its parts are of.
fn read_path(resources: &[String]) -> String {
    let parts = resources.first().map(|first| first.splitn(5, '/').take(4));
    parts
        .map(|parts| parts.collect::<Vec<_>>().join("/"))
        .unwrap_or_default()
}
