use super::*;

fn bucket() -> BucketName {
    BucketName::new("data").unwrap()
}

fn lease(paths: &[ResourcePath]) -> LeaseInfo {
    let leased = |(path, exclusive): (&ResourcePath, bool)| LeasedPath {
        path: path.clone(),
        exclusive,
    };
    LeaseInfo {
        id: "L1".to_owned(),
        principal: "ana".to_owned(),
        paths: paths
            .iter()
            .zip([true, false].into_iter().cycle())
            .map(leased)
            .collect(),
        purpose: "training".to_owned(),
        since: Timestamp(1),
        until: Timestamp(2),
        token: 7,
    }
}

#[test]
fn a_lease_is_read_as_it_was_written() {
    let facts = FactPath::new(GraphName::new("g").unwrap(), "(edge chr1 ").unwrap();
    let paths = [
        ResourcePath::Bucket(bucket()),
        ResourcePath::Object(bucket(), ObjectKey::new("a/*").unwrap()),
        ResourcePath::Objects(bucket(), "a/".to_owned()),
        ResourcePath::Objects(bucket(), String::new()),
        ResourcePath::Facts(bucket(), facts),
        ResourcePath::Facts(bucket(), FactPath::whole(GraphName::new("g").unwrap())),
    ];
    let lease = lease(&paths);
    let record = LeaseRecord::decode(&*lease.record().unwrap().encode_to_vec()).unwrap();
    assert_eq!(LeaseInfo::read("L1", &record).unwrap(), lease);
    for not_leased in [ResourcePath::Root, ResourcePath::System("users".to_owned())] {
        let leased = LeasedPath {
            path: not_leased,
            exclusive: true,
        };
        assert!(PathRecord::of(&leased).is_err());
    }
}

#[test]
fn a_prefix_is_asked_about_as_policies_write_it() {
    let prefix = ResourcePath::Objects(bucket(), "runs/7/".to_owned());
    let wanted = ResourcePath::Object(bucket(), ObjectKey::new("runs/7/*").unwrap());
    assert_eq!(asked(&prefix).unwrap(), wanted);
    let table = tables::table(bucket(), "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11");
    assert_eq!(asked(&table).unwrap(), table);
}

#[test]
fn a_lease_has_an_end() {
    let now = Timestamp(1_000_000);
    assert_eq!(until(now, 1).unwrap(), Timestamp(2_000_000));
    assert!(until(now, LEASE_SECONDS_MAX).is_ok());
    for wrong in [0, LEASE_SECONDS_MAX + 1, u64::MAX] {
        assert!(until(now, wrong).is_err());
    }
}
