use super::*;

fn source(resource: &str, version: u64) -> ColumnSource {
    ColumnSource {
        resource: resource.to_owned(),
        bucket: "data".to_owned(),
        version,
    }
}

fn derived(edges: usize) -> Derived {
    let edge = |n: usize| ColumnEdge {
        column: (!n.is_multiple_of(3)).then(|| format!("column {}", n % 50)),
        source: n % 2,
        of: format!("of {}", n % 70),
        by: ColumnUse::try_from(i32::try_from(n % 9).unwrap()).unwrap(),
    };
    Derived {
        sources: vec![
            source("/data/objects/.tables/a/*", 7),
            source("/data/objects/b.csv", 0),
        ],
        edges: (0..edges).map(edge).collect(),
        kept: 6,
        more: false,
    }
}

fn row(derived: &Derived) -> ColumnsRow {
    let row = ColumnsRow::of(derived, "/data/objects/.tables/t/*", "data");
    rows::decode(&rows::encode(&row)).unwrap()
}

#[test]
fn what_is_said_is_read_again() {
    for edges in [0, 1, 2, 500, COLUMN_EDGES_MAX] {
        let said = derived(edges);
        let made = made(&rows::encode(&row(&said)), 9).unwrap();
        assert_eq!((made.derived, made.version), (said, 9));
        assert_eq!(made.resource, "/data/objects/.tables/t/*");
    }
}

#[test]
fn of_too_much_it_is_only_said_that_it_was() {
    let many = row(&derived(COLUMN_EDGES_MAX + 1));
    assert!(many.more && many.edges.is_empty() && many.names.is_empty());
    assert_eq!(many.sources.len(), 2, "what was read is known");
    let mut long = derived(9);
    long.edges
        .iter_mut()
        .for_each(|edge| edge.of = edge.of.repeat(50_000));
    let long = row(&long);
    assert!(long.more && long.names.is_empty() && long.encoded_len() < 1000);
}

#[test]
fn numbers_that_stand_for_nothing_are_damage() {
    for numbers in [
        vec![0, 0, 9, 0],
        vec![9, 0, 1, 0],
        vec![0, 9, 1, 0],
        vec![0, 0, 1, 99],
        vec![0, 0, 1],
    ] {
        let mut odd = row(&derived(3));
        odd.edges = numbers.clone();
        assert_eq!(
            odd.read().unwrap_err().kind(),
            craton_base::Kind::Corrupt,
            "{numbers:?}"
        );
    }
}

#[test]
fn each_source_leads_to_the_version_once() {
    let id = rows::resource_id("/data/objects/.tables/t/*");
    let keys = leads(&row(&derived(500)), (&id, 9));
    assert_eq!(keys.len(), 3, "two sources, and what was kept");
    for key in keys {
        assert_eq!(led_to(&key.name).unwrap(), (id, 9));
    }
}
