//! Managed policies and their versions.
//!
//! Invariant: a policy that is attached, or a boundary, is not deleted; the count of both stands in its entry and
//! changes in the commits that attach and detach.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Direction, Kind, Precondition, Span},
    store::Transaction,
};

use super::{
    Act, Edit, check_name, check_path, check_tags, commit_new, conflict,
    entities::{records, remove_tags, set_tags},
    grants::{parse, require_held},
    is_being_changed, limit, missing, no_such_policy, request_tags, resource_tags,
};
use crate::{
    ask::{Ask, Fact},
    directory::{ManagedRecord, VersionRecord, managed, stored_value},
    gate::Gate,
    permit::WritePermit,
    session::Session,
};

/// Most versions of a policy.
pub const VERSIONS_MAX: usize = 5;

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v1`.
    pub id: String,
    /// Its JSON.
    pub document: Bytes,
    /// Whether it is the one in force.
    pub is_default: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// A managed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: String,
    /// Its id, never given again.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its path.
    pub path: String,
    /// What it is for.
    pub description: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// When it was made.
    pub created: Timestamp,
    /// When its version in force was set.
    pub updated: Timestamp,
    /// Its versions, oldest first.
    pub versions: Vec<PolicyVersion>,
    /// The version in force.
    pub default_version: String,
    /// To how many users, groups and roles it is attached.
    pub attachments: u64,
    /// Of how many users and roles it is the boundary.
    pub boundaries: u64,
}

impl ManagedPolicy {
    fn of(record: &ManagedRecord) -> Self {
        let version = |v: &VersionRecord| PolicyVersion {
            id: format!("v{}", v.number),
            document: v.document.clone(),
            is_default: v.number == record.default_version,
            created: Timestamp(v.created_micros),
        };
        Self {
            name: record.name.clone(),
            id: record.id.clone(),
            arn: managed::arn(&record.path, &record.name),
            path: record.path.clone(),
            description: record.description.clone(),
            tags: record
                .tags
                .iter()
                .map(|t| (t.key.clone(), t.value.clone()))
                .collect(),
            created: Timestamp(record.created_micros),
            updated: Timestamp(record.updated_micros),
            versions: record.versions.iter().map(version).collect(),
            default_version: format!("v{}", record.default_version),
            attachments: record.attachments,
            boundaries: record.boundaries,
        }
    }

    fn builtin(name: &str, document: &str) -> Self {
        let version = PolicyVersion {
            id: "v1".to_owned(),
            document: Bytes::copy_from_slice(document.as_bytes()),
            is_default: true,
            created: Timestamp(0),
        };
        Self {
            name: name.to_owned(),
            id: format!("ANPA{}", name.to_ascii_uppercase()),
            arn: format!("{}{name}", managed::BUILTIN_PREFIX),
            path: "/".to_owned(),
            description: String::new(),
            tags: Vec::new(),
            created: Timestamp(0),
            updated: Timestamp(0),
            versions: vec![version],
            default_version: "v1".to_owned(),
            attachments: 0,
            boundaries: 0,
        }
    }
}

fn path_of(path: &str, name: &str) -> ResourcePath {
    ResourcePath::System(format!("policies{path}{name}"))
}

/// What policies are asked about for a policy's ARN.
fn path_of_arn(arn: &str) -> ResourcePath {
    let rest = arn.splitn(6, ':').nth(5).and_then(|r| r.strip_prefix("policy/"));
    ResourcePath::System(format!("policies/{}", rest.unwrap_or(arn)))
}

impl Gate {
    /// Makes a managed policy.
    ///
    /// # Errors
    /// `Exists`, `EntityAlreadyExists`; `Invalid`; `Denied`.
    pub async fn create_policy(
        &self,
        session: &Session,
        name: &str,
        path: &str,
        (document, description): (Bytes, String),
        tags: Vec<(String, String)>,
    ) -> Result<ManagedPolicy> {
        check_name("policyName", name, 128)?;
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        check_tags(&tags)?;
        let mut ask = Ask::new("CreatePolicy", "iam:CreatePolicy", path_of(path, name));
        ask.context = request_tags(&tags);
        let permit = self.write(session, ask).await?;
        parse(name, &document).inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        let now = self.now_micros();
        let record = ManagedRecord {
            name: name.to_owned(),
            id: self.new_id("ANPA")?,
            path: path.to_owned(),
            created_micros: now,
            updated_micros: now,
            description,
            tags: records(tags),
            default_version: 1,
            last_version: 1,
            versions: vec![VersionRecord {
                number: 1,
                document,
                created_micros: now,
            }],
            ..ManagedRecord::default()
        };
        let entry = (managed::key(name), stored_value(&record));
        commit_new(&permit, entry, ("A policy", name)).await?;
        Ok(ManagedPolicy::of(&record))
    }

    /// A managed policy.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn policy(&self, session: &Session, arn: &str, act: Act) -> Result<ManagedPolicy> {
        let found = managed::find(&self.inner.store, arn)?;
        let mut ask = Ask::new(act.operation, act.action, path_of_arn(arn));
        if let Some((_, record)) = &found {
            ask.context.extend(resource_tags(&record.tags));
        }
        let permit = self.read(session, ask).await?;
        if let Some(document) = managed::builtin(arn) {
            return Ok(ManagedPolicy::builtin(managed::name_of(arn), document));
        }
        let found = found
            .map(|(_, record)| ManagedPolicy::of(&record))
            .ok_or_else(|| no_such_policy(arn));
        found.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    /// Managed policies after a name, in order; the built-in ones first.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_policies(
        &self,
        session: &Session,
        after: Option<&str>,
        limit: usize,
        (own, builtin): (bool, bool),
    ) -> Result<(Vec<ManagedPolicy>, Option<String>)> {
        let ask = Ask::new(
            "ListPolicies",
            "iam:ListPolicies",
            ResourcePath::System("policies/".into()),
        );
        let _permit = self.read(session, ask).await?;
        let mut out: Vec<ManagedPolicy> = Vec::new();
        if builtin && after.is_none() {
            out.extend(
                managed::BUILTIN
                    .iter()
                    .map(|(name, document)| ManagedPolicy::builtin(name, document)),
            );
        }
        if !own {
            return Ok((out, None));
        }
        let mut start = after
            .map(|a| a.to_ascii_lowercase())
            .unwrap_or_default()
            .into_bytes();
        if !start.is_empty() {
            start.push(0);
        }
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::ManagedPolicy,
            start: start.into(),
            end: None,
        };
        let page = self
            .inner
            .store
            .scan(&span, Sequence::MAX, Direction::Forward, limit.max(1))?;
        for stored in &page.entries {
            out.push(ManagedPolicy::of(&ManagedRecord::from_stored(stored)?));
        }
        let last = out.last().filter(|_| page.more).map(|p| p.name.clone());
        Ok((out, last))
    }

    /// Deletes a managed policy that nobody has and that has one version.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Exists`, `DeleteConflict`; `Denied`.
    pub async fn delete_policy(&self, session: &Session, arn: &str) -> Result<()> {
        let permit = self
            .to_change_policy(session, arn, Act::new("iam:DeletePolicy"), Vec::new())
            .await?;
        let done = self.try_delete_policy(&permit, arn).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn try_delete_policy(&self, permit: &WritePermit, arn: &str) -> Result<()> {
        let (sequence, record) = managed::find(&self.inner.store, arn)?.ok_or_else(|| no_such_policy(arn))?;
        if record.attachments > 0 || record.boundaries > 0 {
            return Err(conflict(
                "Cannot delete a policy attached to entities.".to_owned(),
            ));
        }
        if record.versions.len() > 1 {
            let text = "This policy has more than one version. Before you delete a policy, you must delete the \
                        policy's versions. The default version is deleted with the policy.";
            return Err(conflict(text.to_owned()));
        }
        let key = managed::key(&record.name);
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::At(key.clone(), sequence));
        transaction.deletes.push(key);
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// Makes a version of a policy, in force or not. Who puts one in force must hold what it gives.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Invalid`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn create_policy_version(
        &self,
        session: &Session,
        arn: &str,
        document: Bytes,
        in_force: bool,
    ) -> Result<PolicyVersion> {
        let permit = self
            .to_change_policy(session, arn, Act::new("iam:CreatePolicyVersion"), Vec::new())
            .await?;
        let created_micros = self.now_micros();
        let changed = self
            .change_policy(&permit, arn, |record| {
                if record.versions.len() >= VERSIONS_MAX {
                    return Err(limit(
                        "A managed policy can have up to 5 versions. Before you create a new version, you must \
                         delete an existing version."
                            .to_owned(),
                    ));
                }
                parse(&record.name, &document)?;
                record.last_version = record.last_version.saturating_add(1);
                record.versions.push(VersionRecord {
                    number: record.last_version,
                    document: document.clone(),
                    created_micros,
                });
                match in_force {
                    true => put_in_force(session, record, record.last_version),
                    false => Ok(()),
                }
            })
            .await?;
        let made = ManagedPolicy::of(&changed).versions.pop();
        made.ok_or_else(|| Error::internal("a policy has no versions"))
    }

    /// Puts a version of a policy in force. Who does must hold what it gives.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn set_default_policy_version(
        &self,
        session: &Session,
        arn: &str,
        version: &str,
    ) -> Result<()> {
        let act = Act::new("iam:SetDefaultPolicyVersion");
        let permit = self.to_change_policy(session, arn, act, Vec::new()).await?;
        let changed = self.change_policy(&permit, arn, |record| {
            let number = number(record, version)?;
            put_in_force(session, record, number)
        });
        changed.await.map(drop)
    }

    /// Deletes a version of a policy that is not in force.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Exists`, `DeleteConflict`; `Denied`.
    pub async fn delete_policy_version(&self, session: &Session, arn: &str, version: &str) -> Result<()> {
        let act = Act::new("iam:DeletePolicyVersion");
        let permit = self.to_change_policy(session, arn, act, Vec::new()).await?;
        let changed = self.change_policy(&permit, arn, |record| {
            let number = number(record, version)?;
            if number == record.default_version {
                return Err(conflict(
                    "Cannot delete the default version of a policy.".to_owned(),
                ));
            }
            record.versions.retain(|v| v.number != number);
            Ok(())
        });
        changed.await.map(drop)
    }

    /// Adds tags to a policy, or removes them.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Invalid`; `Denied`.
    pub async fn tag_policy(
        &self,
        session: &Session,
        arn: &str,
        set: &[(String, String)],
        remove: &[String],
    ) -> Result<()> {
        check_tags(set)?;
        let act = Act::new(if remove.is_empty() {
            "iam:TagPolicy"
        } else {
            "iam:UntagPolicy"
        });
        let permit = self
            .to_change_policy(session, arn, act, request_tags(set))
            .await?;
        let changed = self.change_policy(&permit, arn, |record| {
            remove_tags(&mut record.tags, remove);
            set_tags(&mut record.tags, set)
        });
        changed.await.map(drop)
    }

    pub(super) fn count_policies(&self) -> Result<usize> {
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::ManagedPolicy,
            start: Bytes::new(),
            end: None,
        };
        let page = self
            .inner
            .store
            .scan(&span, Sequence::MAX, Direction::Forward, 10_000)?;
        Ok(page.entries.len())
    }

    async fn to_change_policy(
        &self,
        session: &Session,
        arn: &str,
        act: Act,
        facts: Vec<Fact>,
    ) -> Result<WritePermit> {
        let mut ask = Ask::new(act.operation, act.action, path_of_arn(arn));
        ask.context = facts;
        if let Some((_, record)) = managed::find(&self.inner.store, arn)? {
            ask.context.extend(resource_tags(&record.tags));
        }
        self.write(session, ask).await
    }

    async fn change_policy(
        &self,
        permit: &WritePermit,
        arn: &str,
        change: impl Fn(&mut ManagedRecord) -> Result<()>,
    ) -> Result<ManagedRecord> {
        let done = self.try_change_policy(permit, arn, change).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn try_change_policy(
        &self,
        permit: &WritePermit,
        arn: &str,
        change: impl Fn(&mut ManagedRecord) -> Result<()>,
    ) -> Result<ManagedRecord> {
        if managed::builtin(arn).is_some() {
            let text = "Cannot perform the operation on a policy that is built in.";
            return Err(Error::new(ErrorKind::Denied, "AccessDenied", text));
        }
        for _ in 0..super::TRIES {
            let mut edit = Edit::default();
            let changed = match edit.managed(self, arn)? {
                Some(record) => {
                    change(record)?;
                    record.clone()
                }
                None => return Err(no_such_policy(arn)),
            };
            match permit.commit_transaction(edit.into_transaction()).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => return done.map(|_| changed),
            }
        }
        Err(is_being_changed(arn))
    }
}

/// Puts a version in force, by somebody who holds what it gives; who takes a deny away must be able to do without.
fn put_in_force(session: &Session, record: &mut ManagedRecord, number: u32) -> Result<()> {
    let document = |n: u32| {
        record
            .version(n)
            .map(|v| parse(&record.name, &v.document))
            .transpose()
    };
    let new = document(number)?;
    let had_denies = document(record.default_version)?.is_some_and(|p| p.denies());
    if had_denies && number != record.default_version && session.kind() != crate::session::PrincipalKind::Root
    {
        let used = record.attachments > 0 || record.boundaries > 0;
        if used {
            let text =
                "the version in force denies something to those who have the policy: only root replaces it";
            return Err(Error::new(ErrorKind::Denied, "AccessDenied", text));
        }
    }
    require_held(session, new.as_slice())?;
    record.default_version = number;
    Ok(())
}

fn number(record: &ManagedRecord, version: &str) -> Result<u32> {
    let number = version.strip_prefix('v').and_then(|n| n.parse().ok());
    number.filter(|n| record.version(*n).is_some()).ok_or_else(|| {
        missing(format!(
            "Policy {} version {version} does not exist.",
            record.name
        ))
    })
}
