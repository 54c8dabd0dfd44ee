//! Access keys of users. Whoever makes one for another user must hold what that user does: the key gives it.

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::namespace::Precondition;

use super::{Act, Holder, NewAccessKey, limit, missing};
use crate::{
    ask::Ask,
    directory::{
        AccessKeyInfo, AccessKeyRecord, HolderKind, access_key_key, access_keys_of, no_such_user,
        stored_value,
    },
    gate::{Gate, Inner},
    session::{PrincipalKind, Session},
};

/// Most access keys of a user.
pub const ACCESS_KEYS_MAX: usize = 8;

/// When an access key was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose it is.
    pub user: String,
    /// When, and for which service; `None` if it never was.
    pub last: Option<(Timestamp, String)>,
}

fn of_user(name: &str) -> Holder {
    Holder::new(HolderKind::User, name)
}

impl Gate {
    /// Makes an access key for a user.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `TooLarge`, `LimitExceeded`; `Denied`, also to who does not hold what the user does.
    pub async fn create_access_key(&self, session: &Session, user: &str) -> Result<NewAccessKey> {
        let holder = of_user(user);
        let permit = self
            .to_change(session, &holder, Act::new("iam:CreateAccessKey"), &[])
            .await?;
        let key = self.new_access_key()?;
        let now = self.now_micros();
        let own = is_own(session, user);
        self.edit(&permit, &holder, |record, edit| {
            if !own {
                self.require_all_held(session, record)?;
            }
            if record.access_keys.len() >= ACCESS_KEYS_MAX {
                return Err(limit(format!(
                    "Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_MAX}"
                )));
            }
            record.access_keys.push(key.id.clone());
            let entry = self.key_record(user, &key, now)?;
            edit.transaction
                .puts
                .push((access_key_key(&key.id), stored_value(&entry)));
            Ok(())
        })
        .await?;
        Ok(key)
    }

    /// Lets an access key be used, or not. Switched off, its use and that of its sessions ends before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn set_access_key(&self, session: &Session, user: &str, id: &str, active: bool) -> Result<()> {
        let holder = of_user(user);
        let permit = self
            .to_change(session, &holder, Act::new("iam:UpdateAccessKey"), &[])
            .await?;
        self.edit(&permit, &holder, |record, edit| {
            if !record.access_keys.iter().any(|k| k == id) {
                return Err(no_key(id));
            }
            let key = access_key_key(id);
            let stored = self
                .inner
                .store
                .get(&key, Sequence::MAX)?
                .ok_or_else(|| no_key(id))?;
            let entry = AccessKeyRecord {
                active,
                ..AccessKeyRecord::from_stored(&stored)?
            };
            edit.transaction
                .preconditions
                .push(Precondition::At(key.clone(), stored.sequence));
            edit.transaction.puts.push((key, stored_value(&entry)));
            Ok(())
        })
        .await
    }

    /// Deletes an access key of a user. Its use and that of its sessions ends before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_access_key(&self, session: &Session, user: &str, id: &str) -> Result<()> {
        let holder = of_user(user);
        let permit = self
            .to_change(session, &holder, Act::new("iam:DeleteAccessKey"), &[])
            .await?;
        self.edit(&permit, &holder, |record, edit| {
            let before = record.access_keys.len();
            record.access_keys.retain(|k| k != id);
            if record.access_keys.len() == before {
                return Err(no_key(id));
            }
            edit.transaction.deletes.push(access_key_key(id));
            Ok(())
        })
        .await
    }

    /// The access keys of a user, without their secrets.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn list_access_keys(&self, session: &Session, user: &str) -> Result<Vec<AccessKeyInfo>> {
        let ask = Ask::new(
            "ListAccessKeys",
            "iam:ListAccessKeys",
            self.holder_path(&of_user(user))?,
        );
        let _permit = self.read(session, ask).await?;
        let (_, record) = self
            .entity(HolderKind::User, user)?
            .ok_or_else(|| no_such_user(user))?;
        access_keys_of(&self.inner.store, &record)
    }

    /// Whose an access key is; `None` if there is none.
    #[must_use]
    pub fn owner_of_key(&self, id: &str) -> Option<String> {
        let stored = self.inner.store.get(&access_key_key(id), Sequence::MAX).ok()??;
        AccessKeyRecord::from_stored(&stored)
            .ok()
            .map(|record| record.user)
    }

    /// When an access key was last used.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn access_key_use(&self, session: &Session, id: &str) -> Result<KeyUse> {
        let user = self.owner_of_key(id);
        let path = match &user {
            Some(user) => self.holder_path(&of_user(user))?,
            None => ResourcePath::System("users/".to_owned()),
        };
        let ask = Ask::new("GetAccessKeyLastUsed", "iam:GetAccessKeyLastUsed", path);
        let _permit = self.read(session, ask).await?;
        let inner = &self.inner;
        let user = user.ok_or_else(|| no_key(id))?;
        let found = inner
            .directory
            .credential(&inner.store, id)?
            .ok_or_else(|| no_key(id))?;
        let last = found.used.last().map(|(at, service)| (at, service.to_owned()));
        Ok(KeyUse { user, last })
    }
}

impl Inner {
    /// Writes down when keys were last used.
    pub(crate) fn write_uses(&self) -> Result<()> {
        for (id, at, service) in self.directory.uses.take_news() {
            let key = access_key_key(&id);
            let Some(stored) = self.store.get(&key, Sequence::MAX)? else {
                continue;
            };
            let record = AccessKeyRecord {
                used_micros: at.micros(),
                used_service: service.to_owned(),
                ..AccessKeyRecord::from_stored(&stored)?
            };
            let transaction = craton_store::store::Transaction {
                preconditions: vec![Precondition::At(key.clone(), stored.sequence)],
                puts: vec![(key, stored_value(&record))],
                ..Default::default()
            };
            match self.store.commit_blocking(transaction) {
                // Changed meanwhile: the next time.
                Err(e) if e.kind() != ErrorKind::Precondition => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_own(session: &Session, user: &str) -> bool {
    session.kind() == PrincipalKind::User && session.principal() == user && session.session_id().is_none()
}

fn no_key(id: &str) -> Error {
    missing(format!("The Access Key with id {id} cannot be found."))
}
