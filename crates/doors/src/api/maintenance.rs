//! Maintenance of a table: asked for, watched, cancelled. Who may commit to a table may have it kept in order.
//!
//! Deliberately absent: what it does; that is the work of a session of the system's own.

use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::{Ask, Options, Wanted, Worker, tables::is_nobody};
use craton_tables::{Namespace, TableName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, work::listed};

/// Whom everything here is asked of.
const WORKER: Worker = Worker::Maintenance;

/// The longest age that is asked for, in seconds: a hundred years.
const AGE_SECONDS_MAX: u64 = 100 * 366 * 24 * 60 * 60;

/// How long files become.
const TARGET_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=16 << 30;

/// A task.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Task {
    Expire,
    Orphans,
    Compact,
    RewriteManifests,
}

impl Task {
    const fn name(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Orphans => "orphans",
            Self::Compact => "compact",
            Self::RewriteManifests => "rewrite-manifests",
        }
    }
}

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    task: Task,
    #[serde(default)]
    dry_run: bool,
    /// Of snapshots, or of orphans.
    older_than_seconds: Option<u64>,
    /// Snapshots of each branch.
    keep: Option<u32>,
    /// Bytes of a file that is written by compaction.
    target_bytes: Option<u64>,
}

impl Asked {
    fn options(&self) -> Result<Options> {
        let mut out = Options::from([("task", self.task.name().to_owned())]);
        if self.dry_run {
            out.insert("dry-run", "true".to_owned());
        }
        if let Some(seconds) = self.older_than_seconds {
            if seconds > AGE_SECONDS_MAX || !matches!(self.task, Task::Expire | Task::Orphans) {
                let text =
                    format!("older_than_seconds is of snapshots or orphans, at most {AGE_SECONDS_MAX}");
                return Err(Error::invalid(text));
            }
            out.insert("older-than-seconds", seconds.to_string());
        }
        if let Some(keep) = self.keep {
            if keep == 0 || !matches!(self.task, Task::Expire) {
                return Err(Error::invalid(
                    "keep is how many snapshots of each branch stay when some expire, at least 1",
                ));
            }
            out.insert("keep", keep.to_string());
        }
        if let Some(bytes) = self.target_bytes {
            if !TARGET_BYTES.contains(&bytes) || !matches!(self.task, Task::Compact) {
                let (least, most) = (TARGET_BYTES.start(), TARGET_BYTES.end());
                let text = format!(
                    "target_bytes is how long files become when they are compacted, {least} to {most}"
                );
                return Err(Error::invalid(text));
            }
            out.insert("target-bytes", bytes.to_string());
        }
        Ok(out)
    }
}

/// The table that a path is about.
struct Place {
    bucket: BucketName,
    name: TableName,
}

impl Place {
    fn of(call: &Call<'_>) -> Result<Self> {
        let bucket = BucketName::new(call.part(0)?)?;
        let levels = call.part(1)?.split('.').map(str::to_owned).collect();
        let name = TableName::new(Namespace::new(levels)?, call.part(2)?)?;
        Ok(Self { bucket, name })
    }

    fn subject(&self) -> String {
        format!(
            "{}/{}/{}",
            self.bucket,
            self.name.namespace.text(),
            self.name.name()
        )
    }

    fn ask(&self, call: &Call<'_>, operation: &'static str, action: &'static str) -> Result<Ask> {
        let path = call.gate.table_named(&self.bucket, &self.name.row())?;
        Ok(Ask::new(operation, action, path)
            .with("s3tables:namespace", self.name.namespace.text())
            .with("s3tables:tableName", self.name.name()))
    }

    /// Fails if an ask is about no table, which only those are told who may have asked.
    fn there(&self, ask: &Ask) -> Result<()> {
        match is_nobody(&ask.resource) {
            true => {
                let text = format!("Table does not exist: {}", self.name.text());
                Err(Error::new(Kind::NotFound, "NoSuchTableException", text))
            }
            false => Ok(()),
        }
    }

    /// The right to commit to it.
    fn changing(&self, call: &Call<'_>, operation: &'static str) -> Result<Ask> {
        let ask = self.ask(call, operation, "s3tables:UpdateTableMetadataLocation")?;
        Ok(ask
            .and_action("s3tables:PutTableData")
            .and_action("s3tables:GetTableData"))
    }
}

pub(super) async fn start(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let place = Place::of(call)?;
    let asked: Result<Asked> = call.json();
    // Who may not is told so, whatever was sent.
    let ask = place.changing(call, "StartMaintenance")?;
    let options = match asked
        .and_then(|asked| asked.options())
        .and_then(|o| place.there(&ask).map(|()| o))
    {
        Ok(options) => options,
        Err(wrong) => {
            let permit = call.gate.write(call.session, ask).await?;
            permit.failed(wrong.kind(), wrong.reason());
            return Err(wrong);
        }
    };
    let wanted = Wanted {
        options,
        ..Wanted::new(WORKER, place.subject())
    };
    let id = call.gate.ask_for_run_on(call.session, ask, wanted).await?;
    Ok(json!({ "id": &*id }))
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let place = Place::of(call)?;
    let ask = place.ask(call, "ListMaintenance", "s3tables:GetTable")?;
    let runs = call
        .gate
        .runs_on(call.session, ask, (WORKER, &place.subject()))
        .await?;
    Ok(json!({ "runs": runs.iter().map(listed).collect::<Vec<_>>() }))
}

pub(super) async fn cancel(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let place = Place::of(call)?;
    let ask = place.changing(call, "CancelMaintenance")?;
    let id = call.part(3)?;
    call.gate
        .cancel_run_on(call.session, ask, (WORKER, &place.subject(), id))
        .await?;
    Ok(json!({}))
}
