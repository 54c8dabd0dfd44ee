//! One document of guard policies: parsed, checked, and each policy with what it looks at.
//!
//! Invariants: every policy of a document is a `forbid` without slots; a document is checked against the schema before
//! it is stored, and parsed the same way when it is loaded again.

use std::{collections::BTreeSet, sync::OnceLock};

use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, ValidationMode};
use craton_base::{Error, GraphName, Kind, Result, path::FactPath};

use crate::{language::Language, needs::Needs, rows::Leaves};

/// The longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 512 << 10;

/// The most policies of all documents together.
pub const POLICIES_MAX: usize = 100_000;

/// A document of guard policies.
pub struct Document {
    name: String,
    pub(crate) rules: Vec<Rule>,
    warnings: Vec<String>,
}

/// One policy of it.
pub(crate) struct Rule {
    /// `document#id`, with the `@id` that the policy has or its place.
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) needs: Needs,
    /// Entities that it names.
    pub(crate) named: Vec<EntityUid>,
    /// What `@rows` or `@mask` leaves.
    pub(crate) leaves: Option<Leaves>,
    /// What `@advice` says to who is refused.
    pub(crate) advice: Option<String>,
    /// It alone, made when it is first evaluated.
    alone: OnceLock<Option<PolicySet>>,
}

impl Document {
    /// Parses a document and checks it against the schema, as it must be to be stored.
    ///
    /// # Errors
    /// `Invalid`, `MalformedPolicyDocument`, with everything that is wrong; `TooLarge`, `LimitExceeded`.
    pub fn check(language: &Language, name: &str, text: &str) -> Result<Self> {
        let set = parse(text)?;
        let result = language.validator.validate(&set, ValidationMode::Strict);
        let wrong: Vec<String> = result
            .validation_errors()
            .take(WRONG_MAX)
            .map(ToString::to_string)
            .collect();
        if !wrong.is_empty() {
            return Err(malformed(wrong.join("; ")));
        }
        let warnings = result.validation_warnings().map(ToString::to_string).collect();
        let mut document = Self::of_set(name, &set)?;
        document.warnings = warnings;
        for rule in &document.rules {
            for named in &rule.named {
                check_id(language, named)?;
            }
        }
        document.warn_of_errors();
        Ok(document)
    }

    /// Parses a document that was checked when it was stored.
    ///
    /// # Errors
    /// As [`Document::check`], without the schema.
    pub fn load(name: &str, text: &str) -> Result<Self> {
        Self::of_set(name, &parse(text)?)
    }

    fn of_set(name: &str, set: &PolicySet) -> Result<Self> {
        if set.templates().next().is_some() {
            return Err(malformed("a guard policy has no slots".to_owned()));
        }
        let mut policies: Vec<&Policy> = set.policies().collect();
        // Cedar numbers them `policy0`, `policy1`, …: the order of the text.
        policies.sort_by_key(|p| place(p.id()));
        if policies.is_empty() {
            return Err(malformed("the document has no policy".to_owned()));
        }
        let mut seen = BTreeSet::new();
        let mut rules = Vec::with_capacity(policies.len());
        for (index, policy) in policies.into_iter().enumerate() {
            let rule = Rule::new(name, index, policy)?;
            if !seen.insert(rule.name.clone()) {
                return Err(malformed(format!("two policies have the id {}", rule.name)));
            }
            rules.push(rule);
        }
        Ok(Self {
            name: name.to_owned(),
            rules,
            warnings: Vec::new(),
        })
    }

    /// Says which policies can fail to evaluate, which then forbid.
    fn warn_of_errors(&mut self) {
        for rule in &self.rules {
            let text = rule.policy.to_string();
            if ["+", "-", "*", ".offset(", ".durationSince("]
                .iter()
                .any(|op| computes(&text, op))
            {
                self.warnings.push(format!(
                    "{} computes: if that overflows, the policy forbids",
                    rule.name
                ));
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many policies it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none, which no stored document is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names of its policies, as decisions show them.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|r| r.name.as_str())
    }

    /// The entities that its policies name, each with the policy's name: type, then id.
    pub fn names(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.rules.iter().flat_map(|rule| {
            let entity = |uid: &'_ EntityUid| uid.type_name().to_string();
            rule.named
                .iter()
                .map(move |uid| (&*rule.name, entity(uid), uid.id().unescaped()))
        })
    }

    /// What is allowed and perhaps not meant.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The most errors that are told at once.
const WRONG_MAX: usize = 8;

impl Rule {
    fn new(document: &str, index: usize, policy: &Policy) -> Result<Self> {
        let id = policy
            .annotation("id")
            .map_or_else(|| index.to_string(), str::to_owned);
        let name = format!("{document}#{id}");
        if policy.effect() != Effect::Forbid {
            let text = format!("{name} is a permit: a guard policy only forbids (`forbid … unless {{ … }}`)");
            return Err(malformed(text));
        }
        if id.len() > ID_BYTES_MAX || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let text = format!("the id {id:?} is not one word of at most {ID_BYTES_MAX} bytes");
            return Err(malformed(text));
        }
        let json = policy.to_json().map_err(|e| malformed(format!("{name}: {e}")))?;
        let leaves = Leaves::of(policy.annotation("rows"), policy.annotation("mask"));
        Ok(Self {
            leaves: leaves.map_err(|e| malformed(format!("{name}: {}", e.message())))?,
            needs: Needs::of(&json),
            named: policy.entity_literals(),
            advice: policy.annotation("advice").map(str::to_owned),
            policy: policy.clone(),
            alone: OnceLock::new(),
            name,
        })
    }

    /// It alone, to be evaluated; `None` if Cedar refuses that, which then counts as an error.
    pub(crate) fn alone(&self) -> Option<&PolicySet> {
        let made = self
            .alone
            .get_or_init(|| PolicySet::from_policies([self.policy.clone()]).ok());
        made.as_ref()
    }
}

/// The longest `@id`, in bytes.
const ID_BYTES_MAX: usize = 128;

fn parse(text: &str) -> Result<PolicySet> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let text = format!("a document of guard policies has at most {DOCUMENT_BYTES_MAX} bytes");
        return Err(Error::new(Kind::TooLarge, "LimitExceeded", text));
    }
    text.parse::<PolicySet>().map_err(|errors| {
        let all: Vec<String> = errors.iter().take(WRONG_MAX).map(ToString::to_string).collect();
        malformed(all.join("; "))
    })
}

/// The number in `policy12`.
fn place(id: &PolicyId) -> usize {
    let text: &str = id.as_ref();
    text.strip_prefix("policy")
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX)
}

/// Refuses ids that no entity has, which a policy would wait for in vain.
fn check_id(language: &Language, named: &EntityUid) -> Result<()> {
    let types = &language.types;
    let id: &str = named.id().unescaped();
    let is = |name| named.type_name() == name;
    if is(&types.prefix) && !(id.ends_with('/') && id.trim_end_matches('/').contains('/')) {
        return Err(malformed(format!(
            "{named}: a prefix is BUCKET/PATH/ with a slash at the end"
        )));
    }
    if is(&types.object) && !id.contains('/') {
        return Err(malformed(format!("{named}: an object is BUCKET/KEY")));
    }
    let parts = id.split('/');
    let is_named = parts.clone().all(|part| !part.is_empty());
    for (of, parts_wanted, what) in [
        (&types.namespace, 2, "a namespace is BUCKET/NAMESPACE"),
        (&types.table, 3, "a table is BUCKET/NAMESPACE/TABLE"),
    ] {
        if is(of) && !(parts.clone().count() == parts_wanted && is_named) {
            return Err(malformed(format!("{named}: {what}")));
        }
    }
    if is(&types.column) && parts.count() < 4 {
        return Err(malformed(format!(
            "{named}: a column is BUCKET/NAMESPACE/TABLE/COLUMN"
        )));
    }
    if is(&types.graph) && id.matches('/').count() != 1 {
        return Err(malformed(format!("{named}: a graph is BUCKET/GRAPH")));
    }
    if is(&types.graph_prefix) && fact_path(id).is_none() {
        return Err(malformed(format!(
            "{named}: facts are BUCKET/GRAPH/(whole items with a space after each "
        )));
    }
    Ok(())
}

/// The path of `bucket/graph/prefix`.
fn fact_path(id: &str) -> Option<FactPath> {
    let mut parts = id.splitn(3, '/');
    let (_bucket, graph, prefix) = (parts.next()?, parts.next()?, parts.next()?);
    let graph = GraphName::new(graph).ok()?;
    FactPath::new(graph, prefix)
        .ok()
        .filter(|p| !p.prefix().is_empty())
}

/// Whether an operator stands in a policy's text outside of quotes.
fn computes(text: &str, operator: &str) -> bool {
    let outside = text.split('"').step_by(2);
    outside.into_iter().any(|part| part.contains(operator))
}

fn malformed(text: String) -> Error {
    Error::new(Kind::Invalid, "MalformedPolicyDocument", text)
}

#[cfg(test)]
mod tests;
