//! Many small manifests written as few, whose entries are sorted by partition, so that a scan looks at few of them.
//!
//! Invariants
//! - entries are the same, with all that they inherited written out;
//! - memory is that of [`ENTRIES_AT_ONCE`] entries: of a table with more, so many are sorted at a time, of manifests in the order of their
//!   partitions;
//! - what others add meanwhile is added to; if they change the manifests that were written again, it is begun anew, [`TRIES_MAX`] times.
//!
//! Source: Apache Iceberg, documentation, "Rewrite manifests", "Table behavior properties".

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use craton_base::{BucketName, Result};
use craton_gate::Progress;
use craton_tables::TableName;
use datafusion::common::ScalarValue;

use super::{
    manifest::{Entry, Holds, Listed},
    partition::Spec,
    snapshot::{self, Change, begin, end, listed, lost, path_of, settled, snapshot_id, standing},
    target::Target,
    values::scalar,
};
use crate::{
    context::Context,
    iceberg::avro::{File, Value},
};

/// How often it is begun anew because others changed the manifests.
const TRIES_MAX: usize = 3;

/// Entries that are sorted together.
const ENTRIES_AT_ONCE: usize = 16_384;

/// How long a manifest becomes, unless a property of the table says otherwise, in bytes.
const MANIFEST_BYTES: u64 = 8 << 20;

/// So many small manifests are worth it, unless a property of the table says otherwise, where nobody asked.
const COUNT: u64 = 100;

/// An entry and the values that it is sorted by.
type Sorted = (Vec<ScalarValue>, Entry);

/// Writes the small manifests of a table together. `frugal`: only where there are as many as the table says; else two.
///
/// # Errors
/// `CommitFailedException` if others change the manifests all the time; what the gate and the store fail with; `RunCancelled`.
pub(crate) async fn rewrite_manifests(
    context: Arc<Context>,
    (bucket, name): (BucketName, TableName),
    (frugal, dry): (bool, bool),
    progress: &Progress,
) -> Result<()> {
    for _ in 0..TRIES_MAX {
        progress.go_on()?;
        let target = Target::load(context.clone(), bucket.clone(), name.clone()).await?;
        target.version()?;
        let target = Arc::new(target);
        match settled(target.clone(), once(&target, (frugal, dry), progress).await).await {
            Err(e) if e.reason() == "CommitFailedException" => progress.count("begun anew", 1),
            done => return done,
        }
    }
    Err(lost())
}

async fn once(target: &Arc<Target>, (frugal, dry): (bool, bool), progress: &Progress) -> Result<()> {
    let bytes = target
        .property_number("commit.manifest.target-size-bytes", MANIFEST_BYTES)
        .max(1);
    let least = match frugal {
        true => target
            .property_number("commit.manifest.min-count-to-merge", COUNT)
            .max(2),
        false => 2,
    };
    let mut groups: BTreeMap<(i64, i64), Vec<Value>> = BTreeMap::new();
    for manifest in listed(target).await? {
        let number = |field: i32| manifest.field(field).and_then(Value::integer).unwrap_or(0);
        let size = u64::try_from(number(501)).unwrap_or(0);
        if size < bytes / 2 {
            groups
                .entry((number(517), number(502)))
                .or_default()
                .push(manifest);
        }
    }
    groups.retain(|_, small| small.len() as u64 >= least);
    let small = groups.values().map(Vec::len).sum::<usize>() as u64;
    progress.count("small manifests", small);
    if groups.is_empty() || dry {
        return Ok(());
    }
    let mut change = Change {
        operation: Some("replace"),
        same_rows: true,
        ..Change::default()
    };
    let id = snapshot_id(target)?;
    for ((content, spec), mut manifests) in groups {
        let spec = target.spec(spec)?;
        let holds = if content == 1 { Holds::Deletes } else { Holds::Data };
        manifests.sort_by_key(lower_bound);
        let mut writing = Writing {
            target,
            spec: &spec,
            holds,
            bytes,
            id,
            entries: Vec::new(),
            done: Vec::new(),
        };
        for manifest in &manifests {
            progress.go_on()?;
            writing.take(manifest).await?;
            change.gone_manifests.insert(path_of(manifest)?.to_owned());
            progress.count("manifests read", 1);
        }
        writing.write().await?;
        change.manifests.extend(writing.done);
    }
    let written = change.manifests.len() as u64;
    let new = std::mem::take(&mut change.manifests);
    progress.go_on()?;
    snapshot::commit_as(target, &change, (id, new)).await?;
    progress.count("manifests written", written);
    Ok(())
}

/// The least value of a manifest's first partition field, as it is written: an order that keeps what is near together.
fn lower_bound(manifest: &Value) -> Option<Bytes> {
    manifest.field(507)?.list().first()?.field(510)?.bytes().cloned()
}

/// Manifests of a spec while they are written.
struct Writing<'a> {
    target: &'a Target,
    spec: &'a Spec,
    holds: Holds,
    bytes: u64,
    id: i64,
    entries: Vec<Sorted>,
    done: Vec<Listed>,
}

impl Writing<'_> {
    /// Takes the live entries of a manifest.
    async fn take(&mut self, manifest: &Value) -> Result<()> {
        let mut next_row = manifest.field(520).and_then(Value::integer);
        let mut file = File::open(self.target.manifest(path_of(manifest)?).await?)?;
        while let Some(block) = file.block()? {
            let mut some = Vec::new();
            for record in block {
                if let Some(entry) = standing(&record?, manifest, &mut next_row)? {
                    some.push((self.key(&entry), entry));
                }
            }
            self.entries.extend(some);
            if self.entries.len() >= ENTRIES_AT_ONCE {
                self.write().await?;
            }
        }
        Ok(())
    }

    fn key(&self, entry: &Entry) -> Vec<ScalarValue> {
        let partition = entry.file.field(102);
        let fields = self.spec.fields.iter().zip(self.spec.kinds());
        fields
            .map(|(field, kind)| scalar(partition.and_then(|p| p.field(field.id)), &kind))
            .collect()
    }

    /// Writes the entries that were taken, in order.
    async fn write(&mut self) -> Result<()> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by(|(a, _), (b, _)| compared(a, b));
        let mut manifest = None;
        for (_, entry) in &entries {
            let mut writing = match manifest.take() {
                Some(writing) => writing,
                None => begin(self.target, self.spec, self.holds)?,
            };
            writing.push(entry)?;
            match (writing.len() as u64) < self.bytes {
                true => manifest = Some(writing),
                false => self.done.push(end(self.target, writing, self.id).await?),
            }
        }
        if let Some(writing) = manifest {
            self.done.push(end(self.target, writing, self.id).await?);
        }
        Ok(())
    }
}

/// Partitions in order, nothing first.
fn compared(a: &[ScalarValue], b: &[ScalarValue]) -> Ordering {
    let one = |(a, b): (&ScalarValue, &ScalarValue)| match (a.is_null(), b.is_null()) {
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    };
    a.iter()
        .zip(b)
        .map(one)
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}
