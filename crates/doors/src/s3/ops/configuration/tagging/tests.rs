use super::*;

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    }
}

#[test]
fn tags_are_held_to_s3_s_rules() {
    let code = |tags: &[Tag]| check(tags).map_or_else(|e| e.code().as_str().to_owned(), |()| "ok".to_owned());
    assert_eq!(code(&[]), "ok");
    assert_eq!(code(&[tag("a", ""), tag("Ä b_.:/=+-@", "v")]), "ok");
    assert_eq!(code(&[tag("a", "1"), tag("a", "2")]), "InvalidTag");
    assert_eq!(code(&[tag("", "1")]), "InvalidTag");
    assert_eq!(code(&[tag(&"k".repeat(129), "1")]), "InvalidTag");
    assert_eq!(code(&[tag("k", &"v".repeat(257))]), "InvalidTag");
    assert_eq!(code(&[tag("AWS:cloud", "1")]), "InvalidTag");
    assert_eq!(code(&[tag("k", "a<b")]), "InvalidTag");
    let many: Vec<Tag> = (0..=TAGS_MAX).map(|n| tag(&n.to_string(), "")).collect();
    assert_eq!(code(&many), "BadRequest");
    assert_eq!(code(&many[1..]), "ok");
}
