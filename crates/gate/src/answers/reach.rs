//! What one can reach: every bucket, and in it every name that a policy draws a line at.
//!
//! What policies name in a bucket (`reports/*`, `reports/2026.csv`) is asked about as it is written, with its wildcards as
//! characters: what is said of `reports/*` holds for every name under it that no other line of the answer is about,
//! unless a condition looks at more. In graphs the lines are the prefixes of facts that are named, each of the graphs that
//! there are being one too.
//!
//! Of tables each is one, and the catalog of each bucket's tables.
//!
//! Deliberately absent: the system's own.

use std::collections::BTreeSet;

use craton_base::{BranchId, BucketName, Error, FactPath, GraphName, ObjectKey, ResourcePath, Result};
use craton_guard::actions::{self, About, Level};
use craton_store::{
    namespace::{Direction, Kind, Span},
    value::Stored,
};

use super::{Question, lint, stand_in::Said};
use crate::{
    ask::Ask,
    configuration::state::BucketState,
    decide::Put,
    gate::{Gate, Inner},
    ledger::Verdict,
    session::Session,
    tables::{self, NameRow},
};

/// The most buckets that one call asks about.
pub const REACH_BUCKETS_MAX: usize = 20;

/// The most actions that one call asks about.
pub const REACH_ACTIONS_MAX: usize = 8;

/// The most names in one bucket that are asked about.
const NAMES_MAX: usize = 200;

/// The kinds of places.
const BUCKET: &str = "bucket";
const OBJECT: &str = "object";
const GRAPH: &str = "graph";
const CATALOG: &str = "catalog";
const TABLE: &str = "table";

/// What is done to a catalog or a namespace, and not to a table.
const OF_CATALOGS: [&str; 11] = [
    "s3tables:CreateNamespace",
    "s3tables:CreateTable",
    "s3tables:CreateView",
    "s3tables:DeleteNamespace",
    "s3tables:GetNamespace",
    "s3tables:GetTableBucket",
    "s3tables:ListNamespaces",
    "s3tables:ListTables",
    "s3tables:ListViews",
    "s3tables:RegisterView",
    "s3tables:UpdateNamespaceProperties",
];

/// Places in a bucket, with their names.
type Places = Vec<(ResourcePath, String)>;

/// A page of what one can reach.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Where something is allowed, or denied by name.
    pub places: Vec<Reached>,
    /// Buckets in which policies name more than are asked about.
    pub incomplete: Vec<String>,
    /// The bucket to go on after, if there are more.
    pub next: Option<String>,
}

/// One place.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The bucket.
    pub bucket: String,
    /// `bucket`, `object`, `graph`, `catalog` or `table`.
    pub kind: &'static str,
    /// What in it, as policies name it; `None` for the bucket itself and its catalog. Of a table, `namespace.name`; of a graph, its name, or that, a slash and a prefix of facts.
    pub name: Option<String>,
    /// The actions that are allowed, with what allows them.
    pub allowed: Vec<(String, Vec<String>)>,
    /// Those that a statement or a guard policy denies.
    pub denied: Vec<(String, Vec<String>)>,
}

impl Gate {
    /// What the principal of `question` can do in the buckets after one; the question's action and resource are not looked at.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchEntity`; `Invalid` for an action that is about something else than
    /// buckets, objects, graphs and tables.
    pub async fn reach(
        &self,
        session: &Session,
        question: Question,
        actions: Vec<String>,
        after: Option<BucketName>,
    ) -> Result<Reach> {
        self.may_ask_about(session, "Reach", &question).await?;
        let resource = ResourcePath::System("access".into());
        let ask = Ask::new("Reach", "craton:ReadAccess", resource);
        let _permit = self.read(session, ask).await?;
        if actions.len() > REACH_ACTIONS_MAX {
            let text = format!("at most {REACH_ACTIONS_MAX} actions are asked about at once");
            return Err(Error::invalid(text));
        }
        let actions: Vec<(String, &str)> = actions.into_iter().map(with_kind).collect::<Result<_>>()?;
        let said = Said::of(self.inner.clock.now(), &question.context)?;
        let who = self
            .inner
            .stand_in(&question.principal, &question.acting_for, &said)?;
        self.blocking(move |gate| gate.inner.reach(&who, &said, &actions, after.as_ref()))
            .await
    }
}

/// An action, and the kind of places that it is about.
fn with_kind(action: String) -> Result<(String, &'static str)> {
    match actions::find(&action).map(|a| (a.about, a.level)) {
        Some((About::Object, _)) => Ok((action, OBJECT)),
        // A list of graphs is about their bucket.
        Some((About::Bucket, _) | (About::Graph, Level::List)) => Ok((action, BUCKET)),
        Some((About::Graph, _)) => Ok((action, GRAPH)),
        Some((About::Table, _)) if OF_CATALOGS.contains(&action.as_str()) => Ok((action, CATALOG)),
        Some((About::Table, _)) => Ok((action, TABLE)),
        _ => Err(Error::invalid(format!(
            "{action:?} is not an action on buckets, objects, graphs or tables"
        ))),
    }
}

impl Inner {
    fn reach(
        &self,
        who: &Session,
        said: &Said,
        actions: &[(String, &str)],
        after: Option<&BucketName>,
    ) -> Result<Reach> {
        let most = REACH_BUCKETS_MAX.saturating_add(1);
        let buckets = self.list_buckets(after, self.store.latest(), most)?;
        let mut out = Reach::default();
        for info in buckets.iter().take(REACH_BUCKETS_MAX) {
            out.next = (buckets.len() > REACH_BUCKETS_MAX).then(|| info.name.to_string());
            // Deleted since the page was read.
            let Some(bucket) = self.bucket(&info.name)? else {
                continue;
            };
            let mut places = vec![(ResourcePath::Bucket(info.name.clone()), BUCKET, None)];
            places.push((tables::catalog(info.name.clone()), CATALOG, None));
            let mut complete = true;
            for kind in [OBJECT, GRAPH, TABLE] {
                if !actions.iter().any(|(_, about)| *about == kind) {
                    continue;
                }
                let (names, all) = match kind {
                    OBJECT => self.names_in(who, &info.name, &bucket),
                    GRAPH => self.graphs_in(who, &info.name, &bucket)?,
                    _ => self.tables_in(&bucket)?,
                };
                complete &= all;
                places.extend(names.into_iter().map(|(path, name)| (path, kind, Some(name))));
            }
            if !complete {
                out.incomplete.push(info.name.to_string());
            }
            let reached = places.into_iter().filter_map(|(path, kind, name)| {
                self.reached(who, said, (&path, &bucket), actions, (kind, name))
            });
            out.places.extend(reached);
        }
        Ok(out)
    }

    /// What of a place is allowed or denied; `None` if neither.
    fn reached(
        &self,
        who: &Session,
        said: &Said,
        (resource, bucket): (&ResourcePath, &BucketState),
        actions: &[(String, &str)],
        (kind, name): (&'static str, Option<String>),
    ) -> Option<Reached> {
        let mut out = Reached {
            bucket: bucket.info.name.to_string(),
            kind,
            name,
            allowed: Vec::new(),
            denied: Vec::new(),
        };
        for (action, _) in actions.iter().filter(|(_, about)| *about == kind) {
            let put = Put {
                actions: &[action.as_str()],
                resource,
                bucket: Some(bucket),
                extra: &said.facts,
                columns: None,
            };
            let found = self.verdicts(who, &put, None);
            match found.verdict {
                Verdict::Allow => out.allowed.push((action.clone(), found.statements)),
                Verdict::ExplicitDeny => out.denied.push((action.clone(), found.statements)),
                _ => {}
            }
        }
        (!out.allowed.is_empty() || !out.denied.is_empty()).then_some(out)
    }

    /// The names of objects that policies of either plane draw a line at, and whether these are all.
    fn names_in(&self, who: &Session, name: &BucketName, bucket: &BucketState) -> (Places, bool) {
        let state = self.guards.state();
        let by_access = named_by_access(who, bucket, "s3");
        let by_access = by_access.filter_map(|text| key_in(name.as_str(), text));
        let by_guard = state.rules.prefixes().filter_map(|prefix| {
            let key = prefix.strip_prefix(name.as_str())?.strip_prefix('/')?;
            Some(format!("{key}*"))
        });
        let all: BTreeSet<String> = std::iter::once("*".to_owned())
            .chain(by_access)
            .chain(by_guard)
            .collect();
        let complete = all.len() <= NAMES_MAX;
        let path = |key: String| {
            let path = ResourcePath::Object(name.clone(), ObjectKey::new(&key).ok()?);
            Some((path, key))
        };
        (
            all.into_iter().take(NAMES_MAX).filter_map(path).collect(),
            complete,
        )
    }

    /// The tables and views of a bucket, and whether these are all.
    fn tables_in(&self, bucket: &BucketState) -> Result<(Places, bool)> {
        let span = Span {
            bucket: bucket.info.id,
            branch: BranchId::MAIN,
            kind: Kind::TableName,
            start: bytes::Bytes::new(),
            end: None,
        };
        let at = self.store.latest();
        let page = self.store.scan(&span, at, Direction::Forward, NAMES_MAX)?;
        let place = |stored: &Stored| {
            let row = NameRow::read(&stored.value.meta)?;
            let name = String::from_utf8_lossy(&stored.key.name).replace(['\u{1f}', '\0'], ".");
            Ok((tables::table(bucket.info.name.clone(), &row.id), name))
        };
        Ok((page.entries.iter().map(place).collect::<Result<_>>()?, !page.more))
    }

    /// The graphs of a bucket, and the prefixes of facts in them that policies of either plane draw a line at, and whether
    /// these are all.
    fn graphs_in(&self, who: &Session, name: &BucketName, bucket: &BucketState) -> Result<(Places, bool)> {
        let span = Span {
            bucket: bucket.info.id,
            branch: BranchId::MAIN,
            kind: Kind::Graph,
            start: bytes::Bytes::new(),
            end: None,
        };
        let page = self
            .store
            .scan(&span, self.store.latest(), Direction::Forward, NAMES_MAX)?;
        let graphs: Vec<GraphName> = page
            .entries
            .iter()
            .filter_map(|stored| GraphName::new(std::str::from_utf8(&stored.key.name).ok()?).ok())
            .collect();
        let state = self.guards.state();
        let by_guard = state.rules.graph_prefixes_in(name.as_str()).map(str::to_owned);
        let by_access = named_by_access(who, bucket, "graph").filter_map(|text| key_in(name.as_str(), text));
        let lines: Vec<String> = by_guard.chain(by_access).collect();
        let mut all = BTreeSet::new();
        for graph in graphs {
            let prefixes = lines.iter().filter_map(|line| facts_in(&graph, line));
            for prefix in prefixes.chain(std::iter::once("")) {
                all.extend(FactPath::new(graph.clone(), prefix).ok());
            }
        }
        let complete = !page.more && all.len() <= NAMES_MAX;
        let place = |facts: FactPath| {
            let text = match facts.prefix() {
                "" => facts.graph().to_string(),
                prefix => format!("{}/{prefix}", facts.graph()),
            };
            (ResourcePath::Facts(name.clone(), facts), text)
        };
        Ok((all.into_iter().take(NAMES_MAX).map(place).collect(), complete))
    }
}

/// What of a service the policies of the access plane name, as written after `arn:aws:s3:::`.
fn named_by_access<'a>(
    who: &'a Session,
    bucket: &'a BucketState,
    service: &'a str,
) -> impl Iterator<Item = &'a str> {
    let own = who.identity().actors();
    let own = own.flat_map(move |a| a.policies.resources_of(service));
    let of_bucket = bucket.access.policy().into_iter();
    own.chain(of_bucket.flat_map(move |p| p.resources_of(service)))
}

/// The prefix of facts of a graph that a line `graph/prefix*` is at: up to its last whole item before a wildcard.
fn facts_in<'l>(graph: &GraphName, line: &'l str) -> Option<&'l str> {
    let (graphs, prefix) = line.split_once('/')?;
    let literal = prefix.split(['*', '?']).next().unwrap_or_default();
    let whole = literal.rfind([' ', '(']).and_then(|at| literal.get(..=at));
    lint::covers(graphs, graph.as_str(), false).then_some(whole)?
}

/// The keys that a policy's resource names in a bucket, if any; a variable may stand for anything.
fn key_in(bucket: &str, resource: &str) -> Option<String> {
    let (buckets, key) = resource.split_once('/')?;
    let named = lint::covers(buckets, bucket, false) && !key.is_empty();
    named.then(|| match key.split_once("${") {
        Some((before, _)) => format!("{before}*"),
        None => key.to_owned(),
    })
}

#[cfg(test)]
mod tests;
