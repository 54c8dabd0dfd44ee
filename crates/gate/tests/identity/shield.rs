//! The delete shield on changes themselves, as any engine could make them for any door.

use std::time::Duration;

use craton_base::{BucketName, FactPath, GraphName, Kind as ErrorKind, ObjectKey, ResourcePath, Result};
use craton_gate::{
    Ask, BucketSettings, Changes, ConfigurationChange, Gate, Holder, HolderKind, Kind, NewEntity,
    OPERATION_PENDING, PendingState, Session, Shield, Subresource, Value, Versioning, WritePermit,
    ledger::Filter, tables,
};
use prost::Message as _;

use crate::world::*;

fn bucket() -> ResourcePath {
    ResourcePath::Bucket(BucketName::new("data").unwrap())
}

fn object(key: &str) -> ResourcePath {
    ResourcePath::Object(BucketName::new("data").unwrap(), ObjectKey::new(key).unwrap())
}

async fn permit(gate: &Gate, session: &Session, path: ResourcePath) -> WritePermit {
    let action = match &path {
        ResourcePath::Bucket(_) => "s3:PutBucketPolicy",
        ResourcePath::Facts(..) => "craton:WriteGraph",
        _ => "s3:DeleteObject",
    };
    gate.write(session, Ask::new("Change", action, path))
        .await
        .unwrap()
}

impl World {
    async fn shield(&self, hold_seconds: u64, everyone: bool) {
        let shield = Shield {
            hold_seconds,
            everyone,
        };
        let permit = permit(&self.gate, &self.root, bucket()).await;
        permit
            .configure(&[ConfigurationChange::shield(shield)])
            .await
            .unwrap();
    }

    async fn versioning(&self, versioning: Versioning) {
        let permit = permit(&self.gate, &self.root, bucket()).await;
        let change = |settings| {
            Ok::<_, craton_base::Error>(BucketSettings {
                versioning,
                ..settings
            })
        };
        permit.change_bucket(change).await.unwrap();
    }

    async fn agent(&self, name: &str) -> Session {
        let user = Holder::new(HolderKind::User, name);
        let entity = NewEntity {
            tags: vec![("craton:agent".to_owned(), "true".to_owned())],
            ..NewEntity::default()
        };
        self.gate.create_entity(&self.root, &user, entity).await.unwrap();
        self.gate
            .put_policy(&self.root, &user, "own", document(&allow("*", "*")))
            .await
            .unwrap();
        let key = self.gate.create_access_key(&self.root, name).await.unwrap();
        with_key(&self.gate, &key).unwrap()
    }

    async fn person(&self, name: &str) -> Session {
        let key = self.user(name, &allow("*", "*")).await;
        with_key(&self.gate, &key).unwrap()
    }

    async fn commit(&self, session: &Session, path: ResourcePath, changes: Changes) -> Result<()> {
        permit(&self.gate, session, path)
            .await
            .commit(changes)
            .await
            .map(drop)
    }

    async fn put(&self, key: &str, content: &'static str, kept: bool) {
        let changes = Changes::new().put(Kind::Object, key.to_owned(), value(content, kept));
        self.commit(&self.root, object(key), changes).await.unwrap();
    }

    async fn delete(&self, session: &Session, key: &str) -> Result<()> {
        let changes = Changes::new().delete(Kind::Object, key.to_owned());
        self.commit(session, object(key), changes).await
    }

    async fn pending(&self) -> Vec<craton_gate::PendingInfo> {
        self.gate.list_pending(&self.root, None).await.unwrap()
    }

    /// What the ledger says was done with operations that waited, oldest first.
    async fn told(&self) -> Vec<String> {
        let filter = Filter {
            resource_prefix: Some("/system/pending/".to_owned()),
            ..Filter::default()
        };
        let mut found = self.gate.audit_list(&self.root, filter).await.unwrap().entries;
        found.reverse();
        let records = found.into_iter().filter_map(|entry| entry.record);
        let committed = records.filter(|record| record.action.is_empty() && record.operation != "GetPending");
        committed.map(|record| record.operation).collect()
    }
}

fn value(content: &'static str, kept: bool) -> Value {
    Value {
        kept,
        ..Value::of_meta(content)
    }
}

fn is_pending(done: &Result<()>) -> bool {
    done.as_ref()
        .is_err_and(|e| (e.kind(), e.reason()) == (ErrorKind::Denied, OPERATION_PENDING))
}

/// Ways to destroy something, and what became of each.
type Tried = Vec<(&'static str, Result<()>)>;

async fn destroys_objects(world: &World, who: &Session) -> Tried {
    world.versioning(Versioning::Unversioned).await;
    world.put("plain", "x", false).await;
    let plain = world.delete(who, "plain").await;
    world.versioning(Versioning::Enabled).await;
    world.put("kept", "x", true).await;
    let writes = permit(&world.gate, who, object("kept")).await;
    let stored = writes.entry(Kind::Object, b"kept").unwrap().unwrap();
    let version = writes.commit(Changes::new().remove(stored)).await.map(drop);
    drop(writes);
    world.put("null", "x", false).await;
    world.versioning(Versioning::Suspended).await;
    let mark = Changes::new().mark(Kind::Object, "null", value("marker", false));
    let aside = world.commit(who, object("null"), mark).await;
    world.versioning(Versioning::Enabled).await;
    vec![
        ("an object of an unversioned bucket", plain),
        ("a version", version),
        ("what a marker puts aside for good", aside),
    ]
}

async fn destroys_settings(world: &World, who: &Session) -> Tried {
    let mut out = Vec::new();
    for subresource in [Subresource::Lifecycle, Subresource::Policy] {
        let root = permit(&world.gate, &world.root, bucket()).await;
        let policy = document(&allow("s3:GetObject", DATA).replace("{\"Eff", "{\"Principal\":\"*\",\"Eff"));
        root.configure(&[ConfigurationChange::set(subresource, policy)])
            .await
            .unwrap();
        let remove = [ConfigurationChange::remove(subresource)];
        let done = permit(&world.gate, who, bucket()).await.configure(&remove).await;
        out.push((subresource.name(), done));
    }
    let other = Shield {
        hold_seconds: 7200,
        everyone: false,
    };
    let change = [ConfigurationChange::shield(other)];
    let done = permit(&world.gate, who, bucket()).await.configure(&change).await;
    out.push(("the shield", done));
    world.shield(3600, false).await;
    let suspend = |settings| {
        let versioning = Versioning::Suspended;
        Ok::<_, craton_base::Error>(BucketSettings {
            versioning,
            ..settings
        })
    };
    let writes = permit(&world.gate, who, bucket()).await;
    out.push(("versioning", writes.change_bucket(suspend).await.map(drop)));
    out
}

async fn destroys_a_graph_and_a_table(world: &World, who: &Session) -> Tried {
    let facts = FactPath::whole(GraphName::new("g").unwrap());
    let graph = ResourcePath::Facts(BucketName::new("data").unwrap(), facts);
    let loaded = Changes::new().put(Kind::Graph, "g", Value::of_meta("1")).put(
        Kind::GraphRun,
        &b"g\0run"[..],
        Value::of_meta("run"),
    );
    world.commit(&world.root, graph.clone(), loaded).await.unwrap();
    let clear = Changes::new()
        .put(Kind::Graph, "g", Value::of_meta("2"))
        .delete(Kind::GraphRun, &b"g\0run"[..]);
    let cleared = world.commit(who, graph, clear).await;

    let id = "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11";
    let table = tables::table(BucketName::new("data").unwrap(), id);
    let row = |dropped| tables::TableRow {
        name: "t".to_owned(),
        namespace: vec!["ns".to_owned()],
        dropped,
        ..tables::TableRow::default()
    };
    let put =
        |row: tables::TableRow| Changes::new().put(Kind::Table, id, Value::of_meta(row.encode_to_vec()));
    world
        .commit(&world.root, table.clone(), put(row(false)))
        .await
        .unwrap();
    let dropped = world.commit(who, table, put(row(true))).await;
    vec![("a graph", cleared), ("a table", dropped)]
}

/// Every way to destroy something that there is, as changes: each is held for an agent, and not for a person.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_destroys_something_waits() {
    let world = World::new("shield-all").await;
    let (agent, ana) = (world.agent("bot").await, world.person("ana").await);
    world.shield(3600, false).await;
    for who in [&agent, &ana] {
        let held = who.principal() == "bot";
        let mut tried = destroys_objects(&world, who).await;
        tried.extend(destroys_settings(&world, who).await);
        tried.extend(destroys_a_graph_and_a_table(&world, who).await);
        assert_eq!(tried.len(), 9);
        for (what, done) in tried {
            assert_eq!(is_pending(&done), held, "{what}: {done:?}");
            assert_eq!(done.is_ok(), !held, "{what}: {done:?}");
        }
    }
    let waiting = world.pending().await;
    assert_eq!(waiting.len(), 9, "{waiting:?}");
    let sorts: std::collections::BTreeSet<&str> = waiting
        .iter()
        .flat_map(|p| &p.things)
        .map(|thing| thing.sort.as_str())
        .collect();
    assert_eq!(
        sorts.into_iter().collect::<Vec<_>>(),
        ["configuration", "graph", "object", "settings", "table", "version"]
    );
    assert!(
        waiting
            .iter()
            .all(|p| p.principal == "bot" && p.state == PendingState::Waiting)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_destroys_nothing_does_not_wait() {
    let world = World::new("shield-none").await;
    let agent = world.agent("bot").await;
    world.shield(3600, false).await;
    let put = |content| Changes::new().put(Kind::Object, "a", value(content, false));
    for content in ["one", "two"] {
        world.commit(&agent, object("a"), put(content)).await.unwrap();
    }
    world.delete(&agent, "none").await.unwrap();
    world.versioning(Versioning::Enabled).await;
    world.put("b", "x", true).await;
    let mark = Changes::new().mark(Kind::Object, "b", value("marker", true));
    world.commit(&agent, object("b"), mark).await.unwrap();
    let writes = permit(&world.gate, &agent, object("b")).await;
    let marker = writes.newest(Kind::Object, b"b").unwrap().unwrap().stored;
    writes.commit(Changes::new().remove(marker)).await.unwrap();
    drop(writes);
    let root = permit(&world.gate, &world.root, bucket()).await;
    let same = [ConfigurationChange::set(Subresource::Lifecycle, &b"rules"[..])];
    root.configure(&same).await.unwrap();
    permit(&world.gate, &agent, bucket())
        .await
        .configure(&same)
        .await
        .unwrap();
    let tags = [ConfigurationChange::set(Subresource::Tagging, &b"tags"[..])];
    permit(&world.gate, &agent, bucket())
        .await
        .configure(&tags)
        .await
        .unwrap();
    let facts = FactPath::whole(GraphName::new("g").unwrap());
    let graph = ResourcePath::Facts(BucketName::new("data").unwrap(), facts);
    let loaded = Changes::new().put(Kind::Graph, "g", Value::of_meta("1")).put(
        Kind::GraphRun,
        &b"g\0run"[..],
        Value::of_meta("run"),
    );
    world.commit(&agent, graph.clone(), loaded).await.unwrap();
    let merged = Changes::new()
        .put(Kind::Graph, "g", Value::of_meta("2"))
        .delete(Kind::GraphRun, &b"g\0run"[..]);
    world.commit(&agent, graph, merged.rearranging()).await.unwrap();
    assert!(world.pending().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_carried_out_once_after_somebody_else_approved_it() {
    let world = World::new("shield-life").await;
    let gate = &world.gate;
    let (agent, ana) = (world.agent("bot").await, world.person("ana").await);
    let nobody = with_key(gate, &world.user("nobody", &allow("s3:*", "*")).await).unwrap();
    world.shield(3600, false).await;
    world.put("a", "one", false).await;
    for _ in 0..3 {
        assert!(is_pending(&world.delete(&agent, "a").await));
    }
    let waiting = world.pending().await;
    assert_eq!(waiting.len(), 1, "asked again it is the same");
    let id = &waiting[0].id;
    assert_eq!(
        gate.pending(&agent, id).await.unwrap(),
        waiting[0],
        "who asked sees it"
    );
    assert!(gate.pending(&nobody, id).await.is_err());
    for (who, reason) in [(&agent, "AgentsDoNotApprove"), (&nobody, "AccessDenied")] {
        let refused = gate.answer_pending(who, id, true).await.unwrap_err();
        assert_eq!((refused.kind(), refused.reason()), (ErrorKind::Denied, reason));
    }
    assert_eq!(
        gate.answer_pending(&ana, id, false).await.unwrap().state,
        PendingState::Rejected
    );
    assert_eq!(
        world.delete(&agent, "a").await.unwrap_err().reason(),
        "OperationRejected"
    );
    assert_eq!(
        gate.answer_pending(&ana, id, true).await.unwrap().answered_by,
        "ana"
    );
    // What was approved is this version: another one is another operation.
    world.put("a", "two", false).await;
    assert!(is_pending(&world.delete(&agent, "a").await));
    let second = world
        .pending()
        .await
        .into_iter()
        .find(|p| p.state == PendingState::Waiting)
        .unwrap();
    assert_ne!(second.id, *id);
    gate.answer_pending(&ana, &second.id, true).await.unwrap();
    world.delete(&agent, "a").await.unwrap();
    assert_eq!(
        gate.pending(&agent, &second.id).await.unwrap().state,
        PendingState::Done
    );
    assert_eq!(
        gate.answer_pending(&ana, &second.id, true)
            .await
            .unwrap_err()
            .reason(),
        "PendingDone"
    );
    world.put("a", "three", false).await;
    assert!(
        is_pending(&world.delete(&agent, "a").await),
        "an approval is used up"
    );
    is_told(&world, &second.id).await;
}

/// The ledger says of an operation that was rejected, of one that was approved and carried out under `id`, and of a third that waits.
async fn is_told(world: &World, id: &str) {
    assert_eq!(
        world.told().await,
        [
            "HoldOperation",
            "RejectOperation",
            "ApproveOperation",
            "HoldOperation",
            "ApproveOperation",
            "HoldOperation"
        ]
    );
    let of_bucket = Filter {
        resource_prefix: Some("/data/objects/a".to_owned()),
        principal: Some("bot".to_owned()),
        kind: Some(craton_gate::ledger::RecordKind::Write),
        ..Filter::default()
    };
    let done = world
        .gate
        .audit_list(&world.root, of_bucket)
        .await
        .unwrap()
        .entries;
    let done = done.first().and_then(|entry| entry.record.as_ref()).unwrap();
    assert!(
        done.facts
            .iter()
            .any(|f| f.key == "craton:pending" && f.value == id)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_stops_to_be_an_agent_or_answers_for_themselves() {
    let world = World::new("shield-who").await;
    let gate = &world.gate;
    let (agent, ana) = (world.agent("bot").await, world.person("ana").await);
    let everyone = "arn:aws:iam::000000000000:root";
    let role = world.role("power", everyone, &allow("*", "*")).await;
    world.shield(3600, false).await;
    let assumed = |tags: &[(&str, &str)]| {
        let tags = tags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        move |wanted: &mut craton_gate::AssumeRole| wanted.tags = tags
    };
    let as_role = async |who: &Session, tags: &[(&str, &str)]| {
        within(gate, &world.assume(who, &role, assumed(tags)).await.unwrap()).unwrap()
    };
    let untagged = as_role(&agent, &[("craton:agent", "false")]).await;
    let for_ana = as_role(&agent, &[("craton:acting-for", "ana")]).await;
    let of_ana = as_role(&ana, &[]).await;
    let marked = as_role(&ana, &[("craton:agent", "yes")]).await;
    for (n, who) in [&untagged, &for_ana, &marked].into_iter().enumerate() {
        world.put("a", "x", false).await;
        assert!(is_pending(&world.delete(who, "a").await), "{n}");
        let id = world.pending().await.pop().unwrap().id;
        let refused = gate.answer_pending(&agent, &id, true).await.unwrap_err();
        assert_eq!(refused.reason(), "AgentsDoNotApprove");
        // A session of a role that ana took and marked is hers all the same.
        let by_ana = gate.answer_pending(&ana, &id, true).await.map_err(|e| e.reason());
        let expected = if n == 2 { Err("OwnOperation") } else { Ok(()) };
        assert_eq!(by_ana.map(drop), expected, "{n}");
    }
    world.put("a", "x", false).await;
    world.delete(&of_ana, "a").await.unwrap();

    world.shield(3600, true).await;
    let eve = world.person("eve").await;
    world.put("a", "x", false).await;
    assert!(
        is_pending(&world.delete(&of_ana, "a").await),
        "it is for everyone now"
    );
    let id = world.pending().await.pop().unwrap().id;
    for who in [&ana, &of_ana] {
        assert_eq!(
            gate.answer_pending(who, &id, true).await.unwrap_err().reason(),
            "OwnOperation"
        );
    }
    gate.answer_pending(&eve, &id, true).await.unwrap();
    world.delete(&of_ana, "a").await.unwrap();
    let mut root = permit(gate, &world.root, bucket()).await;
    let lifted = root
        .configure(&[ConfigurationChange::remove(Subresource::Shield)])
        .await;
    assert!(is_pending(&lifted));
    root = permit(gate, &world.root, bucket()).await;
    let id = world.pending().await.pop().unwrap().id;
    gate.answer_pending(&eve, &id, true).await.unwrap();
    root.configure(&[ConfigurationChange::remove(Subresource::Shield)])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_is_over_in_time() {
    let world = World::new("shield-over").await;
    let agent = world.agent("bot").await;
    world.shield(1, false).await;
    world.put("a", "x", false).await;
    world.put("b", "x", false).await;
    assert!(is_pending(&world.delete(&agent, "a").await));
    assert!(is_pending(&world.delete(&agent, "b").await));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(world.pending().await.is_empty());
    assert!(is_pending(&world.delete(&agent, "a").await), "asked anew");
    world.gate.collect().await.unwrap();
    assert_eq!(
        world.told().await,
        [
            "HoldOperation",
            "HoldOperation",
            "ExpireOperation",
            "HoldOperation",
            "ExpireOperation"
        ]
    );
    assert_eq!(world.pending().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_there_again_after_a_restart() {
    let world = World::new("shield-restart").await;
    let (agent, ana) = (world.agent("bot").await, world.person("ana").await);
    world.shield(3600, false).await;
    for key in ["a", "b"] {
        world.put(key, "x", false).await;
        assert!(is_pending(&world.delete(&agent, key).await));
    }
    let waiting = world.pending().await;
    world
        .gate
        .answer_pending(&ana, &waiting[0].id, true)
        .await
        .unwrap();
    let World {
        _folder: folder,
        gate,
        root,
    } = world;
    gate.close().await.unwrap();
    drop((gate, root, agent, ana));
    let gate = folder.open();
    let root = crate::world::root(&gate);
    let key = gate.create_access_key(&root, "bot").await.unwrap();
    let agent = with_key(&gate, &key).unwrap();
    let world = World {
        _folder: folder,
        gate,
        root,
    };
    let again = world.pending().await;
    assert_eq!(
        again.iter().map(|p| &p.id).collect::<Vec<_>>(),
        waiting.iter().map(|p| &p.id).collect::<Vec<_>>()
    );
    world.delete(&agent, "a").await.unwrap();
    assert!(is_pending(&world.delete(&agent, "b").await));
}
