//! Leases refuse each other exactly where their paths overlap: random sets against a list of those that are held.

use craton_base::{BucketName, FactPath, GraphName, ObjectKey};
use proptest::{collection::vec, prelude::*};

use super::*;

const MOST: usize = 100;

fn paths() -> impl Strategy<Value = ResourcePath> {
    let bucket = prop::sample::select(vec!["abc", "abd"]).prop_map(|name| BucketName::new(name).unwrap());
    let text = || prop::sample::select(vec!["a", "a/", "a/x", "a/x/", "ab", "b", "b/"]);
    let facts = prop::sample::select(vec!["", "(edge ", "(edge chr1 ", "(edge chr10 "]);
    (bucket, 0..4, text(), facts).prop_map(|(bucket, kind, text, facts)| match kind {
        0 => ResourcePath::Objects(bucket, text.to_owned()),
        1 => ResourcePath::Object(bucket, ObjectKey::new(text).unwrap()),
        2 => ResourcePath::Facts(
            bucket,
            FactPath::new(GraphName::new("g").unwrap(), facts).unwrap(),
        ),
        _ => ResourcePath::Bucket(bucket),
    })
}

fn sets() -> impl Strategy<Value = Wanted> {
    vec(
        (paths(), prop::sample::select(vec![Mode::Shared, Mode::Exclusive])),
        1..4,
    )
}

#[derive(Clone, Debug)]
enum Step {
    /// Takes a lease of so many seconds.
    Take(Wanted, u64),
    /// Gives back the nth that was taken.
    Release(prop::sample::Index),
    /// Time passes.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (sets(), 1_u64..20).prop_map(|(set, seconds)| Step::Take(set, seconds)),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
        2 => (1_u64..10).prop_map(Step::Pass),
    ];
    vec(step, 1..40)
}

fn in_the_way(held: &Wanted, wanted: &Wanted) -> bool {
    let pairs = held.iter().flat_map(|a| wanted.iter().map(move |b| (a, b)));
    pairs
        .into_iter()
        .any(|((p, m), (q, n))| p.overlaps(q) && (*m == Mode::Exclusive || *n == Mode::Exclusive))
}

fn leasing(id: &str, now: Timestamp, seconds: u64) -> Leasing {
    Leasing {
        id: id.into(),
        principal: "ana".to_owned(),
        since: now,
        until: now.plus(Duration::from_secs(seconds)),
        token: 0,
    }
}

proptest! {
    #[test]
    fn a_lease_is_refused_exactly_if_one_that_is_held_overlaps_it(steps in steps()) {
        let lending = Arc::new(Lending::default());
        let mut now = Timestamp::from_seconds(1_000);
        let mut held: Vec<(String, Wanted, Timestamp)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            held.retain(|(_, _, until)| now < *until);
            match step {
                Step::Pass(seconds) => now = now.plus(Duration::from_secs(seconds)),
                Step::Release(index) if !held.is_empty() => {
                    let (id, ..) = held.remove(index.index(held.len()));
                    lending.release(&id);
                }
                Step::Release(_) => {}
                Step::Take(wanted, seconds) => {
                    let id = format!("L{n}");
                    let taken = lending.hold(leasing(&id, now, seconds), wanted.clone(), now, MOST);
                    let blocked = held.iter().any(|(_, other, _)| in_the_way(other, &wanted));
                    prop_assert_eq!(taken.is_err(), blocked, "{:?} beside {:?}", wanted, held);
                    if taken.is_ok() {
                        held.push((id, wanted, now.plus(Duration::from_secs(seconds))));
                    }
                }
            }
        }
    }
}
