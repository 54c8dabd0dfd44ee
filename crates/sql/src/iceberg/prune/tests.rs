//! Files are left out only where their bounds say that nothing in them is wanted.

use std::collections::HashMap;

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema},
    logical_expr::Operator,
    physical_expr::expressions::{BinaryExpr, Column as Physical, IsNullExpr, lit},
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::*;

fn schema() -> SchemaRef {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), "3".to_owned())]);
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, true).with_metadata(id),
    ]))
}

fn file(path: &str, bounds: Option<(i32, i32)>, nulls: Option<i64>) -> DataFile {
    let bytes = |of: i32| (3, Bytes::copy_from_slice(&of.to_le_bytes()));
    DataFile {
        path: path.to_owned(),
        size: 1,
        records: 10,
        sequence: 1,
        lower: bounds.iter().map(|(low, _)| bytes(*low)).collect(),
        upper: bounds.iter().map(|(_, high)| bytes(*high)).collect(),
        nulls: nulls.iter().map(|count| (3, *count)).collect(),
        first_row: None,
        spec: 0,
        partition: crate::iceberg::avro::Value::Null,
    }
}

fn left(predicate: Arc<dyn PhysicalExpr>) -> Vec<String> {
    let mut files = vec![
        file("low", Some((1, 5)), Some(0)),
        file("high", Some((6, 9)), Some(2)),
        file("unknown", None, None),
        file("null", None, Some(10)),
    ];
    Pruner::new(&schema(), Some(predicate)).prune(&mut files).unwrap();
    files.into_iter().map(|file| file.path).collect()
}

#[test]
fn bounds_leave_out_what_they_exclude() {
    let n = || -> Arc<dyn PhysicalExpr> { Arc::new(Physical::new("n", 0)) };
    let compared =
        |operator, to: i32| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(n(), operator, lit(to))) };
    assert_eq!(left(compared(Operator::Eq, 7)), ["high", "unknown"]);
    assert_eq!(left(compared(Operator::Lt, 6)), ["low", "unknown"]);
    assert_eq!(left(compared(Operator::NotEq, 7)), ["low", "high", "unknown"]);
    assert_eq!(left(Arc::new(IsNullExpr::new(n()))), ["high", "unknown", "null"]);
}
