"""The other half of a repository: every output, derived from the one declared SELECT."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, scoped_session

from ecephys_dal.database import Database, translated_errors
from ecephys_dal.errors import InvalidFilterError, NotExactlyOneError, RecordNotFoundError
from ecephys_dal.filters import checked_id
from ecephys_dal.frames import build_frame
from ecephys_dal.repositories.statement import F, M, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from sqlalchemy import URL, Connection, Row, Select
    from sqlalchemy.orm.interfaces import ORMOption

    from ecephys_dal.frames import DtypeBackend
    from ecephys_dal.repositories.statement import Where

__all__ = ["Repository"]


class Repository(Statement[M, F]):
    """A table of LIMS: a declared SELECT, from which every answer is derived.

    Parameters
    ----------
    db : Session, Database, Engine, URL or str
        With an ORM session of the caller's, everything is read inside its transaction. With a
        database, each call opens and closes a short transaction of its own.

    Notes
    -----
    Every call takes ``where=``, a clause or several, over the tables of the statement.
    """

    def __init__(
        self, db: Session | scoped_session[Session] | Database | Engine | URL | str
    ) -> None:
        if isinstance(db, scoped_session):
            db = db()
        self._db = db if isinstance(db, Session) else Database.of(db)

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
            Indexed by id (int64), ascending. Dtypes do not depend on the rows.

        Raises
        ------
        InvalidFilterError
            If the spec is of another table.
        DatabaseUnavailableError
            If LIMS can't be reached.
        SchemaMismatchError
            If LIMS lacks a table or column that this table needs.
        """
        with self._connection() as connection:
            rows = connection.execute(self._table(spec, where)).all()
        return self._build(rows, dtype_backend)

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
            In the order of `frame`, through one cursor of the server's.
        """
        _check_count("size", size)
        return self._chunks(self._table(spec, where), size, dtype_backend)

    def _chunks(
        self, table: Select[Any], size: int, dtype_backend: DtypeBackend
    ) -> Iterator[pd.DataFrame]:
        with self._connection() as connection:
            result = connection.execute(table, execution_options={"yield_per": size})
            for rows in result.partitions():
                yield self._build(rows, dtype_backend)

    def entities(
        self, spec: F | None = None, *, where: Where = (), options: Sequence[ORMOption] = ()
    ) -> list[M]:
        """Return the matching records as ORM objects.

        Parameters
        ----------
        spec : Filter, optional
            Records to keep; all visible ones without it.
        where : ColumnElement or list of ColumnElement
            Further conditions.
        options : sequence of ORMOption
            What to load along, such as ``selectinload(EcephysProbe.channels)``. A relationship
            that was not loaded raises when it is read.

        Returns
        -------
        list of the model, length n_records
            In the order of `frame`.
        """
        with self._session() as db:
            query = self.select(spec, where=where).options(*self.load, *options)
            return list(db.scalars(query).unique())

    def get(self, record_id: int, *, where: Where = (), options: Sequence[ORMOption] = ()) -> M:
        """Return the record with this id.

        Parameters
        ----------
        record_id : int
            The primary key.
        where, options
            As in `entities`.

        Returns
        -------
        the model

        Raises
        ------
        RecordNotFoundError
            If there is none, or a rule hides it.
        """
        wanted = self.model.id == checked_id("record_id", record_id)
        with self._session() as db:
            query = self.select(where=where).where(wanted).options(*self.load, *options)
            record = db.scalars(query).unique().one_or_none()
        if record is None:
            rules = ", ".join(rule.name for rule in self.rules)
            raise RecordNotFoundError(
                f"no {self.model.__name__} {record_id} is visible"
                + (f"; if it exists, one of the rules {rules} hides it" if rules else "")
            )
        return record

    def one(
        self, spec: F | None = None, *, where: Where = (), options: Sequence[ORMOption] = ()
    ) -> M:
        """Return the only matching record.

        Parameters
        ----------
        spec, where, options
            As in `entities`.

        Returns
        -------
        the model

        Raises
        ------
        NotExactlyOneError
            If there is none or there are several; it lists them.
        """
        found = self.entities(spec, where=where, options=options)
        if len(found) == 1:
            return found[0]
        listed = ", ".join(map(repr, found[:10])) + (", ..." if len(found) > 10 else "")
        asked = "" if spec is None else f" for {spec.described()}"
        raise NotExactlyOneError(
            f"expected exactly 1 {self.noun}{asked}, found {len(found)}"
            + (f": {listed}" if found else self.advice),
            found=found,
        )

    def count(self, spec: F | None = None, *, where: Where = ()) -> int:
        """Return the number of matching records, without fetching them."""
        query = self._of(self.select(spec, where=where), func.count()).order_by(None)
        with self._connection() as connection:
            n_records: int = connection.execute(query).scalar_one()
        return n_records

    def exists(self, spec: F | None = None, *, where: Where = ()) -> bool:
        """Tell whether any record matches."""
        query = self._of(self.select(spec, where=where), self.model.id).order_by(None).limit(1)
        with self._connection() as connection:
            return connection.execute(query).first() is not None

    def ids(
        self, spec: F | None = None, *, where: Where = ()
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the primary keys of the matching records.

        Returns
        -------
        ndarray of int64, shape (n_records,)
            In the order of `frame`.
        """
        query = self._of(self.select(spec, where=where), self.model.id)
        with self._connection() as connection:
            return np.array(connection.execute(query).scalars().all(), dtype=np.int64)

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
        _check_count("n", n)
        spec = self.filter_type() if spec is None else spec
        key = self.columns[0]
        tiles = self._of(
            self.select(spec, where=where).order_by(None),
            key.label("key"),
            func.ntile(n).over(order_by=self._order()).label("tile"),
        ).subquery()
        query = select(func.min(tiles.c.key)).group_by(tiles.c.tile).order_by(tiles.c.tile)
        with self._connection() as connection:
            # Where the index is not unique, two tiles may begin alike; a part has both.
            firsts = dict.fromkeys(connection.execute(query).scalars())
        ends = [None, *list(firsts)[1:], None]
        parts = [self.filter_type(id_range=ends_of_part) for ends_of_part in pairwise(ends)]
        return [spec & part for part in parts]

    def _build(self, rows: Sequence[Row[Any]], backend: DtypeBackend) -> pd.DataFrame:
        return build_frame(rows, self._frame_columns(), backend)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if isinstance(self._db, Database):
            with self._db.session() as db:
                yield db
        else:
            with translated_errors(self._db.get_bind(self.model).engine):
                yield self._db

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if isinstance(self._db, Database):
            with self._db.connection() as connection:
                yield connection
        else:
            if self._db.autoflush:
                self._db.flush()  # as the session does before a query of its own
            with translated_errors(self._db.get_bind(self.model).engine):
                yield self._db.connection(bind_arguments={"mapper": self.model})


def _check_count(name: str, value: int) -> None:
    if not 1 <= checked_id(name, value) < 2**31:
        raise InvalidFilterError(f"{name}={value!r} is no count; give 1 or more, below 2**31")
