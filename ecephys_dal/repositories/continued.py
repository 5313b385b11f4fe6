"""A table that is read piece by piece, and read on where the connection broke off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import tuple_

from ecephys_dal.database import BulkUnfitError
from ecephys_dal.errors import (
    ConnectionLostError,
    DatabaseUnavailableError,
    StatementTimeoutError,
)
from ecephys_dal.frames import last_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Select

    from ecephys_dal.database import Bulk
    from ecephys_dal.frames import Piece
    from ecephys_dal.repositories.reading import Reader

__all__ = ["Continued"]


class Continued:
    """A table of which `take` gives the next piece, also after an error.

    Parameters
    ----------
    reader : Reader
        Where to read.
    table : Select
        What to read, ordered by ``order``. Its first column is the first of these, and its last
        columns are the others, which a piece lacks.
    order : sequence of columns
        Which together no two rows share, and no row has as NULL.
    size : int
        Rows of each piece but the last.
    bulk : Bulk, optional
        Read by this route; row by row without it.
    """

    def __init__(
        self,
        reader: Reader,
        table: Select[Any],
        order: Sequence[Any],
        size: int,
        bulk: Bulk | None,
    ) -> None:
        self._reader, self._table, self._order = reader, table, order
        self._size, self._bulk = size, bulk
        self._width = len(table.selected_columns) - len(order) + 1
        self._last: Sequence[Any] | None = None
        self._begin()

    def take(self) -> Piece | None:
        """Return the next piece, or None at the end.

        Raises
        ------
        ConnectionLostError
            If the connection broke off; take again. So it is after a timeout in the middle of an
            answer: who takes slowly is not at fault.
        """
        try:
            return next(self._coming, None)
        except DatabaseUnavailableError as error:
            was_slow = self._has_moved and isinstance(error, StatementTimeoutError)
            self._begin()
            if was_slow:
                raise ConnectionLostError(str(error)) from error.__cause__
            raise
        except BulkUnfitError:
            self._bulk = None
            self._begin()
            raise

    def close(self) -> None:
        """Take no more."""
        self._coming.close()

    def _begin(self) -> None:
        self._has_moved = False
        self._coming = self._rest()

    def _rest(self) -> Generator[Piece, None, None]:
        table = self._table
        if self._last is not None:
            table = table.where(tuple_(*self._order) > tuple_(*self._last))
        with self._reader.pieces(table, self._size, bulk=self._bulk) as pieces:
            yield from map(self._noted, pieces)

    def _noted(self, piece: Piece) -> Piece:
        self._has_moved = True
        self._last = [last_of(values) for values in (piece[0], *piece[self._width :])]
        return piece[: self._width]
