//! The language of guard policies: the schema, its validator, and the names of types and actions, made once.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema, Validator};
use craton_base::{Error, Kind, Result};

use crate::{
    actions::{self, Action, Level},
    schema::{self, SERVICES},
};

/// An action as Cedar knows it.
pub(crate) struct KnownAction {
    pub(crate) uid: EntityUid,
    /// The groups that it is in.
    pub(crate) groups: Vec<EntityUid>,
}

/// The names of types, parsed once.
pub(crate) struct Types {
    pub(crate) action: EntityTypeName,
    pub(crate) user: EntityTypeName,
    pub(crate) role: EntityTypeName,
    pub(crate) agent: EntityTypeName,
    pub(crate) session: EntityTypeName,
    pub(crate) group: EntityTypeName,
    pub(crate) service: EntityTypeName,
    pub(crate) bucket: EntityTypeName,
    pub(crate) prefix: EntityTypeName,
    pub(crate) object: EntityTypeName,
    pub(crate) namespace: EntityTypeName,
    pub(crate) table: EntityTypeName,
    pub(crate) column: EntityTypeName,
    pub(crate) graph: EntityTypeName,
    pub(crate) graph_prefix: EntityTypeName,
    pub(crate) system: EntityTypeName,
}

/// What guard policies can say.
pub struct Language {
    text: String,
    pub(crate) validator: Validator,
    pub(crate) types: Types,
    actions: HashMap<String, KnownAction>,
    every_group: Vec<EntityUid>,
}

impl Language {
    /// The language of all actions that there are.
    ///
    /// # Errors
    /// `Internal` if the schema is not well-formed: a fault of ours.
    pub fn new() -> Result<Self> {
        let text = schema::text(actions::all());
        let (schema, _warnings) = Schema::from_cedarschema_str(&text)
            .map_err(|e| Error::internal("the schema of guard policies is not well-formed").with_source(e))?;
        let types = Types::new()?;
        let group = |name: &str| uid(&types.action, name);
        let known = |action: Action| {
            let entry = KnownAction {
                uid: uid(&types.action, action.name),
                groups: vec![group(action.level.as_str()), group(action.service())],
            };
            (action.name.to_owned(), entry)
        };
        let levels = Level::ALL.into_iter().map(Level::as_str);
        let every_group = levels.chain(SERVICES).map(group).collect();
        let actions = actions::all().map(known).collect();
        Ok(Self {
            validator: Validator::new(schema),
            text,
            types,
            actions,
            every_group,
        })
    }

    /// The schema, in Cedar's schema language.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.text
    }

    /// An action, and the groups that it is in. One that the schema lacks is in every group, so that a policy about a
    /// group is never gone round by an action that someone forgot to list.
    pub(crate) fn action(&self, name: &str) -> (EntityUid, &[EntityUid]) {
        match self.actions.get(name) {
            Some(known) => (known.uid.clone(), &known.groups),
            None => (uid(&self.types.action, name), &self.every_group),
        }
    }
}

impl Types {
    fn new() -> Result<Self> {
        let name = |text: &str| -> Result<EntityTypeName> {
            text.parse().map_err(|_| {
                Error::new(
                    Kind::Internal,
                    "GuardSchema",
                    format!("{text} is not a name of a type"),
                )
            })
        };
        Ok(Self {
            action: name("Action")?,
            user: name("User")?,
            role: name("Role")?,
            agent: name("Agent")?,
            session: name("Session")?,
            group: name("Group")?,
            service: name("Service")?,
            bucket: name("Bucket")?,
            prefix: name("Prefix")?,
            object: name("Object")?,
            namespace: name("Namespace")?,
            table: name("Table")?,
            column: name("Column")?,
            graph: name("Graph")?,
            graph_prefix: name("GraphPrefix")?,
            system: name("System")?,
        })
    }
}

pub(crate) fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

/// An entity that only lies in others.
pub(crate) fn bare(uid: EntityUid, parents: &[EntityUid]) -> Entity {
    Entity::new_no_attrs(uid, parents.iter().cloned().collect::<HashSet<_>>())
}
