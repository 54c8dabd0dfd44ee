//! Names of namespaces, tables and views, and the names of their rows.
//!
//! Invariant: no level and no table's name holds a dot or a control character, so that what policies and people read
//! (`sales.eu.orders`) and what rows are named by stand for one name each.

use craton_base::Result;
use craton_gate::tables::{name_row, namespace_row};

use crate::error::bad;

/// The most names in one page of a listing.
pub const NAMES_PAGE_MAX: usize = 1000;

/// The longest level or table name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The longest namespace, in bytes with its separators.
const NAMESPACE_BYTES_MAX: usize = 800;

/// Between the levels of a namespace, in paths of the protocol and in rows.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// A namespace: one level or more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace(Vec<String>);

/// What has a name: names are unique across both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A table.
    Table,
    /// A view.
    View,
}

impl What {
    pub(crate) const fn of(is_view: bool) -> Self {
        match is_view {
            true => Self::View,
            false => Self::Table,
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Table => "Table",
            Self::View => "View",
        }
    }
}

/// The name of a table or a view in its namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableName {
    /// The namespace.
    pub namespace: Namespace,
    name: String,
}

impl Namespace {
    /// A namespace of these levels.
    ///
    /// # Errors
    /// `BadRequestException`.
    pub fn new(levels: Vec<String>) -> Result<Self> {
        if levels.is_empty() {
            return Err(bad("a namespace has at least one level"));
        }
        levels
            .iter()
            .try_for_each(|level| check("level of a namespace", level))?;
        let namespace = Self(levels);
        match namespace.row().len() <= NAMESPACE_BYTES_MAX {
            true => Ok(namespace),
            false => Err(bad(format!(
                "a namespace has at most {NAMESPACE_BYTES_MAX} bytes"
            ))),
        }
    }

    /// A namespace as it stands in a path, its levels separated by `1F`.
    ///
    /// # Errors
    /// `BadRequestException`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::new(text.split(SEPARATOR).map(str::to_owned).collect())
    }

    /// Its levels.
    #[must_use]
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// Its levels with dots between them.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join(".")
    }

    /// The namespace that it lies in.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }

    pub(crate) fn row(&self) -> Vec<u8> {
        namespace_row(&self.0)
    }

    /// The row that is rewritten by whatever comes to be in it.
    pub(crate) fn mark(&self) -> Vec<u8> {
        let mut row = self.row();
        row.push(0);
        row
    }

    /// What the rows of its tables' names begin with.
    pub(crate) fn tables(&self) -> Vec<u8> {
        self.mark()
    }
}

impl TableName {
    /// A table's name.
    ///
    /// # Errors
    /// `BadRequestException`.
    pub fn new(namespace: Namespace, name: &str) -> Result<Self> {
        check("table's name", name)?;
        Ok(Self {
            namespace,
            name: name.to_owned(),
        })
    }

    /// Its name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace and name with dots between them.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.namespace.text(), self.name)
    }

    /// Its entry among the names of a bucket's tables.
    #[must_use]
    pub fn row(&self) -> Vec<u8> {
        name_row(&self.namespace.0, &self.name)
    }
}

fn check(what: &str, text: &str) -> Result<()> {
    let bad_char = |c: char| c.is_control() || matches!(c, '.' | '/');
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains(bad_char) {
        return Err(bad(format!(
            "a {what} has 1 to {NAME_BYTES_MAX} bytes and no dot, slash or control character"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_their_rows() {
        let namespace = |levels: &[&str]| Namespace::new(levels.iter().map(|l| (*l).to_owned()).collect());
        let (a, ab) = (namespace(&["a"]).unwrap(), namespace(&["a", "b"]).unwrap());
        assert_eq!(Namespace::parse("a\u{1f}b").unwrap(), ab);
        assert_eq!(ab.parent(), Some(a.clone()));
        assert_eq!(a.parent(), None);
        assert_eq!(TableName::new(ab.clone(), "t").unwrap().text(), "a.b.t");
        // What lies in a namespace inside does not begin as a table's name does.
        assert!(!TableName::new(ab, "t").unwrap().row().starts_with(&a.tables()));
        for wrong in ["", "a.b", "a/b", "a\0", &"x".repeat(256)] {
            assert!(namespace(&[wrong]).is_err(), "{wrong:?}");
            assert!(TableName::new(a.clone(), wrong).is_err(), "{wrong:?}");
        }
        assert!(namespace(&[]).is_err());
    }
}
