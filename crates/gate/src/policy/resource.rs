//! Policies of a resource: a bucket's, whose statements name whom they are about.
//!
//! Invariants: a statement counts only for callers that its principals name; the account as principal of an
//! `Allow` gives the account's users nothing by itself (their own policies decide), but a `Deny` of the
//! account is about all of them; nobody without credentials is of the account.
//!
//! `NotPrincipal` is about every caller that no entry names; an entry for the account names all its users.
//!
//! Source: AWS IAM User Guide, "AWS JSON policy elements: Principal", "Policy evaluation logic"; Amazon S3 User
//! Guide, "Blocking public access", "The meaning of public".

use std::sync::Arc;

use craton_base::Result;

use super::{
    Effect, Limits, Policy, Principal, bucket_actions, bucket_keys, complaint,
    decision::Found,
    parse::{self, Place},
    principals::{By, Principals, account_of, is_account},
    set::Layer,
    statement::{Statement, Target},
};

/// The name that decisions show for statements of a bucket policy.
const NAME: &str = "bucket-policy";

/// Who asks, as the policy of a resource in `account` names callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller<'a> {
    /// Nobody: no credentials.
    Anonymous,
    /// The account itself.
    Root {
        /// The account's number.
        account: &'a str,
        /// The id that is shown as an owner's.
        id: &'a str,
    },
    /// A user of the account.
    User {
        /// The account's number.
        account: &'a str,
        /// The user's ARN.
        arn: &'a str,
        /// The id that is shown as an owner's.
        id: &'a str,
    },
    /// A session of a role of the account.
    Role {
        /// The account's number.
        account: &'a str,
        /// The role's ARN.
        role: &'a str,
        /// The session's ARN.
        session: &'a str,
        /// The id that is shown as an owner's.
        id: &'a str,
    },
}

/// What of a resource's policy is about a caller and matches, and whom it allows.
#[derive(Default)]
pub(super) struct Granted<'p> {
    pub(super) found: Found<'p>,
    /// The session by its own ARN: nothing but a deny limits that.
    pub(super) to_session: bool,
    /// The user by its ARN, or everyone: session policies limit that, a boundary does not.
    pub(super) to_principal: bool,
    /// The role by its ARN: session policies and the boundary limit that.
    pub(super) to_role: bool,
}

impl Granted<'_> {
    /// What is allowed does not count.
    pub(super) fn shut(&mut self) {
        self.found.allows.clear();
        (self.to_session, self.to_principal, self.to_role) = (false, false, false);
    }

    /// Whether something is allowed to a caller by this name.
    const fn by(&mut self, by: By) -> &mut bool {
        match by {
            By::Session => &mut self.to_session,
            By::Principal => &mut self.to_principal,
            By::Role => &mut self.to_role,
        }
    }
}

impl<'a> Caller<'a> {
    /// The id that is shown as an owner's.
    #[must_use]
    pub const fn id(&self) -> Option<&'a str> {
        match self {
            Self::Anonymous => None,
            Self::Root { id, .. } | Self::User { id, .. } | Self::Role { id, .. } => Some(id),
        }
    }

    /// The account itself, whose users this one is among.
    pub(super) const fn account_root(&self) -> Option<Self> {
        match self {
            Self::User { account, .. } | Self::Role { account, .. } => Some(Self::Root { account, id: "" }),
            Self::Anonymous | Self::Root { .. } => None,
        }
    }

    pub(super) const fn account(&self) -> Option<&'a str> {
        match self {
            Self::Anonymous => None,
            Self::Root { account, .. } | Self::User { account, .. } | Self::Role { account, .. } => {
                Some(account)
            }
        }
    }
}

/// A compiled policy of a resource.
#[derive(Debug, Clone)]
pub struct ResourcePolicy {
    layer: Layer,
    public: bool,
}

impl ResourcePolicy {
    /// Parses a resource policy: every statement names principals, `Resource` may be absent.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    pub fn parse(json: &[u8], limits: &Limits) -> Result<Self> {
        let document = parse::document(json, Place::Resource, limits)?;
        let public = document.statements.iter().any(is_public);
        let policy = Policy {
            name: NAME.to_owned(),
            id: document.id,
            statements: document.statements,
            asks_for_tags: super::asks_for_tags(json),
        };
        Ok(Self {
            layer: Layer::new(vec![Arc::new(policy)]),
            public,
        })
    }

    /// Whether it may ask about the tags that an object has.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        self.layer.asks_for_tags
    }

    /// The resources of a service (`s3`, `graph`) that it names, as written after `arn:aws:s3:::`.
    pub(crate) fn resources_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        self.layer.policies().iter().flat_map(|p| p.resources_of(service))
    }

    fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.layer.policies().iter().flat_map(|p| &p.statements)
    }

    /// The principals of each statement: its effect, whether the element is `NotPrincipal`, and
    /// whom it names.
    pub fn principals(&self) -> impl Iterator<Item = (Effect, bool, &[Principal])> {
        self.statements().filter_map(|s| {
            let choice = s.principals.as_ref()?;
            Some((s.effect, choice.negated, choice.values()))
        })
    }

    /// Whether it grants access to the public, as S3 means it: an `Allow` for everyone that no condition ties
    /// to fixed callers or places.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.public
    }

    /// Parses the policy of the bucket with this ARN.
    ///
    /// # Errors
    /// `MalformedPolicy`, in S3's words, and where it is.
    pub fn of_bucket(json: &[u8], limits: &Limits, bucket_arn: &str) -> Result<Self> {
        let policy = Self::parse(json, limits).map_err(|error| complaint::of_bucket(&error))?;
        match policy.check_bucket(bucket_arn) {
            Ok(()) => Ok(policy),
            Err(words) => Err(complaint::malformed(words.to_owned())),
        }
    }

    /// What is wrong with it as the policy of the bucket with this ARN, in S3's words.
    ///
    /// # Errors
    /// The complaint: a principal, action, resource or condition key that can not be of this bucket.
    pub fn check_bucket(&self, bucket_arn: &str) -> Result<(), &'static str> {
        for statement in self.statements() {
            let principals = statement.principals.iter().flat_map(|p| p.values());
            if !principals.into_iter().all(is_valid) {
                return Err("Invalid principal in policy");
            }
            let Some(resources) = &statement.resources else {
                return Err("Missing required field Resource");
            };
            let actions = &statement.actions;
            bucket_actions::check(&actions.values, actions.negated, &resources.values)?;
            if !resources.values.iter().all(|r| r.can_name(bucket_arn)) {
                return Err("Policy has invalid resource");
            }
            if !statement
                .conditions
                .iter()
                .all(|c| bucket_keys::is_known(c.key()))
            {
                return Err("Policy has an invalid condition key");
            }
        }
        Ok(())
    }

    /// What is wrong with it as a role's trust policy, in AWS's words.
    ///
    /// # Errors
    /// The complaint.
    pub(super) fn check_trust(&self) -> Result<(), &'static str> {
        for statement in self.statements() {
            if statement.resources.is_some() {
                return Err("Has prohibited field Resource");
            }
            let principals = statement.principals.iter().flat_map(|p| p.values());
            if !principals.into_iter().all(is_valid) {
                return Err("Invalid principal in policy");
            }
            let of_sts = |a: &super::name::ActionPattern| {
                !matches!(a, super::name::ActionPattern::All) && a.is_for_service("sts")
            };
            if statement.actions.negated || !statement.actions.values.iter().all(of_sts) {
                return Err("AssumeRole policy may only specify STS AssumeRole actions.");
            }
        }
        Ok(())
    }

    /// The statements whose principals `counts` is true for and that match.
    pub(super) fn find_for(&self, target: &Target<'_>, counts: impl Fn(&Principals) -> bool) -> Found<'_> {
        let all = self.layer.candidates(target);
        let about = all.filter(|c| c.statement.principals.as_ref().is_some_and(&counts));
        Found::collect(about, target)
    }

    /// The statements that are about `caller` and match. `bounded`: whether the caller has a permissions boundary,
    /// which makes it one of those whom a `Deny` with `NotPrincipal` is always about.
    pub(super) fn find(&self, target: &Target<'_>, caller: &Caller<'_>, bounded: bool) -> Granted<'_> {
        let mut granted = Granted::default();
        for candidate in self.layer.candidates(target) {
            let statement = candidate.statement;
            let about = about(statement, caller);
            match (statement.effect, about) {
                (Effect::Allow, Some(by)) => {
                    let is_first = !*granted.by(by);
                    if granted.found.add(candidate, target, is_first) {
                        *granted.by(by) = true;
                    }
                }
                (Effect::Deny, _) if about.is_some() || (bounded && excepts(statement)) => {
                    granted.found.add(candidate, target, false);
                }
                _ => {}
            }
        }
        granted
    }
}

/// Whether a statement is about everyone but those whom it names.
fn excepts(statement: &Statement) -> bool {
    statement.principals.as_ref().is_some_and(|choice| choice.negated)
}

/// Whether a statement is about `caller`, and by which name.
fn about(statement: &Statement, caller: &Caller<'_>) -> Option<By> {
    statement.principals.as_ref()?.about(caller, statement.effect)
}

/// Whether a principal can be one: an account, or an ARN of a user, role or session without wildcards.
fn is_valid(principal: &Principal) -> bool {
    let name = match principal {
        Principal::Aws(name) => name,
        Principal::Service(name) => return name.ends_with(".amazonaws.com"),
        Principal::Everyone | Principal::Federated(_) | Principal::CanonicalUser(_) => return true,
    };
    if account_of(name).is_some() {
        return true;
    }
    let mut parts = name.splitn(6, ':');
    let head = [parts.next(), parts.next()];
    let service = parts.next();
    let (region, account, resource) = (parts.next(), parts.next(), parts.next());
    head == [Some("arn"), Some("aws")]
        && matches!(service, Some("iam" | "sts"))
        && region == Some("")
        && account.is_some_and(is_account)
        && resource.is_some_and(|r| r.contains('/') && !r.contains(['*', '?']))
}

fn is_public(statement: &Statement) -> bool {
    statement.effect == Effect::Allow
        && statement
            .principals
            .as_ref()
            .is_some_and(Principals::names_everyone)
        && !statement
            .conditions
            .iter()
            .any(super::condition::Condition::narrows)
}

#[cfg(test)]
mod tests;
