use futures::stream;
use object_store::memory::InMemory;

use super::*;

fn pieces(content: &[u8]) -> BoxStream<'static, Result<Bytes>> {
    let pieces: Vec<_> = content
        .chunks(PIECE_BYTES)
        .map(|c| Ok(Bytes::copy_from_slice(c)))
        .collect();
    stream::iter(pieces).boxed()
}

#[tokio::test]
async fn blobs_of_any_size_are_kept_read_and_removed() {
    let cloud = Cloud::new(Arc::new(InMemory::new()), "/cold/");
    for (n, len) in [0, 1, PIECE_BYTES, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7]
        .into_iter()
        .enumerate()
    {
        let id = BlobId([n as u8; 16]);
        let content: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
        cloud.put(id, len as u64, pieces(&content)).await.unwrap();
        assert_eq!(cloud.path(id).to_string(), format!("cold/{id}"));
        if len > 0 {
            assert_eq!(cloud.read(id, 0..len as u64).await.unwrap(), content);
            assert_eq!(
                cloud.read(id, len as u64 - 1..len as u64).await.unwrap(),
                content[len - 1..]
            );
        }
        cloud.delete(id).await.unwrap();
        cloud.delete(id).await.unwrap();
        assert_eq!(cloud.read(id, 0..1).await.unwrap_err().kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn what_fails_on_its_way_is_not_there() {
    let cloud = Cloud::new(Arc::new(InMemory::new()), "");
    let id = BlobId([7; 16]);
    let mut broken: Vec<Result<Bytes>> = (0..8).map(|_| Ok(Bytes::from(vec![1; PIECE_BYTES]))).collect();
    broken.push(Err(Error::corrupt("broken")));
    let len = 20 * PIECE_BYTES as u64;
    let put = cloud.put(id, len, stream::iter(broken).boxed()).await;
    assert_eq!(put.unwrap_err().kind(), Kind::Corrupt);
    assert_eq!(cloud.read(id, 0..1).await.unwrap_err().kind(), Kind::NotFound);
}
