use futures::future::join_all;

use super::*;
use crate::{
    body::Claims,
    checksum::{self, Algorithm},
    md5::Md5,
};

#[tokio::test]
async fn many_streams_get_their_own_digests() {
    let stream = |n: usize| {
        let data: Vec<u8> = (0..10_000 * n + 17).map(|i| (i * n % 253) as u8).collect();
        async move {
            let mut digests = Box::new(Digests::new(Algorithm::Crc64Nvme, &Claims::default()));
            for batch in data.chunks(30_011) {
                let pieces = batch.chunks(1_003).map(Bytes::copy_from_slice).collect();
                digests = start(digests, pieces).finish().await.unwrap();
            }
            let sums = digests.finish();
            assert_eq!(sums.md5, Md5::of(&data), "stream {n}");
            assert_eq!(
                sums.of(Algorithm::Crc64Nvme),
                checksum::of(Algorithm::Crc64Nvme, &data)
            );
        }
    };
    join_all((0..40).map(stream)).await;
}

#[tokio::test]
async fn an_upload_that_was_given_up_holds_nobody_up() {
    let digests = || Box::new(Digests::new(Algorithm::Crc32c, &Claims::default()));
    for _ in 0..20 {
        drop(start(digests(), vec![Bytes::from_static(b"given up")]));
    }
    let sums = start(digests(), vec![Bytes::from_static(b"abc")])
        .finish()
        .await
        .unwrap()
        .finish();
    assert_eq!(sums.md5, Md5::of(b"abc"));
}
