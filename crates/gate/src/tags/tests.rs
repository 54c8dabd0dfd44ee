use super::*;

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn code(tags: Vec<Tag>) -> &'static str {
    Tags::new(tags)
        .check(OBJECT_TAGS_MAX)
        .map_or_else(|e| e.reason(), |()| "ok")
}

#[test]
fn limits() {
    assert_eq!(code(vec![]), "ok");
    assert_eq!(code((0..10).map(|i| tag(&i.to_string(), "")).collect()), "ok");
    assert_eq!(
        code((0..11).map(|i| tag(&i.to_string(), "")).collect()),
        "BadRequest"
    );
    assert_eq!(code(vec![tag(&"k".repeat(128), &"v".repeat(256))]), "ok");
    assert_eq!(code(vec![tag(&"ü".repeat(128), &"ü".repeat(256))]), "ok");
    assert_eq!(code(vec![tag(&"k".repeat(129), "")]), "InvalidTag");
    assert_eq!(code(vec![tag("k", &"v".repeat(257))]), "InvalidTag");
    assert_eq!(code(vec![tag("", "v")]), "InvalidTag");
    assert_eq!(code(vec![tag("k", "1"), tag("k", "2")]), "InvalidTag");
    assert_eq!(code(vec![tag("aws:k", "1")]), "InvalidTag");
    assert_eq!(code(vec![tag("a b+-=._:/@ü", "Ж 1")]), "ok");
    for sign in ["&", "?", "\n", "*", "<", "\u{0}"] {
        assert_eq!(code(vec![tag(sign, "")]), "InvalidTag", "{sign:?}");
        assert_eq!(code(vec![tag("k", sign)]), "InvalidTag", "{sign:?}");
    }
}

#[test]
fn tags_inside_a_description() {
    let tags = Tags::new(vec![tag("b", "2"), tag("a", "1")]);
    let meta = Tagged {
        tags: Some(tags.clone()),
    }
    .encode_to_vec();
    assert_eq!(Tags::of_object(&meta), tags);
    assert_eq!(tags.list.first(), Some(&tag("a", "1")));
    assert!(Tags::of_object(b"").is_empty());
    assert!(Tags::of_object(&[0xff; 9]).is_empty());
}
