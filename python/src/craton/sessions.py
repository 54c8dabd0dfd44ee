"""Sessions: of roles (STS) and by bearer tokens (OAuth 2)."""

from __future__ import annotations

import datetime
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from .auth import AccessKey, Bearer, Outgoing

if TYPE_CHECKING:
    from .client import Client

ACCOUNT = "000000000000"
_RENEW_SHARE = 0.2
"""A session is made anew when so much of its time is left."""


def tagged(acting_for: str | None, purpose: str | None, run: str | None, budget: Mapping[str, int] | None,
           tags: Mapping[str, str] | None) -> dict[str, str]:
    """The tags of a session, with those that mean something."""
    known = {"craton:acting-for": acting_for, "craton:purpose": purpose, "craton:run": run, "craton:budget": budget_text(budget)}
    return {**(tags or {}), **{name: value for name, value in known.items() if value is not None}}


def budget_text(budget: Mapping[str, int] | None) -> str | None:
    """A budget as the server takes it: ``bytes=1000000 requests=50``."""
    return " ".join(f"{name}={amount}" for name, amount in budget.items()) if budget else None


def _sts(client: Client, action: str, fields: Mapping[str, str]) -> dict[str, str]:
    body = urlencode({"Action": action, "Version": "2011-06-15", **fields}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    with client.request("POST", "/", headers=headers, body=body, service="sts") as answer:
        root = ElementTree.fromstring(answer.read())
    return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}


def caller(client: Client) -> str:
    """The ARN of who asks."""
    return _sts(client, "GetCallerIdentity", {})["Arn"]


class AssumedRole:
    """Somebody in a session of a role, which is made anew before it ends. May be shared by threads."""

    def __init__(self, parent: Client, role: str, name: str, tags: Mapping[str, str], policy: Mapping[str, Any] | None,
                 seconds: int) -> None:
        self._parent = parent
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
        self._fields = {"RoleArn": arn, "RoleSessionName": name, "DurationSeconds": str(seconds)}
        for n, (key, value) in enumerate(tags.items(), 1):
            self._fields |= {f"Tags.member.{n}.Key": key, f"Tags.member.{n}.Value": value}
        if policy is not None:
            self._fields["Policy"] = json.dumps(policy)
        self._seconds = seconds
        self._lock, self._process = threading.Lock(), os.getpid()
        self._made: tuple[AccessKey, float] = self._make()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _process=os.getpid())

    def _make(self) -> tuple[AccessKey, float]:
        made = _sts(self._parent, "AssumeRole", self._fields)
        until = datetime.datetime.fromisoformat(made["Expiration"].replace("Z", "+00:00")).timestamp()
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]), until

    @property
    def key(self) -> AccessKey:
        """The access key of the session, for other tools. It ends with the session."""
        if self._process != os.getpid():
            # A thread that is not in this process may have held the lock when it was forked.
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:
            if self._made[1] - time.time() < self._seconds * _RENEW_SHARE:
                self._made = self._make()
            return self._made[0]

    def headers(self, request: Outgoing) -> dict[str, str]:
        return self.key.headers(request)


def _granted(client: Client, fields: Mapping[str, str | None], policy: Mapping[str, Any] | None) -> Bearer:
    told = {**fields, "policy": None if policy is None else json.dumps(policy)}
    body = urlencode({name: value for name, value in told.items() if value is not None}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    # Who asks is in the form: `Anonymous` does not sign it.
    from .client import Client as Plain

    plain = Plain(client.transport, region=client.region)
    with plain.request("POST", "/_api/v1/oauth/token", headers=headers, body=body) as answer:
        return Bearer(json.loads(answer.read())["access_token"])


def _resource(client: Client, mcp: bool) -> str | None:
    """What a token is for (RFC 8707)."""
    return f"{client.transport.endpoint}/_mcp" if mcp else None


def client_token(client: Client, run: str | None, purpose: str | None, budget: Mapping[str, int] | None,
                 policy: Mapping[str, Any] | None, seconds: int | None, mcp: bool) -> Bearer:
    """A token for the client's access key."""
    auth = client.auth
    if not isinstance(auth, AccessKey) or auth.token:
        raise TypeError("a token is given for a user's access key; a token is exchanged by `exchange`")
    fields = {"grant_type": "client_credentials", "client_id": auth.id, "client_secret": auth.secret, "run": run,
              "purpose": purpose, "budget": budget_text(budget), "expires_in": None if seconds is None else str(seconds), "resource": _resource(client, mcp)}
    return _granted(client, fields, policy)


def exchanged(client: Client, subject: str, actor: str | None, run: str | None, purpose: str | None,
              policy: Mapping[str, Any] | None, seconds: int | None, mcp: bool) -> Bearer:
    """A token for tokens."""
    kind = "urn:ietf:params:oauth:token-type:access_token"
    fields = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": subject, "subject_token_type": kind,
              "actor_token": actor, "actor_token_type": kind if actor else None, "run": run, "purpose": purpose,
              "expires_in": None if seconds is None else str(seconds), "resource": _resource(client, mcp)}
    return _granted(client, fields, policy)
