//! Who is in which group.
//!
//! Invariant: a user's groups stand in its entry; a group that is entered is written too, so that it is not deleted
//! meanwhile.

use craton_base::{Kind as ErrorKind, Result};
use craton_store::namespace::Precondition;

use super::{Act, Edit, GROUPS_MAX, Holder, details::Entity, is_being_changed, limit, missing};
use crate::{
    directory::{EntityRecord, HolderKind, holder_key, no_such, stored_value},
    gate::Gate,
    permit::WritePermit,
    session::Session,
};

impl Gate {
    pub(super) fn has_members(&self, group: &str) -> Result<bool> {
        Ok(!self.members(group, None, 1)?.0.is_empty())
    }

    /// Users in a group, after a name.
    pub(super) fn members(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Entity>, Option<String>)> {
        let of_group = |record: &EntityRecord| record.groups.iter().any(|g| g == group);
        self.scan_entities(HolderKind::User, after, limit, &of_group)
    }

    /// Puts a user into a group, or takes it out. Who does must hold what the group gives, or what is left.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn set_member(&self, session: &Session, group: &str, user: &str, member: bool) -> Result<()> {
        let act = Act::new(if member {
            "iam:AddUserToGroup"
        } else {
            "iam:RemoveUserFromGroup"
        });
        let of_group = Holder::new(HolderKind::Group, group);
        let permit = self.to_change(session, &of_group, act, &[]).await?;
        let done = self.try_member(&permit, session, (group, user), member).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn try_member(
        &self,
        permit: &WritePermit,
        session: &Session,
        (group, user): (&str, &str),
        member: bool,
    ) -> Result<()> {
        for _ in 0..super::TRIES {
            let found = self.entity(HolderKind::Group, group)?;
            let (group_at, group_record) = found.ok_or_else(|| no_such(HolderKind::Group, group))?;
            let found = self.entity(HolderKind::User, user)?;
            let (user_at, mut record) = found
                .filter(|(_, r)| !r.root)
                .ok_or_else(|| no_such(HolderKind::User, user))?;
            let policies = self.all_policies(&group_record)?;
            if member {
                super::grants::require_held(session, &policies)?;
                if record.groups.iter().any(|g| g == group) {
                    permit.failed(ErrorKind::Exists, "Unchanged");
                    return Ok(());
                }
                if record.groups.len() >= GROUPS_MAX {
                    return Err(limit(format!(
                        "Cannot exceed quota for GroupsPerUser: {GROUPS_MAX}"
                    )));
                }
                record.groups.push(group.to_owned());
            } else {
                if !record.groups.iter().any(|g| g == group) {
                    return Err(missing(format!("User {user} is not in group {group}.")));
                }
                record.groups.retain(|g| g != group);
                if policies.iter().any(|p| p.denies()) {
                    self.require_all_held(session, &record)?;
                }
            }
            let (user_key, group_key) = (
                holder_key(HolderKind::User, user),
                holder_key(HolderKind::Group, group),
            );
            let mut edit = Edit::default();
            // Both are written, so that a group is not deleted while somebody enters it.
            edit.transaction
                .preconditions
                .push(Precondition::At(user_key.clone(), user_at));
            edit.transaction
                .preconditions
                .push(Precondition::At(group_key.clone(), group_at));
            edit.transaction.puts.push((user_key, stored_value(&record)));
            edit.transaction
                .puts
                .push((group_key, stored_value(&group_record)));
            match permit.commit_transaction(edit.into_transaction()).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => return done.map(drop),
            }
        }
        Err(is_being_changed(user))
    }
}
