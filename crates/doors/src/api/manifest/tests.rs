//! Documents of a part that is made by hand.

use craton_base::Timestamp;
use craton_gate::{Digest, Edge, RunSummary, Touch};
use serde_json::{Value, json};

use super::{
    Part, croissant,
    items::{Item, Standing, What},
    statement,
};

fn run() -> RunSummary {
    RunSummary {
        run: "train 1".to_owned(),
        principal: "role/agents".to_owned(),
        begun: Timestamp(1_700_000_000_000_000),
        last: Timestamp(1_700_000_060_500_000),
        requests: 9,
        denied: 0,
        reads: 3,
        writes: 1,
        bytes_read: 30,
        bytes_written: 5,
        session: "ASIA1".to_owned(),
        purpose: "training".to_owned(),
        chain: vec!["maria".to_owned()],
    }
}

fn item(touch: Touch, key: &str, digest: Option<u8>) -> Item {
    Item {
        edge: Edge {
            principal: "role/agents".to_owned(),
            run: "train 1".to_owned(),
            touch,
            resource: format!("/lab/objects/{key}"),
            bucket: "lab".to_owned(),
            version: 7,
            count: 2,
            bytes: 20,
            first: Timestamp(1),
            last: Timestamp(2),
            snapshots: Vec::new(),
        },
        what: What::Object,
        standing: if digest.is_some() {
            Standing::Current
        } else {
            Standing::Gone
        },
        digest: digest.map(|byte| Digest {
            sha256: [byte; 32],
            size: 10,
        }),
        why: None,
        url: format!("s3://lab/{key}"),
        name: key.to_owned(),
        media_type: "text/csv".to_owned(),
        version_id: None,
        licence: Some(("CC0-1.0".to_owned(), "object")),
        labels: vec!["secret".to_owned()],
        untold: false,
    }
}

fn part(written: Vec<Item>) -> Part {
    Part {
        run: run(),
        read: vec![item(Touch::Read, "a b", Some(1)), item(Touch::Read, "gone", None)],
        written,
        hidden: 3,
        next: None,
    }
}

#[test]
fn files_have_digests_and_the_others_are_beside_them() {
    let found = croissant::document(&part(Vec::new())).unwrap();
    let files = found["distribution"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["@id"], "lab/objects/a%20b@7");
    assert_eq!(files[0]["sha256"], "01".repeat(32));
    assert_eq!(files[0]["contentSize"], "10 B");
    assert_eq!(found["craton:notDigested"][0]["craton:standing"], "gone");
    assert_eq!(
        (&found["craton:hidden"], &found["license"]),
        (&json!(3), &json!(["CC0-1.0"]))
    );
    assert_eq!(found["datePublished"], "2023-11-14T22:14:20.5Z");
    assert_eq!(found.get("craton:next"), None);
}

#[test]
fn a_statement_is_of_what_was_written() {
    let found = statement::statement(&part(vec![item(Touch::Write, "out", Some(2))]), "craton/1").unwrap();
    assert_eq!(found["subject"][0]["digest"]["sha256"], "02".repeat(32));
    let dependencies = &found["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies.as_array().map(Vec::len), Some(2));
    assert_eq!(dependencies[1].get("digest"), None);
    assert_eq!(found["predicate"]["runDetails"]["builder"]["id"], "urn:craton:1");
}

#[test]
fn a_statement_of_a_run_that_wrote_nothing_is_of_what_it_read() {
    let subject =
        |whole: &Part| -> Value { statement::statement(whole, "craton/1").unwrap()["subject"].take() };
    let found = subject(&part(vec![item(Touch::Write, "out", None)]));
    assert_eq!(found[0]["name"], "craton://runs/role%2Fagents/train%201");
    let mut other = part(Vec::new());
    assert_eq!(found, subject(&other), "what has no digest is no subject");
    other.read.reverse();
    assert_eq!(found, subject(&other));
    other.read[1].digest = None;
    assert_ne!(found, subject(&other));
}
