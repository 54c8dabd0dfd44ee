//! Craton: a store in a folder of its own, everything through the gate and sealed. Edges are loaded as text, the results
//! are committed as facts.

use std::{net::IpAddr, path::Path, sync::Arc};

use craton_base::{
    BucketName, ByteSize, Clock, Error, FactPath, Random, ResourcePath, Result, clock::SystemClock,
};
use craton_crypto::random::SystemRandom;
use craton_gate::{Ask, BucketSettings, Gate, Origin, Session, Settings};
use craton_graph::{
    Control, Limits, Names, Relation, Table,
    engine::{Graphs, Share},
    join::{Atom, Query, Resources, Slot},
    load::{Loader, Mode},
    read::{Format, OnBad, load},
    transform::transform,
    writer::{Delta, GraphWriter},
};
use craton_store::{Options, Store, disk::real::RealDisk};
use tokio::runtime::{Builder, Runtime};

use crate::{
    edges::{Task, text},
    measure::{Row, Start},
};

struct Server {
    gate: Gate,
    graphs: Graphs,
    session: Session,
}

fn bucket() -> Result<BucketName> {
    BucketName::new("bench")
}

fn path() -> Result<ResourcePath> {
    Ok(ResourcePath::Facts(
        bucket()?,
        FactPath::new("edges".parse()?, "")?,
    ))
}

fn open(folder: &Path, memory: u64, runtime: &Runtime) -> Result<Server> {
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
        door: "graph",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        secure: false,
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
    fn control(&self) -> Control {
        self.graphs.control(Limits::default())
    }

    fn writer(&self, runtime: &Runtime) -> Result<GraphWriter> {
        runtime.block_on(async {
            let ask = Ask::new("Write", "craton:WriteGraph", path()?);
            self.graphs
                .writer(self.gate.write(&self.session, ask).await?, self.control())
        })
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
    writer.commit(delta, Vec::new())?;
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
