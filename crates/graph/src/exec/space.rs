//! What a program runs on.

use craton_base::{Error, Kind, Result};

use crate::term::Term;

/// What is known of a fact that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// The encoded pattern with what is bound put in; its variables are numbered by appearance.
    pub instance: &'a [u8],
    /// How many bytes of it stand before its first variable; all of them if it has none.
    pub ground: usize,
}

impl<'a> Goal<'a> {
    /// The bytes before the first variable.
    #[must_use]
    pub fn prefix(&self) -> &'a [u8] {
        self.instance.get(..self.ground).unwrap_or(self.instance)
    }

    /// Whether it has no variable.
    #[must_use]
    pub fn is_ground(&self) -> bool {
        self.ground == self.instance.len()
    }
}

/// Takes the encoded facts that are found.
pub type Visit<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// A set of facts that a program reads and changes.
pub trait FactSpace {
    /// Gives `visit` every fact that unifies with the goal, each once, and perhaps others.
    ///
    /// # Errors
    /// The storage's own and those of `visit`.
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()>;

    /// About how many facts [`FactSpace::candidates`] gives; cheap.
    fn estimate(&self, goal: &Goal<'_>) -> u64;

    /// The least fact whose encoding begins with `prefix`.
    ///
    /// # Errors
    /// The storage's own.
    fn first(&self, prefix: &[u8]) -> Result<Option<Term>>;

    /// Adds a fact. Whether it is new.
    ///
    /// # Errors
    /// The storage's own.
    fn insert(&mut self, fact: Term) -> Result<bool>;

    /// Removes a fact, that very one and not what unifies with it. Whether it was there.
    ///
    /// # Errors
    /// The storage's own.
    fn remove(&mut self, fact: &Term) -> Result<bool>;

    /// Another set of facts, by the name that a program calls it.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn other(&self, name: &[u8]) -> Result<&dyn FactSpace> {
        Err(no_other(name))
    }

    /// Makes another set of facts be these.
    ///
    /// # Errors
    /// `NotFound` if there is none that can be written.
    fn write_other(&mut self, name: &[u8], facts: Vec<Term>) -> Result<()> {
        drop(facts);
        Err(no_other(name))
    }

    /// Runs a whole step in the space's own way, if it has a better one for this rule: matches, the
    /// removal of the `exec`, the sinks. With it those after it that do not depend on it, `steps` together at most: those beyond
    /// the first are counted in the report. Whether it did; if not it changed nothing.
    ///
    /// # Errors
    /// The storage's own.
    fn shortcut(&mut self, rule: &super::Rule, steps: u64, report: &mut super::Report) -> Result<bool> {
        let _ = (rule, steps, report);
        Ok(false)
    }
}

/// The error for a set of facts that a program names and can not have.
pub(crate) fn no_other(name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name).into_owned();
    Error::new(
        Kind::NotFound,
        "NoSuchGraph",
        format!("the program names the graph {name}, which is not at hand"),
    )
}
