//! What one record of the ledger says, and how large it may be.
//!
//! A record is a prost message; its tags are in `docs/formats.md` and are never reused. Fields that an
//! outsider fills have limits, and a record over a limit is an error, never cut short: the request that
//! it is about is then refused.
//!
//! Deliberately absent: sealing, the tree, where records are kept.

use std::fmt;

use craton_base::{Error, Kind as ErrorKind, Result, Timestamp};
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::kinds::{Effect, RecordKind, Verdict};

/// The most bytes of an encoded record.
pub const RECORD_BYTES_MAX: usize = 16 << 10;
/// The most bytes of a resource path: a bucket, `/objects/`, an object key.
pub const RESOURCE_BYTES_MAX: usize = 1400;
/// The most bytes of any other text field.
pub const TEXT_BYTES_MAX: usize = 512;
/// The most statements named in a record; [`Record::name_statements`] counts what is beyond.
pub const STATEMENTS_MAX: usize = 16;
/// The most bytes of condition keys and their values; those beyond are left out, and that is said.
pub(super) const FACTS_BYTES_MAX: usize = 2048;
/// The most principals in a chain.
pub const CHAIN_MAX: usize = 16;
/// The principal of a request whose sender is not known.
pub const ANONYMOUS: &str = "anonymous";

/// A record's identity: the number of the start that made it, and its number since that start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RecordId {
    /// The number of the start, from 1.
    pub boot: u64,
    /// The number since the start.
    pub counter: u64,
}

impl RecordId {
    /// 16 bytes whose order is the order of the ids.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.boot) << 64 | u128::from(self.counter)).to_be_bytes()
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.boot, self.counter)
    }
}

impl std::str::FromStr for RecordId {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let bad = || Error::invalid("a record id is two numbers in hex with '-' between them");
        let (boot, counter) = s.split_once('-').ok_or_else(bad)?;
        let hex = |s: &str| match s.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u64::from_str_radix(s, 16).map_err(|_| bad()),
            false => Err(bad()),
        };
        Ok(Self {
            boot: hex(boot)?,
            counter: hex(counter)?,
        })
    }
}

/// A condition key of a recorded request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RecordedFact {
    /// The key: `s3:prefix`.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// One record. The ledger fills `boot`, `counter` and `time_micros`; the gate fills the rest.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// [`RecordId::boot`]; set by the ledger.
    #[prost(uint64, tag = "1")]
    pub boot: u64,
    /// [`RecordId::counter`]; set by the ledger.
    #[prost(uint64, tag = "2")]
    pub counter: u64,
    /// When it was recorded, in microseconds since the epoch; set by the ledger.
    #[prost(uint64, tag = "3")]
    pub time_micros: u64,
    /// What the record is about.
    #[prost(enumeration = "RecordKind", tag = "4")]
    pub kind: i32,
    /// Who: a user's name, [`ANONYMOUS`], or `system`.
    #[prost(string, tag = "5")]
    pub principal: String,
    /// The access key that signed.
    #[prost(string, tag = "6")]
    pub access_key_id: String,
    /// The session or run.
    #[prost(string, tag = "7")]
    pub run: String,
    /// For whom the principal acts, nearest first.
    #[prost(string, repeated, tag = "8")]
    pub chain: Vec<String>,
    /// The address that the request came from.
    #[prost(string, tag = "9")]
    pub source_ip: String,
    /// The door: `s3`, `api`.
    #[prost(string, tag = "10")]
    pub door: String,
    /// The protocol's operation: `GetObject`.
    #[prost(string, tag = "11")]
    pub operation: String,
    /// The policy action: `s3:GetObject`.
    #[prost(string, tag = "12")]
    pub action: String,
    /// The resource path as text: `/photos/objects/cat.jpg`.
    #[prost(string, tag = "13")]
    pub resource: String,
    /// The bucket's name, if it is about one.
    #[prost(string, tag = "14")]
    pub bucket: String,
    /// The sequence of the version read or written; 0 if none.
    #[prost(uint64, tag = "15")]
    pub version: u64,
    /// What was decided.
    #[prost(enumeration = "Verdict", tag = "16")]
    pub verdict: i32,
    /// The statements that decided, as `policy#sid`.
    #[prost(string, repeated, tag = "17")]
    pub statements: Vec<String>,
    /// How many more statements decided than are named.
    #[prost(uint32, tag = "18")]
    pub statements_more: u32,
    /// How it ended: `ok`, or an error kind as one word.
    #[prost(string, tag = "19")]
    pub result: String,
    /// The error's reason, for example `NoSuchKey`.
    #[prost(string, tag = "20")]
    pub reason: String,
    /// Bytes of content moved.
    #[prost(uint64, tag = "21")]
    pub bytes: u64,
    /// How long the request took, in microseconds.
    #[prost(uint64, tag = "22")]
    pub duration_micros: u64,
    /// The request's id, as the client sees it.
    #[prost(string, tag = "23")]
    pub request_id: String,
    /// For an outcome: the start of the decision it belongs to.
    #[prost(uint64, tag = "24")]
    pub decision_boot: u64,
    /// For an outcome: the counter of the decision it belongs to.
    #[prost(uint64, tag = "25")]
    pub decision_counter: u64,
    /// For a gap: its begin, in microseconds since the epoch.
    #[prost(uint64, tag = "26")]
    pub gap_since_micros: u64,
    /// For a gap: its end, in microseconds since the epoch.
    #[prost(uint64, tag = "27")]
    pub gap_until_micros: u64,
    /// For a gap or a record of the system: what happened, in words.
    #[prost(string, tag = "28")]
    pub detail: String,
    /// Condition keys of the request, beyond those of the session, so that another policy can be tried on it later.
    #[prost(message, repeated, tag = "40")]
    pub facts: Vec<RecordedFact>,
    /// Whether there were more condition keys than there is room for.
    #[prost(bool, tag = "41")]
    pub facts_missing: bool,
    /// Whether the request came over TLS.
    #[prost(bool, tag = "42")]
    pub secure: bool,
    /// How the request was signed, as `s3:authType` has it; empty for none.
    #[prost(string, tag = "43")]
    pub auth_type: String,
    /// For work on parts of a path: those that it reads.
    #[prost(string, repeated, tag = "60")]
    pub reads: Vec<String>,
    /// For work on parts of a path: those that it writes.
    #[prost(string, repeated, tag = "61")]
    pub writes: Vec<String>,
    /// For work: the sequence of the version of the whole that it read; 0 if none.
    #[prost(uint64, tag = "62")]
    pub read_version: u64,
    /// The fencing token of the lease that it was done under; 0 without one.
    #[prost(uint64, tag = "63")]
    pub lease_token: u64,
    /// For a write: what it did to a version.
    #[prost(enumeration = "Effect", tag = "64")]
    pub effect: i32,
    /// The id of the session that was made by STS or OAuth.
    #[prost(string, tag = "50")]
    pub session: String,
    /// The role session's name.
    #[prost(string, tag = "51")]
    pub session_name: String,
    /// Who is behind the session, as whoever made it said.
    #[prost(string, tag = "52")]
    pub source_identity: String,
    /// What the session is for.
    #[prost(string, tag = "53")]
    pub purpose: String,
    /// Whom an identity provider vouched for: its address, `#`, its name for them.
    #[prost(string, tag = "54")]
    pub subject_of: String,
}

impl Record {
    /// An empty record of a kind.
    #[must_use]
    pub fn of(kind: RecordKind) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// Its identity.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        RecordId {
            boot: self.boot,
            counter: self.counter,
        }
    }

    /// When it was recorded.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        Timestamp(self.time_micros)
    }

    /// What the run that it is of is called: as it was named, or else as its session.
    #[must_use]
    pub fn run_name(&self) -> Option<&str> {
        let names = [self.run.as_str(), self.session.as_str()];
        names.into_iter().find(|name| !name.is_empty())
    }

    /// Whether it says how the request ended.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        !self.result.is_empty()
    }

    /// The decision that an outcome belongs to.
    #[must_use]
    pub fn decision(&self) -> Option<RecordId> {
        let (boot, counter) = (self.decision_boot, self.decision_counter);
        (boot != 0).then_some(RecordId { boot, counter })
    }

    /// Names the decision that this outcome belongs to.
    pub const fn refer_to(&mut self, decision: RecordId) {
        self.decision_boot = decision.boot;
        self.decision_counter = decision.counter;
    }

    /// Whether a principal asked, or somebody asked for it.
    #[must_use]
    pub fn is_about(&self, principal: &str) -> bool {
        self.principal == principal || self.chain.iter().any(|p| p == principal)
    }

    /// Names the statements that decided: the first [`STATEMENTS_MAX`], and how many there are beyond.
    pub fn name_statements(&mut self, mut all: impl Iterator<Item = String>) {
        self.statements = all.by_ref().take(STATEMENTS_MAX).collect();
        self.statements_more = u32::try_from(all.count()).unwrap_or(u32::MAX);
    }

    /// Notes the condition keys of the request, as far as there is room.
    pub(crate) fn note_facts<'f>(&mut self, facts: impl Iterator<Item = (&'f str, &'f str)>) {
        let mut left = FACTS_BYTES_MAX;
        for (key, value) in facts {
            let size = key.len().saturating_add(value.len());
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => {
                    self.facts_missing = true;
                    continue;
                }
            }
            self.facts.push(RecordedFact {
                key: key.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    /// Whose key seals the record.
    pub(super) fn subject(&self) -> &str {
        match self.principal.as_str() {
            "" => ANONYMOUS,
            name => name,
        }
    }

    /// Encodes it.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] with the reason `RecordTooLarge`, naming the field.
    pub(super) fn to_bytes(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check()?;
        let start = out.len();
        self.encode(out)
            .map_err(|e| Error::internal("a record does not encode").with_source(e))?;
        match out.len().saturating_sub(start) <= RECORD_BYTES_MAX {
            true => Ok(()),
            false => Err(too_large("as a whole", RECORD_BYTES_MAX)),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::decode(bytes)
            .map_err(|e| Error::corrupt("a record of the ledger does not parse").with_source(e))
    }

    fn check(&self) -> Result<()> {
        let texts = [
            ("principal", &self.principal),
            ("access key id", &self.access_key_id),
            ("run", &self.run),
            ("source ip", &self.source_ip),
            ("door", &self.door),
            ("operation", &self.operation),
            ("action", &self.action),
            ("bucket", &self.bucket),
            ("result", &self.result),
            ("reason", &self.reason),
            ("request id", &self.request_id),
            ("detail", &self.detail),
            ("session", &self.session),
            ("session name", &self.session_name),
            ("source identity", &self.source_identity),
            ("purpose", &self.purpose),
            ("subject", &self.subject_of),
        ];
        for (name, text) in texts {
            if text.len() > TEXT_BYTES_MAX {
                return Err(too_large(name, TEXT_BYTES_MAX));
            }
        }
        if self.resource.len() > RESOURCE_BYTES_MAX {
            return Err(too_large("resource", RESOURCE_BYTES_MAX));
        }
        for (name, list, most) in [
            ("chain", &self.chain, CHAIN_MAX),
            ("statements", &self.statements, STATEMENTS_MAX),
        ] {
            if list.len() > most || list.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
                return Err(too_large(name, TEXT_BYTES_MAX));
            }
        }
        let parts = self.reads.iter().chain(&self.writes);
        if parts.into_iter().any(|part| part.len() > RESOURCE_BYTES_MAX) {
            return Err(too_large("parts", RESOURCE_BYTES_MAX));
        }
        Ok(())
    }

    /// The record for people and programs; what is empty is left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        put("id", json!(self.id().to_string()));
        put("time", json!(format!("{:?}", self.time())));
        put("time_micros", json!(self.time_micros));
        put("kind", json!(self.kind().as_str()));
        if self.verdict() != Verdict::None {
            put("verdict", json!(self.verdict().as_str()));
        }
        if self.effect() != Effect::Nothing {
            put("effect", json!(self.effect().as_str()));
        }
        for (name, text) in self.texts().into_iter().filter(|(_, text)| !text.is_empty()) {
            put(name, json!(text));
        }
        let lists = [
            ("chain", &self.chain),
            ("statements", &self.statements),
            ("reads", &self.reads),
            ("writes", &self.writes),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                put(name, json!(list));
            }
        }
        let numbers = [
            ("statements_more", u64::from(self.statements_more)),
            ("version", self.version),
            ("read_version", self.read_version),
            ("lease_token", self.lease_token),
            ("bytes", self.bytes),
            ("duration_micros", self.duration_micros),
            ("gap_since_micros", self.gap_since_micros),
            ("gap_until_micros", self.gap_until_micros),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            put(name, json!(number));
        }
        if !self.facts.is_empty() {
            let facts = self.facts.iter().map(|f| (f.key.clone(), json!(f.value)));
            put("facts", Value::Object(facts.collect()));
        }
        if let Some(decision) = self.decision() {
            put("decision", json!(decision.to_string()));
        }
        Value::Object(out)
    }

    /// What it says in words, by name.
    fn texts(&self) -> [(&'static str, &String); 18] {
        [
            ("principal", &self.principal),
            ("access_key_id", &self.access_key_id),
            ("run", &self.run),
            ("source_ip", &self.source_ip),
            ("door", &self.door),
            ("operation", &self.operation),
            ("action", &self.action),
            ("resource", &self.resource),
            ("bucket", &self.bucket),
            ("result", &self.result),
            ("reason", &self.reason),
            ("request_id", &self.request_id),
            ("detail", &self.detail),
            ("session", &self.session),
            ("session_name", &self.session_name),
            ("source_identity", &self.source_identity),
            ("purpose", &self.purpose),
            ("subject", &self.subject_of),
        ]
    }
}

fn too_large(what: &str, most: usize) -> Error {
    let message = format!("the ledger's record of this request is too large: {what} exceeds {most} bytes");
    Error::new(ErrorKind::TooLarge, "RecordTooLarge", message)
}

#[cfg(test)]
mod tests;
