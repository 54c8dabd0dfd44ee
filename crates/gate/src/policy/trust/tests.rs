//! Who may become a role.

use std::sync::Arc;

use super::{
    super::{Context, Policy},
    *,
};

const ROLE: &str = "arn:aws:iam::000000000000:role/reader";
const ANA: &str = "arn:aws:iam::000000000000:user/ana";
const ISSUER: &str = "arn:aws:iam::000000000000:oidc-provider/id.example";

fn trust(principal: &str, action: &str, more: &str) -> TrustPolicy {
    let json = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"{action}"{more}}}]}}"#
    );
    TrustPolicy::parse(json.as_bytes(), &Limits::default()).unwrap()
}

fn own(effect: &str) -> PolicySet {
    let json = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"sts:AssumeRole","Resource":"{ROLE}"}}]}}"#
    );
    let policy = Policy::parse(json.as_bytes(), &Limits::default()).unwrap();
    PolicySet::new(vec![Arc::new(policy)])
}

fn ana_may(trust: &TrustPolicy, policies: &PolicySet) -> bool {
    let caller = Caller::User {
        account: "000000000000",
        arn: ANA,
        id: "ana",
    };
    let context = Context::new();
    let request = Request {
        action: "sts:AssumeRole",
        resource: ROLE,
        context: &context,
    };
    trust.decide(Asker::Known { caller, policies }, &request).allowed
}

#[test]
fn a_user_that_is_named_needs_no_policy_of_its_own() {
    let named = trust(&format!(r#"{{"AWS":"{ANA}"}}"#), "sts:AssumeRole", "");
    assert!(ana_may(&named, &PolicySet::new(vec![])));
    assert!(!ana_may(&named, &own("Deny")));
    assert!(!ana_may(&named, &PolicySet::new(vec![]).with_session(vec![])));
}

#[test]
fn trust_in_the_account_leaves_it_to_the_user_s_policies() {
    let account = trust(r#"{"AWS":"000000000000"}"#, "sts:AssumeRole", "");
    assert!(!ana_may(&account, &PolicySet::new(vec![])));
    assert!(ana_may(&account, &own("Allow")));
}

#[test]
fn without_trust_a_policy_of_one_s_own_is_not_enough() {
    let other = trust(
        r#"{"AWS":"arn:aws:iam::000000000000:user/bob"}"#,
        "sts:AssumeRole",
        "",
    );
    assert!(!ana_may(&other, &own("Allow")));
    let tagging = trust(r#"{"AWS":"000000000000"}"#, "sts:TagSession", "");
    assert!(!ana_may(&tagging, &own("Allow")));
}

#[test]
fn a_provider_is_trusted_by_its_arn_and_conditions() {
    let condition = r#","Condition":{"StringEquals":{"id.example:sub":"ana"}}"#;
    let trust = trust(
        &format!(r#"{{"Federated":"{ISSUER}"}}"#),
        "sts:AssumeRoleWithWebIdentity",
        condition,
    );
    let may = |provider: &str, subject: &str| {
        let mut context = Context::new();
        context.set("id.example:sub", subject).unwrap();
        let request = Request {
            action: "sts:AssumeRoleWithWebIdentity",
            resource: ROLE,
            context: &context,
        };
        trust.decide(Asker::Federated(provider), &request).allowed
    };
    assert!(may(ISSUER, "ana"));
    assert!(!may(ISSUER, "bob"));
    assert!(!may(
        "arn:aws:iam::000000000000:oidc-provider/other.example",
        "ana"
    ));
}

#[test]
fn what_is_no_trust_policy_is_refused() {
    for bad in [
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"ana"},"Action":"sts:AssumeRole"}]}"#,
    ] {
        assert!(
            TrustPolicy::parse(bad.as_bytes(), &Limits::default()).is_err(),
            "{bad}"
        );
    }
}
