//! Bounds as bytes.

use super::*;
use crate::iceberg::types::bound;

#[test]
fn numbers_are_as_short_as_can_be_and_come_back() {
    assert_eq!(shortest(0), [0]);
    assert_eq!(shortest(-1), [0xff]);
    assert_eq!(shortest(127), [0x7f]);
    assert_eq!(shortest(128), [0, 0x80]);
    assert_eq!(shortest(-128), [0x80]);
    assert_eq!(shortest(-129), [0xff, 0x7f]);
    for number in [0, 1, -1, 99, -255, 256, i128::from(i64::MIN), 10i128.pow(37)] {
        let value = S::Decimal128(Some(number), 38, 2);
        let bytes = bytes_of(&value).unwrap();
        assert_eq!(bound(&DataType::Decimal128(38, 2), &bytes), Some(value));
    }
    assert_eq!([1, 2, 4, 9, 18, 38].map(decimal_bytes), [1, 1, 2, 4, 8, 16]);
}

#[test]
fn a_bound_that_is_cut_still_bounds() {
    let long = |text: &str| S::Utf8(Some(text.to_owned()));
    assert_eq!(lower(&long("abcdefghijklmnopqrst")).unwrap(), b"abcdefghijklmnop");
    assert_eq!(upper(&long("abcdefghijklmnopqrst")).unwrap(), b"abcdefghijklmnoq");
    assert_eq!(upper(&long("short")).unwrap(), b"short");
    let last = "\u{10ffff}".repeat(17);
    assert_eq!(upper(&long(&last)), None);
    assert_eq!(upper(&long(&format!("a{last}"))).unwrap(), b"b");
    assert_eq!(upper(&S::Binary(Some(vec![0xff; 17]))), None);
    assert_eq!(lower(&S::Binary(Some(vec![7; 17]))).unwrap(), [7; 16]);
    assert_eq!(lower(&S::Float64(Some(f64::NAN))), None);
    assert_eq!(lower(&S::Float64(Some(0.0))), bytes_of(&S::Float64(Some(-0.0))));
}
