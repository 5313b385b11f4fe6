"""A thread that outlives the main thread gets the same answers as any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from ecephys_dal import Database, UnitMetricRepository, UnitRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import ArtifactServer, build_synthetic_lims
from tests.conftest import ROUTES, FreshUrl

# What is imported, made and begun before the main thread ends.
BEGINNINGS = {
    "only the package was imported": "",
    "all was imported": "from ecephys_dal import *",
    "a read was begun": """
from ecephys_dal import *
database = Database(url, bulk=bulk)
chunks = UnitRepository(database).chunks(size=7)
begun = len(next(chunks))
""",
}
LATE = """
import json, sys, threading
url, bulk, host = json.loads(sys.argv[1])
import ecephys_dal
{beginning}

def work():
    threading.main_thread().join()
    import asyncio
    from pathlib import Path
    from ecephys_dal import (
        ArtifactClient, ArtifactSettings, AsyncArtifactClient, Database, EcephysProjectLimsApi,
        UnitMetricRepository, UnitRepository,
    )

    async def fetch():
        async with AsyncArtifactClient(settings) as client:
            api = EcephysProjectLimsApi(url, client)
            streamed = await api.get_file(file_id)
            await client.download(artifact, "two.bin")
            return streamed

    database = globals().get("database") or Database(url, bulk=bulk)
    units = UnitRepository(database)
    rows = [len(units.frame()), sum(map(len, units.chunks(size=50))), units.count()]
    if database.bulk:
        rows.append(units.arrow().num_rows)
    if "chunks" in globals():
        rows.append(begun + sum(map(len, chunks)))
    assert len(set(rows)) == 1, rows
    settings = ArtifactSettings(host=host)
    with EcephysProjectLimsApi(url, ArtifactClient(settings)) as api:
        files = api.list_files(types=["EcephysNwb"])
        file_id = files.index[files["reachable"]][0]
        session_id = int(files["ecephys_session_id"][file_id])
        artifact, *_ = api.locate(session_id=session_id, type="EcephysNwb", current=False)
        file_id = artifact.id
        one = b"".join(api.get_file(file_id))
        api.app_engine.download_many({{artifact: "one.bin"}})
    assert asyncio.run(fetch()) == one
    assert Path("one.bin").read_bytes() == Path("two.bin").read_bytes()
    print(rows[0], len(UnitMetricRepository(database).frame()))

threading.Thread(target=work).start()
"""


@pytest.fixture(scope="module")
def served(
    fresh_url: FreshUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[str, str]]]:
    """The URL of a small LIMS of a backend, and the host that has its files."""
    with ExitStack() as stack:

        @cache
        def serve(backend: str) -> tuple[str, str]:
            url, folder = fresh_url(backend), tmp_path_factory.mktemp("files")
            with Database(url, owned=True) as owned:
                with owned.connection() as connection:
                    upgrade(connection)
                build_synthetic_lims(
                    owned,
                    sessions=1,
                    probes=(1, 1),
                    channels_per_probe=4,
                    units_per_session=8,
                    artifacts=folder,
                    progress=False,
                )
            return url, stack.enter_context(ArtifactServer(folder)).host

        yield serve


@pytest.mark.parametrize(
    ("route", "beginning"),
    [
        ("postgresql", "a read was begun"),
        *(
            pytest.param("postgresql", one, marks=pytest.mark.slow)
            for one in BEGINNINGS
            if one != "a read was begun"
        ),
        *(
            pytest.param(one, "a read was begun", marks=pytest.mark.slow)
            for one in ROUTES
            if one != "postgresql"
        ),
    ],
)
@pytest.mark.slow
def test_a_thread_that_outlives_the_main_thread_is_answered(
    served: Callable[[str], tuple[str, str]], tmp_path: Path, route: str, beginning: str
) -> None:
    backend, _, rows = route.partition(", ")
    url, host = served(backend)
    script = LATE.format(beginning=BEGINNINGS[beginning])
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script, json.dumps([url, not rows, host])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    with Database(url) as database:
        expected = [len(UnitRepository(database).frame()), UnitMetricRepository(database).count()]
    assert (done.stdout.split(), done.stderr) == ([str(one) for one in expected], "")
