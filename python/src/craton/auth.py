"""Who asks: access keys, which sign each request (AWS Signature Version 4), and bearer tokens.

The signature is made here, in sixty lines, and not by botocore: that would be 15 MB of descriptions of services that are
not used. See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import configparser
import datetime
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote


def encoded(text: str, safe: str = "") -> str:
    """Percent-encoded as a signature wants it: all but letters, digits and ``-_.~``, and what is ``safe``."""
    return quote(text, safe=f"-_.~{safe}")


@dataclass(frozen=True)
class Outgoing:
    """What of a request is signed. Path and query are encoded, the query's pairs in order."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    body_sha256: str
    service: str
    region: str


class Auth(Protocol):
    """Who asks. ``headers`` says what proves it for one request."""

    def headers(self, request: Outgoing) -> dict[str, str]: ...


@dataclass(frozen=True)
class Anonymous:
    """Nobody."""

    def headers(self, request: Outgoing) -> dict[str, str]:
        return dict(request.headers)


@dataclass(frozen=True)
class Bearer:
    """A bearer token: for the API, SQL, graphs and tables, not for objects, whose protocol has none."""

    token: str = field(repr=False)

    def headers(self, request: Outgoing) -> dict[str, str]:
        return {**request.headers, "authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class AccessKey:
    """An access key, of a user or (with a token) of a session."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def headers(self, request: Outgoing) -> dict[str, str]:
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {**request.headers, "host": request.host, "x-amz-date": now, "x-amz-content-sha256": request.body_sha256}
        if self.token:
            headers["x-amz-security-token"] = self.token
        signed = sorted(name for name in headers if name == "host" or name.startswith(("x-", "content-")))
        scope = f"{now[:8]}/{request.region}/{request.service}/aws4_request"
        lines = [
            request.method, request.path, request.query, *(f"{name}:{' '.join(headers[name].split())}" for name in signed),
            "", ";".join(signed), request.body_sha256,
        ]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        signature = hmac.new(self._signing_key(scope), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}".encode(), "sha256")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.id}/{scope}, SignedHeaders={';'.join(signed)}, "
            f"Signature={signature.hexdigest()}"
        )
        return headers

    def _signing_key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return key


def from_environment() -> Auth:
    """Who asks, from where the ``craton`` command looks: the file ``CRATON_CREDENTIALS``, the variables
    ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``, the folder ``CRATON_DATA``; and before them
    all a bearer token in ``CRATON_TOKEN``.

    Raises:
        LookupError: if nothing of that is set.
    """
    variable = os.environ.get
    if token := variable("CRATON_TOKEN"):
        return Bearer(token)
    if file := variable("CRATON_CREDENTIALS"):
        return from_file(file)
    key, secret = variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return AccessKey(key, secret, variable("AWS_SESSION_TOKEN"))
    if folder := variable("CRATON_DATA"):
        return from_file(Path(folder) / "root-credentials")
    raise LookupError(
        "who asks? Set CRATON_TOKEN, CRATON_CREDENTIALS, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or CRATON_DATA"
    )


def from_file(path: str | Path, section: str = "default") -> AccessKey:
    """An access key from a file in the form of AWS's credentials.

    Raises:
        OSError: if the file can not be read.
        KeyError: if it has no such section, or no key in it.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Path(path).read_text())
    found = parser[section]
    return AccessKey(found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token"))
