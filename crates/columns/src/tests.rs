//! What is written is read back; the readers' own formats are tested with pyarrow (tests/clients).

use craton_graph::parse;

use super::{Columns, answer::Answer, cells::Rows};

#[test]
fn files_are_told_by_name() {
    assert_eq!(Columns::named("parquet"), Some(Columns::Parquet));
    assert_eq!(Columns::named("feather"), Some(Columns::Arrow));
    assert_eq!(Columns::named("csv"), None);
}

#[test]
fn rows_are_facts() {
    let mut text = Vec::new();
    let mut take = |piece: Vec<u8>| {
        text.extend(piece);
        Ok(())
    };
    let mut rows = Rows::new("my genes", &mut take);
    rows.begin();
    rows.text(b"BRCA1");
    rows.text(b"two words (\"x\")");
    rows.plain("-3");
    rows.nothing();
    rows.open();
    rows.bytes(&[0, 255]);
    rows.plain("1.5");
    rows.close();
    rows.end().unwrap();
    assert_eq!(rows.finish().unwrap(), 1);
    let fact = "(\"my genes\" BRCA1 \"two words (\\\"x\\\")\" -3 () (0x00ff 1.5))\n";
    assert_eq!(String::from_utf8(text).unwrap(), fact);
}

#[test]
fn an_answer_is_a_stream_of_columns() {
    let mut answer = Answer::new(2).unwrap();
    let mut terms = Vec::new();
    for text in ["(a \"b c\")", "((d e) 5)"] {
        terms.extend_from_slice(parse::term(text.as_bytes()).unwrap().as_bytes());
    }
    let (mut bytes, rows) = answer.take(&terms).unwrap();
    assert_eq!(rows, 2);
    assert!(answer.take(parse::term(b"(a b c)").unwrap().as_bytes()).is_err());
    bytes.extend(answer.finish().unwrap());
    let mut found = Vec::new();
    for batch in arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap() {
        use arrow_array::cast::AsArray as _;
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cell = |n: usize| batch.column(n).as_string::<i32>().value(row).to_owned();
            found.push((cell(0), cell(1)));
        }
    }
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(found, [pair("a", "b c"), pair("(d e)", "5")]);
}
