"""Graphs: facts in and out, queries, programs, rules, snapshots."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Union

from .auth import encoded
from .errors import Conflict, CratonError, Denied, Interrupted, Invalid, NotFound, TooLarge, Unavailable
from .rows import ARROW, Rows
from .transport import Answer

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from .client import Client, Query

JSON_LINES = "application/x-ndjson"
SPOOLED_BYTES_MAX = 16 << 20
"""A table that is loaded is written as text first: up to here in memory, beyond in a file."""
_KINDS: dict[str, type[CratonError]] = {
    "denied": Denied, "not-found": NotFound, "busy": Conflict, "exists": Conflict, "precondition": Conflict, "too-large": TooLarge,
    "unavailable": Unavailable, "internal": Unavailable, "corrupt": Unavailable,
}
Progress = Callable[[Mapping[str, Any]], None]
Snapshot = Union[str, int, None]


class Graph:
    """A graph. Made by ``Client.graph``.

    What reads takes ``prefix`` (only the facts that begin so, as ``(edge chr1 ``) and ``snapshot`` (a commit's number or a
    pin's name). What works takes limits, beyond which it is given up, the graph being as it was: ``seconds``, and by
    ``limits`` those of ``facts`` made, ``read_bytes`` and ``spill_bytes``.
    """

    def __init__(self, client: Client, bucket: str, name: str) -> None:
        self.client = client
        self.bucket = bucket
        self.name = name

    def _send(self, method: str, place: str = "", *, query: Query | None = None, body: bytes | IO[bytes] = b"",
              accept: str | None = None) -> Answer:
        target = f"/_graph/v1/{encoded(self.bucket)}/{encoded(self.name)}{place}"
        return self.client.send(method, target, query=query, headers={"accept": accept} if accept else None, body=body)

    def _json(self, method: str, place: str = "", *, query: Query | None = None, body: bytes = b"") -> Any:
        with self._send(method, place, query=query, body=body) as answer:
            return json.loads(answer.read() or b"null")

    # Facts ------------------------------------------------------------------------------------------------------

    def load(self, source: str | bytes | Path | IO[bytes], *, format: str = "expressions", relation: str | None = None,
             header: bool = True, skip_bad: bool = False, resume: str | None = None, remove: bool = False,
             seconds: int | None = None, progress: Progress | None = None) -> dict[str, Any]:
        """Adds facts, all or none.

        Args:
            source: a text, bytes, the path of a file, or a file that can be read twice: once for its hash. May be compressed
                with gzip or zstd.
            format: ``expressions``, ``csv``, ``tsv``, ``jsonl``, ``ntriples``, ``turtle``, ``obo``, ``gff3``, ``vcf``.
            relation: what a row of csv, tsv or jsonl becomes a fact of.
            header: whether the first line of csv and tsv names the columns.
            skip_bad: whether bad lines are passed over; else the first one fails the load.
            resume: a name: if the load is interrupted, the same call goes on where it was.
            remove: whether the facts are taken out instead.
            seconds: how long it may take.
            progress: called about each second with ``seconds``, ``steps``, ``facts``, ``read_bytes``.

        Returns:
            ``facts`` read, ``distinct``, ``bytes``, ``bad_lines``, ``snapshot`` and more.
        """
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self.load(file, format=format, relation=relation, header=header, skip_bad=skip_bad, resume=resume,
                                 remove=remove, seconds=seconds, progress=progress)
        query = _loading(format, relation, header, skip_bad, resume, remove, seconds)
        body = source.encode() if isinstance(source, str) else source
        return self._work("/facts", query, body, progress)

    def load_object(self, bucket: str, key: str, *, format: str = "expressions", relation: str | None = None, header: bool = True,
                    skip_bad: bool = False, resume: str | None = None, remove: bool = False, seconds: int | None = None,
                    progress: Progress | None = None) -> dict[str, Any]:
        """The same with an object that the server reads itself, as the caller may."""
        query = {**_loading(format, relation, header, skip_bad, resume, remove, seconds), "from": f"{bucket}/{key}"}
        return self._work("/facts", query, b"", progress)

    def load_table(self, table: pyarrow.Table | pandas.DataFrame, relation: str, *, seconds: int | None = None,
                   progress: Progress | None = None) -> dict[str, Any]:
        """Adds a fact ``(relation value …)`` for each row of a table or frame. A value that is missing is the empty string."""
        import pyarrow
        from pyarrow import csv

        if not isinstance(table, pyarrow.Table):
            table = pyarrow.Table.from_pandas(table, preserve_index=False)
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES_MAX) as text:
            csv.write_csv(table, text)
            text.seek(0)
            query = _loading("csv", relation, True, False, None, False, seconds)
            return self._work("/facts", query, text, progress)

    def facts(self, prefix: str | None = None, *, snapshot: Snapshot = None) -> Iterator[str]:
        """The facts, as text."""
        query = {"prefix": prefix, "snapshot": snapshot}
        for line in self._send("GET", "/facts", query=query).lines():
            yield line.decode()

    # Questions --------------------------------------------------------------------------------------------------

    def query(self, query: str, *, columns: Sequence[str] | None = None, limit: int | None = None, prefix: str | None = None,
              snapshot: Snapshot = None, seconds: int | None = None) -> Rows:
        """The different answers to patterns and one template, ``(, (edge $x b)) (, ($x))``, as rows of text.

        Args:
            columns: names for the template's items; ``c0``, ``c1`` … if not said.
            limit: at most so many answers.
        """
        asked = {"limit": limit, "prefix": prefix, "snapshot": snapshot, "seconds": seconds}
        return Rows(self._send("POST", "/query", query=asked, body=query.encode(), accept=ARROW), columns)

    def answers(self, query: str, *, limit: int | None = None, prefix: str | None = None, snapshot: Snapshot = None,
                seconds: int | None = None) -> Iterator[Any]:
        """The same with any number of templates, as values: an expression is a list, an integer a number, the rest texts."""
        asked = {"limit": limit, "prefix": prefix, "snapshot": snapshot, "seconds": seconds}
        for line in self._send("POST", "/query", query=asked, body=query.encode(), accept=JSON_LINES).lines():
            yield json.loads(line)

    def explain(self, query: str, *, run: bool = False, prefix: str | None = None, snapshot: Snapshot = None) -> list[dict[str, Any]]:
        """How a query or the ``exec`` facts of a program would be answered; with ``run`` what answering takes, too."""
        asked = {"run": "yes" if run else None, "prefix": prefix, "snapshot": snapshot}
        rules: list[dict[str, Any]] = self._json("POST", "/explain", query=asked, body=query.encode())["rules"]
        return rules

    def describe(self, *, snapshot: Snapshot = None) -> dict[str, Any]:
        """What it holds, in numbers."""
        found: dict[str, Any] = self._json("GET", query={"snapshot": snapshot})
        return found

    # Work -------------------------------------------------------------------------------------------------------

    def run(self, program: str, *, steps: int | None = None, report: bool = False, seconds: int | None = None,
            limits: Mapping[str, int] | None = None, prefix: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
        """Adds a program's facts and runs its ``exec`` facts; one commit.

        Args:
            steps: at most so many.
            report: whether the first thousand steps are told, in ``each``.
            progress: called about each second with ``seconds``, ``steps``, ``facts``, ``read_bytes``.

        Returns:
            ``steps``, ``matches``, ``added``, ``removed``, ``finished``, ``snapshot`` and more.
        """
        query = {**(limits or {}), "steps": steps, "report": "yes" if report else None, "seconds": seconds, "prefix": prefix}
        return self._work("/program", query, program.encode(), progress)

    def reason(self, rules: str, *, seconds: int | None = None, limits: Mapping[str, int] | None = None, prefix: str | None = None,
               progress: Progress | None = None) -> dict[str, Any]:
        """Adds facts and ``rule`` facts, and runs the rules until nothing more follows; one commit."""
        return self._work("/rules", {**(limits or {}), "seconds": seconds, "prefix": prefix}, rules.encode(), progress)

    def compact(self) -> None:
        """Merges what many commits left."""
        self._send("POST", "/compact").close()

    def clear(self) -> None:
        """Removes all facts."""
        self._send("DELETE").close()

    def _work(self, place: str, query: Query, body: bytes | IO[bytes], progress: Progress | None) -> dict[str, Any]:
        answer = self._send("POST", place, query=query, body=body, accept=JSON_LINES)
        for line in answer.lines():
            told = json.loads(line)
            if "progress" in told and progress is not None:
                progress(told["progress"])
            if "error" in told:
                raise _failed(told["error"], answer.request_id)
            if "done" in told:
                done: dict[str, Any] = told["done"]
                return done
        raise Interrupted("the work's outcome did not come", request_id=answer.request_id)

    # Snapshots --------------------------------------------------------------------------------------------------

    def snapshots(self, *, before: int | None = None) -> dict[str, Any]:
        """The commits that can be read, the newest first (``snapshots``), and the pinned ones (``pins``)."""
        found: dict[str, Any] = self._json("GET", "/snapshots", query={"before": before})
        return found

    def pin(self, name: str, *, snapshot: int | None = None) -> None:
        """Keeps the newest snapshot, or the one that is named, under a name."""
        self._send("POST", "/snapshots", query={"pin": name, "snapshot": snapshot}).close()

    def unpin(self, name: str) -> None:
        """Keeps it no longer."""
        self._send("DELETE", "/snapshots", query={"pin": name}).close()

    # Labels -----------------------------------------------------------------------------------------------------

    @property
    def labels(self) -> list[str]:
        """Its labels, which guard policies read. They are set by assigning."""
        labels: list[str] = self._json("GET", "/labels")["labels"]
        return labels

    @labels.setter
    def labels(self, labels: Sequence[str]) -> None:
        self._send("PUT", "/labels", body=json.dumps({"labels": list(labels)}).encode()).close()


def _loading(format: str, relation: str | None, header: bool, skip_bad: bool, resume: str | None, remove: bool,
             seconds: int | None) -> dict[str, str | int | None]:
    return {
        "format": format, "relation": relation, "header": None if header else "no", "bad": "skip" if skip_bad else None,
        "resume": resume, "mode": "remove" if remove else None, "seconds": seconds,
    }


def _failed(error: Mapping[str, str], request_id: str) -> CratonError:
    """What the last line of an answer tells that began well."""
    kind = _KINDS.get(error.get("kind", ""), Invalid)
    return kind(error["message"], status=200, reason=error["reason"], request_id=request_id)
