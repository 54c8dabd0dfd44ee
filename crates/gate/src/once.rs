//! Requests that are carried out once, however often they are sent: a client names one by a key, and its commit puts a row of that name.
//!
//! ```text
//! Done      half hour since 1970, 8 hex digits ‖ principal ‖ 00 ‖ key      what the request was
//! ```
//!
//! Invariants
//! - the row is of the request's own commit: there is one exactly if its change was made;
//! - a key is its principal's own: nobody meets another's;
//! - a row is found for half an hour at least, and goes within two.
//!
//! Deliberately absent: what keys and answers look like (the doors).

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use craton_crypto::hash;
use craton_store::{
    namespace::{Direction, Key, Kind, Precondition, Span},
    store::Transaction,
    value::Value,
};

use crate::{
    gate::Inner,
    permit::{Permit, WritePermit},
};

/// How long a row is found at least, in seconds.
pub const SECONDS: u64 = 1800;

/// The most rows that are removed at once.
const AT_ONCE: usize = 1000;

/// A request that is carried out once.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    now: Key,
    before: Key,
    what: Bytes,
}

fn row(slot: u64, name: &[u8]) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Done,
        name: [format!("{slot:08x}").as_bytes(), name].concat().into(),
    }
}

const fn slot(now: Timestamp) -> u64 {
    now.seconds() / SECONDS
}

impl Once {
    fn of(permit: &Permit, key: &str, what: &[u8]) -> Self {
        let name = [permit.session().principal().as_bytes(), &[0], key.as_bytes()].concat();
        let slot = slot(permit.now());
        Self {
            now: row(slot, &name),
            before: row(slot.saturating_sub(1), &name),
            what: Bytes::copy_from_slice(what),
        }
    }

    /// Adds the row to the request's own commit, which fails if there is one already.
    pub(crate) fn put(&self, transaction: &mut Transaction) {
        for key in [&self.now, &self.before] {
            transaction.preconditions.push(Precondition::Absent(key.clone()));
        }
        transaction
            .puts
            .push((self.now.clone(), Value::of_meta(self.what.clone())));
    }
}

impl WritePermit {
    /// Whether the principal's request with this key was carried out. If not, the next commit says that it was. `what` is the whole request, so
    /// that a key of another one is told.
    ///
    /// # Errors
    /// `UnprocessableEntityException` for the key of another request; the store's own.
    pub fn was_done(&self, key: &str, what: &[u8]) -> Result<bool> {
        let once = Once::of(self, key, &hash::sha256(what));
        for row in [&once.now, &once.before] {
            let Some(found) = self.gate.store.get(row, Sequence::MAX)? else {
                continue;
            };
            if found.value.meta != once.what {
                let text = "the key was used for another request";
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "UnprocessableEntityException",
                    text,
                ));
            }
            *self.once.lock() = None;
            return Ok(true);
        }
        *self.once.lock() = Some(once);
        Ok(false)
    }
}

impl Inner {
    /// Removes rows that nobody looks for any more.
    pub(crate) fn collect_done(&self) -> Result<()> {
        let end = format!("{:08x}", slot(self.clock.now()).saturating_sub(1));
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::Done,
            start: Bytes::new(),
            end: Some(end.into()),
        };
        let page = self
            .store
            .scan(&span, Sequence::MAX, Direction::Forward, AT_ONCE)?;
        if page.entries.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            deletes: page.entries.into_iter().map(|stored| stored.key).collect(),
            ..Transaction::default()
        };
        self.store.commit_blocking(transaction).map(drop)
    }
}
