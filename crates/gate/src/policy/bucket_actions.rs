//! The actions that a bucket policy can name, and whether each is about buckets or about objects: so that a
//! statement that could never match is refused when it is written.
//!
//! Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". Actions of
//! Craton's own have the service `craton` and are not listed.

use super::name::{ActionPattern, ResourcePattern};

/// Actions about a bucket, in lower case.
const OF_BUCKETS: &[&str] = &[
    "createbucket",
    "createbucketmetadatatableconfiguration",
    "deletebucket",
    "deletebucketmetadatatableconfiguration",
    "deletebucketownershipcontrols",
    "deletebucketpolicy",
    "deletebucketwebsite",
    "getaccelerateconfiguration",
    "getanalyticsconfiguration",
    "getbucketabac",
    "getbucketacl",
    "getbucketcors",
    "getbucketlocation",
    "getbucketlogging",
    "getbucketmetadatatableconfiguration",
    "getbucketnotification",
    "getbucketobjectlockconfiguration",
    "getbucketownershipcontrols",
    "getbucketpolicy",
    "getbucketpolicystatus",
    "getbucketpublicaccessblock",
    "getbucketrequestpayment",
    "getbuckettagging",
    "getbucketversioning",
    "getbucketwebsite",
    "getencryptionconfiguration",
    "getintelligenttieringconfiguration",
    "getinventoryconfiguration",
    "getlifecycleconfiguration",
    "getmetricsconfiguration",
    "getreplicationconfiguration",
    "listbucket",
    "listbucketmultipartuploads",
    "listbucketversions",
    "listtagsforresource",
    "listenbucketnotification",
    "putaccelerateconfiguration",
    "putanalyticsconfiguration",
    "putbucketabac",
    "putbucketacl",
    "putbucketcors",
    "putbucketlogging",
    "putbucketnotification",
    "putbucketobjectlockconfiguration",
    "putbucketownershipcontrols",
    "putbucketpolicy",
    "putbucketpublicaccessblock",
    "putbucketrequestpayment",
    "putbuckettagging",
    "putbucketversioning",
    "putbucketwebsite",
    "putencryptionconfiguration",
    "putintelligenttieringconfiguration",
    "putinventoryconfiguration",
    "putlifecycleconfiguration",
    "putmetricsconfiguration",
    "putreplicationconfiguration",
    "tagresource",
    "untagresource",
];

/// Actions about an object, in lower case.
const OF_OBJECTS: &[&str] = &[
    "abortmultipartupload",
    "bypassgovernanceretention",
    "deleteobject",
    "deleteobjecttagging",
    "deleteobjectversion",
    "deleteobjectversiontagging",
    "getobject",
    "getobjectacl",
    "getobjectattributes",
    "getobjectlegalhold",
    "getobjectretention",
    "getobjecttagging",
    "getobjecttorrent",
    "getobjectversion",
    "getobjectversionacl",
    "getobjectversionattributes",
    "getobjectversionforreplication",
    "getobjectversiontagging",
    "getobjectversiontorrent",
    "initiatereplication",
    "listmultipartuploadparts",
    "listtagsforresource",
    "objectowneroverridetobucketowner",
    "putobject",
    "putobjectacl",
    "putobjectlegalhold",
    "putobjectretention",
    "putobjecttagging",
    "putobjectversionacl",
    "putobjectversiontagging",
    "replicatedelete",
    "replicateobject",
    "replicatetags",
    "restoreobject",
    "tagresource",
    "untagresource",
    "updateobjectencryption",
];

/// What is wrong with naming these actions with these resources, in S3's words.
pub(super) fn check(
    actions: &[ActionPattern],
    negated: bool,
    resources: &[ResourcePattern],
) -> Result<(), &'static str> {
    let any = |action: &ActionPattern, known: &[&str]| known.iter().any(|name| action.matches("s3", name));
    let is_known = |action: &&ActionPattern| any(action, OF_BUCKETS) || any(action, OF_OBJECTS);
    let ours = |action: &&ActionPattern| !action.is_for_service("s3") && action.is_for_service("craton");
    if !actions.iter().all(|a| is_known(&a) || ours(&a)) {
        return Err("Policy has invalid action");
    }
    let buckets = resources.iter().any(ResourcePattern::can_name_bucket);
    let objects = resources.iter().any(ResourcePattern::can_name_object);
    let applies = |action: &ActionPattern| {
        ours(&action) || (buckets && any(action, OF_BUCKETS)) || (objects && any(action, OF_OBJECTS))
    };
    if negated || actions.iter().all(applies) {
        return Ok(());
    }
    Err("Action does not apply to any resource(s) in statement")
}
