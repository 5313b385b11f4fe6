"""Copy what a filter reaches into one SQLite file."""

from __future__ import annotations

import datetime as dt
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import inspect
from tqdm import tqdm

from ecephys_dal.database import shown
from ecephys_dal.errors import ConfigurationError
from ecephys_dal.filters import SessionFilter
from ecephys_dal.snapshot.closure import Closure, Source
from ecephys_dal.snapshot.coverage import MISSING, SILENT, Coverage
from ecephys_dal.snapshot.description import FORMAT_VERSION, SnapshotInfo, info
from ecephys_dal.snapshot.digests import digest_of, seal
from ecephys_dal.snapshot.opening import SnapshotDatabase, source_of
from ecephys_dal.snapshot.part import Part
from ecephys_dal.snapshot.reach import FIELDS, LEVELS, PUBLIC, Reach

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

    from ecephys_dal.database import Database
    from ecephys_dal.filters import Filter

__all__ = ["create"]


def create(
    source: Database | str | Path | URL | Engine,
    path: str | Path,
    spec: Filter | None = None,
    *,
    hidden: bool = False,
    progress: bool = True,
) -> SnapshotInfo:
    """Copy all that a filter reaches into one SQLite file."""
    path, database = Path(path), source_of(source)
    _check_free(path)
    reach = Reach(database, spec or SessionFilter(), hidden=hidden)
    part_path = path.with_name(f"{path.name}.part")
    tables = Source(database)
    with Part.opened(part_path) as part:
        _plan(part, reach, tables)
        _copy(part, tables, progress=progress)
        _finish(part)
    seal(part_path)
    _check_free(path)
    part_path.replace(path)
    return info(path)


def _check_free(path: Path) -> None:
    if path.exists():
        raise ConfigurationError(f"{path} is there already; name another file, or remove it first")


def _plan(part: Part, reach: Reach, source: Source) -> None:
    """Note what is to be copied."""
    reach.check()
    part.make_schema(source)
    closure = Closure(source, whole_sessions=reach.level == 0)
    for level in reach.levels:
        repository = reach.repository(level)
        closure.add(inspect(repository.model).local_table, repository.ids(where=reach.where(level)))
    closure.follow()
    within = source.database.coverage if isinstance(source.database, SnapshotDatabase) else None
    with part.transaction():
        part.plan(closure.ids)
        part.note(
            format_version=FORMAT_VERSION,
            coverage=Coverage.of(reach, within).to_dict(),
            filters=[{"type": type(reach.spec).__name__, "fields": reach.spec.to_dict()}],
            rules=reach.applied,
            source=shown(source.database.url.set(username=None)),
            library_version=version("ecephys_dal"),
            lacking=source.lacking,
        )


def _copy(part: Part, source: Source, *, progress: bool) -> None:
    with tqdm(desc="snapshot", unit="row", unit_scale=True, disable=not progress) as bar:
        for number, table, ids in part.left():
            bar.update(part.copy(number, table, ids, source))


def _finish(part: Part) -> None:
    """Note what came, and take away what was only needed to make it."""
    driver = part.driver
    tables = sorted(inspect(part.connection).get_table_names())
    digests = {
        name: digest_of(driver, name)
        for name in tables
        if not name.startswith(("ecephys_dal_", "alembic_"))
    }
    part.connection.rollback()
    dangling = len(driver.execute("PRAGMA foreign_key_check").fetchall())
    (revision,) = driver.execute("SELECT version_num FROM alembic_version").fetchone()
    with part.transaction():
        part.note(
            created_at=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
            schema_revision=revision,
            dangling=dangling,
            rows={name: n for name, (n, _) in digests.items()},
            digests={name: digest for name, (_, digest) in digests.items()},
        )
        driver.execute("DROP TABLE ecephys_dal_left")
    driver.execute("VACUUM")
