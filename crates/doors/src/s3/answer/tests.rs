use craton_base::Kind;

use super::*;

const XML: ErrorXml<'_> = ErrorXml {
    path: "/b/<k>&",
    request_id: "0123456789ABCDEF",
};

fn text(response: &Response) -> String {
    String::from_utf8(response.body().bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn the_shape_of_a_refusal() {
    let error = Error::new(Kind::Denied, "SignatureDoesNotMatch", "no \"match\"");
    let response = refusal(&error, &XML, false);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/xml");
    assert_eq!(
        text(&response),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>no \
         &quot;match&quot;</Message><Resource>/b/&lt;k&gt;&amp;</Resource><RequestId>0123456789ABCDEF</RequestId>\
         <HostId>0123456789ABCDEF</HostId></Error>"
    );
    assert!(text(&refusal(&error, &XML, true)).is_empty());
}

#[test]
fn an_engines_error_keeps_its_code_and_gets_the_ids() {
    let error = craton_objects::Error::no_such_key();
    let response = fail(error).to_http_response().unwrap();
    let response = finish(response, &XML, false);
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let text = text(&response);
    assert!(text.contains("<Code>NoSuchKey</Code>"), "{text}");
    assert!(
        text.ends_with("<RequestId>0123456789ABCDEF</RequestId><HostId>0123456789ABCDEF</HostId></Error>"),
        "{text}"
    );
}

#[test]
fn codes_that_s3s_does_not_know_pass_too() {
    let error = craton_objects::Error::fault(craton_objects::Fault::MalformedTrailerError, "x");
    let response = finish(fail(error).to_http_response().unwrap(), &XML, false);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(&response).contains("<Code>MalformedTrailerError</Code>"));
}

#[test]
fn not_modified_has_a_tag_and_no_body() {
    let error = craton_objects::Error::NotModified {
        etag: "e".into(),
        modified: craton_base::Timestamp(0),
    };
    let response = finish(fail(error).to_http_response().unwrap(), &XML, false);
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
    let response = finish(fail(error).to_http_response().unwrap(), &XML, false);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!text(&response).contains("77"));
}

#[test]
fn an_unsatisfiable_range_names_the_size() {
    let error = craton_objects::Error::RangeNotSatisfiable { size: 7 };
    let response = finish(fail(error).to_http_response().unwrap(), &XML, false);
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes */7");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/xml");
}
