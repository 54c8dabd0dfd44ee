"""What a bucket says of what was never set, as tools that keep infrastructure in order read it."""

import pytest

from expect import error
from server import unique


@pytest.fixture(scope="module")
def fresh(s3) -> str:
    name = unique("fresh")
    s3.create_bucket(Bucket=name)
    return name


# What answers 404, and with which code.
ABSENT = [
    ("get_bucket_cors", "NoSuchCORSConfiguration"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_policy", "NoSuchBucketPolicy"),
    ("get_bucket_policy_status", "NoSuchBucketPolicy"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    ("get_bucket_tagging", "NoSuchTagSet"),
    ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
]
# What answers 200 and says nothing.
EMPTY = [
    ("get_bucket_accelerate_configuration", "Status"),
    ("get_bucket_logging", "LoggingEnabled"),
    ("get_bucket_versioning", "Status"),
    ("get_bucket_notification_configuration", "TopicConfigurations"),
    ("list_bucket_analytics_configurations", "AnalyticsConfigurationList"),
    ("list_bucket_intelligent_tiering_configurations", "IntelligentTieringConfigurationList"),
    ("list_bucket_inventory_configurations", "InventoryConfigurationList"),
    ("list_bucket_metrics_configurations", "MetricsConfigurationList"),
]


@pytest.mark.parametrize(("operation", "code"), ABSENT)
def test_absent(s3, fresh, operation, code):
    with error(code, 404) as caught:
        getattr(s3, operation)(Bucket=fresh)
    assert caught.value.response["Error"].get("BucketName", fresh) == fresh
    with error("NoSuchBucket", 404):
        getattr(s3, operation)(Bucket=f"{fresh}-not")


@pytest.mark.parametrize(("operation", "field"), EMPTY)
def test_empty(s3, fresh, operation, field):
    answer = getattr(s3, operation)(Bucket=fresh)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200 and field not in answer
    with error("NoSuchBucket", 404):
        getattr(s3, operation)(Bucket=f"{fresh}-not")


@pytest.mark.parametrize("kind", ["analytics", "intelligent_tiering", "inventory", "metrics"])
def test_configurations_by_name(s3, fresh, kind):
    with error("NoSuchConfiguration", 404):
        getattr(s3, f"get_bucket_{kind}_configuration")(Bucket=fresh, Id="none")
    with error("NoSuchConfiguration", 404):
        getattr(s3, f"delete_bucket_{kind}_configuration")(Bucket=fresh, Id="none")
    assert getattr(s3, f"list_bucket_{kind}_configurations")(Bucket=fresh).get("IsTruncated", False) is False


def test_defaults(s3, fresh):
    assert s3.get_bucket_location(Bucket=fresh)["LocationConstraint"] is None
    assert s3.get_bucket_request_payment(Bucket=fresh)["Payer"] == "BucketOwner"
    controls = s3.get_bucket_ownership_controls(Bucket=fresh)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    block = s3.get_public_access_block(Bucket=fresh)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    rule = s3.get_bucket_encryption(Bucket=fresh)["ServerSideEncryptionConfiguration"]["Rules"]
    assert len(rule) == 1 and rule[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert rule[0]["BucketKeyEnabled"] is False
    assert rule[0]["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    acl = s3.get_bucket_acl(Bucket=fresh)
    assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"]
    assert acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
    assert acl["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"


def test_defaults_that_were_removed(s3, bucket):
    s3.delete_public_access_block(Bucket=bucket)
    with error("NoSuchPublicAccessBlockConfiguration", 404):
        s3.get_public_access_block(Bucket=bucket)
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with error("OwnershipControlsNotFoundError", 404):
        s3.get_bucket_ownership_controls(Bucket=bucket)
    s3.delete_bucket_encryption(Bucket=bucket)
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, "there is always encryption"


@pytest.mark.parametrize("operation", [
    "delete_bucket_cors", "delete_bucket_lifecycle", "delete_bucket_policy", "delete_bucket_replication", "delete_bucket_tagging",
    "delete_bucket_website", "delete_public_access_block", "delete_bucket_ownership_controls", "delete_bucket_encryption",
])
def test_what_is_not_set_can_be_removed(s3, bucket, operation):
    assert getattr(s3, operation)(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert getattr(s3, operation)(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_reading_changes_nothing(s3, fresh):
    """Each read, twice: the same answer."""
    def answer(operation: str):
        got = getattr(s3, operation)(Bucket=fresh)
        return {k: v for k, v in got.items() if k != "ResponseMetadata"}

    for operation in (
        "get_bucket_acl", "get_bucket_encryption", "get_bucket_ownership_controls", "get_public_access_block", "get_bucket_location",
        "get_bucket_request_payment", "get_bucket_versioning", "get_bucket_notification_configuration",
    ):
        assert answer(operation) == answer(operation), operation


def test_what_is_no_goal_says_so(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    website = {"IndexDocument": {"Suffix": "index.html"}}
    select = {"Expression": "SELECT 1", "ExpressionType": "SQL", "InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}
    for ask in (
        lambda: s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website),
        lambda: s3.get_object_torrent(Bucket=bucket, Key="k"),
        lambda: s3.select_object_content(Bucket=bucket, Key="k", **select),
        lambda: s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"}),
    ):
        with error("NotImplemented", 501):
            ask()
