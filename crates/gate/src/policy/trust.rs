//! A role's trust policy: who may become the role.
//!
//! Invariants: without a statement of the trust policy that allows, nobody becomes the role, whatever its own
//! policies allow; a trust in the account leaves it to the users' own policies; a deny on either side wins.
//!
//! Deliberately absent: what the role may do; sessions.
//!
//! Source: AWS IAM User Guide, "Roles terms and concepts", "How IAM roles differ from resource-based policies".

use craton_base::Result;

use super::{
    Caller, Effect, Guarded, Limits, PolicySet, Principal, Request, ResourcePolicy,
    decision::{Decision, with_target},
    principals::Principals,
};

/// A compiled trust policy.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    policy: ResourcePolicy,
}

/// Who wants to become a role.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// A user or a role's session, with its policies.
    Known {
        /// Who it is.
        caller: Caller<'a>,
        /// What it may do.
        policies: &'a PolicySet,
    },
    /// Somebody whom an identity provider vouches for, by the provider's ARN.
    Federated(&'a str),
}

impl TrustPolicy {
    /// Parses a trust policy: every statement names principals and actions of `sts`, none a resource.
    ///
    /// # Errors
    /// `Invalid`, `MalformedPolicyDocument`; `TooLarge`, `LimitExceeded`.
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self> {
        let policy = ResourcePolicy::parse(json, limits)?;
        policy.check_trust().map_err(|complaint| {
            craton_base::Error::new(craton_base::Kind::Invalid, "MalformedPolicyDocument", complaint)
        })?;
        Ok(Self { policy })
    }

    /// Whether `asker` may do what `request` says: `sts:AssumeRole` and the like on the role.
    #[must_use]
    pub fn decide<'p>(&'p self, asker: Asker<'p>, request: &Request<'_>) -> Decision<'p> {
        match asker {
            Asker::Known { caller, policies } => {
                let decision = policies.decide_about(request, Some(guarded(&self.policy, caller)));
                if decision.allowed && !self.trusts(&caller, request) {
                    return Decision::implicit_deny();
                }
                decision
            }
            Asker::Federated(provider) => {
                let found = with_target(request, |target| {
                    let is_about = |principals: &Principals| principals.is_about_provider(provider);
                    self.policy.find_for(target, is_about)
                });
                found.map_or_else(Decision::implicit_deny, super::decision::Found::into_decision)
            }
        }
    }

    /// Whether a statement allows the caller, or leaves it to the account's own policies.
    fn trusts(&self, caller: &Caller<'_>, request: &Request<'_>) -> bool {
        let root = caller.account_root();
        let by = |caller: Caller<'_>| -> bool {
            let found = with_target(request, |target| self.policy.find(target, &caller, false).found);
            found.is_some_and(|found| !found.allows.is_empty())
        };
        by(*caller) || root.is_some_and(by)
    }

    /// Whom it allows something: each principal of its `Allow` statements.
    pub fn trusted(&self) -> impl Iterator<Item = &Principal> {
        self.policy
            .principals()
            .filter(|(effect, ..)| *effect == Effect::Allow)
            .flat_map(|(_, _, principals)| principals)
    }
}

fn guarded<'a>(policy: &'a ResourcePolicy, caller: Caller<'a>) -> Guarded<'a> {
    Guarded {
        policy,
        caller,
        shut_public: false,
        shut_anonymous: false,
    }
}

#[cfg(test)]
mod tests;
