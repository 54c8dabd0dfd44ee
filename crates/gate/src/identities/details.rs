//! Reading who exists: entries as they are shown, lists, numbers.

use bytes::Bytes;
use craton_base::{ResourcePath, Result, Timestamp};

use super::{Act, Holder, by_kind, missing};
use crate::{
    ask::Ask,
    directory::{EntityRecord, HolderKind, entity_arn, no_such},
    gate::Gate,
    session::Session,
};

/// A user, group or role as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: HolderKind,
    /// Its name.
    pub name: String,
    /// Its id, never given again.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its path.
    pub path: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// ARNs of the managed policies that are attached.
    pub attached: Vec<String>,
    /// The policies in its entry: names and documents.
    pub policies: Vec<(String, Bytes)>,
    /// A user's groups.
    pub groups: Vec<String>,
    /// A role's trust policy.
    pub trust: Bytes,
    /// How long a role's sessions may be.
    pub session_seconds_max: u32,
    /// What a role is for.
    pub description: String,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users.
    pub users: usize,
    /// Groups.
    pub groups: usize,
    /// Roles.
    pub roles: usize,
    /// Managed policies of the account's own.
    pub policies: usize,
    /// Identity providers.
    pub providers: usize,
}

impl Entity {
    pub(super) fn of(kind: HolderKind, record: &EntityRecord) -> Self {
        Self {
            kind,
            name: record.name.clone(),
            id: record.id.clone(),
            arn: entity_arn(kind, &record.path, &record.name),
            path: record.path.clone(),
            created: Timestamp(record.created_micros),
            tags: record
                .tags
                .iter()
                .map(|t| (t.key.clone(), t.value.clone()))
                .collect(),
            boundary: (!record.boundary.is_empty()).then(|| record.boundary.clone()),
            attached: record.attached.clone(),
            policies: record
                .inline
                .iter()
                .map(|p| (p.name.clone(), p.document.clone()))
                .collect(),
            groups: record.groups.clone(),
            trust: record.trust.clone(),
            session_seconds_max: record.session_seconds_max,
            description: record.description.clone(),
        }
    }
}

impl Act {
    /// An operation that reads, by its action.
    #[must_use]
    pub const fn of(action: &'static str) -> Self {
        Self::new(action)
    }
}

impl Gate {
    /// A user, group or role, asked for with `act`.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn entity_for(&self, session: &Session, holder: &Holder, act: Act) -> Result<Entity> {
        let found = self.entity(holder.kind, &holder.name)?;
        let mut ask = Ask::new(act.operation, act.action, self.holder_path(holder)?);
        if let Some((_, record)) = &found {
            ask.context.extend(super::resource_tags(&record.tags));
        }
        let permit = self.read(session, ask).await?;
        let found = found.map(|(_, record)| Entity::of(holder.kind, &record));
        found
            .ok_or_else(|| no_such(holder.kind, &holder.name))
            .inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// A user, group or role.
    ///
    /// # Errors
    /// As [`Gate::entity_for`].
    pub async fn get_entity(&self, session: &Session, holder: &Holder) -> Result<Entity> {
        let act = by_kind(holder.kind, ["iam:GetUser", "iam:GetGroup", "iam:GetRole"]);
        self.entity_for(session, holder, act).await
    }

    /// A policy in an entry: its document.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn policy_of(&self, session: &Session, holder: &Holder, name: &str) -> Result<Bytes> {
        let act = by_kind(
            holder.kind,
            ["iam:GetUserPolicy", "iam:GetGroupPolicy", "iam:GetRolePolicy"],
        );
        let entity = self.entity_for(session, holder, act).await?;
        let found = entity.policies.into_iter().find(|(n, _)| n == name);
        let none = || {
            missing(format!(
                "The {} policy with name {name} cannot be found.",
                holder.kind.word()
            ))
        };
        found.map(|(_, document)| document).ok_or_else(none)
    }

    /// Users, groups or roles after a name, in order, whose path begins so.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_entities(
        &self,
        session: &Session,
        kind: HolderKind,
        path_prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Entity>, Option<String>)> {
        let act = by_kind(kind, ["iam:ListUsers", "iam:ListGroups", "iam:ListRoles"]);
        let path = if path_prefix.is_empty() { "/" } else { path_prefix };
        let resource = ResourcePath::System(format!("{}s{path}", kind.word()));
        let _permit = self
            .read(session, Ask::new(act.operation, act.action, resource))
            .await?;
        self.scan_entities(kind, after, limit, &|record| record.path.starts_with(path))
    }

    /// The users of a group after a name, in order.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn group_members(
        &self,
        session: &Session,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Entity, Vec<Entity>, Option<String>)> {
        let entity = self
            .get_entity(session, &Holder::new(HolderKind::Group, group))
            .await?;
        let (members, next) = self.members(group, after, limit)?;
        Ok((entity, members, next))
    }

    /// Everyone to whom a managed policy is attached.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn entities_for_policy(
        &self,
        session: &Session,
        arn: &str,
        as_boundary: bool,
    ) -> Result<Vec<Entity>> {
        self.policy(session, arn, Act::new("iam:ListEntitiesForPolicy"))
            .await?;
        let has = |record: &EntityRecord| match as_boundary {
            true => record.boundary == arn,
            false => record.attached.iter().any(|a| a == arn),
        };
        let mut out = Vec::new();
        for kind in [HolderKind::User, HolderKind::Group, HolderKind::Role] {
            out.extend(self.scan_entities(kind, None, 1000, &has)?.0);
        }
        Ok(out)
    }

    /// Everyone and everything, of these kinds.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn account_details(
        &self,
        session: &Session,
        kind: HolderKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Entity>, Option<String>)> {
        let act = Act::new("iam:GetAccountAuthorizationDetails");
        let path = ResourcePath::System("account".into());
        let _permit = self
            .read(session, Ask::new(act.operation, act.action, path))
            .await?;
        self.scan_entities(kind, after, limit, &|_| true)
    }

    /// How many there are of each.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn account_summary(&self, session: &Session) -> Result<Summary> {
        let act = Act::new("iam:GetAccountSummary");
        let path = ResourcePath::System("account".into());
        let _permit = self
            .read(session, Ask::new(act.operation, act.action, path))
            .await?;
        let count = |kind| {
            Ok::<_, craton_base::Error>(self.scan_entities(kind, None, usize::MAX, &|_| true)?.0.len())
        };
        Ok(Summary {
            users: count(HolderKind::User)?,
            groups: count(HolderKind::Group)?,
            roles: count(HolderKind::Role)?,
            policies: self.count_policies()?,
            providers: self.count_providers()?,
        })
    }
}
