use super::*;

#[test]
fn a_resource_names_keys_of_the_buckets_that_it_fits() {
    let known = [
        ("data/reports/*", Some("reports/*")),
        ("data/a.csv", Some("a.csv")),
        ("d*/x", Some("x")),
        ("data/home/${aws:username}/x", Some("home/*")),
        ("other/x", None),
        ("data", None),
        ("data/", None),
    ];
    for (resource, key) in known {
        assert_eq!(key_in("data", resource).as_deref(), key, "{resource}");
    }
}

#[test]
fn only_actions_on_buckets_and_objects_are_asked_about() {
    assert!(about_objects("s3:GetObject".to_owned()).unwrap().1);
    assert!(!about_objects("s3:ListBucket".to_owned()).unwrap().1);
    for action in ["iam:GetUser", "s3:ListAllMyBuckets", "craton:ReadGraph", "x"] {
        assert!(about_objects(action.to_owned()).is_err(), "{action}");
    }
}
