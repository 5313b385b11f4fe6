"""What the bulk route can't read is read row by row: never another's data, and one warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import make_url, text

from ecephys_dal import (
    ChannelRepository,
    Database,
    DatabaseUnavailableError,
    StatementRefusedError,
    UnitFilter,
    UnitMetricRepository,
    UnitRepository,
)
from ecephys_dal.database import Bulk, BulkUnfitError
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import SyntheticLims, create_synthetic_lims
from tests.conftest import FreshUrl, opened
from tests.proxy import Proxy


@pytest.fixture
def routes(
    filled: Any,
) -> Iterator[tuple[Database, UnitRepository, SyntheticLims]]:
    """A database that has both routes, and its units row by row."""
    url, synthetic = filled("postgresql")
    with opened(url) as database, opened(url, by_rows=True) as by_rows:
        yield database, UnitRepository(by_rows), synthetic


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if "row by row" in one.message]


def test_the_answer_of_another_question_is_not_believed(
    routes: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, by_rows, _ = routes
    quoted = Bulk._quoted

    def mixed(bulk: Bulk, query: Any) -> Any:
        other, _ = quoted(bulk, ChannelRepository(database).select())
        return other, quoted(bulk, query)[1]

    monkeypatch.setattr(Bulk, "_quoted", mixed)
    caplog.set_level(logging.WARNING)
    units = UnitRepository(database)
    for _ in range(2):
        pd.testing.assert_frame_equal(units.frame(), by_rows.frame())
    (said,) = warnings_of(caplog)
    assert "of another question" in said
    assert "bulk=False" in said


def test_a_server_that_can_not_do_it_is_read_row_by_row(
    routes: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, by_rows, _ = routes
    quoted = Bulk._quoted
    monkeypatch.setattr(  # which the server refuses by 0A000
        Bulk, "_quoted", lambda bulk, query: ("LISTEN x; SELECT 1", quoted(bulk, query)[1])
    )
    caplog.set_level(logging.WARNING)
    assert UnitRepository(database).arrow().equals(by_rows.arrow())
    assert len(warnings_of(caplog)) == 1


@pytest.mark.parametrize("output", ["frame", "arrow", "chunks"])
def test_a_fault_in_the_middle_is_made_good(
    routes: Any, output: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, by_rows, synthetic = routes
    batches, asked = Bulk.batches, []

    @contextmanager
    def broken(bulk: Bulk, query: Any, **more: Any) -> Iterator[Any]:
        asked.append(query)

        def some() -> Iterator[Any]:
            with batches(bulk, query, **more) as whole:
                yield next(whole).slice(0, 7)
                raise BulkUnfitError("a field of 3 bytes where 8 belong")

        yield some()

    monkeypatch.setattr(Bulk, "batches", broken)
    caplog.set_level(logging.WARNING)
    spec = UnitFilter(session_ids=synthetic.visible_session_ids[:2])

    def table(units: UnitRepository) -> pd.DataFrame:
        if output == "arrow":
            return units.arrow(spec).to_pandas()
        return units.frame(spec) if output == "frame" else pd.concat(units.chunks(spec, size=5))

    units = UnitRepository(database)
    for _ in range(2):
        pd.testing.assert_frame_equal(table(units), table(by_rows))
    assert len(asked) == 1  # the route is off from then on
    assert len(warnings_of(caplog)) == 1


class Garbler(Proxy):
    """Changes the length of the first field of binary answers, so that they can't be read."""

    begins = 0  # at this answer

    def _changed(self, answer: bytes) -> bytes:
        head, signature, rows = answer.partition(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        self.begins -= bool(signature)
        if not signature or self.begins >= 0:
            return answer
        at = 0 if rows[:1] != b"d" else 5  # a message of its own, or more of the header's
        length = slice(at + 2, at + 6)  # behind the number of fields
        return head + signature + rows[: length.start] + bytes([0, 0, 0, 3]) + rows[length.stop :]


@pytest.mark.parametrize("begins", [0, 1], ids=["at login", "in the answer"])
@pytest.mark.parametrize("output", ["frame", "chunks"])
def test_bytes_that_are_no_answer_are_read_row_by_row(
    begins: int, output: str, routes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database, by_rows, _ = routes
    with Garbler(database.url.render_as_string(hide_password=False)) as proxy:
        proxy.begins = begins
        with Database(proxy.url) as garbled:
            units = UnitRepository(garbled)
            for _ in range(2):
                read = units.frame() if output == "frame" else pd.concat(units.chunks(size=50))
                pd.testing.assert_frame_equal(read, by_rows.frame())
            assert garbled.counters.retries == 0
    assert len(warnings_of(caplog)) == 1


def test_who_may_not_look_types_up_reads_row_by_row(
    routes: Any, fresh_url: FreshUrl, caplog: pytest.LogCaptureFixture
) -> None:
    url = fresh_url("postgresql")
    role = f"poor_{uuid4().hex[:12]}"
    with Database(url, owned=True) as owner:
        with owner.connection() as connection:
            upgrade(connection)
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
            connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
            connection.execute(text("REVOKE SELECT ON pg_type FROM PUBLIC"))
        try:
            with Database(make_url(url).set(username=role)) as database:
                units = UnitRepository(database)
                assert units.frame().empty
                assert list(units.chunks()) == []
        finally:
            with owner.connection() as connection:
                connection.execute(text(f"DROP OWNED BY {role}"))
                connection.execute(text(f"DROP ROLE {role}"))
    (said,) = warnings_of(caplog)
    assert "pg_type" in said


def test_each_question_is_a_transaction_that_only_reads(routes: Any) -> None:
    database, _, _ = routes
    query = text(
        "SELECT current_setting('transaction_read_only') AS a, now() = statement_timestamp()"
    )
    with database.bulk.batches(query) as batches:
        (batch,) = batches
    assert batch.to_pydict()["a"] == ["on"]
    assert database.bulk.pool.checkedout() == 0


def test_settings_of_a_database_part_no_routes(
    fresh_url: FreshUrl, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither floats of fewer digits, nor names in quotes, by which ADBC knows no type any more."""
    url = fresh_url("postgresql")
    create_synthetic_lims(
        url, sessions=1, channels_per_probe=2, units_per_session=9, progress=False
    )
    with Database(url, owned=True) as owned, owned.connection() as connection:
        for statement in (
            "UPDATE ecephys_units SET snr = 0.1::float8 + 0.2::float8",
            f"ALTER DATABASE {owned.url.database} SET extra_float_digits = 0",
            f"ALTER DATABASE {owned.url.database} SET quote_all_identifiers = on",
        ):
            connection.execute(text(statement))
    with Database(url) as bulk, Database(url, bulk=False) as rows:
        for repository in (UnitRepository, UnitMetricRepository, ChannelRepository):
            pd.testing.assert_frame_equal(repository(bulk).frame(), repository(rows).frame())
        assert set(UnitRepository(rows).frame()["snr"]) == {0.1 + 0.2}
    assert len(warnings_of(caplog)) <= 3


def test_a_session_that_an_error_has_ended_says_so(routes: Any) -> None:
    with routes[0].session() as db:
        units = UnitRepository(db)
        with pytest.raises(StatementRefusedError):
            units.count(where=text("1/0 = 1"))
        with pytest.raises(DatabaseUnavailableError, match="roll the ORM session back"):
            units.count()
        db.rollback()
        assert units.count() > 0
