use super::*;
use crate::Fault;

const MODIFIED: Timestamp = Timestamp::from_seconds(1000);

fn decide(m: Option<&str>, n: Option<&str>, since: Option<i64>, unmodified: Option<i64>) -> Outcome {
    let tag = |t: &str| if t == "*" { Tag::Any } else { Tag::Is(t.into()) };
    ReadConditions {
        matches: m.map(tag),
        none_match: n.map(tag),
        modified_since: since,
        unmodified_since: unmodified,
    }
    .decide("e", MODIFIED)
}

#[test]
fn the_read_table() {
    use Outcome::*;
    let (before, same, after) = (Some(999), Some(1000), Some(1001));
    let table = [
        (None, None, None, None, Holds),
        (Some("e"), None, None, None, Holds),
        (Some("*"), None, None, None, Holds),
        (Some("x"), None, None, None, Failed("If-Match")),
        (None, Some("e"), None, None, NotModified("If-None-Match")),
        (None, Some("*"), None, None, NotModified("If-None-Match")),
        (None, Some("x"), None, None, Holds),
        (None, None, before, None, Holds),
        (None, None, same, None, NotModified("If-Modified-Since")),
        (None, None, after, None, NotModified("If-Modified-Since")),
        (None, None, None, before, Failed("If-Unmodified-Since")),
        (None, None, None, same, Holds),
        (None, None, None, after, Holds),
        // S3's documented pairs: the tag outweighs the time.
        (Some("e"), None, None, before, Holds),
        (None, Some("e"), before, None, NotModified("If-None-Match")),
        (None, Some("x"), after, None, Holds),
        (Some("x"), Some("e"), None, None, Failed("If-Match")),
        (Some("e"), Some("e"), None, None, NotModified("If-None-Match")),
    ];
    for (m, n, since, unmodified, expected) in table {
        assert_eq!(
            decide(m, n, since, unmodified),
            expected,
            "{m:?} {n:?} {since:?} {unmodified:?}"
        );
    }
}

#[test]
fn the_write_table() {
    let current = Some(("e", Sequence(7)));
    let when = |matches: Option<Tag>, absent, current| WriteConditions { matches, absent }.decide(current);
    assert_eq!(when(None, false, current).unwrap(), Expected::Anything);
    assert_eq!(when(None, true, None).unwrap(), Expected::Absent);
    assert_eq!(
        when(Some(Tag::Is("e".into())), false, current).unwrap(),
        Expected::Version(Sequence(7))
    );
    assert_eq!(
        when(Some(Tag::Any), false, current).unwrap(),
        Expected::Version(Sequence(7))
    );
    let code = |r: Result<Expected>| r.unwrap_err().code();
    assert_eq!(code(when(None, true, current)), Fault::PreconditionFailed.code());
    assert_eq!(
        code(when(Some(Tag::Is("x".into())), false, current)),
        Fault::PreconditionFailed.code()
    );
    assert_eq!(code(when(Some(Tag::Any), false, None)), Fault::NoSuchKey.code());
}

#[test]
fn lists_of_tags() {
    assert_eq!(Tag::of_list("\"a\""), Tag::Is("a".into()));
    assert_eq!(Tag::of_list("W/\"a\""), Tag::Is("a".into()));
    // As what is left of a list whose outer quotes were taken off.
    let list = Tag::of_list("a\", W/\"b\",\"c");
    assert_eq!(list, Tag::Among(vec!["a".into(), "b".into(), "c".into()]));
    assert!(list.matches("b") && !list.matches("d"));
}
