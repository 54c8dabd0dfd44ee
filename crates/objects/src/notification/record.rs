//! An event as S3 tells it: the JSON of one record.
//! Source: Amazon S3 User Guide, "Event message structure".
//!
//! Deliberately absent: whom it is sent to.

use bytes::Bytes;
use craton_base::{Sequence, Timestamp};
use craton_gate::Told;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use time::format_description::well_known::{
    Iso8601,
    iso8601::{Config, EncodedConfig, TimePrecision},
};

use super::event;
use crate::version::VersionId;

/// What is not escaped in a key. (A space becomes `+`.)
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b' ');

/// The message that a target is sent: one record, or that it will be sent some.
#[must_use]
pub fn message(told: &Told, rule: &str) -> Bytes {
    if told.notice.event == event::TEST {
        return Bytes::from(test(told).to_string());
    }
    Bytes::from(json!({ "Records": [record(told, rule)] }).to_string())
}

/// What a target is told first.
fn test(told: &Told) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso(Timestamp(told.notice.time_micros)),
        "Bucket": told.notice.bucket,
        "RequestId": told.notice.request_id,
        "HostId": "craton",
    })
}

/// The record of an event, for the configuration `rule`.
#[must_use]
pub fn record(told: &Told, rule: &str) -> Value {
    let notice = &told.notice;
    let sequence = match notice.version {
        0 => told.sequence.0,
        version => version,
    };
    let mut object = Map::new();
    let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
    say("key", key(&notice.key).into());
    if !notice.etag.is_empty() {
        say("size", notice.size.into());
        say("eTag", notice.etag.clone().into());
    }
    if notice.versioned {
        say(
            "versionId",
            VersionId::Number(Sequence(sequence)).to_text().into(),
        );
    }
    say("sequencer", format!("{:016X}", told.sequence.0).into());
    json!({
        "eventVersion": version(&notice.event),
        "eventSource": "aws:s3",
        "awsRegion": notice.region,
        "eventTime": iso(Timestamp(notice.time_micros)),
        "eventName": notice.event,
        "userIdentity": { "principalId": notice.principal },
        "requestParameters": { "sourceIPAddress": notice.source_ip },
        "responseElements": { "x-amz-request-id": notice.request_id, "x-amz-id-2": "craton" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule,
            "bucket": {
                "name": notice.bucket,
                "ownerIdentity": { "principalId": notice.bucket_owner },
                "arn": format!("arn:aws:s3:::{}", notice.bucket),
            },
            "object": object,
        },
    })
}

/// The version of the record's form, which grew with the kinds of events.
fn version(event: &str) -> &'static str {
    match event.split(':').next() {
        Some("ObjectCreated" | "ObjectRemoved") => "2.1",
        Some("Replication") => "2.2",
        _ => "2.3",
    }
}

/// A key as S3 writes it into events: escaped like a form's value, but for slashes.
fn key(key: &str) -> String {
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

fn iso(time: Timestamp) -> String {
    // In milliseconds, as S3 does.
    let whole = Timestamp(time.micros() / 1000 * 1000).to_utc();
    whole.format(&Iso8601::<MILLIS>).unwrap_or_default()
}

/// Milliseconds and `Z`.
const MILLIS: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: std::num::NonZeroU8::new(3),
    })
    .encode();

#[cfg(test)]
mod tests;
