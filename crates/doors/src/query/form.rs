//! The form of a request: names and values, each name once.

use std::collections::BTreeMap;

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use percent_encoding::percent_decode_str;

/// The most parameters.
const PARAMETERS_MAX: usize = 1000;

/// Decoded parameters.
pub(crate) struct Form(BTreeMap<String, String>);

fn wrong(message: String) -> Error {
    Error::new(Kind::Invalid, "ValidationError", message)
}

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// `Invalid` if it is not UTF-8, has a name twice, or too many.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let text =
            std::str::from_utf8(body).map_err(|e| wrong("the form is not UTF-8".into()).with_source(e))?;
        let mut out = BTreeMap::new();
        for pair in text.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if out.len() >= PARAMETERS_MAX {
                return Err(wrong(format!(
                    "the form has more than {PARAMETERS_MAX} parameters"
                )));
            }
            let name = decoded(name)?;
            if out.insert(name.clone(), decoded(value)?).is_some() {
                return Err(wrong(format!("the parameter {name:?} occurs twice")));
            }
        }
        Ok(Self(out))
    }

    /// A parameter, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be given.
    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        let given = self.get(name).filter(|v| !v.is_empty());
        given.ok_or_else(|| wrong(format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null")))
    }

    /// A document that must be given.
    pub(crate) fn document(&self, name: &str) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(self.need(name)?.as_bytes()))
    }

    /// A number, if it is given.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text
            .parse()
            .map_err(|_| wrong(format!("{name} must be a number")))?;
        Ok(Some(number))
    }

    /// `<name>.member.1`, `<name>.member.2`, …
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let nth = |n: usize| self.get(&format!("{name}.member.{n}")).map(str::to_owned);
        (1..=PARAMETERS_MAX).map_while(nth).collect()
    }

    /// `Tags.member.1.Key` and `.Value`, …
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        let nth = |n: usize| {
            let key = self.get(&format!("Tags.member.{n}.Key"))?;
            let value = self.get(&format!("Tags.member.{n}.Value")).unwrap_or_default();
            Some((key.to_owned(), value.to_owned()))
        };
        (1..=PARAMETERS_MAX).map_while(nth).collect()
    }

    /// After what a page begins, and how long it is.
    pub(crate) fn page(&self) -> Result<(Option<&str>, usize)> {
        let most = self.number("MaxItems")?.unwrap_or(100);
        if !(1..=1000).contains(&most) {
            return Err(wrong("MaxItems must be between 1 and 1000".to_owned()));
        }
        Ok((self.get("Marker"), usize::try_from(most).unwrap_or(100)))
    }
}

fn decoded(text: &str) -> Result<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    let decoded = decoded.map_err(|e| wrong("the form is not UTF-8".into()).with_source(e))?;
    Ok(decoded.into_owned())
}
