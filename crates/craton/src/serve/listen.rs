//! Accepting connections and speaking HTTP on them, within limits; ending in order.
//!
//! Invariants
//! - there are never more connections than the limit: the next one waits in the kernel;
//! - a connection that sends no request, or a head too slowly, ends after the header timeout;
//! - an HTTP/2 connection on which nothing moves ends after the longest timeout, whatever else it says;
//! - once told to stop, nothing new is accepted, and what is under way has the shutdown timeout.
//!
//! Deliberately absent: what a request means (the doors).

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Version};
use hyper::{
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    idle::{Activity, Beating},
    stall::{Stall, TimedBody},
};

/// What one connection can hold of an unread head or body, and again of an unsent answer, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// What a connection can hold in all: both buffers, its task, TLS.
const CONNECTION_BYTES: u64 = 3 * BUFFER_BYTES as u64;

/// The most headers of a request.
const HEADERS_MAX: usize = 256;

/// The most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;

/// How long to wait after the kernel could not give us a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// What a server does with its time and memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once.
    pub(super) connections: usize,
    /// For a request's head, and for an idle connection.
    pub(super) header_timeout: Duration,
    /// For each piece of a body.
    pub(super) body_timeout: Duration,
    /// For what is under way when the server ends.
    pub(super) shutdown_timeout: Duration,
}

/// How many connections fit in `bytes`, and no more than `most`.
pub(super) fn connections(bytes: u64, most: u32) -> usize {
    let affordable = (bytes / CONNECTION_BYTES).max(1);
    usize::try_from(affordable.min(u64::from(most))).unwrap_or(1)
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Its address.
    pub(super) ip: IpAddr,
    /// The version of TLS that the connection is.
    pub(super) tls: Option<&'static str>,
}

/// Answers requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// The body of answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers one request; never fails.
    fn handle(
        &self,
        request: Request<TimedBody>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Serves until `stop` is ready, and then until what is under way has ended.
pub(super) async fn run<H: Handler>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    handler: Arc<H>,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
            let (stream, from) = listener.accept().await?;
            Ok::<_, io::Error>((slot, stream, from))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((slot, stream, from)) => {
                let line = Line {
                    limits,
                    handler: handler.clone(),
                    watcher: graceful.watcher(),
                    _slot: slot,
                };
                tokio::spawn(line.connect(stream, from, tls.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tracing::info!("ending: no new connections");
    if timeout(limits.shutdown_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

/// One connection.
struct Line<H> {
    limits: Limits,
    handler: Arc<H>,
    watcher: Watcher,
    _slot: OwnedSemaphorePermit,
}

impl<H: Handler> Line<H> {
    async fn connect(self, stream: TcpStream, from: SocketAddr, tls: Option<TlsAcceptor>) {
        // Without it a small answer waits for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let ip = from.ip().to_canonical();
        let stream = Stall::new(stream, self.limits.body_timeout);
        match tls {
            None => self.serve(stream, Peer { ip, tls: None }).await,
            Some(tls) => match timeout(self.limits.header_timeout, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let tls = Some(super::tls::version(stream.get_ref().1));
                    self.serve(stream, Peer { ip, tls }).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %ip, "no TLS connection"),
                Err(_) => tracing::debug!(%ip, "a TLS handshake took too long"),
            },
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, peer: Peer) {
        let Self {
            limits,
            handler,
            watcher,
            _slot,
        } = self;
        let activity = Arc::new(Activity::default());
        let seen = activity.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let working = seen.begin(request.version() == Version::HTTP_2);
            let handler = handler.clone();
            let request = request.map(|body| TimedBody::new(body, limits.body_timeout));
            async move {
                let response = handler.handle(request, peer).await;
                Ok::<_, Infallible>(response.map(|body| Beating::new(body, working)))
            }
        });
        let builder = builder(limits);
        let mut connection = pin!(watcher.watch(builder.serve_connection(TokioIo::new(stream), service)));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            // hyper's own timeout begins once it knows which HTTP it is.
            () = sleep(limits.header_timeout) => {
                if !activity.asked() {
                    return;
                }
                tokio::select! {
                    ended = connection => ended,
                    () = activity.stalled(limits.header_timeout.max(limits.body_timeout)) => {
                        tracing::debug!(ip = %peer.ip, "nothing moved on a connection");
                        return;
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, ip = %peer.ip, "a connection broke");
        }
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut out = Builder::new(TokioExecutor::new());
    out.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES);
    out.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(BUFFER_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(u32::try_from(BUFFER_BYTES).unwrap_or(u32::MAX))
        .initial_connection_window_size(u32::try_from(BUFFER_BYTES).unwrap_or(u32::MAX))
        .max_send_buf_size(BUFFER_BYTES / 4)
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout);
    out
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_fit_in_their_memory() {
        assert_eq!(connections(32 << 20, 1024), 170);
        assert_eq!(connections(1 << 30, 1024), 1024);
        assert_eq!(connections(0, 1024), 1);
    }
}
