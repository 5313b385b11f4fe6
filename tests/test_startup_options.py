"""A pooler that takes no options at login: each transaction sets them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, text

from ecephys_dal import (
    Database,
    DatabaseSettings,
    DatabaseUnavailableError,
    ReadOnlyError,
    StatementTimeoutError,
    UnitRepository,
)
from ecephys_dal.testing import SyntheticLims
from tests.conftest import FreshUrl
from tests.proxy import Proxy

# What PgBouncer and RDS Proxy say, with their SQLSTATEs.
SAID = {
    "08P01": "unsupported startup parameter in options: statement_timeout",
    "0A000": "Feature not supported: RDS Proxy currently doesn't support command-line options.",
}

ENCRYPTION = (80877103, 80877104)  # what asks for TLS and GSS


class NoOptions(Proxy):
    """Refuses each login that has options, with an SQLSTATE."""

    state = "08P01"
    _login = b""

    def _join(self, client: socket.socket) -> None:
        asked = b""
        while struct.unpack("!i", asked[4:8] or b"\0" * 4)[0] in (0, *ENCRYPTION):
            if asked:
                client.sendall(b"N")
            asked = client.recv(4, socket.MSG_WAITALL)
            asked += client.recv(struct.unpack("!i", asked)[0] - 4, socket.MSG_WAITALL)
        if b"\0options\0" not in asked:
            self._login = asked
            super()._join(client)
            return
        fields = f"SFATAL\0VFATAL\0C{self.state}\0M{SAID[self.state]}\0\0".encode()
        client.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
        client.close()

    def _connect(self) -> socket.socket:
        server = super()._connect()
        server.sendall(self._login)
        return server


@pytest.fixture
def pooler(filled: Callable[[str], tuple[str, SyntheticLims]]) -> Iterator[NoOptions]:
    with NoOptions(filled("postgresql")[0]) as proxy:
        yield proxy


def by_each_route(pooler: NoOptions, **settings: Any) -> Iterator[tuple[str, Database]]:
    for route in ("bulk", "rows"):
        with Database(
            pooler.url,
            bulk=route == "bulk",
            settings=DatabaseSettings(startup_options=False, **settings),
        ) as database:
            yield route, database


@pytest.mark.parametrize("state", SAID)
def test_the_setting_is_advised(pooler: NoOptions, state: str) -> None:
    pooler.state = state
    with (
        Database(pooler.url) as database,
        pytest.raises(DatabaseUnavailableError, match="startup_options=False"),
    ):
        UnitRepository(database).frame()


def test_both_routes_answer(pooler: NoOptions, filled: Any) -> None:
    with Database(filled("postgresql")[0]) as direct:
        expected = UnitRepository(direct).frame()
    for _, database in by_each_route(pooler):
        pd.testing.assert_frame_equal(UnitRepository(database).frame(), expected)
        assert pd.concat(UnitRepository(database).chunks(size=999)).equals(expected)
        assert len(UnitRepository(database).entities()) == len(expected)


def test_what_options_would_say_holds(pooler: NoOptions) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
             "transaction_read_only", "TimeZone")  # fmt: skip
    query = text("SELECT " + ", ".join(f"current_setting('{one}') AS a{one}" for one in names))
    told = {"statement_timeout": 77, "lock_timeout": 7, "idle_in_transaction_timeout": 17}
    for route, database in by_each_route(pooler, **told):
        if route == "rows":
            with database.connection() as connection:
                values = list(connection.execute(query).one())
        else:
            assert database.bulk is not None
            with database.bulk.batches(query) as batches:
                (batch,) = batches
            values = [column[0].as_py() for column in batch.columns]
        assert values == ["77s", "7s", "17s", "on", "UTC"]


def test_a_statement_is_ended_in_time(pooler: NoOptions) -> None:
    slow = text("pg_sleep(30) IS NOT NULL")
    for _, database in by_each_route(pooler, statement_timeout=0.2, retries=0):
        with pytest.raises(StatementTimeoutError):
            UnitRepository(database).frame(where=[slow])


def test_nothing_is_written(pooler: NoOptions) -> None:
    for _, database in by_each_route(pooler):
        with pytest.raises(ReadOnlyError), database.connection() as connection:
            connection.execute(text("DELETE FROM ecephys_units"))
        with pytest.raises(ReadOnlyError), database.session() as db:
            db.connection().execution_options(isolation_level="AUTOCOMMIT")


@pytest.mark.slow
def test_the_drivers_look_up_of_types_has_no_limit(fresh_url: FreshUrl) -> None:
    url = fresh_url("postgresql")
    engine = create_engine(make_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for first in range(0, 12_000, 1000):
            connection.execute(
                text(
                    f"DO $$ BEGIN FOR n IN {first}..{first + 999} LOOP"
                    " EXECUTE format('CREATE TABLE t%s (a int)', n); END LOOP; END $$"
                )
            )
    engine.dispose()
    settings = DatabaseSettings(statement_timeout=0.005, retries=0)
    with Database(url, settings=settings) as database:
        assert database.bulk is not None
        database.bulk.pool.connect().close()
