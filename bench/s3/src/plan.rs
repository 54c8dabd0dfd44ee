//! What is measured: the rows, and how much of each.

use std::{collections::BTreeSet, fmt, time::Duration};

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

/// The objects of which ranges are read.
pub(crate) const RANGES_OF_BYTES: u64 = 64 * MIB;

/// The parts of an upload in parts.
pub(crate) const PART_BYTES: u64 = 8 * MIB;

/// Keys on a page of a listing.
pub(crate) const PAGE_KEYS: u64 = 1000;

/// Clients that list at once, and that work beside an expiry.
const LISTING_CLIENTS: [usize; 2] = [1, 8];
const BESIDE_CLIENTS: usize = 4;

/// How many times as long as others the rows of an expiry are.
const EXPIRY_TIMES: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Put,
    /// GET whose requests say of which run they are.
    RunGet,
    /// GET and PUT in a bucket that keeps versions, with object lock and a key of the key service stated.
    HeldGet,
    HeldPut,
    /// GET by a user, whose right to it policies say.
    UserGet,
    /// GET in a session that is ended in the middle; later requests must all be refused.
    Revoke,
    /// Reads and writes of one size, side by side.
    Mixed,
    /// As a data loader reads its samples: each object once, in random order, sizes from 100 KiB to 1 MiB.
    Epoch,
    /// As a data loader reads its samples from large files: ranges of 100 KiB to 1 MiB of 64 MiB objects.
    Ranges,
    /// An object in parts: all parts one after the other, and the completion; measured as one.
    Multipart,
    /// A page of 1,000 keys from a random place of a large bucket. The size is the number of keys.
    List,
    /// The same of those that begin with a prefix: all keys of a group.
    Prefix,
    /// The same after one of the last 2 % of the keys.
    Deep,
    /// A page of groups by delimiter, of 1,000 keys each.
    Group,
    /// A page of 1,000 versions from a random place.
    Versions,
    /// GET and PUT of 4 KiB, half and half, by four clients.
    Calm,
    /// The same while lifecycle rules expire the bucket of listings.
    Expiry,
}

impl Verb {
    pub(crate) const ALL: [Self; 18] = [
        Self::Get,
        Self::Put,
        Self::RunGet,
        Self::HeldGet,
        Self::HeldPut,
        Self::UserGet,
        Self::Revoke,
        Self::Mixed,
        Self::Epoch,
        Self::Ranges,
        Self::Multipart,
        Self::List,
        Self::Prefix,
        Self::Deep,
        Self::Group,
        Self::Versions,
        Self::Calm,
        Self::Expiry,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::RunGet => "run-GET",
            Self::HeldGet => "held-GET",
            Self::HeldPut => "held-PUT",
            Self::UserGet => "user-GET",
            Self::Revoke => "revoke",
            Self::Mixed => "mixed",
            Self::Epoch => "epoch",
            Self::Ranges => "ranges",
            Self::Multipart => "multipart",
            Self::List => "list",
            Self::Prefix => "list-prefix",
            Self::Deep => "list-deep",
            Self::Group => "group",
            Self::Versions => "versions",
            Self::Calm => "calm",
            Self::Expiry => "expiry",
        }
    }

    /// Whether only servers that speak S3 can do it, not those that only have files.
    pub(crate) const fn needs_s3(self) -> bool {
        !matches!(self, Self::Get | Self::Epoch | Self::Ranges)
    }

    /// Whether it is for Craton alone: what peers have not, or what is about it.
    pub(crate) const fn is_own(self) -> bool {
        matches!(
            self,
            Self::RunGet
                | Self::HeldGet
                | Self::HeldPut
                | Self::UserGet
                | Self::Revoke
                | Self::Versions
                | Self::Calm
                | Self::Expiry
        )
    }

    /// Whether it needs the bucket of listings. The size of its rows is the number of keys.
    pub(crate) const fn needs_keys(self) -> bool {
        matches!(
            self,
            Self::List | Self::Prefix | Self::Deep | Self::Group | Self::Versions | Self::Expiry
        )
    }

    /// Whether it is measured with the bucket of listings, or beside what happens to it.
    pub(crate) const fn is_about_listings(self) -> bool {
        self.needs_keys() || matches!(self, Self::Calm)
    }

    /// Whether something must be stored or begun before it.
    pub(crate) const fn needs_preparation(self) -> bool {
        !matches!(self, Self::Put)
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
            Verb::Put | Verb::HeldPut | Verb::Mixed | Verb::Multipart if options.smoke => 4 * clients,
            Verb::Put | Verb::HeldPut | Verb::Mixed | Verb::Multipart => {
                (PUT_BYTES_MAX / self.size).clamp(clients, PUT_HEADS_MAX)
            }
            _ => u64::MAX,
        };
        let times = match self.verb {
            Verb::Calm | Verb::Expiry => EXPIRY_TIMES,
            _ => 1,
        };
        Bound {
            time: options.time * times,
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
            Verb::Revoke => write!(f, "{verb} GET {}, {clients} client{s}", size(self.size)),
            Verb::Calm => write!(f, "{verb} GET and PUT 4 KiB, {clients} client{s}"),
            _ if self.verb.needs_keys() => write!(f, "{verb} of {} keys, {clients} client{s}", self.size),
            Verb::Epoch | Verb::Ranges => write!(
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
    if let [least, ..] = options.sizes.as_slice() {
        add(Verb::RunGet, *least, &options.clients);
    }
    let several = if options.smoke { 4 } else { 16 };
    let held: Vec<usize> = options
        .clients
        .iter()
        .copied()
        .filter(|c| *c <= several)
        .collect();
    for verb in [Verb::HeldGet, Verb::HeldPut] {
        if let [least, larger @ ..] = options.sizes.as_slice() {
            add(verb, *least, &options.clients);
            larger.last().into_iter().for_each(|most| add(verb, *most, &held));
        }
    }
    if let [least, ..] = options.sizes.as_slice() {
        add(Verb::UserGet, *least, &options.clients);
    }
    add(Verb::Revoke, 4 * KIB, &[several]);
    add(Verb::Epoch, EPOCH_BYTES[1], &[several]);
    add(Verb::Ranges, RANGES_OF_BYTES, &[several]);
    add(Verb::Mixed, 64 * KIB, &[several]);
    add(Verb::Multipart, 4 * PART_BYTES, &[1, 4]);
    for keys in BTreeSet::from([options.peer_keys.min(options.keys), options.keys]) {
        for verb in [Verb::List, Verb::Prefix, Verb::Deep, Verb::Group, Verb::Versions] {
            add(verb, keys, &LISTING_CLIENTS);
        }
    }
    add(Verb::Calm, 4 * KIB, &[BESIDE_CLIENTS]);
    add(Verb::Expiry, options.keys, &[BESIDE_CLIENTS]);
    rows.retain(|row| options.verbs.contains(&row.verb));
    rows
}
