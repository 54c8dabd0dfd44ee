"""Restoring objects of the classes that S3 calls archives."""

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error


@pytest.mark.parametrize("name", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archive_is_restored(s3, bucket, name):
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", StorageClass=name)
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="k")
    request = {"Days": 2, "GlacierJobParameters": {"Tier": "Standard"}}
    first = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=request)
    assert first["ResponseMetadata"]["HTTPStatusCode"] == 202
    again = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=request)
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    restore = s3.head_object(Bucket=bucket, Key="k")["Restore"]
    assert restore.startswith('ongoing-request="false", expiry-date="') and restore.endswith('00:00:00 GMT"')
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"data" and got["Restore"] == restore


def test_lists_tell_how_far_it_is(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("asked", "cold"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"data", StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="plain", Body=b"data")
    s3.restore_object(Bucket=bucket, Key="asked", RestoreRequest={"Days": 1})
    for ask, rows in ((s3.list_objects, "Contents"), (s3.list_objects_v2, "Contents"), (s3.list_object_versions, "Versions")):
        told = {row["Key"]: row.get("RestoreStatus") for row in ask(Bucket=bucket, OptionalObjectAttributes=["RestoreStatus"])[rows]}
        assert told["cold"] is None and told["plain"] is None
        assert told["asked"]["IsRestoreInProgress"] is False and told["asked"]["RestoreExpiryDate"].hour == 0
        assert not any("RestoreStatus" in row for row in ask(Bucket=bucket)[rows])
        with error("InvalidArgument", 400):
            ask(Bucket=bucket, OptionalObjectAttributes=["Other"])


def test_what_is_no_restore(server, s3, bucket, make_user):
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    with error("InvalidObjectState", 403):
        s3.restore_object(Bucket=bucket, Key="plain", RestoreRequest={"Days": 1})
    for wrong in ({}, {"Days": 0}, {"Days": 1, "GlacierJobParameters": {"Tier": "Slow"}}):
        with pytest.raises(ClientError) as caught:
            s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=wrong)
        assert caught.value.response["Error"]["Code"] in ("MalformedXML", "InvalidArgument"), wrong
    with error("NoSuchKey", 404):
        s3.restore_object(Bucket=bucket, Key="absent", RestoreRequest={"Days": 1})
    reader = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")))
    with error("AccessDenied", 403):
        reader.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
