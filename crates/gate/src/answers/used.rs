//! What of a principal's policies the ledger saw used.

use std::collections::BTreeSet;

use bytes::Bytes;
use craton_base::{ResourcePath, Result};

use super::lint::{self, Finding};
use crate::{
    ask::Ask,
    directory::{HolderKind, managed},
    gate::Gate,
    identities::{Act, Holder},
    ledger::{Filter, LIST_MAX},
    session::Session,
};

/// The most pages of the ledger that one check reads.
const PAGES_MAX: usize = 100;

/// A principal's policies, looked over.
#[derive(Clone, Debug, Default)]
pub struct CheckedPolicies {
    /// Each policy in its entry, and each that is attached to it; then those of a user's groups.
    pub policies: Vec<CheckedPolicy>,
    /// How many decisions about it were read: those that it made, and those that others made for it.
    pub decisions: usize,
    /// Whether that were all of them. If not, something listed as unused may have been used.
    pub complete: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct CheckedPolicy {
    /// Its name.
    pub name: String,
    /// The group that it is of, if it is not the principal's own.
    pub group: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The statements that allow something and decided nothing about this principal.
    pub unused: Vec<String>,
}

/// A policy as it is written, by the name that decisions show.
struct Written {
    name: String,
    document: Bytes,
    group: Option<String>,
}

impl Written {
    fn of((name, document): (String, Bytes)) -> Self {
        Self {
            name,
            document,
            group: None,
        }
    }
}

impl Gate {
    /// Whether a policy may be looked over at all: nothing of the system is told by it.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn ask_to_check(&self, session: &Session) -> Result<()> {
        let resource = ResourcePath::System("access".into());
        let ask = Ask::new("CheckPolicy", "iam:SimulateCustomPolicy", resource);
        self.read(session, ask).await.map(drop)
    }

    /// Looks the policies of a user or role over, with what of them decided nothing in so many days.
    ///
    /// # Errors
    /// `Denied`; `NotFound`, `NoSuchEntity`; the ledger's own.
    pub async fn check_policies(
        &self,
        session: &Session,
        holder: &Holder,
        days: u64,
    ) -> Result<CheckedPolicies> {
        let policies = self.documents_of(session, holder).await?;
        let label = match holder.kind {
            HolderKind::Role => format!("role/{}", holder.name),
            _ => holder.name.clone(),
        };
        let window = std::time::Duration::from_hours(days.min(36_500).saturating_mul(24));
        let mut filter = Filter {
            since: Some(self.inner.clock.now().minus(window)),
            limit: LIST_MAX,
            ..Filter::default()
        };
        let mut used = BTreeSet::new();
        let mut out = CheckedPolicies::default();
        for _ in 0..PAGES_MAX {
            let page = self.audit_list(session, filter.clone()).await?;
            let records = page.entries.iter().filter_map(|e| e.record.as_ref());
            for record in records.filter(|r| r.is_about(&label)) {
                out.decisions = out.decisions.saturating_add(1);
                used.extend(record.statements.iter().cloned());
            }
            filter.after = page.next;
            if page.next.is_none() {
                out.complete = true;
                break;
            }
        }
        for written in policies {
            let name = written.name;
            let grants = lint::grants(&written.document).into_iter();
            out.policies.push(CheckedPolicy {
                findings: lint::check(&written.document)?,
                unused: grants.filter(|g| !used.contains(&format!("{name}{g}"))).collect(),
                group: written.group,
                name,
            });
        }
        Ok(out)
    }

    /// The policies of a user, with those of the user's groups, or of a role.
    async fn documents_of(&self, session: &Session, holder: &Holder) -> Result<Vec<Written>> {
        let (mut out, groups) = self.documents_in(session, holder).await?;
        for group in groups {
            let holder = Holder::new(HolderKind::Group, &group);
            let (of_group, _) = self.documents_in(session, &holder).await?;
            out.extend(of_group.into_iter().map(|written| Written {
                group: Some(group.clone()),
                ..written
            }));
        }
        Ok(out)
    }

    /// The policies in an entry and those attached to it, and the groups that it is in.
    async fn documents_in(&self, session: &Session, holder: &Holder) -> Result<(Vec<Written>, Vec<String>)> {
        let act = match holder.kind {
            HolderKind::User => "iam:GetUserPolicy",
            HolderKind::Group => "iam:GetGroupPolicy",
            HolderKind::Role => "iam:GetRolePolicy",
        };
        let entity = self.entity_for(session, holder, Act::of(act)).await?;
        let mut out: Vec<Written> = entity.policies.into_iter().map(Written::of).collect();
        for arn in &entity.attached {
            let policy = self.policy(session, arn, Act::of("iam:GetPolicyVersion")).await?;
            let in_force = policy.versions.into_iter().find(|v| v.is_default);
            let name = managed::name_of(arn).to_owned();
            out.extend(in_force.map(|v| Written::of((name, v.document))));
        }
        Ok((out, entity.groups))
    }
}
