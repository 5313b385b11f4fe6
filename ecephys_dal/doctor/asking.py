"""Ask a LIMS that may be sick: each question in a short transaction of its own, with a limit."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from ecephys_dal.database import raise_without_query, schema_of
from ecephys_dal.errors import DatabaseUnavailableError, StatementTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Executable

    from ecephys_dal.database import Database
    from ecephys_dal.doctor.catalogue import Catalogue

__all__ = ["Lims"]

_STEPS = 10_000  # of SQLite's machine, between two looks at the clock


class Lims:
    """The database that is examined.

    Parameters
    ----------
    database : Database
        Where.
    time_limit : float
        Seconds that a statement may take.

    Attributes
    ----------
    catalogue : Catalogue or None
        What tables and columns there are, once that was read.
    lost : bool
        The database can't be reached any more.
    unexamined : set of str
        The codes of findings that could not be looked for, or not everywhere.
    """

    def __init__(self, database: Database, time_limit: float) -> None:
        self.database, self.time_limit = database, time_limit
        self.catalogue: Catalogue | None = None
        self.lost = False
        self.unexamined: set[str] = set()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection in a transaction, whose statements have the limit."""
        with self.database.connection() as connection:
            limit = _LIMITS[connection.dialect.name]
            with limit(connection, self.time_limit):
                yield connection

    def rows(self, statement: Executable, **values: Any) -> Sequence[Any]:
        """Return the answer to a statement."""
        with self.connection() as connection:
            return connection.execute(statement, values).all()

    def answers(self) -> bool:
        """Ask for next to nothing, and tell whether there is an answer."""
        try:
            with self.connection() as connection:
                inspect(connection).has_table("")  # which needs the catalogue alone
        except DatabaseUnavailableError:
            return False
        return True

    def rows_by_dialect(self, statements: Mapping[str, str], **values: Any) -> Sequence[Any]:
        """Return the answer to the statement for this database, nothing if there is none for it."""
        with self.connection() as connection:
            statement = statements.get(connection.dialect.name)
            if statement is None:
                return []
            schema = {"schema": schema_of(connection)} if ":schema" in statement else {}
            return connection.execute(text(statement), {**values, **schema}).all()


@contextmanager
def _limit_of_server(connection: Connection, seconds: float) -> Iterator[None]:
    limit = text("SELECT set_config('statement_timeout', :limit, true)")
    connection.execute(limit, {"limit": f"{max(1, round(seconds * 1000))}"})
    began = time.monotonic()
    try:
        yield
    except OperationalError as error:
        stopped = getattr(error.orig, "pgcode", None) == "57014"
        if not stopped or time.monotonic() - began < 0.98 * seconds:
            raise
        raise_without_query(StatementTimeoutError(f"not done within {seconds:g} s"), error)


@contextmanager
def _limit_of_file(connection: Connection, seconds: float) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    end = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        yield
    except OperationalError as error:
        if str(error.orig) != "interrupted":
            raise
        raise_without_query(StatementTimeoutError("SQLite was interrupted"), error)
    finally:
        driver.set_progress_handler(None, 0)


_LIMITS: dict[str, Callable[[Connection, float], AbstractContextManager[None]]] = {
    "postgresql": _limit_of_server,
    "sqlite": _limit_of_file,
}
