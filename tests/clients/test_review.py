"""What a review found: each test is a defect that was there."""

import select
import socket
import struct
import time
from pathlib import Path

import pytest

import ledger
from conftest import allow, client
from server import Server
from sigv4 import Request, Signer, send

BODY_BYTES = 2 << 20
BODIES = 60


def resident_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/statm").read_text()
    return int(status.split()[1]) * 4096


@pytest.mark.parametrize("target", ["/some-bucket?delete", "/_api/v1/explain"])
def test_bodies_of_strangers_do_not_fill_the_memory(server: Server, target: str):
    """A body that is read whole before the decision was outside every budget: 160 strangers held 350 MiB."""
    before = resident_bytes(server)
    connections = []
    host = f"{server.host}:{server.port}"
    head = f"POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {BODY_BYTES}\r\n\r\n".encode()
    for _ in range(BODIES):
        connection = socket.create_connection((server.host, server.port), timeout=2)
        connections.append(connection)
        try:
            connection.sendall(head + bytes(BODY_BYTES - 1))
        except (TimeoutError, ConnectionError):
            # It is not read further, or is refused: both are fine.
            pass
        if len(connections) > 3 and resident_bytes(server) < before + (8 << 20):
            connection.settimeout(0.05)
    held = resident_bytes(server) - before
    for connection in connections:
        connection.close()
    assert held < 24 << 20, f"{held >> 20} MiB are held by bodies of strangers"


def test_a_long_prefix_is_refused_and_recorded(server: Server, make_user, bucket: str):
    """It was refused because its record was too large, with the ledger's words and without a record."""
    for signer in (Signer(server, server.root), Signer(server, make_user())):
        for query in ("list-type=2&prefix=", "uploads=&prefix="):
            answer = send(server, signer.request("GET", f"/{bucket}", query + "p" * 3000))
            assert (answer.status, answer.code) == (400, "KeyTooLongError")
            assert [r["kind"] for r in ledger.of_request(server, answer.request_id)] == ["denial"]


@pytest.mark.parametrize(
    ("query", "headers", "reason"),
    [
        ("versionId=abc", [], "InvalidArgument"),
        ("partNumber=0", [], "InvalidArgument"),
        ("", [("x-amz-server-side-encryption-customer-algorithm", "AES256"),
              ("x-amz-server-side-encryption-customer-key", "AAAA")], "InvalidArgument"),
    ],
)
def test_a_read_that_the_door_refuses_is_not_recorded_as_done(server: Server, s3, root, bucket, query, headers, reason):
    """The outcome of a read that was answered with an error said `ok`."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    answer = send(server, root.request("GET", f"/{bucket}/k", query, headers))
    assert answer.code == reason
    end = time.monotonic() + 5
    outcomes = []
    while not outcomes and time.monotonic() < end:
        outcomes = [r for r in ledger.of_request(server, answer.request_id) if "result" in r]
    assert [r["reason"] for r in outcomes] == [reason]


@pytest.mark.parametrize("query", ["partNumber=1", "uploadId=00112233445566778899aabbccddeeff"])
def test_half_of_a_part_does_not_become_an_object(server: Server, s3, root, bucket, query):
    """A part whose upload or number was left out replaced the whole object."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"whole")
    answer = send(server, root.request("PUT", f"/{bucket}/k", query, body=b"part"))
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"whole"


def test_if_match_on_a_write_needs_the_right_to_read(server: Server, s3, make_user, bucket):
    """Who may only write could ask whether an object holds content with a given tag."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"secret")["ETag"]
    writer = Signer(server, make_user(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*")))
    for guess in (etag, '"00000000000000000000000000000000"'):
        request = writer.request("PUT", f"/{bucket}/k", headers=[("if-match", guess)], body=b"x")
        assert send(server, request).code == "AccessDenied"
    both = make_user(allow(["s3:PutObject", "s3:GetObject"], f"arn:aws:s3:::{bucket}/*"))
    client(server, both).put_object(Bucket=bucket, Key="k", Body=b"x", IfMatch=etag)


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("attributes", ["s3:GetObjectAttributes", "s3:GetObject"]),
        ("acl", ["s3:GetObjectAcl"]),
    ],
)
def test_a_named_version_is_another_action_on_every_read(server: Server, s3, make_user, bucket, query, actions):
    """`versionId` was decided as the plain action (GHSA-3ppv) for attributes and ACLs."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reader = Signer(server, make_user(allow(actions, f"arn:aws:s3:::{bucket}/*")))
    headers = [("x-amz-object-attributes", "ETag")]
    assert send(server, reader.request("GET", f"/{bucket}/k", f"{query}=", headers)).status == 200
    answer = send(server, reader.request("GET", f"/{bucket}/k", f"{query}=&versionId=null", headers))
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize("target", ["/_api/v1/nothing", "/_api/v1/users?x=%FF"])
def test_what_the_api_refuses_before_it_asks_the_gate_is_recorded(server: Server, root, target):
    """Such a request left no record at all."""
    path, _, query = target.partition("?")
    answer = send(server, root.request("GET", path, query))
    assert answer.status in (400, 404)
    assert [r["kind"] for r in ledger.of_request(server, answer.request_id)] == ["denial"]


def test_the_api_tells_a_stranger_nothing_about_bodies(server: Server):
    host = ("host", f"{server.host}:{server.port}")
    answer = send(server, Request("POST", "/_api/v1/explain", [host, ("content-length", "1")], b"{"))
    assert answer.status == 403
    assert [r["kind"] for r in ledger.of_request(server, answer.request_id)] == ["denial"]


def http2_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Http2Idler:
    """A client that asks once over HTTP/2, then only answers pings."""

    def __init__(self, server: Server, window: int):
        self.socket = socket.create_connection((server.host, server.port), timeout=5)
        settings = struct.pack(">HI", 4, window)
        head = bytes([0x82, 0x86, 0x84, 0x41, len(server.host)]) + server.host.encode()
        hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        self.socket.sendall(hello + http2_frame(4, 0, 0, settings) + http2_frame(1, 5, 1, head))
        self.buffer = b""

    def live(self) -> bool:
        """Answers what came; whether the connection is still there."""
        while select.select([self.socket], [], [], 0)[0]:
            try:
                data = self.socket.recv(64 << 10)
            except OSError:
                return False
            if not data:
                return False
            self.buffer += data
            while len(self.buffer) >= 9 and len(self.buffer) >= 9 + (size := int.from_bytes(self.buffer[:3])):
                kind, flags, payload = self.buffer[3], self.buffer[4], self.buffer[9 : 9 + size]
                self.buffer = self.buffer[9 + size :]
                if kind in (4, 6) and not flags & 1:
                    self.socket.sendall(http2_frame(kind, 1, 0, payload if kind == 6 else b""))
        return True


@pytest.mark.parametrize("window", [65_535, 0], ids=["idle", "takes nothing"])
def test_http2_clients_that_only_answer_pings_do_not_keep_others_out(tmp_path, window):
    """Each held one of the bounded number of connections for ever, unsigned."""
    server = Server(tmp_path, "--header-timeout", "1s", "--body-timeout", "1s", "--connections-max", "6", log="warn")
    server.start()
    try:
        idlers = [Http2Idler(server, window) for _ in range(6)]
        end = time.monotonic() + 15
        while idlers and time.monotonic() < end:
            idlers = [idler for idler in idlers if idler.live()]
            time.sleep(0.05)
        assert not idlers, f"{len(idlers)} idle connections are kept"
        assert send(server, Signer(server, server.root).request("GET", "/")).status == 200
        server.stop()
    finally:
        server.kill()
