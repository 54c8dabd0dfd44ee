//! Random histories against a model of a dozen lines: a list of requests in the order of their
//! turns; a request holds when no earlier one in the list conflicts with it.

use proptest::{collection::vec, prelude::*};

use super::*;

type Set = Vec<(ResourcePath, Mode)>;

#[derive(Clone, Debug)]
enum Step {
    Acquire(Set, u64),
    Try(Set, u64),
    /// Drops the nth request there is, waiting or holding.
    Leave(prop::sample::Index),
}

struct Claim {
    set: Set,
    owner: Owner,
    waiting: Option<Acquire>,
    guard: Option<Guard>,
    bell: Arc<Bell>,
}

fn conflict(a: &Set, b: &Set) -> bool {
    a.iter().any(|(p, m)| {
        b.iter()
            .any(|(q, n)| p.overlaps(q) && (*m == Mode::Exclusive || *n == Mode::Exclusive || m != n))
    })
}

fn blocked(earlier: &[Claim], set: &Set, owner: Owner) -> bool {
    earlier.iter().any(|c| c.owner != owner && conflict(&c.set, set))
}

fn paths() -> impl Strategy<Value = ResourcePath> {
    let name = || prop::sample::select(vec!["abc", "abd"]);
    let key = || prop::sample::select(vec!["a", "ab", "abc", "abd", "b", "é", "éa", "ë"]);
    let part = prop::sample::select(vec!["x", "x/y", "x/z", "xy", "ledger"]);
    prop_oneof![
        1 => Just(ResourcePath::Root),
        3 => name().prop_map(bucket),
        10 => (name(), key()).prop_map(|(b, k)| object(b, k)),
        6 => (name(), prop::sample::select(vec!["", "a", "ab", "é", "b"])).prop_map(|(b, p)| objects(b, p)),
        3 => part.prop_map(system),
    ]
}

fn sets() -> impl Strategy<Value = Set> {
    let mode = prop::sample::select(vec![Mode::Shared, Mode::Exclusive, Mode::Write, Mode::Write]);
    vec((paths(), mode), 1..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let owner = 0_u64..6;
    let step = prop_oneof![
        3 => (sets(), owner.clone()).prop_map(|(s, o)| Step::Acquire(s, o)),
        2 => (sets(), owner).prop_map(|(s, o)| Step::Try(s, o)),
        3 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ];
    vec(step, 1..60)
}

fn apply(borrows: &Borrows, claims: &mut Vec<Claim>, step: Step) {
    let claim = |set, owner, waiting, guard| Claim {
        set,
        owner,
        waiting,
        guard,
        bell: Arc::new(Bell::default()),
    };
    match step {
        Step::Acquire(set, owner) => {
            let waiting = borrows.acquire(set.clone(), Owner(owner));
            claims.push(claim(set, Owner(owner), Some(waiting), None));
            let last = claims.last_mut().unwrap();
            last.guard = poll(last.waiting.as_mut().unwrap(), &last.bell);
        }
        Step::Try(set, owner) => {
            let expect = !blocked(claims, &set, Owner(owner));
            let got = borrows.try_acquire(set.clone(), Owner(owner)).ok();
            assert_eq!(got.is_some(), expect, "{set:?} by {owner}");
            if got.is_some() {
                claims.push(claim(set, Owner(owner), None, got));
            }
        }
        Step::Leave(index) if !claims.is_empty() => drop(claims.remove(index.index(claims.len()))),
        Step::Leave(_) => {}
    }
}

/// Every claim holds or waits as the model says, and was woken exactly once when it began to hold.
fn check(claims: &mut [Claim]) {
    for i in 0..claims.len() {
        let (earlier, rest) = claims.split_at_mut(i);
        let claim = &mut rest[0];
        let expect = !blocked(earlier, &claim.set, claim.owner);
        if claim.guard.is_none() {
            assert_eq!(claim.bell.rings(), usize::from(expect), "{:?}", claim.set);
            claim.guard = poll(claim.waiting.as_mut().unwrap(), &claim.bell);
        }
        assert_eq!(
            claim.guard.is_some(),
            expect,
            "{:?} by {}",
            claim.set,
            claim.owner
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn b1_to_b5_the_table_does_what_the_model_does(steps in steps()) {
        let borrows = Borrows::with_shards(2);
        let mut claims = Vec::new();
        for step in steps {
            apply(&borrows, &mut claims, step);
            check(&mut claims);
        }
        claims.clear();
        prop_assert!(borrows.try_acquire(one(&ResourcePath::Root, Mode::Exclusive), Owner(99)).is_ok());
    }
}
