//! The access plane: AWS IAM JSON policies, compiled once and decided in microseconds.
//!
//! A [`Policy`] is parsed and compiled from JSON; a [`PolicySet`] holds what applies to one
//! principal and decides a [`Request`]. The order is AWS's for one account:
//!
//! 1. a matching `Deny` in any policy refuses (explicit deny);
//! 2. a resource's policy that names the very session of a role allows;
//! 3. a session's policies, if there are any, must allow;
//! 4. the resource's policy allows the user; or the boundary, if there is one, allows, and so do the resource's
//!    policy the role or the identity policies (the principal's and its groups');
//! 5. everything else is refused (implicit deny).
//!
//! Invariants: the request's side is literal text (a `*` in a key is a character); the value of
//! a variable is literal text; matching is bounded by the limits of the document, whatever a
//! policy or a request says; whatever cannot be understood allows nothing. The decision names
//! the statements that made it.
//!
//! Deliberately absent: who the principal is, where policies are stored, HTTP. What an S3 operation needs is
//! data in [`s3_actions`].

mod bucket_actions;
mod bucket_keys;
mod complaint;
mod condition;
mod context;
mod cover;
mod decision;
mod json;
mod name;
mod parse;
mod pattern;
mod principals;
mod resource;
pub mod s3_actions;
mod set;
mod starts;
mod statement;
mod trust;
mod value;
mod wanted;

use craton_base::Result;

pub(crate) use self::context::{is_key, noting_unknown, too_many_keys};
pub use self::{
    context::{CONTEXT_KEYS_MAX, CONTEXT_VALUES_MAX, Context, Facts, Value, Values},
    decision::{Decision, DecisionKind, Request, STATEMENTS_NAMED_MAX, StatementRef, decide},
    resource::{Caller, ResourcePolicy},
    set::{Guarded, PolicySet},
    statement::{Effect, Principal},
    trust::{Asker, TrustPolicy},
    value::Network,
};
use self::{parse::Place, statement::Statement};

/// A time as condition keys have it: `2026-11-22T21:00:00Z`.
#[must_use]
pub fn iso_8601(at: craton_base::Timestamp) -> String {
    value::iso_8601(at.seconds())
}

/// How large a policy may be. The defaults are above every quota of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the JSON document.
    pub document_bytes: usize,
    /// Statements in a document.
    pub statements: usize,
    /// Values in one list.
    pub values: usize,
    /// Condition keys in one statement.
    pub conditions: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Wildcards in one value.
    pub wildcards: usize,
    /// Bytes of a `Sid`.
    pub sid_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 20_480,
            statements: 512,
            values: 1_024,
            conditions: 128,
            value_bytes: 2_048,
            wildcards: 64,
            sid_bytes: 128,
        }
    }
}

/// A compiled identity policy.
#[derive(Debug, Clone)]
pub struct Policy {
    name: String,
    id: Option<String>,
    statements: Vec<Statement>,
    asks_for_tags: bool,
}

/// Whether a document may ask about the tags that an object has, in a condition or a variable. Escaped text is
/// taken to do so: being wrong that way costs one reading of the object's entry.
fn asks_for_tags(json: &[u8]) -> bool {
    let text = String::from_utf8_lossy(json).to_ascii_lowercase();
    text.contains("existingobjecttag") || text.contains("\\u")
}

impl Policy {
    /// Parses and compiles an identity policy.
    ///
    /// # Errors
    /// `MalformedPolicyDocument` naming the JSON path of the element and what was expected
    /// there; `LimitExceeded` above one of `limits`.
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self> {
        let document = parse::document(json, Place::Identity, limits)?;
        Ok(Self {
            name: String::new(),
            id: document.id,
            statements: document.statements,
            asks_for_tags: asks_for_tags(json),
        })
    }

    /// Gives it the name that decisions show.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The name that decisions show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The document's `Id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The resources of a service (`s3`, `graph`) that it names, as written after `arn:aws:s3:::`.
    fn resources_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        let resources = self.statements.iter().filter_map(|s| s.resources.as_ref());
        resources
            .flat_map(|choice| &choice.values)
            .filter_map(|r| r.of_service(service))
    }

    /// How many statements it has.
    #[must_use]
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }
}

#[cfg(test)]
mod tests;
