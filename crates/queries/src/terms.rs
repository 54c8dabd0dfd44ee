//! Terms of one query: those of the graph by their ids, and those that the query makes.
//!
//! Invariants: equal terms have one id, whether the graph has them or not; what is made stays within a limit of bytes.
//!
//! Deliberately absent: what terms mean ([`crate::value`]).

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};
use craton_graph::{
    Form, Id, Names as _,
    snapshot::Snapshot,
    stored::ground_id,
    term::{Term, Writer},
};

use regex::{Regex, RegexBuilder};

use crate::value::Value;

/// What stands for a variable without a value: no id of a graph, and no fresh one that is reached.
pub const UNBOUND: u64 = u64::MAX;

/// Values that are kept by their ids.
const KEPT_MAX: usize = 16 << 10;
/// Regular expressions that are kept, and the bytes of each at most.
const PATTERNS_MAX: usize = 16;
const PATTERN_BYTES: usize = 1 << 20;
/// What a made term takes beside its bytes, about.
const MADE_BYTES: u64 = 96;

/// The terms of a query.
pub struct Terms<'a> {
    snapshot: &'a Snapshot,
    made: Vec<Term>,
    ids: HashMap<Term, u64>,
    /// Bytes that may still be made.
    left: u64,
    kept: HashMap<u64, Value>,
    /// Regular expressions by their text and flags; none for one that is none.
    patterns: HashMap<(String, String), Option<Regex>>,
}

impl<'a> Terms<'a> {
    /// The terms of a snapshot, and so many bytes of others.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, bytes: u64) -> Self {
        Self {
            snapshot,
            made: Vec::new(),
            ids: HashMap::new(),
            left: bytes,
            kept: HashMap::new(),
            patterns: HashMap::new(),
        }
    }

    /// The id of a term without variables, made if the graph has none.
    ///
    /// # Errors
    /// `TooLarge` if too many were made; the storage's own.
    pub fn id(&mut self, term: &Term) -> Result<u64> {
        if let Some(id) = self.ids.get(term) {
            return Ok(*id);
        }
        if let Some(id) = ground_id(self.snapshot, term.as_bytes())? {
            return Ok(id.0);
        }
        let bytes = MADE_BYTES.saturating_add(2 * term.as_bytes().len() as u64);
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            let message = "the query makes more values that are not in the graph than fit in its memory";
            Error::new(Kind::TooLarge, "TooManyValues", message)
        })?;
        let id = Id::fresh(self.made.len() as u64, false).0;
        self.made.push(term.clone());
        self.ids.insert(term.clone(), id);
        Ok(id)
    }

    /// The id of a value; of none [`UNBOUND`].
    ///
    /// # Errors
    /// As [`Terms::id`].
    pub fn id_of(&mut self, value: Option<&Value>) -> Result<u64> {
        match value {
            None => Ok(UNBOUND),
            Some(value) => self.id(&value.term()?),
        }
    }

    /// The id of a term that the graph has.
    ///
    /// # Errors
    /// The storage's own.
    pub fn known(&self, term: &Term) -> Result<Option<Id>> {
        ground_id(self.snapshot, term.as_bytes())
    }

    /// The value of an id, if it stands for one.
    ///
    /// # Errors
    /// The storage's own.
    pub fn value(&mut self, id: u64) -> Result<Option<Value>> {
        if id == UNBOUND {
            return Ok(None);
        }
        if let Some(Form::Integer(value)) = Id(id).form() {
            return Ok(Some(Value::Integer(value.into())));
        }
        if let Some(value) = self.kept.get(&id) {
            return Ok(Some(value.clone()));
        }
        let value = Value::of(self.term(id)?.as_bytes());
        if self.kept.len() >= KEPT_MAX {
            self.kept.clear();
        }
        self.kept.insert(id, value.clone());
        Ok(Some(value))
    }

    /// A regular expression, if the text is one. Flags are those of XPath.
    pub(crate) fn regex(&mut self, pattern: &str, flags: &str) -> Option<&Regex> {
        if self.patterns.len() >= PATTERNS_MAX {
            self.patterns.clear();
        }
        let key = (pattern.to_owned(), flags.to_owned());
        let made = self.patterns.entry(key).or_insert_with(|| regex(pattern, flags));
        made.as_ref()
    }

    /// The term of an id.
    ///
    /// # Errors
    /// `Internal` for an id that is none; the storage's own.
    pub fn term(&self, id: u64) -> Result<Term> {
        let mut out = Writer::default();
        let mut left = vec![Id(id)];
        let (mut text, mut items) = (Vec::new(), Vec::new());
        while let Some(id) = left.pop() {
            match id.form() {
                Some(Form::Symbol(_) | Form::Integer(_)) => {
                    text.clear();
                    self.snapshot.text(id, &mut text)?;
                    out.symbol(&text)?;
                }
                Some(Form::Expression { .. }) => {
                    items.clear();
                    self.snapshot.items(id, &mut items)?;
                    out.expression(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
                    left.extend(items.iter().rev());
                }
                Some(Form::Fresh(place)) => {
                    let made = usize::try_from(place).ok().and_then(|place| self.made.get(place));
                    let made = made.ok_or_else(|| Error::internal("a value was not made by this query"))?;
                    out.ground(made.as_bytes())?;
                }
                _ => return Err(Error::internal("a value has variables")),
            }
        }
        Ok(out.finish())
    }
}

fn regex(pattern: &str, flags: &str) -> Option<Regex> {
    let quoted = flags.contains('q').then(|| regex::escape(pattern));
    let mut builder = RegexBuilder::new(quoted.as_deref().unwrap_or(pattern));
    builder.size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            's' => builder.dot_matches_new_line(true),
            'm' => builder.multi_line(true),
            'x' => builder.ignore_whitespace(true),
            'q' => &mut builder,
            _ => return None,
        };
    }
    builder.build().ok()
}
