"""HTTP: one server's connections, answers as streams, and what of it may be tried again.

A transport may be shared by threads, survives a fork (each process has connections of its own) and can be pickled.

GET, HEAD, and requests that no connection was made for, are tried again twice; so is what the server says (503) that it
did not do. Nothing else is: a write whose answer was lost may have been done.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.parse import urlsplit

import urllib3

from .errors import CratonError, Interrupted, Unreachable, refusal

PIECE_BYTES = 1 << 20
"""How much is read of a stream at once."""
ERROR_BYTES_MAX = 1 << 20
"""How much is read of an answer that is an error."""
_AGAIN = urllib3.Retry(
    total=2, connect=2, read=2, other=0, redirect=False, status=2, backoff_factor=0.2, allowed_methods=("GET", "HEAD"),
    status_forcelist=(503,), raise_on_status=False,
)


class Answer(io.RawIOBase):
    """An answer that is read as it comes. An end that is not the end raises ``Interrupted``."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        super().__init__()
        self._response = response
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._part(len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        return self._part(None if size is None or size < 0 else size)

    def readall(self) -> bytes:
        return self._part(None)

    def _part(self, size: int | None) -> bytes:
        try:
            return self._response.read(size)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Interrupted(f"the answer was cut off: {error}", request_id=self.request_id) from error

    def pieces(self) -> Iterator[bytes]:
        """The bytes, as they come."""
        with self:
            while piece := self._part(PIECE_BYTES):
                yield piece

    def lines(self) -> Iterator[bytes]:
        """The lines, as they come, without their ends."""
        rest = b""
        with self:
            # What is there is passed on at once: a line of progress does not wait for a full piece.
            while piece := self._some():
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
        if rest:
            yield rest

    def _some(self) -> bytes:
        try:
            return self._response.read1(PIECE_BYTES)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Interrupted(f"the answer was cut off: {error}", request_id=self.request_id) from error

    @property
    def request_id(self) -> str:
        return self.headers.get("x-amz-request-id", "")

    def close(self) -> None:
        if not self.closed:
            # A connection with the rest of an answer in it serves nobody.
            done = self._response.closed
            (self._response.release_conn if done else self._response.close)()
        super().close()


class Transport:
    """Connections to one server.

    Args:
        endpoint: its address, such as ``http://127.0.0.1:9000``.
        ca: a file with the certificates that its own may rest on; the system's if ``None``.
        timeout: how many seconds it may say nothing.
        connections: how many are kept open at most.
    """

    def __init__(self, endpoint: str, *, ca: str | None = None, timeout: float = 60, connections: int = 32) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{endpoint!r} is not the address of a server, as http://127.0.0.1:9000 is")
        self.endpoint = f"{parts.scheme}://{parts.netloc}"
        self.host = parts.netloc
        self._place = (parts.scheme, parts.hostname, parts.port)
        self._options = (ca, timeout, connections)
        self._pool: tuple[int, urllib3.HTTPConnectionPool] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}

    def _connections(self) -> urllib3.HTTPConnectionPool:
        own = os.getpid()
        if self._pool is None or self._pool[0] != own:
            (scheme, host, port), (ca, timeout, connections) = self._place, self._options
            more: dict[str, Any] = {"timeout": urllib3.Timeout(timeout), "maxsize": connections}
            pool = (
                urllib3.HTTPSConnectionPool(host, port, ca_certs=ca, cert_reqs="CERT_REQUIRED", **more)
                if scheme == "https" else urllib3.HTTPConnectionPool(host, port, **more)
            )
            self._pool = (own, pool)
        return self._pool[1]

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | IO[bytes] | None) -> Answer:
        """Sends a request, signed already, and answers with what came of it.

        Raises:
            CratonError: its subclass for what went wrong.
        """
        try:
            response = self._connections().urlopen(
                method, target, body=body, headers=headers, retries=_AGAIN, redirect=False, preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self.endpoint} does not answer: {error}") from error
        answer = Answer(response)
        if response.status >= 300:
            raise _refused(answer)
        return answer

    def close(self) -> None:
        """Closes the connections of this process."""
        if self._pool and self._pool[0] == os.getpid():
            self._pool[1].close()
        self._pool = None


def _refused(answer: Answer) -> CratonError:
    with answer:
        try:
            body = answer.read(ERROR_BYTES_MAX)
        except Interrupted:
            body = b""
    return refusal(answer.status, answer.headers, body)
