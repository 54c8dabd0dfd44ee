//! The S3 door. [`S3Door::handle`] is the whole way of a request:
//!
//! ```text
//! identify ──▶ verified body ──▶ plain request ──▶ s3s (routing, typed input) ──▶ handler
//!                                                        handler: input ──▶ Ask ──▶ permit ──▶ objects
//! ```
//!
//! A form (`post`) says in its fields who sends it; once the gate has identified that, it goes on as a PUT.
//!
//! Invariants
//! - nothing of the request is looked at by `s3s` before the gate has identified the caller, and `s3s`
//!   never sees credentials or signatures;
//! - no handler reads a body other than the verified one;
//! - a request that is refused leaves a denial in the ledger, whether or not it came as far as a permit.
//!
//! Deliberately absent: what objects mean (the engine), who may do what (the gate).

use std::sync::Arc;

use craton_base::Error;
use craton_gate::{Gate, Origin, identify::body::VerifiedBody};
use craton_objects::error::Details;
use http::{Method, Request, request::Parts};
use http_body::Body as _;
use s3s::{
    Body,
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};

use crate::{
    http::Response,
    whole::{Room, Rooms},
};

mod answer;
mod call;
mod convert;
mod cross_origin;
mod direct;
mod download;
mod form;
mod handlers;
mod listen;
mod ops;
mod plain;
mod post;
mod routes;
mod subject;

use answer::ErrorXml;
use call::{Call, Watched};
use cross_origin::Page;
use post::{Posted, Shared};
pub use routes::{ROUTES, Route};
use subject::Subject;

/// The largest XML body, in bytes: a multi-delete of 1,000 keys of 1,024 bytes, escaped, with room.
pub const XML_BYTES_MAX: usize = 2 << 20;

/// The tags of the bucket that a permit's path lies in, if its session may read them.
pub(crate) fn tags_of_bucket(
    permit: &craton_gate::Permit,
) -> craton_base::Result<Option<Vec<(String, String)>>> {
    ops::configuration::tagging::of_bucket(permit)
}

/// What an administrator sets for this door.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Domains under which buckets are host names: `s3.example.org` makes `bucket.s3.example.org` a bucket.
    pub domains: Vec<String>,
}

/// The S3 door. Cheap to clone.
#[derive(Clone)]
pub struct S3Door {
    gate: Gate,
    service: S3Service,
    domains: Arc<[String]>,
    rooms: Rooms,
}

/// A request that `s3s` may see.
struct Ready {
    request: Request<Body>,
    room: Option<Room>,
    /// How the success of a form is answered.
    form: Option<post::Answer>,
}

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) operation: &'static str,
}

impl S3Door {
    /// A door to what `gate` guards.
    #[must_use]
    pub(crate) fn new(gate: Gate, settings: &Settings, rooms: Rooms) -> Self {
        let mut config = S3Config::default();
        config.xml_max_body_size = XML_BYTES_MAX;
        let mut builder = S3ServiceBuilder::new(handlers::Handlers);
        builder.set_route(ops::configuration::encryption::Encryption);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        let domains = settings.domains.iter().map(|d| d.to_ascii_lowercase()).collect();
        Self {
            gate,
            service: builder.build(),
            domains,
            rooms,
        }
    }

    /// Answers a request, of a page in a browser too.
    pub(crate) async fn handle(&self, request: Request<Body>, origin: Origin) -> Answered {
        let (parts, body) = request.into_parts();
        let page = Page::of(&parts, &self.domains);
        if parts.method == Method::OPTIONS {
            return self.preflight(&parts, &origin);
        }
        let mut answered = self.serve(parts, body, origin).await;
        if let Some(page) = page {
            page.answer(&self.gate, &mut answered.response);
        }
        answered
    }

    fn preflight(&self, parts: &Parts, origin: &Origin) -> Answered {
        let xml = ErrorXml {
            path: parts.uri.path(),
            request_id: &origin.request_id,
            subject: &Subject::default(),
        };
        let response = cross_origin::preflight(parts, &self.domains, &self.gate, origin);
        Answered {
            response: response.unwrap_or_else(|error| answer::refusal(&error, &xml, false)),
            operation: cross_origin::OPERATION,
        }
    }

    async fn serve(&self, parts: Parts, body: Body, origin: Origin) -> Answered {
        let address = parts.uri.clone();
        let path = address.path();
        let head = parts.method == Method::HEAD;
        let request_id = origin.request_id.clone();
        let unread = Subject::default();
        let mut xml = ErrorXml {
            path,
            request_id: &request_id,
            subject: &unread,
        };

        let admitted = match self.gate.identify(&parts, origin) {
            Ok(admitted) => admitted,
            Err(error) => {
                return Answered {
                    response: answer::refusal_telling(&error, &self.unidentified(&error), &xml, head),
                    operation: "Refused",
                };
            }
        };
        let decoded_len = admitted.payload.decoded_length();
        let trailer_names = admitted.payload.trailers().to_vec();
        let body = VerifiedBody::new(body, admitted.payload);
        let call = Call::new(
            self.gate.clone(),
            admitted.session,
            body.trailers(),
            trailer_names,
        );
        let plain = plain::request(parts, decoded_len, &self.domains);
        let subject = plain.as_ref().map(Subject::of).unwrap_or_default();
        xml.subject = &subject;
        let refused = |error: &Error| answer::refusal(error, &xml, head);
        if let Some(answered) = streamed(plain.as_ref().ok(), &call).await {
            return without_s3s(answered, &call, path, &refused);
        }
        if let Some(parts) = plain
            .as_ref()
            .ok()
            .filter(|parts| direct::is_direct(parts, &body))
        {
            let body = Watched::new(body, call.clone());
            let answered = direct::get(parts, body, &call, &xml).await;
            return without_s3s(answered, &call, path, &refused);
        }
        self.through_s3s((plain, head), body, call, &xml).await
    }

    /// Answers a request by `s3s`: a plain one, and whether it is a HEAD.
    async fn through_s3s(
        &self,
        (plain, head): (Result<Parts, Error>, bool),
        body: VerifiedBody<Body>,
        mut call: Call,
        xml: &ErrorXml<'_>,
    ) -> Answered {
        let mut rest = None;
        let ready = match plain {
            Ok(parts) if post::is_form(&parts) => {
                let body = Shared::new(Watched::new(body, call.clone()));
                rest = Some(body.clone());
                let posted = post::prepare(&parts, body, &mut call, &self.rooms, xml.path).await;
                posted.map(Ready::of_form)
            }
            Ok(parts) => {
                self.with_body(parts, Watched::new(body, call.clone()), &call)
                    .await
            }
            Err(error) => Err(error),
        };
        let mut response = match ready {
            Ok(ready) => self.dispatch(ready, &call, xml, head).await,
            Err(error) => {
                call.note(&error);
                answer::refusal_telling(&error, &call.told(), xml, head)
            }
        };
        call.amended(&mut response);
        let response = match call.close(xml.path, response.status()) {
            Ok(()) => response,
            Err(error) => answer::refusal(&error, xml, head),
        };
        if let Some(rest) = rest.filter(|_| response.status().is_client_error()) {
            rest.drain().await;
        }
        Answered {
            response,
            operation: call.operation(),
        }
    }

    /// What is said besides of a request whose sender is not known: clients look for the region that they should
    /// have signed for.
    fn unidentified(&self, error: &Error) -> Details {
        match error.reason() {
            "AuthorizationHeaderMalformed" => vec![("Region", self.gate.settings().region.clone())],
            _ => Details::new(),
        }
    }

    /// Hands a prepared request to s3s, which calls its handler.
    async fn dispatch(&self, ready: Ready, call: &Call, xml: &ErrorXml<'_>, head: bool) -> Response {
        // The room is held until s3s has made its values of the body and the handler has used them.
        let Ready {
            request,
            form,
            room: _room,
        } = ready;
        match (self.service.call(request).await, form) {
            (Ok(response), Some(form)) if response.status().is_success() => form.of(response),
            (Ok(response), _) => answer::finish(response, &call.told(), xml, head),
            (Err(_), _) => answer::refusal(&Error::internal("a request could not be routed"), xml, head),
        }
    }

    /// Gives the request its body: streams are handed on, XML is read and compared first.
    async fn with_body(&self, parts: Parts, body: Watched, call: &Call) -> Result<Ready, Error> {
        plain::check_method(&parts)?;
        plain::check_part(&parts)?;
        plain::check_copy_source(&parts, call)?;
        plain::check_numbers(&parts, call)?;
        plain::check_attributes(&parts)?;
        let (body, room) = if plain::is_stream(&parts) {
            plain::require_length(&parts)?;
            (Body::http_body_unsync(body), None)
        } else {
            let size = body.size_hint();
            let reading = plain::collect(&parts, body, call);
            let read = self.rooms.read(call.session(), &size, XML_BYTES_MAX, reading);
            let (body, room) = read.await?;
            (body, Some(room))
        };
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(call.clone());
        Ok(Ready {
            request,
            room,
            form: None,
        })
    }
}

/// The answers that are streams of our own: who listens to events, and a prefix as one archive.
async fn streamed(parts: Option<&Parts>, call: &Call) -> Option<Result<Response, Error>> {
    let parts = parts?;
    if listen::is_listening(parts) {
        return Some(listen::answer(parts, call).await);
    }
    if download::is_download(parts) {
        return Some(download::answer(parts, call).await);
    }
    None
}

/// The answer to a request that `s3s` does not see.
fn without_s3s(
    answered: Result<Response, Error>,
    call: &Call,
    path: &str,
    refused: &impl Fn(&Error) -> Response,
) -> Answered {
    let response = answered.unwrap_or_else(|e| refused(&e));
    let response = match call.close(path, response.status()) {
        Ok(()) => response,
        Err(error) => refused(&error),
    };
    Answered {
        response,
        operation: call.operation(),
    }
}

impl Ready {
    fn of_form(posted: Posted) -> Self {
        Self {
            request: posted.request,
            room: None,
            form: Some(posted.answer),
        }
    }
}

#[cfg(test)]
mod tests;
