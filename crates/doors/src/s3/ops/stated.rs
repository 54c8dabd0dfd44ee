//! What a write says about an object besides its bytes: the one place where headers become what is kept, for
//! puts, forms, copies and uploads in parts alike; and the condition keys that policies see of them.
//!
//! Invariant: nothing of the request that would change what is stored is passed over silently.
//!
//! Deliberately absent: conditions (`If-…`), checksums, and who may say what.

use std::collections::BTreeMap;

use craton_gate::{Acl, Ask, Origin, WritePermit, tags::Tags};
use craton_objects::{
    encryption::Wanted,
    lock::LockRequest,
    meta::{Attributes, Headers},
    tagging,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Request, S3Result, s3_error};

use super::{
    configuration::acl::{self, Stated as List},
    lock, sse,
};
use crate::s3::answer::fail;

/// `Expires`, as the client wrote it: what `s3s` would refuse if it is no date, while S3 keeps any text.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Expires(String);

/// User metadata begins so.
const USER: &str = "x-amz-meta-";

/// The condition key of each header that policies may ask about.
const FACTS: [(&str, &str); 19] = [
    ("x-amz-acl", "s3:x-amz-acl"),
    ("x-amz-copy-source", "s3:x-amz-copy-source"),
    ("x-amz-grant-full-control", "s3:x-amz-grant-full-control"),
    ("x-amz-grant-read", "s3:x-amz-grant-read"),
    ("x-amz-grant-read-acp", "s3:x-amz-grant-read-acp"),
    ("x-amz-grant-write", "s3:x-amz-grant-write"),
    ("x-amz-grant-write-acp", "s3:x-amz-grant-write-acp"),
    ("x-amz-metadata-directive", "s3:x-amz-metadata-directive"),
    ("x-amz-object-lock-legal-hold", "s3:object-lock-legal-hold"),
    ("x-amz-object-lock-mode", "s3:object-lock-mode"),
    (
        "x-amz-object-lock-retain-until-date",
        "s3:object-lock-retain-until-date",
    ),
    ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
    (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    ),
    (
        "x-amz-server-side-encryption-customer-algorithm",
        "s3:x-amz-server-side-encryption-customer-algorithm",
    ),
    ("x-amz-storage-class", "s3:x-amz-storage-class"),
    ("x-amz-tagging-directive", "s3:x-amz-tagging-directive"),
    (
        "x-amz-website-redirect-location",
        "s3:x-amz-website-redirect-location",
    ),
    ("if-match", "s3:if-match"),
    ("if-none-match", "s3:if-none-match"),
];

/// What a write says about its object.
pub(super) struct Stated {
    pub(super) attributes: Attributes,
    /// `x-amz-tagging`, if it is there.
    pub(super) tags: Option<Tags>,
    /// What encryption it asks for, if any.
    pub(super) encryption: Option<Wanted>,
    /// What lock it asks for, if any.
    pub(super) lock: LockRequest,
    /// The access control list.
    list: List,
}

impl Stated {
    /// Reads the headers of a write.
    pub(super) fn of<T>(request: &S3Request<T>, origin: &Origin) -> S3Result<Self> {
        let headers = &request.headers;
        let tags = text(headers, "x-amz-tagging")?;
        Ok(Self {
            attributes: attributes(headers, request.extensions.get::<Expires>())?,
            tags: tags.map(tagging::parse_header).transpose().map_err(fail)?,
            encryption: sse::wanted(headers, origin)?,
            lock: lock::request(headers)?,
            list: List::of_headers(headers)?,
        })
    }
}

impl Stated {
    /// The encryption that it gets: what it asks for, else the bucket's default.
    pub(super) fn encryption(&self, permit: &WritePermit) -> S3Result<Wanted> {
        sse::decided(self.encryption.clone(), permit)
    }

    /// The access control list that it gets, where that is not its owner's alone.
    pub(super) fn acl(&self, permit: &WritePermit) -> S3Result<Option<Acl>> {
        acl::of_new_object(&self.list, permit)
    }
}

/// Takes off what `s3s` would misread, before it sees the request.
pub(in crate::s3) fn set_aside(headers: &mut HeaderMap, extensions: &mut http::Extensions) {
    let expires = headers
        .remove(header::EXPIRES)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    if let Some(expires) = expires.filter(|e| !e.is_empty()) {
        extensions.insert(Expires(expires));
    }
    join_user_metadata(headers);
}

/// Several headers of one name say one value, with commas between, as in HTTP.
fn join_user_metadata(headers: &mut HeaderMap) {
    let several = |name: &&HeaderName| {
        name.as_str().starts_with(USER) && headers.get_all(*name).iter().nth(1).is_some()
    };
    let names: Vec<HeaderName> = headers.keys().filter(several).cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
            headers.insert(name, joined);
        }
    }
}

/// The condition keys of a write's headers.
pub(super) fn with_facts(mut ask: Ask, headers: &HeaderMap) -> Ask {
    for (name, key) in FACTS {
        if let Ok(Some(value)) = text(headers, name) {
            ask = ask.with(key, value);
        }
    }
    if List::of_headers(headers).is_ok_and(|list| !list.is_owners()) {
        ask = ask.and_action("s3:PutObjectAcl");
    }
    // What does not parse is refused once the request is allowed.
    let tags = text(headers, "x-amz-tagging").ok().flatten();
    match tags.map(tagging::parse_header) {
        None => ask,
        // Whoever puts with tags needs the right to tag, too.
        Some(Ok(tags)) if !tags.is_empty() => ask.with_tags(&tags).and_action("s3:PutObjectTagging"),
        Some(_) => ask,
    }
}

/// A header's text; absent if it is empty.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> S3Result<Option<&'a str>> {
    let Some(value) = headers.get(name).filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    std::str::from_utf8(value.as_bytes())
        .map(Some)
        .map_err(|_| s3_error!(InvalidArgument, "The header {name} is not readable."))
}

fn attributes(headers: &HeaderMap, expires: Option<&Expires>) -> S3Result<Attributes> {
    let own = |name: &str| text(headers, name).map(|t| t.map(ToOwned::to_owned));
    Ok(Attributes {
        headers: Headers {
            content_type: own("content-type")?,
            content_encoding: own("content-encoding")?,
            content_disposition: own("content-disposition")?,
            content_language: own("content-language")?,
            cache_control: own("cache-control")?,
            expires: expires.map(|e| e.0.clone()),
            website_redirect: own("x-amz-website-redirect-location")?,
            ..Headers::default()
        },
        user: user_metadata(headers)?,
        storage_class: own("x-amz-storage-class")?.unwrap_or_default(),
    })
}

fn user_metadata(headers: &HeaderMap) -> S3Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(USER).filter(|k| !k.is_empty()) else {
            continue;
        };
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| s3_error!(InvalidArgument, "The header {name} is not readable."))?;
        out.insert(key.to_owned(), value.to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
