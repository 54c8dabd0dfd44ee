"""Copies, by boto3."""

import datetime
import os

import pytest

from conftest import allow, client
from expect import error
from server import unique

MIB = 1 << 20


@pytest.fixture
def source(s3, bucket):
    data = os.urandom(20_000)
    s3.put_object(Bucket=bucket, Key="src", Body=data, Metadata={"m": "1"}, ContentType="text/a", CacheControl="no-store")
    return bucket, data


def test_data_and_metadata_come_along(s3, source):
    bucket, data = source
    done = s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src")
    got = s3.get_object(Bucket=bucket, Key="dst")
    assert got["Body"].read() == data
    assert (got["Metadata"], got["ContentType"], got["CacheControl"]) == ({"m": "1"}, "text/a", "no-store")
    assert done["CopyObjectResult"]["ETag"] == got["ETag"]
    assert done["CopyObjectResult"]["LastModified"].replace(microsecond=0) == got["LastModified"]


def test_metadata_replaced(s3, source):
    bucket, data = source
    s3.copy_object(
        Bucket=bucket, Key="dst", CopySource=f"/{bucket}/src", MetadataDirective="REPLACE", Metadata={"n": "2"}, ContentType="text/b"
    )
    got = s3.get_object(Bucket=bucket, Key="dst")
    assert got["Body"].read() == data
    assert (got["Metadata"], got["ContentType"]) == ({"n": "2"}, "text/b") and "CacheControl" not in got


def test_onto_itself(s3, source):
    bucket, data = source
    with error("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="src", CopySource=f"{bucket}/src")
    s3.copy_object(Bucket=bucket, Key="src", CopySource=f"{bucket}/src", MetadataDirective="REPLACE", Metadata={"new": "yes"})
    got = s3.get_object(Bucket=bucket, Key="src")
    assert (got["Body"].read(), got["Metadata"]) == (data, {"new": "yes"})


def test_the_copy_is_its_own(s3, source):
    bucket, data = source
    s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src")
    s3.put_object(Bucket=bucket, Key="src", Body=b"changed")
    s3.delete_object(Bucket=bucket, Key="src")
    assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == data


def test_to_another_bucket(s3, source):
    bucket, data = source
    other = unique("other")
    s3.create_bucket(Bucket=other)
    s3.copy_object(Bucket=other, Key="ü/dst", CopySource={"Bucket": bucket, "Key": "src"})
    assert s3.get_object(Bucket=other, Key="ü/dst")["Body"].read() == data


def test_conditions_on_the_source(s3, source):
    bucket, _ = source
    head = s3.head_object(Bucket=bucket, Key="src")
    hour = datetime.timedelta(hours=1)
    good = [{"CopySourceIfMatch": head["ETag"]}, {"CopySourceIfNoneMatch": '"x"'},
            {"CopySourceIfModifiedSince": head["LastModified"] - hour}, {"CopySourceIfUnmodifiedSince": head["LastModified"] + hour}]
    for condition in good:
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src", **condition)
        s3.delete_object(Bucket=bucket, Key="dst")
    bad = [{"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": head["ETag"]},
           {"CopySourceIfModifiedSince": head["LastModified"]}, {"CopySourceIfUnmodifiedSince": head["LastModified"] - hour}]
    for condition in bad:
        with error("PreconditionFailed", 412):
            s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src", **condition)
        with error("404"):
            s3.head_object(Bucket=bucket, Key="dst")


def test_conditions_on_the_destination(s3, source):
    bucket, data = source
    s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src", IfNoneMatch="*")
    with error("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == data


def test_sources_that_are_not(s3, source):
    bucket, _ = source
    with error("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/absent")
    with error("NoSuchBucket", 404):
        s3.copy_object(Bucket=bucket, Key="dst", CopySource="no-such-bucket-here/k")
    with error("InvalidArgument", 400):
        s3.copy_object(Bucket=bucket, Key="dst", CopySource="nonsense")
    with error("404"):
        s3.head_object(Bucket=bucket, Key="dst")


def test_large(s3, bucket):
    data = os.urandom(12 * MIB + 5)
    s3.put_object(Bucket=bucket, Key="src", Body=data, ChecksumAlgorithm="SHA256")
    done = s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src")
    got = s3.get_object(Bucket=bucket, Key="dst", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert done["CopyObjectResult"]["ChecksumSHA256"] == got["ChecksumSHA256"]
    changed = s3.copy_object(Bucket=bucket, Key="dst2", CopySource=f"{bucket}/src", ChecksumAlgorithm="CRC32C")
    assert changed["CopyObjectResult"]["ChecksumCRC32C"]
    assert s3.get_object(Bucket=bucket, Key="dst2", ChecksumMode="ENABLED")["Body"].read() == data


def test_needs_the_right_to_read_and_to_write(server, s3, source, make_user):
    bucket, data = source
    both = client(server, make_user(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")))
    writer = client(server, make_user(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*")))
    reader = client(server, make_user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")))
    both.copy_object(Bucket=bucket, Key="by-both", CopySource=f"{bucket}/src")
    assert s3.get_object(Bucket=bucket, Key="by-both")["Body"].read() == data
    for half in (writer, reader):
        with error("AccessDenied", 403):
            half.copy_object(Bucket=bucket, Key="by-half", CopySource=f"{bucket}/src")
        with error("404"):
            s3.head_object(Bucket=bucket, Key="by-half")
