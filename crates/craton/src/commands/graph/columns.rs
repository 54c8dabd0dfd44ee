//! What is read here, on a thread of its own, and sent as the text of a load: files of columns, tables, and what is left of a file when a load
//! goes on.
//!
//! A table is read as whoever asks reads it by SQL: its rows come as an Arrow stream, with the policies on rows and columns in effect.
//!
//! Invariant: a few pieces wait. Deliberately absent: the formats (`craton-columns`).

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_columns::Columns;
use indicatif::ProgressBar;
use serde_json::json;
use tokio::sync::{
    mpsc::{Receiver, channel},
    oneshot,
};

use super::{READ_BYTES, STANDARD, named};
use crate::{
    cli::Target,
    client::{Client, cut},
};

/// The content type of an Arrow stream.
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Pieces that wait.
const PIECES: usize = 4;

/// What ended the reading of a file, if it failed.
pub(super) type Failure = oneshot::Receiver<Error>;

/// The file as a body from the byte `at` of its text on, and what will end it early.
pub(super) fn body_of(
    file: PathBuf,
    kind: Columns,
    relation: String,
    at: u64,
    bar: ProgressBar,
) -> (reqwest::Body, Failure) {
    sent(at, bar, move |send| {
        craton_columns::facts(&file, kind, &relation, send).map(drop)
    })
}

/// The rows of a table, `BUCKET.NAMESPACE.TABLE`, as a body, and what will end it early.
pub(super) async fn table(
    table: &str,
    relation: String,
    target: &Target,
    bar: ProgressBar,
) -> Result<(reqwest::Body, Failure)> {
    let client = Client::new(target)?.accepting(Some(ARROW_STREAM));
    let mut answered = client
        .sql(&json!({ "statement": format!("SELECT * FROM {}", quoted(table)) }))
        .await?;
    let (sender, receiver) = channel::<Result<Bytes>>(PIECES);
    drop(tokio::spawn(async move {
        loop {
            let piece = answered.chunk().await.map_err(cut).transpose();
            let Some(piece) = piece else { return };
            // Nobody reads any more if this fails.
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    }));
    let rows = Pieces {
        receiver,
        now: Bytes::new(),
    };
    Ok(sent(0, bar, move |send| {
        craton_columns::stream(rows, &relation, send).map(drop)
    }))
}

/// A name of several parts as SQL has it, each part as it stands.
fn quoted(name: &str) -> String {
    let parts = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

/// Pieces that come from elsewhere, to be read on a thread that blocks.
struct Pieces {
    receiver: Receiver<Result<Bytes>>,
    now: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.now.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.now = piece.map_err(std::io::Error::other)?,
            }
        }
        let taken = self.now.split_to(out.len().min(self.now.len()));
        for (to, from) in out.iter_mut().zip(&taken) {
            *to = *from;
        }
        Ok(taken.len())
    }
}

/// What a file or standard input holds, after decompression, from the byte `at` on; and what will end it early.
pub(super) async fn rest_of(file: &Path, at: u64, bar: ProgressBar) -> Result<(reqwest::Body, Failure)> {
    let opened: Box<dyn Read + Send> = match file.as_os_str() == STANDARD {
        true => Box::new(std::io::stdin()),
        false => {
            let opened = tokio::fs::File::open(file).await.map_err(|e| named(file, e))?;
            Box::new(opened.into_std().await)
        }
    };
    Ok(sent(at, bar, move |send| {
        let mut input = craton_columns::unpacked(opened)?;
        loop {
            let mut piece = vec![0; READ_BYTES];
            let read = input.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            piece.truncate(read);
            send(piece)?;
        }
    }))
}

/// What `work` sends, but for the first `at` bytes, as a body.
fn sent(
    at: u64,
    bar: ProgressBar,
    work: impl FnOnce(&mut dyn FnMut(Vec<u8>) -> Result<()>) -> Result<()> + Send + 'static,
) -> (reqwest::Body, Failure) {
    let (sender, receiver) = channel::<Result<Bytes>>(PIECES);
    let (tell, failure) = oneshot::channel();
    drop(tokio::task::spawn_blocking(move || {
        let gone = || Error::new(Kind::Unavailable, "Remote", "the server does not read any more");
        let mut passed = at;
        let done = work(&mut |mut piece| {
            let over = usize::try_from(passed).unwrap_or(usize::MAX).min(piece.len());
            piece.drain(..over);
            passed = passed.saturating_sub(over as u64);
            if piece.is_empty() {
                return Ok(());
            }
            bar.inc(piece.len() as u64);
            sender.blocking_send(Ok(piece.into())).map_err(|_| gone())
        });
        if let Err(error) = done {
            // Nobody is left to tell if these fail.
            drop(tell.send(error));
            let broken = Error::new(Kind::Invalid, "BrokenFile", "the file can not be read");
            drop(sender.blocking_send(Err(broken)));
        }
    }));
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    (reqwest::Body::wrap_stream(pieces), failure)
}

/// Why a load failed: what was wrong with the file, where that was it.
pub(super) fn reason(failure: Option<Failure>, error: Error) -> Error {
    failure
        .and_then(|mut failure| failure.try_recv().ok())
        .unwrap_or(error)
}
