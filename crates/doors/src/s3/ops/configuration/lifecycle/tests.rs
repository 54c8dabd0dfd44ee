use s3s::xml::{DeserializeContent as _, Deserializer};

use super::*;

/// What is said to one rule, `ok` if nothing.
fn verdict(rule: &str) -> String {
    let text = format!("<Rule><Status>Enabled</Status>{rule}</Rule>");
    let parsed = Deserializer::new(text.as_bytes()).named_element("Rule", LifecycleRule::deserialize_content);
    match parsed.map(|rule| check(&rule)) {
        Ok(Ok(())) => "ok".to_owned(),
        Ok(Err(e)) => e.code().as_str().to_owned(),
        Err(_) => "not xml".to_owned(),
    }
}

const ALL: &str = "<Filter/>";
const EXPIRES: &str = "<Expiration><Days>1</Days></Expiration>";

#[test]
fn rules_that_s3_accepts() {
    for rule in [
        format!("{ALL}{EXPIRES}"),
        format!("<Prefix>logs/</Prefix>{EXPIRES}"),
        format!("{ALL}<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
        format!("{ALL}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
        format!(
            "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>{EXPIRES}"
        ),
        format!("<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>{EXPIRES}"),
        format!(
            "{ALL}<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>\
             <Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>\
             <Expiration><Days>90</Days></Expiration>"
        ),
        format!(
            "{ALL}<NoncurrentVersionExpiration><NewerNoncurrentVersions>3</NewerNoncurrentVersions>\
             <NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
        ),
        format!(
            "{ALL}<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload>"
        ),
    ] {
        assert_eq!(verdict(&rule), "ok", "{rule}");
    }
}

#[test]
fn rules_that_s3_refuses() {
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    for (rule, code) in [
        (EXPIRES.to_owned(), "MalformedXML"),
        (format!("{ALL}<Prefix>a</Prefix>{EXPIRES}"), "MalformedXML"),
        (ALL.to_owned(), "InvalidRequest"),
        (
            format!("{ALL}<Expiration><Days>0</Days></Expiration>"),
            "InvalidArgument",
        ),
        (
            format!("{ALL}<Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>"),
            "InvalidArgument",
        ),
        (
            format!("{ALL}<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
            "MalformedXML",
        ),
        (
            format!("<Filter><Prefix>a</Prefix>{tag}</Filter>{EXPIRES}"),
            "MalformedXML",
        ),
        (
            format!("<Filter><And>{tag}</And></Filter>{EXPIRES}"),
            "MalformedXML",
        ),
        (
            format!("<Filter><And>{tag}{tag}</And></Filter>{EXPIRES}"),
            "InvalidRequest",
        ),
        (
            format!(
                "<Filter>{tag}</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload>"
            ),
            "InvalidRequest",
        ),
        (
            format!("{ALL}<Transition><Days>1</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"),
            "InvalidArgument",
        ),
        (
            format!("{ALL}<Transition><Days>1</Days><StorageClass>MARBLE</StorageClass></Transition>"),
            "MalformedXML",
        ),
        (
            format!(
                "{ALL}<Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>\
                 <Expiration><Days>60</Days></Expiration>"
            ),
            "InvalidArgument",
        ),
        (
            format!(
                "{ALL}<NoncurrentVersionExpiration><NewerNoncurrentVersions>101</NewerNoncurrentVersions>\
                 <NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
            ),
            "InvalidArgument",
        ),
    ] {
        assert_eq!(verdict(&rule), code, "{rule}");
    }
}

#[test]
fn the_least_size_is_kept_with_the_rules() {
    let text = format!("<L><Rule><Status>Enabled</Status>{ALL}{EXPIRES}</Rule></L>");
    let stated = Deserializer::new(text.as_bytes())
        .named_element("L", BucketLifecycleConfiguration::deserialize_content)
        .unwrap();
    let document = written(&stated, VARIES).unwrap();
    let again: BucketLifecycleConfiguration = decode(ROOT, &document).unwrap();
    assert_eq!(again.rules.len(), 1);
    assert!(String::from_utf8_lossy(&document).contains(VARIES));
}
