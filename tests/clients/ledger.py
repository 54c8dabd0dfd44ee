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


def tells_of_one_refusal(server: Server, request_id: str) -> list[dict]:
    """The request left one denial; or, where it was allowed and then failed, an outcome that says so of each thing
    that was allowed (of a copy: its source and its destination), and of each only one."""
    found = of_request(server, request_id)
    denials = [r for r in found if r["kind"] == "denial"]
    failed = [r for r in found if r["kind"] != "denial" and r.get("result", "ok") != "ok"]
    assert len(denials) <= 1 and denials + failed, found
    about = [(r.get("action"), r.get("resource")) for r in failed]
    assert len(about) == len(set(about)) <= 2, found
    return denials + failed
