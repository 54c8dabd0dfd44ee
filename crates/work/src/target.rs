//! Targets: where events may be sent. The administrator names them in a file of the server; buckets name them
//! by ARN. So whoever configures a bucket chooses among addresses, and never makes the server call another.
//!
//! Invariant: settings that can not work are refused when the server starts.
//!
//! Deliberately absent: reading the file, sending.

use craton_base::{Error, Result, Secret};
use craton_gate::RemoteBuckets;
use serde::{Deserialize, Deserializer};

/// The most targets.
pub const TARGETS_MAX: usize = 256;

/// The longest name of a target, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Where events may be sent, and versions be copied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Targets of events.
    #[serde(rename = "target")]
    pub targets: Vec<Target>,
    /// Other machines that speak S3, for replication.
    #[serde(rename = "remote")]
    pub remotes: Vec<Remote>,
}

/// Another machine that speaks S3.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// `http://host:port` or `https://host`.
    pub endpoint: String,
    /// The region that it signs for.
    #[serde(default = "region")]
    pub region: String,
    /// The access key.
    pub access_key: String,
    /// Its secret.
    #[serde(deserialize_with = "needed_secret")]
    pub secret_key: Secret,
    /// The buckets there that may be copied to; `*` stands for every one.
    pub buckets: Vec<String>,
}

/// A target of events. One of the four kinds is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// By HTTP.
    pub webhook: Option<Webhook>,
    /// By NATS.
    pub nats: Option<Nats>,
    /// By AMQP 0-9-1, as RabbitMQ speaks it.
    pub amqp: Option<Amqp>,
    /// By Kafka.
    pub kafka: Option<Kafka>,
}

/// Events by HTTP: one POST each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Webhook {
    /// `http` or `https`.
    pub url: String,
    /// Sent as `Authorization`, with `Bearer` before it if it is one word.
    #[serde(default, deserialize_with = "secret")]
    pub token: Option<Secret>,
}

/// Events by NATS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nats {
    /// `host:port`.
    pub address: String,
    /// The subject.
    pub subject: String,
    /// Whether a stream must confirm that it has kept each event (JetStream).
    #[serde(default)]
    pub jetstream: bool,
    /// Whether the connection is TLS.
    #[serde(default)]
    pub tls: bool,
    /// Who connects.
    #[serde(default)]
    pub user: Option<String>,
    /// With what password; without a user, a token.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
}

/// Events by AMQP 0-9-1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Amqp {
    /// `host:port`.
    pub address: String,
    /// The virtual host.
    #[serde(default = "root")]
    pub vhost: String,
    /// The exchange; empty: the default one, which hands to the queue that the key names.
    #[serde(default)]
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Whether the connection is TLS.
    #[serde(default)]
    pub tls: bool,
    /// Who connects.
    #[serde(default)]
    pub user: Option<String>,
    /// With what password.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
}

/// Events by Kafka.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kafka {
    /// `host:port` of brokers that tell of the others.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whether the connections are TLS.
    #[serde(default)]
    pub tls: bool,
    /// Who connects (SASL PLAIN).
    #[serde(default)]
    pub user: Option<String>,
    /// With what password.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Secret>, D::Error> {
    Ok(Some(needed_secret(from)?))
}

fn needed_secret<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::from)
}

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    /// `Invalid`, naming the target.
    pub fn check(&self) -> Result<()> {
        if self.targets.len() > TARGETS_MAX || self.remotes.len() > TARGETS_MAX {
            return Err(Error::invalid(format!("there are at most {TARGETS_MAX} targets")));
        }
        let names = self.targets.iter().map(|t| &t.name);
        distinct(names, "target")?;
        for target in &self.targets {
            target
                .check()
                .map_err(|e| Error::invalid(format!("the target {:?}: {e}", target.name)))?;
        }
        distinct(self.remotes.iter().map(|r| &r.name), "remote")?;
        for remote in &self.remotes {
            remote
                .check()
                .map_err(|e| Error::invalid(format!("the remote {:?}: {e}", remote.name)))?;
        }
        Ok(())
    }

    /// What may be copied to.
    #[must_use]
    pub fn remote_buckets(&self) -> Vec<RemoteBuckets> {
        let buckets = |remote: &Remote| RemoteBuckets {
            name: remote.name.clone(),
            buckets: remote.buckets.clone(),
        };
        self.remotes.iter().map(buckets).collect()
    }

    /// The names of the targets.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.targets.iter().map(|target| target.name.clone()).collect()
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>, what: &str) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        let valid = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !valid {
            return Err(Error::invalid(format!(
                "the name {name:?} of a {what} has not 1 to {NAME_BYTES_MAX} of letters, digits, '-', '_' and '.'"
            )));
        }
        if !seen.insert(name) {
            return Err(Error::invalid(format!(
                "there are two of the name {name:?}: {what}"
            )));
        }
    }
    Ok(())
}

impl Remote {
    fn check(&self) -> Result<()> {
        check_url(&self.endpoint)?;
        check_word(&self.region, "region")?;
        check_word(&self.access_key, "access key")?;
        match self.buckets.is_empty() {
            true => Err(Error::invalid("there is no bucket that may be copied to")),
            false => self.buckets.iter().try_for_each(|b| check_word(b, "bucket")),
        }
    }
}

impl Target {
    fn check(&self) -> Result<()> {
        let Self {
            name: _,
            webhook,
            nats,
            amqp,
            kafka,
        } = self;
        let kinds = [webhook.is_some(), nats.is_some(), amqp.is_some(), kafka.is_some()];
        if kinds.iter().filter(|set| **set).count() != 1 {
            return Err(Error::invalid("one of webhook, nats, amqp and kafka must be set"));
        }
        if let Some(webhook) = webhook {
            check_url(&webhook.url)?;
        }
        if let Some(nats) = nats {
            check_address(&nats.address)?;
            check_word(&nats.subject, "subject")?;
        }
        if let Some(amqp) = amqp {
            check_address(&amqp.address)?;
            let short = [&amqp.vhost, &amqp.exchange, &amqp.routing_key]
                .iter()
                .all(|s| s.len() < 256);
            if !short {
                return Err(Error::invalid("names of AMQP have at most 255 bytes"));
            }
        }
        if let Some(kafka) = kafka {
            check_word(&kafka.topic, "topic")?;
            if kafka.brokers.is_empty() {
                return Err(Error::invalid("there is no broker"));
            }
            kafka.brokers.iter().try_for_each(|b| check_address(b))?;
        }
        Ok(())
    }
}

pub(crate) fn check_url(text: &str) -> Result<()> {
    let wrong = || Error::invalid(format!("{text:?} is not an http or https URL"));
    let url = reqwest::Url::parse(text).map_err(|e| wrong().with_source(e))?;
    let known = matches!(url.scheme(), "http" | "https") && url.has_host();
    match known && url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err(wrong()),
    }
}

fn check_address(text: &str) -> Result<()> {
    let port = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        _ => Err(Error::invalid(format!("{text:?} is not host:port"))),
    }
}

fn check_word(text: &str, what: &str) -> Result<()> {
    match !text.is_empty() && text.len() < 250 && text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Error::invalid(format!("{text:?} is not a {what}"))),
    }
}

#[cfg(test)]
mod tests;
