"""Objects, by boto3: put, get, head, delete, ranges, conditions, metadata, keys."""

import concurrent.futures
import datetime
import hashlib
import io
import os

import pytest
from botocore.exceptions import ClientError

from conftest import client
from expect import error

KIB = 1 << 10
MIB = 1 << 20


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 1, 100, 4 * KIB, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 64 * KIB, MIB, 5 * MIB + 3])
def test_every_size_comes_back(s3, bucket, size):
    data = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert put["ETag"] == etag(data)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert (got["ETag"], got["ContentLength"], got["AcceptRanges"]) == (etag(data), size, "bytes")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ETag"], head["ContentLength"]) == (etag(data), size)
    age = datetime.datetime.now(datetime.UTC) - head["LastModified"]
    assert abs(age) < datetime.timedelta(seconds=60)


def test_overwrite_and_delete(s3, bucket):
    for data in (b"first", b"the second", b""):
        s3.put_object(Bucket=bucket, Key="k", Body=data)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")
    with error("404", 404):
        s3.head_object(Bucket=bucket, Key="k")
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204, "again is fine"


SIZE = 100_000
RANGES = [
    ("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), ("bytes=5-", 5, SIZE), ("bytes=-7", SIZE - 7, SIZE),
    ("bytes=16383-16384", 16383, 16385), ("bytes=16384-32767", 16384, 32768), ("bytes=99999-99999", 99999, SIZE),
    ("bytes=10-999999999", 10, SIZE), ("bytes=-999999999", 0, SIZE), ("bytes=0-", 0, SIZE),
]


@pytest.fixture(scope="module")
def ranged(s3):
    from server import unique

    bucket, data = unique("ranges"), os.urandom(SIZE)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    s3.put_object(Bucket=bucket, Key="small", Body=data[:1000])
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    return bucket, data


@pytest.mark.parametrize(("text", "start", "end"), RANGES)
def test_ranges(s3, ranged, text, start, end):
    bucket, data = ranged
    got = s3.get_object(Bucket=bucket, Key="k", Range=text)
    assert got["Body"].read() == data[start:end]
    assert got["ContentRange"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert got["ContentLength"] == end - start
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="k", Range=text)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (end - start, 206)


@pytest.mark.parametrize("text", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_ranges_beyond_the_end(s3, ranged, text):
    with error("InvalidRange", 416) as caught:
        s3.get_object(Bucket=ranged[0], Key="k", Range=text)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("text", ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=", "bytes=-"])
def test_what_is_no_single_range_asks_for_everything(s3, ranged, text):
    got = s3.get_object(Bucket=ranged[0], Key="small", Range=text)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert got["Body"].read() == ranged[1][:1000]


def test_range_of_nothing(s3, ranged):
    with error("InvalidRange", 416):
        s3.get_object(Bucket=ranged[0], Key="empty", Range="bytes=0-0")


def test_conditional_reads(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"data")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = modified - datetime.timedelta(hours=1), modified + datetime.timedelta(hours=1)
    for read in (s3.get_object, s3.head_object):
        for good in ({"IfMatch": tag}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": before},
                     {"IfUnmodifiedSince": after}, {"IfMatch": tag, "IfUnmodifiedSince": before}):
            assert read(Bucket=bucket, Key="k", **good)["ETag"] == tag, good
        for bad in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": before}):
            with pytest.raises(ClientError) as caught:
                read(Bucket=bucket, Key="k", **bad)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412, bad
        for same in ({"IfNoneMatch": tag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": modified},
                     {"IfNoneMatch": tag, "IfModifiedSince": before}):
            with pytest.raises(ClientError) as caught:
                read(Bucket=bucket, Key="k", **same)
            metadata = caught.value.response["ResponseMetadata"]
            assert metadata["HTTPStatusCode"] == 304, same
            assert metadata["HTTPHeaders"]["etag"] == tag


def test_conditional_writes(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with error("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    with error("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"0123"')
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    next_tag = s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"
    with error("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"2", IfMatch=tag)
    with error("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=tag)
    assert s3.delete_object(Bucket=bucket, Key="k", IfMatch=next_tag)["ResponseMetadata"]["HTTPStatusCode"] == 204
    s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"4"


def test_metadata_and_headers(s3, bucket):
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    headers = {
        "ContentType": "text/x-test; charset=utf-8", "CacheControl": "max-age=60", "ContentDisposition": 'attachment; filename="a b"',
        "ContentEncoding": "gzip", "ContentLanguage": "de, en",
    }
    metadata = {"plain": "value", "with-dash": "a  b", "empty": "", "upper": "MiXed", "long": "x" * 1500}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata, Expires=expires, **headers)
    for got in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {k: got[k] for k in headers} == headers
        assert got["Metadata"] | {"with-dash": "a b"} == metadata | {"with-dash": "a b"}
        assert got["Expires"] == expires
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    plain = s3.head_object(Bucket=bucket, Key="k")
    assert plain["Metadata"] == {} and plain["ContentType"] == "binary/octet-stream"
    assert "CacheControl" not in plain and "ContentEncoding" not in plain


def test_too_much_metadata(s3, bucket):
    with error("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={f"n{i}": "v" * 500 for i in range(5)})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_response_headers_are_the_caller_s_choice(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    got = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="application/json", ResponseContentDisposition="inline",
        ResponseCacheControl="no-cache", ResponseContentLanguage="fr", ResponseContentEncoding="identity",
    )
    assert (got["ContentType"], got["ContentDisposition"]) == ("application/json", "inline")
    assert (got["CacheControl"], got["ContentLanguage"], got["ContentEncoding"]) == ("no-cache", "fr", "identity")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "text/plain"


KEYS = [
    "a b", "ünïcödé/日本語/🦀", "plus+and&amp;=?#[]@!$'()*,;:", 'quote"apostrophe\'', "%41%2F%25", "trailing/", "/leading",
    "double//slash", "dot/./dot", "up/../down", "back\\slash", "tab\tnewline\n", "\x01control\x7f", "~-_.", "a" * 1024, "é" * 512,
    "<xml>&\"'</xml>", "k\r\n", " blank ", "nul-free\u200b\ufeff",
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_every_key_is_kept_as_it_is(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [o["Key"] for o in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    s3.delete_object(Bucket=bucket, Key=key)
    with error("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key=key)


def test_keys_that_are_none(s3, bucket):
    with error("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key="a" * 1025, Body=b"x")
    with error("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key="é" * 513, Body=b"x")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_multi_delete(s3, bucket):
    keys = [f"k{i:04}" for i in range(150)] + ["ü & <b>"]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=bucket, Key=k, Body=b"x"), keys))
    wanted = [*keys[:140], keys[-1], "never was"]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in wanted]})
    assert sorted(d["Key"] for d in done["Deleted"]) == sorted(wanted)
    assert "Errors" not in done
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == keys[140:150]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys[140:150]], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_multi_delete_of_too_many(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k0", Body=b"x")
    with error("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{i}"} for i in range(1001)]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_large_upload_and_download(server, s3, bucket):
    """`upload_fileobj` cuts it into parts and sends them side by side."""
    from boto3.s3.transfer import TransferConfig

    data = os.urandom(37 * MIB + 11)
    config = TransferConfig(multipart_chunksize=8 * MIB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(data), bucket, "large", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ETag"].endswith('-5"') and head["ContentLength"] == len(data)
    out = io.BytesIO()
    s3.download_fileobj(bucket, "large", out, Config=config)
    assert hashlib.sha256(out.getvalue()).digest() == hashlib.sha256(data).digest()
    assert s3.get_object(Bucket=bucket, Key="large", Range="bytes=8388600-8388700")["Body"].read() == data[8388600:8388701]


def test_of_64_that_make_it_exactly_one_does(server, bucket):
    threads = 64
    many = client(server, retries={"max_attempts": 0})

    def put(n: int) -> int:
        try:
            many.put_object(Bucket=bucket, Key="once", Body=b"%d" % n, IfNoneMatch="*")
        except ClientError as e:
            assert e.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), e.response
            return -1
        return n

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        winners = [n for n in pool.map(put, range(threads)) if n >= 0]
    assert len(winners) == 1
    assert many.get_object(Bucket=bucket, Key="once")["Body"].read() == b"%d" % winners[0]


def test_compare_and_swap_loses_nothing(server, bucket):
    """A counter that 16 clients raise, each only from the value that it has seen."""
    clients, rounds = 16, 5
    many = client(server, retries={"max_attempts": 0})
    many.put_object(Bucket=bucket, Key="counter", Body=b"0")

    def raise_it(_: int) -> None:
        for _ in range(rounds):
            for _ in range(2000):
                got = many.get_object(Bucket=bucket, Key="counter")
                value = int(got["Body"].read()) + 1
                try:
                    many.put_object(Bucket=bucket, Key="counter", Body=b"%d" % value, IfMatch=got["ETag"])
                    break
                except ClientError as e:
                    assert e.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
            else:
                raise AssertionError("never won")

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(raise_it, range(clients)))
    assert many.get_object(Bucket=bucket, Key="counter")["Body"].read() == b"%d" % (clients * rounds)


def test_side_by_side_writers_and_readers(server, bucket):
    """A reader sees one whole version, never a mix."""
    many = client(server)
    versions = [bytes([n]) * (40_000 + n) for n in range(16)]
    many.put_object(Bucket=bucket, Key="k", Body=versions[0])

    def write(n: int) -> None:
        for _ in range(5):
            many.put_object(Bucket=bucket, Key="k", Body=versions[n])

    def read(_: int) -> None:
        for _ in range(10):
            assert many.get_object(Bucket=bucket, Key="k")["Body"].read() in versions

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        work = [pool.submit(write, n) for n in range(16)] + [pool.submit(read, n) for n in range(16)]
        for done in work:
            done.result()
