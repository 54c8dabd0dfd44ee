use std::io::Read as _;

use craton_base::BucketName;
use craton_objects::inventory::Sealed;
use flate2::read::GzDecoder;
use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field as Value,
};

use super::*;

fn inventory(form: FileForm) -> Inventory {
    Inventory {
        id: "i".into(),
        enabled: true,
        bucket: BucketName::new("lists").unwrap(),
        to: String::new(),
        form,
        sealed: Sealed::ByDefault,
        prefix: String::new(),
        all_versions: true,
        fields: vec![
            Field::Bucket,
            Field::Key,
            Field::IsLatest,
            Field::Size,
            Field::LastModifiedDate,
            Field::ETag,
        ],
        every_days: 1,
    }
}

fn row(n: u64) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    vec![
        text("data"),
        text(&format!("a b/\"{n}ü")),
        Cell::Flag(n.is_multiple_of(2)),
        if n == 0 { Cell::Empty } else { Cell::Number(n) },
        Cell::Time(Timestamp(n * 1_000_000 + 1_999)),
        text("tag"),
    ]
}

fn made(form: FileForm, rows: u64) -> Vec<u8> {
    let mut file = File::new(&inventory(form)).unwrap();
    let mut out = Vec::new();
    let all: Vec<_> = (0..rows).map(row).collect();
    for page in all.chunks(1000) {
        out.extend_from_slice(&file.add(page.to_vec()).unwrap());
    }
    out.extend_from_slice(&file.finish().unwrap());
    out
}

#[test]
fn csv_quotes_everything_and_escapes_keys() {
    let made = made(FileForm::Csv, 2);
    let mut text = String::new();
    GzDecoder::new(&*made).read_to_string(&mut text).unwrap();
    assert_eq!(
        text,
        "\"data\",\"a+b/%220%C3%BC\",\"true\",\"\",\"1970-01-01T00:00:00.001Z\",\"tag\"\n\
         \"data\",\"a+b/%221%C3%BC\",\"false\",\"1\",\"1970-01-01T00:00:01.001Z\",\"tag\"\n"
    );
}

#[test]
fn parquet_comes_back_as_it_was_in_groups_of_a_size() {
    let rows = ROWS_AT_ONCE_MAX as u64 + 5_000;
    let reader = SerializedFileReader::new(Bytes::from(made(FileForm::Parquet, rows))).unwrap();
    assert_eq!(reader.num_row_groups(), 2);
    let mut count = 0;
    for (n, read) in reader.get_row_iter(None).unwrap().enumerate() {
        let n = n as u64;
        let values: Vec<Value> = read.unwrap().get_column_iter().map(|(_, v)| v.clone()).collect();
        assert_eq!(values[1], Value::Str(format!("a b/\"{n}ü")));
        assert_eq!(values[2], Value::Bool(n.is_multiple_of(2)));
        let size = i64::try_from(n).unwrap();
        assert_eq!(values[3], if n == 0 { Value::Null } else { Value::Long(size) });
        assert_eq!(values[4], Value::TimestampMillis(size * 1000 + 1));
        count += 1;
    }
    assert_eq!(count, rows);
}

#[test]
fn a_file_may_have_no_rows() {
    let reader = SerializedFileReader::new(Bytes::from(made(FileForm::Parquet, 0))).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    let mut text = String::new();
    GzDecoder::new(&*made(FileForm::Csv, 0))
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.is_empty());
}
