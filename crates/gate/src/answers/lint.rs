//! Looks a policy over: what it names that does not exist, what of it never counts, what it gives that is easily regretted.
//!
//! Sound where it says that something never counts: a pattern covers another only if every text of the other matches
//! it too. What it does not find may still be wrong.

use craton_base::Result;
use craton_guard::actions::{self, About, Level};
use serde_json::Value;

use crate::policy::{Limits, Policy, ResourcePolicy};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The statement: its `Sid`, or its place as `[0]`.
    pub statement: String,
    /// What kind of finding, one word with dashes.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

struct Statement {
    name: String,
    allows: bool,
    actions: Vec<String>,
    not_actions: bool,
    resources: Vec<String>,
    not_resources: bool,
    conditional: bool,
    everyone: bool,
    principals: Option<String>,
}

/// Looks over an identity policy, or a bucket's, told apart by whether statements have principals.
///
/// # Errors
/// `MalformedPolicyDocument`, as when it is put.
pub fn check(document: &[u8]) -> Result<Vec<Finding>> {
    let value: Value = serde_json::from_slice(document).unwrap_or_default();
    let statements = statements(&value);
    match statements.iter().any(|s| s.principals.is_some()) {
        true => ResourcePolicy::parse(document, &Limits::default()).map(drop)?,
        false => Policy::parse(document, &Limits::default()).map(drop)?,
    }
    let mut found = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        statement.check_actions(&mut found);
        statement.check_reach(&mut found);
        statement.check_covered(index, &statements, &mut found);
    }
    Ok(found)
}

/// The statements that allow something, as decisions name them in a policy.
#[must_use]
pub fn grants(document: &[u8]) -> Vec<String> {
    let value: Value = serde_json::from_slice(document).unwrap_or_default();
    let all = statements(&value).into_iter();
    all.filter(|s| s.allows).map(|s| s.name).collect()
}

fn statements(document: &Value) -> Vec<Statement> {
    let list: Vec<&Value> = match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    list.into_iter()
        .enumerate()
        .map(|(n, s)| Statement::of(n, s))
        .collect()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Statement {
    fn of(index: usize, value: &Value) -> Self {
        let either = |name: &str, not: &str| match value.get(not) {
            Some(found) => (texts(Some(found)), true),
            None => (texts(value.get(name)), false),
        };
        let (actions, not_actions) = either("Action", "NotAction");
        let (resources, not_resources) = either("Resource", "NotResource");
        let sid = value.get("Sid").and_then(Value::as_str).filter(|s| !s.is_empty());
        let principal = value.get("Principal");
        let everyone = principal.is_some_and(|p| p == "*" || p.get("AWS").is_some_and(|a| a == "*"));
        Self {
            name: sid.map_or_else(|| format!("[{index}]"), |sid| format!("#{sid}")),
            allows: value.get("Effect").is_some_and(|e| e == "Allow"),
            actions,
            not_actions,
            resources,
            not_resources,
            conditional: value.get("Condition").is_some(),
            everyone,
            principals: principal
                .or_else(|| value.get("NotPrincipal"))
                .map(ToString::to_string),
        }
    }

    fn finding(&self, code: &'static str, message: String) -> Finding {
        Finding {
            statement: self.name.clone(),
            code,
            message,
        }
    }

    fn check_actions(&self, found: &mut Vec<Finding>) {
        for pattern in &self.actions {
            if actions::all().any(|a| matches(pattern, a.name)) || pattern == "*" {
                continue;
            }
            let near = nearest(pattern).map_or_else(String::new, |near| format!(": is {near} meant?"));
            let text = format!("no action of this system is {pattern}{near}");
            found.push(self.finding("unknown-action", text));
        }
        if self.allows && self.not_actions {
            let text = "allows every action but those named, also those to come".to_owned();
            found.push(self.finding("allow-not-action", text));
        }
    }

    /// What the statement gives, and whether it can give anything.
    fn check_reach(&self, found: &mut Vec<Finding>) {
        let named: Vec<_> = actions::all().filter(|a| self.names(a.name)).collect();
        let everything = self.not_resources || self.resources.iter().any(|r| r == "*");
        if self.allows && !self.conditional && everything {
            let sensitive: Vec<&str> = named
                .iter()
                .filter(|a| a.level == Level::Permissions)
                .map(|a| a.name)
                .take(SHOWN)
                .collect();
            if !sensitive.is_empty() {
                let text = format!(
                    "allows changing permissions on everything: {} …",
                    sensitive.join(", ")
                );
                found.push(self.finding("sensitive-wildcard", text));
            }
        }
        if self.allows && self.everyone && !self.conditional {
            let text = "is for everyone, without credentials too, and has no condition".to_owned();
            found.push(self.finding("public", text));
        }
        if self.not_actions || self.not_resources || self.resources.is_empty() || named.is_empty() {
            return;
        }
        let fits = |about: About| match about {
            About::Service => self.resources.iter().any(|r| matches(r, "arn:aws:s3:::*")),
            About::Bucket => self.resources.iter().any(|r| can_name_bucket(r)),
            About::Object => self.resources.iter().any(|r| can_name_object(r)),
            About::Graph => self
                .resources
                .iter()
                .any(|r| may_begin(r, "arn:craton:graph:") || can_name_bucket(r)),
            About::Table => self.resources.iter().any(|r| may_begin(r, "arn:aws:s3tables:")),
            About::System => self.resources.iter().any(|r| !r.starts_with("arn:aws:s3:::")),
        };
        if !named.iter().any(|a| fits(a.about)) {
            let text = "never counts: none of its actions is about any of its resources".to_owned();
            found.push(self.finding("unreachable", text));
        }
    }

    /// Whether another statement makes this one needless.
    fn check_covered(&self, index: usize, all: &[Self], found: &mut Vec<Finding>) {
        for (other_index, other) in all.iter().enumerate() {
            if other_index == index || !other.covers(self) {
                continue;
            }
            if self.allows && !other.allows {
                let text = format!("never counts: {} denies all of it", other.name);
                found.push(self.finding("unreachable", text));
                return;
            }
            // Of two that cover each other, the later one is needless.
            if self.allows == other.allows && (other_index < index || !self.covers(other)) {
                let text = format!("adds nothing to {}", other.name);
                found.push(self.finding("redundant", text));
                return;
            }
        }
    }

    fn names(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, action)) != self.not_actions
    }

    /// Whether it holds for every request that `other` holds for.
    fn covers(&self, other: &Self) -> bool {
        let plain = |s: &Self| !s.not_actions && !s.not_resources;
        let within = |wide: &[String], narrow: &[String], fold: bool| {
            narrow.iter().all(|n| wide.iter().any(|w| covers(w, n, fold)))
        };
        let conditional = self.conditional && !other.conditional;
        plain(self)
            && plain(other)
            && !conditional
            && !self.conditional
            && (self.principals == other.principals || self.everyone)
            && within(&self.actions, &other.actions, true)
            && within(&self.resources, &other.resources, false)
    }
}

/// How many actions a finding shows.
const SHOWN: usize = 3;

/// Whether a pattern with `*` and `?` matches an action, without case.
fn matches(pattern: &str, text: &str) -> bool {
    covers(pattern, text, true)
}

/// Whether every text that `narrow` matches is matched by `wide`: a wildcard of `narrow` is a character that only a `*` of
/// `wide` takes (and a `?` of it, if it is one).
pub(super) fn covers(wide: &str, narrow: &str, fold: bool) -> bool {
    let fold_case = |text: &str| match fold {
        true => text.to_ascii_lowercase(),
        false => text.to_owned(),
    };
    let (wide, narrow) = (fold_case(wide), fold_case(narrow));
    let (wide, narrow): (Vec<char>, Vec<char>) = (wide.chars().collect(), narrow.chars().collect());
    // The classic walk with one place to go back to: linear in both but for what `*` takes.
    let (mut w, mut n, mut back) = (0, 0, None);
    while let Some(character) = narrow.get(n) {
        let takes = match wide.get(w) {
            Some('*') => {
                back = Some((w, n));
                w = w.saturating_add(1);
                continue;
            }
            Some('?') => *character != '*',
            Some(c) => c == character && *character != '*',
            None => false,
        };
        match (takes, back) {
            (true, _) => (w, n) = (w.saturating_add(1), n.saturating_add(1)),
            (false, Some((star, from))) => {
                let from: usize = from;
                let next = from.saturating_add(1);
                back = Some((star, next));
                (w, n) = (usize::saturating_add(star, 1), next);
            }
            (false, None) => return false,
        }
    }
    wide.get(w..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

/// Whether the text that a pattern begins with agrees with `start` as far as both go.
fn may_begin(pattern: &str, start: &str) -> bool {
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    literal.starts_with(start) || start.starts_with(literal)
}

fn can_name_bucket(pattern: &str) -> bool {
    let rest = pattern.strip_prefix("arn:aws:s3:::");
    rest.map_or_else(
        || may_begin(pattern, "arn:aws:s3:::"),
        |rest| !rest.contains('/') || rest.split('/').next().is_some_and(|b| b.contains('*')),
    )
}

fn can_name_object(pattern: &str) -> bool {
    let rest = pattern.strip_prefix("arn:aws:s3:::");
    rest.map_or_else(
        || may_begin(pattern, "arn:aws:s3:::"),
        |rest| rest.contains('/') || rest.contains('*'),
    )
}

/// The known action that is spelled most alike, if one is nearly so.
fn nearest(pattern: &str) -> Option<&'static str> {
    let wanted = pattern.to_ascii_lowercase();
    let scored = actions::all().map(|a| (distance(&wanted, &a.name.to_ascii_lowercase()), a.name));
    scored.min().filter(|(d, _)| *d <= 3).map(|(_, name)| name)
}

/// How many letters are to be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(x != *y);
            let least = (diagonal.saturating_add(cost))
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            diagonal = *above;
            left = least;
            next.push(least);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
