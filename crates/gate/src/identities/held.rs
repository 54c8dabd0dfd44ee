//! What a user, group or role holds: policies in its entry, and managed ones that are attached.
//!
//! Deliberately absent: managed policies themselves ([`super::policies`]).

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};

use super::{
    Holder, POLICIES_MAX, by_kind, check_name,
    grants::{parse, require_held},
    limit, missing, no_such_policy,
};
use crate::{
    directory::{EntityRecord, InlineRecord},
    gate::Gate,
    session::Session,
};

impl Gate {
    /// Sets a policy in an entry. Who does must hold what it gives.
    ///
    /// # Errors
    /// `Invalid`, naming the element that is wrong; `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn put_policy(
        &self,
        session: &Session,
        holder: &Holder,
        name: &str,
        document: Bytes,
    ) -> Result<()> {
        check_name("policyName", name, 128)?;
        let act = by_kind(
            holder.kind,
            ["iam:PutUserPolicy", "iam:PutGroupPolicy", "iam:PutRolePolicy"],
        );
        let permit = self.to_change(session, holder, act, &[]).await?;
        let policy = parse(name, &document).inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        let created_micros = self.now_micros();
        self.edit(&permit, holder, |record, _| {
            let before = record.inline.iter().position(|p| p.name == name);
            let replaced = before.map(|at| record.inline.remove(at));
            if record.inline.len() >= POLICIES_MAX {
                return Err(limit(format!(
                    "there are at most {POLICIES_MAX} policies in an entry"
                )));
            }
            record.inline.push(InlineRecord {
                name: name.to_owned(),
                document: document.clone(),
                created_micros,
            });
            record.inline.sort_by(|a, b| a.name.cmp(&b.name));
            match replaced {
                Some(old) if parse(name, &old.document)?.denies() => self.require_all_held(session, record),
                _ => require_held(session, std::slice::from_ref(&policy)),
            }
        })
        .await
    }

    /// Removes a policy from an entry. Who removes one that denies must hold what is left.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_policy_of(&self, session: &Session, holder: &Holder, name: &str) -> Result<()> {
        let act = by_kind(
            holder.kind,
            [
                "iam:DeleteUserPolicy",
                "iam:DeleteGroupPolicy",
                "iam:DeleteRolePolicy",
            ],
        );
        let permit = self.to_change(session, holder, act, &[]).await?;
        self.edit(&permit, holder, |record, _| {
            let at = record.inline.iter().position(|p| p.name == name);
            let at = at.ok_or_else(|| no_policy_of(record, name))?;
            let old = record.inline.remove(at);
            match parse(name, &old.document)?.denies() {
                true => self.require_all_held(session, record),
                false => Ok(()),
            }
        })
        .await
    }

    /// Attaches a managed policy. Who does must hold what it gives. One that is attached already stays so.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn attach_policy(&self, session: &Session, holder: &Holder, arn: &str) -> Result<()> {
        let act = by_kind(
            holder.kind,
            [
                "iam:AttachUserPolicy",
                "iam:AttachGroupPolicy",
                "iam:AttachRolePolicy",
            ],
        );
        let fact = ("iam:PolicyARN".into(), arn.to_owned());
        let permit = self.to_change(session, holder, act, &[fact]).await?;
        self.edit(&permit, holder, |record, edit| {
            let inner = &self.inner;
            let policy = inner
                .directory
                .managed(&inner.store, arn)?
                .ok_or_else(|| no_such_policy(arn))?;
            require_held(session, std::slice::from_ref(&policy))?;
            if record.attached.iter().any(|a| a == arn) {
                return Ok(());
            }
            if record.attached.len() >= POLICIES_MAX {
                return Err(limit(format!(
                    "Cannot exceed quota for attached policies: {POLICIES_MAX}"
                )));
            }
            record.attached.push(arn.to_owned());
            self.count_attachment(edit, arn, true)
        })
        .await
    }

    /// Detaches a managed policy. Who detaches one that denies must hold what is left.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn detach_policy(&self, session: &Session, holder: &Holder, arn: &str) -> Result<()> {
        let act = by_kind(
            holder.kind,
            [
                "iam:DetachUserPolicy",
                "iam:DetachGroupPolicy",
                "iam:DetachRolePolicy",
            ],
        );
        let fact = ("iam:PolicyARN".into(), arn.to_owned());
        let permit = self.to_change(session, holder, act, &[fact]).await?;
        self.edit(&permit, holder, |record, edit| {
            let at = record.attached.iter().position(|a| a == arn);
            let at = at.ok_or_else(|| missing(format!("Policy {arn} was not found.")))?;
            record.attached.remove(at);
            let inner = &self.inner;
            let policy = inner.directory.managed(&inner.store, arn)?;
            if policy.is_some_and(|p| p.denies()) {
                self.require_all_held(session, record)?;
            }
            self.count_attachment(edit, arn, false)
        })
        .await
    }
}

pub(super) fn no_policy_of(record: &EntityRecord, name: &str) -> Error {
    let text = format!("The policy with name {name} of {} cannot be found.", record.name);
    Error::new(ErrorKind::NotFound, "NoSuchEntity", text)
}
