use super::*;

#[test]
fn ids_come_back_and_nothing_else_is_one() {
    for id in [
        VersionId::Null,
        VersionId::Number(Sequence(1)),
        VersionId::Number(Sequence(u64::MAX)),
    ] {
        assert_eq!(VersionId::parse(&id.to_text()).unwrap(), id);
    }
    let text = VersionId::Number(Sequence(77)).to_text();
    assert_eq!(text.len(), 24);
    let mut other = text.clone();
    other.replace_range(23..24, if text.ends_with('0') { "1" } else { "0" });
    for bad in [
        "",
        "nul",
        "NULL",
        "1",
        "abc",
        &other,
        &text.to_uppercase(),
        &text[1..],
        &format!("{text}0"),
    ] {
        let error = VersionId::parse(bad).unwrap_err();
        assert_eq!(error.code(), "InvalidArgument", "{bad}");
    }
}

#[test]
fn a_request_without_a_version_means_the_current_one() {
    assert_eq!(Target::parse(None).unwrap(), Target::Current);
    assert_eq!(
        Target::parse(Some("null")).unwrap(),
        Target::Version(VersionId::Null)
    );
    assert!(Target::parse(Some("")).is_err());
}

#[test]
fn what_a_commit_makes_is_named_by_the_bucket() {
    let made = |versioning| VersionId::made(versioning, Sequence(5));
    assert_eq!(made(Versioning::Unversioned), None);
    assert_eq!(made(Versioning::Enabled), Some(VersionId::Number(Sequence(5))));
    assert_eq!(made(Versioning::Suspended), Some(VersionId::Null));
}
