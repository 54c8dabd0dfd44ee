"""What is known of an object: attributes, headers that come back, storage classes, checksums on read."""

import base64
import datetime
import hashlib
import os
import zlib

import pytest
from botocore.exceptions import ClientError

from conftest import allow, client
from expect import error
from server import unique
from sigv4 import send

PART = 5 << 20
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.fixture(scope="module")
def shared(s3) -> str:
    name = unique("attributes")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def in_parts(s3, shared):
    """An object of three parts, each with its SHA-256."""
    data = [os.urandom(PART), os.urandom(PART), b"end"]
    made = s3.create_multipart_upload(Bucket=shared, Key="parts", ChecksumAlgorithm="SHA256")
    names = {"Bucket": shared, "Key": "parts", "UploadId": made["UploadId"]}
    parts = []
    for number, body in enumerate(data, 1):
        done = s3.upload_part(**names, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]})
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    return data, parts


def test_of_a_plain_object(s3, shared):
    put = s3.put_object(Bucket=shared, Key="plain", Body=b"data", ChecksumAlgorithm="CRC32")
    got = s3.get_object_attributes(Bucket=shared, Key="plain", ObjectAttributes=ALL)
    assert got["ETag"] == put["ETag"].strip('"'), "without quotes, as AWS does here"
    assert got["Checksum"] == {"ChecksumCRC32": crc32(b"data"), "ChecksumType": "FULL_OBJECT"}
    assert (got["ObjectSize"], got["StorageClass"]) == (4, "STANDARD")
    assert "ObjectParts" not in got
    head = s3.head_object(Bucket=shared, Key="plain")
    assert got["LastModified"] == head["LastModified"]


@pytest.mark.parametrize("asked", ALL)
def test_only_what_is_asked(s3, shared, in_parts, asked):
    got = s3.get_object_attributes(Bucket=shared, Key="parts", ObjectAttributes=[asked])
    assert [a for a in ALL if a in got] == [asked]


def test_parts_in_pages(s3, shared, in_parts):
    data, parts = in_parts
    whole = s3.get_object_attributes(Bucket=shared, Key="parts", ObjectAttributes=ALL)
    assert whole["ObjectParts"]["TotalPartsCount"] == 3 and whole["ObjectParts"]["IsTruncated"] is False
    wanted = [(p["PartNumber"], len(d), p["ChecksumSHA256"]) for p, d in zip(parts, data, strict=True)]
    assert [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in whole["ObjectParts"]["Parts"]] == wanted
    assert whole["Checksum"]["ChecksumType"] == "COMPOSITE"
    found, marker = [], 0
    for _ in range(4):
        page = s3.get_object_attributes(Bucket=shared, Key="parts", ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=marker)["ObjectParts"]
        found += [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in page.get("Parts", [])]
        assert (page["MaxParts"], page["PartNumberMarker"]) == (1, marker)
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert found == wanted


def test_of_versions_and_of_nothing(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    got = s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (got["ObjectSize"], got["VersionId"]) == (1, first)
    with error("NoSuchKey", 404):
        s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    with error("MethodNotAllowed", 405):
        s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=marker, ObjectAttributes=["ObjectSize"])


def test_attributes_that_are_none(server, shared, root, in_parts):
    for headers in ([], [("x-amz-object-attributes", "Colour")], [("x-amz-object-attributes", "")]):
        answer = send(server, root.request("GET", f"/{shared}/parts", "attributes=", headers))
        assert (answer.status, answer.code) == (400, "InvalidArgument"), (headers, answer)


def test_parts_read_by_number(s3, shared, in_parts):
    data, parts = in_parts
    for number, body in enumerate(data, 1):
        got = s3.get_object(Bucket=shared, Key="parts", PartNumber=number, ChecksumMode="ENABLED")
        assert got["Body"].read() == body and got["PartsCount"] == 3
        assert s3.head_object(Bucket=shared, Key="parts", PartNumber=number)["ContentLength"] == len(body)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=shared, Key="parts", PartNumber=1, Range="bytes=0-1")
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
    for number in (0, 10001, -1):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=shared, Key="parts", PartNumber=number)
        assert caught.value.response["Error"]["Code"] == "InvalidArgument"
    with error("InvalidPartNumber", 416):
        s3.get_object(Bucket=shared, Key="parts", PartNumber=4)


def test_a_plain_object_is_one_part(s3, shared):
    s3.put_object(Bucket=shared, Key="one", Body=b"data")
    got = s3.get_object(Bucket=shared, Key="one", PartNumber=1)
    assert got["Body"].read() == b"data" and "PartsCount" not in got
    with error("InvalidPartNumber", 416):
        s3.get_object(Bucket=shared, Key="one", PartNumber=2)


@pytest.mark.parametrize("name", [
    "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "GLACIER_IR",
])
def test_storage_classes(s3, shared, name):
    s3.put_object(Bucket=shared, Key=f"class/{name}", Body=b"x", StorageClass=name)
    assert s3.head_object(Bucket=shared, Key=f"class/{name}")["StorageClass"] == name
    assert s3.get_object(Bucket=shared, Key=f"class/{name}")["StorageClass"] == name
    assert s3.list_objects_v2(Bucket=shared, Prefix=f"class/{name}")["Contents"][0]["StorageClass"] == name
    s3.copy_object(Bucket=shared, Key="class/copy", CopySource=f"{shared}/class/{name}")
    assert "StorageClass" not in s3.head_object(Bucket=shared, Key="class/copy"), "a copy is STANDARD unless it says"
    s3.copy_object(Bucket=shared, Key="class/self", CopySource=f"{shared}/class/copy", StorageClass=name)
    s3.copy_object(Bucket=shared, Key="class/self", CopySource=f"{shared}/class/self", StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=shared, Key="class/self")


def test_storage_classes_that_are_none(s3, shared):
    with error("InvalidStorageClass", 400):
        s3.put_object(Bucket=shared, Key="class/none", Body=b"x", StorageClass="CELLAR")
    with error("InvalidStorageClass", 400):
        s3.create_multipart_upload(Bucket=shared, Key="class/none", StorageClass="CELLAR")


def test_headers_come_back(server, s3, shared, root):
    """As they were sent, also what is no valid date."""
    headers = [
        ("content-type", "a/b"), ("cache-control", "no-cache"), ("content-disposition", 'attachment; filename="x y"'),
        ("content-encoding", "gzip"), ("content-language", "de"), ("expires", "whenever"), ("x-amz-website-redirect-location", "/elsewhere"),
        ("x-amz-meta-One", "1"),
    ]
    assert send(server, root.request("PUT", f"/{shared}/headers", headers=headers, body=b"x")).status == 200
    for method in ("GET", "HEAD"):
        answer = send(server, root.request(method, f"/{shared}/headers"))
        for name, value in headers:
            assert answer.headers[name.lower()] == value, (method, name)
    s3.copy_object(Bucket=shared, Key="headers-copy", CopySource=f"{shared}/headers")
    answer = send(server, root.request("HEAD", f"/{shared}/headers-copy"))
    assert answer.headers["expires"] == "whenever" and answer.headers["content-encoding"] == "gzip"
    assert "x-amz-website-redirect-location" not in answer.headers, "a redirect is not copied"


def test_content_encoding_without_aws_chunked(server, s3, shared, root):
    """The encoding of the transfer is not the object's."""
    answer = send(server, root.request("PUT", f"/{shared}/gz", headers=[("content-encoding", "gzip")], body=b"x"))
    assert answer.status == 200
    assert s3.head_object(Bucket=shared, Key="gz")["ContentEncoding"] == "gzip"
    request = root.chunked(f"/{shared}/chunked", [b"data"]).request()
    assert send(server, request).status == 200
    assert "ContentEncoding" not in s3.head_object(Bucket=shared, Key="chunked")


@pytest.mark.parametrize("name", [
    "response-content-type", "response-content-language", "response-expires", "response-cache-control",
    "response-content-disposition", "response-content-encoding",
])
def test_overrides_need_a_name(server, s3, shared, root, name):
    from sigv4 import Request

    s3.put_object(Bucket=shared, Key="over", Body=b"x")
    value = "Thu, 01 Jan 2032 00:00:00 GMT" if name == "response-expires" else "text-x"
    encoded = value.replace(" ", "%20").replace(",", "%2C").replace(":", "%3A")
    for method in ("GET", "HEAD"):
        answer = send(server, root.request(method, f"/{shared}/over", f"{name}={encoded}"))
        assert answer.status == 200 and answer.headers[name.removeprefix("response-")] == value
    anonymous = Request("GET", f"/{shared}/over?{name}={encoded}", root.base_headers(), b"")
    assert send(server, anonymous).status in (400, 403)


def test_metadata_of_many_forms(s3, shared):
    for metadata in ({"a": ""}, {"ü".encode().hex(): "x"}, {f"k{i}": "v" for i in range(80)}, {"x": "=?UTF-8?B?w7w=?="}):
        s3.put_object(Bucket=shared, Key="meta", Body=b"x", Metadata=metadata)
        assert s3.head_object(Bucket=shared, Key="meta")["Metadata"] == metadata


def test_conditions_with_lists_of_tags(server, s3, shared, root):
    tag = s3.put_object(Bucket=shared, Key="etags", Body=b"data")["ETag"]
    cases = [
        ("if-none-match", f'"a", {tag}', 304), ("if-none-match", '"a", "b"', 200), ("if-none-match", f"W/{tag}", 304),
        ("if-match", f'"a", {tag}', 200), ("if-match", '"a","b"', 412), ("if-match", tag.strip('"'), 200),
        ("if-none-match", tag.strip('"'), 304),
    ]
    for name, value, status in cases:
        answer = send(server, root.request("GET", f"/{shared}/etags", headers=[(name, value)]))
        assert answer.status == status, (name, value, answer)


def test_if_range(server, s3, shared, root):
    tag = s3.put_object(Bucket=shared, Key="ranged", Body=b"0123456789")["ETag"]
    modified = s3.head_object(Bucket=shared, Key="ranged")["LastModified"]
    date = modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
    before = (modified - datetime.timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for value, status, body in ((tag, 206, b"23"), ('"other"', 200, b"0123456789"), (date, 206, b"23"), (before, 200, b"0123456789")):
        answer = send(server, root.request("GET", f"/{shared}/ranged", headers=[("range", "bytes=2-3"), ("if-range", value)]))
        assert (answer.status, answer.body) == (status, body), value


def test_ranges_beyond_what_a_number_holds(server, s3, shared, root):
    s3.put_object(Bucket=shared, Key="small", Body=b"0123456789")
    far = "99999999999999999999999"
    for value, status in ((f"bytes={far}-", 416), (f"bytes=0-{far}", 206), (f"bytes=-{far}", 206), (f"bytes={far}-{far}", 416)):
        answer = send(server, root.request("GET", f"/{shared}/small", headers=[("range", value)]))
        assert answer.status == status, (value, answer)


def test_rights_to_attributes(server, s3, shared, in_parts, make_user):
    objects = f"arn:aws:s3:::{shared}/*"
    for actions in ("s3:GetObjectAttributes", "s3:GetObject"):
        half = client(server, make_user(allow(actions, objects)))
        with error("AccessDenied", 403):
            half.get_object_attributes(Bucket=shared, Key="parts", ObjectAttributes=["ETag"])
    both = client(server, make_user(allow(["s3:GetObject", "s3:GetObjectAttributes"], objects)))
    assert both.get_object_attributes(Bucket=shared, Key="parts", ObjectAttributes=["ETag"])["ETag"].endswith("-3")


def test_a_checksum_is_only_told_when_asked_for(s3, shared):
    s3.put_object(Bucket=shared, Key="sum", Body=b"data", ChecksumAlgorithm="SHA1")
    wanted = base64.b64encode(hashlib.sha1(b"data").digest()).decode()
    assert "ChecksumSHA1" not in s3.head_object(Bucket=shared, Key="sum")
    assert s3.head_object(Bucket=shared, Key="sum", ChecksumMode="ENABLED")["ChecksumSHA1"] == wanted
    listed = s3.list_objects_v2(Bucket=shared, Prefix="sum")["Contents"][0]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (["SHA1"], "FULL_OBJECT")
