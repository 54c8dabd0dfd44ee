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
fn a_deny_of_some_facts_refuses_all_that_they_are_among() {
    let allow = statement(r#"{"Effect":"Allow","Action":"craton:*","Resource":"*"}"#);
    let read = |denied: &str, path: &str| {
        let deny = statement(&format!(
            r#"{{"Effect":"Deny","Action":"craton:ReadGraph","Resource":"arn:craton:graph:::{denied}"}}"#
        ));
        let arn = format!("arn:craton:graph:::{path}");
        kind(&[&allow, &deny], "craton:ReadGraph", &arn, &Context::new())
    };
    let refused = [
        ("b/g/(secret *", "b/g/"),
        ("b/g/(secret *", "b/g/(secret "),
        ("b/g/(secret *", "b/g/(secret x "),
        ("b/g/(edge secret *", "b/g/(edge "),
        ("b/*/(secret *", "b/g/"),
        ("b/g?/(secret *", "b/g1/"),
    ];
    for (denied, path) in refused {
        assert_eq!(read(denied, path), DecisionKind::ExplicitDeny, "{denied}: {path}");
    }
    let allowed = [
        ("b/g/(secret *", "b/g/(open "),
        ("b/g/(secret *", "b/other/"),
        ("b/g/(edge secret *", "b/g/(edge open "),
        ("b/g?/(secret *", "b/other/"),
    ];
    for (denied, path) in allowed {
        assert_eq!(read(denied, path), DecisionKind::Allow, "{denied}: {path}");
    }
    // An allow of some is not one of all, and objects are not meant: each is asked about by its whole name.
    let some = statement(r#"{"Effect":"Allow","Action":"*","Resource":"arn:craton:graph:::b/g/(open *"}"#);
    let whole = "arn:craton:graph:::b/g/";
    assert!(!allows(&some, "craton:ReadGraph", whole, &Context::new()));
    let object = statement(r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/k/secret"}"#);
    let all = statement(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    let get = kind(
        &[&all, &object],
        "s3:GetObject",
        "arn:aws:s3:::b/k",
        &Context::new(),
    );
    assert_eq!(get, DecisionKind::Allow);
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

#[test]
fn a_home_folder_by_user_name() {
    let p = policy(
        r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::corp",
             "Condition":{"StringLike":{"s3:prefix":["","home/","home/${aws:username}/*"]}}},
            {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],
             "Resource":"arn:aws:s3:::corp/home/${aws:username}/*"}]}"#,
    );
    let mut context = Context::new();
    context.set_username("bob").unwrap();
    assert!(allows(
        &p,
        "s3:GetObject",
        "arn:aws:s3:::corp/home/bob/x",
        &context
    ));
    assert!(!allows(
        &p,
        "s3:GetObject",
        "arn:aws:s3:::corp/home/alice/x",
        &context
    ));
    assert!(!allows(&p, "s3:ListBucket", "arn:aws:s3:::corp", &context));
    for (prefix, allowed) in [
        ("", true),
        ("home/", true),
        ("home/bob/a", true),
        ("home/alice/a", false),
    ] {
        context.set("s3:prefix", prefix).unwrap();
        assert_eq!(
            allows(&p, "s3:ListBucket", "arn:aws:s3:::corp", &context),
            allowed,
            "{prefix:?}"
        );
    }
    // CVE-2026-42810: a name of wildcards must not widen the policy.
    context.set_username("*").unwrap();
    assert!(!allows(
        &p,
        "s3:GetObject",
        "arn:aws:s3:::corp/home/alice/x",
        &context
    ));
    assert!(!allows(
        &p,
        "s3:GetObject",
        "arn:aws:s3:::corp/home/bob/x",
        &Context::new()
    ));
}

#[test]
fn a_not_resource_whose_variable_has_no_value_never_widens() {
    let body = |effect| {
        format!(
            r#"{{"Effect":"{effect}","Action":"s3:*","NotResource":"arn:aws:s3:::b/${{aws:username}}/*"}}"#
        )
    };
    let (allow, deny) = (statement(&body("Allow")), statement(&body("Deny")));
    let all = statement(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
    let context = Context::new();
    let get = |policies: &[&Policy], context: &Context| {
        kind(policies, "s3:GetObject", "arn:aws:s3:::b/alice/x", context)
    };
    assert_eq!(get(&[&allow], &context), DecisionKind::ImplicitDeny);
    assert_eq!(get(&[&all, &deny], &context), DecisionKind::ExplicitDeny);
    let mut context = Context::new();
    context.set_username("alice").unwrap();
    assert_eq!(get(&[&allow], &context), DecisionKind::ImplicitDeny);
    assert_eq!(get(&[&all, &deny], &context), DecisionKind::Allow);
    context.set_username("bob").unwrap();
    assert_eq!(get(&[&allow], &context), DecisionKind::Allow);
}

#[test]
fn typed_keys_of_the_context() {
    let p = statement(
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"},
            "DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},
            "NumericGreaterThan":{"aws:EpochTime":1767225600},
            "ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/bob"}}}"#,
    );
    let mut context = Context::new();
    context.set_source_ip("::ffff:10.1.2.3".parse().unwrap()).unwrap();
    context.set_secure_transport(true).unwrap();
    context
        .set_time(craton_base::Timestamp::from_seconds(1_780_315_200))
        .unwrap();
    context.set_principal_arn("arn:aws:iam::1:user/bob").unwrap();
    assert!(allows(&p, "s3:GetObject", "arn:aws:s3:::b/k", &context));
    context.set_secure_transport(false).unwrap();
    assert!(!allows(&p, "s3:GetObject", "arn:aws:s3:::b/k", &context));
}

#[test]
fn keys_of_a_context_are_without_case() {
    let mut context = Context::new();
    // The last is the sign for Kelvin, whose small letter is a k.
    for (key, lower) in [
        ("aws:X/Team", "aws:x/team"),
        ("aws:X/\u{c9}T\u{c9}", "aws:x/\u{e9}t\u{e9}"),
        ("aws:X/\u{212a}", "aws:x/k"),
    ] {
        context.set(lower, "first").unwrap();
        context.set(key, "last").unwrap();
        let facts: &dyn Facts = &context;
        assert_eq!(facts.variable(lower).as_deref(), Some("last"), "{key}");
        context.set(lower, "").unwrap();
        let facts: &dyn Facts = &context;
        assert_eq!(facts.variable(lower), None, "{key}");
    }
}

#[test]
fn a_context_is_bounded() {
    let mut context = Context::new();
    for n in 0..CONTEXT_KEYS_MAX {
        context.set(format!("aws:RequestTag/{n}"), "x").unwrap();
    }
    context.set("AWS:RequestTag/0", "replaced").unwrap();
    assert_eq!(
        context.set("aws:RequestTag/one-more", "x").unwrap_err().kind(),
        craton_base::Kind::TooLarge
    );
    let values = vec![String::new(); CONTEXT_VALUES_MAX + 1];
    assert_eq!(
        context.set_list("aws:RequestTag/0", values).unwrap_err().kind(),
        craton_base::Kind::TooLarge
    );
}

#[test]
fn resource_policies_are_parsed_and_keep_their_principals() {
    let json = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"all of them","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
        {"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::1:user/a","*"],"Service":"x.amazonaws.com",
         "Federated":"f","CanonicalUser":"c"},"Action":"s3:*"}]}"#;
    let policy = ResourcePolicy::parse(json.as_bytes(), &Limits::default()).unwrap();
    let principals: Vec<_> = policy.principals().collect();
    assert_eq!(principals[0], (Effect::Allow, false, &[Principal::Everyone][..]));
    let (effect, negated, named) = principals[1];
    assert_eq!((effect, negated, named.len()), (Effect::Deny, true, 5));
    assert!(named.contains(&Principal::Aws("arn:aws:iam::1:user/a".into())));
    for (principal, path) in [
        ("\"bob\"", "Statement.Principal: expected \"*\""),
        ("{}", "Statement.Principal: expected at least one principal"),
        (
            "{\"User\":\"x\"}",
            "Statement.Principal.User: not an element here",
        ),
        (
            "{\"AWS\":[]}",
            "Statement.Principal.AWS: expected at least one value",
        ),
    ] {
        let json = format!(r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"*"}}}}"#);
        let error = ResourcePolicy::parse(json.as_bytes(), &Limits::default()).unwrap_err();
        assert!(error.message().starts_with(path), "{}", error.message());
    }
    let json = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let error = ResourcePolicy::parse(json.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(
        error.message(),
        "Statement: expected one of Principal and NotPrincipal"
    );
}
