"""What Terraform's AWS provider does with buckets. Its binary can not be had here, so these are its requests: the reads
of `aws_s3_bucket` and of each resource beside it, before anything is set and after it is set as the provider sets it.
A plan after an apply must be empty: so everything reads back as it was written, each time the same, and what was
removed reads as if it had never been."""

import json

import pytest
from botocore.exceptions import ClientError

from server import unique

# What the provider takes for "not set", by request; others must answer 200.
ABSENT = {
    "get_bucket_policy": "NoSuchBucketPolicy",
    "get_bucket_cors": "NoSuchCORSConfiguration",
    "get_bucket_website": "NoSuchWebsiteConfiguration",
    "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
    "get_bucket_tagging": "NoSuchTagSet",
}
# In the order of the provider's read of a bucket.
BUCKET_READS = [
    "head_bucket", "get_bucket_policy", "get_bucket_acl", "get_bucket_cors", "get_bucket_website", "get_bucket_versioning",
    "get_bucket_accelerate_configuration", "get_bucket_request_payment", "get_bucket_logging",
    "get_bucket_lifecycle_configuration", "get_bucket_replication", "get_bucket_encryption",
    "get_object_lock_configuration", "get_bucket_location", "get_bucket_tagging",
    "get_bucket_ownership_controls", "get_public_access_block", "get_bucket_notification_configuration",
]


def read(s3, operation: str, **names):
    """The answer without what is of the request; or the code of an error."""
    try:
        answer = getattr(s3, operation)(**names)
    except ClientError as e:
        return e.response["Error"]["Code"]
    answer.pop("ResponseMetadata")
    return answer


def everything(s3, bucket: str) -> dict:
    return {operation: read(s3, operation, Bucket=bucket) for operation in BUCKET_READS}


def test_a_bucket_of_which_nothing_is_set(s3, bucket):
    first = everything(s3, bucket)
    for operation, found in first.items():
        if operation in ABSENT:
            assert found == ABSENT[operation], operation
        else:
            assert isinstance(found, dict), (operation, found)
    assert first["get_bucket_request_payment"] == {"Payer": "BucketOwner"}
    assert first["get_bucket_ownership_controls"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert everything(s3, bucket) == first


def policy(bucket: str) -> str:
    statement = {
        "Sid": "DenyPlain", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"StringEquals": {"aws:PrincipalTag/never": "matches"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


LIFECYCLE = {
    "Rules": [
        {
            "ID": "log", "Status": "Enabled",
            "Filter": {"And": {"Prefix": "log/", "Tags": [{"Key": "autoclean", "Value": "true"}, {"Key": "rule", "Value": "log"}]}},
            "Expiration": {"Days": 90},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER"}],
        },
        {"ID": "tmp", "Status": "Disabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}},
        {
            "ID": "versions", "Status": "Enabled", "Filter": {"Prefix": "config/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 5},
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}],
        },
        {"ID": "uploads", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
}
CORS = {
    "CORSRules": [
        {"AllowedHeaders": ["*"], "AllowedMethods": ["PUT", "POST"], "AllowedOrigins": ["https://www.example.com"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 3000},
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
    ]
}
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]}
BLOCK = {"BlockPublicAcls": True, "BlockPublicPolicy": False, "IgnorePublicAcls": True, "RestrictPublicBuckets": False}

# The resource, its put with its argument, its read, what of the read is that argument, and its deletion.
RESOURCES = [
    ("versioning", "put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}, "get_bucket_versioning", None, None),
    ("cors", "put_bucket_cors", {"CORSConfiguration": CORS}, "get_bucket_cors", None, "delete_bucket_cors"),
    ("lifecycle", "put_bucket_lifecycle_configuration", {"LifecycleConfiguration": LIFECYCLE, "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}, "get_bucket_lifecycle_configuration", None, "delete_bucket_lifecycle"),
    ("encryption", "put_bucket_encryption", {"ServerSideEncryptionConfiguration": ENCRYPTION}, "get_bucket_encryption", "ServerSideEncryptionConfiguration", "delete_bucket_encryption"),
    ("block", "put_public_access_block", {"PublicAccessBlockConfiguration": BLOCK}, "get_public_access_block", "PublicAccessBlockConfiguration", "delete_public_access_block"),
    ("ownership", "put_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}}, "get_bucket_ownership_controls", "OwnershipControls", "delete_bucket_ownership_controls"),
    ("payment", "put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}, "get_bucket_request_payment", None, None),
    ("tags", "put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": "Environment", "Value": "Dev"}, {"Key": "Name", "Value": "My bucket"}]}}, "get_bucket_tagging", None, "delete_bucket_tagging"),
]


def within(wanted, found) -> bool:
    """Everything that was written is there as it was; lists in their order."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and within(v, found[k]) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(within, wanted, found))
    return wanted == found


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r[0])
def test_what_is_set_reads_as_it_was_written(s3, bucket, resource):
    _, put, arguments, get, inner, delete = resource
    unset = read(s3, get, Bucket=bucket)
    getattr(s3, put)(Bucket=bucket, **arguments)
    first = read(s3, get, Bucket=bucket)
    [wanted, *others] = arguments.values()
    assert within(wanted, first[inner] if inner else first), first
    for name in list(arguments)[1:]:
        assert first[name] == arguments[name]
    assert read(s3, get, Bucket=bucket) == first
    # Applying the same again changes nothing that is read.
    getattr(s3, put)(Bucket=bucket, **arguments)
    assert read(s3, get, Bucket=bucket) == first
    if delete:
        getattr(s3, delete)(Bucket=bucket)
        gone = read(s3, get, Bucket=bucket)
        absent = {"get_public_access_block": "NoSuchPublicAccessBlockConfiguration", "get_bucket_ownership_controls": "OwnershipControlsNotFoundError"}
        assert gone == absent.get(get, unset)
        getattr(s3, delete)(Bucket=bucket)


def test_a_policy_reads_as_it_was_written(s3, bucket):
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
    first = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert json.loads(first) == json.loads(policy(bucket)) and s3.get_bucket_policy(Bucket=bucket)["Policy"] == first
    s3.delete_bucket_policy(Bucket=bucket)
    assert read(s3, "get_bucket_policy", Bucket=bucket) == "NoSuchBucketPolicy"


def test_logging_and_acl(s3, bucket):
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    acl = s3.get_bucket_acl(Bucket=bucket)
    assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"] and acl["Owner"]["ID"] == acl["Grants"][0]["Grantee"]["ID"]
    target = unique("logs")
    s3.create_bucket(Bucket=target)
    statement = {
        "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{target}/*",
    }
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    wanted = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "log/"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=wanted)
    first = read(s3, "get_bucket_logging", Bucket=bucket)
    assert within(wanted, first) and read(s3, "get_bucket_logging", Bucket=bucket) == first
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert read(s3, "get_bucket_logging", Bucket=bucket) == {}


@pytest.mark.parametrize(("kind", "argument", "body"), [
    ("analytics", "AnalyticsConfiguration", {"Filter": {"And": {"Prefix": "documents/", "Tags": [{"Key": "p", "Value": "high"}]}}, "StorageClassAnalysis": {}}),
    ("intelligent_tiering", "IntelligentTieringConfiguration", {"Status": "Enabled", "Tierings": [{"AccessTier": "DEEP_ARCHIVE_ACCESS", "Days": 180}, {"AccessTier": "ARCHIVE_ACCESS", "Days": 125}]}),
    ("metrics", "MetricsConfiguration", {"Filter": {"Prefix": "documents/"}}),
])
def test_configurations_by_name(s3, bucket, kind, argument, body):
    wanted = {"Id": "entire", **body}
    put = getattr(s3, f"put_bucket_{kind}_configuration")
    put(Bucket=bucket, Id="entire", **{argument: wanted})
    first = read(s3, f"get_bucket_{kind}_configuration", Bucket=bucket, Id="entire")
    assert within(wanted, first[argument])
    put(Bucket=bucket, Id="entire", **{argument: wanted})
    assert read(s3, f"get_bucket_{kind}_configuration", Bucket=bucket, Id="entire") == first
    getattr(s3, f"delete_bucket_{kind}_configuration")(Bucket=bucket, Id="entire")
    assert read(s3, f"get_bucket_{kind}_configuration", Bucket=bucket, Id="entire") == "NoSuchConfiguration"


def test_object_lock(s3):
    bucket = unique("locked")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    bare = read(s3, "get_object_lock_configuration", Bucket=bucket)
    assert bare == {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    wanted = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 5}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=wanted)
    assert read(s3, "get_object_lock_configuration", Bucket=bucket) == {"ObjectLockConfiguration": wanted}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_an_object(s3, bucket):
    """The reads of `aws_s3_object`: HEAD with the checksum, tags, and nothing changes by being read."""
    s3.put_object(Bucket=bucket, Key="new_object_key", Body=b"content", ContentType="text/plain", StorageClass="STANDARD_IA", Tagging="a=b", Metadata={"k": "v"})
    heads = [read(s3, "head_object", Bucket=bucket, Key="new_object_key", ChecksumMode="ENABLED") for _ in range(2)]
    assert heads[0] == heads[1] and heads[0]["StorageClass"] == "STANDARD_IA" and heads[0]["Metadata"] == {"k": "v"}
    assert read(s3, "get_object_tagging", Bucket=bucket, Key="new_object_key")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert "StorageClass" not in read(s3, "head_object", Bucket=bucket, Key=s3.put_object(Bucket=bucket, Key="plain", Body=b"") and "plain")
    for operation in ("get_object_legal_hold", "get_object_retention"):
        assert read(s3, operation, Bucket=bucket, Key="new_object_key") in ("NoSuchObjectLockConfiguration", "InvalidRequest", "ObjectLockConfigurationNotFoundError")
