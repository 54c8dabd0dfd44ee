//! What a decision costs, on either plane, with few and with many policies that can not match.
//!
//! `cargo run --release -p craton-gate --example decide_speed`, or `cargo xtask bench gate`; with `--smoke` it is small, and
//! only shows that it runs.
//!
//! A million prefixes are shared out among 10, 1,000 and 100,000 policies, and a user asks for objects anywhere under
//! them. Three rows are a user's and a bucket's policy together as in `cargo xtask bench gate`, asked by a user and by a role, and
//! conditions with as many values as there may be. On the guard plane there are as many policies, each about one prefix; some of what is asked for is under one of
//! them, and each policy looks at the time and the address.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark: it measures time, prints, and may fail"
)]

use std::{fmt::Write as _, hint::black_box, net::IpAddr, sync::Arc, time::Instant};

use craton_base::{BucketName, ObjectKey, ResourcePath, Timestamp};
use craton_gate::policy::{Caller, Context, Guarded, Limits, Policy, PolicySet, Request, ResourcePolicy};
use craton_guard::{Asker, AskerType, BucketFacts, Circumstances, Document, Language, Question, Rules};

/// How much is measured.
struct Sizes {
    prefixes: usize,
    decisions: usize,
    policies: &'static [usize],
}

const WHOLE: Sizes = Sizes {
    prefixes: 1_000_000,
    decisions: 200_000,
    policies: &[10, 1_000, 100_000],
};

const SMOKE: Sizes = Sizes {
    prefixes: 1_000,
    decisions: 1_000,
    policies: &[10, 100],
};

/// Prefixes in one statement.
const LIST: usize = 1000;

fn main() {
    let sizes = if std::env::args().any(|a| a == "--smoke") {
        SMOKE
    } else {
        WHOLE
    };
    println!("| plane | policies | decisions/s | p50 | p99 | p99.9 |\n|---|---|---|---|---|---|");
    for policies in sizes.policies {
        access(&sizes, *policies);
    }
    both(&sizes);
    long_lists(&sizes);
    for policies in sizes.policies {
        guard(&sizes, *policies);
    }
}

/// The place of the `n`th decision among so many, far from the one before.
fn place(n: usize, of: usize) -> usize {
    n.wrapping_mul(7_368_787).wrapping_add(n) % of
}

fn report(plane: &str, policies: usize, mut nanos: Vec<u64>, seconds: f64) {
    nanos.sort_unstable();
    let at = |share: f64| {
        let index = (nanos.len() as f64 * share) as usize;
        nanos[index.min(nanos.len() - 1)] as f64 / 1000.0
    };
    let rate = nanos.len() as f64 / seconds;
    println!(
        "| {plane} | {policies} | {rate:.0} | {:.1} µs | {:.1} µs | {:.1} µs |",
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

fn measure(plane: &str, (policies, decisions): (usize, usize), decide: impl Fn(usize) -> bool) {
    let yes = (0..decisions / 10).filter(|n| black_box(decide(*n))).count();
    assert!(yes > 0, "nothing is allowed");
    let mut nanos = Vec::with_capacity(decisions);
    let all = Instant::now();
    for n in 0..decisions {
        let start = Instant::now();
        black_box(decide(n));
        nanos.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    report(plane, policies, nanos, all.elapsed().as_secs_f64());
}

fn access(sizes: &Sizes, policies: usize) {
    let limits = Limits {
        document_bytes: usize::MAX,
        statements: usize::MAX,
        values: usize::MAX,
        ..Limits::default()
    };
    let each = sizes.prefixes / policies;
    let parsed = (0..policies).map(|p| {
        let statements: Vec<String> = (0..each)
            .step_by(LIST)
            .map(|first| {
                let resources: Vec<String> = (first..(first + LIST).min(each))
                    .map(|i| format!("\"arn:aws:s3:::bench/p{}/*\"", p * each + i))
                    .collect();
                format!(
                    r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":[{}]}}"#,
                    resources.join(",")
                )
            })
            .collect();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        Arc::new(
            Policy::parse(text.as_bytes(), &limits)
                .unwrap()
                .named(&format!("p{p}")),
        )
    });
    let set = PolicySet::new(parsed.collect());
    let mut context = Context::new();
    context.set_username("ana").unwrap();
    context.set_source_ip(IpAddr::from([127, 0, 0, 1])).unwrap();
    let names: Vec<String> = (0..sizes.decisions)
        .map(|n| format!("arn:aws:s3:::bench/p{}/object-{n}", place(n, sizes.prefixes)))
        .collect();
    measure("access", (policies, sizes.decisions), |n| {
        let request = Request {
            action: "s3:GetObject",
            resource: &names[n],
            context: &context,
        };
        set.decide(&request).allowed
    });
}

const ACCOUNT: &str = "000000000000";
const USER: &str = "arn:aws:iam::000000000000:user/bench";
const ROLE: &str = "arn:aws:iam::000000000000:role/bench";
const SESSION: &str = "arn:aws:sts::000000000000:assumed-role/bench/work";

/// As the benchmark of the whole gate has them.
const OWN: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion","s3:ListBucket"],
 "Resource":["arn:aws:s3:::bench-rights","arn:aws:s3:::bench-rights/get-*"],
 "Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"},
{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2099-01-01T00:00:00Z"}}},
{"Effect":"Deny","Action":["s3:Delete*","s3:PutBucket*"],"Resource":"*"}]}"#;
const OF_BUCKET: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::000000000000:user/bench","arn:aws:iam::000000000000:role/bench"]},
 "Action":"s3:GetObject","Resource":"arn:aws:s3:::bench-rights/get-*"},
{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bench-rights/*",
 "Condition":{"StringEquals":{"aws:PrincipalTag/state":"left"}}}]}"#;

/// What is known of a request of the user, a little more than its policies look at.
fn known() -> Context {
    let mut context = Context::new();
    context.set_username("bench").unwrap();
    context.set_principal_arn(USER).unwrap();
    context.set_source_ip(IpAddr::from([127, 0, 0, 1])).unwrap();
    context.set_secure_transport(false).unwrap();
    context.set_time(Timestamp(1_700_000_000_000_000)).unwrap();
    context
}

fn names(decisions: usize) -> Vec<String> {
    (0..decisions)
        .map(|n| format!("arn:aws:s3:::bench-rights/get-4096-{n:05}"))
        .collect()
}

fn own(text: &str) -> PolicySet {
    PolicySet::new(vec![Arc::new(
        Policy::parse(text.as_bytes(), &Limits::default())
            .unwrap()
            .named("bench"),
    )])
}

/// A principal's policies and the bucket's.
fn both(sizes: &Sizes) {
    let (set, context, names) = (own(OWN), known(), names(sizes.decisions));
    let policy = ResourcePolicy::parse(OF_BUCKET.as_bytes(), &Limits::default()).unwrap();
    let account = ACCOUNT;
    let user = Caller::User {
        account,
        arn: USER,
        id: "bench",
    };
    let role = Caller::Role {
        account,
        role: ROLE,
        session: SESSION,
        id: "role/bench",
    };
    for (row, caller) in [
        ("own and bucket's, a user", user),
        ("own and bucket's, a role", role),
    ] {
        measure(row, (2, sizes.decisions), |n| {
            let request = Request {
                action: "s3:GetObject",
                resource: &names[n],
                context: &context,
            };
            let guarded = Guarded {
                policy: &policy,
                caller,
                shut_public: false,
                shut_anonymous: false,
            };
            set.decide_about(&request, Some(guarded)).allowed
        });
    }
}

/// Conditions on addresses, names and tags, each with a thousand values.
fn long_lists(sizes: &Sizes) {
    let list = |value: &dyn Fn(usize) -> String| {
        let values: Vec<String> = (0..LIST).map(|n| format!("\"{}\"", value(n))).collect();
        values.join(",")
    };
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{{
            "IpAddress":{{"aws:SourceIp":[{}]}},
            "ArnLike":{{"aws:PrincipalArn":[{}]}},
            "StringLike":{{"aws:username":[{}]}}}}}}}}"#,
        list(&|n| format!("{}.0.0.0/16", 127 + n % 100).replace(".0.0.0", &format!(".{}.0.0", n / 100))),
        list(&|n| format!(
            "arn:aws:iam::000000000000:user/{}*",
            if n == 0 { "bench".into() } else { n.to_string() }
        )),
        list(&|n| if n == 0 {
            "ben?h".to_owned()
        } else {
            format!("user-{n}-*")
        }),
    );
    let limits = Limits {
        document_bytes: usize::MAX,
        ..Limits::default()
    };
    let policy = Policy::parse(text.as_bytes(), &limits).unwrap().named("lists");
    let (set, context, names) = (
        PolicySet::new(vec![Arc::new(policy)]),
        known(),
        names(sizes.decisions),
    );
    measure("conditions of 1,000 values", (1, sizes.decisions), |n| {
        let request = Request {
            action: "s3:GetObject",
            resource: &names[n],
            context: &context,
        };
        set.decide(&request).allowed
    });
}

fn guard(sizes: &Sizes, policies: usize) {
    let language = Language::new().unwrap();
    let documents = (0..policies).step_by(LIST).map(|first| {
        let mut text = String::new();
        for p in first..(first + LIST).min(policies) {
            writeln!(
                text,
                "forbid(principal, action in Action::\"read\", resource in Prefix::\"bench/p{p}/\") \
                 unless {{ context.source.isInRange(ip(\"127.0.0.0/8\")) && context.time > datetime(\"2020-01-01\") }};"
            )
            .unwrap();
        }
        Arc::new(Document::load(&format!("d{first}"), &text).expect("the policies are well-formed"))
    });
    let rules = Rules::new(&language, documents.collect());
    let bucket = BucketName::new("bench").unwrap();
    let paths: Vec<ResourcePath> = (0..sizes.decisions)
        .map(|n| {
            // Half under a policy's prefix, half under none.
            let key = format!("p{}/object-{n}", place(n, policies * 2));
            ResourcePath::Object(bucket.clone(), ObjectKey::new(&key).unwrap())
        })
        .collect();
    let asker = Asker {
        asker_type: AskerType::User,
        name: "ana",
        kind: "user",
        groups: &[],
        tags: &[],
    };
    let circumstances = Circumstances {
        door: "s3",
        secure: true,
        source: IpAddr::from([127, 0, 0, 1]),
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
    };
    measure("guard", (policies, sizes.decisions), |n| {
        let question = Question {
            askers: &[asker],
            action: "s3:GetObject",
            resource: &paths[n],
            bucket: BucketFacts::default(),
            circumstances: &circumstances,
            session: None,
            table: None,
            labels: &[],
            tags: &Vec::new,
        };
        rules.judge(&language, &question).passes()
    });
}
