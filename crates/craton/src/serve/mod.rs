//! `craton serve`: the parts put together, started and ended in order.
//!
//! ```text
//! data folder ──▶ store ──▶ gate ──▶ doors ──▶ HTTP(S) on one address
//! ```
//!
//! Memory: `--memory` is divided by the store ([`craton_store::Memory::divide`]); connections live in
//! its rest, so their number is bounded by it.

use std::{
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use craton_base::{Clock, Error, Kind, Random, Result, clock::SystemClock};
use craton_crypto::random::SystemRandom;
use craton_doors::{http as doors, s3};
use craton_objects::lifecycle::Calendar;
use craton_work::Work;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    client::Credentials,
    config::{LogFormat, Settings},
    output,
};

mod below;
mod fetch;
mod folder;
mod idle;
mod kms;
mod listen;
mod logs;
mod pg;
mod sql;
mod stall;
mod targets;
mod tiers;
mod tls;
mod traces;

pub(crate) use folder::{Folder, ROOT_CREDENTIALS};
pub(crate) use tls::install_provider as install_tls;

use below::Below;
use fetch::GuardedFetch;
use kms::AwsKms;
use listen::{Handler, Limits, Peer};
use stall::TimedBody;
use traces::Traces;

/// Requests for maintenance of tables that wait.
const WANTED_MAX: usize = 64;

/// A server that has its folder and its address, and answers once it is run.
pub(crate) struct Server {
    folder: Folder,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    handler: Arc<Doors>,
    /// Where PostgreSQL's clients connect.
    pg: Option<pg::Line>,
    data: PathBuf,
    work: Work,
    /// Keeps tables in order.
    maintenance: JoinSet<()>,
}

/// The doors, as the listener wants them.
struct Doors {
    doors: doors::Doors,
    /// Only if they are asked for.
    traces: Option<Traces>,
}

impl Handler for Doors {
    type Body = doors::Body;

    async fn handle(&self, request: http::Request<TimedBody>, peer: Peer) -> http::Response<doors::Body> {
        let peer = doors::Peer {
            ip: peer.ip,
            tls: peer.tls,
        };
        let request = request.map(doors::Body::http_body);
        match &self.traces {
            None => self.doors.handle(request, &peer).await,
            Some(traces) => {
                let parent = traces::parent(request.headers());
                // In a box, so that requests are no larger for those who want no traces.
                Box::pin(traces.request(parent, self.doors.handle(request, &peer))).await
            }
        }
    }
}

/// Starts logging errors only, for a server that a command runs for itself.
///
/// # Errors
/// `Internal` if logging was started before.
pub(crate) fn quiet_logs() -> Result<()> {
    logs::start(&filter("error"), LogFormat::Text)?;
    logs::end_on_panic();
    Ok(())
}

fn filter(wanted: &str) -> String {
    format!(
        "{wanted},{},{}",
        craton_doors::LOG_DIRECTIVE,
        craton_sql::LOG_DIRECTIVE
    )
}

/// Serves until the process is told to end.
///
/// # Errors
/// What keeps it from starting, or from ending well.
pub(crate) async fn serve(settings: &Settings) -> Result<()> {
    logs::start(&filter(&settings.log), settings.log_format)?;
    logs::end_on_panic();
    let stop = signals()?;
    let server = Server::start(settings).await?;
    let credentials = server.data.join(ROOT_CREDENTIALS);
    if server.folder.is_new {
        output::line(&format!(
            "first start: the root access key is in {}",
            credentials.display()
        ));
    }
    output::line(&format!("listening on {}", server.endpoint()?));
    if let Some(line) = &server.pg {
        output::line(&format!("PostgreSQL's clients: {}", line.endpoint()?));
    }
    server.run(stop).await
}

impl Server {
    /// Opens the data folder and takes the address.
    ///
    /// # Errors
    /// The folder's; `Invalid` for TLS files that are none; `Busy` if the address is taken.
    pub(crate) async fn start(settings: &Settings) -> Result<Self> {
        let tls = match (&settings.tls_cert, &settings.tls_key) {
            (Some(cert), Some(key)) => Some(tls::acceptor(cert, key)?),
            _ => None,
        };
        let targets = settings
            .targets
            .as_deref()
            .map(targets::read)
            .transpose()?
            .unwrap_or_default();
        let tiers = settings
            .tiers
            .as_deref()
            .map(tiers::read)
            .transpose()?
            .unwrap_or_default();
        let openlineage = targets::openlineage(settings)?;
        let traces = settings.otlp_endpoint.as_deref().map(Traces::start).transpose()?;
        let listener = TcpListener::bind(settings.address)
            .await
            .map_err(|e| address(settings.address, e))?;
        let (data, memory) = (settings.data.clone(), settings.memory);
        let wanted = craton_gate::Settings {
            region: settings.region.clone(),
            undo_window: settings.undo_window,
            lineage_retention: settings.lineage_retention,
            targets: targets.names(),
            remotes: targets.remote_buckets(),
            tiers: tiers::classes(&tiers),
            tells_of_runs: Some(openlineage.is_some()),
        };
        let keys = key_service(settings)?;
        let folder = blocking(move || Folder::open_with(&data, memory, wanted, tiers.open()?)).await?;
        if let Some(keys) = keys {
            folder.gate.use_key_service(Arc::new(keys));
        }
        let fetch = GuardedFetch::new(&settings.fetch_private)?;
        folder.gate.use_fetch(Arc::new(fetch));
        let engine = Arc::new(OnceLock::new());
        let handler = Arc::new(Doors {
            doors: open_doors(settings, &folder, engine.clone())?,
            traces,
        });
        let pg = pg::Line::take(settings, &handler.doors, tls.clone()).await?;
        let rest = craton_store::Memory::divide(memory).rest;
        let limits = Limits {
            connections: listen::connections(rest, settings.connections_max),
            header_timeout: settings.header_timeout,
            body_timeout: settings.body_timeout,
            shutdown_timeout: settings.shutdown_timeout,
        };
        folder.gate.start()?;
        let (work, maintenance) = start_work(settings, &folder, (targets, &engine), openlineage)?;
        tracing::info!(data = %settings.data.display(), %memory, connections = limits.connections, "started");
        Ok(Self {
            folder,
            listener,
            tls,
            limits,
            handler,
            pg,
            data: settings.data.clone(),
            work,
            maintenance,
        })
    }

    /// Where clients reach it.
    ///
    /// # Errors
    /// The operating system's own.
    pub(crate) fn endpoint(&self) -> Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until `stop` is ready, and ends in order.
    ///
    /// # Errors
    /// The ledger's or the store's, from closing.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let Self {
            folder,
            listener,
            tls,
            limits,
            handler,
            pg,
            work,
            mut maintenance,
            ..
        } = self;
        let line = pg.map(|line| tokio::spawn(line.run()));
        listen::run(listener, tls, limits, handler.clone(), stop).await;
        if let Some(line) = line {
            line.abort();
        }
        // What they were at is over before the gate is closed.
        maintenance.shutdown().await;
        work.end().await;
        let last_traces = async {
            if let Some(traces) = &handler.traces {
                traces.end().await;
            }
        };
        let (closed, ()) = tokio::join!(folder.gate.close(), last_traces);
        tracing::info!("ended");
        closed
    }
}

/// Starts what happens by itself.
fn start_work(
    settings: &Settings,
    folder: &Folder,
    (targets, engine): (craton_work::target::Settings, &OnceLock<craton_sql::Engine>),
    openlineage: Option<craton_work::OpenLineage>,
) -> Result<(Work, JoinSet<()>)> {
    let workers = Arc::new(folder.gate.take_workers()?);
    let (maintenance, wanted) = mpsc::channel(WANTED_MAX);
    let tables = sql::maintenance(engine, workers.clone(), settings.lifecycle_day)?;
    let mut keeping = JoinSet::new();
    keeping.spawn(tables.run_all(wanted));
    let work = Work::start(craton_work::Parts {
        workers,
        maintenance,
        settings: targets,
        openlineage,
        calendar: Calendar::with_day(settings.lifecycle_day),
        access_log_every: settings.access_log_every,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
    })?;
    Ok((work, keeping))
}

fn open_doors(
    settings: &Settings,
    folder: &Folder,
    engine: Arc<OnceLock<craton_sql::Engine>>,
) -> Result<doors::Doors> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    doors::Doors::new(doors::Parts {
        gate: folder.gate.clone(),
        settings: doors::Settings {
            s3: s3::Settings {
                domains: settings.domain.clone(),
            },
            trusted_proxies: settings.trusted_proxy.clone(),
            public_url: settings.public_url.clone(),
        },
        clock,
        random,
        below: Arc::new(Below::new(folder)),
        sql: Some(sql::start(settings, folder.gate.clone(), engine)),
        flight: Some(craton_flight::start),
    })
}

/// The key service that the settings name.
fn key_service(settings: &Settings) -> Result<Option<AwsKms>> {
    let (Some(endpoint), Some(credentials)) = (&settings.kms_endpoint, &settings.kms_credentials) else {
        return Ok(None);
    };
    let credentials = Credentials::read(credentials)?;
    let default_key = settings.kms_default_key.as_deref();
    AwsKms::new(endpoint, &settings.region, credentials, default_key).map(Some)
}

/// Ready when the process is told to end.
fn signals() -> Result<Pin<Box<dyn Future<Output = ()> + Send>>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }))
}

fn address(wanted: SocketAddr, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::AddrInUse => Kind::Busy,
        std::io::ErrorKind::PermissionDenied => Kind::Denied,
        _ => Kind::Invalid,
    };
    Error::new(
        kind,
        "AddressNotUsable",
        format!("can not listen on {wanted}: {error}"),
    )
    .with_source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("opening the data folder did not end").with_source(e))?
}
