use craton_base::Sequence;
use craton_objects::{
    meta::{MarkerMeta, ObjectMeta},
    replica::{CopyRecord, ReplicationRecord},
    replication::Rule,
};

use super::*;

fn rules() -> Replication {
    let rule = |prefix: &str, to: &str| Rule {
        enabled: true,
        prefix: prefix.to_owned(),
        destination: to.to_owned(),
        ..Rule::default()
    };
    Replication {
        rules: vec![rule("", "a"), rule("logs/", "b")],
    }
}

fn record(replica: bool, copies: &[(&str, CopyState)]) -> Option<ReplicationRecord> {
    let copy = |(to, state): &(&str, CopyState)| CopyRecord {
        destination: (*to).to_owned(),
        state: *state as u32,
        version: String::new(),
    };
    Some(ReplicationRecord {
        replica,
        source: String::new(),
        copies: copies.iter().map(copy).collect(),
    })
}

fn listed(key: &str, number: u64, replication: Option<ReplicationRecord>) -> ListedVersion {
    ListedVersion {
        key: key.to_owned(),
        id: VersionId::Number(Sequence(number)),
        latest: false,
        what: What::Object(Box::new(ObjectMeta {
            replication,
            ..ObjectMeta::default()
        })),
    }
}

#[test]
fn what_failed_or_never_was_is_due_and_what_is_there_or_under_way_is_not() {
    use CopyState::{Completed, Failed, Pending};
    let judge = |replication| judged(&rules(), &listed("logs/1", 1, replication));
    assert_eq!(judge(None).due, ["a", "b"]);
    let some = judge(record(false, &[("a", Completed), ("b", Failed)]));
    assert_eq!(
        (some.due, some.done),
        (vec!["b".to_owned()], vec!["a".to_owned()])
    );
    assert_eq!(judge(record(false, &[("a", Pending)])).due, ["b"]);
    assert!(judge(record(true, &[])).due.is_empty());
}

#[test]
fn markers_are_due_only_where_a_rule_is_about_them() {
    let marker = ListedVersion {
        what: What::Marker(MarkerMeta::default()),
        ..listed("logs/1", 1, None)
    };
    assert!(judged(&rules(), &marker).due.is_empty());
    let mut with = rules();
    if let Some(rule) = with.rules.first_mut() {
        rule.markers = true;
    }
    assert_eq!(judged(&with, &marker).due, ["a"]);
}

#[test]
fn a_key_is_given_when_it_is_whole() {
    let mut open = None;
    let mut given = Vec::new();
    for (key, number) in [("a", 3), ("a", 1), ("b", 2)] {
        given.extend(take(&mut open, &rules(), listed(key, number, None)));
    }
    given.extend(open);
    let counts: Vec<_> = given.iter().map(|k| (k.key.as_str(), k.versions.len())).collect();
    assert_eq!(counts, [("a", 2), ("b", 1)]);
}
