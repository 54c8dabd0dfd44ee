"""The client: who asks, and under which run and lease. Everything else is reached from it."""

from __future__ import annotations

import hashlib
import json as json_module
import os
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

from .auth import AccessKey, Anonymous, Auth, Bearer, Outgoing, encoded, from_environment
from .transport import PIECE_BYTES, Answer, Transport

if TYPE_CHECKING:
    from .graphs import Graph
    from .leases import Lease, LeasePath
    from .objects import Bucket
    from .rows import Rows
    from .runs import Run

RUN = "x-craton-run"
LEASE = "x-craton-lease"
Query = Mapping[str, "str | int | None"]
C = TypeVar("C", bound="Client")


def connect(endpoint: str | None = None, auth: Auth | None = None, *, region: str | None = None, ca: str | None = None,
            timeout: float = 60) -> Client:
    """A client of a server. What is not said is taken from where the ``craton`` command takes it: the variables
    ``CRATON_ENDPOINT``, ``CRATON_REGION``, ``CRATON_CA_CERT``, and for who asks see ``craton.auth.from_environment``.

    Args:
        endpoint: the server's address; ``http://127.0.0.1:9000`` if nothing says another.
        auth: who asks: an ``AccessKey`` or a ``Bearer`` token.
        region: what signatures name; ``us-east-1`` if nothing says another.
        ca: a file with the certificates that the server's may rest on.
        timeout: how many seconds the server may say nothing.
    """
    variable = os.environ.get
    transport = Transport(
        endpoint or variable("CRATON_ENDPOINT") or "http://127.0.0.1:9000", ca=ca or variable("CRATON_CA_CERT"), timeout=timeout
    )
    return Client(transport, auth or from_environment(), region=region or variable("CRATON_REGION") or "us-east-1")


class Client:
    """Somebody who asks a server. Made by ``connect``; may be shared by threads and sent to other processes.

    A ``Run`` and a ``Lease`` are clients too, whose requests say which run or lease they belong to.
    """

    def __init__(self, transport: Transport, auth: Auth | None = None, *, region: str = "us-east-1",
                 headers: Mapping[str, str] | None = None) -> None:
        self.transport = transport
        self.auth: Auth = auth or Anonymous()
        self.region = region
        self.headers: dict[str, str] = dict(headers or {})
        """What every request says beside what it is signed with."""
        self.left: dict[str, int] | None = None
        """What is left of the session's budget, as the last answer said; ``None`` if it has none."""

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections; a later request opens new ones."""
        self.transport.close()

    def with_auth(self, auth: Auth) -> Client:
        """The same server, asked by somebody else; run and lease stay."""
        return Client(self.transport, auth, region=self.region, headers=self.headers)

    # Requests ---------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, *, query: Query | None = None, headers: Mapping[str, str] | None = None,
                body: bytes | IO[bytes] = b"", service: str = "s3") -> Answer:
        """Sends a request and returns its answer, to be read.

        Args:
            path: not encoded; ``/`` in it parts its parts. What may hold a ``/`` is encoded by the caller: see ``graphs``.
            query: names and values, not encoded; what is ``None`` is left out.
            body: bytes, or a file that can be read twice: once for its hash, which is signed, and once to send it.
            service: which service the signature names.

        Raises:
            CratonError: its subclass for what went wrong.
        """
        return self.send(method, encoded(path, "/"), query=query, headers=headers, body=body, service=service)

    def send(self, method: str, target: str, *, query: Query | None = None, headers: Mapping[str, str] | None = None,
             body: bytes | IO[bytes] = b"", service: str = "s3") -> Answer:
        """As ``request``, with a path that is encoded already."""
        self._check()
        pairs = sorted((encoded(k), encoded(str(v))) for k, v in (query or {}).items() if v is not None)
        joined = "&".join(f"{k}={v}" for k, v in pairs)
        length, digest = _measured(body)
        asked = {"user-agent": "craton-python", **self.headers, **{k.lower(): v for k, v in (headers or {}).items()}}
        if length or method in ("POST", "PUT"):
            asked["content-length"] = str(length)
        outgoing = Outgoing(method, self.transport.host, target, joined, asked, digest, service, self.region)
        proven = self.auth.headers(outgoing)
        answer = self.transport.send(method, f"{target}?{joined}" if joined else target, proven, body or None)
        if told := answer.headers.get("x-craton-budget"):
            pairs_left = (part.partition("=") for part in told.split())
            self.left = {name: int(amount) for name, _, amount in pairs_left}
        return answer

    def json(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> Any:
        """Sends a value as JSON, if there is one, and returns the answer's."""
        data = b"" if body is None else json_module.dumps(body).encode()
        with self.request(method, path, query=query, body=data) as answer:
            return json_module.loads(answer.read() or b"null")

    def _check(self) -> None:
        """Raises if what its requests would say is known to be over."""

    # Who asks ---------------------------------------------------------------------------------------------------

    def whoami(self) -> str:
        """The ARN of who asks. Not for bearer tokens, which this protocol has none of."""
        from .sessions import caller

        return caller(self)

    def assume_role(self, role: str, *, name: str = "python", acting_for: str | None = None, purpose: str | None = None,
                    run: str | None = None, budget: Mapping[str, int] | None = None, tags: Mapping[str, str] | None = None,
                    policy: Mapping[str, Any] | None = None, seconds: int = 3600) -> Client:
        """A client in a session of a role. The session is made anew before it ends, as long as the client is used.

        Args:
            role: its ARN, or its name.
            name: the session's name.
            acting_for: a user for whom it acts: it has no right that this user lacks.
            purpose: what policies read as ``craton:Purpose``.
            run: the run that its requests belong to, if they name none.
            budget: what it may use up: ``bytes``, ``rows``, ``objects``, ``deletes``, ``requests``, ``seconds``.
            tags: more tags.
            policy: a policy that narrows it.
            seconds: how long a session is, 15 minutes to 12 hours; within a role's session at most an hour.
        """
        from .sessions import AssumedRole, tagged

        all_tags = tagged(acting_for, purpose, run, budget, tags)
        return self.with_auth(AssumedRole(self, role, name, all_tags, policy, seconds))

    def token(self, *, run: str | None = None, purpose: str | None = None, budget: Mapping[str, int] | None = None,
              policy: Mapping[str, Any] | None = None, seconds: int | None = None, mcp: bool = False) -> Client:
        """A client with a bearer token for the access key of this one, narrowed as asked.

        Args:
            mcp: whether the token is for the door for agents, and for nothing else: hand ``client.auth.token`` to an agent.
        """
        from .sessions import client_token

        return self.with_auth(client_token(self, run, purpose, budget, policy, seconds, mcp))

    def exchange(self, subject: str, *, actor: str | None = None, run: str | None = None, purpose: str | None = None,
                 policy: Mapping[str, Any] | None = None, seconds: int | None = None, mcp: bool = False) -> Client:
        """A client with a token made of the token ``subject``, and of the token ``actor`` of who acts for the subject
        (RFC 8693). ``mcp`` is as in ``token``."""
        from .sessions import exchanged

        return self.with_auth(exchanged(self, subject, actor, run, purpose, policy, seconds, mcp))

    def explain(self, principal: str, action: str, resource: str, *, acting_for: Sequence[str] = (),
                context: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What would be decided: whether it is allowed, by which statements, and what would have to change."""
        asked = {"principal": principal, "action": action, "resource": resource, "acting_for": list(acting_for),
                 "context": dict(context or {})}
        found: dict[str, Any] = self.json("POST", "/_api/v1/explain", body=asked)
        return found

    def explain_decision(self, decision: str) -> dict[str, Any]:
        """Why something was denied, by the id that the denial names (``CratonError.decision``)."""
        found: dict[str, Any] = self.json("GET", f"/_api/v1/decisions/{decision}")
        return found

    def lineage(self, resource: str, *, version: int | None = None, direction: str = "upstream", depth: int | None = None) -> dict[str, Any]:
        """What something was made from, or what was made from it: ``nodes`` and the ``edges`` of runs between them.

        Args:
            resource: its path, as ``/bucket/objects/key``.
            version: which version; all if ``None``.
            direction: ``upstream`` or ``downstream``.
            depth: how many steps.
        """
        query: Query = {"resource": resource, "version": version, "direction": direction, "depth": depth}
        found: dict[str, Any] = self.json("GET", "/_api/v1/lineage", query=query)
        return found

    # What there is ----------------------------------------------------------------------------------------------

    def bucket(self, name: str) -> Bucket:
        """A bucket of objects."""
        from .objects import Bucket

        return Bucket(self, name)

    def graph(self, bucket: str, name: str) -> Graph:
        """A graph in a bucket. It begins to be with its first fact."""
        from .graphs import Graph

        return Graph(self, bucket, name)

    def graphs(self, bucket: str) -> list[str]:
        """The names of the graphs in a bucket."""
        names: list[str] = self.json("GET", f"/_graph/v1/{bucket}")["graphs"]
        return names

    def sql(self, statement: str, *, bucket: str | None = None, namespace: str | None = None, seconds: int | None = None) -> Rows:
        """Runs a statement. Its rows come as they are read: see ``Rows``.

        Args:
            bucket: the bucket of names that have none.
            namespace: the namespace of names that have none.
            seconds: how long it may take.
        """
        from .rows import ARROW, Rows

        asked = {"statement": statement, "bucket": bucket, "namespace": namespace, "seconds": seconds}
        body = json_module.dumps({name: value for name, value in asked.items() if value is not None}).encode()
        return Rows(self.request("POST", "/_api/v1/sql", headers={"accept": ARROW}, body=body))

    def table_snapshot(self, table: str) -> int | None:
        """The id of a table's current snapshot; ``None`` of a table that holds nothing. ``table`` is
        ``bucket.namespace.table``."""
        bucket, namespace, name = table_parts(table)
        target = f"/_iceberg/v1/{encoded(bucket)}/namespaces/{encoded(namespace.replace('.', chr(0x1f)))}/tables/{encoded(name)}"
        with self.send("GET", target) as answer:
            snapshot = json_module.loads(answer.read())["metadata"].get("current-snapshot-id")
        return None if snapshot in (None, -1) else int(snapshot)

    def iceberg(self, bucket: str) -> dict[str, str]:
        """What PyIceberg is told to reach a bucket's tables as this client: ``load_catalog("craton", **client.iceberg("data"))``.

        Run and lease go along with what is asked of the catalog, not with the reading of files. A session's key is told as it
        is now, and not made anew.

        Raises:
            TypeError: if nobody asks.
        """
        from .sessions import AssumedRole

        told = {"type": "rest", "uri": f"{self.transport.endpoint}/_iceberg", "warehouse": bucket, "s3.endpoint": self.transport.endpoint,
                "s3.region": self.region, **{f"header.{name}": value for name, value in self.headers.items()}}
        auth = self.auth.key if isinstance(self.auth, AssumedRole) else self.auth
        if isinstance(auth, Bearer):
            return {**told, "token": auth.token}
        if not isinstance(auth, AccessKey):
            raise TypeError("tables are for who has an access key, a session or a token")
        told |= {"rest.sigv4-enabled": "true", "rest.signing-name": "s3tables", "rest.signing-region": self.region, "client.region": self.region}
        for place in ("client", "s3"):
            told |= {f"{place}.access-key-id": auth.id, f"{place}.secret-access-key": auth.secret}
            told |= {f"{place}.session-token": auth.token} if auth.token else {}
        return told

    # Runs and leases --------------------------------------------------------------------------------------------

    def run(self, name: str | None = None) -> Run:
        """A run: what is done through it belongs together, in the ledger and in lineage. Use it by ``with``.

        Args:
            name: at most 128 bytes of printable ASCII; one that nobody has if it is not said.
        """
        from .runs import Run

        return Run(self, name)

    def lease(self, *paths: LeasePath, seconds: int = 60, purpose: str = "", wait: float = 0) -> Lease:
        """A lease on paths, which renews itself as long as it is held. Use it by ``with``.

        Args:
            paths: made by ``craton.exclusive`` and ``craton.shared``; all are taken, or none.
            seconds: how long it lasts after the last renewal: so long others wait if this process dies.
            purpose: what others are told about it.
            wait: for how many seconds it is asked for again while somebody is in the way.
        """
        from .leases import Lease

        return Lease(self, paths, seconds, purpose, wait)


def table_parts(table: str) -> tuple[str, str, str]:
    """Bucket, namespace and name of ``bucket.namespace.table``; each may stand in double quotes, and then hold dots."""
    parts = [""]
    quoted = False
    for letter in table:
        if letter == '"':
            quoted = not quoted
        elif letter == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    if len(parts) < 3 or not all(parts) or quoted:
        raise ValueError(f"{table!r} is not bucket.namespace.table")
    return parts[0], ".".join(parts[1:-1]), parts[-1]


def _measured(body: bytes | IO[bytes]) -> tuple[int, str]:
    """The length and the hash of a body; a file is left where it was."""
    if isinstance(body, bytes):
        return len(body), hashlib.sha256(body).hexdigest()
    begin, length, digest = body.tell(), 0, hashlib.sha256()
    while piece := body.read(PIECE_BYTES):
        length += len(piece)
        digest.update(piece)
    body.seek(begin)
    return length, digest.hexdigest()
