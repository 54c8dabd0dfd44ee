//! Guard policies through the whole gate, on a real folder.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on a folder of its own"
)]

mod folder;

use craton_base::{BucketName, Kind as ErrorKind, ObjectKey, PrincipalName, ResourcePath};
use craton_gate::{
    Ask, BucketSettings, Gate, Session,
    ledger::{Filter, RecordKind},
};
use folder::{Folder, origin};

fn root(gate: &Gate) -> Session {
    gate.ensure_root(|_| Ok(())).unwrap();
    gate.operator(origin()).unwrap()
}

fn bucket() -> BucketName {
    BucketName::new("data").unwrap()
}

fn name(text: &str) -> PrincipalName {
    PrincipalName::new(text).unwrap()
}

async fn get(gate: &Gate, session: &Session, key: &str) -> craton_base::Result<()> {
    let resource = ResourcePath::Object(bucket(), ObjectKey::new(key).unwrap());
    gate.read(session, Ask::new("GetObject", "s3:GetObject", resource))
        .await
        .map(drop)
}

async fn with_bucket(folder: &Folder) -> (Gate, Session) {
    let gate = folder.open();
    let session = root(&gate);
    let ask = Ask::new("CreateBucket", "s3:CreateBucket", ResourcePath::Bucket(bucket()));
    let permit = gate.write(&session, ask).await.unwrap();
    permit
        .create_bucket(BucketSettings::default(), &[])
        .await
        .unwrap();
    drop(permit);
    (gate, session)
}

#[tokio::test]
async fn a_change_counts_from_the_next_request_on_and_after_a_restart() {
    let folder = Folder::new("change");
    let (gate, session) = with_bucket(&folder).await;
    get(&gate, &session, "secret/a").await.unwrap();
    let text =
        r#"@id("secret") forbid(principal, action in Action::"read", resource in Prefix::"data/secret/");"#;
    let checked = gate
        .put_guard_policy(&session, &name("d"), text.to_owned())
        .await
        .unwrap();
    assert_eq!(checked.policies, ["d#secret"]);
    let refused = get(&gate, &session, "secret/a").await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.reason()),
        (ErrorKind::Denied, "AccessDenied")
    );
    get(&gate, &session, "open/a").await.unwrap();
    let filter = Filter {
        kind: Some(RecordKind::Denial),
        ..Filter::default()
    };
    let denials = gate.audit_list(&session, filter).await.unwrap().entries;
    let statements = &denials[0].record.as_ref().unwrap().statements;
    assert_eq!(statements, &["guard:d#secret".to_owned()]);
    gate.close().await.unwrap();
    drop((gate, session));

    let gate = folder.open();
    let session = root(&gate);
    assert!(get(&gate, &session, "secret/a").await.is_err());
    let kept = gate.guard_policy(&session, &name("d")).await.unwrap();
    assert_eq!((kept.text.as_str(), kept.set_by.as_str()), (text, "root"));
    gate.delete_guard_policy(&session, &name("d")).await.unwrap();
    get(&gate, &session, "secret/a").await.unwrap();
    assert!(gate.list_guard_policies(&session).await.unwrap().is_empty());
    assert_eq!(
        gate.delete_guard_policy(&session, &name("d"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
    gate.close().await.unwrap();
}

#[tokio::test]
async fn an_error_in_a_forbid_is_a_denial_and_root_can_take_it_back() {
    let folder = Folder::new("error");
    let (gate, session) = with_bucket(&folder).await;
    let text = "forbid(principal, action, resource) when { 9223372036854775807 + 1 == 0 };";
    gate.put_guard_policy(&session, &name("d"), text.to_owned())
        .await
        .unwrap();
    assert!(get(&gate, &session, "a").await.is_err());
    // All else is refused to root as well.
    assert!(
        gate.list_entities(&session, craton_gate::HolderKind::User, "/", None, 10)
            .await
            .is_err()
    );
    gate.delete_guard_policy(&session, &name("d")).await.unwrap();
    get(&gate, &session, "a").await.unwrap();
    gate.close().await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_guard_policy_is_not_kept() {
    let folder = Folder::new("wrong");
    let (gate, session) = with_bucket(&folder).await;
    for text in [
        "permit(principal, action, resource);",
        "forbid(principal, action, resource",
        "forbid(principal, action, resource) when { context.purpose == \"x\" };",
    ] {
        let refused = gate.put_guard_policy(&session, &name("d"), text.to_owned()).await;
        assert_eq!(refused.unwrap_err().reason(), "MalformedPolicyDocument", "{text}");
        let refused = gate.check_guard_policy(&session, &name("d"), text).await;
        assert_eq!(refused.unwrap_err().reason(), "MalformedPolicyDocument", "{text}");
    }
    assert!(gate.list_guard_policies(&session).await.unwrap().is_empty());
    get(&gate, &session, "a").await.unwrap();
    assert!(
        gate.guard_schema(&session)
            .await
            .unwrap()
            .contains("entity Object")
    );
    gate.close().await.unwrap();
}
