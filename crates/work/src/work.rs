//! The work of a server: started with it, ended before the gate closes.

use std::{collections::BTreeMap, sync::Arc};

use craton_base::{Clock, Random};
use craton_gate::{Wanted, Worker, Workers};
use craton_objects::lifecycle::Calendar;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{deliver::Delivering, target::Settings};

/// What the work needs.
pub struct Parts {
    /// The right to act.
    pub workers: Workers,
    /// The targets.
    pub settings: Settings,
    /// How long a day of a lifecycle rule is.
    pub calendar: Calendar,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// The work as it goes on.
pub struct Work {
    tasks: JoinSet<()>,
}

impl Work {
    /// Starts. To be called on the runtime.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let workers = Arc::new(parts.workers);
        let mut tasks = JoinSet::new();
        let delivering = Arc::new(Delivering::new(workers.clone(), &parts.settings, &parts.random));
        tasks.spawn(delivering.clone().spread_all());
        for name in delivering.names() {
            tasks.spawn(delivering.clone().drain_all(name));
        }
        let ways = BTreeMap::new();
        tasks.spawn(hand_out(workers.wanted(), ways));
        Self { tasks }
    }

    /// Ends: what was under way is done again at the next start.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Hands runs that someone asked for to those who do them.
async fn hand_out(mut wanted: mpsc::Receiver<Wanted>, ways: BTreeMap<Worker, mpsc::Sender<String>>) {
    while let Some(one) = wanted.recv().await {
        let Some(way) = ways.get(&one.worker) else {
            tracing::warn!(worker = one.worker.name(), "this work can not be asked for");
            continue;
        };
        // Its receiver ends only with the process.
        drop(way.send(one.subject).await);
    }
}
