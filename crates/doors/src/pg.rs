//! The PostgreSQL door: its wire protocol, version 3, for `psql`, drivers and tools. On a port of its own.
//!
//! ```text
//! startup ─▶ password (an access key's secret, or a bearer token) ─▶ Query | Parse, Bind, Describe, Execute … ─▶ engine of SQL ─▶ rows
//! ```
//!
//! Invariants
//! - nothing is read of a client that is not known but its startup and its password, of [`wire::STARTUP_BYTES_MAX`] bytes;
//! - each statement is one request: with an id and a time of its own, identified anew, so that a credential that is revoked ends here too;
//! - rows go out as they come, no faster than the client takes them; what a connection keeps has limits ([`session`]);
//! - a client that goes away ends its statement; one that cancels it, too.
//!
//! Deliberately absent: SQL and the form of values (the engine, a trait); sockets and TLS (the binary); transactions of several statements:
//! a block is answered as one, and a statement that writes is refused in it.
//!
//! Source: PostgreSQL 17 documentation, "Frontend/Backend Protocol".

mod local;
mod run;
mod session;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use craton_base::{Clock, Error, Kind, Random, Result, Secret, random};
use craton_gate::{Gate, Origin, Session};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::timeout,
};

use crate::{http::Peer, request_ids::RequestIds, sql::SqlEngine};
use wire::Wire;

/// How long a client may take until it is known.
const STARTUP_TIME: Duration = Duration::from_secs(30);

/// What a client asks first, by the number in place of a version.
pub const CANCEL: u32 = 80_877_102;
/// It asks for TLS.
pub const TLS: u32 = 80_877_103;
/// It asks for GSSAPI's encryption, which there is not.
pub const GSS: u32 = 80_877_104;

/// The door. Clones are the same.
#[derive(Clone)]
pub struct PgDoor {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    engine: Arc<dyn SqlEngine>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    request_ids: RequestIds,
    /// Of connections, by their process ids: the key that cancels, and what is told then.
    running: Mutex<HashMap<i32, (i32, Arc<Notify>)>>,
    next: AtomicI32,
}

/// A connection's place among those that can be cancelled.
struct Place {
    inner: Arc<Inner>,
    id: i32,
    key: i32,
    cancelled: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.running.lock().remove(&self.id);
    }
}

/// Who is at the other end, as it says and proves with every statement.
struct Client {
    peer: Peer,
    user: String,
    password: Secret,
    application: Option<Arc<str>>,
}

impl PgDoor {
    /// Opens the door.
    #[must_use]
    pub fn new(
        gate: Gate,
        engine: Arc<dyn SqlEngine>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let request_ids = RequestIds::new(&*random, &*clock);
        let inner = Inner {
            gate,
            engine,
            clock,
            random,
            request_ids,
            running: Mutex::default(),
            next: AtomicI32::new(1),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Cancels what a connection runs, if the key is its key.
    pub fn cancel(&self, id: i32, key: i32) {
        let running = self.inner.running.lock();
        if let Some((_, told)) = running.get(&id).filter(|(own, _)| *own == key) {
            told.notify_one();
        }
    }

    /// Speaks with a client until it goes. `first`: the eight bytes that it began with, a length and a version.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: S,
        peer: Peer,
        first: [u8; 8],
    ) {
        let mut wire = Wire::new(stream);
        if let Err(error) = self.talk(&mut wire, peer, first).await {
            tracing::debug!(%error, ip = %peer.ip, "a connection of PostgreSQL's ended");
        }
    }

    /// Tells a client why it is not served.
    pub async fn refuse<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, stream: S, error: &Error) {
        let mut wire = Wire::new(stream);
        wire.error("FATAL", error);
        // Nobody is left to tell if this fails.
        drop(wire.flush().await);
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        wire: &mut Wire<S>,
        peer: Peer,
        first: [u8; 8],
    ) -> Result<()> {
        let began = timeout(STARTUP_TIME, self.begin(wire, peer, first)).await;
        let began = began.map_err(|_| {
            Error::new(
                Kind::Unavailable,
                "RequestTimeout",
                "the client did not say who it is",
            )
        })?;
        let (client, start) = match began {
            Ok(began) => began,
            Err(error) => {
                wire.error("FATAL", &error);
                return wire.flush().await;
            }
        };
        let place = self.place()?;
        wire.welcome(place.id, place.key);
        session::Connection::new(&self.inner, client, start, place.cancelled.clone())
            .run(wire)
            .await
    }

    async fn begin<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        wire: &mut Wire<S>,
        peer: Peer,
        first: [u8; 8],
    ) -> Result<(Client, session::Defaults)> {
        let mut said = wire.startup(first).await?;
        let user = said.remove("user").unwrap_or_default();
        let password = wire.password().await?;
        let application = said.remove("application_name").filter(|name| !name.is_empty());
        let client = Client {
            peer,
            user,
            password,
            application: application.map(|name| cut(&name, 256).into()),
        };
        self.inner.identify(&client)?;
        let defaults = session::Defaults::of(&said);
        Ok((client, defaults))
    }

    fn place(&self) -> Result<Place> {
        let key = i32::from_be_bytes(random::bytes::<4>(&*self.inner.random)?);
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let cancelled = Arc::new(Notify::new());
        self.inner.running.lock().insert(id, (key, cancelled.clone()));
        Ok(Place {
            inner: self.inner.clone(),
            id,
            key,
            cancelled,
        })
    }
}

impl Inner {
    /// Whose a statement is that comes now.
    fn identify(&self, client: &Client) -> Result<Session> {
        let origin = Origin {
            door: "pg",
            source_ip: client.peer.ip,
            tls: client.peer.tls,
            request_id: self.request_ids.draw(),
            user_agent: client.application.clone(),
            referer: None,
            lease: None,
            run: None,
            trace: None,
            purse: craton_gate::Purse::default(),
            time: self.clock.now(),
        };
        self.gate
            .identify_password(&client.user, &client.password, origin)
    }
}

/// At most `max` bytes of `text`, cut at a character.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
