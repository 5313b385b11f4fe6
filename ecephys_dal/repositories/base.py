"""A repository: one declared SELECT, from which every output is derived."""

from __future__ import annotations

from html import escape
from inspect import getdoc
from typing import TYPE_CHECKING

from ecephys_dal.display import html_table
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.repositories import distributed
from ecephys_dal.repositories.reading import Reader
from ecephys_dal.repositories.reasons import Reasons
from ecephys_dal.repositories.records import Records
from ecephys_dal.repositories.statement import F, M

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.orm import Session, scoped_session

    from ecephys_dal.database import Database
    from ecephys_dal.filters import Names

__all__ = ["Repository"]


class Repository(Reasons[M, F], Records[M, F]):
    """A table of LIMS: a declared SELECT, from which every answer is derived.

    Parameters
    ----------
    db : Session, Database, Engine, URL or str
        With an ORM session of the caller's, everything is read inside its transaction. With a
        database, each call opens and closes a short transaction of its own.
    without_rules : collection of str
        Names of visibility rules that shall hide nothing, as `ecephys_dal.rules` lists them.

    Raises
    ------
    InvalidFilterError
        If the table has no such rule; the nearest one is named.

    Notes
    -----
    Every call takes ``where=``, a clause or several, over the tables of the statement.

    `frame`, `arrow` and `chunks` read PostgreSQL over its binary COPY if the ``arrow`` extra is
    installed and the database is named by a URL or credentials, and row by row else: the same
    values and dtypes, later.
    """

    def __init__(
        self,
        db: Session | scoped_session[Session] | Database | Engine | URL | str,
        *,
        without_rules: Names = None,
    ) -> None:
        if not hasattr(self, "statement"):
            raise ConfigurationError(
                f"{type(self).__name__} declares no statement; it is a base of repositories"
            )
        self._reader = Reader(db, self.model)
        spec = self._asked(self.filter_type(without_rules=without_rules))
        self.without_rules = frozenset(spec.without_rules or ())
        if self.without_rules:
            self._reader.check(spec)

    def __repr__(self) -> str:
        without = f", without_rules={sorted(self.without_rules)}" if self.without_rules else ""
        return f"{type(self).__name__}({self._reader.shown!r}{without})"

    @property
    def db(self) -> Session | Database:
        """What is read."""
        return self._reader.db

    dask_frame = distributed.dask_frame

    def _repr_html_(self) -> str:
        """Show what the table is, without asking the database anything."""
        (index, *columns), _ = self._columns_of([])  # of an empty table
        rows = [(index.name, f"{index.dtype()}, the index")]
        rows += [(column.name, str(column.dtype())) for column in columns]
        for rule in self.rules:
            left_out = "left out: " if rule.name in self.without_rules else ""
            rows.append((f"rule {rule.name}", f"{left_out}{rule.sentence}"))
        what = (getdoc(type(self)) or "").split("\n\n")[0]
        how = f"Reads {self._reader.shown}; takes a {self.filter_type.__name__}."
        texts = "".join(f"<p>{escape(text)}</p>" for text in (what, how))
        return texts + html_table((type(self).__name__, "dtype, or what the rule demands"), rows)
