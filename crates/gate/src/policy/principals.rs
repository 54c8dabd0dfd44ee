//! Whom a statement of a resource policy names, found by look-ups, so that a long list costs what a short one does.
//!
//! Deliberately absent: what a statement that is about a caller leads to ([`super::resource`]).

use super::{Caller, Effect, Principal};

/// By which name a statement is about a caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum By {
    Role,
    Principal,
    Session,
}

/// The values of a `Principal` element, or of `NotPrincipal`.
#[derive(Debug, Clone)]
pub(super) struct Principals {
    pub(super) negated: bool,
    /// In order, each once.
    values: Vec<Principal>,
    /// Accounts that are named as a whole, in order.
    accounts: Vec<String>,
}

impl Principals {
    pub(super) fn new(negated: bool, mut values: Vec<Principal>) -> Self {
        values.sort_unstable();
        values.dedup();
        let named = values.iter().filter_map(|principal| match principal {
            Principal::Aws(name) => account_of(name).map(str::to_owned),
            _ => None,
        });
        let mut accounts: Vec<String> = named.collect();
        accounts.sort_unstable();
        accounts.dedup();
        Self {
            negated,
            values,
            accounts,
        }
    }

    pub(super) fn values(&self) -> &[Principal] {
        &self.values
    }

    /// Whether an identity provider is one that it is about.
    pub(super) fn is_about_provider(&self, provider: &str) -> bool {
        self.has(&Name::Federated(provider)) != self.negated
    }

    /// Whether it names everyone, or everyone but some.
    pub(super) fn names_everyone(&self) -> bool {
        self.negated || self.has(&Name::Everyone)
    }

    /// Whether it is about `caller`, and by which name.
    pub(super) fn about(&self, caller: &Caller<'_>, effect: Effect) -> Option<By> {
        // An allow for the account leaves its users to their own policies; an exception for it means them all.
        let delegates = effect == Effect::Allow && !self.negated;
        let named = self.named(caller, delegates);
        match self.negated {
            true => named.is_none().then_some(By::Principal),
            false => named,
        }
    }

    fn named(&self, caller: &Caller<'_>, delegates: bool) -> Option<By> {
        let is_own = matches!(caller, Caller::User { .. } | Caller::Role { .. });
        let account = caller.account().filter(|_| !(delegates && is_own));
        let by_account = account.is_some_and(|account| {
            let found = self
                .accounts
                .binary_search_by(|known| known.as_str().cmp(account));
            found.is_ok()
        });
        let by_id = || caller.id().is_some_and(|id| self.has(&Name::CanonicalUser(id)));
        let as_principal = || by_account || self.has(&Name::Everyone) || by_id();
        let arn = |arn| self.has(&Name::Aws(arn)) && account_of(arn).is_none();
        match caller {
            Caller::Role { session, .. } if arn(session) => Some(By::Session),
            Caller::User { arn: user, .. } if arn(user) => Some(By::Principal),
            _ if as_principal() => Some(By::Principal),
            Caller::Role { role, .. } if arn(role) => Some(By::Role),
            _ => None,
        }
    }

    fn has(&self, name: &Name<'_>) -> bool {
        self.values.binary_search_by(|p| Name::of(p).cmp(name)).is_ok()
    }
}

/// A principal without its text's memory, in the same order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Everyone,
    Aws(&'a str),
    Federated(&'a str),
    Service(&'a str),
    CanonicalUser(&'a str),
}

impl<'a> Name<'a> {
    fn of(principal: &'a Principal) -> Self {
        match principal {
            Principal::Everyone => Self::Everyone,
            Principal::Aws(name) => Self::Aws(name),
            Principal::Federated(name) => Self::Federated(name),
            Principal::Service(name) => Self::Service(name),
            Principal::CanonicalUser(name) => Self::CanonicalUser(name),
        }
    }
}

/// The account that an `AWS` principal names as a whole: by its number or its root's ARN.
pub(super) fn account_of(name: &str) -> Option<&str> {
    let account = name
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.strip_suffix(":root"))
        .unwrap_or(name);
    is_account(account).then_some(account)
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
