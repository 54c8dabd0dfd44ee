//! The Iceberg door, `/_iceberg/v1`: the REST catalog of a bucket's tables.
//!
//! ```text
//! identify (bearer, or signed for s3tables or s3) ──▶ body, whole ──▶ route ──▶ gate: a permit for the catalog, a table or several ──▶ engine
//! ```
//!
//! Invariants
//! - a request is authenticated before its route is looked at, and before its body is read wherever the head can prove who asks: a signature
//!   over a body whose hash the head does not say (`PyIceberg`'s) is verified once the body is there, in a room apart;
//! - every operation is decided by the gate, and recorded; there is no route beside [`ROUTES`];
//! - who may not is answered the same whether there is a table of that name or not.
//!
//! Source: Apache Iceberg, REST catalog OpenAPI (`rest-catalog-open-api.yaml`).
//!
//! Deliberately absent: what a commit means (the engine).

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::{
    BUDGET_EXCEEDED, Gate, Origin, Session,
    identify::{Service, body::VerifiedBody},
    tables::is_id,
};
use craton_tables::{Namespace, TableName, Tables};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    api::query::Query,
    errors,
    http::{Body, base_of},
    query::{read_up_to, signed_for},
    route,
    settle::settle,
    whole::{Room, Rooms, verified},
};

mod delegation;
mod loaded;
mod names;
mod ops;
mod plans;
mod restrictions;
mod tables;
mod transaction;
mod views;

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Where clients of early versions of the protocol get a token.
pub(crate) const TOKENS: &str = "/_iceberg/v1/oauth/tokens";

/// What a route does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(
    missing_docs,
    reason = "the names are the protocol's operations, documented there"
)]
pub enum Operation {
    GetConfig,
    ListNamespaces,
    CreateNamespace,
    LoadNamespaceMetadata,
    NamespaceExists,
    DropNamespace,
    UpdateProperties,
    ListTables,
    CreateTable,
    RegisterTable,
    LoadTable,
    TableExists,
    UpdateTable,
    DropTable,
    ReportMetrics,
    RenameTable,
    UnregisterTable,
    LoadCredentials,
    SignRequest,
    PlanTableScan,
    FetchPlanningResult,
    CancelPlanning,
    FetchScanTasks,
    CommitTransaction,
    ListViews,
    CreateView,
    LoadView,
    ViewExists,
    ReplaceView,
    DropView,
    RenameView,
    RegisterView,
}

/// One route.
pub type Route = route::Route<Operation>;

macro_rules! routes {
    ($($method:literal $path:literal $operation:ident $action:literal;)+) => {
        /// Every route.
        pub const ROUTES: &[Route] = &[$(Route {
            method: $method,
            path: concat!("/_iceberg/v1/", $path),
            operation: Operation::$operation,
            action: concat!("s3tables:", $action),
        }),+];

        impl Operation {
            /// The protocol's name of it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => stringify!($operation)),+
                }
            }
        }
    };
}

routes! {
    "GET" "config" GetConfig "GetTableBucket";
    "GET" "{bucket}/namespaces" ListNamespaces "ListNamespaces";
    "POST" "{bucket}/namespaces" CreateNamespace "CreateNamespace";
    "GET" "{bucket}/namespaces/{namespace}" LoadNamespaceMetadata "GetNamespace";
    "HEAD" "{bucket}/namespaces/{namespace}" NamespaceExists "GetNamespace";
    "DELETE" "{bucket}/namespaces/{namespace}" DropNamespace "DeleteNamespace";
    "POST" "{bucket}/namespaces/{namespace}/properties" UpdateProperties "UpdateNamespaceProperties";
    "GET" "{bucket}/namespaces/{namespace}/tables" ListTables "ListTables";
    "POST" "{bucket}/namespaces/{namespace}/tables" CreateTable "CreateTable";
    "POST" "{bucket}/namespaces/{namespace}/register" RegisterTable "RegisterTable";
    "GET" "{bucket}/namespaces/{namespace}/tables/{table}" LoadTable "GetTableMetadataLocation";
    "HEAD" "{bucket}/namespaces/{namespace}/tables/{table}" TableExists "GetTable";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}" UpdateTable "UpdateTableMetadataLocation";
    "DELETE" "{bucket}/namespaces/{namespace}/tables/{table}" DropTable "DeleteTable";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}/metrics" ReportMetrics "GetTableData";
    "POST" "{bucket}/tables/rename" RenameTable "RenameTable";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}/unregister" UnregisterTable "DeleteTable";
    "GET" "{bucket}/namespaces/{namespace}/tables/{table}/credentials" LoadCredentials "GetTableData";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}/sign" SignRequest "GetTableData";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}/plan" PlanTableScan "GetTableData";
    "GET" "{bucket}/namespaces/{namespace}/tables/{table}/plan/{plan-id}" FetchPlanningResult "GetTableData";
    "DELETE" "{bucket}/namespaces/{namespace}/tables/{table}/plan/{plan-id}" CancelPlanning "GetTableData";
    "POST" "{bucket}/namespaces/{namespace}/tables/{table}/tasks" FetchScanTasks "GetTableData";
    "POST" "{bucket}/transactions/commit" CommitTransaction "UpdateTableMetadataLocation";
    "GET" "{bucket}/namespaces/{namespace}/views" ListViews "ListViews";
    "POST" "{bucket}/namespaces/{namespace}/views" CreateView "CreateView";
    "GET" "{bucket}/namespaces/{namespace}/views/{view}" LoadView "GetView";
    "HEAD" "{bucket}/namespaces/{namespace}/views/{view}" ViewExists "GetView";
    "POST" "{bucket}/namespaces/{namespace}/views/{view}" ReplaceView "UpdateView";
    "DELETE" "{bucket}/namespaces/{namespace}/views/{view}" DropView "DeleteView";
    "POST" "{bucket}/views/rename" RenameView "RenameView";
    "POST" "{bucket}/namespaces/{namespace}/register-view" RegisterView "RegisterView";
}

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) operation: &'static str,
}

/// What an operation is given.
struct Call<'a> {
    gate: &'a Gate,
    tables: &'a Tables,
    session: &'a Session,
    route: &'static Route,
    place: Place,
    query: Query,
    headers: &'a HeaderMap,
    method: &'a str,
    /// Path and query.
    target: String,
    /// Where clients reach us: as the administrator says, or else as this one does.
    base: Option<String>,
    body: Bytes,
}

/// What a path is about.
#[derive(Default)]
struct Place {
    bucket: Option<BucketName>,
    namespace: Option<Namespace>,
    table: Option<String>,
}

impl Call<'_> {
    fn bucket(&self) -> Result<BucketName> {
        let bucket = self.place.bucket.clone();
        bucket.ok_or_else(|| Error::internal("a route has no bucket"))
    }

    fn namespace(&self) -> Result<Namespace> {
        let namespace = self.place.namespace.clone();
        namespace.ok_or_else(|| Error::internal("a route has no namespace"))
    }

    fn table(&self) -> Result<TableName> {
        let table = self.place.table.as_deref();
        let table = table.ok_or_else(|| Error::internal("a route has no table"))?;
        TableName::new(self.namespace()?, table)
    }

    /// The key by which the client names the request, so that it is carried out once.
    fn key(&self) -> Result<Option<String>> {
        let Some(value) = self.headers.get("idempotency-key") else {
            return Ok(None);
        };
        let key = value.to_str().ok().map(str::to_ascii_lowercase);
        let key = key.filter(|key| is_id(key));
        key.map(Some).ok_or_else(|| bad("an Idempotency-Key is a UUID"))
    }

    /// All that tells the request from another.
    fn whole(&self) -> Vec<u8> {
        [
            self.method.as_bytes(),
            b" ",
            self.target.as_bytes(),
            b"\n",
            &self.body,
        ]
        .concat()
    }

    fn json(&self) -> Result<Value> {
        let parsed: Value =
            serde_json::from_slice(&self.body).map_err(|e| bad("the body is not JSON").with_source(e))?;
        match parsed.is_object() {
            true => Ok(parsed),
            false => Err(bad("the body is not an object")),
        }
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "BadRequestException", message.into())
}

/// Answers a request.
pub(crate) async fn handle(
    (gate, tables, rooms): (&Gate, &Tables, &Rooms),
    public_url: Option<&str>,
    request: Request<Body>,
    origin: Origin,
) -> Answered {
    let (parts, body) = request.into_parts();
    let request_id = origin.request_id.clone();
    let mut operation = "Unknown";
    let base = public_url.map(|url| url.trim_end_matches('/').to_owned());
    let base = base.or_else(|| base_of(&parts.headers, &parts.uri, origin.is_secure()));
    let done = answer(
        (gate, tables, rooms),
        base,
        (&parts, body),
        origin,
        &mut operation,
    )
    .await;
    let mut response = done.unwrap_or_else(|error| {
        if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
            tracing::error!(%error, reason = error.reason(), operation, %request_id, "a request failed");
        }
        refusal(&error, &request_id)
    });
    // It may have an address that the request said, or credentials: nobody else's cache may keep it.
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Answered { response, operation }
}

async fn answer(
    (gate, tables, rooms): (&Gate, &Tables, &Rooms),
    base: Option<String>,
    (parts, body): (&Parts, Body),
    origin: Origin,
    operation: &mut &'static str,
) -> Result<Response<Full<Bytes>>> {
    let (session, body, _room) = admit((gate, rooms), parts, body, origin).await?;
    let session = &session;
    let done = match find(parts) {
        Ok((route, place)) => {
            *operation = route.operation.name();
            let call = Query::parse(parts.uri.query()).map(|query| Call {
                gate,
                tables,
                session,
                route,
                place,
                query,
                headers: &parts.headers,
                method: parts.method.as_str(),
                target: parts.uri.to_string(),
                base,
                body,
            });
            match call {
                Ok(call) => Box::pin(ops::run(call)).await,
                Err(e) => Err(e),
            }
        }
        Err(e) => Err(e),
    };
    settle(gate, session, operation, parts.uri.path(), done)
}

/// Who asks, by a bearer token or a signature, and the body.
async fn admit(
    (gate, rooms): (&Gate, &Rooms),
    parts: &Parts,
    body: Body,
    origin: Origin,
) -> Result<(Session, Bytes, Room)> {
    let size = body.size_hint();
    let service = signed_for(&parts.headers).filter(|s| matches!(s, Service::S3Tables | Service::S3));
    let says_hash = size.exact() == Some(0) || parts.headers.contains_key("x-amz-content-sha256");
    let admitted = match service {
        Some(service) if says_hash => gate.identify_by_hash(parts, service, origin.clone())?,
        Some(service) => return admit_by_body((gate, rooms), (parts, service), body, origin).await,
        None => gate.identify_or_bearer(parts, origin.clone())?,
    };
    let session = admitted.session;
    let body = verified(VerifiedBody::new(body, admitted.payload), BODY_BYTES_MAX);
    let read = rooms.read(&session, &size, BODY_BYTES_MAX, body).await;
    let (body, room) = read.or_else(|error| {
        let key = session.access_key_id();
        gate.refuse(&origin, key, parts.method.as_str(), parts.uri.path(), &error)?;
        Err(error)
    })?;
    Ok((session, body, room))
}

/// The same where the signature covers a hash that the head does not say.
async fn admit_by_body(
    (gate, rooms): (&Gate, &Rooms),
    (parts, service): (&Parts, Service),
    body: Body,
    origin: Origin,
) -> Result<(Session, Bytes, Room)> {
    let size = body.size_hint();
    let body = read_up_to(body, BODY_BYTES_MAX);
    let read = match gate.names_a_key(parts) {
        true => rooms.read_unproven(&size, BODY_BYTES_MAX, body).await,
        false => rooms.read_unknown(&size, BODY_BYTES_MAX, body).await,
    };
    let (body, room) = read.or_else(|error| {
        gate.refuse(&origin, None, parts.method.as_str(), parts.uri.path(), &error)?;
        Err(error)
    })?;
    let admitted = gate.identify_with_body(parts, service, &body, origin)?;
    Ok((admitted.session, body, room))
}

/// The route of a request, and what its path is about.
fn find(parts: &Parts) -> Result<(&'static Route, Place)> {
    let (route, varied) = route::find(ROUTES, &parts.method, parts.uri.path(), "Iceberg door")?;
    let mut place = Place::default();
    for (name, text) in varied {
        match name {
            "{bucket}" => place.bucket = Some(BucketName::new(&text)?),
            "{namespace}" => place.namespace = Some(Namespace::parse(&text)?),
            // Of plans nothing is kept.
            "{plan-id}" => {}
            _ => place.table = Some(text),
        }
    }
    Ok((route, place))
}

/// Iceberg's status and type of an error.
fn code(error: &Error) -> (u16, &'static str) {
    match error.reason() {
        "CommitFailedException" => (409, "CommitFailedException"),
        "AlreadyExistsException" => (409, "AlreadyExistsException"),
        "NamespaceNotEmptyException" => (409, "NamespaceNotEmptyException"),
        "NoSuchTableException" => (404, "NoSuchTableException"),
        "NoSuchViewException" => (404, "NoSuchViewException"),
        "NoSuchNamespaceException" => (404, "NoSuchNamespaceException"),
        "NoSuchPlanIdException" => (404, "NoSuchPlanIdException"),
        "NoSuchPlanTaskException" => (404, "NoSuchPlanTaskException"),
        "UnprocessableEntityException" => (422, "UnprocessableEntityException"),
        BUDGET_EXCEEDED => (429, BUDGET_EXCEEDED),
        "InvalidToken"
        | "ExpiredToken"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "MissingAuthenticationToken" => (401, "NotAuthorizedException"),
        "NoSuchRoute" => (404, "NoSuchEndpointException"),
        "MethodNotAllowed" => (405, "MethodNotAllowedException"),
        _ => match error.kind() {
            Kind::NotFound => (404, "NotFoundException"),
            Kind::Denied => (403, "ForbiddenException"),
            Kind::Exists | Kind::Busy | Kind::Precondition => (409, "CommitFailedException"),
            Kind::Invalid => (400, "BadRequestException"),
            Kind::TooLarge => (413, "BadRequestException"),
            Kind::Unavailable => (503, "ServiceUnavailableException"),
            Kind::Corrupt | Kind::Internal => (500, "InternalServerError"),
        },
    }
}

fn refusal(error: &Error, request_id: &str) -> Response<Full<Bytes>> {
    let (code, kind) = code(error);
    let body = json!({ "error": {
        "message": errors::message(error),
        "type": kind,
        "code": code,
        "stack": [format!("{} in request {request_id}", error.reason())],
    } });
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, body.to_string())
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Nothing but a status.
fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
