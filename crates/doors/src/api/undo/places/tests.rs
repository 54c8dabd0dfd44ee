//! What paths mean.

use super::*;

fn bucket() -> BucketName {
    BucketName::new("data").unwrap()
}

#[test]
fn what_people_write() {
    let key = |key: &str| ObjectKey::new(key).unwrap();
    let graph = |name: &str| Place::Graph(bucket(), GraphName::new(name).unwrap());
    let table = Place::TableNamed(bucket(), vec!["a".into(), "b".into()], "t".into());
    let cases = [
        ("/data/objects/a/b", Place::Object(bucket(), key("a/b"))),
        ("/data/objects/a/*", Place::Objects(bucket(), "a/".into())),
        ("/data/objects/*", Place::Objects(bucket(), String::new())),
        ("/data/graphs/g", graph("g")),
        ("data/g", graph("g")),
        ("data.a.b.t", table.clone()),
        ("/data/tables/a.b.t", table),
    ];
    for (text, place) in cases {
        assert_eq!(Place::parse(text).unwrap(), place, "{text}");
    }
    for text in [
        "",
        "/",
        "data",
        "/data",
        "/data/objects",
        "data.t",
        "/data/rows/x",
        "/data/objects/.tables/x",
    ] {
        assert!(Place::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_records_say() {
    let id = "00000000-0000-4000-8000-000000000001";
    let of = |resource: &str| Place::of_record("data", resource).unwrap();
    assert_eq!(
        of("/data/objects/a*"),
        Some(Place::Object(bucket(), ObjectKey::new("a*").unwrap()))
    );
    assert_eq!(
        of(&format!("/data/objects/.tables/{id}/*")),
        Some(Place::Table(bucket(), id.to_owned()))
    );
    assert!(matches!(
        of(&format!("/data/objects/.tables/{id}/data/x")),
        Some(Place::File(..))
    ));
    assert_eq!(
        of("/data/graphs/g/(edge chr1 "),
        Some(Place::Graph(bucket(), GraphName::new("g").unwrap()))
    );
    assert_eq!(of("/other/objects/a"), None);
    assert_eq!(of("/data"), None);
}
