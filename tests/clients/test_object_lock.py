"""Object lock, by boto3: retention, legal hold and defaults hold against everyone, root included."""

import datetime

import pytest

from conftest import allow, client
from expect import error
from server import unique


@pytest.fixture(scope="module")
def locked(s3) -> str:
    """A bucket with object lock, for all tests here: each has keys of its own."""
    name = unique("locked")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def key() -> str:
    return unique("key")


def later(**more: float) -> datetime.datetime:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**(more or {"days": 1}))).replace(microsecond=0)


def put(s3, bucket: str, key: str, **more: object) -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=b"locked", **more)["VersionId"]


def retain(s3, bucket: str, key: str, mode: str, until: datetime.datetime, **more: object) -> None:
    s3.put_object_retention(Bucket=bucket, Key=key, Retention={"Mode": mode, "RetainUntilDate": until}, **more)


def test_a_bucket_made_with_it(s3, locked):
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    with error("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Suspended"})


def test_a_bucket_that_gets_it_later(s3, bucket):
    with error("ObjectLockConfigurationNotFoundError", 404):
        s3.get_object_lock_configuration(Bucket=bucket)
    with error("InvalidBucketState", 409):
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"


@pytest.mark.parametrize(("code", "configuration"), [
    ("MalformedXML", {"ObjectLockEnabled": "Disabled"}),
    ("MalformedXML", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "governance", "Days": 1}}}),
    ("MalformedXML", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}}}),
    ("MalformedXML", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE"}}}),
    ("InvalidRetentionPeriod InvalidArgument", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}}}),
    ("InvalidRetentionPeriod InvalidArgument", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": -1}}}),
    ("InvalidRetentionPeriod InvalidArgument", {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 101}}}),
])
def test_configurations_that_are_none(s3, locked, code, configuration):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    assert caught.value.response["Error"]["Code"] in code.split()
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}


def test_defaults_are_put_on_every_new_version(s3):
    bucket = unique("defaults")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    put(s3, bucket, "before")
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 2}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["Rule"] == rule
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="before")
    put(s3, bucket, "put")
    s3.copy_object(Bucket=bucket, Key="copied", CopySource=f"{bucket}/before")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    tag = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    for name in ("put", "copied", "parts"):
        head = s3.head_object(Bucket=bucket, Key=name)
        assert head["ObjectLockMode"] == "GOVERNANCE", name
        assert abs(head["ObjectLockRetainUntilDate"] - later(days=2)) < datetime.timedelta(minutes=5)
        with error("AccessDenied", 403):
            s3.delete_object(Bucket=bucket, Key=name, VersionId=head["VersionId"])
    own = put(s3, bucket, "own", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=later(days=9))
    head = s3.head_object(Bucket=bucket, Key="own", VersionId=own)
    assert head["ObjectLockMode"] == "COMPLIANCE" and head["ObjectLockRetainUntilDate"] > later(days=8)
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    put(s3, bucket, "after")
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="after")


def test_governance(s3, locked, key):
    until = later(days=2)
    version = put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    head = s3.head_object(Bucket=locked, Key=key)
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)
    assert s3.get_object_retention(Bucket=locked, Key=key)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version)
    with error("AccessDenied", 403):
        retain(s3, locked, key, "GOVERNANCE", later(days=1))
    retain(s3, locked, key, "GOVERNANCE", later(days=3))
    retain(s3, locked, key, "GOVERNANCE", later(days=1), BypassGovernanceRetention=True)
    s3.delete_object(Bucket=locked, Key=key)
    assert s3.get_object(Bucket=locked, Key=key, VersionId=version)["Body"].read() == b"locked", "a marker erases nothing"
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=False)
    s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)
    with error("NoSuchVersion", 404):
        s3.get_object(Bucket=locked, Key=key, VersionId=version)


def test_governance_becomes_compliance_and_never_back(s3, locked, key):
    version = put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    retain(s3, locked, key, "COMPLIANCE", later(days=2), BypassGovernanceRetention=True)
    for until in (later(days=1), later(days=3)):
        with error("AccessDenied", 403):
            retain(s3, locked, key, "GOVERNANCE", until, BypassGovernanceRetention=True)
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)


def test_compliance_binds_root(s3, locked, key):
    until = later(days=2)
    version = put(s3, locked, key, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    for bypass in (False, True):
        with error("AccessDenied", 403):
            s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=bypass)
        with error("AccessDenied", 403):
            retain(s3, locked, key, "COMPLIANCE", later(days=1), BypassGovernanceRetention=bypass)
        with error("AccessDenied", 403):
            s3.put_object_retention(Bucket=locked, Key=key, Retention={}, BypassGovernanceRetention=bypass)
    assert s3.get_object_retention(Bucket=locked, Key=key)["Retention"]["RetainUntilDate"] == until
    retain(s3, locked, key, "COMPLIANCE", later(days=4))
    with error("AccessDenied", 403):
        retain(s3, locked, key, "COMPLIANCE", until)
    with error("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=locked)


def test_over_a_retention_ends(s3, locked, key):
    import time

    version = put(s3, locked, key, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=later(seconds=2))
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version)
    time.sleep(3)
    s3.delete_object(Bucket=locked, Key=key, VersionId=version)


def test_a_legal_hold(s3, locked, key):
    version = put(s3, locked, key, ObjectLockLegalHoldStatus="ON")
    assert s3.head_object(Bucket=locked, Key=key)["ObjectLockLegalHoldStatus"] == "ON"
    assert s3.get_object_legal_hold(Bucket=locked, Key=key)["LegalHold"] == {"Status": "ON"}
    for bypass in (False, True):
        with error("AccessDenied", 403):
            s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=bypass)
    with error("MalformedXML", 400):
        s3.put_object_legal_hold(Bucket=locked, Key=key, LegalHold={"Status": "off"})
    s3.put_object_legal_hold(Bucket=locked, Key=key, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(Bucket=locked, Key=key)["LegalHold"] == {"Status": "OFF"}
    s3.delete_object(Bucket=locked, Key=key, VersionId=version)


def test_a_hold_and_a_retention_are_two(s3, locked, key):
    version = put(s3, locked, key, ObjectLockLegalHoldStatus="ON", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(Bucket=locked, Key=key, LegalHold={"Status": "OFF"})
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=version)
    s3.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)


def test_each_version_has_its_own(s3, locked, key):
    first, second = put(s3, locked, key), put(s3, locked, key)
    retain(s3, locked, key, "GOVERNANCE", later(), VersionId=first)
    s3.put_object_legal_hold(Bucket=locked, Key=key, VersionId=first, LegalHold={"Status": "ON"})
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key=key)
    assert s3.head_object(Bucket=locked, Key=key, VersionId=first)["ObjectLockLegalHoldStatus"] == "ON"
    s3.delete_object(Bucket=locked, Key=key, VersionId=second)
    with error("AccessDenied", 403):
        s3.delete_object(Bucket=locked, Key=key, VersionId=first)


def test_unset(s3, locked, bucket, key):
    put(s3, locked, key)
    with error("NoSuchObjectLockConfiguration", 404):
        s3.get_object_retention(Bucket=locked, Key=key)
    with error("NoSuchObjectLockConfiguration", 404):
        s3.get_object_legal_hold(Bucket=locked, Key=key)
    with error("NoSuchKey", 404):
        s3.get_object_retention(Bucket=locked, Key="absent")
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for ask in (
        lambda: s3.get_object_retention(Bucket=bucket, Key=key),
        lambda: s3.get_object_legal_hold(Bucket=bucket, Key=key),
        lambda: retain(s3, bucket, key, "GOVERNANCE", later()),
        lambda: s3.put_object_legal_hold(Bucket=bucket, Key=key, LegalHold={"Status": "ON"}),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later()),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x", ObjectLockLegalHoldStatus="ON"),
    ):
        with error("InvalidRequest", 400):
            ask()


def test_wrong_retentions(s3, locked, key):
    put(s3, locked, key)
    with error("InvalidArgument", 400):
        retain(s3, locked, key, "GOVERNANCE", later(days=-1))
    for mode in ("governance", "abc"):
        with error("MalformedXML", 400):
            retain(s3, locked, key, mode, later())
    with error("InvalidArgument", 400):
        s3.put_object(Bucket=locked, Key=key, Body=b"x", ObjectLockRetainUntilDate=later())
    with error("InvalidArgument", 400):
        s3.put_object(Bucket=locked, Key=key, Body=b"x", ObjectLockMode="GOVERNANCE")
    with error("InvalidArgument", 400):
        s3.put_object(Bucket=locked, Key=key, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(days=-1))
    with error("InvalidArgument", 400):
        s3.put_object(Bucket=locked, Key=key, Body=b"x", ObjectLockMode="abc", ObjectLockRetainUntilDate=later())
    assert len(s3.list_object_versions(Bucket=locked, Prefix=key)["Versions"]) == 1


def test_many_deletes_at_once(s3, locked, key):
    held = put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    free = put(s3, locked, key)
    objects = [{"Key": key, "VersionId": v} for v in (held, free)]
    done = s3.delete_objects(Bucket=locked, Delete={"Objects": objects})
    assert [d["VersionId"] for d in done["Deleted"]] == [free]
    assert [(e["VersionId"], e["Code"]) for e in done["Errors"]] == [(held, "AccessDenied")]
    done = s3.delete_objects(Bucket=locked, Delete={"Objects": objects[:1]}, BypassGovernanceRetention=True)
    assert [d["VersionId"] for d in done["Deleted"]] == [held]


def test_a_bypass_is_a_right_of_its_own(server, s3, locked, key, make_user):
    objects = f"arn:aws:s3:::{locked}/{key}"
    plain = client(server, make_user(allow(["s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:GetObjectRetention"], objects)))
    may = client(server, make_user(allow(["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], objects)))
    version = put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(days=2))
    with error("AccessDenied", 403):
        plain.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)
    with error("AccessDenied", 403):
        retain(plain, locked, key, "GOVERNANCE", later(), BypassGovernanceRetention=True)
    retain(plain, locked, key, "GOVERNANCE", later(days=3))
    with error("AccessDenied", 403):
        plain.put_object_legal_hold(Bucket=locked, Key=key, LegalHold={"Status": "ON"})
    with error("AccessDenied", 403):
        may.delete_object(Bucket=locked, Key=key, VersionId=version)
    may.delete_object(Bucket=locked, Key=key, VersionId=version, BypassGovernanceRetention=True)


def test_to_lock_on_a_put_is_a_right_of_its_own(server, s3, locked, key, make_user):
    writer = client(server, make_user(allow("s3:PutObject", f"arn:aws:s3:::{locked}/{key}")))
    with error("AccessDenied", 403):
        put(writer, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    with error("AccessDenied", 403):
        put(writer, locked, key, ObjectLockLegalHoldStatus="ON")
    put(writer, locked, key)


def test_what_is_locked_is_told_to_who_may_know(server, s3, locked, key, make_user):
    put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(), ObjectLockLegalHoldStatus="ON")
    objects = f"arn:aws:s3:::{locked}/{key}"
    reader = client(server, make_user(allow("s3:GetObject", objects)))
    head = reader.head_object(Bucket=locked, Key=key)
    assert "ObjectLockMode" not in head and "ObjectLockLegalHoldStatus" not in head
    knows = client(server, make_user(allow(["s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"], objects)))
    head = knows.head_object(Bucket=locked, Key=key)
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")


def test_a_copy_does_not_bring_its_lock(s3, locked, key):
    put(s3, locked, key, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(), ObjectLockLegalHoldStatus="ON")
    s3.copy_object(Bucket=locked, Key=f"{key}-copy", CopySource=f"{locked}/{key}")
    head = s3.head_object(Bucket=locked, Key=f"{key}-copy")
    assert "ObjectLockMode" not in head and head.get("ObjectLockLegalHoldStatus", "OFF") == "OFF"
    s3.copy_object(
        Bucket=locked, Key=f"{key}-held", CopySource=f"{locked}/{key}", ObjectLockLegalHoldStatus="ON", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=later())
    head = s3.head_object(Bucket=locked, Key=f"{key}-held")
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("COMPLIANCE", "ON")
