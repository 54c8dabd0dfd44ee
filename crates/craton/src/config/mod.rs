//! Settings of the server: plain data, from flags, the environment and a TOML file.
//!
//! One source of truth: the fields of [`Settings`]. Flag `--header-timeout`, variable
//! `CRATON_HEADER_TIMEOUT` and the file's key `header-timeout` come from the same definition and go
//! through the same parser. A flag wins over the environment, that over the file, that over the default.
//!
//! Deliberately absent: secrets. They are in files that only their owner may read.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as _, Command, FromArgMatches as _};
use craton_base::{ByteSize, Error, Result};
use craton_doors::http::Network;
use craton_store::MEMORY_MIN;

pub(crate) mod duration;
mod file;

pub(crate) use duration::parse as parse_duration;
pub(crate) use file::layered;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings of `craton serve`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// A TOML file with settings; its keys are the names of the flags
    #[arg(long, env = "CRATON_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The folder that holds everything; made at first start
    #[arg(
        long,
        env = "CRATON_DATA",
        value_name = "FOLDER",
        default_value = "craton-data"
    )]
    pub(crate) data: PathBuf,

    /// The one address of all doors; port 0 takes a free one
    #[arg(
        long,
        env = "CRATON_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9000"
    )]
    pub(crate) address: SocketAddr,

    /// The memory that is divided among caches and transfers; at least 64MiB
    #[arg(long, env = "CRATON_MEMORY", value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
    pub(crate) memory: ByteSize,

    /// The region that clients sign for
    #[arg(long, env = "CRATON_REGION", value_name = "NAME", default_value = "us-east-1", value_parser = region)]
    pub(crate) region: String,

    /// A domain whose subdomains are buckets (virtual-host style); may be repeated
    #[arg(long, env = "CRATON_DOMAIN", value_name = "NAME", value_delimiter = ',', value_parser = domain)]
    pub(crate) domain: Vec<String>,

    /// Where clients reach the server, for answers that say it: https://data.example.org. Default: as each request says itself
    #[arg(long, env = "CRATON_PUBLIC_URL", value_name = "URL", value_parser = http_endpoint)]
    pub(crate) public_url: Option<String>,

    /// Certificates for TLS, a PEM file, the server's own first
    #[arg(long, env = "CRATON_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key for TLS, a PEM file
    #[arg(long, env = "CRATON_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// What to log: a level, or levels by module (info,craton_gate=debug)
    #[arg(long, env = "CRATON_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,

    /// How log lines look
    #[arg(
        long,
        env = "CRATON_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,

    /// Where traces go: an OpenTelemetry collector that takes OTLP over HTTP (http://localhost:4318)
    #[arg(long, env = "CRATON_OTLP_ENDPOINT", value_name = "URL", value_parser = http_endpoint)]
    pub(crate) otlp_endpoint: Option<String>,

    /// A key service for SSE-KMS instead of the local keys: AWS KMS, or what speaks its API
    #[arg(long, env = "CRATON_KMS_ENDPOINT", value_name = "URL", value_parser = http_endpoint, requires = "kms_credentials")]
    pub(crate) kms_endpoint: Option<String>,

    /// The access key for the key service, as an AWS credentials file
    #[arg(
        long,
        env = "CRATON_KMS_CREDENTIALS",
        value_name = "FILE",
        requires = "kms_endpoint"
    )]
    pub(crate) kms_credentials: Option<PathBuf>,

    /// The key of the key service for requests that name none; by default alias/aws/s3
    #[arg(
        long,
        env = "CRATON_KMS_DEFAULT_KEY",
        value_name = "KEY",
        requires = "kms_endpoint"
    )]
    pub(crate) kms_default_key: Option<String>,

    /// A proxy, or a network of them (10.0.0.0/8), whose X-Forwarded-For is believed; may be repeated
    #[arg(
        long,
        env = "CRATON_TRUSTED_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxy: Vec<Network>,

    /// An address or network that is not public and where identity providers may be asked, also without TLS; may be repeated
    #[arg(
        long,
        env = "CRATON_FETCH_PRIVATE",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub(crate) fetch_private: Vec<Network>,

    /// The most connections at once; more wait to be accepted
    #[arg(long, env = "CRATON_CONNECTIONS_MAX", value_name = "N", default_value = "1024",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) connections_max: u32,

    /// How long a client may take for the head of a request, and how long an idle connection stays
    #[arg(long, env = "CRATON_HEADER_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub(crate) header_timeout: Duration,

    /// How long a client may send nothing of a body, or take nothing of an answer
    #[arg(long, env = "CRATON_BODY_TIMEOUT", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) body_timeout: Duration,

    /// How long requests may go on after the server was told to end
    #[arg(long, env = "CRATON_SHUTDOWN_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub(crate) shutdown_timeout: Duration,

    /// How long overwritten and deleted versions can be brought back
    #[arg(long, env = "CRATON_UNDO_WINDOW", value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    pub(crate) undo_window: Duration,

    /// How long runs and their lineage are kept after they were last touched; without it, always
    #[arg(long, env = "CRATON_LINEAGE_RETENTION", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) lineage_retention: Option<Duration>,

    /// Where events may be sent and objects be copied: a TOML file that only its owner may read
    #[arg(long, env = "CRATON_TARGETS", value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,

    /// Where runs are told of, as OpenLineage events (http://localhost:5000)
    #[arg(long, env = "CRATON_OPENLINEAGE_URL", value_name = "URL", value_parser = http_endpoint)]
    pub(crate) openlineage_url: Option<String>,

    /// The API key for that, in a file that only its owner may read
    #[arg(
        long,
        env = "CRATON_OPENLINEAGE_KEY",
        value_name = "FILE",
        requires = "openlineage_url"
    )]
    pub(crate) openlineage_key: Option<PathBuf>,

    /// A run that nothing came of for so long is told to be complete
    #[arg(long, env = "CRATON_OPENLINEAGE_IDLE", value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    pub(crate) openlineage_idle: Duration,

    /// Where the content of storage classes lies: a TOML file that only its owner may read
    #[arg(long, env = "CRATON_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,

    /// A folder that SQL statements which outgrow their memory may spill into, unsealed; without one they fail
    #[arg(long, env = "CRATON_SQL_SPILL", value_name = "FOLDER")]
    pub(crate) sql_spill: Option<PathBuf>,

    /// How much a statement may spill
    #[arg(
        long,
        env = "CRATON_SQL_SPILL_SIZE",
        value_name = "SIZE",
        default_value = "10GiB"
    )]
    pub(crate) sql_spill_size: ByteSize,

    /// Where PostgreSQL's clients connect (127.0.0.1:5432); without it, nowhere
    #[arg(long, env = "CRATON_PG_ADDRESS", value_name = "ADDRESS")]
    pub(crate) pg_address: Option<SocketAddr>,

    /// The most connections of PostgreSQL's clients at once
    #[arg(long, env = "CRATON_PG_CONNECTIONS_MAX", value_name = "N", default_value = "64",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) pg_connections_max: u32,

    /// How long a day of a lifecycle rule is; anything but 24h is for tests
    #[arg(long, env = "CRATON_LIFECYCLE_DAY", value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    pub(crate) lifecycle_day: Duration,

    /// How often server access logs are written
    #[arg(long, env = "CRATON_ACCESS_LOG_EVERY", value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    pub(crate) access_log_every: Duration,
}

impl Settings {
    /// A server for this machine only, on a free port, with everything else as it is by default, whatever
    /// the environment says.
    ///
    /// # Errors
    /// `Invalid` if the memory is too little.
    pub(crate) fn local(data: PathBuf, memory: ByteSize) -> Result<Self> {
        let command = Self::augment_args(Command::new("local").no_binary_name(true));
        let command = command.mut_args(|argument| argument.env(None::<&str>));
        let given = [
            "--address=127.0.0.1:0".to_owned(),
            format!("--memory={}", memory.bytes()),
        ];
        let matches = command.try_get_matches_from(given);
        let wrong =
            |e: clap::Error| Error::invalid(format!("{} of memory will not do", memory)).with_source(e);
        let settings = matches.and_then(|m| Self::from_arg_matches(&m)).map_err(wrong)?;
        Ok(Self { data, ..settings })
    }
}

fn memory(text: &str) -> Result<ByteSize> {
    let size: ByteSize = text.parse()?;
    match size >= MEMORY_MIN {
        true => Ok(size),
        false => Err(Error::invalid(format!("the least is {MEMORY_MIN}"))),
    }
}

fn region(text: &str) -> Result<String> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match (1..=32).contains(&text.len()) && text.bytes().all(known) {
        true => Ok(text.to_owned()),
        false => Err(Error::invalid(
            "a region has 1 to 32 lower-case letters, digits and '-'",
        )),
    }
}

/// The address of another service: no credentials, which would be a secret among the settings, and no query.
fn http_endpoint(text: &str) -> Result<String> {
    let wrong = || Error::invalid("a service's address is http://HOST:PORT or https://HOST:PORT");
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let named = uri
        .authority()
        .is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
    match known && named && uri.query().is_none() {
        true => Ok(text.to_owned()),
        false => Err(wrong()),
    }
}

/// A host name, in lower case, without a port.
fn domain(text: &str) -> Result<String> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    match text.len() <= 253 && text.split('.').all(label) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(Error::invalid(format!("{text:?} is not a host name"))),
    }
}

#[cfg(test)]
mod tests;
