"""What the ledger says about a request, asked over the API as root."""

import json
import time

from server import Server
from sigv4 import Signer, send

SETTLE_SECONDS_MAX = 5


def records(server: Server, query: str = "limit=200") -> list[dict]:
    """Records, newest first."""
    answer = send(server, Signer(server, server.root).request("GET", "/_api/v1/ledger/records", query))
    assert answer.status == 200, answer
    return json.loads(answer.body)["records"]


def of_request(server: Server, request_id: str) -> list[dict]:
    """The records of one request. Its last may come a moment after the answer."""
    assert request_id, "the answer names no request"
    end = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        found = [r for r in records(server) if r.get("request_id") == request_id]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def failures(server: Server, request_id: str) -> list[dict]:
    """Those that say that it was refused or failed."""
    found = of_request(server, request_id)
    return [r for r in found if r["kind"] == "denial" or r.get("result", "ok") != "ok"]
