//! What a request claims about its signature, read from the `Authorization` header or from the
//! query, before anything is checked against a secret.

use std::time::Duration;

use craton_base::{Error, Result};
use http::{
    HeaderName,
    header::{AUTHORIZATION, DATE},
    request::Parts,
};

use super::{
    canonical::{Query, SignedHeaders, one_header},
    chain::parse_signature,
    encoding::{self, Part},
    refuse,
    scope::{AmzDate, Scope},
};

/// The longest `Authorization` header, in bytes.
pub const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// The longest session token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The longest that a presigned address may live, in seconds: a week.
pub const EXPIRES_SECONDS_MAX: u64 = 604_800;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The parameters of a presigned address.
pub(super) const QUERY_AUTH: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Where a request carries its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In the `Authorization` header.
    Header,
    /// In the query, good for this long after its date.
    Presigned {
        /// As the signer chose it.
        expires: Duration,
    },
    /// In the fields of a form with a signed policy.
    Form,
}

/// The parts of a signature as the request carries them. Nothing in here is verified.
pub(super) struct Claim {
    pub(super) access_key_id: String,
    pub(super) scope: Scope,
    pub(super) signed: SignedHeaders,
    pub(super) signature: [u8; 32],
    pub(super) date: AmzDate,
    pub(super) token: Option<String>,
    pub(super) how: How,
}

/// Reads the claim; `None` if the request carries no credentials at all.
///
/// # Errors
/// Whatever is not exactly one well-formed signature of version 4.
pub(super) fn read(parts: &Parts, query: &Query<'_>) -> Result<Option<Claim>> {
    let in_header = parts.headers.contains_key(AUTHORIZATION);
    let version_2 = query.names().any(|n| matches!(n, "AWSAccessKeyId" | "Signature"));
    let in_query = version_2
        || query
            .names()
            .any(|n| QUERY_AUTH.iter().any(|q| q.eq_ignore_ascii_case(n)));
    match (in_header, in_query) {
        (true, true) => Err(refuse::invalid(
            "InvalidArgument",
            "only one way to authenticate is allowed: the request has an Authorization header and \
             credentials in its query",
        )),
        (_, true) if version_2 => Err(version_2_refused()),
        (false, true) => from_query(parts, query).map(Some),
        (true, false) => from_header(parts).map(Some),
        (false, false) => Ok(None),
    }
}

fn version_2_refused() -> Error {
    refuse::invalid(
        "InvalidRequest",
        "signature version 2 is not supported; set the client to AWS4-HMAC-SHA256 (s3v4)",
    )
}

fn version_4a_refused() -> Error {
    refuse::invalid(
        "NotImplemented",
        "signature version 4A (ECDSA) is not supported; use AWS4-HMAC-SHA256",
    )
}

fn from_header(parts: &Parts) -> Result<Claim> {
    let text = one_header(&parts.headers, &AUTHORIZATION)
        .ok()
        .flatten()
        .filter(|t| t.len() <= AUTHORIZATION_BYTES_MAX)
        .ok_or_else(|| {
            refuse::invalid(
                "InvalidArgument",
                "the request must have one readable Authorization header",
            )
        })?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    match scheme {
        ALGORITHM => {}
        "AWS" => return Err(version_2_refused()),
        "AWS4-ECDSA-P256-SHA256" => return Err(version_4a_refused()),
        _ => {
            return Err(refuse::invalid(
                "InvalidArgument",
                "unsupported type of the Authorization header",
            ));
        }
    }
    let [credential, signed, signature] = header_fields(rest)?;
    let (access_key_id, scope) = credential_scope(credential, malformed)?;
    Ok(Claim {
        access_key_id,
        scope,
        signed: SignedHeaders::parse(signed)
            .ok_or_else(|| malformed("SignedHeaders must be lower-case header names in order"))?,
        signature: parse_signature(signature)
            .ok_or_else(|| malformed("the Signature must be 64 lower-case hex digits"))?,
        date: header_date(parts)?,
        token: header_token(parts)?,
        how: How::Header,
    })
}

fn malformed(message: &'static str) -> Error {
    refuse::invalid(
        "AuthorizationHeaderMalformed",
        format!("the authorization header is malformed: {message}"),
    )
}

fn query_malformed(message: &'static str) -> Error {
    refuse::invalid("AuthorizationQueryParametersError", message)
}

/// `Credential`, `SignedHeaders` and `Signature`, each exactly once, in any order.
fn header_fields(rest: &str) -> Result<[&str; 3]> {
    let mut out = [None; 3];
    for field in rest.split(',') {
        let (name, value) = field
            .trim()
            .split_once('=')
            .ok_or_else(|| malformed("a field has no '='"))?;
        let [credential, signed, signature] = &mut out;
        let slot = match name {
            "Credential" => credential,
            "SignedHeaders" => signed,
            "Signature" => signature,
            _ => return Err(malformed("it has an unknown field")),
        };
        if slot.replace(value).is_some() {
            return Err(malformed("a field occurs twice"));
        }
    }
    match out {
        [Some(credential), Some(signed), Some(signature)] => Ok([credential, signed, signature]),
        _ => Err(malformed("it needs Credential, SignedHeaders and Signature")),
    }
}

/// Takes `<key id>/<date>/<region>/<service>/aws4_request` apart.
pub(super) fn credential_scope(text: &str, bad: fn(&'static str) -> Error) -> Result<(String, Scope)> {
    let wrong = || bad("the Credential must be <access key>/<YYYYMMDD>/<region>/<service>/aws4_request");
    let mut parts = text.split('/');
    let mut next = || parts.next().filter(|p| !p.is_empty()).ok_or_else(wrong);
    let (id, date, region, service, end) = (next()?, next()?, next()?, next()?, next()?);
    if parts.next().is_some() || end != "aws4_request" {
        return Err(wrong());
    }
    check_access_key_id(id)?;
    let scope = Scope {
        date: date.into(),
        region: region.into(),
        service: service.into(),
    };
    Ok((id.to_owned(), scope))
}

/// An access key's id: 16 to 128 letters, digits and `_`, case matters.
fn check_access_key_id(id: &str) -> Result<()> {
    let known = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if (16..=128).contains(&id.len()) && known {
        return Ok(());
    }
    Err(refuse::denied(
        "InvalidAccessKeyId",
        "an access key id has 16 to 128 letters, digits and '_'",
    ))
}

fn header_date(parts: &Parts) -> Result<AmzDate> {
    let bad = || {
        let message = "the request needs one valid x-amz-date (YYYYMMDDTHHMMSSZ) or Date header";
        refuse::denied("AccessDenied", message)
    };
    match one_header(&parts.headers, &AMZ_DATE).map_err(|()| bad())? {
        Some(text) => AmzDate::parse(text).ok_or_else(bad),
        None => {
            let text = one_header(&parts.headers, &DATE)
                .map_err(|()| bad())?
                .ok_or_else(bad)?;
            AmzDate::parse_http(text).ok_or_else(bad)
        }
    }
}

fn header_token(parts: &Parts) -> Result<Option<String>> {
    let token = one_header(&parts.headers, &TOKEN).map_err(|()| bad_token())?;
    match token {
        Some(t) if t.is_empty() || t.len() > TOKEN_BYTES_MAX => Err(bad_token()),
        other => Ok(other.map(str::to_owned)),
    }
}

pub(super) fn bad_token() -> Error {
    refuse::invalid("InvalidToken", "the security token is malformed or not known")
}

fn from_query(parts: &Parts, query: &Query<'_>) -> Result<Claim> {
    let [algorithm, credential, date, expires, signed, signature, token] =
        QUERY_AUTH.map(|name| query_parameter(query, name));
    let missing = || {
        query_malformed(
            "query-string authentication needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
             X-Amz-Date, X-Amz-SignedHeaders and X-Amz-Expires, each once and in this spelling",
        )
    };
    match algorithm?.ok_or_else(missing)?.as_str() {
        ALGORITHM => {}
        "AWS4-ECDSA-P256-SHA256" => return Err(version_4a_refused()),
        _ => return Err(query_malformed("X-Amz-Algorithm only supports AWS4-HMAC-SHA256")),
    }
    let (access_key_id, scope) = credential_scope(&credential?.ok_or_else(missing)?, query_malformed)?;
    let token = token?;
    if parts.headers.contains_key(TOKEN)
        || token
            .as_ref()
            .is_some_and(|t| t.is_empty() || t.len() > TOKEN_BYTES_MAX)
    {
        return Err(bad_token());
    }
    let expires = expires_seconds(&expires?.ok_or_else(missing)?)?;
    Ok(Claim {
        access_key_id,
        scope,
        signed: SignedHeaders::parse(&signed?.ok_or_else(missing)?)
            .ok_or_else(|| query_malformed("X-Amz-SignedHeaders must be lower-case header names in order"))?,
        signature: parse_signature(&signature?.ok_or_else(missing)?)
            .ok_or_else(|| query_malformed("X-Amz-Signature must be 64 lower-case hex digits"))?,
        date: AmzDate::parse(&date?.ok_or_else(missing)?)
            .ok_or_else(|| query_malformed("X-Amz-Date must be YYYYMMDDTHHMMSSZ"))?,
        token,
        how: How::Presigned {
            expires: Duration::from_secs(expires),
        },
    })
}

/// The decoded value of a parameter that may occur once.
pub(super) fn query_parameter(query: &Query<'_>, name: &str) -> Result<Option<String>> {
    let mut values = query.values(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => String::from_utf8(encoding::decode(value, Part::Query)?)
            .map(Some)
            .map_err(|_| query_malformed("a parameter of the signature is not text")),
        (Some(_), Some(_)) => Err(query_malformed("a parameter of the signature occurs twice")),
    }
}

fn expires_seconds(text: &str) -> Result<u64> {
    if text.starts_with('-') {
        return Err(query_malformed("X-Amz-Expires must not be negative"));
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(query_malformed("X-Amz-Expires must be a number"));
    }
    match text.parse::<u64>() {
        Ok(0) => Err(query_malformed("X-Amz-Expires must be at least 1 second")),
        Ok(n) if n <= EXPIRES_SECONDS_MAX => Ok(n),
        Ok(_) | Err(_) => Err(query_malformed(
            "X-Amz-Expires must be at most a week (604800 seconds)",
        )),
    }
}
