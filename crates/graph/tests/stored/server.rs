//! A gate on a simulated disk, with a bucket, and its graphs as a client sees them.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use craton_base::{
    BucketName, ByteSize, Clock, FactPath, Kind as ErrorKind, Random, ResourcePath, Result,
    clock::SystemClock,
};
use craton_gate::{Ask, BucketSettings, Gate, Origin, Parts, Session, Settings, Work};
use craton_graph::{
    Bounds, Control, Facts, Form, Id, Limits, Names, Order, Relation, Shape, Table,
    engine::{Graphs, Share},
    exec,
    load::{Loader, Mode, Progress},
    read::{Format, OnBad, load, load_from},
    snapshot::Snapshot,
    stored::{
        fixpoint, live,
        program::{Program, READ, WRITE},
    },
    tuples::collect,
    writer::GraphWriter,
};
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{Options, Store};
use tokio::runtime::{Builder, Runtime};

/// An input that breaks off.
struct Breaking<'a> {
    text: &'a [u8],
    until: Option<usize>,
}

impl std::io::Read for Breaking<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = self.until.unwrap_or(out.len()).min(out.len()).min(4096);
        if most == 0 && !out.is_empty() {
            return Err(std::io::Error::other("the line is cut"));
        }
        let out = out.get_mut(..most).unwrap_or_default();
        let read = self.text.read(out)?;
        self.until = self.until.map(|until| until - read);
        Ok(read)
    }
}

pub(crate) struct Server {
    pub(crate) gate: Gate,
    pub(crate) graphs: Graphs,
    session: Session,
    runtime: Arc<Runtime>,
    clock: SimClock,
}

pub(crate) fn runtime() -> Arc<Runtime> {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(4)
        .enable_time()
        .build();
    Arc::new(runtime.expect("a runtime"))
}

fn origin() -> Origin {
    Origin {
        door: "graph",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "R1".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: Clock::now(&SimClock::default()),
    }
}

fn bucket() -> BucketName {
    BucketName::new("data").expect("a name")
}

pub(crate) fn path(graph: &str, prefix: &str) -> ResourcePath {
    let path = FactPath::new(graph.parse().expect("a name"), prefix).expect("a prefix");
    ResourcePath::Facts(bucket(), path)
}

impl Server {
    pub(crate) fn open(disk: &SimDisk, runtime: &Arc<Runtime>, seed: u64) -> Result<Self> {
        let _in_runtime = runtime.enter();
        let clock = SimClock::default();
        clock.advance(Duration::from_secs(seed));
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(seed));
        let store = Store::open(Options {
            disk: Arc::new(disk.clone()),
            memory: ByteSize::mib(64),
            clock: Arc::new(clock.clone()),
            random: random.clone(),
            inline_commits: true,
        })?;
        let settings = Settings {
            undo_window: Duration::ZERO,
            ..Settings::default()
        };
        let gate = Gate::open(store, settings, &format!("boot {seed}"))?;
        gate.ensure_root(|_| Ok(()))?;
        let session = gate.operator(origin())?;
        let graphs = Graphs::new(gate.graph_memory(), Arc::new(SystemClock::new()), random);
        // So that the operations of the disk are the same each time.
        graphs.merge_in_background(false);
        Ok(Self {
            gate,
            graphs,
            session,
            runtime: runtime.clone(),
            clock,
        })
    }

    pub(crate) fn make_bucket(&self) {
        let made = self.runtime.block_on(async {
            let ask = Ask::new("CreateBucket", "s3:CreateBucket", ResourcePath::Bucket(bucket()));
            self.gate
                .write(&self.session, ask)
                .await?
                .create_bucket(BucketSettings::default(), &[])
                .await
        });
        made.expect("a bucket");
    }

    pub(crate) fn control(&self) -> Control {
        self.graphs.control(Limits::default())
    }

    fn writer(&self, path: ResourcePath, control: Control) -> Result<GraphWriter> {
        self.runtime.block_on(async {
            let ask = Ask::new("Write", "craton:WriteGraph", path);
            self.graphs
                .writer(self.gate.write(&self.session, ask).await?, control)
        })
    }

    /// Runs on a thread that may block, as the door does.
    fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        self.runtime.block_on(async {
            let done = tokio::task::spawn_blocking(work).await.expect("no panic");
            settle().await;
            done
        })
    }

    pub(crate) fn load(&self, path: ResourcePath, text: &str, mode: Mode) -> Result<Progress> {
        self.load_bytes(path, text.as_bytes().to_vec(), mode, None)
    }

    pub(crate) fn load_bytes(
        &self,
        path: ResourcePath,
        text: Vec<u8>,
        mode: Mode,
        memory: Option<u64>,
    ) -> Result<Progress> {
        let writer = self.writer(path, self.control())?;
        let mut memory_all = self.runtime.block_on(self.graphs.reserve(Share::Work))?;
        if let Some(memory) = memory {
            memory_all.shrink_to(memory);
        }
        self.blocking(move || {
            let mut loader = Loader::new(writer, mode, memory_all)?;
            load(
                &*text,
                &Format::Expressions,
                OnBad::Stop,
                &mut loader,
                &mut |_| Ok(()),
            )?;
            Ok(loader.finish()?.0)
        })
    }

    /// Loads under a name, with just enough memory, from an input that breaks off after `until` bytes.
    pub(crate) fn load_resumably(
        &self,
        path: ResourcePath,
        name: &str,
        text: &str,
        until: Option<usize>,
    ) -> Result<Progress> {
        self.load_resumably_from(path, name, text, 0, until)
    }

    /// The same with what lies from the byte `at` on, which is where the load goes on.
    pub(crate) fn load_resumably_from(
        &self,
        path: ResourcePath,
        name: &str,
        text: &str,
        at: u64,
        until: Option<usize>,
    ) -> Result<Progress> {
        let writer = self.writer(path, self.control())?;
        let mut memory = self.runtime.block_on(self.graphs.reserve(Share::Work))?;
        memory.shrink_to(craton_graph::load::MEMORY_MIN);
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| text.get(at..))
            .unwrap_or_default();
        let (name, text) = (name.to_owned(), rest.to_owned());
        self.blocking(move || {
            let input = Breaking {
                text: text.as_bytes(),
                until,
            };
            let (mut loader, start) = Loader::new(writer, Mode::Add, memory)?.resumable(&name, at)?;
            let format = Format::Expressions;
            match load_from(&start, input, &format, OnBad::Stop, &mut loader, &mut |_| Ok(())) {
                Ok(_) => Ok(loader.finish()?.0),
                Err(error) => {
                    loader.interrupt()?;
                    Err(error)
                }
            }
        })
    }

    /// Changes what is kept of a graph beside its facts.
    pub(crate) fn keep<T: Send + 'static>(
        &self,
        graph: &str,
        change: impl FnOnce(&GraphWriter) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let writer = self.writer(path(graph, ""), self.control())?;
        self.blocking(move || change(&writer))
    }

    /// Changes the live programs of a graph.
    pub(crate) fn live(&self, graph: &str, what: live::Change) -> Result<live::Changed> {
        let whole = path(graph, "");
        let writer = self.writer(whole.clone(), self.control())?;
        let parts = Parts {
            reads: Vec::new(),
            writes: vec![whole],
        };
        let memory = self.graphs.memory().total() / 2;
        self.blocking(move || live::change(&writer, &parts, what, memory))
    }

    pub(crate) fn compact(&self, graph: &str) -> Result<()> {
        let writer = self.writer(path(graph, ""), self.control())?;
        self.blocking(move || writer.compact())
    }

    pub(crate) fn snapshot(&self, path: ResourcePath) -> Result<Snapshot> {
        let permit = self.runtime.block_on(async {
            let ask = Ask::new("Read", "craton:ReadGraph", path);
            self.gate.read(&self.session, ask).await
        })?;
        self.graphs.snapshot(&permit, self.control())
    }

    /// What an export of a path gives.
    pub(crate) fn text(&self, path: ResourcePath) -> String {
        let mut out = Vec::new();
        let snapshot = self.snapshot(path).expect("a snapshot");
        craton_graph::export::export(&snapshot, &mut |piece| {
            out.extend(piece);
            Ok(())
        })
        .expect("exports");
        String::from_utf8(out).expect("UTF-8")
    }

    /// Every fact under a path, as text.
    pub(crate) fn facts(&self, path: ResourcePath) -> BTreeSet<String> {
        let snapshot = match self.snapshot(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return BTreeSet::new(),
            other => other.expect("a snapshot"),
        };
        facts_of(&snapshot)
    }

    pub(crate) fn collect(&self) {
        self.clock.advance(Duration::from_secs(1));
        self.runtime.block_on(self.gate.collect()).expect("collects");
    }

    pub(crate) fn drop(self) {
        let runtime = self.runtime.clone();
        runtime.block_on(async move {
            drop(self);
            settle().await;
        });
    }
}

/// Waits for what runs on other threads and was not waited for.
async fn settle() {
    for _ in 0..8 {
        tokio::task::spawn_blocking(|| ()).await.expect("no panic");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn facts_of(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for table in snapshot.tables() {
        if table.shape == Shape::Expression {
            continue;
        }
        let all = rows(
            snapshot,
            &Relation::whole(table),
            &Order::natural(table.width()),
            &Bounds::all(),
        );
        for tuple in all {
            let mut text = String::new();
            match table {
                Table {
                    shape: Shape::Atom, ..
                } => say(snapshot, Id(tuple[0]), &mut text),
                _ => say_all(snapshot, tuple.into_iter().map(Id), &mut text),
            }
            assert!(out.insert(text.clone()), "{text} is there twice");
        }
    }
    out
}

pub(crate) fn rows(
    snapshot: &Snapshot,
    relation: &Relation,
    order: &Order,
    bounds: &Bounds,
) -> Vec<Vec<u64>> {
    let mut tuples = snapshot.scan(relation, order, bounds).expect("a scan");
    collect(&mut *tuples).expect("tuples")
}

fn say_all(names: &dyn Names, items: impl Iterator<Item = Id>, out: &mut String) {
    out.push('(');
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(' ');
        }
        say(names, item, out);
    }
    out.push(')');
}

fn say(names: &dyn Names, id: Id, out: &mut String) {
    match id.form().expect("an id") {
        Form::Symbol(_) | Form::Integer(_) => {
            let mut text = Vec::new();
            names.text(id, &mut text).expect("a text");
            out.push_str(&String::from_utf8(text).expect("UTF-8"));
        }
        Form::Variable(place) => out.push_str(&format!("${place}")),
        Form::Expression { .. } | Form::Open { .. } => {
            let mut items = Vec::new();
            names.items(id, &mut items).expect("items");
            say_all(names, items.into_iter(), out);
        }
        Form::Fresh(_) => panic!("a fresh id was stored"),
    }
}

impl Server {
    /// Runs a program's text on a graph, with `steps` at most.
    pub(crate) fn run(&self, graph: &str, text: &str, memory: u64) -> Result<exec::Report> {
        self.run_with(graph, text, memory, None)
    }

    /// The same, where steps run as joins that read so many facts or more.
    pub(crate) fn run_with(
        &self,
        graph: &str,
        text: &str,
        memory: u64,
        joins_from: Option<u64>,
    ) -> Result<exec::Report> {
        use craton_graph::{exec::FactSpace as _, parse, stored::StoredSpace};
        let control = self.control();
        let writer = self.writer(path(graph, ""), control.clone())?;
        let text = text.to_owned();
        self.blocking(move || {
            let mut space = StoredSpace::open(writer, memory)?;
            joins_from.into_iter().for_each(|rows| space.joins_from(rows));
            for fact in parse::facts(text.as_bytes())? {
                space.insert(fact)?;
            }
            let report = exec::run(&mut space, exec::Options::default(), &control)?;
            space.commit()?;
            Ok(report)
        })
    }
}

/// A program that holds what it touches and has run, and is not committed.
pub(crate) struct Ran(craton_graph::stored::StoredSpace);

impl Server {
    /// A program as the door runs it, on what it touches, up to its commit; `seconds` at most.
    pub(crate) fn begin(
        &self,
        path: &ResourcePath,
        text: &str,
        joins_from: Option<u64>,
        seconds: u64,
    ) -> Result<Ran> {
        let mut program = Program::read(path, text.as_bytes(), false)?;
        let control = self.graphs.control(Limits {
            time: Duration::from_secs(seconds),
            ..Limits::default()
        });
        let work = Work {
            operation: "RunProgram",
            path: program.whole(),
            read: READ,
            write: WRITE,
        };
        let parts = program.parts()?;
        let writer = self.runtime.block_on(async {
            let permit = self.gate.work(&self.session, work, parts).await?;
            self.graphs.writer(permit, control.clone())
        })?;
        for name in program.sinks()? {
            let its = self.writer(program.other(&name), control.clone())?;
            program.writes(name, its);
        }
        self.blocking(move || {
            let mut space = program.open(&writer, 8 << 20)?;
            joins_from.into_iter().for_each(|rows| space.joins_from(rows));
            exec::run(&mut space, exec::Options::default(), &control)?;
            Ok(Ran(space))
        })
    }

    pub(crate) fn commit(&self, ran: Ran) -> Result<()> {
        self.blocking(move || ran.0.commit().map(drop))
    }

    /// A program as the door runs it.
    pub(crate) fn program(&self, graph: &str, text: &str, joins_from: Option<u64>) -> Result<()> {
        let ran = self.begin(&path(graph, ""), text, joins_from, 60)?;
        self.commit(ran)
    }

    /// Runs rules to their fixpoint and commits.
    pub(crate) fn reason(&self, graph: &str, text: &str) -> Result<fixpoint::Report> {
        self.reason_with(graph, text, fixpoint::Options::default())
    }

    pub(crate) fn reason_with(
        &self,
        graph: &str,
        text: &str,
        options: fixpoint::Options,
    ) -> Result<fixpoint::Report> {
        let program = Program::of_rules(&path(graph, ""), text.as_bytes())?;
        let control = self.control();
        let work = Work {
            operation: "RunRules",
            path: program.whole(),
            read: READ,
            write: WRITE,
        };
        let parts = program.parts()?;
        let writer = self.runtime.block_on(async {
            let permit = self.gate.work(&self.session, work, parts).await?;
            self.graphs.writer(permit, control.clone())
        })?;
        self.blocking(move || {
            let rules = program.rules().clone();
            let mut space = program.open(&writer, 8 << 20)?;
            let report = fixpoint::run(&mut space, &rules, options)?;
            space.commit()?;
            Ok(report)
        })
    }

    /// A client's lease over a part of a graph.
    pub(crate) fn lease(&self, path: ResourcePath) -> Result<craton_gate::Lease> {
        let parts = craton_gate::Parts {
            reads: Vec::new(),
            writes: vec![path],
        };
        let until = self.clock.now().plus(Duration::from_secs(60));
        self.gate.lease(&self.session, &parts, until)
    }

    /// Merges levels that are due; whether there were any.
    pub(crate) fn merge(&self, graph: &str) -> Result<bool> {
        let writer = self.writer(path(graph, ""), self.control())?;
        self.blocking(move || writer.merge_due(8))
    }
}
