use super::*;
use crate::policy::{Context, Limits, STATEMENTS_NAMED_MAX};

fn policy(json: &str) -> Policy {
    Policy::parse(json.as_bytes(), &Limits::default())
        .unwrap()
        .named("p")
}

#[test]
fn what_is_not_an_action_or_a_resource_is_refused_even_by_negations() {
    let all = policy(r#"{"Statement":{"Effect":"Allow","NotAction":"x:y","NotResource":"arn:aws:s3:::b"}}"#);
    let context = Context::new();
    for (action, resource, allowed) in [
        ("s3:GetObject", "arn:aws:s3:::c", true),
        ("s3:GetObject", "*", true),
        ("GetObject", "arn:aws:s3:::c", false),
        ("", "arn:aws:s3:::c", false),
        ("s3:GetObject", "", false),
        ("s3:GetObject", "c", false),
        ("s3:GetObject", "arn:aws:s3", false),
    ] {
        let request = Request {
            action,
            resource,
            context: &context,
        };
        assert_eq!(decide(&[&all], &request).allowed, allowed, "{action} {resource}");
    }
}

#[test]
fn no_policies_allow_nothing() {
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "*",
        context: &context,
    };
    assert_eq!(decide(&[], &request), Decision::implicit_deny());
}

#[test]
fn many_allows_are_not_all_named_and_do_not_hide_a_deny() {
    let allow = policy(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#);
    let deny = policy(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#);
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "*",
        context: &context,
    };
    let mut policies = vec![&allow; 100];
    assert_eq!(decide(&policies, &request).statements.len(), STATEMENTS_NAMED_MAX);
    policies.push(&deny);
    assert_eq!(decide(&policies, &request).kind, DecisionKind::ExplicitDeny);
}
