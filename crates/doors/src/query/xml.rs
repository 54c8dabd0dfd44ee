//! The little XML that answers of the query protocol are.
//!
//! Invariant: what is given as text is escaped; names are ours.

use std::fmt::Write as _;

use craton_base::{Timestamp, xml};

/// Elements, one after another.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An element with text.
    pub(super) fn text(&mut self, name: &str, text: impl AsRef<str>) {
        xml::element(&mut self.0, name, text.as_ref());
    }

    /// An element with text, if there is any.
    pub(super) fn some(&mut self, name: &str, text: impl AsRef<str>) {
        if !text.as_ref().is_empty() {
            self.text(name, text);
        }
    }

    /// An element with a time.
    pub(super) fn time(&mut self, name: &str, at: Timestamp) {
        self.text(name, craton_gate::policy::iso_8601(at));
    }

    /// An element with elements.
    pub(super) fn inside(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        // Writing into a string does not fail.
        let _written = write!(self.0, "<{name}>");
        fill(self);
        let _written = write!(self.0, "</{name}>");
    }

    /// A list: a `member` for each.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) {
        self.inside(name, |xml| {
            for item in items {
                xml.inside("member", |xml| fill(xml, item));
            }
        });
    }

    /// A list of texts.
    pub(super) fn texts<T: AsRef<str>>(&mut self, name: &str, items: impl IntoIterator<Item = T>) {
        self.inside(name, |xml| {
            for item in items {
                xml.text("member", item);
            }
        });
    }
}
