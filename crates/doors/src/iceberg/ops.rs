//! The configuration, and the operations on namespaces.
//!
//! Deliberately absent: routes, identity; tables ([`super::tables`]) and views ([`super::views`]).

use craton_base::{BucketName, Result};
use craton_gate::{Ask, Changes, ONCE_SECONDS, Permit, ReadPermit, WritePermit, tables::catalog};
use craton_tables::{
    NAMES_PAGE_MAX, Namespace, What,
    namespaces::{self, Properties, Updated},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call, Operation, ROUTES, bad, delegation, empty, names, plans, respond, tables, transaction, views,
};

pub(super) type Answer = Response<http_body_util::Full<bytes::Bytes>>;

pub(super) async fn run(call: Call<'_>) -> Result<Answer> {
    match call.route.operation {
        Operation::GetConfig => config(call).await,
        Operation::ListNamespaces => list(call).await,
        Operation::CreateNamespace => create(call).await,
        Operation::LoadNamespaceMetadata => load(call).await,
        Operation::NamespaceExists => exists(call).await,
        Operation::DropNamespace => drop_namespace(call).await,
        Operation::UpdateProperties => update(call).await,
        Operation::ListTables => names::list(call, What::Table).await,
        Operation::CreateTable => tables::create(call).await,
        Operation::RegisterTable => names::register(call, What::Table).await,
        Operation::LoadTable => tables::load(call).await,
        Operation::TableExists => names::exists(call, What::Table).await,
        Operation::UpdateTable => tables::update(call).await,
        Operation::DropTable => tables::drop_table(call).await,
        Operation::ReportMetrics => tables::metrics(call).await,
        Operation::RenameTable => names::rename(call, What::Table).await,
        Operation::UnregisterTable => tables::unregister(call).await,
        Operation::LoadCredentials => delegation::credentials(call).await,
        Operation::SignRequest => delegation::sign(call).await,
        Operation::PlanTableScan => plans::plan(call).await,
        Operation::FetchPlanningResult | Operation::CancelPlanning => plans::none(call).await,
        Operation::FetchScanTasks => plans::tasks(call).await,
        Operation::CommitTransaction => transaction::commit(call).await,
        Operation::ListViews => names::list(call, What::View).await,
        Operation::CreateView => views::create(call).await,
        Operation::LoadView => views::load(call).await,
        Operation::ViewExists => names::exists(call, What::View).await,
        Operation::ReplaceView => views::replace(call).await,
        Operation::DropView => views::drop_view(call).await,
        Operation::RenameView => names::rename(call, What::View).await,
        Operation::RegisterView => names::register(call, What::View).await,
    }
}

/// What was done by a permit: an error is the outcome that is recorded.
pub(super) fn noted<T>(permit: &Permit, done: Result<T>) -> Result<T> {
    done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
}

/// Carries a request out: once, if its client named it by a key; `None` if that was before.
pub(super) async fn once<T>(
    call: &Call<'_>,
    permit: &WritePermit,
    act: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let Some(key) = noted(permit, call.key())? else {
        return noted(permit, act.await).map(Some);
    };
    let whole = call.whole();
    let mut was_done = noted(permit, permit.was_done(&key, &whole))?;
    if !was_done {
        let done = act.await;
        // The same request may have been sent twice at once.
        was_done = done.is_err() && permit.was_done(&key, &whole)?;
        if !was_done {
            return noted(permit, done).map(Some);
        }
    }
    permit.commit(Changes::new()).await?;
    Ok(None)
}

/// An ask about the catalog of the call's bucket, with the namespace that it is about.
pub(super) fn ask(call: &Call<'_>, bucket: BucketName, namespace: Option<&Namespace>) -> Ask {
    let ask = Ask::new(call.route.operation.name(), call.route.action, catalog(bucket));
    match namespace {
        Some(namespace) => ask.with("s3tables:namespace", namespace.text()),
        None => ask,
    }
}

pub(super) async fn reading(call: &Call<'_>, namespace: Option<&Namespace>) -> Result<ReadPermit> {
    call.gate
        .read(call.session, ask(call, call.bucket()?, namespace))
        .await
}

async fn writing(call: &Call<'_>, namespace: Option<&Namespace>) -> Result<WritePermit> {
    call.gate
        .write(call.session, ask(call, call.bucket()?, namespace))
        .await
}

/// A page's size and what it begins after.
pub(super) fn page(call: &mut Call<'_>) -> Result<(usize, String)> {
    let token = call.query.text("pageToken").unwrap_or_default();
    let size = match call.query.text("pageSize") {
        None => NAMES_PAGE_MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=usize::from(u16::MAX)).contains(size))
            .ok_or_else(|| bad("pageSize is a number from 1"))?,
    };
    Ok((size.min(NAMES_PAGE_MAX), token))
}

/// What a client is told of a warehouse: the bucket is the prefix of every path, and its objects are at the address that the
/// client used itself.
async fn config(mut call: Call<'_>) -> Result<Answer> {
    let warehouse = call.query.text("warehouse").unwrap_or_default();
    let name = warehouse.strip_prefix("s3://").unwrap_or(&warehouse);
    let name = name.strip_prefix("arn:aws:s3tables:::bucket/").unwrap_or(name);
    if name.is_empty() {
        return Err(bad("a catalog is one bucket's: name it as the warehouse"));
    }
    let bucket = BucketName::new(name.trim_end_matches('/'))?;
    let permit = call
        .gate
        .read(call.session, ask(&call, bucket.clone(), None))
        .await?;
    permit.bucket()?;
    let endpoints = ROUTES
        .iter()
        .filter(|route| route.operation != Operation::GetConfig);
    let endpoints = endpoints.map(|route| {
        let path = route
            .path
            .replacen("/_iceberg", "", 1)
            .replacen("{bucket}", "{prefix}", 1);
        format!("{} {path}", route.method)
    });
    let told = json!({
        "defaults": delegation::place(&call),
        "overrides": { "prefix": bucket.as_str() },
        "endpoints": endpoints.collect::<Vec<_>>(),
        "idempotency-key-lifetime": format!("PT{}M", ONCE_SECONDS / 60),
    });
    Ok(respond(StatusCode::OK, told.to_string()))
}

async fn list(mut call: Call<'_>) -> Result<Answer> {
    let (limit, after) = page(&mut call)?;
    let parent = call.query.text("parent").filter(|text| !text.is_empty());
    let parent = parent.map(|text| Namespace::parse(&text)).transpose()?;
    let permit = reading(&call, parent.as_ref()).await?;
    let found = namespaces::list(&permit, parent.as_ref(), &after, limit)?;
    let names: Vec<&[String]> = found.names.iter().map(Namespace::levels).collect();
    let told = json!({ "namespaces": names, "next-page-token": found.next });
    Ok(respond(StatusCode::OK, told.to_string()))
}

async fn create(call: Call<'_>) -> Result<Answer> {
    let body = call.json()?;
    let namespace = namespace_in(&body, "namespace")?;
    let properties = properties_in(&body, "properties")?;
    let permit = writing(&call, Some(&namespace)).await?;
    let made = namespaces::create(&permit, &namespace, &properties);
    once(&call, &permit, made).await?;
    Ok(described(&namespace, &properties))
}

fn described(namespace: &Namespace, properties: &Properties) -> Answer {
    let told = json!({ "namespace": namespace.levels(), "properties": properties });
    respond(StatusCode::OK, told.to_string())
}

async fn load(call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    let permit = reading(&call, Some(&namespace)).await?;
    Ok(described(&namespace, &namespaces::get(&permit, &namespace)?))
}

async fn exists(call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    let permit = reading(&call, Some(&namespace)).await?;
    namespaces::get(&permit, &namespace)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn drop_namespace(call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    let permit = writing(&call, Some(&namespace)).await?;
    once(&call, &permit, namespaces::delete(&permit, &namespace)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn update(call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    // Decided before the body is looked at: a reader's request with no body is refused for who asks.
    let permit = writing(&call, Some(&namespace)).await?;
    let body = call.json()?;
    let updates = properties_in(&body, "updates")?;
    let removals = body.get("removals").and_then(Value::as_array);
    let removals: Vec<String> = removals
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let done = namespaces::update(&permit, &namespace, &updates, &removals);
    let done = once(&call, &permit, done).await?.unwrap_or_else(|| Updated {
        updated: updates.keys().cloned().collect(),
        removed: removals.clone(),
        missing: Vec::new(),
    });
    let told = json!({ "updated": done.updated, "removed": done.removed, "missing": done.missing });
    Ok(respond(StatusCode::OK, told.to_string()))
}

/// A namespace in a body: a list of its levels.
pub(super) fn namespace_in(body: &Value, name: &str) -> Result<Namespace> {
    let levels = body.get(name).and_then(Value::as_array);
    let levels: Option<Vec<String>> = levels.and_then(|levels| {
        let level = |l: &Value| l.as_str().map(str::to_owned);
        levels.iter().map(level).collect()
    });
    Namespace::new(levels.ok_or_else(|| bad(format!("{name} is a list of texts")))?)
}

fn properties_in(body: &Value, name: &str) -> Result<Properties> {
    let Some(found) = body.get(name).filter(|v| !v.is_null()) else {
        return Ok(Properties::new());
    };
    let wrong = || bad(format!("{name} are texts by name"));
    let pairs = found.as_object().ok_or_else(wrong)?.iter();
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    pairs.map(pair).collect::<Option<Properties>>().ok_or_else(wrong)
}
