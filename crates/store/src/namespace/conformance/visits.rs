//! Visits, of every namespace: they show what the other reads answer.

use super::*;
use crate::namespace::{Flow, Seen, View};

type Shown = Vec<(Vec<u8>, u64, Vec<u8>)>;

fn visit(ns: &dyn Namespace, span: &Span, view: View<'_>, flow: impl Fn(&Seen<'_>) -> Flow) -> Shown {
    let mut shown = Vec::new();
    ns.visit(span, view, &mut |seen| {
        shown.push((seen.name.to_vec(), seen.sequence.0, seen.says.bytes().to_vec()));
        Ok(flow(&seen))
    })
    .expect("the engine reads");
    shown
}

fn row(name: &str, sequence: u64, bytes: &str) -> (Vec<u8>, u64, Vec<u8>) {
    (name.into(), sequence, bytes.into())
}

/// A visit shows each name's newest version, deletions too, or all versions; it skips and stops where it is told to.
pub fn visits_show_what_reads_answer(make: Make<'_>) {
    let ns = make();
    commit(
        &*ns,
        ["a", "b\0", "b\0c", "d"].map(|name| put(&object(name), "1")),
    );
    for n in 2..=20 {
        commit(&*ns, [put(&object("b\0"), &n.to_string())]);
    }
    let mark = Change::Mark(object("d"), Bytes::from_static(b"why"));
    commit(&*ns, [Change::Delete(object("a")), mark]);
    let all = span(Kind::Object);
    let newest = [
        row("a", 21, ""),
        row("b\0", 20, "20"),
        row("b\0c", 1, "1"),
        row("d", 21, "why"),
    ];
    assert_eq!(visit(&*ns, &all, View::At(Sequence::MAX), |_| Flow::Next), newest);
    let before = [
        row("a", 1, "1"),
        row("b\0", 1, "1"),
        row("b\0c", 1, "1"),
        row("d", 1, "1"),
    ];
    assert_eq!(visit(&*ns, &all, View::At(Sequence(1)), |_| Flow::Next), before);
    assert_eq!(visit(&*ns, &all, View::Versions(None), |_| Flow::Next).len(), 25);
    let after = View::Versions(Some((b"b\0", Sequence(2))));
    let rest = [
        row("b\0", 1, "1"),
        row("b\0c", 1, "1"),
        row("d", 21, "why"),
        row("d", 1, "1"),
    ];
    assert_eq!(visit(&*ns, &all, after, |_| Flow::Next), rest);
    for view in [View::At(Sequence::MAX), View::Versions(None)] {
        let skipped = visit(&*ns, &all, view, |seen| match seen.name {
            b"a" => Flow::Skip(Bytes::from_static(b"b\0b")),
            b"d" => Flow::Stop,
            _ => Flow::Next,
        });
        assert_eq!(
            skipped,
            [row("a", 21, ""), row("b\0c", 1, "1"), row("d", 21, "why")]
        );
    }
    let some = Span {
        start: Bytes::from_static(b"b"),
        end: Some(Bytes::from_static(b"b\0c")),
        ..all
    };
    let shown = visit(&*ns, &some, View::At(Sequence::MAX), |_| Flow::Next);
    assert_eq!(shown, [row("b\0", 20, "20")]);
    let parts = span(Kind::Part);
    commit(&*ns, [put(&key(Kind::Part, b"p"), "1")]);
    commit(&*ns, [put(&key(Kind::Part, b"p"), "2")]);
    let shown = visit(&*ns, &parts, View::At(Sequence::MAX), |_| Flow::Next);
    assert_eq!(shown, [row("p", 23, "2")]);
    assert_eq!(visit(&*ns, &parts, View::At(Sequence(22)), |_| Flow::Next), []);
}
