//! From a JSON document to compiled statements: the grammar of the IAM JSON policy language
//! (AWS IAM User Guide, "Grammar of the IAM JSON policy language") and its limits.
//!
//! Every error names the element by its JSON path and what was expected there. Unknown and
//! duplicate elements are errors, as are values that an operator could never compare (a rule
//! that silently never matches is worse than one that is refused).

use std::collections::BTreeSet;

use craton_base::{Error, Kind, Result};

use super::{
    Limits,
    condition::{Condition, Operator},
    json::{At, Node},
    name::{ActionPattern, ResourcePattern},
    principals::Principals,
    starts::Starting,
    statement::{Choice, Effect, Principal, Statement},
};

/// Where a policy will be attached; decides which elements it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Identity,
    Resource,
}

/// A parsed document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) id: Option<String>,
    pub(super) statements: Vec<Statement>,
}

struct Parser<'l> {
    place: Place,
    limits: &'l Limits,
    /// Variables exist only since version 2012-10-17.
    variables: bool,
}

pub(super) fn document(json: &[u8], place: Place, limits: &Limits) -> Result<Document> {
    if json.len() > limits.document_bytes {
        let message = format!(
            "policy: {} bytes, expected at most {}",
            json.len(),
            limits.document_bytes
        );
        return Err(Error::new(Kind::TooLarge, "LimitExceeded", message));
    }
    let node: Node = serde_json::from_slice(json)
        .map_err(|e| malformed(&At::Document, format!("expected a JSON document: {e}")))?;
    let at = At::Document;
    let members = object(&node, &at, &["Version", "Id", "Statement"])?;
    let parser = Parser {
        place,
        limits,
        variables: version(members)?,
    };
    let id = member(members, "Id")
        .map(|id| text(id, &at.member("Id")).map(str::to_owned))
        .transpose()?;
    let statements = parser.statements(required(members, "Statement", &at)?)?;
    Ok(Document { id, statements })
}

/// Whether the version knows variables. A policy without `Version` is of 2008-10-17.
fn version(members: &[(String, Node)]) -> Result<bool> {
    let Some(node) = member(members, "Version") else {
        return Ok(false);
    };
    let at = At::Document.member("Version");
    match text(node, &at)? {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        _ => Err(malformed(&at, "expected \"2012-10-17\" or \"2008-10-17\"")),
    }
}

const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Parser<'_> {
    fn statements(&self, node: &Node) -> Result<Vec<Statement>> {
        let at = At::Document.member("Statement");
        let list = match node {
            Node::Object(_) => return Ok(vec![self.statement(node, &at)?]),
            Node::List(list) if !list.is_empty() => list,
            Node::List(_) => return Err(malformed(&at, "expected at least one statement")),
            other => return Err(wrong_kind(&at, "an object or an array of objects", other)),
        };
        self.limit(list.len(), self.limits.statements, "statements", &at)?;
        let mut sids = BTreeSet::new();
        let mut statements = Vec::with_capacity(list.len());
        for (index, node) in list.iter().enumerate() {
            let at = at.item(index);
            let statement = self.statement(node, &at)?;
            if let Some(sid) = statement.sid.clone()
                && !sids.insert(sid)
            {
                return Err(malformed(
                    &at.member("Sid"),
                    "expected a Sid that no other statement has",
                ));
            }
            statements.push(statement);
        }
        Ok(statements)
    }

    fn statement(&self, node: &Node, at: &At<'_>) -> Result<Statement> {
        let members = object(node, at, &STATEMENT_ELEMENTS)?;
        let sid = member(members, "Sid")
            .map(|n| self.sid(n, &at.member("Sid")))
            .transpose()?;
        let effect_at = at.member("Effect");
        let effect = match text(required(members, "Effect", at)?, &effect_at)? {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => return Err(malformed(&effect_at, "expected \"Allow\" or \"Deny\"")),
        };
        let actions = self.choice(members, ["Action", "NotAction"], at, ActionPattern::parse)?;
        let variables = self.variables;
        let resources = self.choice(members, ["Resource", "NotResource"], at, |text| {
            ResourcePattern::parse(text, variables)
        })?;
        if resources.is_none() && self.place == Place::Identity {
            return Err(malformed(at, "expected Resource or NotResource"));
        }
        let conditions = match member(members, "Condition") {
            Some(node) => self.conditions(node, &at.member("Condition"))?,
            None => Vec::new(),
        };
        Ok(Statement {
            sid: sid.filter(|s| !s.is_empty()),
            effect,
            actions: actions.ok_or_else(|| malformed(at, "expected Action or NotAction"))?,
            resources,
            principals: self.principals(members, at)?,
            conditions,
        })
    }

    fn sid(&self, node: &Node, at: &At<'_>) -> Result<String> {
        let sid = text(node, at)?;
        // Bucket policies written by hand have spaces in their Sids; S3 accepts them.
        let space = self.place == Place::Resource;
        let good = |b: u8| b.is_ascii_alphanumeric() || (space && b" -_".contains(&b));
        if !sid.bytes().all(good) {
            return Err(malformed(at, "expected letters and digits only"));
        }
        self.limit(sid.len(), self.limits.sid_bytes, "characters", at)?;
        Ok(sid.to_owned())
    }

    /// One element or its `Not…` form: a string or a list of strings, each compiled.
    fn choice<T: Starting>(
        &self,
        members: &[(String, Node)],
        [plain, negated]: [&str; 2],
        at: &At<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Choice<T>>> {
        let (name, node, negated) = match (member(members, plain), member(members, negated)) {
            (Some(_), Some(_)) => {
                return Err(malformed(
                    at,
                    format!("expected only one of {plain} and {negated}"),
                ));
            }
            (Some(node), None) => (plain, node, false),
            (None, Some(node)) => (negated, node, true),
            (None, None) => return Ok(None),
        };
        let at = at.member(name);
        let values = self.texts(node, &at, |text, at| {
            self.pattern_limits(text, at)?;
            parse(text).map_err(|e| malformed(at, e))
        })?;
        Ok(Some(Choice::new(negated, values)))
    }

    /// A string, or a list of at least one.
    fn texts<T>(
        &self,
        node: &Node,
        at: &At<'_>,
        parse: impl Fn(&str, &At<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let list = match node {
            Node::Text(text) => return Ok(vec![parse(text, at)?]),
            Node::List(list) if !list.is_empty() => list,
            Node::List(_) => return Err(malformed(at, "expected at least one value")),
            other => return Err(wrong_kind(at, "a string or an array of strings", other)),
        };
        self.limit(list.len(), self.limits.values, "values", at)?;
        list.iter()
            .enumerate()
            .map(|(index, node)| {
                let at = at.item(index);
                parse(text(node, &at)?, &at)
            })
            .collect()
    }

    fn principals(&self, members: &[(String, Node)], at: &At<'_>) -> Result<Option<Principals>> {
        let names = ["Principal", "NotPrincipal"];
        if self.place == Place::Identity {
            return match names.iter().find(|n| member(members, n).is_some()) {
                Some(name) => {
                    let message = "not allowed in an identity policy; expected only in a resource policy";
                    Err(malformed(&at.member(name), message))
                }
                None => Ok(None),
            };
        }
        let (name, node, negated) = match (member(members, "Principal"), member(members, "NotPrincipal")) {
            (Some(node), None) => ("Principal", node, false),
            (None, Some(node)) => ("NotPrincipal", node, true),
            _ => return Err(malformed(at, "expected one of Principal and NotPrincipal")),
        };
        let values = self.principal(node, &at.member(name))?;
        Ok(Some(Principals::new(negated, values)))
    }

    fn principal(&self, node: &Node, at: &At<'_>) -> Result<Vec<Principal>> {
        if let Node::Text(text) = node {
            return match text.as_str() {
                "*" => Ok(vec![Principal::Everyone]),
                _ => Err(malformed(at, "expected \"*\" or an object such as {\"AWS\": …}")),
            };
        }
        let kinds = object(node, at, &["AWS", "Federated", "Service", "CanonicalUser"])?;
        let mut principals = Vec::new();
        for (kind, node) in kinds {
            let at = at.member(kind);
            principals.extend(self.texts(node, &at, |text, at| {
                self.pattern_limits(text, at)?;
                Ok(match (kind.as_str(), text) {
                    ("AWS", "*") => Principal::Everyone,
                    ("AWS", name) => Principal::Aws(name.to_owned()),
                    ("Federated", name) => Principal::Federated(name.to_owned()),
                    ("Service", name) => Principal::Service(name.to_owned()),
                    (_, name) => Principal::CanonicalUser(name.to_owned()),
                })
            })?);
        }
        if principals.is_empty() {
            return Err(malformed(at, "expected at least one principal"));
        }
        Ok(principals)
    }

    fn conditions(&self, node: &Node, at: &At<'_>) -> Result<Vec<Condition>> {
        let Node::Object(operators) = node else {
            return Err(wrong_kind(at, "an object of operators", node));
        };
        no_duplicates(operators, at)?;
        let mut conditions = Vec::new();
        for (name, node) in operators {
            let at = at.member(name);
            let operator = Operator::parse(name).map_err(|e| malformed(&at, e))?;
            let Node::Object(keys) = node else {
                return Err(wrong_kind(&at, "an object of condition keys", node));
            };
            no_duplicates(keys, &at)?;
            for (key, node) in keys {
                conditions.push(self.condition(operator, key, node, &at.member(key))?);
            }
        }
        self.limit(conditions.len(), self.limits.conditions, "condition keys", at)?;
        Ok(conditions)
    }

    fn condition(&self, operator: Operator, key: &str, node: &Node, at: &At<'_>) -> Result<Condition> {
        let prefixed = key
            .split_once(':')
            .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if !prefixed {
            return Err(malformed(at, "expected a condition key such as \"aws:SourceIp\""));
        }
        let (list, is_list) = match node {
            Node::List(list) => (list.as_slice(), true),
            one => (std::slice::from_ref(one), false),
        };
        if list.is_empty() {
            return Err(malformed(at, "expected at least one value"));
        }
        self.limit(list.len(), self.limits.values, "values", at)?;
        let mut values = Vec::with_capacity(list.len());
        for (index, node) in list.iter().enumerate() {
            let item = at.item(index);
            let at = if is_list { &item } else { at };
            let value = scalar(node, at)?;
            self.pattern_limits(&value, at)?;
            values.push(value);
        }
        Condition::parse(operator, key, &values, self.variables).map_err(|(index, message)| {
            let item = at.item(index);
            malformed(if is_list { &item } else { at }, message)
        })
    }

    fn pattern_limits(&self, text: &str, at: &At<'_>) -> Result<()> {
        self.limit(text.len(), self.limits.value_bytes, "bytes", at)?;
        let wildcards = text.bytes().filter(|b| b"*?".contains(b)).count();
        self.limit(wildcards, self.limits.wildcards, "wildcards", at)
    }

    fn limit(&self, count: usize, most: usize, what: &str, at: &At<'_>) -> Result<()> {
        if count > most {
            let message = format!("{at}: {count} {what}, expected at most {most}");
            return Err(Error::new(Kind::TooLarge, "LimitExceeded", message));
        }
        Ok(())
    }
}

fn malformed(at: &At<'_>, message: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Invalid,
        "MalformedPolicyDocument",
        format!("{at}: {message}"),
    )
}

fn wrong_kind(at: &At<'_>, expected: &str, found: &Node) -> Error {
    malformed(at, format!("expected {expected}, found {}", found.kind()))
}

fn member<'n>(members: &'n [(String, Node)], name: &str) -> Option<&'n Node> {
    members.iter().find(|(n, _)| n == name).map(|(_, node)| node)
}

fn required<'n>(members: &'n [(String, Node)], name: &str, at: &At<'_>) -> Result<&'n Node> {
    member(members, name).ok_or_else(|| malformed(at, format!("expected {name}")))
}

fn text<'n>(node: &'n Node, at: &At<'_>) -> Result<&'n str> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(wrong_kind(at, "a string", other)),
    }
}

/// A condition's value: numbers and booleans may be written without quotes.
fn scalar(node: &Node, at: &At<'_>) -> Result<String> {
    match node {
        Node::Text(text) | Node::Number(text) => Ok(text.clone()),
        Node::Bool(value) => Ok(value.to_string()),
        other => Err(wrong_kind(at, "a string, a number or a boolean", other)),
    }
}

/// An object with none but the known members, each at most once.
fn object<'n>(node: &'n Node, at: &At<'_>, known: &[&str]) -> Result<&'n [(String, Node)]> {
    let Node::Object(members) = node else {
        return Err(wrong_kind(at, "an object", node));
    };
    no_duplicates(members, at)?;
    if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        let message = format!("not an element here; expected one of {}", known.join(", "));
        return Err(malformed(&at.member(name), message));
    }
    Ok(members)
}

/// Names are compared without case: `aws:SourceIp` and `aws:sourceip` are one key.
fn no_duplicates(members: &[(String, Node)], at: &At<'_>) -> Result<()> {
    let mut seen = BTreeSet::new();
    match members.iter().find(|(name, _)| !seen.insert(name.to_lowercase())) {
        Some((name, _)) => Err(malformed(&at.member(name), "expected only once")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
