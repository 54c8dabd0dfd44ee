//! What statements are by their words. The protocol itself: tests/clients/test_pg.py.

use super::local::{Sort, shown, sort};

#[test]
fn statements_are_told_apart_by_their_first_word() {
    for (statement, expected) in [
        ("select 1", Sort::Reads),
        ("  -- a\n/* b */ SELECT 1", Sort::Reads),
        ("(SELECT 1)", Sort::Reads),
        ("Insert INTO t VALUES (1)", Sort::Writes("INSERT 0", true)),
        ("CREATE TABLE t (a INT)", Sort::Writes("CREATE", false)),
        ("BEGIN", Sort::Begin),
        ("START TRANSACTION READ ONLY", Sort::Begin),
        ("commit;", Sort::Commit),
        ("ROLLBACK", Sort::Rollback),
        ("SET x = 1", Sort::Accepted("SET")),
        ("show timezone", Sort::Show),
        ("", Sort::Empty),
        (" ; \n;", Sort::Empty),
        ("-- nothing", Sort::Empty),
        ("/* open", Sort::Empty),
        ("settle", Sort::Reads),
    ] {
        assert_eq!(sort(statement), expected, "{statement}");
    }
}

#[test]
fn settings_are_shown_whatever_their_case() {
    assert_eq!(shown("SHOW TimeZone;"), Some(("TimeZone", "UTC")));
    assert_eq!(
        shown("show  transaction isolation  level"),
        Some(("transaction_isolation", "read committed"))
    );
    assert_eq!(shown("SHOW nothing"), None);
}
