use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
struct Step {
    principal: usize,
    bucket: usize,
    action: usize,
    allowed: bool,
    write: bool,
    integrate: bool,
    micros: u64,
}

const PRINCIPALS: [&str; 3] = ["alice", "bob", ""];
const BUCKETS: [&str; 2] = ["photos", "logs"];
const ACTIONS: [&str; 3] = [
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject s3:PutObjectTagging",
];

fn step() -> impl Strategy<Value = Step> {
    (
        0..3usize,
        0..2usize,
        0..3usize,
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.1),
        0..5u64,
    )
        .prop_map(
            |(principal, bucket, action, allowed, write, integrate, micros)| Step {
                principal,
                bucket,
                action,
                allowed,
                write,
                integrate,
                micros,
            },
        )
}

fn filter() -> impl Strategy<Value = Filter> {
    let pick =
        |all: &'static [&'static str]| prop::option::of(prop::sample::select(all).prop_map(str::to_owned));
    (
        pick(&["alice", "bob"]),
        pick(&["photos", "logs"]),
        pick(&["/photos/objects/1", "/logs/", "/"]),
        pick(&["s3:GetObject", "s3:PutObjectTagging", "s3:Put*", "s3:*"]),
        prop::option::of(prop::sample::select(&[Verdict::Allow, Verdict::ImplicitDeny][..])),
        prop::option::of(0..400u64),
        prop::option::of(0..400u64),
        1..40usize,
    )
        .prop_map(
            |(principal, bucket, resource_prefix, action, verdict, since, until, limit)| Filter {
                principal,
                bucket,
                resource_prefix,
                action,
                kind: None,
                verdict,
                since: since.map(|d| SimClock::default().now().plus(Duration::from_micros(d))),
                until: until.map(|d| SimClock::default().now().plus(Duration::from_micros(d))),
                limit,
                after: None,
            },
        )
}

fn run(world: &World, ledger: &Ledger, steps: &[Step]) -> Vec<Record> {
    let mut made = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        world.clock.advance(Duration::from_micros(step.micros));
        let mut record = read(
            PRINCIPALS[step.principal],
            &format!("/{}/objects/{n}", BUCKETS[step.bucket]),
        );
        record.action = ACTIONS[step.action].to_owned();
        let verdict = if step.allowed {
            Verdict::Allow
        } else {
            Verdict::ImplicitDeny
        };
        record.verdict = verdict.into();
        if step.write {
            let change = ledger.write_change(&mut record).unwrap();
            world
                .namespace
                .commit(&[Batch {
                    preconditions: vec![],
                    changes: vec![change],
                }])
                .unwrap();
        } else {
            ledger.append_decision(&mut record).unwrap();
        }
        made.push(record);
        if step.integrate {
            ledger.integrate().unwrap();
        }
    }
    ledger.integrate().unwrap();
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The tree holds what was made, once each, by time; pages of a filter are what a plain scan finds.
    #[test]
    fn listings_are_what_was_recorded(steps in vec(step(), 0..600), filters in vec(filter(), 1..6)) {
        let world = World::new();
        let ledger = world.open();
        let start = ledger.reader().get(0).unwrap().record.unwrap();
        let mut made = run(&world, &ledger, &steps);
        made.insert(0, start);
        let found: Vec<Record> = all(ledger.reader()).into_iter().map(|e| e.record.unwrap()).collect();
        // Made in the order of ids; times only grow, and where they are equal the ids decide.
        prop_assert_eq!(&found, &made);
        for filter in filters {
            let wanted: Vec<&Record> = made.iter().rev().filter(|record| filter.takes(record)).collect();
            let mut got = Vec::new();
            let mut page = Filter { after: None, ..filter.clone() };
            loop {
                let listing = ledger.reader().list(&page).unwrap();
                prop_assert!(listing.entries.len() <= filter.limit);
                got.extend(listing.entries.into_iter().map(|e| e.record.unwrap()));
                page.after = listing.next;
                if page.after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(got.iter().collect::<Vec<_>>(), wanted);
        }
    }
}

#[test]
fn a_round_orders_by_time_whatever_way_records_came() {
    let world = World::new();
    let ledger = world.open();
    let mut late = read("writer", "/b/objects/first");
    let change = ledger.write_change(&mut late).unwrap();
    world.clock.advance(Duration::from_micros(5));
    let second = world.decide(&ledger, "alice", "/b/objects/second");
    world
        .namespace
        .commit(&[Batch {
            preconditions: vec![],
            changes: vec![change],
        }])
        .unwrap();
    ledger.integrate().unwrap();
    assert_eq!(ids(ledger.reader())[1..], [late.id(), second]);
}

/// More records than are kept in memory, and more than a round takes.
#[test]
fn what_is_not_kept_in_memory_is_read_from_the_journal() {
    let world = World::new();
    let ledger = world.open();
    let mut made = Vec::new();
    let mut record = read("alice", &"x".repeat(RESOURCE_BYTES_MAX));
    record.chain = vec!["c".repeat(TEXT_BYTES_MAX); 10];
    for n in 0..1800 {
        made.push(ledger.append_decision(&mut record.clone()).unwrap());
        if n == 200 {
            ledger.integrate().unwrap();
        }
    }
    ledger.integrate().unwrap();
    for _ in 0..3 {
        made.push(world.decide(&ledger, "alice", "/b/objects/after"));
        ledger.integrate().unwrap();
    }
    assert_eq!(ids(ledger.reader())[1..], made);
    assert_eq!(
        ledger.reader().verify(VerifyOptions::default()).unwrap().records,
        1804
    );
}
