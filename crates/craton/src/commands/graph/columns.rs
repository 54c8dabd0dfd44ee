//! Files of columns as the body of a load: read here, on a thread of its own, and sent as text of facts.
//!
//! Invariant: a few pieces wait. Deliberately absent: the formats (`craton-columns`).

use std::path::PathBuf;

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_columns::Columns;
use indicatif::ProgressBar;
use tokio::sync::mpsc::channel;

/// Pieces that wait.
const PIECES: usize = 4;

pub(super) fn body_of(file: PathBuf, kind: Columns, relation: String, bar: ProgressBar) -> reqwest::Body {
    let (sender, receiver) = channel::<Result<Bytes>>(PIECES);
    drop(tokio::task::spawn_blocking(move || {
        let gone = || Error::new(Kind::Unavailable, "Remote", "the server does not read any more");
        let done = craton_columns::facts(&file, kind, &relation, &mut |piece| {
            bar.inc(piece.len() as u64);
            sender.blocking_send(Ok(piece.into())).map_err(|_| gone())
        });
        if let Err(error) = done {
            // Nobody is left to tell if this fails.
            drop(sender.blocking_send(Err(error)));
        }
    }));
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    reqwest::Body::wrap_stream(pieces)
}
