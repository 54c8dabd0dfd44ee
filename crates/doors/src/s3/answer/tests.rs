use std::sync::LazyLock;

use craton_base::Kind;

use super::*;

/// Of a request that was not read.
static UNREAD: LazyLock<Subject> = LazyLock::new(Subject::default);

fn xml() -> ErrorXml<'static> {
    ErrorXml {
        path: "/b/<k>&",
        request_id: "0123456789ABCDEF",
        subject: &UNREAD,
    }
}

fn finished(error: craton_objects::Error) -> Response {
    let error = fail(error);
    let details = told(&error).cloned().unwrap_or_default();
    finish(error.to_http_response().unwrap(), &details, &xml(), false)
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body().bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn the_shape_of_a_refusal() {
    let error = Error::new(Kind::Denied, "AccessDenied", "no \"match\"");
    let response = refusal(&error, &xml(), false);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/xml");
    assert_eq!(
        text(&response),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>no \
         &quot;match&quot;</Message><Resource>/b/&lt;k&gt;&amp;</Resource><RequestId>0123456789ABCDEF</RequestId>\
         <HostId>0123456789ABCDEF</HostId></Error>"
    );
    assert!(text(&refusal(&error, &xml(), true)).is_empty());
}

#[test]
fn an_engines_error_keeps_its_code_and_gets_the_ids() {
    let error = craton_objects::Error::no_such_key();
    let response = finished(error);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let text = text(&response);
    assert!(text.contains("<Code>NoSuchKey</Code>"), "{text}");
    assert!(
        text.ends_with("<RequestId>0123456789ABCDEF</RequestId><HostId>0123456789ABCDEF</HostId></Error>"),
        "{text}"
    );
}

#[test]
fn every_document_has_a_message() {
    let plain = s3s::S3Error::new(s3s::S3ErrorCode::MalformedXML);
    let none = Details::new();
    let xml = text(&finish(plain.to_http_response().unwrap(), &none, &xml(), false));
    assert!(
        xml.contains("<Code>MalformedXML</Code><Message>The XML you provided was not well-formed"),
        "{xml}"
    );
}

#[test]
fn codes_that_s3s_does_not_know_pass_too() {
    let error = craton_objects::Error::fault(craton_objects::Fault::MalformedTrailerError, "x");
    let response = finished(error);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(&response).contains("<Code>MalformedTrailerError</Code>"));
}

#[test]
fn not_modified_has_a_tag_and_no_body() {
    let error = craton_objects::Error::NotModified {
        etag: "e".into(),
        modified: craton_base::Timestamp(0),
    };
    let response = finished(error);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(response.headers()[header::ETAG], "\"e\"");
    assert_eq!(
        response.headers()[header::LAST_MODIFIED],
        "Thu, 01 Jan 1970 00:00:00 GMT"
    );
    assert!(text(&response).is_empty());
}

#[test]
fn faults_of_ours_do_not_leave() {
    let error = craton_objects::Error::from(Error::corrupt("blob 77 does not verify"));
    let response = finished(error);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!text(&response).contains("77"));
}

#[test]
fn an_unsatisfiable_range_names_the_size() {
    let error = craton_objects::Error::RangeNotSatisfiable { size: 7 };
    let response = finished(error);
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes */7");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/xml");
}

#[test]
fn what_an_error_names_stands_in_its_document() {
    let error = craton_objects::Error::argument("max-keys", "<1>", "wrong");
    let argument = text(&finished(error));
    assert!(
        argument.contains(
            "<Message>wrong</Message><ArgumentName>max-keys</ArgumentName><ArgumentValue>&lt;1&gt;</ArgumentValue><Resource>"
        ),
        "{argument}"
    );
    let condition = text(&finished(craton_objects::Error::precondition("If-Match")));
    assert!(
        condition.contains("<Condition>If-Match</Condition>"),
        "{condition}"
    );
    let range = text(&finished(craton_objects::Error::RangeNotSatisfiable { size: 7 }));
    assert!(
        range.contains("<ActualObjectSize>7</ActualObjectSize>"),
        "{range}"
    );
}

#[test]
fn what_the_finder_names_outweighs_what_the_request_says() {
    let request = http::Request::builder().uri("/b/k?versionId=v");
    let subject = Subject::of(&request.body(()).unwrap().into_parts().0);
    let xml = ErrorXml {
        subject: &subject,
        ..xml()
    };
    let error = Error::new(Kind::NotFound, "NoSuchVersion", "none");
    let plain = text(&refusal(&error, &xml, false));
    assert!(plain.contains("<Key>k</Key><VersionId>v</VersionId>"), "{plain}");
    let told = text(&refusal_telling(
        &error,
        &vec![("Key", "other".to_owned())],
        &xml,
        false,
    ));
    assert!(
        told.contains("<Key>other</Key><VersionId>v</VersionId>"),
        "{told}"
    );
}
