//! Requests, decisions, and the order in which effects count.
//!
//! Invariant: there is one function that turns matching statements into a decision, so that an
//! indexed set and a plain list cannot disagree.

use super::{
    Context, Policy,
    name::Arn,
    statement::{Effect, Statement, Target},
};

/// The most statements that a decision names; more of the same effect change nothing.
pub const STATEMENTS_NAMED_MAX: usize = 16;

/// What is asked. All parts are literal text.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// For example `s3:GetObject`.
    pub action: &'a str,
    /// An ARN, or `*` for an action that is about no resource.
    pub resource: &'a str,
    /// The condition keys.
    pub context: &'a Context,
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
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Why.
    pub kind: DecisionKind,
    /// The statements that decided, at most [`STATEMENTS_NAMED_MAX`]; none for an implicit deny.
    pub statements: Vec<StatementRef>,
}

/// Names one statement of one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatementRef {
    /// The policy's name.
    pub policy: String,
    /// The statement's place in the document, from 0.
    pub index: usize,
    /// The statement's `Sid`, if it has one.
    pub sid: Option<String>,
}

impl std::fmt::Display for StatementRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.sid {
            Some(sid) => write!(f, "{}#{sid}", self.policy),
            None => write!(f, "{}[{}]", self.policy, self.index),
        }
    }
}

impl Decision {
    pub(super) fn explicit_deny(statements: Vec<StatementRef>) -> Self {
        Self {
            allowed: false,
            kind: DecisionKind::ExplicitDeny,
            statements,
        }
    }

    pub(super) fn allow(statements: Vec<StatementRef>) -> Self {
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
pub fn decide(policies: &[&Policy], request: &Request<'_>) -> Decision {
    with_target(request, |target| {
        let statements = policies.iter().flat_map(|policy| {
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

impl Candidate<'_> {
    fn name(&self) -> StatementRef {
        StatementRef {
            policy: self.policy.name.clone(),
            index: self.index,
            sid: self.statement.sid.clone(),
        }
    }
}

/// The matching statements of one kind of policies.
#[derive(Default)]
pub(super) struct Found {
    pub(super) denies: Vec<StatementRef>,
    pub(super) allows: Vec<StatementRef>,
}

impl Found {
    /// Denies are looked for to the end, or until enough are named; a statement that could only
    /// add to a full list is not evaluated.
    pub(super) fn collect<'p>(candidates: impl Iterator<Item = Candidate<'p>>, target: &Target<'_>) -> Self {
        let mut found = Self::default();
        for candidate in candidates {
            let list = match candidate.statement.effect {
                Effect::Deny => &mut found.denies,
                Effect::Allow => &mut found.allows,
            };
            if list.len() < STATEMENTS_NAMED_MAX && candidate.statement.matches(target) {
                list.push(candidate.name());
            }
        }
        found
    }

    pub(super) fn allows(&self) -> bool {
        !self.allows.is_empty()
    }

    pub(super) fn into_decision(self) -> Decision {
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
