//! Metadata as it is answered: as it stands in its file, with its tag, and what the client is given to reach the files.
//!
//! Deliberately absent: what metadata means; what is given ([`super::delegation`]).

use craton_base::Result;
use craton_gate::Permit;
use craton_tables::{Loaded, Snapshots, TableName, What};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Call,
    delegation::{Given, given},
    names::ask_for,
    ops::{Answer, noted},
    respond, restrictions,
    tables::READ_DATA,
};

/// The metadata, without being taken apart.
pub(super) fn answered(loaded: &Loaded, tag: Option<HeaderValue>, given: Given) -> Answer {
    restricted(loaded, (tag, None), given)
}

/// The same, with what an engine is to apply: that is as of now, so there is no tag by which it could be taken for the same later.
pub(super) fn restricted(
    loaded: &Loaded,
    (tag, restrictions): (Option<HeaderValue>, Option<Value>),
    given: Given,
) -> Answer {
    let location = json!(loaded.location).to_string();
    let head = format!("{{\"metadata-location\":{location},\"metadata\":");
    let mut tail = format!(",\"config\":{}", Value::Object(given.config));
    let is_secret = !given.credentials.is_empty() || restrictions.is_some();
    if !given.credentials.is_empty() {
        tail += &format!(",\"storage-credentials\":{}", Value::Array(given.credentials));
    }
    let tag = tag.filter(|_| restrictions.is_none());
    if let Some(restrictions) = restrictions {
        tail += &format!(",\"read-restrictions\":{restrictions}");
    }
    tail.push('}');
    let mut response = respond(
        StatusCode::OK,
        [head.as_bytes(), &loaded.metadata, tail.as_bytes()].concat(),
    );
    let headers = response.headers_mut();
    if is_secret {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// What a change made, with what the client is given to go on.
pub(super) async fn made(
    call: &Call<'_>,
    permit: &Permit,
    (name, what): (&TableName, What),
    loaded: &Loaded,
) -> Result<Answer> {
    let given = match what {
        What::Table => given(call, permit, name, &loaded.id).await?,
        What::View => Given::default(),
    };
    let restrictions = restrictions_of(permit, loaded)?;
    Ok(restricted(
        loaded,
        (tag(loaded, Snapshots::All), restrictions),
        given,
    ))
}

/// What who asks is to apply to a table.
pub(super) fn restrictions_of(permit: &Permit, loaded: &Loaded) -> Result<Option<Value>> {
    let restrictions = permit.restrictions();
    if restrictions.is_empty() {
        return Ok(None);
    }
    let told = restrictions::told(&loaded.metadata, restrictions);
    told.map(Some)
        .inspect_err(|e| permit.failed(e.kind(), e.reason()))
}

/// What stands there now, where a request was carried out before.
pub(super) async fn again(call: &Call<'_>, (name, what): (&TableName, What)) -> Result<Answer> {
    let mut ask = ask_for(call, name)?;
    ask.actions = vec![match what {
        What::Table => READ_DATA,
        What::View => "s3tables:GetView",
    }];
    let permit = call.gate.read(call.session, ask).await?;
    let loaded = call.tables.load(&permit, (name, what), Snapshots::All).await;
    made(call, &permit, (name, what), &noted(&permit, loaded)?).await
}

/// Of a metadata file, which never changes, its name; another one where snapshots are left out.
pub(super) fn tag(loaded: &Loaded, snapshots: Snapshots) -> Option<HeaderValue> {
    let file = loaded.location.as_deref()?.rsplit('/').next()?;
    let name = file.strip_suffix(".metadata.json")?;
    let part = match snapshots {
        Snapshots::All => "",
        Snapshots::Named => ".refs",
    };
    HeaderValue::from_str(&format!("\"{name}{part}\"")).ok()
}

/// Whether the client says that it has what this tag names.
pub(super) fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let said = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = said
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    let mut tags = tags.map(|text| text.trim().trim_start_matches("W/"));
    tags.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}
