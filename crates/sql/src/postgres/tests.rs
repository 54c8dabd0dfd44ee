//! Rows and parameters, byte by byte.

use std::sync::Arc;

use datafusion::arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    TimestampMicrosecondArray,
};

use super::*;

/// The values of one column in a format, as bytes.
fn sent(column: ArrayRef, binary: bool) -> Vec<Option<Vec<u8>>> {
    let schema = Schema::new(vec![Field::new("c", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(schema.into(), vec![column]).unwrap();
    let bytes = data_rows(&batch, &Formats(vec![binary])).unwrap();
    let mut rest = &bytes[..];
    let mut out = Vec::new();
    while !rest.is_empty() {
        assert_eq!(rest[0], b'D');
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let row = &rest[5..=length];
        assert_eq!(row[..2], [0, 1]);
        let size = i32::from_be_bytes(row[2..6].try_into().unwrap());
        out.push(usize::try_from(size).ok().map(|size| row[6..6 + size].to_vec()));
        rest = &rest[length + 1..];
    }
    out
}

fn texts(column: ArrayRef) -> Vec<Option<String>> {
    let sent = sent(column, false).into_iter();
    sent.map(|v| v.map(|v| String::from_utf8(v).unwrap())).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|t| Some((*t).to_owned())).collect()
}

#[test]
fn texts_are_as_postgresql_writes_them() {
    assert_eq!(
        texts(Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        [some(&["t", "f"]), vec![None]].concat()
    );
    assert_eq!(
        texts(Arc::new(Float64Array::from(vec![1.5, f64::INFINITY, f64::NAN]))),
        some(&["1.5", "Infinity", "NaN"])
    );
    assert_eq!(
        texts(Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]]))),
        some(&["\\x00ff"])
    );
    assert_eq!(texts(Arc::new(Date32Array::from(vec![0]))), some(&["1970-01-01"]));
    let time = TimestampMicrosecondArray::from(vec![1_000_001]);
    assert_eq!(
        texts(Arc::new(time.clone())),
        some(&["1970-01-01 00:00:01.000001"])
    );
    assert_eq!(
        texts(Arc::new(time.with_timezone("UTC"))),
        some(&["1970-01-01 00:00:01.000001+00:00"])
    );
    let decimal = Decimal128Array::from(vec![-1234])
        .with_precision_and_scale(9, 2)
        .unwrap();
    assert_eq!(texts(Arc::new(decimal)), some(&["-12.34"]));
}

#[test]
fn binary_is_as_postgresql_sends_it() {
    assert_eq!(
        sent(Arc::new(Int64Array::from(vec![-2])), true),
        [Some((-2i64).to_be_bytes().to_vec())]
    );
    assert_eq!(
        sent(Arc::new(Date32Array::from(vec![10_957 + 3])), true),
        [Some(vec![0, 0, 0, 3])]
    );
    let numbers = Decimal128Array::from(vec![1_234_567_890, -5, 0, 100_000_000])
        .with_precision_and_scale(20, 3)
        .unwrap();
    let expected: Vec<Option<Vec<u8>>> = [
        // 1234567.890: 123 | 4567 | 8900
        &[0, 3, 0, 1, 0, 0, 0, 3, 0, 123, 0x11, 0xd7, 0x22, 0xc4][..],
        // -0.005: 0050 at the weight -1
        &[0, 1, 0xff, 0xff, 0x40, 0, 0, 3, 0, 50],
        &[0, 0, 0, 0, 0, 0, 0, 3],
        // 100000.000: 10 at the weight 1
        &[0, 1, 0, 1, 0, 0, 0, 3, 0, 10],
    ]
    .map(|bytes| Some(bytes.to_vec()))
    .to_vec();
    assert_eq!(sent(Arc::new(numbers), true), expected);
}

#[test]
fn columns_have_types_sizes_and_modifiers() {
    let fields = [
        ("a", DataType::Int64),
        ("b", DataType::Decimal128(9, 2)),
        ("c", DataType::UInt64),
        ("d", DataType::Utf8View),
    ];
    let schema = Schema::new(fields.map(|(name, kind)| Field::new(name, kind, true)).to_vec());
    let told: Vec<_> = columns(&schema)
        .into_iter()
        .map(|c| (c.type_id, c.size, c.modifier))
        .collect();
    assert_eq!(
        told,
        [
            (20, 8, -1),
            (1700, -1, (9 << 16 | 2) + 4),
            (1700, -1, -1),
            (25, -1, -1)
        ]
    );
}
