//! The engine: a statement in, batches of rows out.
//!
//! ```text
//! text ──▶ parse ──▶ plan (names resolved by permits) ──▶ run, on the threads of SQL ──▶ batches, two ahead of who reads them
//! ```
//!
//! Invariants
//! - a statement is run for one session; each has a DataFusion session, a catalog and files of its own, and nothing is kept between two;
//! - a statement ends: with its rows, an error, its time, or with its reader; its memory ends with it ([`crate::memory`]);
//! - at most [`AT_ONCE`] statements run, at most [`OF_ONE`] of them of one principal; others wait for [`TURN_WAITS`] and are refused then;
//! - a panic in DataFusion ends its statement with an error, and nothing else: it runs on threads of its own ([`is_ours`]).
//!
//! Deliberately absent: protocols and forms of answers, who may read what (the gate).

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicUsize},
    task::{Context as Waking, Poll},
    time::Duration,
};

use craton_base::{Error, Kind, ResourcePath, Result};
use craton_gate::{Ask, Budget, Gate, ReadPermit, Session};
use craton_tables::Tables;
use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch, StringArray},
        datatypes::{DataType, SchemaRef},
    },
    common::Result as DfResult,
    execution::{
        SessionState, SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::MemoryPool,
        object_store::ObjectStoreUrl,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::LogicalPlan,
    physical_plan::execute_stream,
    prelude::SessionConfig,
    sql::{parser::Statement as Parsed, sqlparser::ast::Statement as Sql},
};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    STORE,
    catalog::{Buckets, NO_BUCKET, NO_NAMESPACE},
    context::Context,
    error::{broken, external, gone, own, too_long},
    files::Files,
    functions,
    iceberg::types::not_yet,
    memory::Pool,
    names::parse,
    parameters::{self, Given},
    write,
    yielding::yielding,
};

mod job;

/// Statements that run at once.
const AT_ONCE: usize = 8;

/// Statements of one principal that run at once.
const OF_ONE: usize = 4;

/// How long a statement waits for its turn.
const TURN_WAITS: Duration = Duration::from_secs(10);

/// How long a statement may take, until its last row was taken.
pub const TIME_MAX: Duration = Duration::from_secs(300);

/// Batches that wait for their reader.
const BATCHES: usize = 2;

/// The stack of a thread of SQL: expressions nest, and memory is used only as far as they do.
const STACK_BYTES: usize = 64 << 20;

/// The name of every thread of SQL.
const THREAD: &str = "sql";

/// How many bytes of a statement the ledger is told.
const TOLD_BYTES: usize = 500;

/// Whether a thread is one whose panics end a statement and not the process.
#[must_use]
pub fn is_ours(thread: &std::thread::Thread) -> bool {
    thread.name() == Some(THREAD)
}

/// What an administrator sets.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where statements that outgrow their memory put what they sort and join, unsealed; `None`: they fail.
    pub spill: Option<PathBuf>,
    /// Bytes that one statement may spill.
    pub spill_bytes: u64,
}

/// A statement.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// The bucket of names that have none.
    pub bucket: Option<String>,
    /// The namespace of names that have none.
    pub namespace: Option<String>,
    /// Its time, at most [`TIME_MAX`].
    pub time: Option<Duration>,
    /// The values of `$1`, `$2` and so on.
    pub parameters: Given,
}

/// What a statement takes and answers.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The columns of its rows; `None` of a statement that writes.
    pub schema: Option<SchemaRef>,
    /// The types of its parameters; `None` where the statement does not say one.
    pub parameters: Vec<Option<DataType>>,
}

/// What a statement answers. Dropped before its end, the statement ends.
pub struct Rows {
    /// Its columns.
    pub schema: SchemaRef,
    pieces: mpsc::Receiver<Result<Piece>>,
    /// Whose budget the rows are taken from.
    taker: (Gate, Session),
}

/// What comes from a statement.
enum Piece {
    /// First of all.
    Columns(SchemaRef),
    Rows(RecordBatch),
}

impl Rows {
    /// The next rows; `None` after the last ones.
    ///
    /// # Errors
    /// What the statement fails with.
    pub fn poll_next(&mut self, cx: &mut Waking<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.pieces.poll_recv(cx).map(|piece| match piece? {
            Ok(Piece::Rows(rows)) => {
                let (gate, session) = &self.taker;
                let taken = gate.spend_rows(session, rows.num_rows() as u64);
                Some(taken.map(|()| rows))
            }
            Ok(Piece::Columns(_)) => Some(Err(Error::internal("a statement has columns twice"))),
            Err(error) => Some(Err(error)),
        })
    }
}

/// The engine. Clones are the same.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    tables: Tables,
    memory: Budget,
    /// Taken when the engine ends.
    runtime: Option<Runtime>,
    doors: Handle,
    turns: Arc<Semaphore>,
    running: Arc<Running>,
    settings: Settings,
    threads: usize,
}

/// How many statements of each principal run.
#[derive(Default)]
struct Running(Mutex<HashMap<String, usize>>);

/// A statement's place among those that run.
struct Turn {
    running: Arc<Running>,
    principal: String,
    _place: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = self.running.0.lock();
        if let Some(count) = running.get_mut(&self.principal) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.remove(&self.principal);
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// Starts the engine. To be called where the doors work.
    ///
    /// # Errors
    /// `Internal` if there are no threads to be had; what making the folder to spill to fails with.
    pub fn start(gate: Gate, (tables, memory): (Tables, Budget), settings: &Settings) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(THREAD)
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|e| Error::internal("the threads of SQL do not start").with_source(e))?;
        let inner = Inner {
            gate,
            tables,
            memory,
            runtime: Some(runtime),
            doors: Handle::current(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            running: Arc::default(),
            settings: settings.clone(),
            threads,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Runs a statement until its first rows, or its end.
    ///
    /// # Errors
    /// `AccessDenied`; `SyntaxError`, `InvalidStatement`, `NotSupportedYet` and what else a statement fails with.
    pub async fn run(&self, session: &Session, statement: &Statement) -> Result<Rows> {
        let permit = self.permit(session, statement, "RunStatement").await?;
        let failed = |e: &Error| permit.failed(e.kind(), e.reason());
        let parsed = parse(&statement.text).and_then(readable).inspect_err(failed)?;
        let turn = self.turn(session).await.inspect_err(failed)?;
        let state = self.state(session, statement).inspect_err(failed)?;
        let (sender, mut pieces) = mpsc::channel(BATCHES);
        let runtime = self.inner.runtime.as_ref();
        let runtime = runtime.ok_or_else(|| Error::internal("SQL has ended"))?;
        let given = statement.parameters.clone();
        let work = AbortOnDropHandle::new(runtime.spawn(work(state, (parsed, given), sender.clone())));
        let time = statement.time.unwrap_or(TIME_MAX).min(TIME_MAX);
        self.inner.doors.spawn(async move {
            let done = timeout(time, work)
                .await
                .unwrap_or_else(|_| Ok(Err(too_long(time))));
            let done = done.unwrap_or_else(|e| Err(broken(&e)));
            drop(turn);
            if let Err(error) = done {
                permit.failed(error.kind(), error.reason());
                drop(permit);
                // Nobody is left to tell if this fails.
                drop(sender.send(Err(error)).await);
            }
        });
        match pieces.recv().await {
            Some(Ok(Piece::Columns(schema))) => Ok(Rows {
                schema,
                pieces,
                taker: (self.inner.gate.clone(), session.clone()),
            }),
            Some(Err(error)) => Err(error),
            _ => Err(Error::internal("a statement ended without a word")),
        }
    }

    /// What a statement takes and answers. It is planned, and not run.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn describe(&self, session: &Session, statement: &Statement) -> Result<Shape> {
        let permit = self.permit(session, statement, "DescribeStatement").await?;
        let described = async {
            let parsed = parse(&statement.text).and_then(readable)?;
            if write::writes(&parsed) {
                return Ok(Shape {
                    schema: None,
                    parameters: vec![None; write::parameters(&parsed)?],
                });
            }
            let _turn = self.turn(session).await?;
            let (state, _context) = self.state(session, statement)?;
            let runtime = self.inner.runtime.as_ref();
            let runtime = runtime.ok_or_else(|| Error::internal("SQL has ended"))?;
            let plan = runtime.spawn(async move {
                let plan = state.statement_to_plan(parsed).await.map_err(|e| own(&e))?;
                Ok(Shape {
                    schema: Some(plan.schema().inner().clone()),
                    parameters: parameters::types(&plan)?,
                })
            });
            let done = timeout(TIME_MAX, AbortOnDropHandle::new(plan)).await;
            done.map_err(|_| too_long(TIME_MAX))?
                .unwrap_or_else(|e| Err(broken(&e)))
        };
        described
            .await
            .inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn permit(
        &self,
        session: &Session,
        statement: &Statement,
        operation: &'static str,
    ) -> Result<ReadPermit> {
        let told = statement
            .text
            .get(..statement.text.floor_char_boundary(TOLD_BYTES));
        let ask = Ask::new(operation, "craton:RunStatement", ResourcePath::Root)
            .with("craton:statement", told.unwrap_or_default());
        self.inner.gate.read(session, ask).await
    }

    async fn turn(&self, session: &Session) -> Result<Turn> {
        let busy = |text: String| Error::new(Kind::Unavailable, "TooManyStatements", text);
        let place = timeout(TURN_WAITS, self.inner.turns.clone().acquire_owned()).await;
        let place = place
            .map_err(|_| busy(format!("{AT_ONCE} statements run already; try again later")))?
            .map_err(|e| Error::internal("SQL has ended").with_source(e))?;
        let principal = session.principal().to_owned();
        let mut running = self.inner.running.0.lock();
        let count = running.entry(principal.clone()).or_default();
        if *count >= OF_ONE {
            return Err(busy(format!(
                "{OF_ONE} statements of {principal:?} run already; try again later"
            )));
        }
        *count = count.saturating_add(1);
        drop(running);
        Ok(Turn {
            running: self.inner.running.clone(),
            principal,
            _place: place,
        })
    }

    /// The DataFusion session of one statement.
    fn state(&self, session: &Session, statement: &Statement) -> Result<(SessionState, Arc<Context>)> {
        let inner = &self.inner;
        let most = inner.memory.total() / 2;
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(inner.memory.clone(), most));
        let files = Files::new(
            inner.gate.clone(),
            session.clone(),
            inner.doors.clone(),
            pool.clone(),
        );
        let environment = self.environment(pool.clone(), &files).map_err(|e| own(&e))?;
        let namespace = statement.namespace.as_deref().unwrap_or(NO_NAMESPACE);
        let mut config = SessionConfig::new()
            .with_target_partitions(inner.threads)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(NO_BUCKET, namespace);
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        // What a sort that spills keeps for merging.
        options.execution.sort_spill_reservation_bytes = usize::try_from(most / 16).unwrap_or(usize::MAX);
        options.sql_parser.dialect = datafusion::config::Dialect::Generic;
        // Types of answers are those of tables: readers that are older do not know views.
        options.sql_parser.map_string_types_to_utf8view = false;
        let context = Context {
            gate: inner.gate.clone(),
            tables: inner.tables.clone(),
            session: session.clone(),
            bucket: statement.bucket.clone(),
            files,
            pool,
            environment: environment.clone(),
            partitions: inner.threads,
            decided: Mutex::default(),
            scans: AtomicUsize::default(),
            changed: Mutex::default(),
        };
        let context = Arc::new(context);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(environment)
            .with_default_features()
            .with_catalog_list(Arc::new(Buckets(context.clone())));
        Ok((functions::without_unbounded(state.build()), context))
    }

    fn environment(&self, pool: Arc<dyn MemoryPool>, files: &Files) -> DfResult<Arc<RuntimeEnv>> {
        let settings = &self.inner.settings;
        let spill = match &settings.spill {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::Disabled,
        };
        let spill = DiskManagerBuilder::default()
            .with_mode(spill)
            .with_max_temp_directory_size(settings.spill_bytes);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(pool)
            .with_disk_manager_builder(spill)
            .build_arc()?;
        // The files there are, and no others: DataFusion begins with those of the machine.
        let machine = ObjectStoreUrl::local_filesystem();
        drop(environment.deregister_object_store(machine.as_ref())?);
        environment.register_object_store(ObjectStoreUrl::parse(STORE)?.as_ref(), Arc::new(files.clone()));
        Ok(environment)
    }
}

/// Fails unless a statement reads, or is one that writes ([`write`]).
fn readable(statement: Parsed) -> Result<Parsed> {
    let mut inner = &statement;
    while let Parsed::Explain(explain) = inner {
        inner = &explain.statement;
    }
    match inner {
        Parsed::Statement(sql) if matches!(**sql, Sql::Query(_) | Sql::ExplainTable { .. }) => Ok(statement),
        _ if write::writes(&statement) => Ok(statement),
        _ => Err(not_yet("statements of this kind")),
    }
}

/// Plans and runs a statement.
async fn work(
    state: (SessionState, Arc<Context>),
    statement: (Parsed, Given),
    pieces: mpsc::Sender<Result<Piece>>,
) -> Result<()> {
    let reading = pieces.clone();
    tokio::select! {
        biased;
        done = answer(state, statement, &pieces) => done.map_err(|e| own(&e)),
        () = reading.closed() => Err(gone()),
    }
}

async fn answer(
    (state, context): (SessionState, Arc<Context>),
    (parsed, given): (Parsed, Given),
    pieces: &mpsc::Sender<Result<Piece>>,
) -> DfResult<()> {
    let explains = matches!(parsed, Parsed::Explain(_));
    let send = async |piece| pieces.send(Ok(piece)).await.map_err(|_| external(gone()));
    if write::writes(&parsed) {
        let done = write::run(&state, (parsed, &given)).await.map_err(external)?;
        send(Piece::Columns(done.schema())).await?;
        return send(Piece::Rows(done)).await;
    }
    let plan = state.statement_to_plan(parsed).await?;
    let values = parameters::values(&plan, &given).map_err(external)?;
    let plan = match values.is_empty() {
        true => plan,
        false => plan.with_param_values(values)?,
    };
    if let LogicalPlan::Explain(explained) = &plan {
        // By itself it would answer a refusal as if it were a plan.
        state.create_physical_plan(&explained.plan).await?;
        context.decided.lock().clear();
    }
    let plan = yielding(state.create_physical_plan(&plan).await?)?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    let columns = rows.schema();
    // What fails before its first row is an error, and no answer that is cut off.
    let mut next = rows.next().await.transpose()?;
    send(Piece::Columns(columns.clone())).await?;
    while let Some(batch) = next {
        send(Piece::Rows(batch)).await?;
        next = rows.next().await.transpose()?;
    }
    match explains.then(|| decisions(&context, &columns)).flatten() {
        Some(told) => send(Piece::Rows(told)).await,
        None => Ok(()),
    }
}

/// What was decided about each table, as a row more of what `EXPLAIN` answers; `None` of another form.
fn decisions(context: &Context, columns: &SchemaRef) -> Option<RecordBatch> {
    let told = context.decided.lock().join("\n");
    let row: Vec<ArrayRef> = ["policies", &told]
        .map(|text| Arc::new(StringArray::from(vec![text])) as ArrayRef)
        .into();
    RecordBatch::try_new(columns.clone(), row).ok()
}
