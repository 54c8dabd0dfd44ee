use std::{cell::Cell, sync::Arc};

use craton_base::{BucketName, FactPath, GraphName, ObjectKey};

use super::*;
use crate::Document;

fn rules(texts: &[(&str, &str)]) -> (Language, Rules) {
    let language = Language::new().unwrap();
    let documents = texts
        .iter()
        .map(|(name, text)| Arc::new(Document::check(&language, name, text).unwrap()));
    let rules = Rules::new(&language, documents.collect());
    (language, rules)
}

fn object(bucket: &str, key: &str) -> ResourcePath {
    ResourcePath::Object(BucketName::new(bucket).unwrap(), ObjectKey::new(key).unwrap())
}

fn facts(bucket: &str, graph: &str, prefix: &str) -> ResourcePath {
    let path = FactPath::new(GraphName::new(graph).unwrap(), prefix).unwrap();
    ResourcePath::Facts(BucketName::new(bucket).unwrap(), path)
}

const ANA: Asker<'_> = Asker {
    asker_type: AskerType::User,
    name: "ana",
    kind: "user",
    groups: &[],
    tags: &[],
};

fn circumstances() -> Circumstances<'static> {
    Circumstances {
        door: "s3",
        secure: false,
        source: IpAddr::from([10, 1, 2, 3]),
        time: Timestamp(1_700_000_000_000_000),
        chain: &[],
        labels: &[],
        bytes: 0,
        purpose: None,
        run: None,
        session: None,
        access_key: None,
        user_agent: None,
        prefix: None,
    }
}

/// The names of the policies that forbid it.
fn judged(
    (language, rules): &(Language, Rules),
    askers: &[Asker<'_>],
    action: &str,
    resource: &ResourcePath,
    known: &Circumstances<'_>,
) -> Ruling {
    rules.judge(
        language,
        &Question {
            askers,
            action,
            resource,
            bucket: BucketFacts { owner: "root" },
            circumstances: known,
            session: None,
            table: None,
            labels: &[],
            tags: &|| vec![("class".to_owned(), "secret".to_owned())],
        },
    )
}

fn forbidden(all: &(Language, Rules), action: &str, resource: &ResourcePath) -> Vec<String> {
    judged(all, &[ANA], action, resource, &circumstances()).forbidden_by
}

#[test]
fn a_scope_that_can_not_match_costs_nothing_and_forbids_nothing() {
    let all = rules(&[(
        "d",
        r#"@id("one") forbid(principal == User::"ana", action == Action::"s3:GetObject", resource in Bucket::"other");
           @id("bob") forbid(principal == User::"bob", action, resource);
           @id("graphs") forbid(principal, action, resource is Graph);"#,
    )]);
    assert!(forbidden(&all, "s3:GetObject", &object("bbb", "k")).is_empty());
    let all = rules(&[(
        "d",
        r#"@id("one") forbid(principal == User::"ana", action == Action::"s3:GetObject", resource in Bucket::"bbb");
           @id("two") forbid(principal, action in Action::"write", resource is Object);"#,
    )]);
    assert_eq!(forbidden(&all, "s3:GetObject", &object("bbb", "k")), ["d#one"]);
    assert_eq!(forbidden(&all, "s3:PutObject", &object("bbb", "k")), ["d#two"]);
    assert!(forbidden(&all, "s3:GetObject", &object("ccc", "k")).is_empty());
}

#[test]
fn a_forbid_whose_arithmetic_overflows_forbids() {
    let all = rules(&[(
        "d",
        r#"forbid(principal, action, resource) when { 9223372036854775807 + 1 == 0 };"#,
    )]);
    let ruling = judged(
        &all,
        &[ANA],
        "s3:GetObject",
        &object("bbb", "k"),
        &circumstances(),
    );
    assert_eq!(ruling.forbidden_by, ["d#0"]);
    assert_eq!(ruling.failed, ["d#0"]);
    let document = &all.1.documents()[0];
    assert!(
        Document::check(
            &all.0,
            "d",
            "forbid(principal, action, resource) when { 1 + 1 == 2 };"
        )
        .unwrap()
        .warnings()
        .iter()
        .any(|w| w.contains("overflows"))
    );
    assert_eq!(document.policies().collect::<Vec<_>>(), ["d#0"]);
    // Of times too.
    let all = rules(&[(
        "d",
        r#"forbid(principal, action, resource)
           when { context.time.offset(duration("9223372036854775807ms")) < context.time };"#,
    )]);
    assert_eq!(forbidden(&all, "s3:GetObject", &object("bbb", "k")), ["d#0"]);
}

#[test]
fn tags_are_read_only_if_a_policy_that_is_evaluated_looks_at_them() {
    let language = Language::new().unwrap();
    let text = r#"forbid(principal, action == Action::"s3:GetObject", resource)
        when { resource.hasTag("class") && resource.getTag("class") == "secret" };
        forbid(principal, action == Action::"s3:PutObject", resource) when { context.door == "graph" };"#;
    let document = Document::check(&language, "d", text).unwrap();
    let rules = Rules::new(&language, vec![Arc::new(document)]);
    let asked = Cell::new(0);
    let ask = |action| {
        let tags = || {
            asked.set(asked.get() + 1);
            vec![("class".to_owned(), "secret".to_owned())]
        };
        let known = circumstances();
        let question = Question {
            askers: &[ANA],
            action,
            resource: &object("bbb", "k"),
            bucket: BucketFacts::default(),
            circumstances: &known,
            session: None,
            table: None,
            labels: &[],
            tags: &tags,
        };
        assert_eq!(
            rules.looks_at(&language, &question).tags,
            action == "s3:GetObject"
        );
        rules.judge(&language, &question).forbidden_by
    };
    assert!(ask("s3:PutObject").is_empty());
    assert_eq!(asked.get(), 0);
    assert_eq!(ask("s3:GetObject"), ["d#0"]);
    assert_eq!(asked.get(), 1);
}

#[test]
fn prefixes_cover_what_lies_under_them() {
    let all = rules(&[(
        "d",
        r#"@id("raw") forbid(principal, action, resource in Prefix::"bbb/raw/");
           @id("deep") forbid(principal, action, resource) when { resource is Object && resource in Prefix::"bbb/a/b/" };"#,
    )]);
    let get = |key| forbidden(&all, "s3:GetObject", &object("bbb", key));
    assert_eq!(get("raw/x/y.csv"), ["d#raw"]);
    assert_eq!(get("a/b/c"), ["d#deep"]);
    assert!(get("raw").is_empty() && get("rawer/x").is_empty() && get("x/raw/y").is_empty());
    assert!(forbidden(&all, "s3:GetObject", &object("ccc", "raw/x")).is_empty());
}

#[test]
fn a_part_of_a_graph_covers_what_holds_it_and_what_it_holds() {
    let all = rules(&[(
        "d",
        r#"forbid(principal, action, resource in GraphPrefix::"bbb/g/(patient ");"#,
    )]);
    let read = |path| forbidden(&all, "craton:ReadGraph", &path);
    assert_eq!(read(facts("bbb", "g", "")), ["d#0"]);
    assert_eq!(read(facts("bbb", "g", "(patient ")), ["d#0"]);
    assert_eq!(read(facts("bbb", "g", "(patient p1 ")), ["d#0"]);
    assert!(read(facts("bbb", "g", "(patients ")).is_empty());
    assert!(read(facts("bbb", "g", "(edge ")).is_empty());
    assert!(read(facts("bbb", "h", "")).is_empty());
}

#[test]
fn everyone_in_the_chain_must_be_let() {
    let all = rules(&[(
        "d",
        r#"forbid(principal == User::"ana", action, resource);
           @id("group") forbid(principal in Group::"agents", action in Action::"write", resource)
             unless { principal.hasTag("trusted") && principal.getTag("trusted") == "yes" };"#,
    )]);
    let groups = ["agents".to_owned()];
    let bob = Asker {
        name: "bob",
        groups: &groups,
        ..ANA
    };
    let key = object("bbb", "k");
    let known = circumstances();
    assert_eq!(
        judged(&all, &[bob], "s3:PutObject", &key, &known).forbidden_by,
        ["d#group"]
    );
    assert!(judged(&all, &[bob], "s3:GetObject", &key, &known).passes());
    let tags = [("trusted".to_owned(), "yes".to_owned())];
    let trusted = Asker { tags: &tags, ..bob };
    assert!(judged(&all, &[trusted], "s3:PutObject", &key, &known).passes());
    assert_eq!(
        judged(&all, &[trusted, ANA], "s3:PutObject", &key, &known).forbidden_by,
        ["d#0"]
    );
}

#[test]
fn circumstances_are_there_if_known() {
    let all = rules(&[(
        "d",
        r#"@id("where") @advice("come from inside") forbid(principal, action, resource)
             unless { context.source.isInRange(ip("10.0.0.0/8")) };
           @id("purpose") forbid(principal, action in Action::"read", resource in Bucket::"bbb")
             unless { context has purpose && context.purpose == "billing" };
           @id("night") forbid(principal, action in Action::"write", resource)
             when { context.time.toTime() < duration("23h") };
           @id("chain") forbid(principal, action == Action::"s3:DeleteObject", resource)
             when { context.chain.contains("agent") || context.labels.contains("untrusted") };
           @id("list") forbid(principal, action == Action::"s3:ListBucket", resource)
             unless { context has prefix && context.prefix like "open/*" };"#,
    )]);
    let known = circumstances();
    let key = object("bbb", "k");
    assert_eq!(forbidden(&all, "s3:GetObject", &key), ["d#purpose"]);
    let billing = Circumstances {
        purpose: Some("billing"),
        ..known
    };
    assert!(judged(&all, &[ANA], "s3:GetObject", &key, &billing).passes());
    let outside = Circumstances {
        source: IpAddr::from([8, 8, 8, 8]),
        ..billing
    };
    let ruling = judged(&all, &[ANA], "s3:GetObject", &key, &outside);
    assert_eq!(
        (ruling.forbidden_by, ruling.advice),
        (vec!["d#where".to_owned()], vec!["come from inside".to_owned()])
    );
    assert_eq!(forbidden(&all, "s3:PutObject", &key), ["d#night"]);
    let chain = ["agent".to_owned()];
    let acting = Circumstances {
        chain: &chain,
        time: Timestamp(1_700_004_000_000_000),
        ..known
    };
    assert_eq!(
        judged(&all, &[ANA], "s3:DeleteObject", &key, &acting).forbidden_by,
        ["d#chain"]
    );
    let bucket = ResourcePath::Objects(BucketName::new("bbb").unwrap(), "open/x".to_owned());
    assert_eq!(forbidden(&all, "s3:ListBucket", &bucket), ["d#list"]);
    let listing = Circumstances {
        prefix: Some("open/x"),
        ..known
    };
    assert!(judged(&all, &[ANA], "s3:ListBucket", &bucket, &listing).passes());
}

#[test]
fn an_action_that_nobody_listed_is_in_every_group() {
    let all = rules(&[(
        "d",
        r#"forbid(principal, action in Action::"permissions", resource);"#,
    )]);
    let users = ResourcePath::System("users/ana".to_owned());
    assert_eq!(forbidden(&all, "iam:InventedTomorrow", &users), ["d#0"]);
    assert!(forbidden(&all, "iam:GetUser", &users).is_empty());
}

#[test]
fn labels_are_the_words_of_a_tag_and_read_only_where_a_policy_looks() {
    let (language, rules) = rules(&[(
        "d",
        r#"@id("pii") forbid(principal, action == Action::"s3:GetObject", resource) when { resource.labels.contains("pii") };
           @id("key") forbid(principal, action == Action::"s3:PutObject", resource) when { resource.key == "other" };"#,
    )]);
    let read = Cell::new(0);
    let ask = |action: &str, value: &str| {
        let tags = || {
            read.set(read.get() + 1);
            vec![
                ("class".to_owned(), "pii".to_owned()),
                (crate::LABELS_TAG.to_owned(), value.to_owned()),
            ]
        };
        let question = Question {
            askers: &[ANA],
            action,
            resource: &object("bbb", "k"),
            bucket: BucketFacts { owner: "root" },
            circumstances: &circumstances(),
            session: None,
            table: None,
            labels: &[],
            tags: &tags,
        };
        rules.judge(&language, &question).forbidden_by
    };
    assert_eq!(ask("s3:GetObject", "secret  pii"), ["d#pii"]);
    assert!(ask("s3:GetObject", "secret piis").is_empty());
    assert_eq!(read.get(), 2);
    assert!(ask("s3:PutObject", "pii").is_empty());
    assert_eq!(read.get(), 2, "nobody looks at labels there");
}
