"""Datasets and a loader for torch.

    data = craton.torch.Objects(client, "data", "train/", decode=lambda key, content: …)
    loader = craton.torch.Loader(data, batch_size=64, seed=7, workers=4)
    for epoch in range(10):
        for batch in loader:
            …

``Objects`` (the objects under a prefix) and ``Table`` (the rows of a table's snapshot) are datasets of torch's own kind, that
is asked for by index: they work with every sampler, too. ``Loader`` adds what a long training needs: an order that is the same for the same
seed whatever the number of workers, a part for each rank, and a state from which it goes on exactly where it was.
"""

from __future__ import annotations

import bisect
import concurrent.futures
import hashlib
import json
import os
import random
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from .client import Client, table_parts
from .objects import Bucket

if TYPE_CHECKING:
    import pyarrow

Decode = Callable[[str, bytes], Any]
Collate = Callable[[list[Any]], Any]
_ROWS = 1024
"""Rows of a batch in a table's file: what is touched for one row."""


class Objects(Dataset):  # type: ignore[misc]
    """The objects under a prefix, as they are when it is made: one that is changed since raises ``Changed`` when it is read.

    Its list (about 200 bytes an object) is in memory.

    Args:
        client: who reads; a run or a lease too.
        bucket: the bucket's name.
        prefix: what the keys begin with.
        decode: makes a sample of a key and its content; ``(key, content)`` is the sample if it is ``None``.
        at_once: how many of a batch are fetched at the same time, in each worker.
    """

    def __init__(self, client: Client, bucket: str, prefix: str = "", *, decode: Decode | None = None, at_once: int = 8) -> None:
        self._bucket: Bucket = client.bucket(bucket)
        self.decode = decode
        self.at_once = at_once
        found = [(o.key, o.etag) for o in self._bucket.list(prefix) if not o.key.endswith("/")]
        self.keys: list[str] = [key for key, _ in found]
        self._etags: list[str] = [etag for _, etag in found]
        digest = hashlib.sha256(json.dumps([bucket, prefix, found]).encode()).hexdigest()
        self.identity: dict[str, Any] = {"objects": f"{bucket}/{prefix}", "samples": len(found), "sha256": digest}
        """What is read: a state of another is refused."""
        self._fetchers: tuple[int, concurrent.futures.ThreadPoolExecutor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fetchers": None}

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Any:
        key = self.keys[index]
        content = self._bucket.get(key, etag=self._etags[index])
        return (key, content) if self.decode is None else self.decode(key, content)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        own = os.getpid()
        if self._fetchers is None or self._fetchers[0] != own:
            self._fetchers = own, concurrent.futures.ThreadPoolExecutor(self.at_once, "craton-fetch")
        return list(self._fetchers[1].map(self.__getitem__, indices))

    def batch(self, indices: Sequence[int], collate: Collate) -> Any:
        """Samples put together."""
        return collate(self.__getitems__(indices))


class Table(Dataset):  # type: ignore[misc]
    """The rows of one snapshot of a table, as dictionaries of tensors; texts and other values stay as they are.

    It is read once, by SQL as the caller may, into a file of this machine, which is mapped into memory and goes with the
    process: workers share it. Rows are ordered by a key, so that every rank and every later process means the same row by the same index.

    Args:
        client: who reads; a run or a lease too.
        table: ``bucket.namespace.table``.
        key: columns that together are different in every row and never null.
        columns: what is wanted, as SQL: ``["x", "coalesce(y, 0) AS y"]``; all columns if ``None``.
        where: which rows, as SQL.
        snapshot: a snapshot's id; the current one if ``None``. Give the same one to all ranks.
        folder: where the file is; the system's folder for such files if ``None``.
    """

    def __init__(self, client: Client, table: str, key: str | Sequence[str], *, columns: Sequence[str] | None = None,
                 where: str | None = None, snapshot: int | None = None, folder: str | Path | None = None) -> None:
        if snapshot is None:
            snapshot = client.table_snapshot(table)
        self.snapshot = snapshot
        """The snapshot that is read."""
        keys = [key] if isinstance(key, str) else list(key)
        self._hidden = [f"craton_key_{n}" for n in range(len(keys))]
        self._path = _spill(client, _statement(table, self._hidden, keys, columns, where, snapshot), folder)
        weakref.finalize(self, _remove, self._path, os.getpid())
        self._source: tuple[int, list[Any], list[int]] | None = None
        self._order = self._ordered()
        self.identity: dict[str, Any] = {
            "table": table, "snapshot": snapshot, "key": keys, "columns": list(columns) if columns is not None else None,
            "where": where, "samples": len(self._order),
        }
        """What is read: a state of another is refused."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None}

    def _batches(self) -> tuple[list[Any], list[int]]:
        """The file's batches, mapped, and how many rows there are up to the end of each."""
        import pyarrow

        own = os.getpid()
        if self._source is None or self._source[0] != own:
            reader = pyarrow.ipc.open_file(pyarrow.memory_map(self._path))
            batches = [reader.get_batch(n) for n in range(reader.num_record_batches)]
            self._source = own, batches, list(accumulate(batch.num_rows for batch in batches))
        return self._source[1], self._source[2]

    def _ordered(self) -> Any:
        """Which row of the file comes where by the key."""
        import pyarrow
        from pyarrow import compute

        batches, _ = self._batches()
        if not batches:
            return []
        keys = pyarrow.Table.from_batches([batch.select(self._hidden) for batch in batches])
        order = compute.sort_indices(keys, [(name, "ascending") for name in self._hidden])
        first, second = keys.take(order[:-1]), keys.take(order[1:])
        same = pyarrow.scalar(True)
        for name in self._hidden:
            if keys[name].null_count:
                raise ValueError("a key is null")
            same = compute.and_(same, compute.equal(first[name], second[name]))
        if len(keys) > 1 and compute.any(same).as_py():
            raise ValueError("two rows have the same key")
        return order.to_numpy()

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        columns = self.columns(indices)
        return [dict(zip(columns, values)) for values in zip(*columns.values())]

    def columns(self, indices: Sequence[int]) -> dict[str, Any]:
        """Rows as columns: a tensor of numbers and truths, a list of anything else."""
        import pyarrow

        batches, ends = self._batches()
        parts = []
        for index in indices:
            row = int(self._order[index])
            n = bisect.bisect_right(ends, row)
            parts.append(batches[n].slice(row - (ends[n] - batches[n].num_rows), 1))
        rows = pyarrow.Table.from_batches(parts).drop_columns(self._hidden).combine_chunks()
        return {name: _tensor(name, rows[name]) for name in rows.column_names}

    def batch(self, indices: Sequence[int], collate: Collate) -> Any:
        """Samples put together."""
        return self.columns(indices) if collate is default_collate else collate(self.__getitems__(indices))


def _statement(table: str, hidden: Sequence[str], keys: Sequence[str], columns: Sequence[str] | None, where: str | None,
               snapshot: int | None) -> str:
    named = ".".join('"' + part.replace('"', '""') + '"' for part in table_parts(table))
    wanted = [f"{key} AS {name}" for key, name in zip(keys, hidden)] + (["*"] if columns is None else list(columns))
    moment = "" if snapshot is None else f" FOR VERSION AS OF {snapshot}"
    return f"SELECT {', '.join(wanted)} FROM {named}{moment}" + (f" WHERE {where}" if where else "")


def _spill(client: Client, statement: str, folder: str | Path | None) -> str:
    """Writes the rows of a statement to a file; its path."""
    import pyarrow

    descriptor, path = tempfile.mkstemp(".arrow", "craton-table-", folder)
    try:
        with os.fdopen(descriptor, "wb") as file, client.sql(statement) as rows:
            with pyarrow.ipc.new_file(file, rows.schema) as writer:
                for batch in rows.batches():
                    writer.write_table(pyarrow.Table.from_batches([batch]), max_chunksize=_ROWS)
    except BaseException:
        os.unlink(path)
        raise
    return path


def _remove(path: str, process: int) -> None:
    # A worker that was forked has the same object, and not the file.
    if os.getpid() == process:
        Path(path).unlink(missing_ok=True)


def _tensor(name: str, column: pyarrow.ChunkedArray) -> Any:
    from pyarrow import types

    kind = column.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        return column.to_pylist()
    if column.null_count and not types.is_floating(kind):
        raise ValueError(f"the column {name!r} has nulls: say what they are, as in `coalesce({name}, 0) AS {name}`")
    return torch.from_numpy(column.to_numpy().copy())


class _Blocks(Dataset):  # type: ignore[misc]
    """A dataset asked for by batches of indices."""

    def __init__(self, dataset: Any, collate: Collate) -> None:
        self.dataset = dataset
        self.collate = collate

    def __getitem__(self, indices: Sequence[int]) -> Any:
        return self.dataset.batch(indices, self.collate)


class Loader:
    """Batches of a dataset, epoch by epoch: each ``for`` over it is one.

    The order depends on the seed and the epoch alone, so that it is the same for any number of workers; ranks take turns in it.

    Args:
        dataset: ``Objects`` or ``Table``.
        batch_size: samples of a batch, for each rank.
        seed: shuffles; in the dataset's own order if it is ``None``.
        workers: processes that fetch and decode; in this process if 0.
        prefetch: how many batches each worker is ahead.
        rank, ranks: which part this process takes, of how many; those of ``torch.distributed`` or of ``RANK`` and
            ``WORLD_SIZE`` if they are not said.
        even: whether every rank has the same number of samples: what is too much is left out, by the order of the epoch.
        collate: puts samples together; torch's own if it is not said.
        options: more for ``torch.utils.data.DataLoader``, as ``pin_memory``.
    """

    def __init__(self, dataset: Objects | Table, batch_size: int, *, seed: int | None = None, workers: int = 0, prefetch: int = 2,
                 rank: int | None = None, ranks: int | None = None, even: bool = True, collate: Collate = default_collate,
                 **options: Any) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        own, all_of_them = _ranks()
        self.rank, self.ranks = (own if rank is None else rank), (all_of_them if ranks is None else ranks)
        if batch_size < 1 or not 0 <= self.rank < self.ranks:
            raise ValueError("a batch has at least one sample, and ranks count from 0")
        self.even = even
        self.epoch = 0
        """Which epoch is next, or under way; from 0."""
        self._done = 0
        self._options = {**options, "num_workers": workers} | ({"prefetch_factor": prefetch} if workers else {})
        self._blocks = _Blocks(dataset, collate)

    def order(self, epoch: int) -> list[int]:
        """The samples of an epoch that this rank takes, in order."""
        order = list(range(len(self.dataset)))
        if self.seed is not None:
            # Python promises that `random()` gives the same numbers for a seed in every version.
            draw = random.Random(f"{self.seed}/{epoch}").random
            place = [draw() for _ in order]
            order.sort(key=place.__getitem__)
        if self.even:
            del order[len(order) - len(order) % self.ranks :]
        return order[self.rank :: self.ranks]

    def __len__(self) -> int:
        """The batches of an epoch."""
        return -(-self._share() // self.batch_size)

    def _share(self) -> int:
        whole, rest = divmod(len(self.dataset), self.ranks)
        return whole + (0 if self.even else self.rank < rest)

    def __iter__(self) -> Iterator[Any]:
        """The batches that are left of the epoch. At its end the next epoch is set."""
        epoch, left = self.epoch, self.order(self.epoch)[self._done :]
        blocks = [left[n : n + self.batch_size] for n in range(0, len(left), self.batch_size)]
        # `batch_size=None`: what the sampler gives is asked for as it is, a list.
        batches = DataLoader(self._blocks, batch_size=None, sampler=blocks, collate_fn=_as_it_is, **self._options)
        for block, batch in zip(blocks, batches):
            # Before it is handed out: a state that is taken in the loop's body counts the batch at hand.
            self._done += len(block)
            yield batch
            if self.epoch != epoch:
                raise RuntimeError("a state was loaded, or another epoch begun, within this one")
        self.epoch, self._done = epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Where it is: after the batch that was handed out last. For any number of workers, the same number of ranks."""
        epoch, done = (self.epoch, self._done) if self._done < self._share() else (self.epoch + 1, 0)
        return {"dataset": self.dataset.identity, "seed": self.seed, "ranks": self.ranks, "epoch": epoch, "samples": done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where a state was taken: the next ``for`` begins there.

        Raises:
            ValueError: if the state is of other data, another seed or another number of ranks.
        """
        own = self.state_dict()
        for name in ("dataset", "seed", "ranks"):
            if state[name] != own[name]:
                raise ValueError(f"the state is of another {name}: {state[name]!r}, not {own[name]!r}")
        self.epoch, self._done = state["epoch"], state["samples"]


def _as_it_is(batch: Any) -> Any:
    return batch


def _ranks() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
