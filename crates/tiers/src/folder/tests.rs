use futures::stream;

use super::*;

fn place() -> (std::path::PathBuf, Folder) {
    let name = format!(
        "craton-tier-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    let folder = Folder::open(&path).unwrap();
    (path, folder)
}

#[tokio::test]
async fn blobs_are_kept_replaced_read_and_removed() {
    let (path, folder) = place();
    let id = BlobId([0xab; 16]);
    assert_eq!(folder.read(id, 0..1).await.unwrap_err().kind(), Kind::NotFound);
    for content in ["one", "three"] {
        let pieces = vec![Ok(Bytes::from(content))];
        let len = content.len() as u64;
        folder.put(id, len, stream::iter(pieces).boxed()).await.unwrap();
        assert_eq!(folder.read(id, 1..len).await.unwrap(), content[1..]);
    }
    let short = vec![Ok(Bytes::from_static(b"x"))];
    assert!(folder.put(id, 2, stream::iter(short).boxed()).await.is_err());
    assert_eq!(folder.read(id, 0..5).await.unwrap(), "three");
    folder.delete(id).await.unwrap();
    folder.delete(id).await.unwrap();
    assert_eq!(folder.read(id, 0..1).await.unwrap_err().kind(), Kind::NotFound);
    drop(std::process::Command::new("rm").arg("-r").arg(&path).status());
}
