"""Edges of uploads in parts, and of listings."""

import base64
import hashlib
import os
import zlib

import pytest
from botocore.exceptions import ClientError

from expect import error
from server import unique
from sigv4 import send

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture(scope="module")
def shared(s3) -> str:
    name = unique("edges")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def upload(s3, shared):
    key = unique("k")
    names = {"Bucket": shared, "Key": key, "UploadId": s3.create_multipart_upload(Bucket=shared, Key=key)["UploadId"]}
    yield names
    try:
        s3.abort_multipart_upload(**names)
    except ClientError as e:
        assert e.response["Error"]["Code"] == "NoSuchUpload"


def test_an_empty_only_part(s3, upload):
    tag = s3.upload_part(**upload, PartNumber=1, Body=b"")["ETag"]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert done["ETag"] == f'"{hashlib.md5(hashlib.md5(b"").digest()).hexdigest()}-1"'
    assert s3.head_object(Bucket=upload["Bucket"], Key=upload["Key"])["ContentLength"] == 0


def test_the_checksum_of_a_part_is_repeated(s3, upload):
    """Also where the upload keeps another kind: this client states a CRC32 by itself."""
    stated = base64.b64encode(zlib.crc32(b"part").to_bytes(4, "big")).decode()
    assert s3.upload_part(**upload, PartNumber=1, Body=b"part")["ChecksumCRC32"] == stated


def test_tags_with_and_without_quotes(s3, upload):
    tag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"].strip('"')
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})


def test_too_small_in_the_middle_says_which(server, s3, upload, root):
    tags = [s3.upload_part(**upload, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)]
    body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{t}</ETag></Part>" for n, t in enumerate(tags, 1))
    answer = send(server, root.request("POST", f"/{upload['Bucket']}/{upload['Key']}", f"uploadId={upload['UploadId']}",
                                       body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()))
    assert (answer.status, answer.code) == (400, "EntityTooSmall"), answer


@pytest.mark.parametrize("body", [b"", b"<x/>", b"<CompleteMultipartUpload/>", b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
                                  b"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"], ids=range(5))
def test_completions_that_are_no_documents(server, s3, upload, root, body):
    answer = send(server, root.request("POST", f"/{upload['Bucket']}/{upload['Key']}", f"uploadId={upload['UploadId']}", body=body))
    assert answer.status == 400 and answer.code in ("MalformedXML", "InvalidRequest", "MissingRequestBodyError"), answer


def test_a_completion_that_checks_the_size(s3, upload):
    tag = s3.upload_part(**upload, PartNumber=1, Body=b"12345")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    with error("InvalidRequest", 400):
        s3.complete_multipart_upload(**upload, MultipartUpload=parts, MpuObjectSize=6)
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, MpuObjectSize=5)


def test_copies_of_parts_at_the_edge(s3, shared, upload):
    s3.put_object(Bucket=shared, Key="src", Body=b"0123456789")
    done = s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{shared}/src", CopySourceRange="bytes=9-9")
    assert done["CopyPartResult"]["ETag"] == f'"{hashlib.md5(b"9").hexdigest()}"'
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{shared}/src", CopySourceRange="bytes=9-10")
    assert caught.value.response["Error"]["Code"] in ("InvalidRange", "InvalidArgument", "InvalidRequest")
    with error("NoSuchKey", 404):
        s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{shared}/absent")
    s3.put_object(Bucket=shared, Key="nothing", Body=b"")
    empty = s3.upload_part_copy(**upload, PartNumber=2, CopySource=f"{shared}/nothing")
    assert empty["CopyPartResult"]["ETag"] == f'"{hashlib.md5(b"").hexdigest()}"'


def test_listed_parts_tell_of_the_upload(s3, shared):
    made = s3.create_multipart_upload(Bucket=shared, Key="told", StorageClass="STANDARD_IA", ChecksumAlgorithm="CRC32C")
    names = {"Bucket": shared, "Key": "told", "UploadId": made["UploadId"]}
    s3.upload_part(**names, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32C")
    page = s3.list_parts(**names)
    assert (page["StorageClass"], page["ChecksumAlgorithm"], page["ChecksumType"]) == ("STANDARD_IA", "CRC32C", "COMPOSITE")
    assert page["Owner"]["ID"] and page["Initiator"]["ID"]
    assert (page["MaxParts"], page["PartNumberMarker"], page["IsTruncated"]) == (1000, 0, False)
    listed = [u for u in s3.list_multipart_uploads(Bucket=shared)["Uploads"] if u["Key"] == "told"]
    assert [(u["UploadId"], u["StorageClass"], u["ChecksumAlgorithm"]) for u in listed] == [(made["UploadId"], "STANDARD_IA", "CRC32C")]
    s3.abort_multipart_upload(**names)


def test_an_upload_is_of_its_bucket(s3, bucket, upload):
    names = {**upload, "Bucket": bucket}
    for ask in (
        lambda: s3.upload_part(**names, PartNumber=1, Body=b"x"), lambda: s3.list_parts(**names), lambda: s3.abort_multipart_upload(**names),
    ):
        with error("NoSuchUpload", 404):
            ask()


def test_two_uploads_of_a_key_the_last_completed_wins(s3, shared):
    ids = [s3.create_multipart_upload(Bucket=shared, Key="two")["UploadId"] for _ in range(2)]
    done = []
    for n, upload in enumerate(ids):
        tag = s3.upload_part(Bucket=shared, Key="two", UploadId=upload, PartNumber=1, Body=b"%d" % n)["ETag"]
        done.append({"Bucket": shared, "Key": "two", "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}})
    for last in (1, 0):
        s3.complete_multipart_upload(**done[last])
        assert s3.get_object(Bucket=shared, Key="two")["Body"].read() == b"%d" % last


def test_ten_thousand_and_more(s3, upload):
    with error("InvalidArgument", 400):
        s3.upload_part(**upload, PartNumber=10001, Body=b"x")
    s3.upload_part(**upload, PartNumber=10000, Body=b"x")


def test_metadata_and_parts_of_a_copy(s3, shared):
    """A copy of an object in parts is one part again, with a plain ETag."""
    data = os.urandom(PART + 3)
    made = s3.create_multipart_upload(Bucket=shared, Key="many", Metadata={"a": "b"})["UploadId"]
    names = {"Bucket": shared, "Key": "many", "UploadId": made}
    tags = [s3.upload_part(**names, PartNumber=n, Body=b)["ETag"] for n, b in ((1, data[:PART]), (2, data[PART:]))]
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]})
    s3.copy_object(Bucket=shared, Key="one", CopySource=f"{shared}/many")
    head = s3.head_object(Bucket=shared, Key="one")
    assert head["ETag"] == f'"{hashlib.md5(data).hexdigest()}"' and head["Metadata"] == {"a": "b"}


def test_a_listing_s_arguments(s3, shared):
    for ask in (s3.list_objects, s3.list_objects_v2):
        for size in (5000, 1001):
            assert ask(Bucket=shared, MaxKeys=size)["MaxKeys"] == 1000
        with error("InvalidArgument", 400):
            ask(Bucket=shared, MaxKeys=-1)
    page = s3.list_objects_v2(Bucket=shared, Prefix="none/", Delimiter="", StartAfter="")
    assert page["KeyCount"] == 0 and "Contents" not in page and page["Prefix"] == "none/"


@pytest.mark.parametrize("query", [
    "list-type=2&max-keys=many", "max-keys=many", "list-type=2&encoding-type=base64", "list-type=2&continuation-token=", "uploads=&max-uploads=many",
    "versions=&max-keys=-1", "versions=&encoding-type=none", "list-type=3&max-keys=x",
])
def test_listings_that_are_wrong(server, shared, root, query):
    answer = send(server, root.request("GET", f"/{shared}", query))
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


@pytest.mark.parametrize("delimiter", ["/", "ü", "%", "ab", " ", "//", "\t"])
def test_delimiters_of_any_kind(s3, bucket, delimiter):
    keys = [f"a{delimiter}1", f"a{delimiter}2", "b", f"c{delimiter}{delimiter}d", delimiter]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for ask in (s3.list_objects, s3.list_objects_v2):
        page = ask(Bucket=bucket, Delimiter=delimiter)
        assert [o["Key"] for o in page["Contents"]] == ["b"]
        wanted = sorted({f"a{delimiter}", f"c{delimiter}", delimiter}, key=str.encode)
        assert [p["Prefix"] for p in page["CommonPrefixes"]] == wanted
        assert page["Delimiter"] == delimiter


def test_buckets_in_pages(s3):
    stem = unique("page")
    names = [f"{stem}-{n}" for n in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    found, more = [], {}
    for _ in range(6):
        page = s3.list_buckets(Prefix=stem, MaxBuckets=2, **more)
        found += [b["Name"] for b in page["Buckets"]]
        assert page["Prefix"] == stem and len(page["Buckets"]) <= 2
        if "ContinuationToken" not in page:
            break
        more = {"ContinuationToken": page["ContinuationToken"]}
    assert found == names
    assert [b["BucketRegion"] for b in s3.list_buckets(Prefix=stem, MaxBuckets=1)["Buckets"]] == ["us-east-1"]
    assert s3.list_buckets(Prefix=stem, BucketRegion="eu-west-9").get("Buckets", []) == []
