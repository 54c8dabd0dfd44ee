//! Bucket policies by AWS's rules for one account, and what S3 calls public.

use std::sync::Arc;

use super::{super::*, *};

const ACCOUNT: &str = "000000000000";

fn policy(statements: &str) -> ResourcePolicy {
    let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    ResourcePolicy::parse(json.as_bytes(), &Limits::default()).unwrap()
}

fn ana() -> Caller<'static> {
    Caller::User {
        account: ACCOUNT,
        arn: "arn:aws:iam::000000000000:user/ana",
        id: "ana",
    }
}

fn root() -> Caller<'static> {
    Caller::Root {
        account: ACCOUNT,
        id: "root",
    }
}

fn identity(statements: &str) -> PolicySet {
    let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let policy = Policy::parse(json.as_bytes(), &Limits::default()).unwrap();
    PolicySet::new(vec![Arc::new(policy.named("own"))])
}

fn kind(set: &PolicySet, policy: &ResourcePolicy, caller: Caller<'_>, action: &str) -> DecisionKind {
    let context = Context::new();
    let request = Request {
        action,
        resource: "arn:aws:s3:::b/k",
        context: &context,
    };
    let guarded = Guarded {
        policy,
        caller,
        shut_public: false,
        shut_anonymous: false,
    };
    set.decide_about(&request, Some(guarded)).kind
}

fn alone(policy: &ResourcePolicy, caller: Caller<'_>) -> DecisionKind {
    kind(&PolicySet::new(vec![]), policy, caller, "s3:GetObject")
}

const READ: &str = r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#;

#[test]
fn either_the_user_s_policies_or_the_bucket_s_allow() {
    let for_ana = policy(&format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::000000000000:user/ana"}},{READ}}}"#
    ));
    let may_put = identity(r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}"#);
    assert_eq!(
        kind(&may_put, &for_ana, ana(), "s3:GetObject"),
        DecisionKind::Allow
    );
    assert_eq!(
        kind(&may_put, &for_ana, ana(), "s3:PutObject"),
        DecisionKind::Allow
    );
    assert_eq!(
        kind(&may_put, &for_ana, ana(), "s3:DeleteObject"),
        DecisionKind::ImplicitDeny
    );
    assert_eq!(alone(&for_ana, Caller::Anonymous), DecisionKind::ImplicitDeny);
}

#[test]
fn a_deny_of_either_wins() {
    let denies = policy(&format!(r#"{{"Effect":"Deny","Principal":"*",{READ}}}"#));
    let all = identity(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    assert_eq!(
        kind(&all, &denies, ana(), "s3:GetObject"),
        DecisionKind::ExplicitDeny
    );
    let allows = policy(&format!(r#"{{"Effect":"Allow","Principal":"*",{READ}}}"#));
    let none = identity(r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#);
    assert_eq!(
        kind(&none, &allows, ana(), "s3:GetObject"),
        DecisionKind::ExplicitDeny
    );
}

#[test]
fn an_allow_for_the_account_leaves_its_users_to_their_policies_but_a_deny_is_about_them_all() {
    for account in [r#""000000000000""#, r#""arn:aws:iam::000000000000:root""#] {
        let of = |effect: &str| {
            policy(&format!(
                r#"{{"Effect":"{effect}","Principal":{{"AWS":{account}}},{READ}}}"#
            ))
        };
        assert_eq!(alone(&of("Allow"), ana()), DecisionKind::ImplicitDeny);
        assert_eq!(alone(&of("Allow"), root()), DecisionKind::Allow);
        assert_eq!(alone(&of("Deny"), ana()), DecisionKind::ExplicitDeny);
        assert_eq!(alone(&of("Deny"), root()), DecisionKind::ExplicitDeny);
        assert_eq!(alone(&of("Deny"), Caller::Anonymous), DecisionKind::ImplicitDeny);
    }
    let other = policy(&format!(
        r#"{{"Effect":"Deny","Principal":{{"AWS":"111122223333"}},{READ}}}"#
    ));
    assert_eq!(alone(&other, ana()), DecisionKind::ImplicitDeny);
}

#[test]
fn not_principal_is_about_all_others() {
    let but_ana = policy(&format!(
        r#"{{"Effect":"Deny","NotPrincipal":{{"AWS":"arn:aws:iam::000000000000:user/ana"}},{READ}}}"#
    ));
    assert_eq!(alone(&but_ana, ana()), DecisionKind::ImplicitDeny);
    assert_eq!(alone(&but_ana, root()), DecisionKind::ExplicitDeny);
    assert_eq!(alone(&but_ana, Caller::Anonymous), DecisionKind::ExplicitDeny);
    let but_account = policy(&format!(
        r#"{{"Effect":"Deny","NotPrincipal":{{"AWS":"000000000000"}},{READ}}}"#
    ));
    assert_eq!(alone(&but_account, ana()), DecisionKind::ImplicitDeny);
    assert_eq!(alone(&but_account, Caller::Anonymous), DecisionKind::ExplicitDeny);
}

#[test]
fn canonical_users_are_named_by_the_id_of_owners_and_services_are_nobody_here() {
    let of = |principal: &str| policy(&format!(r#"{{"Effect":"Allow","Principal":{principal},{READ}}}"#));
    assert_eq!(
        alone(&of(r#"{"CanonicalUser":"ana"}"#), ana()),
        DecisionKind::Allow
    );
    assert_eq!(
        alone(&of(r#"{"CanonicalUser":"bob"}"#), ana()),
        DecisionKind::ImplicitDeny
    );
    for nobody in [
        r#"{"Service":"logging.s3.amazonaws.com"}"#,
        r#"{"Federated":"accounts.example"}"#,
    ] {
        assert_eq!(alone(&of(nobody), ana()), DecisionKind::ImplicitDeny);
        assert_eq!(alone(&of(nobody), Caller::Anonymous), DecisionKind::ImplicitDeny);
    }
}

#[test]
fn a_session_policy_bounds_what_the_bucket_allows_and_a_boundary_does_not() {
    let for_all = policy(&format!(r#"{{"Effect":"Allow","Principal":"*",{READ}}}"#));
    let lists = Policy::parse(
        br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}"#,
        &Limits::default(),
    );
    let lists = Arc::new(lists.unwrap());
    let session = PolicySet::new(vec![]).with_session(vec![lists.clone()]);
    assert_eq!(
        kind(&session, &for_all, ana(), "s3:GetObject"),
        DecisionKind::ImplicitDeny
    );
    let bounded = PolicySet::new(vec![]).with_boundary(lists);
    assert_eq!(
        kind(&bounded, &for_all, ana(), "s3:GetObject"),
        DecisionKind::Allow
    );
}

#[test]
fn ghsa_x298_what_a_public_policy_allows_can_be_shut_for_the_public() {
    let public = policy(&format!(
        r#"{{"Effect":"Allow","Principal":"*",{READ}}},{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*"}}"#
    ));
    let context = Context::new();
    let decide = |action, caller, shut_public| {
        let request = Request {
            action,
            resource: "arn:aws:s3:::b/k",
            context: &context,
        };
        let guarded = Guarded {
            policy: &public,
            caller,
            shut_public,
            shut_anonymous: false,
        };
        PolicySet::new(vec![]).decide_about(&request, Some(guarded)).kind
    };
    assert_eq!(
        decide("s3:GetObject", Caller::Anonymous, false),
        DecisionKind::Allow
    );
    assert_eq!(
        decide("s3:GetObject", Caller::Anonymous, true),
        DecisionKind::ImplicitDeny
    );
    assert_eq!(decide("s3:GetObject", ana(), true), DecisionKind::Allow);
    assert_eq!(
        decide("s3:PutObject", Caller::Anonymous, true),
        DecisionKind::ExplicitDeny
    );
}

#[test]
fn what_s3_calls_public() {
    let of = |effect: &str, principal: &str, condition: &str| {
        policy(&format!(
            r#"{{"Effect":"{effect}",{principal},{READ},"Condition":{{{condition}}}}}"#
        ))
        .is_public()
    };
    let everyone = r#""Principal":"*""#;
    assert!(of("Allow", everyone, ""));
    assert!(of("Allow", r#""Principal":{"AWS":["111122223333","*"]}"#, ""));
    assert!(of("Allow", r#""NotPrincipal":{"AWS":"111122223333"}"#, ""));
    assert!(!of("Deny", everyone, ""));
    assert!(!of("Allow", r#""Principal":{"AWS":"111122223333"}"#, ""));
    for narrow in [
        r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}"#,
        r#""StringEquals":{"aws:SourceVpc":"vpc-1"}"#,
        r#""StringLike":{"aws:SourceAccount":"111122223333"}"#,
        r#""ArnLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:t"}"#,
        r#""StringEquals":{"aws:PrincipalOrgID":"o-1"}"#,
    ] {
        assert!(!of("Allow", everyone, narrow), "{narrow}");
    }
    for wide in [
        r#""IpAddress":{"aws:SourceIp":"0.0.0.0/1"}"#,
        r#""IpAddress":{"aws:SourceIp":["192.0.2.1","::/0"]}"#,
        r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
        r#""StringLike":{"aws:SourceVpc":"vpc-*"}"#,
        r#""StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}"#,
        r#""ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}"#,
        r#""StringEquals":{"aws:PrincipalOrgID":"${aws:PrincipalOrgID}"}"#,
        r#""StringEquals":{"aws:Referer":"https://example.org"}"#,
    ] {
        assert!(of("Allow", everyone, wide), "{wide}");
    }
}

/// What S3 says of a policy of the bucket `b`.
fn complaint(json: &str) -> String {
    let error = ResourcePolicy::of_bucket(json.as_bytes(), &Limits::default(), "arn:aws:s3:::b").unwrap_err();
    assert_eq!(error.reason(), "MalformedPolicy");
    error.message().to_owned()
}

#[test]
fn complaints_about_documents_are_in_the_words_of_s3() {
    let cases = [
        (
            "not json",
            "Policies must be valid JSON and the first byte must be '{'",
        ),
        (
            r#"{"Version":"1","Statement":[]}"#,
            "The policy must contain a valid version string",
        ),
        (r#"{"Version":"2012-10-17"}"#, "Missing required field Statement"),
        (r#"{"Foo":1}"#, "Unknown field Foo"),
    ];
    for (json, words) in cases {
        let said = complaint(json);
        assert!(said.starts_with(words), "{said:?} for {words:?}");
    }
}

#[test]
fn complaints_about_statements_are_in_the_words_of_s3() {
    let principal = "Invalid principal in policy";
    let key = "Policy has an invalid condition key";
    let cases = [
        ("Effect", r#""Maybe""#, "Invalid effect"),
        ("Effect", "", "Missing required field Effect"),
        ("Principal", "", "Missing required field Principal"),
        ("Principal", r#""me""#, principal),
        ("Principal", r#"{"Service":"me"}"#, principal),
        ("Action", "", "Missing required field Action"),
        ("Action", r#""Get""#, "Policy has invalid action"),
        ("Resource", "", "Missing required field Resource"),
        ("Resource", r#""b/*""#, "Policy has invalid resource"),
        (
            "Condition",
            r#"{"StringEqual":{"aws:username":"a"}}"#,
            "Invalid Condition type : StringEqual",
        ),
        ("Condition", r#"{"StringEquals":{"s3:NoSuchKey":"a"}}"#, key),
        ("Condition", r#"{"StringEquals":{"NoKey":"a"}}"#, key),
    ];
    let good = [
        ("Effect", r#""Allow""#),
        ("Principal", r#""*""#),
        ("Action", r#""s3:GetObject""#),
        ("Resource", r#""arn:aws:s3:::b/*""#),
    ];
    for (element, value, words) in cases {
        let rest = good.into_iter().filter(|(name, _)| *name != element);
        let all = rest
            .chain([(element, value)])
            .filter(|(_, value)| !value.is_empty());
        let members: Vec<String> = all.map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        let said = complaint(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{{}}}]}}"#,
            members.join(",")
        ));
        assert!(said.starts_with(words), "{said:?} for {words:?}");
    }
}

#[test]
fn what_can_not_be_of_a_bucket_is_refused() {
    let check = |statement: &str| policy(statement).check_bucket("arn:aws:s3:::b");
    let with = |principal: &str, action: &str, resource: &str| {
        check(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{resource}"}}"#
        ))
    };
    for good in [
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/k",
        "arn:aws:s3:::*",
        "arn:aws:s3:::b*",
    ] {
        assert_eq!(with(r#""*""#, "s3:Get*", good), Ok(()), "{good}");
    }
    for bad in ["arn:aws:s3:::c", "arn:aws:s3:::bb/*", "arn:aws:s3:::c*"] {
        assert_eq!(
            with(r#""*""#, "s3:*", bad),
            Err("Policy has invalid resource"),
            "{bad}"
        );
    }
    assert_eq!(
        with(r#""*""#, "iam:GetUser", "arn:aws:s3:::b"),
        Err("Policy has invalid action")
    );
    for bad in [
        "ana",
        "arn:aws:iam::000000000000:user/*",
        "arn:aws:iam::1:root",
        "arn:aws:s3:::b",
    ] {
        let principal = format!(r#"{{"AWS":"{bad}"}}"#);
        assert_eq!(
            with(&principal, "s3:*", "arn:aws:s3:::b"),
            Err("Invalid principal in policy"),
            "{bad}"
        );
    }
    let no_resource = r#"{"Effect":"Allow","Principal":"*","Action":"s3:*"}"#;
    assert_eq!(check(no_resource), Err("Missing required field Resource"));
}
