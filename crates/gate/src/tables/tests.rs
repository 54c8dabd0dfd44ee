use craton_base::ObjectKey;

use super::*;

const ID: &str = "0b7c9f1e-8a4f-4c0d-9a65-2f6f3b1f2d11";

fn bucket() -> BucketName {
    BucketName::new("data").unwrap()
}

fn object(key: &str) -> ResourcePath {
    ResourcePath::Object(bucket(), ObjectKey::new(key).unwrap())
}

#[test]
fn a_table_is_its_folder() {
    let file = object(&format!(".tables/{ID}/data/a.parquet"));
    assert_eq!(id_of(&file), Some(ID));
    assert_eq!(id_of(&table(bucket(), ID)), Some(ID));
    assert!(table(bucket(), ID).covers(&file));
    for other in [".tables", ".tablesx/a", "a/.tables/b", "a"] {
        assert_eq!(place(&object(other)), None, "{other}");
    }
    for astray in [
        ".tables/a",
        ".tables/a/b",
        &format!(".tables/{ID}"),
        &format!(".tables/{}/a", ID.to_uppercase()),
    ] {
        assert_eq!(place(&object(astray)), Some(Place::Astray), "{astray}");
    }
}

#[test]
fn an_arn_names_a_table_or_its_catalog() {
    let of_table = format!("arn:aws:s3tables:::bucket/data/table/{ID}");
    let file = object(&format!(".tables/{ID}/data/a"));
    assert_eq!(arn("s3tables:GetTableData", &file), Some(of_table.clone()));
    assert_eq!(arn("s3:GetObject", &file), None);
    assert_eq!(of_arn(&of_table), Some(table(bucket(), ID)));
    let of_catalog = arn("s3tables:ListTables", &catalog(bucket())).unwrap();
    assert_eq!(of_arn(&of_catalog), Some(catalog(bucket())));
    assert_eq!(of_arn("arn:aws:s3tables:::bucket/data/table/x"), None);
}

#[test]
fn actions_of_s3_become_the_tables() {
    let mut seen = Seen::default();
    for action in [
        "s3:GetObject",
        "s3:PutObject",
        "s3:PutObjectRetention",
        "s3tables:GetTable",
    ] {
        seen.translate(action);
    }
    let wanted = [
        "s3tables:GetTableData",
        "s3tables:PutTableData",
        "s3tables:PutTableData",
        "s3:PutObjectRetention",
        "s3tables:GetTable",
    ];
    assert_eq!(seen.actions, wanted);
    assert_eq!(seen.undenied, ["s3:GetObject", "s3:PutObject"]);
}

#[test]
fn only_the_catalog_writes_metadata_files() {
    assert!(is_metadata(&object(&format!(
        ".tables/{ID}/metadata/00001-x.metadata.json"
    ))));
    assert!(!is_metadata(&object(&format!(
        ".tables/{ID}/metadata/snap-1.avro"
    ))));
    assert!(!is_metadata(&object(&format!(
        ".tables/{ID}/data/x.metadata.json"
    ))));
}

#[test]
fn who_lists_a_bucket_does_not_see_tables() {
    for hidden in ["", ".", ".tab", ".tables"] {
        assert!(hides(hidden), "{hidden:?}");
    }
    for seen in [".tables/", ".tables/a", "a", ".tablesx"] {
        assert!(!hides(seen), "{seen:?}");
    }
}
