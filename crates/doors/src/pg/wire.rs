//! Messages of PostgreSQL's protocol on a stream, within limits.

use std::collections::HashMap;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use craton_base::{Error, Kind, Result, Secret};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{errors, sql::SqlColumn};

/// The longest startup, and the longest password, in bytes.
pub(super) const STARTUP_BYTES_MAX: usize = 16 << 10;

/// The longest message of a client that is known, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What is read ahead while a statement runs, in bytes.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// What is written before it is sent, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// The version of the protocol, 3.0; minor ones say what they would like besides.
const MAJOR: u32 = 3;

/// What the server says of itself. Clients read the version as a number.
const PARAMETERS: [(&str, &str); 9] = [
    ("server_version", "17.0 (Craton)"),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("is_superuser", "off"),
];

/// A stream of messages.
pub(super) struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: BytesMut,
}

pub(super) fn broken(text: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "ProtocolViolation", text.into())
}

fn gone(error: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, "ClientGone", "the connection broke").with_source(error)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Reads more; whether the client still sends.
    async fn fill(&mut self) -> Result<bool> {
        self.input.reserve(8 << 10);
        let read = self.stream.read_buf(&mut self.input).await.map_err(gone)?;
        Ok(read > 0)
    }

    async fn take(&mut self, bytes: usize) -> Result<Option<Bytes>> {
        while self.input.len() < bytes {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        Ok(Some(self.input.split_to(bytes).freeze()))
    }

    /// Ready when the client has gone; never, while it sends what is to be done later.
    pub(super) async fn gone(&mut self) {
        while self.input.len() < AHEAD_BYTES_MAX {
            if !matches!(self.fill().await, Ok(true)) {
                return;
            }
        }
        std::future::pending().await
    }

    /// What a client says first, with the eight bytes that it began with.
    pub(super) async fn startup(&mut self, first: [u8; 8]) -> Result<HashMap<String, String>> {
        let [mut length, mut version] = [&first[..4], &first[4..]];
        let (length, version) = (length.get_u32(), version.get_u32());
        let rest = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(8);
        if version >> 16 != MAJOR || rest > STARTUP_BYTES_MAX {
            return Err(broken(format!("this is not PostgreSQL's protocol {MAJOR}")));
        }
        let mut body = self
            .take(rest)
            .await?
            .ok_or_else(|| broken("the startup ends early"))?;
        let mut said = HashMap::new();
        while body.first().is_some_and(|b| *b != 0) {
            let (name, value) = (text(&mut body)?, text(&mut body)?);
            said.insert(name, value);
        }
        let optional: Vec<&String> = said.keys().filter(|name| name.starts_with("_pq_.")).collect();
        if version & 0xffff != 0 || !optional.is_empty() {
            self.message(b'v', |out| {
                out.put_u32(MAJOR << 16);
                out.put_u32(u32::try_from(optional.len()).unwrap_or_default());
                optional.iter().for_each(|name| put_text(out, name));
            });
        }
        Ok(said)
    }

    /// Asks for the password.
    pub(super) async fn password(&mut self) -> Result<Secret> {
        self.message(b'R', |out| out.put_u32(3));
        self.flush().await?;
        match self.next_within(STARTUP_BYTES_MAX).await? {
            Some((b'p', mut body)) => Ok(text(&mut body)?.into()),
            _ => Err(broken("a password is expected")),
        }
    }

    /// Says that the client is known.
    pub(super) fn welcome(&mut self, id: i32, key: i32) {
        self.message(b'R', |out| out.put_u32(0));
        for (name, value) in PARAMETERS {
            self.message(b'S', |out| {
                put_text(out, name);
                put_text(out, value);
            });
        }
        self.message(b'K', |out| {
            out.put_i32(id);
            out.put_i32(key);
        });
    }

    /// The next message: its kind and what is in it; `None` when the client has gone.
    pub(super) async fn next(&mut self) -> Result<Option<(u8, Bytes)>> {
        self.next_within(MESSAGE_BYTES_MAX).await
    }

    async fn next_within(&mut self, most: usize) -> Result<Option<(u8, Bytes)>> {
        let Some(mut head) = self.take(5).await? else {
            return Ok(None);
        };
        let (kind, length) = (head.get_u8(), head.get_u32());
        let length = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(4);
        if length > most {
            let text = format!("a message has {length} bytes; at most {most} are taken");
            return Err(Error::new(Kind::TooLarge, "MessageTooLong", text));
        }
        Ok(self.take(length).await?.map(|body| (kind, body)))
    }

    /// Puts a message among those to be sent.
    pub(super) fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        let mut content = BytesMut::new();
        body(&mut content);
        self.output.put_u8(kind);
        self.output
            .put_u32(u32::try_from(content.len().saturating_add(4)).unwrap_or(u32::MAX));
        self.output.extend_from_slice(&content);
    }

    /// Puts messages as they are, and sends what has gathered.
    pub(super) async fn rows(&mut self, rows: Bytes) -> Result<()> {
        if self.output.len().saturating_add(rows.len()) > BUFFER_BYTES {
            self.flush_some().await?;
            return self.stream.write_all(&rows).await.map_err(gone);
        }
        self.output.extend_from_slice(&rows);
        Ok(())
    }

    async fn flush_some(&mut self) -> Result<()> {
        let written = self.stream.write_all(&self.output).await.map_err(gone);
        self.output.clear();
        written
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        self.flush_some().await?;
        self.stream.flush().await.map_err(gone)
    }

    pub(super) fn error(&mut self, severity: &str, error: &Error) {
        let message = errors::message(error);
        self.message(b'E', |out| {
            for (field, value) in [
                (b'S', severity),
                (b'V', severity),
                (b'C', errors::sqlstate(error)),
                (b'M', message.as_str()),
            ] {
                out.put_u8(field);
                put_text(out, value);
            }
            out.put_u8(0);
        });
    }

    /// `RowDescription`.
    pub(super) fn columns(&mut self, columns: &[SqlColumn], binary: impl Fn(usize) -> bool) {
        self.message(b'T', |out| {
            out.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
            for (at, column) in columns.iter().enumerate() {
                put_text(out, &column.name);
                // It is not said which column of which table it is.
                out.put_u32(0);
                out.put_u16(0);
                out.put_u32(column.type_id);
                out.put_i16(column.size);
                out.put_i32(column.modifier);
                out.put_u16(u16::from(binary(at)));
            }
        });
    }

    /// `CommandComplete`.
    pub(super) fn complete(&mut self, tag: &str) {
        self.message(b'C', |out| put_text(out, tag));
    }

    /// `ReadyForQuery`.
    pub(super) fn ready(&mut self, status: u8) {
        self.message(b'Z', |out| out.put_u8(status));
    }
}

/// A text of the protocol: it ends with a zero.
pub(super) fn text(body: &mut Bytes) -> Result<String> {
    let end = body
        .iter()
        .position(|b| *b == 0)
        .ok_or_else(|| broken("a text does not end"))?;
    let found = body.split_to(end);
    body.advance(1);
    String::from_utf8(found.to_vec()).map_err(|_| broken("a text is not UTF-8"))
}

/// A number of two bytes that counts.
pub(super) fn count(body: &mut Bytes) -> Result<usize> {
    match body.remaining() >= 2 {
        true => Ok(usize::from(body.get_u16())),
        false => Err(broken("a message ends early")),
    }
}

/// A number of four bytes.
pub(super) fn number(body: &mut Bytes) -> Result<i32> {
    match body.remaining() >= 4 {
        true => Ok(body.get_i32()),
        false => Err(broken("a message ends early")),
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    // A zero would end it.
    out.extend(text.bytes().filter(|b| *b != 0));
    out.put_u8(0);
}
