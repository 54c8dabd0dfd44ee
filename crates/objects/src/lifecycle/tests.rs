use std::time::Duration;

use craton_base::Timestamp;

use super::*;

const HOUR: u64 = 3600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn day(n: u64) -> Timestamp {
    at(n * 24 * HOUR)
}

fn rules(xml: &str) -> Lifecycle {
    parse(format!("<LifecycleConfiguration>{xml}</LifecycleConfiguration>").as_bytes()).unwrap()
}

fn object(key: &str) -> Facts<'_> {
    Facts {
        key,
        size: 1 << 20,
        tags: &[],
        class: "STANDARD",
        modified: at(10 * HOUR + 1800),
        standing: Standing::Current { alone: true },
        marker: false,
    }
}

const THREE_DAYS: &str = "<Rule><ID>r</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>\
     <Expiration><Days>3</Days></Expiration></Rule>";

#[test]
fn days_end_at_the_next_midnight() {
    let found = rules(THREE_DAYS);
    let due = found.expires(&object("logs/a"), Calendar::default()).unwrap();
    assert_eq!((due.action, due.at, due.rule), (Action::Expire, day(4), "r"));
    assert_eq!(
        found.decide(&object("logs/a"), at(4 * 24 * HOUR - 1), Calendar::default()),
        None
    );
    assert!(
        found
            .decide(&object("logs/a"), day(4), Calendar::default())
            .is_some()
    );
    assert_eq!(found.expires(&object("other/a"), Calendar::default()), None);
}

#[test]
fn short_days_count_from_the_moment() {
    let calendar = Calendar::with_day(Duration::from_secs(10));
    let due = rules(THREE_DAYS);
    let due = due.expires(&object("logs/a"), calendar).unwrap();
    assert_eq!(due.at, at(10 * HOUR + 1830));
}

#[test]
fn a_disabled_rule_has_no_say() {
    let found = rules(&THREE_DAYS.replace("Enabled", "Disabled"));
    assert_eq!(found.expires(&object("logs/a"), Calendar::default()), None);
    assert!(!found.is_about_versions());
}

#[test]
fn the_first_expiration_counts() {
    let other = "<Rule><ID>s</ID><Prefix>logs/a</Prefix><Status>Enabled</Status><Expiration>\
         <Date>1970-01-03T00:00:00.000Z</Date></Expiration></Rule>";
    let found = rules(&format!("{THREE_DAYS}{other}"));
    let due = found.expires(&object("logs/abc"), Calendar::default()).unwrap();
    assert_eq!((due.at, due.rule), (day(2), "s"));
}

#[test]
fn all_of_a_filter_must_hold() {
    let found = rules(
        "<Rule><Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>1</Value></Tag><Tag><Key>l</Key><Value>2</Value>\
         </Tag><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>20</ObjectSizeLessThan></And>\
         </Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>",
    );
    let tags = [("l", "2"), ("k", "1"), ("m", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let all = Facts {
        size: 15,
        tags: &tags,
        ..object("abc")
    };
    let takes = |facts: Facts<'_>| found.expires(&facts, Calendar::default()).is_some();
    assert!(takes(all));
    assert!(!takes(Facts { size: 10, ..all }));
    assert!(!takes(Facts { size: 20, ..all }));
    assert!(!takes(Facts { key: "b", ..all }));
    assert!(!takes(Facts {
        tags: &tags[..1],
        ..all
    }));
    assert!(!takes(Facts { marker: true, ..all }));
}

#[test]
fn versions_that_are_not_current_go_when_enough_newer_ones_stay() {
    let found = rules(
        "<Rule><Filter/><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>\
         <NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>",
    );
    let since = day(5);
    let older = |newer| Facts {
        standing: Standing::Noncurrent { since, newer },
        ..object("k")
    };
    assert_eq!(found.expires(&older(2), Calendar::default()), None);
    let due = found.expires(&older(3), Calendar::default()).unwrap();
    assert_eq!((due.action, due.at), (Action::Remove, day(7)));
    assert_eq!(found.expires(&object("k"), Calendar::default()), None);
    let marker = Facts {
        marker: true,
        size: 0,
        ..older(3)
    };
    assert_eq!(
        found.expires(&marker, Calendar::default()).unwrap().action,
        Action::Remove
    );
}

#[test]
fn a_delete_marker_goes_only_when_it_is_alone() {
    let markers = rules(
        "<Rule><Filter/><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true\
         </ExpiredObjectDeleteMarker></Expiration></Rule>",
    );
    let marker = |alone| Facts {
        marker: true,
        size: 0,
        standing: Standing::Current { alone },
        ..object("logs/k")
    };
    let due = markers.expires(&marker(true), Calendar::default()).unwrap();
    assert_eq!((due.action, due.at), (Action::Remove, marker(true).modified));
    assert_eq!(markers.expires(&marker(false), Calendar::default()), None);
    assert_eq!(markers.expires(&object("logs/k"), Calendar::default()), None);
    let days = rules(THREE_DAYS);
    assert_eq!(
        days.expires(&marker(true), Calendar::default()).unwrap().action,
        Action::Remove
    );
}

const TRANSITIONS: &str = "<Rule><ID>t</ID><Filter/><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>\
     STANDARD_IA</StorageClass></Transition><Transition><Days>2</Days><StorageClass>GLACIER</StorageClass></Transition>\
     <Expiration><Days>5</Days></Expiration></Rule>";

#[test]
fn objects_move_to_colder_classes_only_and_expire_in_the_end() {
    let found = rules(TRANSITIONS);
    let decide = |class, now| {
        let facts = Facts { class, ..object("k") };
        found
            .decide(&facts, now, Calendar::default())
            .map(|due| due.action)
    };
    assert_eq!(decide("STANDARD", day(1)), None);
    assert_eq!(decide("STANDARD", day(2)), Some(Action::Move("STANDARD_IA")));
    assert_eq!(decide("", day(3)), Some(Action::Move("GLACIER")));
    assert_eq!(decide("STANDARD_IA", day(2)), None);
    assert_eq!(decide("GLACIER", day(3)), None);
    assert_eq!(decide("DEEP_ARCHIVE", day(3)), None);
    assert_eq!(decide("GLACIER", day(6)), Some(Action::Expire));
}

#[test]
fn small_objects_stay_unless_the_rule_is_about_sizes() {
    let small = Facts {
        size: 1000,
        ..object("k")
    };
    assert_eq!(
        rules(TRANSITIONS).decide(&small, day(3), Calendar::default()),
        None
    );
    let sized = TRANSITIONS.replace(
        "<Filter/>",
        "<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>",
    );
    assert!(
        rules(&sized)
            .decide(&small, day(3), Calendar::default())
            .is_some()
    );
}

#[test]
fn uploads_are_aborted_by_rules_without_tags_and_sizes() {
    let found = rules(
        "<Rule><ID>u</ID><Filter><Prefix>up/</Prefix></Filter><Status>Enabled</Status>\
         <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>\
         </Rule>",
    );
    assert!(found.is_about_uploads() && !found.is_about_versions());
    let begun = at(HOUR);
    assert_eq!(
        found.aborts("up/a", begun, Calendar::default()),
        Some((day(8), "u"))
    );
    assert_eq!(found.aborts("down/a", begun, Calendar::default()), None);
}

#[test]
fn documents_that_can_not_be_read_are_errors() {
    for wrong in [
        "<LifecycleConfiguration><Rule></Rule></LifecycleConfiguration>",
        "<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Date>soon</Date></Expiration></Rule>\
         </LifecycleConfiguration>",
        "<LifecycleConfiguration><Rule><Status>Enabled</Status><Transition><StorageClass>X</StorageClass></Transition>\
         </Rule></LifecycleConfiguration>",
        "not XML",
        "<LifecycleConfiguration>",
    ] {
        assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_document_with_a_namespace_is_read() {
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{THREE_DAYS}\
         </LifecycleConfiguration>"
    );
    assert_eq!(parse(xml.as_bytes()).unwrap(), rules(THREE_DAYS));
}

#[test]
fn small_objects_move_to_archives_if_the_bucket_says_so() {
    let xml = format!(
        "<LifecycleConfiguration transitionDefaultMinimumObjectSize=\"varies_by_storage_class\">{TRANSITIONS}\
         </LifecycleConfiguration>"
    );
    let found = parse(xml.as_bytes()).unwrap();
    let small = Facts {
        size: 1000,
        ..object("k")
    };
    let decide = |now| {
        found
            .decide(&small, now, Calendar::default())
            .map(|due| due.action)
    };
    assert_eq!(decide(day(2)), None);
    assert_eq!(decide(day(3)), Some(Action::Move("GLACIER")));
}

#[test]
fn clients_are_told_when_an_object_expires() {
    let found = rules(&THREE_DAYS.replace("<ID>r</ID>", "<ID>my rule</ID>"));
    let due = found.expires(&object("logs/a"), Calendar::default()).unwrap();
    let header = "expiry-date=\"Mon, 05 Jan 1970 00:00:00 GMT\", rule-id=\"my%20rule\"";
    assert_eq!(due.to_header().unwrap(), header);
}
