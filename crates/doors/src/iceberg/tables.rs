//! The operations on tables that change or tell their metadata, and those on their files.
//!
//! Deliberately absent: routes, identity, what metadata means; what tables have in common with views ([`super::names`]).

use craton_base::{Error, ObjectKey, ResourcePath, Result};
use craton_gate::{
    Direction, Kind as Entries, WritePermit,
    tables::{id_of, table},
};
use craton_objects::delete::{Delete, delete};
use craton_tables::{CreateTable, Snapshots, TableChange, TableName, What, changes_labels, staged_id};
use http::{StatusCode, header};
use serde_json::Value;

use super::{
    Call, bad,
    delegation::{Given, given},
    empty,
    loaded::{again, answered, has, made, restricted, restrictions_of, tag},
    names::{ask_about, ask_for, creating, has_labels, labelling, name_in, named_in, referencing, taken},
    ops::{Answer, noted, once},
};

/// The action of reading a table's data, which metadata tells of.
pub(super) const READ_DATA: &str = "s3tables:GetTableData";

/// The action of writing a table's data.
pub(super) const WRITE_DATA: &str = "s3tables:PutTableData";

/// How many files of a table are looked up at once when it is purged.
const PURGED_AT_ONCE: usize = 1000;

pub(super) async fn create(call: Call<'_>) -> Result<Answer> {
    let body = call.json();
    let name = name_in(&call, &body)?;
    let ask = labelling(creating(&call, &name, What::Table)?, has_labels(&body));
    let permit = call.gate.write(call.session, ask).await?;
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
    let name = (&request.name, What::Table);
    let created = call.tables.create(&permit, &request, staged);
    // What is staged is made anew each time: nothing of it is there before its first commit.
    let created = match staged {
        true => Some(noted(&permit, created.await)?),
        false => once(&call, &permit, created).await?,
    };
    match created {
        Some(loaded) => made(&call, &permit, name, &loaded).await,
        None => again(&call, name).await,
    }
}

/// A list in a body, which must be there.
pub(super) fn list_in<'a>(body: &'a Value, field: &str) -> Result<&'a [Value]> {
    match body.get(field) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(bad(format!("{field} is a list"))),
    }
}

pub(super) async fn load(mut call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let snapshots = match call.query.text("snapshots").as_deref() {
        None | Some("all") => Snapshots::All,
        Some("refs") => Snapshots::Named,
        Some(_) => return Err(bad("snapshots are all or refs")),
    };
    let ask = referencing(ask_for(&call, &name)?.and_action(READ_DATA), &mut call.query);
    let permit = call.gate.read(call.session, ask).await?;
    let loaded = call.tables.load(&permit, (&name, What::Table), snapshots).await;
    let loaded = noted(&permit, loaded)?;
    let restrictions = restrictions_of(&permit, &loaded)?;
    let tag = tag(&loaded, snapshots).filter(|_| restrictions.is_none());
    if let Some(tag) = tag.as_ref().filter(|tag| has(call.headers, tag)) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, tag.clone());
        return Ok(response);
    }
    let given = given(&call, &permit, &name, &loaded.id).await?;
    Ok(restricted(&loaded, (tag, restrictions), given))
}

/// What engines tell of their scans and commits is let go: who read what, the ledger knows by itself.
pub(super) async fn metrics(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.read(call.session, ask_for(&call, &name)?).await?;
    noted(&permit, call.tables.exists(&permit, (&name, What::Table)))?;
    call.json()?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn update(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let body = call.json().unwrap_or_default();
    let (requirements, updates) = (list_in(&body, "requirements"), list_in(&body, "updates"));
    let said = |list: &Result<&[Value]>| list.as_ref().map_or(Vec::new(), |list| list.to_vec());
    let (required, wanted) = (said(&requirements), said(&updates));
    let permit = match staged_id(&required, &wanted) {
        Some(id) => committing_staged(&call, &name, (&id, &wanted)).await?,
        None => {
            let ask = ask_for(&call, &name)?
                .and_action(WRITE_DATA)
                .and_action(READ_DATA);
            let ask = labelling(ask, changes_labels(&wanted));
            call.gate.write(call.session, ask).await?
        }
    };
    noted(&permit, requirements.and(updates))?;
    let change = TableChange {
        id: id_of(permit.resource()).unwrap_or_default().to_owned(),
        name,
        requirements: required,
        updates: wanted,
        on: None,
    };
    let wanted = std::slice::from_ref(&change);
    let Some(loaded) = once(&call, &permit, call.tables.commit(&permit, wanted)).await? else {
        return again(&call, (&change.name, What::Table)).await;
    };
    let loaded = loaded
        .first()
        .ok_or_else(|| Error::internal("a commit made nothing"))?;
    Ok(answered(loaded, tag(loaded, Snapshots::All), Given::default()))
}

/// The first commit of a staged table makes it, so it takes the right to make one of that name, too.
async fn committing_staged(
    call: &Call<'_>,
    name: &TableName,
    (id, updates): (&str, &[Value]),
) -> Result<WritePermit> {
    call.gate
        .read(call.session, creating(call, name, What::Table)?)
        .await?;
    let path = table(call.bucket()?, id);
    let ask = ask_about(call, path, name).and_action(WRITE_DATA);
    let ask = labelling(ask, changes_labels(updates));
    call.gate.write(call.session, ask).await
}

/// Takes a table out of the catalog for another one to take in: what is answered is the last of it.
pub(super) async fn unregister(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let reading = ask_for(&call, &name)?.and_action(READ_DATA);
    let permit = call.gate.write(call.session, reading).await?;
    let loaded = noted(&permit, call.tables.unregister(&permit, &name).await)?;
    Ok(answered(&loaded, None, Given::default()))
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
    let dropped = call.tables.drop(&permit, (&name, What::Table));
    once(&call, &permit, dropped).await?;
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
