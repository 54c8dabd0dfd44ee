use std::{net::IpAddr, sync::Arc};

use craton_base::Timestamp;

use super::*;
use crate::{
    directory::{Identity, Principal, SessionFacts},
    policy::PolicySet,
    session::Origin,
};

fn actor(kind: PrincipalKind) -> Actor {
    let mut principal = Principal::builtin("loader", kind, PolicySet::new(Vec::new()));
    principal.tags = vec![("Team".to_owned(), "red".to_owned())];
    let mut actor = Actor::plain(Arc::new(principal));
    actor.set_tags(vec![("Ünit".to_owned(), "seven".to_owned())]);
    actor
}

fn session(actor: Actor, chain: Vec<Actor>) -> Session {
    let facts = SessionFacts {
        id: "ASIA1".into(),
        issued: Timestamp::from_seconds(0),
        expires: Timestamp(u64::MAX),
        transitive_tags: Vec::new(),
        source_identity: Some("ana".into()),
        run: Some("r1".into()),
        purpose: None,
        provider: None,
        subject: None,
        made_from: Vec::new(),
        without_iam: false,
        files: None,
        labels: Vec::new(),
        budgets: Vec::new(),
    };
    let identity = Identity {
        actor,
        chain,
        session: Some(facts),
        credential: None,
        generation: 0,
    };
    let origin = Origin {
        door: "s3",
        source_ip: "::ffff:10.0.0.1".parse::<IpAddr>().unwrap(),
        tls: Some("1.3"),
        request_id: "q".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: Some("agent/1".into()),
        referer: None,
        time: Timestamp::from_seconds(1_780_272_000),
    };
    Session::without_key(Arc::new(identity), origin)
}

fn text(facts: &dyn Facts, key: &str) -> Option<String> {
    match facts.values_of(key)? {
        Values::One(value) => Some(value.into_text().into_owned()),
        Values::Many(values) => {
            let texts: Vec<_> = values.into_iter().map(Value::into_text).collect();
            Some(format!("[{}]", texts.join(" ")))
        }
    }
}

#[test]
fn what_is_known_of_a_session_of_a_role() {
    let role = actor(PrincipalKind::Role);
    let session = session(role.clone(), vec![actor(PrincipalKind::User)]);
    let known = Known::new(&session, &role, &[]).unwrap();
    let arn = &*role.principal.arn;
    for (key, value) in [
        ("aws:sourceip", "10.0.0.1"),
        ("aws:securetransport", "true"),
        ("s3:tlsversion", "1.3"),
        ("aws:currenttime", "2026-06-01T00:00:00Z"),
        ("aws:epochtime", "1780272000"),
        ("aws:useragent", "agent/1"),
        ("aws:principaltype", "AssumedRole"),
        ("aws:userid", "loader"),
        ("aws:principalarn", arn),
        ("aws:principalaccount", ACCOUNT),
        ("aws:principaltag/team", "red"),
        ("aws:principaltag/ünit", "seven"),
        ("aws:tokenissuetime", "1970-01-01T00:00:00Z"),
        ("aws:sourceidentity", "ana"),
        ("craton:run", "r1"),
        ("aws:multifactorauthpresent", "false"),
    ] {
        assert_eq!(text(&known, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(text(&known, "craton:actingfor"), Some(format!("[{arn}]")));
    // Nobody signed, no header says it, or it is of another kind of principal.
    for key in [
        "s3:authtype",
        "aws:referer",
        "aws:username",
        "craton:purpose",
        "aws:principaltag/",
        "x:y",
    ] {
        assert_eq!(text(&known, key), None, "{key}");
    }
}

#[test]
fn what_the_ask_says_counts_first_and_the_last_of_it() {
    let user = actor(PrincipalKind::User);
    let session = session(user.clone(), Vec::new());
    let extra: Vec<Fact> = [
        ("s3:prefix", "a"),
        ("S3:Prefix", "b"),
        ("aws:SourceIdentity", "bob"),
        ("aws:TagKeys", "k1"),
        ("aws:TagKeys", "k2"),
    ]
    .map(|(key, value)| (key.into(), value.to_owned()))
    .into();
    let known = Known::new(&session, &user, &extra).unwrap();
    assert_eq!(text(&known, "s3:prefix").as_deref(), Some("b"));
    assert_eq!(text(&known, "aws:sourceidentity").as_deref(), Some("bob"));
    assert_eq!(text(&known, "aws:tagkeys").as_deref(), Some("[k1 k2]"));
    assert_eq!(text(&known, "s3:requestobjecttagkeys").as_deref(), Some("[]"));
    assert_eq!(text(&known, "aws:username").as_deref(), Some("loader"));
    let many = vec![("s3:prefix".into(), String::new()); CONTEXT_KEYS_MAX + 1];
    assert!(Known::new(&session, &user, &many).is_err());
}

#[test]
fn of_nobody_there_are_no_tags_and_no_name() {
    let nobody = actor(PrincipalKind::Anonymous);
    let session = session(nobody.clone(), Vec::new());
    let known = Known::new(&session, &nobody, &[]).unwrap();
    assert_eq!(text(&known, "aws:userid").as_deref(), Some(ANONYMOUS));
    assert_eq!(text(&known, "aws:principaltype").as_deref(), Some("Anonymous"));
    for key in ["aws:username", "aws:principalarn", "aws:principaltag/team"] {
        assert_eq!(text(&known, key), None, "{key}");
    }
}
