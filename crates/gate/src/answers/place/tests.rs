use super::*;

fn paths() -> Vec<ResourcePath> {
    let bucket = || BucketName::new("data").unwrap();
    let graph = || GraphName::new("g").unwrap();
    vec![
        ResourcePath::Root,
        ResourcePath::Bucket(bucket()),
        ResourcePath::Object(bucket(), ObjectKey::new("a/b*").unwrap()),
        ResourcePath::Facts(bucket(), FactPath::whole(graph())),
        ResourcePath::Facts(bucket(), FactPath::new(graph(), "(edge chr1 ").unwrap()),
        ResourcePath::System("users/ana".into()),
        ResourcePath::System("ledger".into()),
    ]
}

#[test]
fn an_arn_names_the_path_that_it_was_made_of() {
    for path in paths() {
        assert_eq!(
            of_arn(&crate::access::arn("s3:GetObject", &path)).as_ref(),
            Some(&path),
            "{path}"
        );
    }
    for arn in [
        "",
        "arn:aws:sqs:::x",
        "arn:aws:s3:::A_B",
        "arn:aws:iam::111111111111:user/x",
    ] {
        assert_eq!(of_arn(arn), None, "{arn}");
    }
}

#[test]
fn a_record_names_the_path_that_it_was_about() {
    for path in paths() {
        assert_eq!(
            of_record(&path.to_string(), "s3:GetObject").as_ref(),
            Some(&path),
            "{path}"
        );
    }
    let listing = ResourcePath::Objects(BucketName::new("data").unwrap(), "a/".into());
    assert_eq!(of_record(&listing.to_string(), "s3:ListBucket"), Some(listing));
    assert_eq!(of_record("data", "s3:GetObject"), None);
}
