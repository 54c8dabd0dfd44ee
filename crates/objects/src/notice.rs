//! Telling what happened: which changes of objects someone is to be told of, and what of them.
//!
//! Invariant: a configuration that can not be read keeps no write from happening; it is logged and tells nobody.
//!
//! Deliberately absent: telling, which is done later and elsewhere.

use craton_base::Sequence;
use craton_gate::{Changes, Notice, PrincipalKind, Recipient, Subresource, WritePermit};

use crate::{
    meta::ObjectMeta,
    notification::{self, Notifications, event},
};

/// What happened to an object.
pub(crate) struct Happened<'a> {
    /// One of [`event`]'s names.
    pub(crate) event: &'static str,
    /// The object's name.
    pub(crate) name: &'a [u8],
    /// What is stored about it, if it still is.
    pub(crate) meta: Option<&'a ObjectMeta>,
    /// The version, if not the one that these changes make.
    pub(crate) version: Option<Sequence>,
    /// Whether the version has an id of its own.
    pub(crate) versioned: bool,
}

/// Adds to `changes` that someone is to be told of them, if someone is.
pub(crate) fn note(permit: &WritePermit, changes: Changes, happened: &Happened<'_>) -> Changes {
    let Ok(key) = std::str::from_utf8(happened.name) else {
        return changes;
    };
    let recipients = recipients(permit, happened.event, key);
    if recipients.is_empty() && !permit.is_listened() {
        return changes;
    }
    changes.notice(Notice {
        event: happened.event.to_owned(),
        key: key.to_owned(),
        size: happened.meta.map_or(0, |meta| meta.size),
        etag: happened.meta.map(ObjectMeta::etag).unwrap_or_default(),
        version: happened.version.map_or(0, |sequence| sequence.0),
        versioned: happened.versioned,
        recipients,
        ..Notice::default()
    })
}

fn recipients(permit: &WritePermit, event: &str, key: &str) -> Vec<Recipient> {
    let configured = permit.configuration(Subresource::Notification).and_then(|found| {
        found
            .map(|found| found.parsed(|document| notification::parse(document)))
            .transpose()
    });
    let rules = match configured {
        Ok(Some(rules)) => rules,
        Ok(None) => return Vec::new(),
        Err(error) => {
            tracing::error!(%error, "a bucket's notifications can not be read, and nobody is told");
            return Vec::new();
        }
    };
    let Notifications { rules } = &*rules;
    rules
        .iter()
        .filter(|rule| rule.takes(event, key))
        .map(|rule| Recipient {
            rule: rule.id.clone(),
            address: rule.arn.clone(),
        })
        .collect()
}

/// The event of an object that was written: by what operation.
pub(crate) fn written(permit: &WritePermit) -> &'static str {
    match permit.operation() {
        "PostObject" => event::CREATED_POST,
        "CopyObject" => event::CREATED_COPY,
        "CompleteMultipartUpload" => event::CREATED_COMPLETE,
        _ => event::CREATED_PUT,
    }
}

/// The event of what was said of an object anew, if it has one: by what operation.
pub(crate) fn amended(permit: &WritePermit) -> Option<&'static str> {
    match permit.operation() {
        "PutObjectTagging" => Some(event::TAGGED),
        "DeleteObjectTagging" => Some(event::UNTAGGED),
        "PutObjectAcl" => Some(event::ACL),
        "LifecycleTransition" => Some(event::MOVED),
        "RestoreObject" => Some(event::RESTORE_BEGUN),
        "LifecycleRestore" => Some(event::RESTORE_DONE),
        "LifecycleRestoreOver" => Some(event::RESTORE_OVER),
        _ => None,
    }
}

/// The event of an object that was deleted: by whom, and how.
pub(crate) fn deleted(permit: &WritePermit, by_marker: bool) -> &'static str {
    let by_rule =
        permit.session().kind() == PrincipalKind::System && permit.operation() == "LifecycleExpiration";
    match (by_rule, by_marker) {
        (true, false) => event::EXPIRED,
        (true, true) => event::EXPIRED_MARKER,
        (false, false) => event::REMOVED,
        (false, true) => event::REMOVED_MARKER,
    }
}
