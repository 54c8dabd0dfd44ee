//! The query of a request: each parameter at most once, none that the route does not know.

use std::collections::BTreeMap;

use craton_base::{Error, Result, Timestamp};
use craton_gate::ledger::{Filter, RecordKind, Verdict};
use percent_encoding::percent_decode_str;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The most parameters.
const PARAMETERS_MAX: usize = 32;

/// Decoded parameters.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self> {
        let mut out = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if out.len() >= PARAMETERS_MAX {
                return Err(Error::invalid(format!(
                    "the query has more than {PARAMETERS_MAX} parameters"
                )));
            }
            if out.insert(name.clone(), value).is_some() {
                return Err(Error::invalid(format!("the parameter {name:?} occurs twice")));
            }
        }
        Ok(Self(out))
    }

    /// A parameter's value, if it is given.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let bad = || Error::invalid(format!("the parameter {name:?} can not be {text:?}"));
        parse(&text).map(Some).ok_or_else(bad)
    }

    /// A parameter that is a number, if it is given.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn number<N: std::str::FromStr>(&mut self, name: &str) -> Result<Option<N>> {
        self.parsed(name, |text| text.parse().ok())
    }

    /// Fails if a parameter is left: it would have been ignored, and a filter that is ignored misleads.
    ///
    /// # Errors
    /// `Invalid`, naming it.
    pub(crate) fn end(self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!("there is no parameter {name:?} here"))),
        }
    }

    /// Which users to list: after whom, and how many.
    pub(crate) fn page(mut self, most: usize) -> Result<(Option<String>, usize)> {
        let after = self.take("after");
        let limit = self.parsed("limit", |t| t.parse().ok().filter(|n| (1..=most).contains(n)))?;
        self.end()?;
        Ok((after, limit.unwrap_or(most)))
    }

    /// Which records to list.
    pub(crate) fn filter(mut self) -> Result<Filter> {
        let filter = Filter {
            principal: self.take("principal"),
            bucket: self.take("bucket"),
            resource_prefix: self.take("resource"),
            action: self.take("action"),
            kind: self.parsed("kind", kind)?,
            verdict: self.parsed("verdict", verdict)?,
            since: self.parsed("since", time)?,
            until: self.parsed("until", time)?,
            limit: self.parsed("limit", |t| t.parse().ok())?.unwrap_or_default(),
            after: self.parsed("after", |t| t.parse().ok())?,
        };
        self.end()?;
        Ok(filter)
    }
}

fn decoded(text: &str) -> Result<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    Ok(decoded
        .map_err(|e| Error::invalid("the query is not UTF-8").with_source(e))?
        .into_owned())
}

fn kind(text: &str) -> Option<RecordKind> {
    use RecordKind as K;
    [K::Decision, K::Outcome, K::Write, K::Denial, K::Gap, K::System]
        .into_iter()
        .find(|k| k.as_str() == text)
}

fn verdict(text: &str) -> Option<Verdict> {
    use Verdict as V;
    [
        V::None,
        V::Allow,
        V::ExplicitDeny,
        V::ImplicitDeny,
        V::Unauthenticated,
    ]
    .into_iter()
    .find(|v| v.as_str() == text)
}

pub(super) fn time(text: &str) -> Option<Timestamp> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    u64::try_from(nanos / 1000).ok().map(Timestamp)
}
