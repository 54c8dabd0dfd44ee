"""Leases: borrows that this process holds, and keeps renewing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .client import LEASE, Client
from .errors import Conflict, CratonError, Denied, LeaseLost, NotFound

if TYPE_CHECKING:
    from typing_extensions import Self

_RENEWALS = 3
"""How often a lease is renewed in its time: two may fail."""
_AGAIN_SECONDS = 0.5
"""How long until a lease that somebody is in the way of is asked for again."""


@dataclass(frozen=True)
class LeasePath:
    """What a lease is on: a bucket, and of it at most one of the others."""

    bucket: str
    mode: str
    key: str | None = None
    prefix: str | None = None
    table: str | None = None
    graph: str | None = None
    facts: str | None = None


def exclusive(bucket: str, *, key: str | None = None, prefix: str | None = None, table: str | None = None,
              graph: str | None = None, facts: str | None = None) -> LeasePath:
    """Only the holder writes there. A table is ``namespace.table``; ``facts`` narrows a graph to those that begin so."""
    return LeasePath(bucket, "exclusive", key, prefix, table, graph, facts)


def shared(bucket: str, *, key: str | None = None, prefix: str | None = None, table: str | None = None,
           graph: str | None = None, facts: str | None = None) -> LeasePath:
    """Nobody writes there; others may hold it so too."""
    return LeasePath(bucket, "shared", key, prefix, table, graph, facts)


class Lease(Client):
    """A lease that is held, and a client whose requests stand under it.

    A thread renews it. If that does not succeed in time, ``lost`` is set, each request raises ``LeaseLost`` before it is
    sent, and so does the end of the ``with``, unless something else was raised in it. The server refuses such requests too.
    A copy in another process has the lease, and does not renew it.

    Attributes:
        id: its id.
        fencing_token: a number greater than that of every earlier lease in its way, for systems that tell holders apart.
        lost: set when it is over before it was given back.
    """

    def __init__(self, parent: Client, paths: Sequence[LeasePath], seconds: int, purpose: str, wait: float) -> None:
        super().__init__(parent.transport, parent.auth, region=parent.region, headers=parent.headers)
        self._parent = parent
        self._asked = {
            "paths": [{name: value for name, value in asdict(path).items() if value is not None} for path in paths],
            "seconds": seconds, "purpose": purpose,
        }
        self.seconds = seconds
        self.wait = wait
        self.id = ""
        self.fencing_token = 0
        self.lost = threading.Event()
        self._done = threading.Event()
        self._released = False
        self._renewer: threading.Thread | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain, (self.transport, self.auth, self.region, self.headers)

    def __enter__(self) -> Self:
        if self._renewer is not None:
            raise RuntimeError("a lease is held once; ask for another")
        sent = time.monotonic()
        made = self._acquire()
        self.id, self.fencing_token = made["id"], made["token"]
        self.headers[LEASE] = self.id
        self._renewer = threading.Thread(target=self._renew, args=(sent, os.getpid()), name="craton-lease", daemon=True)
        self._renewer.start()
        return self

    def _acquire(self) -> Any:
        end = time.monotonic() + self.wait
        while True:
            try:
                return self._parent.json("POST", "/_api/v1/leases", body=self._asked)
            except Conflict:
                left = end - time.monotonic()
                if left <= 0:
                    raise
                time.sleep(min(_AGAIN_SECONDS, left))

    def _renew(self, since: float, process: int) -> None:
        # It lasts from when the server did it, which is not before it was asked.
        while not self._done.wait(max(0.0, since + self.seconds / _RENEWALS - time.monotonic())):
            sent = time.monotonic()
            try:
                self._parent.json("PUT", f"/_api/v1/leases/{self.id}", body={"seconds": self.seconds})
                since = sent
            except (Denied, NotFound, Conflict):
                self.lost.set()
                return
            except CratonError:
                if time.monotonic() >= since + self.seconds:
                    self.lost.set()
                    return
                self._done.wait(min(1.0, self.seconds / (2 * _RENEWALS)))

    def _check(self) -> None:
        if self.lost.is_set():
            raise LeaseLost(f"the lease {self.id} ended while it was held")

    def release(self) -> None:
        """Gives it back before the end of the ``with``.

        Raises:
            LeaseLost: if it was over before.
        """
        if self._released:
            return
        self._done.set()
        if self._renewer is not None:
            self._renewer.join(timeout=self.seconds)
        try:
            if not self.lost.is_set():
                self._parent.json("DELETE", f"/_api/v1/leases/{self.id}")
                self._released = True
        except (Denied, NotFound):
            self.lost.set()
        self._check()

    def __exit__(self, *raised: object) -> None:
        try:
            self.release()
        except CratonError:
            # What was raised within is what is told.
            if raised[0] is None:
                raise


def _plain(transport: Any, auth: Any, region: str, headers: dict[str, str]) -> Client:
    return Client(transport, auth, region=region, headers=headers)
