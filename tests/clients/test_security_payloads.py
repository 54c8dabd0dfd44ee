"""Bodies that are not what was signed or stated, and requests that are not clearly one request. Each is refused,
stores nothing, and leaves one denial in the ledger."""

import base64
import hashlib
import os
import re
import zlib

import pytest

import ledger
from sigv4 import STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED, UNSIGNED, Wire, send

KIB = 1 << 10
CHUNKS = [bytes([n]) * (64 * KIB) for n in (1, 2, 3)] + [b"the end"]
ALL_MODES = [STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED]
CRC32 = "x-amz-checksum-crc32"


def crc32(data: bytes) -> tuple[str, str]:
    return CRC32, base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def chunked(root, vault, mode: str, **more):
    if "TRAILER" in mode:
        more.setdefault("trailer", crc32(b"".join(CHUNKS)))
    return root.chunked(f"/{vault.bucket}/new", CHUNKS, mode, **more)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_good_chunks_are_stored(server, s3, vault, root, mode):
    assert send(server, chunked(root, vault, mode).request()).status == 200
    assert s3.get_object(Bucket=vault.bucket, Key="new")["Body"].read() == b"".join(CHUNKS)
    head = s3.head_object(Bucket=vault.bucket, Key="new")
    assert "ContentEncoding" not in head, "the framing is not the object's encoding"


@pytest.mark.parametrize("mode", [STREAMING, STREAMING_TRAILER])
def test_cve_2021_21390_chunks_changed_on_the_way(vault, root, mode):
    """Signatures of chunks were not enforced: changed, swapped, dropped, doubled, cut, added."""
    def changed(change) -> bytes:
        body = chunked(root, vault, mode)
        change(body.pieces)
        return body.request()

    def alter(p):
        p[1] = p[1][:200] + bytes([p[1][200] ^ 1]) + p[1][201:]

    def swap(p):
        p[0], p[1] = p[1], p[0]

    def drop(p):
        del p[1]

    def double(p):
        p.insert(1, p[0])

    def forge(p):
        p[2] = re.sub(rb"chunk-signature=\w+", b"chunk-signature=" + b"0" * 64, p[2])

    def unsign(p):
        p[2] = re.sub(rb";chunk-signature=\w+", b"", p[2])

    def forge_last(p):
        p[4] = re.sub(rb"chunk-signature=\w+", b"chunk-signature=" + b"0" * 64, p[4])

    codes = ("SignatureDoesNotMatch", "IncompleteBody", "InvalidRequest", "MalformedTrailerError")
    for change, status in ((alter, 403), (swap, 403), (drop, 403), (double, 403), (forge, 403), (unsign, 400), (forge_last, 403)):
        vault.refuses(changed(change), status, *codes)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_chunks_that_do_not_end(vault, root, mode):
    def without(start: int):
        body = chunked(root, vault, mode)
        del body.pieces[start:]
        return body.request()

    vault.refuses(without(4), 400, "IncompleteBody")
    vault.refuses(without(5), 400, "IncompleteBody")


@pytest.mark.parametrize("mode", ALL_MODES)
def test_bytes_after_the_last_chunk(vault, root, mode):
    for extra in (b"x", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"):
        body = chunked(root, vault, mode)
        body.pieces.append(extra)
        vault.refuses(body.request(), 400, "IncompleteBody", "InvalidRequest", "MalformedTrailerError")


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("length", [len(b"".join(CHUNKS)) - 1, len(b"".join(CHUNKS)) + 1, 0])
def test_a_decoded_length_that_is_wrong(vault, root, mode, length):
    vault.refuses(chunked(root, vault, mode, decoded_length=str(length)).request(), 400, "IncompleteBody")


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "99999999999999999999999", "0x10"])
def test_a_decoded_length_that_is_none(vault, root, length):
    answer = send(vault.server, chunked(root, vault, STREAMING, decoded_length=length).request())
    assert (answer.status, answer.code) in [(411, "MissingContentLength"), (400, "InvalidArgument")]
    ledger.tells_of_one_refusal(vault.server, answer.request_id)


@pytest.mark.parametrize("head", [b"zz", b"", b"-1", b"ffffffffffffffff", b"10000000000000000", b"5 ", b"0x5", b"A" * 5000])
def test_chunk_heads_that_are_none(vault, root, head):
    body = chunked(root, vault, STREAMING_UNSIGNED)
    body.pieces[1] = head + b"\r\n" + body.pieces[1].split(b"\r\n", 1)[1]
    vault.refuses(body.request(), 400, "InvalidRequest", "IncompleteBody")


def test_small_signed_chunks(vault, root):
    """Each chunk costs a signature: only the last may be small."""
    many = root.chunked(f"/{vault.bucket}/new", [b"x"] * 50)
    vault.refuses(many.request(), 403, "InvalidChunkSizeError")


class TestTrailers:
    def test_wrong(self, vault, root):
        for mode in (STREAMING_TRAILER, STREAMING_UNSIGNED):
            vault.refuses(chunked(root, vault, mode, trailer=crc32(b"other")).request(), 400, "BadDigest")

    def test_missing(self, vault, root):
        body = chunked(root, vault, STREAMING_UNSIGNED)
        body.pieces[-1] = b"\r\n"
        vault.refuses(body.request(), 400, "MalformedTrailerError")

    def test_unsigned(self, vault, root):
        body = chunked(root, vault, STREAMING_TRAILER, trailer_signed=False)
        vault.refuses(body.request(), 400, "MalformedTrailerError", "IncompleteBody")

    def test_changed(self, vault, root):
        body = chunked(root, vault, STREAMING_TRAILER)
        good, wrong = crc32(b"".join(CHUNKS)), crc32(b"other")
        body.pieces[-1] = body.pieces[-1].replace(good[1].encode(), wrong[1].encode())
        vault.refuses(body.request(), 403, "SignatureDoesNotMatch")

    def test_not_announced(self, vault, root):
        body = chunked(root, vault, STREAMING_UNSIGNED)
        body.pieces[-1] = b"x-amz-checksum-sha256:AAAA\r\n" + body.pieces[-1]
        vault.refuses(body.request(), 400, "MalformedTrailerError")

    def test_of_another_kind(self, vault, root):
        body = chunked(root, vault, STREAMING_UNSIGNED, trailer=("x-amz-meta-a", "b"))
        vault.refuses(body.request(), 400, "InvalidRequest")

    def test_nonsense(self, vault, root):
        for trailer in (b"\x00\xff\r\n\r\n", b"no colon\r\n\r\n", CRC32.encode() + b":!!!!\r\n\r\n", b"a:" + b"x" * 10_000 + b"\r\n\r\n"):
            body = chunked(root, vault, STREAMING_UNSIGNED)
            body.pieces[-1] = trailer
            vault.refuses(body.request(), 400, "MalformedTrailerError", "InvalidRequest", "BadDigest")


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_body_other_than_signed(vault, root, size):
    data = os.urandom(size)
    good = root.request("PUT", f"/{vault.bucket}/new", body=data)
    changed = good.with_body(bytes([data[0] ^ 1]) + data[1:])
    vault.refuses(changed, 400, "XAmzContentSHA256Mismatch")
    vault.refuses(root.request("PUT", f"/{vault.bucket}/new", body=data, payload="0" * 64), 400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("payload", ["nonsense", "STREAMING", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-X", "A" * 64 + "0", "unsigned-payload"])
def test_payload_modes_that_are_none(vault, root, payload):
    vault.refuses(root.request("PUT", f"/{vault.bucket}/new", body=b"x", payload=payload), 400, "InvalidArgument")


@pytest.mark.parametrize("mode", ["signed", UNSIGNED])
def test_checksums_that_are_wrong(vault, root, mode):
    data = b"the data" * 1000
    payload = None if mode == "signed" else mode
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    sha256 = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for header, code in (
        (("content-md5", md5), "BadDigest"), (("content-md5", "nonsense"), "InvalidDigest"), (crc32(b"other"), "BadDigest"),
        (("x-amz-checksum-sha256", sha256), "BadDigest"), (("x-amz-checksum-sha256", "short"), "InvalidRequest"),
        (("x-amz-sdk-checksum-algorithm", "CRC32"), "InvalidRequest"),
    ):
        vault.refuses(root.request("PUT", f"/{vault.bucket}/new", headers=[header], body=data, payload=payload), 400, code)
    two = [crc32(data), ("x-amz-checksum-sha1", base64.b64encode(hashlib.sha1(data).digest()).decode())]
    vault.refuses(root.request("PUT", f"/{vault.bucket}/new", headers=two, body=data, payload=payload), 400, "InvalidRequest")
    part = f"partNumber=2&uploadId={vault.upload}"
    vault.refuses(root.request("PUT", f"/{vault.bucket}/upload", part, [("content-md5", md5)], data, payload), 400, "BadDigest")


def test_no_length(vault, root):
    request = root.request("PUT", f"/{vault.bucket}/new", payload=UNSIGNED, length=False)
    chunked_by_http = request.plus("transfer-encoding", "chunked").with_body(b"1\r\nx\r\n0\r\n\r\n")
    vault.refuses(chunked_by_http, 411, "MissingContentLength")


@pytest.mark.parametrize("order", [0, 1])
def test_two_framings(vault, root, order):
    """`Transfer-Encoding` and `Content-Length`: two readers could see two requests."""
    request = root.request("PUT", f"/{vault.bucket}/new", payload=UNSIGNED, length=False)
    both = [("transfer-encoding", "chunked"), ("content-length", "11")]
    for name, value in both if order else both[::-1]:
        request = request.plus(name, value)
    request = request.with_body(b"1\r\nx\r\n0\r\n\r\n")
    before = vault.state()
    answer = send(vault.server, request)
    assert 400 <= answer.status < 500, answer
    assert vault.state() == before


@pytest.mark.parametrize("lengths", [("1", "2"), ("-1",), ("1,2",), ("x",), ("99999999999999999999999",), ("+1",)])
def test_lengths_that_are_none(vault, root, lengths):
    request = root.request("PUT", f"/{vault.bucket}/new", payload=UNSIGNED, length=False)
    for value in lengths:
        request = request.plus("content-length", value)
    before = vault.state()
    answer = send(vault.server, request.with_body(b"x"))
    assert answer.status == 400, answer
    assert vault.state() == before


def test_a_request_hidden_in_a_body(server, vault, root):
    """What a refused request still sends is never read as the next one."""
    hidden = root.request("PUT", f"/{vault.bucket}/hidden", body=b"x").wire()
    for request in (
        root.request("PUT", f"/{vault.bucket}/new", body=hidden).with_header("authorization", "AWS4-HMAC-SHA256 x"),
        root.request("PUT", f"/{vault.bucket}/new", headers=[("if-match", '"0"')], body=hidden),
        root.request("PUT", f"/{vault.bucket}/kept", headers=[("if-none-match", "*")], body=hidden),
    ):
        before = vault.state()
        with Wire(server) as wire:
            wire.send(request.wire())
            assert wire.answer().status in (400, 403, 404, 412)
            wire.send(root.request("GET", f"/{vault.bucket}/kept").wire())
            try:
                answer = wire.answer()
                assert (answer.status, answer.body) == (200, b"as it was")
            except AssertionError as e:
                assert "the connection ended" in str(e)
        assert vault.state() == before


def test_a_body_that_ends_early(server, vault, root):
    """The client says a length and goes away before it."""
    for mode in ("signed", UNSIGNED, STREAMING):
        before = vault.state()
        if mode == STREAMING:
            request = chunked(root, vault, mode).request()
        else:
            request = root.request("PUT", f"/{vault.bucket}/new", body=b"x" * 300_000, payload=None if mode == "signed" else mode)
        with Wire(server) as wire:
            wire.send(request.wire()[:-100_000])
        assert vault.state() == before
