"""Open a snapshot, for the repositories that read LIMS."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sqlalchemy import URL, inspect
from typing_extensions import override

from ecephys_dal.database import Database, cover, schema_of
from ecephys_dal.database.url import parsed
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.paths import absolute_path
from ecephys_dal.snapshot.coverage import Coverage
from ecephys_dal.snapshot.description import is_snapshot, noted_in, uri_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from ecephys_dal.config import DatabaseSettings

__all__ = ["SnapshotDatabase", "database_of", "opened_source", "snapshot_at"]


class SnapshotDatabase(Database):
    """A snapshot, opened for reading; any number of processes may have it open.

    Every repository takes it as any other database. A question that it can't answer for raises a
    `BeyondSnapshotError`.

    Parameters
    ----------
    path : str or Path
        Of the snapshot.
    settings : DatabaseSettings, optional
        As for `Database`.

    Raises
    ------
    DatabaseUnavailableError
        If there is no such file.
    ConfigurationError
        If it is no snapshot, or of a format version that can't be read.
    """

    def __init__(self, path: str | Path, *, settings: DatabaseSettings | None = None) -> None:
        self.path = absolute_path(path)
        self.noted = noted_in(self.path)
        name, _, options = uri_of(self.path).partition("?")
        query = {**dict(parse_qsl(options)), "uri": "true"}
        url = URL.create("sqlite", database=name, query=query)
        super().__init__(url, settings=settings)

    @property
    def coverage(self) -> Coverage:
        """What it can answer for."""
        return Coverage.from_dict(self.noted["coverage"], str(self.path))

    @override
    def _use(self, given: Engine | None) -> None:
        super()._use(given)
        cover(self.engine, self.coverage)

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "path": self.path}

    @override
    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self.noted = noted_in(self.path)
        super().__setstate__(state)

    def __repr__(self) -> str:
        return f"SnapshotDatabase({str(self.path)!r})"


def snapshot_at(where: str | Path | URL) -> Path | None:
    """Return the path of the snapshot that is named by it, or by a URL of SQLite.

    Parameters
    ----------
    where : str, Path or URL
        Of any database, or of none.

    Returns
    -------
    Path or None
        None if that is no snapshot.
    """
    if isinstance(where, URL) or "://" in str(where):
        url = parsed(where)  # type: ignore[arg-type] # of paths none is like that
        if url.get_backend_name() != "sqlite" or not url.database:
            return None
        where = url.database
    path = absolute_path(where)
    return path if is_snapshot(path) else None


def database_of(given: Database | str | URL | Engine) -> Database:
    """Return a database as `Database.of` does; what names a snapshot is opened as one.

    Opened otherwise, it could not tell what it does not hold.

    Parameters
    ----------
    given : Database, str, URL or Engine
        The database.

    Returns
    -------
    Database
    """
    path = snapshot_at(given) if isinstance(given, (str, URL)) else None
    return Database.of(given) if path is None else SnapshotDatabase(path)


@contextmanager
def opened_source(source: Database | str | Path | URL | Engine) -> Iterator[Database]:
    """Open the database that is meant: a snapshot by its path, any other as `Database.of` does.

    Parameters
    ----------
    source : Database, str, Path, URL or Engine
        A text is the path of a snapshot if it has no ``://``.

    Yields
    ------
    Database
        Closed after the block, unless it is the caller's.

    Raises
    ------
    ConfigurationError
        If it is a snapshot, but is not opened as one: then it can't tell what it does not hold.
    """
    named = isinstance(source, Path) or (isinstance(source, str) and "://" not in source)
    database = SnapshotDatabase(source) if named else Database.of(source)  # type: ignore[arg-type]
    try:
        if not isinstance(database, SnapshotDatabase):
            _check_no_snapshot(database)
        yield database
    finally:
        if database is not source:
            database.close()


def _check_no_snapshot(database: Database) -> None:
    with database.connection() as connection:
        if inspect(connection).has_table("ecephys_dal_snapshot", schema_of(connection)):
            raise ConfigurationError(
                f"{database} is a snapshot; give its path, {database.url.database}, instead"
            )
