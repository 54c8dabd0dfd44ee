//! A load is cut at every operation of the disk that it makes: what is found is the old snapshot or the new one.

use std::collections::BTreeSet;

use craton_graph::load::Mode;
use craton_sim::SimDisk;

use super::server::{Server, path, runtime};

const BEFORE: &str = "(edge a b) (edge b c) (gene x (at 1 2))";
const MORE: &str = "(edge c new) (gene y (at 1 2)) (gene z (at 3 4)) foo";

fn prepared() -> SimDisk {
    let disk = SimDisk::new();
    let server = Server::open(&disk, &runtime(), 1).expect("opens");
    server.make_bucket();
    server.load(path("g", ""), BEFORE, Mode::Add).expect("loads");
    server.drop();
    disk
}

fn found(disk: &SimDisk, seed: u64) -> BTreeSet<String> {
    let server = Server::open(disk, &runtime(), seed).expect("opens");
    let facts = server.facts(path("g", ""));
    // Nothing that is needed is taken for an orphan.
    server.collect();
    assert_eq!(server.facts(path("g", "")), facts);
    server.drop();
    facts
}

fn at_every_point(operation: fn(&Server) -> craton_base::Result<()>) {
    let base = prepared();
    let old = found(&base.after_cut(0), 3);
    let disk = base.after_cut(0);
    let server = Server::open(&disk, &runtime(), 2).expect("opens");
    let first = disk.operations().total;
    operation(&server).expect("a healthy disk");
    let operations = disk.operations().total - first;
    server.drop();
    let new = found(&disk, 3);
    assert_ne!(old, new);
    for point in 1..=operations {
        let disk = base.after_cut(0);
        let server = Server::open(&disk, &runtime(), 2).expect("opens");
        disk.kill_after(point);
        let acknowledged = operation(&server).is_ok();
        for seed in 0..2 {
            let left = found(&disk.after_cut(seed), 3);
            let right = left == new || (left == old && !acknowledged);
            assert!(
                right,
                "power cut at {point} of {operations}, acknowledged {acknowledged}: {left:?}"
            );
        }
        disk.kill_after(0);
        server.drop();
        disk.heal();
        let left = found(&disk, 3);
        assert!(
            left == new || (left == old && !acknowledged),
            "kill at {point}: {left:?}"
        );
    }
}

#[test]
fn a_load_is_there_or_not() {
    at_every_point(|server| server.load(path("g", ""), MORE, Mode::Add).map(drop));
}

#[test]
fn a_removal_is_there_or_not() {
    at_every_point(|server| {
        server
            .load(path("g", ""), "(edge a b) (gene x (at 1 2))", Mode::Remove)
            .map(drop)
    });
}

/// Some commits side by side and after each other: what is found is what the first so many of them leave.
fn is_one_of(states: &[BTreeSet<String>], base: &SimDisk, operation: fn(&Server) -> craton_base::Result<()>) {
    let disk = base.after_cut(0);
    let server = Server::open(&disk, &runtime(), 2).expect("opens");
    let first = disk.operations().total;
    operation(&server).expect("a healthy disk");
    let operations = disk.operations().total - first;
    server.drop();
    assert_eq!(Some(&found(&disk, 3)), states.last());
    let mut seen = BTreeSet::new();
    for point in 1..=operations {
        let disk = base.after_cut(0);
        let server = Server::open(&disk, &runtime(), 2).expect("opens");
        disk.kill_after(point);
        let acknowledged = operation(&server).is_ok();
        let left = found(&disk.after_cut(point), 3);
        let state = states.iter().position(|state| *state == left);
        let state = state.unwrap_or_else(|| panic!("power cut at {point} of {operations}: {left:?}"));
        assert!(!acknowledged || state + 1 == states.len(), "power cut at {point}");
        seen.insert(state);
        disk.kill_after(0);
        server.drop();
    }
    assert!(seen.len() > 1 || states.len() == 1, "the cuts met one state only");
}

fn plus(facts: &BTreeSet<String>, more: &[&str]) -> BTreeSet<String> {
    facts
        .iter()
        .cloned()
        .chain(more.iter().map(|f| (*f).to_owned()))
        .collect()
}

#[test]
fn programs_side_by_side_are_each_there_or_not() {
    let base = prepared();
    let old = found(&base.after_cut(0), 3);
    let second = plus(&old, &["(two x (at 1 2))"]);
    let both = plus(&second, &["(one a b)", "(one b c)"]);
    is_one_of(&[old, second, both], &base, |server| {
        let one = server.begin(
            &path("g", ""),
            "(exec 0 (, (edge $x $y)) (, (one $x $y)))",
            Some(0),
            60,
        )?;
        server.program("g", "(exec 0 (, (gene $x $y)) (, (two $x $y)))", None)?;
        server.commit(one)
    });
}

#[test]
fn merging_is_never_seen() {
    let base = prepared();
    let server = Server::open(&base, &runtime(), 9).expect("opens");
    server.graphs.merge_in_background(true);
    for n in 0..4 {
        let text = format!("(edge a m{n}) (edge b n{n})");
        server.load(path("g", ""), &text, Mode::Add).expect("loads");
        server
            .load(path("g", ""), &format!("(edge b n{n})"), Mode::Remove)
            .expect("removes");
    }
    let all = server.facts(path("g", ""));
    server.drop();
    is_one_of(&[all], &base, |server| {
        while server.merge("g")? {}
        Ok(())
    });
}
