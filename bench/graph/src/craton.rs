//! Craton: a store in a folder of its own, everything through the gate and sealed. Edges are loaded as text, the results
//! are committed as facts.

use std::{net::IpAddr, path::Path, sync::Arc};

use craton_base::{
    BucketName, ByteSize, Clock, Error, FactPath, Random, ResourcePath, Result, clock::SystemClock,
};
use craton_crypto::random::SystemRandom;
use craton_gate::{Ask, BucketSettings, Gate, Origin, Session, Settings, Work};
use craton_graph::{
    Control, Limits, Names, Relation, Table,
    engine::{Graphs, Share},
    exec,
    join::{Atom, Query, Resources, Slot},
    load::{Loader, Mode},
    read::{Format, OnBad, load},
    stored::program::{Program, READ, WRITE},
    transform::transform,
    writer::{Delta, GraphWriter},
};
use craton_store::{Options, Store, disk::real::RealDisk};
use tokio::runtime::{Builder, Runtime};

use crate::{
    edges::{Task, text},
    measure::{Row, Start},
};

/// A store in a folder, with a bucket and a graph.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) gate: Gate,
    pub(crate) graphs: Graphs,
    pub(crate) session: Session,
}

fn bucket() -> Result<BucketName> {
    BucketName::new("bench")
}

/// The graph's path.
pub(crate) fn path() -> Result<ResourcePath> {
    Ok(ResourcePath::Facts(
        bucket()?,
        FactPath::new("edges".parse()?, "")?,
    ))
}

/// Opens a new store in `folder` with `memory` MiB.
pub(crate) fn open(folder: &Path, memory: u64, runtime: &Runtime) -> Result<Server> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let store = Store::open(Options {
        disk: Arc::new(RealDisk::open(folder)?),
        memory: ByteSize::mib(memory),
        clock: clock.clone(),
        random: random.clone(),
        inline_commits: false,
    })?;
    let gate = Gate::open(store, Settings::default(), "bench")?;
    gate.ensure_root(|_| Ok(()))?;
    let session = gate.operator(Origin {
        lease: None,
        run: None,
        trace: None,
        purse: craton_gate::Purse::default(),
        door: "graph",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "bench".into(),
        user_agent: None,
        referer: None,
        time: clock.now(),
    })?;
    runtime.block_on(async {
        let ask = Ask::new("CreateBucket", "s3:CreateBucket", ResourcePath::Bucket(bucket()?));
        gate.write(&session, ask)
            .await?
            .create_bucket(BucketSettings::default(), &[])
            .await
    })?;
    let graphs = Graphs::new(gate.graph_memory(), clock, random);
    Ok(Server {
        gate,
        graphs,
        session,
    })
}

impl Server {
    pub(crate) fn control(&self) -> Control {
        self.graphs.control(Limits::default())
    }

    pub(crate) fn writer(&self, runtime: &Runtime) -> Result<GraphWriter> {
        runtime.block_on(async {
            let ask = Ask::new("Write", "craton:WriteGraph", path()?);
            self.graphs
                .writer(self.gate.write(&self.session, ask).await?, self.control())
        })
    }
}

impl Server {
    /// Loads facts as S-expressions, from whatever gives them: how many, and bytes stored.
    pub(crate) fn load(&self, input: impl std::io::Read, runtime: &Runtime) -> Result<(u64, u64)> {
        let reserved = runtime.block_on(self.graphs.reserve(Share::Work))?;
        let mut loader = Loader::new(self.writer(runtime)?, Mode::Add, reserved)?;
        load(input, &Format::Expressions, OnBad::Stop, &mut loader, &mut |_| {
            Ok(())
        })?;
        let (progress, _) = loader.finish()?;
        Ok((progress.distinct, progress.bytes))
    }

    /// Runs a program as the door does, on a thread that may block; how many facts it added.
    pub(crate) fn program(&self, text: &str, runtime: &Runtime) -> Result<u64> {
        let memory = runtime.block_on(self.graphs.reserve(Share::Work))?;
        let program = Program::read(&path()?, text.as_bytes(), false)?;
        let work = Work {
            operation: "RunProgram",
            path: program.whole(),
            read: READ,
            write: WRITE,
        };
        let parts = program.parts()?;
        let control = self.control();
        let writer = runtime.block_on(async {
            let permit = self.gate.work(&self.session, work, parts).await?;
            self.graphs.writer(permit, control.clone())
        })?;
        let mut space = program.open(&writer, memory.bytes() / 2)?;
        let report = exec::run(&mut space, exec::Options::default(), &control)?;
        space.commit()?;
        Ok(report.added)
    }
}

fn query(task: &str, edge: craton_graph::Id, out: craton_graph::Id) -> Query {
    let v = Slot::Variable;
    let e = |a, b| Atom {
        relation: Relation::with_head(edge, 2),
        slots: vec![v(a), v(b)],
    };
    let (atoms, wanted): (_, &[u16]) = match task {
        "two-hop" => (vec![e(0, 1), e(1, 2)], &[0, 2]),
        "triangles" => (vec![e(0, 1), e(1, 2), e(0, 2)], &[0, 1, 2]),
        "star" => (vec![e(0, 1), e(0, 2)], &[1, 2]),
        _ => (vec![e(0, 1), e(1, 2), e(2, 3)], &[0, 3]),
    };
    let output = std::iter::once(Slot::Constant(out)).chain(wanted.iter().map(|n| v(*n)));
    Query {
        atoms,
        ranges: Vec::new(),
        outputs: vec![output.collect()],
    }
}

/// The task with `memory` MiB.
pub(crate) fn run(task: &Task, memory: u64) -> Result<Row> {
    let folder = std::env::temp_dir().join(format!("bench-graph-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let row = in_folder(task, memory, &folder);
    std::fs::remove_dir_all(&folder)?;
    row
}

fn in_folder(task: &Task, memory: u64, folder: &Path) -> Result<Row> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _in_runtime = runtime.enter();
    let server = open(folder, memory, &runtime)?;
    let (loaded, load_rate, bytes) = load_edges(task, &server, &runtime)?;
    if loaded != task.edges.len() as u64 {
        return Err(Error::internal(format!("{loaded} edges were loaded")));
    }
    let start = Start::now();
    let writer = server.writer(&runtime)?;
    let snapshot = writer.snapshot()?;
    let id = |name: &[u8]| {
        snapshot
            .symbol(name)?
            .ok_or_else(|| Error::internal("a name is missing"))
    };
    let query = query(task.name, id(b"edge")?, id(b"out")?);
    let reserved = runtime.block_on(server.graphs.reserve(Share::Work))?;
    let resources = Resources {
        memory: reserved.bytes(),
        threads: 2,
        storage: Arc::new(writer.blobs().clone()),
        control: server.control(),
    };
    let tables: Vec<Table> = query
        .outputs
        .iter()
        .map(|output| Table::facts(output.len()))
        .collect();
    let made = transform(&query, &tables, &snapshot, &resources)?;
    let results = made.runs.iter().map(|(_, run)| run.rows()).sum();
    let delta = Delta {
        adds: made.runs,
        removes: Vec::new(),
    };
    writer.commit(delta, None, reserved.bytes())?;
    let mut row = Row::new(results, &start);
    eprintln!("{}", made.report);
    row.set("load", load_rate);
    row.set("bytes", bytes);
    Ok(row)
}

/// Loads the edges as S-expressions: how many, MB of text per CPU second, bytes stored for each.
fn load_edges(task: &Task, server: &Server, runtime: &Runtime) -> Result<(u64, f64, f64)> {
    let mut facts = String::from("(name out)\n");
    for line in text(&task.edges, " ").lines() {
        facts.push_str(&format!("(edge {line})\n"));
    }
    let start = Start::now();
    let reserved = runtime.block_on(server.graphs.reserve(Share::Work))?;
    let mut loader = Loader::new(server.writer(runtime)?, Mode::Add, reserved)?;
    load(
        facts.as_bytes(),
        &Format::Expressions,
        OnBad::Stop,
        &mut loader,
        &mut |_| Ok(()),
    )?;
    let (progress, _) = loader.finish()?;
    let (_, cpu) = start.elapsed();
    let rate = facts.len() as f64 / 1e6 / cpu.max(0.01);
    Ok((
        progress.distinct - 1,
        rate,
        progress.bytes as f64 / progress.distinct as f64,
    ))
}
