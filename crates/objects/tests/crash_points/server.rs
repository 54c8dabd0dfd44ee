//! A gate on a simulated disk, and what its clients see.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{BucketName, ByteSize, ObjectKey, Random, ResourcePath, Result as BaseResult};
use craton_gate::{
    Ask, Content, Gate, Origin, ReadPermit, Session, Settings, WritePermit,
    ledger::{Filter, RecordKind},
};
use craton_objects::{
    Result, bucket,
    checksum::{self, Algorithm},
    get::{self, ReadRequest},
    list::{self, ListedVersion, VersionsListing, What},
    meta::ObjectMeta,
    multipart::{self, UploadId, UploadsListing},
    version::{Target, VersionId},
};
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{Options, Store};
use futures::StreamExt as _;
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Server {
    pub(crate) gate: Gate,
    pub(crate) session: Session,
    pub(crate) runtime: Arc<Runtime>,
    clock: SimClock,
}

/// What clients see: names and what is behind each.
pub(crate) type View = BTreeMap<String, String>;

/// One blocking thread, so that what runs there runs in one order.
pub(crate) fn runtime() -> Arc<Runtime> {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_time()
        .build();
    Arc::new(runtime.expect("a runtime"))
}

fn origin() -> Origin {
    Origin {
        door: "s3",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "R1".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: craton_base::Clock::now(&SimClock::default()),
    }
}

impl Server {
    /// Opens what is on the disk. `seed` is of its randomness, `boot` names the run of the machine.
    pub(crate) fn open(disk: &SimDisk, runtime: &Arc<Runtime>, seed: u64, boot: &str) -> BaseResult<Self> {
        let _in_runtime = runtime.enter();
        let clock = SimClock::default();
        // Later than what the run before wrote.
        clock.advance(Duration::from_secs(seed));
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(seed));
        let store = Store::open(Options {
            disk: Arc::new(disk.clone()),
            memory: ByteSize::mib(64),
            clock: Arc::new(clock.clone()),
            random,
            inline_commits: true,
        })?;
        let settings = Settings {
            undo_window: Duration::ZERO,
            ..Settings::default()
        };
        let gate = Gate::open(store, settings, boot)?;
        gate.ensure_root(|_| Ok(()))?;
        let session = gate.operator(origin())?;
        Ok(Self {
            gate,
            session,
            runtime: runtime.clone(),
            clock,
        })
    }

    /// Lets go of it, and waits for what that leaves to the background.
    pub(crate) fn drop(self) {
        let runtime = self.runtime.clone();
        runtime.block_on(async move {
            drop(self);
            settle().await;
        });
    }

    pub(crate) async fn read(&self, action: &'static str, path: ResourcePath) -> Result<ReadPermit> {
        Ok(self
            .gate
            .read(&self.session, Ask::new("Read", action, path))
            .await?)
    }

    pub(crate) async fn write(&self, path: ResourcePath) -> Result<WritePermit> {
        Ok(self
            .gate
            .write(&self.session, Ask::new("Write", "s3:PutObject", path))
            .await?)
    }

    /// Collects everything that is superseded now; how many things that were.
    pub(crate) async fn collect(&self) -> Result<u64> {
        self.clock.advance(Duration::from_secs(1));
        let collected = self.gate.collect().await?;
        Ok(collected.versions + collected.garbage + collected.orphans)
    }

    pub(crate) async fn view(&self) -> Result<View> {
        let mut view = View::new();
        view.insert("/queue".to_owned(), self.gate.copies_waiting()?.to_string());
        let permit = self.read("s3:ListAllMyBuckets", ResourcePath::Root).await?;
        for info in bucket::list(&permit, bucket::Wanted::default(), None, 100)?.buckets {
            self.view_bucket(&info.name, &mut view).await?;
            view.insert(info.name.to_string(), info.owner);
        }
        Ok(view)
    }

    async fn view_bucket(&self, name: &BucketName, view: &mut View) -> Result<()> {
        let permit = self
            .read("s3:ListBucket", ResourcePath::Bucket(name.clone()))
            .await?;
        let listing = VersionsListing {
            limit: 1000,
            ..VersionsListing::default()
        };
        for listed in list::list_versions(&permit, &listing).await?.versions {
            let what = match &listed.what {
                What::Marker(meta) => {
                    let status = meta.replication.as_ref().and_then(|record| record.status());
                    format!("{} {status:?}", meta.owner)
                }
                What::Object(meta) => self.summary(name, &listed, meta).await?,
            };
            let current = if listed.latest { "" } else { " older" };
            view.insert(format!("{name}/{} {:?}", listed.key, listed.id), what + current);
        }
        let listing = UploadsListing {
            limit: 1000,
            ..UploadsListing::default()
        };
        for upload in multipart::list_uploads(&permit, &listing).await?.uploads {
            let path = format!("{name}/{} {}", upload.key, upload.id.to_text());
            for part in self.parts(name, &upload.key, upload.id).await? {
                view.insert(format!("{path} {}", part.number), hex::encode(part.meta.md5));
            }
            view.insert(path, upload.meta.initiator);
        }
        Ok(())
    }

    async fn parts(
        &self,
        bucket: &BucketName,
        key: &str,
        id: UploadId,
    ) -> Result<Vec<multipart::ListedPart>> {
        let key = ObjectKey::new(key)?;
        let path = ResourcePath::Object(bucket.clone(), key.clone());
        let permit = self.read("s3:ListMultipartUploadParts", path).await?;
        Ok(multipart::list_parts(&permit, &key, id, 0, 1000)?.parts)
    }

    async fn summary(
        &self,
        bucket: &BucketName,
        listed: &ListedVersion,
        meta: &ObjectMeta,
    ) -> Result<String> {
        let content = self.content(bucket, &listed.key, listed.id).await?;
        let sum = hex::encode(checksum::of(Algorithm::Sha256, &content));
        assert_eq!(content.len() as u64, meta.size);
        let held = meta.lock.and_then(|lock| lock.legal_hold);
        let status = meta.replication.as_ref().and_then(|record| record.status());
        Ok(format!("{} {sum} {held:?} {status:?}", meta.etag()))
    }

    async fn content(&self, bucket: &BucketName, key: &str, id: VersionId) -> Result<Bytes> {
        let key = ObjectKey::new(key)?;
        let path = ResourcePath::Object(bucket.clone(), key.clone());
        let permit = self.read("s3:GetObject", path).await?;
        let wanted = ReadRequest {
            target: Target::Version(id),
            ..ReadRequest::default()
        };
        let (_, content) = get::get(&permit, &key, &wanted, None).await?;
        match content {
            Content::Whole(bytes) => Ok(bytes),
            Content::Stream(mut stream) => {
                let mut out = Vec::new();
                while let Some(piece) = stream.next().await {
                    out.extend_from_slice(&piece?);
                }
                Ok(out.into())
            }
        }
    }

    /// Verifies the ledger; how many writes are in it.
    pub(crate) async fn writes(&self) -> Result<usize> {
        self.gate.audit_verify(&self.session, None).await?;
        let filter = Filter {
            kind: Some(RecordKind::Write),
            ..Filter::default()
        };
        let listing = self.gate.audit_list(&self.session, filter).await?;
        assert!(listing.next.is_none());
        Ok(listing.entries.len())
    }
}

/// Waits until nothing runs in the background: tasks, and what they and dropped values gave to the one
/// blocking thread, which takes one thing after the other.
pub(crate) async fn settle() {
    loop {
        tokio::task::spawn_blocking(|| ())
            .await
            .expect("the thread lives");
        if tokio::runtime::Handle::current().metrics().num_alive_tasks() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(|| ())
        .await
        .expect("the thread lives");
}

/// How many blobs are on the disk.
pub(crate) fn blob_files(disk: &SimDisk) -> usize {
    disk.files()
        .iter()
        .filter(|path| path.starts_with("blobs/"))
        .count()
}
