//! Files as the body of a load that are read here, on a thread of its own, and sent as text: files of columns, and what is left of a file
//! when a load goes on.
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
use tokio::sync::{mpsc::channel, oneshot};

use super::{READ_BYTES, STANDARD, named};

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
