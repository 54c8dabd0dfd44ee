//! What tables and views have in common: asks by their names, lists, and the operations that change no metadata.
//!
//! Invariant: where there is nothing of a name, it is asked about all the same, so that who may not is answered alike.
//!
//! Deliberately absent: routes, identity, what metadata means.

use craton_base::{ResourcePath, Result};
use craton_gate::{
    Ask,
    tables::{LABELS_PROPERTY, table},
};
use craton_tables::{TableName, What, metadata_file, namespaces};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call, bad, empty,
    loaded::{again, made},
    ops::{Answer, ask, namespace_in, noted, once, page, reading},
    respond,
    tables::READ_DATA,
};
use crate::api::query::Query;

/// An ask about a table or a view by its name. Where there is none it is about no table, and decided all the same.
pub(super) fn ask_for(call: &Call<'_>, name: &TableName) -> Result<Ask> {
    let path = call.gate.table_named(&call.bucket()?, &name.row())?;
    Ok(ask_about(call, path, name))
}

pub(super) fn ask_about(call: &Call<'_>, path: ResourcePath, name: &TableName) -> Ask {
    Ask::new(call.route.operation.name(), call.route.action, path)
        .with("s3tables:namespace", name.namespace.text())
        .with("s3tables:tableName", name.name())
}

/// The same with the views by which a client says that it came to the table. It grants nothing: it is in the record, and policies may
/// look at it.
pub(super) fn referencing(ask: Ask, query: &mut Query) -> Ask {
    match query.text("referenced-by") {
        Some(views) => ask.with("craton:referencedBy", views.replace('\u{1f}', ".")),
        None => ask,
    }
}

/// An ask to make a table or a view of this name.
pub(super) fn creating(call: &Call<'_>, name: &TableName, what: What) -> Result<Ask> {
    let mut ask = ask(call, call.bucket()?, Some(&name.namespace)).with("s3tables:tableName", name.name());
    ask.actions = vec![match what {
        What::Table => "s3tables:CreateTable",
        What::View => "s3tables:CreateView",
    }];
    Ok(ask)
}

/// What changes a table's labels takes the right to that, too.
pub(super) fn labelling(ask: Ask, labels: bool) -> Ask {
    match labels {
        true => ask.and_action("s3tables:TagResource"),
        false => ask,
    }
}

/// Whether a body makes something with labels.
pub(super) fn has_labels(body: &Result<Value>) -> bool {
    let properties = body.as_ref().ok().and_then(|b| b.get("properties"));
    properties.is_some_and(|p| p.get(LABELS_PROPERTY).is_some())
}

/// A body that has a name in it.
pub(super) fn named_in(body: Result<Value>) -> Result<Value> {
    let body = body?;
    match body.get("name").is_some_and(Value::is_string) {
        true => Ok(body),
        false => Err(bad("name is missing or no text")),
    }
}

/// The name in a body, in the namespace of the path; one that is none, where there is none, to be asked about.
pub(super) fn name_in(call: &Call<'_>, body: &Result<Value>) -> Result<TableName> {
    let name = body.as_ref().ok().and_then(|b| b.get("name")?.as_str());
    TableName::new(call.namespace()?, name.unwrap_or("?"))
}

/// A table's or a view's full name in a body.
pub(super) fn identifier(part: &Value) -> Result<TableName> {
    let name = part.get("name").and_then(Value::as_str).unwrap_or_default();
    TableName::new(namespace_in(part, "namespace")?, name)
}

pub(super) fn taken(body: &mut Value, name: &str) -> Option<Value> {
    body.get_mut(name).map(Value::take).filter(|v| !v.is_null())
}

pub(super) async fn list(mut call: Call<'_>, what: What) -> Result<Answer> {
    let namespace = call.namespace()?;
    let (limit, after) = page(&mut call)?;
    let permit = reading(&call, Some(&namespace)).await?;
    let found = namespaces::names_of(&permit, (&namespace, what), &after, limit);
    let found = noted(&permit, found)?;
    let names: Vec<Value> = found
        .names
        .iter()
        .map(|name| json!({ "namespace": namespace.levels(), "name": name }))
        .collect();
    let told = json!({ "identifiers": names, "next-page-token": found.next });
    Ok(respond(StatusCode::OK, told.to_string()))
}

pub(super) async fn exists(call: Call<'_>, what: What) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.read(call.session, ask_for(&call, &name)?).await?;
    noted(&permit, call.tables.exists(&permit, (&name, what)))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn register(call: Call<'_>, what: What) -> Result<Answer> {
    let bucket = call.bucket()?;
    let body = call.json();
    let name = name_in(&call, &body)?;
    let of_catalog =
        ask(&call, bucket.clone(), Some(&name.namespace)).with("s3tables:tableName", name.name());
    call.gate.read(call.session, of_catalog).await?;
    let location = body
        .as_ref()
        .ok()
        .and_then(|b| b.get("metadata-location")?.as_str());
    let (id, file) = metadata_file(&bucket, location.unwrap_or_default())?;
    named_in(body)?;
    // What the table was called is looked at too: what may not be read may not be named anew.
    let mut ask = Ask::new(call.route.operation.name(), call.route.action, table(bucket, &id));
    ask = ask.and_action(READ_DATA);
    let permit = call.gate.write(call.session, ask).await?;
    let registered = call.tables.register(&permit, (&name, what), &file);
    match once(&call, &permit, registered).await? {
        Some(loaded) => made(&call, &permit, (&name, what), &loaded).await,
        None => again(&call, (&name, what)).await,
    }
}

pub(super) async fn rename(call: Call<'_>, what: What) -> Result<Answer> {
    let body = call.json();
    let name_in = |field: &str| -> Result<TableName> {
        let part = body.as_ref().ok().and_then(|b| b.get(field));
        identifier(part.ok_or_else(|| bad(format!("{field} is missing")))?)
    };
    let (from, to) = match (name_in("source"), name_in("destination")) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => {
            // Who may not is told so, whatever the body is.
            call.gate
                .read(call.session, ask(&call, call.bucket()?, None))
                .await?;
            return Err(from.and(to).err().unwrap_or_else(|| bad("the body is no rename")));
        }
    };
    call.gate.read(call.session, creating(&call, &to, what)?).await?;
    let permit = call.gate.write(call.session, ask_for(&call, &from)?).await?;
    let renamed = call.tables.rename(&permit, (&from, what), &to);
    once(&call, &permit, renamed).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
