//! Routes of the doors that have paths of their own, and finding the one that a request is for.
//!
//! A path's `{…}` parts match one segment each, which is not empty, percent-decoded.
//!
//! Deliberately absent: what a route does; S3 and the query APIs, whose operations are not told by path.

use craton_base::{Error, Kind, Result};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str};

/// What is not encoded in a segment of a path.
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One route to an operation of a door.
#[derive(Clone, Copy, Debug)]
pub struct Route<Operation> {
    /// The method.
    pub method: &'static str,
    /// The path, with `{name}` for a part that varies.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// The action that must be allowed; of several, the one that names what is done.
    pub action: &'static str,
}

/// What varied in a path, in order: the names with their braces, and the texts.
pub(crate) type Parts = Vec<(&'static str, String)>;

/// The route of a request to `door`.
///
/// # Errors
/// `NotFound`, `NoSuchRoute`; `Invalid`, `MethodNotAllowed`; `Invalid` for a part that is not UTF-8.
pub(crate) fn find<Operation>(
    routes: &'static [Route<Operation>],
    method: &Method,
    path: &str,
    door: &str,
) -> Result<(&'static Route<Operation>, Parts)> {
    let mut known = false;
    for route in routes {
        let Some(parts) = matched(route.path, path) else {
            continue;
        };
        known = true;
        if method.as_str() == route.method {
            let decoded = parts.into_iter().map(|(name, text)| Ok((name, decoded(text)?)));
            return Ok((route, decoded.collect::<Result<_>>()?));
        }
    }
    Err(match known {
        true => Error::new(
            Kind::Invalid,
            "MethodNotAllowed",
            "the method is not for this path",
        ),
        false => Error::new(
            Kind::NotFound,
            "NoSuchRoute",
            format!("there is nothing at this path of the {door}"),
        ),
    })
}

/// The varying parts of `path`, if it has the form of `pattern`.
fn matched<'a>(pattern: &'static str, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (mut expected, mut given) = (pattern.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(parts),
            (Some(e), Some(g)) if e.starts_with('{') && !g.is_empty() => parts.push((e, g)),
            (Some(e), Some(g)) if e == g => {}
            _ => return None,
        }
    }
}

fn decoded(part: &str) -> Result<String> {
    let text = percent_decode_str(part).decode_utf8();
    Ok(text
        .map_err(|e| Error::invalid("a part of the path is not UTF-8").with_source(e))?
        .into_owned())
}
