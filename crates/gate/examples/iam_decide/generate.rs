//! Random policies and requests that are close enough to each other to match often.
//!
//! Values come from small pools, so that equal, almost equal and different values all occur. What
//! the oracle is known to answer otherwise is left out here and is kept, case by case with the
//! reason, in `tests/oracle/iam/known.jsonl`.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

const OBJECT_ACTIONS: [&str; 7] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:GetObjectTagging",
];
const BUCKET_ACTIONS: [&str; 5] = [
    "s3:ListBucket",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:GetBucketLocation",
    "s3:ListBucketMultipartUploads",
];
const ACTION_PATTERNS: [&str; 22] = [
    "*",
    "s3:*",
    "S3:*",
    "s3:Get*",
    "s3:*Object",
    "s3:*Object*",
    "s3:List*",
    "s3:?etObject",
    "s3:PutObject",
    "s3:getobject",
    "s3:GETOBJECT",
    "s3:GetObject",
    "s3:GetObject?",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucket*",
    "s3:*Bucket*",
    "s3:DeleteObject",
    "s3:Delete*",
    "s3:*Multipart*",
    "s3:ListAllMyBuckets",
    "sts:AssumeRole",
];
const BUCKETS: [&str; 4] = ["data", "data-2", "logs", "alice"];
const KEYS: [&str; 12] = [
    "a",
    "home/alice/x",
    "home/bob/x",
    "home/alice",
    "team/red/report.csv",
    "team/blue/report.csv",
    "a:b:c",
    "x/y/z",
    "x//z",
    "HOME/alice/x",
    "päth/ünïcode",
    "weird [key] (1)+$^.txt",
];
const RESOURCE_PATTERNS: [&str; 34] = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data*",
    "arn:aws:s3:::data-?",
    "arn:aws:s3:::data-?/*",
    "arn:aws:s3:::*/home/*",
    "arn:aws:s3:::data/home/alice/*",
    "arn:aws:s3:::data/home/alice*",
    "arn:aws:s3:::data/home/${aws:username}/*",
    "arn:aws:s3:::data/home/${aws:username}*",
    "arn:aws:s3:::${aws:username}",
    "arn:aws:s3:::${aws:username}/*",
    "arn:aws:s3:::*/team/${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::*/team/${aws:PrincipalTag/team, 'red'}/*",
    "arn:aws:s3:::*/team/${aws:principaltag/TEAM, 'blue'}/report.???",
    "arn:aws:s3:::logs",
    "arn:aws:s3:::logs/*",
    "arn:aws:s3:::logs/a:*",
    "arn:aws:s3:::*:c",
    "arn:aws:s3:::data/?",
    "arn:aws:s3:::data/x/*/z",
    "arn:aws:s3:::data/x/?/z",
    "arn:aws:s3:::data/x/*z",
    "arn:aws:s3:::*/*.csv",
    "arn:aws:s3:::*/weird [key] (1)+${$}^.txt",
    "arn:aws:s3:::*/p?th/*",
    "arn:aws:s3:::data/${*}",
    "arn:aws:*:::data/*",
    "arn:*:s3:::logs*",
    "arn:aws:s3:*:*:data/*",
    "arn:aws:s3:*",
    "arn:aws:iam::123456789012:user/*",
];

/// What may be compared with a condition key, and what a request may hold for it.
struct Key {
    names: &'static [&'static str],
    operators: &'static [&'static str],
    policy: &'static [&'static str],
    request: &'static [&'static str],
    many: bool,
}

const STRINGS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const NUMBERS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATES: &[&str] = &[
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];
const ADDRESSES: &[&str] = &["IpAddress", "NotIpAddress"];
const ARNS: &[&str] = &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"];

const KEYS_OF_ALL: [Key; 9] = [
    Key {
        names: &["aws:username", "AWS:UserName", "aws:userName"],
        operators: STRINGS,
        policy: &[
            "alice", "Alice", "ALICE", "bob", "al*", "?lice", "*", "a${*}", "a*c?", "x",
        ],
        request: &["alice", "bob", "Alice"],
        many: false,
    },
    Key {
        names: &["aws:PrincipalTag/team", "aws:principaltag/Team"],
        operators: STRINGS,
        policy: &[
            "red",
            "blue",
            "RED",
            "r*",
            "${aws:username, 'red'}",
            "*e*",
            "re?",
            "?",
        ],
        request: &["red", "blue", "a*"],
        many: false,
    },
    Key {
        names: &["aws:TagKeys", "aws:tagkeys"],
        operators: STRINGS,
        policy: &[
            "a",
            "b",
            "c",
            "A",
            "a*",
            "*",
            "?b",
            "ab",
            "${aws:PrincipalTag/team, 'a'}",
        ],
        request: &["a", "b", "c", "ab", "A"],
        many: true,
    },
    Key {
        names: &["aws:MultiFactorAuthAge"],
        operators: NUMBERS,
        policy: &["0", "10", "10.0", "-1", "3600", "9.5", "100"],
        request: &["0", "10", "9.5", "3599", "3600", "101"],
        many: false,
    },
    Key {
        names: &["aws:CurrentTime", "aws:currenttime"],
        operators: DATES,
        policy: &[
            "2026-01-01T00:00:00Z",
            "2026-06-01T12:00:00Z",
            "2026-06-01T14:00:00+02:00",
            "2026-06-01",
            "2026-06",
            "2026-06-01T12:00Z",
            "2026-06-01T12:00:00.5Z",
        ],
        request: &[
            "2026-06-01T12:00:00Z",
            "2026-06-01T00:00:00Z",
            "2025-12-31T23:59:59Z",
        ],
        many: false,
    },
    Key {
        names: &["aws:TokenIssueTime"],
        operators: DATES,
        policy: &["2026-01-01T00:00:00Z", "2026-06-01T12:00:00Z"],
        request: &["2026-06-01T12:00:00Z", "2026-05-01T12:00:00Z"],
        many: false,
    },
    Key {
        names: &["aws:SecureTransport", "aws:securetransport"],
        operators: &["Bool"],
        policy: &["true", "false", "True", "FALSE"],
        request: &["true", "false"],
        many: false,
    },
    Key {
        names: &["aws:SourceIp", "AWS:SOURCEIP"],
        operators: ADDRESSES,
        policy: &[
            "10.0.0.0/8",
            "10.1.2.3/32",
            "10.1.2.0/24",
            "10.1.2.128/25",
            "0.0.0.0/1",
            "192.0.2.7/32",
            "2001:db8::/32",
            "2001:db8:0:1::/64",
            "::/0",
        ],
        request: &[
            "10.1.2.3",
            "10.1.2.200",
            "192.0.2.7",
            "172.16.0.1",
            "2001:db8:0:1::5",
            "2001:db9::1",
        ],
        many: false,
    },
    Key {
        names: &["aws:PrincipalArn"],
        operators: ARNS,
        policy: &[
            "arn:aws:iam::123456789012:user/alice",
            "arn:aws:iam::123456789012:user/*",
            "arn:aws:iam::*:user/${aws:username, 'alice'}",
            "arn:aws:iam::*:*",
            "arn:*:iam::1234567890??:user/?lice",
            "arn:aws:iam::999999999999:user/alice",
            "arn:aws:sts::*:assumed-role/*",
        ],
        request: &[
            "arn:aws:iam::123456789012:user/alice",
            "arn:aws:iam::123456789012:user/dev/bob",
            "arn:aws:sts::123456789012:assumed-role/r/s:1",
        ],
        many: false,
    },
];

/// Keys that a request has only when it lists a bucket.
const KEYS_OF_LIST: [Key; 2] = [
    Key {
        names: &["s3:prefix"],
        operators: STRINGS,
        policy: &[
            "",
            "home/",
            "home/*",
            "home/${aws:username, 'bob'}/*",
            "*",
            "team/?*",
        ],
        request: &["", "home/", "home/alice/", "home/bob/x", "team/red"],
        many: false,
    },
    Key {
        names: &["s3:max-keys"],
        operators: NUMBERS,
        policy: &["10", "1000", "1"],
        request: &["1", "10", "999", "1000"],
        many: false,
    },
];

/// One case as a line of JSON.
pub(crate) fn case(id: u64, seed: u64) -> Value {
    let mut dice = Dice(seed.wrapping_mul(0x1000_0000_01B3) ^ id.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let (action, resource) = request(&mut dice);
    let listing = action == "s3:ListBucket";
    let mut context = Map::new();
    for key in keys(listing) {
        if dice.chance(65) {
            let name = dice.pick(key.names);
            context.insert(name.into(), request_value(&mut dice, key));
        }
    }
    let count = 1 + dice.below(3);
    let policies: Vec<Value> = (0..count)
        .map(|n| json!({"name": format!("p{n}"), "document": policy(&mut dice, &action)}))
        .collect();
    let mut case =
        json!({"id": id, "policies": policies, "action": action, "resource": resource, "context": context});
    if dice.chance(15) {
        case["boundary"] = json!({"name": "b", "document": policy(&mut dice, &action)});
    }
    let is_role = dice.chance(40);
    case["principal"] = if is_role { SESSION } else { USER }.into();
    // Only a role's session has a policy for the oracle.
    let in_session = is_role && dice.chance(40);
    if in_session {
        case["session"] = json!({"name": "s", "document": policy(&mut dice, &action)});
    }
    if dice.chance(40) {
        case["guarded"] = resource_policy(&mut dice, &action, in_session);
    }
    case
}

const USER: &str = "arn:aws:iam::123456789012:user/alice";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/reader/work";

/// Whom statements of a resource's policy are about.
const PRINCIPALS: [&str; 8] = [
    "*",
    USER,
    "arn:aws:iam::123456789012:user/bob",
    "arn:aws:iam::123456789012:role/reader",
    "arn:aws:iam::123456789012:root",
    "123456789012",
    "arn:aws:iam::123456789012:role/other",
    SESSION,
];

/// The policy of what is asked about.
fn resource_policy(dice: &mut Dice, action: &str, in_session: bool) -> Value {
    let count = 1 + dice.below(3);
    let statements: Vec<Value> = (0..count)
        .map(|_| {
            let mut out = statement(dice, action);
            // The oracle lets a session's policy limit what names the very session: a known difference.
            let known = PRINCIPALS.len() - usize::from(in_session);
            let names = list(dice, &PRINCIPALS[..known], 2);
            let except = out["Effect"] == "Deny" && dice.chance(15) && !names.iter().any(|n| n == "*");
            let key = if except { "NotPrincipal" } else { "Principal" };
            out[key] = json!({ "AWS": one_or_many(dice, names) });
            out
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn keys(listing: bool) -> impl Iterator<Item = &'static Key> {
    let of_list: &'static [Key] = if listing { &KEYS_OF_LIST } else { &[] };
    KEYS_OF_ALL.iter().chain(of_list)
}

fn request(dice: &mut Dice) -> (String, String) {
    let bucket = dice.pick(&BUCKETS);
    match dice.below(20) {
        0 => ("s3:ListAllMyBuckets".into(), "*".into()),
        1..=5 => (
            dice.pick(&BUCKET_ACTIONS).into(),
            format!("arn:aws:s3:::{bucket}"),
        ),
        _ => {
            let action = dice.pick(&OBJECT_ACTIONS).into();
            (action, format!("arn:aws:s3:::{bucket}/{}", dice.pick(&KEYS)))
        }
    }
}

fn request_value(dice: &mut Dice, key: &Key) -> Value {
    if !key.many {
        return dice.pick(key.request).into();
    }
    let count = 1 + dice.below(3);
    (0..count)
        .map(|_| dice.pick(key.request))
        .collect::<Vec<_>>()
        .into()
}

fn policy(dice: &mut Dice, action: &str) -> Value {
    let count = 1 + dice.below(4);
    let mut statements: Vec<Value> = (0..count).map(|_| statement(dice, action)).collect();
    let statement = if statements.len() == 1 && dice.chance(50) {
        statements.remove(0)
    } else {
        statements.into()
    };
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn statement(dice: &mut Dice, action: &str) -> Value {
    let mut out = Map::new();
    let effect = if dice.chance(70) { "Allow" } else { "Deny" };
    out.insert("Effect".into(), effect.into());
    let not = dice.chance(12);
    let mut actions = list(dice, &ACTION_PATTERNS, 3);
    if dice.chance(35) {
        actions.push(action.into());
    }
    out.insert(
        if not { "NotAction" } else { "Action" }.into(),
        one_or_many(dice, actions),
    );
    if dice.chance(12) {
        // A variable without a value means something else to the oracle here.
        let safe = |p: &String| !p.contains("${aws:username}") && !p.contains("team}") && p != "arn:aws:s3:*";
        let mut resources: Vec<String> = list(dice, &RESOURCE_PATTERNS, 3)
            .into_iter()
            .filter(safe)
            .collect();
        resources.push("arn:aws:s3:::logs/*".into());
        out.insert("NotResource".into(), one_or_many(dice, resources));
    } else {
        let mut resources = list(dice, &RESOURCE_PATTERNS, 4);
        if dice.chance(30) {
            resources.push("*".into());
        }
        out.insert("Resource".into(), one_or_many(dice, resources));
    }
    if dice.chance(60) {
        out.insert("Condition".into(), conditions(dice, action == "s3:ListBucket"));
    }
    out.into()
}

fn conditions(dice: &mut Dice, listing: bool) -> Value {
    let mut out = Map::new();
    for _ in 0..=dice.below(2) {
        let pool: Vec<&Key> = keys(listing).collect();
        let key = dice.pick(&pool);
        let name = dice.pick(key.names);
        let (operator, values) = if dice.chance(12) {
            ("Null".to_owned(), vec![dice.pick(&["true", "false"]).to_owned()])
        } else {
            let base = dice.pick(key.operators);
            let set = match dice.below(if key.many { 4 } else { 12 }) {
                0 => "ForAllValues:",
                1 => "ForAnyValue:",
                _ => "",
            };
            let suffix = if dice.chance(20) { "IfExists" } else { "" };
            (format!("{set}{base}{suffix}"), list(dice, key.policy, 3))
        };
        // An empty request value is a null data set to the set operators, not to the oracle.
        if operator.starts_with("For") && name == "s3:prefix" {
            continue;
        }
        let values = one_or_many(dice, values);
        out.entry(operator).or_insert_with(|| json!({}))[name] = values;
    }
    // The same key twice in one operator, in different case, is an error.
    for keys in out.values_mut().filter_map(Value::as_object_mut) {
        let mut seen = Vec::new();
        keys.retain(|name, _| {
            let new = !seen.contains(&name.to_lowercase());
            seen.push(name.to_lowercase());
            new
        });
    }
    out.into()
}

fn list(dice: &mut Dice, pool: &[&str], most: usize) -> Vec<String> {
    let count = 1 + dice.below(most);
    (0..count).map(|_| dice.pick(pool).to_owned()).collect()
}

fn one_or_many(dice: &mut Dice, mut values: Vec<String>) -> Value {
    if values.len() == 1 && dice.chance(60) {
        values.remove(0).into()
    } else {
        values.into()
    }
}
