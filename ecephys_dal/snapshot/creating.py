"""Copy what a filter reaches into one SQLite file."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL

from ecephys_dal.bars import make_bar
from ecephys_dal.database import shown
from ecephys_dal.errors import ArtifactError, ConfigurationError
from ecephys_dal.filters import SessionFilter
from ecephys_dal.paths import absolute_path
from ecephys_dal.snapshot.description import FORMAT_VERSION, SnapshotInfo, info, noted_in
from ecephys_dal.snapshot.digests import digest_of, seal
from ecephys_dal.snapshot.files import fetch
from ecephys_dal.snapshot.opening import SnapshotDatabase, opened_source
from ecephys_dal.snapshot.part import Part
from ecephys_dal.snapshot.planning import plan
from ecephys_dal.snapshot.reach import Reach
from ecephys_dal.snapshot.source import Source
from ecephys_dal.snapshot.storing import part_of, publish, told
from ecephys_dal.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Engine

    from ecephys_dal.artifacts import ArtifactClient
    from ecephys_dal.database import Database
    from ecephys_dal.filters import Filter

__all__ = ["create"]


def create(
    source: Database | str | Path | URL | Engine,
    path: str | Path,
    spec: Filter | None = None,
    *,
    artifacts: ArtifactClient | None = None,
    hidden: bool = False,
    progress: bool | None = None,
) -> SnapshotInfo:
    """Copy all that a filter reaches into one SQLite file, which answers as its source does.

    Parameters
    ----------
    source : Database, str, Path, URL or Engine
        What to copy from; a text without ``://``, or a Path, is a snapshot.
    path : str or Path
        The file to make. Until it is whole it is called ``<path>.part``; if that was interrupted,
        the same call goes on where it ended, also with its files.
    spec : Filter, optional
        A `SessionFilter`, `ProbeFilter`, `ChannelFilter`, `UnitFilter` or `UnitMetricFilter`; all
        sessions without it.
    artifacts : ArtifactClient, optional
        Fetch the files too, into ``<path>.artifacts``, as `fetch` does.
    hidden : bool
        Take along what the visibility rules hide.
    progress : bool, optional
        Show a bar on stderr; with None only on a terminal or in a notebook, after a second.

    Returns
    -------
    SnapshotInfo
        What the snapshot says of itself.

    Raises
    ------
    InvalidFilterError
        If the spec is of another table.
    ConfigurationError
        If there is a file of this name already, another process is making it, or it can't be
        written: no such folder, no space.
    BeyondSnapshotError
        If the source is a snapshot that can't answer for the filter.
    ArtifactError
        If files could not be fetched; the snapshot itself is there then.
    """
    path = absolute_path(path)
    with opened_source(source) as database:
        reach = Reach(database, SessionFilter() if spec is None else spec, hidden=hidden)
        reach.check()
        tables = Source(database)
        request = _request(reach, tables)
        if artifacts is None or not _is_made(path, request):
            _check_free(path)
            _make(path, reach, tables, request, progress=progress)
    if artifacts is not None:
        _fetch(path, artifacts)
    return info(path)


def _is_made(path: Path, request: Mapping[str, Any]) -> bool:
    """Tell whether the snapshot is there already, so that only its files are to be fetched."""
    try:
        return path.is_file() and noted_in(path)["request"] == request
    except ConfigurationError:
        return False


def _check_free(path: Path) -> None:
    if path.exists():
        raise ConfigurationError(f"{path} is there already; name another file, or remove it first")


def _make(
    path: Path, reach: Reach, source: Source, request: Mapping[str, Any], *, progress: bool | None
) -> None:
    part_path = part_of(path)
    with told(part_path):
        with Part.opened(part_path) as part:
            _go_on(part, reach, source, request, progress=progress)
        seal(part_path)
        _check_free(path)
        publish(part_path, path)


def _go_on(
    part: Part, reach: Reach, source: Source, request: Mapping[str, Any], *, progress: bool | None
) -> None:
    """Do what is left to be done."""
    if part.noted.get("request") != request:
        part.clear()
        plan(part, reach, source, request=request)
    if "digests" not in part.noted:
        with make_bar(
            progress, desc="snapshot", total=part.rows_left, unit="row", unit_scale=True
        ) as bar:
            for number, table, ids in part.left():
                part.copy(number, table, ids, source)
                bar.update(len(ids))
        _finish(part)


def _request(reach: Reach, source: Source) -> dict[str, Any]:
    """Return what a snapshot that was begun must be of, to be gone on with."""
    return {
        "format_version": FORMAT_VERSION,
        "library_version": __version__,
        "source": _place(source.database),
        "source_of": source.noted.get("digests", {}),
        "filter": {"type": type(reach.spec).__name__, "fields": reach.spec.to_dict()},
        "hidden": reach.hidden,
        "lacking": source.lacking,
    }


def _place(database: Database) -> str:
    """Return what names a database, without who reads it."""
    if isinstance(database, SnapshotDatabase):
        return str(database.path)
    url = database.url
    return shown(URL.create(url.drivername, None, None, url.host, url.port, url.database))


def _finish(part: Part) -> None:
    """Note what came, and take away what was only needed to make it."""
    driver = part.driver
    names = [
        name for name in part.table_names() if not name.startswith(("ecephys_dal_", "alembic"))
    ]
    digests = {name: digest_of(driver, name) for name in names}
    dangling = len(driver.execute("PRAGMA foreign_key_check").fetchall())
    (revision,) = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    with part.transaction():
        driver.execute("DROP TABLE ecephys_dal_left")
        part.make_indexes()
        part.note(
            created_at=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            schema_revision=revision,
            dangling=dangling,
            rows={name: n for name, (n, _) in digests.items()},
            digests={name: digest for name, (_, digest) in digests.items()},
        )


def _fetch(path: Path, client: ArtifactClient) -> None:
    reports = fetch(path, client)
    errors = [report.error for report in reports if report.error is not None]
    if errors:
        raise ArtifactError(
            f"{path} is whole, but {len(errors)} of its {len(reports)} files could not be fetched;"
            f" ecephys_dal.snapshot.fetch goes on with them. The first: {errors[0]}",
            url=errors[0].url,
        ) from errors[0]
