//! OAuth 2 under `/_api/v1/oauth`: tokens for access keys and for tokens, ending them, and the keys that verify them.
//!
//! ```text
//! POST token     client_credentials (RFC 6749, 4.4), token exchange (RFC 8693)
//! POST revoke    RFC 7009
//! GET  jwks      RFC 7517
//! ```
//!
//! Invariants
//! - who asks is proven by a client's secret or by tokens, in the body or in `Authorization: Basic`, never in the query;
//! - every grant and refusal is in the ledger; a token is answered once and never logged.
//!
//! Deliberately absent: what tokens may do, how they are made (the gate).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use craton_base::{Error, Kind, Result, Secret};
use craton_gate::{
    ATTEMPT_AGAIN_SECONDS, Audience, ClientGrant, Exchange, Gate, Granted, Origin, SessionBudget,
    SessionLimits, TOO_MANY_ATTEMPTS, TokenFault,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{errors, query::FormFields, whole::Rooms};

/// Where all of it is.
const PREFIX: &str = "/_api/v1/oauth/";

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// What it does.
    pub operation: &'static str,
}

/// Every route.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_api/v1/oauth/token",
        operation: "GrantToken",
    },
    // Where clients of Iceberg's protocol look without being told.
    Route {
        method: "POST",
        path: crate::iceberg::TOKENS,
        operation: "GrantToken",
    },
    Route {
        method: "POST",
        path: "/_api/v1/oauth/revoke",
        operation: "RevokeToken",
    },
    Route {
        method: "GET",
        path: "/_api/v1/oauth/jwks",
        operation: "GetTokenKeys",
    },
];

/// The types of tokens that are exchanged.
const TOKEN_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
];

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) operation: &'static str,
}

pub(crate) fn is_for_us(path: &str) -> bool {
    path.starts_with(PREFIX) || path == crate::iceberg::TOKENS
}

/// Answers a request. `base` is the address that the client used.
pub(crate) async fn handle<B>(
    (gate, rooms, base): (&Gate, &Rooms, Option<&str>),
    request: Request<B>,
    origin: Origin,
) -> Answered
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let route = ROUTES.iter().find(|r| r.path == path);
    let Some(route) = route else {
        return not_here(StatusCode::NOT_FOUND);
    };
    if parts.method.as_str() != route.method {
        return not_here(StatusCode::METHOD_NOT_ALLOWED);
    }
    let done = match parts.method {
        Method::GET => Ok(gate.token_keys()),
        _ => form((gate, rooms, base), (&parts, body), &origin, route).await,
    };
    let response = match done {
        Ok(value) => respond(StatusCode::OK, &value),
        Err(error) => refusal(&error),
    };
    Answered {
        response,
        operation: route.operation,
    }
}

fn not_here(status: StatusCode) -> Answered {
    Answered {
        response: respond(status, &json!({ "error": "invalid_request" })),
        operation: "Unknown",
    }
}

async fn form<B>(
    (gate, rooms, base): (&Gate, &Rooms, Option<&str>),
    (parts, body): (&Parts, B),
    origin: &Origin,
    route: &Route,
) -> Result<Value>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let size = body.size_hint();
    let prepared = async {
        let (body, room) = rooms.read_form(origin.source_ip, &size, body).await?;
        if parts.uri.query().is_some() {
            return Err(Error::invalid("nothing is said in the query here"));
        }
        Ok((FormFields::parse(&body)?, room))
    };
    let (fields, _room) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => {
            gate.refuse(origin, None, route.operation, route.path, &error)?;
            return Err(error);
        }
    };
    match route.operation {
        "RevokeToken" => revoke(gate, &fields, origin).await,
        _ => token((gate, base), parts, &fields, origin).await,
    }
}

async fn token(
    (gate, base): (&Gate, Option<&str>),
    parts: &Parts,
    fields: &FormFields,
    origin: &Origin,
) -> Result<Value> {
    let prepared = ask(parts, fields, base);
    let asked = match prepared {
        Ok(asked) => asked,
        Err(error) => {
            gate.refuse(origin, None, "GrantToken", "/system/sessions", &error)?;
            return Err(error);
        }
    };
    let (granted, exchanged) = match asked {
        Asked::Client(id, secret, grant) => (
            gate.client_token(&id, &secret, grant, origin.clone()).await?,
            false,
        ),
        Asked::Exchange(exchange) => (gate.exchange_token(exchange, origin.clone()).await?, true),
    };
    answer(&granted, exchanged)
}

fn answer(granted: &Granted, exchanged: bool) -> Result<Value> {
    let token = std::str::from_utf8(granted.token.expose())
        .map_err(|e| Error::internal("a new token is not text").with_source(e))?;
    let mut out = json!({ "access_token": token, "token_type": "Bearer", "expires_in": granted.seconds });
    if let Some(out) = out.as_object_mut().filter(|_| exchanged) {
        let [kind, _] = TOKEN_TYPES;
        out.insert("issued_token_type".to_owned(), kind.into());
    }
    Ok(out)
}

enum Asked {
    Client(String, Secret, ClientGrant),
    Exchange(Exchange),
}

/// For which doors the token is to be, by `resource` (RFC 8707).
fn audience(fields: &FormFields, base: Option<&str>) -> Result<Audience> {
    let Some(resource) = fields.get("resource") else {
        return Ok(Audience::Server);
    };
    match crate::mcp::metadata::means_us(resource, base) {
        Some(true) => Ok(Audience::Mcp),
        Some(false) => Ok(Audience::Server),
        None => Err(Error::new(
            Kind::Invalid,
            "InvalidTarget",
            "the resource is not this server or a door of it that has tokens of its own",
        )),
    }
}

fn ask(parts: &Parts, fields: &FormFields, base: Option<&str>) -> Result<Asked> {
    let grant = ClientGrant {
        limits: SessionLimits {
            policy: fields.get("policy").map(|p| Bytes::copy_from_slice(p.as_bytes())),
            policy_arns: fields
                .get("policy_arns")
                .map(|p| p.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            seconds: fields.number("expires_in")?,
        },
        run: fields.get("run").map(str::to_owned),
        purpose: fields.get("purpose").map(str::to_owned),
        budget: fields.get("budget").map(SessionBudget::parse).transpose()?,
        audience: audience(fields, base)?,
    };
    match fields.get("grant_type").unwrap_or_default() {
        "client_credentials" => {
            let (id, secret) = client(parts, fields)?;
            Ok(Asked::Client(id, secret, grant))
        }
        "urn:ietf:params:oauth:grant-type:token-exchange" => {
            let token = |name: &str| -> Result<Option<Secret>> {
                let Some(token) = fields.get(name) else {
                    return Ok(None);
                };
                let kind = fields.get(&format!("{name}_type")).unwrap_or_default();
                if !TOKEN_TYPES.contains(&kind) {
                    return Err(Error::invalid(format!(
                        "{name}_type must be one of {}",
                        TOKEN_TYPES.join(", ")
                    )));
                }
                Ok(Some(token.into()))
            };
            let subject =
                token("subject_token")?.ok_or_else(|| Error::invalid("subject_token is missing"))?;
            Ok(Asked::Exchange(Exchange {
                subject,
                actor: token("actor_token")?,
                grant,
            }))
        }
        _ => Err(Error::new(
            Kind::Invalid,
            "UnsupportedGrantType",
            "grant_type must be client_credentials or urn:ietf:params:oauth:grant-type:token-exchange",
        )),
    }
}

/// The client's id and secret, from `Authorization: Basic` or from the form, never from both.
fn client(parts: &Parts, fields: &FormFields) -> Result<(String, Secret)> {
    let wrong = || {
        Error::new(
            Kind::Denied,
            "InvalidClient",
            "the client says who it is once: by Basic, or in the form",
        )
    };
    let in_form = fields.get("client_id").zip(fields.get("client_secret"));
    let Some(header) = parts.headers.get(header::AUTHORIZATION) else {
        let (id, secret) = in_form.ok_or_else(wrong)?;
        return Ok((id.to_owned(), secret.into()));
    };
    let basic = header
        .to_str()
        .ok()
        .and_then(|t| t.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let (_, text) = basic.filter(|_| in_form.is_none()).ok_or_else(wrong)?;
    let text = BASE64
        .decode(text.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(wrong)?;
    let (id, secret) = text.split_once(':').ok_or_else(wrong)?;
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| wrong())
    };
    Ok((decoded(id)?, decoded(secret)?.into()))
}

/// Ends the session of a token. Whoever holds it may; one that is not good is none to end (RFC 7009, 2.2).
async fn revoke(gate: &Gate, fields: &FormFields, origin: &Origin) -> Result<Value> {
    let token: Secret = fields
        .get("token")
        .ok_or_else(|| Error::invalid("token is missing"))?
        .into();
    gate.revoke_token(&token, origin.clone()).await?;
    Ok(json!({}))
}

fn refusal(error: &Error) -> Response<Full<Bytes>> {
    let ours = matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable);
    if ours {
        tracing::error!(%error, reason = error.reason(), "a token could not be granted");
    }
    let fault = TokenFault::of(error);
    let word = match (ours, error.reason()) {
        (true, _) => "server_error",
        (_, "InvalidTarget") => "invalid_target",
        (_, "UnsupportedGrantType") => "unsupported_grant_type",
        // RFC 6749 has no word for it; RFC 8628, 3.5, has this one.
        (_, TOO_MANY_ATTEMPTS) => "slow_down",
        _ => fault.word(),
    };
    let waits = error.reason() == TOO_MANY_ATTEMPTS;
    let status = match (ours, fault) {
        (true, _) => errors::http_status(error.kind()),
        _ if waits => StatusCode::TOO_MANY_REQUESTS,
        (_, TokenFault::Client) => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut response = respond(
        status,
        &json!({ "error": word, "error_description": errors::message(error) }),
    );
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Basic realm=\"craton\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    if waits {
        let seconds = HeaderValue::from(ATTEMPT_AGAIN_SECONDS);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn respond(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
