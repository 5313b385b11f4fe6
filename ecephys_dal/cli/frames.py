"""The rows of an answer, some at a time: as many as wanted, with the columns that are wanted."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from ecephys_dal.errors import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pandas import DataFrame

    from ecephys_dal.filters import Filter
    from ecephys_dal.frames import DtypeBackend
    from ecephys_dal.repositories import Repository

__all__ = ["Rows"]

_SIZE = 20_000  # rows of a chunk: they are converted to texts, which take a multiple of its memory


class Rows:
    """The rows of an answer, as frames whose first column is the id.

    Parameters
    ----------
    repository : Repository
        What is asked.
    spec : Filter
        The question.
    limit : int, optional
        How many rows at most.
    columns : sequence of str, optional
        Which columns, in which order; all without it.

    Attributes
    ----------
    n_rows : int
        How many came so far.
    """

    def __init__(
        self,
        repository: Repository[Any, Any],
        spec: Filter,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._repository, self._spec = repository, spec
        self._limit, self._columns = limit, columns
        self.n_rows = 0

    def total(self) -> int:
        """Count the rows that there are, however many are wanted."""
        return self._repository.count(self._spec)

    def frames(self, dtype_backend: DtypeBackend, *, size: int = _SIZE) -> Iterator[DataFrame]:
        """Yield the rows; if there is none, one frame without rows."""
        for frame in self._read(dtype_backend, size):
            wanted = self._with_columns(frame.reset_index())
            self.n_rows += len(wanted)
            yield wanted

    def _read(self, dtype_backend: DtypeBackend, size: int) -> Iterator[DataFrame]:
        repository, spec, left = self._repository, self._spec, self._limit
        whole = not repository.has_fixed_columns  # chunks of it would differ in their columns
        if whole and left is None:
            yield repository.frame(spec, dtype_backend=dtype_backend)
            return
        at_once = size if left is None else left if whole else min(size, left)
        chunks = repository.chunks(spec, at_once, dtype_backend=dtype_backend)
        first = next(chunks, None)
        if first is None:
            yield repository.frame(spec, dtype_backend=dtype_backend)
            return
        for chunk in chain([first], chunks):
            yield chunk if left is None else chunk.head(left)
            left = None if left is None else left - len(chunk)
            if left is not None and left <= 0:
                return

    def _with_columns(self, frame: DataFrame) -> DataFrame:
        if self._columns is None:
            return frame
        for name in self._columns:
            if name not in frame.columns:
                advice = suggestion(name, frame.columns, str)
                raise click.BadParameter(
                    f"there is no column {name}; {advice}", param_hint="--columns"
                )
        chosen: DataFrame = frame[list(self._columns)]
        return chosen
