//! Whether what a policy would allow is among what somebody is allowed: nobody can grant what they lack.
//!
//! The answer is conservative: "yes" is certain, "no" may be wrong where two policies say the same in different
//! words. A statement is covered if, in every layer of the holder (own policies, boundary, each session's), one
//! statement allows at least its actions on at least its resources under no more conditions, and no statement denies
//! anything near.
//!
//! Deliberately absent: who must be asked, and when (`crate::identities`).

use super::{
    Effect, Policy, PolicySet,
    name::{ActionPattern, ResourcePattern},
    set::Layer,
    statement::{Choice, Statement},
};

impl PolicySet {
    /// Whether everything that `policy` may allow is allowed by this set; the error names the statement that is not.
    ///
    /// # Errors
    /// The place of the first statement that is not covered.
    pub fn covers(&self, policy: &Policy) -> Result<(), String> {
        for (index, statement) in policy.statements.iter().enumerate() {
            let granted = statement.effect == Effect::Allow;
            if granted && !self.layers().all(|layer| covers(layer, statement)) {
                let sid = statement.sid.clone().unwrap_or_else(|| index.to_string());
                return Err(format!("{}[{sid}]", policy.name));
            }
        }
        Ok(())
    }
}

impl Policy {
    /// Whether a statement of it denies: taking it away may give somebody more.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.statements.iter().any(|s| s.effect == Effect::Deny)
    }
}

fn covers(layer: &Layer, wanted: &Statement) -> bool {
    let statements = || layer.policies().iter().flat_map(|p| &p.statements);
    let denied = statements().any(|s| s.effect == Effect::Deny && may_meet(s, wanted));
    !denied && statements().any(|s| s.effect == Effect::Allow && is_within(wanted, s))
}

/// Whether `inner` allows nothing that `outer` does not.
fn is_within(inner: &Statement, outer: &Statement) -> bool {
    let conditions = outer
        .conditions
        .iter()
        .all(|c| !c.is_about_caller() && inner.conditions.iter().any(|own| own.is(c)));
    conditions
        && choice_within(&inner.actions, &outer.actions, action_within, is_all_actions)
        && match (&inner.resources, &outer.resources) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(outer)) => choice_within(inner, outer, resource_within, |r| {
                matches!(r, ResourcePattern::All)
            }),
        }
}

fn choice_within<T>(
    inner: &Choice<T>,
    outer: &Choice<T>,
    within: impl Fn(&T, &T) -> bool,
    is_all: impl Fn(&T) -> bool,
) -> bool {
    if outer.negated {
        return false;
    }
    if inner.negated {
        return outer.values.iter().any(is_all);
    }
    inner
        .values
        .iter()
        .all(|i| outer.values.iter().any(|o| within(i, o)))
}

fn is_all_actions(action: &ActionPattern) -> bool {
    matches!(action, ActionPattern::All)
}

fn action_within(inner: &ActionPattern, outer: &ActionPattern) -> bool {
    match (inner, outer) {
        (_, ActionPattern::All) => true,
        (ActionPattern::All, ActionPattern::Named { .. }) => false,
        (
            ActionPattern::Named { service, text, .. },
            ActionPattern::Named {
                service: allowed,
                text: pattern,
                ..
            },
        ) => (allowed.is_none() || service == allowed) && is_text_within(text, pattern),
    }
}

fn resource_within(inner: &ResourcePattern, outer: &ResourcePattern) -> bool {
    match (inner, outer) {
        (_, ResourcePattern::All) => true,
        (ResourcePattern::All, ResourcePattern::Arn(_)) => false,
        (ResourcePattern::Arn(inner), ResourcePattern::Arn(outer)) => {
            let mut pairs = inner.texts().zip(outer.texts());
            pairs.all(|(inner, outer)| is_text_within(inner, outer))
        }
    }
}

/// Whether every text that fits `inner` fits `outer`. A variable in `inner` may stand for anything; one in `outer`
/// stands for something else with somebody else, so it covers nothing.
fn is_text_within(inner: &str, outer: &str) -> bool {
    if outer.contains("${") {
        return false;
    }
    let inner: Vec<char> = widened(inner).chars().collect();
    let outer: Vec<char> = outer.chars().collect();
    // The usual matching of wildcards, with the wildcards of the inner pattern as characters: only a `*` takes a `*`.
    let (mut i, mut o) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while let Some(&symbol) = inner.get(i) {
        match outer.get(o) {
            Some('*') => {
                again = Some((i, o));
                o += 1;
            }
            Some(&c) if c == symbol || (c == '?' && symbol != '*') => {
                i += 1;
                o += 1;
            }
            _ => {
                let Some((from, star)) = again else { return false };
                again = Some((from + 1, star));
                (i, o) = (from + 1, star + 1);
            }
        }
    }
    outer.iter().skip(o).all(|c| *c == '*')
}

/// With `*` for each variable.
fn widened(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

/// Whether two statements may be about one request. Wrong only towards "yes".
fn may_meet(a: &Statement, b: &Statement) -> bool {
    let actions = a.actions.negated
        || b.actions.negated
        || a.actions
            .values
            .iter()
            .any(|x| b.actions.values.iter().any(|y| actions_meet(x, y)));
    let resources = match (&a.resources, &b.resources) {
        (Some(a), Some(b)) if !a.negated && !b.negated => a
            .values
            .iter()
            .any(|x| b.values.iter().any(|y| resources_meet(x, y))),
        _ => true,
    };
    actions && resources
}

fn actions_meet(a: &ActionPattern, b: &ActionPattern) -> bool {
    match (a, b) {
        (
            ActionPattern::Named {
                service: x, text: s, ..
            },
            ActionPattern::Named {
                service: y, text: t, ..
            },
        ) => (x.is_none() || y.is_none() || x == y) && texts_meet(s, t),
        _ => true,
    }
}

fn resources_meet(a: &ResourcePattern, b: &ResourcePattern) -> bool {
    match (a, b) {
        (ResourcePattern::Arn(a), ResourcePattern::Arn(b)) => {
            a.texts().zip(b.texts()).all(|(a, b)| texts_meet(a, b))
        }
        _ => true,
    }
}

/// By what stands before the first wildcard and after the last one.
fn texts_meet(a: &str, b: &str) -> bool {
    let (a, b) = (widened(a), widened(b));
    let wild = |c: char| c == '*' || c == '?';
    let (start_a, start_b) = (
        a.split(wild).next().unwrap_or_default(),
        b.split(wild).next().unwrap_or_default(),
    );
    if start_a.len() == a.len() && start_b.len() == b.len() {
        return a == b;
    }
    let (end_a, end_b) = (
        a.rsplit(wild).next().unwrap_or_default(),
        b.rsplit(wild).next().unwrap_or_default(),
    );
    (start_a.starts_with(start_b) || start_b.starts_with(start_a))
        && (end_a.ends_with(end_b) || end_b.ends_with(end_a))
}

#[cfg(test)]
mod tests;
