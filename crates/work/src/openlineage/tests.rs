//! Names of data sets, folding, and what an event says.

use craton_base::{BucketName, Timestamp};
use craton_gate::{Edge, Touch, tables::TableRow};

use super::{DATA_SETS_MAX, OpenLineage, sets::Sets};

const ID: &str = "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11";

fn edge(resource: &str, bytes: u64) -> Edge {
    let bucket = resource.trim_start_matches('/').split('/').next().unwrap();
    Edge {
        principal: "ana".to_owned(),
        run: "r".to_owned(),
        touch: Touch::Read,
        resource: resource.to_owned(),
        bucket: bucket.to_owned(),
        version: 7,
        count: 1,
        bytes,
        first: Timestamp(1),
        last: Timestamp(2),
        snapshots: Vec::new(),
    }
}

fn names(sets: &Sets) -> Vec<String> {
    sets.all
        .keys()
        .map(|(namespace, name)| format!("{namespace} {name}"))
        .collect()
}

#[test]
fn data_sets_are_called_as_the_door_for_events_understands_them() {
    let mut sets = Sets::default();
    for resource in [
        "/lab/objects/a/b.csv".to_owned(),
        format!("/lab/objects/.tables/{ID}/*"),
        format!("/lab/objects/.tables/{ID}/data/0.parquet"),
        "/lab/objects/.tables/odd/x".to_owned(),
        "/lab/graphs/g".to_owned(),
        "/lab/graphs/g/(edge a ".to_owned(),
    ] {
        sets.add(&edge(&resource, 10));
    }
    let table = format!("craton://lab objects/.tables/{ID}");
    assert_eq!(
        names(&sets),
        [
            "craton://lab graphs/g",
            table.as_str(),
            "s3://lab .tables/odd/x",
            "s3://lab a/b.csv"
        ]
    );
    let lab = BucketName::new("lab").unwrap();
    assert_eq!(sets.tables(), [(lab.clone(), ID.to_owned())]);
    let row = TableRow {
        namespace: vec!["a".to_owned(), "b".to_owned()],
        name: "t".to_owned(),
        ..TableRow::default()
    };
    sets.call(&lab, ID, &row);
    assert!(names(&sets).contains(&"craton://lab tables/a.b.t".to_owned()));
    let all: Vec<_> = sets.all.values().collect();
    assert_eq!(all.iter().map(|set| set.bytes).sum::<u64>(), 60);
    assert_eq!(all.iter().map(|set| set.versions).sum::<u64>(), 6);
}

#[test]
fn of_many_the_folders_are_named_and_nothing_is_lost() {
    let mut sets = Sets::default();
    let (folders, files) = (20_u64, 300_u64);
    for folder in 0..folders {
        for file in 0..files {
            sets.add(&edge(&format!("/lab/objects/raw/{folder}/part/{file}.csv"), 1));
        }
    }
    sets.add(&edge("/lab/objects/top", 1));
    assert!(sets.all.len() <= DATA_SETS_MAX);
    let found = names(&sets);
    assert!(found.contains(&"s3://lab raw/3/part".to_owned()), "{found:?}");
    assert!(found.contains(&"s3://lab top".to_owned()));
    assert_eq!(
        sets.all.values().map(|set| set.versions).sum::<u64>(),
        folders * files + 1
    );
    assert_eq!(sets.left_out, 0);
}

#[test]
fn buckets_that_are_too_many_are_counted() {
    let mut sets = Sets::default();
    for bucket in 0..DATA_SETS_MAX + 50 {
        for key in ["a", "b/c"] {
            sets.add(&edge(&format!("/bucket-{bucket:04}/objects/{key}"), 1));
        }
    }
    assert!(sets.all.len() <= DATA_SETS_MAX);
    assert!(names(&sets).iter().all(|name| name.ends_with(" /")));
    let told: u64 = sets.all.values().map(|set| set.versions).sum();
    assert_eq!(told + sets.left_out, 2 * (DATA_SETS_MAX as u64 + 50));
}

#[test]
fn addresses_are_checked() {
    let at = |url: &str| OpenLineage {
        url: url.to_owned(),
        key: None,
        idle: std::time::Duration::from_secs(1),
    };
    assert_eq!(
        at("http://h:1/x/").target().webhook.unwrap().url,
        "http://h:1/x/api/v1/lineage"
    );
    assert!(at("https://h").check().is_ok());
    for url in ["ftp://h", "http://u:p@h", "h", "http://h/?a=b", "http://h/#a"] {
        assert!(at(url).check().is_err(), "{url}");
    }
}
