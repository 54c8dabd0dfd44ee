//! The load: so many clients, each on its own keep-alive connection, each sending its next request when
//! the answer to the last has come (a closed loop), from one thread.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
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
    /// Done in turn. One that writes is done at most once.
    pub(crate) operations: Vec<Operation>,
    pub(crate) clients: usize,
    pub(crate) bound: Bound,
}

/// What is measured as one: mostly a request, or several that one client sends one after the other.
pub(crate) struct Operation {
    pub(crate) requests: Vec<Request>,
    /// Of content that it moves.
    pub(crate) bytes: u64,
}

/// A request whose head is ready.
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Bytes,
    pub(crate) answer: Answer,
}

/// What the body of an answer must be.
#[derive(Clone)]
pub(crate) enum Answer {
    Length(u64),
    Exactly(Bytes),
    /// A document that holds this so many times.
    Document(&'static str, usize),
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
    pub(crate) fn of(latencies: Vec<Duration>, bytes: u64, failed: u64, elapsed: Duration) -> Self {
        Self {
            requests: latencies.len() as u64,
            bytes,
            failed,
            elapsed,
            latencies: Latencies::of(latencies),
        }
    }
}

impl Operation {
    /// Of one request.
    pub(crate) fn one(head: String, body: Bytes, answer: Answer, bytes: u64) -> Self {
        Self {
            requests: vec![Request { head, body, answer }],
            bytes,
        }
    }

    async fn run(&self, connection: &mut Connection) -> Result<()> {
        for request in &self.requests {
            let expected = match &request.answer {
                Answer::Length(length) => Expected::Length(*length),
                Answer::Exactly(bytes) => Expected::Exactly(bytes),
                Answer::Document(mark, count) => {
                    let body = connection.fetch(&request.head, &request.body).await?.body;
                    let found = body.windows(mark.len()).filter(|w| *w == mark.as_bytes()).count();
                    if found != *count {
                        bail!("{found} times {mark} in an answer where {count} were expected");
                    }
                    continue;
                }
            };
            connection
                .request(&request.head, &request.body, &expected)
                .await?;
        }
        Ok(())
    }
}

struct Shared {
    load: Load,
    next: Cell<u64>,
    bytes: Cell<u64>,
    deadline: Instant,
    failed: Cell<u64>,
    latencies: RefCell<Vec<Duration>>,
}

impl Load {
    /// Runs it to its bound.
    pub(crate) fn run(self) -> Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, self.drive())
    }

    async fn drive(self) -> Result<Outcome> {
        let mut connections = Vec::new();
        for _ in 0..self.clients {
            connections.push(Connection::open(self.address).await?);
        }
        let began = Instant::now();
        let shared = Rc::new(Shared {
            deadline: began + self.bound.time,
            load: self,
            next: Cell::new(0),
            bytes: Cell::new(0),
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
            shared.bytes.get(),
            shared.failed.get(),
            elapsed,
        ))
    }
}

impl Shared {
    async fn client(self: Rc<Self>, mut connection: Connection) {
        while let Some(index) = self.claim() {
            let Some(operation) = self.load.operations.get(index) else {
                return;
            };
            let began = Instant::now();
            match operation.run(&mut connection).await {
                Ok(()) => {
                    self.latencies.borrow_mut().push(began.elapsed());
                    self.bytes.set(self.bytes.get() + operation.bytes);
                }
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
        usize::try_from(next % self.load.operations.len() as u64).ok()
    }
}
