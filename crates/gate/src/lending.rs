//! Who holds which borrow: the table of borrows with the names of those who hold something for longer than a commit.
//!
//! Work of the server's own (a program, a load's commit) lasts as long as it takes and ends by itself: who needs what it holds waits in
//! line. A lease is held by a client, perhaps for hours: who needs what it holds is refused at once, and told whose it is.
//!
//! Invariants
//! - a set of borrows is taken all at once ([`crate::borrow`]), so nobody waits in a circle;
//! - who waits for a borrow holds none: a permit borrows once.
//!
//! Deliberately absent: leases that outlive the process, their fencing tokens; who may borrow.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Timestamp};
use parking_lot::Mutex;

use crate::{
    borrow::{Borrows, Busy, Guard, Mode, Owner},
    session::Session,
};

/// Paths and how each is borrowed.
pub(crate) type Wanted = Vec<(ResourcePath, Mode)>;

/// Who holds something.
#[derive(Clone)]
struct Holder {
    principal: String,
    request_id: Arc<str>,
    since: Timestamp,
    /// Of a lease: when it ends.
    until: Option<Timestamp>,
}

/// The borrows of a process, and who holds them.
#[derive(Default)]
pub(crate) struct Lending {
    borrows: Borrows,
    last_owner: AtomicU64,
    holders: Mutex<HashMap<Owner, Holder>>,
}

/// Borrows that are held until this is dropped.
pub(crate) struct Lent {
    guard: Option<Guard>,
    owner: Owner,
    lending: Arc<Lending>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.guard = None;
        self.lending.holders.lock().remove(&self.owner);
    }
}

impl Lending {
    fn next_owner(&self) -> Owner {
        Owner(self.last_owner.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    /// The claim of a plain write, for its short duration. Where work of the server itself is in the way it waits for its turn, so long
    /// at most.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`.
    pub(crate) async fn claim(&self, path: &ResourcePath, patience: Duration) -> Result<Guard> {
        let owner = self.next_owner();
        let wanted = vec![(path.clone(), Mode::Write)];
        match self.borrows.try_acquire(wanted.clone(), owner) {
            Ok(guard) => Ok(guard),
            Err(busy) => self.in_line(wanted, owner, patience, &busy).await,
        }
    }

    /// Whether a plain write has to be refused now: a lease of another covers the path.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`.
    pub(crate) fn check(&self, path: &ResourcePath) -> Result<()> {
        let wanted = vec![(path.clone(), Mode::Write)];
        match self.borrows.try_acquire(wanted, self.next_owner()) {
            Err(busy) if self.is_lease(&busy) => Err(self.refusal(&busy)),
            _ => Ok(()),
        }
    }

    /// Takes borrows for work of `session`, waiting for its turn so long at most.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`.
    pub(crate) async fn borrow(
        self: &Arc<Self>,
        session: &Session,
        wanted: Wanted,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Lent> {
        let owner = self.next_owner();
        // Entered before it waits: who comes later is told whom it waits for. Given up, it is taken out again.
        self.enter(owner, session, now, None);
        let mut lent = Lent {
            guard: None,
            owner,
            lending: Arc::clone(self),
        };
        lent.guard = match self.borrows.try_acquire(wanted.clone(), owner) {
            Ok(guard) => Some(guard),
            Err(busy) => Some(self.in_line(wanted, owner, patience, &busy).await?),
        };
        Ok(lent)
    }

    /// Takes borrows for a client, until it gives them back.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`, whoever is in the way.
    pub(crate) fn lease(
        self: &Arc<Self>,
        session: &Session,
        wanted: Wanted,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lent> {
        let owner = self.next_owner();
        let guard = self
            .borrows
            .try_acquire(wanted, owner)
            .map_err(|busy| self.refusal(&busy))?;
        self.enter(owner, session, now, Some(until));
        Ok(Lent {
            guard: Some(guard),
            owner,
            lending: Arc::clone(self),
        })
    }

    fn enter(&self, owner: Owner, session: &Session, since: Timestamp, until: Option<Timestamp>) {
        let holder = Holder {
            principal: session.principal().to_owned(),
            request_id: Arc::clone(&session.origin().request_id),
            since,
            until,
        };
        self.holders.lock().insert(owner, holder);
    }

    async fn in_line(&self, wanted: Wanted, owner: Owner, patience: Duration, busy: &Busy) -> Result<Guard> {
        if self.is_lease(busy) {
            return Err(self.refusal(busy));
        }
        let turn = self.borrows.acquire(wanted, owner);
        let waited = tokio::time::timeout(patience, turn).await;
        waited.map_err(|_| self.refusal(busy))
    }

    fn is_lease(&self, busy: &Busy) -> bool {
        let holders = self.holders.lock();
        holders.get(&busy.holder).is_some_and(|h| h.until.is_some())
    }

    /// Says whose borrow is in the way, and of the paths only the one that was asked for.
    fn refusal(&self, busy: &Busy) -> Error {
        let path = &busy.path;
        let message = match self.holders.lock().get(&busy.holder) {
            Some(holder) => {
                let (who, request, since) = (&holder.principal, &holder.request_id, holder.since);
                let how = busy.mode.as_str();
                match holder.until {
                    Some(until) => format!("{path} is leased to {who} ({how}, until {until:?})"),
                    None => {
                        format!("{path} is borrowed by {who} ({how}, request {request}, since {since:?})")
                    }
                }
            }
            None => format!("{path} is being written by another"),
        };
        Error::new(ErrorKind::Busy, "Borrowed", message)
    }
}
