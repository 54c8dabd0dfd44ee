use super::*;

fn rule(id: &str, priority: i32, prefix: &str, to: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        enabled: true,
        priority,
        prefix: prefix.to_owned(),
        destination: to.to_owned(),
        ..Rule::default()
    }
}

fn subject(key: &str) -> Subject<'_> {
    Subject {
        key,
        tags: &[],
        kms: false,
    }
}

fn ids(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.id.clone()).collect()
}

#[test]
fn of_rules_to_one_destination_the_highest_priority_counts_and_others_beside_it() {
    let rules = Replication {
        rules: vec![
            rule("low", 1, "", "a"),
            rule("high", 5, "logs/", "a"),
            rule("other", 2, "", "b"),
        ],
    };
    assert_eq!(ids(&rules.of_object(&subject("logs/1"))), ["high", "other"]);
    assert_eq!(ids(&rules.of_object(&subject("x"))), ["low", "other"]);
    assert_eq!(rules.of_change("a", "logs/1").unwrap().id, "high");
    assert!(rules.of_change("c", "logs/1").is_none());
}

#[test]
fn tags_must_all_be_there_and_markers_have_none() {
    let tagged = Rule {
        tags: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
        markers: true,
        ..rule("tagged", 1, "", "a")
    };
    let rules = Replication { rules: vec![tagged] };
    let both = [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())];
    let with = |tags| Subject { tags, ..subject("k") };
    assert_eq!(rules.of_object(&with(&both)).len(), 1);
    assert!(rules.of_object(&with(&both[..1])).is_empty());
    assert!(rules.of_marker("k").is_empty());
}

#[test]
fn what_has_a_key_of_the_key_service_needs_a_rule_that_names_one() {
    let mut with_key = rule("kms", 1, "", "a");
    with_key.kms_key = Some("key".to_owned());
    let rules = Replication {
        rules: vec![with_key, rule("plain", 1, "", "b")],
    };
    let subject = Subject {
        kms: true,
        ..subject("k")
    };
    assert_eq!(ids(&rules.of_object(&subject)), ["kms"]);
}

#[test]
fn both_forms_of_the_document_are_read() {
    let document = br"<ReplicationConfiguration><Role>r</Role>
        <Rule><ID>new</ID><Priority>3</Priority><Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>
        <Tag><Key>l</Key><Value/></Tag></And></Filter><Status>Enabled</Status>
        <SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications>
        <SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>
        <ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>
        <Destination><Bucket>arn:aws:s3:::b</Bucket><StorageClass>GLACIER</StorageClass>
        <EncryptionConfiguration><ReplicaKmsKeyID>key</ReplicaKmsKeyID></EncryptionConfiguration></Destination>
        <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule>
        <Rule><ID>all</ID><Priority>1</Priority><Filter/><Status>Disabled</Status><Destination><Bucket>b</Bucket></Destination></Rule>
        <Rule><ID>old</ID><Prefix>q</Prefix><Status>Enabled</Status><Destination><Bucket>c</Bucket></Destination></Rule>
        </ReplicationConfiguration>";
    let read = parse(document).unwrap().rules;
    let new = Rule {
        tags: vec![("k".into(), "v".into()), ("l".into(), String::new())],
        storage_class: Some("GLACIER".into()),
        kms_key: Some("key".into()),
        existing: true,
        replica_changes: true,
        ..rule("new", 3, "p/", "arn:aws:s3:::b")
    };
    assert_eq!(read[0], new);
    assert!(!read[1].enabled && read[1].prefix.is_empty() && !read[1].markers);
    let old = Rule {
        markers: true,
        ..rule("old", 0, "q", "c")
    };
    assert_eq!(read[2], old);
    assert!(parse(b"<no").is_err());
}

#[test]
fn a_destination_is_here_unless_a_remote_has_it() {
    let remotes = [
        RemoteBuckets {
            name: "far".into(),
            buckets: vec!["copies".into()],
        },
        RemoteBuckets {
            name: "any".into(),
            buckets: vec!["*".into()],
        },
    ];
    let there = |remote: &str, bucket: &str| {
        Some(Place::There {
            remote: remote.into(),
            bucket: bucket.into(),
        })
    };
    let of = |arn: &str| Place::of(arn, &remotes);
    assert_eq!(of("arn:aws:s3:::copies"), there("far", "copies"));
    assert_eq!(
        of("arn:aws:s3:::data"),
        Some(Place::Here(BucketName::new("data").unwrap()))
    );
    assert_eq!(of("arn:minio:replication::far:copies"), there("far", "copies"));
    assert_eq!(of("arn:minio:replication:eu:any:data"), there("any", "data"));
    for wrong in [
        "arn:minio:replication::far:data",
        "arn:minio:replication::nobody:copies",
        "arn:aws:sqs:::copies",
        "arn:aws:s3:::",
        "copies",
        "arn:aws:s3:::NOT A NAME",
    ] {
        assert_eq!(of(wrong), None, "{wrong}");
    }
}
