//! What is known about a request besides its action and resource: the condition keys.
//!
//! Invariants: keys are compared without case; a key holds one value or a list (AWS's
//! single-valued and multivalued keys), and only one value can stand for a policy variable; a
//! list without values is the same as no key. Only the gate fills a context, never a request's
//! own headers by their own names.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    net::IpAddr,
};

use craton_base::{Error, Kind, Result, Timestamp};

/// The most keys in one context.
pub const CONTEXT_KEYS_MAX: usize = 512;
/// The most values of one key.
pub const CONTEXT_VALUES_MAX: usize = 1024;

thread_local! {
    /// Whether keys are watched: looked at first.
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static WATCHED: RefCell<Watched> = const { RefCell::new(Watched { keys: &[], absent: false, seen: false }) };
}

/// Which keys are watched for, and whether one was looked at.
struct Watched {
    keys: &'static [&'static str],
    /// Also every key that is absent.
    absent: bool,
    seen: bool,
}

/// Evaluates something, and says whether that looked at one of `keys` (in lower case; with `/` at the end, those that
/// begin so) or, if `absent`, at a key that is not there.
pub(crate) fn noting_unknown<T>(
    keys: &'static [&'static str],
    absent: bool,
    evaluate: impl FnOnce() -> T,
) -> (T, bool) {
    let watched = Watched {
        keys,
        absent,
        seen: false,
    };
    WATCHED.with(|w| w.replace(watched));
    WATCHING.set(true);
    let out = evaluate();
    WATCHING.set(false);
    (out, WATCHED.with(|w| w.borrow().seen))
}

fn note(key: &str, is_there: bool) {
    WATCHED.with(|watched| {
        let mut watched = watched.borrow_mut();
        let named = |k: &&str| *k == key || (k.ends_with('/') && key.starts_with(*k));
        watched.seen |= watched.keys.iter().any(named) || (watched.absent && !is_there);
    });
}

/// The condition keys of one request.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// As they were set. A request has some twenty, and a decision looks at few of them.
    values: Vec<(Cow<'static, str>, Values)>,
}

/// The value or values of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    One(String),
    Many(Vec<String>),
}

impl Values {
    /// The value of a single-valued key.
    pub(super) fn single(&self) -> Option<&String> {
        match self {
            Self::One(value) => Some(value),
            Self::Many(_) => None,
        }
    }

    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl Context {
    /// A context without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a single-valued key, for example `s3:prefix`.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] above [`CONTEXT_KEYS_MAX`] keys.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Result<()> {
        self.insert(key.into(), Values::One(value.into()))
    }

    /// Sets a multivalued key, for example `aws:TagKeys`, also when there is only one value.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] above [`CONTEXT_KEYS_MAX`] keys or [`CONTEXT_VALUES_MAX`] values.
    pub fn set_list(&mut self, key: impl Into<Cow<'static, str>>, values: Vec<String>) -> Result<()> {
        if values.len() > CONTEXT_VALUES_MAX {
            return Err(too_large("values of one condition key", CONTEXT_VALUES_MAX));
        }
        self.insert(key.into(), Values::Many(values))
    }

    fn insert(&mut self, key: Cow<'static, str>, values: Values) -> Result<()> {
        if let Some((_, set)) = self.values.iter_mut().find(|(set, _)| is_same(set, &key)) {
            *set = values;
            return Ok(());
        }
        if self.values.len() >= CONTEXT_KEYS_MAX {
            return Err(too_large("condition keys in a request", CONTEXT_KEYS_MAX));
        }
        self.values.push((key, values));
        Ok(())
    }

    /// Sets `aws:username`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_username(&mut self, name: &str) -> Result<()> {
        self.set("aws:username", name)
    }

    /// Sets `aws:PrincipalArn`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_principal_arn(&mut self, arn: &str) -> Result<()> {
        self.set("aws:PrincipalArn", arn)
    }

    /// Sets `aws:SourceIp`; an IPv4 address inside IPv6 is taken as the IPv4 address.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_source_ip(&mut self, address: IpAddr) -> Result<()> {
        self.set("aws:SourceIp", address.to_canonical().to_string())
    }

    /// Sets `aws:SecureTransport`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_secure_transport(&mut self, tls: bool) -> Result<()> {
        self.set("aws:SecureTransport", tls.to_string())
    }

    /// Sets `aws:CurrentTime` and `aws:EpochTime` from one instant, in whole seconds.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_time(&mut self, now: Timestamp) -> Result<()> {
        let seconds = super::value::epoch_seconds(now);
        self.set("aws:EpochTime", seconds.to_string())?;
        self.set("aws:CurrentTime", super::value::iso_8601(seconds))
    }

    /// The values of `key` (already in lower case); `None` if absent or without values.
    pub(super) fn get(&self, key: &str) -> Option<&Values> {
        let found = self.values.iter().find(|(set, _)| is_same(set, key));
        let found = found.map(|(_, v)| v).filter(|v| !v.as_slice().is_empty());
        if WATCHING.get() {
            note(key, found.is_some());
        }
        found
    }

    /// The text that stands for the variable `key` (already in lower case). A multivalued key
    /// cannot stand for one, and an empty value is no value: `home/${aws:PrincipalTag/team}*`
    /// must not become `home/*`.
    pub(super) fn variable(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Values::One(value) if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

/// Whether two keys are one, without case.
fn is_same(a: &str, b: &str) -> bool {
    let beyond_ascii = || !(a.is_ascii() && b.is_ascii());
    a.eq_ignore_ascii_case(b) || (beyond_ascii() && a.to_lowercase() == b.to_lowercase())
}

fn too_large(what: &str, limit: usize) -> Error {
    Error::new(
        Kind::TooLarge,
        "PolicyContextTooLarge",
        format!("more than {limit} {what}"),
    )
}
