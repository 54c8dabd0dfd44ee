//! Whether anything moves on a connection. HTTP/2 lets a client keep a connection by answering pings, and a
//! response by never making room for it; neither is a reason to hold one of a bounded number of connections.
//!
//! Invariant: a connection counts as moving while a handler works on one of its requests, and at each piece of
//! an answer's body that is asked for. What a handler waits for has its own time-out.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::time::sleep;

/// What was seen on one connection.
#[derive(Default)]
pub(super) struct Activity {
    asked: AtomicBool,
    http2: AtomicBool,
    /// Handlers that work now.
    working: AtomicU64,
    /// Everything that moved, counted.
    beats: AtomicU64,
}

/// While it lives a handler works.
pub(super) struct Working(Arc<Activity>);

/// The body of an answer, which counts what is asked of it.
pub(super) struct Beating<B> {
    body: B,
    activity: Arc<Activity>,
}

impl Activity {
    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> Working {
        self.asked.store(true, Ordering::Relaxed);
        self.http2.fetch_or(http2, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        self.beat();
        Working(self.clone())
    }

    /// Whether a request ever came.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Ready when nothing moved for `time`, seen from one look to the next. Never for HTTP/1, where hyper and
    /// the connection's own time-outs see it.
    pub(super) async fn stalled(&self, time: Duration) {
        let mut before = None;
        loop {
            let beats = self.beats.load(Ordering::Relaxed);
            let idle = self.working.load(Ordering::Relaxed) == 0 && self.http2.load(Ordering::Relaxed);
            if idle && before == Some(beats) {
                return;
            }
            before = Some(beats);
            sleep(time).await;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
        self.0.beat();
    }
}

impl<B> Beating<B> {
    /// The handler that made `body` has ended.
    pub(super) fn new(body: B, working: Working) -> Self {
        let activity = working.0.clone();
        drop(working);
        Self { body, activity }
    }
}

impl<B: Body + Unpin> Body for Beating<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.activity.beat();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_stalled_only_when_nothing_moves() {
        let time = Duration::from_millis(40);
        let activity = Arc::new(Activity::default());
        let first = activity.begin(true);
        let stalled = |more: u32| {
            let activity = activity.clone();
            async move { tokio::time::timeout(time * more, activity.stalled(time)).await }
        };
        assert!(stalled(10).await.is_err(), "a handler works");
        let body = Beating::new(http_body_util::Full::new(bytes::Bytes::from_static(b"x")), first);
        assert!(stalled(10).await.is_ok());
        let moving = async {
            let mut body = body;
            for _ in 0..20 {
                sleep(time / 2).await;
                drop(http_body_util::BodyExt::frame(&mut body).await);
            }
        };
        tokio::select! {
            () = moving => {}
            () = activity.stalled(time) => panic!("the answer moves"),
        }
    }

    #[tokio::test]
    async fn http_1_has_its_own_time_outs() {
        let activity = Arc::new(Activity::default());
        drop(activity.begin(false));
        let time = Duration::from_millis(40);
        assert!(
            tokio::time::timeout(time * 10, activity.stalled(time))
                .await
                .is_err()
        );
    }
}
