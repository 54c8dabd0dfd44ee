//! Whole policies against whole requests: the cases of AWS's documentation, and the security
//! cases by name.

use std::sync::Arc;

use super::*;

fn policy(json: &str) -> Policy {
    Policy::parse(json.as_bytes(), &Limits::default())
        .unwrap()
        .named("p")
}

fn statement(body: &str) -> Policy {
    policy(&format!(r#"{{"Version":"2012-10-17","Statement":[{body}]}}"#))
}

fn kind(policies: &[&Policy], action: &str, resource: &str, context: &Context) -> DecisionKind {
    let request = Request {
        action,
        resource,
        context,
    };
    let decision = decide(policies, &request);
    let set = PolicySet::new(policies.iter().map(|p| Arc::new((*p).clone())).collect());
    assert_eq!(set.decide(&request), decision, "the index and the list disagree");
    assert_eq!(decision.allowed, decision.kind == DecisionKind::Allow);
    decision.kind
}

fn allows(p: &Policy, action: &str, resource: &str, context: &Context) -> bool {
    kind(&[p], action, resource, context) == DecisionKind::Allow
}

#[test]
fn explicit_deny_wins_whatever_the_order() {
    let allow = statement(r#"{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    let deny = statement(r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/secret/*"}"#);
    let context = Context::new();
    for policies in [[&allow, &deny], [&deny, &allow]] {
        let get = |key| kind(&policies, "s3:GetObject", key, &context);
        assert_eq!(get("arn:aws:s3:::b/secret/x"), DecisionKind::ExplicitDeny);
        assert_eq!(get("arn:aws:s3:::b/open"), DecisionKind::Allow);
        assert_eq!(
            kind(&policies, "sts:GetCallerIdentity", "*", &context),
            DecisionKind::ImplicitDeny
        );
    }
}

#[test]
fn a_decision_names_its_statements() {
    let p = policy(
        r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},
            {"Effect":"Allow","Action":"s3:Get*","Resource":"*"},
            {"Sid":"No","Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}]}"#,
    );
    let context = Context::new();
    let named = |action| {
        let request = Request {
            action,
            resource: "arn:aws:s3:::b/k",
            context: &context,
        };
        let names = decide(&[&p], &request).statements;
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named("s3:GetObject"), ["p#Read", "p[1]"]);
    assert_eq!(named("s3:DeleteObject"), ["p#No"]);
    assert!(named("s3:PutObject").is_empty());
}
