//! Policies about tables, their columns, agents and sessions, on questions as the gate puts them.

use std::{net::IpAddr, sync::Arc};

use craton_base::{BucketName, ObjectKey, ResourcePath, Timestamp};

use super::*;
use crate::{Asker, AskerType, BucketFacts, Circumstances, Document, Language, Ruling, SessionFacts};

const FOLDER: &str = ".tables/0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11/";

fn asker(name: &str) -> Asker<'_> {
    Asker {
        asker_type: AskerType::User,
        name,
        kind: "user",
        groups: &[],
        tags: &[],
    }
}

struct World {
    language: Language,
    rules: Rules,
    labels: Vec<String>,
    columns: Vec<&'static str>,
    reads: Option<Vec<String>>,
}

fn world(text: &str) -> World {
    let language = Language::new().unwrap();
    let document = Arc::new(Document::check(&language, "d", text).unwrap());
    let rules = Rules::new(&language, vec![document]);
    World {
        language,
        rules,
        labels: Vec::new(),
        reads: None,
        columns: vec!["id", "ssn"],
    }
}

impl World {
    /// What the policies say of an action on `resource`, which lies in the table `lake/sales.eu/orders`.
    fn judge(&self, action: &str, resource: &ResourcePath, name: &str, askers: &[&str]) -> Ruling {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            data_type: "string".to_owned(),
        };
        let columns = || self.columns.iter().map(column).collect();
        let askers: Vec<Asker<'_>> = askers.iter().map(|name| asker(name)).collect();
        let circumstances = Circumstances {
            door: "s3",
            secure: true,
            source: IpAddr::from([10, 1, 2, 3]),
            time: Timestamp(1_700_000_000_000_000),
            chain: &[],
            labels: &[],
            bytes: 0,
            purpose: Some("billing"),
            run: None,
            session: None,
            access_key: None,
            user_agent: None,
            prefix: None,
        };
        let question = Question {
            askers: &askers,
            action,
            resource,
            bucket: BucketFacts { owner: "root" },
            circumstances: &circumstances,
            session: Some(SessionFacts {
                id: "ASIAX",
                issued: Timestamp(1_700_000_000_000_000),
                expires: Timestamp(u64::MAX),
            }),
            table: Some(TableFacts {
                namespace: "sales.eu",
                name,
                folder: (!name.is_empty()).then_some(FOLDER),
                view: false,
                labels: &self.labels,
                columns: &columns,
                reads: self.reads.as_deref(),
            }),
            labels: &[],
            tags: &Vec::new,
        };
        self.rules.judge(&self.language, &question)
    }

    fn forbid(&self, action: &str, resource: &ResourcePath, name: &str, askers: &[&str]) -> Vec<String> {
        self.judge(action, resource, name, askers).forbidden_by
    }

    fn table(&self, action: &str) -> Vec<String> {
        self.forbid(action, &folder(), "orders", &["ana"])
    }
}

fn bucket() -> BucketName {
    BucketName::new("lake").unwrap()
}

fn folder() -> ResourcePath {
    ResourcePath::Objects(bucket(), FOLDER.to_owned())
}

fn file() -> ResourcePath {
    ResourcePath::Object(
        bucket(),
        ObjectKey::new(&format!("{FOLDER}data/a.parquet")).unwrap(),
    )
}

#[test]
fn a_table_lies_in_its_namespaces_and_its_folder() {
    for place in [
        r#"== Table::"lake/sales.eu/orders""#,
        r#"in Namespace::"lake/sales.eu""#,
        r#"in Namespace::"lake/sales""#,
        r#"in Bucket::"lake""#,
        &format!(r#"in Prefix::"lake/{FOLDER}""#),
        "is Table",
    ] {
        let world = world(&format!("forbid(principal, action, resource {place});"));
        assert_eq!(world.table("s3tables:GetTable"), ["d#0"], "{place}");
        let of_file = world.forbid("s3:GetObject", &file(), "orders", &["ana"]);
        // A file is not the table, but lies in it.
        assert_eq!(of_file.is_empty(), !place.starts_with("in"), "{place}");
    }
    for other in [
        r#"in Table::"lake/sales.eu/order""#,
        r#"in Namespace::"lake/sal""#,
        r#"in Table::"lake/sales/orders""#,
    ] {
        let world = world(&format!("forbid(principal, action, resource {other});"));
        assert!(world.table("s3tables:GetTable").is_empty(), "{other}");
    }
}

#[test]
fn what_is_done_to_a_namespace_is_about_it() {
    let world = world(
        r#"forbid(principal, action == Action::"s3tables:CreateTable", resource in Namespace::"lake/sales");"#,
    );
    let catalog = ResourcePath::Objects(bucket(), ".tables/".to_owned());
    assert_eq!(
        world.forbid("s3tables:CreateTable", &catalog, "", &["ana"]),
        ["d#0"]
    );
}

#[test]
fn who_reads_a_table_reads_its_columns() {
    let by_name = world(
        r#"forbid(principal, action == Action::"s3tables:GetTableData", resource == Column::"lake/sales.eu/orders/ssn");"#,
    );
    assert_eq!(by_name.table("s3tables:GetTableData"), ["d#0"]);
    assert!(by_name.table("s3tables:GetTable").is_empty());
    assert!(by_name.table("s3tables:PutTableData").is_empty());
    // The table has it no more, and its older files do.
    let gone = World {
        columns: vec!["id"],
        ..by_name
    };
    assert_eq!(gone.table("s3tables:GetTableData"), ["d#0"]);
    let by_kind = world(
        r#"forbid(principal, action in Action::"read", resource is Column) when { resource.name like "s*" };"#,
    );
    assert_eq!(by_kind.table("s3tables:GetTableData"), ["d#0"]);
    let none = World {
        columns: vec!["id"],
        ..by_kind
    };
    assert!(none.table("s3tables:GetTableData").is_empty());
    let as_attribute = world(
        r#"forbid(principal, action in Action::"read", resource is Table) when { resource.columns.contains("ssn") };"#,
    );
    assert_eq!(as_attribute.table("s3tables:GetTableData"), ["d#0"]);
}

#[test]
fn a_policy_that_says_nothing_of_columns_is_asked_once() {
    // Asked about a column, it would forbid.
    let world = world("forbid(principal, action, resource) when { resource has dataType };");
    assert!(world.table("s3tables:GetTableData").is_empty());
}

#[test]
fn the_labels_of_a_table_are_those_of_its_files() {
    let text = r#"forbid(principal, action in Action::"read", resource)
        when { resource has labels && resource.labels.contains("pii") };"#;
    let plain = world(text);
    assert!(plain.table("s3tables:GetTableData").is_empty());
    let labelled = World {
        labels: vec!["pii".to_owned()],
        ..plain
    };
    assert_eq!(labelled.table("s3tables:GetTableData"), ["d#0"]);
    assert_eq!(
        labelled.forbid("s3:GetObject", &file(), "orders", &["ana"]),
        ["d#0"]
    );
}

#[test]
fn an_agent_is_one_who_acts_for_others() {
    let world = world(
        r#"@id("agent") forbid(principal == Agent::"bot", action, resource) when { principal.actsFor.contains("ana") };
           @id("any") forbid(principal is Agent, action == Action::"s3tables:PutTableData", resource)
             unless { principal has purpose && principal.purpose == "treatment" };"#,
    );
    let ask = |askers: &[&str]| world.forbid("s3tables:PutTableData", &folder(), "orders", askers);
    assert_eq!(ask(&["bot", "ana"]), ["d#agent", "d#any"]);
    assert_eq!(ask(&["bot", "bob"]), ["d#any"]);
    assert!(ask(&["bot"]).is_empty(), "for itself it is none");
    assert!(ask(&["ana"]).is_empty());
    let mut in_the_middle = ask(&["sub", "bot", "ana"]);
    in_the_middle.sort();
    assert_eq!(in_the_middle, ["d#agent", "d#any"]);
}

#[test]
fn a_session_is_asked_about_by_its_id() {
    let world = world(
        r#"@id("one") forbid(principal == Session::"ASIAX", action == Action::"s3tables:GetTable", resource);
           @id("all") forbid(principal is Session, action == Action::"s3tables:PutTableData", resource)
             when { principal.principal == "ana" && principal has purpose && principal.purpose == "billing"
               && principal.expires > datetime("2030-01-01") };"#,
    );
    assert_eq!(world.table("s3tables:GetTable"), ["d#one"]);
    assert_eq!(world.table("s3tables:PutTableData"), ["d#all"]);
    assert!(world.table("s3tables:GetTableData").is_empty());
}

#[test]
fn ids_are_those_that_something_can_have() {
    let language = Language::new().unwrap();
    for wrong in [
        r#"Table::"lake/orders""#,
        r#"Table::"lake/a/b/c""#,
        r#"Table::"lake//c""#,
        r#"Namespace::"lake""#,
        r#"Column::"lake/sales/orders""#,
    ] {
        let text = format!("forbid(principal, action, resource == {wrong});");
        assert!(Document::check(&language, "d", &text).is_err(), "{wrong}");
    }
}

const DATA: &str = "s3tables:GetTableData";

fn reading(world: World, columns: &[&str]) -> World {
    World {
        reads: Some(columns.iter().map(|c| (*c).to_owned()).collect()),
        ..world
    }
}

#[test]
fn a_column_is_forbidden_to_who_reads_it() {
    let text = r#"forbid(principal, action, resource is Column) when { resource.name == "ssn" };"#;
    assert_eq!(world(text).table(DATA), ["d#0"], "who does not say reads all");
    let cases: [(&[&str], &[&str]); 3] = [(&["id"], &[]), (&[], &[]), (&["id", "ssn"], &["ssn"])];
    for (columns, refused) in cases {
        let ruling = reading(world(text), columns).judge(DATA, &folder(), "orders", &["ana"]);
        assert_eq!(ruling.restrictions.refused, refused);
        assert_eq!((ruling.passes(), ruling.as_a_whole), (refused.is_empty(), false));
    }
    let whole = format!("{text} forbid(principal, action, resource is Table);");
    assert!(
        reading(world(&whole), &["ssn"])
            .judge(DATA, &folder(), "orders", &["ana"])
            .as_a_whole
    );
}

#[test]
fn what_is_left_is_told_to_who_applies_it() {
    let text = r#"@id("r") @rows("owner = ${principal}") forbid(principal, action == Action::"s3tables:GetTableData", resource in Bucket::"lake")
        when { resource is Table };
        @id("m") @mask("last 4") forbid(principal == User::"bot", action, resource is Column) when { resource.name == "ssn" };"#;
    assert_eq!(
        world(text).forbid(DATA, &folder(), "orders", &["bot"]),
        ["d#r", "d#m"]
    );
    assert_eq!(
        world(text).forbid("s3:GetObject", &file(), "orders", &["bot"]),
        [""; 0],
        "its table is asked about besides"
    );
    let told = reading(world(text), &["id", "ssn"]).judge(DATA, &folder(), "orders", &["bot", "ana"]);
    assert!(told.passes());
    let owned_by = |name: &str| {
        let value = crate::Value::Text(name.to_owned());
        let condition = crate::Condition::Compare("owner".to_owned(), crate::Comparison::Equal, value);
        ("d#r".to_owned(), condition)
    };
    assert_eq!(
        told.restrictions.rows,
        [owned_by("bot"), owned_by("ana")],
        "for each of them"
    );
    assert_eq!(
        told.restrictions.masks,
        [("d#m".to_owned(), "ssn".to_owned(), crate::Mask::Last(4))]
    );
    let put = reading(world(text), &["id"]).judge("s3tables:PutTableData", &folder(), "orders", &["ana"]);
    assert!(put.passes() && put.restrictions.is_empty());
}

#[test]
fn what_is_left_of_something_else_is_forbidden() {
    for text in [
        r#"@mask("null") forbid(principal, action, resource is Table);"#,
        r#"@rows("id = 1") forbid(principal, action, resource is Column);"#,
        r#"@rows("id = 1") forbid(principal, action, resource is Table) when { context.time.offset(duration("9223372036854775807ms")) > context.time };"#,
    ] {
        assert!(
            !reading(world(text), &["id"])
                .judge(DATA, &folder(), "orders", &["ana"])
                .passes(),
            "{text}"
        );
    }
    for wrong in [
        r#"@rows("")"#,
        r#"@rows("id == 1")"#,
        r#"@mask("some")"#,
        r#"@rows("id = 1") @mask("null")"#,
    ] {
        let text = format!("{wrong} forbid(principal, action, resource);");
        assert!(
            Document::check(&Language::new().unwrap(), "d", &text).is_err(),
            "{wrong}"
        );
    }
}
