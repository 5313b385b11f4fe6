"""The questions, as a user of this package asks them."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

from ecephys_dal import (
    ArtifactClient,
    Database,
    EcephysProjectLimsApi,
    SessionRepository,
    UnitFilter,
    UnitRepository,
    snapshot,
)

# The bulk route imports these when it is first taken; what they occupy is no part of an answer.
with contextlib.suppress(ImportError):
    for _name in ("pyarrow.compute", "adbc_driver_postgresql.dbapi", "duckdb"):
        importlib.import_module(_name)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["ask", "chunks", "open_snapshot", "take_snapshot"]


def ask(url: str, method: str, **arguments: Any) -> pd.DataFrame:
    """Ask the class that stands in for AllenSDK's."""
    answer: pd.DataFrame = getattr(_api(url), method)(**arguments)
    return answer


def chunks(url: str, size: int, before: int | None = None) -> Iterator[pd.DataFrame]:
    """Read the units piece by piece, if wanted only those with an id below a given one."""
    return _units(url).chunks(UnitFilter(id_range=(None, before)), size)


def take_snapshot(url: str) -> None:
    """Copy a whole LIMS, with the records of its files, into one file; it goes again."""
    with TemporaryDirectory() as folder:
        snapshot.create(url, Path(folder, "lims.db"), progress=False)


def open_snapshot(url: str) -> None:
    """Open a snapshot, which is made when it is first wanted, and count its sessions."""
    with EcephysProjectLimsApi.from_snapshot(_snapshot(url)) as api:
        SessionRepository(api.postgres_engine).count()


@cache
def _snapshot(url: str) -> Path:
    path = Path(mkdtemp(prefix="ecephys_dal-"), "lims.db")
    atexit.register(shutil.rmtree, path.parent)
    snapshot.create(url, path, progress=False)
    return path


@cache
def _api(url: str) -> EcephysProjectLimsApi:
    return EcephysProjectLimsApi(Database(url), ArtifactClient())


@cache
def _units(url: str) -> UnitRepository:
    return UnitRepository(Database(url))
