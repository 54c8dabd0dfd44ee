//! All policies that apply to one principal, indexed so that a decision costs what the statements
//! that could match cost, not what all of them cost.
//!
//! The index: service → action name → resource. Under each action, statements are found by the
//! literal text with which their resource patterns start. Statements that name no single action
//! are kept under their service, or under none; so are those that name so many actions and resources that
//! all pairs would take more memory than a few entries for each. Everything that the index leaves out cannot
//! match; what it yields is evaluated in full, so the index never decides.

use std::{collections::HashMap, sync::Arc};

use super::{
    Caller, Decision, Policy, Request, ResourcePolicy, StatementRef,
    decision::{Candidate, Found, with_target},
    name::ActionPattern,
    resource::Granted,
    starts::Starts,
    statement::{Statement, Target},
};

/// Entries of the index for each action and resource of a statement, at most; more, and the statement is found by its
/// resources alone.
const ENTRIES_PER_VALUE: usize = 8;

/// The policies of one principal, by what they are for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PolicySet {
    identity: Arc<Layer>,
    boundary: Option<Arc<Layer>>,
    sessions: Vec<Arc<Layer>>,
}

impl PolicySet {
    /// With the principal's identity policies, its groups' among them.
    #[must_use]
    pub fn new(identity: Vec<Arc<Policy>>) -> Self {
        Self {
            identity: Arc::new(Layer::new(identity)),
            boundary: None,
            sessions: Vec::new(),
        }
    }

    /// With a permissions boundary: what it does not allow is refused.
    #[must_use]
    pub fn with_boundary(mut self, policy: Arc<Policy>) -> Self {
        self.boundary = Some(Arc::new(Layer::new(vec![policy])));
        self
    }

    /// With session policies: what they do not allow is refused. An empty list refuses all. Said again, for a
    /// session made from a session, both must allow.
    #[must_use]
    pub fn with_session(mut self, policies: Vec<Arc<Policy>>) -> Self {
        self.sessions.push(Arc::new(Layer::new(policies)));
        self
    }

    /// Every kind of policies, each of which must allow: the principal's own, the boundary, the sessions'.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        let limits = self.boundary.iter().chain(&self.sessions);
        std::iter::once(&self.identity)
            .chain(limits)
            .map(|layer| &**layer)
    }

    /// With another policy wherever there is one of this name, or without that; to be tried. If there is none, it is one
    /// more of the principal's own where `add` says so.
    #[must_use]
    pub(crate) fn replacing(&self, name: &str, policy: Option<&Arc<Policy>>, add: bool) -> Self {
        let has = |layer: &Layer| layer.policies.iter().any(|p| p.name() == name);
        let with = |layer: &Arc<Layer>| {
            let others = layer.policies.iter().filter(|p| p.name() != name);
            Arc::new(Layer::new(others.chain(policy).cloned().collect()))
        };
        let change = |layer: &Arc<Layer>| if has(layer) { with(layer) } else { layer.clone() };
        Self {
            identity: match add && !self.layers().any(has) {
                true => with(&self.identity),
                false => change(&self.identity),
            },
            boundary: self.boundary.as_ref().map(change),
            sessions: self.sessions.iter().map(change).collect(),
        }
    }

    /// The resources of a service (`s3`, `graph`) that its statements name, as written after `arn:aws:s3:::`.
    pub(crate) fn resources_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        self.layers()
            .flat_map(|l| &l.policies)
            .flat_map(|p| p.resources_of(service))
    }

    /// Whether any of them may ask about the tags that an object has.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        self.layers().any(|layer| layer.asks_for_tags)
    }

    /// Decides a request about something that has no policy of its own.
    #[must_use]
    pub fn decide<'p>(&'p self, request: &Request<'_>) -> Decision<'p> {
        self.decide_about(request, None)
    }

    /// Decides a request. A deny anywhere wins. Then the resource's policy allows the very session; or the session
    /// policies allow, and so does the resource's policy the user, or the boundary and either the resource's
    /// policy the role or the identity policies. An allow names the statements of all of them.
    #[must_use]
    pub fn decide_about<'p>(&'p self, request: &Request<'_>, resource: Option<Guarded<'p>>) -> Decision<'p> {
        with_target(request, |target| self.decide_target(target, resource))
            .unwrap_or_else(Decision::implicit_deny)
    }

    fn decide_target<'p>(&'p self, target: &Target<'_>, resource: Option<Guarded<'p>>) -> Decision<'p> {
        let each = self.find(target, resource);
        if each.all().any(|f| !f.denies.is_empty()) {
            Decision::explicit_deny(each.all().flat_map(|f| &f.denies).copied().collect())
        } else if each.allow() {
            Decision::allow(each.all().flat_map(|f| &f.allows).copied().collect())
        } else {
            Decision::implicit_deny()
        }
    }

    fn find<'p>(&'p self, target: &Target<'_>, resource: Option<Guarded<'p>>) -> EachFound<'p> {
        EachFound {
            granted: resource
                .map(|r| r.find(target, self.boundary.is_some()))
                .unwrap_or_default(),
            boundary: self.boundary.as_ref().map(|l| l.find(target)),
            sessions: self.sessions.iter().map(|l| l.find(target)).collect(),
            identity: self.identity.find(target),
        }
    }

    /// The kinds of policies that would have to allow what none of them denies, and do not.
    #[must_use]
    pub(crate) fn lacking(&self, request: &Request<'_>, resource: Option<Guarded<'_>>) -> Vec<&'static str> {
        with_target(request, |target| self.find(target, resource).lacking()).unwrap_or_default()
    }
}

/// What matches in each kind of policies.
struct EachFound<'p> {
    granted: Granted<'p>,
    boundary: Option<Found<'p>>,
    sessions: Vec<Found<'p>>,
    identity: Found<'p>,
}

impl<'p> EachFound<'p> {
    fn is_bounded(&self) -> bool {
        self.boundary.as_ref().is_none_or(Found::allows)
    }

    fn in_session(&self) -> bool {
        self.sessions.iter().all(Found::allows)
    }

    fn by_own(&self) -> bool {
        self.granted.to_role || self.identity.allows()
    }

    /// Whether it is allowed, if nothing denies.
    fn allow(&self) -> bool {
        let granted = &self.granted;
        let by_own = self.is_bounded() && self.by_own();
        granted.to_session || (self.in_session() && (granted.to_principal || by_own))
    }

    fn lacking(&self) -> Vec<&'static str> {
        if self.allow() {
            return Vec::new();
        }
        let granted = self.granted.to_principal;
        let kinds = [
            ("own policies", granted || self.by_own()),
            ("permissions boundary", granted || self.is_bounded()),
            ("session policies", self.in_session()),
        ];
        let lacking = kinds.into_iter().filter(|(_, allow)| !allow);
        lacking.map(|(kind, _)| kind).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Found<'p>> {
        std::iter::once(&self.granted.found)
            .chain(&self.boundary)
            .chain(&self.sessions)
            .chain([&self.identity])
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

impl<'p> Guarded<'p> {
    /// The statements that deny a request.
    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> Vec<StatementRef<'p>> {
        with_target(request, |target| self.find(target, false).found.denies).unwrap_or_default()
    }

    /// `bounded`: whether the caller has a permissions boundary.
    fn find(&self, target: &Target<'_>, bounded: bool) -> Granted<'p> {
        let mut granted = self.policy.find(target, &self.caller, bounded);
        let shut = self.shut_anonymous || (self.shut_public && self.policy.is_public());
        if shut && self.caller == Caller::Anonymous {
            granted.shut();
        }
        granted
    }
}

/// Policies of which one must allow.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    policies: Vec<Arc<Policy>>,
    /// Whether any of them may ask about the tags that an object has.
    pub(super) asks_for_tags: bool,
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
        let index = builder.build();
        Self {
            index,
            asks_for_tags: policies.iter().any(|p| p.asks_for_tags),
            policies,
        }
    }

    pub(super) fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    fn find(&self, target: &Target<'_>) -> Found<'_> {
        Found::collect(self.candidates(target), target)
    }

    /// The statements that may match, in document order.
    pub(super) fn candidates<'p>(
        &'p self,
        target: &Target<'_>,
    ) -> impl Iterator<Item = Candidate<'p>> + use<'p> {
        let mut places = Vec::new();
        self.index.candidates(target, &mut places);
        // Each once: a statement may be found by several of its patterns.
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.candidate(place))
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
    any: Starts<Place>,
}

#[derive(Debug, Clone)]
struct ServiceIndex {
    actions: HashMap<String, Starts<Place>>,
    any: Starts<Place>,
}

impl Index {
    fn candidates(&self, target: &Target<'_>, places: &mut Vec<Place>) {
        let mut add = |starts: &Starts<Place>| {
            places.extend(starts.of(target.resource));
            if target.is_about_facts() {
                places.extend(starts.beyond(target.resource));
            }
        };
        add(&self.any);
        if let Some(service) = self.services.get(target.service) {
            add(&service.any);
            if let Some(starts) = service.actions.get(target.action) {
                add(starts);
            }
        }
    }
}

/// Places, each with the start of a resource.
type Entries<'p> = Vec<(&'p str, Place)>;

#[derive(Default)]
struct IndexBuilder<'p> {
    services: HashMap<&'p str, ServiceBuilder<'p>>,
    any: Entries<'p>,
}

#[derive(Default)]
struct ServiceBuilder<'p> {
    actions: HashMap<&'p str, Entries<'p>>,
    any: Entries<'p>,
}

impl<'p> IndexBuilder<'p> {
    fn add(&mut self, statement: &'p Statement, place: Place) {
        let starts: Vec<&str> = match &statement.resources {
            Some(choice) if !choice.negated => choice.values.iter().map(|r| r.literal()).collect(),
            _ => vec![""],
        };
        let actions = &statement.actions;
        let entries = starts.len().saturating_mul(actions.values.len());
        let values = starts.len().saturating_add(actions.values.len());
        if actions.negated || entries > values.saturating_mul(ENTRIES_PER_VALUE) {
            extend(&mut self.any, &starts, place);
            return;
        }
        for action in &actions.values {
            extend(self.list(action), &starts, place);
        }
    }

    fn list(&mut self, action: &'p ActionPattern) -> &mut Entries<'p> {
        let ActionPattern::Named {
            service: Some(service),
            exact,
            ..
        } = action
        else {
            return &mut self.any;
        };
        let service = self.services.entry(service).or_default();
        match exact {
            Some(name) => service.actions.entry(name).or_default(),
            None => &mut service.any,
        }
    }

    fn build(self) -> Index {
        let services = self.services.into_iter().map(|(name, service)| {
            let actions = service.actions.into_iter();
            let actions = actions.map(|(name, list)| (name.to_owned(), Starts::new(list)));
            let index = ServiceIndex {
                actions: actions.collect(),
                any: Starts::new(service.any),
            };
            (name.to_owned(), index)
        });
        Index {
            services: services.collect(),
            any: Starts::new(self.any),
        }
    }
}

fn extend<'p>(list: &mut Entries<'p>, starts: &[&'p str], place: Place) {
    list.extend(starts.iter().map(|start| (*start, place)));
}

#[cfg(test)]
mod tests;
