//! A load in a session that is ended in the middle: each client sends its next request when the answer to the last has come, and
//! goes on when it is refused. Meanwhile another connection ends the session.
//!
//! A request that *began* after the answer to that call must be refused. All clients and the one who ends the session are tasks of
//! one thread, so "after" is plain.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::task::LocalSet;

use crate::{http::Connection, load::Outcome};

/// What is sent.
pub(crate) struct Revocation {
    pub(crate) address: SocketAddr,
    /// Requests in the session, sent in turn.
    pub(crate) heads: Vec<String>,
    /// The request that ends it.
    pub(crate) end: String,
    pub(crate) clients: usize,
    /// How long the clients ask; the session is ended after half of that.
    pub(crate) time: Duration,
}

/// How far the session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Valid,
    /// The call that ends it is under way: either answer is right.
    Ending,
    Over,
}

struct Shared {
    asked: Revocation,
    deadline: Instant,
    phase: Cell<Phase>,
    next: Cell<usize>,
    bytes: Cell<u64>,
    /// Requests that were answered otherwise than they must be, those among them that succeeded too late.
    wrong: Cell<u64>,
    late: Cell<u64>,
    latencies: RefCell<Vec<Duration>>,
}

impl Revocation {
    /// Runs it. Answers that may not be count as failed.
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
        let mut other = Connection::open(self.address).await?;
        let began = Instant::now();
        let shared = Rc::new(Shared {
            deadline: began + self.time,
            asked: self,
            phase: Cell::new(Phase::Valid),
            next: Cell::new(0),
            bytes: Cell::new(0),
            wrong: Cell::new(0),
            late: Cell::new(0),
            latencies: RefCell::default(),
        });
        let clients: Vec<_> = connections
            .into_iter()
            .map(|c| tokio::task::spawn_local(shared.clone().client(c)))
            .collect();
        tokio::time::sleep(shared.asked.time / 2).await;
        let (before, halfway) = (shared.answered(), began.elapsed());
        shared.phase.set(Phase::Ending);
        let ending = Instant::now();
        other
            .fetch(&shared.asked.end, b"")
            .await
            .context("ending the session")?;
        shared.phase.set(Phase::Over);
        let took = ending.elapsed();
        for client in clients {
            client.await.context("a client ended")??;
        }
        let elapsed = began.elapsed();
        let rate = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
        eprintln!(
            "  ended at {:.0} requests/s within {:.1} ms; asked on at {:.0}/s, {} of which succeeded",
            rate(before, halfway),
            took.as_secs_f64() * 1e3,
            rate(shared.answered() - before, elapsed.saturating_sub(halfway)),
            shared.late.get(),
        );
        let latencies = shared.latencies.take();
        Ok(Outcome::of(
            latencies,
            shared.bytes.get(),
            shared.wrong.get(),
            elapsed,
        ))
    }
}

impl Shared {
    fn answered(&self) -> u64 {
        self.latencies.borrow().len() as u64
    }

    async fn client(self: Rc<Self>, mut connection: Connection) -> Result<()> {
        while Instant::now() < self.deadline {
            let next = self.next.get();
            self.next.set(next + 1);
            let Some(head) = self.asked.heads.get(next % self.asked.heads.len().max(1)) else {
                bail!("nothing to send");
            };
            let (phase, began) = (self.phase.get(), Instant::now());
            let answer = connection.answer(head, b"").await?;
            self.latencies.borrow_mut().push(began.elapsed());
            let good = match (phase, answer.status) {
                (Phase::Valid | Phase::Ending, 200) => {
                    self.bytes.set(self.bytes.get() + answer.body.len() as u64);
                    true
                }
                (Phase::Over, 200) => {
                    self.late.set(self.late.get() + 1);
                    false
                }
                // What began before may be refused after.
                (_, status) => (400..500).contains(&status) && self.phase.get() != Phase::Valid,
            };
            self.wrong.set(self.wrong.get() + u64::from(!good));
        }
        Ok(())
    }
}
