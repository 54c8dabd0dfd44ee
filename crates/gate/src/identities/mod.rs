//! Changing who exists and what they may: users, groups, roles, access keys, policies, identity providers.
//!
//! Each change is asked for like any other write, decided on the ARN with IAM's own action names, and recorded in its
//! own commit. It is in force when the call returns.
//!
//! Invariants: a secret is shown once, by the call that makes it; nobody changes `root`; a policy that does not parse is
//! never stored; nobody gives away what they do not hold ([`grants`]); two changes of one entry never pass each other.
//!
//! Deliberately absent: protocols, sessions ([`crate::sessions`]).

use std::collections::BTreeMap;

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Secret, Sequence, random};
use craton_store::{
    namespace::{Key, Precondition},
    store::Transaction,
    value::Value,
};

use crate::{
    ask::{Ask, Fact},
    directory::{
        AccessKeyRecord, EntityRecord, HolderKind, ManagedRecord, ROOT, TagRecord, access_key_key,
        holder_key, managed, no_such, stored_value,
    },
    gate::Gate,
    permit::WritePermit,
    session::Session,
};

mod details;
mod entities;
mod grants;
mod held;
mod keys;
mod members;
mod policies;
mod providers;

pub use details::{Entity, Summary};
pub use entities::{NewEntity, Update};
pub use keys::{ACCESS_KEYS_MAX, KeyUse};
pub use policies::{ManagedPolicy, PolicyVersion, VERSIONS_MAX};
pub use providers::{Provider, ProviderChange};
pub(crate) use providers::{address_of, provider_arn};

/// Most policies in an entry, and most that are attached to one.
pub const POLICIES_MAX: usize = 32;

/// Most tags of an entry.
const TAGS_MAX: usize = 50;

/// Most groups of a user.
const GROUPS_MAX: usize = 10;

/// The characters of ids after their prefix, and of secrets.
pub(crate) const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(crate) const SECRET_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How often a change is tried again when another one came between.
const TRIES: usize = 8;

/// A new access key, with its secret: the only time it is shown.
#[derive(Debug)]
pub struct NewAccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// A user, group or role by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it is.
    pub kind: HolderKind,
    /// Its name.
    pub name: String,
}

impl Holder {
    /// A user, group or role.
    #[must_use]
    pub fn new(kind: HolderKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }
}

/// An operation of IAM: its name, which is also its action's.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    operation: &'static str,
    action: &'static str,
}

impl Act {
    const fn new(action: &'static str) -> Self {
        // "iam:" and the operation.
        let operation = match action.split_at_checked(4) {
            Some((_, operation)) => operation,
            None => action,
        };
        Self { operation, action }
    }
}

/// The operation for a user, a group or a role.
const fn by_kind(kind: HolderKind, [user, group, role]: [&'static str; 3]) -> Act {
    Act::new(match kind {
        HolderKind::User => user,
        HolderKind::Group => group,
        HolderKind::Role => role,
    })
}

/// What one change does, besides to the entry that it is about.
#[derive(Default)]
struct Edit {
    transaction: Transaction,
    managed: BTreeMap<String, (Sequence, ManagedRecord)>,
}

impl Edit {
    /// The managed policy with this ARN, to be changed in the same commit; `None` if it is built in.
    fn managed(&mut self, gate: &Gate, arn: &str) -> Result<Option<&mut ManagedRecord>> {
        if managed::builtin(arn).is_some() {
            return Ok(None);
        }
        if !self.managed.contains_key(arn) {
            let found = managed::find(&gate.inner.store, arn)?.ok_or_else(|| no_such_policy(arn))?;
            self.managed.insert(arn.to_owned(), found);
        }
        Ok(self.managed.get_mut(arn).map(|(_, record)| record))
    }

    fn into_transaction(mut self) -> Transaction {
        for (sequence, record) in self.managed.into_values() {
            let key = managed::key(&record.name);
            self.transaction
                .preconditions
                .push(Precondition::At(key.clone(), sequence));
            self.transaction.puts.push((key, stored_value(&record)));
        }
        self.transaction
    }
}

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
        let entry = holder_key(HolderKind::User, ROOT);
        if store.get(&entry, Sequence::MAX)?.is_some() {
            return Ok(None);
        }
        let key = self.new_access_key()?;
        publish(&key)?;
        let now = self.inner.clock.now().micros();
        let user = EntityRecord {
            created_micros: now,
            access_keys: vec![key.id.clone()],
            root: true,
            name: ROOT.to_owned(),
            id: ROOT.to_owned(),
            path: "/".to_owned(),
            ..EntityRecord::default()
        };
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::Absent(entry.clone()));
        transaction.puts.push((entry, stored_value(&user)));
        transaction.puts.push((
            access_key_key(&key.id),
            stored_value(&self.key_record(ROOT, &key, now)?),
        ));
        store.commit_blocking(transaction)?;
        Ok(Some(key))
    }

    /// The entry of a user, group or role, with the commit that it is of.
    fn entity(&self, kind: HolderKind, name: &str) -> Result<Option<(Sequence, EntityRecord)>> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let Some(stored) = self.inner.store.get(&holder_key(kind, name), Sequence::MAX)? else {
            return Ok(None);
        };
        let record = EntityRecord::from_stored(&stored)?;
        // Told apart without case, found only as it is written: a policy names one ARN.
        Ok((record.name == name).then_some((stored.sequence, record)))
    }

    /// What policies are asked about: the ARN of an entry that exists, or of one without a path.
    fn holder_path(&self, holder: &Holder) -> Result<ResourcePath> {
        let found = self.entity(holder.kind, &holder.name)?;
        let path = found.map_or_else(|| "/".to_owned(), |(_, record)| record.path);
        Ok(path_of(holder.kind, &path, &holder.name))
    }

    /// A permit to change an entry.
    async fn to_change(
        &self,
        session: &Session,
        holder: &Holder,
        act: Act,
        facts: &[Fact],
    ) -> Result<WritePermit> {
        let mut ask = Ask::new(act.operation, act.action, self.holder_path(holder)?);
        ask.context.extend_from_slice(facts);
        if let Some((_, record)) = self.entity(holder.kind, &holder.name)? {
            ask.context.extend(resource_tags(&record.tags));
        }
        self.write(session, ask).await
    }

    /// Changes an entry, again if another change came between.
    async fn edit(
        &self,
        permit: &WritePermit,
        holder: &Holder,
        change: impl Fn(&mut EntityRecord, &mut Edit) -> Result<()>,
    ) -> Result<()> {
        let done = self.try_change(permit, holder, change).await;
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done
    }

    async fn try_change(
        &self,
        permit: &WritePermit,
        holder: &Holder,
        change: impl Fn(&mut EntityRecord, &mut Edit) -> Result<()>,
    ) -> Result<()> {
        let key = holder_key(holder.kind, &holder.name);
        for _ in 0..TRIES {
            let found = self.entity(holder.kind, &holder.name)?;
            let (sequence, mut record) = found.ok_or_else(|| no_such(holder.kind, &holder.name))?;
            if record.root {
                let text = "the root user is not changed this way";
                return Err(Error::new(ErrorKind::Denied, "AccessDenied", text));
            }
            let mut edit = Edit::default();
            edit.transaction
                .preconditions
                .push(Precondition::At(key.clone(), sequence));
            change(&mut record, &mut edit)?;
            if !edit.transaction.deletes.contains(&key) {
                edit.transaction.puts.push((key.clone(), stored_value(&record)));
            }
            match permit.commit_transaction(edit.into_transaction()).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => return done.map(drop),
            }
        }
        Err(is_being_changed(&holder.name))
    }

    fn now_micros(&self) -> u64 {
        self.inner.clock.now().micros()
    }

    fn new_access_key(&self) -> Result<NewAccessKey> {
        let random = &*self.inner.random;
        let secret = letters(&random::bytes::<40>(random)?, SECRET_ALPHABET);
        Ok(NewAccessKey {
            id: self.new_id("AKIA")?,
            secret: secret.into(),
        })
    }

    /// An id that nothing has or will have.
    fn new_id(&self, prefix: &str) -> Result<String> {
        let id = letters(&random::bytes::<16>(&*self.inner.random)?, ID_ALPHABET);
        Ok(format!("{prefix}{id}"))
    }

    fn key_record(&self, user: &str, key: &NewAccessKey, created_micros: u64) -> Result<AccessKeyRecord> {
        let sealed_secret = self.inner.directory.seal_secret(&key.id, &key.secret)?;
        Ok(AccessKeyRecord {
            user: user.to_owned(),
            sealed_secret,
            active: true,
            created_micros,
            ..AccessKeyRecord::default()
        })
    }
}

/// The longest name of anything here, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Where an entry stands in the tree of resources.
fn path_of(kind: HolderKind, path: &str, name: &str) -> ResourcePath {
    ResourcePath::System(format!("{}s{path}{name}", kind.word()))
}

/// The tags of what a request is about, as condition keys.
fn resource_tags(tags: &[TagRecord]) -> impl Iterator<Item = Fact> {
    tags.iter().flat_map(|tag| {
        let both = ["aws:ResourceTag", "iam:ResourceTag"];
        both.map(|start| (format!("{start}/{}", tag.key).into(), tag.value.clone()))
    })
}

/// The tags that a request gives, as condition keys.
fn request_tags(tags: &[(String, String)]) -> Vec<Fact> {
    let keys = tags.iter().map(|(key, _)| ("aws:TagKeys".into(), key.clone()));
    let values = tags
        .iter()
        .map(|(key, value)| (format!("aws:RequestTag/{key}").into(), value.clone()));
    keys.chain(values).collect()
}

/// One letter for each byte; the alphabet's length divides 256, so that every letter is as likely.
pub(crate) fn letters(bytes: &[u8], alphabet: &[u8]) -> String {
    let letter = |b: &u8| {
        alphabet
            .get(usize::from(*b).checked_rem(alphabet.len())?)
            .copied()
    };
    bytes.iter().filter_map(letter).map(char::from).collect()
}

/// Tags: told apart without case, of limited length, none that begins like AWS's own.
///
/// # Errors
/// `Invalid`, `InvalidInput`; `TooLarge`, `LimitExceeded`.
pub(crate) fn check_tags(tags: &[(String, String)]) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(limit(format!("there are at most {TAGS_MAX} tags")));
    }
    let good = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c))
    };
    for (place, (key, value)) in tags.iter().enumerate() {
        let reserved = key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        let chars = (key.chars().count(), value.chars().count());
        if reserved || !(1..=128).contains(&chars.0) || chars.1 > 256 || !good(key) || !good(value) {
            return Err(invalid(format!(
                "the tag {key:?} must have a key of 1 to 128 and a value of at most 256 letters, digits, spaces and \
                 _.:/=+-@, and not begin with aws:"
            )));
        }
        if tags
            .iter()
            .take(place)
            .any(|(other, _)| other.eq_ignore_ascii_case(key))
        {
            return Err(invalid(format!("Duplicate tag keys found: {key:?}")));
        }
    }
    Ok(())
}

/// A name of a user, group, role or policy.
fn check_name(what: &str, name: &str, most: usize) -> Result<()> {
    let good = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if good && (1..=most).contains(&name.len()) {
        return Ok(());
    }
    Err(validation(format!(
        "The specified value for {what} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_- and have 1 to {most} of them"
    )))
}

/// A path: `/`, or letters between two.
fn check_path(path: &str) -> Result<()> {
    let good = path
        .bytes()
        .all(|b| (0x21..=0x7e).contains(&b) && !b"*?${}\"'<>&".contains(&b));
    let ends = path.starts_with('/') && path.ends_with('/') && !path.contains("//");
    if good && ends && path.len() <= 512 {
        return Ok(());
    }
    Err(validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
         characters and/or / characters."
            .to_owned(),
    ))
}

fn limit(text: String) -> Error {
    Error::new(ErrorKind::TooLarge, "LimitExceeded", text)
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidInput", text)
}

fn validation(text: String) -> Error {
    Error::new(ErrorKind::Invalid, "ValidationError", text)
}

fn conflict(text: String) -> Error {
    Error::new(ErrorKind::Exists, "DeleteConflict", text)
}

fn missing(text: String) -> Error {
    Error::new(ErrorKind::NotFound, "NoSuchEntity", text)
}

fn no_such_policy(arn: &str) -> Error {
    missing(format!("Policy {arn} does not exist or is not attachable."))
}

fn is_being_changed(name: &str) -> Error {
    let text = format!("{name} is being changed by another request; try again");
    Error::new(ErrorKind::Busy, "ConcurrentModification", text)
}

/// Commits an entry that there must not be yet.
async fn commit_new(
    permit: &WritePermit,
    (key, value): (Key, Value),
    (what, name): (&str, &str),
) -> Result<()> {
    let mut transaction = Transaction::default();
    transaction.preconditions.push(Precondition::Absent(key.clone()));
    transaction.puts.push((key, value));
    let done = permit.commit_transaction(transaction).await;
    let done = done.map(drop).map_err(exists(what, name));
    done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
}

fn exists(what: &str, name: &str) -> impl Fn(Error) -> Error {
    let text = format!("{what} with name {name} already exists.");
    move |e| match e.kind() {
        ErrorKind::Precondition => Error::new(ErrorKind::Exists, "EntityAlreadyExists", text.clone()),
        _ => e,
    }
}
