//! The load: so many clients, each on its own keep-alive connection, each sending its next request when
//! the answer to the last has come (a closed loop), from one thread.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::task::LocalSet;

use crate::{
    http::{Connection, Expected},
    plan::Bound,
    stats::Latencies,
};

/// Failures that are told; the others are only counted.
const TOLD_MAX: u64 = 3;

/// What to send.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Heads of requests, sent in turn. For a PUT each at most once.
    pub(crate) heads: Vec<String>,
    /// Sent with each.
    pub(crate) body: Bytes,
    /// Expected of each answer.
    pub(crate) answer: Answer,
    pub(crate) clients: usize,
    pub(crate) bound: Bound,
}

/// What the body of each answer must be.
#[derive(Clone)]
pub(crate) enum Answer {
    Length(u64),
    Exactly(Bytes),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) failed: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
}

impl Outcome {
    pub(crate) fn of(latencies: Vec<Duration>, size: u64, failed: u64, elapsed: Duration) -> Self {
        let requests = latencies.len() as u64;
        Self {
            requests,
            bytes: requests * size,
            failed,
            elapsed,
            latencies: Latencies::of(latencies),
        }
    }
}

struct Shared {
    load: Load,
    next: Cell<u64>,
    deadline: Instant,
    failed: Cell<u64>,
    latencies: RefCell<Vec<Duration>>,
}

impl Load {
    /// Runs it to its bound.
    pub(crate) fn run(self, size: u64) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, self.drive(size))
    }

    async fn drive(self, size: u64) -> Result<Outcome> {
        let mut connections = Vec::new();
        for _ in 0..self.clients {
            connections.push(Connection::open(self.address).await?);
        }
        let began = Instant::now();
        let shared = Rc::new(Shared {
            deadline: began + self.bound.time,
            load: self,
            next: Cell::new(0),
            failed: Cell::new(0),
            latencies: RefCell::default(),
        });
        let clients: Vec<_> = connections
            .into_iter()
            .map(|c| tokio::task::spawn_local(shared.clone().client(c)))
            .collect();
        for client in clients {
            client.await.context("a client ended")?;
        }
        let elapsed = began.elapsed();
        Ok(Outcome::of(
            shared.latencies.take(),
            size,
            shared.failed.get(),
            elapsed,
        ))
    }
}

impl Shared {
    async fn client(self: Rc<Self>, mut connection: Connection) {
        while let Some(index) = self.claim() {
            let Some(head) = self.load.heads.get(index) else {
                return;
            };
            let began = Instant::now();
            let expected = match &self.load.answer {
                Answer::Length(length) => Expected::Length(*length),
                Answer::Exactly(bytes) => Expected::Exactly(bytes),
            };
            match connection.request(head, &self.load.body, &expected).await {
                Ok(()) => self.latencies.borrow_mut().push(began.elapsed()),
                Err(error) => {
                    // The connection's state is unknown: this client ends, the row has failed.
                    let failed = self.failed.get() + 1;
                    self.failed.set(failed);
                    if failed <= TOLD_MAX {
                        eprintln!("  failed: {error:#}");
                    }
                    return;
                }
            }
        }
    }

    /// The next request, if the row goes on.
    fn claim(&self) -> Option<usize> {
        let next = self.next.get();
        if next >= self.load.bound.requests || Instant::now() >= self.deadline {
            return None;
        }
        self.next.set(next + 1);
        usize::try_from(next % self.load.heads.len() as u64).ok()
    }
}
