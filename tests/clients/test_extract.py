"""Archives that are put with `x-amz-meta-snowball-auto-extract`: their files become objects, with the same checks as
any put."""

import gzip
import io
import os
import tarfile

import minio
import pytest
from botocore.exceptions import ClientError
from minio.commonconfig import SnowballObject

from conftest import allow, client
from expect import error
from server import REGION
from sigv4 import send

EXTRACT = {"snowball-auto-extract": "true"}


def tar(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def keys(s3, bucket: str) -> list[str]:
    return [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_become_objects(s3, bucket, form):
    files = {"a": b"one", "folder/b": b"", "large": os.urandom(3_000_000), **{f"many/{n:03}": str(n).encode() for n in range(100)}}
    if form != tarfile.USTAR_FORMAT:
        files["long/" + "x" * 300] = b"long"
    s3.put_object(Bucket=bucket, Key="all.tar", Body=tar(files, form), Metadata=EXTRACT | {"kept": "1"}, Tagging="a=b")
    assert keys(s3, bucket) == sorted(files)
    for name, data in files.items():
        got = s3.get_object(Bucket=bucket, Key=name)
        assert got["Body"].read() == data and got["Metadata"] == {"kept": "1"} and got["TagCount"] == 1


def zstd(data: bytes) -> bytes:
    """A frame of plain blocks (RFC 8878): no library is needed for it."""
    blocks = [data[at:at + 100_000] for at in range(0, len(data), 100_000)]
    heads = [(len(block) << 3 | (n == len(blocks) - 1)).to_bytes(3, "little") for n, block in enumerate(blocks)]
    # No checksum, no content size; a window of 1 MiB.
    return b"\x28\xb5\x2f\xfd\x00" + bytes([10 << 3]) + b"".join(h + b for h, b in zip(heads, blocks, strict=True))


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:])])
def test_compressed(s3, bucket, pack):
    files = {"a": b"one", "large": os.urandom(1_000_000) * 2, **{f"many/{n:03}": str(n).encode() for n in range(50)}}
    s3.put_object(Bucket=bucket, Key="all.tar.gz", Body=pack(tar(files)), Metadata=EXTRACT)
    assert keys(s3, bucket) == sorted(files)
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == files["large"]


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_compressed_and_broken(s3, bucket, pack):
    packed = pack(tar({"a": b"1" * 3000}))
    for body in (packed[:len(packed) // 2], packed[:12] + b"\xff" * 40 + packed[52:]):
        with error("InvalidRequest", 400):
            s3.put_object(Bucket=bucket, Key="all.tar.gz", Body=body, Metadata=EXTRACT)


def test_a_bomb_stays_small_in_memory(server, s3, bucket):
    before = server.peak_memory_bytes()
    bomb = gzip.compress(tar({"zeros": b"\0" * (200 << 20)}))
    assert len(bomb) < 1 << 20
    s3.put_object(Bucket=bucket, Key="all.tar.gz", Body=bomb, Metadata=EXTRACT)
    assert s3.head_object(Bucket=bucket, Key="zeros")["ContentLength"] == 200 << 20
    assert server.peak_memory_bytes() - before < 100 << 20


def test_by_minio(server, s3, bucket):
    mine = minio.Minio(f"{server.host}:{server.port}", server.root.id, server.root.secret, secure=False, region=REGION)
    mine.upload_snowball_objects(bucket, [SnowballObject("x/1", data=io.BytesIO(b"one"), length=3), SnowballObject("x/2", data=io.BytesIO(b"two"), length=3)])
    assert keys(s3, bucket) == ["x/1", "x/2"]


def test_under_a_prefix(s3, bucket):
    s3.put_object(Bucket=bucket, Key="all.tar", Body=tar({"./a": b"1", "b": b"2"}), Metadata=EXTRACT | {"minio-snowball-prefix": "to/here/"})
    assert keys(s3, bucket) == ["to/here/a", "to/here/b"]


@pytest.mark.parametrize("name", ["../up", "a/../../up", ""])
def test_names_that_lead_elsewhere(s3, bucket, name):
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="all.tar", Body=tar({name: b"x"}), Metadata=EXTRACT)
    assert keys(s3, bucket) == []


@pytest.mark.parametrize("body", [b"no archive at all" * 100, tar({"a": b"x" * 2000})[:1024], b"\x1f\x8b" * 600])
def test_what_is_no_archive(s3, bucket, body):
    with error("InvalidRequest", 400):
        s3.put_object(Bucket=bucket, Key="all.tar", Body=body, Metadata=EXTRACT)
    assert keys(s3, bucket) == []


def test_each_file_needs_the_right_to_be_put(server, s3, bucket, make_user):
    mine = client(server, make_user(allow("s3:PutObject", [f"arn:aws:s3:::{bucket}/mine/*", f"arn:aws:s3:::{bucket}/all.tar"])))
    mine.put_object(Bucket=bucket, Key="all.tar", Body=tar({"mine/a": b"1"}), Metadata=EXTRACT)
    with error("AccessDenied", 403):
        mine.put_object(Bucket=bucket, Key="all.tar", Body=tar({"other/a": b"1"}), Metadata=EXTRACT)
    with error("AccessDenied", 403):
        mine.put_object(Bucket=bucket, Key="elsewhere.tar", Body=tar({"mine/b": b"1"}), Metadata=EXTRACT)
    assert keys(s3, bucket) == ["mine/a"]


def test_cve_2026_40344_nothing_is_extracted_of_a_body_that_does_not_verify(server, s3, bucket, root):
    body = tar({"a": b"1" * 40_000, "b": b"2" * 40_000})
    good = root.request("PUT", f"/{bucket}/all.tar", headers=[("x-amz-meta-snowball-auto-extract", "true")], body=body)
    altered = good.with_body(body[:600] + b"!" + body[601:])
    answer = send(server, altered)
    assert answer.status == 400 and answer.code in ("XAmzContentSHA256Mismatch", "BadDigest"), answer
    unsigned = good.without("authorization")
    assert send(server, unsigned).status == 403
    assert keys(s3, bucket) == []
    assert send(server, good).status == 200
    assert keys(s3, bucket) == ["a", "b"]
