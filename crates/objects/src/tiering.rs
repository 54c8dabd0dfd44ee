//! Where an object's content lies: with the rest, or at the tier of its storage class; and, for classes that are
//! archives, that it is restored before it is read.
//!
//! ```text
//!  here ──move──▶ at the tier ──asked──▶ at the tier, restoring ──▶ at the tier, with a copy here
//!                     ▲                                                    │
//!                     └────────────────── the copy's time is over ─────────┘
//! ```
//!
//! Invariants
//! - an object moves without becoming another version; its content is where its row says, from one commit to the next;
//! - content of an archive that is not restored is read by nobody, wherever it lies;
//! - small content, which sits in the row, stays there: only its class's name changes.
//!
//! Deliberately absent: when rules move objects ([`crate::lifecycle`]), doing it by itself (`craton-work`).

use craton_base::{Kind as ErrorKind, ObjectKey, Timestamp};
use craton_gate::{Changes, ClassTier, Extent, Permit, WritePermit};

use crate::{
    Error, Fault, Result,
    lifecycle::Calendar,
    meta::ObjectMeta,
    notice::{self, Happened},
    put::conflict,
    version::{Located, Target, amend, locate},
};

/// How often a move that lost a race is named again.
const NAME_TRIES_MAX: usize = 32;

/// The classes that are archives in S3. Without a tier their content is at hand all the time: a restore is done when
/// it is asked for.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// What is to be done so that content lies where its class says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// It belongs to the tier of its class.
    Send,
    /// A restore was asked for.
    Restore,
    /// The time of a restored copy is over.
    LetGo,
}

/// How far an archived object is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// Nobody asked, or its time is over.
    None,
    /// It is on its way.
    Ongoing,
    /// It can be read until then.
    Until(Timestamp),
}

impl Restore {
    /// Of an object, at a time.
    #[must_use]
    pub fn of(meta: &ObjectMeta, now: Timestamp) -> Self {
        let until = Timestamp(meta.restored_until_micros);
        if meta.restore_days > 0 {
            Self::Ongoing
        } else if until > now {
            Self::Until(until)
        } else {
            Self::None
        }
    }
}

/// What became of a request to restore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It is begun, or done.
    Begun,
    /// There is a copy, which stays longer, or shorter, now.
    Extended,
}

/// What is to be done with a version now, if anything.
#[must_use]
pub fn task(permit: &Permit, meta: &ObjectMeta, now: Timestamp) -> Option<Task> {
    if meta.tier.is_empty() {
        let large = meta.size > WritePermit::INLINE_BYTES_MAX as u64;
        let belongs = large && permit.tier(meta.attributes.storage_class()).is_some();
        return belongs.then_some(Task::Send);
    }
    if meta.restore_days > 0 {
        return Some(Task::Restore);
    }
    let over = meta.restored_until_micros > 0 && meta.restored_until_micros <= now.micros();
    over.then_some(Task::LetGo)
}

/// Whether content is in an archive, and not at hand.
#[must_use]
pub fn is_archived(permit: &Permit, meta: &ObjectMeta, now: Timestamp) -> bool {
    let is_archive = |class: &str| permit.tier(class).is_some_and(|tier: &ClassTier| tier.archive);
    let archive = is_archive(meta.attributes.storage_class()) || is_archive(&meta.tier);
    archive && meta.restored_until_micros <= now.micros()
}

/// That content may be read now.
///
/// # Errors
/// `InvalidObjectState` for what is in an archive and not restored.
pub fn check_readable(permit: &Permit, meta: &ObjectMeta) -> Result<()> {
    if !is_archived(permit, meta, permit.now()) {
        return Ok(());
    }
    Err(Error::fault(
        Fault::InvalidObjectState,
        "The operation is not valid for the object's storage class",
    ))
}

/// Moves a version to a class, and its content to the tier of that class, if there is one.
///
/// # Errors
/// As [`locate`]; `ConditionalRequestConflict` if its content moves meanwhile; the tier's own.
pub async fn move_to(permit: &WritePermit, key: &ObjectKey, target: Target, class: &str) -> Result<()> {
    let rename = |meta: &mut ObjectMeta| {
        if meta.attributes.storage_class() != class {
            class.clone_into(&mut meta.attributes.storage_class);
        }
    };
    if permit.tier(class).is_none() {
        let renamed = amend(permit, key, target, |meta| {
            rename(meta);
            Ok(())
        });
        return renamed.await.map(drop);
    }
    let located = locate(permit, key, target)?;
    let content = permit.send_out(&located.stored, class).await?;
    let is_there = content.iter().any(|extent| extent.tier.is_some());
    let change = |meta: &mut ObjectMeta| {
        rename(meta);
        meta.tier = if is_there { class.to_owned() } else { String::new() };
        meta.restore_days = 0;
        meta.restored_until_micros = 0;
    };
    name(permit, key, target, located, content, change).await
}

/// Asks for a copy of archived content for so many days from when it is there. What needs no copy counts as restored
/// until `until` at once.
///
/// # Errors
/// As [`locate`]; `InvalidObjectState` for other classes; `RestoreAlreadyInProgress`.
pub async fn ask_restore(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    days: u32,
    until: Timestamp,
) -> Result<(Located, Asked)> {
    let now = permit.now();
    let asked = parking_lot::Mutex::new(Asked::Begun);
    let change = |meta: &mut ObjectMeta| {
        let class = meta.attributes.storage_class();
        if !ARCHIVES.contains(&class) && !permit.tier(class).is_some_and(|tier| tier.archive) {
            return Err(Error::fault(
                Fault::InvalidObjectState,
                "Restore is not allowed for the object's current storage class",
            ));
        }
        if meta.restore_days > 0 {
            return Err(Error::fault(
                Fault::RestoreAlreadyInProgress,
                "Object restore is already in progress",
            ));
        }
        let restored = meta.restored_until_micros > now.micros();
        if restored || meta.tier.is_empty() {
            meta.restored_until_micros = until.micros();
        } else {
            meta.restore_days = days;
        }
        *asked.lock() = if restored { Asked::Extended } else { Asked::Begun };
        Ok(())
    };
    let located = amend(permit, key, target, change).await?;
    Ok((located, asked.into_inner()))
}

/// Brings a copy of archived content here, as was asked for. It stays for its days from now.
///
/// # Errors
/// As [`move_to`].
pub async fn restore(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    calendar: Calendar,
) -> Result<()> {
    let located = locate(permit, key, target)?;
    if located.meta.restore_days == 0 {
        return Ok(());
    }
    let content = permit.bring_back(&located.stored).await?;
    let until = calendar.after(permit.now(), located.meta.restore_days);
    let change = |meta: &mut ObjectMeta| {
        meta.restore_days = 0;
        meta.restored_until_micros = until.micros();
    };
    name(permit, key, target, located, content, change).await
}

/// Lets a restored copy go, if its time is still over.
///
/// # Errors
/// As [`move_to`].
pub async fn let_go(permit: &WritePermit, key: &ObjectKey, target: Target) -> Result<()> {
    let located = locate(permit, key, target)?;
    if task(permit, &located.meta, permit.now()) != Some(Task::LetGo) {
        return Ok(());
    }
    let mut content = located.stored.value.content.clone();
    content.iter_mut().for_each(|extent| extent.copied = false);
    let change = |meta: &mut ObjectMeta| meta.restored_until_micros = 0;
    name(permit, key, target, located, content, change).await
}

/// Names content where it lies now, whatever else is said of the version by then; unless it has moved meanwhile.
async fn name(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    mut located: Located,
    content: Vec<Extent>,
    change: impl Fn(&mut ObjectMeta),
) -> Result<()> {
    let before = located.stored.value.content.clone();
    for _ in 0..NAME_TRIES_MAX {
        let mut meta = located.meta.clone();
        change(&mut meta);
        let value = meta.to_value(content.clone(), located.stored.value.kept);
        let changes = Changes::new().amend(located.stored.clone(), value);
        let changes = match notice::amended(permit) {
            Some(event) => {
                let happened = Happened {
                    event,
                    name: key.as_str().as_bytes(),
                    meta: Some(&meta),
                    version: Some(located.stored.sequence),
                    versioned: located.stored.value.kept,
                };
                notice::note(permit, changes, &happened)
            }
            None => changes,
        };
        match permit.commit(changes).await {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() != ErrorKind::Precondition => return Err(e.into()),
            Err(_) => located = locate(permit, key, target)?,
        }
        if located.stored.value.content != before {
            return Err(conflict());
        }
    }
    Err(conflict())
}
