"""A plain GET goes another way through the server than one with a condition: both must answer the same."""

import datetime
import re

import pytest

from server import unique
from sigv4 import Signer, send

# Nothing was changed after this, so as a condition it changes nothing but the way.
LATER = ("If-Unmodified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")
OWN = {"x-amz-request-id", "x-amz-id-2", "date"}
TEXT = "gr\u00fcn und sch\u00f6n " * 8


def both(server, who, path: str, query: str = "", *headers: tuple[str, str]):
    """The answers of the two ways, without what differs between any two requests."""
    shown = []
    for more in ([], [LATER]):
        answer = send(server, who.request("GET", path, query, [*headers, *more]))
        kept = {name: value for name, value in answer.headers.items() if name not in OWN}
        body = re.sub(rb"<(RequestId|HostId)>[^<]*<", b"<", answer.body)
        shown.append((answer.status, kept, re.sub(rb"decision [0-9a-f-]+", b"", body)))
    return shown


def assert_same(server, who, path: str, *headers: tuple[str, str]):
    direct, usual = both(server, who, path, "", *headers)
    assert direct == usual
    return direct


@pytest.fixture
def objects(s3, bucket) -> dict[str, dict]:
    """Objects with everything that an answer may tell of one."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    now = datetime.datetime.now(datetime.UTC)
    stated = {
        "plain": {},
        "empty": {"Body": b""},
        "large": {"Body": bytes(range(256)) * 4096},
        "headers": {
            "CacheControl": "no-cache", "ContentDisposition": "inline", "ContentEncoding": "gzip", "ContentLanguage": "de",
            "ContentType": "text/x-y; charset=utf-8", "Expires": now, "WebsiteRedirectLocation": "/elsewhere",
            "StorageClass": "STANDARD_IA",
        },
        "metadata": {"Metadata": {"a": "plain", "b-c": "with, commas"}},
        "tags": {"Tagging": "a=1&b=2"},
        "kms": {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True},
        **{f"sum-{name}": {"ChecksumAlgorithm": name} for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")},
    }
    for key, more in stated.items():
        s3.put_object(Bucket=bucket, Key=key, **{"Body": b"content", **more})
    return stated


def test_what_an_answer_tells(server, root, bucket, objects):
    for key in objects:
        status, headers, _ = assert_same(server, root, f"/{bucket}/{key}")
        assert (status, headers["accept-ranges"]) == (200, "bytes"), key
        assert_same(server, root, f"/{bucket}/{key}", ("x-amz-checksum-mode", "ENABLED"))


def test_metadata_in_other_letters(server, root, bucket):
    put = root.request("PUT", f"/{bucket}/k", "", [("x-amz-meta-text", TEXT.encode().decode("latin-1"))], b"1")
    if send(server, put).status == 200:
        assert_same(server, root, f"/{bucket}/k")
    words = "=?UTF-8?B?Z3LDvG4=?="
    assert send(server, root.request("PUT", f"/{bucket}/w", "", [("x-amz-meta-text", words)], b"1")).status == 200
    status, headers, _ = assert_same(server, root, f"/{bucket}/w")
    assert (status, headers["x-amz-meta-text"]) == (200, words)


@pytest.mark.parametrize("ranged", ["bytes=0-1", "bytes=3-", "bytes=-2", "bytes=0-0", "bytes=99-", "bytes=5-2", "lines=1-2", "bytes=0-1,3-4"])
def test_ranges(server, root, bucket, objects, ranged):
    for key in ("plain", "empty", "large"):
        assert_same(server, root, f"/{bucket}/{key}", ("Range", ranged))


def test_locks(server, root, s3):
    bucket = unique("b")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
                  ObjectLockLegalHoldStatus="ON")
    _, headers, _ = assert_same(server, root, f"/{bucket}/k")
    assert headers["x-amz-object-lock-mode"] == "GOVERNANCE" and headers["x-amz-object-lock-legal-hold"] == "ON"


def test_refusals(server, root, s3, bucket, make_user):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="gone", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="gone")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    stranger = Signer(server, make_user())
    for who in (root, stranger):
        for path in (f"/{bucket}/missing", f"/{bucket}/gone", "/no-such-bucket-at-all/k", f"/{bucket}/{'k' * 1024}"):
            status, _, _ = assert_same(server, who, path)
            assert status in (403, 404), path
    assert assert_same(server, stranger, f"/{bucket}/k")[0] == 403
