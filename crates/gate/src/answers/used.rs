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
    /// Each policy in its entry, and each that is attached to it; not those of groups, which are others' too.
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
    /// What was found.
    pub findings: Vec<Finding>,
    /// The statements that allow something and decided nothing.
    pub unused: Vec<String>,
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
        for (name, document) in policies {
            let grants = lint::grants(&document).into_iter();
            out.policies.push(CheckedPolicy {
                findings: lint::check(&document)?,
                unused: grants.filter(|g| !used.contains(&format!("{name}{g}"))).collect(),
                name,
            });
        }
        Ok(out)
    }

    /// The policies of a user or role as they are written, by the names that decisions show.
    async fn documents_of(&self, session: &Session, holder: &Holder) -> Result<Vec<(String, Bytes)>> {
        let act = match holder.kind {
            HolderKind::User => "iam:GetUserPolicy",
            HolderKind::Group => "iam:GetGroupPolicy",
            HolderKind::Role => "iam:GetRolePolicy",
        };
        let entity = self.entity_for(session, holder, Act::of(act)).await?;
        let mut out = entity.policies;
        for arn in &entity.attached {
            let policy = self.policy(session, arn, Act::of("iam:GetPolicyVersion")).await?;
            let in_force = policy.versions.into_iter().find(|v| v.is_default);
            out.extend(in_force.map(|v| (managed::name_of(arn).to_owned(), v.document)));
        }
        Ok(out)
    }
}
