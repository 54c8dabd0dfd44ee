//! AWS's query protocol: IAM and STS, `POST /` with a form. [`handle`] is the whole way of a request:
//!
//! ```text
//! whole body (small) ──▶ identify: the signature covers the body's hash ──▶ form ──▶ operation ──▶ gate
//! ```
//!
//! A request is told from S3's by its form and by the service that it is signed for; S3 has no such `POST`.
//!
//! Invariants
//! - nothing of the form but its signature is looked at before the gate has identified the caller; only
//!   `AssumeRoleWithWebIdentity`, which carries its own proof, may come unsigned;
//! - there is no operation beside [`routes`]; each is decided by the gate, and recorded;
//! - secrets are answered once, by the call that made them, and never logged.
//!
//! Deliberately absent: who may do what.

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_gate::{
    BUDGET_EXCEEDED, Gate, Origin, PrincipalKind, Session, TOO_MANY_ATTEMPTS, identify::Service,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};

use crate::{errors, whole::Rooms};

mod form;
mod iam;
mod sts;
mod xml;

use form::Form;
pub(crate) use form::Form as FormFields;
use xml::Xml;

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 256 << 10;

/// The operation of a request that names none of ours.
const UNKNOWN: &str = "Unknown";

/// The operation whose proof is a token in the form; the gate records it under that.
const PROVES_ITSELF: &str = "AssumeRoleWithWebIdentity";

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The service that its signature is for.
    pub service: &'static str,
    /// The form's `Action`.
    pub action: &'static str,
    /// The action that must be allowed.
    pub permission: &'static str,
}

/// Every operation.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    iam::ROUTES.iter().chain(sts::ROUTES)
}

/// Makes the table of a service's operations, and the function that runs one.
macro_rules! operations {
    ($service:literal; $($action:ident => $permission:literal, $run:path;)+) => {
        /// The operations of this service.
        pub(super) const ROUTES: &[crate::query::Route] = &[$(crate::query::Route {
            service: $service,
            action: stringify!($action),
            permission: $permission,
        }),+];

        /// Runs an operation; `None` if there is none of this name.
        pub(super) async fn run(action: &str, call: &crate::query::Call<'_>) -> Option<craton_base::Result<crate::query::Xml>> {
            match action {
                $(stringify!($action) => Some(Box::pin($run(call)).await),)+
                _ => None,
            }
        }
    };
}
pub(crate) use operations;

/// What an operation is given.
pub(crate) struct Call<'a> {
    gate: &'a Gate,
    session: &'a Session,
    form: Form,
}

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) operation: &'static str,
}

/// What an answer is wrapped in.
struct Envelope {
    service: Service,
    action: &'static str,
    request_id: String,
}

/// The service that the signature of a request is for, as it says.
pub(crate) fn signed_for(parts: &http::HeaderMap) -> Option<Service> {
    let text = parts.get(header::AUTHORIZATION)?.to_str().ok()?;
    let scope = text.split_once("Credential=")?.1;
    let name = scope.split(',').next()?.trim().rsplit('/').nth(1)?;
    Service::from_name(name)
}

/// Whether a request is one of the query protocol.
pub(crate) fn is_for_us<B>(request: &Request<B>) -> bool {
    if request.method() != Method::POST || request.uri().path() != "/" {
        return false;
    }
    let headers = request.headers();
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|t| {
            t.to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        });
    match headers.contains_key(header::AUTHORIZATION) {
        true => matches!(signed_for(headers), Some(Service::Iam | Service::Sts)),
        false => form,
    }
}

/// Answers a request.
pub(crate) async fn handle<B>(gate: &Gate, rooms: &Rooms, request: Request<B>, origin: Origin) -> Answered
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let mut envelope = Envelope {
        service: signed_for(&parts.headers).unwrap_or(Service::Sts),
        action: UNKNOWN,
        request_id: origin.request_id.to_string(),
    };
    let response = match answer(gate, rooms, (&parts, body), origin, &mut envelope).await {
        Ok(result) => envelope.success(&result),
        Err(error) => {
            if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
                let (operation, request_id) = (envelope.action, &envelope.request_id);
                tracing::error!(%error, reason = error.reason(), operation, %request_id, "a request failed");
            }
            envelope.failure(&error)
        }
    };
    Answered {
        response,
        operation: envelope.action,
    }
}

async fn answer<B>(
    gate: &Gate,
    rooms: &Rooms,
    (parts, body): (&Parts, B),
    origin: Origin,
    envelope: &mut Envelope,
) -> Result<Xml>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let size = body.size_hint();
    let read = match gate.names_a_key(parts) {
        true => {
            rooms
                .read_unproven(&size, BODY_BYTES_MAX, read_up_to(body, BODY_BYTES_MAX))
                .await
        }
        false => rooms.read_form(origin.source_ip, &size, body).await,
    };
    let (body, _room) = refused(gate, &origin, parts, read)?;
    let admitted = gate.identify_with_body(parts, envelope.service, &body, origin)?;
    let session = &admitted.session;
    let form = Form::parse(&body);
    let form = refused_to(gate, session, parts, form)?;
    let action = form.get("Action").unwrap_or_default().to_owned();
    if let Some(route) = routes().find(|r| r.action == action && r.service == envelope.service.as_str()) {
        envelope.action = route.action;
    }
    let proves_itself = envelope.action == PROVES_ITSELF;
    if session.kind() == PrincipalKind::Anonymous && !proves_itself {
        let error = Error::new(
            Kind::Denied,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        );
        return refused_to(gate, session, parts, Err(error));
    }
    let call = Call { gate, session, form };
    let done = match envelope.service {
        Service::Iam => iam::run(&action, &call).await,
        _ => sts::run(&action, &call).await,
    };
    let done = done.unwrap_or_else(|| {
        let text = format!(
            "Could not find operation {action} for version {}",
            call.form.get("Version").unwrap_or("NO_VERSION_SPECIFIED")
        );
        Err(Error::new(Kind::Invalid, "InvalidAction", text))
    });
    match done {
        // The gate has recorded nothing of a form that is wrong, so this leaves a denial all the same.
        Err(error) if !session.has_asked() && !proves_itself => refused_to(gate, session, parts, Err(error)),
        done => done,
    }
}

/// Records a refusal before the caller is known.
fn refused<T>(gate: &Gate, origin: &Origin, parts: &Parts, done: Result<T>) -> Result<T> {
    if let Err(error) = &done {
        gate.refuse(origin, None, parts.method.as_str(), parts.uri.path(), error)?;
    }
    done
}

fn refused_to<T>(gate: &Gate, session: &Session, parts: &Parts, done: Result<T>) -> Result<T> {
    if let Err(error) = &done {
        gate.refuse(
            session.origin(),
            session.access_key_id(),
            parts.method.as_str(),
            parts.uri.path(),
            error,
        )?;
    }
    done
}

/// A whole body of at most so many bytes.
pub(crate) async fn read_up_to<B>(mut body: B, bytes_max: usize) -> Result<Bytes>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut out = bytes::BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            Error::new(Kind::Invalid, "IncompleteBody", "the body ended early").with_source(e)
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if out.len().saturating_add(data.len()) > bytes_max {
            let message = format!("the body has at most {bytes_max} bytes");
            return Err(Error::new(Kind::TooLarge, "RequestEntityTooLarge", message));
        }
        out.extend_from_slice(&data);
    }
    Ok(out.freeze())
}

impl Envelope {
    const fn namespace(&self) -> &'static str {
        match self.service {
            Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            _ => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    fn success(&self, result: &Xml) -> Response<Full<Bytes>> {
        let (action, namespace, id) = (self.action, self.namespace(), &self.request_id);
        // The clients' models want the element of this one though nothing is ever in it.
        let result = match result.is_empty() && action != "UpdateRole" {
            true => String::new(),
            false => format!("<{action}Result>{}</{action}Result>", result.as_str()),
        };
        let body = format!(
            "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{id}</RequestId>\
             </ResponseMetadata></{action}Response>"
        );
        respond(StatusCode::OK, body)
    }

    fn failure(&self, error: &Error) -> Response<Full<Bytes>> {
        let (code, status) = code(error);
        let mut xml = Xml::new();
        xml.inside("Error", |xml| {
            xml.text(
                "Type",
                if status.is_server_error() {
                    "Receiver"
                } else {
                    "Sender"
                },
            );
            xml.text("Code", code);
            xml.text("Message", errors::message(error));
        });
        xml.text("RequestId", &self.request_id);
        let body = format!(
            "<ErrorResponse xmlns=\"{}\">{}</ErrorResponse>",
            self.namespace(),
            xml.as_str()
        );
        respond(status, body)
    }
}

/// AWS's code and status for an error.
fn code(error: &Error) -> (&'static str, StatusCode) {
    let by_reason = match error.reason() {
        "InvalidAccessKeyId" | "InvalidToken" => Some(("InvalidClientTokenId", 403)),
        "ExpiredToken" => Some(("ExpiredToken", 403)),
        "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => Some(("SignatureDoesNotMatch", 403)),
        "MissingAuthenticationToken" => Some(("MissingAuthenticationToken", 403)),
        "AuthorizationHeaderMalformed" => Some(("IncompleteSignature", 400)),
        "EntityAlreadyExists" => Some(("EntityAlreadyExists", 409)),
        "DeleteConflict" => Some(("DeleteConflict", 409)),
        "LimitExceeded" => Some(("LimitExceeded", 409)),
        "NoSuchEntity" => Some(("NoSuchEntity", 404)),
        "MalformedPolicyDocument" => Some(("MalformedPolicyDocument", 400)),
        "ConcurrentModification" => Some(("ConcurrentModification", 409)),
        "InvalidInput" => Some(("InvalidInput", 400)),
        "InvalidAction" => Some(("InvalidAction", 400)),
        "InvalidIdentityToken" => Some(("InvalidIdentityToken", 400)),
        "ExpiredTokenException" => Some(("ExpiredTokenException", 400)),
        "IDPCommunicationError" => Some(("IDPCommunicationError", 400)),
        TOO_MANY_ATTEMPTS => Some(("Throttling", 400)),
        BUDGET_EXCEEDED => Some((BUDGET_EXCEEDED, 429)),
        _ => None,
    };
    let (code, status) = by_reason.unwrap_or(match error.kind() {
        Kind::NotFound => ("NoSuchEntity", 404),
        Kind::Denied => ("AccessDenied", 403),
        Kind::Exists | Kind::Busy | Kind::Precondition => ("ConcurrentModification", 409),
        Kind::Invalid | Kind::TooLarge => ("ValidationError", 400),
        Kind::Unavailable => ("ServiceUnavailable", 503),
        Kind::Corrupt | Kind::Internal => ("ServiceFailure", 500),
    });
    (
        code,
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    )
}

fn respond(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    // Answers hold secrets.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
