"""The five checksums of S3, in every form that a client can send and ask for them."""

import base64
import hashlib
import os
import zlib

import pytest
from awscrt import checksums
from botocore.exceptions import ClientError

from conftest import client
from expect import error
from sigv4 import STREAMING_TRAILER, STREAMING_UNSIGNED, send

PART = 5 << 20


def _crc(value: int, size: int) -> str:
    return base64.b64encode(value.to_bytes(size, "big")).decode()


SUMS = {
    "CRC32": lambda data: _crc(zlib.crc32(data), 4),
    "CRC32C": lambda data: _crc(checksums.crc32c(data), 4),
    "CRC64NVME": lambda data: _crc(checksums.crc64nvme(data), 8),
    "SHA1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "SHA256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}
ALGORITHMS = list(SUMS)


def field(algorithm: str) -> str:
    return f"Checksum{algorithm}"


def header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def composite(algorithm: str, parts: list[bytes]) -> str:
    joined = b"".join(base64.b64decode(SUMS[algorithm](p)) for p in parts)
    return f"{SUMS[algorithm](joined)}-{len(parts)}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 9, 70_000])
def test_stated_by_the_client(s3, bucket, algorithm, size):
    data = os.urandom(size)
    value = SUMS[algorithm](data)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, **{field(algorithm): value})
    assert (put[field(algorithm)], put["ChecksumType"]) == (value, "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert (got[field(algorithm)], got["ChecksumType"]) == (value, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field(algorithm)] == value
    assert field(algorithm) not in client_without_checksums(s3).head_object(Bucket=bucket, Key="k")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"][field(algorithm)] == value
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]


def client_without_checksums(s3):
    """The server says a checksum only to who asks."""
    return s3.plain


@pytest.fixture(autouse=True)
def _plain(server, s3):
    s3.plain = client(server, response_checksum_validation="when_required", request_checksum_calculation="when_required")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_one_is_refused(s3, bucket, algorithm):
    with error("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"data", **{field(algorithm): SUMS[algorithm](b"other")})
    with error("InvalidRequest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"data", **{field(algorithm): "AAAA"})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_computed_by_boto3(s3, bucket, algorithm):
    data = os.urandom(100_001)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm=algorithm)
    assert put[field(algorithm)] == SUMS[algorithm](data)
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read() == data


def test_crc64nvme_is_the_default(s3, bucket):
    s3.plain.put_object(Bucket=bucket, Key="k", Body=b"data")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == SUMS["CRC64NVME"](b"data")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("mode", [STREAMING_TRAILER, STREAMING_UNSIGNED])
def test_in_a_trailer(server, s3, bucket, root, algorithm, mode):
    chunks = [os.urandom(64 << 10), os.urandom(64 << 10), os.urandom(11)]
    data = b"".join(chunks)
    good = root.chunked(f"/{bucket}/k", chunks, mode, trailer=(header(algorithm), SUMS[algorithm](data)))
    answer = send(server, good.request())
    assert answer.status == 200, answer
    assert answer.headers[header(algorithm)] == SUMS[algorithm](data)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data and got[field(algorithm)] == SUMS[algorithm](data)
    bad = root.chunked(f"/{bucket}/bad", chunks, mode, trailer=(header(algorithm), SUMS[algorithm](data + b"!")))
    answer = send(server, bad.request())
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_unseekable_streams_go_in_a_trailer(s3, bucket, algorithm):
    """boto3 signs what it can not read twice as a stream with a trailer."""

    class Once:
        def __init__(self, data):
            self.data, self.at = data, 0

        def read(self, size=-1):
            out = self.data[self.at:] if size < 0 else self.data[self.at:self.at + size]
            self.at += len(out)
            return out

    data = os.urandom(3_000_000)
    s3.upload_fileobj(Once(data), bucket, "k", ExtraArgs={"ChecksumAlgorithm": algorithm})
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data and got[field(algorithm)] == SUMS[algorithm](data)


KINDS = [("CRC32", "COMPOSITE"), ("CRC32C", "COMPOSITE"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE"),
         ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT")]


@pytest.mark.parametrize(("algorithm", "kind"), KINDS)
def test_multipart(s3, bucket, algorithm, kind):
    data = [os.urandom(PART), os.urandom(1234)]
    names = {"Bucket": bucket, "Key": "k"}
    made = s3.create_multipart_upload(**names, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
    names["UploadId"] = made["UploadId"]
    parts = []
    for number, part in enumerate(data, 1):
        put = s3.upload_part(**names, PartNumber=number, Body=part, ChecksumAlgorithm=algorithm)
        assert put[field(algorithm)] == SUMS[algorithm](part)
        parts.append({"PartNumber": number, "ETag": put["ETag"], field(algorithm): put[field(algorithm)]})
    listed = s3.list_parts(**names)
    assert [p[field(algorithm)] for p in listed["Parts"]] == [SUMS[algorithm](p) for p in data]
    wanted = SUMS[algorithm](b"".join(data)) if kind == "FULL_OBJECT" else composite(algorithm, data)
    wrong = [parts[0] | {field(algorithm): SUMS[algorithm](b"other")}, parts[1]]
    with error("InvalidPart", 400):
        s3.complete_multipart_upload(**names, MultipartUpload={"Parts": wrong})
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(
            **names, MultipartUpload={"Parts": parts}, ChecksumType=kind, **{field(algorithm): SUMS[algorithm](b"other whole")}
        )
    assert caught.value.response["Error"]["Code"] in ("BadDigest", "InvalidRequest")
    done = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts}, ChecksumType=kind, **{field(algorithm): wanted})
    assert (done[field(algorithm)], done["ChecksumType"]) == (wanted, kind)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(data)
    assert (got[field(algorithm)], got["ChecksumType"]) == (wanted, kind)


def test_kinds_that_are_none(s3, bucket):
    for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")):
        with error("InvalidRequest", 400):
            s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)


def test_a_part_of_another_algorithm(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    with error("InvalidRequest", 400):
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")


def test_md5(s3, bucket):
    good = base64.b64encode(hashlib.md5(b"data").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentMD5=good)
    with error("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5=good)
    for nonsense in ("x", "AAAA", "!" * 24):
        with error("InvalidDigest", 400):
            s3.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5=nonsense)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
