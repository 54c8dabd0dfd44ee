//! The operations on views that change or tell their metadata.
//!
//! Deliberately absent: routes, identity, what metadata means; what views have in common with tables ([`super::names`]).

use craton_base::Result;
use craton_tables::{CreateView, Snapshots, What, changes_labels};
use http::{StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Call, bad,
    delegation::Given,
    empty,
    loaded::{again, answered, has, made, tag},
    names::{ask_for, creating, has_labels, labelling, name_in, named_in, taken},
    ops::{Answer, noted, once},
    tables::list_in,
};

pub(super) async fn create(call: Call<'_>) -> Result<Answer> {
    let body = call.json();
    let name = name_in(&call, &body)?;
    let ask = labelling(creating(&call, &name, What::View)?, has_labels(&body));
    let permit = call.gate.write(call.session, ask).await?;
    let mut body = named_in(body)?;
    let request = CreateView {
        location: body.get("location").and_then(Value::as_str).map(str::to_owned),
        schema: taken(&mut body, "schema").ok_or_else(|| bad("a view has a schema"))?,
        version: taken(&mut body, "view-version").ok_or_else(|| bad("a view has a view-version"))?,
        properties: match taken(&mut body, "properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        },
        name,
    };
    let name = (&request.name, What::View);
    match once(&call, &permit, call.tables.create_view(&permit, &request)).await? {
        Some(loaded) => made(&call, &permit, name, &loaded).await,
        None => again(&call, name).await,
    }
}

pub(super) async fn load(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.read(call.session, ask_for(&call, &name)?).await?;
    let loaded = call
        .tables
        .load(&permit, (&name, What::View), Snapshots::All)
        .await;
    let loaded = noted(&permit, loaded)?;
    let tag = tag(&loaded, Snapshots::All);
    if let Some(tag) = tag.as_ref().filter(|tag| has(call.headers, tag)) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, tag.clone());
        return Ok(response);
    }
    Ok(answered(&loaded, tag, Given::default()))
}

pub(super) async fn replace(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let body = call.json();
    let said = body.as_ref().ok().and_then(|b| b.get("updates")?.as_array());
    let labels = changes_labels(said.map_or(&[], Vec::as_slice));
    let ask = labelling(ask_for(&call, &name)?, labels);
    let permit = call.gate.write(call.session, ask).await?;
    let body = body?;
    // A view's requirements may be left out.
    let requirements = match body.get("requirements") {
        None | Some(Value::Null) => &[],
        Some(_) => list_in(&body, "requirements")?,
    };
    let updates = list_in(&body, "updates")?;
    let replaced = call.tables.replace_view(&permit, &name, requirements, updates);
    match once(&call, &permit, replaced).await? {
        Some(loaded) => made(&call, &permit, (&name, What::View), &loaded).await,
        None => again(&call, (&name, What::View)).await,
    }
}

pub(super) async fn drop_view(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let permit = call.gate.write(call.session, ask_for(&call, &name)?).await?;
    let dropped = call.tables.drop(&permit, (&name, What::View));
    once(&call, &permit, dropped).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}
