"""What can go wrong, as exceptions: one class for each thing that a caller would do something about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from xml.etree import ElementTree


class CratonError(Exception):
    """Something failed. Of a refusal by the server, what it said of it.

    Attributes:
        status: HTTP's status, 0 if the server did not answer.
        reason: a stable name in CamelCase, such as ``NoSuchKey`` or ``BudgetExceeded``.
        message: what is wrong, for people.
        request_id: the request's id, which its records in the ledger have too.
        decision: of a denial, the id that ``Client.explain_decision`` takes; else ``None``.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", request_id: str = "") -> None:
        super().__init__(f"{reason}: {message}" if reason else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request_id = request_id
        found = re.search(r"\(decision ([0-9a-f]+-[0-9a-f]+)\)", message)
        self.decision: str | None = found[1] if found else None

    def __reduce__(self) -> tuple[object, ...]:
        return (_again, (type(self), self.message, self.status, self.reason, self.request_id))


def _again(kind: type[CratonError], message: str, status: int, reason: str, request_id: str) -> CratonError:
    return kind(message, status=status, reason=reason, request_id=request_id)


class Invalid(CratonError):
    """The request is wrong as it is (400 and the like)."""


class Denied(CratonError):
    """Who asks may not, or is not known (401, 403)."""


class NotFound(CratonError):
    """There is no such thing (404)."""


class Conflict(CratonError):
    """Somebody else holds it or changed it (409): a lease in the way, a lost race."""


class Changed(CratonError):
    """It is not any more what the caller said it was (412)."""


class TooLarge(CratonError):
    """A limit of the request or of its work was reached (413)."""


class TooMany(CratonError):
    """Too much at once, or more than the session may (429)."""


class BudgetExceeded(TooMany):
    """The session has used up its budget."""


class Unavailable(CratonError):
    """The server failed or is busy (5xx)."""


class Unreachable(CratonError):
    """No answer came."""


class Interrupted(CratonError):
    """An answer was cut off: what was read of it is not all of it."""


class LeaseLost(CratonError):
    """A lease ended while it was held."""


_KINDS: dict[int, type[CratonError]] = {
    401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 412: Changed, 413: TooLarge, 429: TooMany,
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> CratonError:
    """The exception for an answer that is an error, in whichever form its door has."""
    reason, message = _told(body)
    kind = Unavailable if status >= 500 else _KINDS.get(status, Invalid)
    if reason == "BudgetExceeded":
        kind = BudgetExceeded
    request_id = headers.get("x-amz-request-id", "")
    return kind(message or f"the server answered {status}", status=status, reason=reason, request_id=request_id)


def _told(body: bytes) -> tuple[str, str]:
    """Reason and message from JSON (the API, graphs, Iceberg, OAuth) or XML (S3, STS)."""
    text = body.decode(errors="replace").strip()
    try:
        told = json.loads(text)
        error = told["error"]
        if isinstance(error, str):
            return error, str(told.get("error_description", ""))
        return str(error.get("reason") or error.get("type", "")), str(error["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return "", text[:500]
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}
    return found.get("Code", ""), found.get("Message", "")
