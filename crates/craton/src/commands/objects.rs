//! `craton put`, `get`, `ls`, `rm`: the stock S3 client, and a progress bar where a person waits.
//!
//! Invariant: a transfer holds a few parts in memory, whatever its size; a download takes its name
//! only when it is whole.

use std::path::{Path, PathBuf};

use craton_base::{ByteSize, Error, Kind, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart, path::Path as Key};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::answer;
use crate::{
    cli::Target,
    client::{Client, object_error, place},
    output,
};

/// The least part of an upload, as S3 has it, in bytes.
const PART_BYTES_MIN: u64 = 5 << 20;

/// The most parts of an upload, as S3 has it.
const PARTS_MAX: u64 = 10_000;

/// How many parts are on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// What is read from a file at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// Standard input or output.
pub(super) const STANDARD: &str = "-";

fn key(text: &str) -> Result<Key> {
    Key::parse(text).map_err(|e| {
        Error::invalid(format!("{text:?} is not a key that this command can use")).with_source(e)
    })
}

pub(super) async fn put(file: &Path, to: &str, part_size: ByteSize, target: &Target) -> Result<()> {
    let (bucket, name) = place(to)?;
    let name = match name.is_empty() || name.ends_with('/') {
        true => format!("{name}{}", file_name(file)?),
        false => name.to_owned(),
    };
    let store = Client::new(target)?.bucket(bucket)?;
    let (mut source, length): (Box<dyn AsyncRead + Unpin + Send>, Option<u64>) =
        match file.as_os_str() == STANDARD {
            true => (Box::new(tokio::io::stdin()), None),
            false => {
                let opened = tokio::fs::File::open(file).await.map_err(|e| named(file, e))?;
                let length = opened.metadata().await.map_err(|e| named(file, e))?.len();
                (Box::new(opened), Some(length))
            }
        };
    let bar = bar(length);
    let sent = upload(
        &*store,
        &key(&name)?,
        &mut source,
        part_bytes(part_size, length),
        &bar,
    )
    .await?;
    bar.finish_and_clear();
    answer(
        target,
        &json!({ "bucket": bucket, "key": name, "bytes": sent }),
        |_| {
            output::line(&format!("{bucket}/{name}  {}", ByteSize(sent)));
        },
    );
    Ok(())
}

fn file_name(file: &Path) -> Result<&str> {
    let name = file
        .file_name()
        .and_then(|n| n.to_str())
        .filter(|n| *n != STANDARD);
    name.ok_or_else(|| Error::invalid("what is to be uploaded has no name; give BUCKET/KEY"))
}

pub(super) fn named(file: &Path, error: std::io::Error) -> Error {
    let kind = Error::from(std::io::Error::from(error.kind())).kind();
    Error::new(kind, "Io", format!("the file {}: {error}", file.display())).with_source(error)
}

/// The size of a part: what was asked for, unless S3 has it otherwise.
fn part_bytes(asked: ByteSize, length: Option<u64>) -> u64 {
    asked
        .bytes()
        .max(PART_BYTES_MIN)
        .max(length.unwrap_or_default().div_ceil(PARTS_MAX))
}

/// Sends everything that `source` has; the number of bytes. What ends within one part goes as a whole.
async fn upload(
    store: &dyn ObjectStore,
    key: &Key,
    source: &mut (dyn AsyncRead + Unpin + Send),
    part: u64,
    bar: &ProgressBar,
) -> Result<u64> {
    let mut first = Vec::new();
    (&mut *source).take(part).read_to_end(&mut first).await?;
    let begun = first.len() as u64;
    bar.inc(begun);
    if begun < part {
        store.put(key, first.into()).await.map_err(object_error)?;
        return Ok(begun);
    }
    let upload = store.put_multipart(key).await.map_err(object_error)?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, first.len());
    writer.put(first.into());
    match pump(&mut writer, source, bar).await {
        Ok(sent) => {
            writer.finish().await.map_err(object_error)?;
            Ok(begun.saturating_add(sent))
        }
        Err(error) => {
            // What was sent so far is given up; the first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
    }
}

async fn pump(
    writer: &mut WriteMultipart,
    source: &mut (dyn AsyncRead + Unpin + Send),
    bar: &ProgressBar,
) -> Result<u64> {
    let mut buffer = vec![0; READ_BYTES];
    let mut sent = 0u64;
    loop {
        writer
            .wait_for_capacity(PARTS_AT_ONCE)
            .await
            .map_err(object_error)?;
        let count = source.read(&mut buffer).await?;
        let Some(data) = buffer.get(..count).filter(|d| !d.is_empty()) else {
            return Ok(sent);
        };
        writer.write(data);
        sent = sent.saturating_add(count as u64);
        bar.inc(count as u64);
    }
}

pub(super) async fn get(from: &str, file: Option<&Path>, target: &Target) -> Result<()> {
    let (bucket, name) = place(from)?;
    let store = Client::new(target)?.bucket(bucket)?;
    let found = store.get(&key(name)?).await.map_err(object_error)?;
    let bar = bar(Some(found.meta.size));
    let mut pieces = found.into_stream();
    let to = match file {
        Some(file) => file.to_owned(),
        None => PathBuf::from(
            name.rsplit('/')
                .next()
                .filter(|n| !matches!(*n, "" | "." | ".."))
                .unwrap_or("object"),
        ),
    };
    if to.as_os_str() == STANDARD {
        let received = receive(&mut pieces, &mut tokio::io::stdout(), &bar).await?;
        bar.finish_and_clear();
        output::note(&format!("{bucket}/{name}  {}", ByteSize(received)));
        return Ok(());
    }
    let part = part_name(&to)?;
    let mut sink = tokio::fs::File::create(&part)
        .await
        .map_err(|e| named(&part, e))?;
    let received = match receive(&mut pieces, &mut sink, &bar).await {
        Ok(received) => received,
        Err(error) => {
            drop(tokio::fs::remove_file(&part).await);
            return Err(error);
        }
    };
    sink.sync_all().await.map_err(|e| named(&part, e))?;
    tokio::fs::rename(&part, &to).await.map_err(|e| named(&to, e))?;
    bar.finish_and_clear();
    answer(
        target,
        &json!({ "file": to.display().to_string(), "bytes": received }),
        |_| {
            output::line(&format!("{}  {}", to.display(), ByteSize(received)));
        },
    );
    Ok(())
}

/// Beside the target, so that the rename is one step.
fn part_name(to: &Path) -> Result<PathBuf> {
    let name = to
        .file_name()
        .ok_or_else(|| Error::invalid(format!("{} is not a file", to.display())))?;
    let mut part = name.to_owned();
    part.push(".part");
    Ok(to.with_file_name(part))
}

async fn receive(
    pieces: &mut (impl futures::Stream<Item = object_store::Result<bytes::Bytes>> + Unpin),
    sink: &mut (impl AsyncWrite + Unpin),
    bar: &ProgressBar,
) -> Result<u64> {
    let mut received = 0u64;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(object_error)?;
        sink.write_all(&piece).await?;
        received = received.saturating_add(piece.len() as u64);
        bar.inc(piece.len() as u64);
    }
    sink.flush().await?;
    Ok(received)
}

/// Shows itself only where standard error is a terminal.
pub(super) fn bar(length: Option<u64>) -> ProgressBar {
    let Some(length) = length else {
        return ProgressBar::new_spinner();
    };
    let style = ProgressStyle::with_template(
        "{bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
    );
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(super) async fn list_buckets(target: &Target) -> Result<()> {
    let xml = Client::new(target)?.s3(Method::GET, "/").await?;
    let text = String::from_utf8_lossy(&xml);
    let inner = text.split_once("<Buckets>").map_or("", |(_, rest)| rest);
    let names: Vec<Value> = inner
        .split("<Name>")
        .skip(1)
        .filter_map(|rest| Some(json!(rest.split_once("</Name>")?.0)))
        .collect();
    answer(target, &json!({ "buckets": names }), |_| {
        names.iter().filter_map(Value::as_str).for_each(output::line)
    });
    Ok(())
}

pub(super) async fn list(place_text: &str, recursive: bool, target: &Target) -> Result<()> {
    let (bucket, prefix) = place(place_text)?;
    let store = Client::new(target)?.bucket(bucket)?;
    let prefix = if prefix.is_empty() {
        None
    } else {
        Some(key(prefix.trim_end_matches('/'))?)
    };
    let mut folders = Vec::new();
    let mut objects = Vec::new();
    if recursive {
        objects = store
            .list(prefix.as_ref())
            .try_collect()
            .await
            .map_err(object_error)?;
    } else {
        let found = store
            .list_with_delimiter(prefix.as_ref())
            .await
            .map_err(object_error)?;
        folders.extend(found.common_prefixes.iter().map(|p| format!("{p}/")));
        objects.extend(found.objects);
    }
    let listed: Vec<Value> = objects
        .iter()
        .map(|o| json!({ "key": o.location.as_ref(), "bytes": o.size, "modified": o.last_modified.to_rfc3339() }))
        .collect();
    answer(target, &json!({ "folders": folders, "objects": listed }), |_| {
        let time = |o: &object_store::ObjectMeta| o.last_modified.format("%Y-%m-%d %H:%M:%S").to_string();
        let mut rows: Vec<Vec<String>> = folders
            .iter()
            .map(|f| vec![String::new(), String::new(), f.clone()])
            .collect();
        rows.extend(
            objects
                .iter()
                .map(|o| vec![time(o), ByteSize(o.size).to_string(), o.location.to_string()]),
        );
        output::table(&["MODIFIED", "SIZE", "KEY"], &rows);
    });
    Ok(())
}

pub(super) async fn remove(place_text: &str, recursive: bool, target: &Target) -> Result<()> {
    let (bucket, name) = place(place_text)?;
    let store = Client::new(target)?.bucket(bucket)?;
    if !recursive {
        if name.is_empty() {
            return Err(Error::new(
                Kind::Invalid,
                "InvalidArgument",
                "name an object, or add --recursive",
            ));
        }
        return store.delete(&key(name)?).await.map_err(object_error);
    }
    let prefix = if name.is_empty() {
        None
    } else {
        Some(key(name.trim_end_matches('/'))?)
    };
    let found = store.list(prefix.as_ref()).map_ok(|o| o.location).boxed();
    let removed: u64 = store
        .delete_stream(found)
        .try_fold(0u64, |n, _| async move { Ok(n.saturating_add(1)) })
        .await
        .map_err(object_error)?;
    answer(target, &json!({ "removed": removed }), |_| {
        output::line(&format!("{removed} objects deleted"))
    });
    Ok(())
}
