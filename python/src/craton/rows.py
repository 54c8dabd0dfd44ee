"""Rows of an answer, as Arrow: read as they come, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .errors import CratonError
from .transport import Answer

if TYPE_CHECKING:
    import pandas
    import pyarrow

ARROW = "application/vnd.apache.arrow.stream"


class Rows:
    """An answer under way. Read it once, in one of the ways below, or close it: then the server stops.

    Raises:
        Interrupted: from every way to read it, if what is wrong came after the first row.
    """

    def __init__(self, answer: Answer, columns: Sequence[str] | None = None) -> None:
        self._answer = answer
        self._columns = list(columns) if columns is not None else None
        self._reader: Any = None

    @property
    def request_id(self) -> str:
        """The request's id, which its records in the ledger have."""
        return self._answer.request_id

    def _open(self) -> Any:
        import pyarrow

        if self._reader is None:
            self._reader = pyarrow.ipc.open_stream(self._answer)
            names = self._columns
            if names is not None and len(names) != len(self._reader.schema):
                self.close()
                raise ValueError(f"{len(names)} names for {len(self._reader.schema)} columns")
        return self._reader

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns."""
        import pyarrow

        schema = self._open().schema
        if self._columns is None:
            return schema
        return pyarrow.schema([field.with_name(name) for field, name in zip(schema, self._columns)])

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """The rows in batches, as they come."""
        if self._answer.closed:
            raise CratonError("these rows were read, or given up, already")
        reader, schema = self._open(), self.schema
        with self:
            for batch in reader:
                yield batch if self._columns is None else type(batch).from_arrays(batch.columns, schema=schema)

    def arrow(self) -> pyarrow.Table:
        """All rows as a table."""
        import pyarrow

        schema = self.schema
        return pyarrow.Table.from_batches(list(self.batches()), schema)

    def pandas(self, **options: Any) -> pandas.DataFrame:
        """All rows as a frame; ``options`` are those of ``pyarrow.Table.to_pandas``."""
        frame: pandas.DataFrame = self.arrow().to_pandas(**options)
        return frame

    def pylist(self) -> list[dict[str, Any]]:
        """All rows as dictionaries."""
        found: list[dict[str, Any]] = self.arrow().to_pylist()
        return found

    def close(self) -> None:
        """Gives up what was not read."""
        self._answer.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.batches():
            yield from batch.to_pylist()

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
