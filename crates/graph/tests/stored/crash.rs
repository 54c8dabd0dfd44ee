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
