//! Transforms against the values of the specification.

use datafusion::arrow::{
    array::{
        Date32Array, Decimal128Array, FixedSizeBinaryArray, Int64Array, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::Field as Column,
};

use super::*;

#[test]
fn hashes_are_those_of_the_specification() {
    let long = |n: i64| murmur3(&n.to_le_bytes());
    assert_eq!(long(34), 2_017_239_379);
    assert_eq!(murmur3(&super::super::values::shortest(1420)), -500_754_589);
    assert_eq!(long(17_486), -653_330_422); // 2017-11-16
    assert_eq!(long(81_068_000_000), -662_762_989); // 22:31:08
    assert_eq!(long(1_510_871_468_000_000), -2_047_944_441);
    assert_eq!(murmur3(b"iceberg"), 1_210_000_089);
    assert_eq!(murmur3(&[0, 1, 2, 3]), -188_683_207);
    let uuid = [
        0xf7, 0x9c, 0x3e, 0x09, 0x67, 0x7c, 0x4b, 0xbd, 0xa4, 0x79, 0x3f, 0x34, 0x9c, 0xb7, 0x85, 0xe7,
    ];
    assert_eq!(murmur3(&uuid), 1_488_055_340);
}

fn made(transform: &str, column: impl Array + 'static) -> ArrayRef {
    let transform = Transform::parse(transform).unwrap();
    let column: ArrayRef = Arc::new(column);
    assert!(transform.takes(column.data_type()));
    let made = transform.apply(&column).unwrap();
    assert_eq!(*made.data_type(), transform.result(column.data_type()));
    made
}

#[test]
fn times_are_counted_from_1970() {
    let days = || Date32Array::from(vec![Some(0), Some(-1), Some(17_486), None]);
    assert_eq!(
        made("year", days()).as_primitive::<Int32Type>(),
        &Int32Array::from(vec![Some(0), Some(-1), Some(47), None])
    );
    assert_eq!(
        made("month", days()).as_primitive::<Int32Type>(),
        &Int32Array::from(vec![Some(0), Some(-1), Some(574), None])
    );
    let times = || TimestampMicrosecondArray::from(vec![Some(1_510_871_468_000_000), Some(-1), None]);
    assert_eq!(
        made("day", times()).as_primitive::<Date32Type>(),
        &Date32Array::from(vec![Some(17_486), Some(-1), None])
    );
    assert_eq!(
        made("hour", times()).as_primitive::<Int32Type>(),
        &Int32Array::from(vec![Some(419_686), Some(-1), None])
    );
}

#[test]
fn values_are_cut() {
    let texts = StringArray::from(vec![Some("iceberg"), Some("größe"), None]);
    assert_eq!(
        made("truncate[3]", texts).as_string::<i32>(),
        &StringArray::from(vec![Some("ice"), Some("grö"), None])
    );
    let numbers = Int64Array::from(vec![1, -1, 15]);
    assert_eq!(
        made("truncate[10]", numbers).as_primitive::<Int64Type>(),
        &Int64Array::from(vec![0, -10, 10])
    );
    let money = Decimal128Array::from(vec![1065, -1])
        .with_precision_and_scale(9, 2)
        .unwrap();
    let cut = Decimal128Array::from(vec![1050, -50])
        .with_precision_and_scale(9, 2)
        .unwrap();
    assert_eq!(made("truncate[50]", money).as_primitive::<Decimal128Type>(), &cut);
    assert_eq!(
        made("bucket[16]", Int64Array::from(vec![34]))
            .as_primitive::<Int32Type>()
            .value(0),
        2_017_239_379 % 16
    );
    let fixed = FixedSizeBinaryArray::try_from_iter([[0u8, 1, 2, 3]].into_iter()).unwrap();
    assert_eq!(
        made("bucket[8]", fixed).as_primitive::<Int32Type>().value(0),
        (-188_683_207 & i32::MAX) % 8
    );
    for wrong in ["bucket", "bucket[0]", "truncate[x]", "weekly"] {
        assert_eq!(Transform::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn rows_are_split_by_partition() {
    let with_id = |field: Column, id: i32| {
        let key = parquet::arrow::PARQUET_FIELD_ID_META_KEY.to_owned();
        field.with_metadata(HashMap::from([(key, id.to_string())]))
    };
    let schema = Arc::new(Schema::new(vec![
        with_id(Column::new("n", DataType::Int64, true), 1),
        with_id(Column::new("s", DataType::Utf8, true), 2),
    ]));
    let spec = serde_json::json!({ "spec-id": 3, "fields": [
        { "name": "s", "field-id": 1000, "source-id": 2, "transform": "identity" },
        { "name": "n_trunc", "field-id": 1001, "source-id": 1, "transform": "truncate[10]" } ] });
    let spec = Spec::parse(&spec, &schema).unwrap();
    let n = Int64Array::from(vec![Some(1), Some(12), Some(3), None, Some(14)]);
    let s = StringArray::from(vec![Some("a"), Some("a"), Some("a"), Some("a"), None]);
    let rows = RecordBatch::try_new(schema, vec![Arc::new(n), Arc::new(s)]).unwrap();
    let parts = spec.split(&rows).unwrap();
    let told: Vec<(String, usize)> = parts
        .iter()
        .map(|(_, v, rows)| (format!("{v:?}"), rows.num_rows()))
        .collect();
    assert_eq!(
        told.iter().map(|(_, n)| *n).collect::<Vec<_>>(),
        [2, 1, 1, 1],
        "{told:?}"
    );
    assert_eq!(Spec::default().split(&rows).unwrap().len(), 1);
}
