//! Users, groups and roles themselves: made, changed, deleted; their tags, boundaries and members.
//!
//! Deliberately absent: reading them ([`super::details`]), policies ([`super::held`]).

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};
use craton_store::namespace::{Direction, Kind, Precondition};

use super::{
    Act, Edit, Holder, by_kind, check_name, check_path, check_tags, conflict, details::Entity, exists,
    invalid, limit, missing, no_such_policy, path_of, request_tags, validation,
};
use crate::{
    ask::Ask,
    directory::{
        ANONYMOUS, EntityRecord, HolderKind, ROOT, TagRecord, access_key_key, holder_key, stored_value,
    },
    gate::Gate,
    permit::WritePermit,
    policy::{Limits, TrustPolicy},
    session::Session,
    sessions::SESSION_SECONDS_MAX,
};

/// How long a session of a role may be if nobody says.
const SESSION_SECONDS_DEFAULT: u32 = 3600;

/// What a new user, group or role is to be.
#[derive(Clone, Debug, Default)]
pub struct NewEntity {
    /// Its path; `/` if empty.
    pub path: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The ARN of the policy that is its boundary.
    pub boundary: Option<String>,
    /// A role's trust policy.
    pub trust: Bytes,
    /// How long a role's sessions may be.
    pub session_seconds_max: Option<u32>,
    /// What a role is for.
    pub description: String,
}

/// What is to change of a user, group or role.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Its name.
    pub name: Option<String>,
    /// Its path.
    pub path: Option<String>,
    /// How long a role's sessions may be.
    pub session_seconds_max: Option<u32>,
    /// What a role is for.
    pub description: Option<String>,
}

impl Gate {
    /// Makes a user, group or role.
    ///
    /// # Errors
    /// `Exists`, `EntityAlreadyExists`; `Invalid` for a reserved name and whatever else is wrong; `Denied`.
    pub async fn create_entity(&self, session: &Session, holder: &Holder, new: NewEntity) -> Result<Entity> {
        let kind = holder.kind;
        check_new_name(holder)?;
        let path = if new.path.is_empty() {
            "/".to_owned()
        } else {
            new.path
        };
        check_path(&path)?;
        check_tags(&new.tags)?;
        let seconds = new.session_seconds_max.unwrap_or(SESSION_SECONDS_DEFAULT);
        if kind == HolderKind::Role {
            check_seconds(seconds)?;
            TrustPolicy::parse(&new.trust, &Limits::default())?;
        }
        let act = by_kind(kind, ["iam:CreateUser", "iam:CreateGroup", "iam:CreateRole"]);
        let mut ask = Ask::new(act.operation, act.action, path_of(kind, &path, &holder.name));
        ask.context = request_tags(&new.tags);
        if let Some(boundary) = &new.boundary {
            ask = ask.with("iam:PermissionsBoundary", boundary.clone());
        }
        let permit = self.write(session, ask).await?;
        let prefix = match kind {
            HolderKind::User => "AIDA",
            HolderKind::Group => "AGPA",
            HolderKind::Role => "AROA",
        };
        let record = EntityRecord {
            created_micros: self.now_micros(),
            name: holder.name.clone(),
            id: self.new_id(prefix)?,
            path,
            tags: records(new.tags),
            boundary: new.boundary.unwrap_or_default(),
            trust: new.trust,
            session_seconds_max: if kind == HolderKind::Role { seconds } else { 0 },
            description: new.description,
            ..EntityRecord::default()
        };
        let done = self.store_new(&permit, kind, &record).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        Ok(Entity::of(kind, &record))
    }

    async fn store_new(&self, permit: &WritePermit, kind: HolderKind, record: &EntityRecord) -> Result<()> {
        let key = holder_key(kind, &record.name);
        if self.inner.store.get(&key, craton_base::Sequence::MAX)?.is_some() {
            return Err(Error::new(
                ErrorKind::Exists,
                "EntityAlreadyExists",
                format!("{} with name {} already exists.", title(kind), record.name),
            ));
        }
        let mut edit = Edit::default();
        edit.transaction
            .preconditions
            .push(Precondition::Absent(key.clone()));
        edit.transaction.puts.push((key, stored_value(record)));
        if !record.boundary.is_empty() {
            self.count_boundary(&mut edit, &record.boundary, true)?;
        }
        let done = permit.commit_transaction(edit.into_transaction()).await;
        done.map(drop).map_err(exists(title(kind), &record.name))
    }

    /// Changes what a user, group or role is.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Exists`, `EntityAlreadyExists` for a name that is taken; `Denied`.
    pub async fn update_entity(&self, session: &Session, holder: &Holder, update: Update) -> Result<()> {
        let act = by_kind(
            holder.kind,
            ["iam:UpdateUser", "iam:UpdateGroup", "iam:UpdateRole"],
        );
        if let Some(seconds) = update.session_seconds_max {
            check_seconds(seconds)?;
        }
        if let Some(path) = &update.path {
            check_path(path)?;
        }
        if update.name.as_ref().is_some_and(|name| *name != holder.name) {
            let text =
                "names do not change here: policies and records name whom they are about; make another";
            return Err(invalid(text.to_owned()));
        }
        let permit = self.to_change(session, holder, act, &[]).await?;
        self.edit(&permit, holder, |record, _| {
            if let Some(path) = &update.path {
                record.path.clone_from(path);
            }
            if let Some(seconds) = update.session_seconds_max {
                record.session_seconds_max = seconds;
            }
            if let Some(description) = &update.description {
                record.description.clone_from(description);
            }
            Ok(())
        })
        .await
    }

    /// Deletes a user, group or role. With `all` also its keys, policies and memberships; else these must be gone. The
    /// use of its credentials and sessions ends before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Exists`, `DeleteConflict`; `Denied`.
    pub async fn delete_entity(&self, session: &Session, holder: &Holder, all: bool) -> Result<()> {
        let act = by_kind(
            holder.kind,
            ["iam:DeleteUser", "iam:DeleteGroup", "iam:DeleteRole"],
        );
        let permit = self.to_change(session, holder, act, &[]).await?;
        self.edit(&permit, holder, |record, edit| {
            if !all {
                check_is_bare(record)?;
            }
            if holder.kind == HolderKind::Group && self.has_members(&record.name)? {
                return Err(conflict(
                    "Cannot delete entity, must remove users from group first.".to_owned(),
                ));
            }
            for id in &record.access_keys {
                edit.transaction.deletes.push(access_key_key(id));
            }
            for arn in &record.attached {
                self.count_attachment(edit, arn, false)?;
            }
            if !record.boundary.is_empty() {
                self.count_boundary(edit, &record.boundary, false)?;
            }
            edit.transaction
                .deletes
                .push(holder_key(holder.kind, &holder.name));
            Ok(())
        })
        .await
    }

    /// Users, groups or roles after a name, in order, of those that `wanted` is true for.
    pub(super) fn scan_entities(
        &self,
        kind: HolderKind,
        after: Option<&str>,
        limit: usize,
        wanted: &dyn Fn(&EntityRecord) -> bool,
    ) -> Result<(Vec<Entity>, Option<String>)> {
        let of = match kind {
            HolderKind::User => Kind::User,
            HolderKind::Group => Kind::Group,
            HolderKind::Role => Kind::Role,
        };
        let mut out: Vec<Entity> = Vec::new();
        let mut start = after
            .map(|a| a.to_ascii_lowercase())
            .unwrap_or_default()
            .into_bytes();
        loop {
            if !start.is_empty() {
                start.push(0);
            }
            let span = craton_store::namespace::Span {
                bucket: craton_base::BucketId::SYSTEM,
                branch: craton_base::BranchId::MAIN,
                kind: of,
                start: start.clone().into(),
                end: None,
            };
            let page = self
                .inner
                .store
                .scan(&span, craton_base::Sequence::MAX, Direction::Forward, 500)?;
            for stored in &page.entries {
                let record = EntityRecord::from_stored(stored)?;
                if record.root || !wanted(&record) {
                    continue;
                }
                if out.len() == limit {
                    let last = out.last().map(|e| e.name.clone());
                    return Ok((out, last));
                }
                out.push(Entity::of(kind, &record));
            }
            match page.entries.last().filter(|_| page.more) {
                Some(last) => start = last.key.name.to_vec(),
                None => return Ok((out, None)),
            }
        }
    }

    /// Adds tags, or changes their values.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Invalid`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn tag_entity(
        &self,
        session: &Session,
        holder: &Holder,
        tags: Vec<(String, String)>,
    ) -> Result<()> {
        check_tags(&tags)?;
        let act = by_kind(holder.kind, ["iam:TagUser", "iam:TagGroup", "iam:TagRole"]);
        let permit = self.to_change(session, holder, act, &request_tags(&tags)).await?;
        self.edit(&permit, holder, |record, _| set_tags(&mut record.tags, &tags))
            .await
    }

    /// Removes tags.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn untag_entity(&self, session: &Session, holder: &Holder, keys: &[String]) -> Result<()> {
        let act = by_kind(holder.kind, ["iam:UntagUser", "iam:UntagGroup", "iam:UntagRole"]);
        let facts: Vec<_> = keys
            .iter()
            .map(|key| ("aws:TagKeys".into(), key.clone()))
            .collect();
        let permit = self.to_change(session, holder, act, &facts).await?;
        self.edit(&permit, holder, |record, _| {
            remove_tags(&mut record.tags, keys);
            Ok(())
        })
        .await
    }

    /// Sets a permissions boundary, or removes it. Who loosens one must hold what is left.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn set_boundary(&self, session: &Session, holder: &Holder, arn: Option<&str>) -> Result<()> {
        let act = match arn {
            Some(_) => by_kind(
                holder.kind,
                [
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutRolePermissionsBoundary",
                ],
            ),
            None => by_kind(
                holder.kind,
                [
                    "iam:DeleteUserPermissionsBoundary",
                    "iam:DeleteUserPermissionsBoundary",
                    "iam:DeleteRolePermissionsBoundary",
                ],
            ),
        };
        let fact = arn.map(|arn| ("iam:PermissionsBoundary".into(), arn.to_owned()));
        let permit = self.to_change(session, holder, act, fact.as_slice()).await?;
        self.edit(&permit, holder, |record, edit| {
            if !record.boundary.is_empty() {
                self.require_all_held(session, record)?;
                self.count_boundary(edit, &record.boundary, false)?;
            } else if arn.is_none() {
                return Err(missing(format!("{} has no permissions boundary.", record.name)));
            }
            if let Some(arn) = arn {
                self.count_boundary(edit, arn, true)?;
            }
            record.boundary = arn.unwrap_or_default().to_owned();
            Ok(())
        })
        .await
    }

    /// Sets a role's trust policy: who can become it. Who does must hold what the role gives.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Invalid`, `MalformedPolicyDocument`; `Denied`.
    pub async fn set_trust(&self, session: &Session, role: &str, document: Bytes) -> Result<()> {
        TrustPolicy::parse(&document, &Limits::default())?;
        let holder = Holder::new(HolderKind::Role, role);
        let act = Act::new("iam:UpdateAssumeRolePolicy");
        let permit = self.to_change(session, &holder, act, &[]).await?;
        self.edit(&permit, &holder, |record, _| {
            self.require_all_held(session, record)?;
            record.trust = document.clone();
            Ok(())
        })
        .await
    }

    pub(super) fn count_attachment(&self, edit: &mut Edit, arn: &str, more: bool) -> Result<()> {
        if let Some(policy) = edit.managed(self, arn)? {
            policy.attachments = counted(policy.attachments, more);
        }
        Ok(())
    }

    fn count_boundary(&self, edit: &mut Edit, arn: &str, more: bool) -> Result<()> {
        if crate::directory::managed::builtin(arn).is_none() && !arn.starts_with("arn:aws:iam::") {
            return Err(no_such_policy(arn));
        }
        if let Some(policy) = edit.managed(self, arn)? {
            policy.boundaries = counted(policy.boundaries, more);
        }
        Ok(())
    }
}

fn counted(count: u64, more: bool) -> u64 {
    if more {
        count.saturating_add(1)
    } else {
        count.saturating_sub(1)
    }
}

/// Names that nobody has.
fn check_new_name(holder: &Holder) -> Result<()> {
    let (what, most) = match holder.kind {
        HolderKind::User => ("userName", 64),
        HolderKind::Group => ("groupName", 128),
        HolderKind::Role => ("roleName", 64),
    };
    check_name(what, &holder.name, most)?;
    let reserved = [ROOT, ANONYMOUS, "system"];
    if reserved.iter().any(|name| holder.name.eq_ignore_ascii_case(name)) {
        return Err(Error::invalid(format!("the name {:?} is reserved", holder.name)));
    }
    Ok(())
}

fn check_seconds(seconds: u32) -> Result<()> {
    if (SESSION_SECONDS_DEFAULT..=SESSION_SECONDS_MAX).contains(&seconds) {
        return Ok(());
    }
    Err(validation(format!(
        "maxSessionDuration must be between {SESSION_SECONDS_DEFAULT} and {SESSION_SECONDS_MAX}"
    )))
}

/// That nothing hangs on an entry that is to go.
fn check_is_bare(record: &EntityRecord) -> Result<()> {
    let first = [
        ("must delete policies first", !record.inline.is_empty()),
        ("must detach all policies first", !record.attached.is_empty()),
        ("must delete access keys first", !record.access_keys.is_empty()),
        ("must remove users from group first", !record.groups.is_empty()),
    ];
    match first.iter().find(|(_, holds)| *holds) {
        Some((what, _)) => Err(conflict(format!("Cannot delete entity, {what}."))),
        None => Ok(()),
    }
}

pub(super) const fn title(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::User => "User",
        HolderKind::Group => "Group",
        HolderKind::Role => "Role",
    }
}

pub(super) fn records(tags: Vec<(String, String)>) -> Vec<TagRecord> {
    tags.into_iter()
        .map(|(key, value)| TagRecord { key, value })
        .collect()
}

pub(super) fn set_tags(own: &mut Vec<TagRecord>, tags: &[(String, String)]) -> Result<()> {
    for (key, value) in tags {
        own.retain(|tag| !tag.key.eq_ignore_ascii_case(key));
        own.push(TagRecord {
            key: key.clone(),
            value: value.clone(),
        });
    }
    if own.len() > super::TAGS_MAX {
        return Err(limit(format!("there are at most {} tags", super::TAGS_MAX)));
    }
    Ok(())
}

pub(super) fn remove_tags(own: &mut Vec<TagRecord>, keys: &[String]) {
    own.retain(|tag| !keys.iter().any(|key| tag.key.eq_ignore_ascii_case(key)));
}
