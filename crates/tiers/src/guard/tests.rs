use super::*;

#[test]
fn tags_are_measured_to_their_end() {
    assert_eq!(longest_tag(b"no tag"), 0);
    assert_eq!(longest_tag(b"<a>text</a>"), 3);
    assert_eq!(longest_tag(b"<a b='1' c='2'>"), 14);
    let attributes = "x='' ".repeat(10_000);
    assert!(longest_tag(format!("<a>1</a><b {attributes}>").as_bytes()) > TAG_BYTES_MAX);
    // A sign within a value does not begin another tag, so it hides no length.
    assert!(longest_tag(format!("<b x='<' {attributes}>").as_bytes()) > TAG_BYTES_MAX);
    assert!(longest_tag(format!("<b {attributes}").as_bytes()) > TAG_BYTES_MAX);
}

#[tokio::test]
async fn long_answers_are_refused() {
    let short = read(HttpResponseBody::from(Bytes::from_static(b"<a/>")))
        .await
        .unwrap();
    assert_eq!(&*short, b"<a/>");
    let long = Bytes::from(vec![b' '; ANSWER_BYTES_MAX + 1]);
    assert!(read(HttpResponseBody::from(long)).await.is_err());
    let tag = Bytes::from(vec![b'<'; TAG_BYTES_MAX + 2]);
    assert!(read(HttpResponseBody::from(tag)).await.is_err());
}

#[test]
fn only_what_is_not_parsed_passes_by() {
    assert!(is_content(&Method::GET, None));
    assert!(!is_content(&Method::GET, Some("list-type=2")));
    assert!(!is_content(&Method::POST, None));
    assert!(!is_content(&Method::PUT, Some("partNumber=1")));
}
