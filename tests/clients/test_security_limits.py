"""Clients that are slow, many or large: what they cost is bounded, and others are served meanwhile."""

import concurrent.futures
import os
import socket
import time

import pytest

from server import Server
from sigv4 import STREAMING_UNSIGNED, UNSIGNED, Signer, Wire, send

MIB = 1 << 20
HEADER_SECONDS, BODY_SECONDS, CONNECTIONS = 2, 3, 64


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """A server with short timeouts, few connections and little memory."""
    running = Server(
        tmp_path_factory.mktemp("tight"), "--header-timeout", f"{HEADER_SECONDS}s", "--body-timeout", f"{BODY_SECONDS}s",
        "--connections-max", str(CONNECTIONS), "--memory", "64MiB", "--shutdown-timeout", "5s",
    ).start()
    try:
        root = Signer(running, running.root)
        assert send(running, root.request("PUT", "/limits")).status == 200
        assert send(running, root.request("PUT", "/limits/kept", body=b"kept")).status == 200
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def signer(tight) -> Signer:
    return Signer(tight, tight.root)


def still_serves(tight, signer) -> None:
    assert send(tight, signer.request("GET", "/limits/kept")).body == b"kept"


def ends_within(wire: Wire, seconds: float) -> float:
    """How long the server kept the connection."""
    start = time.monotonic()
    wire.socket.settimeout(seconds + 5)
    while wire._more():
        assert time.monotonic() - start < seconds + 5
    took = time.monotonic() - start
    assert took < seconds + 3, f"the connection lasted {took:.1f} s"
    return took


def test_cve_2022_31028_idle_connections_end(tight, signer):
    """Connections that nobody used stayed for ever."""
    with Wire(tight) as never, Wire(tight) as after:
        after.send(signer.request("GET", "/limits/kept").wire())
        assert after.answer().body == b"kept"
        ends_within(never, HEADER_SECONDS)
        ends_within(after, HEADER_SECONDS)
    still_serves(tight, signer)


def test_a_head_that_drips(tight, signer):
    head = signer.request("GET", "/limits/kept").wire()
    start = time.monotonic()
    with Wire(tight) as wire:
        for at in range(len(head) - 1):
            try:
                wire.socket.sendall(head[at:at + 1])
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.1)
            if time.monotonic() - start > HEADER_SECONDS + 4:
                raise AssertionError("a head may take for ever")
        assert time.monotonic() - start < HEADER_SECONDS + 4
    still_serves(tight, signer)


def test_a_body_that_stops(tight, signer):
    data = os.urandom(200_000)
    for request in (
        signer.request("PUT", "/limits/new", body=data), signer.request("PUT", "/limits/new", body=data, payload=UNSIGNED),
        signer.chunked("/limits/new", [data], STREAMING_UNSIGNED).request(),
    ):
        with Wire(tight) as wire:
            wire.send(request.wire()[:-100_000])
            wire.socket.settimeout(BODY_SECONDS + 10)
            start = time.monotonic()
            answer = wire.answer()
            assert (answer.status, answer.code) == (400, "RequestTimeout")
            assert time.monotonic() - start < BODY_SECONDS + 3
    assert send(tight, signer.request("GET", "/limits/new")).status == 404
    still_serves(tight, signer)


def test_an_answer_that_nobody_takes(tight, signer):
    data = os.urandom(24 * MIB)
    assert send(tight, signer.request("PUT", "/limits/large", body=data)).status == 200
    first = send(tight, signer.request("GET", "/limits/large", headers=[("range", "bytes=0-0")]))
    assert first.body == data[:1]
    time.sleep(0.5)  # what was closed is let go
    files = tight.open_files()
    with Wire(tight) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(signer.request("GET", "/limits/large").wire())
        assert wire.socket.recv(1000).startswith(b"HTTP/1.1 200")
        assert tight.open_files() > files
        still_serves(tight, signer)
        end = time.monotonic() + BODY_SECONDS + 5
        while tight.open_files() > files and time.monotonic() < end:
            time.sleep(0.1)
        assert tight.open_files() <= files, "the server still holds the connection"
    still_serves(tight, signer)


def test_heads_that_are_too_large(tight, signer):
    long = signer.request("GET", "/limits/kept", headers=[("x-amz-meta-a", "x" * 200_000)])
    many = signer.request("GET", "/limits/kept", headers=[(f"x-amz-meta-{n}", "v") for n in range(500)])
    query = signer.request("GET", "/limits/kept", "&".join(f"a{n}=b" for n in range(1000)))
    path = signer.request("GET", "/limits/" + "x" * 100_000)
    for request in (long, many, query, path):
        answer = send(tight, request)
        assert 400 <= answer.status < 500, answer.status
    still_serves(tight, signer)


def test_many_connections(tight, signer):
    """More connections than the limit wait their turn; those that do nothing make room by timing out."""
    files = tight.open_files()
    idle = [socket.create_connection((tight.host, tight.port), timeout=10) for _ in range(300)]
    try:
        time.sleep(0.5)
        assert tight.open_files() - files <= CONNECTIONS + 16
        answer = send(tight, signer.request("GET", "/limits/kept"), timeout=40)
        assert answer.body == b"kept"
    finally:
        for connection in idle:
            connection.close()
    end = time.monotonic() + 20
    while tight.open_files() > files + 16 and time.monotonic() < end:
        time.sleep(0.2)
    assert tight.open_files() <= files + 16, "closed connections are let go"


def test_cve_2018_1000538_memory_is_bounded_for_every_kind_of_body(tight, signer):
    """An upload was held in memory as a whole. With 64 MiB of memory: 32 MB bodies, of every mode, several at once."""
    data = os.urandom(32 * 1000 * 1000)
    chunks = [data[at:at + 64 * 1024] for at in range(0, len(data), 64 * 1024)]
    requests = [
        signer.request("PUT", "/limits/big0", body=data), signer.request("PUT", "/limits/big1", body=data, payload=UNSIGNED),
        signer.chunked("/limits/big2", chunks, STREAMING_UNSIGNED).request(), signer.chunked("/limits/big3", chunks).request(),
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda r: send(tight, r, timeout=90), requests))
    assert [a.status for a in answers] == [200] * 4, answers
    got = send(tight, signer.request("GET", "/limits/big3"), timeout=60)
    assert got.body == data
    refused = [
        signer.request("POST", "/limits", "delete=", body=data[:20_000_000]), signer.request("POST", "/limits/k", "uploadId=x", body=data[:20_000_000]),
        signer.request("PUT", "/limits/k", "tagging=", body=data[:20_000_000]), signer.request("PUT", "/_api/v1/users/x", body=data[:20_000_000]),
        signer.request("PUT", "/limits-2", body=data[:20_000_000]),
    ]
    for request in refused:
        assert 400 <= send(tight, request, timeout=60).status < 502
    peak = tight.peak_memory_bytes()
    assert peak < 200 * MIB, f"{peak / MIB:.0f} MiB"
