//! The directory's entries as they are stored. Tags are on disk: `docs/formats.md`, "Directory".

use bytes::Bytes;
use craton_base::{Result, Timestamp};
use craton_store::value::Stored;
use prost::Message;

use super::{AccessKeyInfo, decode};
use crate::budgets::SessionBudget;

/// A name and a value that somebody gave to an identity or a session.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct TagRecord {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// A policy that stands in the entry of whom it is for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InlineRecord {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) document: Bytes,
    #[prost(uint64, tag = "3")]
    pub(crate) created_micros: u64,
}

/// A user, a group or a role (`Kind::User`, `Kind::Group`, `Kind::Role`; by name in lower case).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EntityRecord {
    #[prost(uint64, tag = "1")]
    pub(crate) created_micros: u64,
    /// Ids of a user's access keys.
    #[prost(string, repeated, tag = "2")]
    pub(crate) access_keys: Vec<String>,
    #[prost(bool, tag = "3")]
    pub(crate) root: bool,
    #[prost(string, tag = "4")]
    pub(crate) name: String,
    /// Never given to another: `AIDA…`, `AGPA…`, `AROA…`.
    #[prost(string, tag = "5")]
    pub(crate) id: String,
    #[prost(string, tag = "6")]
    pub(crate) path: String,
    #[prost(message, repeated, tag = "7")]
    pub(crate) tags: Vec<TagRecord>,
    /// The ARN of the managed policy that is the permissions boundary.
    #[prost(string, tag = "8")]
    pub(crate) boundary: String,
    /// ARNs of managed policies.
    #[prost(string, repeated, tag = "9")]
    pub(crate) attached: Vec<String>,
    #[prost(message, repeated, tag = "10")]
    pub(crate) inline: Vec<InlineRecord>,
    /// Names of a user's groups.
    #[prost(string, repeated, tag = "11")]
    pub(crate) groups: Vec<String>,
    /// A role's trust policy.
    #[prost(bytes = "bytes", tag = "12")]
    pub(crate) trust: Bytes,
    #[prost(uint32, tag = "13")]
    pub(crate) session_seconds_max: u32,
    #[prost(string, tag = "14")]
    pub(crate) description: String,
    /// Sessions that began earlier are over.
    #[prost(uint64, tag = "15")]
    pub(crate) revoked_before_micros: u64,
}

/// An access key (`Kind::AccessKey`, by id).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccessKeyRecord {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) sealed_secret: Bytes,
    #[prost(bool, tag = "3")]
    pub(crate) active: bool,
    #[prost(uint64, tag = "4")]
    pub(crate) created_micros: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) used_micros: u64,
    #[prost(string, tag = "6")]
    pub(crate) used_service: String,
}

/// A version of a managed policy.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct VersionRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) document: Bytes,
    #[prost(uint64, tag = "3")]
    pub(crate) created_micros: u64,
}

/// A managed policy (`Kind::ManagedPolicy`, by name in lower case).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ManagedRecord {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    #[prost(string, tag = "3")]
    pub(crate) path: String,
    #[prost(uint64, tag = "4")]
    pub(crate) created_micros: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) updated_micros: u64,
    #[prost(string, tag = "6")]
    pub(crate) description: String,
    #[prost(message, repeated, tag = "7")]
    pub(crate) tags: Vec<TagRecord>,
    /// The number of the version in force.
    #[prost(uint32, tag = "8")]
    pub(crate) default_version: u32,
    /// The highest number that was given.
    #[prost(uint32, tag = "9")]
    pub(crate) last_version: u32,
    #[prost(message, repeated, tag = "10")]
    pub(crate) versions: Vec<VersionRecord>,
    /// How many users, groups and roles it is attached to.
    #[prost(uint64, tag = "11")]
    pub(crate) attachments: u64,
    /// How many users and roles have it as their boundary.
    #[prost(uint64, tag = "12")]
    pub(crate) boundaries: u64,
}

/// An identity provider (`Kind::OidcProvider`, by its address without `https://`).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProviderRecord {
    /// With its scheme.
    #[prost(string, tag = "1")]
    pub(crate) url: String,
    /// Audiences that are accepted.
    #[prost(string, repeated, tag = "2")]
    pub(crate) clients: Vec<String>,
    /// Kept and shown; what is trusted is the TLS connection.
    #[prost(string, repeated, tag = "3")]
    pub(crate) thumbprints: Vec<String>,
    #[prost(uint64, tag = "4")]
    pub(crate) created_micros: u64,
    #[prost(message, repeated, tag = "5")]
    pub(crate) tags: Vec<TagRecord>,
    /// Never given to another.
    #[prost(string, tag = "6")]
    pub(crate) id: String,
}

/// Session policies of which one must allow.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LayerRecord {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) documents: Vec<Bytes>,
    /// ARNs of managed policies.
    #[prost(string, repeated, tag = "2")]
    pub(crate) managed: Vec<String>,
}

/// Somebody in a session: the one who acts, or one for whom it acts.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ActorRecord {
    /// 1 a user, 2 a role.
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// The id that it had when the session was made.
    #[prost(string, tag = "3")]
    pub(crate) id: String,
    /// The role session's name.
    #[prost(string, tag = "4")]
    pub(crate) session_name: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) layers: Vec<LayerRecord>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) tags: Vec<TagRecord>,
}

/// The files of one table: a session is for them alone.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(crate) struct FilesRecord {
    #[prost(string, tag = "1")]
    pub(crate) bucket: String,
    /// The table's id.
    #[prost(string, tag = "2")]
    pub(crate) table: String,
    /// Whether they may be written too.
    #[prost(bool, tag = "3")]
    pub(crate) writes: bool,
}

/// A session (`Kind::Session`, by id).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SessionRecord {
    #[prost(message, optional, tag = "1")]
    pub(crate) actor: Option<ActorRecord>,
    /// For whom it acts, nearest first.
    #[prost(message, repeated, tag = "2")]
    pub(crate) chain: Vec<ActorRecord>,
    #[prost(uint64, tag = "3")]
    pub(crate) issued_micros: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) expires_micros: u64,
    /// Empty for a session that is only used by its bearer token.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) sealed_secret: Bytes,
    #[prost(string, repeated, tag = "6")]
    pub(crate) transitive_tags: Vec<String>,
    #[prost(string, tag = "7")]
    pub(crate) source_identity: String,
    #[prost(string, tag = "8")]
    pub(crate) run: String,
    #[prost(string, tag = "9")]
    pub(crate) purpose: String,
    /// The provider that vouched: its address without scheme, and its id.
    #[prost(string, tag = "10")]
    pub(crate) provider: String,
    #[prost(string, tag = "11")]
    pub(crate) provider_id: String,
    /// Whom it vouched for.
    #[prost(string, tag = "12")]
    pub(crate) subject: String,
    /// Access keys and sessions that it was made from; over when one of them is.
    #[prost(string, repeated, tag = "13")]
    pub(crate) made_from: Vec<String>,
    /// Over before its time.
    #[prost(bool, tag = "14")]
    pub(crate) revoked: bool,
    /// May not use IAM and STS: made by `GetSessionToken`.
    #[prost(bool, tag = "15")]
    pub(crate) without_iam: bool,
    /// Made from another session by `AssumeRole`.
    #[prost(bool, tag = "16")]
    pub(crate) chained: bool,
    /// What alone it is for.
    #[prost(message, optional, tag = "17")]
    pub(crate) files: Option<FilesRecord>,
    /// The labels of what was read in it, as far as guard policies looked at labels then.
    #[prost(string, repeated, tag = "18")]
    pub(crate) labels: Vec<String>,
    /// What it, and those made from it, may use up.
    #[prost(message, optional, tag = "19")]
    pub(crate) budget: Option<SessionBudget>,
}

impl EntityRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        let mut record: Self = decode(stored, "an identity's entry")?;
        let name = || String::from_utf8_lossy(&stored.key.name).into_owned();
        if record.name.is_empty() {
            record.name = name();
        }
        if record.id.is_empty() {
            record.id.clone_from(&record.name);
        }
        if record.path.is_empty() {
            "/".clone_into(&mut record.path);
        }
        Ok(record)
    }
}

impl AccessKeyRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "an access key's entry")
    }

    pub(crate) fn info(&self, id: &str) -> AccessKeyInfo {
        AccessKeyInfo {
            id: id.to_owned(),
            user: self.user.clone(),
            active: self.active,
            created: Timestamp(self.created_micros),
        }
    }
}

impl ManagedRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "a managed policy's entry")
    }

    /// The document in force.
    pub(crate) fn document(&self) -> Option<&Bytes> {
        self.version(self.default_version).map(|v| &v.document)
    }

    pub(crate) fn version(&self, number: u32) -> Option<&VersionRecord> {
        self.versions.iter().find(|v| v.number == number)
    }
}

impl ProviderRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "an identity provider's entry")
    }
}

impl SessionRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "a session's entry")
    }
}
