"""A synthetic LIMS of each backend, and a snapshot of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecephys_dal import ArtifactClient, Database, EcephysProjectLimsApi, snapshot
from ecephys_dal.filters import Filter
from ecephys_dal.testing import SyntheticLims

from ..conftest import BACKENDS


@dataclass
class Lims:
    """A LIMS to make snapshots of."""

    url: str
    database: Database
    ids: SyntheticLims
    folder: Path

    def snapshot(self, name: str, spec: Filter | None = None, **options: Any) -> Path:
        """Return a snapshot, made once."""
        path = self.folder / f"{name}.db"
        if not path.exists():
            snapshot.create(self.database, path, spec, progress=False, **options)
        return path

    def api(self) -> EcephysProjectLimsApi:
        return EcephysProjectLimsApi(self.database, ArtifactClient())


@pytest.fixture(scope="session", params=BACKENDS)
def lims(
    request: pytest.FixtureRequest,
    filled: Callable[[str], tuple[str, SyntheticLims]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lims]:
    url, ids = filled(request.param)
    with Database(url) as database:
        yield Lims(url, database, ids, tmp_path_factory.mktemp("snapshots"))


@pytest.fixture(scope="session")
def small(
    filled: Callable[[str], tuple[str, SyntheticLims]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lims]:
    """The one on SQLite, for what does not depend on the source."""
    url, ids = filled("sqlite")
    with Database(url) as database:
        yield Lims(url, database, ids, tmp_path_factory.mktemp("small"))
