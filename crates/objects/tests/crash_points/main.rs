//! Every point at which an operation can be cut, one after the other, through the gate.
//!
//! An operation is run once on a simulated disk to count the disk's operations: creations, writes, flushes of
//! files and of directories, removals, reads. Then for each of them it is run again on a copy of the same disk
//! and ends there: as a process that is killed, which leaves what it had written, and as power cuts, which
//! leave any part of what was not flushed. After each, the store opens, clients see the state before the
//! operation or the one after it and nothing else (the one after it, if it was acknowledged), the ledger
//! verifies and has the write's record exactly if the write is there, and after a collection exactly the
//! files of that state are on the disk.
//!
//! `CRATON_CRASH_SEEDS` is how many power cuts are made at each point (2 if not set).
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "helpers of tests"
)]

mod server;

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use craton_base::{BucketName, ObjectKey, ResourcePath};
use craton_gate::{ConfigurationChange, Subresource};
use craton_objects::{
    Result,
    body::{Body, Claims},
    bucket,
    delete::{self, Delete},
    lock, multipart,
    multipart::{Complete, CompletedPart, Create, UploadId},
    put::{self, Put},
    version::{self, Target, VersionId},
};
use craton_sim::{SimDisk, random::SplitMix};
use tokio::runtime::Runtime;

use server::{Server, View, blob_files, settle};

type Done<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;
type Operation = for<'a> fn(&'a Server) -> Done<'a>;

const SMALL: usize = 3_000;
const LARGE: usize = 50_000;
/// Several writes to the blob's file.
const LARGER: usize = 2_300_000;

fn content(seed: u64, len: usize) -> Bytes {
    let mut random = SplitMix::new(seed);
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
    out.truncate(len);
    out.into()
}

fn bucket_name(name: &str) -> BucketName {
    BucketName::new(name).expect("a name")
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).expect("a key")
}

fn path(name: &str) -> ResourcePath {
    ResourcePath::Object(bucket_name("data"), key(name))
}

async fn put_object(server: &Server, name: &str, body: Bytes) -> Result<()> {
    let permit = server.write(path(name)).await?;
    put::put(&permit, &key(name), Put::default(), Body::of(body))
        .await
        .map(drop)
}

async fn put_part(server: &Server, name: &str, id: UploadId, number: u16, body: Bytes) -> Result<String> {
    let permit = server.write(path(name)).await?;
    let part = multipart::upload_part(
        &permit,
        &key(name),
        id,
        number,
        &Claims::default(),
        Body::of(body),
        None,
    )
    .await?;
    Ok(part.etag)
}

async fn create_upload(server: &Server, name: &str) -> Result<UploadId> {
    let permit = server.write(path(name)).await?;
    multipart::create(&permit, &key(name), Create::default()).await
}

async fn make_bucket(server: &Server, name: &str) -> Result<()> {
    let permit = server.write(ResourcePath::Bucket(bucket_name(name))).await?;
    bucket::create(&permit, false, &[]).await.map(drop)
}

fn kept(name: &str) -> ResourcePath {
    ResourcePath::Object(bucket_name("kept"), key(name))
}

async fn put_version(server: &Server, body: Bytes) -> Result<VersionId> {
    let permit = server.write(kept("v")).await?;
    let written = put::put(&permit, &key("v"), Put::default(), Body::of(body)).await?;
    Ok(written.version.unwrap_or(VersionId::Null))
}

async fn delete_version(server: &Server, target: Target) -> Result<()> {
    let permit = server.write(kept("v")).await?;
    let request = Delete {
        target,
        ..Delete::default()
    };
    delete::delete(&permit, &key("v"), &request).await.map(drop)
}

/// The newest version of the object that has several.
async fn newest(server: &Server) -> Result<Target> {
    let permit = server.read("s3:GetObject", kept("v")).await?;
    let located = version::locate(&permit, &key("v"), Target::Current)?;
    Ok(Target::Version(VersionId::of(&located.stored)))
}

async fn hold(server: &Server) -> Result<()> {
    let permit = server.write(kept("v")).await?;
    lock::set_legal_hold(&permit, &key("v"), Target::Version(VersionId::Null), true)
        .await
        .map(drop)
}

/// An object with a null version, one that it superseded, and two with names.
async fn set_up_versions(server: &Server) -> Result<()> {
    make_bucket(server, "kept").await?;
    put_version(server, content(6, SMALL)).await?;
    put_version(server, content(7, LARGE)).await?;
    let permit = server.write(ResourcePath::Bucket(bucket_name("kept"))).await?;
    bucket::set_versioning(&permit, true).await?;
    let permit = server.write(ResourcePath::Bucket(bucket_name("kept"))).await?;
    lock::configure(&permit, None).await?;
    put_version(server, content(8, LARGE)).await?;
    put_version(server, content(10, SMALL)).await.map(drop)
}

fn copied(name: &str) -> ResourcePath {
    ResourcePath::Object(bucket_name("copied"), key(name))
}

/// A bucket whose versions and delete markers are to be copied, with one that waits for it.
async fn set_up_copied(server: &Server) -> Result<()> {
    make_bucket(server, "copied").await?;
    let permit = server.write(ResourcePath::Bucket(bucket_name("copied"))).await?;
    bucket::set_versioning(&permit, true).await?;
    let document = "<ReplicationConfiguration><Role/><Rule><ID>r</ID><Priority>1</Priority><Filter/><Status>Enabled</Status>\
        <Destination><Bucket>arn:aws:s3:::data</Bucket></Destination><DeleteMarkerReplication><Status>Enabled</Status>\
        </DeleteMarkerReplication></Rule></ReplicationConfiguration>";
    let permit = server.write(ResourcePath::Bucket(bucket_name("copied"))).await?;
    let change = ConfigurationChange::set(Subresource::Replication, Bytes::from(document));
    permit.configure(&[change]).await?;
    put_copied(server, content(11, SMALL)).await
}

async fn put_copied(server: &Server, body: Bytes) -> Result<()> {
    let permit = server.write(copied("c")).await?;
    put::put(&permit, &key("c"), Put::default(), Body::of(body))
        .await
        .map(drop)
}

/// The one open upload of a key, from what clients see.
async fn upload_of(server: &Server, name: &str) -> Result<UploadId> {
    let prefix = format!("data/{name} ");
    let view = server.view().await?;
    let id = view
        .keys()
        .find_map(|k| k.strip_prefix(&prefix))
        .and_then(|id| id.split(' ').next());
    UploadId::parse(id.expect("an upload is open"))
}

/// What is there before each operation.
async fn set_up(server: &Server) -> Result<()> {
    make_bucket(server, "data").await?;
    make_bucket(server, "empty").await?;
    put_object(server, "small", content(1, SMALL)).await?;
    put_object(server, "large", content(2, LARGE)).await?;
    let id = create_upload(server, "parts").await?;
    put_part(
        server,
        "parts",
        id,
        1,
        content(3, multipart::PART_BYTES_MIN as usize),
    )
    .await?;
    put_part(server, "parts", id, 2, content(4, SMALL)).await?;
    put_part(server, "parts", id, 3, content(5, LARGE)).await?;
    set_up_versions(server).await?;
    set_up_copied(server).await
}

/// Completes the open upload without its last part, which becomes garbage.
async fn complete(server: &Server) -> Result<()> {
    let id = upload_of(server, "parts").await?;
    let view = server.view().await?;
    let etag = |number| {
        view.get(&format!("data/parts {} {number}", id.to_text()))
            .cloned()
    };
    let part = |number| CompletedPart {
        number,
        etag: etag(number).expect("the part is there"),
        checksum: None,
    };
    let request = Complete {
        parts: vec![part(1), part(2)],
        ..Complete::default()
    };
    let permit = server.write(path("parts")).await?;
    multipart::complete(&permit, &key("parts"), id, &request)
        .await
        .map(drop)
}

async fn abort(server: &Server) -> Result<()> {
    let id = upload_of(server, "parts").await?;
    let permit = server.write(path("parts")).await?;
    multipart::abort(&permit, &key("parts"), id).await
}

async fn delete_object(server: &Server, name: &str) -> Result<()> {
    let permit = server.write(path(name)).await?;
    delete::delete(&permit, &key(name), &Delete::default())
        .await
        .map(drop)
}

/// A disk with the set-up, everything flushed.
fn prepared(runtime: &Arc<Runtime>) -> SimDisk {
    let disk = SimDisk::new();
    let server = Server::open(&disk, runtime, 1, "boot 1").expect("opens");
    runtime.block_on(async {
        set_up(&server).await.expect("a healthy disk");
        settle().await;
        server.gate.close().await.expect("closes");
    });
    let disk = disk.power_cut(0);
    server.drop();
    disk
}

/// A state as its clients see it, the writes in its ledger, and its files after a collection.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    view: View,
    writes: usize,
    files: usize,
}

/// Opens the disk and looks at everything.
fn state(disk: &SimDisk, runtime: &Arc<Runtime>, boot: &str) -> State {
    let server = Server::open(disk, runtime, 1_000_000, boot).expect("what was left opens");
    let state = runtime.block_on(async {
        let view = server.view().await.expect("what is there reads");
        let writes = server.writes().await.expect("the ledger verifies");
        server.collect().await.expect("a healthy disk collects");
        settle().await;
        assert_eq!(
            server.collect().await.expect("again"),
            0,
            "one collection is enough"
        );
        assert_eq!(
            server.view().await.expect("reads"),
            view,
            "a collection changes nothing that is seen"
        );
        State {
            view,
            writes,
            files: blob_files(disk),
        }
    });
    server.drop();
    state
}

struct Enumeration {
    runtime: Arc<Runtime>,
    base: SimDisk,
    operation: Operation,
    before: State,
    after: State,
    seeds: u64,
    looked: u64,
}

/// Runs `operation` to its end and cut at each operation of the disk.
fn enumerate(name: &str, operation: Operation) {
    let runtime = server::runtime();
    let base = prepared(&runtime);
    let disk = base.after_cut(0);
    let server = Server::open(&disk, &runtime, 2, "boot 2").expect("opens");
    let first = disk.operations().total;
    run(&server, operation).expect("a healthy disk");
    let operations = disk.operations().total - first;
    server.drop();
    let seeds = std::env::var("CRATON_CRASH_SEEDS").map_or(2, |s| s.parse().expect("a number"));
    let mut all = Enumeration {
        before: state(&base.after_cut(0), &runtime, "boot 3"),
        after: state(&disk, &runtime, "boot 3"),
        runtime,
        base,
        operation,
        seeds,
        looked: 0,
    };
    assert!(operations > 0, "{name} touches the disk");
    // The last one is not cut any more.
    for point in 1..=operations + 1 {
        all.cut_at(point);
    }
    println!("{name}: {operations} operations of the disk, {} ends", all.looked);
}

fn run(server: &Server, operation: Operation) -> Result<()> {
    server.runtime.block_on(async {
        let done = operation(server).await;
        settle().await;
        done
    })
}

impl Enumeration {
    fn cut_at(&mut self, point: u64) {
        let disk = self.base.after_cut(0);
        let server = Server::open(&disk, &self.runtime, 2, "boot 2").expect("opens");
        disk.kill_after(point);
        let done = run(&server, self.operation);
        for seed in 0..self.seeds {
            let left = disk.after_cut(seed);
            let state = state(&left, &self.runtime, "boot 3");
            self.check(point, done.is_ok(), &state, "power cut");
        }
        // The process alone is gone: what it wrote is there, flushed or not.
        disk.kill_after(0);
        server.drop();
        disk.heal();
        let left = state(&disk, &self.runtime, "boot 2");
        self.check(point, done.is_ok(), &left, "kill");
        // What was seen then is not lost later.
        let seen = state(&disk.after_cut(point), &self.runtime, "boot 3");
        assert_eq!(
            seen, left,
            "point {point}: seen after a kill and lost in a power cut"
        );
    }

    fn check(&mut self, point: u64, acknowledged: bool, state: &State, end: &str) {
        self.looked += 1;
        if *state == self.after || (*state == self.before && !acknowledged) {
            return;
        }
        panic!(
            "{end} at operation {point}, acknowledged: {acknowledged}\nbefore {:#?}\nafter {:#?}\nfound {state:#?}",
            self.before, self.after
        );
    }
}

macro_rules! operations {
    ($($name:ident: |$server:ident| $body:expr;)+) => {$(
        #[test]
        fn $name() {
            fn operation($server: &Server) -> Done<'_> {
                Box::pin(async move { $body.await })
            }
            enumerate(stringify!($name), operation);
        }
    )+};
}

operations! {
    put_of_a_small_object: |server| put_object(server, "new", content(9, SMALL));
    put_of_a_large_object: |server| put_object(server, "new", content(9, LARGE));
    put_of_a_larger_object: |server| put_object(server, "new", content(9, LARGER));
    put_of_a_small_over_a_large_object: |server| put_object(server, "large", content(9, SMALL));
    put_of_a_large_over_a_small_object: |server| put_object(server, "small", content(9, LARGE));
    beginning_an_upload: |server| async { create_upload(server, "new").await.map(drop) };
    a_new_part: |server| async {
        let id = upload_of(server, "parts").await?;
        put_part(server, "parts", id, 4, content(9, LARGE)).await.map(drop)
    };
    a_part_again: |server| async {
        let id = upload_of(server, "parts").await?;
        put_part(server, "parts", id, 3, content(9, LARGE)).await.map(drop)
    };
    completing_an_upload: |server| complete(server);
    aborting_an_upload: |server| abort(server);
    delete_of_a_small_object: |server| delete_object(server, "small");
    put_of_a_version: |server| async { put_version(server, content(9, LARGE)).await.map(drop) };
    delete_that_leaves_a_marker: |server| delete_version(server, Target::Current);
    removal_of_a_version: |server| async {
        let target = newest(server).await?;
        delete_version(server, target).await
    };
    removal_of_a_version_and_collection: |server| async {
        let target = newest(server).await?;
        delete_version(server, target).await?;
        server.collect().await.map(drop)
    };
    a_hold_on_a_version: |server| hold(server);
    keeping_versions_from_now_on: |server| async {
        let permit = server.write(ResourcePath::Bucket(bucket_name("empty"))).await?;
        bucket::set_versioning(&permit, true).await.map(drop)
    };
    delete_of_a_large_object: |server| delete_object(server, "large");
    putting_what_is_to_be_copied: |server| put_copied(server, content(12, LARGE));
    deleting_what_is_to_be_copied: |server| async {
        let permit = server.write(copied("c")).await?;
        delete::delete(&permit, &key("c"), &Delete::default()).await.map(drop)
    };
    delete_and_collection: |server| async {
        delete_object(server, "large").await?;
        server.collect().await.map(drop)
    };
    overwriting_and_collection: |server| async {
        put_object(server, "large", content(9, LARGE)).await?;
        server.collect().await.map(drop)
    };
    making_a_bucket: |server| make_bucket(server, "new");
    deleting_a_bucket: |server| async {
        let permit = server.write(ResourcePath::Bucket(bucket_name("empty"))).await?;
        bucket::delete(&permit).await
    };
    rotating_the_root_key: |server| async { Ok(server.gate.rotate_keys(&server.session).await.map(drop)?) };
    closing: |server| async { Ok(server.gate.close().await?) };
}

/// Opening is cut too: the first one, which makes everything, and one after a power cut.
#[test]
fn opening() {
    let runtime = server::runtime();
    let empty = SimDisk::new();
    let made = cut_openings(&empty, &runtime);
    let disk = prepared(&runtime);
    let server = Server::open(&disk, &runtime, 2, "boot 2").expect("opens");
    let done = run(&server, |server| {
        Box::pin(put_object(server, "new", content(9, LARGE)))
    });
    done.expect("a healthy disk");
    let left = disk.after_cut(1);
    server.drop();
    let reopened = cut_openings(&left, &runtime);
    println!("opening: {made} operations of the disk the first time, {reopened} after a power cut");
}

fn cut_openings(base: &SimDisk, runtime: &Arc<Runtime>) -> u64 {
    let disk = base.after_cut(0);
    let whole = state(&disk, runtime, "boot 3");
    let disk = base.after_cut(0);
    Server::open(&disk, runtime, 3, "boot 3").expect("opens").drop();
    let operations = disk.operations().total;
    for point in 1..=operations {
        let disk = base.after_cut(0);
        disk.kill_after(point);
        let opened = Server::open(&disk, runtime, 3, "boot 3");
        let cut = disk.after_cut(point);
        assert_eq!(
            state(&cut, runtime, "boot 4"),
            whole,
            "power cut at operation {point} of the opening"
        );
        disk.kill_after(0);
        opened.map(Server::drop).ok();
        disk.heal();
        assert_eq!(
            state(&disk, runtime, "boot 3"),
            whole,
            "kill at operation {point} of the opening"
        );
    }
    operations
}
