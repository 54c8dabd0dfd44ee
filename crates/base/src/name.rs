//! Validated names. Each type's constructor is the only validator of that name in the product:
//! the bytes that were authorised are the bytes that are stored.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{Error, Kind, Result};

macro_rules! string_name {
    ($name:ident, $check:path) => {
        impl $name {
            /// Validates `s`.
            ///
            /// # Errors
            /// [`Kind::Invalid`] or [`Kind::TooLarge`], naming what is wrong.
            pub fn new(s: &str) -> Result<Self> {
                $check(s)?;
                Ok(Self(s.into()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self> {
                Self::new(s)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

/// A bucket's name by the S3 rules: 3–63 of `a-z 0-9 . -`, no `..`, begins and ends with a letter
/// or digit, not an IPv4 address, none of the reserved prefixes and suffixes. So it never begins
/// with `_` and never is `system`: those names are the other doors'.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

/// An object's key: 1–1,024 bytes of UTF-8 without NUL, in which `..` never climbs above the bucket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

/// A user's name by the IAM rules: 1–64 of letters, digits and `+=,.@_-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalName(Arc<str>);

/// A graph's name within its bucket: 1–64 of letters, digits and `._-`, the first no punctuation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphName(Arc<str>);

string_name!(BucketName, check_bucket);
string_name!(ObjectKey, check_key);
string_name!(PrincipalName, check_principal);
string_name!(GraphName, check_graph);

/// The longest object key, in bytes.
pub const OBJECT_KEY_BYTES_MAX: usize = 1024;

fn check_bucket(s: &str) -> Result<()> {
    let bad = |why: &'static str| {
        Err(Error::new(
            Kind::Invalid,
            "InvalidBucketName",
            format!("the bucket name {s:?} is not valid: {why}"),
        ))
    };
    if s.len() < 3 || s.len() > 63 {
        return Err(Error::new(
            Kind::Invalid,
            "InvalidBucketName",
            "a bucket name has 3 to 63 characters",
        ));
    }
    if !s
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
    {
        return bad("only lower-case letters, digits, '.' and '-' are allowed");
    }
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    if !edge(s.bytes().next()) || !edge(s.bytes().last()) {
        return bad("it must begin and end with a letter or digit");
    }
    if ["..", ".-", "-."].iter().any(|pair| s.contains(pair)) {
        return bad("it must not contain '..', '.-' or '-.'");
    }
    if s.parse::<std::net::Ipv4Addr>().is_ok() {
        return bad("it must not be an IP address");
    }
    if s == "system"
        || ["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|p| s.starts_with(p))
    {
        return bad("it is reserved");
    }
    if ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
        .iter()
        .any(|p| s.ends_with(p))
    {
        return bad("its ending is reserved");
    }
    Ok(())
}

fn check_key(s: &str) -> Result<()> {
    if s.is_empty() {
        return Err(Error::invalid("an object key has at least one byte"));
    }
    if s.len() > OBJECT_KEY_BYTES_MAX {
        return Err(Error::new(
            Kind::Invalid,
            "KeyTooLongError",
            format!(
                "an object key has at most {OBJECT_KEY_BYTES_MAX} bytes; this one has {}",
                s.len()
            ),
        ));
    }
    if s.contains('\0') {
        return Err(Error::invalid("an object key must not contain NUL"));
    }
    let mut depth = 0i32;
    for part in s.split('/') {
        depth += match part {
            ".." => -1,
            "" | "." => 0,
            _ => 1,
        };
        if depth < 0 {
            return Err(Error::invalid(
                "an object key must not climb above its bucket with '..'",
            ));
        }
    }
    Ok(())
}

fn check_graph(s: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let begins_well = s.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if s.len() > 64 || !begins_well || !s.bytes().all(allowed) {
        return Err(Error::new(
            Kind::Invalid,
            "InvalidGraphName",
            "a graph's name has 1 to 64 letters, digits or any of . _ -, and begins with a letter or digit",
        ));
    }
    Ok(())
}

fn check_principal(s: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    if s.is_empty() || s.len() > 64 || !s.bytes().all(allowed) {
        return Err(Error::invalid(
            "a user name has 1 to 64 letters, digits or any of + = , . @ _ -",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
