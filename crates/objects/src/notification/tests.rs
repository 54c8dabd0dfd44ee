use super::*;

const DOCUMENT: &str = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
     <QueueConfiguration><Id>a</Id><Queue>arn:aws:sqs:us-east-1:000000000000:hook</Queue>\
     <Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:Delete</Event><Filter><S3Key><FilterRule><Name>Prefix</Name>\
     <Value>in/</Value></FilterRule><FilterRule><Name>suffix</Name><Value>.csv</Value></FilterRule></S3Key></Filter>\
     </QueueConfiguration><TopicConfiguration><Topic>arn:aws:sns:us-east-1:000000000000:bus</Topic>\
     <Event>s3:ObjectTagging:*</Event></TopicConfiguration></NotificationConfiguration>";

#[test]
fn a_document_becomes_rules() {
    let found = parse(DOCUMENT.as_bytes()).unwrap();
    let [topic, queue] = found.rules.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(topic.arn, "arn:aws:sns:us-east-1:000000000000:bus");
    assert_eq!(
        (queue.id.as_str(), queue.prefix.as_str(), queue.suffix.as_str()),
        ("a", "in/", ".csv")
    );
    assert!(queue.takes(event::CREATED_COPY, "in/x.csv"));
    assert!(queue.takes(event::REMOVED, "in/x.csv"));
    assert!(!queue.takes(event::REMOVED_MARKER, "in/x.csv"));
    assert!(!queue.takes(event::CREATED_PUT, "in/x.txt"));
    assert!(!queue.takes(event::CREATED_PUT, "out/x.csv"));
    assert!(topic.takes(event::TAGGED, "anything"));
    assert!(!topic.takes(event::CREATED_PUT, "anything"));
}

#[test]
fn no_rules_are_a_document_too() {
    assert!(parse(b"<NotificationConfiguration/>").unwrap().rules.is_empty());
    assert!(parse(b"<NotificationConfiguration>").is_err());
}

#[test]
fn patterns_take_whole_families_only_at_a_colon() {
    assert!(takes("s3:ObjectCreated:*", event::CREATED_PUT));
    assert!(takes("s3:ObjectCreated:Put", event::CREATED_PUT));
    assert!(takes("s3:*", event::REMOVED));
    assert!(!takes("s3:ObjectCr*", event::CREATED_PUT));
    assert!(!takes("ObjectCreated:*", event::CREATED_PUT));
    assert!(!takes("s3:ObjectCreated:Put", event::CREATED_POST));
}

#[test]
fn only_events_that_s3_has_are_events() {
    for good in [
        "s3:ObjectCreated:*",
        "s3:ObjectRemoved:Delete",
        "s3:LifecycleTransition",
        "s3:*",
        "s3:Replication:*",
    ] {
        assert!(is_event(good), "{good}");
    }
    for bad in [
        "s3:ObjectCreated",
        "s3:ObjectCreated:Pot",
        "s3:Nothing:*",
        "ObjectCreated:*",
        "",
        "s3:",
    ] {
        assert!(!is_event(bad), "{bad}");
    }
}

#[test]
fn arns_name_targets() {
    for (arn, name) in [
        ("arn:aws:sqs:us-east-1:000000000000:hook", Some("hook")),
        ("arn:aws:sns:us-east-1::hook", Some("hook")),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:hook",
            Some("hook"),
        ),
        ("arn:minio:sqs::hook:webhook", Some("hook")),
        ("arn:minio:sqs:us-east-1:hook:nats", Some("hook")),
        ("arn:aws:sqs:us-east-1:000000000000:", None),
        ("hook", None),
        ("urn:aws:sqs:us-east-1:0:hook", None),
        ("", None),
    ] {
        assert_eq!(target_name(arn), name, "{arn}");
    }
}
