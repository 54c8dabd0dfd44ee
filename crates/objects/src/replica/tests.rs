use super::*;

fn record(states: &[CopyState]) -> ReplicationRecord {
    let mut record = ReplicationRecord::default();
    for (n, state) in states.iter().enumerate() {
        record.set(&n.to_string(), *state, None);
    }
    record
}

#[test]
fn a_version_is_done_when_all_of_its_copies_are() {
    use CopyState::{Completed, Failed, Pending};
    let status = |states: &[CopyState]| record(states).status();
    assert_eq!(status(&[]), None);
    assert_eq!(status(&[Completed, Completed]), Some("COMPLETED"));
    assert_eq!(status(&[Completed, Pending]), Some("PENDING"));
    assert_eq!(status(&[Pending, Failed]), Some("FAILED"));
    let replica = Replica::default().record();
    assert_eq!(replica.status(), Some("REPLICA"));
}

#[test]
fn a_copy_keeps_the_name_of_its_version_until_another_is_said() {
    let mut record = ReplicationRecord::default();
    record.set("a", CopyState::Completed, Some("v1"));
    record.set("a", CopyState::Pending, None);
    assert_eq!(record.copies.len(), 1);
    let copy = record.copy_at("a").unwrap();
    assert_eq!((copy.version.as_str(), copy.state), ("v1", 1));
    assert!(record.is_at("a", CopyState::Pending) && !record.is_at("b", CopyState::Pending));
}

#[test]
fn a_copy_is_as_old_as_its_source_but_never_of_tomorrow() {
    let now = Timestamp(1000);
    let of = |modified| Replica {
        source: String::new(),
        modified,
    };
    assert_eq!(of(Some(Timestamp(5))).modified(now), Timestamp(5));
    assert_eq!(of(Some(Timestamp(2000))).modified(now), now);
    assert_eq!(of(None).modified(now), now);
}

#[test]
fn what_has_a_clients_own_key_is_not_copied() {
    use crate::encryption::EncryptionRecord;
    let with = |method: Method| ObjectMeta {
        encryption: Some(EncryptionRecord {
            method: method as u32,
            ..EncryptionRecord::default()
        }),
        ..ObjectMeta::default()
    };
    assert_eq!(kms_of(&with(Method::Customer)), None);
    assert_eq!(kms_of(&with(Method::Kms)), Some(true));
    assert_eq!(kms_of(&ObjectMeta::default()), Some(false));
}
