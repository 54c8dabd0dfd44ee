//! Sinks: how a target is told. Each sends messages in order and says how many were taken for good.
//!
//! The protocols are small and only the sending half is needed, so they are written here, each with the
//! document it follows: no client library with its own reconnecting, buffering and tasks, which would hold
//! messages that the namespace should.
//!
//! Invariants
//! - a message counts as taken only when the other side has said so;
//! - nothing that the other side sends grows memory beyond [`ANSWER_BYTES_MAX`].
//!
//! Deliberately absent: trying again, time-outs (who sends has them), what is sent.

use bytes::Bytes;
use craton_base::{Error, Kind, Random, Result};
use std::sync::Arc;

use crate::target::Target;

mod amqp;
mod connection;
mod kafka;
mod nats;
mod webhook;
mod wire;

/// The longest answer of a target, or piece of one, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about: messages of one subject arrive in order.
    pub subject: String,
    /// When it happened, in milliseconds since the epoch.
    pub time_millis: i64,
    /// The message.
    pub body: Bytes,
}

/// The way to a target; connects when there is something to send.
pub struct Sink {
    target: Target,
    random: Arc<dyn Random>,
    link: Option<Link>,
}

enum Link {
    Webhook(webhook::Link),
    Nats(Box<nats::Link>),
    Amqp(Box<amqp::Link>),
    Kafka(Box<kafka::Link>),
}

impl Sink {
    /// The way to `target`.
    #[must_use]
    pub fn new(target: Target, random: Arc<dyn Random>) -> Self {
        Self {
            target,
            random,
            link: None,
        }
    }

    /// Sends messages in order; `taken` counts those that the target has taken, also if this fails or is dropped.
    ///
    /// # Errors
    /// `Unavailable` with what is wrong; the next call connects anew.
    pub async fn send(&mut self, messages: &[Message], taken: &mut usize) -> Result<()> {
        // Taken out, so that a call that is dropped half-way leaves no half-used connection.
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.connect().await?,
        };
        let sent = match &mut link {
            Link::Webhook(link) => link.send(messages, taken).await,
            Link::Nats(link) => link.send(messages, taken).await,
            Link::Amqp(link) => link.send(messages, taken).await,
            Link::Kafka(link) => link.send(messages, taken).await,
        };
        if sent.is_ok() {
            self.link = Some(link);
        }
        sent
    }

    async fn connect(&self) -> Result<Link> {
        let Target {
            name: _,
            webhook,
            nats,
            amqp,
            kafka,
        } = &self.target;
        if let Some(settings) = webhook {
            return Ok(Link::Webhook(webhook::Link::new(settings)?));
        }
        if let Some(settings) = nats {
            return Ok(Link::Nats(Box::new(
                nats::Link::connect(settings, &*self.random).await?,
            )));
        }
        if let Some(settings) = amqp {
            return Ok(Link::Amqp(Box::new(amqp::Link::connect(settings).await?)));
        }
        match kafka {
            Some(settings) => Ok(Link::Kafka(Box::new(kafka::Link::new(settings)))),
            None => Err(Error::internal("a target has no kind")),
        }
    }
}

/// The target does not do what it should.
pub(crate) fn unavailable(why: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, "TargetUnavailable", why.into())
}

#[cfg(test)]
mod tests;
