"""Statements to the SQL door, by HTTP."""

import io
import json
import urllib.error
import urllib.request

import pyarrow as pa

from server import Key, Server
from sigv4 import Signer

ARROW = "application/vnd.apache.arrow.stream"


class Refused(Exception):
    """A statement that the server refused."""

    def __init__(self, status: int, error: dict, request_id: str):
        super().__init__(f"{status} {error}")
        self.status, self.reason, self.message, self.request_id = status, error["reason"], error["message"], request_id


def request(server: Server, key: Key, statement: str, accept: str = ARROW, **more: object):
    body = json.dumps({"statement": statement, **more}).encode()
    signed = Signer(server, key).request("POST", "/_api/v1/sql", "", [("accept", accept)], body)
    return urllib.request.Request(f"{server.endpoint}/_api/v1/sql", body, dict(signed.headers), method="POST")


def fetch(server: Server, key: Key, statement: str, accept: str = ARROW, **more: object) -> tuple[bytes, str]:
    """An answer's bytes, and the request's id."""
    try:
        with urllib.request.urlopen(request(server, key, statement, accept, **more), timeout=120) as answer:
            assert answer.headers["content-type"].startswith(accept)
            return answer.read(), answer.headers["x-amz-request-id"]
    except urllib.error.HTTPError as error:
        raise Refused(error.code, json.loads(error.read())["error"], error.headers["x-amz-request-id"]) from None


def ask(server: Server, key: Key, statement: str, **more: object) -> pa.Table:
    """The rows."""
    return pa.ipc.open_stream(io.BytesIO(fetch(server, key, statement, **more)[0])).read_all()


def rows(server: Server, key: Key, statement: str, **more: object) -> list[tuple]:
    """The rows as tuples, in order."""
    return [tuple(row.values()) for row in ask(server, key, statement, **more).to_pylist()]
