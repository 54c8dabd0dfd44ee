//! Columns are found by id: renamed, moved, widened, dropped and made again.

use std::collections::HashMap;

use datafusion::arrow::datatypes::Schema;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::*;

fn field(name: &str, id: i32, kind: DataType) -> Field {
    let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Field::new(name, kind, true).with_metadata(metadata)
}

fn asked(table: Vec<Field>, file: Vec<Field>, partitioned_by: Vec<i32>) -> Result<Arc<dyn PhysicalExpr>> {
    let by_id = ById { partitioned_by };
    let adapter = by_id.create(Arc::new(Schema::new(table)), Arc::new(Schema::new(file)))?;
    adapter.rewrite(Arc::new(Column::new("a", 0)))
}

#[test]
fn a_column_is_where_its_id_is() {
    let table = || vec![field("a", 7, DataType::Int64)];
    let moved = vec![field("a", 1, DataType::Utf8), field("b", 7, DataType::Int64)];
    let found = asked(table(), moved, vec![]).unwrap();
    assert_eq!(
        found.as_any().downcast_ref::<Column>(),
        Some(&Column::new("b", 1))
    );

    let narrow = asked(table(), vec![field("a", 7, DataType::Int32)], vec![]).unwrap();
    assert!(narrow.as_any().is::<CastColumnExpr>());

    let made_again = asked(table(), vec![field("a", 1, DataType::Int64)], vec![]).unwrap();
    assert_eq!(made_again.to_string(), "NULL");
}

#[test]
fn what_would_be_a_guess_is_an_error() {
    let table = || vec![field("a", 7, DataType::Int64)];
    assert!(
        asked(table(), vec![field("b", 1, DataType::Int64)], vec![7]).is_err(),
        "of a partition"
    );
    assert!(
        asked(table(), vec![Field::new("a", DataType::Int64, true)], vec![]).is_err(),
        "no ids"
    );
    assert!(
        asked(table(), vec![field("a", 7, DataType::Utf8)], vec![]).is_err(),
        "of another type"
    );
    let nested = |inner: Field| vec![field("a", 7, DataType::Struct(vec![inner].into()))];
    let renamed = asked(
        nested(field("x", 8, DataType::Int64)),
        nested(field("y", 8, DataType::Int64)),
        vec![],
    );
    assert!(renamed.is_err());
    let same = asked(
        nested(field("x", 8, DataType::Int64)),
        nested(field("x", 8, DataType::Int64)),
        vec![],
    );
    assert!(same.is_ok());
}
