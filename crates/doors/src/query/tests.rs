//! What is told from S3, what a form is, and that every operation has one row.

use http::Request;

use super::*;

fn request(content_type: &str, authorization: Option<&str>) -> Request<()> {
    let mut builder = Request::post("/").header("content-type", content_type);
    if let Some(text) = authorization {
        builder = builder.header("authorization", text);
    }
    builder.body(()).unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn the_signed_service_tells_iam_and_sts_from_s3() {
    let signed = |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        )
    };
    assert!(is_for_us(&request(FORM, Some(&signed("iam")))));
    assert!(is_for_us(&request(FORM, Some(&signed("sts")))));
    assert!(!is_for_us(&request(FORM, Some(&signed("s3")))));
    assert!(!is_for_us(&request(FORM, Some("Bearer abc"))));
    assert!(is_for_us(&request(FORM, None)));
    assert!(!is_for_us(&request("multipart/form-data", None)));
    let get = Request::get("/").header("content-type", FORM).body(()).unwrap();
    assert!(!is_for_us(&get));
}

#[test]
fn a_form_has_each_name_once_and_lists_in_order() {
    let form = Form::parse(b"Action=TagUser&Tags.member.1.Key=a%2Fb&Tags.member.1.Value=x+y&TagKeys.member.1=k&TagKeys.member.2=l").unwrap();
    assert_eq!(form.tags(), [("a/b".to_owned(), "x y".to_owned())]);
    assert_eq!(form.list("TagKeys"), ["k", "l"]);
    assert!(form.need("UserName").is_err() && form.number("Action").is_err());
    assert!(Form::parse(b"Action=A&Action=B").is_err());
    assert!(Form::parse(b"Action=%ff").is_err());
    assert!(Form::parse("a&".repeat(1001).as_bytes()).is_err());
}

#[test]
fn every_operation_has_one_row_and_asks_for_an_action_of_its_service() {
    let mut seen = std::collections::BTreeSet::new();
    for route in routes() {
        assert!(
            seen.insert((route.service, route.action)),
            "{} twice",
            route.action
        );
        assert!(
            route.permission.starts_with(&format!("{}:", route.service)),
            "{}",
            route.action
        );
    }
    assert!(seen.len() > 80);
}

#[test]
fn text_in_an_answer_is_escaped() {
    let mut xml = Xml::new();
    xml.text("Name", "<a>&\"\u{0}");
    assert_eq!(xml.as_str(), "<Name>&lt;a&gt;&amp;&quot;\u{fffd}</Name>");
}
