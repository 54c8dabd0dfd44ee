//! The operations on tables.
//!
//! Deliberately absent: routes, identity, what metadata means.

use craton_base::{Error, ObjectKey, ResourcePath, Result};
use craton_gate::{Ask, Direction, Kind as Entries, WritePermit, tables::table};
use craton_objects::delete::{Delete, delete};
use craton_tables::{CreateTable, Loaded, Snapshots, TableName, metadata_file, namespaces, staged_id};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Call, bad, empty,
    ops::{Answer, ask, namespace_in, page, reading},
    respond,
};

/// The action of reading a table's data, which metadata tells of.
const READ_DATA: &str = "s3tables:GetTableData";

/// The action of writing a table's data.
const WRITE_DATA: &str = "s3tables:PutTableData";

/// How many files of a table are looked up at once when it is purged.
const PURGED_AT_ONCE: usize = 1000;

/// An ask about a table by its name. Where there is none it is about no table, and decided all the same.
fn ask_for(call: &Call<'_>, name: &TableName) -> Result<Ask> {
    let path = call.gate.table_named(&call.bucket()?, &name.row())?;
    Ok(ask_about(call, path, name))
}

fn ask_about(call: &Call<'_>, path: ResourcePath, name: &TableName) -> Ask {
    Ask::new(call.route.operation.name(), call.route.action, path)
        .with("s3tables:namespace", name.namespace.text())
        .with("s3tables:tableName", name.name())
}

pub(super) async fn list(mut call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    let (limit, after) = page(&mut call)?;
    let permit = reading(&call, Some(&namespace)).await?;
    let found = namespaces::tables(&permit, &namespace, &after, limit)?;
    let names: Vec<Value> = found
        .names
        .iter()
        .map(|name| json!({ "namespace": namespace.levels(), "name": name }))
        .collect();
    let told = json!({ "identifiers": names, "next-page-token": found.next });
    Ok(respond(StatusCode::OK, told.to_string()))
}

pub(super) async fn create(call: Call<'_>) -> Result<Answer> {
    let namespace = call.namespace()?;
    let body = call.json();
    let name = body
        .as_ref()
        .ok()
        .and_then(|b| b.get("name")?.as_str())
        .unwrap_or("?");
    let name = TableName::new(namespace, name)?;
    let permit = call.gate.write(call.session, creating(&call, &name)?).await?;
    let mut body = named_in(body)?;
    let staged = body.get("stage-create").and_then(Value::as_bool).unwrap_or(false);
    let request = CreateTable {
        location: body.get("location").and_then(Value::as_str).map(str::to_owned),
        schema: taken(&mut body, "schema").ok_or_else(|| bad("a table has a schema"))?,
        partition_spec: taken(&mut body, "partition-spec"),
        write_order: taken(&mut body, "write-order"),
        properties: match taken(&mut body, "properties") {
            Some(Value::Object(properties)) => properties,
            _ => serde_json::Map::new(),
        },
        name,
    };
    let loaded = call.tables.create(&permit, &request, staged).await?;
    Ok(made(&loaded))
}

/// An ask to make a table of this name.
fn creating(call: &Call<'_>, name: &TableName) -> Result<Ask> {
    let mut ask = ask(call, call.bucket()?, Some(&name.namespace)).with("s3tables:tableName", name.name());
    ask.actions = vec!["s3tables:CreateTable"];
    Ok(ask)
}

/// A body that has a name in it.
fn named_in(body: Result<Value>) -> Result<Value> {
    let body = body?;
    match body.get("name").is_some_and(Value::is_string) {
        true => Ok(body),
        false => Err(bad("name is missing or no text")),
    }
}

fn taken(body: &mut Value, name: &str) -> Option<Value> {
    body.get_mut(name).map(Value::take).filter(|v| !v.is_null())
}

/// The metadata as it stands in its file, without being taken apart.
fn answered(loaded: &Loaded, tag: Option<HeaderValue>) -> Answer {
    let location = json!(loaded.location).to_string();
    let head = format!("{{\"metadata-location\":{location},\"metadata\":");
    let body = [head.as_bytes(), &loaded.metadata, b",\"config\":{}}"].concat();
    let mut response = respond(StatusCode::OK, body);
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// What a change made.
fn made(loaded: &Loaded) -> Answer {
    answered(loaded, tag(loaded, Snapshots::All))
}

/// Of a metadata file, which never changes, its name; another one where snapshots are left out.
fn tag(loaded: &Loaded, snapshots: Snapshots) -> Option<HeaderValue> {
    let file = loaded.location.as_deref()?.rsplit('/').next()?;
    let name = file.strip_suffix(".metadata.json")?;
    let part = match snapshots {
        Snapshots::All => "",
        Snapshots::Named => ".refs",
    };
    HeaderValue::from_str(&format!("\"{name}{part}\"")).ok()
}

pub(super) async fn load(mut call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let snapshots = match call.query.text("snapshots").as_deref() {
        None | Some("all") => Snapshots::All,
        Some("refs") => Snapshots::Named,
        Some(_) => return Err(bad("snapshots are all or refs")),
    };
    let ask = ask_for(&call, &name)?.and_action(READ_DATA);
    let permit = call.gate.read(call.session, ask).await?;
    let loaded = call.tables.load(&permit, &name, snapshots).await?;
    let tag = tag(&loaded, snapshots);
    if let Some(tag) = tag.as_ref().filter(|tag| has(call.headers, tag)) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, tag.clone());
        return Ok(response);
    }
    Ok(answered(&loaded, tag))
}

/// Whether the client says that it has what this tag names.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let said = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = said
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    let mut tags = tags.map(|text| text.trim().trim_start_matches("W/"));
    tags.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}

pub(super) async fn exists(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.read(call.session, ask_for(&call, &name)?).await?;
    call.tables.exists(&permit, &name)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What engines tell of their scans and commits is let go: who read what, the ledger knows by itself.
pub(super) async fn metrics(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.read(call.session, ask_for(&call, &name)?).await?;
    call.tables.exists(&permit, &name)?;
    call.json()?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn update(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let body = call.json().unwrap_or_default();
    let list = |field: &str| match body.get(field) {
        Some(Value::Array(list)) => Ok(list.as_slice()),
        _ => Err(bad(format!("{field} is a list"))),
    };
    let requirements = list("requirements").unwrap_or_default();
    let updates = list("updates").unwrap_or_default();
    let permit = match staged_id(requirements, updates) {
        Some(id) => committing_staged(&call, &name, &id).await?,
        None => {
            let ask = ask_for(&call, &name)?
                .and_action(WRITE_DATA)
                .and_action(READ_DATA);
            call.gate.write(call.session, ask).await?
        }
    };
    list("requirements").and(list("updates"))?;
    let loaded = call.tables.commit(&permit, &name, requirements, updates).await?;
    Ok(made(&loaded))
}

/// The first commit of a staged table makes it, so it takes the right to make one of that name, too.
async fn committing_staged(call: &Call<'_>, name: &TableName, id: &str) -> Result<WritePermit> {
    call.gate.read(call.session, creating(call, name)?).await?;
    let path = table(call.bucket()?, id);
    let ask = ask_about(call, path, name).and_action(WRITE_DATA);
    call.gate.write(call.session, ask).await
}

pub(super) async fn register(call: Call<'_>) -> Result<Answer> {
    let bucket = call.bucket()?;
    let body = call.json();
    let text = |field: &str| body.as_ref().ok().and_then(|b| b.get(field)?.as_str());
    let name = TableName::new(call.namespace()?, text("name").unwrap_or("?"))?;
    let of_catalog =
        ask(&call, bucket.clone(), Some(&name.namespace)).with("s3tables:tableName", name.name());
    call.gate.read(call.session, of_catalog).await?;
    let location = text("metadata-location").unwrap_or_default().to_owned();
    let (id, file) = metadata_file(&bucket, &location)?;
    named_in(body)?;
    // What the table was called is looked at too: what may not be read may not be named anew.
    let mut ask = Ask::new(call.route.operation.name(), call.route.action, table(bucket, &id));
    ask = ask.and_action(READ_DATA);
    let permit = call.gate.write(call.session, ask).await?;
    let loaded = call.tables.register(&permit, &name, &file).await?;
    Ok(made(&loaded))
}

pub(super) async fn rename(call: Call<'_>) -> Result<Answer> {
    let body = call.json();
    let name_in = |field: &str| -> Result<TableName> {
        let part = body.as_ref().ok().and_then(|b| b.get(field));
        let part = part.ok_or_else(|| bad(format!("{field} is missing")))?;
        let name = part.get("name").and_then(Value::as_str).unwrap_or_default();
        TableName::new(namespace_in(part, "namespace")?, name)
    };
    let (from, to) = match (name_in("source"), name_in("destination")) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => {
            // Who may not is told so, whatever the body is.
            call.gate
                .write(call.session, ask(&call, call.bucket()?, None))
                .await?;
            return Err(from.and(to).err().unwrap_or_else(|| bad("the body is no rename")));
        }
    };
    call.gate.read(call.session, creating(&call, &to)?).await?;
    let permit = call.gate.write(call.session, ask_for(&call, &from)?).await?;
    call.tables.rename(&permit, &from, &to).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn drop_table(mut call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let purge = call
        .query
        .text("purgeRequested")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let path = call.gate.table_named(&call.bucket()?, &name.row())?;
    let mut ask = ask_about(&call, path.clone(), &name);
    if purge {
        ask = ask.and_action(WRITE_DATA).and_action(READ_DATA);
    }
    let permit = call.gate.write(call.session, ask).await?;
    call.tables.drop(&permit, &name).await?;
    if purge {
        purge_files(&call, &path, &name).await?;
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Deletes a dropped table's files as S3 would: in a bucket with versions they become markers, and what a lock keeps stays.
async fn purge_files(call: &Call<'_>, path: &ResourcePath, name: &TableName) -> Result<()> {
    let asking = |path: ResourcePath, action| {
        let mut ask = ask_about(call, path, name);
        ask.actions = vec![action];
        ask
    };
    let mut start = Vec::new();
    loop {
        let permit = call
            .gate
            .read(call.session, asking(path.clone(), READ_DATA))
            .await?;
        let page = permit.scan(Entries::Object, &start, None, Direction::Forward, PURGED_AT_ONCE)?;
        drop(permit);
        let Some(last) = page.entries.last() else {
            return Ok(());
        };
        start = [&*last.key.name, &[0]].concat();
        for stored in &page.entries {
            let key = std::str::from_utf8(&stored.key.name);
            let key = ObjectKey::new(key.map_err(|e| Error::corrupt("a key is no text").with_source(e))?)?;
            let file = ResourcePath::Object(call.bucket()?, key.clone());
            let permit = call.gate.write(call.session, asking(file, WRITE_DATA)).await?;
            let deleted = delete(&permit, &key, &Delete::default()).await;
            deleted.map_err(|e| e.to_base())?;
        }
    }
}
