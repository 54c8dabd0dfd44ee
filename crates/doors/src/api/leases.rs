//! Leases: borrows that a client holds.

use std::collections::BTreeMap;

use craton_base::{BucketName, Error, FactPath, GraphName, ObjectKey, ResourcePath, Result};
use craton_gate::{
    LeaseInfo, LeasedPath,
    tables::{is_nobody, name_row},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;

/// A path: a bucket, and of it at most one of an object, a prefix, a table, a graph (of which facts that begin so).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    bucket: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    table: Option<String>,
    #[serde(default)]
    graph: Option<String>,
    #[serde(default)]
    facts: Option<String>,
    /// `exclusive` or `shared`.
    mode: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acquire {
    paths: Vec<Wanted>,
    seconds: u64,
    #[serde(default)]
    purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renew {
    seconds: u64,
}

impl Wanted {
    fn leased(&self, call: &Call<'_>) -> Result<LeasedPath> {
        let exclusive = match self.mode.as_str() {
            "exclusive" => true,
            "shared" => false,
            other => return Err(Error::invalid(format!("{other:?} is not exclusive or shared"))),
        };
        let path = self.path(call)?;
        Ok(LeasedPath { path, exclusive })
    }

    fn path(&self, call: &Call<'_>) -> Result<ResourcePath> {
        let bucket = BucketName::new(&self.bucket)?;
        match (&self.key, &self.prefix, &self.table, &self.graph, &self.facts) {
            (None, None, None, None, None) => Ok(ResourcePath::Bucket(bucket)),
            (Some(key), None, None, None, None) => Ok(ResourcePath::Object(bucket, ObjectKey::new(key)?)),
            (None, Some(prefix), None, None, None) => Ok(ResourcePath::Objects(bucket, prefix.clone())),
            (None, None, Some(table), None, None) => {
                let (namespace, name) = table
                    .rsplit_once('.')
                    .ok_or_else(|| Error::invalid("a table is NAMESPACE.TABLE"))?;
                let levels: Vec<String> = namespace.split('.').map(str::to_owned).collect();
                let path = call.gate.table_named(&bucket, &name_row(&levels, name))?;
                match is_nobody(&path) {
                    true => Err(Error::invalid(format!("there is no table {table:?} to lease"))),
                    false => Ok(path),
                }
            }
            (None, None, None, Some(graph), facts) => {
                let facts = facts.as_deref().unwrap_or_default();
                Ok(ResourcePath::Facts(
                    bucket,
                    FactPath::new(GraphName::new(graph)?, facts)?,
                ))
            }
            _ => Err(Error::invalid(
                "a path is a bucket, and of it one of key, prefix, table, graph",
            )),
        }
    }
}

fn shown(lease: &LeaseInfo) -> Value {
    let path = |leased: &LeasedPath| {
        let mode = if leased.exclusive { "exclusive" } else { "shared" };
        BTreeMap::from([("path", leased.path.to_string()), ("mode", mode.to_owned())])
    };
    json!({
        "id": lease.id,
        "principal": lease.principal,
        "paths": lease.paths.iter().map(path).collect::<Vec<_>>(),
        "purpose": lease.purpose,
        "since_micros": lease.since.micros(),
        "until_micros": lease.until.micros(),
        "token": lease.token,
    })
}

pub(super) async fn acquire(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Acquire = call.json()?;
    let paths = asked.paths.iter().map(|path| path.leased(call));
    let paths: Vec<LeasedPath> = paths.collect::<Result<_>>()?;
    let made = call
        .gate
        .acquire_lease(call.session, paths, asked.seconds, asked.purpose)
        .await?;
    Ok(shown(&made))
}

pub(super) async fn renew(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let Renew { seconds } = call.json()?;
    let renewed = call
        .gate
        .renew_lease(call.session, call.part(0)?, seconds)
        .await?;
    Ok(shown(&renewed))
}

pub(super) async fn release(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.release_lease(call.session, call.part(0)?).await?;
    Ok(json!({}))
}

pub(super) async fn break_it(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.break_lease(call.session, call.part(0)?).await?;
    Ok(json!({}))
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let all = call.gate.list_leases(call.session).await?;
    Ok(json!({ "leases": all.iter().map(shown).collect::<Vec<_>>() }))
}
