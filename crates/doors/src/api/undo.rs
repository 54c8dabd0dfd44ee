//! Undoing what a run did, and going back to a time: what would be done, or doing it, a page of resources at a time.
//!
//! ```text
//! run's edges ──▶ resources that it changed ─┐
//!                                            ├─▶ each: decided, looked at, and if asked for, done ──▶ an item of the answer
//! a path and a time ──▶ what lies under it ──┘
//! ```
//!
//! Each resource is decided for the caller as it would be at its own door: reading its past, and writing or deleting it. What is done is a
//! run of its own, so it can be looked at and undone like any other. A page ends when it is full or when it has taken long; asking again from
//! its end goes on, and asking for everything again after a crash does what was left.
//!
//! Deliberately absent: how what was is found and had back (the engines); which resources a run changed (the gate).

use std::{pin::pin, time::Duration};

use craton_base::{BucketName, Error, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Changed, Gate, RunSummary, Session, UndoWindow};
use futures::future::{BoxFuture, join_all};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Engines, query};

mod graphs;
mod item;
mod objects;
mod places;
mod tables;

use item::{Item, State};
use places::Place;

/// The most resources in one answer.
const PAGE_MAX: usize = 1000;

/// How many are worked on side by side: enough to share flushes.
const AT_ONCE: usize = 16;

/// How long a page may take before it ends, but for what is under way.
const PAGE_TIME: Duration = Duration::from_secs(20);

/// The longest name of a run.
const RUN_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Undo {
    run: String,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default)]
    apply: bool,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    path: String,
    at: At,
    #[serde(default)]
    apply: bool,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// A time: microseconds since 1970, or as RFC 3339 writes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum At {
    Micros(u64),
    Text(String),
}

impl At {
    fn time(&self) -> Result<Timestamp> {
        match self {
            Self::Micros(micros) => Ok(Timestamp(*micros)),
            Self::Text(text) => query::time(text).ok_or_else(|| {
                Error::invalid(format!("{text:?} is not a time such as 2026-01-31T12:00:00Z"))
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    /// `None`: as the server is set.
    seconds: Option<u64>,
}

/// Who works, and how far.
struct Work<'a> {
    gate: &'a Gate,
    /// Read by the steps for graphs and tables.
    engines: Engines<'a>,
    session: Session,
    operation: &'static str,
    apply: bool,
}

/// What is to be made of a resource.
#[derive(Clone, Copy)]
enum Aim<'a> {
    /// What it was before a run changed it.
    Undo(&'a OfRun<'a>),
    /// What it was at a time.
    At(Timestamp),
}

/// A resource that a run changed.
struct OfRun<'a> {
    run: &'a RunSummary,
    changed: &'a Changed,
    /// The undoing's own run.
    undoing: &'a str,
    /// As what records know it: parts of a graph have paths of their own.
    resources: Vec<String>,
}

fn page(limit: Option<usize>) -> Result<usize> {
    match limit {
        None => Ok(PAGE_MAX),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::invalid(format!("a page has 1 to {PAGE_MAX} resources"))),
    }
}

/// What the run is called that undoes another.
fn undoing(run: &str) -> String {
    let mut name = format!("undo-{run}");
    while name.len() > RUN_BYTES_MAX {
        name.pop();
    }
    name
}

/// Works on all, some side by side, until it has taken long; the items, and how many they are of.
async fn all<'a, T>(
    of: &'a [T],
    work: impl Fn(&'a T) -> BoxFuture<'a, Result<Vec<Item>>>,
) -> Result<(Vec<Item>, usize)> {
    let mut over = pin!(tokio::time::sleep(PAGE_TIME));
    let (mut items, mut count) = (Vec::with_capacity(of.len()), 0_usize);
    for some in of.chunks(AT_ONCE) {
        let done = join_all(some.iter().map(&work)).await;
        for item in done {
            items.extend(item?);
            count = count.saturating_add(1);
        }
        if futures::poll!(&mut over).is_ready() {
            break;
        }
    }
    Ok((items, count))
}

pub(super) async fn undo(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Undo = call.json()?;
    let limit = page(asked.limit)?;
    let principal = asked.principal.as_deref().unwrap_or(call.session.principal());
    let run = call.gate.run_info(call.session, principal, &asked.run).await?;
    let name = undoing(&run.run);
    let found = call
        .gate
        .run_changes(call.session, &run, asked.after.as_deref(), limit)
        .await?;
    let work = Work {
        gate: call.gate,
        engines: call.engines,
        session: match asked.apply {
            true => call.session.in_run(&name),
            false => call.session.clone(),
        },
        operation: "UndoRun",
        apply: asked.apply,
    };
    let one = |changed| -> BoxFuture<'_, Result<Vec<Item>>> {
        let page = found.changed.as_slice();
        Box::pin(work.undo(&run, (changed, page), &name))
    };
    let (items, done) = all(&found.changed, one).await?;
    let next = match found.changed.get(done) {
        // It took long.
        Some(_) => done
            .checked_sub(1)
            .and_then(|last| found.changed.get(last))
            .map(|c| c.place.clone()),
        None => found.next,
    };
    Ok(json!({
        "run": run.run,
        "principal": run.principal,
        "applied": asked.apply,
        "undo": name,
        "items": items.iter().map(Item::shown).collect::<Vec<_>>(),
        "hidden": found.hidden,
        "next": next,
    }))
}

pub(super) async fn restore(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Restore = call.json()?;
    let limit = page(asked.limit)?;
    let at = asked.at.time()?;
    let place = Place::parse(&asked.path)?;
    let named = call.session.origin().run.is_some();
    let work = Work {
        gate: call.gate,
        engines: call.engines,
        session: match asked.apply && !named {
            true => call.session.in_run(&format!("restore-{}", at.micros())),
            false => call.session.clone(),
        },
        operation: "RestorePast",
        apply: asked.apply,
    };
    let (items, same, next) = match place {
        Place::Objects(bucket, prefix) => work.prefix((bucket, prefix), at, asked.after, limit).await?,
        one => {
            let item = work.one(one, Aim::At(at)).await?;
            let same = u64::from(item.state == State::Same);
            (vec![item], same, None)
        }
    };
    Ok(json!({
        "path": asked.path,
        "at_micros": at.micros(),
        "applied": asked.apply,
        "items": items.iter().filter(|item| item.state != State::Same).map(Item::shown).collect::<Vec<_>>(),
        "same": same,
        "next": next,
    }))
}

impl Work<'_> {
    /// One resource that a run changed, among `page`. What is in the way of it is said of it, and keeps nothing else from being done.
    async fn undo(
        &self,
        run: &RunSummary,
        (changed, page): (&Changed, &[Changed]),
        undoing: &str,
    ) -> Result<Vec<Item>> {
        let item = |kind| Item::new(&changed.resource, kind);
        let Some(place) = Place::of_record(&changed.bucket, &changed.resource)? else {
            return Ok(vec![
                item("other").refused(State::Failed, "this can not be undone"),
            ]);
        };
        if let Place::File(..) = place
            && changed.deleted == 0
        {
            let why = "a file of a table goes with the table: nothing names it once the table is as it was";
            return Ok(vec![item("file").refused(State::Same, why)]);
        }
        let of = |other: &&Changed| {
            let other = Place::of_record(&other.bucket, &other.resource);
            other.is_ok_and(|other| other.as_ref() == Some(&place))
        };
        let of_run = OfRun {
            run,
            changed,
            undoing,
            resources: page
                .iter()
                .filter(of)
                .map(|other| other.resource.clone())
                .collect(),
        };
        if of_run.resources.first() != Some(&changed.resource) {
            return Ok(vec![
                item(place.kind()).refused(State::Same, "a part of what stands above"),
            ]);
        }
        let kind = place.kind();
        let counted = |mut item: Item| {
            (item.written, item.deleted) = (changed.written, changed.deleted);
            item
        };
        let done = match place {
            Place::Catalog(bucket) => self.catalog(bucket, &of_run).await,
            one => self.one(one, Aim::Undo(&of_run)).await.map(|item| vec![item]),
        };
        let done = done.or_else(|error| item(kind).failed(error).map(|item| vec![item]))?;
        Ok(done.into_iter().map(counted).collect())
    }

    async fn one(&self, place: Place, aim: Aim<'_>) -> Result<Item> {
        match place {
            Place::Object(bucket, key) | Place::File(bucket, key) => self.object(bucket, key, aim).await,
            Place::Objects(..) => Err(Error::internal("a prefix is not one resource")),
            Place::Graph(bucket, graph) => self.graph(bucket, graph, aim).await,
            Place::Table(bucket, id) => self.table(bucket, &id, aim).await,
            Place::TableNamed(bucket, levels, name) => self.table_named(bucket, (levels, name), aim).await,
            Place::Catalog(..) => Err(Error::internal("a catalog is not one resource")),
        }
    }

    fn ask(&self, actions: &[&'static str], path: ResourcePath) -> Ask {
        let ask = Ask::new(self.operation, actions.first().copied().unwrap_or_default(), path);
        actions
            .iter()
            .skip(1)
            .fold(ask, |ask, action| ask.and_action(action))
    }
}

fn window_shown(window: &UndoWindow) -> Value {
    json!({
        "seconds": window.window.as_secs(),
        "own": window.own,
        "since_micros": window.since.micros(),
    })
}

pub(super) async fn get_window(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let path = ResourcePath::Bucket(BucketName::new(call.part(0)?)?);
    let ask = Ask::new("GetUndoWindow", "craton:GetUndoWindow", path);
    let permit = call.gate.read(call.session, ask).await?;
    Ok(window_shown(&permit.undo_window()?))
}

pub(super) async fn set_window(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let path = ResourcePath::Bucket(BucketName::new(call.part(0)?)?);
    let Window { seconds } = call.json()?;
    let change = UndoWindow::change(seconds.map(Duration::from_secs))?;
    let ask = Ask::new("SetUndoWindow", "craton:SetUndoWindow", path);
    let permit = call.gate.write(call.session, ask).await?;
    permit.configure(&[change]).await?;
    Ok(json!({ "seconds": seconds }))
}
