//! What there is: catalogs (buckets), schemas (namespaces), tables and their columns, and what the server can do.
//!
//! ```text
//! GetCatalogs, GetDbSchemas, GetTables ─▶ a statement on system.tables, as whoever asks ─▶ rows
//! ```
//!
//! Invariants
//! - what is told of tables is what `system.tables` tells whoever asks;
//! - an answer has at most [`ANSWER_BYTES_MAX`]; the columns of at most [`COLUMNS_OF_MAX`] tables are told at once.

mod server;

use std::collections::BTreeSet;

use arrow_array::{Array as _, RecordBatch, StringArray, UInt64Array};
use arrow_flight::{
    FlightData, SchemaAsIpc, SchemaResult,
    encode::FlightDataEncoderBuilder,
    sql::{Command, CommandGetTables},
};
use arrow_ipc::{convert::try_schema_from_ipc_buffer, reader::StreamReader, writer::IpcWriteOptions};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_doors::sql::SqlEngine;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tonic::Status;

use crate::{
    door::Asker,
    statement::Prepared,
    status::{none, status},
};

/// The most bytes of names that are read for an answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The most tables whose columns are told at once.
pub(crate) const COLUMNS_OF_MAX: usize = 1000;

/// The kinds of tables, as `system.tables` and Flight SQL have them.
const KINDS: [&str; 2] = ["table", "view"];

fn unread(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("an answer of SQL's can not be read").with_source(error)
}

fn broken(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

/// The columns of what answers a command.
pub(crate) fn schema(command: &Command) -> Result<SchemaRef, Status> {
    Ok(match command.clone() {
        Command::CommandGetCatalogs(asked) => asked.into_builder().schema(),
        Command::CommandGetDbSchemas(asked) => asked.into_builder().schema(),
        Command::CommandGetTables(asked) => asked.into_builder().schema(),
        Command::CommandGetTableTypes(asked) => asked.into_builder().schema(),
        Command::CommandGetSqlInfo(_) => server::abilities().map_err(broken)?.schema(),
        Command::CommandGetXdbcTypeInfo(_) => server::types().map_err(broken)?.schema(),
        Command::CommandGetPrimaryKeys(_) => server::primary_keys(),
        Command::CommandGetImportedKeys(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetCrossReference(_) => server::references(),
        other => return Err(none(&format!("commands of the type {:?}", other.type_url()))),
    })
}

/// A schema as an answer.
pub(crate) fn told(schema: &Schema) -> Result<SchemaResult, Status> {
    let options = IpcWriteOptions::default();
    SchemaAsIpc::new(schema, &options).try_into().map_err(broken)
}

/// What answers a command.
pub(crate) async fn answer(
    engine: &dyn SqlEngine,
    asker: &Asker,
    command: Command,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
    let rows = match command {
        Command::CommandGetCatalogs(asked) => {
            let mut out = asked.into_builder();
            let buckets = rows(engine, asker, "SELECT DISTINCT bucket FROM system.tables").await?;
            for [bucket] in texts(&buckets)? {
                out.append(bucket);
            }
            out.build()
        }
        Command::CommandGetDbSchemas(asked) => {
            let text = "SELECT DISTINCT bucket, namespace FROM system.tables WHERE true";
            let text = filtered(
                text,
                asked.catalog.as_deref(),
                &[("namespace", &asked.db_schema_filter_pattern)],
            );
            let mut out = asked.into_builder();
            for [bucket, namespace] in texts(&rows(engine, asker, &text).await?)? {
                out.append(bucket, namespace);
            }
            out.build()
        }
        Command::CommandGetTables(asked) => return tables(engine, asker, asked).await,
        Command::CommandGetTableTypes(asked) => {
            let mut out = asked.into_builder();
            KINDS.iter().for_each(|kind| out.append(kind));
            out.build()
        }
        Command::CommandGetSqlInfo(asked) => {
            let abilities = server::abilities().map_err(broken)?;
            asked.into_builder(&abilities).build()
        }
        Command::CommandGetXdbcTypeInfo(asked) => {
            let types = server::types().map_err(broken)?;
            asked.into_builder(&types).build()
        }
        other => Ok(RecordBatch::new_empty(schema(&other)?)),
    };
    Ok(sent(rows.map_err(broken)?))
}

async fn tables(
    engine: &dyn SqlEngine,
    asker: &Asker,
    asked: CommandGetTables,
) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
    let patterns = [
        ("namespace", &asked.db_schema_filter_pattern),
        ("name", &asked.table_name_filter_pattern),
    ];
    let text = "SELECT bucket, namespace, name, kind FROM system.tables WHERE true";
    let text = filtered(text, asked.catalog.as_deref(), &patterns);
    let found = rows(engine, asker, &text).await?;
    let found: BTreeSet<[String; 4]> = texts(&found)?.into_iter().collect();
    let kinds = asked.table_types.clone();
    let found = found
        .into_iter()
        .filter(|[.., kind]| kinds.is_empty() || kinds.contains(kind));
    let mut out = asked.into_builder();
    let found: Vec<_> = found.collect();
    if out.include_schema() && found.len() > COLUMNS_OF_MAX {
        let text = format!(
            "the columns of {} tables are more than are told at once ({COLUMNS_OF_MAX}): name a catalog, a schema or tables",
            found.len()
        );
        return Err(status(&Error::new(Kind::TooLarge, "LimitExceeded", text)));
    }
    for [bucket, namespace, name, kind] in &found {
        let columns = match out.include_schema() && kind == "table" {
            true => columns(engine, asker, [bucket, namespace, name]).await?,
            false => Schema::empty(),
        };
        out.append(bucket, namespace, name, kind, &columns)
            .map_err(broken)?;
    }
    Ok(sent(out.build().map_err(broken)?))
}

/// The columns of a table; none of one that whoever asks may not read.
async fn columns(engine: &dyn SqlEngine, asker: &Asker, name: [&String; 3]) -> Result<Schema, Status> {
    let name = name
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .join(".");
    let text = format!("SELECT * FROM {name}");
    match engine.plan(&asker.session, &asker.statement(plain(text))).await {
        Ok(planned) => {
            let columns = planned.columns.unwrap_or_default();
            try_schema_from_ipc_buffer(&columns).map_err(|e| status(&unread(e)))
        }
        // It may be listed and not read, or is gone by now.
        Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => Ok(Schema::empty()),
        Err(error) => Err(status(&error)),
    }
}

fn plain(text: String) -> Prepared {
    Prepared {
        text,
        bound: Bytes::new(),
    }
}

/// A statement with what narrows it: a bucket, and patterns of names.
fn filtered(text: &str, bucket: Option<&str>, patterns: &[(&str, &Option<String>)]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut out = text.to_owned();
    if let Some(bucket) = bucket {
        out.push_str(&format!(" AND bucket = {}", quoted(bucket)));
    }
    for (column, pattern) in patterns {
        if let Some(pattern) = pattern {
            out.push_str(&format!(" AND {column} LIKE {}", quoted(pattern)));
        }
    }
    out
}

/// What a statement answers.
async fn rows(engine: &dyn SqlEngine, asker: &Asker, text: &str) -> Result<Vec<RecordBatch>, Status> {
    let asked = asker.statement(plain(text.to_owned()));
    let answer = engine.run(&asker.session, &asked).await;
    let mut answer = answer.map_err(|e| status(&e))?;
    let mut told = Vec::new();
    while let Some(piece) = answer.next().await {
        told.extend_from_slice(&piece.map_err(|e| status(&e))?);
        if told.len() > ANSWER_BYTES_MAX {
            let text = format!(
                "the answer has more than {ANSWER_BYTES_MAX} bytes: name a catalog, a schema or tables"
            );
            return Err(status(&Error::new(Kind::TooLarge, "LimitExceeded", text)));
        }
    }
    batches(&told).map_err(|e| status(&e))
}

fn batches(stream: &[u8]) -> Result<Vec<RecordBatch>> {
    let reader = StreamReader::try_new(stream, None).map_err(unread)?;
    reader.collect::<std::result::Result<_, _>>().map_err(unread)
}

/// The first `N` columns, which are texts, row by row.
fn texts<const N: usize>(batches: &[RecordBatch]) -> Result<Vec<[String; N]>, Status> {
    let mut out = Vec::new();
    for batch in batches {
        let columns: Option<Vec<&StringArray>> = batch
            .columns()
            .iter()
            .take(N)
            .map(|column| column.as_any().downcast_ref())
            .collect();
        let columns = columns.ok_or_else(|| broken("a name is no text"))?;
        for row in 0..batch.num_rows() {
            let row: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_owned())
                .collect();
            out.push(row.try_into().map_err(|_| broken("a name is missing"))?);
        }
    }
    Ok(out)
}

/// Rows as messages.
fn sent(rows: RecordBatch) -> BoxStream<'static, Result<FlightData, Status>> {
    let schema = rows.schema();
    let messages = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(stream::iter([Ok(rows)]));
    messages.map(|message| message.map_err(Status::from)).boxed()
}

/// The number that a statement answers that changes rows; 0 for one that counts none.
///
/// # Errors
/// `Invalid` for the rows of a query.
pub(crate) fn count(stream: &[u8]) -> Result<i64> {
    let batches = batches(stream)?;
    let Some(column) = batches.first().and_then(|batch| batch.columns().first()) else {
        return Ok(0);
    };
    let counted = column.as_any().downcast_ref::<UInt64Array>();
    match counted.filter(|c| c.len() == 1 && batches.len() == 1) {
        Some(count) => Ok(i64::try_from(count.value(0)).unwrap_or(i64::MAX)),
        None => Err(Error::invalid("a statement that answers rows is no update")),
    }
}
