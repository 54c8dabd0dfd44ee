//! Inventories: what a configuration asks for, and what a row says of a version.
//! Source: Amazon S3 User Guide, "Amazon S3 Inventory".
//!
//! Deliberately absent: walking over a bucket, the forms of files, writing them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use craton_base::{BucketName, Error, Kind, Timestamp};
use craton_gate::{Acl, AclGrant, AclPermission, Grantee};
use serde::Deserialize;

use crate::{
    encryption::Method,
    list::{ListedVersion, What},
    meta::ObjectMeta,
};

/// A field of a row. In the order of the columns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names are S3's, documented there")]
pub enum Field {
    Bucket,
    Key,
    VersionId,
    IsLatest,
    IsDeleteMarker,
    Size,
    LastModifiedDate,
    ETag,
    StorageClass,
    IsMultipartUploaded,
    ReplicationStatus,
    EncryptionStatus,
    ObjectLockRetainUntilDate,
    ObjectLockMode,
    ObjectLockLegalHoldStatus,
    IntelligentTieringAccessTier,
    BucketKeyStatus,
    ChecksumAlgorithm,
    ObjectAccessControlList,
    ObjectOwner,
}

/// What kind of values a field has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Text.
    Text,
    /// Yes or no.
    Flag,
    /// A number.
    Number,
    /// A time, to the millisecond.
    Time,
}

/// A value of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// None.
    Empty,
    /// Text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A time.
    Time(Timestamp),
}

impl Field {
    /// Every field, in order.
    pub const ALL: [Self; 20] = [
        Self::Bucket,
        Self::Key,
        Self::VersionId,
        Self::IsLatest,
        Self::IsDeleteMarker,
        Self::Size,
        Self::LastModifiedDate,
        Self::ETag,
        Self::StorageClass,
        Self::IsMultipartUploaded,
        Self::ReplicationStatus,
        Self::EncryptionStatus,
        Self::ObjectLockRetainUntilDate,
        Self::ObjectLockMode,
        Self::ObjectLockLegalHoldStatus,
        Self::IntelligentTieringAccessTier,
        Self::BucketKeyStatus,
        Self::ChecksumAlgorithm,
        Self::ObjectAccessControlList,
        Self::ObjectOwner,
    ];

    /// Its name in configurations and in the schema of CSV, and its column in Parquet.
    #[must_use]
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Bucket => ("Bucket", "bucket"),
            Self::Key => ("Key", "key"),
            Self::VersionId => ("VersionId", "version_id"),
            Self::IsLatest => ("IsLatest", "is_latest"),
            Self::IsDeleteMarker => ("IsDeleteMarker", "is_delete_marker"),
            Self::Size => ("Size", "size"),
            Self::LastModifiedDate => ("LastModifiedDate", "last_modified_date"),
            Self::ETag => ("ETag", "e_tag"),
            Self::StorageClass => ("StorageClass", "storage_class"),
            Self::IsMultipartUploaded => ("IsMultipartUploaded", "is_multipart_uploaded"),
            Self::ReplicationStatus => ("ReplicationStatus", "replication_status"),
            Self::EncryptionStatus => ("EncryptionStatus", "encryption_status"),
            Self::ObjectLockRetainUntilDate => ("ObjectLockRetainUntilDate", "object_lock_retain_until_date"),
            Self::ObjectLockMode => ("ObjectLockMode", "object_lock_mode"),
            Self::ObjectLockLegalHoldStatus => ("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status"),
            Self::IntelligentTieringAccessTier => {
                ("IntelligentTieringAccessTier", "intelligent_tiering_access_tier")
            }
            Self::BucketKeyStatus => ("BucketKeyStatus", "bucket_key_status"),
            Self::ChecksumAlgorithm => ("ChecksumAlgorithm", "checksum_algorithm"),
            Self::ObjectAccessControlList => ("ObjectAccessControlList", "object_access_control_list"),
            Self::ObjectOwner => ("ObjectOwner", "object_owner"),
        }
    }

    /// Whether every row has it.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Bucket | Self::Key)
    }

    /// Whether it is about versions, and so in inventories of all versions without being asked for.
    #[must_use]
    pub const fn is_of_versions(self) -> bool {
        matches!(self, Self::VersionId | Self::IsLatest | Self::IsDeleteMarker)
    }

    /// What kind of values it has.
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::IsLatest | Self::IsDeleteMarker | Self::IsMultipartUploaded => Form::Flag,
            Self::Size => Form::Number,
            Self::LastModifiedDate | Self::ObjectLockRetainUntilDate => Form::Time,
            _ => Form::Text,
        }
    }
}

/// The form of an inventory's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileForm {
    /// CSV, compressed by gzip.
    Csv,
    /// Parquet.
    Parquet,
}

/// How the files are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// As the destination's default says.
    ByDefault,
    /// SSE-S3.
    Managed,
    /// SSE-KMS with this key.
    Kms(String),
}

/// An inventory that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Its name.
    pub id: String,
    /// Whether it is written.
    pub enabled: bool,
    /// Where it is written.
    pub bucket: BucketName,
    /// What the keys of its files begin with; empty or without a slash at the end.
    pub to: String,
    /// The form of its files.
    pub form: FileForm,
    /// How they are encrypted.
    pub sealed: Sealed,
    /// What the keys that it is about begin with.
    pub prefix: String,
    /// Whether it is about all versions, not only current ones.
    pub all_versions: bool,
    /// Its columns.
    pub fields: Vec<Field>,
    /// How many days lie between two.
    pub every_days: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentXml {
    id: String,
    is_enabled: bool,
    destination: DestinationXml,
    schedule: ScheduleXml,
    included_object_versions: String,
    #[serde(default)]
    filter: Option<FilterXml>,
    #[serde(default)]
    optional_fields: Option<FieldsXml>,
}

#[derive(Deserialize)]
struct DestinationXml {
    #[serde(rename = "S3BucketDestination")]
    bucket: BucketXml,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BucketXml {
    bucket: String,
    format: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    encryption: Option<EncryptionXml>,
}

#[derive(Deserialize)]
struct EncryptionXml {
    #[serde(default, rename = "SSE-KMS")]
    kms: Option<KmsXml>,
}

#[derive(Deserialize)]
struct KmsXml {
    #[serde(rename = "KeyId")]
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleXml {
    frequency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterXml {
    #[serde(default)]
    prefix: String,
}

#[derive(Deserialize)]
struct FieldsXml {
    #[serde(default, rename = "Field")]
    list: Vec<String>,
}

/// Reads a stored document.
///
/// # Errors
/// `Invalid`, `MalformedXML`; `NotImplemented` for ORC.
pub fn parse(document: &[u8]) -> Result<Inventory, Error> {
    let malformed = |why: String| {
        let message = format!("the inventory configuration can not be read: {why}");
        Error::new(Kind::Invalid, "MalformedXML", message)
    };
    let text = std::str::from_utf8(document).map_err(|e| malformed(e.to_string()))?;
    let read: DocumentXml = quick_xml::de::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let to = read.destination.bucket;
    let bucket = to
        .bucket
        .strip_prefix("arn:aws:s3:::")
        .ok_or_else(|| malformed("the destination is no bucket".to_owned()))?;
    let all_versions = read.included_object_versions == "All";
    let named = read.optional_fields.map_or_else(Vec::new, |fields| fields.list);
    Ok(Inventory {
        id: read.id,
        enabled: read.is_enabled,
        bucket: BucketName::new(bucket)?,
        to: to.prefix.trim_end_matches('/').to_owned(),
        form: match to.format.as_str() {
            "CSV" => FileForm::Csv,
            "Parquet" => FileForm::Parquet,
            "ORC" => return Err(no_orc()),
            other => return Err(malformed(format!("there is no format {other:?}"))),
        },
        sealed: match to.encryption {
            None => Sealed::ByDefault,
            Some(EncryptionXml { kms: None }) => Sealed::Managed,
            Some(EncryptionXml { kms: Some(kms) }) => Sealed::Kms(kms.key),
        },
        prefix: read.filter.map(|filter| filter.prefix).unwrap_or_default(),
        all_versions,
        fields: columns(&named, all_versions),
        every_days: match read.schedule.frequency.as_str() {
            "Weekly" => 7,
            _ => 1,
        },
    })
}

/// The error for what is not written.
#[must_use]
pub fn no_orc() -> Error {
    Error::new(
        Kind::Invalid,
        "NotImplemented",
        "Inventories are written as CSV and Parquet; ORC is not implemented.",
    )
}

fn columns(named: &[String], all_versions: bool) -> Vec<Field> {
    let is_wanted = |field: &Field| {
        field.is_required()
            || match field.is_of_versions() {
                true => all_versions,
                false => named.iter().any(|name| name == field.names().0),
            }
    };
    Field::ALL.into_iter().filter(is_wanted).collect()
}

impl Inventory {
    /// Whether a version is in it.
    #[must_use]
    pub fn takes(&self, version: &ListedVersion) -> bool {
        self.all_versions || (version.latest && matches!(version.what, What::Object(_)))
    }

    /// The row of a version.
    #[must_use]
    pub fn row(&self, bucket: &BucketName, version: &ListedVersion) -> Vec<Cell> {
        let cell = |field: &Field| cell(*field, bucket, version);
        self.fields.iter().map(cell).collect()
    }

    /// The columns as CSV's manifest names them.
    #[must_use]
    pub fn csv_schema(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|field| field.names().0).collect();
        names.join(", ")
    }

    /// The schema of Parquet, as its manifest names it.
    #[must_use]
    pub fn parquet_schema(&self) -> String {
        let column = |field: &Field| {
            let need = if field.is_required() {
                "required"
            } else {
                "optional"
            };
            let name = field.names().1;
            match field.form() {
                Form::Text => format!("{need} binary {name} (UTF8);"),
                Form::Flag => format!("{need} boolean {name};"),
                Form::Number => format!("{need} int64 {name};"),
                Form::Time => format!("{need} int64 {name} (TIMESTAMP_MILLIS);"),
            }
        };
        let columns: Vec<String> = self.fields.iter().map(column).collect();
        format!("message s3.inventory {{ {} }}", columns.join(" "))
    }
}

fn cell(field: Field, bucket: &BucketName, version: &ListedVersion) -> Cell {
    let text = |text: &str| Cell::Text(text.to_owned());
    match field {
        Field::Bucket => text(bucket.as_str()),
        Field::Key => text(&version.key),
        Field::VersionId => Cell::Text(version.id.to_text()),
        Field::IsLatest => Cell::Flag(version.latest),
        Field::IsDeleteMarker => Cell::Flag(matches!(version.what, What::Marker(_))),
        _ => match &version.what {
            What::Object(meta) => of_object(field, meta),
            What::Marker(meta) if field == Field::LastModifiedDate => {
                Cell::Time(Timestamp(meta.modified_micros))
            }
            What::Marker(meta) if field == Field::ObjectOwner => text(&meta.owner),
            What::Marker(_) => Cell::Empty,
        },
    }
}

fn of_object(field: Field, meta: &ObjectMeta) -> Cell {
    let text = |text: &str| Cell::Text(text.to_owned());
    let or_empty = |found: Option<&str>| found.map_or(Cell::Empty, text);
    let lock = meta.lock.unwrap_or_default();
    match field {
        Field::Size => Cell::Number(meta.size),
        Field::LastModifiedDate => Cell::Time(meta.modified()),
        Field::ETag => Cell::Text(meta.etag()),
        Field::StorageClass => text(meta.attributes.storage_class()),
        Field::IsMultipartUploaded => Cell::Flag(!meta.upload_id.is_empty()),
        Field::ReplicationStatus => or_empty(meta.replication.as_ref().and_then(|r| r.status())),
        Field::EncryptionStatus => text(encryption(meta)),
        Field::ObjectLockRetainUntilDate => lock.retention().map_or(Cell::Empty, |r| Cell::Time(r.until)),
        Field::ObjectLockMode => or_empty(lock.retention().map(|r| r.mode.name())),
        Field::ObjectLockLegalHoldStatus => {
            or_empty(lock.legal_hold.map(|held| if held { "ON" } else { "OFF" }))
        }
        Field::IntelligentTieringAccessTier => {
            let tiered = meta.attributes.storage_class() == "INTELLIGENT_TIERING";
            or_empty(tiered.then_some("FREQUENT"))
        }
        Field::BucketKeyStatus => {
            let has = meta.encryption.as_ref().is_some_and(|e| e.bucket_key);
            text(if has { "ENABLED" } else { "DISABLED" })
        }
        Field::ChecksumAlgorithm => or_empty(meta.checksum().map(|sum| sum.algorithm.name())),
        Field::ObjectAccessControlList => Cell::Text(access(meta)),
        Field::ObjectOwner => text(&meta.owner),
        Field::Bucket | Field::Key | Field::VersionId | Field::IsLatest | Field::IsDeleteMarker => {
            Cell::Empty
        }
    }
}

fn encryption(meta: &ObjectMeta) -> &'static str {
    let method = meta.encryption.as_ref().map_or(0, |e| e.method);
    match Method::from_number(method) {
        Some(Method::Kms) => "SSE-KMS",
        Some(Method::KmsDual) => "DSSE-KMS",
        Some(Method::Customer) => "SSE-C",
        Some(Method::Managed) | None => "SSE-S3",
    }
}

/// A list as inventories have it: JSON in base64.
fn access(meta: &ObjectMeta) -> String {
    let owners = || Acl {
        owner: meta.owner.clone(),
        grants: vec![AclGrant::new(
            Grantee::User,
            &meta.owner,
            AclPermission::FullControl,
        )],
    };
    let acl = meta.acl.clone().unwrap_or_else(owners);
    let grant = |grant: &AclGrant| {
        let permission = AclPermission::try_from(grant.permission).map_or("", AclPermission::name);
        let group = match Grantee::try_from(grant.grantee) {
            Ok(Grantee::Everyone) => "http://acs.amazonaws.com/groups/global/AllUsers",
            Ok(Grantee::Authenticated) => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
            Ok(Grantee::LogDelivery) => "http://acs.amazonaws.com/groups/s3/LogDelivery",
            _ => {
                return serde_json::json!({
                    "canonicalId": grant.id, "type": "CanonicalUser", "permission": permission,
                });
            }
        };
        serde_json::json!({ "uri": group, "type": "Group", "permission": permission })
    };
    let grants: Vec<_> = acl.grants.iter().map(grant).collect();
    let document = serde_json::json!({ "version": "2022-11-10", "status": "AVAILABLE", "grants": grants });
    BASE64.encode(document.to_string())
}

#[cfg(test)]
mod tests;
