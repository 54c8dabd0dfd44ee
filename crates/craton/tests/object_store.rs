//! The `object_store` crate against the real binary, by its own integration suite: put, get, ranges, lists,
//! copies, multipart uploads, conditional puts. Each part on its own bucket of one server.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test of the binary from outside"
)]

use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
    aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists},
    integration,
    path::Path,
};

#[allow(
    dead_code,
    reason = "shared with the tests of the binary, which use more of it"
)]
#[path = "binary/server.rs"]
mod server;

use server::{Folder, Server};

/// Clients at once in the race.
const WRITERS: usize = 8;
/// How often each raises the counter.
const ROUNDS: usize = 5;

/// A store on a bucket that it makes.
fn store(
    server: &Server,
    folder: &Folder,
    bucket: &str,
    with: impl Fn(AmazonS3Builder) -> AmazonS3Builder,
) -> AmazonS3 {
    let root = server.root();
    let (status, answer) = server.ask(Some(&root), "PUT", &format!("/{bucket}"), b"");
    assert_eq!(status, 200, "{answer}");
    let text = std::fs::read_to_string(folder.data().join("root-credentials")).unwrap();
    let secret = text
        .lines()
        .find_map(|l| l.strip_prefix("aws_secret_access_key = "))
        .unwrap();
    let builder = AmazonS3Builder::new()
        .with_endpoint(&server.endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_access_key_id(&root.access_key_id)
        .with_secret_access_key(secret)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .with_bucket_name(bucket);
    with(builder).build().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn its_integration_suite_holds() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let make = |bucket: &str| store(&server, &folder, bucket, |b| b);
    runtime().block_on(async {
        integration::put_get_delete_list(&make("put-get-delete-list")).await;
        integration::list_with_offset_exclusivity(&make("list-with-offset")).await;
        integration::get_opts(&make("get-opts")).await;
        integration::put_opts(&make("put-opts"), true).await;
        integration::put_get_attributes(&make("attributes")).await;
        integration::list_uses_directories_correctly(&make("directories")).await;
        integration::list_with_delimiter(&make("delimiter")).await;
        integration::rename_and_copy(&make("rename-and-copy")).await;
        integration::copy_if_not_exists(&make("copy-if-not-exists")).await;
        integration::copy_rename_nonexistent_object(&make("copy-nonexistent")).await;
        integration::stream_get(&make("stream-get")).await;
        let parts = make("multipart");
        integration::multipart(&parts, &parts).await;
        integration::multipart_race_condition(&make("multipart-race"), true).await;
        integration::multipart_out_of_order(&make("multipart-order")).await;
        let pages = make("list-paginated");
        integration::list_paginated(&pages, &pages).await;
        let unsigned = store(&server, &folder, "unsigned", |b| b.with_unsigned_payload(true));
        integration::put_get_delete_list(&unsigned).await;
        let summed = store(&server, &folder, "sha256", |b| {
            b.with_checksum_algorithm(Checksum::SHA256)
        });
        integration::put_get_delete_list(&summed).await;
    });
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_counter_raised_by_many_loses_nothing() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let store = store(&server, &folder, "counter", |b| b);
    let path = Path::from("counter");
    runtime().block_on(async {
        store
            .put_opts(&path, "0".into(), PutMode::Create.into())
            .await
            .unwrap();
        let again = store.put_opts(&path, "0".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        futures::future::join_all((0..WRITERS).map(|_| raise(&store, &path))).await;
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, (WRITERS * ROUNDS).to_string().as_bytes());
    });
    assert_eq!(server.end(), Some(0));
}

/// Raises the counter, each time only from the value that was seen.
async fn raise(store: &AmazonS3, path: &Path) {
    let mut won = 0;
    for _ in 0..10_000 {
        let got = store.get(path).await.unwrap();
        let version = UpdateVersion {
            e_tag: got.meta.e_tag.clone(),
            version: got.meta.version.clone(),
        };
        let seen: usize = String::from_utf8(got.bytes().await.unwrap().to_vec())
            .unwrap()
            .parse()
            .unwrap();
        let next = (seen + 1).to_string();
        match store
            .put_opts(path, next.into(), PutOptions::from(PutMode::Update(version)))
            .await
        {
            Ok(_) => won += 1,
            Err(Error::Precondition { .. }) => {}
            Err(e) => panic!("{e}"),
        }
        if won == ROUNDS {
            return;
        }
    }
    panic!("never won");
}
