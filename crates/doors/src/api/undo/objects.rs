//! Objects: before a run, and at a time.

use craton_base::{BucketName, ObjectKey, ResourcePath, Result, Timestamp};
use craton_gate::{Edge, Flow, Kind, ReadPermit, Whose};
use craton_objects::past::{self, Era, Finding, Moment, Step, Told};
use futures::future::BoxFuture;

use super::{
    Aim, Work, all,
    item::{By, Item, State},
};

/// How many names of a prefix one page looks at.
const NAMES_MAX: usize = 65_536;

impl Work<'_> {
    /// One object.
    pub(super) async fn object(&self, bucket: BucketName, key: ObjectKey, aim: Aim<'_>) -> Result<Item> {
        let path = ResourcePath::Object(bucket, key.clone());
        let item = Item::new(&path.to_string(), "object");
        let ask = self.ask(&["s3:GetObjectVersion"], path.clone());
        let read = self.gate.read(&self.session, ask).await?;
        let finding = self
            .find(&read, &key, aim)
            .map_err(|e| e.to_base())
            .inspect_err(|e| read.failed(e.kind(), e.reason()))?;
        Ok(match finding {
            Finding::Same => item,
            Finding::Done(told) => {
                let mut item = item.stands(State::Already);
                item.commit = Some(told.sequence.0);
                item
            }
            Finding::Later(told) => item.later(self.who(&read, &path, told)?),
            Finding::Gone => item.refused(
                State::Gone,
                "what the run did is not there any more: a version was deleted by its name, or the undo window has passed",
            ),
            Finding::Passed => item.refused(State::Passed, "the undo window has passed over what it was"),
            Finding::Step(step) => return self.step((item, path, key), &read, &step).await,
        })
    }

    fn find(&self, read: &ReadPermit, key: &ObjectKey, aim: Aim<'_>) -> craton_objects::Result<Finding> {
        match aim {
            Aim::At(time) => past::as_of(read, key, Moment::at(read, time)?),
            Aim::Undo(of) => {
                let (of_run, of_undoing) = (
                    (of.run.principal.as_str(), of.run.run.as_str()),
                    (self.session.principal(), of.undoing),
                );
                let whose = |version| {
                    let resource = &of.changed.resource;
                    Ok(if self.gate.is_of_run(of_run, resource, version)? {
                        Whose::Run
                    } else if self.gate.is_of_run(of_undoing, resource, version)? {
                        Whose::Undoing
                    } else {
                        Whose::Another
                    })
                };
                past::before_run(read, key, Era::of(read)?, &of.changed.versions, whose)
            }
        }
    }

    async fn step(
        &self,
        (item, path, key): (Item, ResourcePath, ObjectKey),
        read: &ReadPermit,
        step: &Step,
    ) -> Result<Item> {
        let actions = step.actions().map_err(|e| e.to_base())?;
        let item = match &step.back {
            Some(back) => item.planned("bring back", Some(back.sequence.0)),
            None => item.planned("delete", None),
        };
        if !self.apply {
            return Ok(match read.also_all(&actions, &path) {
                true => item.stands(State::Ready),
                false => item.refused(State::Denied, "Access Denied"),
            });
        }
        let write = match self.gate.write(&self.session, self.ask(&actions, path)).await {
            Ok(write) => write,
            Err(error) => return item.failed(error),
        };
        match step.take(read, &write, &key).await {
            Ok(commit) => Ok(item.done(commit.0)),
            Err(error) => {
                let error = error.to_base();
                write.failed(error.kind(), error.reason());
                item.failed(error)
            }
        }
    }

    /// Who made a version, as far as the caller may know.
    fn who(&self, read: &ReadPermit, path: &ResourcePath, told: Told) -> Result<By> {
        let made: Option<Edge> = self.gate.maker(&self.session, &path.to_string(), told.sequence)?;
        let lists = path
            .bucket()
            .is_some_and(|bucket| read.also("s3:ListBucketVersions", &ResourcePath::Bucket(bucket.clone())));
        let owner = told.owner.filter(|_| lists);
        Ok(By {
            version: told.sequence.0,
            principal: made.as_ref().map(|edge| edge.principal.clone()).or(owner),
            run: made.as_ref().map(|edge| edge.run.clone()),
            time: told.modified.or(made.map(|edge| edge.first)),
            deletion: told.deletion,
        })
    }

    /// One object of those; what is in its way is said of it.
    async fn listed(&self, bucket: &BucketName, key: &ObjectKey, at: Timestamp) -> Result<Vec<Item>> {
        let done = self.object(bucket.clone(), key.clone(), Aim::At(at)).await;
        let done = done.or_else(|error| {
            let path = ResourcePath::Object(bucket.clone(), key.clone());
            Item::new(&path.to_string(), "object").failed(error)
        });
        done.map(|item| vec![item])
    }

    /// The objects whose keys begin so: what of them is not as it was, how many are, and where to go on.
    pub(super) async fn prefix(
        &self,
        (bucket, prefix): (BucketName, String),
        at: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Item>, u64, Option<String>)> {
        let path = ResourcePath::Objects(bucket.clone(), prefix.clone());
        let ask = self
            .ask(&["s3:ListBucketVersions"], path)
            .with("s3:prefix", prefix);
        let list = self.gate.read(&self.session, ask).await?;
        let moment = Moment::at(&list, at).map_err(|e| e.to_base());
        let moment = moment.inspect_err(|e| list.failed(e.kind(), e.reason()))?;
        let (keys, mut same, mut next) = changed_since(&list, moment, after, limit)?;
        let one = |key| -> BoxFuture<'_, Result<Vec<Item>>> { Box::pin(self.listed(&bucket, key, at)) };
        let (items, done) = all(&keys, one).await?;
        if keys.len() > done {
            // It took long.
            next = done
                .checked_sub(1)
                .and_then(|last| keys.get(last))
                .map(|key| key.as_str().to_owned());
        }
        let unchanged = items.iter().filter(|item| item.state == State::Same).count();
        same = same.saturating_add(unchanged as u64);
        Ok((items, same, next))
    }
}

/// The names that were written after a moment, after a name; how many were not, and where to go on.
fn changed_since(
    list: &ReadPermit,
    moment: Moment,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<ObjectKey>, u64, Option<String>)> {
    let start = after
        .map(|name| [name.as_bytes(), &[0]].concat())
        .unwrap_or_default();
    let (mut keys, mut same, mut next) = (Vec::new(), 0_u64, None);
    let mut looked = 0_usize;
    list.visit::<craton_base::Error>(Kind::Object, (&start, None), |head| {
        let name = String::from_utf8_lossy(head.name).into_owned();
        looked = looked.saturating_add(1);
        match moment.whole && head.sequence <= moment.commit {
            true => same = same.saturating_add(1),
            false => keys.push(ObjectKey::new(&name)?),
        }
        if keys.len() >= limit || looked >= NAMES_MAX {
            next = Some(name);
            return Ok(Flow::Stop);
        }
        Ok(Flow::Next)
    })?;
    Ok((keys, same, next))
}
