//! Marks and amendments: what a version may say besides a value, and what may be said of it later.

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Sequence};

use super::{
    super::{Change, Direction, Kind, Namespace, Precondition, Span, State, change, change::Changes},
    Make, attempt, batch, commit, key, names, object, only_if, put, refused, scan, span, value,
};

fn states(namespace: &dyn Namespace) -> Vec<(u64, u64, State)> {
    let versions = namespace.history(&span(Kind::Object), None, 100);
    versions
        .expect("the engine reads")
        .into_iter()
        .map(|version| (version.sequence.0, version.revision.0, version.state))
        .collect()
}

fn mark(name: &str, note: &str) -> Change {
    Change::Mark(object(name), Bytes::copy_from_slice(note.as_bytes()))
}

fn amend(name: &str, version: u64, value: &str) -> Change {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Change::Amend(object(name), Sequence(version), value)
}

/// A marked name does not exist for any read, and its mark is in the history; a span with one is not empty.
pub fn marks_are_deletions_that_tell(make: Make<'_>) {
    let ns = make();
    let all = span(Kind::Object);
    commit(&*ns, [mark("a", "first")]);
    assert_eq!(value(&*ns, &object("a"), Sequence::MAX), None);
    for direction in [Direction::Forward, Direction::Backward] {
        let page = scan(&*ns, &all, Sequence::MAX, direction, 9);
        assert_eq!(names(&page).len(), 0);
        assert!(!page.more, "a mark is nothing more to be found");
    }
    let holds = |precondition| attempt(&*ns, only_if(precondition, [])).is_ok();
    assert!(holds(Precondition::Absent(object("a"))));
    assert!(!holds(Precondition::Present(object("a"))));
    assert!(!holds(Precondition::At(object("a"), Sequence(1))));
    assert!(!holds(Precondition::Empty(all.clone())), "a mark is something");
    let before = ns.latest().0;
    commit(&*ns, [put(&object("a"), "second")]);
    commit(&*ns, [mark("a", "third")]);
    let told = |text: &'static str| Bytes::from_static(text.as_bytes());
    let expected = [
        (before + 2, before + 2, State::Marked(told("third"))),
        (before + 1, before + 1, State::Value(told("second"))),
        (1, 1, State::Marked(told("first"))),
    ];
    assert_eq!(states(&*ns), expected);
    assert_eq!(
        value(&*ns, &object("a"), Sequence(before + 1)),
        Some((before + 1, "second".to_owned()))
    );
    commit(&*ns, [Change::Erase(object("a"), Sequence(before + 2))]);
    assert_eq!(
        value(&*ns, &object("a"), Sequence::MAX),
        Some((before + 1, "second".to_owned())),
        "what was marked as deleted exists again"
    );
    commit(&*ns, [Change::Delete(object("a"))]);
    assert!(holds(Precondition::Empty(all)), "a plain deletion is nothing");
    let part = Change::Mark(key(Kind::Part, b"p"), Bytes::new());
    assert_eq!(refused(&*ns, batch([part])), ErrorKind::Invalid);
    assert_eq!(
        refused(&*ns, batch([mark("b", ""), put(&object("b"), "")])),
        ErrorKind::Invalid,
        "a name is changed once in a batch"
    );
}

/// An amendment changes what one version says and nothing else, once and only if it is there.
pub fn amendments_stay_in_their_version(make: Make<'_>) {
    let ns = make();
    commit(&*ns, [put(&object("a"), "1")]);
    commit(&*ns, [put(&object("a"), "2"), mark("m", "marked")]);
    let third = commit(&*ns, [amend("a", 1, "one"), amend("m", 2, "told")]);
    assert_eq!(
        value(&*ns, &object("a"), Sequence(1)),
        Some((1, "one".to_owned()))
    );
    assert_eq!(
        value(&*ns, &object("a"), Sequence::MAX),
        Some((2, "2".to_owned()))
    );
    let told = |text: &'static str| Bytes::from_static(text.as_bytes());
    let expected = [
        (2, 2, State::Value(told("2"))),
        (1, 3, State::Value(told("one"))),
        (2, 3, State::Marked(told("told"))),
    ];
    assert_eq!(states(&*ns), expected);
    let entry = ns.get(&object("a"), Sequence(1)).expect("the engine reads");
    assert_eq!(
        entry.map(|e| (e.sequence, e.revision)),
        Some((Sequence(1), third))
    );
    let only_as = |revision, text| {
        let unamended = Precondition::Revision(object("a"), Sequence(1), Sequence(revision));
        attempt(&*ns, only_if(unamended, [amend("a", 1, text)]))
    };
    only_as(3, "ONE").expect("it has this revision");
    let lost = only_as(3, "lost").expect_err("it has another revision by now");
    assert_eq!(lost.kind(), ErrorKind::Precondition);
    commit(&*ns, [Change::Delete(object("a"))]);
    let deleted = ns.latest().0;
    let gone = |change: Change| attempt(&*ns, batch([change])).map_err(|e: Error| e.kind());
    for version in [7, 3, deleted] {
        assert_eq!(gone(amend("a", version, "x")), Err(ErrorKind::Precondition));
    }
    assert_eq!(gone(amend("never", 1, "x")), Err(ErrorKind::Precondition));
    let twice = [amend("a", 1, "x"), amend("a", 1, "y")];
    assert_eq!(refused(&*ns, batch(twice)), ErrorKind::Invalid);
    let part = Change::Amend(key(Kind::Part, b"p"), Sequence(1), Bytes::new());
    assert_eq!(refused(&*ns, batch([part])), ErrorKind::Invalid);
    not_in_the_feed(&*ns, third);
}

/// Amendments change no key's versions, so the feed does not tell them.
fn not_in_the_feed(namespace: &dyn Namespace, amended: Sequence) {
    let feed = Span {
        bucket: craton_base::BucketId::SYSTEM,
        ..span(Kind::Change)
    };
    let page = scan(namespace, &feed, Sequence::MAX, Direction::Forward, 100);
    for (key, entry) in &page.entries {
        let changes = Changes::parse(&entry.value).expect("the feed's entry is well formed");
        assert!(!changes.keys.is_empty());
        assert_ne!(change::sequence_of(key).expect("its name is a sequence"), amended);
    }
}
