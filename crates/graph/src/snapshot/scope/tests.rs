use super::{Scope, successor};
use crate::{Bounds, Names as _, Table, model::Model, sink::FactSink as _};

fn names() -> Model {
    let model = Model::new();
    let mut builder = model.builder();
    builder.open().expect("opens");
    for name in ["edge", "chr1", "chr2"] {
        builder.symbol(name.as_bytes()).expect("a symbol");
    }
    builder.close().expect("closes");
    model
}

#[test]
fn several_prefixes_are_bounds_apart() {
    let model = names();
    let id = |name: &str| model.symbol(name.as_bytes()).expect("reads").expect("is known").0;
    let (edge, chr1, chr2) = (id("edge"), id("chr1"), id("chr2"));
    let scope = Scope::of(
        ["(edge chr2 ", "(edge chr1 ", "(edge chr1 chr2 ", "(unknown "],
        &model,
    )
    .expect("prefixes");
    let table = Table::facts(3);
    let mut expected = vec![vec![edge, chr1], vec![edge, chr2]];
    expected.sort_unstable();
    let narrowed = |bounds: Bounds| {
        scope
            .narrow(table, &bounds)
            .into_iter()
            .map(|b| b.prefix)
            .collect::<Vec<_>>()
    };
    assert_eq!(narrowed(Bounds::all()), expected);
    assert_eq!(narrowed(Bounds::prefix(vec![edge, chr1, 7])), [[edge, chr1, 7]]);
    assert!(narrowed(Bounds::prefix(vec![chr1])).is_empty());
    assert!(scope.narrow(Table::facts(1), &Bounds::all()).is_empty());
    assert!(scope.narrow(Table::atoms(false), &Bounds::all()).is_empty());
    assert!(scope.allows(table, &[edge, chr2, 9]) && !scope.allows(table, &[edge, edge, 9]));
    assert!(!scope.is_whole());
}

#[test]
fn no_prefix_is_nothing_and_the_empty_one_everything() {
    let model = names();
    let nothing = Scope::of([], &model).expect("none");
    assert!(nothing.narrow(Table::facts(3), &Bounds::all()).is_empty());
    let all = Scope::of(["", "(edge "], &model).expect("all");
    assert_eq!(all.narrow(Table::atoms(true), &Bounds::all()), [Bounds::all()]);
    let expressions = Scope::of(["("], &model).expect("all expressions");
    assert_eq!(
        expressions.narrow(Table::facts(3), &Bounds::all()),
        [Bounds::all()]
    );
    assert!(expressions.narrow(Table::atoms(false), &Bounds::all()).is_empty());
}

#[test]
fn the_key_after_a_prefix() {
    assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
    assert_eq!(successor(&[1, u64::MAX]), Some(vec![2]));
    assert_eq!(successor(&[]), None);
}
