//! A gate on a simulated disk and clock, and clients that use leases at the same time.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use craton_base::{
    BucketName, ByteSize, Clock as _, Error, Kind as ErrorKind, ObjectKey, ResourcePath, Result, Timestamp,
};
use craton_gate::{
    Ask as GateAsk, BucketSettings, Changes, Gate, Kind, LeasedPath, Origin, Session, Settings, Value,
};
use craton_sim::{SimClock, SimDisk, SimRandom, random::SplitMix};
use craton_store::{Options, Store};
use tokio::runtime::{Builder, Runtime};

use crate::history::{Ask, Operation, PREFIXES, Place, Told, key};

/// Clients at the same time, beside the one who lets time pass.
const CLIENTS: u64 = 3;
/// Operations of a client before and after the process is killed.
const EACH: u64 = 3;

pub(crate) struct World {
    runtime: Runtime,
    random: SplitMix,
    disk: SimDisk,
    clock: SimClock,
    ids: Arc<SimRandom>,
    gate: Option<Gate>,
    histories: u64,
}

/// What the clients of a history share.
struct Shared {
    gate: Gate,
    clock: SimClock,
    /// What the clock read when the history began.
    start: Timestamp,
    bucket: BucketName,
    /// The order of begins and ends.
    moment: AtomicU64,
    known: Mutex<Vec<String>>,
    done: Mutex<Vec<Operation>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .unwrap();
        let mut world = Self {
            runtime,
            random: SplitMix::new(seed),
            disk: SimDisk::new(),
            clock: SimClock::default(),
            ids: Arc::new(SimRandom::new(seed)),
            gate: None,
            histories: 0,
        };
        let gate = world.open();
        gate.ensure_root(|_| Ok(())).unwrap();
        world.gate = Some(gate);
        world
    }

    fn open(&self) -> Gate {
        let _in_runtime = self.runtime.enter();
        let store = Store::open(Options {
            disk: Arc::new(self.disk.clone()),
            memory: ByteSize::mib(64),
            clock: Arc::new(self.clock.clone()),
            random: self.ids.clone(),
            inline_commits: true,
        });
        Gate::open(store.unwrap(), Settings::default(), "kernel").unwrap()
    }

    /// A history in a bucket of its own.
    pub(crate) fn history(&mut self) -> Vec<Operation> {
        self.histories += 1;
        let bucket = BucketName::new(&format!("history-{}", self.histories)).unwrap();
        let gate = self.gate.take().unwrap();
        self.runtime.block_on(make_bucket(&gate, &self.clock, &bucket));
        let mut shared = Shared {
            gate,
            clock: self.clock.clone(),
            start: self.clock.now(),
            bucket,
            moment: AtomicU64::new(0),
            known: Mutex::default(),
            done: Mutex::default(),
        };
        let is_killed = self.random.chance(50);
        if is_killed {
            let operations = self.random.below(60);
            self.disk.kill_after(operations);
        }
        shared = self.phase(shared);
        if is_killed {
            let killed = self.kill(shared);
            shared = self.phase(killed);
        }
        self.gate = Some(shared.gate);
        shared.done.into_inner().unwrap()
    }

    /// The process is killed; another goes on with what it had written.
    fn kill(&self, mut shared: Shared) -> Shared {
        let begun = shared.moment.fetch_add(1, Ordering::SeqCst);
        // Nothing of the old process is written any more, also while it is put away.
        self.disk.kill_after(0);
        let Shared { gate, .. } = shared;
        self.runtime.block_on(async { drop(gate) });
        self.disk.heal();
        shared.gate = self.open();
        shared.note(Ask::Kill, Told::Done, (begun, shared.seconds()));
        shared
    }

    fn phase(&mut self, shared: Shared) -> Shared {
        let shared = Arc::new(shared);
        let seeds: Vec<u64> = (0..=CLIENTS).map(|_| self.random.next()).collect();
        self.runtime.block_on(async {
            let tasks = seeds.into_iter().enumerate().map(|(n, seed)| {
                let shared = shared.clone();
                tokio::spawn(async move {
                    let mut random = SplitMix::new(seed);
                    for _ in 0..EACH {
                        shared.step(n == 0, &mut random).await;
                        tokio::task::yield_now().await;
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        });
        Arc::into_inner(shared).unwrap()
    }
}

impl Shared {
    async fn step(&self, is_time: bool, random: &mut SplitMix) {
        let ask = if is_time {
            Ask::Pass(random.below(8))
        } else {
            self.draw(random)
        };
        let begun = (self.moment.fetch_add(1, Ordering::SeqCst), self.seconds());
        // Others come in between, before and after.
        tokio::time::sleep(Duration::from_micros(random.below(200))).await;
        let told = self.answer(&ask).await;
        tokio::time::sleep(Duration::from_micros(random.below(100))).await;
        if let Told::Taken(id, ..) = &told {
            self.known.lock().unwrap().push(id.clone());
        }
        self.note(ask, told, begun);
    }

    /// Seconds since the history began.
    fn seconds(&self) -> u64 {
        self.since(self.clock.now())
    }

    fn since(&self, time: Timestamp) -> u64 {
        (time.micros() - self.start.micros()) / 1_000_000
    }

    fn note(&self, ask: Ask, told: Told, (begun, at): (u64, u64)) {
        let ended = self.moment.fetch_add(1, Ordering::SeqCst);
        let operation = Operation {
            ask,
            told,
            begun,
            ended,
            at,
        };
        self.done.lock().unwrap().push(operation);
    }

    fn draw(&self, random: &mut SplitMix) -> Ask {
        let prefix = |random: &mut SplitMix| random.below(3) as usize;
        let known = self.known.lock().unwrap();
        let one = |random: &mut SplitMix| known.get(random.below(known.len() as u64) as usize).cloned();
        let seconds = random.below(10) + 1;
        match (random.below(10), one(random)) {
            (0..=3, _) | (4 | 5, None) => {
                let places = (0..=random.below(2)).map(|_| (random.below(4) as usize, random.chance(60)));
                Ask::Take(places.collect(), seconds)
            }
            (4, Some(id)) => Ask::Renew(id, seconds),
            (5, Some(id)) => Ask::Release(id),
            (6..=7, under) => Ask::Write(prefix(random), under),
            _ => Ask::Write(prefix(random), None),
        }
    }

    async fn answer(&self, ask: &Ask) -> Told {
        let root = |lease: Option<&String>| session(&self.gate, &self.clock, lease);
        let done = match ask {
            Ask::Pass(seconds) => {
                self.clock.advance(Duration::from_secs(*seconds));
                return Told::Done;
            }
            Ask::Kill => return Told::Done,
            Ask::Take(places, seconds) => match root(None) {
                Err(error) => Err(error),
                Ok(session) => {
                    let paths = places.iter().map(|place| self.leased(*place)).collect();
                    let taken = self.gate.acquire_lease(&session, paths, *seconds, String::new());
                    match taken.await {
                        Ok(lease) => return Told::Taken(lease.id, lease.token, self.since(lease.until)),
                        Err(error) => Err(error),
                    }
                }
            },
            Ask::Renew(id, seconds) => match root(None) {
                Ok(session) => match self.gate.renew_lease(&session, id, *seconds).await {
                    Ok(lease) => return Told::Until(self.since(lease.until)),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            },
            Ask::Release(id) => match root(None) {
                Ok(session) => self.gate.release_lease(&session, id).await,
                Err(error) => Err(error),
            },
            Ask::Write(prefix, lease) => match root(lease.as_ref()) {
                Ok(session) => self.write(&session, *prefix).await,
                Err(error) => Err(error),
            },
        };
        done.map_or_else(|error| said(&error), |()| Told::Done)
    }

    fn leased(&self, (prefix, exclusive): Place) -> LeasedPath {
        let path = ResourcePath::Objects(self.bucket.clone(), PREFIXES[prefix].to_owned());
        LeasedPath { path, exclusive }
    }

    async fn write(&self, session: &Session, prefix: usize) -> Result<()> {
        let key = key(prefix);
        let path = ResourcePath::Object(self.bucket.clone(), ObjectKey::new(&key)?);
        let ask = GateAsk::new("PutObject", "s3:PutObject", path);
        let permit = self.gate.write(session, ask).await?;
        let value = Value {
            meta: Bytes::from_static(b"meta"),
            ..Value::default()
        };
        let changes = Changes::new().put(Kind::Object, key.into_bytes(), value);
        permit.commit(changes).await.map(drop)
    }
}

fn said(error: &Error) -> Told {
    match (error.kind(), error.reason()) {
        (ErrorKind::Busy, "LeaseOver") | (ErrorKind::NotFound, "NoSuchLease") => Told::Over,
        (ErrorKind::Busy, "Borrowed") => Told::Busy,
        // The process is killed: its disk does nothing any more.
        _ => Told::Nothing,
    }
}

fn session(gate: &Gate, clock: &SimClock, lease: Option<&String>) -> Result<Session> {
    gate.operator(Origin {
        door: "s3",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "R1".into(),
        lease: lease.map(|id| id.as_str().into()),
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: clock.now(),
    })
}

async fn make_bucket(gate: &Gate, clock: &SimClock, bucket: &BucketName) {
    let root = session(gate, clock, None).unwrap();
    let ask = GateAsk::new(
        "CreateBucket",
        "s3:CreateBucket",
        ResourcePath::Bucket(bucket.clone()),
    );
    let permit = gate.write(&root, ask).await.unwrap();
    permit
        .create_bucket(BucketSettings::default(), &[])
        .await
        .unwrap();
}
