//! Buckets of many small objects, and pages of them.
//!
//! Craton is filled with archives, which it extracts (Snowball's "auto extract"): each file takes the same way as any
//! PUT, without a request for each. Others get a PUT for each key.

use anyhow::Result;
use bytes::Bytes;

use super::http::{Dice, HttpPeer};
use crate::{
    load::{Answer, Operation},
    plan::{PAGE_KEYS, Row, Verb},
    sign::Signer,
};

/// Clients that store keys by PUT, and how many keys they store before new heads are made.
const PUT_CLIENTS: usize = 64;
const PUTS_AT_ONCE: u64 = 100_000;

/// Keys in an archive, archives that are sent at once, and clients that send them.
const ARCHIVE_KEYS: u64 = 10_000;
const ARCHIVES_AT_ONCE: u64 = 20;
const ARCHIVE_CLIENTS: usize = 4;

/// Blocks of a tar file.
const BLOCK_BYTES: usize = 512;

/// Pages that a row asks for in turn.
const PAGES: u64 = 500;

/// The bucket of so many keys.
pub(super) fn bucket(keys: u64) -> String {
    format!("bench-keys-{keys}")
}

/// The n-th key: so many in each group as a page has.
pub(super) fn key(n: u64) -> String {
    format!("list/{:05}/{:03}", n / PAGE_KEYS, n % PAGE_KEYS)
}

impl HttpPeer {
    /// Fills the bucket of listings with objects of one byte; whether that was to be done.
    pub(super) fn store_keys(&mut self, row: &Row) -> Result<bool> {
        if !self.stored.objects.insert((Verb::List, row.size)) {
            return Ok(false);
        }
        self.make_bucket_of(&bucket(row.size), &[])?;
        let archives = self.own.is_some();
        let at_once = if archives {
            ARCHIVE_KEYS * ARCHIVES_AT_ONCE
        } else {
            PUTS_AT_ONCE
        };
        for from in (0..row.size).step_by(usize::try_from(at_once)?) {
            let to = row.size.min(from + at_once);
            if archives {
                self.send_archives(row, from, to)?;
            } else {
                self.put_keys(row, from, to)?;
            }
            if to < row.size && to % 1_000_000 == 0 {
                eprintln!("    {to} of {} keys", row.size);
            }
        }
        Ok(true)
    }

    fn put_keys(&self, row: &Row, from: u64, to: u64) -> Result<()> {
        let (signer, bucket) = (self.signer()?, bucket(row.size));
        let put = |n| {
            let head = signer.head("PUT", &format!("/{bucket}/{}", key(n)), 1, None);
            Operation::one(head, Bytes::from_static(b"x"), Answer::Length(0), 1)
        };
        self.all((from..to).map(put).collect(), PUT_CLIENTS)
    }

    fn send_archives(&self, row: &Row, from: u64, to: u64) -> Result<()> {
        let (signer, bucket) = (self.signer()?, bucket(row.size));
        let send = |first: u64| {
            let body = archive(first, to.min(first + ARCHIVE_KEYS));
            let size = body.len() as u64;
            let headers = [("x-amz-meta-snowball-auto-extract", "true")];
            let target = format!("/{bucket}/archive-{first}");
            let head = signer.head_with("PUT", &target, size, None, &headers);
            Operation::one(head, body, Answer::Length(0), size)
        };
        let firsts = (from..to).step_by(usize::try_from(ARCHIVE_KEYS)?);
        self.all(firsts.map(send).collect(), ARCHIVE_CLIENTS)
    }
}

/// A tar file of the objects `from` to `to`.
fn archive(from: u64, to: u64) -> Bytes {
    let mut out = Vec::new();
    for n in from..to {
        let mut head = [0u8; BLOCK_BYTES];
        let mut field = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
        field(0, &key(n));
        field(100, "0000644\0");
        field(108, "0000000\0");
        field(116, "0000000\0");
        field(124, "00000000001\0");
        field(136, "00000000000\0");
        // The sum is made as if it were blank.
        field(148, "        ");
        field(156, "0");
        field(257, "ustar\x0000");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&head);
        out.push(b'x');
        out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    out.resize(out.len() + 2 * BLOCK_BYTES, 0);
    out.into()
}

/// The pages that a row asks for.
pub(super) fn pages(row: &Row, signer: &Signer, dice: &mut Dice) -> Vec<Operation> {
    let keys = row.size;
    let mut one = |_| match row.verb {
        Verb::Prefix => prefix(keys, signer, dice.next()),
        Verb::Group => groups(keys, signer),
        Verb::Deep => after(keys, signer, keys - 1 - dice.next() % (keys / 50).max(1)),
        Verb::Versions => versions(keys, signer, dice.next() % keys),
        _ => after(keys, signer, dice.next() % keys),
    };
    (0..PAGES).map(&mut one).collect()
}

fn listing(signer: &Signer, keys: u64, query: &str, mark: &'static str, count: u64) -> Operation {
    let answer = Answer::Document(mark, usize::try_from(count).unwrap_or(usize::MAX));
    let head = signer.head("GET", &format!("/{}?{query}", bucket(keys)), 0, None);
    Operation::one(head, Bytes::new(), answer, 0)
}

fn quoted(key: &str) -> String {
    key.replace('/', "%2F")
}

/// A page of keys, after the n-th.
fn after(keys: u64, signer: &Signer, n: u64) -> Operation {
    let query = format!("list-type=2&max-keys={PAGE_KEYS}&start-after={}", quoted(&key(n)));
    listing(signer, keys, &query, "<Key>", PAGE_KEYS.min(keys - n - 1))
}

/// All keys of a group.
fn prefix(keys: u64, signer: &Signer, random: u64) -> Operation {
    let group = random % (keys / PAGE_KEYS).max(1);
    let query = format!("list-type=2&max-keys={PAGE_KEYS}&prefix=list%2F{group:05}%2F");
    listing(signer, keys, &query, "<Key>", PAGE_KEYS.min(keys))
}

/// The first page of groups.
fn groups(keys: u64, signer: &Signer) -> Operation {
    let query = format!("delimiter=%2F&list-type=2&max-keys={PAGE_KEYS}&prefix=list%2F");
    let count = keys.div_ceil(PAGE_KEYS).min(PAGE_KEYS);
    listing(signer, keys, &query, "<CommonPrefixes>", count)
}

/// A page of versions, after those of the n-th key.
fn versions(keys: u64, signer: &Signer, n: u64) -> Operation {
    let query = format!("key-marker={}&max-keys={PAGE_KEYS}&versions=", quoted(&key(n)));
    listing(signer, keys, &query, "<Key>", PAGE_KEYS.min(keys - n - 1))
}
