"""What a repository gives as tables: whole, in pieces, or cut into smaller questions."""

from __future__ import annotations

from contextlib import closing, contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ecephys_dal.frames import build_arrow, build_frame, need_arrow
from ecephys_dal.repositories.continued import Continued
from ecephys_dal.repositories.origin import Origin
from ecephys_dal.repositories.reading import asked
from ecephys_dal.repositories.statement import F, M, check_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import Select

    from ecephys_dal.database import Bulk
    from ecephys_dal.frames import DtypeBackend, FrameColumn, Piece
    from ecephys_dal.repositories.statement import Where

__all__ = ["Tables"]


class Tables(Origin[M, F]):
    """The outputs of a repository that are tables."""

    @asked
    def frame(
        self,
        spec: F | None = None,
        *,
        where: Where = (),
        dtype_backend: DtypeBackend = "numpy",
    ) -> pd.DataFrame:
        """Return the matching records as a table.

        Parameters
        ----------
        spec : Filter, optional
            Records to keep; all visible ones without it.
        where : ColumnElement or list of ColumnElement
            Further conditions.
        dtype_backend : {"numpy", "numpy_nullable", "pyarrow"}
            Which family of dtypes, as in pandas.

        Returns
        -------
        DataFrame, shape (n_records, n_columns)
            Indexed by id (int64), ascending. Dtypes do not depend on the rows. Its ``attrs`` say
            where it comes from, as `from_attrs` reads them.

        Raises
        ------
        InvalidFilterError
            If the spec is of another table.
        DatabaseUnavailableError
            If LIMS can't be reached.
        SchemaMismatchError
            If LIMS lacks a table or column that this table needs.
        """
        origin = self._origin(spec, where, dtype_backend)
        with self._pieces(spec, where) as pieces:
            frame = build_frame(*self._columns_of(pieces), dtype_backend)
        frame.attrs.update(origin)
        return frame

    def from_attrs(self, attrs: Mapping[Any, Any], *, where: Where = ()) -> pd.DataFrame:
        """Ask the question again that gave a frame.

        Parameters
        ----------
        attrs : mapping
            The ``attrs`` of a frame of this table.
        where : ColumnElement or list of ColumnElement
            The further conditions, if there were any: SQL can't be stored with a frame.

        Returns
        -------
        DataFrame
            As `frame` gives it now, with the rules and dtypes of then.

        Raises
        ------
        InvalidFilterError
            If the frame is of another table, was not read by this library, or there were further
            conditions that are not given.
        """
        spec, dtype_backend = self._question_of(attrs, where)
        # A repository without exceptions of its own: the rules are those of the filter alone.
        plain: Tables[M, F] = type(self)(self._reader.db)  # type: ignore[call-arg]
        return plain.frame(spec, where=where, dtype_backend=dtype_backend)

    @asked
    def arrow(self, spec: F | None = None, *, where: Where = ()) -> pa.Table:
        """Return the matching records as a table of Arrow's; needs the ``arrow`` extra.

        Polars and DuckDB read it without a copy.

        Parameters
        ----------
        spec, where
            As in `frame`.

        Returns
        -------
        Table, shape (n_records, n_columns + 1)
            The first column is the id, ascending. Numbers are int64 and float64, texts string,
            moments timestamp[us] in UTC without a zone; the schema does not depend on the rows.

        Raises
        ------
        ConfigurationError
            If pyarrow is not installed.
        """
        need_arrow()
        with self._pieces(spec, where) as pieces:
            return build_arrow(*self._columns_of(pieces))

    @contextmanager
    def _pieces(self, spec: F | None, where: Where) -> Iterator[Iterator[Piece]]:
        """Read the whole table."""
        table, bulk = self._whole_table(spec, where)
        with self._reader.bar() as bar, self._reader.pieces(table, bulk=bulk) as pieces:
            yield pieces if bar is None else bar.counted(pieces)

    def _whole_table(self, spec: F | None, where: Where) -> tuple[Select[Any], Bulk | None]:
        """Return the statement of the whole table, and the bulk route if it takes that."""
        table, bulk = self._table(spec, where), self._bulk()
        if bulk is not None and self.columns[0] is self.model.id:
            table = table.order_by(None)  # to sort numbers here is cheaper than rows there
        return table, bulk

    def _bulk(self) -> Bulk | None:
        return self._reader.bulk if self.is_large else None

    def chunks(
        self,
        spec: F | None = None,
        size: int = 50_000,
        *,
        where: Where = (),
        dtype_backend: DtypeBackend = "numpy",
    ) -> Iterator[pd.DataFrame]:
        """Yield the table in pieces, so that it need not fit into memory.

        Parameters
        ----------
        spec : Filter, optional
            Records to keep; all visible ones without it.
        size : int
            Rows of a piece; the last one may have fewer.
        where, dtype_backend
            As in `frame`.

        Returns
        -------
        iterator of DataFrame, shape (size, n_columns)
            In the order of `frame`. The server answers one question, as fast as the chunks are
            taken.
        """
        check_count("size", size)
        origin = self._origin(spec, where, dtype_backend)
        table = self._of(self.select(spec, where=where), *self.columns, *self._order()[1:])
        return self._chunks(table, size, dtype_backend, origin)

    def _chunks(
        self,
        table: Select[Any],
        size: int,
        dtype_backend: DtypeBackend,
        origin: Mapping[str, str],
    ) -> Iterator[pd.DataFrame]:
        rows = Continued(self._reader, table, self._order(), size, self._bulk())
        question = self._reader.question(f"{type(self).__name__}.chunks")
        with closing(rows), question:
            while piece := question.ask(rows.take):
                frame = build_frame(*self._columns_of([piece]), dtype_backend)
                del piece  # while the caller works on the frame, nothing else is held
                frame.attrs.update(origin)
                question.rows += len(frame)
                yield frame
                del frame

    @asked
    def partitions(self, spec: F | None = None, n: int = 8, *, where: Where = ()) -> list[F]:
        """Cut a question into smaller ones, for other threads, processes or machines.

        Parameters
        ----------
        spec : Filter, optional
            Records to keep; all visible ones without it.
        n : int
            How many parts at most; there are fewer where there are fewer records.
        where : ColumnElement or list of ColumnElement
            Further conditions, which each part's reader must give again.

        Returns
        -------
        list of Filter, length at most n
            Disjoint and together complete, each of about as many records, in the order of
            `frame`. The first and the last reach to the ends, so that records which are added
            meanwhile belong to one of them.
        """
        check_count("n", n)
        spec = self._asked(spec)
        key = self.columns[0]
        tiles = self._of(
            self.select(spec, where=where).order_by(None),
            key.label("key"),
            func.ntile(n).over(order_by=self._order()).label("tile"),
        ).subquery()
        query = select(func.min(tiles.c.key)).group_by(tiles.c.tile).order_by(tiles.c.tile)
        with self._reader.connection() as connection:
            # Where the index is not unique, two tiles may begin alike; a part has both.
            firsts = dict.fromkeys(connection.execute(query).scalars())
        ends = [None, *list(firsts)[1:], None]
        part = partial(self.filter_type, without_rules=spec.without_rules)
        return [spec & part(id_range=ends_of_part) for ends_of_part in pairwise(ends)]

    def _columns_of(self, pieces: Iterable[Piece]) -> tuple[Sequence[FrameColumn], Iterable[Piece]]:
        return self._frame_columns(), pieces
