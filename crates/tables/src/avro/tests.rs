//! What is written by hand is read, and what is damaged is an error.

use super::*;

fn zigzag(number: i64) -> Vec<u8> {
    let mut left = (number << 1 ^ number >> 63).cast_unsigned();
    let mut out = Vec::new();
    loop {
        let byte = (left & 0x7f) as u8;
        left >>= 7;
        if left == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [zigzag(bytes.len() as i64), bytes.to_vec()].concat()
}

const SCHEMA: &str = r#"{"type":"record","name":"e","fields":[
    {"name":"a","type":"long","field-id":1},
    {"name":"b","type":["null","string"],"default":null,"field-id":2},
    {"name":"m","field-id":3,"type":{"type":"array","items":{"type":"record","name":"k","fields":[
        {"name":"key","type":"int","field-id":4},{"name":"value","type":"bytes","field-id":5}]}}}]}"#;

fn file(codec: &str, records: i64, block: &[u8]) -> Vec<u8> {
    let head = [
        MAGIC.to_vec(),
        zigzag(2),
        text(b"avro.schema"),
        text(SCHEMA.as_bytes()),
        text(b"avro.codec"),
        text(codec.as_bytes()),
        zigzag(0),
        vec![7; 16],
    ];
    [head.concat(), zigzag(records), text(block), vec![7; 16]].concat()
}

fn records() -> Vec<u8> {
    let one = [
        zigzag(-5),
        zigzag(1),
        text(b"x"),
        zigzag(1),
        zigzag(9),
        text(&[1, 2]),
        zigzag(0),
    ];
    let two = [
        zigzag(i64::MAX),
        zigzag(0),
        zigzag(-1),
        zigzag(3),
        zigzag(8),
        text(b""),
        zigzag(0),
    ];
    [one.concat(), two.concat()].concat()
}

fn read(bytes: Vec<u8>) -> Result<Vec<Value>> {
    let mut file = File::open(bytes.into())?;
    let mut out = Vec::new();
    while let Some(block) = file.block()? {
        for record in block {
            out.push(record?);
        }
    }
    Ok(out)
}

#[test]
fn records_are_read_with_their_ids() {
    let deflated = {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, &records()).unwrap();
        out.finish().unwrap()
    };
    for file in [file("null", 2, &records()), file("deflate", 2, &deflated)] {
        let found = read(file).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].field(1), Some(&Value::Integer(-5)));
        assert_eq!(found[0].field(2).and_then(Value::text), Some("x"));
        let entry = found[0].field(3).unwrap().list()[0].clone();
        assert_eq!(entry.pair().unwrap().0, &Value::Integer(9));
        assert_eq!(found[1].field(1), Some(&Value::Integer(i64::MAX)));
        assert_eq!(found[1].field(2), None, "null is as if it were not there");
        assert_eq!(
            found[1].field(3).unwrap().list().len(),
            1,
            "a run that says its size"
        );
    }
}

#[test]
fn every_damage_is_an_error_or_harmless() {
    let whole = file("null", 2, &records());
    for end in 0..whole.len() {
        // Shorter: an error, but for the file without its block.
        let cut = read(whole[..end].to_vec());
        assert!(cut.is_err() || cut.unwrap().is_empty(), "cut at {end}");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            drop(read(damaged));
        }
    }
    assert!(read(file("lzo", 2, &records())).is_err());
    assert!(read(file("deflate", 2, b"no")).is_err());
    assert!(
        read(file("null", 1 << 40, &records())).is_err(),
        "more records than there are"
    );
}
