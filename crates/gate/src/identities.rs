//! Changing who exists and what they may: users, access keys, policies.
//!
//! Each change is asked for like any other write, decided on the user's ARN with IAM's own action
//! names, and recorded in its own commit. It is in force when the call returns.
//!
//! Invariants: a secret is shown once, by the call that makes it; nobody changes `root`; a policy
//! that does not parse is never stored.
//!
//! Deliberately absent: sessions, roles and groups, which come with the identity plane.

use bytes::Bytes;
use craton_base::{
    BranchId, BucketId, Error, Kind as ErrorKind, PrincipalName, ResourcePath, Result, Secret, Sequence,
    random,
};
use craton_store::{
    namespace::{Direction, Kind, Precondition, Span},
    store::Transaction,
};

use crate::{
    ask::Ask,
    directory::{
        ACCESS_KEYS_MAX, ANONYMOUS, AccessKeyInfo, AccessKeyRecord, POLICIES_MAX, PolicyRecord, ROOT,
        UserRecord, access_key_key, access_keys_of, no_such_user, policies_of, policy_key, stored_value,
        user_key,
    },
    gate::Gate,
    permit::WritePermit,
    policy::{Limits, Policy},
    session::Session,
};

/// A new access key, with its secret: the only time it is shown.
#[derive(Debug)]
pub struct NewAccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// The characters of access key ids after `AKIA`, and of secrets.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How often a change is tried again when another one came between.
const TRIES: usize = 8;

impl Gate {
    /// Makes the root user with its first access key, if there is none yet: at first start. The key is given
    /// to `publish` before it exists, so that a crash between the two loses no secret: the next start finds no
    /// root user and publishes another.
    ///
    /// # Errors
    /// The store's own; what `publish` returns.
    pub fn ensure_root(
        &self,
        publish: impl FnOnce(&NewAccessKey) -> Result<()>,
    ) -> Result<Option<NewAccessKey>> {
        let store = &self.inner.store;
        if store.get(&user_key(ROOT), Sequence::MAX)?.is_some() {
            return Ok(None);
        }
        let key = self.new_access_key()?;
        publish(&key)?;
        let now = self.inner.clock.now().micros();
        let user = UserRecord {
            created_micros: now,
            access_keys: vec![key.id.clone()],
            root: true,
        };
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::Absent(user_key(ROOT)));
        transaction.puts.push((user_key(ROOT), stored_value(&user)));
        transaction.puts.push((
            access_key_key(&key.id),
            stored_value(&self.key_record(ROOT, &key, now)?),
        ));
        store.commit_blocking(transaction)?;
        Ok(Some(key))
    }

    /// Makes a user.
    ///
    /// # Errors
    /// `Exists`, `EntityAlreadyExists`; `Invalid` for a reserved name; `Denied`.
    pub async fn create_user(&self, session: &Session, name: &PrincipalName) -> Result<()> {
        if [ROOT, ANONYMOUS, "system"]
            .iter()
            .any(|reserved| name.as_str().eq_ignore_ascii_case(reserved))
        {
            return Err(Error::invalid(format!("the user name {name:?} is reserved")));
        }
        let permit = self
            .change_user(session, "CreateUser", "iam:CreateUser", name)
            .await?;
        let user = UserRecord {
            created_micros: self.now_micros(),
            access_keys: Vec::new(),
            root: false,
        };
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::Absent(user_key(name.as_str())));
        transaction
            .puts
            .push((user_key(name.as_str()), stored_value(&user)));
        self.apply(&permit, transaction)
            .await
            .map_err(|e| match e.kind() {
                ErrorKind::Precondition => Error::new(
                    ErrorKind::Exists,
                    "EntityAlreadyExists",
                    format!("the user {name} exists already"),
                ),
                _ => e,
            })
    }

    /// Deletes a user with its access keys and policies. Their use ends before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_user(&self, session: &Session, name: &PrincipalName) -> Result<()> {
        let permit = self
            .change_user(session, "DeleteUser", "iam:DeleteUser", name)
            .await?;
        self.with_user(&permit, name, |gate, user, transaction| {
            for id in &user.access_keys {
                transaction.deletes.push(access_key_key(id));
            }
            for (policy, _) in policies_of(&gate.inner.store, name.as_str(), Sequence::MAX)? {
                transaction.deletes.push(policy_key(name.as_str(), &policy));
            }
            transaction.deletes.push(user_key(name.as_str()));
            Ok(())
        })
        .await
    }

    /// Makes an access key for a user.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `TooLarge`, `LimitExceeded`; `Denied`.
    pub async fn create_access_key(&self, session: &Session, name: &PrincipalName) -> Result<NewAccessKey> {
        let permit = self
            .change_user(session, "CreateAccessKey", "iam:CreateAccessKey", name)
            .await?;
        let key = self.new_access_key()?;
        let now = self.now_micros();
        self.with_user(&permit, name, |gate, user, transaction| {
            if user.access_keys.len() >= ACCESS_KEYS_MAX {
                return Err(limit(format!("a user has at most {ACCESS_KEYS_MAX} access keys")));
            }
            let mut user = user.clone();
            user.access_keys.push(key.id.clone());
            transaction
                .puts
                .push((user_key(name.as_str()), stored_value(&user)));
            let record = gate.key_record(name.as_str(), &key, now)?;
            transaction
                .puts
                .push((access_key_key(&key.id), stored_value(&record)));
            Ok(())
        })
        .await?;
        Ok(key)
    }

    /// Deletes an access key of a user. Its use ends before this returns.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_access_key(&self, session: &Session, name: &PrincipalName, id: &str) -> Result<()> {
        let permit = self
            .change_user(session, "DeleteAccessKey", "iam:DeleteAccessKey", name)
            .await?;
        self.with_user(&permit, name, |_, user, transaction| {
            let mut user = user.clone();
            let before = user.access_keys.len();
            user.access_keys.retain(|k| k != id);
            if user.access_keys.len() == before {
                let text = format!("the user {name} has no access key {id:?}");
                return Err(Error::new(ErrorKind::NotFound, "NoSuchEntity", text));
            }
            transaction
                .puts
                .push((user_key(name.as_str()), stored_value(&user)));
            transaction.deletes.push(access_key_key(id));
            Ok(())
        })
        .await
    }

    /// Sets a policy of a user.
    ///
    /// # Errors
    /// `Invalid`, naming the element that is wrong; `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn put_user_policy(
        &self,
        session: &Session,
        name: &PrincipalName,
        policy: &PrincipalName,
        document: Bytes,
    ) -> Result<()> {
        let permit = self
            .change_user(session, "PutUserPolicy", "iam:PutUserPolicy", name)
            .await?;
        Policy::parse(&document, &Limits::default())?;
        let key = policy_key(name.as_str(), policy.as_str());
        let created_micros = self.now_micros();
        self.with_user(&permit, name, |gate, user, transaction| {
            let existing = policies_of(&gate.inner.store, name.as_str(), Sequence::MAX)?;
            if existing.len() >= POLICIES_MAX && !existing.iter().any(|(n, _)| n == policy.as_str()) {
                return Err(limit(format!("a user has at most {POLICIES_MAX} policies")));
            }
            // Written again so that two changes of one user never pass each other.
            transaction
                .puts
                .push((user_key(name.as_str()), stored_value(user)));
            let record = PolicyRecord {
                document: document.clone(),
                created_micros,
            };
            transaction.puts.push((key.clone(), stored_value(&record)));
            Ok(())
        })
        .await
    }

    /// Removes a policy of a user.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn delete_user_policy(
        &self,
        session: &Session,
        name: &PrincipalName,
        policy: &PrincipalName,
    ) -> Result<()> {
        let permit = self
            .change_user(session, "DeleteUserPolicy", "iam:DeleteUserPolicy", name)
            .await?;
        let key = policy_key(name.as_str(), policy.as_str());
        self.with_user(&permit, name, |gate, user, transaction| {
            if gate.inner.store.get(&key, Sequence::MAX)?.is_none() {
                let text = format!("the user {name} has no policy {policy:?}");
                return Err(Error::new(ErrorKind::NotFound, "NoSuchEntity", text));
            }
            transaction
                .puts
                .push((user_key(name.as_str()), stored_value(user)));
            transaction.deletes.push(key.clone());
            Ok(())
        })
        .await
    }

    /// The names of users after a name, in order.
    ///
    /// # Errors
    /// `Denied`; the store's own.
    pub async fn list_users(
        &self,
        session: &Session,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let resource = ResourcePath::System("users".into());
        let permit = self
            .read(session, Ask::new("ListUsers", "iam:ListUsers", resource))
            .await?;
        let mut start = after.unwrap_or_default().as_bytes().to_vec();
        if after.is_some() {
            start.push(0);
        }
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::User,
            start: start.into(),
            end: None,
        };
        let page = self
            .inner
            .store
            .scan(&span, permit.sequence(), Direction::Forward, limit.min(1000))?;
        page.entries
            .iter()
            .map(|s| {
                String::from_utf8(s.key.name.to_vec())
                    .map_err(|_| Error::corrupt("a user's name is not UTF-8"))
            })
            .collect()
    }

    /// The access keys of a user, without their secrets.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn list_access_keys(
        &self,
        session: &Session,
        name: &PrincipalName,
    ) -> Result<Vec<AccessKeyInfo>> {
        let ask = Ask::new("ListAccessKeys", "iam:ListAccessKeys", user_path(name));
        let _permit = self.read(session, ask).await?;
        access_keys_of(&self.inner.store, name.as_str())
    }

    /// The policies of a user: names and documents.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn user_policies(
        &self,
        session: &Session,
        name: &PrincipalName,
    ) -> Result<Vec<(String, Bytes)>> {
        let ask = Ask::new("GetUserPolicy", "iam:GetUserPolicy", user_path(name));
        let permit = self.read(session, ask).await?;
        if self
            .inner
            .store
            .get(&user_key(name.as_str()), permit.sequence())?
            .is_none()
        {
            return Err(no_such_user(name.as_str()));
        }
        policies_of(&self.inner.store, name.as_str(), permit.sequence())
    }

    async fn change_user(
        &self,
        session: &Session,
        operation: &'static str,
        action: &'static str,
        name: &PrincipalName,
    ) -> Result<WritePermit> {
        self.write(session, Ask::new(operation, action, user_path(name)))
            .await
    }

    /// Applies `change` to an existing user's entry, again if another change came between.
    async fn with_user(
        &self,
        permit: &WritePermit,
        name: &PrincipalName,
        change: impl Fn(&Self, &UserRecord, &mut Transaction) -> Result<()>,
    ) -> Result<()> {
        let key = user_key(name.as_str());
        let mut last = None;
        for _ in 0..TRIES {
            let stored = self
                .inner
                .store
                .get(&key, Sequence::MAX)?
                .ok_or_else(|| no_such_user(name.as_str()))?;
            let user = UserRecord::from_stored(&stored)?;
            if user.root {
                return Err(Error::new(
                    ErrorKind::Denied,
                    "AccessDenied",
                    "the root user is not changed this way",
                ));
            }
            let mut transaction = Transaction::default();
            transaction
                .preconditions
                .push(Precondition::At(key.clone(), stored.sequence));
            change(self, &user, &mut transaction)?;
            match self.apply(permit, transaction).await {
                Err(e) if e.kind() == ErrorKind::Precondition => last = Some(e),
                done => return done,
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "ConcurrentModification",
            format!("the user {name} is being changed"),
        )
        .with_source(last.unwrap_or_else(|| Error::internal("no try"))))
    }

    async fn apply(&self, permit: &WritePermit, transaction: Transaction) -> Result<()> {
        let done = permit.commit_transaction(transaction).await;
        self.inner.directory.forget();
        done.map(drop)
    }

    fn now_micros(&self) -> u64 {
        self.inner.clock.now().micros()
    }

    fn new_access_key(&self) -> Result<NewAccessKey> {
        let random = &*self.inner.random;
        let id = letters(&random::bytes::<16>(random)?, ID_ALPHABET);
        let secret = letters(&random::bytes::<40>(random)?, SECRET_ALPHABET);
        Ok(NewAccessKey {
            id: format!("AKIA{id}"),
            secret: secret.into(),
        })
    }

    fn key_record(&self, user: &str, key: &NewAccessKey, created_micros: u64) -> Result<AccessKeyRecord> {
        let sealed_secret = self.inner.directory.seal_secret(&key.id, &key.secret)?;
        Ok(AccessKeyRecord {
            user: user.to_owned(),
            sealed_secret,
            active: true,
            created_micros,
        })
    }
}

/// One letter for each byte; the alphabet's length divides 256, so that every letter is as likely.
fn letters(bytes: &[u8], alphabet: &[u8]) -> String {
    let letter = |b: &u8| {
        alphabet
            .get(usize::from(*b).checked_rem(alphabet.len())?)
            .copied()
    };
    bytes.iter().filter_map(letter).map(char::from).collect()
}

fn user_path(name: &PrincipalName) -> ResourcePath {
    ResourcePath::System(format!("users/{name}"))
}

fn limit(text: String) -> Error {
    Error::new(ErrorKind::TooLarge, "LimitExceeded", text)
}
