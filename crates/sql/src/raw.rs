//! Objects as tables: `'s3://bucket/key.parquet'`, `'s3://bucket/prefix/*.csv'`, `'s3://bucket/prefix/'`.
//!
//! A folder's files are of one format, with the columns of all of them; `name=value` in their paths is a column. Folders in it are left
//! out unless they are called so.
//!
//! Invariant: a folder is listed and each file opened by a permit, as S3 would; what is left of a governed table's rows is nobody's here,
//! since its files are asked for as they are.

use std::sync::Arc;

use craton_base::{BucketName, Error, Kind, Result};
use craton_gate::ColumnSource;
use datafusion::{
    arrow::datatypes::DataType,
    catalog::TableProvider,
    datasource::{
        file_format::{
            FileFormat, arrow::ArrowFormat, csv::CsvFormat, json::JsonFormat, parquet::ParquetFormat,
        },
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    execution::SessionStateBuilder,
    prelude::SessionConfig,
};

use crate::{STORE, context::Context, error::own, iceberg::types::not_yet};

/// What the names of objects begin with.
pub(crate) const SCHEME: &str = "s3://";

/// The format that an extension stands for.
fn format_of(extension: &str) -> Option<Arc<dyn FileFormat>> {
    Some(match extension {
        "parquet" => Arc::new(ParquetFormat::default()),
        "csv" => Arc::new(CsvFormat::default().with_has_header(true)),
        "tsv" => Arc::new(CsvFormat::default().with_has_header(true).with_delimiter(b'\t')),
        "json" | "jsonl" | "ndjson" => Arc::new(JsonFormat::default()),
        "arrow" => Arc::new(ArrowFormat),
        _ => return None,
    })
}

/// A name taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    bucket: &'a str,
    /// A key; or what keys begin with, up to a slash.
    path: &'a str,
    extension: &'a str,
}

fn parts(name: &str) -> Result<Named<'_>> {
    let whole = name.strip_prefix(SCHEME).unwrap_or(name);
    let (bucket, path) = whole.split_once('/').unwrap_or((whole, ""));
    let (path, extension) = match path.rsplit_once('/').unwrap_or(("", path)) {
        (_, "") => (path, "parquet"),
        (folder, file) if file.starts_with("*.") => {
            let end = if folder.is_empty() {
                0
            } else {
                folder.len().saturating_add(1)
            };
            (path.get(..end).unwrap_or_default(), file.trim_start_matches("*."))
        }
        (_, file) => (path, file.rsplit_once('.').map_or("", |(_, extension)| extension)),
    };
    if path.contains(['*', '?', '[']) {
        return Err(not_yet(format!(
            "{name:?}: of wildcards only *.EXTENSION at the end"
        )));
    }
    Ok(Named {
        bucket,
        path,
        extension,
    })
}

/// What objects are to lineage: a key, or what keys begin with and `*`. Which versions are read is not known when it is planned.
pub(crate) fn source(name: &str) -> Option<ColumnSource> {
    let named = parts(name).ok()?;
    let end = if named.path.is_empty() || named.path.ends_with('/') {
        "*"
    } else {
        ""
    };
    Some(ColumnSource {
        resource: format!("/{}/objects/{}{end}", named.bucket, named.path),
        bucket: named.bucket.to_owned(),
        version: 0,
    })
}

/// The table that objects are.
///
/// # Errors
/// `NotSupportedYet` for other formats and wildcards; `AccessDenied`; `NoSuchKey`; what is wrong with a file.
pub(crate) async fn table(context: &Context, name: &str) -> Result<Arc<dyn TableProvider>> {
    let named = parts(name)?;
    let bucket = BucketName::new(named.bucket)?;
    let format = format_of(named.extension).ok_or_else(|| {
        not_yet(format!(
            "{name:?}: objects other than .parquet, .csv, .tsv, .json, .jsonl, .ndjson and .arrow"
        ))
    })?;
    let config = SessionConfig::new();
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(context.environment.clone())
        .build();
    let made = async {
        let url = ListingTableUrl::parse(format!("{STORE}/{bucket}/{}", escaped(named.path)))?;
        let extension = format!(".{}", named.extension);
        let options = ListingOptions::new(format)
            .with_file_extension(extension)
            .with_collect_stat(false)
            .with_target_partitions(context.partitions);
        let columns = match url.is_collection() {
            true => options.infer_partitions(&state, &url).await?,
            false => Vec::new(),
        };
        let columns = columns.into_iter().map(|name| (name, DataType::Utf8)).collect();
        let options = options.with_table_partition_cols(columns);
        let schema = options.infer_schema(&state, &url).await?;
        ListingTable::try_new(
            ListingTableConfig::new(url)
                .with_listing_options(options)
                .with_schema(schema),
        )
    };
    let table = made.await.map_err(|e| own(&e))?;
    if table.schema().fields().is_empty() {
        let text = format!("there is no object that {name:?} means, or its columns are not known");
        return Err(Error::new(Kind::NotFound, "NoSuchKey", text));
    }
    Ok(Arc::new(table))
}

/// A key in an address.
fn escaped(key: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/=+,@:!$&'()*;".contains(&b);
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
