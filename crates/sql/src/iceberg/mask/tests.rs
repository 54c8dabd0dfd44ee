//! Masks on values of types that they have a meaning for, and of others.

use datafusion::arrow::{
    array::{AsArray as _, Int64Array, TimestampMicrosecondArray},
    datatypes::{Date32Type, Field, Schema, TimestampMicrosecondType},
};

use super::*;

fn one(mask: Mask, values: ArrayRef) -> ArrayRef {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "c",
        values.data_type().clone(),
        true,
    )]));
    let batch = RecordBatch::try_new(schema.clone(), vec![values]).unwrap();
    let column = Column {
        from: Some(0),
        mask: Some(mask),
    };
    let out = masked(&batch, &[column], &schema).unwrap();
    out.column(0).clone()
}

#[test]
fn texts_keep_what_is_left_and_nothing_whole() {
    let texts = || {
        Arc::new(StringArray::from(vec![
            Some("123-45-6789"),
            Some("größe"),
            Some("abc"),
            None,
        ])) as ArrayRef
    };
    let of = |mask| {
        let out = one(mask, texts());
        out.as_string::<i32>()
            .iter()
            .map(|v| v.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let some = |list: [&str; 3]| {
        list.iter()
            .map(|s| Some((*s).to_owned()))
            .chain([None])
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Mask::Last(4)), some(["*******6789", "*röße", "***"]));
    assert_eq!(of(Mask::First(3)), some(["123********", "grö**", "***"]));
    assert_eq!(of(Mask::Year), vec![None; 4]);
    assert_eq!(of(Mask::Null), vec![None; 4]);
    assert_eq!(of(Mask::Text("x".to_owned())), vec![Some("x".to_owned()); 4]);
}

#[test]
fn of_a_time_the_year_is_left() {
    // 2026-11-23, 1970-01-01, 1969-12-31, 0004-02-29
    let days: ArrayRef = Arc::new(Date32Array::from(vec![20_780, 0, -1, -718_008]));
    let out = one(Mask::Year, days);
    assert_eq!(
        out.as_primitive::<Date32Type>().values().to_vec(),
        [20_454, 0, -365, -718_067]
    );
    let times: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![1_795_392_000_123_456]).with_timezone("UTC"));
    let out = one(Mask::Year, times.clone());
    assert_eq!(out.data_type(), times.data_type());
    assert_eq!(
        out.as_primitive::<TimestampMicrosecondType>().value(0),
        20_454 * 86_400_000_000
    );
}

#[test]
fn a_type_that_a_mask_has_no_meaning_for_is_null() {
    let numbers = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    for mask in [
        Mask::First(1),
        Mask::Last(1),
        Mask::Year,
        Mask::Null,
        Mask::Text("x".to_owned()),
    ] {
        assert_eq!(one(mask, numbers()).null_count(), 2);
    }
    assert_eq!(
        &one(Mask::Text("7".to_owned()), numbers()),
        &(Arc::new(Int64Array::from(vec![7, 7])) as ArrayRef)
    );
}
