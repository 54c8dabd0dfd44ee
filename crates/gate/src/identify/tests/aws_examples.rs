//! The examples of the Amazon S3 API reference, "Authenticating Requests", with their signatures.

use super::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn example(method: &str, uri: &str, headers: &[(&str, &str)], signed: &str, signature: &str) -> Parts {
    let mut parts = parts(method, uri, headers);
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
    );
    set(
        &mut parts,
        "host",
        headers
            .iter()
            .find(|(n, _)| *n == "host")
            .map_or("examplebucket.s3.amazonaws.com", |h| h.1),
    );
    set(&mut parts, "x-amz-date", "20130524T000000Z");
    set(&mut parts, "authorization", &value);
    parts
}

#[test]
fn get_object() {
    let parts = example(
        "GET",
        "/test.txt",
        &[("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY)],
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let who = identified(verifier().identify(&parts));
    assert_eq!((who.owner, who.access_key_id.as_str()), ("alice", KEY));
    assert_eq!(who.how, How::Header);
    assert_eq!(who.signed_at, example_time());
    assert_eq!(
        who.signed_headers,
        ["host", "range", "x-amz-content-sha256", "x-amz-date"]
    );
    assert_eq!(who.scope.text(), "20130524/us-east-1/s3/aws4_request");
}

#[test]
fn put_object() {
    let parts = example(
        "PUT",
        "/test$file.text",
        &[
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            (
                "x-amz-content-sha256",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            ),
        ],
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    let who = identified(verifier().identify(&parts));
    assert_eq!(
        who.payload.mode(),
        Mode::Sha256(craton_crypto::hash::sha256(b"Welcome to Amazon S3."))
    );
}

#[test]
fn get_bucket_lifecycle() {
    let parts = example(
        "GET",
        "/?lifecycle",
        &[("x-amz-content-sha256", EMPTY)],
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    identified(verifier().identify(&parts));
}

#[test]
fn list_objects() {
    let parts = example(
        "GET",
        "/?max-keys=2&prefix=J",
        &[("x-amz-content-sha256", EMPTY)],
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    identified(verifier().identify(&parts));
}

#[test]
fn presigned_get() {
    let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let parts = parts("GET", uri, &[("host", "examplebucket.s3.amazonaws.com")]);
    let who = identified(verifier().identify(&parts));
    assert_eq!(
        who.how,
        How::Presigned {
            expires: Duration::from_secs(86_400)
        }
    );
    assert_eq!(who.payload.mode(), Mode::Unsigned);
}

const CHUNKED: [(&str, &str); 5] = [
    ("host", "s3.amazonaws.com"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ("content-encoding", "aws-chunked"),
    ("content-length", "66824"),
];

/// 65 KiB of `a`, in chunks of 64 KiB, 1 KiB and nothing, with these signatures.
fn chunked_body(signatures: [&str; 3], end: &str) -> Vec<u8> {
    let [first, second, last] = signatures;
    let (a, b) = ("a".repeat(65536), "a".repeat(1024));
    format!(
        "10000;chunk-signature={first}\r\n{a}\r\n400;chunk-signature={second}\r\n{b}\r\n\
         0;chunk-signature={last}\r\n{end}"
    )
    .into_bytes()
}

#[test]
fn put_in_chunks() {
    let mut headers = CHUNKED.to_vec();
    headers.push(("x-amz-decoded-content-length", "66560"));
    let parts = example(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &headers,
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let who = identified(verifier().identify(&parts));
    assert_eq!(who.payload.decoded_length(), Some(66560));
    let body = chunked_body(
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ],
        "\r\n",
    );
    assert_eq!(body.len(), 66824);
    let (data, _) = body::tests::read(who.payload, &[&body]).unwrap();
    assert_eq!(data, "a".repeat(66560).as_bytes());
}

#[test]
fn put_in_chunks_with_a_trailer() {
    let mut headers = CHUNKED[..4].to_vec();
    headers[2].1 = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    headers.push(("x-amz-decoded-content-length", "66560"));
    headers.push(("x-amz-trailer", "x-amz-checksum-crc32c"));
    let parts = example(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &headers,
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let who = identified(verifier().identify(&parts));
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let end = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
        x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
    let body = chunked_body(signatures, end);
    let (data, trailers) = body::tests::read(who.payload, &[&body]).unwrap();
    assert_eq!(data.len(), 66560);
    assert_eq!(
        trailers.value("x-amz-checksum-crc32c").as_deref(),
        Some("sOO8/Q==")
    );
}
