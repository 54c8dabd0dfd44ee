//! Server access logging: where a bucket's logs go, and what their objects are called.
//! Source: Amazon S3 User Guide, "Log object key format".
//!
//! Deliberately absent: the lines.

use craton_base::{BucketName, Error, Kind, Timestamp};
use craton_gate::ACCOUNT;
use serde::Deserialize;
use time::{format_description::BorrowedFormatItem, macros::format_description};

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]-[hour]-[minute]-[second]");
const FOLDERS: &[BorrowedFormatItem<'_>] = format_description!("[year]/[month]/[day]");

/// Where logs go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// The bucket.
    pub bucket: String,
    /// The beginning of the objects' keys.
    pub prefix: String,
    /// What follows it.
    pub form: KeyForm,
}

/// What follows the prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// The time of delivery.
    #[default]
    Simple,
    /// The bucket and the day of the events, in folders, and the time.
    ByEventTime,
    /// The bucket and the day of delivery, in folders, and the time.
    ByDeliveryTime,
}

impl Logging {
    /// The key of an object with lines about the bucket `of` in a region, whose first event is of `events`.
    #[must_use]
    pub fn key(
        &self,
        (of, region): (&BucketName, &str),
        events: Timestamp,
        delivery: Timestamp,
        unique: u64,
    ) -> String {
        let time = match self.form {
            KeyForm::ByEventTime => events,
            KeyForm::Simple | KeyForm::ByDeliveryTime => delivery,
        };
        let format = |form| time.to_utc().format(form).unwrap_or_default();
        let folders = match self.form {
            KeyForm::Simple => String::new(),
            _ => format!("{ACCOUNT}/{region}/{of}/{}/", format(FOLDERS)),
        };
        format!("{}{folders}{}-{unique:016X}", self.prefix, format(STAMP))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentXml {
    logging_enabled: EnabledXml,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnabledXml {
    target_bucket: String,
    #[serde(default)]
    target_prefix: String,
    target_object_key_format: Option<FormXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FormXml {
    partitioned_prefix: Option<PartitionedXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionedXml {
    partition_date_source: Option<String>,
}

/// Reads a stored document.
///
/// # Errors
/// `Invalid`, `MalformedXML`.
pub fn parse(document: &[u8]) -> Result<Logging, Error> {
    let malformed = |why: String| {
        let message = format!("the logging configuration can not be read: {why}");
        Error::new(Kind::Invalid, "MalformedXML", message)
    };
    let text = std::str::from_utf8(document).map_err(|e| malformed(e.to_string()))?;
    let DocumentXml {
        logging_enabled: read,
    } = quick_xml::de::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let partitioned = read.target_object_key_format.and_then(|f| f.partitioned_prefix);
    let form = match partitioned.map(|p| p.partition_date_source) {
        None => KeyForm::Simple,
        Some(Some(source)) if source == "DeliveryTime" => KeyForm::ByDeliveryTime,
        Some(_) => KeyForm::ByEventTime,
    };
    Ok(Logging {
        bucket: read.target_bucket,
        prefix: read.target_prefix,
        form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLE: &str = "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/\
         </TargetPrefix></LoggingEnabled></BucketLoggingStatus>";

    #[test]
    fn keys_have_the_forms_of_s3() {
        let simple = parse(SIMPLE.as_bytes()).unwrap();
        assert_eq!((simple.bucket.as_str(), simple.form), ("logs", KeyForm::Simple));
        let data = BucketName::new("data").unwrap();
        let (events, delivery) = (Timestamp::from_seconds(0), Timestamp::from_seconds(1_700_000_000));
        let key = simple.key((&data, "eu-1"), events, delivery, 10);
        assert_eq!(key, "p/2023-11-14-22-13-20-000000000000000A");
        let xml = SIMPLE.replace(
            "</TargetPrefix>",
            "</TargetPrefix><TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime\
             </PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>",
        );
        let folders = parse(xml.as_bytes()).unwrap();
        let key = folders.key((&data, "eu-1"), events, delivery, 10);
        assert_eq!(
            key,
            "p/000000000000/eu-1/data/1970/01/01/1970-01-01-00-00-00-000000000000000A"
        );
    }
}
