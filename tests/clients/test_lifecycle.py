"""Lifecycle: what rules say happens by itself. A day is one second here (`--lifecycle-day 1s`)."""

import time

import pytest
from botocore.exceptions import ClientError

from server import Server
from test_events import client, until


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("lifecycle"), "--lifecycle-day", "1s")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(short):
    return client(short)


def rules(s3, bucket, *all_rules):
    whole = [{"ID": f"r{n}", "Status": "Enabled", **rule} for n, rule in enumerate(all_rules)]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": whole})


def keys(s3, bucket):
    return [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def versions(s3, bucket):
    found = s3.list_object_versions(Bucket=bucket)
    of = lambda name: [(o["Key"], o["VersionId"]) for o in found.get(name, [])]
    return of("Versions"), of("DeleteMarkers")


def test_objects_expire_by_prefix_size_and_tag(s3):
    s3.create_bucket(Bucket="expire")
    s3.put_object(Bucket="expire", Key="logs/a", Body=b"x")
    s3.put_object(Bucket="expire", Key="big", Body=b"x" * 1000)
    s3.put_object(Bucket="expire", Key="tagged", Body=b"x", Tagging="k=v&l=w")
    s3.put_object(Bucket="expire", Key="stays", Body=b"x", Tagging="k=other")
    rules(
        s3, "expire",
        {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
        {"Filter": {"ObjectSizeGreaterThan": 500}, "Expiration": {"Days": 1}},
        {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
    )
    until(lambda: keys(s3, "expire") == ["stays"], lambda: str(keys(s3, "expire")))


def test_a_date_in_the_past_expires_at_once_and_disabled_rules_do_nothing(s3):
    s3.create_bucket(Bucket="dates")
    s3.put_object(Bucket="dates", Key="old/a", Body=b"x")
    s3.put_object(Bucket="dates", Key="kept/a", Body=b"x")
    rules(
        s3, "dates",
        {"Filter": {"Prefix": "old/"}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}},
        {"Filter": {"Prefix": "kept/"}, "Expiration": {"Days": 1}, "Status": "Disabled"},
    )
    until(lambda: keys(s3, "dates") == ["kept/a"])
    time.sleep(2)
    assert keys(s3, "dates") == ["kept/a"]


def test_versions_markers_and_what_is_left_go(s3):
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for n in range(5):
        s3.put_object(Bucket="versions", Key="many", Body=b"%d" % n)
    s3.put_object(Bucket="versions", Key="gone", Body=b"x")
    s3.delete_object(Bucket="versions", Key="gone")
    rules(
        s3, "versions",
        {
            "Filter": {"Prefix": "many"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
        },
        {
            "Filter": {"Prefix": "gone"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    )
    until(lambda: len(versions(s3, "versions")[0]) == 3 and not versions(s3, "versions")[1])
    assert s3.get_object(Bucket="versions", Key="many")["Body"].read() == b"4"


def test_a_current_version_expires_by_a_marker(s3):
    s3.create_bucket(Bucket="markers")
    s3.put_bucket_versioning(Bucket="markers", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="markers", Key="k", Body=b"x")["VersionId"]
    rules(s3, "markers", {"Filter": {}, "Expiration": {"Days": 1}})
    until(lambda: len(versions(s3, "markers")[1]) == 1)
    assert versions(s3, "markers")[0] == [("k", version)]
    time.sleep(2)
    assert len(versions(s3, "markers")[1]) == 1, "a marker that hides a version stays, and gets no marker itself"


def test_a_lock_keeps_a_version_from_expiring(s3):
    s3.create_bucket(Bucket="locked-things", ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket="locked-things", Key="k", Body=b"1", ObjectLockLegalHoldStatus="ON")
    s3.put_object(Bucket="locked-things", Key="k", Body=b"2")
    rules(s3, "locked-things", {"Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    time.sleep(4)
    assert len(versions(s3, "locked-things")[0]) == 2


def test_uploads_that_are_not_completed_are_aborted(s3):
    s3.create_bucket(Bucket="uploads")
    upload = s3.create_multipart_upload(Bucket="uploads", Key="up/a")["UploadId"]
    s3.upload_part(Bucket="uploads", Key="up/a", UploadId=upload, PartNumber=1, Body=b"x")
    s3.create_multipart_upload(Bucket="uploads", Key="stays")
    rules(
        s3, "uploads",
        {"Filter": {"Prefix": "up/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    )
    listed = lambda: [u["Key"] for u in s3.list_multipart_uploads(Bucket="uploads").get("Uploads", [])]
    until(lambda: listed() == ["stays"], lambda: str(listed()))


def test_objects_change_their_class(s3):
    s3.create_bucket(Bucket="classes")
    s3.put_object(Bucket="classes", Key="big", Body=b"x" * (200 * 1024))
    s3.put_object(Bucket="classes", Key="small", Body=b"x")
    rules(s3, "classes", {"Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}]})
    of = lambda key: s3.head_object(Bucket="classes", Key=key).get("StorageClass")
    until(lambda: of("big") == "GLACIER_IR")
    assert of("small") is None
    assert len(s3.get_object(Bucket="classes", Key="big")["Body"].read()) == 200 * 1024


def test_runs_are_seen_recorded_and_asked_for(short, s3):
    s3.create_bucket(Bucket="seen")
    s3.put_object(Bucket="seen", Key="k", Body=b"x")
    rules(s3, "seen", {"Filter": {}, "Expiration": {"Days": 1}})
    until(lambda: keys(s3, "seen") == [])
    assert "lifecycle" in short.command("work", "list")
    assert "system:lifecycle" in short.command("audit", "list", "--principal", "system:lifecycle")
    short.command("work", "start", "lifecycle", "seen")
    short.command("work", "cancel", "0000000000000000", code=3)


def test_only_who_may_sees_runs(short):
    from test_events import client as root_client

    s3 = root_client(short)
    with pytest.raises(ClientError):
        s3.get_bucket_lifecycle_configuration(Bucket="no-such-bucket-at-all")
