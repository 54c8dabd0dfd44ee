//! How far back the past of a bucket can be had: its undo window.
//!
//! What is replaced or deleted stays, unseen, until the window has passed over it; a bucket may say how long that is
//! ([`Subresource::UndoWindow`]), else it is as the server is set. From the window's beginning on, what a name was at a commit is exact.
//!
//! Invariant: a window never claims more than is there: one that is made longer begins where collecting has got to by then.
//!
//! Deliberately absent: what is brought back, and how (the engines).

use std::time::Duration;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use craton_store::{HeldPast, Windows};

use crate::{
    bucket::BucketInfo,
    configuration::{ConfigurationChange, Subresource, state::BucketState},
    gate::Inner,
    permit::{Permit, WritePermit},
};

/// The longest undo window.
pub const UNDO_WINDOW_MAX: Duration = Duration::from_hours(400 * 24);

/// Whose a version is, of those who matter when a run is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The run's that is to be undone.
    Run,
    /// The undoing's own.
    Undoing,
    /// Somebody else's.
    Another,
}

/// How many buckets are looked at together.
const STEP: usize = 256;

/// A bucket's undo window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UndoWindow {
    /// How long it is.
    pub window: Duration,
    /// Whether the bucket has it of its own.
    pub own: bool,
    /// When it begins: what was so at or after that can be had back.
    pub since: Timestamp,
}

impl UndoWindow {
    /// The change that gives a bucket this window, or `None`: the server's.
    ///
    /// # Errors
    /// `InvalidUndoWindow` above [`UNDO_WINDOW_MAX`].
    pub fn change(window: Option<Duration>) -> Result<ConfigurationChange> {
        let Some(window) = window else {
            return Ok(ConfigurationChange::remove(Subresource::UndoWindow));
        };
        let text = window.as_secs().to_string();
        parse(&Bytes::from(text.clone()))?;
        Ok(ConfigurationChange::set(Subresource::UndoWindow, text))
    }
}

/// Reads the document: whole seconds, in digits.
pub(crate) fn parse(document: &Bytes) -> Result<Duration> {
    let seconds = std::str::from_utf8(document)
        .ok()
        .and_then(|text| text.parse().ok());
    let window = seconds.map(Duration::from_secs);
    window.filter(|window| *window <= UNDO_WINDOW_MAX).ok_or_else(|| {
        let days = UNDO_WINDOW_MAX.as_secs() / 86_400;
        let text = format!("an undo window is a number of seconds, at most {days} days");
        Error::new(ErrorKind::Invalid, "InvalidUndoWindow", text)
    })
}

impl BucketState {
    fn own_undo_window(&self) -> Result<Option<Duration>> {
        let document = self.document(Subresource::UndoWindow);
        document.map(|found| parse(found.document())).transpose()
    }
}

impl Permit {
    /// The undo window of the bucket that the permit's path lies in, as of now.
    ///
    /// # Errors
    /// `NoSuchBucket`; the store's own.
    pub fn undo_window(&self) -> Result<UndoWindow> {
        let state = self.state()?;
        let own = state.own_undo_window()?;
        let window = own.unwrap_or(self.gate.settings.undo_window);
        let whole = self.gate.store.whole_since(state.info.id)?;
        Ok(UndoWindow {
            window,
            own: own.is_some(),
            since: self.now().minus(window).max(whole),
        })
    }

    /// The newest commit at or before a time, which is not before the window of the permit's bucket.
    ///
    /// # Errors
    /// The store's own.
    pub fn commit_at(&self, time: Timestamp) -> Result<Sequence> {
        self.gate.store.sequence_at(time)
    }
}

impl WritePermit {
    /// Keeps what was superseded from being collected, for as long as one commit takes that makes use of it. Blocks.
    ///
    /// # Errors
    /// `Busy`, `Collecting`.
    pub fn hold_past(&self) -> Result<HeldPast<'_>> {
        self.gate.store.hold_past()
    }
}

impl Inner {
    /// When the windows of all buckets begin.
    pub(crate) fn windows(&self) -> Result<Windows> {
        let now = self.clock.now();
        let mut windows = Windows::from(now.minus(self.settings.undo_window));
        let mut after = None;
        loop {
            let page: Vec<BucketInfo> = self.list_buckets(after.as_ref(), Sequence::MAX, STEP)?;
            for info in &page {
                let state = BucketState::load(&self.store, &info.name)?;
                if let Some(own) = state.map(|state| state.own_undo_window()).transpose()?.flatten() {
                    windows = windows.with(info.id, now.minus(own));
                }
            }
            match page.last() {
                Some(last) if page.len() >= STEP => after = Some(last.name.clone()),
                _ => return Ok(windows),
            }
        }
    }
}

#[cfg(test)]
mod tests;
