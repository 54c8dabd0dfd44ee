//! What a browser may show to a page of another origin, by the bucket's cross-origin rules.
//!
//! A preflight carries no credentials and asks for nothing but this, so it is decided by the rules alone; it
//! is recorded like any other request. What it allows is decided again when the request itself comes.
//!
//! Invariant: a bucket that is not there and one without rules are answered alike.

use craton_base::{BucketName, Error, Kind as ErrorKind, ResourcePath, Result};

use crate::{
    configuration::CorsAnswer,
    directory::ANONYMOUS,
    gate::{Gate, origin_record},
    ledger::{RecordKind, Verdict},
    session::Origin,
};

/// What a page wants to do.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<'a> {
    /// The page's origin, as the browser states it.
    pub page: &'a str,
    /// The method.
    pub method: &'a str,
    /// The headers that it wants to send.
    pub headers: &'a [&'a str],
}

/// The operation's name in records.
const OPERATION: &str = "PreflightRequest";

impl Gate {
    /// What a browser is told about the answer to a request; nothing where no rule fits.
    #[must_use]
    pub fn cross_origin(&self, bucket: &BucketName, request: PageRequest<'_>) -> Option<CorsAnswer> {
        // A bucket that can not be read now answers its own error, and pages do not see it.
        let state = self.inner.bucket(bucket).ok()??;
        let cors = state.access.cors()?;
        cors.answer(request.page, request.method, request.headers)
    }

    /// Answers the question that a browser asks before a page's request.
    ///
    /// # Errors
    /// `AccessForbidden`; `Unavailable` if it can not be recorded.
    pub fn preflight(
        &self,
        origin: &Origin,
        bucket: &BucketName,
        request: PageRequest<'_>,
    ) -> Result<CorsAnswer> {
        let state = self.inner.bucket(bucket)?;
        let cors = state.as_ref().and_then(|s| s.access.cors());
        let answer = cors.and_then(|cors| cors.answer(request.page, request.method, request.headers));
        let mut record = origin_record(origin);
        record.principal = ANONYMOUS.to_owned();
        record.operation = OPERATION.to_owned();
        record.resource = ResourcePath::Bucket(bucket.clone()).to_string();
        record.bucket = bucket.to_string();
        if let Some(answer) = answer {
            record.kind = RecordKind::Decision.into();
            record.verdict = Verdict::Allow.into();
            self.inner.ledger.append_decision(&mut record)?;
            return Ok(answer);
        }
        let message = if cors.is_none() {
            "CORSResponse: CORS is not enabled for this bucket."
        } else {
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec."
        };
        record.kind = RecordKind::Denial.into();
        record.verdict = Verdict::ImplicitDeny.into();
        record.result = ErrorKind::Denied.as_str().to_owned();
        record.reason = "AccessForbidden".to_owned();
        self.inner.ledger.append_denial(&mut record)?;
        Err(Error::new(ErrorKind::Denied, "AccessForbidden", message))
    }
}
