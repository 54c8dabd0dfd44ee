"""Runs: what belongs together, in the ledger and in lineage."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from .auth import encoded
from .client import RUN, Client

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: a run has no end of its own, and the connections are the parent's."""
