"""Open a snapshot, for the repositories that read LIMS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sqlalchemy import URL
from typing_extensions import override

from ecephys_dal.database import Database, cover
from ecephys_dal.snapshot.coverage import Coverage
from ecephys_dal.snapshot.description import noted_in, uri_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ecephys_dal.config import DatabaseSettings

__all__ = ["SnapshotDatabase", "source_of"]


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
        self.noted = noted_in(path)
        self.path = Path(path).absolute()
        name, _, options = uri_of(path).partition("?")
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


def source_of(source: Database | str | Path | URL | Engine) -> Database:
    """Return the database that is meant: a snapshot by its path, any other as `Database.of` does.

    Parameters
    ----------
    source : Database, str, Path, URL or Engine
        A text is the path of a snapshot if it has no ``://``.

    Returns
    -------
    Database
    """
    if isinstance(source, Path) or (isinstance(source, str) and "://" not in source):
        return SnapshotDatabase(source)
    return Database.of(source)
