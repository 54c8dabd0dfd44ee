//! Compaction: small files, files with deleted rows and files that are too long are written again, in files of the size that a table wants.
//!
//! ```text
//! files of a partition ─▶ those that are worth it ─▶ bins ─▶ rows that are left, sorted as the table is ─▶ files ─▶ one commit
//! ```
//!
//! Invariants
//! - the rows are the same: how many are written is compared with how many there are before anything is committed; with format version 3
//!   each keeps its number and the commit that last changed it;
//! - what others add meanwhile is added to; if they delete or change rows, everything is begun anew, [`TRIES_MAX`] times;
//! - a bin is sorted in the memory of SQL, so that a bin of a table with a sort order is smaller where there is little.
//!
//! Source: Apache Iceberg, documentation, "Compact data files", and the defaults of its `rewriteDataFiles`.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use craton_base::{BucketName, Error, Result};
use craton_gate::Progress;
use craton_tables::TableName;
use datafusion::{
    arrow::{compute::SortOptions, datatypes::SchemaRef},
    execution::SessionState,
    physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column},
    physical_plan::{ExecutionPlan, execute_stream, sorts::sort::SortExec},
};
use futures::StreamExt as _;
use serde_json::Value as Json;

use super::{
    rows::{Rows, file_bytes, last_changed, row_id},
    snapshot::{self, Change, lost, plain, settled},
    target::Target,
};
use crate::{
    context::Context,
    error::own,
    iceberg::{
        Table,
        manifest::{DataFile, Deletes},
        metadata::Moment,
        positions::{Positions, Scanned},
        types::id_of,
    },
};

/// How often it is begun anew because others changed rows.
const TRIES_MAX: usize = 3;

/// A file is small below so many of four parts of the size that the table wants.
const SMALL_QUARTERS: u64 = 3;

/// A file is too long above so many of five parts of it.
const LONG_FIFTHS: u64 = 9;

/// What a row group takes in memory for each byte that it has in a file, about.
const UNPACKED: u64 = 8;

/// The most files that are written again at once: more wait for the next run.
const FILES_MAX: usize = 20_000;

/// The most partitions whose files are.
const GROUPS_MAX: usize = 2_000;

/// What of a table is compacted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compaction {
    /// How long files become, in bytes; else as the table says.
    pub(crate) bytes: Option<u64>,
    /// Only where it is well worth it: five small files, or three tenths of a file's rows deleted. Else two, and any.
    pub(crate) frugal: bool,
    /// Nothing is changed.
    pub(crate) dry: bool,
}

impl Compaction {
    /// How many small files of a partition are worth it.
    const fn least(self) -> usize {
        if self.frugal { 5 } else { 2 }
    }

    /// Whether so many deleted rows of a file are.
    const fn is_worn(self, deleted: usize, records: u64) -> bool {
        match self.frugal {
            true => (deleted as u64).saturating_mul(10) >= records.saturating_mul(3),
            false => deleted > 0,
        }
    }
}

/// Compacts a table.
///
/// # Errors
/// `CommitFailedException` if others change rows all the time; `NotSupportedYet` for what can not be read or written; what the gate and the
/// store fail with; `RunCancelled`.
pub(crate) async fn compact(
    (state, context): (SessionState, Arc<Context>),
    (bucket, name): (BucketName, TableName),
    wanted: Compaction,
    progress: &Progress,
) -> Result<()> {
    for _ in 0..TRIES_MAX {
        progress.go_on()?;
        let target = Target::load(context.clone(), bucket.clone(), name.clone()).await?;
        target.version()?;
        let target = Arc::new(target);
        let one = One {
            state: &state,
            target: &target,
            wanted,
            progress,
        };
        match settled(target.clone(), one.run().await).await {
            Err(e) if e.reason() == "CommitFailedException" => progress.count("begun anew", 1),
            done => return done,
        }
    }
    Err(lost())
}

/// One try.
struct One<'a> {
    state: &'a SessionState,
    target: &'a Arc<Target>,
    wanted: Compaction,
    progress: &'a Progress,
}

/// The files of one partition that are written again, by their places among those that were found.
struct Bin {
    /// Which partition they are of.
    group: usize,
    files: Vec<usize>,
    bytes: u64,
}

impl One<'_> {
    async fn run(&self) -> Result<()> {
        let context = self.target.context.clone();
        let place = (self.target.name.clone(), Moment::Now);
        let table = Positions::new(Table::open(context, self.target.bucket.clone(), place).await?);
        let scanned = table.whole().await?;
        if scanned.snapshot != self.target.snapshot_id() {
            return Err(lost());
        }
        let bytes = self.wanted.bytes.unwrap_or_else(|| file_bytes(self.target));
        let order = self.order()?;
        let chosen = self.chosen(&scanned, bytes);
        let most = match &order {
            Some(_) => bytes.min(self.sorted_bytes()),
            None => bytes,
        };
        let chosen = chosen.into_iter().enumerate();
        let mut bins: Vec<Bin> = chosen.flat_map(|group| bins(&scanned, group, most)).collect();
        bins.retain(|bin| self.is_worth(&scanned, bin, bytes));
        let all: Vec<usize> = bins.iter().flat_map(|bin| bin.files.iter().copied()).collect();
        self.progress.count("small, long or worn files", all.len() as u64);
        if all.is_empty() || self.wanted.dry {
            return Ok(());
        }
        let change = self.written(&table, &scanned, (&bins, bytes, order)).await?;
        let written = change.added.len() as u64;
        self.progress.go_on()?;
        snapshot::commit(self.target, &change).await?;
        self.progress.count("files written", written);
        Ok(())
    }

    /// What a bin has at most if it is sorted, in bytes of files.
    fn sorted_bytes(&self) -> u64 {
        let limit = match self.target.context.pool.memory_limit() {
            datafusion::execution::memory_pool::MemoryLimit::Finite(bytes) => bytes as u64,
            _ => u64::MAX,
        };
        // Sorting keeps what comes in and what goes out.
        (limit / UNPACKED / 2).max(1 << 20)
    }

    /// The files that are worth it, of each partition.
    fn chosen(&self, scanned: &Scanned, bytes: u64) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<(i32, String), Vec<usize>> = BTreeMap::new();
        for (at, file) in scanned.files.iter().enumerate() {
            let partition = format!("{:?}", file.partition);
            groups.entry((file.spec, partition)).or_default().push(at);
        }
        let is_small = |file: &DataFile| file.size < bytes / 4 * SMALL_QUARTERS;
        let mut left = FILES_MAX;
        let groups = groups.into_values().map(|group| {
            let of = |at: &usize| scanned.files.get(*at);
            let small = group.iter().filter_map(of).filter(|file| is_small(file)).count();
            let is_worth = small >= self.wanted.least();
            let wanted = |at: &usize| {
                of(at).is_some_and(|file| self.is_bad(scanned, file, bytes) || (is_worth && is_small(file)))
            };
            let files: Vec<usize> = group.iter().copied().filter(wanted).take(left).collect();
            left = left.saturating_sub(files.len());
            files
        });
        groups
            .filter(|files| !files.is_empty())
            .take(GROUPS_MAX)
            .collect()
    }

    /// Whether a file is written again by itself: it is too long, or has deleted rows.
    fn is_bad(&self, scanned: &Scanned, file: &DataFile, bytes: u64) -> bool {
        let deleted = scanned.deleted.of(file).len();
        file.size > (bytes / 5).saturating_mul(LONG_FIFTHS) || self.wanted.is_worn(deleted, file.records)
    }

    /// Whether a bin is written again: a small file alone would be the same again.
    fn is_worth(&self, scanned: &Scanned, bin: &Bin, bytes: u64) -> bool {
        let files = bin.files.iter().filter_map(|at| scanned.files.get(*at));
        bin.files.len() > 1 || files.into_iter().any(|file| self.is_bad(scanned, file, bytes))
    }

    /// Writes the rows of bins.
    async fn written(
        &self,
        table: &Positions,
        scanned: &Arc<Scanned>,
        (bins, bytes, order): (&[Bin], u64, Option<Order>),
    ) -> Result<Change> {
        let numbers = match self.target.version()? >= 3 {
            true => vec![row_id(), last_changed()],
            false => Vec::new(),
        };
        let columns = self.target.schema()?.fields().len().saturating_add(numbers.len());
        let projection: Vec<usize> = (0..columns).collect();
        let rows = Rows::new(self.target, &numbers)?.of_bytes(bytes);
        let mut rows = rows.sorted(order.as_ref().map(|order| order.id));
        let mut wanted = 0u64;
        let mut group = None;
        for bin in bins {
            // What is sorted is a bin; and of a partition that is done nothing stays open.
            if order.is_some() || group != Some(bin.group) {
                rows.cut().await?;
                group = Some(bin.group);
            }
            wanted = wanted.saturating_add(left(scanned, &bin.files));
            let plan = table.plan(scanned, (&bin.files, &projection), 1).await;
            let plan = plan.map_err(|e| own(&e))?;
            let plan = match &order {
                Some(order) => order.over(plan),
                None => plan,
            };
            let mut batches = execute_stream(plan, self.state.task_ctx()).map_err(|e| own(&e))?;
            while let Some(batch) = batches.next().await {
                self.progress.go_on()?;
                let batch = batch.map_err(|e| own(&e))?;
                rows.push(batch.columns().to_vec()).await?;
                self.progress.count("rows", batch.num_rows() as u64);
            }
            self.progress.count("files read", bin.files.len() as u64);
        }
        let (added, count) = rows.finish().await?;
        if count != wanted {
            let text =
                format!("{count} rows were written of {wanted} that there are: the table stays as it is");
            return Err(Error::corrupt(text));
        }
        let files = bins.iter().flat_map(|bin| &bin.files);
        let gone: HashSet<String> = files
            .filter_map(|at| scanned.files.get(*at))
            .map(|file| plain(&file.path).to_owned())
            .collect();
        Ok(Change {
            operation: Some("replace"),
            gone_deletes: self.outlived(table, scanned, &gone).await?,
            gone_data: gone,
            added,
            same_rows: true,
            ..Change::default()
        })
    }

    /// The files of positions that are of no file that is left.
    async fn outlived(
        &self,
        table: &Positions,
        scanned: &Scanned,
        gone: &HashSet<String>,
    ) -> Result<HashSet<String>> {
        let left: HashSet<&str> = scanned
            .files
            .iter()
            .map(|file| plain(&file.path))
            .filter(|path| !gone.contains(*path))
            .collect();
        let mut out = HashSet::new();
        for file in scanned
            .deletes
            .iter()
            .filter(|file| file.kind == Deletes::Positions)
        {
            let of = table.deletes_of(scanned, file).await?;
            let is_outlived = !of.paths().any(|path| left.contains(path));
            if is_outlived {
                out.insert(plain(&file.path).to_owned());
            }
        }
        Ok(out)
    }

    /// The order that the table's rows are to be in; `None` if it has none, or one by what is made of columns, which is not done yet.
    fn order(&self) -> Result<Option<Order>> {
        let Some(json) = self.target.sort_order() else {
            return Ok(None);
        };
        let schema = self.target.schema()?;
        let fields = json
            .get("fields")
            .and_then(Json::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let by: Option<Vec<PhysicalSortExpr>> =
            fields.iter().map(|field| sorted_by(&schema, field)).collect();
        let id = json.get("order-id").and_then(Json::as_i64);
        Ok(by
            .and_then(LexOrdering::new)
            .zip(id)
            .map(|(by, id)| Order { id, by }))
    }
}

/// A sort order.
struct Order {
    id: i64,
    by: LexOrdering,
}

impl Order {
    fn over(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(SortExec::new(self.by.clone(), plan))
    }
}

/// A field of an order that is a column's own value.
fn sorted_by(schema: &SchemaRef, field: &Json) -> Option<PhysicalSortExpr> {
    let text = |name: &str| field.get(name).and_then(Json::as_str);
    let source = field.get("source-id").and_then(Json::as_i64)?;
    let at = schema
        .fields()
        .iter()
        .position(|column| id_of(column).map(i64::from) == Some(source))?;
    let column = schema.fields().get(at)?;
    (text("transform") == Some("identity") && !column.data_type().is_nested()).then(|| PhysicalSortExpr {
        expr: Arc::new(Column::new(column.name(), at)),
        options: SortOptions {
            descending: text("direction") == Some("desc"),
            nulls_first: text("null-order") != Some("nulls-last"),
        },
    })
}

/// How many rows of some files are not deleted.
fn left(scanned: &Scanned, files: &[usize]) -> u64 {
    let files = files.iter().filter_map(|at| scanned.files.get(*at));
    files.fold(0, |sum, file| {
        let deleted = scanned.deleted.of(file).len() as u64;
        sum.saturating_add(file.records.saturating_sub(deleted))
    })
}

/// Files of a partition in bins of at most so many bytes, or of one file that has more: the first bin that has room takes a file, the longest
/// file first.
fn bins(scanned: &Scanned, (group, mut files): (usize, Vec<usize>), most: u64) -> Vec<Bin> {
    let size = |at: &usize| scanned.files.get(*at).map_or(0, |file| file.size);
    files.sort_by_key(|at| std::cmp::Reverse(size(at)));
    let mut out: Vec<Bin> = Vec::new();
    for at in files {
        let bytes = size(&at);
        match out.iter_mut().find(|bin| bin.bytes.saturating_add(bytes) <= most) {
            Some(bin) => {
                bin.bytes = bin.bytes.saturating_add(bytes);
                bin.files.push(at);
            }
            None => out.push(Bin {
                group,
                files: vec![at],
                bytes,
            }),
        }
    }
    out
}
