//! The labels of a graph: words that guard policies look at.
//!
//! Deliberately absent: what they mean; where they are kept (the gate).

use craton_base::{Error, ResourcePath, Result};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{
    Call,
    ops::{read_permit, write_permit},
    respond,
};
use crate::{http::Body, whole::verified};

/// The largest body.
const BODY_BYTES_MAX: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    labels: Vec<String>,
}

/// The whole graph, which is what has labels.
fn graph(call: &mut Call<'_>) -> Result<ResourcePath> {
    let path = call.facts()?;
    call.end_query()?;
    match &path {
        ResourcePath::Facts(_, facts) if facts.prefix().is_empty() => Ok(path),
        _ => Err(Error::invalid(
            "labels are of a whole graph, not of a prefix of its facts",
        )),
    }
}

pub(super) async fn get(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = graph(&mut call)?;
    let permit = read_permit(&call, path.clone()).await?;
    let labels = permit.bucket_access()?.graph_labels(&path);
    Ok(respond(StatusCode::OK, &json!({ "labels": labels })))
}

pub(super) async fn put(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = graph(&mut call)?;
    let permit = write_permit(&call, path).await?;
    let ending = permit.ending();
    let done = async {
        let body = verified(call.body, BODY_BYTES_MAX).await?;
        let Labels { labels } = serde_json::from_slice(&body)
            .map_err(|e| Error::invalid("the body is {\"labels\": […]}").with_source(e))?;
        permit.set_graph_labels(&labels).await
    };
    done.await.inspect_err(|e| ending.failed(e.kind(), e.reason()))?;
    Ok(respond(StatusCode::OK, &json!({})))
}
