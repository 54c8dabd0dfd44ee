//! Borrowing: the rule of Rust's borrow checker on the resource tree. Under a path there are many
//! who need stillness, or one who writes.
//!
//! | mode | who takes it | lives beside, on an overlapping path, of another owner |
//! |---|---|---|
//! | [`Mode::Shared`] | who needs that nothing under the path changes | shared |
//! | [`Mode::Exclusive`] | who alone may write under the path | nothing |
//! | [`Mode::Write`] | a plain write, for its short duration | write |
//!
//! A plain read is a snapshot: it takes no borrow and waits for nobody.
//!
//! A set of borrows is taken all at once or not at all. Every request takes a turn; it waits exactly
//! for those earlier turns of other owners that it conflicts with, whether they hold or wait
//! themselves. From that follow the invariants, each of which a test names:
//!
//! - B1 *exclusion*: two borrows that conflict are never held at the same time.
//! - B2 *no deadlock*: who waits, waits only for earlier turns, so there is no circle.
//! - B3 *no starvation*: a request that waits is never overtaken by a later one it conflicts with,
//!   so a stream of plain writes can not keep an exclusive borrow waiting.
//! - B4 *independence*: paths that do not overlap never wait for each other.
//! - B5 *no leak*: a request that is dropped, waiting or holding, leaves nothing behind and wakes
//!   those it kept waiting.
//!
//! B2 holds for owners that hold nothing while they wait. An owner that holds a borrow and wants
//! another asks with [`Borrows::try_acquire`], which never waits.
//!
//! The caller bounds what is here: one request per request in flight, and a set as long as the
//! longest list its protocol allows.
//!
//! Deliberately unknown here: leases, that is borrows that outlive a request. They will be built on
//! this table and own their expiry and fencing token; here they are an [`Owner`] like any other.
//! Unknown too: policy, sessions, what is written.

use std::fmt;

use craton_base::{Error, Kind, ResourcePath};

mod space;
mod sync;
mod table;

pub use table::{Acquire, Borrows, Guard};

/// How a path is borrowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// Nothing under the path changes meanwhile.
    Shared,
    /// Only the owner writes under the path.
    Exclusive,
    /// A plain write: any number of them live side by side, but not beside a borrow that needs
    /// stillness. What two plain writes to one key do to each other, the store's commit decides.
    Write,
}

impl Mode {
    /// The modes that can not be held beside this one by another owner.
    #[must_use]
    pub const fn conflicts(self) -> &'static [Self] {
        match self {
            Self::Shared => &[Self::Exclusive, Self::Write],
            Self::Exclusive => &[Self::Shared, Self::Exclusive, Self::Write],
            Self::Write => &[Self::Shared, Self::Exclusive],
        }
    }

    /// The mode as one lower-case word, for messages and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Write => "write",
        }
    }
}

/// Who borrows: a request, or later the holder of a lease. Borrows of one owner never conflict with
/// each other, so every request that stands for itself needs a number of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Owner(pub u64);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a borrow can not be had at once.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Busy {
    /// The path that was asked for.
    pub path: ResourcePath,
    /// The borrow in the way. Its path may lie above or below `path`, and may be one that the
    /// caller is not allowed to know: it is for the ledger and for logs, not for answers.
    pub held: ResourcePath,
    /// How that one is borrowed.
    pub mode: Mode,
    /// Whose it is.
    pub holder: Owner,
    /// Whether the holder itself still waits for its turn.
    pub waiting: bool,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.waiting { "awaited" } else { "held" };
        let (path, mode, holder) = (&self.path, self.mode.as_str(), self.holder);
        write!(f, "{path} is borrowed by another: {mode}, {state} by {holder}")
    }
}

impl std::error::Error for Busy {}

impl From<Busy> for Error {
    fn from(busy: Busy) -> Self {
        Self::new(Kind::Busy, "Borrowed", busy.to_string())
    }
}

#[cfg(test)]
mod tests;
