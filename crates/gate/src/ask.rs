//! What a door asks the gate for: an operation on a resource, and the facts a policy may look at.
//!
//! Deliberately absent: who asks (the session) and the answer (a permit).

use std::borrow::Cow;

use craton_base::ResourcePath;

use crate::tags::Tags;

/// Keys with several values: each [`Ask::with`] adds one.
pub(crate) const LISTS: [&str; 2] = ["s3:RequestObjectTagKeys", "aws:TagKeys"];

/// A condition key and a value of it.
pub type Fact = (Cow<'static, str>, String);

/// A request for a permit.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The door's operation, for the record: `GetObject`.
    pub operation: &'static str,
    /// The actions that must all be allowed: `s3:GetObject`.
    pub actions: Vec<&'static str>,
    /// What it is about.
    pub resource: ResourcePath,
    /// Condition keys of this request and their values, beyond those of the session.
    pub context: Vec<Fact>,
    /// [`Ask::of_columns`].
    pub columns: Option<Vec<String>>,
}

impl Ask {
    /// An ask for one action.
    #[must_use]
    pub fn new(operation: &'static str, action: &'static str, resource: ResourcePath) -> Self {
        Self {
            operation,
            actions: vec![action],
            resource,
            context: Vec::new(),
            columns: None,
        }
    }

    /// Adds a condition key.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.context.push((key.into(), value.into()));
        self
    }

    /// Names the columns that are read of a table's data, by all names that they have or had, and promises to read no others and to
    /// apply what the permit says of rows and columns ([`crate::ReadPermit::restrictions`]). An ask that does not is about the data as
    /// a whole, which a policy that restricts any of it refuses. The record says them.
    #[must_use]
    pub fn of_columns(mut self, columns: Vec<String>) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Adds the tags that the request puts on an object.
    #[must_use]
    pub fn with_tags(mut self, tags: &Tags) -> Self {
        for tag in &tags.list {
            self = self
                .with(format!("s3:RequestObjectTag/{}", tag.key), tag.value.clone())
                .with("s3:RequestObjectTagKeys", tag.key.clone());
        }
        self
    }

    /// Adds an action that must be allowed too.
    #[must_use]
    pub fn and_action(mut self, action: &'static str) -> Self {
        self.actions.push(action);
        self
    }
}
