//! One keep-alive HTTP/1.1 connection of a client that costs little: the head is ready, the body is
//! written from and read into one buffer that is reused.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How much of a body is read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The most that [`Connection::fetch`] reads.
const FETCHED_BYTES_MAX: usize = 16 << 20;

/// How much of an error's body is shown.
const SHOWN_BYTES_MAX: usize = 400;

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Sends a request and reads all of the answer. `expected` is what the answer's body must be (its length,
    /// and its content where `compare` is set).
    ///
    /// Fails on any status but 200 and 206, and on any other body.
    pub(crate) async fn request(&mut self, head: &str, body: &[u8], expected: &Expected<'_>) -> Result<()> {
        self.send(head.as_bytes(), body).await?;
        let (answer, have) = self.read_head().await?;
        if !matches!(answer.status, 200 | 206) {
            bail!(
                "status {}: {}",
                answer.status,
                self.error_text(&answer, have).await
            );
        }
        let Some(length) = answer.content_length else {
            bail!("an answer without a length");
        };
        if length != expected.length() {
            bail!(
                "a body of {length} bytes where {} were expected",
                expected.length()
            );
        }
        self.read_body(answer.head_bytes, have, expected).await
    }

    /// As [`Connection::answer`]; fails on any status that is no success.
    pub(crate) async fn fetch(&mut self, head: &str, body: &[u8]) -> Result<Fetched> {
        let fetched = self.answer(head, body).await?;
        if !fetched.is_success() {
            let shown = fetched.body.len().min(SHOWN_BYTES_MAX);
            let text = String::from_utf8_lossy(&fetched.body[..shown]);
            bail!("status {}: {text}", fetched.status);
        }
        Ok(fetched)
    }

    /// Sends a request and gives back its answer, whatever its status, length and form.
    pub(crate) async fn answer(&mut self, head: &str, body: &[u8]) -> Result<Fetched> {
        self.send(head.as_bytes(), body).await?;
        let (answer, have) = self.read_head().await?;
        let mut raw = self.buffer[answer.head_bytes..have].to_vec();
        let body = loop {
            if let Some(body) = answer.whole(&raw)? {
                break body;
            }
            let read = self.stream.read(&mut self.buffer).await?;
            if read == 0 || raw.len() > FETCHED_BYTES_MAX {
                bail!("an answer ended after {} bytes, or did not end", raw.len());
            }
            raw.extend_from_slice(&self.buffer[..read]);
        };
        Ok(Fetched {
            status: answer.status,
            etag: answer.etag,
            body,
        })
    }

    async fn send(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        // A small body leaves with the head, in one segment and one system call.
        if body.len() <= self.buffer.len().saturating_sub(head.len()) {
            let all = head.len() + body.len();
            let (to_head, rest) = self.buffer.split_at_mut(head.len());
            to_head.copy_from_slice(head);
            let (to_body, _) = rest.split_at_mut(body.len());
            to_body.copy_from_slice(body);
            return Ok(self.stream.write_all(&self.buffer[..all]).await?);
        }
        self.stream.write_all(head).await?;
        Ok(self.stream.write_all(body).await?)
    }

    /// The head, and how many bytes the buffer holds.
    async fn read_head(&mut self) -> Result<(Head, usize)> {
        let mut have = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[have..]).await?;
            if read == 0 {
                bail!("the server closed the connection before it answered");
            }
            have += read;
            if let Some(head) = Head::parse(&self.buffer[..have])? {
                return Ok((head, have));
            }
            if have > HEAD_BYTES_MAX {
                bail!("the head of an answer is too long");
            }
        }
    }

    async fn read_body(&mut self, head_bytes: usize, have: usize, expected: &Expected<'_>) -> Result<()> {
        let mut at = 0;
        let mut piece = head_bytes..have;
        loop {
            at = expected.take(at, &self.buffer[piece])?;
            if at == expected.length() {
                return Ok(());
            }
            let read = self.stream.read(&mut self.buffer).await?;
            if read == 0 {
                bail!("the connection ended after {at} of {} bytes", expected.length());
            }
            piece = 0..read;
        }
    }

    /// What an error says, as far as it has come.
    async fn error_text(&mut self, head: &Head, mut have: usize) -> String {
        let want = head
            .head_bytes
            .saturating_add(SHOWN_BYTES_MAX)
            .min(self.buffer.len());
        while have < want {
            let wait = std::time::Duration::from_millis(200);
            let read = tokio::time::timeout(wait, self.stream.read(&mut self.buffer[have..want])).await;
            match read {
                Ok(Ok(read)) if read > 0 => have += read,
                _ => break,
            }
        }
        let body = self
            .buffer
            .get(head.head_bytes..have.min(want))
            .unwrap_or_default();
        String::from_utf8_lossy(body).into_owned()
    }
}

/// An answer that was read as a whole.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Fetched {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// What the body of an answer must be.
#[derive(Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// So many bytes; looked at by nobody.
    Length(u64),
    /// These bytes.
    Exactly(&'a [u8]),
}

impl Expected<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Length(length) => *length,
            Self::Exactly(bytes) => bytes.len() as u64,
        }
    }

    /// Takes a piece of the body that begins at `at`; returns where the next begins.
    fn take(&self, at: u64, piece: &[u8]) -> Result<u64> {
        let end = at + piece.len() as u64;
        if end > self.length() {
            bail!("more bytes than the answer's head said");
        }
        if let Self::Exactly(bytes) = self {
            let (from, to) = (usize::try_from(at)?, usize::try_from(end)?);
            if bytes.get(from..to) != Some(piece) {
                bail!("bytes {from} to {to} are not those that were stored");
            }
        }
        Ok(end)
    }
}

/// The head of an answer.
struct Head {
    status: u16,
    content_length: Option<u64>,
    etag: Option<String>,
    head_bytes: usize,
}

impl Head {
    /// `None` if there is more to come.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = response.parse(bytes)? else {
            return Ok(None);
        };
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            header.map(|h| std::str::from_utf8(h.value)).transpose()
        };
        let content_length = match value("content-length")? {
            Some(text) => Some(text.trim().parse()?),
            None => None,
        };
        Ok(Some(Self {
            status: response.code.unwrap_or_default(),
            content_length,
            etag: value("etag")?.map(str::to_owned),
            head_bytes,
        }))
    }

    /// The body, once all of it has come: of a stated length, or in chunks.
    fn whole(&self, raw: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.content_length {
            Some(length) if (raw.len() as u64) < length => Ok(None),
            Some(_) => Ok(Some(raw.to_vec())),
            // Said to have no body.
            None if self.status == 204 => Ok(Some(Vec::new())),
            None => unchunked(raw),
        }
    }
}

/// What chunks hold together; `None` if the last has not come yet.
fn unchunked(raw: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    let mut rest = raw;
    loop {
        let Some(line) = rest.windows(2).position(|w| w == b"\r\n") else {
            return Ok(None);
        };
        let (size, after) = rest.split_at(line);
        let size = usize::from_str_radix(std::str::from_utf8(size)?.trim(), 16)?;
        let Some(data) = after.get(2..2 + size) else {
            return Ok(None);
        };
        if size == 0 {
            return Ok(Some(out));
        }
        out.extend_from_slice(data);
        let Some(next) = after.get(2 + size + 2..) else {
            return Ok(None);
        };
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::unchunked;

    #[test]
    fn chunks_are_put_together() {
        let raw = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let whole = |raw: &[u8]| unchunked(raw).ok().flatten();
        assert_eq!(whole(raw).as_deref(), Some(b"abcde".as_slice()));
        for end in [0, 2, 7, 13, 16] {
            assert!(unchunked(&raw[..end]).is_ok_and(|body| body.is_none()), "{end}");
        }
        assert!(unchunked(b"no\r\n").is_err());
    }
}
