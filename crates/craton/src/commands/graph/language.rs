//! `craton graph sparql` and `cypher`: a query's text goes to the server, its answer comes as it is.
//!
//! Deliberately absent: what queries mean (the server's).

use craton_base::{Error, Result};
use http::Method;
use tokio::io::AsyncReadExt as _;

use super::{limited, opened, path_of, write_out};
use crate::{
    cli::{GraphAsked, GraphWritten},
    client::Client,
};

/// The longest query that is read from a file, in bytes.
const QUERY_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn ask(language: &str, asked: GraphAsked) -> Result<()> {
    let text = match (asked.query, &asked.file) {
        (Some(text), _) => text,
        (None, Some(file)) => {
            let mut text = String::new();
            opened(file)
                .await?
                .take(QUERY_BYTES_MAX)
                .read_to_string(&mut text)
                .await?;
            text
        }
        (None, None) => return Err(Error::invalid("there is no query")),
    };
    let parameters = [
        ("prefix", asked.prefix.as_deref()),
        ("snapshot", asked.snapshot.as_deref()),
    ];
    let path = format!(
        "{}/{language}{}",
        path_of(&asked.graph)?,
        limited(&parameters, &asked.limits)
    );
    let client = Client::new(&asked.target)?.accepting(Some(accepted(asked.format, asked.target.json)));
    let answered = client
        .graph(Method::POST, &path, reqwest::Body::from(text))
        .await?;
    write_out(answered, None).await.map(drop)
}

/// The content types of an answer. Without a wish, whatever fits the query, tables as TSV.
fn accepted(written: Option<GraphWritten>, json: bool) -> &'static str {
    match written {
        Some(GraphWritten::Tsv) => "text/tab-separated-values",
        Some(GraphWritten::Csv) => "text/csv",
        Some(GraphWritten::Json) => "application/sparql-results+json",
        Some(GraphWritten::Lines) => "application/x-ndjson",
        Some(GraphWritten::Triples) => "application/n-triples",
        None if json => "application/sparql-results+json, application/n-triples",
        None => "text/tab-separated-values, application/n-triples, application/sparql-results+json",
    }
}
