//! The index against a plain reading of scopes: for random policies and questions, exactly those policies forbid whose
//! scope holds, whatever else is in force. So a policy is never missed, and adding one never lifts another.

use std::{net::IpAddr, sync::Arc};

use craton_base::{BucketName, ObjectKey, ResourcePath, Timestamp};
use proptest::prelude::*;

use crate::{Asker, AskerType, BucketFacts, Circumstances, Document, Language, Question, Rules, actions};

const USERS: [&str; 3] = ["ana", "bob", "eve"];
const GROUPS: [&str; 2] = ["agents", "staff"];
const BUCKETS: [&str; 2] = ["raw", "out"];
const KEYS: [&str; 4] = ["a", "a/b", "a/b/c", "d/e"];
const PREFIXES: [&str; 4] = ["raw/a/", "raw/a/b/", "out/d/", "out/a/"];
const ACTIONS: [&str; 4] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetObjectTagging",
];
const ACTION_GROUPS: [&str; 4] = ["read", "write", "s3", "permissions"];

#[derive(Clone, Debug)]
enum Who {
    Any,
    IsUser,
    IsRole,
    Eq(&'static str),
    In(&'static str),
}

#[derive(Clone, Debug)]
enum What {
    Any,
    Eq(&'static str),
    Group(&'static str),
    List(Vec<&'static str>),
}

#[derive(Clone, Debug)]
enum Where {
    Any,
    IsObject,
    Bucket(&'static str),
    Prefix(&'static str),
    Object(&'static str, &'static str),
}

#[derive(Clone, Debug)]
struct Case {
    user: &'static str,
    groups: Vec<String>,
    action: &'static str,
    bucket: &'static str,
    key: &'static str,
}

impl Who {
    fn text(&self) -> String {
        match self {
            Self::Any => "principal".into(),
            Self::IsUser => "principal is User".into(),
            Self::IsRole => "principal is Role".into(),
            Self::Eq(user) => format!("principal == User::\"{user}\""),
            Self::In(group) => format!("principal in Group::\"{group}\""),
        }
    }

    fn holds(&self, case: &Case) -> bool {
        match self {
            Self::Any | Self::IsUser => true,
            Self::IsRole => false,
            Self::Eq(user) => *user == case.user,
            Self::In(group) => case.groups.iter().any(|g| g == group),
        }
    }
}

impl What {
    fn text(&self) -> String {
        match self {
            Self::Any => "action".into(),
            Self::Eq(name) => format!("action == Action::\"{name}\""),
            Self::Group(name) => format!("action in Action::\"{name}\""),
            Self::List(names) => {
                let names: Vec<String> = names.iter().map(|n| format!("Action::\"{n}\"")).collect();
                format!("action in [{}]", names.join(", "))
            }
        }
    }

    fn holds(&self, case: &Case) -> bool {
        let action = actions::find(case.action).unwrap();
        match self {
            Self::Any => true,
            Self::Eq(name) => *name == case.action,
            Self::Group(group) => *group == action.level.as_str() || *group == action.service(),
            Self::List(names) => names.contains(&case.action),
        }
    }
}

impl Where {
    fn text(&self) -> String {
        match self {
            Self::Any => "resource".into(),
            Self::IsObject => "resource is Object".into(),
            Self::Bucket(bucket) => format!("resource in Bucket::\"{bucket}\""),
            Self::Prefix(prefix) => format!("resource in Prefix::\"{prefix}\""),
            Self::Object(bucket, key) => format!("resource == Object::\"{bucket}/{key}\""),
        }
    }

    fn holds(&self, case: &Case) -> bool {
        match self {
            Self::Any | Self::IsObject => true,
            Self::Bucket(bucket) => *bucket == case.bucket,
            Self::Prefix(prefix) => format!("{}/{}", case.bucket, case.key).starts_with(prefix),
            Self::Object(bucket, key) => *bucket == case.bucket && *key == case.key,
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Any),
        Just(Who::IsUser),
        Just(Who::IsRole),
        prop::sample::select(&USERS[..]).prop_map(Who::Eq),
        prop::sample::select(&GROUPS[..]).prop_map(Who::In),
    ]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Any),
        prop::sample::select(&ACTIONS[..]).prop_map(What::Eq),
        prop::sample::select(&ACTION_GROUPS[..]).prop_map(What::Group),
        prop::sample::subsequence(&ACTIONS[..], 1..3).prop_map(What::List),
    ]
}

fn place() -> impl Strategy<Value = Where> {
    prop_oneof![
        Just(Where::Any),
        Just(Where::IsObject),
        prop::sample::select(&BUCKETS[..]).prop_map(Where::Bucket),
        prop::sample::select(&PREFIXES[..]).prop_map(Where::Prefix),
        (
            prop::sample::select(&BUCKETS[..]),
            prop::sample::select(&KEYS[..])
        )
            .prop_map(|(b, k)| Where::Object(b, k)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::sample::select(&USERS[..]),
        prop::sample::subsequence(&GROUPS[..], 0..=2),
        prop::sample::select(&ACTIONS[..]),
        prop::sample::select(&BUCKETS[..]),
        prop::sample::select(&KEYS[..]),
    )
        .prop_map(|(user, groups, action, bucket, key)| Case {
            user,
            groups: groups.into_iter().map(str::to_owned).collect(),
            action,
            bucket,
            key,
        })
}

fn forbidden(language: &Language, rules: &Rules, case: &Case) -> Vec<String> {
    let asker = Asker {
        asker_type: AskerType::User,
        name: case.user,
        kind: "user",
        groups: &case.groups,
        tags: &[],
    };
    let bucket = BucketName::new(case.bucket).unwrap();
    let question = Question {
        askers: &[asker],
        action: case.action,
        resource: &ResourcePath::Object(bucket, ObjectKey::new(case.key).unwrap()),
        bucket: BucketFacts::default(),
        session: None,
        table: None,
        labels: &[],
        circumstances: &Circumstances {
            door: "s3",
            secure: true,
            source: IpAddr::from([127, 0, 0, 1]),
            time: Timestamp(0),
            chain: &[],
            labels: &[],
            bytes: 0,
            purpose: None,
            run: None,
            session: None,
            access_key: None,
            user_agent: None,
            prefix: None,
        },
        tags: &Vec::new,
    };
    rules.judge(language, &question).forbidden_by
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn exactly_the_policies_whose_scope_holds_forbid(
        policies in prop::collection::vec((who(), what(), place()), 1..14),
        cases in prop::collection::vec(case(), 1..12),
    ) {
        let language = LANGUAGE.with(Clone::clone);
        let texts: Vec<String> = policies
            .iter()
            .map(|(who, what, place)| {
                format!("forbid({}, {}, {});", who.text(), what.text(), place.text())
            })
            .collect();
        let document = Document::load("d", &texts.join("\n")).unwrap();
        let rules = Rules::new(&language, vec![Arc::new(document)]);
        for case in &cases {
            let expected: Vec<String> = policies
                .iter()
                .enumerate()
                .filter(|(_, (who, what, place))| who.holds(case) && what.holds(case) && place.holds(case))
                .map(|(n, _)| format!("d#{n}"))
                .collect();
            prop_assert_eq!(forbidden(&language, &rules, case), expected, "{:?} of {:?}", case, &texts);
        }
    }
}

thread_local! {
    static LANGUAGE: Arc<Language> = Arc::new(Language::new().unwrap());
}
