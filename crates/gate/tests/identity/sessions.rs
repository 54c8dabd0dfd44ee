//! Who becomes whom, with which rights, and when that is over.

use craton_base::{Kind as ErrorKind, PrincipalName, Secret};
use craton_gate::{
    ClientGrant, Exchange, Gate, Holder, HolderKind, NewAccessKey, NewEntity, Session, SessionLimits,
    ledger::Filter,
};

use crate::{
    folder::{Folder, origin},
    world::*,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_s_session_has_the_role_s_rights_and_no_others() {
    let world = World::new("role").await;
    let gate = &world.gate;
    let key = world.user("ana", &allow("s3:PutObject", DATA)).await;
    world.user("bob", &allow("sts:AssumeRole", "*")).await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    let issued = world.assume(&ana, &arn, |_| {}).await.unwrap();
    let session = within(gate, &issued).unwrap();
    assert_eq!(
        session.arn(),
        "arn:aws:sts::000000000000:assumed-role/reader/work"
    );
    assert_eq!(session.principal(), "role/reader");
    assert!(may(gate, &session, "s3:GetObject", "a").await);
    assert!(
        !may(gate, &session, "s3:PutObject", "a").await,
        "ana's rights are not the role's"
    );
    assert!(!may(gate, &ana, "s3:GetObject", "a").await);
    assert_eq!(
        world.assume(&world.root, &arn, |_| {}).await.unwrap_err(),
        "AccessDenied",
        "root has no sessions"
    );
    assert_eq!(
        world
            .assume(&ana, "arn:aws:iam::000000000000:role/none", |_| {})
            .await
            .unwrap_err(),
        "AccessDenied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_s_policy_only_takes_away() {
    let world = World::new("policy").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    let narrow = document(&allow("s3:*", "arn:aws:s3:::data/a"));
    let issued = world
        .assume(&ana, &arn, |w| w.limits.policy = Some(narrow))
        .await
        .unwrap();
    let session = within(gate, &issued).unwrap();
    assert!(may(gate, &session, "s3:GetObject", "a").await);
    assert!(!may(gate, &session, "s3:GetObject", "b").await);
    assert!(!may(gate, &session, "s3:PutObject", "a").await);
}

/// `ana → one, limited → two → three, limited again`: each has what its role may, less what limits those before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_limits_a_session_limits_those_made_from_it() {
    let world = World::new("chained").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let rights = [allow("s3:*", DATA), allow("sts:*", "*")].join(",");
    let one = world.role("one", ANA, &rights).await;
    let two = world.role("two", &one, &rights).await;
    let three = world.role("three", &two, &rights).await;
    let become_role = async |session: &Session, role: &str, limit: Option<&str>| {
        let issued = world
            .assume(session, role, |w| w.limits.policy = limit.map(document))
            .await
            .unwrap();
        within(gate, &issued).unwrap()
    };
    let ana = with_key(gate, &key).unwrap();
    let read = [allow("s3:GetObject", DATA), allow("sts:AssumeRole", "*")].join(",");
    let first = become_role(&ana, &one, Some(&read)).await;
    let second = become_role(&first, &two, None).await;
    assert_eq!(second.principal(), "role/two");
    assert!(may(gate, &second, "s3:GetObject", "b").await);
    assert!(!may(gate, &second, "s3:PutObject", "b").await, "as the first");
    let only_a = allow("s3:*", "arn:aws:s3:::data/a");
    let third = become_role(&second, &three, Some(&only_a)).await;
    assert!(may(gate, &third, "s3:GetObject", "a").await);
    assert!(!may(gate, &third, "s3:GetObject", "b").await, "by its own policy");
    assert!(!may(gate, &third, "s3:PutObject", "a").await, "by the first's");
    // Without limits a role is what it is, whoever becomes it.
    let free = become_role(&ana, &one, None).await;
    let free = become_role(&free, &two, None).await;
    assert!(may(gate, &free, "s3:PutObject", "b").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_its_key_and_a_session_needs_it() {
    let world = World::new("token").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    let (one, two) = (
        world.assume(&ana, &arn, |_| {}).await.unwrap(),
        world.assume(&ana, &arn, |_| {}).await.unwrap(),
    );
    let try_with = |id: &str, secret: &Secret, token: Option<&Secret>| signed(gate, id, secret, token).err();
    assert_eq!(
        try_with(&one.access_key_id, &one.secret, None).as_deref(),
        Some("InvalidToken")
    );
    assert_eq!(
        try_with(&one.access_key_id, &one.secret, Some(&two.token)).as_deref(),
        Some("InvalidToken")
    );
    assert_eq!(
        try_with(&key.id, &key.secret, Some(&one.token)).as_deref(),
        Some("InvalidToken")
    );
    assert_eq!(
        try_with(&one.access_key_id, &two.secret, Some(&one.token)).as_deref(),
        Some("SignatureDoesNotMatch")
    );
    let text = String::from_utf8(one.token.expose().to_vec()).unwrap();
    let longer = text.replace(
        &one.expires.seconds().to_string(),
        &(one.expires.seconds() + 1).to_string(),
    );
    assert_ne!(text, longer);
    assert_eq!(
        try_with(&one.access_key_id, &one.secret, Some(&longer.into())).as_deref(),
        Some("InvalidToken")
    );
    assert!(within(gate, &one).is_ok());
    // A bearer's session signs nothing, and a signing session's token is no bearer token.
    assert!(
        gate.exchange_token(
            Exchange {
                subject: one.token.clone(),
                actor: None,
                grant: ClientGrant::default()
            },
            origin()
        )
        .await
        .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_rests_on_ends_it_at_once() {
    let world = World::new("revoke").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    let first = world.assume(&ana, &arn, |_| {}).await.unwrap();
    let under_way = within(gate, &first).unwrap();
    assert!(may(gate, &under_way, "s3:GetObject", "a").await);
    gate.revoke_session(&world.root, &first.access_key_id)
        .await
        .unwrap();
    assert_eq!(within(gate, &first).unwrap_err(), "InvalidToken");
    assert!(
        !may(gate, &under_way, "s3:GetObject", "a").await,
        "also for a request that was identified before"
    );

    let second = world.assume(&ana, &arn, |_| {}).await.unwrap();
    gate.set_access_key(&world.root, "ana", &key.id, false)
        .await
        .unwrap();
    assert_eq!(
        within(gate, &second).unwrap_err(),
        "InvalidToken",
        "the key that it was made with is off"
    );
    assert_eq!(with_key(gate, &key).unwrap_err(), "InvalidAccessKeyId");
    gate.set_access_key(&world.root, "ana", &key.id, true)
        .await
        .unwrap();
    assert!(within(gate, &second).is_ok());

    gate.revoke_sessions_of(&world.root, HolderKind::Role, "reader")
        .await
        .unwrap();
    assert_eq!(within(gate, &second).unwrap_err(), "InvalidToken");
    let ana = with_key(gate, &key).unwrap();
    let third = world.assume(&ana, &arn, |_| {}).await.unwrap();
    assert!(within(gate, &third).is_ok());
    // Another role of the same name is another role.
    let role = Holder::new(HolderKind::Role, "reader");
    gate.delete_entity(&world.root, &role, true).await.unwrap();
    assert_eq!(within(gate, &third).unwrap_err(), "InvalidToken");
    world.role("reader", ANA, &allow("s3:*", DATA)).await;
    assert_eq!(within(gate, &third).unwrap_err(), "InvalidToken");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_their_end_survive_a_restart() {
    let folder = Folder::new("restart");
    let (kept, ended) = {
        let gate = folder.open();
        let root = root(&gate);
        let world = World {
            _folder: Folder::new("restart-none"),
            gate,
            root,
        };
        let key = world.user("ana", "").await;
        let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
        let ana = with_key(&world.gate, &key).unwrap();
        let kept = world.assume(&ana, &arn, |_| {}).await.unwrap();
        let ended = world.assume(&ana, &arn, |_| {}).await.unwrap();
        world
            .gate
            .revoke_session(&world.root, &ended.access_key_id)
            .await
            .unwrap();
        world.gate.rotate_signing_key(&world.root).await.unwrap();
        world.gate.close().await.unwrap();
        (kept, ended)
    };
    let gate = folder.open();
    assert!(
        within(&gate, &kept).is_ok(),
        "a key that was replaced verifies as long as its tokens live"
    );
    assert_eq!(within(&gate, &ended).unwrap_err(), "InvalidToken");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_for_somebody_has_the_rights_of_both() {
    let world = World::new("chain").await;
    let gate = &world.gate;
    let both = [
        allow("s3:GetObject", "arn:aws:s3:::data/ana/*"),
        allow("s3:PutObject", DATA),
    ]
    .join(",");
    let ana_key = world.user("ana", &both).await;
    let agent_key = world.user("agent", &allow("s3:GetObject", DATA)).await;
    let ana = token_of(gate, &ana_key).await;
    let agent = token_of(gate, &agent_key).await;
    let grant = ClientGrant {
        run: Some("run-7".into()),
        purpose: Some("report".into()),
        ..ClientGrant::default()
    };
    let acting = exchange(gate, &ana, Some(&agent), grant).await.unwrap();
    let session = bearer(gate, &acting.token).unwrap();
    assert_eq!(
        (session.principal(), session.chain().collect::<Vec<_>>()),
        ("agent", vec!["ana"])
    );
    assert_eq!(
        (session.run(), session.purpose()),
        (Some("run-7"), Some("report"))
    );
    assert!(may(gate, &session, "s3:GetObject", "ana/x").await);
    assert!(
        !may(gate, &session, "s3:GetObject", "other/x").await,
        "ana may not"
    );
    assert!(
        !may(gate, &session, "s3:PutObject", "ana/x").await,
        "the agent may not"
    );

    // A session for a sub-agent: narrower, never wider, and it acts for the same.
    let narrow = limited(&allow("s3:*", "arn:aws:s3:::data/ana/one"));
    let sub = exchange(gate, &acting.token, None, narrow).await.unwrap();
    let wide = limited(&allow("*", "*"));
    let wider = exchange(gate, &sub.token, None, wide).await.unwrap();
    for token in [&sub.token, &wider.token] {
        let session = bearer(gate, token).unwrap();
        assert_eq!(session.chain().collect::<Vec<_>>(), ["ana"]);
        assert!(may(gate, &session, "s3:GetObject", "ana/one").await);
        assert!(
            !may(gate, &session, "s3:GetObject", "ana/two").await,
            "a wider policy does not undo a narrower one"
        );
    }
    assert_recorded_as_anas(&world).await;
    // The chain is over with the first token.
    gate.revoke_token(&ana, origin()).await.unwrap();
    for token in [&acting.token, &sub.token, &wider.token] {
        assert!(bearer(gate, token).is_none());
    }
    assert!(bearer(gate, &agent).is_some());
}

async fn token_of(gate: &Gate, key: &NewAccessKey) -> Secret {
    let granted = gate
        .client_token(&key.id, &key.secret, ClientGrant::default(), origin())
        .await;
    granted.unwrap().token
}

async fn exchange(
    gate: &Gate,
    subject: &Secret,
    actor: Option<&Secret>,
    grant: ClientGrant,
) -> craton_base::Result<craton_gate::Granted> {
    let exchange = Exchange {
        subject: subject.clone(),
        actor: actor.cloned(),
        grant,
    };
    gate.exchange_token(exchange, origin()).await
}

/// A grant that a policy limits.
fn limited(policy: &str) -> ClientGrant {
    ClientGrant {
        limits: SessionLimits {
            policy: Some(document(policy)),
            ..SessionLimits::default()
        },
        ..ClientGrant::default()
    }
}

async fn assert_recorded_as_anas(world: &World) {
    let gate = &world.gate;
    let filter = Filter {
        limit: 50,
        ..Filter::default()
    };
    let listed = gate.audit_list(&world.root, filter).await.unwrap();
    let recorded = listed.entries.iter().filter_map(|e| e.record.as_ref());
    let ours: Vec<_> = recorded
        .filter(|r| r.chain == ["ana"] && r.principal == "agent" && r.operation == "GetObject")
        .collect();
    assert!(
        !ours.is_empty()
            && ours
                .iter()
                .all(|r| r.run == "run-7" && r.purpose == "report" && !r.session.is_empty())
    );
}

fn bearer(gate: &Gate, token: &Secret) -> Option<Session> {
    let text = String::from_utf8(token.expose().to_vec()).unwrap();
    let request = http::Request::get("http://localhost/_api/v1/users")
        .header("authorization", format!("Bearer {text}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    gate.identify_or_bearer(&parts, origin()).ok().map(|a| a.session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_identity_that_is_a_user_limits_a_role_s_session() {
    let world = World::new("source").await;
    let gate = &world.gate;
    world
        .user("bob", &allow("s3:GetObject", "arn:aws:s3:::data/bob/*"))
        .await;
    let key = world.user("ana", "").await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    let for_bob = world
        .assume(&ana, &arn, |w| w.source_identity = Some("bob".into()))
        .await
        .unwrap();
    let session = within(gate, &for_bob).unwrap();
    assert_eq!(session.chain().collect::<Vec<_>>(), ["bob"]);
    assert!(may(gate, &session, "s3:GetObject", "bob/x").await);
    assert!(!may(gate, &session, "s3:GetObject", "ana/x").await);
    // A role that this one may become is no way out.
    let other = world
        .role(
            "other",
            "arn:aws:iam::000000000000:role/reader",
            &allow("s3:GetObject", DATA),
        )
        .await;
    let on = world.assume(&session, &other, |_| {}).await.unwrap();
    let on = within(gate, &on).unwrap();
    assert_eq!(
        (on.chain().collect::<Vec<_>>(), on.source_identity()),
        (vec!["bob"], Some("bob"))
    );
    assert!(!may(gate, &on, "s3:GetObject", "ana/x").await);
    let tagged = |value: &str| vec![("craton:acting-for".to_owned(), value.to_owned())];
    let nobody = world.assume(&ana, &arn, |w| w.tags = tagged("nobody")).await;
    assert_eq!(nobody.unwrap_err(), "ValidationError");
    let by_tag = world
        .assume(&ana, &arn, |w| w.tags = tagged("bob"))
        .await
        .unwrap();
    let by_tag = within(gate, &by_tag).unwrap();
    assert!(!may(gate, &by_tag, "s3:GetObject", "ana/x").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_grants_what_they_lack() {
    let world = World::new("grants").await;
    let gate = &world.gate;
    let own = [allow("iam:*", "*"), allow("s3:GetObject", DATA)].join(",");
    let key = world.user("ana", &own).await;
    world.user("bob", "").await;
    world.user("boss", &allow("*", "*")).await;
    let ana = with_key(gate, &key).unwrap();
    let (bob, me) = (
        Holder::new(HolderKind::User, "bob"),
        Holder::new(HolderKind::User, "ana"),
    );
    let held = document(&allow("s3:GetObject", "arn:aws:s3:::data/x"));
    gate.put_policy(&ana, &bob, "ok", held).await.unwrap();
    let wide = document(&allow("s3:*", DATA));
    for (who, what) in [(&bob, &wide), (&me, &wide)] {
        let refused = gate
            .put_policy(&ana, who, "wide", what.clone())
            .await
            .unwrap_err();
        assert_eq!(refused.reason(), "AccessDenied");
    }
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert_eq!(
        gate.attach_policy(&ana, &me, admin).await.unwrap_err().reason(),
        "AccessDenied"
    );
    assert_eq!(
        gate.create_access_key(&ana, "boss").await.unwrap_err().reason(),
        "AccessDenied",
        "a key gives its user's rights"
    );
    gate.create_access_key(&ana, "bob").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_more_by_groups_trust_and_boundaries() {
    let world = World::new("reach").await;
    let gate = &world.gate;
    let key = world.user("ana", &allow("iam:*", "*")).await;
    world.user("boss", &allow("*", "*")).await;
    let ana = with_key(gate, &key).unwrap();
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let group = Holder::new(HolderKind::Group, "admins");
    gate.create_entity(&world.root, &group, NewEntity::default())
        .await
        .unwrap();
    gate.attach_policy(&world.root, &group, admin).await.unwrap();
    assert_eq!(
        gate.set_member(&ana, "admins", "ana", true)
            .await
            .unwrap_err()
            .reason(),
        "AccessDenied"
    );
    world
        .role("power", "arn:aws:iam::000000000000:user/boss", &allow("*", "*"))
        .await;
    let trust = document(&format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{ANA}"}},"Action":"sts:AssumeRole"}}"#
    ));
    assert_eq!(
        gate.set_trust(&ana, "power", trust).await.unwrap_err().reason(),
        "AccessDenied"
    );
    let boss = Holder::new(HolderKind::User, "boss");
    gate.set_boundary(
        &world.root,
        &boss,
        Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
    )
    .await
    .unwrap();
    assert_eq!(
        gate.set_boundary(&ana, &boss, None).await.unwrap_err().reason(),
        "AccessDenied"
    );
    // Taking a deny away is giving.
    let deny = document(r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#);
    gate.put_policy(&world.root, &boss, "stop", deny).await.unwrap();
    assert_eq!(
        gate.delete_policy_of(&ana, &boss, "stop")
            .await
            .unwrap_err()
            .reason(),
        "AccessDenied"
    );
    gate.delete_policy_of(&world.root, &boss, "stop").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guard_policies_forbid_roles_and_tokens_too() {
    let world = World::new("guarded").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let arn = world.role("reader", ANA, &allow("s3:GetObject", DATA)).await;
    let ana = with_key(gate, &key).unwrap();
    world.assume(&ana, &arn, |_| {}).await.unwrap();
    token_of(gate, &key).await;
    let text = r#"@id("none") forbid(principal == User::"ana", action in [Action::"sts:AssumeRole", Action::"craton:GrantToken"], resource);"#;
    let name = PrincipalName::new("d").unwrap();
    gate.put_guard_policy(&world.root, &name, text.to_owned())
        .await
        .unwrap();
    let refused = world.assume(&ana, &arn, |_| {}).await.unwrap_err();
    assert_eq!(refused, "AccessDenied");
    let refused = gate.client_token(&key.id, &key.secret, ClientGrant::default(), origin());
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::Denied);
    // Who one is, nobody takes away.
    gate.caller_identity(&ana).await.unwrap();
    gate.delete_guard_policy(&world.root, &name).await.unwrap();
    world.assume(&ana, &arn, |_| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_boundaries_count_from_the_next_request_on() {
    let world = World::new("groups").await;
    let gate = &world.gate;
    let key = world.user("ana", "").await;
    let (group, ana) = (
        Holder::new(HolderKind::Group, "readers"),
        Holder::new(HolderKind::User, "ana"),
    );
    gate.create_entity(&world.root, &group, NewEntity::default())
        .await
        .unwrap();
    let reads = async || may(gate, &with_key(gate, &key).unwrap(), "s3:GetObject", "a").await;
    gate.put_policy(
        &world.root,
        &group,
        "read",
        document(&allow("s3:GetObject", DATA)),
    )
    .await
    .unwrap();
    assert!(!reads().await);
    gate.set_member(&world.root, "readers", "ana", true)
        .await
        .unwrap();
    assert!(reads().await);
    assert_eq!(with_key(gate, &key).unwrap().groups(), ["readers"]);
    assert_eq!(
        gate.delete_entity(&world.root, &group, true)
            .await
            .unwrap_err()
            .reason(),
        "DeleteConflict"
    );
    let text = (document(&allow("s3:PutObject", DATA)), String::new());
    let bound = gate
        .create_policy(&world.root, "bound", "/", text, Vec::new())
        .await
        .unwrap();
    gate.set_boundary(&world.root, &ana, Some(&bound.arn))
        .await
        .unwrap();
    assert!(!reads().await);
    assert_eq!(
        gate.delete_policy(&world.root, &bound.arn)
            .await
            .unwrap_err()
            .reason(),
        "DeleteConflict"
    );
    let wider = document(&allow("s3:*", DATA));
    gate.create_policy_version(&world.root, &bound.arn, wider, true)
        .await
        .unwrap();
    assert!(reads().await, "a new version is in force at once");
    gate.set_member(&world.root, "readers", "ana", false)
        .await
        .unwrap();
    assert!(!reads().await);
    let other = Holder::new(HolderKind::User, "ANA");
    let taken = gate
        .create_entity(&world.root, &other, NewEntity::default())
        .await
        .unwrap_err();
    assert_eq!(
        (taken.kind(), taken.reason()),
        (ErrorKind::Exists, "EntityAlreadyExists"),
        "names differ by more than case"
    );
}
