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
    Effect, Limits, Policy, Principal, bucket_actions,
    decision::Found,
    parse::{self, Place},
    set::Layer,
    statement::{Choice, Statement, Target},
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
}

impl<'a> Caller<'a> {
    /// The id that is shown as an owner's.
    #[must_use]
    pub const fn id(&self) -> Option<&'a str> {
        match self {
            Self::Anonymous => None,
            Self::Root { id, .. } | Self::User { id, .. } => Some(id),
        }
    }

    const fn account(&self) -> Option<&'a str> {
        match self {
            Self::Anonymous => None,
            Self::Root { account, .. } | Self::User { account, .. } => Some(account),
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
        self.layer.policies().iter().any(|p| p.asks_for_tags)
    }

    fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.layer.policies().iter().flat_map(|p| &p.statements)
    }

    /// The principals of each statement: its effect, whether the element is `NotPrincipal`, and
    /// whom it names.
    pub fn principals(&self) -> impl Iterator<Item = (Effect, bool, &[Principal])> {
        self.statements().filter_map(|s| {
            let choice = s.principals.as_ref()?;
            Some((s.effect, choice.negated, choice.values.as_slice()))
        })
    }

    /// Whether it grants access to the public, as S3 means it: an `Allow` for everyone that no condition ties
    /// to fixed callers or places.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.public
    }

    /// What is wrong with it as the policy of the bucket with this ARN, in S3's words.
    ///
    /// # Errors
    /// The complaint: a principal, action or resource that can not be of this bucket.
    pub fn check_bucket(&self, bucket_arn: &str) -> Result<(), &'static str> {
        for statement in self.statements() {
            let principals = statement.principals.iter().flat_map(|c| &c.values);
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
        }
        Ok(())
    }

    /// The statements that are about `caller` and match.
    pub(super) fn find(&self, target: &Target<'_>, caller: &Caller<'_>) -> Found {
        self.layer
            .find_where(target, |statement| is_about(statement, caller))
    }
}

fn is_about(statement: &Statement, caller: &Caller<'_>) -> bool {
    let Some(choice) = &statement.principals else {
        return false;
    };
    // An allow for the account leaves its users to their own policies; an exception for it means them all.
    let delegates = statement.effect == Effect::Allow && !choice.negated;
    choice.values.iter().any(|p| names(p, caller, delegates)) != choice.negated
}

fn names(principal: &Principal, caller: &Caller<'_>, delegates: bool) -> bool {
    match (principal, caller) {
        (Principal::Everyone, _) => true,
        (Principal::Aws(name), caller) => match account_of(name) {
            Some(account) => {
                caller.account() == Some(account) && !(delegates && matches!(caller, Caller::User { .. }))
            }
            None => matches!(caller, Caller::User { arn, .. } if name == arn),
        },
        (Principal::CanonicalUser(id), caller) => caller.id() == Some(id.as_str()),
        (Principal::Federated(_) | Principal::Service(_), _) => false,
    }
}

/// The account that an `AWS` principal names as a whole: by its number or its root's ARN.
fn account_of(name: &str) -> Option<&str> {
    let account = name
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.strip_suffix(":root"))
        .unwrap_or(name);
    is_account(account).then_some(account)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a principal can be one: an account, or an ARN of a user, role or session without wildcards.
fn is_valid(principal: &Principal) -> bool {
    let Principal::Aws(name) = principal else {
        return true;
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
        && statement.principals.as_ref().is_some_and(names_everyone)
        && !statement
            .conditions
            .iter()
            .any(super::condition::Condition::narrows)
}

fn names_everyone(choice: &Choice<Principal>) -> bool {
    choice.negated || choice.values.contains(&Principal::Everyone)
}

#[cfg(test)]
mod tests;
