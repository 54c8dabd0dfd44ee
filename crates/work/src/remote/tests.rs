use craton_base::{Secret, Timestamp};

use super::*;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn client() -> Client {
    let settings = Remote {
        name: "far".into(),
        endpoint: "http://127.0.0.1:1/".into(),
        region: "eu-central-1".into(),
        access_key: "id".into(),
        secret_key: Secret::from("secret".to_owned()),
        buckets: vec!["*".into()],
    };
    Client::new(&settings, Arc::new(Noon)).unwrap()
}

fn call<'a>(key: &'a str, query: Vec<(&'static str, String)>) -> Call<'a> {
    Call {
        method: Method::PUT,
        bucket: "copies",
        key,
        query,
        headers: HeaderMap::new(),
        body: Sent::Bytes(Bytes::from_static(b"data")),
    }
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    }
}

#[test]
fn a_request_is_signed_for_its_path_and_says_how_long_it_is() {
    let query = vec![("tagging", String::new()), ("versionId", "a/b".into())];
    let request = client().request(call("k ü'", query), Met::default()).unwrap();
    assert_eq!(
        request.url().as_str(),
        "http://127.0.0.1:1/copies/k%20%C3%BC%27?tagging=&versionId=a%2Fb"
    );
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-length"), "4");
    assert!(header("authorization").contains("eu-central-1/s3/aws4_request"));
}

#[test]
fn a_key_that_every_library_takes_for_a_direction_is_refused() {
    for key in ["a/../b", ".", "..", "x/./y"] {
        let refused = client().request(call(key, Vec::new()), Met::default());
        assert_eq!(refused.unwrap_err().kind(), Kind::Invalid, "{key}");
    }
    assert!(
        client()
            .request(call("a..b/.c/d.", Vec::new()), Met::default())
            .is_ok()
    );
}

#[test]
fn an_answer_that_is_an_error_says_what_can_be_done() {
    let kind = |status, body| answer(status, body).done().unwrap_err().kind();
    assert!(answer(200, "<CompleteMultipartUploadResult/>").done().is_ok());
    assert_eq!(
        kind(200, "<?xml?><Error><Code>InternalError</Code></Error>"),
        Kind::Unavailable
    );
    assert_eq!(kind(503, ""), Kind::Unavailable);
    assert_eq!(kind(403, ""), Kind::Denied);
    assert_eq!(kind(404, ""), Kind::NotFound);
    let error = answer(
        400,
        "<Error><Code>InvalidRequest</Code><Message>no</Message></Error>",
    )
    .error();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(error.message(), "the remote answered 400: InvalidRequest no");
}

#[tokio::test]
async fn a_remote_that_is_not_there_is_unavailable() {
    let error = client().call(call("k", Vec::new())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("\"far\""), "{error}");
}
