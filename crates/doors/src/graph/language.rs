//! SPARQL and openCypher: a query's text in, its answer as SPARQL's results or lines of JSON.
//!
//! Queries of SPARQL come as its protocol has them: as the parameter `query` of a GET or of a form, or as the body.
//!
//! Deliberately absent: what queries mean (`craton-queries`).

use craton_base::{Error, Kind, Result};
use craton_queries::{
    algebra::Compiled,
    answer::{self, Format},
    cypher, sparql,
};
use http::{Method, Response, header};

use super::{
    Call, Operation,
    ops::{answer as respond, blocking, limits, open_for},
    query::text,
    stream::Writing,
};
use crate::{api::query::Query, http::Body};

/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Formats by preference, where the caller has none.
const OF_CYPHER: [Format; 4] = [Format::Lines, Format::Json, Format::Tsv, Format::Csv];

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let is_sparql = call.route.operation != Operation::QueryCypher;
    let path = call.facts()?;
    let asked = (call.moment()?, limits(&mut call)?);
    let given = query_text(&mut call, is_sparql).await;
    call.end_query()?;
    let compiled = match given {
        Ok(text) => {
            blocking(move || {
                if is_sparql {
                    sparql::compile(&text)
                } else {
                    cypher::compile(&text)
                }
            })
            .await
        }
        Err(error) => Err(error),
    };
    let format = match &compiled {
        Ok(query) => format(&call, query, is_sparql),
        Err(_) => Ok(Format::Json),
    };
    let (opened, memory, query) = open_for(&call, path, compiled, asked).await?;
    let format = format?;
    let (body, out) = Writing::new();
    let control = opened.blobs().control().clone();
    drop(tokio::task::spawn_blocking(move || {
        let bytes = memory.bytes().saturating_sub(opened.caches());
        let done = answer::answer(&opened, &query, bytes, format, &mut |piece| out.send(piece));
        if let Err(error) = done {
            opened.blobs().handle().failed(error.kind(), error.reason());
            out.fail(error);
        }
    }));
    Ok(respond(body.begun(control).await?, format.content_type()))
}

/// The text of the query, wherever the request has it.
async fn query_text(call: &mut Call<'_>, is_sparql: bool) -> Result<String> {
    let missing = || Error::new(Kind::Invalid, "NotAQuery", "the parameter \"query\" is missing");
    if is_sparql && call.route.method == Method::GET.as_str() {
        return call.query.text("query").ok_or_else(missing);
    }
    let kind = call
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.split(';').next().map(str::trim) == Some(FORM));
    let body = text(&mut call.body, "a query").await?;
    if !(is_form && is_sparql) {
        return Ok(body);
    }
    let mut form = Query::parse(Some(&plain(&body)))?;
    let query = form.text("query").ok_or_else(missing)?;
    form.end()?;
    Ok(query)
}

/// A form as the query of a URI: its spaces are written otherwise.
pub(super) fn plain(form: &str) -> String {
    form.replace('+', "%20")
}

/// How the caller wants the answer: the first format that it accepts and that fits.
fn format(call: &Call<'_>, query: &Compiled, is_sparql: bool) -> Result<Format> {
    let accept = call.headers.get(header::ACCEPT);
    let accept = accept.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kinds: Vec<&str> = accept
        .split(',')
        .filter_map(|kind| kind.split(';').next())
        .map(str::trim)
        .collect();
    let is = |kind: &str, format: &Format| {
        let its = format.content_type().split(';').next().unwrap_or_default();
        matches!(kind, "" | "*/*") || kind == its || (kind == "application/json" && *format == Format::Json)
    };
    let all: &[Format] = if is_sparql { &Format::ALL } else { &OF_CYPHER };
    let fitting = || all.iter().filter(|format| format.fits(&query.form));
    let found = kinds
        .iter()
        .find_map(|kind| fitting().find(|format| is(kind, format)));
    found.copied().ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            "NotAcceptable",
            format!("this query has no answer of the types {accept}"),
        )
    })
}
