use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    ipc::writer::StreamWriter,
};

use super::*;
use crate::names::parse;

fn given(columns: Vec<ArrayRef>) -> Given {
    let named = columns
        .into_iter()
        .enumerate()
        .map(|(at, column)| (format!("c{at}"), column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    Given::Arrow(Bytes::from(writer.into_inner().unwrap()))
}

fn filled(text: &str, given: &Given) -> Result<String> {
    Ok(bound(parse(text)?, given)?.to_string())
}

#[test]
fn values_become_literals_of_their_types() {
    let cases: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Int64Array::from(vec![-5])), "CAST('-5' AS BIGINT)"),
        (Arc::new(Int64Array::from(vec![None])), "NULL"),
        (Arc::new(BooleanArray::from(vec![true])), "true"),
        (
            Arc::new(StringArray::from(vec!["it's; DROP --"])),
            "'it''s; DROP --'",
        ),
        (
            Arc::new(Float64Array::from(vec![1.5e300])),
            "CAST('1.5e300' AS DOUBLE)",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![12345])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
            "CAST('123.45' AS DECIMAL(10,2))",
        ),
        (Arc::new(Date32Array::from(vec![0])), "CAST('1970-01-01' AS DATE)"),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
            "CAST('1970-01-01T00:00:01.500' AS TIMESTAMP)",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC")),
            "CAST('1970-01-01T00:00:00Z' AS TIMESTAMP WITH TIME ZONE)",
        ),
        (
            Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice()])),
            "X'00ff'",
        ),
    ];
    for (column, literal) in cases {
        let done = filled("UPDATE t SET a = $1 WHERE b = 1", &given(vec![column])).unwrap();
        assert_eq!(done, format!("UPDATE t SET a = {literal} WHERE b = 1"));
    }
}

#[test]
fn rows_of_values_are_rows_of_an_insert() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let given = given(vec![numbers, texts]);
    assert_eq!(
        filled("INSERT INTO t VALUES ($2, $1, 7)", &given).unwrap(),
        "INSERT INTO t VALUES ('a', CAST('1' AS BIGINT), 7), ('b', CAST('2' AS BIGINT), 7)"
    );
    let refused = filled("DELETE FROM t WHERE a = $1", &given).unwrap_err();
    assert_eq!(refused.reason(), "NotSupportedYet");
}

#[test]
fn a_value_that_is_missing_is_named() {
    let none = Given::default();
    let refused = filled("DELETE FROM t WHERE a = $1", &none).unwrap_err();
    assert!(refused.message().contains("$1 has no value"), "{refused}");
    let refused = filled("DELETE FROM t WHERE a = $0", &none).unwrap_err();
    assert!(refused.message().contains("$0 is no parameter"), "{refused}");
    assert_eq!(
        parameters(&parse("INSERT INTO t VALUES ($1, $3)").unwrap()).unwrap(),
        3
    );
    assert_eq!(parameters(&parse("DELETE FROM t").unwrap()).unwrap(), 0);
}
