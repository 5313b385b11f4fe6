"""A repository: one declared SELECT, from which every output is derived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecephys_dal.repositories import distributed
from ecephys_dal.repositories.reading import Reader
from ecephys_dal.repositories.records import Records
from ecephys_dal.repositories.statement import F, M
from ecephys_dal.repositories.tables import Tables

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.orm import Session, scoped_session

    from ecephys_dal.database import Database

__all__ = ["Repository"]


class Repository(Tables[M, F], Records[M, F]):
    """A table of LIMS: a declared SELECT, from which every answer is derived.

    Parameters
    ----------
    db : Session, Database, Engine, URL or str
        With an ORM session of the caller's, everything is read inside its transaction. With a
        database, each call opens and closes a short transaction of its own.

    Notes
    -----
    Every call takes ``where=``, a clause or several, over the tables of the statement.

    `frame`, `arrow` and `chunks` read PostgreSQL over its binary COPY if the ``arrow`` extra is
    installed and the database is named by a URL or credentials, and row by row else: the same
    values and dtypes, later.
    """

    def __init__(
        self, db: Session | scoped_session[Session] | Database | Engine | URL | str
    ) -> None:
        self._reader = Reader(db, self.model)

    dask_frame = distributed.dask_frame
