//! What a graph keeps beside its facts: pinned snapshots, and loads that were interrupted.

use craton_base::Kind;
use craton_graph::{load::Mode, snapshot::Asked};
use craton_sim::SimDisk;

use super::{
    new_server,
    server::{Server, facts_of, path, runtime},
    set,
};

fn pinned(server: &Server, name: &str) -> craton_base::Result<std::collections::BTreeSet<String>> {
    let snapshot = server.snapshot(path("g", ""))?;
    Ok(facts_of(&snapshot.asked(&Asked::Pinned(name.to_owned()))?))
}

fn change_and_collect(server: &Server) {
    for n in 0..6 {
        let text = format!("(edge b {n}) (name of{n} x)");
        server.load(path("g", ""), &text, Mode::Add).expect("loads");
    }
    server
        .load(path("g", ""), "(edge a b)", Mode::Remove)
        .expect("removes");
    server.compact("g").expect("compacts");
    server.collect();
}

#[test]
fn a_pinned_snapshot_stays_whatever_is_merged_and_collected() {
    let (disk, server) = new_server();
    server
        .load(path("g", ""), "(edge a b) (edge b c)", Mode::Add)
        .expect("loads");
    server
        .load(path("g", ""), "(edge c (d e))", Mode::Add)
        .expect("loads");
    let then = set(&["(edge a b)", "(edge b c)", "(edge c (d e))"]);
    let at = server
        .snapshot(path("g", ""))
        .expect("a snapshot")
        .versions()
        .facts;
    server.keep("g", |w| w.pin("first", None)).expect("pins");
    change_and_collect(&server);
    assert_eq!(pinned(&server, "first").expect("is kept"), then);
    let moment = server.snapshot(path("g", "")).expect("a snapshot");
    assert_eq!(
        moment
            .asked(&Asked::Commit(at.expect("a commit")))
            .err()
            .map(|e| e.reason()),
        Some("NoSuchSnapshot"),
        "its commit is not kept, only its facts are"
    );
    // All facts of the graph may go, and the process.
    server.keep("g", |w| w.clear()).expect("clears");
    server.collect();
    server.drop();
    let server = Server::open(&disk.power_cut(3), &runtime(), 2).expect("opens");
    assert!(server.facts(path("g", "")).is_empty());
    assert_eq!(pinned(&server, "first").expect("is kept"), then);
    server.keep("g", |w| w.unpin("first")).expect("unpins");
    server.collect();
    assert_eq!(
        pinned(&server, "first").expect_err("is gone").kind(),
        Kind::NotFound
    );
    let again = server.keep("g", |w| w.unpin("first")).expect_err("is gone");
    assert_eq!(again.reason(), "NoSuchSnapshot");
}

#[test]
fn an_earlier_snapshot_is_pinned_only_while_its_runs_are_there() {
    let (_disk, server) = new_server();
    server.load(path("g", ""), "(n 1)", Mode::Add).expect("loads");
    let first = server
        .snapshot(path("g", ""))
        .expect("a snapshot")
        .versions()
        .facts;
    server.load(path("g", ""), "(n 2)", Mode::Add).expect("loads");
    server.keep("g", move |w| w.pin("one", first)).expect("pins");
    assert_eq!(pinned(&server, "one").expect("is kept"), set(&["(n 1)"]));
    server.keep("g", |w| w.unpin("one")).expect("unpins");
    server.compact("g").expect("compacts");
    let refused = server
        .keep("g", move |w| w.pin("one", first))
        .expect_err("is merged");
    assert_eq!(refused.kind(), Kind::NotFound);
    let refused = server.keep("g", |w| w.pin("7", None)).expect_err("a number");
    assert_eq!(refused.reason(), "InvalidName");
}

/// So many facts that they are several batches of the least memory.
fn many() -> String {
    (0..60_000u32)
        .map(|n| format!("(edge node{} (at place{} {n}))\n", n % 7000, n % 300))
        .collect()
}

#[test]
fn an_interrupted_load_goes_on_where_it_was_and_comes_in_once() {
    let text = many();
    let expected: std::collections::BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let (disk, server) = new_server();
    server
        .load(path("g", ""), "(before 1)", Mode::Add)
        .expect("loads");
    let cut = server.load_resumably(path("g", ""), "big", &text, Some(text.len() / 2));
    assert!(cut.is_err());
    assert_eq!(
        server.facts(path("g", "")),
        set(&["(before 1)"]),
        "nothing is visible"
    );
    let kept = kept_of(&server);
    assert!(kept > 25_000, "{kept}");
    // Other work goes on, and so does merging; then the power fails.
    change_and_collect(&server);
    server.drop();
    let server = Server::open(&disk.power_cut(9), &runtime(), 2).expect("opens");
    assert_eq!(kept_of(&server), kept);
    let cut = server.load_resumably(path("g", ""), "big", &text, Some(text.len() * 4 / 5));
    assert!(cut.is_err());
    assert!(kept_of(&server) > kept);
    let again = server
        .load_resumably(path("g", ""), "big", &text, None)
        .expect("loads");
    assert_eq!(again.facts, 60_000);
    assert!(again.passed > 40_000, "{}", again.passed);
    assert_eq!(again.distinct, 60_000);
    server.collect();
    let mut found = server.facts(path("g", ""));
    found.retain(|fact| fact.contains("node"));
    assert!(found == expected, "{} of {} facts", found.len(), expected.len());
    let manifest = server.snapshot(path("g", "")).expect("a snapshot");
    assert!(manifest.manifest().unfinished.is_empty());
}

fn kept_of(server: &Server) -> u64 {
    let snapshot = server.snapshot(path("g", "")).expect("a snapshot");
    let loads = &snapshot.manifest().unfinished;
    loads.iter().map(|load| load.facts).sum()
}

fn mark_of(server: &Server) -> u64 {
    let snapshot = server.snapshot(path("g", ""));
    let loads = snapshot
        .map(|s| s.manifest().unfinished.clone())
        .unwrap_or_default();
    loads.iter().map(|load| load.mark.bytes).sum()
}

#[test]
fn a_load_that_is_given_up_or_taken_over_does_not_come_in() {
    let text = many();
    let (_disk, server) = new_server();
    let cut = server.load_resumably(path("g", ""), "big", &text, Some(text.len() / 2));
    assert!(cut.is_err());
    let other = server.load_resumably(path("g", "(edge "), "big", &text, None);
    assert_eq!(other.expect_err("of another prefix").reason(), "LoadDiffers");
    server.keep("g", |w| w.drop_load("big")).expect("gives it up");
    server.collect();
    assert!(server.facts(path("g", "")).is_empty());
    let none = server.keep("g", |w| w.drop_load("big")).expect_err("is gone");
    assert_eq!(none.reason(), "NoSuchLoad");
    let whole = server
        .load_resumably(path("g", ""), "big", &text, None)
        .expect("loads");
    assert_eq!((whole.passed, whole.distinct), (0, 60_000));
}

#[test]
fn an_interrupted_load_survives_any_power_cut_during_it() {
    let text = many();
    let expected = 60_000;
    for seed in 0..6 {
        let disk = SimDisk::new();
        let server = Server::open(&disk, &runtime(), 1).expect("opens");
        server.make_bucket();
        let at = text.len() * (seed + 1) / 8;
        assert!(
            server
                .load_resumably(path("g", ""), "big", &text, Some(at))
                .is_err()
        );
        let cut = disk.power_cut(seed as u64);
        server.drop();
        let server = Server::open(&cut, &runtime(), 2).expect("opens");
        // With all of the input again, and with what lies behind the mark.
        let mark = if seed % 2 == 0 { 0 } else { mark_of(&server) };
        let elsewhere = server.load_resumably_from(path("g", ""), "big", &text, mark + 1, None);
        assert_eq!(elsewhere.expect_err("not there").reason(), "LoadMoved");
        let done = server
            .load_resumably_from(path("g", ""), "big", &text, mark, None)
            .expect("loads");
        assert_eq!((done.facts, done.distinct), (expected, expected));
        assert_eq!(server.facts(path("g", "")).len() as u64, expected);
    }
}
