use craton_base::BucketId;

use super::*;

fn refusal(change: &ConfigurationChange) -> &'static str {
    change.value(Timestamp(1)).unwrap_err().reason()
}

#[test]
fn names_on_disk_are_distinct_and_parts_of_no_other() {
    let mut keys: Vec<Bytes> = Subresource::ALL
        .iter()
        .map(|s| key(BucketId(7), *s, s.is_named().then_some("id")).name)
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), Subresource::ALL.len());
    let inventory = named_prefix(Subresource::Inventory);
    assert!(
        key(BucketId(7), Subresource::Inventory, Some("a"))
            .name
            .starts_with(&inventory)
    );
    assert!(
        !key(BucketId(7), Subresource::Metrics, Some("a"))
            .name
            .starts_with(&inventory)
    );
}

#[test]
fn what_the_gate_could_not_read_again_is_not_stored() {
    use ConfigurationChange as Change;
    for bad in [
        Change::set(Subresource::Policy, "{}"),
        Change::set(Subresource::Ownership, "Nobody"),
        Change::set(Subresource::PublicAccessBlock, &b"\xff\xff"[..]),
        Change::set(Subresource::Acl, &b"\xff\xff"[..]),
        Change::set(Subresource::Cors, &b"\xff\xff"[..]),
    ] {
        assert_ne!(refusal(&bad), "", "{bad:?}");
    }
    let large = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    assert_eq!(
        refusal(&Change::set(Subresource::Lifecycle, large)),
        "EntityTooLarge"
    );
    let long = "x".repeat(ID_BYTES_MAX + 1);
    let named = Change::set_named(Subresource::Metrics, &long, "");
    assert_eq!(refusal(&named), "InvalidConfigurationId");
    assert_eq!(refusal(&Change::set(Subresource::Metrics, "")), "InternalError");
    assert_eq!(
        refusal(&Change::set_named(Subresource::Policy, "a", "")),
        "InternalError"
    );
    assert_eq!(
        Change::remove(Subresource::Policy).value(Timestamp(1)).unwrap(),
        None
    );
}

#[test]
fn a_grant_of_an_unknown_kind_is_no_grant() {
    let mut acl = Acl::private("ana");
    assert!(acl::parse(&acl.encode_to_vec().into()).is_ok());
    acl.grants[0].permission = 99;
    assert!(acl::parse(&acl.encode_to_vec().into()).is_err());
}

#[test]
fn a_document_is_parsed_once() {
    let configuration = Configuration {
        document: Bytes::from_static(b"12"),
        changed: Timestamp(1),
        sequence: Sequence(1),
        parsed: OnceLock::new(),
    };
    let parse = |b: &Bytes| Ok(b.len());
    let first = configuration.parsed(parse).unwrap();
    let again = configuration.parsed(|_| -> Result<usize> { Err(Error::internal("asked again")) });
    assert!(Arc::ptr_eq(&first, &again.unwrap()));
    assert_eq!(*configuration.parsed(|_| Ok("other")).unwrap(), "other");
}

#[test]
fn what_lists_grant() {
    use crate::policy::Caller;
    let bob = Caller::User {
        account: "000000000000",
        arn: "arn:aws:iam::000000000000:user/bob",
        id: "bob",
    };
    let mut acl = Acl::private("ana");
    acl.grants
        .push(AclGrant::new(Grantee::User, "bob", AclPermission::Read));
    let bucket = |acl: &Acl, caller: &Caller<'_>, action: &str, ignore| {
        acl.granting(caller, action, ignore, acl::bucket_allows).is_some()
    };
    assert!(bucket(&acl, &bob, "s3:ListBucket", true));
    assert!(!bucket(&acl, &bob, "s3:PutObject", false));
    assert!(!bucket(&acl, &Caller::Anonymous, "s3:ListBucket", false));
    assert!(!acl.is_public());

    acl.grants
        .push(AclGrant::new(Grantee::Everyone, "", AclPermission::Write));
    assert!(bucket(&acl, &Caller::Anonymous, "s3:PutObject", false));
    assert!(!bucket(&acl, &Caller::Anonymous, "s3:PutObject", true));
    assert!(!bucket(&acl, &Caller::Anonymous, "s3:DeleteBucket", false));
    assert!(acl.is_public() && !acl.is_private());

    let object = Acl {
        owner: "ana".to_owned(),
        grants: vec![AclGrant::new(
            Grantee::Authenticated,
            "",
            AclPermission::FullControl,
        )],
    };
    let of = |caller: &Caller<'_>, action: &str| {
        object
            .granting(caller, action, false, acl::object_allows)
            .is_some()
    };
    assert!(of(&bob, "s3:GetObject") && of(&bob, "s3:PutObjectAcl"));
    assert!(!of(&bob, "s3:PutObject") && !of(&bob, "s3:DeleteObject"));
    assert!(!of(&Caller::Anonymous, "s3:GetObject"));
}

/// A configuration that could not be read was taken for none, and with it what it kept. Ours fails the request.
#[test]
fn ghsa_j548_what_does_not_parse_is_not_absent() {
    let of_gate = [
        Subresource::Acl,
        Subresource::Cors,
        Subresource::Encryption,
        Subresource::GraphLabels,
        Subresource::Ownership,
        Subresource::Policy,
        Subresource::PublicAccessBlock,
    ];
    for subresource in of_gate {
        let unreadable = Configuration {
            document: Bytes::from_static(b"\xff\xff"),
            changed: Timestamp(1),
            sequence: Sequence(1),
            parsed: OnceLock::new(),
        };
        let taken = BucketAccess::default().take(subresource, &unreadable);
        assert!(taken.is_err(), "{subresource:?}");
    }
}
