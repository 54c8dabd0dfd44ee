//! Managing the named keys of the local key service: decided on the key's ARN with KMS's own action names, and
//! recorded in the commit that makes the change.
//!
//! Deliberately absent: the keys of an outside key service, which are managed there.

use std::sync::Arc;

use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Direction, Kind, Precondition, Span},
    store::Transaction,
    value::Stored,
};

use super::{
    local::{self, KeyRecord},
    no_such_key,
};
use crate::{ask::Ask, gate::Gate, permit::WritePermit, session::Session};

/// The longest id of a key, in bytes.
pub(super) const ID_BYTES_MAX: usize = 128;

/// The most keys.
pub const NAMED_KEYS_MAX: usize = 1000;

/// A named key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl Gate {
    /// Makes a named key; its ARN.
    ///
    /// # Errors
    /// `Exists`, `AlreadyExistsException`; `Invalid` for an id that is none; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn create_named_key(&self, session: &Session, id: &str) -> Result<String> {
        check_id(id)?;
        let permit = self
            .manage(session, "CreateNamedKey", "kms:CreateKey", id)
            .await?;
        if self.named_keys(permit.sequence())?.len() >= NAMED_KEYS_MAX {
            let text = format!("there are at most {NAMED_KEYS_MAX} keys");
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let mut transaction = Transaction::default();
        let key = local::entry(id);
        transaction.preconditions.push(Precondition::Absent(key.clone()));
        let record = self.inner.local_keys.make(id)?;
        transaction.puts.push((key, local::stored_value(&record)));
        let exists = |e: Error| match e.kind() {
            ErrorKind::Precondition => Error::new(
                ErrorKind::Exists,
                "AlreadyExistsException",
                format!("the key {id:?} exists already"),
            ),
            _ => e,
        };
        permit.commit_transaction(transaction).await.map_err(exists)?;
        Ok(self.inner.local_keys.arn(id))
    }

    /// Lets a named key be used, or not.
    ///
    /// # Errors
    /// `Invalid`, `KMS.NotFoundException`; `Denied`.
    pub async fn enable_named_key(&self, session: &Session, id: &str, enabled: bool) -> Result<()> {
        let (operation, action) = match enabled {
            true => ("EnableNamedKey", "kms:EnableKey"),
            false => ("DisableNamedKey", "kms:DisableKey"),
        };
        let permit = self.manage(session, operation, action, id).await?;
        let record = KeyRecord {
            disabled: !enabled,
            ..KeyRecord::clone(&*self.existing(id)?)
        };
        let mut transaction = Transaction::default();
        let key = local::entry(id);
        transaction.preconditions.push(Precondition::Present(key.clone()));
        transaction.puts.push((key, local::stored_value(&record)));
        permit.commit_transaction(transaction).await?;
        Ok(())
    }

    /// Deletes a named key for good: what was sealed under it can never be read again.
    ///
    /// # Errors
    /// `Invalid`, `KMS.NotFoundException`; `Denied`.
    pub async fn delete_named_key(&self, session: &Session, id: &str) -> Result<()> {
        let permit = self
            .manage(session, "DeleteNamedKey", "kms:ScheduleKeyDeletion", id)
            .await?;
        self.existing(id)?;
        let mut transaction = Transaction::default();
        transaction.deletes.push(local::entry(id));
        permit.commit_transaction(transaction).await?;
        Ok(())
    }

    /// All named keys, by id.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_named_keys(&self, session: &Session) -> Result<Vec<NamedKey>> {
        let path = ResourcePath::System("kms".into());
        let permit = self
            .read(session, Ask::new("ListNamedKeys", "kms:ListKeys", path))
            .await?;
        self.named_keys(permit.sequence())?
            .iter()
            .map(|stored| self.named(stored))
            .collect()
    }

    fn named(&self, stored: &Stored) -> Result<NamedKey> {
        let record = local::record(stored)?;
        let id = std::str::from_utf8(&stored.key.name)
            .map_err(|e| Error::corrupt("a named key's id is not UTF-8").with_source(e))?;
        Ok(NamedKey {
            id: id.to_owned(),
            arn: self.inner.local_keys.arn(id),
            enabled: !record.disabled,
            created: Timestamp(record.created_micros),
        })
    }

    fn named_keys(&self, at: Sequence) -> Result<Vec<Stored>> {
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::KmsKey,
            start: bytes::Bytes::new(),
            end: None,
        };
        let page = self
            .inner
            .store
            .scan(&span, at, Direction::Forward, NAMED_KEYS_MAX.saturating_add(1))?;
        Ok(page.entries)
    }

    fn existing(&self, id: &str) -> Result<Arc<KeyRecord>> {
        self.inner
            .local_keys
            .read(id)?
            .ok_or_else(|| no_such_key(&self.inner.local_keys.arn(id)))
    }

    async fn manage(
        &self,
        session: &Session,
        operation: &'static str,
        action: &'static str,
        id: &str,
    ) -> Result<WritePermit> {
        let path = path(&self.inner.local_keys.arn(id));
        self.write(session, Ask::new(operation, action, path)).await
    }
}

/// Where a key is in the tree of resources.
pub(crate) fn path(arn: &str) -> ResourcePath {
    ResourcePath::System(format!("kms/{arn}"))
}

fn check_id(id: &str) -> Result<()> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(known) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a key's id has 1 to {ID_BYTES_MAX} letters, digits, '-' and '_'"
    )))
}
