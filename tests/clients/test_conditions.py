"""Conditions on every operation that has them."""

import concurrent.futures
import datetime

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error

OTHER = '"00000000000000000000000000000000"'


@pytest.fixture(params=[False, True], ids=["plain", "versioned"])
def either(s3, bucket, request) -> str:
    """A bucket without and with versions: conditions are about what is current in both."""
    if request.param:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def body(s3, bucket: str, key: str = "k") -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_deletes(s3, either):
    tag = s3.put_object(Bucket=either, Key="k", Body=b"1")["ETag"]
    with error("PreconditionFailed", 412):
        s3.delete_object(Bucket=either, Key="k", IfMatch=OTHER)
    assert body(s3, either) == b"1"
    s3.delete_object(Bucket=either, Key="k", IfMatch=tag)
    with error("NoSuchKey", 404):
        s3.get_object(Bucket=either, Key="k")
    s3.put_object(Bucket=either, Key="k", Body=b"2")
    s3.delete_object(Bucket=either, Key="k", IfMatch="*")
    with error("NoSuchKey", 404):
        s3.get_object(Bucket=either, Key="k")
    for condition in (tag, "*"):
        with pytest.raises(ClientError) as caught:
            s3.delete_object(Bucket=either, Key="k", IfMatch=condition)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 412), condition


def test_many_deletes(s3, either):
    tags = {key: s3.put_object(Bucket=either, Key=key, Body=key.encode())["ETag"] for key in ("a", "b", "c")}
    done = s3.delete_objects(Bucket=either, Delete={"Objects": [
        {"Key": "a", "ETag": tags["a"]}, {"Key": "b", "ETag": OTHER}, {"Key": "c", "ETag": tags["c"].strip(chr(34))},
    ]})
    assert sorted(d["Key"] for d in done["Deleted"]) == ["a", "c"]
    assert [(e["Key"], e["Code"]) for e in done["Errors"]] == [("b", "PreconditionFailed")]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=either)["Contents"]] == ["b"]


def test_copies_onto_something(s3, either):
    s3.put_object(Bucket=either, Key="src", Body=b"source")
    names = {"Bucket": either, "Key": "dst", "CopySource": f"{either}/src"}
    with error("NoSuchKey", 404):
        s3.copy_object(**names, IfMatch=OTHER)
    s3.copy_object(**names, IfNoneMatch="*")
    tag = s3.head_object(Bucket=either, Key="dst")["ETag"]
    for wrong in ({"IfNoneMatch": "*"}, {"IfMatch": OTHER}):
        with error("PreconditionFailed", 412):
            s3.copy_object(**names, **wrong)
    s3.put_object(Bucket=either, Key="src", Body=b"changed")
    s3.copy_object(**names, IfMatch=tag)
    assert body(s3, either, "dst") == b"changed"


def test_two_conditions_on_a_source(s3, either):
    """AWS: a matching If-Match makes an If-Unmodified-Since that fails irrelevant; If-None-Match wins over If-Modified-Since."""
    s3.put_object(Bucket=either, Key="src", Body=b"source")
    head = s3.head_object(Bucket=either, Key="src")
    before, after = (head["LastModified"] + datetime.timedelta(days=d) for d in (-1, 1))
    names = {"Bucket": either, "Key": "dst", "CopySource": f"{either}/src"}
    s3.copy_object(**names, CopySourceIfMatch=head["ETag"], CopySourceIfUnmodifiedSince=before)
    with error("PreconditionFailed", 412):
        s3.copy_object(**names, CopySourceIfNoneMatch=head["ETag"], CopySourceIfModifiedSince=before)
    with error("PreconditionFailed", 412):
        s3.copy_object(**names, CopySourceIfMatch=OTHER, CopySourceIfUnmodifiedSince=after)


def test_completions(s3, either):
    def upload() -> dict:
        made = s3.create_multipart_upload(Bucket=either, Key="k")["UploadId"]
        tag = s3.upload_part(Bucket=either, Key="k", UploadId=made, PartNumber=1, Body=b"part")["ETag"]
        return {"Bucket": either, "Key": "k", "UploadId": made, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}

    with error("NoSuchKey", 404):
        s3.complete_multipart_upload(**upload(), IfMatch=OTHER)
    first = upload()
    tag = s3.complete_multipart_upload(**first, IfNoneMatch="*")["ETag"]
    second = upload()
    for wrong in ({"IfNoneMatch": "*"}, {"IfMatch": OTHER}):
        with error("PreconditionFailed", 412):
            s3.complete_multipart_upload(**second, **wrong)
    s3.complete_multipart_upload(**second, IfMatch=tag)
    assert body(s3, either) == b"part"


def test_reads_by_part_and_range_hold_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", IfMatch=tag)["Body"].read() == b"01"
    with error("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", IfMatch=OTHER)
    with error("304", 304):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", IfNoneMatch=tag)
    with error("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=50-60", IfMatch=OTHER)


def test_a_match_needs_the_right_to_read(server, s3, bucket, make_user):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    blind = client(server, make_user(allow(["s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{bucket}/*")))
    with error("AccessDenied", 403):
        blind.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)
    with error("AccessDenied", 403):
        blind.delete_object(Bucket=bucket, Key="k", IfMatch=tag)
    with error("PreconditionFailed", 412):
        blind.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert body(s3, bucket) == b"1"


@pytest.mark.parametrize("versioned", [False, True])
def test_of_many_deletes_that_match_one_wins(server, s3, bucket, versioned):
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    many = client(server, retries={"max_attempts": 0})
    for _ in range(3):
        tag = many.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]

        def delete(_: int, tag: str = tag) -> bool:
            try:
                many.delete_object(Bucket=bucket, Key="k", IfMatch=tag)
            except ClientError as e:
                assert e.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 409, 412), e.response
                return False
            return True

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(delete, range(16))) == 1


def test_create_or_replace_is_one_step(server, s3, bucket):
    """Counters raised by compare and swap in a bucket with versions: one version for each step."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    many = client(server, retries={"max_attempts": 0})
    many.put_object(Bucket=bucket, Key="n", Body=b"0")

    def raise_it(_: int) -> None:
        for _ in range(500):
            got = many.get_object(Bucket=bucket, Key="n")
            value = int(got["Body"].read()) + 1
            try:
                many.put_object(Bucket=bucket, Key="n", Body=b"%d" % value, IfMatch=got["ETag"])
                return
            except ClientError as e:
                assert e.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
        raise AssertionError("never won")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(raise_it, range(24)))
    assert body(s3, bucket, "n") == b"24"
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 25
