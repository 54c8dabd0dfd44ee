//! Nobody can grant what they lack.
//!
//! Whoever gives a right to somebody — by a policy, a group, an access key of another's, a trust policy — must hold
//! it: their own identity policies, boundary and session policies must all cover every `Allow` of what is given, and
//! so must those of everyone for whom they act. Taking away what denies, or a boundary, is giving: then everything
//! that is left is asked for. `root` holds everything. What covers what is [`crate::policy`]'s `cover`.
//!
//! Deliberately absent: rights by policies of buckets, which their own actions guard.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};

use crate::{
    directory::EntityRecord,
    gate::Gate,
    policy::{Limits, Policy},
    session::{PrincipalKind, Session},
};

/// Parses a policy under a name.
pub(super) fn parse(name: &str, document: &Bytes) -> Result<Arc<Policy>> {
    Ok(Arc::new(Policy::parse(document, &Limits::default())?.named(name)))
}

/// That a session holds what these policies give.
pub(super) fn require_held(session: &Session, policies: &[Arc<Policy>]) -> Result<()> {
    if session.kind() == PrincipalKind::Root {
        return Ok(());
    }
    for actor in session.identity().actors() {
        for policy in policies {
            actor.policies.covers(policy).map_err(|statement| {
                let text = format!(
                    "{} can not grant what it lacks: the statement {statement} allows more than {} holds",
                    session.arn(),
                    actor.principal.label
                );
                Error::new(ErrorKind::Denied, "AccessDenied", text)
            })?;
        }
    }
    Ok(())
}

impl Gate {
    /// That a session holds everything that an entry gives, its groups' policies too.
    pub(super) fn require_all_held(&self, session: &Session, record: &EntityRecord) -> Result<()> {
        if session.kind() == PrincipalKind::Root {
            return Ok(());
        }
        require_held(session, &self.all_policies(record)?)
    }

    /// The policies of an entry, and of its groups.
    pub(super) fn all_policies(&self, record: &EntityRecord) -> Result<Vec<Arc<Policy>>> {
        let inner = &self.inner;
        let mut policies = inner.directory.policies_of(&inner.store, record)?;
        for group in &record.groups {
            if let Some((_, group)) = self.entity(crate::directory::HolderKind::Group, group)? {
                policies.extend(inner.directory.policies_of(&inner.store, &group)?);
            }
        }
        Ok(policies)
    }
}
