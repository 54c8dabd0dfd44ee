use serde_json::json;

use super::{super::Candidate, *};

fn candidates(names: &[&str]) -> Candidates {
    names
        .iter()
        .map(|name| ((*name).to_owned(), Candidate::default()))
        .collect()
}

#[test]
fn a_location_stays_whatever_its_scheme_and_however_it_is_escaped() {
    let mut of = candidates(&["b/k/a=1/x", "b/k/a%3D1/x", "b/k/y", "b/k/100%", "b/k/z"]);
    strike(&mut of, "s3a://b/k/y");
    strike(&mut of, "s3://b/k/a%3D1/x");
    strike(&mut of, "s3://b/k/100%");
    assert_eq!(of.into_keys().collect::<Vec<_>>(), ["b/k/z"]);
}

#[test]
fn escapes_are_decoded_and_what_is_none_stays() {
    assert_eq!(decoded("a%20b%2Fc"), "a b/c");
    assert_eq!(decoded("100%"), "100%");
    assert_eq!(decoded("%zz%2"), "%zz%2");
    assert_eq!(decoded("%C3%A4"), "ä");
}

#[test]
fn a_state_is_what_metadata_names() {
    let metadata = json!({
        "current-snapshot-id": 2, "snapshots": [
            { "snapshot-id": 1, "timestamp-ms": 1, "manifests": ["s3://b/m1"] },
            { "snapshot-id": 2, "timestamp-ms": 2, "manifest-list": "s3://b/l2" } ],
        "statistics": [{ "snapshot-id": 1, "statistics-path": "s3://b/s1" }],
        "partition-statistics": [{ "snapshot-id": 2, "statistics-path": "s3://b/p2" }],
        "metadata-log": [{ "metadata-file": "s3://b/0.metadata.json", "timestamp-ms": 1 }],
    });
    let state = State::parse(
        &serde_json::to_vec(&metadata).unwrap(),
        "s3://b/1.metadata.json".to_owned(),
    )
    .unwrap();
    assert_eq!(
        state
            .refs
            .get("main")
            .and_then(|main| number(main, "snapshot-id")),
        Some(2)
    );
    let expired = Expired {
        snapshots: vec![1],
        refs: Vec::new(),
    };
    let after = state.without(&expired);
    assert_eq!(state.not_in(&after).iter().map(|s| s.id).collect::<Vec<_>>(), [1]);
    assert_eq!(state.files_not_in(&after), ["s3://b/s1"]);
    let mut of = candidates(&[
        "b/l2",
        "b/s1",
        "b/p2",
        "b/0.metadata.json",
        "b/1.metadata.json",
        "b/orphan",
    ]);
    strike_files(&mut of, &after);
    let mut left: Vec<String> = of.into_keys().collect();
    left.sort_unstable();
    assert_eq!(left, ["b/orphan", "b/s1"]);
}
