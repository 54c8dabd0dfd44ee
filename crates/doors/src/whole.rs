//! Room for bodies that are read whole before anything is decided: XML and JSON.
//!
//! Invariants
//! - all such bodies together hold at most [`ROOM_BYTES`]; those of callers who did not say who they are at most
//!   [`ANONYMOUS_ROOM_BYTES`] of their own, and those of callers who said so and can prove it only by the body at most
//!   [`UNPROVEN_ROOM_BYTES`], so that they keep nobody else waiting;
//! - the forms that ask for tokens prove nothing before they are read: all of them hold at most [`FORM_ROOM_BYTES`], those of one
//!   source address at most [`SOURCE_BYTES`] and the next is refused, so that one source keeps nobody of another waiting; who has
//!   [`FORM_ROOM_BYTES`] `/` [`SOURCE_BYTES`] networks can, for [`FORM_TIME_MAX`] at a time;
//! - room is taken for the whole body at once, so nobody waits while holding some;
//! - waiting and reading together end after [`TIME_MAX`], so a body that drips holds room for that long at most.
//!
//! Deliberately absent: what the bodies say, how long one may be.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use craton_gate::{PrincipalKind, Session, TOO_MANY_ATTEMPTS, identify::body::VerifiedBody};
use http_body::{Body, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::query::read_up_to;

/// Bytes of such bodies at once, of callers who are known.
const ROOM_BYTES: usize = 8 << 20;

/// Bytes of such bodies at once, of callers who are not known.
const ANONYMOUS_ROOM_BYTES: usize = 1 << 20;

/// Bytes of such bodies at once that a signature covers by a hash which is known once they are read.
const UNPROVEN_ROOM_BYTES: usize = 4 << 20;

/// Bytes of forms that ask for tokens at once.
const FORM_ROOM_BYTES: usize = 4 << 20;

/// Bytes of such forms at once from one source.
const SOURCE_BYTES: usize = 128 << 10;

/// The longest such form, in bytes.
const FORM_BYTES_MAX: usize = 32 << 10;

/// How long such a form may take.
const FORM_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a body may take from its head to its last byte.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Room is counted in so many bytes.
const UNIT: u64 = 1 << 10;

/// All room there is. Clones are the same.
#[derive(Clone)]
pub(crate) struct Rooms {
    known: Arc<Semaphore>,
    anonymous: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    forms: Arc<Semaphore>,
    /// Units that forms of a source hold or wait for: of those that have some.
    sources: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// Room that one body has while this lives.
pub(crate) struct Room {
    _held: Option<OwnedSemaphorePermit>,
    _of_source: Option<OfSource>,
}

/// What a source has of its own part.
struct OfSource {
    source: IpAddr,
    units: u32,
    sources: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Drop for OfSource {
    fn drop(&mut self) {
        let mut sources = self.sources.lock();
        if let Entry::Occupied(mut held) = sources.entry(self.source) {
            *held.get_mut() = held.get().saturating_sub(self.units);
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

impl Rooms {
    pub(crate) fn new() -> Self {
        let units = |bytes: usize| Arc::new(Semaphore::new(bytes / usize::try_from(UNIT).unwrap_or(1)));
        Self {
            known: units(ROOM_BYTES),
            anonymous: units(ANONYMOUS_ROOM_BYTES),
            unproven: units(UNPROVEN_ROOM_BYTES),
            forms: units(FORM_ROOM_BYTES),
            sources: Arc::default(),
        }
    }

    /// Takes room for a body that says `size` of itself, of which at most `bytes_max` are read, and reads it.
    ///
    /// # Errors
    /// `RequestTimeout`; what `read` returns.
    pub(crate) async fn read<T>(
        &self,
        session: &Session,
        size: &SizeHint,
        bytes_max: usize,
        read: impl Future<Output = Result<T>>,
    ) -> Result<(T, Room)> {
        let rooms = match session.kind() {
            PrincipalKind::Anonymous => (&self.anonymous, ANONYMOUS_ROOM_BYTES),
            _ => (&self.known, ROOM_BYTES),
        };
        Self::read_in(rooms, size, bytes_max, read).await
    }

    /// As [`Rooms::read`], for a body that must be read before it is known whose it is.
    ///
    /// # Errors
    /// `RequestTimeout`; what `read` returns.
    pub(crate) async fn read_unknown<T>(
        &self,
        size: &SizeHint,
        bytes_max: usize,
        read: impl Future<Output = Result<T>>,
    ) -> Result<(T, Room)> {
        Self::read_in((&self.anonymous, ANONYMOUS_ROOM_BYTES), size, bytes_max, read).await
    }

    /// As [`Rooms::read`], for a body that must be read before a signature of a key that there is can be verified.
    ///
    /// # Errors
    /// `RequestTimeout`; what `read` returns.
    pub(crate) async fn read_unproven<T>(
        &self,
        size: &SizeHint,
        bytes_max: usize,
        read: impl Future<Output = Result<T>>,
    ) -> Result<(T, Room)> {
        Self::read_in((&self.unproven, UNPROVEN_ROOM_BYTES), size, bytes_max, read).await
    }

    /// Takes room for a form that asks for a token, and reads it: nobody is known yet, but where it comes from.
    ///
    /// # Errors
    /// `Busy`, [`TOO_MANY_ATTEMPTS`] for a source that sends too much at once; `RequestTimeout`; the body's own.
    pub(crate) async fn read_form<B>(&self, source: IpAddr, size: &SizeHint, body: B) -> Result<(Bytes, Room)>
    where
        B: Body<Data = Bytes> + Unpin + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let units = units(size, FORM_BYTES_MAX, FORM_ROOM_BYTES);
        let of_source = self.part_of(network(source), units)?;
        timeout(FORM_TIME_MAX, async {
            let mut room = take(&self.forms, units).await?;
            room._of_source = Some(of_source);
            Ok((read_up_to(body, FORM_BYTES_MAX).await?, room))
        })
        .await
        .unwrap_or_else(|_| Err(too_slow()))
    }

    fn part_of(&self, source: IpAddr, units: u32) -> Result<OfSource> {
        let most = u32::try_from(SOURCE_BYTES as u64 / UNIT).unwrap_or(u32::MAX);
        let mut sources = self.sources.lock();
        let held = sources.entry(source).or_default();
        if held.saturating_add(units) > most {
            let text = "too much is sent from this address at once; wait for what was sent before";
            return Err(Error::new(Kind::Busy, TOO_MANY_ATTEMPTS, text));
        }
        *held = held.saturating_add(units);
        Ok(OfSource {
            source,
            units,
            sources: self.sources.clone(),
        })
    }

    async fn read_in<T>(
        rooms: (&Arc<Semaphore>, usize),
        size: &SizeHint,
        bytes_max: usize,
        read: impl Future<Output = Result<T>>,
    ) -> Result<(T, Room)> {
        let units = units(size, bytes_max, rooms.1);
        timeout(TIME_MAX, async {
            let room = take(rooms.0, units).await?;
            Ok((read.await?, room))
        })
        .await
        .unwrap_or_else(|_| Err(too_slow()))
    }
}

/// What counts as one source: of IPv6 the /64, all of whose addresses one has.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

/// A body that does not say how long it is has room for the longest; one longer than all room has all.
fn units(size: &SizeHint, bytes_max: usize, all: usize) -> u32 {
    let most = bytes_max.min(all) as u64;
    let bytes = size.upper().map_or(most, |upper| upper.min(most));
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

async fn take(room: &Arc<Semaphore>, units: u32) -> Result<Room> {
    if units == 0 {
        return Ok(Room {
            _held: None,
            _of_source: None,
        });
    }
    let taken = room.clone().acquire_many_owned(units).await;
    taken
        .map(|permit| Room {
            _held: Some(permit),
            _of_source: None,
        })
        .map_err(|e| Error::internal("the room for bodies was closed").with_source(e))
}

/// The whole body, within the limit.
///
/// # Errors
/// `TooLarge`; the body's own.
pub(crate) async fn verified<B>(mut body: VerifiedBody<B>, bytes_max: usize) -> Result<Bytes>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut out = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(timeout_or)?.into_data() else {
            continue;
        };
        if out.len().saturating_add(data.len()) > bytes_max {
            let message = format!("the body has at most {bytes_max} bytes");
            return Err(Error::new(Kind::TooLarge, "EntityTooLarge", message));
        }
        out.extend_from_slice(&data);
    }
    Ok(out.freeze())
}

/// The time-out that made a body fail, which its own error does not say; any other error as it is.
fn timeout_or(error: Error) -> Error {
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<Error>()
            && found.reason() == "RequestTimeout"
        {
            return Error::new(found.kind(), "RequestTimeout", found.message().to_owned());
        }
        cause = next.source();
    }
    error
}

fn too_slow() -> Error {
    Error::new(
        Kind::Invalid,
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period.",
    )
}

#[cfg(test)]
mod tests;
