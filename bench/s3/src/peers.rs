//! The peers: how each is started and what it takes part in.

use std::path::Path;

use anyhow::{Result, bail};
use bytes::Bytes;

use crate::{
    load::Outcome,
    options::Options,
    plan::{KIB, Row, Verb},
};

mod craton;
mod expiry;
mod http;
mod keys;
mod nginx;
mod raw;
mod rights;
mod seaweed;

use http::HttpPeer;
use nginx::{COPY, SENDFILE};
use raw::Raw;

/// A server, or what a disk can do without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// Encryption, policy and ledger are always on; every write is flushed.
    Craton,
    /// Craton, built so that every decision is yes at no cost: what deciding costs. Only where it is asked for.
    AlwaysYes,
    /// Craton, built so that lineage can be left out, and without it. Only where it is asked for.
    NoLineage,
    /// The same without records of reads, and so without lineage.
    NoLedger,
    /// Static files by `sendfile`: the ceiling for GET.
    Nginx,
    /// Static files read into large buffers, which over the loopback interface can be faster.
    NginxCopy,
    /// With its defaults: nothing is flushed.
    Seaweed,
    /// With its `fsync` rule for the bucket: the content is flushed, its metadata store is not.
    SeaweedFlush,
    /// A file for each object, written and flushed with its folder: the ceiling for PUT.
    RawFile,
    /// Objects appended to one file, flushed in groups: the ceiling for small PUTs.
    RawLog,
}

impl Peer {
    pub(crate) const ALL: [Self; 10] = [
        Self::Craton,
        Self::AlwaysYes,
        Self::NoLineage,
        Self::NoLedger,
        Self::Nginx,
        Self::NginxCopy,
        Self::Seaweed,
        Self::SeaweedFlush,
        Self::RawFile,
        Self::RawLog,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Craton => "craton",
            Self::AlwaysYes => "always-yes",
            Self::NoLineage => "no-lineage",
            Self::NoLedger => "no-ledger",
            Self::Nginx => "nginx",
            Self::NginxCopy => "nginx-copy",
            Self::Seaweed => "seaweedfs",
            Self::SeaweedFlush => "seaweedfs-flush",
            Self::RawFile => "raw-file",
            Self::RawLog => "raw-log",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|peer| peer.name() == text) {
            Some(peer) => Ok(peer),
            None => bail!("no peer of that name"),
        }
    }

    /// Whether it is measured if nobody says which are.
    pub(crate) const fn is_usual(self) -> bool {
        !matches!(self, Self::AlwaysYes | Self::NoLineage | Self::NoLedger)
    }

    /// Whether it has a row. Flushing does not matter to GET, and the log is for small objects.
    pub(crate) fn takes(self, row: &Row, options: &Options) -> bool {
        let many = row.verb.needs_keys() && row.size > options.peer_keys;
        match self {
            Self::Craton => true,
            Self::AlwaysYes => row.verb != Verb::Revoke,
            Self::NoLineage | Self::NoLedger => matches!(row.verb, Verb::Get | Verb::RunGet),
            _ if row.verb.is_own() || many => false,
            Self::Seaweed => true,
            Self::Nginx | Self::NginxCopy => !row.verb.needs_s3(),
            Self::SeaweedFlush | Self::RawFile => row.verb == Verb::Put,
            Self::RawLog => row.verb == Verb::Put && row.size <= 64 * KIB,
        }
    }

    pub(crate) fn start(self, options: &Options, folder: &Path) -> Result<Running> {
        Ok(match self {
            Self::Craton => Running::Http(Box::new(craton::start(&options.craton, folder, None)?)),
            Self::AlwaysYes => Running::Http(Box::new(craton::start(&options.always_yes, folder, None)?)),
            Self::NoLineage => {
                Running::Http(Box::new(craton::start(&options.switches, folder, Some("lineage"))?))
            }
            Self::NoLedger => {
                Running::Http(Box::new(craton::start(&options.switches, folder, Some("ledger"))?))
            }
            Self::Nginx => Running::Http(Box::new(nginx::start(options, folder, SENDFILE)?)),
            Self::NginxCopy => Running::Http(Box::new(nginx::start(options, folder, COPY)?)),
            Self::Seaweed => Running::Http(Box::new(seaweed::start(options, folder, false)?)),
            Self::SeaweedFlush => Running::Http(Box::new(seaweed::start(options, folder, true)?)),
            Self::RawFile => Running::Raw(Raw::File(folder.to_owned())),
            Self::RawLog => Running::Raw(Raw::Log(folder.to_owned())),
        })
    }
}

/// A peer that has been started.
pub(crate) enum Running {
    Http(Box<HttpPeer>),
    Raw(Raw),
}

impl Running {
    /// The process whose costs are measured: our own if there is no other.
    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Http(peer) => peer.server.pid(),
            Self::Raw(_) => std::process::id(),
        }
    }

    /// Stores what a row reads; what GET reads is read once, and must be what was stored. Whether keys were stored.
    pub(crate) fn prepare(&mut self, row: &Row, options: &Options) -> Result<bool> {
        match self {
            Self::Http(peer) => peer.prepare(row, options),
            Self::Raw(_) => bail!("nothing to read from"),
        }
    }

    /// How many keys of the bucket of listings have expired.
    pub(crate) fn expired(&self, row: &Row) -> Result<u64> {
        match self {
            Self::Http(peer) => peer.expired(row),
            Self::Raw(_) => bail!("nothing expires"),
        }
    }

    pub(crate) fn run(&mut self, row: &Row, options: &Options) -> Result<Outcome> {
        match self {
            Self::Http(peer) => peer.run(row, options),
            Self::Raw(raw) => raw.run(row, row.bound(options), &content(row.size)?),
        }
    }

    pub(crate) fn end(self) -> Result<()> {
        match self {
            Self::Http(peer) => peer.server.end(),
            Self::Raw(_) => Ok(()),
        }
    }
}

/// The content of every object of `size`: not compressible, the same in every run.
fn content(size: u64) -> Result<Bytes> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ size;
    let mut out = Vec::with_capacity(usize::try_from(size)?);
    while (out.len() as u64) < size {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    Ok(out.into())
}
