//! What is said about access: the same as what is decided, with what would have to change.

use bytes::Bytes;
use craton_base::{BucketName, Kind as ErrorKind, PrincipalName};
use craton_gate::{
    Gate, Holder, HolderKind, Issued, NewEntity, Session,
    answers::{Answer, Explained, Proposal, Question, Replay, Window, lint},
    ledger::{Filter, RecordKind},
};

use crate::world::*;

fn question(principal: &str, action: &str, key: &str) -> Question {
    Question {
        principal: principal.to_owned(),
        action: action.to_owned(),
        resource: format!("arn:aws:s3:::data/{key}"),
        ..Question::default()
    }
}

async fn ask(world: &World, question: Question) -> Answer {
    world.gate.explain(&world.root, question).await.unwrap()
}

async fn guard(world: &World, text: &str) {
    let name = PrincipalName::new("d").unwrap();
    let put = world.gate.put_guard_policy(&world.root, &name, text.to_owned());
    put.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_is_what_is_decided_on_both_planes() {
    let world = World::new("explain").await;
    let gate = &world.gate;
    let deny = r#"{"Sid":"no","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/closed/*"}"#;
    let key = world
        .user("ana", &[&allow("s3:GetObject", DATA), deny].join(","))
        .await;
    guard(
        &world,
        r#"@id("secret") forbid(principal, action in Action::"read", resource in Prefix::"data/secret/") unless { context has purpose && context.purpose == "care" };"#,
    )
    .await;
    let session = with_key(gate, &key).unwrap();
    for (key, allowed, verdict, plane, by) in [
        ("open/a", true, "allow", "access", vec!["own[0]"]),
        ("closed/a", false, "explicit-deny", "access", vec!["own#no"]),
        (
            "secret/a",
            false,
            "explicit-deny",
            "guard",
            vec!["guard:d#secret"],
        ),
    ] {
        let said = ask(&world, question("ana", "s3:GetObject", key)).await;
        assert_eq!(
            (said.allowed, said.verdict, said.plane),
            (allowed, verdict, plane),
            "{key}"
        );
        assert_eq!(said.statements, by, "{key}");
        assert_eq!(may(gate, &session, "s3:GetObject", key).await, allowed, "{key}");
    }
    let nothing = ask(&world, question("ana", "s3:PutObject", "open/a")).await;
    assert_eq!(
        (nothing.verdict, nothing.of[0].lacking.clone()),
        ("implicit-deny", vec!["own policies"])
    );
    assert!(
        nothing.explanation.contains("the own policies of ana"),
        "{}",
        nothing.explanation
    );
    let for_care = Question {
        context: vec![("craton:Purpose".to_owned(), "care".to_owned())],
        ..question("ana", "s3:GetObject", "secret/a")
    };
    assert!(ask(&world, for_care).await.allowed);
    assert!(
        ask(&world, question("root", "s3:PutObject", "open/a"))
            .await
            .allowed
    );
    assert!(
        !ask(&world, question("anonymous", "s3:GetObject", "open/a"))
            .await
            .allowed
    );
    questions_that_are_refused(&world, &session).await;
}

async fn questions_that_are_refused(world: &World, session: &Session) {
    let gate = &world.gate;
    for (principal, kind) in [
        ("nobody", ErrorKind::NotFound),
        ("role/none", ErrorKind::NotFound),
    ] {
        let asked = gate
            .explain(&world.root, question(principal, "s3:GetObject", "a"))
            .await;
        assert_eq!(asked.unwrap_err().kind(), kind);
    }
    let of_others = gate.explain(session, question("root", "s3:GetObject", "a")).await;
    assert_eq!(of_others.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_knows_groups_boundaries_sessions_and_chains() {
    let world = World::new("explain-chain").await;
    let gate = &world.gate;
    world
        .user("ana", &allow("s3:GetObject", "arn:aws:s3:::data/ana/*"))
        .await;
    let key = world.user("agent", &allow("sts:AssumeRole", "*")).await;
    let readers = Holder::new(HolderKind::Group, "readers");
    gate.create_entity(&world.root, &readers, NewEntity::default())
        .await
        .unwrap();
    let put = gate.put_policy(
        &world.root,
        &readers,
        "group",
        document(&allow("s3:GetObject", DATA)),
    );
    put.await.unwrap();
    gate.set_member(&world.root, "readers", "agent", true)
        .await
        .unwrap();
    assert_eq!(
        ask(&world, question("agent", "s3:GetObject", "x"))
            .await
            .statements,
        ["group[0]"]
    );

    let limit = document(&allow("s3:GetObject", "arn:aws:s3:::data/ana/*"));
    let made = gate.create_policy(&world.root, "limit", "/", (limit, String::new()), Vec::new());
    let boundary = made.await.unwrap().arn;
    let agent = Holder::new(HolderKind::User, "agent");
    gate.set_boundary(&world.root, &agent, Some(&boundary))
        .await
        .unwrap();
    let said = ask(&world, question("agent", "s3:GetObject", "x")).await;
    assert_eq!(
        (said.verdict, said.of[0].lacking.clone()),
        ("implicit-deny", vec!["permissions boundary"])
    );
    gate.set_boundary(&world.root, &agent, None).await.unwrap();

    let acting = |key: &str| Question {
        acting_for: vec!["ana".to_owned()],
        ..question("agent", "s3:GetObject", key)
    };
    assert!(ask(&world, acting("ana/x")).await.allowed);
    let said = ask(&world, acting("x")).await;
    assert!(!said.allowed);
    let of: Vec<_> = said
        .of
        .iter()
        .map(|of| (of.principal.as_str(), of.verdict))
        .collect();
    assert_eq!(of, [("agent", "allow"), ("ana", "implicit-deny")]);
    assert!(
        said.explanation.contains("the own policies of ana"),
        "{}",
        said.explanation
    );
    session_of_a_role(&world, &with_key(gate, &key).unwrap()).await;
}

async fn session_of_a_role(world: &World, agent: &Session) {
    let gate = &world.gate;
    let trusted = "arn:aws:iam::000000000000:user/agent";
    let arn = world.role("reader", trusted, &allow("s3:GetObject", DATA)).await;
    let narrow = document(&allow("s3:*", "arn:aws:s3:::data/a"));
    let issued = world
        .assume(agent, &arn, |w| w.limits.policy = Some(narrow))
        .await
        .unwrap();
    let said = ask(world, question(&issued.access_key_id, "s3:GetObject", "a")).await;
    assert!(
        said.allowed && said.of.first().unwrap().principal == "role/reader",
        "{said:?}"
    );
    let said = ask(world, question(&issued.access_key_id, "s3:GetObject", "b")).await;
    assert_eq!(said.of.first().unwrap().lacking, ["session policies"]);
    assert!(
        ask(world, question("role/reader", "s3:GetObject", "b"))
            .await
            .allowed
    );
    assert!(ask(world, question(&arn, "s3:GetObject", "b")).await.allowed);
    gate.revoke_session(&world.root, &issued.access_key_id)
        .await
        .unwrap();
    let over = gate
        .explain(&world.root, question(&issued.access_key_id, "s3:GetObject", "a"))
        .await;
    assert_eq!(over.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_and_what_one_can_reach() {
    let world = World::new("who").await;
    let gate = &world.gate;
    let deny = r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/reports/old/*"}"#;
    let own = [&allow("s3:GetObject", "arn:aws:s3:::data/reports/*"), deny].join(",");
    world.user("ana", &own).await;
    world.user("bob", "").await;
    world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let asked = question("", "s3:GetObject", "reports/old/x");
    let mut allowed = Vec::new();
    let mut denied = Vec::new();
    let mut after = None;
    loop {
        let page = gate
            .who_can(&world.root, &asked, after.as_deref(), 2)
            .await
            .unwrap();
        allowed.extend(page.allowed.into_iter().map(|(name, _)| name));
        denied.extend(page.denied.into_iter().map(|(name, _)| name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        (allowed, denied),
        (
            vec!["root".to_owned(), "role/reader".to_owned()],
            vec!["ana".to_owned()]
        )
    );

    let actions = ["s3:ListBucket", "s3:GetObject"].map(str::to_owned).to_vec();
    let found = gate
        .reach(&world.root, question("ana", "", ""), actions, None)
        .await
        .unwrap();
    let places: Vec<_> = found
        .places
        .iter()
        .map(|p| (p.name.as_deref(), p.allowed.len(), p.denied.len()))
        .collect();
    assert_eq!(places, [(Some("reports/*"), 1, 0), (Some("reports/old/*"), 0, 1)]);
    guard(
        &world,
        r#"forbid(principal, action, resource in Prefix::"data/reports/new/");"#,
    )
    .await;
    let actions = vec!["s3:GetObject".to_owned()];
    let found = gate
        .reach(&world.root, question("ana", "", ""), actions, None)
        .await
        .unwrap();
    let new = found
        .places
        .iter()
        .find(|p| p.name.as_deref() == Some("reports/new/*"))
        .unwrap();
    assert_eq!((new.allowed.len(), new.denied.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_explains_itself_to_whom_it_is_about() {
    let world = World::new("decision").await;
    let gate = &world.gate;
    let (ana, bob) = (world.user("ana", "").await, world.user("bob", "").await);
    let (ana, bob) = (with_key(gate, &ana).unwrap(), with_key(gate, &bob).unwrap());
    assert!(!may(gate, &ana, "s3:GetObject", "a").await);
    let filter = Filter {
        kind: Some(RecordKind::Denial),
        ..Filter::default()
    };
    let id = gate.audit_list(&world.root, filter).await.unwrap().entries[0].id;
    let told = gate.explain_decision(&ana, id).await.unwrap();
    assert!(matches!(told, Explained::Own(record) if record.principal == "ana"));
    let told = gate.explain_decision(&world.root, id).await.unwrap();
    assert!(matches!(told, Explained::Whole(_)));
    let none = "ffff-1".parse().unwrap();
    for id in [id, none] {
        let refused = gate.explain_decision(&bob, id).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied, "whether it exists is not told");
    }
}

async fn replay(gate: &Gate, root: &Session, proposal: Proposal) -> craton_gate::answers::Replayed {
    let window = Window::default();
    gate.replay(root, Replay { proposal, window }).await.unwrap()
}

fn identity(principal: Option<&str>, policy: &str, document: Option<Bytes>) -> Proposal {
    Proposal::Identity {
        principal: principal.map(str::to_owned),
        policy: policy.to_owned(),
        document,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposed_policy_is_tried_on_what_happened() {
    let world = World::new("replay").await;
    let gate = &world.gate;
    let key = world
        .user("ana", &allow("s3:GetObject", "arn:aws:s3:::data/a/*"))
        .await;
    let ana = with_key(gate, &key).unwrap();
    assert!(may(gate, &ana, "s3:GetObject", "a/1").await);
    assert!(!may(gate, &ana, "s3:GetObject", "b/1").await);
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let issued = world.assume(&ana, &arn, |_| {}).await.unwrap();
    assert!(may(gate, &within(gate, &issued).unwrap(), "s3:GetObject", "c/1").await);

    let other = document(&allow("s3:GetObject", "arn:aws:s3:::data/b/*"));
    let found = replay(gate, &world.root, identity(Some("ana"), "own", Some(other))).await;
    let flips: Vec<_> = found
        .flips
        .iter()
        .map(|f| (f.record.resource.as_str(), f.would, f.by_proposal))
        .collect();
    assert_eq!(
        flips,
        [
            ("/data/objects/b/1", "allow", true),
            ("/data/objects/a/1", "implicit-deny", true)
        ]
    );

    let found = replay(gate, &world.root, identity(Some("role/reader"), "role", None)).await;
    let flips: Vec<_> = found
        .flips
        .iter()
        .map(|f| (f.record.principal.as_str(), f.would))
        .collect();
    assert_eq!(
        flips,
        [("role/reader", "implicit-deny")],
        "what a session did is tried in that session"
    );

    let text = r#"forbid(principal in Group::"none", action, resource); forbid(principal == User::"ana", action, resource in Prefix::"data/a/");"#;
    let guards = Proposal::Guard {
        name: PrincipalName::new("d").unwrap(),
        text: Some(text.to_owned()),
    };
    let found = replay(gate, &world.root, guards).await;
    let flips: Vec<_> = found.flips.iter().map(|f| f.record.resource.as_str()).collect();
    assert_eq!(flips, ["/data/objects/a/1"]);

    let deny =
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}"#;
    let bucket = Proposal::Bucket {
        bucket: BucketName::new("data").unwrap(),
        document: Some(document(deny)),
    };
    assert_eq!(replay(gate, &world.root, bucket).await.flips.len(), 2);

    after_its_end_a_session_is_unknown(&world, &issued).await;
}

async fn after_its_end_a_session_is_unknown(world: &World, issued: &Issued) {
    let gate = &world.gate;
    gate.revoke_session(&world.root, &issued.access_key_id)
        .await
        .unwrap();
    let found = replay(gate, &world.root, identity(Some("role/reader"), "role", None)).await;
    assert_eq!(found.flips.len(), 0);
    assert!(
        found
            .unknown
            .iter()
            .any(|u| u.why.starts_with("the session is over")),
        "{:?}",
        found.unknown
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_decided_nothing_are_found() {
    let world = World::new("used").await;
    let gate = &world.gate;
    let two = [allow("s3:GetObject", DATA), allow("s3:DeleteObject", DATA)].join(",");
    let key = world.user("ana", &two).await;
    assert!(may(gate, &with_key(gate, &key).unwrap(), "s3:GetObject", "a").await);
    let ana = Holder::new(HolderKind::User, "ana");
    let found = gate.check_policies(&world.root, &ana, 1).await.unwrap();
    assert!(found.complete && found.policies.len() == 1);
    assert_eq!(found.policies[0].unused, ["[1]"]);
    let wrong = document(&allow("s3:GetObjekt", DATA));
    let codes: Vec<_> = lint::check(&wrong).unwrap().iter().map(|f| f.code).collect();
    assert_eq!(codes, ["unknown-action"]);
}
