//! A gate on a simulated disk with one bucket, whose clients write in runs.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use craton_base::{BucketName, ByteSize, Clock as _, ObjectKey, Random, ResourcePath, Sequence, Timestamp};
use craton_gate::{
    Ask, Changed, Content, Gate, Kind, Origin, ReadPermit, RunSummary, Session, Settings, UndoWindow, Whose,
    WritePermit,
    tags::{Tag, Tags},
};
use craton_objects::{
    Result,
    body::Body,
    bucket,
    copy::{self, Copy},
    delete::{self, Delete},
    get::{self, ReadRequest},
    meta::{Attributes, ObjectMeta},
    past::{self, Era, Finding, Moment, Step},
    put::{self, About, Put},
    version::{Target, VersionId},
};
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{Options, Store};
use futures::StreamExt as _;

const BUCKET: &str = "data";
pub(crate) const KEYS: [&str; 5] = ["a", "b", "b/c", "d", "e"];

/// What clients see of each name: what is said of it, and its content.
pub(crate) type View = BTreeMap<String, (String, Vec<u8>)>;

pub(crate) struct Place {
    pub(crate) gate: Gate,
    pub(crate) clock: SimClock,
    root: Session,
}

fn path(key: &str) -> ResourcePath {
    ResourcePath::Object(name(), ObjectKey::new(key).expect("a key"))
}

fn name() -> BucketName {
    BucketName::new(BUCKET).expect("a name")
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new(key).expect("a key")
}

impl Place {
    pub(crate) fn open(seed: u64) -> Self {
        let clock = SimClock::default();
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(seed));
        let store = Store::open(Options {
            disk: Arc::new(SimDisk::new()),
            memory: ByteSize::mib(64),
            clock: Arc::new(clock.clone()),
            random,
            inline_commits: true,
        });
        let gate = Gate::open(store.expect("a new store opens"), Settings::default(), "b").expect("a gate");
        gate.ensure_root(|_| Ok(())).expect("root");
        let origin = Origin {
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
            time: clock.now(),
        };
        let root = gate.operator(origin).expect("root");
        Self { gate, clock, root }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn read(&self, path: ResourcePath) -> ReadPermit {
        let ask = Ask::new("Read", "s3:GetObjectVersion", path);
        self.gate.read(&self.root, ask).await.expect("root may")
    }

    async fn write(&self, run: &str, path: ResourcePath) -> WritePermit {
        let ask = Ask::new("Write", "s3:PutObject", path);
        let session = self.root.in_run(run);
        self.gate.write(&session, ask).await.expect("root may")
    }

    pub(crate) async fn make_bucket(&self) {
        let permit = self.write("setup", ResourcePath::Bucket(name())).await;
        bucket::create(&permit, false, &[]).await.expect("a new name");
    }

    pub(crate) async fn set_versioning(&self, keep: bool) {
        let permit = self.write("setup", ResourcePath::Bucket(name())).await;
        bucket::set_versioning(&permit, keep).await.expect("it is there");
    }

    pub(crate) async fn set_window(&self, window: Option<Duration>) {
        let permit = self.write("setup", ResourcePath::Bucket(name())).await;
        let change = UndoWindow::change(window).expect("not too long");
        permit.configure(&[change]).await.expect("it is there");
    }

    pub(crate) async fn put(&self, run: &str, to: &str, seed: u64, bytes: u64) -> Sequence {
        let content: Vec<u8> = (0..bytes).map(|n| (n ^ seed) as u8).collect();
        let permit = self.write(run, path(to)).await;
        let done = put::put(&permit, &key(to), Put::default(), Body::of(content.into())).await;
        done.expect("the disk works").sequence
    }

    pub(crate) async fn put_described(&self, run: &str, to: &str, bytes: usize) {
        let mut attributes = Attributes::default();
        attributes.headers.content_type = Some("text/plain".into());
        attributes.user.insert("of".into(), "me".into());
        let tag = Tag {
            key: "project".into(),
            value: "x".into(),
        };
        let about = About {
            attributes,
            tags: Tags { list: vec![tag] },
            ..About::default()
        };
        let request = Put {
            about,
            ..Put::default()
        };
        let permit = self.write(run, path(to)).await;
        let done = put::put(&permit, &key(to), request, Body::of(vec![1; bytes].into())).await;
        done.expect("the disk works");
    }

    pub(crate) async fn described(&self, of: &str) -> ObjectMeta {
        let permit = self.read(path(of)).await;
        let found = get::head(&permit, &key(of), &ReadRequest::default(), None);
        found.expect("it is there").meta
    }

    /// The commit of the oldest row of a name.
    pub(crate) async fn first_row(&self, of: &str) -> Sequence {
        let permit = self.read(path(of)).await;
        let rows = permit
            .history(Kind::Object, (of.as_bytes(), None), None, 100)
            .expect("the disk works");
        rows.last().expect("there is one").stored.sequence
    }

    pub(crate) async fn delete(&self, run: &str, of: &str) {
        let permit = self.write(run, path(of)).await;
        let done = delete::delete(&permit, &key(of), &Delete::default()).await;
        done.expect("the disk works");
    }

    pub(crate) async fn delete_version(&self, run: &str, of: &str, version: Sequence) {
        let permit = self.write(run, path(of)).await;
        let request = Delete {
            target: Target::Version(VersionId::Number(version)),
            ..Delete::default()
        };
        let done = delete::delete(&permit, &key(of), &request).await;
        done.expect("the disk works");
    }

    /// Copies, if there is something to copy.
    pub(crate) async fn copy(&self, run: &str, from: &str, to: &str) {
        if from == to {
            return;
        }
        let source = self.read(path(from)).await;
        let permit = self.write(run, path(to)).await;
        // What is not there can not be copied, and that is all.
        drop(copy::copy(&source, &key(from), &permit, &key(to), Copy::default()).await);
    }

    pub(crate) async fn view(&self) -> View {
        let mut view = View::new();
        for of in KEYS {
            let permit = self.read(path(of)).await;
            let Ok((found, content)) = get::get(&permit, &key(of), &ReadRequest::default(), None).await
            else {
                continue;
            };
            let content = match content {
                Content::Whole(bytes) => bytes.to_vec(),
                Content::Stream(mut stream) => {
                    let mut out = Vec::new();
                    while let Some(piece) = stream.next().await {
                        out.extend_from_slice(&piece.expect("it verifies"));
                    }
                    out
                }
            };
            let said = format!(
                "{} {:?} {:?}",
                found.meta.etag(),
                found.meta.attributes,
                found.meta.tags
            );
            view.insert(of.to_owned(), (said, content));
        }
        view
    }

    /// How many rows all names have.
    pub(crate) async fn rows(&self) -> usize {
        let mut rows = 0;
        for of in KEYS {
            let permit = self.read(path(of)).await;
            let end = [of.as_bytes(), &[0]].concat();
            let found = permit.history(Kind::Object, (of.as_bytes(), Some(&end)), None, 1000);
            rows += found.expect("the disk works").len();
        }
        rows
    }

    async fn run(&self, run: &str) -> Option<RunSummary> {
        self.gate.run_info(&self.root, "root", run).await.ok()
    }

    pub(crate) async fn changed(&self, run: &str) -> Vec<Changed> {
        let Some(run) = self.run(run).await else {
            return Vec::new();
        };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            // Small pages, so that going on is tried too.
            let page = self
                .gate
                .run_changes(&self.root, &run, after.as_deref(), 2)
                .await
                .expect("the disk works");
            assert_eq!(page.hidden, 0);
            all.extend(page.changed);
            match page.next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
    }

    pub(crate) async fn find(&self, run: &str, of: &str) -> Finding {
        let resource = path(of).to_string();
        let changed = self.changed(run).await;
        let changed = changed.iter().find(|changed| changed.resource == resource);
        let versions = &changed.expect("the run changed it").versions;
        let undoing = format!("undo-{run}");
        let whose = |version| {
            Ok(if self.gate.is_of_run(("root", run), &resource, version)? {
                Whose::Run
            } else if self.gate.is_of_run(("root", &undoing), &resource, version)? {
                Whose::Undoing
            } else {
                Whose::Another
            })
        };
        let permit = self.read(path(of)).await;
        let era = Era::of(&permit).expect("the disk works");
        past::before_run(&permit, &key(of), era, versions, whose).expect("the disk works")
    }

    pub(crate) async fn take(&self, run: &str, of: &str, step: &Step) -> Result<Sequence> {
        let read = self.read(path(of)).await;
        let write = self.write(run, path(of)).await;
        step.take(&read, &write, &key(of)).await
    }

    /// Undoes a run; how much there was to do.
    pub(crate) async fn undo(&self, run: &str) -> usize {
        let mut steps = 0;
        for changed in self.changed(run).await {
            let of = changed.resource.rsplit_once("/objects/").expect("an object").1;
            if let Finding::Step(step) = self.find(run, of).await {
                self.take(&format!("undo-{run}"), of, &step)
                    .await
                    .expect("nobody else writes");
                steps += 1;
            }
        }
        steps
    }

    pub(crate) async fn as_of(&self, of: &str, time: Timestamp) -> Result<Finding> {
        let permit = self.read(path(of)).await;
        past::as_of(&permit, &key(of), Moment::at(&permit, time)?)
    }

    /// Goes back to a time; how much there was to do.
    pub(crate) async fn restore(&self, time: Timestamp) -> usize {
        let mut steps = 0;
        for of in KEYS {
            let found = self.as_of(of, time).await.expect("the window has not passed");
            if let Finding::Step(step) = found {
                self.take("restore", of, &step).await.expect("nobody else writes");
                steps += 1;
            }
        }
        steps
    }
}
