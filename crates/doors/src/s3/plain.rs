//! From an authenticated request to a plain one: credentials and framing are taken off, the bucket goes
//! from the host name into the path, and XML bodies are read whole and compared with their digests.
//!
//! Invariant: the path and query that were signed are the ones that are served; only names of the
//! signature itself are removed.

use craton_base::{Error, Kind, Result};
use craton_gate::ACCOUNT;
use craton_objects::{
    body::{Claims, Stated, verify},
    checksum::Algorithm,
    range::ByteRange,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use s3s::Body;

use super::{
    XML_BYTES_MAX,
    call::{Call, Watched},
    ops::stated::set_aside,
};

/// Query parameters of a presigned URL, in lower case.
const SIGNATURE_PARAMETERS: [&str; 7] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-security-token",
];

/// Headers of the signature and of the body's framing.
const FRAMING_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-decoded-content-length"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-amz-trailer"),
];

/// Whose bucket a client thinks it is, and whose the source of a copy.
const OWNERS: [HeaderName; 2] = [
    HeaderName::from_static("x-amz-expected-bucket-owner"),
    HeaderName::from_static("x-amz-source-expected-bucket-owner"),
];

/// The source of a copy.
pub(super) const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");

/// Where an object is, as its client addressed it: host and path.
#[derive(Clone, Debug)]
pub(super) struct Address(pub(super) String);

/// Query parameters that are numbers.
const NUMBERS: [&str; 6] = [
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
];

fn invalid(reason: &'static str, message: &'static str) -> Error {
    Error::new(Kind::Invalid, reason, message)
}

/// Makes the head of the plain request. `decoded_len` is the body's length inside its chunks.
pub(super) fn request(mut parts: Parts, decoded_len: Option<u64>, domains: &[String]) -> Result<Parts> {
    let bucket = host(&parts)
        .and_then(|host| bucket_of_host(host, domains))
        .map(ToOwned::to_owned);
    if completes_upload(&parts) {
        let address = format!("{}{}", host(&parts).unwrap_or_default(), parts.uri.path());
        parts.extensions.insert(Address(address));
    }
    hoist(&mut parts)?;
    parts.uri = uri(&parts.uri, bucket.as_deref())?;
    for name in &FRAMING_HEADERS {
        parts.headers.remove(name);
    }
    if let Some(len) = decoded_len {
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
    remove_aws_chunked(&mut parts.headers)?;
    keep_single_range(&mut parts.headers);
    keep_dates(&mut parts.headers);
    set_aside(&mut parts.headers, &mut parts.extensions);
    check_owner(&parts.headers)?;
    Ok(parts)
}

/// All buckets are of one account: who expects another's, of the bucket or of a copy's source, is refused.
pub(super) fn check_owner(headers: &HeaderMap) -> Result<()> {
    let mut stated = OWNERS.into_iter().flat_map(|name| headers.get_all(name));
    if stated.all(|v| v.as_bytes() == ACCOUNT.as_bytes()) {
        return Ok(());
    }
    Err(Error::new(Kind::Denied, "AccessDenied", "Access Denied"))
}

pub(super) fn host(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
}

/// The bucket that a host name under one of our domains names.
pub(super) fn bucket_of_host<'a>(host: &'a str, domains: &[String]) -> Option<&'a str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    domains.iter().find_map(|domain| {
        let at = name.len().checked_sub(domain.len())?;
        let (front, back) = name.split_at_checked(at)?;
        if !back.eq_ignore_ascii_case(domain) {
            return None;
        }
        front.strip_suffix('.').filter(|bucket| !bucket.is_empty())
    })
}

fn uri(uri: &Uri, bucket: Option<&str>) -> Result<Uri> {
    if uri.query().is_none() && uri.authority().is_none() && bucket.is_none() {
        return Ok(uri.clone());
    }
    let query: String = uri.query().map(without_signature).unwrap_or_default();
    let path = uri.path();
    let mut out = String::with_capacity(path.len() + query.len() + 66);
    if let Some(bucket) = bucket {
        out.push('/');
        out.push_str(&bucket.to_ascii_lowercase());
    }
    out.push_str(path);
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    out.parse()
        .map_err(|_| invalid("InvalidURI", "Couldn't parse the specified URI."))
}

fn without_signature(query: &str) -> String {
    let keep = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        !SIGNATURE_PARAMETERS.iter().any(|p| name.eq_ignore_ascii_case(p))
    };
    query.split('&').filter(keep).collect::<Vec<_>>().join("&")
}

/// A presigned URL may carry `x-amz-…` headers as parameters: they are signed like headers and mean the
/// same. A header of the same name would be a second opinion, so that is refused.
fn hoist(parts: &mut Parts) -> Result<()> {
    let Some(query) = parts.uri.query() else {
        return Ok(());
    };
    if !query.to_ascii_lowercase().contains("x-amz-signature=") {
        return Ok(());
    }
    let bad = || {
        invalid(
            "InvalidRequest",
            "A query parameter that stands for a header is not valid.",
        )
    };
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-") || SIGNATURE_PARAMETERS.contains(&name.as_str()) {
            continue;
        }
        if FRAMING_HEADERS.iter().any(|framing| *framing == *name) || name == "x-amz-sdk-checksum-algorithm" {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        if parts.headers.contains_key(&name) {
            return Err(invalid(
                "InvalidRequest",
                "A header stands in the query and among the headers.",
            ));
        }
        let value = percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| bad())?;
        parts
            .headers
            .insert(name, HeaderValue::from_str(&value).map_err(|_| bad())?);
    }
    Ok(())
}

/// `aws-chunked` names the framing of the request, not the object's encoding.
fn remove_aws_chunked(headers: &mut HeaderMap) -> Result<()> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(());
    };
    let value = value
        .to_str()
        .map_err(|_| invalid("InvalidArgument", "Content-Encoding is not readable."))?;
    let kept: Vec<_> = value
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty() && !e.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    let kept = kept.join(",");
    if kept.is_empty() {
        headers.remove(header::CONTENT_ENCODING);
    } else if let Ok(value) = HeaderValue::from_str(&kept) {
        headers.insert(header::CONTENT_ENCODING, value);
    }
    Ok(())
}

/// What is not one range of bytes asks for the whole object.
fn keep_single_range(headers: &mut HeaderMap) {
    let range = headers
        .get(header::RANGE)
        .map(|v| v.to_str().ok().and_then(ByteRange::parse));
    match range {
        Some(Some(range)) => {
            if let Ok(value) = HeaderValue::from_str(&range.to_header()) {
                headers.insert(header::RANGE, value);
            }
        }
        Some(None) => drop(headers.remove(header::RANGE)),
        None => {}
    }
}

/// A condition on a time that is no HTTP date is none (RFC 9110, sections 13.1.3 and 13.1.4).
fn keep_dates(headers: &mut HeaderMap) {
    for name in [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
        let date = headers.get(&name).map(|value| {
            let text = value.to_str().unwrap_or_default();
            s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, text)
        });
        if date.is_some_and(|date| date.is_err()) {
            headers.remove(name);
        }
    }
}

/// Whether the body is an object's or a part's: a PUT of a key that names no sub-resource.
pub(super) fn is_stream(parts: &Parts) -> bool {
    let has_key = parts
        .uri
        .path()
        .trim_start_matches('/')
        .split_once('/')
        .is_some_and(|(_, key)| !key.is_empty());
    let plain = |name: &str| {
        matches!(name, "" | "partNumber" | "uploadId" | "x-id")
            || name.to_ascii_lowercase().starts_with("x-amz-")
    };
    let query = parts.uri.query().unwrap_or_default();
    parts.method == Method::PUT
        && has_key
        && query
            .split('&')
            .all(|part| plain(part.split('=').next().unwrap_or_default()))
}

/// `partNumber` and `uploadId` go together: alone, a part would become an object.
pub(super) fn check_part(parts: &Parts) -> Result<()> {
    let query = parts.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    if parts.method == Method::PUT && has("partNumber") != has("uploadId") {
        let message = "A part needs both partNumber and uploadId.";
        return Err(invalid("InvalidArgument", message));
    }
    Ok(())
}

/// What S3 has no such method for: s3s says of it only that it is no operation.
pub(super) fn check_method(parts: &Parts) -> Result<()> {
    let about_all = parts.uri.path().trim_start_matches('/').is_empty();
    let asks = parts.uri.query().is_some_and(|query| !query.is_empty());
    let is_method = match parts.method {
        Method::GET => true,
        Method::HEAD | Method::PUT | Method::DELETE => !about_all,
        // A form is no such request any more.
        Method::POST => !about_all && asks,
        _ => false,
    };
    if is_method {
        return Ok(());
    }
    let message = "The specified method is not allowed against this resource.";
    Err(invalid("MethodNotAllowed", message))
}

/// The source of a copy is a bucket and a key.
pub(super) fn check_copy_source(parts: &Parts, call: &Call) -> Result<()> {
    let Some(value) = parts.headers.get(COPY_SOURCE) else {
        return Ok(());
    };
    let stated = String::from_utf8_lossy(value.as_bytes());
    let path = stated
        .split_once("?versionId=")
        .map_or(&*stated, |(path, _)| path);
    let source = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let named = source.strip_prefix('/').unwrap_or(&source).split_once('/');
    let message = match named {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => return Ok(()),
        Some((_, "")) => "Invalid copy source object key",
        _ => "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
    };
    call.tell(vec![
        ("ArgumentName", "x-amz-copy-source".to_owned()),
        ("ArgumentValue", stated.into_owned()),
    ]);
    Err(invalid("InvalidArgument", message))
}

/// Numbers in the query, which s3s refuses in other words than S3.
pub(super) fn check_numbers(parts: &Parts, call: &Call) -> Result<()> {
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    for (name, value) in pairs.filter_map(|part| part.split_once('=')) {
        if !NUMBERS.contains(&name) || value.parse::<i32>().is_ok() {
            continue;
        }
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        call.tell(vec![
            ("ArgumentName", name.to_owned()),
            ("ArgumentValue", value.into_owned()),
        ]);
        let message = match name {
            "partNumber" => "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
            name => format!("Provided {name} not an integer or within integer range"),
        };
        return Err(Error::new(Kind::Invalid, "InvalidArgument", message));
    }
    Ok(())
}

/// `GetObjectAttributes` names its attributes in a header, which s3s misses in other words than S3.
pub(super) fn check_attributes(parts: &Parts) -> Result<()> {
    let query = parts.uri.query().unwrap_or_default();
    let asks = query
        .split('&')
        .any(|part| matches!(part, "attributes" | "attributes="));
    let named = || {
        let value = parts.headers.get("x-amz-object-attributes");
        value.is_some_and(|v| !v.is_empty())
    };
    if parts.method != Method::GET || !asks || named() {
        return Ok(());
    }
    Err(invalid(
        "InvalidArgument",
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
    ))
}

/// An upload must say how long it is.
pub(super) fn require_length(parts: &Parts) -> Result<()> {
    let is_copy = parts.headers.contains_key(COPY_SOURCE);
    if is_copy || parts.headers.contains_key(header::CONTENT_LENGTH) {
        return Ok(());
    }
    Err(invalid(
        "MissingContentLength",
        "You must provide the Content-Length HTTP header.",
    ))
}

/// Reads a body that is not a stream, at most [`XML_BYTES_MAX`], and compares it with its digests.
pub(super) async fn collect(parts: &Parts, mut body: Watched, call: &Call) -> Result<Body> {
    let too_large = || {
        Error::new(
            Kind::TooLarge,
            "MaxMessageLengthExceeded",
            format!("The body has more than {XML_BYTES_MAX} bytes."),
        )
    };
    if body.size_hint().lower() > XML_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let mut data = bytes::BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if data.len().saturating_add(piece.len()) > XML_BYTES_MAX {
            return Err(too_large());
        }
        data.extend_from_slice(&piece);
    }
    if data.is_empty() && matches!(parts.method, Method::GET | Method::HEAD) {
        // What such a request says of a body says nothing.
        return Ok(Body::empty());
    }
    let claims = if completes_upload(parts) {
        // There the header states the whole object's checksum, not the body's.
        let md5 = md5(&parts.headers)?;
        Claims { md5, checksum: None }
    } else {
        claims(&parts.headers, call)?
    };
    if deletes_many(parts) && claims.md5.is_none() && claims.checksum.is_none() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(invalid("InvalidRequest", message));
    }
    verify(&data, &claims, Some(&call.trailers())).map_err(|e| e.to_base())?;
    Ok(Body::from(data.freeze()))
}

fn deletes_many(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let mut names = query.split('&').map(|part| part.split('=').next());
    parts.method == Method::POST && names.any(|name| name == Some("delete"))
}

fn completes_upload(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    parts.method == Method::POST && query.split('&').any(|part| part.starts_with("uploadId="))
}

/// What the request states about its body's bytes.
pub(super) fn claims(headers: &HeaderMap, call: &Call) -> Result<Claims> {
    claims_of(headers, call.trailer_names())
}

fn md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>> {
    let text = headers.get("content-md5").map(|v| v.to_str().unwrap_or_default());
    text.map(Claims::parse_md5).transpose().map_err(|e| e.to_base())
}

pub(super) fn claims_of(headers: &HeaderMap, trailers: &[HeaderName]) -> Result<Claims> {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or_default());
    let md5 = md5(headers)?;
    let mut checksum = None;
    for algorithm in Algorithm::ALL {
        let stated = match text(algorithm.header()) {
            Some(value) => Stated::Value(algorithm.parse(value).map_err(|e| e.to_base())?),
            None if trailers.iter().any(|t| t.as_str() == algorithm.header()) => Stated::Trailer,
            None => continue,
        };
        if checksum.replace((algorithm, stated)).is_some() {
            return Err(invalid(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
    }
    let named = text("x-amz-sdk-checksum-algorithm").map(|name| {
        Algorithm::from_name(name).ok_or_else(|| {
            invalid(
                "InvalidRequest",
                "The value specified in the x-amz-sdk-checksum-algorithm header is invalid.",
            )
        })
    });
    match (named.transpose()?, &checksum) {
        (Some(_), None) => Err(invalid(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
             were found.",
        )),
        (Some(named), Some((stated, _))) if named != *stated => Err(invalid(
            "InvalidRequest",
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )),
        _ => Ok(Claims { md5, checksum }),
    }
}
