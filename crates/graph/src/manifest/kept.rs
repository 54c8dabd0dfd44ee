//! What a manifest of facts keeps beside the facts: pinned snapshots, what interrupted loads have read, and live programs.
//!
//! Because the manifest names them, the runs of the first two stay whatever is merged, and come and go with one commit as all runs do. A live
//! program is its text alone: what it derives are facts of the levels.
//!
//! Deliberately absent: who pins, how a load goes on.

use craton_base::{Error, Kind, Result, Sequence};
use prost::Message;

use super::{Level, LevelRecord};
use crate::{blobs::GraphBlobs, load::Mode, sink::Mark};

/// The longest name of a pin or a load, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A snapshot that is kept.
#[derive(Clone)]
pub struct Pin {
    /// What it is called.
    pub name: String,
    /// The commit whose snapshot it is.
    pub sequence: Sequence,
    /// The facts, as a manifest has them.
    pub levels: Vec<Level>,
}

/// A load that was begun under a name and is not at its end.
#[derive(Clone)]
pub struct Unfinished {
    /// What it is called.
    pub name: String,
    /// What its facts begin with.
    pub prefix: String,
    /// Whether it adds or removes.
    pub mode: Mode,
    /// How many facts of the input are in its runs.
    pub facts: u64,
    /// A place in the input from which on it is enough to send it again.
    pub mark: Mark,
    /// How many facts lie before that, all of them in its runs.
    pub facts_at_mark: u64,
    /// What the reader remembers for that place: a few names, in its own form.
    pub state: Vec<u8>,
    /// Which request works on it: the last that took it.
    pub holder: u64,
    /// The runs, which nobody sees.
    pub levels: Vec<Level>,
}

/// Rules that are kept up to date: what follows from them is in the levels, with each commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// What it is called.
    pub name: String,
    /// The rules, as they were given.
    pub text: String,
    /// Rounds of one layer with rules that make new terms, at most.
    pub rounds: u64,
    /// How deep terms are nested that rules make, at most.
    pub depth: u32,
    /// Who added it.
    pub by: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LiveRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    text: String,
    #[prost(uint64, tag = "3")]
    rounds: u64,
    #[prost(uint32, tag = "4")]
    depth: u32,
    #[prost(string, tag = "5")]
    by: String,
}

impl Live {
    pub(super) fn to_record(&self) -> LiveRecord {
        LiveRecord {
            name: self.name.clone(),
            text: self.text.clone(),
            rounds: self.rounds,
            depth: self.depth,
            by: self.by.clone(),
        }
    }

    pub(super) fn from_record(record: LiveRecord) -> Self {
        Self {
            name: record.name,
            text: record.text,
            rounds: record.rounds,
            depth: record.depth,
            by: record.by,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PinRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(message, repeated, tag = "3")]
    levels: Vec<LevelRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UnfinishedRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    prefix: String,
    #[prost(bool, tag = "3")]
    removes: bool,
    #[prost(uint64, tag = "4")]
    facts: u64,
    #[prost(fixed64, tag = "5")]
    holder: u64,
    #[prost(message, repeated, tag = "6")]
    levels: Vec<LevelRecord>,
    /// The mark's bytes, lines and rows, and the facts before it.
    #[prost(uint64, repeated, tag = "7")]
    mark: Vec<u64>,
    /// What the reader remembers for the mark.
    #[prost(bytes = "vec", tag = "8")]
    state: Vec<u8>,
}

/// Whether a pin, a load or a live program can be called so: letters, digits, `.`, `_` and `-`, a letter first, so that it is no commit's number.
///
/// # Errors
/// `Invalid`, `InvalidName`.
pub fn check_name(name: &str) -> Result<()> {
    let is_first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if is_first && name.len() <= NAME_BYTES_MAX && name.chars().all(rest) {
        return Ok(());
    }
    let message = format!(
        "{name:?} is no name: it begins with a letter and has at most {NAME_BYTES_MAX} of letters, digits, '.', '_' and '-'"
    );
    Err(Error::new(Kind::Invalid, "InvalidName", message))
}

fn records(levels: &[Level]) -> Result<Vec<LevelRecord>> {
    levels.iter().map(Level::to_record).collect()
}

fn levels(records: Vec<LevelRecord>, blobs: &GraphBlobs) -> Result<Vec<Level>> {
    let level = |record| Level::from_record(record, blobs);
    records.into_iter().map(level).collect()
}

impl Pin {
    pub(super) fn to_record(&self) -> Result<PinRecord> {
        Ok(PinRecord {
            name: self.name.clone(),
            sequence: self.sequence.0,
            levels: records(&self.levels)?,
        })
    }

    pub(super) fn from_record(record: PinRecord, blobs: &GraphBlobs) -> Result<Self> {
        Ok(Self {
            name: record.name,
            sequence: Sequence(record.sequence),
            levels: levels(record.levels, blobs)?,
        })
    }
}

impl Unfinished {
    pub(super) fn to_record(&self) -> Result<UnfinishedRecord> {
        Ok(UnfinishedRecord {
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            removes: self.mode == Mode::Remove,
            facts: self.facts,
            holder: self.holder,
            levels: records(&self.levels)?,
            mark: vec![
                self.mark.bytes,
                self.mark.lines,
                self.mark.rows,
                self.facts_at_mark,
            ],
            state: self.state.clone(),
        })
    }

    pub(super) fn from_record(record: UnfinishedRecord, blobs: &GraphBlobs) -> Result<Self> {
        let of_mark = |n: usize| record.mark.get(n).copied().unwrap_or_default();
        Ok(Self {
            mark: Mark {
                bytes: of_mark(0),
                lines: of_mark(1),
                rows: of_mark(2),
            },
            facts_at_mark: of_mark(3),
            state: record.state,
            name: record.name,
            prefix: record.prefix,
            mode: if record.removes { Mode::Remove } else { Mode::Add },
            facts: record.facts,
            holder: record.holder,
            levels: levels(record.levels, blobs)?,
        })
    }
}
