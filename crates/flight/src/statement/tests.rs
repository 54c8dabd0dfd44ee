use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::utils::batches_to_flight_data;
use arrow_ipc::reader::StreamReader;
use futures::{executor::block_on, stream};

use super::*;

fn values(rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    RecordBatch::try_from_iter([("$1", column)]).unwrap()
}

fn sent(batch: &RecordBatch) -> Result<Bytes, Status> {
    let messages = batches_to_flight_data(&batch.schema(), vec![batch.clone()]).unwrap();
    block_on(bound(stream::iter(messages.into_iter().map(Ok))))
}

#[test]
fn values_become_a_stream() {
    let one = values(1);
    let stream = sent(&one).unwrap();
    let read: Vec<RecordBatch> = StreamReader::try_new(&*stream, None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, [one]);
    let handle = Prepared {
        text: "SELECT $1".into(),
        bound: stream,
    };
    assert_eq!(Prepared::of(&handle.handle()).unwrap(), handle);
    assert_eq!(Prepared::of(b"\xff\xff").unwrap_err().reason(), "NoSuchStatement");
}

#[test]
fn a_client_binds_only_so_much() {
    let refused = sent(&values(200_000)).unwrap_err();
    assert!(refused.message().contains("at most 1048576 bytes"), "{refused}");
}
