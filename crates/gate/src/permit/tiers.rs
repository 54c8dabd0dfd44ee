//! Tiers through a permit: moving an entry's content to another place and back.
//!
//! Invariants: only content under the permit's path moves; what moves is counted in its outcome; nothing is named
//! elsewhere but by a commit of the same permit.
//!
//! Deliberately absent: where tiers are; which content belongs where.

use craton_base::Result;
use craton_store::value::{Extent, Stored};

use super::{Permit, WritePermit};
use crate::{runs::Wanted, worker::Worker};

/// A storage class whose content lies at a tier of the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassTier {
    /// The class.
    pub class: String,
    /// Whether content there is to be restored before it is read.
    pub archive: bool,
}

impl Permit {
    /// The tier of a storage class, if it has one.
    #[must_use]
    pub fn tier(&self, class: &str) -> Option<&ClassTier> {
        self.gate.settings.tiers.iter().find(|tier| tier.class == class)
    }
}

impl WritePermit {
    /// Copies the content of an entry to a tier; the content as it stands there, for a commit that names it.
    ///
    /// # Errors
    /// `OutsidePermit`; `Busy` if it is being moved; `Unavailable`, the tier's own.
    pub async fn send_out(&self, stored: &Stored, tier: &str) -> Result<Vec<Extent>> {
        self.reached(stored)?;
        let sent = self
            .permit
            .gate
            .store
            .send_out(&stored.value.content, tier)
            .await?;
        self.permit.moved(stored.value.len());
        Ok(sent)
    }

    /// Copies the content of an entry from where it is to the disk; the content with these copies, for a commit that
    /// names it.
    ///
    /// # Errors
    /// As [`WritePermit::send_out`].
    pub async fn bring_back(&self, stored: &Stored) -> Result<Vec<Extent>> {
        self.reached(stored)?;
        let brought = self.permit.gate.store.bring_back(&stored.value.content).await?;
        self.permit.moved(stored.value.len());
        Ok(brought)
    }

    /// Tells a worker that what this permit has committed leaves it something to do now. Whether it was told: it may
    /// have been told of too much already, and comes upon it later.
    pub fn tell(&self, worker: Worker, subject: String) -> bool {
        let sender = self.permit.gate.runs.wanted.lock().clone();
        sender.is_some_and(|sender| sender.try_send(Wanted::new(worker, subject)).is_ok())
    }
}
