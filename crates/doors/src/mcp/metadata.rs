//! What a client must know to get a token: where this door's are given (RFC 9728), and by whom (RFC 8414).
//!
//! Deliberately absent: giving tokens (`oauth`).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::PATH;

/// Where clients look. No bucket's name begins with a dot.
const OF_RESOURCE: [&str; 2] = [
    "/.well-known/oauth-protected-resource/_mcp",
    "/.well-known/oauth-protected-resource",
];
const OF_SERVER: &str = "/.well-known/oauth-authorization-server";

/// What a path asks for: the operation.
pub(crate) fn asked(path: &str) -> Option<&'static str> {
    match path {
        OF_SERVER => Some("AuthorizationServer"),
        path if OF_RESOURCE.contains(&path) => Some("ProtectedResource"),
        _ => None,
    }
}

/// The answer, at the address that the client used itself. It is told to nobody else: no cache keeps it.
pub(crate) fn answer(operation: &str, method: &Method, base: Option<&str>) -> Response<Full<Bytes>> {
    let told = base.map(|base| match operation {
        "ProtectedResource" => resource(base),
        _ => server(base),
    });
    let status = match (&told, matches!(*method, Method::GET | Method::HEAD)) {
        (_, false) => StatusCode::METHOD_NOT_ALLOWED,
        (None, true) => StatusCode::BAD_REQUEST,
        (Some(_), true) => StatusCode::OK,
    };
    let told = told.filter(|_| status == StatusCode::OK).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(told.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn resource(base: &str) -> Value {
    json!({
        "resource": format!("{base}{PATH}"),
        "resource_name": "Craton",
        "authorization_servers": [base],
        "bearer_methods_supported": ["header"],
    })
}

/// There is no grant that an authorization endpoint is for (`response_types_supported` is empty); clients exist that do without the whole
/// document where it names none.
fn server(base: &str) -> Value {
    let of_client = ["client_secret_basic", "client_secret_post"];
    json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/_api/v1/oauth/authorize"),
        "token_endpoint": format!("{base}/_api/v1/oauth/token"),
        "revocation_endpoint": format!("{base}/_api/v1/oauth/revoke"),
        "jwks_uri": format!("{base}/_api/v1/oauth/jwks"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
        "token_endpoint_auth_methods_supported": of_client,
    })
}

/// What who has no good token is told (RFC 6750, RFC 9728).
pub(super) fn challenge(base: Option<&str>, had_one: bool) -> HeaderValue {
    let [place, _] = OF_RESOURCE;
    let place = base.map(|base| format!("resource_metadata=\"{base}{place}\""));
    let fault = had_one.then(|| "error=\"invalid_token\"".to_owned());
    let said: Vec<String> = place.into_iter().chain(fault).collect();
    // The address has no letter that a header can not have.
    let text = HeaderValue::from_str(&format!("Bearer {}", said.join(", ")));
    text.unwrap_or(HeaderValue::from_static("Bearer"))
}

/// Whether a client that asks for a token means this door by `resource` (RFC 8707): all other doors if it names the server.
pub(crate) fn means_us(resource: &str, base: Option<&str>) -> Option<bool> {
    let base = base?;
    let rest = resource.strip_prefix(base)?;
    match rest {
        PATH => Some(true),
        "" | "/" => Some(false),
        _ => None,
    }
}
