//! What is known about a request besides its action and resource: the condition keys.
//!
//! A policy asks for few of them, so they are [`Facts`] that are looked up, and not collected before.
//!
//! Invariants: keys are compared without case; a key holds one value or a list (AWS's
//! single-valued and multivalued keys), and only one value can stand for a policy variable; a
//! list without values is the same as no key. Only the gate says what a key is, never a request's
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

/// What is known of a request: asked for one condition key at a time, when a policy names it.
pub trait Facts {
    /// The value or values of a key, which is in lower case; `None` if it is not known.
    fn values_of(&self, key: &str) -> Option<Values<'_>>;
}

/// Several, of which the first that knows a key says what it is.
impl<const N: usize> Facts for [&dyn Facts; N] {
    fn values_of(&self, key: &str) -> Option<Values<'_>> {
        self.iter().find_map(|facts| facts.values_of(key))
    }
}

impl dyn Facts + '_ {
    /// The values of `key` (already in lower case); `None` if absent or without values.
    pub(super) fn get(&self, key: &str) -> Option<Values<'_>> {
        let found = self.values_of(key).filter(|v| !v.as_slice().is_empty());
        if WATCHING.get() {
            note(key, found.is_some());
        }
        found
    }

    /// The text that stands for the variable `key` (already in lower case). A multivalued key
    /// cannot stand for one, and an empty value is no value: `home/${aws:PrincipalTag/team}*`
    /// must not become `home/*`.
    pub(super) fn variable(&self, key: &str) -> Option<Cow<'_, str>> {
        match self.get(key)? {
            Values::One(value) => Some(value.into_text()).filter(|text| !text.is_empty()),
            Values::Many(_) => None,
        }
    }
}

/// One value of a condition key. Those that are no text are compared without becoming one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A point in time, in whole seconds: `2026-11-22T21:00:00Z`.
    Time(Timestamp),
    /// An address; an IPv4 address inside IPv6 is the IPv4 address.
    Address(IpAddr),
}

impl<'a> Value<'a> {
    /// As text.
    #[must_use]
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Time(at) => super::iso_8601(at).into(),
            Self::Address(address) => address.to_canonical().to_string().into(),
        }
    }

    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::from(&**text),
            Self::Time(at) => Value::Time(*at),
            Self::Address(address) => Value::Address(*address),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// The value or values of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// Of a single-valued key.
    One(Value<'a>),
    /// Of a multivalued key, also when there is only one.
    Many(Vec<Value<'a>>),
}

impl<'a> Values<'a> {
    /// The value of a single-valued key.
    pub fn one(value: impl Into<Value<'a>>) -> Self {
        Self::One(value.into())
    }

    pub(super) fn as_slice(&self) -> &[Value<'a>] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// Condition keys that are set one by one.
#[derive(Clone, Debug, Default)]
pub struct Context {
    values: Vec<(Cow<'static, str>, Values<'static>)>,
}

impl Facts for Context {
    fn values_of(&self, key: &str) -> Option<Values<'_>> {
        let (_, values) = self.values.iter().find(|(set, _)| is_key(set, key))?;
        Some(match values {
            Values::One(value) => Values::One(value.borrowed()),
            Values::Many(values) => Values::Many(values.iter().map(Value::borrowed).collect()),
        })
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
        self.insert(key.into(), Values::one(value.into()))
    }

    /// Sets a multivalued key, for example `aws:TagKeys`, also when there is only one value.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] above [`CONTEXT_KEYS_MAX`] keys or [`CONTEXT_VALUES_MAX`] values.
    pub fn set_list(&mut self, key: impl Into<Cow<'static, str>>, values: Vec<String>) -> Result<()> {
        if values.len() > CONTEXT_VALUES_MAX {
            return Err(too_large("values of one condition key", CONTEXT_VALUES_MAX));
        }
        let values = values.into_iter().map(Value::from).collect();
        self.insert(key.into(), Values::Many(values))
    }

    fn insert(&mut self, key: Cow<'static, str>, values: Values<'static>) -> Result<()> {
        let lower = key.to_lowercase();
        if let Some((_, set)) = self.values.iter_mut().find(|(set, _)| is_key(set, &lower)) {
            *set = values;
            return Ok(());
        }
        if self.values.len() >= CONTEXT_KEYS_MAX {
            return Err(too_many_keys());
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
        self.insert("aws:SourceIp".into(), Values::One(Value::Address(address)))
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
        self.set("aws:EpochTime", now.seconds().to_string())?;
        self.insert("aws:CurrentTime".into(), Values::One(Value::Time(now)))
    }
}

/// Whether a key is `lower`, which is in lower case.
pub(crate) fn is_key(key: &str, lower: &str) -> bool {
    key.eq_ignore_ascii_case(lower) || (!key.is_ascii() && key.to_lowercase() == lower)
}

/// The refusal of a request with more than [`CONTEXT_KEYS_MAX`] keys.
pub(crate) fn too_many_keys() -> Error {
    too_large("condition keys in a request", CONTEXT_KEYS_MAX)
}

fn too_large(what: &str, limit: usize) -> Error {
    Error::new(
        Kind::TooLarge,
        "PolicyContextTooLarge",
        format!("more than {limit} {what}"),
    )
}
