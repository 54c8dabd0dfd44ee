//! One connection: its statements, prepared ones, portals and blocks.
//!
//! Invariants
//! - what a client prepares and binds is kept to [`KEPT_MAX`] of each and [`KEPT_BYTES_MAX`] together;
//! - after an error in a block nothing runs until the block ends.
//!
//! Deliberately absent: what a statement comes to ([`super::run`]).

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes};
use craton_base::{Error, Kind, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::timeout,
};

use super::{
    Client, Inner,
    wire::{Wire, broken, count, number, text},
};
use crate::sql::{SqlBound, SqlParameter, SqlRows};

/// The most prepared statements of a connection, and the most portals.
const KEPT_MAX: usize = 64;

/// The most bytes of their texts and parameters.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How long a connection may be still.
const IDLE: Duration = Duration::from_hours(1);

/// What names mean that are not whole.
pub(super) struct Defaults {
    pub(super) bucket: Option<String>,
    pub(super) namespace: Option<String>,
}

impl Defaults {
    /// Of a database: `bucket`, or `bucket/namespace`.
    pub(super) fn of(said: &HashMap<String, String>) -> Self {
        let database = said.get("database").map_or("", String::as_str);
        let (bucket, namespace) = match database.split_once('/') {
            Some((bucket, namespace)) => (bucket, Some(namespace)),
            None => (database, None),
        };
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        Self {
            bucket: named(bucket),
            namespace: namespace.and_then(named),
        }
    }
}

/// A block of transactions, as clients know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Block {
    None,
    Open,
    Failed,
}

pub(super) struct Prepared {
    pub(super) text: Arc<str>,
    /// The types of parameters as the client said them; 0: not said.
    pub(super) types: Vec<u32>,
}

pub(super) struct Portal {
    pub(super) text: Arc<str>,
    pub(super) bound: SqlBound,
    /// What its statement answers, once it runs.
    pub(super) rows: Option<SqlRows>,
    /// Rows that were not asked for yet.
    pub(super) left: Bytes,
    pub(super) sent: u64,
}

/// A connection.
pub(super) struct Connection<'a> {
    pub(super) inner: &'a Inner,
    pub(super) client: Client,
    pub(super) defaults: Defaults,
    pub(super) cancelled: Arc<Notify>,
    pub(super) block: Block,
    /// After an error, until the client synchronises.
    skips: bool,
    pub(super) prepared: HashMap<String, Prepared>,
    portals: HashMap<String, Portal>,
}

pub(super) fn no_such(what: &str, name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        "NoSuchStatement",
        format!("there is no {what} {name:?}"),
    )
}

pub(super) fn cancelled() -> Error {
    Error::new(
        Kind::Unavailable,
        "StatementCancelled",
        "the statement was cancelled",
    )
}

fn idle() -> Error {
    Error::new(
        Kind::Unavailable,
        "RequestTimeout",
        "the connection was still for too long",
    )
}

pub(super) fn gone() -> Error {
    Error::new(Kind::Unavailable, "ClientGone", "the client went away")
}

impl<'a> Connection<'a> {
    pub(super) fn new(inner: &'a Inner, client: Client, defaults: Defaults, cancelled: Arc<Notify>) -> Self {
        Self {
            inner,
            client,
            defaults,
            cancelled,
            block: Block::None,
            skips: false,
            prepared: HashMap::new(),
            portals: HashMap::new(),
        }
    }

    /// Answers until the client goes.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
        mut self,
        wire: &mut Wire<S>,
    ) -> Result<()> {
        self.ready(wire);
        wire.flush().await?;
        loop {
            let (kind, body) = match timeout(IDLE, wire.next()).await {
                Ok(Ok(Some(message))) => message,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return fatal(wire, &error).await,
                Err(_) => return fatal(wire, &idle()).await,
            };
            match kind {
                b'X' => return Ok(()),
                b'Q' => {
                    self.skips = false;
                    let done = self.simple(wire, body).await;
                    self.noted(wire, done)?;
                    self.ready(wire);
                    wire.flush().await?;
                }
                b'S' => {
                    self.skips = false;
                    if self.block == Block::None {
                        self.portals.clear();
                    }
                    self.ready(wire);
                    wire.flush().await?;
                }
                b'H' => wire.flush().await?,
                b'P' | b'B' | b'D' | b'E' | b'C' if self.skips => {}
                b'P' | b'B' | b'D' | b'E' | b'C' => {
                    let done = self.extended(wire, kind, body).await;
                    self.skips = done.is_err();
                    self.noted(wire, done)?;
                }
                // What is left of a COPY that was refused.
                b'c' | b'd' | b'f' => {}
                other => {
                    return fatal(
                        wire,
                        &broken(format!("a message of the kind {other} is not known")),
                    )
                    .await;
                }
            }
        }
    }

    /// Tells the client of an error. One that ends the connection goes on.
    fn noted<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        done: Result<()>,
    ) -> Result<()> {
        let Err(error) = done else { return Ok(()) };
        if error.reason() == "ClientGone" {
            return Err(error);
        }
        if matches!(error.kind(), Kind::Internal | Kind::Corrupt) {
            tracing::error!(%error, reason = error.reason(), "a statement failed");
        }
        if self.block == Block::Open {
            self.block = Block::Failed;
        }
        wire.error("ERROR", &error);
        Ok(())
    }

    fn ready<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, wire: &mut Wire<S>) {
        wire.ready(match self.block {
            Block::None => b'I',
            Block::Open => b'T',
            Block::Failed => b'E',
        });
    }

    /// A statement as a text, answered as texts.
    async fn simple<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        mut body: Bytes,
    ) -> Result<()> {
        let mut portal = Portal::new(text(&mut body)?.into(), SqlBound::default());
        self.describe(wire, &mut portal, false).await?;
        self.execute(wire, &mut portal, 0).await
    }

    async fn extended<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        kind: u8,
        mut body: Bytes,
    ) -> Result<()> {
        match kind {
            b'P' => {
                self.parse(&mut body)?;
                wire.message(b'1', |_| {});
                Ok(())
            }
            b'B' => {
                self.bind(&mut body)?;
                wire.message(b'2', |_| {});
                Ok(())
            }
            b'D' => {
                let (of, name) = named(&mut body)?;
                if of == b'S' {
                    return self.describe_prepared(wire, &name).await;
                }
                let mut portal = self
                    .portals
                    .remove(&name)
                    .ok_or_else(|| no_such("portal", &name))?;
                let done = self.describe(wire, &mut portal, true).await;
                self.portals.insert(name, portal);
                done
            }
            b'E' => {
                let (name, most) = (text(&mut body)?, number(&mut body)?);
                let mut portal = self
                    .portals
                    .remove(&name)
                    .ok_or_else(|| no_such("portal", &name))?;
                let done = self
                    .execute(wire, &mut portal, u64::try_from(most).unwrap_or(0))
                    .await;
                self.portals.insert(name, portal);
                done
            }
            _ => {
                match named(&mut body)? {
                    (b'S', name) => drop(self.prepared.remove(&name)),
                    (_, name) => drop(self.portals.remove(&name)),
                }
                wire.message(b'3', |_| {});
                Ok(())
            }
        }
    }

    fn parse(&mut self, body: &mut Bytes) -> Result<()> {
        let (name, statement) = (text(body)?, text(body)?);
        let mut types = Vec::new();
        for _ in 0..count(body)? {
            types.push(u32::from_be_bytes(number(body)?.to_be_bytes()));
        }
        self.prepared.remove(&name);
        let kept: usize = self.prepared.values().map(|p| p.text.len()).sum();
        room(self.prepared.len(), kept.saturating_add(statement.len()))?;
        let text = statement.into();
        self.prepared.insert(name, Prepared { text, types });
        Ok(())
    }

    fn bind(&mut self, body: &mut Bytes) -> Result<()> {
        let (name, of) = (text(body)?, text(body)?);
        let prepared = self
            .prepared
            .get(&of)
            .ok_or_else(|| no_such("prepared statement", &of))?;
        let binary = formats(body)?;
        let mut parameters = Vec::new();
        let mut size = 0usize;
        for at in 0..count(body)? {
            let length = number(body)?;
            let value = match usize::try_from(length) {
                Err(_) => None,
                Ok(length) if length <= body.remaining() => Some(body.split_to(length)),
                Ok(_) => return Err(broken("a parameter ends early")),
            };
            size = size.saturating_add(value.as_ref().map_or(0, Bytes::len));
            parameters.push(SqlParameter {
                type_id: prepared.types.get(at).copied().unwrap_or(0),
                binary: is_binary(&binary, at),
                value,
            });
        }
        let bound = SqlBound {
            parameters,
            binary: formats(body)?,
        };
        let portal = Portal::new(prepared.text.clone(), bound);
        self.portals.remove(&name);
        let kept: usize = self.portals.values().map(Portal::size).sum();
        room(self.portals.len(), kept.saturating_add(size))?;
        self.portals.insert(name, portal);
        Ok(())
    }
}

impl Portal {
    fn new(text: Arc<str>, bound: SqlBound) -> Self {
        Self {
            text,
            bound,
            rows: None,
            left: Bytes::new(),
            sent: 0,
        }
    }

    fn size(&self) -> usize {
        let values = self.bound.parameters.iter().filter_map(|p| p.value.as_ref());
        values.map(Bytes::len).sum()
    }
}

async fn fatal<S: AsyncRead + AsyncWrite + Unpin + Send>(wire: &mut Wire<S>, error: &Error) -> Result<()> {
    wire.error("FATAL", error);
    wire.flush().await
}

fn room(kept: usize, bytes: usize) -> Result<()> {
    if kept < KEPT_MAX && bytes <= KEPT_BYTES_MAX {
        return Ok(());
    }
    let text =
        format!("a connection keeps {KEPT_MAX} statements and portals of {KEPT_BYTES_MAX} bytes; close some");
    Err(Error::new(Kind::TooLarge, "LimitExceeded", text))
}

/// What a client names to be described or closed.
fn named(body: &mut Bytes) -> Result<(u8, String)> {
    match body.has_remaining() {
        true => Ok((body.get_u8(), text(body)?)),
        false => Err(broken("a message ends early")),
    }
}

fn formats(body: &mut Bytes) -> Result<Vec<bool>> {
    let mut out = Vec::new();
    for _ in 0..count(body)? {
        out.push(count(body)? == 1);
    }
    Ok(out)
}

/// None: all are texts; one: of all.
pub(super) fn is_binary(formats: &[bool], at: usize) -> bool {
    match formats {
        [] => false,
        [all] => *all,
        each => each.get(at).copied().unwrap_or(false),
    }
}
