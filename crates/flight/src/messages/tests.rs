use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::utils::flight_data_to_batches;
use arrow_ipc::writer::StreamWriter;

use super::*;

fn stream() -> (Vec<RecordBatch>, Vec<u8>) {
    let batch = |from: i64| {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 100));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..100).map(|n| format!("row {n}")),
        ));
        RecordBatch::try_from_iter([("number", numbers), ("text", texts)]).unwrap()
    };
    let batches = vec![batch(0), batch(100)];
    let mut out = Vec::new();
    let mut writer = StreamWriter::try_new(&mut out, &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    (batches, out)
}

#[test]
fn a_stream_is_the_same_wherever_it_is_cut() {
    let (batches, bytes) = stream();
    for size in [1, 7, 64, 1000, bytes.len()] {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            found.extend(messages.cut(&Bytes::copy_from_slice(piece)).unwrap());
        }
        assert!(messages.rest.is_empty(), "in pieces of {size}");
        assert_eq!(found.len(), 3, "a schema and two batches, in pieces of {size}");
        assert_eq!(flight_data_to_batches(&found).unwrap(), batches);
    }
}

#[test]
fn what_is_no_stream_is_an_error() {
    let (_, mut bytes) = stream();
    bytes[0] = 0;
    assert!(Messages::default().cut(&bytes.into()).is_err());
    let mut nonsense = vec![0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0];
    nonsense.extend([0xee; 8]);
    assert!(Messages::default().cut(&nonsense.into()).is_err());
}
