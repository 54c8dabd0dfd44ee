//! The whole way through the gate on a real folder: identity, decision, permit, data, record.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on a folder of its own"
)]

mod folder;

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use craton_base::{BucketName, Kind as ErrorKind, ObjectKey, ResourcePath};
use craton_gate::{
    Ask, BucketSettings, Changes, ConfigurationChange, Content, Gate, Holder, HolderKind, Kind, LeasedPath,
    NewAccessKey, NewEntity, Ownership, PublicAccessBlock, ReadPermit, Session, Subresource, Value,
    WritePermit,
    identify::{
        Service,
        sign::{Body, Signer},
    },
    ledger::{Filter, RecordKind},
};
use folder::{Folder, origin};
use futures::StreamExt;

fn signer(key: &NewAccessKey) -> Signer {
    Signer {
        access_key_id: key.id.clone(),
        secret: key.secret.clone(),
        session_token: None,
        region: "us-east-1".into(),
        service: Service::S3,
    }
}

fn session(gate: &Gate, key: &NewAccessKey) -> Session {
    let (mut parts, ()) = http::Request::get("http://localhost/data")
        .body(())
        .unwrap()
        .into_parts();
    parts.headers.insert("host", "localhost".parse().unwrap());
    signer(key)
        .sign(&mut parts, &Body::of(b""), origin().time)
        .unwrap();
    gate.identify(&parts, origin()).unwrap().session
}

fn bucket() -> BucketName {
    BucketName::new("data").unwrap()
}

fn object(key: &str) -> ResourcePath {
    ResourcePath::Object(bucket(), ObjectKey::new(key).unwrap())
}

async fn make_bucket(gate: &Gate, root: &Session) {
    let ask = Ask::new("CreateBucket", "s3:CreateBucket", ResourcePath::Bucket(bucket()));
    gate.write(root, ask)
        .await
        .unwrap()
        .create_bucket(BucketSettings::default(), &[])
        .await
        .unwrap();
}

async fn put(gate: &Gate, session: &Session, key: &str, content: Bytes) {
    let permit = gate
        .write(session, Ask::new("PutObject", "s3:PutObject", object(key)))
        .await
        .unwrap();
    let name = key.as_bytes();
    let extent = if content.len() <= WritePermit::INLINE_BYTES_MAX {
        permit.inline(name, &content).unwrap()
    } else {
        let mut upload = permit.upload(name).await.unwrap();
        upload.write(content).await.unwrap();
        upload.finish().await.unwrap()
    };
    let value = Value {
        meta: Bytes::from_static(b"meta"),
        content: vec![extent],
        ..Value::default()
    };
    permit
        .commit(Changes::new().put(Kind::Object, name.to_vec(), value))
        .await
        .unwrap();
}

async fn get(gate: &Gate, session: &Session, key: &str) -> Option<Vec<u8>> {
    let permit = gate
        .read(session, Ask::new("GetObject", "s3:GetObject", object(key)))
        .await
        .unwrap();
    let stored = permit.entry(Kind::Object, key.as_bytes()).unwrap()?;
    let mut out = Vec::new();
    match permit.content(&stored, 0..stored.value.len()).unwrap() {
        Content::Whole(bytes) => out.extend_from_slice(&bytes),
        Content::Stream(mut stream) => {
            while let Some(piece) = stream.next().await {
                out.extend_from_slice(&piece.unwrap());
            }
        }
    }
    Some(out)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_read_after_a_restart_and_recorded() {
    let folder = Folder::new("restart");
    let large: Bytes = (0..3_000_000u32)
        .map(|i| (i % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    let key = {
        let gate = folder.open();
        let key = gate.ensure_root(|_| Ok(())).unwrap().unwrap();
        gate.start().unwrap();
        let root = session(&gate, &key);
        make_bucket(&gate, &root).await;
        put(&gate, &root, "small", Bytes::from_static(b"hello")).await;
        put(&gate, &root, "large", large.clone()).await;
        gate.close().await.unwrap();
        key
    };
    let gate = folder.open();
    assert!(gate.ensure_root(|_| Ok(())).unwrap().is_none());
    let root = session(&gate, &key);
    assert_eq!(get(&gate, &root, "small").await.unwrap(), b"hello");
    assert_eq!(get(&gate, &root, "large").await.unwrap(), large);
    assert_eq!(get(&gate, &root, "absent").await, None);
    let report = gate.audit_verify(&root, None).await.unwrap();
    assert!(report.records >= 8, "{report:?}");
    let listing = gate
        .audit_list(
            &root,
            Filter {
                bucket: Some("data".into()),
                ..Filter::default()
            },
        )
        .await
        .unwrap();
    let writes = listing
        .entries
        .iter()
        .filter_map(|e| e.record.as_ref())
        .filter(|r| r.kind() == RecordKind::Write);
    assert_eq!(writes.count(), 3);
}

/// What the ledger holds of an operation, oldest first: the kind, the result, the bytes.
async fn recorded(gate: &Gate, root: &Session, operation: &str) -> Vec<(RecordKind, String, u64)> {
    let listing = gate.audit_list(root, Filter::default()).await.unwrap();
    let records = listing.entries.into_iter().rev().filter_map(|e| e.record);
    let ours = records.filter(|r| r.operation == operation);
    ours.map(|r| (r.kind(), r.result.clone(), r.bytes)).collect()
}

async fn once(gate: &Gate, root: &Session, operation: &'static str, key: &str) -> ReadPermit {
    let ask = Ask::new(operation, "s3:GetObject", object(key));
    gate.read_once(root, ask).await.unwrap()
}

fn said(kind: RecordKind, result: &str, bytes: u64) -> (RecordKind, String, u64) {
    (kind, result.to_owned(), bytes)
}

async fn with_objects(folder: &Folder) -> (Gate, Session) {
    let gate = folder.open();
    let key = gate.ensure_root(|_| Ok(())).unwrap().unwrap();
    gate.start().unwrap();
    let root = session(&gate, &key);
    make_bucket(&gate, &root).await;
    put(&gate, &root, "small", Bytes::from_static(b"hello")).await;
    put(&gate, &root, "large", vec![7; 1 << 20].into()).await;
    (gate, root)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_at_once_is_one_record_before_its_content_is_handed_out() {
    use RecordKind::{Decision, Outcome};

    let folder = Folder::new("once");
    let (gate, root) = with_objects(&folder).await;

    let permit = once(&gate, &root, "Whole", "small").await;
    let stored = permit.entry(Kind::Object, b"small").unwrap().unwrap();
    assert_eq!(recorded(&gate, &root, "Whole").await, []);
    let content = permit.content(&stored, 0..5).unwrap();
    assert!(matches!(content, Content::Whole(bytes) if &*bytes == b"hello"));
    let whole = [said(Decision, "ok", 5)];
    assert_eq!(
        recorded(&gate, &root, "Whole").await,
        whole,
        "while the permit lives"
    );
    permit.ending().tell().unwrap();
    drop(permit);
    assert_eq!(
        recorded(&gate, &root, "Whole").await,
        whole,
        "and nothing follows"
    );

    let permit = once(&gate, &root, "Absent", "absent").await;
    permit.failed(ErrorKind::NotFound, "NoSuchKey");
    permit.ending().tell().unwrap();
    let absent = [said(Decision, "not-found", 0)];
    assert_eq!(recorded(&gate, &root, "Absent").await, absent);
    drop(once(&gate, &root, "Dropped", "small").await);
    let dropped = [said(Decision, "ok", 0)];
    assert_eq!(recorded(&gate, &root, "Dropped").await, dropped);

    let permit = once(&gate, &root, "Late", "small").await;
    let stored = permit.entry(Kind::Object, b"small").unwrap().unwrap();
    drop(permit.content(&stored, 0..5).unwrap());
    permit.ending().failed(ErrorKind::Internal, "InternalError");
    drop(permit);
    gate.audit_verify(&root, None).await.unwrap();
    let late = [said(Decision, "ok", 5), said(Outcome, "internal", 5)];
    assert_eq!(
        recorded(&gate, &root, "Late").await,
        late,
        "a failure after it was recorded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_in_pieces_is_decided_before_the_first_and_ends_after_the_last() {
    use RecordKind::{Decision, Outcome};

    let folder = Folder::new("pieces");
    let (gate, root) = with_objects(&folder).await;
    let permit = once(&gate, &root, "Stream", "large").await;
    let stored = permit.entry(Kind::Object, b"large").unwrap().unwrap();
    let Content::Stream(mut stream) = permit.content(&stored, 0..1 << 20).unwrap() else {
        panic!("a megabyte is no inline content");
    };
    drop(permit);
    let decided = [said(Decision, "", 0)];
    assert_eq!(recorded(&gate, &root, "Stream").await, decided);
    while let Some(piece) = stream.next().await {
        piece.unwrap();
    }
    drop(stream);
    gate.audit_verify(&root, None).await.unwrap();
    let both = [said(Decision, "", 0), said(Outcome, "ok", 1 << 20)];
    assert_eq!(recorded(&gate, &root, "Stream").await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_denied_then_allowed_then_revoked() {
    let folder = Folder::new("users");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    put(&gate, &root, "public/a", Bytes::from_static(b"a")).await;
    let user = Holder::new(HolderKind::User, "agent");
    gate.create_entity(&root, &user, NewEntity::default())
        .await
        .unwrap();
    let key = gate.create_access_key(&root, "agent").await.unwrap();
    let agent = session(&gate, &key);
    let ask = || Ask::new("GetObject", "s3:GetObject", object("public/a"));
    let denied = gate.read(&agent, ask()).await.err().unwrap();
    assert_eq!(
        (denied.kind(), denied.reason()),
        (ErrorKind::Denied, "AccessDenied")
    );

    let document = br#"{"Version":"2012-10-17","Statement":[{"Sid":"read","Effect":"Allow",
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::data/public/*"}]}"#;
    gate.put_policy(&root, &user, "reader", Bytes::from_static(document))
        .await
        .unwrap();
    let agent = session(&gate, &key);
    assert_eq!(get(&gate, &agent, "public/a").await.unwrap(), b"a");
    let write = gate
        .write(&agent, Ask::new("PutObject", "s3:PutObject", object("public/a")))
        .await;
    assert_eq!(write.err().unwrap().kind(), ErrorKind::Denied);
    assert_eq!(
        gate.list_entities(&agent, HolderKind::User, "/", None, 10)
            .await
            .err()
            .unwrap()
            .kind(),
        ErrorKind::Denied
    );

    gate.delete_access_key(&root, "agent", &key.id).await.unwrap();
    let (mut parts, ()) = http::Request::get("http://localhost/data")
        .body(())
        .unwrap()
        .into_parts();
    parts.headers.insert("host", "localhost".parse().unwrap());
    signer(&key)
        .sign(&mut parts, &Body::of(b""), origin().time)
        .unwrap();
    assert_eq!(
        gate.identify(&parts, origin()).err().unwrap().reason(),
        "InvalidAccessKeyId"
    );

    let filter = Filter {
        kind: Some(RecordKind::Denial),
        ..Filter::default()
    };
    let denials = gate.audit_list(&root, filter).await.unwrap();
    assert_eq!(denials.entries.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_reaches_only_its_own_path() {
    let folder = Folder::new("scope");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    put(&gate, &root, "a", Bytes::from_static(b"a")).await;
    put(&gate, &root, "b", Bytes::from_static(b"b")).await;
    let read = gate
        .read(&root, Ask::new("GetObject", "s3:GetObject", object("a")))
        .await
        .unwrap();
    let own = read.entry(Kind::Object, b"a").unwrap().unwrap();
    assert_eq!(
        read.entry(Kind::Object, b"b").err().unwrap().reason(),
        "OutsidePermit"
    );
    assert_eq!(
        read.entry(Kind::AccessKey, b"a").err().unwrap().reason(),
        "OutsidePermit"
    );
    let other = gate
        .read(&root, Ask::new("GetObject", "s3:GetObject", object("b")))
        .await
        .unwrap();
    assert!(other.content(&own, 0..1).is_err(), "an entry of another path");
    let write = gate
        .write(&root, Ask::new("PutObject", "s3:PutObject", object("a")))
        .await
        .unwrap();
    let outside = Changes::new().put(Kind::Object, b"b".to_vec(), Value::default());
    assert_eq!(
        write.commit(outside).await.err().unwrap().reason(),
        "OutsidePermit"
    );
    assert_eq!(get(&gate, &root, "b").await.unwrap(), b"b");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_uploads_that_were_given_up() {
    let folder = Folder::new("given-up");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    {
        let permit = gate
            .write(&root, Ask::new("PutObject", "s3:PutObject", object("x")))
            .await
            .unwrap();
        let mut upload = permit.upload(b"x").await.unwrap();
        upload.write(Bytes::from(vec![7; 2_000_000])).await.unwrap();
        drop(upload);
        let mut upload = permit.upload(b"x").await.unwrap();
        upload.write(Bytes::from(vec![7; 2_000_000])).await.unwrap();
        let extent = upload.finish().await.unwrap();
        let value = Value {
            meta: Bytes::new(),
            content: vec![extent],
            ..Value::default()
        };
        let refused = Changes::new().expect_at(Kind::Object, b"x".to_vec(), craton_base::Sequence(1));
        let error = permit
            .commit(refused.put(Kind::Object, b"x".to_vec(), value))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Precondition);
    }
    let mut left = usize::MAX;
    for _ in 0..200 {
        left = blob_files(&folder);
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(left, 0);
    assert_eq!(gate.collect().await.unwrap().orphans, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_change_together_end_together_if_nobody_waits() {
    let folder = Folder::new("together");
    let (gate, root) = with_objects(&folder).await;
    let changed = async |key: &'static str| {
        let ask = Ask::new("Together", "s3:PutObject", object(key));
        let permit = gate.write(&root, ask).await.unwrap();
        let value = Value {
            content: vec![permit.inline(key.as_bytes(), b"1").unwrap()],
            ..Value::default()
        };
        let changes = Changes::new().put(Kind::Object, key.as_bytes().to_vec(), value);
        (permit, changes)
    };
    let ((one, first), (other, second)) = (changed("a").await, changed("b").await);
    let others = [(&other, second)];
    {
        // Begun, and then not waited for.
        let mut commit = pin!(one.commit_with_others(&first, &others));
        assert!(futures::poll!(commit.as_mut()).is_pending());
    }
    drop((one, other));
    let written = [said(RecordKind::Write, "ok", 1), said(RecordKind::Write, "ok", 1)];
    for _ in 0..200 {
        if recorded(&gate, &root, "Together").await.len() >= written.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        recorded(&gate, &root, "Together").await,
        written,
        "and none was abandoned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_given_back_is_free_if_nobody_waits() {
    let folder = Folder::new("given-back");
    let (gate, root) = with_objects(&folder).await;
    let paths = || {
        vec![LeasedPath {
            path: object("small"),
            exclusive: true,
        }]
    };
    let take = async || gate.acquire_lease(&root, paths(), 600, String::new()).await;
    let lease = take().await.unwrap();
    assert_eq!(take().await.unwrap_err().reason(), "Borrowed");
    {
        // Begun, and then not waited for.
        let mut release = pin!(gate.release_lease(&root, &lease.id));
        assert!(futures::poll!(release.as_mut()).is_pending());
    }
    let mut again = take().await;
    for _ in 0..200 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = take().await;
    }
    assert!(again.unwrap().token > lease.token);
}

fn anonymous(gate: &Gate) -> Session {
    let (parts, ()) = http::Request::get("http://localhost/data/a")
        .body(())
        .unwrap()
        .into_parts();
    gate.identify(&parts, origin()).unwrap().session
}

async fn about_bucket(gate: &Gate, session: &Session, action: &'static str) -> WritePermit {
    let ask = Ask::new("Configure", action, ResourcePath::Bucket(bucket()));
    gate.write(session, ask).await.unwrap()
}

async fn may_read(gate: &Gate, session: &Session, key: &str) -> bool {
    let ask = Ask::new("GetObject", "s3:GetObject", object(key));
    gate.read(session, ask).await.is_ok()
}

const PUBLIC: &[u8] = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
    "Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}"#;

const DENY_ALL: &[u8] = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
    "Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_s_policy_counts_for_the_next_request_and_blocks_of_public_access_before_it() {
    let folder = Folder::new("bucket-policy");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    put(&gate, &root, "a", Bytes::from_static(b"a")).await;
    let nobody = anonymous(&gate);
    assert!(!may_read(&gate, &nobody, "a").await);

    let policy = |document: &'static [u8]| {
        let (gate, root) = (gate.clone(), root.clone());
        async move {
            let permit = about_bucket(&gate, &root, "s3:PutBucketPolicy").await;
            permit.set_policy(Bytes::from_static(document), false).await
        }
    };
    let configure = |change: ConfigurationChange| {
        let (gate, root) = (gate.clone(), root.clone());
        async move {
            let permit = about_bucket(&gate, &root, "s3:PutBucketPublicAccessBlock").await;
            permit.configure(&[change]).await.unwrap();
        }
    };
    configure(ConfigurationChange::public_access_block(PublicAccessBlock::ALL)).await;
    assert_eq!(policy(PUBLIC).await.unwrap_err().reason(), "AccessDenied");
    configure(ConfigurationChange::remove(Subresource::PublicAccessBlock)).await;
    policy(PUBLIC).await.unwrap();
    assert!(may_read(&gate, &nobody, "a").await);
    configure(ConfigurationChange::public_access_block(PublicAccessBlock {
        restrict_public_buckets: true,
        ..PublicAccessBlock::default()
    }))
    .await;
    assert!(!may_read(&gate, &nobody, "a").await);
    assert!(may_read(&gate, &root, "a").await);
    assert_eq!(policy(b"{}").await.unwrap_err().reason(), "MalformedPolicy");

    // Even the account's root is under a deny, but for what undoes it.
    policy(DENY_ALL).await.unwrap();
    assert!(!may_read(&gate, &root, "a").await);
    let remove = about_bucket(&gate, &root, "s3:DeleteBucketPolicy").await;
    remove
        .configure(&[ConfigurationChange::remove(Subresource::Policy)])
        .await
        .unwrap();
    assert!(may_read(&gate, &root, "a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_lock_themselves_out_must_say_so() {
    let folder = Folder::new("lock-out");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    let user = Holder::new(HolderKind::User, "owner");
    gate.create_entity(&root, &user, NewEntity::default())
        .await
        .unwrap();
    let key = gate.create_access_key(&root, "owner").await.unwrap();
    let document =
        br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    gate.put_policy(&root, &user, "all", Bytes::from_static(document))
        .await
        .unwrap();
    let owner = session(&gate, &key);
    let permit = about_bucket(&gate, &owner, "s3:PutBucketPolicy").await;
    let refused = permit.set_policy(Bytes::from_static(DENY_ALL), false).await;
    assert_eq!(refused.unwrap_err().reason(), "AccessDenied");
    permit
        .set_policy(Bytes::from_static(DENY_ALL), true)
        .await
        .unwrap();
    let ask = Ask::new(
        "PutBucketPolicy",
        "s3:PutBucketPolicy",
        ResourcePath::Bucket(bucket()),
    );
    assert!(gate.write(&owner, ask.clone()).await.is_err());
    assert!(gate.write(&root, ask).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn configuring_a_bucket_does_not_disturb_what_is_written_meanwhile() {
    let folder = Folder::new("undisturbed");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    let permit = gate
        .write(&root, Ask::new("PutObject", "s3:PutObject", object("a")))
        .await
        .unwrap();
    let other = about_bucket(&gate, &root, "s3:PutBucketTagging").await;
    for n in 0..3 {
        let tags = ConfigurationChange::set(Subresource::Tagging, format!("<Tagging>{n}</Tagging>"));
        other.configure(&[tags]).await.unwrap();
    }
    let value = Value::of_meta(Bytes::from_static(b"meta"));
    permit
        .commit(Changes::new().put(Kind::Object, b"a".to_vec(), value))
        .await
        .unwrap();

    let now = about_bucket(&gate, &root, "s3:GetBucketTagging").await;
    let tags = now.configuration(Subresource::Tagging).unwrap().unwrap();
    assert_eq!(tags.document(), &b"<Tagging>2</Tagging>"[..]);
    assert_eq!(now.bucket_access().unwrap().ownership(), Ownership::ObjectWriter);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_configurations_are_listed_in_pages_and_go_with_their_bucket() {
    let folder = Folder::new("several");
    let gate = folder.open();
    let root = session(&gate, &gate.ensure_root(|_| Ok(())).unwrap().unwrap());
    make_bucket(&gate, &root).await;
    let permit = about_bucket(&gate, &root, "s3:PutMetricsConfiguration").await;
    let set =
        |n: usize| ConfigurationChange::set_named(Subresource::Metrics, &format!("id-{n:03}"), n.to_string());
    let changes: Vec<_> = (0..300).map(set).collect();
    permit.configure(&changes).await.unwrap();
    let inventory = ConfigurationChange::set_named(Subresource::Inventory, "id-000", "other");
    permit.configure(&[inventory]).await.unwrap();
    let ids = |after: Option<&str>, limit| -> Vec<String> {
        let found = permit
            .named_configurations(Subresource::Metrics, after, limit)
            .unwrap();
        found.into_iter().map(|n| n.id).collect()
    };
    assert_eq!(ids(None, 1000).len(), 300);
    assert_eq!(ids(Some("id-298"), 10), ["id-299"]);
    assert_eq!(ids(Some("id-009"), 2), ["id-010", "id-011"]);
    let one = permit
        .named_configuration(Subresource::Metrics, "id-007")
        .unwrap()
        .unwrap();
    assert_eq!(one.document(), &b"7"[..]);
    permit
        .configure(&[ConfigurationChange::remove_named(Subresource::Metrics, "id-007")])
        .await
        .unwrap();
    assert!(
        permit
            .named_configuration(Subresource::Metrics, "id-007")
            .unwrap()
            .is_none()
    );

    let delete = about_bucket(&gate, &root, "s3:DeleteBucket").await;
    delete.delete_bucket().await.unwrap();
    let gone = permit.configure(&[set(1)]).await;
    assert_eq!(gone.unwrap_err().reason(), "NoSuchBucket");
    make_bucket(&gate, &root).await;
    let again = about_bucket(&gate, &root, "s3:GetMetricsConfiguration").await;
    assert!(
        again
            .named_configurations(Subresource::Metrics, None, 10)
            .unwrap()
            .is_empty()
    );
}

fn blob_files(folder: &Folder) -> usize {
    let folders = std::fs::read_dir(folder.0.join("blobs")).unwrap();
    folders
        .map(|f| std::fs::read_dir(f.unwrap().path()).unwrap().count())
        .sum()
}
