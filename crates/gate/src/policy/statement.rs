//! One compiled statement and whether it matches a request.
//!
//! Invariants: a statement matches if its action, resource and every condition match; nothing in
//! here knows other statements or what a match leads to. A request about facts is about all that begin
//! with its prefix, so a deny of some of them matches it.

use super::{
    Facts,
    condition::Condition,
    name::{ActionPattern, Arn, ResourcePattern},
    principals::Principals,
    starts::{Finder, Starting},
};

/// What the ARNs of facts begin with.
const FACTS: &str = "arn:craton:graph:";

/// What a matching statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The request may be allowed.
    Allow,
    /// The request is refused whatever else matches.
    Deny,
}

/// A compiled statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) actions: Choice<ActionPattern>,
    /// `None` only in trust policies and other resource policies without the element.
    pub(super) resources: Option<Choice<ResourcePattern>>,
    pub(super) principals: Option<Principals>,
    pub(super) conditions: Vec<Condition>,
}

/// The values of an element, or of its `Not…` form.
#[derive(Debug, Clone)]
pub(super) struct Choice<T> {
    pub(super) negated: bool,
    pub(super) values: Vec<T>,
    /// Whether what a value fits hangs on the request's context.
    dynamic: bool,
    finder: Finder,
}

impl<T> Choice<T> {
    /// `fits` is asked about those values alone that `text` may fit.
    fn accepts(&self, text: &str, fits: impl FnMut(&T) -> bool) -> bool {
        self.finder.any(&self.values, text, fits) != self.negated
    }
}

impl<T: Starting> Choice<T> {
    /// Of patterns.
    pub(super) fn new(negated: bool, values: Vec<T>) -> Self {
        Self {
            negated,
            dynamic: values.iter().any(T::is_dynamic),
            finder: Finder::new(&values),
            values,
        }
    }
}

/// Who a statement of a resource policy is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// `"*"` or `{"AWS": "*"}`: everyone, anonymous too.
    Everyone,
    /// `AWS`: an account, user, role or session.
    Aws(String),
    /// `Federated`: an identity provider.
    Federated(String),
    /// `Service`: a service.
    Service(String),
    /// `CanonicalUser`: S3's older id of an account.
    CanonicalUser(String),
}

/// A request with its names taken apart, once for all statements.
pub(super) struct Target<'a> {
    /// Service and action, in lower case.
    pub(super) name: &'a str,
    /// In lower case.
    pub(super) service: &'a str,
    /// In lower case.
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    /// `None` where the resource is `*`.
    pub(super) arn: Option<Arn<'a>>,
    pub(super) context: &'a dyn Facts,
}

impl Target<'_> {
    /// Whether it is about the facts of a graph that begin with a prefix.
    pub(super) fn is_about_facts(&self) -> bool {
        self.resource.starts_with(FACTS)
    }
}

impl Statement {
    pub(super) fn matches(&self, target: &Target<'_>) -> bool {
        self.matches_action(target)
            && self.matches_resource(target)
            && self.conditions.iter().all(|c| c.holds(target.context))
    }

    fn matches_action(&self, target: &Target<'_>) -> bool {
        let fits = |a: &ActionPattern| a.matches(target.service, target.action);
        self.actions.accepts(target.name, fits)
    }

    fn matches_resource(&self, target: &Target<'_>) -> bool {
        let Some(resources) = &self.resources else {
            return true;
        };
        // An entry whose variable has no value matches no resource. For `NotResource` that would
        // widen an allow to everything, so there the statement does not apply; a deny stays wide.
        let cannot_tell = resources.negated
            && self.effect == Effect::Allow
            && resources.dynamic
            && resources.values.iter().any(|p| !p.has_value(target.context));
        let (arn, context) = (target.arn.as_ref(), target.context);
        if self.effect == Effect::Deny && !resources.negated && target.is_about_facts() {
            return resources.values.iter().any(|p| p.matches_beyond(arn, context));
        }
        !cannot_tell && resources.accepts(target.resource, |p| p.matches(arn, context))
    }
}
