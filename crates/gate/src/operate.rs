//! What an operator does to the store itself, decided and recorded like any other access.
//!
//! Deliberately absent: who exists and what they may ([`crate::identities`]), settings of buckets.

use craton_base::{Error, ResourcePath, Result};
use craton_store::Collected;

use crate::{ask::Ask, gate::Gate, session::Session};

/// What a rotation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The new root key's id.
    pub key_id: String,
    /// How many buckets' keys were wrapped under it.
    pub rewrapped: u64,
}

impl Gate {
    /// Whether requests can be served: whether they can be recorded.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`.
    pub fn ready(&self) -> Result<()> {
        self.inner.ledger.check()
    }

    /// Makes a new root key and wraps every bucket's key under it. The old one stays, so that backups open.
    /// Repeat it if it fails half-way: each key is under the old root key or the new one.
    ///
    /// # Errors
    /// `Denied`; `TooLarge`, `KeyringFull`; the store's own.
    pub async fn rotate_keys(&self, session: &Session) -> Result<Rotated> {
        let ask = Ask::new(
            "RotateKeys",
            "craton:RotateKeys",
            ResourcePath::System("keys".into()),
        );
        let permit = self.read(session, ask).await?;
        let store = self.inner.store.clone();
        let rotate = move || {
            let key_id = store.parts().keys.rotate()?;
            Ok(Rotated {
                key_id,
                rewrapped: store.rewrap_keys()?,
            })
        };
        let done = tokio::task::spawn_blocking(rotate).await;
        let done = done
            .map_err(|e| Error::internal("a rotation of keys did not end").with_source(e))
            .flatten();
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done
    }

    /// Collects now what the server would collect within minutes: superseded versions past the undo window,
    /// garbage, orphans of a crash.
    ///
    /// # Errors
    /// `Denied`; the store's own; what was done by then stays done.
    pub async fn collect_now(&self, session: &Session) -> Result<Collected> {
        let path = ResourcePath::System("garbage".into());
        let permit = self
            .read(session, Ask::new("Collect", "craton:Collect", path))
            .await?;
        let done = self.collect().await;
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done
    }
}
