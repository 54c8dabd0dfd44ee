//! The graph door, `/_graph/v1`: facts in and out, as streams. [`handle`] is the whole way of a request:
//!
//! ```text
//! identify (as the S3 door) ──▶ route ──▶ gate: a permit for the graph, or a prefix of its facts ──▶ engine, on a thread
//! ```
//!
//! Invariants
//! - a request is authenticated before its route is looked at;
//! - every operation is decided by the gate, and recorded; there is no route beside [`ROUTES`];
//! - a body is loaded as it comes and committed only after it was verified to its end;
//! - memory is the engine's reservation and a few pieces of the body.
//!
//! Deliberately absent: what facts mean, formats (the engine's readers).

use bytes::Bytes;
use craton_base::{BucketName, Error, FactPath, GraphName, Kind, ResourcePath, Result, Sequence};
use craton_gate::{Gate, Origin, Session, identify::body::VerifiedBody};
use craton_graph::{engine::Graphs, snapshot::Asked};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{api::query::Query, errors, http::Body, route, settle::settle};

mod explain;
mod labels;
mod language;
mod live;
mod load;
mod ops;
mod program;
mod progress;
mod query;
mod snapshots;
mod stream;
mod why;

/// What a route does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operation {
    /// The graphs of a bucket.
    ListGraphs,
    /// What a graph holds, in numbers.
    DescribeGraph,
    /// Facts out.
    ReadFacts,
    /// Facts in, or out of the graph.
    WriteFacts,
    /// Merges a graph's levels.
    CompactGraph,
    /// Removes all facts of a graph.
    ClearGraph,
    /// The labels of a graph.
    GetLabels,
    /// Sets them.
    PutLabels,
    /// Runs a program.
    RunProgram,
    /// Runs rules to their least fixpoint.
    RunRules,
    /// The matches of patterns.
    QueryFacts,
    /// The answer of a query in SPARQL.
    QuerySparql,
    /// The answer of a query in openCypher.
    QueryCypher,
    /// How rules would be answered, and what answering them takes.
    ExplainRules,
    /// Why a fact is there: a derivation of it by rules.
    DeriveFact,
    /// The commits that can be read.
    ListSnapshots,
    /// Keeps a snapshot.
    PinSnapshot,
    /// Keeps a snapshot no longer.
    UnpinSnapshot,
    /// The loads that are not at their end.
    ListLoads,
    /// Gives such a load up.
    DropLoad,
    /// The live programs.
    ListLive,
    /// Adds one, or puts it in the place of another.
    AddLive,
    /// Keeps one no longer.
    RemoveLive,
    /// Computes what they derive anew.
    RefreshLive,
}

/// One route: after the bucket and the graph, what is asked.
pub type Route = route::Route<Operation>;

/// Every route.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}",
        operation: Operation::ListGraphs,
        action: "craton:ListGraphs",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}",
        operation: Operation::DescribeGraph,
        action: "craton:ReadGraph",
    },
    Route {
        method: "DELETE",
        path: "/_graph/v1/{bucket}/{graph}",
        operation: Operation::ClearGraph,
        action: "craton:WriteGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/facts",
        operation: Operation::ReadFacts,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/facts",
        operation: Operation::WriteFacts,
        action: "craton:WriteGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/query",
        operation: Operation::QueryFacts,
        action: "craton:ReadGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/sparql",
        operation: Operation::QuerySparql,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/sparql",
        operation: Operation::QuerySparql,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/cypher",
        operation: Operation::QueryCypher,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/program",
        operation: Operation::RunProgram,
        action: "craton:WriteGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/rules",
        operation: Operation::RunRules,
        action: "craton:WriteGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/explain",
        operation: Operation::ExplainRules,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/why",
        operation: Operation::DeriveFact,
        action: "craton:ReadGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/snapshots",
        operation: Operation::ListSnapshots,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/snapshots",
        operation: Operation::PinSnapshot,
        action: "craton:WriteGraph",
    },
    Route {
        method: "DELETE",
        path: "/_graph/v1/{bucket}/{graph}/snapshots",
        operation: Operation::UnpinSnapshot,
        action: "craton:WriteGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/loads",
        operation: Operation::ListLoads,
        action: "craton:ReadGraph",
    },
    Route {
        method: "DELETE",
        path: "/_graph/v1/{bucket}/{graph}/loads",
        operation: Operation::DropLoad,
        action: "craton:WriteGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/live",
        operation: Operation::ListLive,
        action: "craton:ReadGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/live",
        operation: Operation::AddLive,
        action: "craton:WriteGraph",
    },
    Route {
        method: "DELETE",
        path: "/_graph/v1/{bucket}/{graph}/live",
        operation: Operation::RemoveLive,
        action: "craton:WriteGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/live/refresh",
        operation: Operation::RefreshLive,
        action: "craton:WriteGraph",
    },
    Route {
        method: "GET",
        path: "/_graph/v1/{bucket}/{graph}/labels",
        operation: Operation::GetLabels,
        action: "craton:ReadGraph",
    },
    Route {
        method: "PUT",
        path: "/_graph/v1/{bucket}/{graph}/labels",
        operation: Operation::PutLabels,
        action: "craton:LabelGraph",
    },
    Route {
        method: "POST",
        path: "/_graph/v1/{bucket}/{graph}/compact",
        operation: Operation::CompactGraph,
        action: "craton:WriteGraph",
    },
];

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::ListGraphs => "ListGraphs",
            Self::DescribeGraph => "DescribeGraph",
            Self::ReadFacts => "ReadFacts",
            Self::WriteFacts => "WriteFacts",
            Self::CompactGraph => "CompactGraph",
            Self::ClearGraph => "ClearGraph",
            Self::GetLabels => "GetLabels",
            Self::PutLabels => "PutLabels",
            Self::RunProgram => "RunProgram",
            Self::RunRules => "RunRules",
            Self::QueryFacts => "QueryFacts",
            Self::QuerySparql => "QuerySparql",
            Self::QueryCypher => "QueryCypher",
            Self::ExplainRules => "ExplainRules",
            Self::DeriveFact => "DeriveFact",
            Self::ListSnapshots => "ListSnapshots",
            Self::PinSnapshot => "PinSnapshot",
            Self::UnpinSnapshot => "UnpinSnapshot",
            Self::ListLoads => "ListLoads",
            Self::DropLoad => "DropLoad",
            Self::ListLive => "ListLive",
            Self::AddLive => "AddLive",
            Self::RemoveLive => "RemoveLive",
            Self::RefreshLive => "RefreshLive",
        }
    }
}

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    pub(crate) operation: &'static str,
}

/// What an operation is given.
struct Call<'a> {
    gate: &'a Gate,
    graphs: &'a Graphs,
    session: &'a Session,
    route: &'static Route,
    bucket: BucketName,
    /// Of every operation but the listing.
    graph: Option<GraphName>,
    query: Query,
    headers: &'a HeaderMap,
    body: VerifiedBody<Body>,
}

impl Call<'_> {
    /// The graph's path, narrowed to the prefix that the query has.
    fn facts(&mut self) -> Result<ResourcePath> {
        let graph = self.graph.clone();
        let graph = graph.ok_or_else(|| Error::internal("a route has no graph"))?;
        let prefix = self.query.text("prefix").unwrap_or_default();
        // Only what is written as policies write it.
        craton_graph::prefix::items(&prefix)?;
        Ok(ResourcePath::Facts(
            self.bucket.clone(),
            FactPath::new(graph, &prefix)?,
        ))
    }

    /// The snapshot that the query names: a commit of the graph, or a pinned one.
    fn moment(&mut self) -> Result<Asked> {
        let Some(text) = self.query.text("snapshot") else {
            return Ok(Asked::Newest);
        };
        if let Ok(number) = text.parse() {
            return Ok(Asked::Commit(Sequence(number)));
        }
        craton_graph::manifest::check_name(&text)?;
        Ok(Asked::Pinned(text))
    }

    /// Fails if a parameter is left that the operation does not know.
    fn end_query(&mut self) -> Result<()> {
        std::mem::replace(&mut self.query, Query::parse(None)?).end()
    }
}

/// Answers a request.
pub(crate) async fn handle(gate: &Gate, graphs: &Graphs, request: Request<Body>, origin: Origin) -> Answered {
    let (parts, body) = request.into_parts();
    let request_id = origin.request_id.clone();
    let mut operation = "Unknown";
    let response = match answer(gate, graphs, (&parts, body), origin, &mut operation).await {
        Ok(response) => response,
        Err(error) => {
            if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
                tracing::error!(%error, reason = error.reason(), operation, %request_id, "a request failed");
            }
            let body = json!({ "error": {
                "kind": error.kind().as_str(),
                "reason": error.reason(),
                "message": errors::message(&error),
                "request_id": &*request_id,
            } });
            respond(errors::http_status_of(&error), &body)
        }
    };
    Answered { response, operation }
}

async fn answer(
    gate: &Gate,
    graphs: &Graphs,
    (parts, body): (&Parts, Body),
    origin: Origin,
    operation: &mut &'static str,
) -> Result<Response<Body>> {
    let admitted = gate.identify_or_bearer(parts, origin)?;
    let session = &admitted.session;
    let body = VerifiedBody::new(body, admitted.payload);
    let done = match find(parts) {
        Ok((route, bucket, graph)) => {
            *operation = route.operation.name();
            let query = parts.uri.query();
            // Clients of SPARQL's protocol write a GET as a form.
            let query = match route.operation {
                Operation::QuerySparql => Query::parse(query.map(language::plain).as_deref()),
                _ => Query::parse(query),
            };
            let call = query.map(|query| Call {
                gate,
                graphs,
                session,
                route,
                bucket,
                graph,
                query,
                headers: &parts.headers,
                body,
            });
            match call {
                Ok(call) => ops::run(call).await,
                Err(e) => Err(e),
            }
        }
        Err(e) => Err(e),
    };
    settle(gate, session, operation, parts.uri.path(), done)
}

/// The route of a request, and what varies in its path.
fn find(parts: &Parts) -> Result<(&'static Route, BucketName, Option<GraphName>)> {
    let (route, varied) = route::find(ROUTES, &parts.method, parts.uri.path(), "graph door")?;
    let mut varied = varied.into_iter().map(|(_, text)| text);
    let bucket = BucketName::new(&varied.next().unwrap_or_default())?;
    let graph = varied.next().map(|graph| GraphName::new(&graph)).transpose()?;
    Ok((route, bucket, graph))
}

fn respond(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Body::http_body(Full::new(Bytes::from(value.to_string())));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests;
