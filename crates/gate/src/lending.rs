//! Who holds which borrow: the table of borrows with the names of those who hold something for longer than a commit.
//!
//! Work of the server's own (a program, a load's commit) lasts as long as it takes and ends by itself: who needs what it holds waits in
//! line. A lease is held by a client, perhaps for hours: who needs what it holds is refused at once, and told whose it is.
//!
//! Invariants
//! - a set of borrows is taken all at once ([`crate::borrow`]), so nobody waits in a circle;
//! - who waits for a borrow holds none: a permit borrows once.
//!
//! Deliberately absent: what makes leases outlive the process ([`crate::leases`]); who may borrow.

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

/// A lease that a client names.
#[derive(Clone)]
pub(crate) struct Leasing {
    pub(crate) id: Box<str>,
    pub(crate) principal: String,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) token: u64,
}

/// One that is held.
struct Leased {
    leasing: Leasing,
    owner: Owner,
    _guard: Guard,
}

/// The borrows of a process, and who holds them.
#[derive(Default)]
pub(crate) struct Lending {
    borrows: Borrows,
    last_owner: AtomicU64,
    holders: Mutex<HashMap<Owner, Holder>>,
    /// Leases that clients name, by id.
    leased: Mutex<HashMap<Box<str>, Leased>>,
}

/// Borrows that are held until this is dropped.
pub(crate) struct Lent {
    guard: Option<Guard>,
    /// Of whom it is said who holds it; work under a lease is its holder's, of whom that is said already.
    entered: Option<Owner>,
    lending: Arc<Lending>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.guard = None;
        if let Some(owner) = self.entered {
            self.lending.holders.lock().remove(&owner);
        }
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
    pub(crate) async fn claim(
        &self,
        session: &Session,
        path: &ResourcePath,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Guard> {
        let (owner, _) = self.owner_of(session, now)?;
        let wanted = vec![(path.clone(), Mode::Write)];
        match self.try_acquire(&wanted, owner, now) {
            Ok(guard) => Ok(guard),
            Err(busy) => self.in_line(wanted, owner, patience, &busy).await,
        }
    }

    /// Whether a plain write has to be refused now: a lease of another covers the path.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`.
    pub(crate) fn check(&self, session: &Session, path: &ResourcePath, now: Timestamp) -> Result<()> {
        let wanted = vec![(path.clone(), Mode::Write)];
        let (owner, _) = self.owner_of(session, now)?;
        match self.try_acquire(&wanted, owner, now) {
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
        let (owner, is_lease) = self.owner_of(session, now)?;
        // Entered before it waits: who comes later is told whom it waits for. Given up, it is taken out again.
        if !is_lease {
            self.enter(owner, session, now, None);
        }
        let mut lent = Lent {
            guard: None,
            entered: (!is_lease).then_some(owner),
            lending: Arc::clone(self),
        };
        lent.guard = match self.try_acquire(&wanted, owner, now) {
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
            entered: Some(owner),
            lending: Arc::clone(self),
        })
    }

    /// Holds a lease that a client names, until [`Lending::release`] or its end.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`, whoever is in the way; `TooLarge`, `LimitExceeded` if there are `most` already.
    pub(crate) fn hold(&self, leasing: Leasing, wanted: Wanted, now: Timestamp, most: usize) -> Result<()> {
        let owner = self.next_owner();
        let guard = self
            .try_acquire(&wanted, owner, now)
            .map_err(|busy| self.refusal(&busy))?;
        let mut leased = self.leased.lock();
        let mut holders = self.holders.lock();
        leased.retain(|_, of| now < of.leasing.until || holders.remove(&of.owner).is_none());
        if leased.len() >= most {
            let text = format!("there are at most {most} leases");
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let id = leasing.id.clone();
        let holder = Holder {
            principal: leasing.principal.clone(),
            request_id: Arc::from(&*id),
            since: leasing.since,
            until: Some(leasing.until),
        };
        holders.insert(owner, holder);
        let held = Leased {
            leasing,
            owner,
            _guard: guard,
        };
        leased.insert(id, held);
        Ok(())
    }

    pub(crate) fn set_token(&self, id: &str, token: u64) {
        if let Some(of) = self.leased.lock().get_mut(id) {
            of.leasing.token = token;
        }
    }

    /// Sets another end. `false` if it is over.
    pub(crate) fn renew(&self, id: &str, until: Timestamp, now: Timestamp) -> bool {
        let mut leased = self.leased.lock();
        let Some(of) = leased.get_mut(id).filter(|of| now < of.leasing.until) else {
            return false;
        };
        of.leasing.until = until;
        if let Some(holder) = self.holders.lock().get_mut(&of.owner) {
            holder.until = Some(until);
        }
        true
    }

    pub(crate) fn release(&self, id: &str) {
        let ended = self.leased.lock().remove(id);
        if let Some(of) = ended {
            self.holders.lock().remove(&of.owner);
        }
    }

    pub(crate) fn is_held(&self, id: &str, now: Timestamp) -> bool {
        self.leased
            .lock()
            .get(id)
            .is_some_and(|of| now < of.leasing.until)
    }

    /// The fencing token of the lease that a session's request names.
    pub(crate) fn token_of(&self, session: &Session) -> Option<u64> {
        let id = session.origin().lease.as_deref()?;
        self.leased.lock().get(id).map(|of| of.leasing.token)
    }

    /// Whom a session's request stands for: the holder of the lease that it names, or itself alone.
    ///
    /// # Errors
    /// `Busy`, `LeaseOver` for a lease that is over, or another's.
    fn owner_of(&self, session: &Session, now: Timestamp) -> Result<(Owner, bool)> {
        let Some(id) = session.origin().lease.as_deref() else {
            return Ok((self.next_owner(), false));
        };
        let leased = self.leased.lock();
        let own = |of: &&Leased| of.leasing.principal == session.principal() && now < of.leasing.until;
        let found = leased.get(id).filter(own).map(|of| (of.owner, true));
        found.ok_or_else(|| {
            let text = format!("the lease {id:?} is over, or it is not yours");
            Error::new(ErrorKind::Busy, "LeaseOver", text)
        })
    }

    /// Takes borrows if that needs no waiting. What is in the way and past its end is taken away first.
    fn try_acquire(
        &self,
        wanted: &Wanted,
        owner: Owner,
        now: Timestamp,
    ) -> std::result::Result<Guard, Box<Busy>> {
        loop {
            match self.borrows.try_acquire(wanted.clone(), owner) {
                Err(busy) if self.is_over(busy.holder, now) => {}
                done => return done,
            }
        }
    }

    /// Whether a holder's lease was past its end; it is given back then.
    fn is_over(&self, owner: Owner, now: Timestamp) -> bool {
        let mut leased = self.leased.lock();
        let found = leased
            .iter()
            .find(|(_, of)| of.owner == owner && of.leasing.until <= now)
            .map(|(id, _)| id.clone());
        let ended = found.and_then(|id| leased.remove(&id));
        drop(leased);
        if let Some(of) = &ended {
            self.holders.lock().remove(&of.owner);
        }
        ended.is_some()
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

#[cfg(test)]
mod tests;
