//! What is measured: the rows, and how much of each.

use std::{fmt, time::Duration};

use crate::options::Options;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// Sizes and concurrencies of the whole run.
pub(crate) const SIZES: [u64; 3] = [4 * KIB, MIB, 64 * MIB];
pub(crate) const CLIENTS: [usize; 3] = [1, 16, 64];

/// What a PUT row writes at most; with 64 clients of 64 MiB each still sends one.
const PUT_BYTES_MAX: u64 = 1024 * MIB;

/// Requests whose heads are made before a row. A row ends when it has sent them all.
const PUT_HEADS_MAX: u64 = 60_000;

/// Objects that a GET row reads in turn: together small enough to stay in the operating system's cache.
const GET_BYTES: u64 = 512 * MIB;
const GET_OBJECTS_MAX: u64 = 1000;

/// Of 10 requests of a mixed row, so many write.
pub(crate) const MIXED_WRITES_OF_TEN: u64 = 3;

/// Sizes of the objects that an epoch reads.
pub(crate) const EPOCH_BYTES: [u64; 2] = [100 * KIB, MIB];

/// The parts of an upload in parts.
pub(crate) const PART_BYTES: u64 = 8 * MIB;

/// Keys on a page of a listing.
pub(crate) const PAGE_KEYS: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Put,
    /// Reads and writes of one size, side by side.
    Mixed,
    /// As a data loader reads its samples: each object once, in random order, sizes from 100 KiB to 1 MiB.
    Epoch,
    /// An object in parts: all parts one after the other, and the completion; measured as one.
    Multipart,
    /// A page of 1,000 keys from a random place of a large bucket. The size is the number of keys.
    List,
    /// A page of groups by delimiter, of 1,000 keys each.
    Group,
}

impl Verb {
    pub(crate) const ALL: [Self; 7] = [
        Self::Get,
        Self::Put,
        Self::Mixed,
        Self::Epoch,
        Self::Multipart,
        Self::List,
        Self::Group,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Mixed => "mixed",
            Self::Epoch => "epoch",
            Self::Multipart => "multipart",
            Self::List => "list",
            Self::Group => "group",
        }
    }

    /// Whether only servers that speak S3 can do it, not those that only have files.
    pub(crate) const fn needs_s3(self) -> bool {
        !matches!(self, Self::Get | Self::Epoch)
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) verb: Verb,
    /// Of an object, in bytes.
    pub(crate) size: u64,
    /// Requests at once, each on its own connection.
    pub(crate) clients: usize,
}

/// When a row ends: at the first of these, with what is under way finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) time: Duration,
    pub(crate) requests: u64,
}

impl Row {
    pub(crate) fn bound(&self, options: &Options) -> Bound {
        let clients = self.clients as u64;
        let requests = match self.verb {
            Verb::Get | Verb::Epoch | Verb::List | Verb::Group => u64::MAX,
            Verb::Put | Verb::Mixed | Verb::Multipart if options.smoke => 4 * clients,
            Verb::Put | Verb::Mixed | Verb::Multipart => {
                (PUT_BYTES_MAX / self.size).clamp(clients, PUT_HEADS_MAX)
            }
        };
        Bound {
            time: options.time,
            requests,
        }
    }

    /// How many objects a row reads in turn.
    pub(crate) fn objects(&self, options: &Options) -> u64 {
        let most = if options.smoke { 4 } else { GET_OBJECTS_MAX };
        (GET_BYTES / self.size).clamp(1, most)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, clients, s) = (self.verb.name(), self.clients, plural(self.clients));
        match self.verb {
            Verb::List | Verb::Group => write!(f, "{verb} of {} keys, {clients} client{s}", self.size),
            Verb::Epoch => write!(
                f,
                "{verb} of {} to {}, {clients} client{s}",
                size(EPOCH_BYTES[0]),
                size(EPOCH_BYTES[1])
            ),
            _ => write!(f, "{verb} {}, {clients} client{s}", size(self.size)),
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(crate) fn size(bytes: u64) -> String {
    if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{} KiB", bytes / KIB)
    }
}

/// The rows of a run: GET before PUT, so that what PUT leaves behind does not weigh on GET.
pub(crate) fn rows(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |verb: Verb, size: u64, clients: &[usize]| {
        rows.extend(clients.iter().map(|clients| Row {
            verb,
            size,
            clients: *clients,
        }));
    };
    for verb in [Verb::Get, Verb::Put] {
        options
            .sizes
            .iter()
            .for_each(|size| add(verb, *size, &options.clients));
    }
    let several = if options.smoke { 4 } else { 16 };
    add(Verb::Epoch, EPOCH_BYTES[1], &[several]);
    add(Verb::Mixed, 64 * KIB, &[several]);
    add(Verb::Multipart, 4 * PART_BYTES, &[1, 4]);
    add(Verb::List, options.keys, &[1, several]);
    add(Verb::Group, options.keys, &[1, several]);
    rows.retain(|row| options.verbs.contains(&row.verb));
    rows
}
