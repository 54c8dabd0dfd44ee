//! Names of objects.

use super::*;

#[test]
fn names_are_keys_or_folders() {
    for (name, bucket, path, extension) in [
        ("s3://b/k.parquet", "b", "k.parquet", "parquet"),
        ("s3://b/x/y.z/k.CSV", "b", "x/y.z/k.CSV", "CSV"),
        ("s3://b/x/*.csv", "b", "x/", "csv"),
        ("s3://b/*.json", "b", "", "json"),
        ("s3://b/x/", "b", "x/", "parquet"),
        ("s3://b", "b", "", "parquet"),
        ("s3://b/x/none", "b", "x/none", ""),
    ] {
        let expected = Named {
            bucket,
            path,
            extension,
        };
        assert_eq!(parts(name).unwrap(), expected, "{name}");
    }
    for wrong in ["s3://b/*/k.csv", "s3://b/x?.csv", "s3://b/**/*.csv"] {
        assert_eq!(parts(wrong).unwrap_err().reason(), "NotSupportedYet", "{wrong}");
    }
    assert_eq!(escaped("a b%/ä=1.csv"), "a%20b%25/%C3%A4=1.csv");
}
