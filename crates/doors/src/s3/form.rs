//! `multipart/form-data` as it streams: first the fields, within stated limits, then the file, piece by piece.
//!
//! Source: RFC 7578 (forms), RFC 2046 section 5.1 (multipart), the S3 API reference ("POST Object": the file
//! is the last field that counts).
//!
//! Invariants
//! - of fields at most [`FIELDS_BYTES_MAX`] are held, of a part's head [`HEAD_BYTES_MAX`], besides one piece
//!   of the body;
//! - pieces of the file are handed on without a copy, but for the few bytes that may begin a boundary;
//! - the file ends cleanly only if the form does: a body that was cut short is never a shorter file.
//!
//! Deliberately absent: what the fields mean, who sent them. (The library `multer` buffers whatever is ready
//! on the connection, and a part's head without a limit.)

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use craton_gate::identify::post_policy::Fields;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use memchr::memmem;

/// The most bytes that names and values of the fields before the file have together.
pub(super) const FIELDS_BYTES_MAX: usize = 20 << 10;

/// The most fields before the file.
pub(super) const FIELDS_MAX: usize = 100;

/// The most bytes of a part's head, or before the first part.
pub(super) const HEAD_BYTES_MAX: usize = 4 << 10;

/// The most bytes after the file: fields that do not count, and the end.
pub(super) const REST_BYTES_MAX: usize = 20 << 10;

/// The longest boundary, in bytes (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

fn malformed(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "MalformedPOSTRequest", message.into())
}

fn cut_short() -> Error {
    Error::new(
        Kind::Invalid,
        "IncompleteBody",
        "The form ended before its last boundary.",
    )
}

fn too_much(message: String) -> Error {
    Error::new(Kind::TooLarge, "MaxPostPreDataLengthExceededError", message)
}

/// The boundary that a `Content-Type` names, if it is that of a form.
pub(super) fn boundary(content_type: &str) -> Result<&str> {
    let bad = || malformed("The Content-Type of the form names no valid boundary.");
    let (_, parameters) = content_type.split_once(';').ok_or_else(bad)?;
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    });
    let value = value.ok_or_else(bad)?;
    let value = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&value.len());
    if fits && value.bytes().all(allowed) && !value.ends_with(' ') {
        Ok(value)
    } else {
        Err(bad())
    }
}

/// Reads a form's fields.
pub(super) struct Reader<B> {
    body: B,
    /// A line's end, two dashes and the boundary.
    delimiter: Bytes,
    buffer: BytesMut,
}

/// What stands before the file.
#[derive(Debug)]
pub(super) struct Front {
    /// The fields.
    pub(super) fields: Fields,
    /// What the browser calls the file; `None` if there is none.
    pub(super) filename: Option<String>,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Reader<B> {
    pub(super) fn new(body: B, boundary: &str) -> Self {
        Self {
            body,
            delimiter: Bytes::from(format!("\r\n--{boundary}")),
            // As if a line had ended: the first boundary is then like the others.
            buffer: BytesMut::from("\r\n"),
        }
    }

    /// Reads up to the file's first byte.
    ///
    /// # Errors
    /// `MalformedPOSTRequest`, `MaxPostPreDataLengthExceededError`, `IncompleteBody`; the body's own.
    pub(super) async fn front(&mut self) -> Result<Front> {
        let mut front = Front {
            fields: Fields::default(),
            filename: None,
        };
        let delimiter = self.delimiter.clone();
        let mut room = FIELDS_BYTES_MAX;
        self.until(&delimiter, HEAD_BYTES_MAX, || {
            malformed("The form has no boundary.")
        })
        .await?;
        for _ in 0..=FIELDS_MAX {
            if self.ends().await? {
                return Ok(front);
            }
            let head = self
                .until(b"\r\n\r\n", HEAD_BYTES_MAX, || {
                    malformed("The head of a form's field is too long.")
                })
                .await?;
            let head = PartHead::parse(&head)
                .ok_or_else(|| malformed("The head of a form's field is not valid."))?;
            if head.name.eq_ignore_ascii_case("file") {
                front.filename = Some(head.filename.unwrap_or_default());
                return Ok(front);
            }
            let over = || {
                too_much(format!(
                    "The fields before the file have more than {FIELDS_BYTES_MAX} bytes."
                ))
            };
            room = room.checked_sub(head.name.len()).ok_or_else(over)?;
            let value = self.until(&delimiter, room, over).await?;
            room = room.saturating_sub(value.len());
            let value = std::str::from_utf8(&value)
                .map_err(|_| malformed(format!("The field {:?} is not UTF-8.", head.name)))?;
            front.fields.push(&head.name, value.to_owned())?;
        }
        Err(too_much(format!(
            "A form has at most {FIELDS_MAX} fields before the file."
        )))
    }

    /// The file, after [`Reader::front`] has come to it.
    pub(super) fn file(self) -> File<B> {
        File {
            body: self.body,
            delimiter: self.delimiter,
            buffer: self.buffer.freeze(),
            state: State::Content,
        }
    }

    /// After a boundary: whether it is the last.
    async fn ends(&mut self) -> Result<bool> {
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        match &*self.buffer.split_to(2) {
            b"--" => Ok(true),
            b"\r\n" => Ok(false),
            _ => Err(malformed("A line of the form only begins like the boundary.")),
        }
    }

    /// What comes before `pattern`, which is taken off too: at most `max` bytes.
    async fn until(&mut self, pattern: &[u8], max: usize, over: impl Fn() -> Error) -> Result<Bytes> {
        let mut seen = 0;
        loop {
            let unseen = self.buffer.get(seen..).unwrap_or_default();
            if let Some(at) = memmem::find(unseen, pattern).map(|at| at.saturating_add(seen)) {
                if at > max {
                    return Err(over());
                }
                let found = self.buffer.split_to(at).freeze();
                self.buffer.advance(pattern.len());
                return Ok(found);
            }
            seen = self.buffer.len().saturating_sub(pattern.len());
            if seen > max {
                return Err(over());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        let Some(frame) = self.body.frame().await else {
            return Err(cut_short());
        };
        if let Ok(data) = frame?.into_data() {
            self.buffer.extend_from_slice(&data);
        }
        Ok(())
    }
}

/// The head of one part.
#[derive(Debug, PartialEq, Eq)]
struct PartHead {
    name: String,
    filename: Option<String>,
}

impl PartHead {
    fn parse(head: &[u8]) -> Option<Self> {
        let mut found = None;
        for line in std::str::from_utf8(head).ok()?.split("\r\n") {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-disposition") {
                if found.replace(Self::disposition(value)?).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
                // Deprecated for forms; the others would have to be decoded.
                let plain = ["binary", "8bit", "7bit"];
                plain.iter().find(|p| value.trim().eq_ignore_ascii_case(p))?;
            }
        }
        found
    }

    /// `form-data; name="…"; filename="…"`.
    fn disposition(value: &str) -> Option<Self> {
        let (kind, mut rest) = value.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut filename) = (None, None);
        while !rest.trim().is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (text, after) = match after.trim_start().strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => match after.split_once(';') {
                    Some((token, after)) => (token.trim().to_owned(), after),
                    None => (after.trim().to_owned(), ""),
                },
            };
            let place = match key.trim().to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut filename,
                _ => &mut None,
            };
            if place.replace(text).is_some() {
                return None;
            }
            rest = after;
        }
        Some(Self {
            name: name.filter(|n| !n.is_empty())?,
            filename,
        })
    }
}

/// The text up to the closing quote, and what follows the next `;`. A backslash escapes only a quote: in the
/// names of some browsers it is a folder's.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let after = text.get(at.checked_add(1)?..)?.trim_start();
                return Some((out, after.strip_prefix(';').or(after.is_empty().then_some(""))?));
            }
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                out.push('"');
                chars.next();
            }
            c => out.push(c),
        }
    }
    None
}

/// The file of a form: a body that ends with the form.
pub(super) struct File<B> {
    body: B,
    delimiter: Bytes,
    buffer: Bytes,
    state: State,
}

enum State {
    Content,
    /// After the boundary that ends the file.
    Rest(BytesMut),
    Ended,
    Failed,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> File<B> {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match &mut self.state {
                State::Content => {
                    if let Some(content) = self.content() {
                        return Poll::Ready(Ok(Some(content)));
                    }
                    if matches!(self.state, State::Content) {
                        let piece = ready!(self.poll_piece(cx))?.ok_or_else(cut_short)?;
                        self.join(piece);
                    }
                }
                State::Rest(rest) => {
                    if rest.len() > REST_BYTES_MAX {
                        return Poll::Ready(Err(malformed("There is too much after the file.")));
                    }
                    match ready!(self.poll_piece(cx))? {
                        Some(piece) => self.put_by(&piece),
                        None => return Poll::Ready(self.end()),
                    }
                }
                State::Ended => return Poll::Ready(Ok(None)),
                State::Failed => return Poll::Ready(Err(malformed("The form has failed before."))),
            }
        }
    }

    /// What surely is the file's, of what is here.
    fn content(&mut self) -> Option<Bytes> {
        let content = if let Some(at) = memmem::find(&self.buffer, &self.delimiter) {
            let content = self.buffer.split_to(at);
            self.buffer.advance(self.delimiter.len());
            self.state = State::Rest(BytesMut::from(&*std::mem::take(&mut self.buffer)));
            content
        } else {
            let doubtful = begun(&self.buffer, &self.delimiter);
            let sure = self.buffer.len().saturating_sub(doubtful);
            self.buffer.split_to(sure)
        };
        (!content.is_empty()).then_some(content)
    }

    fn join(&mut self, piece: Bytes) {
        if self.buffer.is_empty() {
            self.buffer = piece;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.buffer.len().saturating_add(piece.len()));
        joined.extend_from_slice(&self.buffer);
        joined.extend_from_slice(&piece);
        self.buffer = joined.freeze();
    }

    fn put_by(&mut self, piece: &Bytes) {
        if let State::Rest(rest) = &mut self.state {
            rest.extend_from_slice(piece);
        }
    }

    /// The body has ended: so must have the form.
    fn end(&mut self) -> Result<Option<Bytes>> {
        let State::Rest(rest) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(cut_short());
        };
        let last = [&*self.delimiter, b"--"].concat();
        if rest.starts_with(b"--") || (rest.starts_with(b"\r\n") && memmem::find(&rest, &last).is_some()) {
            return Ok(None);
        }
        Err(cut_short())
    }

    /// The next piece of the body that has bytes.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? {
                None => return Poll::Ready(Ok(None)),
                Some(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Ok(Some(data))),
                    _ => {}
                },
            }
        }
    }
}

/// How many bytes at the end of `data` may be the beginning of `pattern`.
fn begun(data: &[u8], pattern: &[u8]) -> usize {
    let longest = pattern.len().saturating_sub(1).min(data.len());
    (1..=longest)
        .rev()
        .find(|n| pattern.get(..*n).is_some_and(|start| data.ends_with(start)))
        .unwrap_or(0)
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for File<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let polled = ready!(this.poll_data(cx));
        if polled.is_err() {
            this.state = State::Failed;
        }
        Poll::Ready(polled.transpose().map(|data| data.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests;
