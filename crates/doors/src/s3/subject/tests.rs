use http::Request;

use super::*;

fn subject(method: &str, uri: &str, headers: &[(&str, &str)]) -> Subject {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Subject::of(&request.body(()).unwrap().into_parts().0)
}

fn named(subject: &Subject, code: &str) -> Vec<(&'static str, String)> {
    subject.details(code)
}

fn said(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs
        .iter()
        .map(|(name, text)| (*name, (*text).to_owned()))
        .collect()
}

#[test]
fn each_code_names_what_it_is_about() {
    let object = subject("GET", "/b/a%20b/c?versionId=v%2B1", &[("range", "bytes=9-")]);
    assert_eq!(named(&object, "NoSuchKey"), said(&[("Key", "a b/c")]));
    assert_eq!(named(&object, "NoSuchBucket"), said(&[("BucketName", "b")]));
    assert_eq!(
        named(&object, "NoSuchVersion"),
        said(&[("Key", "a b/c"), ("VersionId", "v+1")])
    );
    assert_eq!(
        named(&object, "InvalidRange"),
        said(&[("RangeRequested", "bytes=9-")])
    );
    assert_eq!(
        named(&object, "MethodNotAllowed"),
        said(&[("Method", "GET"), ("ResourceType", "OBJECT")])
    );
    assert!(named(&object, "AccessDenied").is_empty());
    let upload = subject("PUT", "/b/k?partNumber=1&uploadId=u", &[]);
    assert_eq!(named(&upload, "NoSuchUpload"), said(&[("UploadId", "u")]));
}

#[test]
fn a_copy_names_its_source() {
    let copy = subject(
        "PUT",
        "/b/to",
        &[("x-amz-copy-source", "/from/a%2Fb?versionId=1")],
    );
    assert_eq!(named(&copy, "NoSuchKey"), said(&[("Key", "a/b")]));
    assert!(named(&copy, "NoSuchBucket").is_empty());
}

#[test]
fn what_was_not_read_is_not_named() {
    let nothing = Subject::default();
    for code in OF_BUCKETS
        .iter()
        .chain(&["NoSuchKey", "NoSuchUpload", "InvalidRange"])
    {
        assert!(named(&nothing, code).is_empty(), "{code}");
    }
}
