use proptest::prelude::*;

use super::*;
use crate::policy::{Context, DecisionKind, Limits, decide};

fn policy(name: &str, json: &str) -> Arc<Policy> {
    Arc::new(
        Policy::parse(json.as_bytes(), &Limits::default())
            .unwrap()
            .named(name),
    )
}

fn allow(name: &str, action: &str, resource: &str) -> Arc<Policy> {
    policy(
        name,
        &format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#),
    )
}

#[test]
fn boundary_and_session_only_narrow() {
    let context = Context::new();
    let kind = |set: &PolicySet, action| {
        let request = Request {
            action,
            resource: "arn:aws:s3:::b/k",
            context: &context,
        };
        set.decide(&request).kind
    };
    let set =
        PolicySet::new(vec![allow("i", "s3:Get*", "*")]).with_boundary(allow("b", "s3:GetObject*", "*"));
    assert_eq!(kind(&set, "s3:GetObject"), DecisionKind::Allow);
    assert_eq!(kind(&set, "s3:GetBucketLocation"), DecisionKind::ImplicitDeny);
    assert_eq!(kind(&set, "s3:PutObject"), DecisionKind::ImplicitDeny);
    let session = set
        .clone()
        .with_session(vec![allow("s", "s3:GetObjectVersion", "*")]);
    assert_eq!(kind(&session, "s3:GetObject"), DecisionKind::ImplicitDeny);
    assert_eq!(kind(&session, "s3:GetObjectVersion"), DecisionKind::Allow);
    assert_eq!(
        kind(&set.with_session(Vec::new()), "s3:GetObject"),
        DecisionKind::ImplicitDeny
    );
}

#[test]
fn a_deny_in_any_layer_wins_and_is_named() {
    let deny = policy(
        "d",
        r#"{"Statement":{"Sid":"No","Effect":"Deny","Action":"s3:*","Resource":"*"}}"#,
    );
    let all = allow("a", "*", "*");
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::b/k",
        context: &context,
    };
    for set in [
        PolicySet::new(vec![all.clone(), deny.clone()]),
        PolicySet::new(vec![all.clone()]).with_boundary(deny.clone()),
        PolicySet::new(vec![all.clone()]).with_session(vec![all.clone(), deny.clone()]),
    ] {
        let decision = set.decide(&request);
        assert_eq!(decision.kind, DecisionKind::ExplicitDeny);
        assert_eq!(decision.statements[0].to_string(), "d#No");
    }
}

#[test]
fn what_cannot_match_is_not_looked_at() {
    let mut policies: Vec<_> = (0..5_000)
        .map(|n| allow("other", "s3:GetObject", &format!("arn:aws:s3:::bucket-{n}/*")))
        .collect();
    policies.push(allow("wanted", "s3:GetObject", "arn:aws:s3:::wanted/*"));
    let layer = Layer::new(policies);
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::wanted/k",
        context: &context,
    };
    let mut places = Vec::new();
    with_target(&request, |target| layer.index.candidates(target, &mut places));
    assert_eq!(places, [(5_000, 0)]);
}

const ACTIONS: [&str; 7] = [
    "*",
    "s3:*",
    "s3:GetObject",
    "S3:getobject",
    "s3:Put*",
    "sts:*",
    "*:GetObject",
];
const RESOURCES: [&str; 7] = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b*",
    "arn:aws:s3:::?/b",
    "arn:aws:s3",
];

prop_compose! {
    fn statement()(
        deny in prop::bool::weighted(0.3),
        not_action in prop::bool::weighted(0.2),
        not_resource in prop::bool::weighted(0.2),
        actions in prop::collection::vec(prop::sample::select(&ACTIONS[..]), 1..3),
        resources in prop::collection::vec(prop::sample::select(&RESOURCES[..]), 1..3),
    ) -> serde_json::Value {
        let mut statement = serde_json::json!({"Effect": if deny { "Deny" } else { "Allow" }});
        statement[if not_action { "NotAction" } else { "Action" }] = actions.into();
        statement[if not_resource { "NotResource" } else { "Resource" }] = resources.into();
        statement
    }
}

proptest! {
    /// The index leaves out nothing that a plain list would find.
    #[test]
    fn the_index_changes_no_answer(
        documents in prop::collection::vec(prop::collection::vec(statement(), 1..4), 0..4),
        action in prop::sample::select(vec!["s3:GetObject", "s3:PutObject", "sts:GetObject", "iam:X"]),
        resource in prop::sample::select(vec!["*", "arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::a/*", "arn:aws:iam::1:user/a"]),
    ) {
        let policies: Vec<_> = documents.iter().zip(0..).map(|(statements, n)| {
            policy(&format!("p{n}"), &serde_json::json!({"Statement": statements}).to_string())
        }).collect();
        let context = Context::new();
        let request = Request { action, resource, context: &context };
        let plain = decide(&policies.iter().map(|p| &**p).collect::<Vec<_>>(), &request);
        let set = PolicySet::new(policies.clone());
        prop_assert_eq!(set.decide(&request), plain);
    }
}
