//! Who may ask, compiled: principals with their policies, and identities made of them.
//!
//! Invariants: an identity's rights are those of every one of its actors at once; `root` is never in a session.
//!
//! Deliberately absent: where they come from ([`super::load`]), the requests they make.

use std::sync::Arc;

use craton_base::{PrincipalName, Timestamp};

use super::{ACCOUNT, FilesRecord, LayerRecord};
use crate::{budgets::BudgetOf, policy::PolicySet, session::PrincipalKind};

/// A principal with its compiled policies.
pub(crate) struct Principal {
    pub(crate) name: Arc<str>,
    pub(crate) kind: PrincipalKind,
    /// The user's or the role's ARN.
    pub(crate) arn: Arc<str>,
    /// The id that is never given again.
    pub(crate) id: Arc<str>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) groups: Vec<String>,
    pub(crate) policies: PolicySet,
    /// How records name it: a user by its name, a role as `role/<name>`.
    pub(crate) label: Arc<str>,
    /// Sessions that began before are over.
    pub(crate) revoked_before: Timestamp,
}

impl Principal {
    /// One that is not in the directory.
    pub(crate) fn builtin(name: &str, kind: PrincipalKind, policies: PolicySet) -> Self {
        let arn = match kind {
            PrincipalKind::Root => format!("arn:aws:iam::{ACCOUNT}:root"),
            PrincipalKind::Anonymous => "*".to_owned(),
            _ => format!("arn:craton:system:::{name}"),
        };
        Self {
            name: name.into(),
            kind,
            arn: arn.into(),
            id: name.into(),
            tags: Vec::new(),
            groups: Vec::new(),
            policies,
            label: name.into(),
            revoked_before: Timestamp(0),
        }
    }

    pub(crate) fn user_name(&self) -> Option<PrincipalName> {
        let named = self.kind == PrincipalKind::User;
        named.then(|| PrincipalName::new(&self.name).ok()).flatten()
    }
}

/// A principal in an identity, with the limits that its session has.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) principal: Arc<Principal>,
    /// With the session's layers.
    pub(crate) policies: PolicySet,
    /// The role session's name.
    pub(crate) session_name: Option<Arc<str>>,
    /// The session's ARN, or the user's.
    pub(crate) arn: Arc<str>,
    /// `aws:userid`.
    pub(crate) user_id: Arc<str>,
    /// The session's own tags, before the principal's.
    pub(crate) tags: Vec<(String, String)>,
    /// The session's tags, then the principal's that the session has not.
    pub(crate) all_tags: Vec<(String, String)>,
    /// The session policies as they are stored, for sessions made from this one.
    pub(crate) layers: Vec<LayerRecord>,
}

impl Actor {
    /// The principal itself, without a session.
    pub(crate) fn plain(principal: Arc<Principal>) -> Self {
        Self {
            policies: principal.policies.clone(),
            session_name: None,
            arn: principal.arn.clone(),
            user_id: principal.id.clone(),
            tags: Vec::new(),
            all_tags: principal.tags.clone(),
            layers: Vec::new(),
            principal,
        }
    }

    /// Gives it the session's tags.
    pub(crate) fn set_tags(&mut self, tags: Vec<(String, String)>) {
        let own = self
            .principal
            .tags
            .iter()
            .filter(|(key, _)| !tags.iter().any(|(session, _)| session.eq_ignore_ascii_case(key)));
        self.all_tags = tags.iter().chain(own).cloned().collect();
        self.tags = tags;
    }

    /// Its tags: the session's, then the principal's that the session has not.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all_tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// What a session adds to its principal.
#[derive(Clone)]
pub(crate) struct SessionFacts {
    pub(crate) id: Arc<str>,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) transitive_tags: Vec<String>,
    pub(crate) source_identity: Option<Arc<str>>,
    pub(crate) run: Option<Arc<str>>,
    pub(crate) purpose: Option<Arc<str>>,
    pub(crate) provider: Option<Arc<str>>,
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) made_from: Vec<String>,
    pub(crate) without_iam: bool,
    /// What alone it is for.
    pub(crate) files: Option<FilesRecord>,
    /// The labels that it, or a session that it was made from, has picked up.
    pub(crate) labels: Vec<String>,
    /// The budgets that count for it: its own, and those of the sessions that it was made from.
    pub(crate) budgets: Vec<BudgetOf>,
}

/// Everything that a credential stands for.
pub(crate) struct Identity {
    pub(crate) actor: Actor,
    /// For whom it acts, nearest first.
    pub(crate) chain: Vec<Actor>,
    pub(crate) session: Option<SessionFacts>,
    /// The access key or session that it is, to look it up again; `None` for what is not in the directory.
    pub(crate) credential: Option<Arc<str>>,
    /// As of which state of the directory it was read.
    pub(crate) generation: u64,
}

impl Identity {
    /// A principal that has no credential.
    pub(crate) fn without_credential(principal: Arc<Principal>) -> Self {
        Self {
            actor: Actor::plain(principal),
            chain: Vec::new(),
            session: None,
            credential: None,
            generation: 0,
        }
    }

    /// The one who acts, and those for whom it acts.
    pub(crate) fn actors(&self) -> impl Iterator<Item = &Actor> {
        std::iter::once(&self.actor).chain(&self.chain)
    }

    /// The files that it is for, if it is for nothing else.
    pub(crate) fn files(&self) -> Option<&FilesRecord> {
        self.session.as_ref()?.files.as_ref()
    }

    /// Whether the request may use IAM and STS beyond asking who it is.
    pub(crate) fn without_iam(&self) -> bool {
        self.session.as_ref().is_some_and(|s| s.without_iam)
    }
}
