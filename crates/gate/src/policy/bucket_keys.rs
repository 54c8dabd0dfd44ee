//! The condition keys of S3 that a policy of a bucket can ask about: so that a condition that could never be met, or
//! always is, is refused when it is written.
//!
//! Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". Keys of other
//! services, AWS's own among them, are not checked.

/// S3's keys, in lower case.
const KEYS: &[&str] = &[
    "accessgrantsinstancearn",
    "accesspointnetworkorigin",
    "authtype",
    "dataaccesspointaccount",
    "dataaccesspointarn",
    "delimiter",
    "destinationregion",
    "if-match",
    "if-none-match",
    "inventoryaccessibleoptionalfields",
    "isreplicationpauserequest",
    "locationconstraint",
    "max-keys",
    "object-lock-legal-hold",
    "object-lock-mode",
    "object-lock-remaining-retention-days",
    "object-lock-retain-until-date",
    "objectcreationoperation",
    "prefix",
    "requestobjecttagkeys",
    "resourceaccount",
    "signatureage",
    "signatureversion",
    "tlsversion",
    "versionid",
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-tagging-directive",
    "x-amz-website-redirect-location",
];

/// S3's keys that go on with the name of a tag, in lower case.
const TAGGED: &[&str] = &["buckettag", "existingobjecttag", "requestobjecttag"];

/// Whether a condition key, in lower case, is another service's or one of S3's.
pub(super) fn is_known(key: &str) -> bool {
    let Some(name) = key.strip_prefix("s3:") else {
        return true;
    };
    match name.split_once('/') {
        Some((name, tag)) => TAGGED.contains(&name) && !tag.is_empty(),
        None => KEYS.binary_search(&name).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found() {
        assert!(KEYS.is_sorted());
        for known in [
            "s3:prefix",
            "s3:x-amz-acl",
            "s3:existingobjecttag/a/b",
            "aws:sourceip",
            "craton:run",
        ] {
            assert!(is_known(known), "{known}");
        }
        for unknown in [
            "s3:nosuchkey",
            "s3:",
            "s3:existingobjecttag",
            "s3:existingobjecttag/",
            "s3:prefix/a",
        ] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
