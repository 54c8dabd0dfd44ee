"""Runs: what belongs together, in the ledger and in lineage."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .auth import encoded
from .client import RUN, Client, Query

if TYPE_CHECKING:
    from typing_extensions import Self


class Run(Client):
    """A client whose requests belong to a run.

    Attributes:
        name: the run's name. A run is its principal's: two that name theirs alike have one each.
    """

    def __init__(self, parent: Client, name: str | None) -> None:
        super().__init__(parent.transport, parent.auth, region=parent.region, headers=parent.headers)
        self.name = name or f"run-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        if not 0 < len(self.name) <= 128 or not all(" " <= letter <= "~" for letter in self.name):
            raise ValueError("a run's name is at most 128 letters of printable ASCII")
        self.headers[RUN] = self.name

    def _place(self) -> str:
        return f"/_api/v1/runs/{encoded(self.name)}"

    def describe(self) -> dict[str, Any]:
        """What it did, in numbers: ``requests``, ``reads``, ``writes``, ``bytes_read``, ``bytes_written``, from when to when."""
        with self.send("GET", self._place(), query={"limit": 1}) as answer:
            told: dict[str, Any] = json.loads(answer.read())
        return {name: value for name, value in told.items() if name not in ("edges", "next")}

    def edges(self) -> Iterator[dict[str, Any]]:
        """What it read, wrote and deleted: an edge for each resource and version, with ``mode``, ``count`` and ``bytes``."""
        after: str | None = None
        while True:
            with self.send("GET", self._place(), query={"after": after}) as answer:
                page = json.loads(answer.read())
            yield from page["edges"]
            after = page.get("next")
            if not after:
                return

    def manifest_parts(self, *, after: str | None = None) -> Iterator[dict[str, Any]]:
        """What it read as Croissant 1.1, in documents of at most 1,000 versions each: for runs that read more than memory should hold.

        Args:
            after: where to go on: ``craton:next`` of the last one that there is.
        """
        while True:
            query: Query = {"format": "croissant", "after": after}
            with self.send("GET", f"{self._place()}/manifest", query=query) as answer:
                part: dict[str, Any] = json.loads(answer.read())
            after = part.get("craton:next")
            yield part
            if not after:
                return

    def manifest(self, format: str = "croissant") -> dict[str, Any]:
        """What it read, for others to check: every version with its SHA-256, licence, labels and size.

        Asking for it reads what has no digest yet, as a run of its own: ``manifest-`` and the name of this one.

        Args:
            format: ``croissant`` (1.1), or ``in-toto``: a statement about what it wrote, signed by the key of the ledger.
        """
        if format != "croissant":
            with self.send("GET", f"{self._place()}/manifest", query={"format": format}) as answer:
                told: dict[str, Any] = json.loads(answer.read())
            return told
        parts = self.manifest_parts()
        whole = next(parts)
        for part in parts:
            for name in ("distribution", "craton:notDigested"):
                whole[name] += part[name]
            whole["craton:hidden"] += part["craton:hidden"]
            if licences := {*whole.get("license", ()), *part.get("license", ())}:
                whole["license"] = sorted(licences)
        whole.pop("craton:next", None)
        return whole

    def undo(self, *, apply: bool = False) -> list[dict[str, Any]]:
        """What undoing it would do, or with ``apply`` does: an item for each object, table and graph that it changed.

        An item has ``resource``, ``state`` (``ready``, ``done``, ``later`` …), ``step``, ``why`` and, if somebody else changed it later, ``by``. It is
        asked by the run's parent, and is a run of its own, ``undo-<name>``.
        """
        items: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = self.json("POST", "/_api/v1/undo", body={"run": self.name, "apply": apply, "after": after})
            items += page["items"]
            after = page.get("next")
            if not after:
                return items

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: a run has no end of its own, and the connections are the parent's."""
