//! Files of columns as the body of a load: read here, on a thread of its own, and sent as text of facts.
//!
//! Invariant: a few pieces wait. Deliberately absent: the formats (`craton-columns`).

use std::path::PathBuf;

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_columns::Columns;
use indicatif::ProgressBar;
use tokio::sync::{mpsc::channel, oneshot};

/// Pieces that wait.
const PIECES: usize = 4;

/// What ended the reading of a file, if it failed.
pub(super) type Failure = oneshot::Receiver<Error>;

/// The file as a body, and what will end it early.
pub(super) fn body_of(
    file: PathBuf,
    kind: Columns,
    relation: String,
    bar: ProgressBar,
) -> (reqwest::Body, Failure) {
    let (sender, receiver) = channel::<Result<Bytes>>(PIECES);
    let (tell, failure) = oneshot::channel();
    drop(tokio::task::spawn_blocking(move || {
        let gone = || Error::new(Kind::Unavailable, "Remote", "the server does not read any more");
        let done = craton_columns::facts(&file, kind, &relation, &mut |piece| {
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
