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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Put,
}

impl Verb {
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
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
            Verb::Get => u64::MAX,
            Verb::Put if options.smoke => 4 * clients,
            Verb::Put => (PUT_BYTES_MAX / self.size).clamp(clients, PUT_HEADS_MAX),
        };
        Bound {
            time: options.time,
            requests,
        }
    }

    /// How many objects a GET row reads in turn.
    pub(crate) fn objects(&self, options: &Options) -> u64 {
        let most = if options.smoke { 4 } else { GET_OBJECTS_MAX };
        (GET_BYTES / self.size).clamp(1, most)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}, {} client{}",
            self.verb.method(),
            size(self.size),
            self.clients,
            plural(self.clients)
        )
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
    for verb in [Verb::Get, Verb::Put] {
        for size in &options.sizes {
            for clients in &options.clients {
                rows.push(Row {
                    verb,
                    size: *size,
                    clients: *clients,
                });
            }
        }
    }
    rows.retain(|row| options.verbs.contains(&row.verb));
    rows
}
