use super::*;

fn written(resource: &str, writes: &[&str]) -> Record {
    Record {
        principal: "ana".to_owned(),
        run: "r".to_owned(),
        bucket: "data".to_owned(),
        resource: resource.to_owned(),
        writes: writes.iter().map(|path| (*path).to_owned()).collect(),
        effect: Effect::Made.into(),
        result: "ok".to_owned(),
        bytes: 7,
        ..Record::of(RecordKind::Write)
    }
}

fn edges(record: &Record) -> Vec<(String, u64, u64)> {
    let found = touched(record, Some(Sequence(5)));
    let edge = |(key, row): (EdgeKey, EdgeRow)| (row.resource, key.version, row.bytes);
    found.into_iter().map(edge).collect()
}

/// A table's first version, and a commit to several tables, were edges to the catalog and to no table.
#[test]
fn a_change_to_a_catalog_is_an_edge_to_each_table() {
    let (one, two) = ("/data/objects/.tables/1/*", "/data/objects/.tables/2/*");
    let record = written("/data/objects/.tables/*", &[one, two]);
    assert_eq!(edges(&record), [(one.to_owned(), 5, 7), (two.to_owned(), 5, 0)]);
    let of_graph = written("/data/graphs/g", &["(edge"]);
    assert_eq!(edges(&of_graph), [("/data/graphs/g".to_owned(), 5, 7)]);
    let of_object = written("/data/objects/a", &[]);
    assert_eq!(edges(&of_object), [("/data/objects/a".to_owned(), 5, 7)]);
}
