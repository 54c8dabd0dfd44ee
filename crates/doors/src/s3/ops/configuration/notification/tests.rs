use s3s::xml::{DeserializeContent as _, Deserializer};

use super::*;

fn queue(arn: &str, events: &[&str], rules: &[(&str, &str)]) -> String {
    let events: String = events.iter().map(|e| format!("<Event>{e}</Event>")).collect();
    let rules: String = rules
        .iter()
        .map(|(n, v)| format!("<FilterRule><Name>{n}</Name><Value>{v}</Value></FilterRule>"))
        .collect();
    format!(
        "<QueueConfiguration><Queue>{arn}</Queue>{events}<Filter><S3Key>{rules}</S3Key></Filter>\
         </QueueConfiguration>"
    )
}

fn verdict(destinations: &[String]) -> String {
    let text = format!("<N>{}</N>", destinations.concat());
    let parsed =
        Deserializer::new(text.as_bytes()).named_element("N", NotificationConfiguration::deserialize_content);
    match check(&parsed.unwrap()) {
        Ok(()) => "ok".to_owned(),
        Err(e) => e.code().as_str().to_owned(),
    }
}

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const PUT: &[&str] = &["s3:ObjectCreated:Put"];

#[test]
fn what_goes_to_two_places_is_refused() {
    let one = |events, rules| queue(ARN, events, rules);
    let overlaps = |a: String, b: String| verdict(&[a, b]) == "InvalidArgument";
    assert!(overlaps(one(PUT, &[]), one(&["s3:ObjectCreated:*"], &[])));
    assert!(overlaps(
        one(PUT, &[("prefix", "a")]),
        one(PUT, &[("Prefix", "ab")])
    ));
    assert!(overlaps(
        one(PUT, &[("prefix", "a")]),
        one(PUT, &[("suffix", ".txt")])
    ));
    assert!(!overlaps(
        one(PUT, &[("prefix", "a")]),
        one(PUT, &[("prefix", "b")])
    ));
    assert!(!overlaps(
        one(PUT, &[("suffix", ".a")]),
        one(PUT, &[("suffix", ".b")])
    ));
    assert!(!overlaps(one(PUT, &[]), one(&["s3:ObjectRemoved:*"], &[])));
}

#[test]
fn what_is_no_destination_is_refused() {
    assert_eq!(
        verdict(&[queue(ARN, PUT, &[("prefix", "a"), ("suffix", "b")])]),
        "ok"
    );
    for bad in [
        queue("queue", PUT, &[]),
        queue(ARN, &["s3:ObjectCreated:Nothing"], &[]),
        queue(ARN, PUT, &[("middle", "a")]),
        queue(ARN, PUT, &[("prefix", "a"), ("prefix", "b")]),
    ] {
        assert_eq!(verdict(std::slice::from_ref(&bad)), "InvalidArgument", "{bad}");
    }
}

#[test]
fn ids_are_completed_and_unique() {
    let text = format!(
        "<N>{}{}</N>",
        queue(ARN, PUT, &[]),
        queue(ARN, &["s3:ObjectRemoved:*"], &[])
    );
    let mut stated = Deserializer::new(text.as_bytes())
        .named_element("N", NotificationConfiguration::deserialize_content)
        .unwrap();
    complete_ids(ids(&mut stated), "R").unwrap();
    let named: Vec<_> = ids(&mut stated).map(|id| id.clone().unwrap()).collect();
    assert_eq!(named, ["R-0", "R-1"]);
    for id in ids(&mut stated) {
        *id = Some("same".to_owned());
    }
    let twice = complete_ids(ids(&mut stated), "R").unwrap_err();
    assert_eq!(twice.code().as_str(), "InvalidArgument");
}
