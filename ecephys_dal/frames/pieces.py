"""Some rows of a table, held by column: as Python's values, or as Arrow's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from ecephys_dal.frames.arrow import is_arrow, pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Piece", "Values", "joined", "last_of", "piece_of_batch", "piece_of_rows", "resized"]

Values: TypeAlias = Any  # a sequence of Python's values, or an array of Arrow's
Piece: TypeAlias = Sequence[Values]


def piece_of_rows(rows: Sequence[Sequence[Any]]) -> Piece:
    """Return rows as columns; no rows are no columns."""
    return list(zip(*rows, strict=True))


def piece_of_batch(batch: pa.RecordBatch) -> Piece:
    """Return the columns of a batch, each as the array that it is stored as."""
    return [getattr(column, "storage", column) for column in batch.columns]


def piece_of_batches(batches: Sequence[pa.RecordBatch]) -> Piece:
    """Return the columns of batches, without copying what they hold."""
    return list(map(pa.chunked_array, zip(*map(piece_of_batch, batches), strict=True)))


def last_of(values: Values) -> Any:
    """Return the last value of a column, as Python's."""
    return values[-1].as_py() if is_arrow(values) else values[-1]


def joined(pieces: Iterable[Piece], n_columns: int) -> Piece:
    """Return the columns of all pieces, which come by one route; without rows they are empty."""
    several = [piece for piece in pieces if piece]
    if not several:
        return [()] * n_columns
    if len(several) == 1:
        return several[0]
    join = pa.chunked_array if is_arrow(several[0][0]) else _chained
    return [join(list(parts)) for parts in zip(*several, strict=True)]


def _chained(parts: list[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def resized(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[Piece]:
    """Yield the rows of some batches as pieces of one size; the last one may be smaller."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        start = 0
        while n_held + batch.num_rows - start >= size:
            held.append(batch.slice(start, size - n_held))
            start += size - n_held
            n_held = 0
            yield _taken(held)
        if start < batch.num_rows:
            held.append(batch.slice(start))
            n_held += batch.num_rows - start
    if n_held:
        yield _taken(held)


def _taken(held: list[pa.RecordBatch]) -> Piece:
    """Return what is held, and hold it no longer: whoever takes it decides how long it is kept."""
    piece = piece_of_batches(held)
    held.clear()
    pa.default_memory_pool().release_unused()  # what the last piece was converted with
    return piece
