//! Requests, decisions, and the order in which effects count.
//!
//! Invariant: there is one function that turns matching statements into a decision, so that an
//! indexed set and a plain list cannot disagree.

use super::{
    Facts, Policy,
    name::Arn,
    statement::{Effect, Statement, Target},
};

/// The most statements that a decision names; more of the same effect change nothing.
pub const STATEMENTS_NAMED_MAX: usize = 16;

/// What is asked. All parts are literal text.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// For example `s3:GetObject`.
    pub action: &'a str,
    /// An ARN, or `*` for an action that is about no resource.
    pub resource: &'a str,
    /// What is known of it.
    pub context: &'a dyn Facts,
}

/// Why a request is allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing allows it.
    ImplicitDeny,
}

/// The answer, with the statements that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'p> {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Why.
    pub kind: DecisionKind,
    /// The statements that decided, at most [`STATEMENTS_NAMED_MAX`]; none for an implicit deny.
    pub statements: Vec<StatementRef<'p>>,
}

/// Names one statement of one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementRef<'p> {
    /// The policy's name.
    pub policy: &'p str,
    /// The statement's place in the document, from 0.
    pub index: usize,
    /// The statement's `Sid`, if it has one.
    pub sid: Option<&'p str>,
}

impl std::fmt::Display for StatementRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sid {
            Some(sid) => write!(f, "{}#{sid}", self.policy),
            None => write!(f, "{}[{}]", self.policy, self.index),
        }
    }
}

impl<'p> Decision<'p> {
    pub(super) fn explicit_deny(statements: Vec<StatementRef<'p>>) -> Self {
        Self {
            allowed: false,
            kind: DecisionKind::ExplicitDeny,
            statements,
        }
    }

    pub(super) fn allow(statements: Vec<StatementRef<'p>>) -> Self {
        Self {
            allowed: true,
            kind: DecisionKind::Allow,
            statements,
        }
    }

    pub(super) fn implicit_deny() -> Self {
        Self {
            allowed: false,
            kind: DecisionKind::ImplicitDeny,
            statements: Vec::new(),
        }
    }
}

/// Decides a request by a principal's identity policies alone. For many policies or many
/// decisions, a [`super::PolicySet`] gives the same answers faster.
#[must_use]
pub fn decide<'p>(policies: &[&'p Policy], request: &Request<'_>) -> Decision<'p> {
    with_target(request, |target| {
        let statements = policies.iter().flat_map(|&policy| {
            let numbered = policy.statements.iter().enumerate();
            numbered.map(move |(index, statement)| Candidate {
                policy,
                index,
                statement,
            })
        });
        let found = Found::collect(statements, target);
        found.into_decision()
    })
    .unwrap_or_else(Decision::implicit_deny)
}

/// Takes the request's names apart; `None` if they are not an action and an ARN or `*`, which
/// nothing can allow.
pub(super) fn with_target<T>(request: &Request<'_>, then: impl FnOnce(&Target<'_>) -> T) -> Option<T> {
    let lower = request.action.to_ascii_lowercase();
    let (service, action) = lower.split_once(':')?;
    let arn = match request.resource {
        "*" => None,
        arn => Some(Arn::split(arn)?),
    };
    let resource = request.resource;
    Some(then(&Target {
        name: &lower,
        service,
        action,
        resource,
        arn,
        context: request.context,
    }))
}

/// A statement that may match, with its place.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'p> {
    pub(super) policy: &'p Policy,
    pub(super) index: usize,
    pub(super) statement: &'p Statement,
}

impl<'p> Candidate<'p> {
    fn name(&self) -> StatementRef<'p> {
        StatementRef {
            policy: &self.policy.name,
            index: self.index,
            sid: self.statement.sid.as_deref(),
        }
    }
}

/// The matching statements of one kind of policies.
#[derive(Default)]
pub(super) struct Found<'p> {
    pub(super) denies: Vec<StatementRef<'p>>,
    pub(super) allows: Vec<StatementRef<'p>>,
}

impl<'p> Found<'p> {
    /// Denies are looked for to the end, or until enough are named.
    pub(super) fn collect(candidates: impl Iterator<Item = Candidate<'p>>, target: &Target<'_>) -> Self {
        let mut found = Self::default();
        for candidate in candidates {
            found.add(candidate, target, false);
        }
        found
    }

    /// Whether a statement matches; then it is named. One that could only add to a full list is not evaluated, except
    /// `anyway`.
    pub(super) fn add(&mut self, candidate: Candidate<'p>, target: &Target<'_>, anyway: bool) -> bool {
        let list = match candidate.statement.effect {
            Effect::Deny => &mut self.denies,
            Effect::Allow => &mut self.allows,
        };
        let is_full = list.len() >= STATEMENTS_NAMED_MAX;
        if (is_full && !anyway) || !candidate.statement.matches(target) {
            return false;
        }
        if !is_full {
            list.push(candidate.name());
        }
        true
    }

    pub(super) fn allows(&self) -> bool {
        !self.allows.is_empty()
    }

    pub(super) fn into_decision(self) -> Decision<'p> {
        if !self.denies.is_empty() {
            Decision::explicit_deny(self.denies)
        } else if !self.allows.is_empty() {
            Decision::allow(self.allows)
        } else {
            Decision::implicit_deny()
        }
    }
}

#[cfg(test)]
mod tests;
