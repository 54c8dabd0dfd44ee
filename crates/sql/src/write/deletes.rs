//! Deleted rows as a snapshot has them: deletion vectors in format version 3, files of positions in version 2; a file of which no row is
//! left goes as a whole.
//!
//! Source: Apache Iceberg, table specification, "Row-level Deletes", "Deletion Vectors"; Puffin specification.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use craton_base::{Error, Result};
use datafusion::arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::json;

use super::{
    file::Form,
    manifest::{NewFile, NewKind},
    snapshot::{Change, plain},
    target::Target,
};
use crate::iceberg::{manifest::DataFile, positions::Scanned, vector::write::blob};

/// The field of the path in a file of positions.
const PATH_ID: i32 = 2_147_483_546;

/// The field of the position.
const POSITION_ID: i32 = 2_147_483_545;

/// The field that a deletion vector is about: the position of a row.
const ROW_POSITION: i32 = 2_147_483_645;

/// What a Puffin file begins with, and its footer begins and ends with.
const MAGIC: &[u8; 4] = b"PFA1";

/// Rows of a file of positions that are written at once.
const ROWS: usize = 64 << 10;

/// Adds to a change that rows are deleted, by the index of their file.
pub(super) async fn add(
    target: &Arc<Target>,
    change: &mut Change,
    (scanned, gone): (&Scanned, &BTreeMap<u32, Vec<u64>>),
) -> Result<()> {
    let has_vectors = target.version()? >= 3;
    let mut left: Vec<(&DataFile, Vec<u64>)> = Vec::new();
    for (at, positions) in gone {
        let file = usize::try_from(*at).ok().and_then(|at| scanned.files.get(at));
        let file = file.ok_or_else(|| Error::internal("a row is in a file that was not found"))?;
        let before = scanned.deleted.of(file);
        let all = before.len().saturating_add(positions.len()) as u64;
        if has_vectors && !before.is_empty() {
            change.gone_vectors.insert(plain(&file.path).to_owned());
        }
        if all >= file.records {
            change.gone_data.insert(plain(&file.path).to_owned());
        } else if has_vectors {
            // A data file has one vector at most, with all that is deleted of it.
            let mut merged = [before, positions.clone()].concat();
            merged.sort_unstable();
            left.push((file, merged));
        } else {
            left.push((file, positions.clone()));
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let written = match has_vectors {
        true => vectors(target, &left).await?,
        false => positions(target, &left).await?,
    };
    change.added.extend(written);
    Ok(())
}

/// One Puffin file with a vector for each data file.
async fn vectors(target: &Arc<Target>, left: &[(&DataFile, Vec<u64>)]) -> Result<Vec<NewFile>> {
    let location = target.place(
        false,
        &format!("{}-deletes.puffin", target.context.tables.uuid()?),
    )?;
    let mut content = MAGIC.to_vec();
    let mut blobs = Vec::with_capacity(left.len());
    let mut new = Vec::with_capacity(left.len());
    for (file, positions) in left {
        let blob = blob(positions);
        let (offset, size) = (content.len() as u64, blob.len() as u64);
        content.extend(blob);
        blobs.push(json!({
            "type": "deletion-vector-v1", "fields": [ROW_POSITION], "snapshot-id": -1, "sequence-number": -1,
            "offset": offset, "length": size,
            "properties": { "referenced-data-file": file.path, "cardinality": positions.len().to_string() },
        }));
        let of = file.path.clone();
        new.push(NewFile {
            kind: NewKind::Vector { of, offset, size },
            ..beside(file, &location, positions.len())
        });
    }
    let footer = json!({ "blobs": blobs, "properties": { "created-by": "craton" } }).to_string();
    content.extend(MAGIC);
    content.extend(footer.as_bytes());
    content.extend(u32::try_from(footer.len()).unwrap_or(u32::MAX).to_le_bytes());
    content.extend([0; 4]);
    content.extend(MAGIC);
    let size = content.len() as u64;
    target.put_bytes(&location, content.into()).await?;
    new.iter_mut().for_each(|file| file.size = size);
    Ok(new)
}

/// A file of deletes in the partition of a data file.
fn beside(file: &DataFile, location: &str, records: usize) -> NewFile {
    NewFile {
        location: location.to_owned(),
        size: 0,
        records: records as u64,
        spec: file.spec,
        partition: file.partition.clone(),
        metrics: Default::default(),
        order: None,
        kind: NewKind::Positions { of: None },
    }
}

fn schema() -> SchemaRef {
    let field = |name: &str, kind: DataType, id: i32| {
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, kind, false).with_metadata(id)
    };
    Arc::new(Schema::new(vec![
        field("file_path", DataType::Utf8, PATH_ID),
        field("pos", DataType::Int64, POSITION_ID),
    ]))
}

/// A file of positions for each partition that has deleted rows.
async fn positions(target: &Arc<Target>, left: &[(&DataFile, Vec<u64>)]) -> Result<Vec<NewFile>> {
    let mut sorted: Vec<&(&DataFile, Vec<u64>)> = left.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let mut groups: Vec<Vec<&(&DataFile, Vec<u64>)>> = Vec::new();
    for one in sorted {
        let same = |group: &&mut Vec<&(&DataFile, Vec<u64>)>| {
            group
                .first()
                .is_some_and(|(f, _)| f.spec == one.0.spec && f.partition == one.0.partition)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let form = Form::new(schema(), &[], "zstd")?;
    let mut new = Vec::with_capacity(groups.len());
    for group in groups {
        new.extend(of_partition(target, &form, &group).await?);
    }
    Ok(new)
}

async fn of_partition(
    target: &Arc<Target>,
    form: &Form,
    group: &[&(&DataFile, Vec<u64>)],
) -> Result<Option<NewFile>> {
    let Some((first, _)) = group.first() else {
        return Ok(None);
    };
    let location = target.place(
        false,
        &format!("{}-deletes.parquet", target.context.tables.uuid()?),
    )?;
    let mut writer = form.begin(target, location.clone())?;
    for (file, positions) in group {
        for some in positions.chunks(ROWS) {
            let paths = StringArray::from_iter_values(some.iter().map(|_| &file.path));
            let numbers = some.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
            let numbers = Int64Array::from_iter_values(numbers);
            let rows = RecordBatch::try_new(schema(), vec![Arc::new(paths), Arc::new(numbers)]);
            let rows = rows.map_err(|e| Error::internal("positions are no rows").with_source(e))?;
            writer.push(&rows).await?;
        }
    }
    let ended = writer.end().await?;
    let of = (group.len() == 1).then(|| first.path.clone());
    Ok(Some(NewFile {
        size: ended.size,
        metrics: ended.metrics,
        kind: NewKind::Positions { of },
        ..beside(
            first,
            &location,
            usize::try_from(ended.rows).unwrap_or(usize::MAX),
        )
    }))
}
