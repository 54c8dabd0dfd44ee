//! Tables and views: before a run, and at a time.

use craton_base::{BucketName, Error, Kind, ResourcePath, Result, Sequence};
use craton_gate::{
    Kind as Entries, ReadPermit, StoredVersion, Whose,
    tables::{self as known, NameRow},
};
use craton_objects::past::{Era, Moment};
use craton_tables::past::{self, Finding, Step};

use super::{
    Aim, OfRun, Work,
    item::{Item, State},
};

/// What one needs to be allowed to look at a table's past.
const READS: [&str; 2] = ["s3tables:GetTableMetadataLocation", "s3tables:GetTableData"];

impl Work<'_> {
    /// One table, by its id.
    pub(super) async fn table(&self, bucket: BucketName, id: &str, aim: Aim<'_>) -> Result<Item> {
        let path = known::table(bucket, id);
        let item = Item::new(&path.to_string(), "table");
        let read = self
            .gate
            .read(&self.session, self.ask(&READS, path.clone()))
            .await?;
        let finding = self.find_table(&read, &path, aim);
        let finding = finding.inspect_err(|e| read.failed(e.kind(), e.reason()))?;
        Ok(match finding {
            Finding::Same => item,
            Finding::Done(commit) => {
                let mut item = item.stands(State::Already);
                item.commit = Some(commit.0);
                item
            }
            Finding::Later(commit) => {
                let by = self.made_by(&path.to_string(), commit)?;
                item.later(by)
            }
            Finding::Gone => item.refused(
                State::Gone,
                "what the run did is not there any more: the undo window has passed",
            ),
            Finding::Passed => item.refused(State::Passed, "the undo window has passed over what it was"),
            Finding::Step(step) => return self.step_table(item, &read, path, step).await,
        })
    }

    fn find_table(&self, read: &ReadPermit, path: &ResourcePath, aim: Aim<'_>) -> Result<Finding> {
        match aim {
            Aim::At(time) => past::as_of(read, whole_moment(read, time)?),
            Aim::Undo(of) => {
                let whole = Era::of(read).map_err(|e| e.to_base())?.whole;
                past::before_run(read, whole, |version| self.whose(of, path, version))
            }
        }
    }

    /// Tables are made, and changed together, by the catalog's path.
    fn whose(&self, of: &OfRun<'_>, path: &ResourcePath, version: Sequence) -> Result<Whose> {
        let own = path.to_string();
        let catalog = path
            .bucket()
            .map(|bucket| known::catalog(bucket.clone()).to_string());
        let all = [Some(own.as_str()), catalog.as_deref()];
        for resource in all.into_iter().flatten() {
            let run = (of.run.principal.as_str(), of.run.run.as_str());
            if self.gate.is_of_run(run, resource, version)? {
                return Ok(Whose::Run);
            }
            if self
                .gate
                .is_of_run((self.session.principal(), of.undoing), resource, version)?
            {
                return Ok(Whose::Undoing);
            }
        }
        Ok(Whose::Another)
    }

    async fn step_table(
        &self,
        item: Item,
        read: &ReadPermit,
        path: ResourcePath,
        step: Step,
    ) -> Result<Item> {
        let item = match step.back {
            Some(back) => item.planned("bring back", Some(back.0)),
            None => item.planned("drop", None),
        };
        let actions = step.actions();
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
        match self.engines.tables.bring_back(&write, &step).await {
            Ok(commit) => Ok(item.done(commit.0)),
            Err(error) => {
                write.failed(error.kind(), error.reason());
                item.failed(error)
            }
        }
    }

    /// A table by its name; one that is not there now, by what had the name then.
    pub(super) async fn table_named(
        &self,
        bucket: BucketName,
        (levels, name): (Vec<String>, String),
        aim: Aim<'_>,
    ) -> Result<Item> {
        let row = known::name_row(&levels, &name);
        let path = self.gate.table_named(&bucket, &row)?;
        if let Some(id) = known::id_of(&path).filter(|_| !known::is_nobody(&path)) {
            return self.table(bucket, id, aim).await;
        }
        let Aim::At(time) = aim else {
            return Err(Error::internal("what a run changed is known by its id"));
        };
        let ask = self
            .ask(&["s3tables:ListTables"], known::catalog(bucket.clone()))
            .with("s3tables:namespace", levels.join("."));
        let read = self.gate.read(&self.session, ask).await?;
        let commit = whole_moment(&read, time)?;
        let until = Sequence(commit.0.saturating_add(1));
        let then = read.before(Entries::TableName, &row, until)?;
        let then = then.and_then(StoredVersion::existing).ok_or_else(|| {
            let text = format!("there was no table {}.{name} then", levels.join("."));
            Error::new(Kind::NotFound, "NoSuchTable", text)
        });
        let then = then.inspect_err(|e| read.failed(e.kind(), e.reason()))?;
        let id = NameRow::read(&then.value.meta)?.id;
        self.table(bucket, &id, aim).await
    }

    /// The tables that a run made, and those that it changed together with others.
    pub(super) async fn catalog(&self, bucket: BucketName, of: &OfRun<'_>) -> Result<Vec<Item>> {
        let path = known::catalog(bucket.clone());
        let ids = {
            let read = self
                .gate
                .read(&self.session, self.ask(&["s3tables:ListTables"], path))
                .await?;
            past::changed_by(&read, &of.changed.versions)?
        };
        let mut items = Vec::new();
        for id in ids {
            items.push(match self.table(bucket.clone(), &id, Aim::Undo(of)).await {
                Ok(item) => item,
                Err(error) => {
                    let resource = known::table(bucket.clone(), &id).to_string();
                    Item::new(&resource, "table").failed(error)?
                }
            });
        }
        Ok(items)
    }
}

/// The commit of a time, from when on history is whole.
fn whole_moment(read: &ReadPermit, time: craton_base::Timestamp) -> Result<Sequence> {
    let moment = Moment::at(read, time).map_err(|e| e.to_base())?;
    if moment.whole {
        return Ok(moment.commit);
    }
    let text = "the undo window of the bucket begins later";
    Err(Error::new(Kind::NotFound, "UndoWindowPassed", text))
}
