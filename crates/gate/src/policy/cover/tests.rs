//! What covers what, and a property: what is covered is allowed.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    super::{Context, Limits, Request},
    *,
};

fn policy(statements: &str) -> Policy {
    let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse(json.as_bytes(), &Limits::default())
        .unwrap()
        .named("p")
}

fn holds(own: &str, wanted: &str) -> bool {
    PolicySet::new(vec![Arc::new(policy(own))])
        .covers(&policy(wanted))
        .is_ok()
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
}

#[test]
fn narrower_is_covered_and_wider_is_not() {
    let own = allow("s3:Get*", "arn:aws:s3:::data/*");
    assert!(holds(&own, &allow("s3:GetObject", "arn:aws:s3:::data/a/*")));
    assert!(holds(&own, &own));
    assert!(!holds(&own, &allow("s3:*", "arn:aws:s3:::data/*")));
    assert!(!holds(&own, &allow("s3:GetObject", "arn:aws:s3:::*")));
    assert!(!holds(&own, &allow("s3:GetObject", "*")));
    assert!(!holds(&own, &allow("*", "arn:aws:s3:::data/*")));
    assert!(holds(&allow("*", "*"), &allow("iam:*", "*")));
    let ours = allow("s3:GetObject", "arn:aws:s3:::data/a?");
    assert!(!holds(&ours, &allow("s3:GetObject", "arn:aws:s3:::data/a*")));
    assert!(holds(&ours, &allow("s3:GetObject", "arn:aws:s3:::data/ab")));
}

#[test]
fn a_negation_or_a_variable_is_only_covered_by_everything() {
    let not = r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#;
    assert!(!holds(&allow("s3:*", "*"), not));
    assert!(!holds(not, not));
    assert!(holds(&allow("*", "*"), not));
    let home = allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*");
    assert!(!holds(&home, &home), "it is another home for somebody else");
    assert!(holds(&allow("s3:GetObject", "arn:aws:s3:::home/*"), &home));
}

#[test]
fn conditions_of_the_holder_bind_the_grant_and_denies_spoil_it() {
    let bound = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#;
    assert!(!holds(bound, &allow("s3:GetObject", "*")));
    assert!(holds(bound, bound));
    let mine = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}"#;
    assert!(!holds(mine, mine), "it is about who asks");
    let deny = r#"{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::data/*"}"#;
    let own = format!("{},{deny}", allow("s3:*", "*"));
    assert!(!holds(&own, &allow("s3:*", "*")));
    assert!(!holds(&own, &allow("s3:DeleteObject", "arn:aws:s3:::data/x")));
    assert!(holds(&own, &allow("s3:DeleteObject", "arn:aws:s3:::other/x")));
    assert!(holds(&own, &allow("s3:GetObject", "*")));
    assert!(holds(&own, deny), "a deny gives nothing");
}

#[test]
fn a_boundary_and_a_session_limit_what_can_be_granted() {
    let all = || Arc::new(policy(&allow("*", "*")));
    let read = Arc::new(policy(&allow("s3:GetObject", "*")));
    let bounded = PolicySet::new(vec![all()]).with_boundary(read.clone());
    assert!(bounded.covers(&read).is_ok() && bounded.covers(&all()).is_err());
    let session = PolicySet::new(vec![all()]).with_session(vec![read.clone()]);
    assert!(session.covers(&read).is_ok() && session.covers(&all()).is_err());
    assert!(session.with_session(vec![]).covers(&read).is_err());
}

fn pattern() -> impl Strategy<Value = String> {
    "[ab*?]{0,5}"
}

proptest! {
    #[test]
    fn what_is_covered_is_allowed(outer in pattern(), inner in pattern(), text in "[ab]{0,5}") {
        let own = allow("s3:GetObject", &format!("arn:aws:s3:::x{outer}"));
        let wanted = allow("s3:GetObject", &format!("arn:aws:s3:::x{inner}"));
        if holds(&own, &wanted) {
            let context = Context::new();
            let resource = format!("arn:aws:s3:::x{text}");
            let request = Request { action: "s3:GetObject", resource: &resource, context: &context };
            let allowed = |p: &str| PolicySet::new(vec![Arc::new(policy(p))]).decide(&request).allowed;
            prop_assert!(!allowed(&wanted) || allowed(&own), "{outer} does not cover {inner}: {text}");
        }
    }
}
