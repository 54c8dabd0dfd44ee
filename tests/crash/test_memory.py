"""One large object up and down: the server's memory stays within bounds.

`CRATON_BIG_BYTES` is how large it is (1 GiB if not set). The content is made as it is sent and compared as it
comes back, so that neither side holds it.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from server import Server

BIG_BYTES = int(os.environ.get("CRATON_BIG_BYTES", str(1 << 30)))
PART_BYTES = 64 << 20
# The server is told to use 128 MiB; what a process needs besides has as much again.
RSS_BYTES_MAX = 256 << 20
# Parts under way at once, as client libraries do.
AT_ONCE = 4
READ_BYTES = 4 << 20
BUCKET = "big"
KEY = "object"
SEA = os.urandom(PART_BYTES)


def part(number: int) -> memoryview | bytes:
    """The bytes of a part, numbered from 1, each different."""
    size = min(PART_BYTES, BIG_BYTES - (number - 1) * PART_BYTES)
    mark = f"part {number:06}".encode()
    return (mark + SEA[len(mark) :])[:size]


def part_count() -> int:
    return -(-BIG_BYTES // PART_BYTES)


def upload(s3) -> None:
    upload_id = s3.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]

    def send(number: int) -> dict:
        answer = s3.upload_part(Bucket=BUCKET, Key=KEY, UploadId=upload_id, PartNumber=number, Body=part(number))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = list(pool.map(send, range(1, part_count() + 1)))
    s3.complete_multipart_upload(Bucket=BUCKET, Key=KEY, UploadId=upload_id, MultipartUpload={"Parts": parts})


def check(s3, number: int) -> None:
    """Reads back one part's range."""
    wanted = memoryview(part(number))
    start = (number - 1) * PART_BYTES
    whole = f"bytes={start}-{start + len(wanted) - 1}"
    body = s3.get_object(Bucket=BUCKET, Key=KEY, Range=whole)["Body"]
    at = 0
    while piece := body.read(READ_BYTES):
        assert wanted[at : at + len(piece)] == piece, f"part {number} differs after byte {at}"
        at += len(piece)
    assert at == len(wanted), f"part {number} ends after {at} bytes"


def check_in_order(s3) -> None:
    """Reads all of it in one answer."""
    body = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"]
    for number in range(1, part_count() + 1):
        wanted = part(number)
        assert body.read(len(wanted)) == wanted, f"part {number} differs"
    assert not body.read(1), "the object goes on"


def test_a_large_object_in_bounded_memory(tmp_path, make_client):
    free = shutil.disk_usage(tmp_path).free
    needed = BIG_BYTES + BIG_BYTES // 20 + (256 << 20)
    if free < needed:
        pytest.fail(f"the disk has {free} bytes free; {needed} are needed")
    server = Server(tmp_path, "--memory", "128MiB", log="info").start()
    try:
        s3 = make_client(server)
        s3.create_bucket(Bucket=BUCKET)
        upload(s3)
        after_put = server.peak_memory_bytes()
        size = s3.head_object(Bucket=BUCKET, Key=KEY)["ContentLength"]
        assert size == BIG_BYTES
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda number: check(s3, number), range(1, part_count() + 1)))
        check_in_order(s3)
        peak = server.peak_memory_bytes()
        print(f"{BIG_BYTES >> 20} MiB: peak {after_put >> 20} MiB after the put, {peak >> 20} MiB after the gets")
        assert peak <= RSS_BYTES_MAX
        server.stop()
    finally:
        server.kill()
        shutil.rmtree(server.data, ignore_errors=True)
