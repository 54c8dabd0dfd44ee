//! One line of an access log.
//! Source: Amazon S3 User Guide, "Amazon S3 server access log format".

use craton_gate::ledger::{Record, RecordKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::{format_description::BorrowedFormatItem, macros::format_description};

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// What is not escaped in a key.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The names of operations that do not follow the rule.
const NAMES: [(&str, &str); 15] = [
    ("AbortMultipartUpload", "REST.DELETE.UPLOAD"),
    ("CompleteMultipartUpload", "REST.POST.UPLOAD"),
    ("CopyObject", "REST.COPY.OBJECT"),
    ("CreateMultipartUpload", "REST.POST.UPLOADS"),
    ("DeleteObjects", "BATCH.DELETE.OBJECT"),
    ("LifecycleAbort", "S3.DELETE.UPLOAD"),
    ("LifecycleExpiration", "S3.EXPIRE.OBJECT"),
    ("LifecycleTransition", "S3.TRANSITION.OBJECT"),
    ("ListMultipartUploads", "REST.GET.UPLOADS"),
    ("ListObjectVersions", "REST.GET.BUCKETVERSIONS"),
    ("ListObjects", "REST.GET.BUCKET"),
    ("ListObjectsV2", "REST.GET.BUCKET"),
    ("ListParts", "REST.GET.UPLOAD"),
    ("PostObject", "REST.POST.OBJECT"),
    ("UploadPart", "REST.PUT.PART"),
];

/// The line of a record, without its end.
pub(super) fn of(record: &Record, owner: &str, address: &str) -> String {
    let key = record
        .resource
        .split_once("/objects/")
        .map(|(_, key)| utf8_percent_encode(key, KEPT).to_string());
    let failed = record.result != "ok";
    let millis = (record.duration_micros / 1000).to_string();
    let bytes = record.bytes.to_string();
    let is_read = matches!(record.kind(), RecordKind::Decision | RecordKind::Outcome);
    let moved = |wanted: bool| if wanted && record.bytes > 0 { &*bytes } else { "-" };
    [
        owner,
        &record.bucket,
        &format!("[{}]", record.time().to_utc().format(TIME).unwrap_or_default()),
        said(address),
        said(&record.principal).replace("anonymous", "-").as_str(),
        said(&record.request_id),
        &operation(&record.operation),
        said(key.as_deref().unwrap_or_default()),
        "-",
        status(record),
        if failed { said(&record.reason) } else { "-" },
        moved(is_read),
        moved(true),
        &millis,
        "-",
        "-",
        "-",
        "-",
        "craton",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
    ]
    .join(" ")
}

fn said(text: &str) -> &str {
    // A blank would shift the fields after it.
    match text.is_empty() || text.contains([' ', '\n', '\r', '"']) {
        true => "-",
        false => text,
    }
}

/// S3's name: `REST.`, the method, what it is about.
fn operation(name: &str) -> String {
    if let Some((_, known)) = NAMES.iter().find(|(ours, _)| *ours == name) {
        return (*known).to_owned();
    }
    let verbs = [
        ("Get", "GET"),
        ("Head", "HEAD"),
        ("Put", "PUT"),
        ("Delete", "DELETE"),
        ("List", "GET"),
        ("Create", "PUT"),
    ];
    for (verb, method) in verbs {
        if let Some(what) = name.strip_prefix(verb).filter(|what| !what.is_empty()) {
            return format!("REST.{method}.{}", what.to_ascii_uppercase());
        }
    }
    format!("REST.POST.{}", name.to_ascii_uppercase())
}

/// The status that the client was answered, as far as the outcome tells.
fn status(record: &Record) -> &'static str {
    match (record.result.as_str(), record.operation.as_str()) {
        ("ok", "DeleteObject" | "DeleteBucket" | "AbortMultipartUpload") => "204",
        ("ok", _) => "200",
        ("denied", _) => "403",
        ("not-found", _) => "404",
        ("exists" | "busy", _) => "409",
        ("precondition", _) => "412",
        ("invalid" | "too-large", _) => "400",
        ("unavailable", _) => "503",
        _ => "500",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            time_micros: 1_549_411_238_000_000,
            principal: "ana".into(),
            bucket: "data".into(),
            resource: "/data/objects/a b/ü.txt".into(),
            operation: "GetObject".into(),
            request_id: "R1".into(),
            result: "ok".into(),
            bytes: 113,
            duration_micros: 7_400,
            ..Record::of(RecordKind::Outcome)
        }
    }

    #[test]
    fn a_line_has_the_fields_of_s3() {
        let found = of(&record(), "root", "192.0.2.3");
        let expected = "root data [06/Feb/2019:00:00:38 +0000] 192.0.2.3 ana R1 REST.GET.OBJECT a%20b/%C3%BC.txt - 200 - 113 \
                        113 7 - - - - craton - - - - - - -";
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_known_or_would_shift_the_fields_is_a_dash() {
        let denied = Record {
            principal: "anonymous".into(),
            operation: "PutBucketPolicy".into(),
            resource: "/data".into(),
            result: "denied".into(),
            reason: "AccessDenied".into(),
            request_id: "a b\nc".into(),
            bytes: 0,
            ..record()
        };
        let found = of(&denied, "root", "");
        assert!(
            found.contains(" - - - REST.PUT.BUCKETPOLICY - - 403 AccessDenied - - 7 "),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1);
    }
}
