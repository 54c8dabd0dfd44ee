//! Events by NATS. Source: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.
//!
//! Plain NATS: a `PING` after the messages; its `PONG` says that the server has handled them. With JetStream
//! each message asks for the stream's own acknowledgement.

use craton_base::{Random, Result, random};
use serde_json::{Value, json};

use super::{ANSWER_BYTES_MAX, Message, connection::Connection, unavailable};
use crate::target::Nats;

/// The subscription that acknowledgements come by.
const SUBSCRIPTION: &str = "1";

pub(super) struct Link {
    connection: Connection,
    subject: String,
    /// Where acknowledgements are sent to, if they are wanted.
    inbox: Option<String>,
    bytes_max: usize,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Pong,
    Message(Vec<u8>),
    Other,
}

impl Link {
    pub(super) async fn connect(settings: &Nats, random: &dyn Random) -> Result<Self> {
        let mut connection = Connection::open(&settings.address, false).await?;
        let line = connection.line().await?;
        let info = line
            .strip_prefix("INFO ")
            .and_then(|json| serde_json::from_str::<Value>(json).ok())
            .ok_or_else(|| unavailable("this is no NATS server"))?;
        if settings.tls {
            connection = connection.start_tls().await?;
        }
        let bytes_max = info.get("max_payload").and_then(Value::as_u64).unwrap_or(1 << 20);
        let mut hello = format!("CONNECT {}\r\n", connect_options(settings));
        let mut inbox = None;
        if settings.jetstream {
            let id = hex(&random::bytes::<12>(random)?);
            hello.push_str(&format!("SUB _INBOX.{id} {SUBSCRIPTION}\r\n"));
            inbox = Some(format!("_INBOX.{id}"));
        }
        hello.push_str("PING\r\n");
        connection.write(hello.as_bytes()).await?;
        let mut out = Self {
            connection,
            subject: settings.subject.clone(),
            inbox,
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
        };
        out.pong().await?;
        Ok(out)
    }

    pub(super) async fn send(&mut self, messages: &[Message], taken: &mut usize) -> Result<()> {
        let mut out = Vec::new();
        for message in messages {
            if message.body.len() > self.bytes_max {
                return Err(unavailable("the server takes only shorter messages"));
            }
            let reply = self
                .inbox
                .as_ref()
                .map_or(String::new(), |inbox| format!("{inbox} "));
            let head = format!("PUB {} {reply}{}\r\n", self.subject, message.body.len());
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(&message.body);
            out.extend_from_slice(b"\r\n");
        }
        if self.inbox.is_some() {
            self.connection.write(&out).await?;
            for _ in messages {
                self.stored().await?;
                *taken = taken.saturating_add(1);
            }
            return Ok(());
        }
        out.extend_from_slice(b"PING\r\n");
        self.connection.write(&out).await?;
        self.pong().await?;
        *taken = taken.saturating_add(messages.len());
        Ok(())
    }

    async fn pong(&mut self) -> Result<()> {
        while self.said().await? != Said::Pong {}
        Ok(())
    }

    /// A stream's acknowledgement. They come in the order of the messages.
    async fn stored(&mut self) -> Result<()> {
        loop {
            if let Said::Message(body) = self.said().await? {
                let answer: Value = serde_json::from_slice(&body)
                    .map_err(|e| unavailable("no stream keeps this subject").with_source(e))?;
                return match answer.get("stream") {
                    Some(_) => Ok(()),
                    None => Err(unavailable(format!("the stream refuses: {answer}"))),
                };
            }
        }
    }

    async fn said(&mut self) -> Result<Said> {
        let line = self.connection.line().await?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word.to_ascii_uppercase().as_str() {
            "PONG" => Ok(Said::Pong),
            "PING" => {
                self.connection.write(b"PONG\r\n").await?;
                Ok(Said::Other)
            }
            "-ERR" => Err(unavailable(format!("the server says {rest}"))),
            "MSG" | "HMSG" => {
                let len = rest.rsplit(' ').next().and_then(|n| n.parse::<usize>().ok());
                let len = len
                    .filter(|len| *len < ANSWER_BYTES_MAX)
                    .ok_or_else(|| unavailable("the server's message has no length"))?;
                let mut body = self.connection.read(len.saturating_add(2)).await?.to_vec();
                body.truncate(len);
                Ok(Said::Message(body))
            }
            _ => Ok(Said::Other),
        }
    }
}

fn connect_options(settings: &Nats) -> Value {
    let password = settings
        .password
        .as_ref()
        .map(|p| String::from_utf8_lossy(p.expose()).into_owned());
    let (user, password, token) = match (&settings.user, password) {
        (Some(user), password) => (Some(user), Some(password.unwrap_or_default()), None),
        (None, token) => (None, None, token),
    };
    let options = json!({
        "verbose": false,
        "pedantic": false,
        "tls_required": settings.tls,
        "name": "craton",
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": 1,
        "headers": true,
        "no_responders": true,
        "user": user,
        "pass": password,
        "auth_token": token,
    });
    // What is not set is not said.
    match options {
        Value::Object(options) => Value::Object(options.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
