use craton_base::Sequence;

use super::*;
use crate::{meta::MarkerMeta, version::VersionId};

const DOCUMENT: &[u8] = br"<InventoryConfiguration><Destination><S3BucketDestination><AccountId>0</AccountId>
    <Bucket>arn:aws:s3:::lists</Bucket><Encryption><SSE-KMS><KeyId>key</KeyId></SSE-KMS></Encryption><Format>Parquet</Format>
    <Prefix>in/ventory/</Prefix></S3BucketDestination></Destination><Filter><Prefix>logs/</Prefix></Filter><Id>weekly</Id>
    <IncludedObjectVersions>All</IncludedObjectVersions><IsEnabled>true</IsEnabled><OptionalFields><Field>ETag</Field>
    <Field>Size</Field><Field>LastModifiedDate</Field></OptionalFields><Schedule><Frequency>Weekly</Frequency></Schedule>
    </InventoryConfiguration>";

fn listed(what: What) -> ListedVersion {
    ListedVersion {
        key: "logs/a".into(),
        id: VersionId::Number(Sequence(7)),
        latest: true,
        what,
    }
}

#[test]
fn a_document_is_read_and_its_columns_are_in_order() {
    let read = parse(DOCUMENT).unwrap();
    assert_eq!(read.id, "weekly");
    assert!(read.enabled && read.all_versions);
    assert_eq!((read.bucket.as_str(), read.to.as_str()), ("lists", "in/ventory"));
    assert_eq!((read.form, read.every_days), (FileForm::Parquet, 7));
    assert_eq!(read.sealed, Sealed::Kms("key".into()));
    assert_eq!(
        read.csv_schema(),
        "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
    );
    assert!(
        read.parquet_schema()
            .contains("optional int64 last_modified_date (TIMESTAMP_MILLIS);")
    );
    assert!(
        read.parquet_schema()
            .starts_with("message s3.inventory { required binary bucket (UTF8);")
    );
}

#[test]
fn what_is_not_written_is_refused() {
    let text = std::str::from_utf8(DOCUMENT).unwrap();
    let orc = text.replace("Parquet", "ORC");
    assert_eq!(parse(orc.as_bytes()).unwrap_err().reason(), "NotImplemented");
    let nowhere = text.replace("arn:aws:s3:::", "");
    assert_eq!(parse(nowhere.as_bytes()).unwrap_err().reason(), "MalformedXML");
}

#[test]
fn current_versions_alone_have_no_columns_about_versions() {
    let text = std::str::from_utf8(DOCUMENT).unwrap().replace("All<", "Current<");
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.csv_schema(), "Bucket, Key, Size, LastModifiedDate, ETag");
    let mut version = listed(What::Object(Box::default()));
    assert!(read.takes(&version));
    version.latest = false;
    assert!(!read.takes(&version));
    assert!(!read.takes(&listed(What::Marker(MarkerMeta::default()))));
}

#[test]
fn a_row_says_what_is_stored() {
    let read = parse(DOCUMENT).unwrap();
    let bucket = BucketName::new("data").unwrap();
    let meta = ObjectMeta {
        size: 5,
        modified_micros: 1_000_000,
        md5: vec![0xab; 16],
        ..ObjectMeta::default()
    };
    let row = read.row(&bucket, &listed(What::Object(Box::new(meta))));
    let id = VersionId::Number(Sequence(7)).to_text();
    let text = |text: &str| Cell::Text(text.to_owned());
    let expected = [
        text("data"),
        text("logs/a"),
        Cell::Text(id),
        Cell::Flag(true),
        Cell::Flag(false),
        Cell::Number(5),
        Cell::Time(Timestamp(1_000_000)),
        text(&"ab".repeat(16)),
    ];
    assert_eq!(row, expected);
    let marker = read.row(&bucket, &listed(What::Marker(MarkerMeta::default())));
    assert_eq!(marker.get(4..6), Some(&[Cell::Flag(true), Cell::Empty][..]));
}

#[test]
fn every_optional_field_has_a_value_or_none_of_its_form() {
    let bucket = BucketName::new("data").unwrap();
    let version = listed(What::Object(Box::default()));
    for field in Field::ALL {
        let fits = match cell(field, &bucket, &version) {
            Cell::Empty => !field.is_required(),
            Cell::Text(_) => field.form() == Form::Text,
            Cell::Flag(_) => field.form() == Form::Flag,
            Cell::Number(_) => field.form() == Form::Number,
            Cell::Time(_) => field.form() == Form::Time,
        };
        assert!(fits, "{field:?}");
    }
}
