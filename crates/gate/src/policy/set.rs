//! All policies that apply to one principal, indexed so that a decision costs what the statements
//! that could match cost, not what all of them cost.
//!
//! The index: service → action name → resource. Under each action, statements are found by the
//! literal text with which their resource patterns start. Statements that name no single action
//! are kept under their service, or under none. Everything that the index leaves out cannot
//! match; what it yields is evaluated in full, so the index never decides.

use std::{collections::HashMap, sync::Arc};

use super::{
    Caller, Decision, Policy, Request, ResourcePolicy, StatementRef,
    decision::{Candidate, Found, with_target},
    name::ActionPattern,
    statement::{Statement, Target},
};

/// The policies of one principal, by what they are for.
#[derive(Debug, Clone)]
pub struct PolicySet {
    identity: Layer,
    boundary: Option<Layer>,
    session: Option<Layer>,
}

impl PolicySet {
    /// With the principal's identity policies, its groups' among them.
    #[must_use]
    pub fn new(identity: Vec<Arc<Policy>>) -> Self {
        Self {
            identity: Layer::new(identity),
            boundary: None,
            session: None,
        }
    }

    /// With a permissions boundary: what it does not allow is refused.
    #[must_use]
    pub fn with_boundary(mut self, policy: Arc<Policy>) -> Self {
        self.boundary = Some(Layer::new(vec![policy]));
        self
    }

    /// With session policies: what they do not allow is refused. An empty list refuses all.
    #[must_use]
    pub fn with_session(mut self, policies: Vec<Arc<Policy>>) -> Self {
        self.session = Some(Layer::new(policies));
        self
    }

    /// Whether any of them may ask about the tags that an object has.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        let layers = [
            Some(&self.identity),
            self.boundary.as_ref(),
            self.session.as_ref(),
        ];
        layers
            .into_iter()
            .flatten()
            .flat_map(|l| &l.policies)
            .any(|p| p.asks_for_tags)
    }

    /// Decides a request about something that has no policy of its own.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.decide_about(request, None)
    }

    /// Decides a request. A deny anywhere wins; then the session policies must allow, and either the
    /// resource's policy or both the boundary and the identity policies. An allow names the statements of all
    /// of them.
    #[must_use]
    pub fn decide_about(&self, request: &Request<'_>, resource: Option<Guarded<'_>>) -> Decision {
        with_target(request, |target| self.decide_target(target, resource))
            .unwrap_or_else(Decision::implicit_deny)
    }

    fn decide_target(&self, target: &Target<'_>, resource: Option<Guarded<'_>>) -> Decision {
        let find = |layer: &Option<Layer>| layer.as_ref().map(|l| l.find(target));
        let granted = resource.map(|r| r.find(target));
        let (session, boundary) = (find(&self.session), find(&self.boundary));
        let identity = self.identity.find(target);
        let allows = |found: &Option<Found>| found.as_ref().is_none_or(|f| !f.allows.is_empty());
        let by_resource = granted.as_ref().is_some_and(|f| !f.allows.is_empty());
        let by_identity = !identity.allows.is_empty() && allows(&boundary);
        let allowed = allows(&session) && (by_resource || by_identity);
        let found: Vec<Found> = [granted, boundary, session, Some(identity)]
            .into_iter()
            .flatten()
            .collect();
        if found.iter().any(|f| !f.denies.is_empty()) {
            Decision::explicit_deny(found.into_iter().flat_map(|f| f.denies).collect())
        } else if allowed {
            Decision::allow(found.into_iter().flat_map(|f| f.allows).collect())
        } else {
            Decision::implicit_deny()
        }
    }
}

/// The policy of what a request is about, and whom it sees asking.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<'a> {
    /// The policy.
    pub policy: &'a ResourcePolicy,
    /// Who asks.
    pub caller: Caller<'a>,
    /// Whether what a public policy allows does not count for callers without credentials.
    pub shut_public: bool,
    /// Whether nothing that it allows counts for them.
    pub shut_anonymous: bool,
}

impl Guarded<'_> {
    /// The statements that deny a request.
    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> Vec<StatementRef> {
        with_target(request, |target| self.find(target).denies).unwrap_or_default()
    }

    fn find(&self, target: &Target<'_>) -> Found {
        let mut found = self.policy.find(target, &self.caller);
        let shut = self.shut_anonymous || (self.shut_public && self.policy.is_public());
        if shut && self.caller == Caller::Anonymous {
            found.allows.clear();
        }
        found
    }
}

/// Policies of which one must allow.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    policies: Vec<Arc<Policy>>,
    index: Index,
}

/// A statement's place: the policy in the layer, the statement in the policy.
type Place = (u32, u32);

impl Layer {
    pub(super) fn new(policies: Vec<Arc<Policy>>) -> Self {
        let mut builder = IndexBuilder::default();
        for (p, policy) in (0..).zip(&policies) {
            for (s, statement) in (0..).zip(&policy.statements) {
                builder.add(statement, (p, s));
            }
        }
        Self {
            index: builder.build(),
            policies,
        }
    }

    pub(super) fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    fn find(&self, target: &Target<'_>) -> Found {
        self.find_where(target, |_| true)
    }

    /// What matches among the statements that `counts` is true for.
    pub(super) fn find_where(&self, target: &Target<'_>, counts: impl Fn(&Statement) -> bool) -> Found {
        let mut places = Vec::new();
        self.index.candidates(target, &mut places);
        // In document order, each once: a statement may be found by several of its patterns.
        places.sort_unstable();
        places.dedup();
        let candidates = places.into_iter().filter_map(|place| self.candidate(place));
        Found::collect(candidates.filter(|c| counts(c.statement)), target)
    }

    fn candidate(&self, (policy, statement): Place) -> Option<Candidate<'_>> {
        let policy = self.policies.get(usize::try_from(policy).ok()?)?;
        let index = usize::try_from(statement).ok()?;
        let statement = policy.statements.get(index)?;
        Some(Candidate {
            policy,
            index,
            statement,
        })
    }
}

#[derive(Debug, Clone)]
struct Index {
    services: HashMap<String, ServiceIndex>,
    any: Starts,
}

#[derive(Debug, Clone)]
struct ServiceIndex {
    actions: HashMap<String, Starts>,
    any: Starts,
}

impl Index {
    fn candidates(&self, target: &Target<'_>, places: &mut Vec<Place>) {
        self.any.of(target.resource, places);
        if let Some(service) = self.services.get(target.service) {
            service.any.of(target.resource, places);
            if let Some(starts) = service.actions.get(target.action) {
                starts.of(target.resource, places);
            }
        }
    }
}

#[derive(Default)]
struct IndexBuilder {
    services: HashMap<String, ServiceBuilder>,
    any: Vec<(String, Place)>,
}

#[derive(Default)]
struct ServiceBuilder {
    actions: HashMap<String, Vec<(String, Place)>>,
    any: Vec<(String, Place)>,
}

impl IndexBuilder {
    fn add(&mut self, statement: &Statement, place: Place) {
        let starts: Vec<&str> = match &statement.resources {
            Some(choice) if !choice.negated => choice.values.iter().map(|r| r.start()).collect(),
            _ => vec![""],
        };
        if statement.actions.negated {
            extend(&mut self.any, &starts, place);
            return;
        }
        for action in &statement.actions.values {
            extend(self.list(action), &starts, place);
        }
    }

    fn list(&mut self, action: &ActionPattern) -> &mut Vec<(String, Place)> {
        let ActionPattern::Named {
            service: Some(service),
            exact,
            ..
        } = action
        else {
            return &mut self.any;
        };
        let service = self.services.entry(service.clone()).or_default();
        match exact {
            Some(name) => service.actions.entry(name.clone()).or_default(),
            None => &mut service.any,
        }
    }

    fn build(self) -> Index {
        let services = self.services.into_iter().map(|(name, service)| {
            let actions = service
                .actions
                .into_iter()
                .map(|(name, list)| (name, Starts::new(list)));
            (
                name,
                ServiceIndex {
                    actions: actions.collect(),
                    any: Starts::new(service.any),
                },
            )
        });
        Index {
            services: services.collect(),
            any: Starts::new(self.any),
        }
    }
}

fn extend(list: &mut Vec<(String, Place)>, starts: &[&str], place: Place) {
    list.extend(starts.iter().map(|start| ((*start).to_owned(), place)));
}

/// Finds every start that a text begins with, in the time of one binary search.
///
/// Starts are sorted. All starts of a text are no greater than it, and everything sorted between
/// a start of the text and the text begins with that start. So the greatest start that is no
/// greater than the text leads, over links from each start to the longest other start that it
/// begins with, to all of them.
#[derive(Debug, Clone, Default)]
struct Starts {
    nodes: Vec<StartNode>,
}

#[derive(Debug, Clone)]
struct StartNode {
    start: Box<str>,
    /// The longest other start with which this one begins.
    shorter: Option<usize>,
    places: Vec<Place>,
}

impl Starts {
    fn new(mut list: Vec<(String, Place)>) -> Self {
        list.sort_unstable();
        list.dedup();
        let mut nodes: Vec<StartNode> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (start, place) in list {
            if let Some(last) = nodes.last_mut()
                && *last.start == *start
            {
                last.places.push(place);
                continue;
            }
            let covers = |i: &usize| nodes.get(*i).is_some_and(|n| start.starts_with(&*n.start));
            while open.last().is_some_and(|i| !covers(i)) {
                open.pop();
            }
            let shorter = open.last().copied();
            open.push(nodes.len());
            nodes.push(StartNode {
                start: start.into(),
                shorter,
                places: vec![place],
            });
        }
        Self { nodes }
    }

    fn of(&self, text: &str, places: &mut Vec<Place>) {
        let end = self.nodes.partition_point(|n| *n.start <= *text);
        let mut next = end.checked_sub(1);
        while let Some(node) = next.and_then(|i| self.nodes.get(i)) {
            if text.starts_with(&*node.start) {
                places.extend(&node.places);
            }
            next = node.shorter;
        }
    }
}

#[cfg(test)]
mod tests;
