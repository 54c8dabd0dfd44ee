//! All policies that are in force, found by their scopes.
//!
//! The index: resource → principal → action, each step a look-up of what the policy's scope names there (an entity, a
//! type, or nothing). A question walks only the entries of the entities that it is about, so that policies about others
//! cost nothing. What it yields is evaluated in full: the index never decides.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::Arc,
};

use cedar_policy::{ActionConstraint, EntityTypeName, EntityUid, PrincipalConstraint, ResourceConstraint};

use crate::{
    document::{Document, Rule},
    language::Language,
    needs::Needs,
};

/// The place of a policy: its document's, its own.
pub(crate) type Place = (u32, u32);

/// Documents in force.
#[derive(Default)]
pub struct Rules {
    documents: Vec<Arc<Document>>,
    index: Step<Step<Actions>>,
    /// Prefixes of keys that any policy names.
    prefixes: HashSet<String>,
    /// Prefixes of facts that any policy names.
    graph_prefixes: BTreeSet<String>,
    /// Columns that any policy names.
    columns: BTreeSet<String>,
    needs: Needs,
}

/// What a scope names at one step.
enum Named {
    Any,
    Type(EntityTypeName),
    Entity(EntityUid),
}

/// Entries by what a scope names.
struct Step<T> {
    any: T,
    types: HashMap<EntityTypeName, T>,
    entities: HashMap<EntityUid, T>,
}

/// Policies by the action, or group of actions, that they name.
#[derive(Default)]
struct Actions {
    any: Vec<Place>,
    named: HashMap<EntityUid, Vec<Place>>,
}

impl<T: Default> Default for Step<T> {
    fn default() -> Self {
        Self {
            any: T::default(),
            types: HashMap::new(),
            entities: HashMap::new(),
        }
    }
}

impl<T: Default> Step<T> {
    fn entry(&mut self, named: Named) -> &mut T {
        match named {
            Named::Any => &mut self.any,
            Named::Type(name) => self.types.entry(name).or_default(),
            Named::Entity(uid) => self.entities.entry(uid).or_default(),
        }
    }

    /// The entries for an entity of a type that lies in others.
    fn of<'a>(&'a self, entity: &'a EntityUid, above: &'a [EntityUid]) -> impl Iterator<Item = &'a T> {
        let by_type = self.types.get(entity.type_name());
        let around = std::iter::once(entity).chain(above);
        let by_entity = around
            .filter(|_| !self.entities.is_empty())
            .filter_map(|uid| self.entities.get(uid));
        std::iter::once(&self.any).chain(by_type).chain(by_entity)
    }
}

/// What a question is about, as entities.
pub(crate) struct Scope<'a> {
    pub(crate) principal: &'a EntityUid,
    pub(crate) principal_in: &'a [EntityUid],
    pub(crate) action: &'a EntityUid,
    pub(crate) action_in: &'a [EntityUid],
    pub(crate) resource: &'a EntityUid,
    pub(crate) resource_in: &'a [EntityUid],
}

impl Rules {
    /// Puts documents in force together.
    #[must_use]
    pub fn new(language: &Language, documents: Vec<Arc<Document>>) -> Self {
        let mut rules = Self::default();
        for (d, document) in (0..).zip(&documents) {
            for (r, rule) in (0..).zip(&document.rules) {
                rules.add(language, rule, (d, r));
            }
        }
        rules.documents = documents;
        rules
    }

    fn add(&mut self, language: &Language, rule: &Rule, place: Place) {
        let step = self.index.entry(resource(&rule.policy.resource_constraint()));
        let step = step.entry(principal(&rule.policy.principal_constraint()));
        match rule.policy.action_constraint() {
            ActionConstraint::Any => step.any.push(place),
            ActionConstraint::Eq(uid) => step.named.entry(uid).or_default().push(place),
            ActionConstraint::In(uids) => {
                for uid in uids {
                    step.named.entry(uid).or_default().push(place);
                }
            }
        }
        for named in &rule.named {
            let id = || named.id().unescaped().to_owned();
            if named.type_name() == &language.types.prefix {
                self.prefixes.insert(id());
            } else if named.type_name() == &language.types.graph_prefix {
                self.graph_prefixes.insert(id());
            } else if named.type_name() == &language.types.column {
                self.columns.insert(id());
            }
        }
        self.needs.join(&rule.needs);
    }

    /// The documents.
    #[must_use]
    pub fn documents(&self) -> &[Arc<Document>] {
        &self.documents
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.documents.iter().map(|d| d.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// What any of them may look at.
    #[must_use]
    pub const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The prefixes of keys that policies name: `bucket/path/`.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }

    /// The prefixes of facts that policies name in a bucket: `graph/(edge chr1 `.
    pub fn graph_prefixes_in<'a>(&'a self, bucket: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.graph_prefixes.iter();
        all.filter_map(move |id| id.strip_prefix(bucket)?.strip_prefix('/'))
    }

    /// Whether a policy names this prefix of keys.
    pub(crate) fn names_prefix(&self, id: &str) -> bool {
        self.prefixes.contains(id)
    }

    /// Whether policies name any prefix of keys.
    pub(crate) fn names_prefixes(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// The prefixes of facts that policies name and that begin with `id`.
    pub(crate) fn graph_prefixes_under<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        under(&self.graph_prefixes, id)
    }

    /// The columns that policies name and that begin with `table`, which ends with a slash.
    pub(crate) fn columns_under<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a str> {
        under(&self.columns, table)
    }

    /// Whether a policy names this prefix of facts.
    pub(crate) fn names_graph_prefix(&self, id: &str) -> bool {
        self.graph_prefixes.contains(id)
    }

    /// The policies whose scope may match, each once, in order.
    pub(crate) fn candidates(&self, scope: &Scope<'_>) -> Vec<Place> {
        let mut places = Vec::new();
        for by_principal in self.index.of(scope.resource, scope.resource_in) {
            for actions in by_principal.of(scope.principal, scope.principal_in) {
                places.extend(&actions.any);
                if actions.named.is_empty() {
                    continue;
                }
                for action in std::iter::once(scope.action).chain(scope.action_in) {
                    places.extend(actions.named.get(action).into_iter().flatten());
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    pub(crate) fn rule(&self, (document, rule): Place) -> Option<&Rule> {
        let document = self.documents.get(usize::try_from(document).ok()?)?;
        document.rules.get(usize::try_from(rule).ok()?)
    }
}

fn under<'a>(all: &'a BTreeSet<String>, start: &'a str) -> impl Iterator<Item = &'a str> {
    let from = all.range::<str, _>((Bound::Included(start), Bound::Unbounded));
    from.map(String::as_str).take_while(move |p| p.starts_with(start))
}

fn resource(constraint: &ResourceConstraint) -> Named {
    match constraint {
        ResourceConstraint::Any => Named::Any,
        ResourceConstraint::Is(name) => Named::Type(name.clone()),
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            Named::Entity(uid.clone())
        }
    }
}

fn principal(constraint: &PrincipalConstraint) -> Named {
    match constraint {
        PrincipalConstraint::Any => Named::Any,
        PrincipalConstraint::Is(name) => Named::Type(name.clone()),
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) | PrincipalConstraint::IsIn(_, uid) => {
            Named::Entity(uid.clone())
        }
    }
}

#[cfg(test)]
mod tests;
