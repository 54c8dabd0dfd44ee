//! The S3 door through a real gate on a real folder, in this process: no sockets, no simulation. It stands here
//! because no door may name the store, not even for its tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on a folder of its own"
)]

mod world;

use std::time::Duration;

use serde_json::json;
use world::{Client, World, now, signed};

type Headers<'a> = &'a [(&'a str, &'a str)];
type Fields = Vec<(&'static str, String)>;

fn large() -> Vec<u8> {
    (0..3_000_000_u32).map(|i| (i % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_and_go() {
    let world = World::new("objects").await;
    let (root, large) = (&world.root, large());
    let headers = [("content-type", "text/plain"), ("x-amz-meta-a", "b")];
    let put = world
        .send(root, "PUT", "/data/a/small", &headers, b"hello")
        .await
        .is(200);
    world
        .send(root, "PUT", "/data/a/large%20one", &[], &large)
        .await
        .is(200);
    let got = world.get("/data/a/small").await.is(200);
    assert_eq!(&*got.body, b"hello");
    assert_eq!(
        (got.header("content-type"), got.header("x-amz-meta-a")),
        ("text/plain", "b")
    );
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(world.get("/data/a/large%20one").await.is(200).body, large);
    let range = world
        .send(root, "GET", "/data/a/large%20one", &[("range", "bytes=5-9")], b"")
        .await;
    assert_eq!(range.is(206).body, large[5..10]);
    let list = world.get("/data?list-type=2&delimiter=/").await.is(200);
    assert!(list.text().contains("<Prefix>a/</Prefix>"), "{}", list.text());
    let list = world.get("/data?list-type=2&prefix=a/").await.is(200);
    assert_eq!(list.element("KeyCount"), "2");
    let source = [("x-amz-copy-source", "/data/a/small")];
    world.send(root, "PUT", "/data/b", &source, b"").await.is(200);
    assert_eq!(&*world.get("/data/b").await.is(200).body, b"hello");
    world.send(root, "DELETE", "/data/b", &[], b"").await.is(204);
    world.get("/data/b").await.refused(404, "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_an_object() {
    let world = World::new("parts").await;
    let root = &world.root;
    let part = vec![7; 5 << 20];
    let id = world
        .send(root, "POST", "/data/m?uploads=", &[], b"")
        .await
        .is(200)
        .element("UploadId");
    let mut list = String::new();
    for (number, bytes) in [(1, &part[..]), (2, b"end")] {
        let target = format!("/data/m?partNumber={number}&uploadId={id}");
        let put = world.send(root, "PUT", &target, &[], bytes).await.is(200);
        let etag = put.header("etag");
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let target = format!("/data/m?uploadId={id}");
    world
        .send(root, "POST", &target, &[], list.as_bytes())
        .await
        .is(200);
    assert_eq!(
        world.get("/data/m").await.is(200).body,
        [&part[..], b"end"].concat()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_refused_and_recorded() {
    let world = World::new("denials").await;
    let root = &world.root;
    world.send(root, "PUT", "/data/k", &[], b"kept").await.is(200);
    let agent = world
        .user(
            "agent",
            json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*" }]),
        )
        .await;
    assert_eq!(
        &*world.send(&agent, "GET", "/data/k", &[], b"").await.is(200).body,
        b"kept"
    );
    let mut thief = root.clone().unwrap();
    thief.secret = "guess".into();
    let copy = [
        ("x-amz-copy-source", "/data/k"),
        ("x-amz-source-expected-bucket-owner", "111122223333"),
    ];
    let owner = [("x-amz-expected-bucket-owner", "111122223333")];
    let tries: [(&Client, &str, &str, Headers<'_>, &str); 7] = [
        (&None, "PUT", "/data/k", &[], "AccessDenied"),
        (&None, "GET", "/data/k", &[], "AccessDenied"),
        (&Some(thief), "PUT", "/data/k", &[], "SignatureDoesNotMatch"),
        (&agent, "PUT", "/data/k", &[], "AccessDenied"),
        (&agent, "DELETE", "/data/k", &[], "AccessDenied"),
        (root, "PUT", "/data/k", &owner, "AccessDenied"),
        (root, "PUT", "/data/copy", &copy, "AccessDenied"),
    ];
    for (number, (client, method, target, headers, code)) in (1..).zip(tries) {
        let body: &[u8] = if headers.len() == 2 { b"" } else { b"new" };
        world
            .send(client, method, target, headers, body)
            .await
            .refused(403, code);
        assert_eq!(world.denials().await.0, number, "{method} {target}");
    }
    assert_eq!(&*world.get("/data/k").await.is(200).body, b"kept");
    world.get("/data/copy").await.refused(404, "NoSuchKey");
    let ours = [("x-amz-expected-bucket-owner", craton_gate::ACCOUNT)];
    world.send(root, "GET", "/data/k", &ours, b"").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_put() {
    let world = World::new("form").await;
    let large = large();
    let own = [
        ("key", "up/${filename}"),
        ("Content-Type", "text/plain"),
        ("x-amz-meta-a", "b"),
        ("acl", "private"),
    ];
    let range = [json!(["content-length-range", 1, 3_000_000])];
    let done = world
        .post(
            "/data",
            &signed(&world.root, &own, &range),
            Some(("C:\\x\\../a b", &large)),
        )
        .await
        .is(204);
    assert_eq!(done.header("location"), "http://localhost:9000/data/up/a%20b");
    assert!(done.body.is_empty());
    let got = world.get("/data/up/a%20b").await.is(200);
    assert_eq!(got.body, large);
    assert_eq!(
        (got.header("content-type"), got.header("x-amz-meta-a")),
        ("text/plain", "b")
    );
    assert_eq!(got.header("etag"), done.header("etag"));

    let own = [
        ("key", "k&"),
        ("success_action_status", "201"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
    ];
    let done = world
        .post("/data/", &signed(&world.root, &own, &[]), Some(("x", b"hello")))
        .await
        .is(201);
    assert_eq!(
        (&*done.element("Bucket"), &*done.element("Key")),
        ("data", "k&amp;")
    );
    assert_eq!(done.element("Location"), "http://localhost:9000/data/k%26");
    assert_eq!(
        done.element("ETag"),
        "&quot;5d41402abc4b2a76b9719d911017c592&quot;"
    );

    let own = [
        ("key", "empty"),
        ("success_action_redirect", "https://a.example/done?x=y"),
    ];
    let done = world
        .post("/data", &signed(&world.root, &own, &[]), Some(("x", b"")))
        .await
        .is(303);
    let expected =
        "https://a.example/done?x=y&bucket=data&key=empty&etag=%22d41d8cd98f00b204e9800998ecf8427e%22";
    assert_eq!(done.header("location"), expected);
    assert!(world.get("/data/empty").await.is(200).body.is_empty());
    assert_eq!(world.denials().await.0, 0);
}

/// A form, where it is sent, and how it is refused.
type Refused = (&'static str, Fields, u16, &'static str);

/// Forms of which something was changed after they were signed.
fn changed_forms(agent: &Client) -> Vec<Refused> {
    let good = || signed(agent, &[("key", "up/k")], &[]);
    let plus = |name: &'static str, value: &str| [good(), vec![(name, value.to_owned())]].concat();
    let without = |name: &str| good().into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &str| [without(name), vec![(name, value.to_owned())]].concat();
    let forged = with("x-amz-signature", &"0".repeat(64));
    vec![
        ("/data", vec![("key", "up/k".to_owned())], 403, "AccessDenied"),
        ("/data", forged, 403, "SignatureDoesNotMatch"),
        ("/data", without("x-amz-signature"), 400, "InvalidArgument"),
        ("/data", without("policy"), 400, "InvalidArgument"),
        ("/data", without("key"), 400, "InvalidArgument"),
        ("/data", with("policy", "e30="), 403, "SignatureDoesNotMatch"),
        ("/data", with("key", "elsewhere"), 403, "AccessDenied"),
        ("/data", plus("x-amz-meta-a", "b"), 403, "AccessDenied"),
        ("/data", plus("success_action_status", "201"), 403, "AccessDenied"),
        ("/data", plus("KEY", "up/other"), 400, "InvalidArgument"),
        ("/data", plus("bucket", "other"), 400, "InvalidArgument"),
    ]
}

/// Forms that are signed as they are and ask for what their policy or their signer may not have.
fn misplaced_forms(agent: &Client) -> Vec<Refused> {
    let key = [("key", "up/k")];
    let good = || signed(agent, &key, &[]);
    let short = [json!(["content-length-range", 6, 9])];
    let long = [json!(["content-length-range", 0, 4])];
    let other = [json!(["eq", "$x-amz-meta-a", "b"])];
    let unknown = [("key", "up/k"), ("x-amz-copy-source", "/data/up/k")];
    vec![
        ("/data", signed(agent, &key, &other), 403, "AccessDenied"),
        ("/data", signed(agent, &key, &short), 400, "EntityTooSmall"),
        ("/data", signed(agent, &key, &long), 400, "EntityTooLarge"),
        ("/data", expired_form(agent), 403, "AccessDenied"),
        ("/other", good(), 403, "AccessDenied"),
        ("/data", signed(agent, &unknown, &[]), 400, "InvalidArgument"),
        (
            "/data",
            signed(agent, &[("key", "../up/k")], &[]),
            400,
            "InvalidArgument",
        ),
        (
            "/data",
            signed(agent, &[("key", "down")], &[]),
            403,
            "AccessDenied",
        ),
        ("/system", good(), 400, "InvalidBucketName"),
        ("/data/up/k", good(), 405, "MethodNotAllowed"),
        ("/", good(), 405, "MethodNotAllowed"),
    ]
}

fn expired_form(agent: &Client) -> Fields {
    let past = now().minus(Duration::from_secs(1));
    let conditions = [json!({ "bucket": "data" }), json!(["starts-with", "$key", ""])];
    let fields = agent
        .as_ref()
        .unwrap()
        .sign_form(&conditions, past, now())
        .unwrap();
    [vec![("key", "up/k".to_owned())], fields].concat()
}

/// CVE-2023-28434, and CVE-2026-27607 again: a policy's conditions are enforced, and a form reaches no other bucket.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_28434_a_form_that_is_not_exactly_allowed_changes_nothing() {
    let world = World::new("bad-form").await;
    world.send(&world.root, "PUT", "/other", &[], b"").await.is(200);
    let agent = world
        .user(
            "agent",
            json!([{ "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::data/up/*" }]),
        )
        .await;
    let key = [("key", "up/k")];
    let good = || signed(&agent, &key, &[]);
    let acl = signed(&agent, &[("key", "up/k"), ("acl", "public-read")], &[]);
    let wrong = signed(
        &agent,
        &[("key", "up/k"), ("x-amz-checksum-crc32", "AAAAAA==")],
        &[],
    );
    let file: Option<(&str, &[u8])> = Some(("..", b"hello"));
    let refused = [changed_forms(&agent), misplaced_forms(&agent)].concat();
    for (number, (target, fields, status, code)) in (1..).zip(refused) {
        world.post(target, &fields, file).await.refused(status, code);
        let (count, [_, operation, reason]) = world.denials().await;
        assert_eq!(
            (count, &*operation, &*reason),
            (number, "PostObject", code),
            "{target} {fields:?}"
        );
    }
    world.post("/data", &acl, file).await.refused(403, "AccessDenied");
    world.post("/data", &wrong, file).await.refused(400, "BadDigest");
    world
        .post("/data", &good(), None)
        .await
        .refused(400, "IncorrectNumberOfFilesInPostRequest");
    for bucket in ["/data", "/other"] {
        let list = world.get(&format!("{bucket}?list-type=2")).await.is(200);
        assert_eq!(list.element("KeyCount"), "0", "{bucket}");
    }
    world.post("/data", &good(), file).await.is(204);
    assert_eq!(&*world.get("/data/up/k").await.is(200).body, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_signed_is_no_form() {
    let world = World::new("signed-form").await;
    let form = [("content-type", "multipart/form-data; boundary=x")];
    let sent = world.send(&world.root, "POST", "/data", &form, b"--x--").await;
    sent.refused(400, "CredentialsNotSupported");
    let cut = b"--x\r\ncontent-disposition: form-data; name=key\r\n\r\nk";
    world
        .send(&None, "POST", "/data", &form, cut)
        .await
        .refused(400, "IncompleteBody");
    let endless = [cut.as_slice(), &vec![b'k'; 3 << 20]].concat();
    let sent = world.send(&None, "POST", "/data", &form, &endless).await;
    sent.refused(400, "MaxPostPreDataLengthExceededError");
    assert_eq!(world.denials().await.0, 3);
}
