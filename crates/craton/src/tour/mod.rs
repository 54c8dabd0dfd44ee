//! `craton tour`: the main job on real data, for a newcomer. Starts a server of its own on a fresh
//! folder, uses it through its doors with a stock client, and leaves nothing behind.
//!
//! Each chapter is one function of [`CHAPTERS`]; a later part of the project adds its own. Every
//! claim that a chapter prints was checked; what does not hold ends the tour with an error.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use craton_base::{ByteSize, Clock, Error, Random, Result, clock::SystemClock, random};
use craton_crypto::random::SystemRandom;
use tokio::sync::oneshot;

use crate::{
    client::{Client, Credentials},
    config::Settings,
    files, output,
    serve::{self, ROOT_CREDENTIALS, Server},
};

mod agent;
mod graphs;
mod ledger;
mod objects;
mod speed;
mod tables;

/// The bucket that the tour works in.
const BUCKET: &str = "tour";

/// What a person may choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Take the data sets from this folder instead of those in the program
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datasets: Option<PathBuf>,

    /// The server's memory
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub(crate) memory: ByteSize,

    /// The size of the large object
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(crate) large: ByteSize,
}

/// What the chapters share.
struct Tour {
    options: TourOptions,
    root: Client,
    endpoint: String,
    clock: SystemClock,
    /// Filled by the chapter about the agent, for the one about the ledger.
    agent: Option<agent::Seen>,
}

struct TourOptions {
    datasets: Option<PathBuf>,
    large: ByteSize,
}

type Chapter = for<'a> fn(&'a mut Tour) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// The chapters, in order.
const CHAPTERS: &[(&str, Chapter)] = &[
    ("Real data, through the S3 door", |tour| {
        Box::pin(objects::run(tour))
    }),
    ("The same data as a graph, and a program", |tour| {
        Box::pin(graphs::run(tour))
    }),
    ("The same data as a table, to two principals", |tour| {
        Box::pin(tables::run(tour))
    }),
    ("An agent with a narrow policy", |tour| Box::pin(agent::run(tour))),
    ("The ledger", |tour| Box::pin(ledger::run(tour))),
    ("Large objects in little memory", |tour| {
        Box::pin(speed::run(tour))
    }),
];

/// Takes the tour.
///
/// # Errors
/// The first claim that does not hold.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = Folder::new()?;
    serve::quiet_logs()?;
    let start = SystemClock::new();
    let server = Server::start(&Settings::local(folder.0.join("data"), options.memory)?).await?;
    let endpoint = server.endpoint()?;
    say("Craton, on a fresh folder:");
    say(&format!("  server      {endpoint}, {} of memory", options.memory));
    say(&format!(
        "  data        {} (removed at the end)",
        folder.0.display()
    ));
    let credentials = Credentials::read(&folder.0.join("data").join(ROOT_CREDENTIALS))?;
    let (end, ended) = oneshot::channel::<()>();
    let served = tokio::spawn(server.run(async move {
        // The sender going away is an end as well.
        drop(ended.await);
    }));
    let told = tell(options, endpoint, credentials, start).await;
    drop(end);
    let closed = served
        .await
        .map_err(|e| Error::internal("the server did not end").with_source(e))?;
    told?;
    closed?;
    say(&format!(
        "\nThe server ended cleanly. {} in all.",
        seconds(start.monotonic())
    ));
    Ok(())
}

async fn tell(
    options: &Options,
    endpoint: String,
    credentials: Credentials,
    clock: SystemClock,
) -> Result<()> {
    let mut tour = Tour {
        options: TourOptions {
            datasets: options.datasets.clone(),
            large: options.large,
        },
        root: Client::local(&endpoint, credentials)?,
        endpoint,
        clock,
        agent: None,
    };
    for (number, (title, chapter)) in CHAPTERS.iter().enumerate() {
        say(&format!("\n{}. {title}", number.saturating_add(1)));
        chapter(&mut tour).await?;
    }
    Ok(())
}

impl Tour {
    /// Does `work`, and how long it took.
    async fn timed<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
        let before = self.clock.monotonic();
        let done = work.await?;
        Ok((done, self.clock.monotonic().saturating_sub(before)))
    }
}

/// A folder that goes when the tour does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let name = format!("craton-tour-{}", hex::encode(random::bytes::<8>(&*random)?));
        Ok(Self(std::env::temp_dir().join(name)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = files::remove_folder(&self.0) {
            output::note(&format!("the folder {} stays: {error}", self.0.display()));
        }
    }
}

fn say(text: &str) {
    output::line(text);
}

/// Says what was shown, under a chapter.
fn point(what: &str, text: &str) {
    output::line(&format!("   {what:12} {text}"));
}

/// The error of a claim that does not hold.
fn broken(what: impl Into<String>) -> Error {
    Error::internal(format!("the tour found what it did not expect: {}", what.into()))
}

fn seconds(d: Duration) -> String {
    match d.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", d.as_secs_f64()),
    }
}

/// Bytes in a time, as MB/s.
fn rate(bytes: u64, time: Duration) -> String {
    let micros = time.as_micros().max(1);
    // Bytes per microsecond are megabytes per second.
    format!("{} MB/s", u128::from(bytes) / micros)
}
