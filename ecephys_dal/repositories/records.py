"""What a repository gives of single records: objects, ids, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func

from ecephys_dal.errors import NotExactlyOneError, RecordNotFoundError
from ecephys_dal.filters import checked_id
from ecephys_dal.models.missing_columns import can_ask_again
from ecephys_dal.repositories.reading import asked
from ecephys_dal.repositories.statement import F, M, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm.interfaces import ORMOption

    from ecephys_dal.repositories.statement import Where

__all__ = ["Records"]


class Records(Statement[M, F]):
    """The outputs of a repository that are records."""

    @asked
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
        return self._found(spec, where, options)

    def _found(self, spec: F | None, where: Where, options: Sequence[ORMOption]) -> list[M]:
        with self._reader.session() as db, can_ask_again(db, self.model):
            query = self.select(spec, where=where).options(*self.load, *options)
            with self._reader.readable(query):
                return list(db.scalars(query).unique())

    @asked
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
        with self._reader.session() as db, can_ask_again(db, self.model):
            query = self.select(where=where).where(wanted).options(*self.load, *options)
            with self._reader.readable(query):
                record = db.scalars(query).unique().one_or_none()
        if record is None:
            self._reader.check_records(record_id)
            rules = ", ".join(name for name in self.rule_names() if name not in self.without_rules)
            raise RecordNotFoundError(
                f"no {self.model.__name__} {record_id} is visible; if it exists, a join"
                + (f" or one of the rules {rules}" if rules else "")
                + f" hides it: {type(self).__name__}(...).why({record_id}) tells"
            )
        return record

    @asked
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
        found = self._found(spec, where, options)
        if len(found) == 1:
            return found[0]
        listed = ", ".join(map(repr, found[:10])) + (", ..." if len(found) > 10 else "")
        asked = "" if spec is None else f" for {spec.described()}"
        raise NotExactlyOneError(
            f"expected exactly 1 {self.noun}{asked}, found {len(found)}"
            + (f": {listed}" if found else self.advice),
            found=found,
        )

    @asked
    def count(self, spec: F | None = None, *, where: Where = ()) -> int:
        """Return the number of matching records, without fetching them."""
        query = self._of(self.select(spec, where=where), func.count()).order_by(None)
        with self._reader.connection() as connection:
            n_records: int = connection.execute(query).scalar_one()
        return n_records

    @asked
    def exists(self, spec: F | None = None, *, where: Where = ()) -> bool:
        """Tell whether any record matches."""
        query = self._of(self.select(spec, where=where), self.model.id).order_by(None).limit(1)
        with self._reader.connection() as connection:
            return connection.execute(query).first() is not None

    @asked
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
        with self._reader.connection() as connection:
            return np.array(connection.execute(query).scalars().all(), dtype=np.int64)
