//! From entries to principals and identities: everything of one identity is read as of one commit.
//!
//! Invariants
//! - a policy that can not be read gives nothing and takes nothing away silently: the identity does not load;
//! - a session is over when it, a credential it was made from, or one of its actors is.

use std::sync::Arc;

use craton_base::{Error, Result, Sequence, Timestamp};
use craton_store::Store;

use super::{
    ACCOUNT, AccessKeyRecord, ActorRecord, Credential, Directory, EntityRecord, HolderKind, LayerRecord,
    ManagedRecord, ProviderRecord, ROOT, SESSION_PREFIX, SessionRecord, TagRecord, access_key_key,
    entity_arn, holder_key, managed,
    principal::{Actor, Identity, Principal, SessionFacts},
    provider_key, secrets, session_key,
};
use crate::{
    budgets::BudgetOf,
    policy::{Limits, Policy, PolicySet},
    session::PrincipalKind,
};

/// Reads at one commit.
pub(super) struct Loader<'a> {
    pub(super) directory: &'a Directory,
    pub(super) store: &'a Store,
    pub(super) at: Sequence,
    pub(super) generation: u64,
}

impl Loader<'_> {
    /// The credential of an access key.
    pub(super) fn access_key(&self, id: &str) -> Result<Option<Credential>> {
        let Some(stored) = self.store.get(&access_key_key(id), self.at)? else {
            return Ok(None);
        };
        let record = AccessKeyRecord::from_stored(&stored)?;
        let Some(principal) = self.principal(HolderKind::User, &record.user)? else {
            return Ok(None);
        };
        Ok(Some(Credential {
            identity: Arc::new(Identity {
                actor: Actor::plain(principal),
                chain: Vec::new(),
                session: None,
                credential: Some(id.into()),
                generation: self.generation,
            }),
            secret: Some(secrets::open(&self.directory.key, id, &record.sealed_secret)?),
            active: record.active,
            expires: Timestamp(u64::MAX),
            used: self.directory.uses.of(id, &record),
        }))
    }

    /// The credential of a session; `None` if it is over.
    pub(super) fn session(&self, id: &str) -> Result<Option<Credential>> {
        let Some(stored) = self.store.get(&session_key(id), self.at)? else {
            return Ok(None);
        };
        let record = SessionRecord::from_stored(&stored)?;
        let issued = Timestamp(record.issued_micros);
        let Some(actor) = record.actor.as_ref() else {
            return Ok(None);
        };
        if record.revoked || !self.provider_lives(&record)? {
            return Ok(None);
        }
        let Some((labels, budgets)) = self.gathered_if_live(id, &record)? else {
            return Ok(None);
        };
        let mut actors = Vec::new();
        for actor in std::iter::once(actor).chain(&record.chain) {
            let Some(actor) = self.actor(actor, issued)? else {
                return Ok(None);
            };
            actors.push(actor);
        }
        let mut actors = actors.into_iter();
        let Some(actor) = actors.next() else {
            return Ok(None);
        };
        let secret = match record.sealed_secret.is_empty() {
            true => None,
            false => Some(secrets::open(&self.directory.key, id, &record.sealed_secret)?),
        };
        let expires = Timestamp(record.expires_micros);
        Ok(Some(Credential {
            identity: Arc::new(Identity {
                actor,
                chain: actors.collect(),
                session: Some(SessionFacts {
                    budgets,
                    ..facts(id, record, labels)
                }),
                credential: Some(id.into()),
                generation: self.generation,
            }),
            secret,
            active: true,
            expires,
            used: Arc::default(),
        }))
    }

    /// Its labels and budget and those of the sessions that it was made from; `None` if one of them, or of the keys, is no more.
    fn gathered_if_live(
        &self,
        id: &str,
        record: &SessionRecord,
    ) -> Result<Option<(Vec<String>, Vec<BudgetOf>)>> {
        let mut labels = record.labels.clone();
        let mut budgets: Vec<BudgetOf> = budget_of(id, record).into_iter().collect();
        for id in &record.made_from {
            let lives = if id.starts_with(SESSION_PREFIX) {
                let found = self.store.get(&session_key(id), self.at)?;
                let record = found.and_then(|stored| SessionRecord::from_stored(&stored).ok());
                record.is_some_and(|mut r| {
                    budgets.extend(budget_of(id, &r));
                    labels.append(&mut r.labels);
                    !r.revoked
                })
            } else {
                let found = self.store.get(&access_key_key(id), self.at)?;
                found.is_some_and(|stored| AccessKeyRecord::from_stored(&stored).is_ok_and(|r| r.active))
            };
            if !lives {
                return Ok(None);
            }
        }
        labels.sort_unstable();
        labels.dedup();
        Ok(Some((labels, budgets)))
    }

    fn provider_lives(&self, record: &SessionRecord) -> Result<bool> {
        if record.provider.is_empty() {
            return Ok(true);
        }
        let found = self.store.get(&provider_key(&record.provider), self.at)?;
        Ok(found.is_some_and(|stored| {
            ProviderRecord::from_stored(&stored).is_ok_and(|provider| provider.id == record.provider_id)
        }))
    }

    /// Somebody in a session; `None` if it is no longer who it was.
    fn actor(&self, record: &ActorRecord, issued: Timestamp) -> Result<Option<Actor>> {
        let kind = match record.kind {
            2 => HolderKind::Role,
            _ => HolderKind::User,
        };
        let Some(principal) = self.principal(kind, &record.name)? else {
            return Ok(None);
        };
        if *principal.id != *record.id
            || principal.kind == PrincipalKind::Root
            || issued < principal.revoked_before
        {
            return Ok(None);
        }
        let mut actor = Actor::plain(principal);
        for layer in &record.layers {
            actor.policies = actor.policies.with_session(self.layer(layer)?);
        }
        actor.layers.clone_from(&record.layers);
        actor.set_tags(pairs(&record.tags));
        if kind == HolderKind::Role {
            let (role, name) = (&actor.principal.name, &record.session_name);
            actor.arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}").into();
            actor.user_id = format!("{}:{name}", actor.principal.id).into();
            actor.session_name = Some(name.as_str().into());
        }
        Ok(Some(actor))
    }

    fn layer(&self, record: &LayerRecord) -> Result<Vec<Arc<Policy>>> {
        let mut out = Vec::new();
        for document in &record.documents {
            out.push(compile("session-policy", document)?);
        }
        for arn in &record.managed {
            // A policy that is gone allows nothing any more.
            out.extend(self.managed(arn)?);
        }
        Ok(out)
    }

    /// A user or role with its policies; `None` if there is none of this name.
    pub(super) fn principal(&self, kind: HolderKind, name: &str) -> Result<Option<Arc<Principal>>> {
        if let Some(known) = self.directory.known_principal(kind, name, self.generation) {
            return Ok(Some(known));
        }
        let Some(record) = self.entity(kind, name)? else {
            return Ok(None);
        };
        let principal = Arc::new(self.compile(kind, &record)?);
        self.directory
            .keep_principal(kind, name, self.generation, &principal);
        Ok(Some(principal))
    }

    fn entity(&self, kind: HolderKind, name: &str) -> Result<Option<EntityRecord>> {
        let found = self.store.get(&holder_key(kind, name), self.at)?;
        found.map(|stored| EntityRecord::from_stored(&stored)).transpose()
    }

    fn compile(&self, kind: HolderKind, record: &EntityRecord) -> Result<Principal> {
        if record.root {
            return Ok(Principal::builtin(
                ROOT,
                PrincipalKind::Root,
                PolicySet::new(Vec::new()),
            ));
        }
        let mut policies = self.policies_of(record)?;
        for group in &record.groups {
            let Some(group) = self.entity(HolderKind::Group, group)? else {
                return Err(Error::corrupt(format!(
                    "the group {group:?} of {:?} is not there",
                    record.name
                )));
            };
            policies.extend(self.policies_of(&group)?);
        }
        let mut set = PolicySet::new(policies);
        if !record.boundary.is_empty() {
            let boundary = self.managed(&record.boundary)?;
            set = set.with_boundary(boundary.ok_or_else(|| missing(&record.boundary))?);
        }
        let (kind, label) = match kind {
            HolderKind::Role => (PrincipalKind::Role, format!("role/{}", record.name)),
            _ => (PrincipalKind::User, record.name.clone()),
        };
        let holder = if kind == PrincipalKind::Role {
            HolderKind::Role
        } else {
            HolderKind::User
        };
        Ok(Principal {
            name: record.name.as_str().into(),
            kind,
            arn: entity_arn(holder, &record.path, &record.name).into(),
            id: record.id.as_str().into(),
            tags: pairs(&record.tags),
            groups: record.groups.clone(),
            policies: set,
            label: label.into(),
            revoked_before: Timestamp(record.revoked_before_micros),
        })
    }

    /// The policies in an entry and those attached to it.
    pub(super) fn policies_of(&self, record: &EntityRecord) -> Result<Vec<Arc<Policy>>> {
        let mut out = Vec::new();
        for inline in &record.inline {
            out.push(compile(&inline.name, &inline.document)?);
        }
        for arn in &record.attached {
            // A deny in it must not be lost: without it the identity does not load.
            out.push(self.managed(arn)?.ok_or_else(|| missing(arn))?);
        }
        Ok(out)
    }

    /// The managed policy with this ARN as it is in force.
    pub(super) fn managed(&self, arn: &str) -> Result<Option<Arc<Policy>>> {
        let name = managed::name_of(arn);
        if let Some(document) = managed::builtin(arn) {
            return compile(name, document.as_bytes()).map(Some);
        }
        let Some(stored) = self.store.get(&managed::key(name), self.at)? else {
            return Ok(None);
        };
        let record = ManagedRecord::from_stored(&stored)?;
        if managed::arn(&record.path, &record.name) != arn {
            return Ok(None);
        }
        record
            .document()
            .map(|document| compile(&record.name, document))
            .transpose()
    }
}

fn budget_of(id: &str, record: &SessionRecord) -> Option<BudgetOf> {
    Some(BudgetOf {
        id: id.into(),
        since: Timestamp(record.issued_micros),
        limits: record.budget?,
    })
}

fn missing(arn: &str) -> Error {
    Error::corrupt(format!("the policy {arn:?} is attached and not there"))
}

fn compile(name: &str, document: &[u8]) -> Result<Arc<Policy>> {
    Ok(Arc::new(Policy::parse(document, &Limits::default())?.named(name)))
}

fn pairs(tags: &[TagRecord]) -> Vec<(String, String)> {
    tags.iter().map(|t| (t.key.clone(), t.value.clone())).collect()
}

fn facts(id: &str, record: SessionRecord, labels: Vec<String>) -> SessionFacts {
    let text = |s: String| (!s.is_empty()).then(|| Arc::from(s));
    SessionFacts {
        id: id.into(),
        issued: Timestamp(record.issued_micros),
        expires: Timestamp(record.expires_micros),
        transitive_tags: record.transitive_tags,
        source_identity: text(record.source_identity),
        run: text(record.run),
        purpose: text(record.purpose),
        provider: text(record.provider),
        subject: text(record.subject),
        made_from: record.made_from,
        without_iam: record.without_iam,
        files: record.files,
        labels,
        budgets: Vec::new(),
    }
}
