"""Signature Version 4 and plain HTTP, written so that every piece can be made wrong.

A `Request` is what goes over the wire, byte for byte; a `Signer` fills in a good signature, and a test
then changes one thing. It shares no code with the server or with a client library.
"""

import base64
import datetime
import hashlib
import hmac
import re
import socket
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from server import REGION, Key, Server

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ANSWER_BYTES_MAX = 64 << 20


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """S3's error code."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found[1].decode() if found else ""

    @property
    def request_id(self) -> str:
        return self.headers.get("x-amz-request-id", "")


@dataclass
class Request:
    """A request as it goes over the wire. `target` is the path and query, already encoded."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return values[0] if values else None

    def with_header(self, name: str, value: str) -> "Request":
        """The same with this header instead of any of that name."""
        return replace(self, headers=[*self.without(name).headers, (name, value)])

    def without(self, name: str) -> "Request":
        return replace(self, headers=[(n, v) for n, v in self.headers if n.lower() != name.lower()])

    def plus(self, name: str, value: str) -> "Request":
        """The same with one more header."""
        return replace(self, headers=[*self.headers, (name, value)])

    def with_body(self, body: bytes) -> "Request":
        return replace(self, body=body)

    def head(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")

    def wire(self) -> bytes:
        return self.head() + self.body


class Wire:
    """One connection, and the answers that come over it."""

    def __init__(self, server: Server, timeout: float = 20):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends; a server that has answered and gone does not matter here, its answer does."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _more(self) -> bool:
        try:
            data = self.socket.recv(64 << 10)
        except ConnectionResetError:
            return False
        self.buffer += data
        assert len(self.buffer) <= ANSWER_BYTES_MAX, "the answer is too long"
        return bool(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            assert self._more(), f"the connection ended in the middle of an answer: {self.buffer[:200]!r}"
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            assert self._more(), f"the connection ended {count - len(self.buffer)} bytes before the answer's end"
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def ended(self) -> bool:
        """Whether the server closes the connection without saying anything."""
        return not self._more()

    def answer(self, head: bool = False) -> Answer:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines[1:])}
        if status == 100:
            return self.answer(head)
        if head or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._until(b"\r\n")
            return Answer(status, headers, body)
        return Answer(status, headers, self._exactly(int(headers.get("content-length", 0))))


def send(server: Server, request: Request | bytes, timeout: float = 20, head: bool = False) -> Answer:
    """Sends a request on its own connection."""
    with Wire(server, timeout) as wire:
        wire.send(request if isinstance(request, bytes) else request.wire())
        return wire.answer(head or (isinstance(request, Request) and request.method == "HEAD"))


def encode(text: str | bytes, path: bool = False) -> str:
    """As S3 wants it: everything but letters, digits and `-_.~` is encoded; `/` stays in a path."""
    return quote(text, safe="-_.~/" if path else "-_.~")


def query_string(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{encode(n)}={encode(v)}" for n, v in pairs)


def digest(body: bytes) -> tuple[str, str]:
    """The header `Content-MD5`, which some requests must have."""
    return ("content-md5", base64.b64encode(hashlib.md5(body).digest()).decode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def amz_date(at: datetime.datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def now(**shift: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**shift)


@dataclass
class Signer:
    """Signs as one access key. Every field can be set wrong."""

    server: Server
    key: Key
    region: str = REGION
    service: str = "s3"
    shift_seconds: float = 0
    scope_date: str | None = None
    host: str | None = None

    def moment(self) -> str:
        return amz_date(now(seconds=self.shift_seconds + self.server.later_seconds))

    def scope(self, date: str) -> str:
        return f"{self.scope_date or date[:8]}/{self.region}/{self.service}/aws4_request"

    def signing_key(self, date: str) -> bytes:
        key = f"AWS4{self.key.secret}".encode()
        for part in self.scope(date).split("/"):
            key = _hmac(key, part)
        return key

    def signature(
        self, method: str, path: str, query: str, headers: list[tuple[str, str]], signed: list[str], payload: str, date: str
    ) -> str:
        """The signature over a request whose path and query are encoded already."""
        values = {n.lower(): " ".join(v.split()) for n, v in headers}
        pairs = sorted(p if "=" in p else f"{p}=" for p in query.split("&") if p)
        canonical = [
            method, path, "&".join(pairs), *(f"{n}:{values.get(n, '')}" for n in signed), "", ";".join(signed), payload
        ]
        hashed = hashlib.sha256("\n".join(canonical).encode("utf-8", "surrogateescape")).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", date, self.scope(date), hashed])
        return _hmac(self.signing_key(date), text).hex()

    def base_headers(self) -> list[tuple[str, str]]:
        return [("host", self.host or f"{self.server.host}:{self.server.port}")]

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        payload: str | None = None,
        unsigned: tuple[str, ...] = (),
        length: bool = True,
    ) -> Request:
        """A well signed request. `path` and `query` are as they go over the wire; headers named in
        `unsigned` are sent but not covered."""
        date = self.moment()
        payload = payload or hashlib.sha256(body).hexdigest()
        all_headers = [*self.base_headers(), ("x-amz-date", date), ("x-amz-content-sha256", payload), *(headers or [])]
        signed = sorted({n.lower() for n, _ in all_headers} - set(unsigned))
        value = self.signature(method, path, query, all_headers, signed, payload, date)
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={self.key.id}/{self.scope(date)}, "
            f"SignedHeaders={';'.join(signed)}, Signature={value}"
        )
        all_headers.append(("authorization", authorization))
        if length and (body or method in ("PUT", "POST")):
            all_headers.append(("content-length", str(len(body))))
        return Request(method, f"{path}?{query}" if query else path, all_headers, body)

    def presigned(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        expires: str = "300",
        payload: str = UNSIGNED,
    ) -> Request:
        """A request whose signature is in its query."""
        date = self.moment()
        all_headers = [*self.base_headers(), *(headers or [])]
        signed = sorted(n.lower() for n, _ in all_headers)
        pairs = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{self.key.id}/{self.scope(date)}"),
            ("X-Amz-Date", date),
            ("X-Amz-Expires", expires),
            ("X-Amz-SignedHeaders", ";".join(signed)),
            *(query or []),
        ]
        text = query_string(pairs)
        value = self.signature(method, path, text, all_headers, signed, payload, date)
        if body or method in ("PUT", "POST"):
            all_headers.append(("content-length", str(len(body))))
        return Request(method, f"{path}?{text}&X-Amz-Signature={value}", all_headers, body)

    def chunked(self, path: str, chunks: list[bytes], mode: str = STREAMING, **more: object) -> "Chunked":
        return Chunked(self, path, chunks, mode, **more)


@dataclass
class Chunked:
    """An upload in `aws-chunked` form. `pieces` are the framed chunks, the last and the trailer included,
    so that a test can leave out, swap and change them."""

    signer: Signer
    path: str
    chunks: list[bytes]
    mode: str = STREAMING
    trailer: tuple[str, str] | None = None
    decoded_length: str | None = None
    query: str = ""
    trailer_signed: bool = True

    def __post_init__(self) -> None:
        decoded = self.decoded_length if self.decoded_length is not None else str(sum(map(len, self.chunks)))
        headers = [("content-encoding", "aws-chunked")]
        if decoded:
            headers.append(("x-amz-decoded-content-length", decoded))
        if self.trailer:
            headers.append(("x-amz-trailer", self.trailer[0]))
        self.head = self.signer.request("PUT", self.path, self.query, headers, payload=self.mode, length=False)
        self.date = self.head.header("x-amz-date")
        self.previous = re.search(r"Signature=(\w+)", self.head.header("authorization"))[1]
        self.pieces = [self._frame(chunk) for chunk in [*self.chunks, b""]]
        if "TRAILER" in self.mode:
            self.pieces.append(self._trailer())
        else:
            self.pieces.append(b"\r\n")

    def _sign(self, label: str, *lines: str) -> str:
        scope = self.signer.scope(self.date)
        text = "\n".join([f"AWS4-HMAC-SHA256-{label}", self.date, scope, self.previous, *lines])
        self.previous = _hmac(self.signer.signing_key(self.date), text).hex()
        return self.previous

    def _frame(self, data: bytes) -> bytes:
        head = f"{len(data):x}"
        if self.mode != STREAMING_UNSIGNED:
            signature = self._sign("PAYLOAD", EMPTY_SHA256, hashlib.sha256(data).hexdigest())
            head += f";chunk-signature={signature}"
        return head.encode() + b"\r\n" + (data + b"\r\n" if data else b"")

    def _trailer(self) -> bytes:
        out = b""
        if self.trailer:
            out += f"{self.trailer[0]}:{self.trailer[1]}\r\n".encode()
        if self.mode == STREAMING_TRAILER and self.trailer_signed:
            text = f"{self.trailer[0]}:{self.trailer[1]}\n" if self.trailer else ""
            signature = self._sign("TRAILER", hashlib.sha256(text.encode()).hexdigest())
            out += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return out + b"\r\n"

    def request(self) -> Request:
        body = b"".join(self.pieces)
        return replace(self.head.with_header("content-length", str(len(body))), body=body)
