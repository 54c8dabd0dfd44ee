use std::collections::BTreeSet;

use super::*;

#[test]
fn every_action_is_there_once_and_found_in_any_case() {
    let names: Vec<&str> = all().map(|a| a.name).collect();
    let once: BTreeSet<String> = names.iter().map(|n| n.to_ascii_lowercase()).collect();
    assert_eq!(once.len(), names.len());
    for action in all() {
        assert_eq!(find(&action.name.to_ascii_uppercase()), Some(action));
        assert!(["s3", "s3tables", "iam", "sts", "kms", "craton"].contains(&action.service()));
    }
    assert_eq!(find("s3:GetObjects"), None);
}
