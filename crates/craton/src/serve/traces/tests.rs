use http::{HeaderMap, HeaderValue};

use super::parent;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn of(text: &str) -> Option<(String, String, bool)> {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_str(text).unwrap());
    parent(&headers).map(|c| (c.trace_id().to_string(), c.span_id().to_string(), c.is_sampled()))
}

#[test]
fn a_traceparent_is_read_as_the_recommendation_says() {
    let found = |sampled| Some((TRACE.to_owned(), SPAN.to_owned(), sampled));
    assert_eq!(of(&format!("00-{TRACE}-{SPAN}-01")), found(true));
    assert_eq!(of(&format!("00-{TRACE}-{SPAN}-00")), found(false));
    assert_eq!(of(&format!("00-{TRACE}-{SPAN}-ff")), found(true));
    assert_eq!(of(&format!("01-{TRACE}-{SPAN}-01-more")), found(true));
    assert_eq!(parent(&HeaderMap::new()), None);
}

#[test]
fn what_is_not_well_formed_is_no_parent() {
    let zeros = ["0".repeat(32), "0".repeat(16)];
    for text in [
        String::new(),
        "-".repeat(4096),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}0-{SPAN}-01"),
        format!("00-+{}-{SPAN}-01", "0".repeat(31)),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{}-{SPAN}-01", zeros[0]),
        format!("00-{TRACE}-{}-01", zeros[1]),
    ] {
        assert_eq!(of(&text), None, "{text}");
    }
}
