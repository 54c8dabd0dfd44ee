//! Accepting connections of PostgreSQL's clients: the number of them, TLS, who only cancels.
//!
//! Invariants
//! - there are never more connections than the limit: the next one waits in the kernel;
//! - a server that has TLS speaks with nobody without it, since passwords come as they are;
//! - who takes nothing of an answer for the body timeout is let go; who is still, by the door.
//!
//! Deliberately absent: what a client says once it is connected (the door).

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use craton_base::{Error, Kind, Result};
use craton_crypto::random::SystemRandom;
use craton_doors::{
    http::{Doors, Peer},
    pg::{CANCEL, GSS, PgDoor, TLS},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{address, stall::Stall};
use crate::config::Settings;

/// How long to wait after the kernel could not give us a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// What a client may ask before it begins: TLS, and GSSAPI's encryption.
const REQUESTS_MAX: usize = 3;

/// An address for PostgreSQL's clients. Clones are the same.
#[derive(Clone)]
pub(super) struct Line {
    listener: Arc<TcpListener>,
    door: PgDoor,
    tls: Option<TlsAcceptor>,
    slots: Arc<Semaphore>,
    /// For TLS and what comes before it.
    header_timeout: Duration,
    body_timeout: Duration,
}

impl Line {
    /// Takes the address, if the settings name one.
    ///
    /// # Errors
    /// `Busy` if it is taken.
    pub(super) async fn take(
        settings: &Settings,
        doors: &Doors,
        tls: Option<TlsAcceptor>,
    ) -> Result<Option<Self>> {
        let (Some(wanted), Some(door)) = (settings.pg_address, doors.pg(Arc::new(SystemRandom))) else {
            return Ok(None);
        };
        let listener = TcpListener::bind(wanted).await.map_err(|e| address(wanted, e))?;
        let connections = usize::try_from(settings.pg_connections_max).unwrap_or(1);
        let tls = tls.map(|tls| {
            let mut config = (**tls.config()).clone();
            config.alpn_protocols = vec![b"postgresql".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        Ok(Some(Self {
            listener: Arc::new(listener),
            door,
            tls,
            slots: Arc::new(Semaphore::new(connections)),
            header_timeout: settings.header_timeout,
            body_timeout: settings.body_timeout,
        }))
    }

    /// Where clients reach it.
    ///
    /// # Errors
    /// The operating system's own.
    pub(super) fn endpoint(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until it is dropped, and its connections with it.
    pub(super) async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(slot) = self.slots.clone().acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let line = self.clone();
                    connections.spawn(async move {
                        if let Err(error) = line.connect(stream, from).await {
                            tracing::debug!(%error, ip = %from.ip(), "a connection of PostgreSQL's broke");
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connect(&self, stream: TcpStream, from: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let ip = from.ip().to_canonical();
        let mut stream = Stall::new(stream, self.body_timeout);
        let Some((wanted, first)) = timeout(self.header_timeout, self.first(&mut stream)).await?? else {
            return Ok(());
        };
        match (wanted, &self.tls) {
            (TLS, Some(tls)) => {
                let mut stream = timeout(self.header_timeout, tls.accept(stream)).await??;
                let version = super::tls::version(stream.get_ref().1);
                let (_, first) = timeout(self.header_timeout, head(&mut stream)).await??;
                let tls = Some(version);
                self.door.serve(stream, Peer { ip, tls }, first).await;
            }
            (_, Some(_)) => {
                let text = "this server speaks TLS only: sslmode=require";
                let error = Error::new(Kind::Denied, "TlsRequired", text);
                self.door.refuse(stream, &error).await;
            }
            (_, None) => self.door.serve(stream, Peer { ip, tls: None }, first).await,
        }
        Ok(())
    }

    /// What a client begins with, once it has asked what it may: for TLS, or to be served. `None`: it wanted nothing more.
    async fn first<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> io::Result<Option<(u32, [u8; 8])>> {
        for _ in 0..REQUESTS_MAX {
            let (wanted, first) = head(stream).await?;
            match wanted {
                TLS if self.tls.is_some() => {
                    stream.write_all(b"S").await?;
                    return Ok(Some((wanted, first)));
                }
                TLS | GSS => stream.write_all(b"N").await?,
                CANCEL => {
                    let (id, key) = (stream.read_i32().await?, stream.read_i32().await?);
                    self.door.cancel(id, key);
                    return Ok(None);
                }
                _ => return Ok(Some((wanted, first))),
            }
        }
        Ok(None)
    }
}

/// The eight bytes that a client begins with, and what stands there in place of a version.
async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u32, [u8; 8])> {
    let mut first = [0; 8];
    stream.read_exact(&mut first).await?;
    let [_, _, _, _, a, b, c, d] = first;
    Ok((u32::from_be_bytes([a, b, c, d]), first))
}
