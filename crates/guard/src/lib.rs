//! The guard plane: Cedar policies that only restrict.
//!
//! ```text
//! document ──check──▶ Language (schema, validator) ──▶ Document ──▶ Rules (index by scope) ──judge──▶ Ruling
//! ```
//!
//! A document holds `forbid` policies only, so that adding one can never allow anything. [`Rules`] finds the
//! policies whose scope can match a [`Question`] by looking their scopes up, so that those that can not match
//! cost nothing, and evaluates what is left one by one.
//!
//! Invariants
//! - a policy that fails to evaluate forbids (Cedar itself skips it: an arithmetic overflow in a `forbid` would
//!   be a way round it);
//! - what can not be put as a question is forbidden;
//! - what a policy leaves of rows and columns is told to who promises to apply it; to everyone else it forbids ([`Restrictions`]);
//! - an entity is described only as far as the policies that are evaluated look at it: an object's tags are read
//!   only if one of them asks for tags.
//!
//! Deliberately absent: where documents are kept, who may change them, and the access plane.

pub mod actions;
mod document;
mod entities;
mod index;
mod judge;
mod labels;
mod language;
mod needs;
mod rows;
mod schema;
mod tables;

pub use document::{DOCUMENT_BYTES_MAX, Document, POLICIES_MAX};
pub use index::Rules;
pub use judge::{Asker, AskerType, BucketFacts, Circumstances, Question, Ruling, SessionFacts};
pub use labels::{LABELS_TAG, labels, words};
pub use language::Language;
pub use needs::{Needs, Says};
pub use rows::{Comparison, Condition, Mask, Restrictions, Value};
pub use tables::{Column, TableFacts};
