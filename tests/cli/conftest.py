"""A LIMS with files for the commands, on each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ecephys_dal.cli.program import run
from ecephys_dal.testing import ArtifactServer, SyntheticLims, create_synthetic_lims

SHAPE = {"sessions": 1, "channels_per_probe": 4, "units_per_session": 8, "progress": False}


@pytest.fixture
def asked(monkeypatch, capfd) -> Callable[..., tuple[int, str, str]]:
    """Run the program in this process, which takes no time to begin; stdout is no terminal."""
    for name in ("LIMS_DBNAME", "LIMS_USER", "LIMS_HOST", "LIMS_PASSWORD", "ECEPHYS_DAL_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def ask(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(map(str, arguments)))
        return code, *capfd.readouterr()

    return ask


@pytest.fixture(scope="session")
def folder_of_files(tmp_path_factory) -> tuple[str, Path, SyntheticLims]:
    """A LIMS on SQLite, and the folder of its files."""
    folder = tmp_path_factory.mktemp("lims")
    url = f"sqlite:///{folder}/lims.db"
    return url, folder / "files", create_synthetic_lims(url, artifacts=folder / "files", **SHAPE)


@pytest.fixture(scope="session")
def with_files(folder_of_files, fresh_url, tmp_path_factory) -> Callable[[str], str]:
    """Return the URL of a LIMS on a backend; each has the same ids, and so the same files."""

    @cache
    def make(backend: str) -> str:
        if backend == "sqlite":
            return folder_of_files[0]
        url = fresh_url(backend)
        create_synthetic_lims(url, artifacts=tmp_path_factory.mktemp("files"), **SHAPE)
        return url

    return make


@pytest.fixture
def web(folder_of_files) -> Iterator[ArtifactServer]:
    """The web application."""
    with ArtifactServer(folder_of_files[1]) as server:
        yield server
