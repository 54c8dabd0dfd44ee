"""Configurations of a bucket, by boto3: what is set is given back, what is wrong is refused."""

import datetime

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error
from server import unique


@pytest.fixture(scope="module")
def shared(s3) -> str:
    name = unique("configured")
    s3.create_bucket(Bucket=name)
    return name


def refused(codes: str, ask, **arguments: object) -> None:
    with pytest.raises(ClientError) as caught:
        ask(**arguments)
    response = caught.value.response
    assert response["Error"]["Code"] in codes.split(), (response, arguments)
    assert 400 <= response["ResponseMetadata"]["HTTPStatusCode"] < 500


def test_cors(s3, shared):
    rules = [
        {"ID": "one", "AllowedOrigins": ["https://*.example.com", "*"], "AllowedMethods": ["GET", "PUT", "POST", "DELETE", "HEAD"],
         "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag", "x-amz-request-id"], "MaxAgeSeconds": 3000},
        {"AllowedOrigins": ["http://a"], "AllowedMethods": ["GET"]},
    ]
    s3.put_bucket_cors(Bucket=shared, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=shared)["CORSRules"] == rules
    for wrong in (
        [{"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}], [{"AllowedOrigins": ["a*b*c"], "AllowedMethods": ["GET"]}],
        [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["x-*-*"]}],
        [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}] * 101, [],
    ):
        refused("InvalidRequest MalformedXML InvalidArgument", s3.put_bucket_cors, Bucket=shared, CORSConfiguration={"CORSRules": wrong})
    assert s3.get_bucket_cors(Bucket=shared)["CORSRules"] == rules
    s3.delete_bucket_cors(Bucket=shared)
    with error("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=shared)


LIFECYCLES = [
    {"ID": "days", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
    {"ID": "date", "Status": "Disabled", "Filter": {}, "Expiration": {"Date": datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)}},
    {"ID": "marker", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    {"ID": "old", "Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}},
     "NoncurrentVersionExpiration": {"NoncurrentDays": 5, "NewerNoncurrentVersions": 3}},
    {"ID": "and", "Status": "Enabled", "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}],
     "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 1000}}, "Expiration": {"Days": 1}},
    {"ID": "size", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 500}, "Expiration": {"Days": 7}},
    {"ID": "abort", "Status": "Enabled", "Filter": {"Prefix": "u/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
    {"ID": "move", "Status": "Enabled", "Filter": {"Prefix": "cold/"}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"},
     {"Days": 90, "StorageClass": "GLACIER"}], "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]},
]


def test_lifecycle(s3, shared):
    s3.put_bucket_lifecycle_configuration(Bucket=shared, LifecycleConfiguration={"Rules": LIFECYCLES})
    got = s3.get_bucket_lifecycle_configuration(Bucket=shared)
    assert got["Rules"] == LIFECYCLES
    assert got["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    old = [{"ID": "old form", "Status": "Enabled", "Prefix": "x/", "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(
        Bucket=shared, LifecycleConfiguration={"Rules": old}, TransitionDefaultMinimumObjectSize="varies_by_storage_class")
    got = s3.get_bucket_lifecycle_configuration(Bucket=shared)
    assert (got["Rules"], got["TransitionDefaultMinimumObjectSize"]) == (old, "varies_by_storage_class")
    s3.put_bucket_lifecycle_configuration(
        Bucket=shared, LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "n/"}, "Expiration": {"Days": 1}}]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=shared)["Rules"][0]["ID"], "a rule without a name gets one"
    s3.delete_bucket_lifecycle(Bucket=shared)
    with error("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=shared)


@pytest.mark.parametrize("changes", [
    {"Expiration": {"Days": 0}}, {"Expiration": {"Days": -1}},
    {"Status": "enabled"}, {"ID": "x" * 256},
    {"Expiration": {"Date": "2030-01-01T10:00:00Z"}},
    {"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}},
    {"Expiration": {"ExpiredObjectDeleteMarker": True}, "Filter": {"Tag": {"Key": "a", "Value": "b"}}},
    {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Filter": {"Tag": {"Key": "a", "Value": "b"}}},
    {"Filter": {"Prefix": "a", "Tag": {"Key": "a", "Value": "b"}}},
    {"Filter": {"And": {"Prefix": "a"}}},
    {"Expiration": {}},
    {"Transitions": [{"Days": 1, "StorageClass": "NOWHERE"}]},
    {"NoncurrentVersionExpiration": {"NoncurrentDays": 0}},
    {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}},
])
def test_lifecycles_that_are_none(s3, shared, changes):
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}, "Expiration": {"Days": 1}} | changes
    refused("MalformedXML InvalidArgument InvalidRequest", s3.put_bucket_lifecycle_configuration,
            Bucket=shared, LifecycleConfiguration={"Rules": [rule]})


def test_lifecycles_that_do_not_go_together(s3, shared):
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}, "Expiration": {"Days": 1}}
    refused("InvalidArgument", s3.put_bucket_lifecycle_configuration, Bucket=shared, LifecycleConfiguration={"Rules": [rule, rule]})
    bare = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}}
    refused("InvalidRequest MalformedXML InvalidArgument", s3.put_bucket_lifecycle_configuration, Bucket=shared, LifecycleConfiguration={"Rules": [bare]})
    many = [rule | {"ID": f"r{i}"} for i in range(1001)]
    refused("MalformedXML InvalidRequest InvalidArgument", s3.put_bucket_lifecycle_configuration, Bucket=shared, LifecycleConfiguration={"Rules": many})


def test_encryption(s3, bucket):
    for algorithm in ({"SSEAlgorithm": "AES256"}, {"SSEAlgorithm": "aws:kms"}):
        rule = {"ApplyServerSideEncryptionByDefault": algorithm, "BucketKeyEnabled": algorithm["SSEAlgorithm"] == "aws:kms"}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        got = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert {k: got[k] for k in rule} == rule
    for wrong in ({"SSEAlgorithm": "rot13"}, {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "arn:aws:kms:us-east-1:1:key/x"}):
        refused("MalformedXML InvalidArgument", s3.put_bucket_encryption, Bucket=bucket,
                ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": wrong}]})
    refused("MalformedXML", s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": []})


def test_request_payment(s3, bucket):
    for payer in ("Requester", "BucketOwner"):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": payer})
        assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == payer
    refused("MalformedXML", s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration={"Payer": "Nobody"})


def test_ownership(s3, bucket):
    for ownership in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})
        assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": ownership}]
    for wrong in ([{"ObjectOwnership": "Mine"}], [], [{"ObjectOwnership": "ObjectWriter"}] * 2):
        refused("MalformedXML", s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls={"Rules": wrong})
    made = unique("owned")
    s3.create_bucket(Bucket=made, ObjectOwnership="ObjectWriter")
    assert s3.get_bucket_ownership_controls(Bucket=made)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "ObjectWriter"}]


def test_public_access_block(s3, bucket):
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    for one in names:
        wanted = {n: n == one for n in names}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={one: True})
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == wanted


def test_logging(s3, bucket):
    target = unique("logs")
    s3.create_bucket(Bucket=target)
    enabled = {"TargetBucket": target, "TargetPrefix": "log/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    enabled["TargetObjectKeyFormat"] = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    refused("InvalidTargetBucketForLogging NoSuchBucket", s3.put_bucket_logging, Bucket=bucket,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": f"{target}-not", "TargetPrefix": ""}})
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_notification(s3, bucket):
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}
    for wrong in (
        {"QueueConfigurations": [{"QueueArn": "no arn", "Events": ["s3:ObjectCreated:*"]}]},
        {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:1:none", "Events": ["s3:Nothing"]}]},
    ):
        refused("InvalidArgument MalformedXML", s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=wrong)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}


@pytest.mark.parametrize(("kind", "shape", "document"), [
    ("analytics", "AnalyticsConfiguration", {"Filter": {"Prefix": "p"}, "StorageClassAnalysis": {"DataExport": {"OutputSchemaVersion": "V_1",
     "Destination": {"S3BucketDestination": {"Format": "CSV", "Bucket": "arn:aws:s3:::elsewhere", "Prefix": "x"}}}}}),
    ("intelligent_tiering", "IntelligentTieringConfiguration", {"Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}),
    ("inventory", "InventoryConfiguration", {"IsEnabled": False, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
     "OptionalFields": ["Size", "ETag"], "Filter": {"Prefix": "p"},
     "Destination": {"S3BucketDestination": {"Format": "Parquet", "Bucket": "arn:aws:s3:::elsewhere", "Prefix": "x"}}}),
    ("metrics", "MetricsConfiguration", {"Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "a", "Value": "b"}]}}}),
])
def test_configurations_with_names(s3, bucket, kind, shape, document):
    put, get = getattr(s3, f"put_bucket_{kind}_configuration"), getattr(s3, f"get_bucket_{kind}_configuration")
    listed = getattr(s3, f"list_bucket_{kind}_configurations")
    for name in ("two", "one"):
        put(Bucket=bucket, Id=name, **{shape: {"Id": name, **document}})
        assert get(Bucket=bucket, Id=name)[shape] == {"Id": name, **document}
    assert [c["Id"] for c in listed(Bucket=bucket)[f"{shape}List"]] == ["one", "two"]
    refused("InvalidArgument MalformedXML InvalidRequest InvalidConfigurationId", put, Bucket=bucket, Id="three", **{shape: {"Id": "four", **document}})
    getattr(s3, f"delete_bucket_{kind}_configuration")(Bucket=bucket, Id="one")
    with error("NoSuchConfiguration", 404):
        get(Bucket=bucket, Id="one")
    assert [c["Id"] for c in listed(Bucket=bucket)[f"{shape}List"]] == ["two"]


def test_what_would_not_happen_is_refused(s3, bucket):
    inventory = {"Id": "all", "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
                 "Destination": {"S3BucketDestination": {"Format": "ORC", "Bucket": f"arn:aws:s3:::{bucket}"}}}
    with error("NotImplemented", 501):
        s3.put_bucket_inventory_configuration(Bucket=bucket, Id="all", InventoryConfiguration=inventory)
    inventory["Destination"]["S3BucketDestination"] = {"Format": "CSV", "Bucket": "arn:aws:s3:::elsewhere"}
    with error("InvalidS3DestinationBucket", 400):
        s3.put_bucket_inventory_configuration(Bucket=bucket, Id="all", InventoryConfiguration=inventory)


DOCUMENTS = [
    ("PUT", "cors"), ("PUT", "lifecycle"), ("PUT", "encryption"), ("PUT", "tagging"), ("PUT", "versioning"), ("PUT", "policy"),
    ("PUT", "publicAccessBlock"), ("PUT", "ownershipControls"), ("PUT", "logging"), ("PUT", "notification"), ("PUT", "replication"),
    ("PUT", "requestPayment"), ("PUT", "object-lock"), ("PUT", "acl"),
]


@pytest.mark.parametrize(("method", "what"), DOCUMENTS)
@pytest.mark.parametrize("body", [b"", b"no document", b"<Unclosed>", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"],
                         ids=["empty", "text", "open", "entity"])
def test_bodies_that_are_no_documents(server, shared, root, method, what, body):
    from sigv4 import send

    answer = send(server, root.request(method, f"/{shared}", f"{what}=", body=body))
    if what == "policy":
        assert answer.status == 400 and answer.code in ("MalformedPolicy", "MissingRequestBodyError", "InvalidRequest"), answer
    elif what == "logging" and not body or what == "acl" and not body:
        assert answer.status in (200, 400), answer
    else:
        assert answer.status == 400, answer
        assert answer.code in ("MalformedXML", "MissingRequestBodyError", "InvalidRequest", "MissingSecurityHeader"), answer


@pytest.mark.parametrize("what", [w for _, w in DOCUMENTS])
def test_documents_that_are_too_large(server, shared, root, what):
    from sigv4 import send

    filler = b"<!--" + b"x" * (2 << 20) + b"-->"
    answer = send(server, root.request("PUT", f"/{shared}", f"{what}=", body=b"<a>" + filler + b"</a>"))
    assert 400 <= answer.status < 500, answer


def test_everyone_needs_the_right(server, shared, make_user):
    nobody = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{shared}/*")))
    for operation in (
        "get_bucket_cors", "get_bucket_lifecycle_configuration", "get_bucket_policy", "get_bucket_policy_status", "get_bucket_replication",
        "get_bucket_tagging", "get_bucket_website", "get_object_lock_configuration", "get_bucket_accelerate_configuration",
        "get_bucket_logging", "get_bucket_versioning", "get_bucket_notification_configuration", "get_bucket_encryption",
        "get_public_access_block", "get_bucket_ownership_controls", "get_bucket_acl", "get_bucket_location", "get_bucket_request_payment",
        "list_bucket_inventory_configurations", "list_bucket_metrics_configurations", "list_bucket_analytics_configurations",
        "list_bucket_intelligent_tiering_configurations", "delete_bucket_policy", "delete_bucket_cors", "delete_bucket_lifecycle",
        "delete_bucket_tagging", "delete_bucket_encryption", "delete_public_access_block", "delete_bucket_ownership_controls",
        "delete_bucket_replication",
    ):
        with error("AccessDenied", 403):
            getattr(nobody, operation)(Bucket=shared)


def test_a_bucket_made_again_has_nothing_of_the_old(s3):
    name = unique("again")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_public_access_block(Bucket=name)
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    with error("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=name)
    with error("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=name)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True


def test_an_upload_goes_on_while_the_bucket_changes(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    tag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert done["VersionId"] != "null"
