//! Random programs on a stored graph leave what they leave in memory, matched one by one or run as joins.

use std::collections::BTreeSet;

use craton_base::clock::SystemClock;
use craton_graph::{Control, Limits, exec, load::Mode, memory::MemorySpace, print};
use craton_sim::random::SplitMix;

use super::{new_server, server::path};

fn one(random: &mut SplitMix, of: &[&str]) -> String {
    of[usize::try_from(random.below(of.len() as u64)).expect("small")].to_owned()
}

fn atom(random: &mut SplitMix) -> String {
    one(
        random,
        &["a", "b", "c", "1", "2", "(n a)", "(n b)", "(n (n a))", "()"],
    )
}

fn fact(random: &mut SplitMix, open: bool) -> String {
    let item = |random: &mut SplitMix| match open && random.below(5) == 0 {
        true => one(random, &["$u", "$v", "(n $u)"]),
        false => atom(random),
    };
    match random.below(4) {
        0 => format!("(p {})", item(random)),
        1 => atom(random),
        _ => format!(
            "({} {} {})",
            one(random, &["e", "e", "f"]),
            item(random),
            item(random)
        ),
    }
}

fn pattern(random: &mut SplitMix) -> String {
    let item = |random: &mut SplitMix| match random.below(4) {
        0 => atom(random),
        1 => one(random, &["(n $x)", "(n $y)", "(n (n $z))"]),
        _ => one(random, &["$x", "$y", "$z"]),
    };
    match random.below(8) {
        0 => format!("(p {})", item(random)),
        1 => format!("(r {} {})", item(random), item(random)),
        2 if random.below(4) == 0 => one(random, &["a", "$x", "($x a $y)", "(p (n a))"]),
        _ => format!("({} {} {})", one(random, &["e", "f"]), item(random), item(random)),
    }
}

fn template(random: &mut SplitMix) -> String {
    let item = |random: &mut SplitMix| match random.below(5) {
        0 => atom(random),
        1 if random.below(3) == 0 => one(random, &["(n $x)", "$new"]),
        _ => one(random, &["$x", "$y", "$z"]),
    };
    match random.below(4) {
        0 => format!("(p {})", item(random)),
        1 => format!("(e {} {})", item(random), item(random)),
        _ => format!("(r {} {})", item(random), item(random)),
    }
}

fn body(random: &mut SplitMix) -> (String, String) {
    let patterns: Vec<String> = (0..=random.below(3)).map(|_| pattern(random)).collect();
    let templates: Vec<String> = (0..=random.below(2)).map(|_| template(random)).collect();
    (patterns.join(" "), templates.join(" "))
}

/// A sink that makes one value of many instances. What is summed is a number: atoms of one digit are too few to
/// reduce, so the sinks that read numbers are given them by `(w atom number)` facts, of which the pattern is added.
fn reducing(random: &mut SplitMix) -> String {
    let template = match random.below(4) {
        0 => format!("(c {} $k)", atom(random)),
        1 => "(c $x $k)".to_owned(),
        2 => "(c $k $y $x)".to_owned(),
        _ => "(c $x $y)".to_owned(),
    };
    let value = match random.below(5) {
        0 => "2",
        _ => "$k",
    };
    let over = one(random, &["($x $y)", "$x", "$y", "(n $z)", "a", "($x $x)"]);
    format!("(count {template} {value} {over})")
}

fn rule(random: &mut SplitMix, number: usize) -> String {
    let (patterns, templates) = body(random);
    match random.below(4) {
        0 => {
            let sinks: Vec<String> = (0..=random.below(2))
                .map(|_| format!("({} {})", one(random, &["+", "-"]), template(random)))
                .collect();
            format!("(exec {number} (, {patterns}) (O {}))", sinks.join(" "))
        }
        1 => format!("(exec {number} (, {patterns}) (O {}))", reducing(random)),
        // Writes itself again, three times at most.
        2 => format!(
            "(exec ({number} (S (S Z))) (, (exec ({number} (S $l)) $ps $ts) {patterns}) (, {templates} (exec ({number} $l) $ps $ts)))"
        ),
        _ => format!("(exec {number} (, {patterns}) (, {templates}))"),
    }
}

fn check(seed: u64, joins_from: u64) {
    let mut random = SplitMix::new(seed);
    let open = random.below(3) == 0;
    let facts: Vec<String> = (0..random.below(40)).map(|_| fact(&mut random, open)).collect();
    let own: Vec<String> = (0..random.below(4)).map(|_| fact(&mut random, open)).collect();
    let rules: Vec<String> = (0..=random.below(3))
        .map(|n| rule(&mut random, usize::try_from(n).expect("small")))
        .collect();
    // Some of the rules are in the graph already.
    let (stored, sent) = rules.split_at(usize::try_from(random.below(2)).expect("small"));
    let before = format!("{}\n{}", facts.join("\n"), stored.join("\n"));
    let program = format!("{}\n{}", own.join("\n"), sent.join("\n"));

    let control = Control::new(Limits::default(), std::sync::Arc::new(SystemClock::new()));
    let mut space = MemorySpace::read(format!("{before}\n{program}").as_bytes()).expect("reads");
    exec::run(&mut space, exec::Options::default(), &control).expect("runs");
    let expected: BTreeSet<String> = space.facts().map(print::term).collect();

    let (_disk, server) = new_server();
    server.load(path("g", ""), &before, Mode::Add).expect("loads");
    server
        .run_with("g", &program, 8 << 20, Some(joins_from))
        .expect("runs");
    let found: BTreeSet<String> = server.text(path("g", "")).lines().map(str::to_owned).collect();
    assert_eq!(
        found, expected,
        "seed {seed}, joins from {joins_from} rows:\n{before}\n--\n{program}"
    );
}

/// Sums, bits, least and greatest over groups.
fn check_numbers(seed: u64, joins_from: u64) {
    let mut random = SplitMix::new(seed);
    let mut before = String::new();
    for _ in 0..random.below(30) {
        let number = one(
            &mut random,
            &[
                "1",
                "2",
                "-7",
                "12",
                "007",
                "340282366920938463463374607431768211",
                "0.5",
                "1e3",
            ],
        );
        let number = if random.below(40) == 0 {
            "none".to_owned()
        } else {
            number
        };
        before.push_str(&format!(
            "(w {} {} {number})\n",
            atom(&mut random),
            atom(&mut random)
        ));
    }
    let sink = one(&mut random, &["sum", "fmin", "fmax", "and", "count", "fsum"]);
    let template = one(
        &mut random,
        &[
            "(s $a $k)",
            "(s $k)",
            "(s $b $a $k)",
            "(s $a)",
            "(s $a $n $k)",
            "(s $k $a $k)",
        ],
    );
    let value = one(&mut random, &["$k", "$k", "$k", "12", "0.5"]);
    let program = format!("(exec 0 (, (w $a $b $n)) (O ({sink} {template} {value} $n)))");
    let control = Control::new(Limits::default(), std::sync::Arc::new(SystemClock::new()));
    let mut space = MemorySpace::read(format!("{before}\n{program}").as_bytes()).expect("reads");
    let in_memory = exec::run(&mut space, exec::Options::default(), &control);
    let (_disk, server) = new_server();
    server.load(path("g", ""), &before, Mode::Add).expect("loads");
    let stored = server.run_with("g", &program, 8 << 20, Some(joins_from));
    match (in_memory, stored) {
        (Ok(_), Ok(_)) => {
            let expected: BTreeSet<String> = space.facts().map(print::term).collect();
            let found: BTreeSet<String> = server.text(path("g", "")).lines().map(str::to_owned).collect();
            assert_eq!(
                found, expected,
                "seed {seed}, joins from {joins_from} rows:\n{before}\n--\n{program}"
            );
        }
        (Err(one), Err(other)) => assert_eq!(one.reason(), other.reason()),
        (one, other) => panic!(
            "seed {seed}: {one:?} {:?}\n{before}\n--\n{program}",
            other.map(|_| ())
        ),
    }
}

#[test]
fn random_reductions_on_a_stored_graph() {
    for seed in 0..300 {
        check_numbers(seed, u64::MAX);
        check_numbers(seed, 0);
    }
}

#[test]
fn random_programs_on_a_stored_graph() {
    for seed in 0..400 {
        check(seed, u64::MAX);
        check(seed, 0);
    }
}
